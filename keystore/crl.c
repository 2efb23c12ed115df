/* SPDX-License-Identifier: Apache-2.0 */
/* crl.c: see crl.h. A list that covers only part of its issuer's certificates is not taken: "not on it" would mean
 * nothing. */
#include "keystore/crl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "keystore/change.h"
#include "keystore/entry.h"

#define CLOCK_SKEW 300 /* seconds that an authority's clock may be ahead */

static int no_memory(cs_error *e)
{
    return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "memory ran out while a CRL was read");
}

/* ---- in snapshots ---------------------------------------------------------------------------------------------- */

static void crl_release(struct ks_crl *c)
{
    if (c != NULL && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1) {
        X509_CRL_free(c->x);
        free(c);
    }
}

void ks_crls_release(ks_snapshot *s)
{
    for (size_t i = 0; i < s->n_crl; i++) {
        crl_release(s->crl[i]);
    }
    free(s->crl);
    s->crl = NULL;
    s->n_crl = 0;
}

/** The anchor of s that signed x, NULL: none of them. */
static const struct ks_entry *signer_of(const ks_snapshot *s, X509_CRL *x)
{
    const struct ks_entry *found = NULL;
    for (size_t i = 0; i < s->n && found == NULL; i++) {
        const struct ks_material *m = s->entry[i].m;
        if (m->role == KS_TRUST_ANCHOR &&
            X509_NAME_cmp(X509_get_subject_name(m->certificate), X509_CRL_get_issuer(x)) == 0 &&
            X509_CRL_verify(x, m->public_key) == 1) {
            found = &s->entry[i];
        }
    }
    ERR_clear_error();
    return found;
}

/** Parse a stored list. @return 0 with *out NULL where its anchor is gone: nobody asks it then */
static int crl_load(ks_store *store, const ks_snapshot *s, const struct ks_crl_row *row, struct ks_crl **out,
                    cs_error *e)
{
    uint8_t *der = NULL;
    size_t n = 0;
    int rc = -1;
    struct ks_crl *c = calloc(1, sizeof *c);
    *out = NULL;
    if (c == NULL) {
        return no_memory(e);
    }
    atomic_init(&c->refs, 1);
    memcpy(c->sha256, row->sha256, sizeof c->sha256);
    c->this_update = row->this_update;
    c->next_update = row->next_update;
    if (store->driver->crl_get(store->b, row->sha256, &der, &n, e) != 1) {
        goto out;
    }
    const uint8_t *p = der;
    c->x = n <= KS_CRL_MAX ? d2i_X509_CRL(NULL, &p, (long)n) : NULL;
    if (c->x == NULL) {
        ERR_clear_error();
        cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "a CRL of %s cannot be parsed; add it anew", row->issuer);
        goto out;
    }
    rc = 0;
    const struct ks_entry *signer = signer_of(s, c->x);
    if (signer != NULL) {
        memcpy(c->signer_spki, signer->m->spki_sha256, sizeof c->signer_spki);
        *out = c;
        c = NULL;
    }
out:
    free(der);
    crl_release(c);
    return rc;
}

struct reading {
    ks_store *store;
    const ks_snapshot *old;
    ks_snapshot *s;
};

static int take_crl(void *ctx, const struct ks_crl_row *row, cs_error *e)
{
    struct reading *r = ctx;
    struct ks_crl *c = NULL;
    struct ks_crl **more = reallocarray(r->s->crl, r->s->n_crl + 1, sizeof(struct ks_crl *));
    if (more == NULL) {
        return no_memory(e);
    }
    r->s->crl = more;
    for (size_t i = 0; r->old != NULL && i < r->old->n_crl && c == NULL; i++) {
        if (memcmp(r->old->crl[i]->sha256, row->sha256, sizeof row->sha256) == 0) {
            c = r->old->crl[i];
            atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
        }
    }
    if (c == NULL && crl_load(r->store, r->s, row, &c, e) != 0) {
        return -1;
    }
    if (c != NULL) {
        r->s->crl[r->s->n_crl++] = c;
    }
    return 0;
}

int ks_crls_read(ks_store *store, const ks_snapshot *old, ks_snapshot *s, cs_error *e)
{
    struct reading r = {store, old, s};
    return store->driver->crls(store->b, take_crl, &r, e);
}

bool ks_crl_ask(const ks_snapshot *s, X509 *x, const uint8_t signer_spki[32], cs_time when, cs_time *revoked_at)
{
    bool current = false;
    *revoked_at = 0;
    for (size_t i = 0; i < s->n_crl; i++) {
        const struct ks_crl *c = s->crl[i];
        X509_REVOKED *row = NULL;
        if (memcmp(c->signer_spki, signer_spki, sizeof c->signer_spki) != 0 ||
            X509_NAME_cmp(X509_CRL_get_issuer(c->x), X509_get_issuer_name(x)) != 0) {
            continue;
        }
        current |= c->next_update != 0 && when <= c->next_update;
        /* 2: taken off the list again, which only delta lists say */
        if (X509_CRL_get0_by_cert(c->x, &row, x) != 1) {
            continue;
        }
        if (ks_time_of_asn1(X509_REVOKED_get0_revocationDate(row), revoked_at) != 0 || *revoked_at <= 0) {
            *revoked_at = 1; /* a date that nobody can read: since ever */
        }
    }
    return current;
}

