/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificate.c: step 10: may the certificate whose key matched sign at the instant of judgement? Kept apart from "the
 * signature is good": an operator must be able to tell a broken message from an expired certificate.
 */
#include <limits.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "wssec/key.h"
#include "wssec/worker.h"

/* A key is as good as its worst entry, whichever certificate the unsigned KeyInfo names. */
static int judge_siblings(struct wssec_judge *j, const struct wssec_entry *e)
{
    struct wssec_entry *all = wssec_arena_take(&j->worker->arena, WSSEC_ENTRIES * sizeof *all);
    if (all == NULL) {
        return WSSEC_RC_NOMEM;
    }
    struct wssec_verdict *v = j->verdict;
    int n = j->resolver->candidates(j->resolver->ctx, WSSEC_USE_VERIFY, NULL, j->when->at, all, WSSEC_ENTRIES);
    v->n_also = 0;
    for (int i = 0; i < n && i < WSSEC_ENTRIES; i++) {
        const struct wssec_entry *s = &all[i];
        if (memcmp(s->spki_sha256, e->spki_sha256, sizeof s->spki_sha256) != 0) {
            continue;
        }
        if (s->state == WSSEC_COMPROMISED || (s->compromised_at != 0 && s->compromised_at <= j->when->at)) {
            (void)wssec_refuse(j->why, WSSEC_CERTIFICATE_COMPROMISED,
                               "the key is that of %.64s#%u, which is marked as compromised", s->alias, s->ordinal);
        }
        bool same = s->ordinal == e->ordinal && strcmp(s->alias, e->alias) == 0;
        if (!same && v->n_also < WSSEC_MAX_CANDIDATES) {
            wssec_certificate_fill(&v->also_matches[v->n_also++], s);
        }
    }
    return n < 0 ? WSSEC_RC_INTERNAL : WSSEC_RC_OK;
}

static void judge_state(struct wssec_judge *j, const struct wssec_entry *e)
{
    static const enum wssec_reason by_state[] = {[WSSEC_PRE_ACTIVE] = WSSEC_CERTIFICATE_PRE_ACTIVE,
                                                 [WSSEC_ACTIVE] = WSSEC_OK,
                                                 [WSSEC_DEACTIVATED] = WSSEC_OK,
                                                 [WSSEC_ARCHIVED] = WSSEC_CERTIFICATE_ARCHIVED,
                                                 [WSSEC_SUSPENDED] = WSSEC_CERTIFICATE_SUSPENDED,
                                                 [WSSEC_COMPROMISED] = WSSEC_CERTIFICATE_COMPROMISED,
                                                 [WSSEC_DESTROYED] = WSSEC_CERTIFICATE_ARCHIVED};
    static const enum wssec_reason by_trust[] = {[WSSEC_TRUST_PINNED] = WSSEC_OK,
                                                 [WSSEC_TRUST_CHAIN_GOOD] = WSSEC_OK,
                                                 [WSSEC_TRUST_CHAIN_BROKEN] = WSSEC_CERTIFICATE_CHAIN,
                                                 [WSSEC_TRUST_SUBJECT_DENIED] = WSSEC_SUBJECT_DENIED,
                                                 [WSSEC_TRUST_CRL_MISSING] = WSSEC_REVOCATION_UNKNOWN};
    char text[CS_TIME_TEXT];
    int64_t at = j->when->at;
    enum wssec_reason reason =
        (size_t)e->state < sizeof by_state / sizeof by_state[0] ? by_state[e->state] : WSSEC_INTERNAL;
    if (reason != WSSEC_OK) {
        bool over = e->process_stop != 0 && e->process_stop <= at; /* as of earlier its end says nothing */
        (void)wssec_refuse(j->why, reason, "%.64s#%u is %s%s%s", e->alias, e->ordinal, wssec_state_word(e->state),
                           over ? "; process stop was " : "", over ? cs_time_format(e->process_stop, text) : "");
    }
    if (e->state == WSSEC_DEACTIVATED && e->process_stop != 0 && at > e->process_stop) {
        (void)wssec_refuse(j->why, WSSEC_CERTIFICATE_ARCHIVED, "process stop of %.64s#%u was %s", e->alias, e->ordinal,
                           cs_time_format(e->process_stop, text));
    }
    if (e->revoked_at != 0 && e->revoked_at <= at) {
        (void)wssec_refuse(j->why, WSSEC_CERTIFICATE_REVOKED, "%.64s#%u was revoked %s", e->alias, e->ordinal,
                           cs_time_format(e->revoked_at, text));
    }
    reason = (size_t)e->trust < sizeof by_trust / sizeof by_trust[0] ? by_trust[e->trust] : WSSEC_INTERNAL;
    if (reason != WSSEC_OK) {
        (void)wssec_refuse(j->why, reason, "%.300s", e->trust_text != NULL ? e->trust_text : e->alias);
    } else if (e->trust == WSSEC_TRUST_CHAIN_GOOD && e->trust_text != NULL) {
        wssec_note(j->verdict, "%.95s", e->trust_text);
    }
}

/* Instant of signing that the at-signing rule trusts: Created when this signature covers it; archives know better. */
static int64_t signing_time(const struct wssec_judge *j, int64_t created)
{
    return created != 0 && !j->when->freshness ? j->when->at : created;
}

