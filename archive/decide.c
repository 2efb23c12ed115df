/* SPDX-License-Identifier: Apache-2.0 */
/* decide.c: from facts, an instant and the keystore's intervals to a verdict. No cryptography here. */
#include <stdio.h>
#include <string.h>

#include "archive/judge.h"
#include "base/text.h"
#include "wssec/key.h"

static enum wssec_state state_of(enum ks_state s)
{
    static const enum wssec_state map[KS_STATES] = {
        [KS_PRE_ACTIVE] = WSSEC_PRE_ACTIVE, [KS_ACTIVE] = WSSEC_ACTIVE,       [KS_DEACTIVATED] = WSSEC_DEACTIVATED,
        [KS_ARCHIVED] = WSSEC_ARCHIVED,     [KS_SUSPENDED] = WSSEC_SUSPENDED, [KS_COMPROMISED] = WSSEC_COMPROMISED,
        [KS_DESTROYED] = WSSEC_DESTROYED,
    };
    return map[s];
}

/* What the record shows of an entry is what it is now; what it was at t is a member of its own. */
static void show(const struct archive_court *court, struct wssec_certificate *c)
{
    const ks_entry *e = ks_entry_find(court->snapshot, c->alias, c->ordinal);
    int64_t since = 0;
    if (e != NULL && memcmp(ks_entry_sha256(e), c->sha256, sizeof c->sha256) == 0) {
        int64_t not_before = 0;
        ks_entry_times(e, &not_before, &c->not_after, &c->process_stop, &since);
        c->state = state_of(ks_entry_state(e, KS_CAN_VERIFY, court->now));
    }
}

struct finding {
    enum wssec_reason reason; /* WSSEC_OK: the certificate counted */
    enum wssec_state state;
    bool before_compromise; /* nothing else is against it, but its key was in wrong hands later */
};

/* The entry at an instant, as wssec judges one. */
static struct finding at_instant(const struct archive_court *court, const struct wssec_policy *policy,
                                 const ks_entry *e, cs_time t, enum wssec_time_source source, struct wssec_verdict *v)
{
    struct wssec_entry as = {.alias = ks_entry_alias(e), .ordinal = ks_entry_n(e), .trust = WSSEC_TRUST_PINNED};
    cs_time since = 0;
    cs_time known_since = 0;
    ks_entry_times(e, &as.not_before, &as.not_after, &as.process_stop, &since);
    as.state = state_of(ks_entry_state(e, KS_CAN_VERIFY, t));
    /* received: what the gateway saw when it judged; the date rule may then trust a signed Created */
    const struct wssec_when when = {
        .now = court->now, .at = t, .source = source, .freshness = source != WSSEC_TIME_AS_OF};
    struct finding f = {.state = as.state};
    bool compromised =
        ks_key_compromised(court->snapshot, ks_entry_spki_sha256(e), &known_since) || as.state == WSSEC_COMPROMISED;
    since = known_since != 0 && (since == 0 || known_since < since) ? known_since : since;
    if (compromised && since != 0 && t < since && as.state == WSSEC_COMPROMISED) {
        as.state = f.state = WSSEC_PRE_ACTIVE; /* no interval covers t, and it lies before the compromise */
    }
    f.reason = wssec_entry_judge(policy, &as, &when, v->claimed, v);
    if (compromised && (since == 0 || t >= since)) {
        char text[CS_TIME_TEXT];
        f.reason = WSSEC_CERTIFICATE_COMPROMISED;
        f.state = WSSEC_COMPROMISED;
        (void)snprintf(v->detail, sizeof v->detail, "the key of %.64s#%u is in wrong hands since %s", as.alias,
                       as.ordinal, since != 0 ? cs_time_format(since, text) : "an unknown instant");
    } else if (compromised && f.reason == WSSEC_OK) {
        char text[CS_TIME_TEXT];
        f.before_compromise = true;
        (void)snprintf(v->detail, sizeof v->detail,
                       "the key of %.64s#%u is in wrong hands since %s; nothing proves that the message is older",
                       as.alias, as.ordinal, cs_time_format(since, text));
    }
    return f;
}

/* An exception of the policy that was in force at t may be over now. */
static enum wssec_reason exceptions_at(const struct wssec_policy *policy, const struct wssec_verdict *v, cs_time t)
{
    for (unsigned i = 0; i < v->n_legacy; i++) {
        int64_t end = wssec_policy_legacy_end(policy, v->legacy[i]);
        if (end != 0 && end <= t) {
            return WSSEC_LEGACY_ENDED;
        }
    }
    return WSSEC_OK;
}

/* What an instant that is not certain leaves open, and what ETSI calls it. */
static void weaken(struct archive_record *r)
{
    static const struct {
        enum wssec_reason found, told;
        const char *sub;
    } rows[] = {
        {WSSEC_CERTIFICATE_ARCHIVED, WSSEC_TIME_UNKNOWN, "NO_POE"},
        {WSSEC_CERTIFICATE_PRE_ACTIVE, WSSEC_TIME_UNKNOWN, "NO_POE"},
        {WSSEC_CERTIFICATE_SUSPENDED, WSSEC_TIME_UNKNOWN, "NO_POE"},
        {WSSEC_CERTIFICATE_EXPIRED, WSSEC_CERTIFICATE_EXPIRED, "OUT_OF_BOUNDS_NO_POE"},
        {WSSEC_CERTIFICATE_NOT_YET_VALID, WSSEC_CERTIFICATE_NOT_YET_VALID, "OUT_OF_BOUNDS_NO_POE"},
        {WSSEC_CERTIFICATE_COMPROMISED, WSSEC_CERTIFICATE_COMPROMISED, "REVOKED_NO_POE"},
        {WSSEC_CERTIFICATE_REVOKED, WSSEC_CERTIFICATE_REVOKED, "REVOKED_NO_POE"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].found == r->v.reason) {
            r->v.verdict = WSSEC_INDETERMINATE;
            r->v.reason = rows[i].told;
            (void)cs_copy(r->sub_indication, sizeof r->sub_indication, rows[i].sub);
            return;
        }
    }
}