/* ---- add-crl --------------------------------------------------------------------------------------------------- */

struct adding {
    struct ks_work *w;
    X509_CRL *x;  /**< owned */
    uint8_t *der; /**< owned, OpenSSL's */
    size_t n;
    EVP_PKEY *signer;        /**< owned; key of the slot's entry that signed it */
    bool older, held;        /**< what the store has of this issuer is newer; is this very list */
    uint8_t (*replaced)[32]; /**< owned: lists whose place it takes */
    size_t n_replaced;
    ks_crl_info *out;
};

static int parse(struct adding *a, const char *data, size_t n, cs_error *e)
{
    if (n > KS_CRL_MAX) {
        return cs_error_set(e, CS_EXIT_USAGE, "input-too-large", "the file is larger than %u MiB", KS_CRL_MAX >> 20);
    }
    if (memmem(data, n, "-----BEGIN ", 11) != NULL) {
        BIO *bio = BIO_new_mem_buf(data, (int)n);
        a->x = bio != NULL ? PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL) : NULL;
        BIO_free(bio);
    } else {
        const uint8_t *p = (const uint8_t *)data;
        a->x = d2i_X509_CRL(NULL, &p, (long)n);
        if (p != (const uint8_t *)data + n) {
            X509_CRL_free(a->x);
            a->x = NULL;
        }
    }
    ERR_clear_error();
    int octets = a->x != NULL ? i2d_X509_CRL(a->x, &a->der) : -1;
    if (octets <= 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "not-a-crl", "the file is no certificate revocation list (PEM or DER)");
    }
    a->n = (size_t)octets;
    return 0;
}

static int read_facts(struct adding *a, cs_time now, cs_error *e)
{
    ks_crl_info *o = a->out;
    const STACK_OF(X509_REVOKED) *rows = X509_CRL_get_REVOKED(a->x);
    o->revoked = rows != NULL ? (size_t)sk_X509_REVOKED_num(rows) : 0;
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(a->x);
    if (SHA256(a->der, a->n, o->sha256) == NULL ||
        cs_dn_text(X509_CRL_get_issuer(a->x), o->issuer, sizeof o->issuer) == 0 ||
        ks_time_of_asn1(X509_CRL_get0_lastUpdate(a->x), &o->this_update) != 0 ||
        (next != NULL && ks_time_of_asn1(next, &o->next_update) != 0)) {
        return cs_error_set(e, CS_EXIT_USAGE, "not-a-crl", "issuer or dates of the CRL cannot be read");
    }
    if (X509_CRL_get_ext_by_critical(a->x, 1, -1) >= 0 || X509_CRL_get_ext_by_NID(a->x, NID_delta_crl, -1) >= 0 ||
        X509_CRL_get_ext_by_NID(a->x, NID_issuing_distribution_point, -1) >= 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "crl-partial",
                            "the CRL covers only part of its issuer's certificates (delta, distribution point or a "
                            "critical extension); a full one is needed");
    }
    if (o->this_update > now + CLOCK_SKEW) {
        char when[CS_TIME_TEXT];
        return cs_error_set(e, CS_EXIT_USAGE, "crl-future", "the CRL begins %s", cs_time_format(o->this_update, when));
    }
    return 0;
}

static int find_signer(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct adding *a = ctx;
    (void)e;
    const uint8_t *p = row->der;
    X509 *x = a->signer == NULL ? d2i_X509(NULL, &p, (long)row->der_len) : NULL;
    EVP_PKEY *key = x != NULL ? X509_get_pubkey(x) : NULL;
    bool may = x != NULL && (X509_get_key_usage(x) & KU_CRL_SIGN) != 0; /* absent: every bit is set */
    if (key != NULL && may && X509_NAME_cmp(X509_get_subject_name(x), X509_CRL_get_issuer(a->x)) == 0 &&
        X509_CRL_verify(a->x, key) == 1) {
        a->signer = key;
        key = NULL;
        snprintf(a->out->signer, sizeof a->out->signer, "%s#%u", row->info.alias, row->info.n);
    }
    EVP_PKEY_free(key);
    X509_free(x);
    ERR_clear_error();
    return 0;
}

