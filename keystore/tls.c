/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls.c: what a TLS context is made of, read from a snapshot: who is presented with which chain and key, who anchors,
 * and a number by which a gateway sees that a context must be made anew. No context is built here.
 */
#include <openssl/sha.h>
#include <string.h>

#include "keystore/crl.h"

X509 *ks_entry_certificate(const ks_entry *e)
{
    return e->m->certificate;
}

STACK_OF(X509) * ks_entry_issuers(const ks_entry *e)
{
    return e->m->issuers;
}

/** The entry after e in its slot, or NULL. */
static const ks_entry *next_of(const ks_snapshot *s, const ks_entry *e)
{
    const ks_entry *next = e + 1;
    return next < s->entry + s->n && strcmp(next->m->alias, e->m->alias) == 0 ? next : NULL;
}

size_t ks_actives(const ks_snapshot *s, const char *alias, const ks_entry **out, size_t max)
{
    size_t n = 0;
    for (const ks_entry *e = ks_snapshot_slot(s, alias); e != NULL && n < max; e = next_of(s, e)) {
        if (e->state == KS_ACTIVE) {
            out[n++] = e;
        }
    }
    return n;
}

static bool anchors(const ks_entry *e, cs_time when)
{
    enum ks_state state = e->m->role == KS_TRUST_ANCHOR ? ks_entry_state(e, KS_CAN_ANCHOR, when) : KS_DESTROYED;
    return state == KS_ACTIVE || state == KS_DEACTIVATED;
}

static bool signed_by(const struct ks_crl *c, const ks_entry *e)
{
    return memcmp(c->signer_spki, e->m->spki_sha256, sizeof c->signer_spki) == 0;
}

static uint64_t first_octets(const uint8_t digest[32])
{
    uint64_t v = 0;
    memcpy(&v, digest, sizeof v);
    return v;
}

/** What of one entry ends up in a context, as a number. */
static uint64_t print_of(const ks_entry *e)
{
    struct {
        uint8_t certificate[32], chain[32];
        char key_id[KS_ID];
        uint8_t has_key;
    } all;
    uint8_t digest[32];
    memset(&all, 0, sizeof all);
    memcpy(all.certificate, e->m->sha256, sizeof all.certificate);
    if (e->m->chain_len > 0) {
        SHA256(e->m->chain, e->m->chain_len, all.chain);
    }
    memcpy(all.key_id, e->m->key_id, sizeof all.key_id);
    all.has_key = e->m->private_key != NULL;
    SHA256((const uint8_t *)&all, sizeof all, digest);
    return first_octets(digest);
}

/* Sums do not depend on the order in which the parts are found, which is not the same in every process. */
uint64_t ks_slot_version(const ks_snapshot *s, const char *alias, cs_time when)
{
    uint64_t sum = 0;
    size_t n = 0;
    for (const ks_entry *e = ks_snapshot_slot(s, alias); e != NULL; e = next_of(s, e)) {
        bool anchor = anchors(e, when);
        if (e->m->role == KS_TRUST_ANCHOR ? !anchor : e->state != KS_ACTIVE) {
            continue;
        }
        sum += print_of(e);
        n++;
        for (size_t i = 0; anchor && i < s->n_crl; i++) {
            sum += signed_by(s->crl[i], e) ? first_octets(s->crl[i]->sha256) : 0;
        }
    }
    return n > 0 && sum == 0 ? 1 : sum;
}

/** Both hold their own reference. @return 0, or -1 */
static int push_anchor(ks_anchor_set *out, const ks_snapshot *s, const ks_entry *e)
{
    if (X509_up_ref(e->m->certificate) != 1) {
        return -1;
    }
    if (sk_X509_push(out->certificate, e->m->certificate) <= 0) {
        X509_free(e->m->certificate);
        return -1;
    }
    for (size_t i = 0; i < s->n_crl; i++) {
        X509_CRL *x = s->crl[i]->x;
        if (!signed_by(s->crl[i], e) || sk_X509_CRL_find(out->crl, x) >= 0) {
            continue; /* two entries of one key: the list is taken once */
        }
        if (X509_CRL_up_ref(x) != 1) {
            return -1;
        }
        if (sk_X509_CRL_push(out->crl, x) <= 0) {
            X509_CRL_free(x);
            return -1;
        }
    }
    return 0;
}

int ks_anchors(const ks_snapshot *s, const char *alias, cs_time when, ks_anchor_set *out)
{
    *out = (ks_anchor_set){sk_X509_new_null(), sk_X509_CRL_new_null()};
    int rc = out->certificate != NULL && out->crl != NULL ? 0 : -1;
    for (const ks_entry *e = ks_snapshot_slot(s, alias); rc == 0 && e != NULL; e = next_of(s, e)) {
        rc = anchors(e, when) ? push_anchor(out, s, e) : 0;
    }
    if (rc != 0) {
        ks_anchors_clear(out);
    }
    return rc;
}

void ks_anchors_clear(ks_anchor_set *a)
{
    sk_X509_pop_free(a->certificate, X509_free);
    sk_X509_CRL_pop_free(a->crl, X509_CRL_free);
    *a = (ks_anchor_set){NULL, NULL};
}

bool ks_key_compromised(const ks_snapshot *s, const uint8_t spki_sha256[32], cs_time *since)
{
    for (size_t i = 0; i < s->n; i++) {
        const ks_entry *e = &s->entry[i];
        if (e->state == KS_COMPROMISED && memcmp(e->m->spki_sha256, spki_sha256, 32) == 0) {
            if (since != NULL) {
                *since = e->compromised_since;
            }
            return true;
        }
    }
    return false;
}

const ks_entry *ks_client_entry(const ks_snapshot *s, const uint8_t sha256[32], enum ks_state *state)
{
    for (size_t i = 0; i < s->n; i++) {
        const ks_entry *e = &s->entry[i];
        if (e->m->role == KS_AUTHZ_CLIENT && memcmp(e->m->sha256, sha256, 32) == 0) {
            *state = e->state;
            return e;
        }
    }
    return NULL;
}

bool ks_revocation(const ks_snapshot *s, X509 *x, const uint8_t issuer_spki[32], cs_time when, cs_time *revoked_at)
{
    *revoked_at = 0;
    return ks_crl_ask(s, x, issuer_spki, when, revoked_at);
}
