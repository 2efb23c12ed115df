/* SPDX-License-Identifier: Apache-2.0 */
/*
 * issued.c: what an issuer gave, before it comes in: nobody looked at it, so it must do what the entry before does, for
 * longer, and lead to the same anchor. Key, name and role are judged as for every reply (request.c, G5).
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/making.h"
#include "keystore/notice_store.h"
#include "keystore/regenerate.h"
#include "keystore/talk.h"

#define LASTS (30 * CS_DAY)
#define SKEW  300 /* seconds: its clock may be ahead of ours */

/** Who is to be succeeded, as stored. */
struct held {
    int64_t entry_id; /**< looked for; 0: not asked */
    unsigned n;
    ks_info info;
    X509 *x;                /**< owned */
    STACK_OF(X509) * chain; /**< owned; NULL: none */
};

int ks_issuers_read(const uint8_t *der, size_t n, STACK_OF(X509) * *out)
{
    const uint8_t *p = der;
    const uint8_t *end = n > 0 ? der + n : der;
    while (p < end) {
        X509 *x = d2i_X509(NULL, &p, (long)(end - p));
        if (x == NULL || (*out == NULL && (*out = sk_X509_new_null()) == NULL) || sk_X509_push(*out, x) == 0) {
            X509_free(x);
            return -1;
        }
    }
    return 0;
}

static int keep(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct held *h = ctx;
    const uint8_t *p = row->der;
    if (h->x != NULL || (h->entry_id != 0 ? row->entry_id != h->entry_id : row->info.n != h->n)) {
        return 0;
    }
    h->info = row->info;
    h->x = d2i_X509(NULL, &p, (long)row->der_len);
    return h->x != NULL && ks_issuers_read(row->chain, row->chain_len, &h->chain) == 0
               ? 0
               : cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "the certificate of %s#%u cannot be read",
                              row->info.alias, row->info.n);
}

static void held_free(struct held *h)
{
    X509_free(h->x);
    sk_X509_pop_free(h->chain, X509_free);
}

static int refuse(struct ks_work *w, ks_outcome *out, enum ks_guard g, const char *reason, const char *text,
                  cs_error *e)
{
    out->refusal[0].guard = g;
    out->n_refusal = 1;
    out->generation = w->generation;
    cs_copy(out->refusal[0].text, sizeof out->refusal[0].text, text);
    return cs_error_set(e, CS_EXIT_GUARD, reason, "refused G%d %s: %s", (int)g, ks_guard_word(g), text);
}

/* ---- the same anchor ------------------------------------------------------------------------------------------------
 */

/** Without a chain of the one before: the same issuer by name, and by key where both tell it. */
static bool same_issuer(const X509 *a, const X509 *b)
{
    const ASN1_OCTET_STRING *ka = X509_get0_authority_key_id((X509 *)(uintptr_t)a);
    const ASN1_OCTET_STRING *kb = X509_get0_authority_key_id((X509 *)(uintptr_t)b);
    return X509_NAME_cmp(X509_get_issuer_name(a), X509_get_issuer_name(b)) == 0 &&
           (ka == NULL || kb == NULL || ASN1_OCTET_STRING_cmp(ka, kb) == 0);
}

/** Does x lead to one of the issuers of the one before? Dates are not the question here. */
static bool leads_to(X509 *x, STACK_OF(X509) * way, STACK_OF(X509) * anchors)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    bool good = store != NULL && ctx != NULL;
    for (int i = 0; good && i < sk_X509_num(anchors); i++) {
        good = X509_STORE_add_cert(store, sk_X509_value(anchors, i)) == 1;
    }
    good = good && X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME) == 1 &&
           X509_STORE_CTX_init(ctx, store, x, way) == 1 && X509_verify_cert(ctx) == 1;
    ERR_clear_error();
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return good;
}

static bool same_anchor(const struct held *old, const struct ks_certificate *c)
{
    const uint8_t *p = c->der;
    STACK_OF(X509) *way = NULL;
    X509 *x = d2i_X509(NULL, &p, (long)c->der_len);
    bool same = x != NULL && ks_issuers_read(c->chain, c->chain_len, &way) == 0 &&
                (old->chain == NULL ? same_issuer(old->x, x) : leads_to(x, way, old->chain));
    X509_free(x);
    sk_X509_pop_free(way, X509_free);
    return same;
}

/* ---- judgement ------------------------------------------------------------------------------------------------------
 */