/** Lists of the same issuer and key: the older ones go, a newer one stays and refuses. */
static int compare_held(void *ctx, const struct ks_crl_row *row, cs_error *e)
{
    struct adding *a = ctx;
    const struct ks_store *s = a->w->s;
    uint8_t *der = NULL;
    size_t n = 0;
    a->held |= memcmp(row->sha256, a->out->sha256, sizeof row->sha256) == 0;
    if (strcmp(row->issuer, a->out->issuer) != 0) {
        return 0;
    }
    if (s->driver->crl_get(s->b, row->sha256, &der, &n, e) != 1) {
        return -1;
    }
    const uint8_t *p = der;
    X509_CRL *x = d2i_X509_CRL(NULL, &p, (long)n);
    bool same = x != NULL && X509_CRL_verify(x, a->signer) == 1;
    X509_CRL_free(x);
    free(der);
    ERR_clear_error();
    if (!same) {
        return 0;
    }
    a->older |= row->this_update > a->out->this_update;
    uint8_t(*more)[32] = reallocarray(a->replaced, a->n_replaced + 1, sizeof *more);
    if (more == NULL) {
        return no_memory(e);
    }
    a->replaced = more;
    memcpy(a->replaced[a->n_replaced++], row->sha256, 32);
    return 0;
}

static int judge(struct adding *a, const char *alias, cs_error *e)
{
    struct ks_work *w = a->w;
    struct ks_row_filter f = {.alias = alias, .with_der = true};
    if (w->slot.slot_id == 0) {
        return ks_alias_unknown(w->s, alias, e);
    }
    if (w->slot.role != KS_TRUST_ANCHOR) {
        return cs_error_set(e, CS_EXIT_USAGE, "role-differs", "alias %s has role %s; a CRL belongs to a trust-anchor",
                            alias, ks_role_word(w->slot.role));
    }
    if (w->s->driver->rows(w->s->b, &f, find_signer, a, e) != 0) {
        return -1;
    }
    if (a->signer == NULL) {
        return cs_error_set(e, CS_EXIT_USAGE, "crl-signer",
                            "no entry of %s signed this CRL of %s; the CRL of another authority goes to the alias of "
                            "that one",
                            alias, a->out->issuer);
    }
    if (w->s->driver->crls(w->s->b, compare_held, a, e) != 0) {
        return -1;
    }
    if (a->held) {
        return cs_error_set(e, CS_EXIT_CONFLICT, "held-already", "the keystore holds this CRL of %s already",
                            a->out->issuer);
    }
    return !a->older ? 0
                     : cs_error_set(e, CS_EXIT_CONFLICT, "crl-older",
                                    "the keystore holds a newer CRL of %s; an older one would forget revocations",
                                    a->out->issuer);
}

static int audit(struct adding *a, const char *alias, cs_error *e)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "issuer", a->out->issuer);
    cs_json_hex(&j, "sha256", a->out->sha256, sizeof a->out->sha256);
    cs_json_time(&j, "this_update", a->out->this_update);
    cs_json_time(&j, "next_update", a->out->next_update);
    cs_json_object_end(&j);
    struct ks_work *w = a->w;
    struct ks_audit_row row = {.at = w->now,
                               .actor = w->who->name,
                               .actor_kind = w->who->kind,
                               .verb = w->verb,
                               .object = alias,
                               .after = b.data,
                               .reason = w->who->reason};
    int rc = b.failed ? no_memory(e) : ks_audit_append(w->s, &row, e);
    w->seq = row.seq;
    cs_buf_free(&b);
    return rc;
}

static int write_crl(struct adding *a, const char *alias, cs_error *e)
{
    struct ks_work *w = a->w;
    const struct ks_driver *d = w->s->driver;
    struct ks_crl_row row = {.issuer = a->out->issuer,
                             .this_update = a->out->this_update,
                             .next_update = a->out->next_update,
                             .added_at = w->now};
    memcpy(row.sha256, a->out->sha256, sizeof row.sha256);
    for (size_t i = 0; i < a->n_replaced; i++) {
        if (d->crl_remove(w->s->b, a->replaced[i], e) != 0) {
            return -1;
        }
    }
    if (d->crl_add(w->s->b, &row, a->der, a->n, e) != 0 || audit(a, alias, e) != 0 ||
        ks_generation_next(w->s, w->now, w->verb, w->who, w->seq, w->generation, e) != 0) {
        return -1;
    }
    return d->commit(w->s->b, e);
}

int ks_add_crl(ks_store *s, const char *alias, const char *data, size_t n, bool dry_run, const ks_actor *who,
               cs_time now, ks_crl_info *out, cs_error *e)
{
    struct adding a = {.out = out};
    int rc = -1;
    memset(out, 0, sizeof *out);
    if (parse(&a, data, n, e) != 0 || read_facts(&a, now, e) != 0) {
        goto out;
    }
    a.w = ks_work_begin(s, alias, "add-crl", dry_run, who, now, e);
    if (a.w == NULL || judge(&a, alias, e) != 0 || (!dry_run && write_crl(&a, alias, e) != 0)) {
        goto out;
    }
    out->generation = a.w->generation;
    out->done = !dry_run;
    rc = 0;
out:
    ks_work_free(a.w);
    X509_CRL_free(a.x);
    OPENSSL_free(a.der);
    EVP_PKEY_free(a.signer);
    free(a.replaced);
    return rc;
}