static void judge_dates(struct wssec_judge *j, const struct wssec_entry *e, int64_t created)
{
    const struct wssec_policy *p = j->policy;
    char text[CS_TIME_TEXT];
    int64_t at = j->when->at;
    if (e->not_before != 0 && at < e->not_before) {
        (void)wssec_refuse(j->why, WSSEC_CERTIFICATE_NOT_YET_VALID, "%.64s#%u begins %s", e->alias, e->ordinal,
                           cs_time_format(e->not_before, text));
        return;
    }
    if (e->not_after == 0 || at <= e->not_after) {
        if (e->not_after != 0 && j->when->now > e->not_after) { /* an archive: good then, over by now */
            wssec_note(j->verdict, "expired-since %.10s", cs_time_format(e->not_after, text));
        }
        return;
    }
    bool good = false;
    if (p->expired == WSSEC_EXPIRED_GRACE) {
        good = at - e->not_after <= p->grace;
    } else if (p->expired == WSSEC_EXPIRED_AT_SIGNING) {
        int64_t signed_at = signing_time(j, created);
        good = e->state == WSSEC_DEACTIVATED && created != 0 && (e->process_stop == 0 || at <= e->process_stop) &&
               signed_at >= e->not_before && signed_at <= e->not_after;
    }
    (void)cs_time_format(e->not_after, text);
    if (!good) {
        (void)wssec_refuse(j->why, WSSEC_CERTIFICATE_EXPIRED, "%.64s#%u ended %s", e->alias, e->ordinal, text);
        return;
    }
    wssec_note(j->verdict, "expired-since %.10s", text);
}

static bool may_sign(const struct wssec_entry *e, bool *known)
{
    const unsigned char *p = e->der.p;
    X509 *x = e->der.n <= LONG_MAX ? d2i_X509(NULL, &p, (long)e->der.n) : NULL;
    *known = x != NULL;
    /* absent: UINT32_MAX, every bit set */
    uint32_t usage = x != NULL ? X509_get_key_usage(x) : 0;
    X509_free(x);
    return (usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) != 0;
}

static int judge_usage(struct wssec_judge *j, const struct wssec_entry *e)
{
    struct wssec_cert_facts *f = &j->worker->facts[(e->sha256[0] | (unsigned)e->sha256[1] << 8) % WSSEC_FACTS];
    if (!f->used || memcmp(f->sha256, e->sha256, sizeof f->sha256) != 0) {
        bool known = false;
        f->used = false;
        f->can_sign = may_sign(e, &known);
        if (!known) {
            return WSSEC_RC_INTERNAL; /* a stored certificate that does not decode */
        }
        memcpy(f->sha256, e->sha256, sizeof f->sha256);
        f->used = true;
    }
    if (!f->can_sign) {
        (void)wssec_refuse(j->why, WSSEC_CERTIFICATE_KEY_USAGE,
                           "keyUsage of %.64s#%u has neither digitalSignature nor nonRepudiation", e->alias,
                           e->ordinal);
    }
    return WSSEC_RC_OK;
}

void wssec_certificate_fill(struct wssec_certificate *c, const struct wssec_entry *e)
{
    memset(c, 0, sizeof *c);
    (void)cs_copy(c->alias, sizeof c->alias, e->alias);
    c->ordinal = e->ordinal;
    memcpy(c->sha256, e->sha256, sizeof c->sha256);
    memcpy(c->spki_sha256, e->spki_sha256, sizeof c->spki_sha256);
    c->state = e->state;
    c->not_after = e->not_after;
    c->process_stop = e->process_stop;
}

int wssec_signer_judge(struct wssec_judge *j, const struct wssec_signer *s, int64_t created)
{
    const struct wssec_entry *e = s->matched;
    int rc = judge_siblings(j, e);
    if (rc != WSSEC_RC_OK) {
        return rc;
    }
    judge_state(j, e);
    if (j->why->reason == WSSEC_OK) {
        judge_dates(j, e, created);
    }
    if (j->why->reason == WSSEC_OK) {
        rc = judge_usage(j, e);
    }
    enum wssec_legacy used = WSSEC_LEGACY_NONE;
    enum wssec_reason length = wssec_policy_key(j->policy, e->key, j->when->at, &used);
    if (length != WSSEC_OK) {
        (void)wssec_refuse(j->why, length, "the key of %.64s#%u has %d bits", e->alias, e->ordinal,
                           EVP_PKEY_get_bits(e->key));
    } else if (used != WSSEC_LEGACY_NONE) {
        j->legacy |= 1u << used;
    }
    return rc;
}

enum wssec_reason wssec_entry_judge(const struct wssec_policy *p, const struct wssec_entry *e,
                                    const struct wssec_when *t, int64_t created, struct wssec_verdict *v)
{
    struct wssec_refusal why = {WSSEC_OK, ""};
    struct wssec_judge j = {.policy = p, .when = t, .why = &why, .verdict = v};
    judge_state(&j, e);
    if (why.reason == WSSEC_OK) {
        judge_dates(&j, e, created);
    }
    memcpy(v->detail, why.detail, sizeof v->detail);
    return why.reason;
}
