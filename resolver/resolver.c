/* SPDX-License-Identifier: Apache-2.0 */
/* resolver.c: fields of keystore entries as wssec's candidates, and wssec's hints as the keystore's. */
#include "resolver/resolver.h"

#include <stdlib.h>
#include <string.h>

#define UNKNOWN_MAX           (16 * 1024) /* octets of a certificate that is worth a look */
#define PATH_MAX_CERTIFICATES 8

/** A certificate that no entry holds, as the keystore judged it. Entries point into it. */
struct resolver_judged {
    ks_chain_verdict verdict;
    int64_t at;
    struct resolver_judged *next;
};

static enum wssec_state state_of(enum ks_state s)
{
    static const enum wssec_state map[KS_STATES] = {
        [KS_PRE_ACTIVE] = WSSEC_PRE_ACTIVE, [KS_ACTIVE] = WSSEC_ACTIVE,       [KS_DEACTIVATED] = WSSEC_DEACTIVATED,
        [KS_ARCHIVED] = WSSEC_ARCHIVED,     [KS_SUSPENDED] = WSSEC_SUSPENDED, [KS_COMPROMISED] = WSSEC_COMPROMISED,
        [KS_DESTROYED] = WSSEC_DESTROYED,
    };
    return map[s];
}

static void fill(struct wssec_entry *out, const ks_entry *e, enum ks_state state, EVP_PKEY *key)
{
    memset(out, 0, sizeof *out);
    out->alias = ks_entry_alias(e);
    out->ordinal = ks_entry_n(e);
    out->state = state_of(state);
    ks_entry_times(e, &out->not_before, &out->not_after, &out->process_stop, &out->compromised_at);
    memcpy(out->sha256, ks_entry_sha256(e), sizeof out->sha256);
    memcpy(out->spki_sha256, ks_entry_spki_sha256(e), sizeof out->spki_sha256);
    out->trust = WSSEC_TRUST_PINNED;
    out->key = key;
    out->der.p = ks_entry_der(e, &out->der.n);
    out->chain.p = ks_entry_chain(e, &out->chain.n);
}

static ks_hint hint_of(const struct wssec_hint *h)
{
    ks_hint k = {0};
    if (h->has_cert) {
        k.has_sha256 = true;
        memcpy(k.sha256, h->cert_sha256, sizeof k.sha256);
    }
    if (h->kind == WSSEC_KEYREF_THUMBPRINT) {
        k.has_sha1 = true;
        memcpy(k.sha1, h->thumbprint, sizeof k.sha1);
    }
    k.ski = h->ski;
    k.ski_len = h->ski_len;
    k.issuer = h->issuer;
    k.serial = h->serial;
    return k;
}

/* ---- certificates of the message ------------------------------------------------------------------------------ */

static struct resolver_judged *judged_before(const struct resolver *r, const struct wssec_hint *hint, int64_t at)
{
    struct resolver_judged *known = r->judged;
    while (known != NULL &&
           (known->at != at || memcmp(known->verdict.sha256, hint->cert_sha256, sizeof hint->cert_sha256) != 0)) {
        known = known->next;
    }
    return known;
}

/** @return 1 with *out borrowed from r; 0: no question for the keystore; -1 no memory */
static int judge(struct resolver *r, const struct wssec_hint *hint, int64_t at, const struct resolver_judged **out)
{
    ks_octets path[PATH_MAX_CERTIFICATES];
    size_t n = 0;
    *out = judged_before(r, hint, at);
    if (*out != NULL) {
        return 1;
    }
    for (; n < hint->n_path && n < PATH_MAX_CERTIFICATES; n++) {
        path[n] = (ks_octets){hint->path[n].p, hint->path[n].n};
    }
    struct resolver_judged *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return -1;
    }
    int rc =
        ks_chain_judge(r->snapshot, r->chain, (ks_octets){hint->cert, hint->cert_len}, path, n, at, &made->verdict);
    if (rc != 0) {
        free(made);
        return rc < 0 ? -1 : 0;
    }
    made->at = at;
    made->next = r->judged;
    r->judged = made;
    *out = made;
    return 1;
}

static void fill_judged(struct wssec_entry *out, const struct resolver *r, const struct wssec_hint *hint,
                        const ks_chain_verdict *v)
{
    static const enum wssec_trust map[] = {[KS_CHAIN_GOOD] = WSSEC_TRUST_CHAIN_GOOD,
                                           [KS_CHAIN_BROKEN] = WSSEC_TRUST_CHAIN_BROKEN,
                                           [KS_CHAIN_SUBJECT_DENIED] = WSSEC_TRUST_SUBJECT_DENIED,
                                           [KS_CHAIN_CRL_MISSING] = WSSEC_TRUST_CRL_MISSING};
    memset(out, 0, sizeof *out);
    /* shown under the anchor that vouches for it; number 0: none does */
    out->alias = v->anchor != NULL ? ks_entry_alias(v->anchor) : r->chain->anchor[0];
    out->ordinal = v->anchor != NULL ? ks_entry_n(v->anchor) : 0;
    out->state = state_of(v->state);
    out->not_before = v->not_before;
    out->not_after = v->not_after;
    out->revoked_at = v->revoked_at;
    out->compromised_at = v->compromised_since;
    memcpy(out->sha256, v->sha256, sizeof out->sha256);
    memcpy(out->spki_sha256, v->spki_sha256, sizeof out->spki_sha256);
    out->trust = map[v->outcome];
    out->trust_text = v->text;
    out->key = v->key;
    out->der = (struct wssec_slice){hint->cert, hint->cert_len};
}

