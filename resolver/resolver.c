/* SPDX-License-Identifier: Apache-2.0 */
/* resolver.c: fields of keystore entries as wssec's candidates, and wssec's hints as the keystore's. */
#include "resolver/resolver.h"

#include <string.h>


static enum wssec_state state_of(enum ks_state s)
{
    static const enum wssec_state map[KS_STATES] = {
        [KS_PRE_ACTIVE] = WSSEC_PRE_ACTIVE, [KS_ACTIVE] = WSSEC_ACTIVE,           [KS_DEACTIVATED] = WSSEC_DEACTIVATED, [KS_ARCHIVED] = WSSEC_ARCHIVED,
        [KS_SUSPENDED] = WSSEC_SUSPENDED,   [KS_COMPROMISED] = WSSEC_COMPROMISED, [KS_DESTROYED] = WSSEC_DESTROYED,
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

static int candidates(void *ctx, enum wssec_use use, const struct wssec_hint *hint, int64_t at, struct wssec_entry *out, int max)
{
    const struct resolver *r = ctx;
    if (max <= 0) {
        return 0;
    }
    if (use == WSSEC_USE_SIGN) {
        const ks_entry *e = r->sign_alias != NULL ? ks_active(r->snapshot, r->sign_alias) : NULL;
        if (e == NULL || ks_entry_private_key(e) == NULL) {
            return 0;
        }
        fill(&out[0], e, KS_ACTIVE, ks_entry_private_key(e));
        return 1;
    }
    if (r->partner == NULL) {
        return 0;
    }
    ks_candidate found[WSSEC_MAX_CANDIDATES];
    size_t room = (size_t)max < WSSEC_MAX_CANDIDATES ? (size_t)max : WSSEC_MAX_CANDIDATES;
    ks_hint k = {0};
    bool said = hint != NULL && hint->kind != WSSEC_KEYREF_NONE;
    if (said) {
        k = hint_of(hint);
    }
    size_t n = ks_candidates(r->snapshot, r->partner, said ? &k : NULL, KS_CAN_VERIFY, at, found, room);
    for (size_t i = 0; i < n; i++) {
        fill(&out[i], found[i].entry, found[i].state, ks_entry_public_key(found[i].entry));
    }
    return (int)n;
}

void resolver_init(struct wssec_resolver *out, struct resolver *ctx, const ks_snapshot *snapshot, const char *partner, const char *sign_alias)
{
    *ctx = (struct resolver){.snapshot = snapshot, .partner = partner, .sign_alias = sign_alias};
    *out = (struct wssec_resolver){.ctx = ctx, .generation = ks_snapshot_generation(snapshot), .candidates = candidates};
}