static int judge_dates(struct ks_work *w, const struct held *old, const struct ks_certificate *c, ks_outcome *out,
                       cs_error *e)
{
    char text[384];
    char a[CS_TIME_TEXT];
    char b[CS_TIME_TEXT];
    if (c->not_before > w->now + SKEW) {
        snprintf(text, sizeof text, "the certificate is valid only from %s on: it leaves a gap",
                 cs_time_format(c->not_before, a));
        return refuse(w, out, KS_G4_OVERLAP, "reply-not-yet-valid", text, e);
    }
    if (old->x == NULL) {
        return 0;
    }
    if (c->not_after <= old->info.not_after) {
        snprintf(text, sizeof text, "the certificate ends %s, not after %s#%u, which ends %s",
                 cs_time_format(c->not_after, a), old->info.alias, old->info.n, cs_time_format(old->info.not_after, b));
        return refuse(w, out, KS_G4_OVERLAP, "reply-not-longer", text, e);
    }
    if (c->not_after - w->now < LASTS) {
        snprintf(text, sizeof text, "the certificate ends %s already: one that comes by itself lasts 30 days at least",
                 cs_time_format(c->not_after, a));
        return refuse(w, out, KS_G4_OVERLAP, "reply-too-short", text, e);
    }
    return 0;
}

int ks_reply_judge(struct ks_work *w, const struct ks_reply_terms *terms, const struct ks_certificate *c, ks_add *add,
                   ks_outcome *out, cs_error *e)
{
    char text[384];
    const ks_info *before = ks_making_before(w);
    struct held old = {.entry_id = terms->follows, .n = before != NULL ? before->n : 0};
    const struct ks_row_filter f = {.alias = w->slot.alias, .with_der = true};
    const ks_new asked = {.alias = w->slot.alias};
    struct ks_making m = {.asked = &asked, .replace = terms->replace};
    int rc = w->s->driver->rows(w->s->b, &f, keep, &old, e);
    rc = rc == 0 ? judge_dates(w, &old, c, out, e) : -1;
    bool own = false;
    if (rc == 0 && old.x != NULL) {
        rc = ks_own_ca_named(w, old.info.issuer, &own, e);
    }
    if (rc == 0 && old.x != NULL && !own && !same_anchor(&old, c)) {
        snprintf(text, sizeof text,
                 "anchor-changed: %.100s issued it, which does not lead to the anchor of %s#%u; if that is right: "
                 "countersign keystore csr, and import-reply by hand",
                 c->issuer, old.info.alias, old.info.n);
        rc = refuse(w, out, KS_G5_KEY_MATCH, "anchor-changed", text, e);
    }
    bool active = old.x != NULL && old.info.state == KS_ACTIVE;
    if (rc == 0 && old.x != NULL) {
        m.replace_any = active && terms->follows != 0 && w->now > old.info.not_after;
        rc = ks_making_resolve(w, &m, e);
        w->plan.replaces = m.replaces;
        w->plan.automatic = terms->follows != 0;
        add->activate = add->activate || m.replace_any;
    }
    ks_making_free(&m);
    held_free(&old);
    return rc;
}

/* ---- the rows
 * --------------------------------------------------------------------------------------------------------- */

struct finding {
    int64_t slot_id;
    struct ks_issuing_row *row;
    bool found;
};

static int find(void *ctx, const struct ks_issuing_row *row, cs_error *e)
{
    (void)e;
    struct finding *f = ctx;
    if (row->slot_id == f->slot_id) {
        *f->row = *row;
        f->found = true;
    }
    return 0;
}

int ks_issuing_find(ks_store *s, int64_t slot_id, struct ks_issuing_row *out, cs_error *e)
{
    struct finding f = {slot_id, out, false};
    if (s->driver->issuing == NULL) {
        return 0;
    }
    return s->driver->issuing->each(s->b, find, &f, e) != 0 ? -1 : f.found ? 1 : 0;
}

static int find_pinning(void *ctx, const struct ks_auto_row *row, cs_error *e)
{
    (void)e;
    struct ks_auto a;
    ks_auto_read(row, &a);
    *(bool *)ctx = a.fingerprint;
    return 0;
}

/** Partners know the certificate itself: nothing activates it by itself. */
static bool waits_for_a_hand(struct ks_work *w, cs_error *e)
{
    bool fingerprint = false;
    return w->s->driver->autos(w->s->b, w->slot.alias, find_pinning, &fingerprint, e) == 0 && fingerprint;
}

int ks_reply_note(struct ks_work *w, const struct ks_reply_terms *terms, unsigned n, int64_t entry_id, cs_error *e)
{
    const struct ks_issuing_driver *d = w->s->driver->issuing;
    struct ks_renewal_row r = {.slot_id = w->slot.slot_id, .successor = n, .at = w->now};
    if (d != NULL && d->remove(w->s->b, w->slot.slot_id, e) != 0) {
        return -1;
    }
    if (terms == NULL || terms->follows == 0) {
        return 0;
    }
    r.predecessor = terms->follows;
    if (w->s->driver->renewal_set(w->s->b, &r, e) != 0) {
        return -1;
    }
    return waits_for_a_hand(w, e) && ks_notice_add(w->s, KS_NOTICE_RENEWED, entry_id, 0, KS_TELL_WAITS, w->now, e) < 0
               ? -1
               : 0;
}