static int judged_candidate(struct resolver *r, const struct wssec_hint *hint, int64_t at, struct wssec_entry *out)
{
    const struct resolver_judged *one = NULL;
    int rc = judge(r, hint, at, &one);
    if (rc == 1) {
        fill_judged(out, r, hint, &one->verdict);
    }
    return rc;
}

/** Whoever finds that the signature fits wants to see it; the hint lives for the call only. */
static void remember(struct resolver *r, const struct wssec_hint *hint)
{
    if (r->unknown == NULL && hint->cert_len > 0 && hint->cert_len <= UNKNOWN_MAX) {
        r->unknown = malloc(hint->cert_len);
        if (r->unknown != NULL) {
            memcpy(r->unknown, hint->cert, hint->cert_len);
            r->unknown_n = hint->cert_len;
        }
    }
}

/* Hints of the message in the keystore's terms. @return NULL: nothing is said */
static const ks_hint *said(const struct wssec_hint *hint, ks_hint *k)
{
    if (hint == NULL || hint->kind == WSSEC_KEYREF_NONE) {
        return NULL;
    }
    *k = hint_of(hint);
    return k;
}

static int own_candidates(const struct resolver *r, const struct wssec_hint *hint, int64_t at, struct wssec_entry *out,
                          size_t room)
{
    ks_candidate found[WSSEC_MAX_CANDIDATES];
    ks_hint k;
    size_t n = ks_decrypters(r->snapshot, r->decrypt, r->n_decrypt, said(hint, &k), at, found, room);
    for (size_t i = 0; i < n; i++) {
        fill(&out[i], found[i].entry, found[i].state, ks_entry_opening_key(found[i].entry, r->now != 0 ? r->now : at));
    }
    return (int)n;
}

static int one(struct wssec_entry *out, const ks_entry *e, EVP_PKEY *key)
{
    if (e == NULL || key == NULL) {
        return 0;
    }
    fill(out, e, KS_ACTIVE, key);
    return 1;
}

static int verifiers(struct resolver *r, const struct wssec_hint *hint, int64_t at, struct wssec_entry *out,
                     size_t room)
{
    ks_candidate found[WSSEC_MAX_CANDIDATES];
    ks_hint k;
    size_t n = ks_candidates(r->snapshot, r->partner, said(hint, &k), KS_CAN_VERIFY, at, found, room);
    for (size_t i = 0; i < n; i++) {
        fill(&out[i], found[i].entry, found[i].state, ks_entry_public_key(found[i].entry));
    }
    if (n == 0 && r->chain == NULL && hint != NULL && hint->has_cert && hint->cert != NULL) {
        remember(r, hint);
    }
    /* one that is stored has that entry's state, whatever its chain says */
    if (n == 0 && r->chain != NULL && hint != NULL && hint->has_cert && hint->cert != NULL) {
        return judged_candidate(r, hint, at, &out[0]);
    }
    return (int)n;
}

static int candidates(void *ctx, enum wssec_use use, const struct wssec_hint *hint, int64_t at, struct wssec_entry *out,
                      int max)
{
    struct resolver *r = ctx;
    const ks_entry *e = NULL;
    if (max <= 0) {
        return 0;
    }
    size_t room = (size_t)max < WSSEC_MAX_CANDIDATES ? (size_t)max : WSSEC_MAX_CANDIDATES;
    switch (use) {
    case WSSEC_USE_SIGN:
        e = r->signer != NULL ? r->signer : r->sign_alias != NULL ? ks_active(r->snapshot, r->sign_alias) : NULL;
        return one(out, e, e != NULL ? ks_entry_private_key(e) : NULL);
    case WSSEC_USE_ENCRYPT:
        e = r->partner != NULL ? ks_encrypter(r->snapshot, r->partner) : NULL;
        return one(out, e, e != NULL ? ks_entry_public_key(e) : NULL);
    case WSSEC_USE_DECRYPT: return own_candidates(r, hint, at, out, room);
    case WSSEC_USE_VERIFY: break;
    }
    return r->partner != NULL ? verifiers(r, hint, at, out, room) : 0;
}

void resolver_decrypt(struct resolver *ctx, const char *const *alias, size_t n)
{
    ctx->decrypt = alias;
    ctx->n_decrypt = n;
}

void resolver_now(struct resolver *ctx, int64_t now)
{
    ctx->now = now;
}

static int password(void *ctx, const char *user, char *out, size_t outsize)
{
    const struct resolver *r = ctx;
    return outsize < KS_SECRET ? -1 : ks_users_password(r->users, user, out);
}

void resolver_users(struct wssec_resolver *out, struct resolver *ctx, const struct ks_partner_config *users)
{
    ctx->users = users;
    out->password = users != NULL ? password : NULL;
}

void resolver_trust(struct resolver *ctx, const ks_chain_rule *rule)
{
    ctx->chain = rule;
}

void resolver_clear(struct resolver *ctx)
{
    free(ctx->unknown);
    ctx->unknown = NULL;
    ctx->unknown_n = 0;
    while (ctx->judged != NULL) {
        struct resolver_judged *one = ctx->judged;
        ctx->judged = one->next;
        ks_chain_clear(&one->verdict);
        free(one);
    }
}

void resolver_init(struct wssec_resolver *out, struct resolver *ctx, const ks_snapshot *snapshot, const char *partner,
                   const char *sign_alias)
{
    *ctx = (struct resolver){.snapshot = snapshot, .partner = partner, .sign_alias = sign_alias};
    *out =
        (struct wssec_resolver){.ctx = ctx, .generation = ks_snapshot_generation(snapshot), .candidates = candidates};
}
