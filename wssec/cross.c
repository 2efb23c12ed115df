/* SPDX-License-Identifier: Apache-2.0 */
/* cross.c: see cross.h. */
#include "wssec/cross.h"

#include <string.h>

#define MILLION 1000000u

bool wssec_cross_due(struct wssec_worker *w, const struct wssec_policy *p, const struct wssec_when *t)
{
    if (!t->freshness || p->cross_check_ppm == 0) {
        return false;
    }
    w->cross_ppm += p->cross_check_ppm < MILLION ? p->cross_check_ppm : MILLION;
    if (w->cross_ppm < MILLION) {
        return false;
    }
    w->cross_ppm -= MILLION;
    return true;
}

static bool same_references(const struct wssec_verdict *a, const struct wssec_verdict *b)
{
    for (unsigned i = 0; i < a->n_reference; i++) {
        if (a->reference[i].ok != b->reference[i].ok || strcmp(a->reference[i].uri, b->reference[i].uri) != 0 ||
            strcmp(a->reference[i].digest, b->reference[i].digest) != 0) {
            return false;
        }
    }
    for (unsigned i = 0; i < a->n_covers; i++) {
        if (strcmp(a->covers[i], b->covers[i]) != 0) {
            return false;
        }
    }
    return true;
}

bool wssec_cross_agree(const struct wssec_verdict *a, bool a_passes, const struct wssec_verdict *b, bool b_passes)
{
    if (a_passes != b_passes || !a_passes) {
        return a_passes == b_passes;
    }
    return a->n_reference == b->n_reference && a->n_covers == b->n_covers && same_references(a, b) &&
           a->has_certificate == b->has_certificate &&
           memcmp(a->certificate.sha256, b->certificate.sha256, sizeof a->certificate.sha256) == 0;
}
