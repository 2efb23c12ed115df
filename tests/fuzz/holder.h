/* SPDX-License-Identifier: Apache-2.0 */
/* holder.h: a worker, a policy and the keys of both sides, shared by targets that start from good signed and sealed
 * messages. */
#ifndef TESTS_FUZZ_HOLDER_H
#define TESTS_FUZZ_HOLDER_H

#include "tests/fuzz/worker.h"
#include "tests/unit/soapmaker.h"

static struct maker_key signer, own, older;
static bool to_curve; /* seal for the older key, which is one of P-256 */
static const struct wssec_when when = {MAKER_NOW, MAKER_NOW, WSSEC_TIME_NOW, true, false};

static int candidates(void *ctx, enum wssec_use use, const struct wssec_hint *h, int64_t at, struct wssec_entry *out,
                      int max)
{
    struct maker_partner p = {.n = 0};
    (void)ctx;
    if (use == WSSEC_USE_VERIFY || use == WSSEC_USE_SIGN) {
        struct wssec_entry *e = maker_accept(&p, &signer, WSSEC_ACTIVE);
        e->key = use == WSSEC_USE_SIGN ? signer.pkey : e->key;
    } else if (use == WSSEC_USE_ENCRYPT) {
        (void)maker_accept(&p, to_curve ? &older : &own, WSSEC_ACTIVE);
    } else {
        maker_accept(&p, &own, WSSEC_ACTIVE)->key = own.pkey;
        maker_accept(&p, &older, WSSEC_DEACTIVATED)->key = older.pkey;
    }
    return maker_candidates(&p, use, h, at, out, max);
}

static const struct wssec_resolver keys = {NULL, 1, candidates, NULL};

static cs_buf octets_of(const struct wssec_output *out)
{
    cs_buf b = CS_BUF_INIT;
    for (size_t i = 0; i < out->n_piece; i++) {
        cs_buf_add(&b, out->piece[i].p, out->piece[i].n);
    }
    return b;
}

static MAKER_UNUSED char *text_of(const struct wssec_output *out)
{
    cs_buf b = octets_of(out);
    return cs_buf_take(&b, NULL);
}

/* Everything above, for the life of the process. */
static void holder_begin(void)
{
    static const struct maker_cert own_cert = {.subject = "own", .serial = 11, .key_usage = "keyEncipherment"};
    static const struct maker_cert older_cert = {.subject = "own", .serial = 10, .key_usage = "keyEncipherment"};
    worker_begin();
    worker_ready();
    signer = maker_key_new("ec:P-256", NULL);
    own = maker_key_new("rsa:2048", &own_cert);
    older = maker_key_new("ec:P-256", &older_cert);
}

#endif