static void tell(struct archive_record *r, const struct finding *f)
{
    struct wssec_verdict *v = &r->v;
    v->reason = f->reason;
    v->verdict = f->reason == WSSEC_OK ? WSSEC_PASS : WSSEC_FAIL;
    (void)cs_copy(r->sub_indication, sizeof r->sub_indication, wssec_reason_etsi(f->reason));
    if (f->before_compromise && v->time_source == WSSEC_TIME_POE) {
        v->detail[0] = '\0';
    } else if (f->before_compromise) {
        v->reason = WSSEC_CERTIFICATE_COMPROMISED;
        weaken(r);
    }
    if (v->verdict == WSSEC_FAIL && !archive_time_certain(v->time_source)) {
        weaken(r);
    }
    if (v->verdict == WSSEC_PASS) {
        r->sub_indication[0] = '\0';
    }
}

/* Notes that begin so. */
static void drop_note(struct wssec_verdict *v, const char *begin)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < v->n_notes; i++) {
        if (strncmp(v->notes[i], begin, strlen(begin)) != 0) {
            if (kept != i) {
                memcpy(v->notes[kept], v->notes[i], sizeof v->notes[kept]);
            }
            kept++;
        }
    }
    v->n_notes = kept;
}

void archive_drop_lateness(struct wssec_verdict *v)
{
    drop_note(v, "late ");
    drop_note(v, "created-ahead ");
}

/* Does this reason rest on what is known of certificates? Then later knowledge may say otherwise. */
static bool of_certificates(enum wssec_reason reason)
{
    switch (reason) {
    case WSSEC_OK:
    case WSSEC_CERTIFICATE_UNKNOWN:
    case WSSEC_CERTIFICATE_PRE_ACTIVE:
    case WSSEC_CERTIFICATE_SUSPENDED:
    case WSSEC_CERTIFICATE_ARCHIVED: return true;
    default: return false;
    }
}

const struct archive_partner *archive_partner_of(const struct archive_court *court, const char *name)
{
    for (size_t i = 0; i < court->n_partner; i++) {
        if (strcmp(court->partner[i].name, name) == 0) {
            return &court->partner[i];
        }
    }
    return NULL;
}

const struct wssec_policy *archive_policy_of(const struct archive_court *court, const char *partner)
{
    const struct archive_partner *p = archive_partner_of(court, partner);
    return p != NULL ? p->policy : court->fallback;
}

void archive_decide_beyond(const struct archive_court *court, struct archive_record *r)
{
    char text[CS_TIME_TEXT];
    if (court->until == 0 || r->v.t <= court->until || !of_certificates(r->v.reason)) {
        return;
    }
    r->v.verdict = WSSEC_INDETERMINATE;
    r->v.reason = WSSEC_TIME_UNKNOWN;
    (void)snprintf(r->v.detail, sizeof r->v.detail, "the bundle speaks of certificates up to %s",
                   cs_time_format(court->until, text));
    (void)cs_copy(r->sub_indication, sizeof r->sub_indication, "NO_POE");
}

static void decide(const struct archive_court *court, const struct wssec_policy *policy, struct archive_record *r)
{
    struct wssec_verdict *v = &r->v;
    for (unsigned i = 0; i < v->n_also; i++) {
        show(court, &v->also_matches[i]);
    }
    r->has_state = false;
    if (v->has_certificate) {
        show(court, &v->certificate);
    }
    const ks_entry *e =
        v->has_certificate ? ks_entry_find(court->snapshot, v->certificate.alias, v->certificate.ordinal) : NULL;
    if (e == NULL || memcmp(ks_entry_sha256(e), v->certificate.sha256, sizeof v->certificate.sha256) != 0) {
        if (r->facts == WSSEC_OK) { /* the entry is gone from the keystore */
            v->verdict = WSSEC_FAIL;
            v->reason = WSSEC_CERTIFICATE_UNKNOWN;
            (void)snprintf(v->detail, sizeof v->detail, "the keystore has %.64s#%u no more", v->certificate.alias,
                           v->certificate.ordinal);
            (void)cs_copy(r->sub_indication, sizeof r->sub_indication, wssec_reason_etsi(v->reason));
            r->verdict_now = v->verdict;
            r->reason_now = v->reason;
        }
        return;
    }
    struct wssec_verdict scratch = {.claimed = v->claimed};
    r->has_state = true;
    if (r->facts != WSSEC_OK) {
        r->state_at_t = at_instant(court, policy, e, v->t, v->time_source, &scratch).state;
        return;
    }
    drop_note(v, "expired-since "); /* each judgement says so anew */
    struct finding then = at_instant(court, policy, e, v->t, v->time_source, v);
    struct finding now = at_instant(court, policy, e, court->now, WSSEC_TIME_NOW, &scratch);
    r->state_at_t = then.state;
    tell(r, &then);
    r->reason_now = now.reason != WSSEC_OK ? now.reason : exceptions_at(policy, v, court->now);
    r->verdict_now = r->reason_now == WSSEC_OK ? WSSEC_PASS : WSSEC_FAIL;
}

void archive_decide(const struct archive_court *court, const struct wssec_policy *policy, struct archive_record *r)
{
    decide(court, policy, r);
    archive_decide_beyond(court, r);
}
