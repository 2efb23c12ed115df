/* SPDX-License-Identifier: Apache-2.0 */
/* judge.c: one item from its octets to its record. */
#include "archive/judge.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "archive/asic.h"
#include "archive/message.h"
#include "archive/timestamp.h"
#include "base/text.h"
#include "wssec/policy.h"

#define PIECE ((size_t)1 << 20) /* of a payload in a file */

/* ---- groups ---------------------------------------------------------------------------------------------------------
 */

static int by_octets(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

/* Certificates that more than one partner has: what is signed with them may be any of theirs. */
static int find_shared(struct archive_groups *g, const struct archive_court *court)
{
    enum { MOST = 256 };
    ks_candidate *found = calloc(MOST, sizeof *found);
    uint8_t(*all)[32] = NULL;
    size_t n = 0;
    size_t cap = 0;
    int rc = found != NULL ? 0 : -1;
    for (size_t p = 0; p < court->n_partner && rc == 0 && court->n_partner > 1; p++) {
        size_t k = ks_candidates(court->snapshot, court->partner[p].name, NULL, KS_CAN_VERIFY, court->now, found, MOST);
        for (size_t i = 0; i < k && rc == 0; i++) {
            if (n == cap) {
                cap = cap == 0 ? 64 : cap * 2;
                uint8_t(*grown)[32] = reallocarray(all, cap, sizeof *grown);
                rc = grown != NULL ? 0 : -1;
                all = grown != NULL ? grown : all;
            }
            if (rc == 0) {
                memcpy(all[n++], ks_entry_sha256(found[i].entry), 32);
            }
        }
    }
    if (n > 1) {
        qsort(all, n, sizeof *all, by_octets);
        for (size_t i = 1; i < n; i++) {
            if (memcmp(all[i - 1], all[i], 32) == 0) {
                memcpy(all[g->n_shared++], all[i], 32);
            }
        }
    }
    g->shared = all;
    free(found);
    return rc;
}

static bool together(const struct archive_court *court, size_t a, size_t b)
{
    return court->partner[a].policy == court->partner[b].policy && court->partner[a].users == court->partner[b].users;
}

int archive_groups_make(struct archive_groups *g, const struct archive_court *court)
{
    size_t used = 0;
    memset(g, 0, sizeof *g);
    g->group = calloc(court->n_partner + 1, sizeof *g->group);
    g->place = calloc(court->n_partner + 1, sizeof *g->place);
    if (g->group == NULL || g->place == NULL) {
        return -1;
    }
    for (size_t i = 0; i < court->n_partner; i++) {
        bool known = false;
        for (size_t k = 0; k < g->n; k++) {
            known = known || together(court, g->group[k].partner[0], i);
        }
        if (known) {
            continue;
        }
        struct archive_group *one = &g->group[g->n++];
        *one = (struct archive_group){.policy = court->partner[i].policy, .partner = &g->place[used]};
        for (size_t k = i; k < court->n_partner; k++) {
            if (together(court, i, k)) {
                one->partner[one->n++] = k;
            }
        }
        used += one->n;
    }
    if (g->n == 0) { /* nobody is known: everything is nobody's */
        g->group[g->n++] = (struct archive_group){.policy = court->fallback, .partner = g->place};
    }
    return find_shared(g, court);
}

void archive_groups_free(struct archive_groups *g)
{
    free(g->group);
    free(g->place);
    free(g->shared);
    memset(g, 0, sizeof *g);
}

/* ---- the bench ------------------------------------------------------------------------------------------------------
 */

int archive_bench_make(struct archive_bench *b, const struct archive_court *court, const struct archive_order *order,
                       const struct archive_groups *groups, const struct archive_times *times)
{
    *b = (struct archive_bench){.court = court, .order = order, .groups = groups, .times = times};
    b->worker = wssec_worker_new();
    return b->worker != NULL && archive_keys_make(&b->keys, court) == 0 ? 0 : -1;
}

void archive_bench_free(struct archive_bench *b)
{
    archive_keys_free(&b->keys);
    wssec_worker_free(b->worker);
    b->worker = NULL;
}

/* ---- facts ----------------------------------------------------------------------------------------------------------
 */

struct work {
    struct archive_bench *b;
    const struct archive_item *item;
    const uint8_t *octets; /* of the item: m is in there */
    const struct archive_message *m;
    const struct wssec_container *container; /* in place of m: a signature beside its files */
    struct wssec_stamped stamp;              /* the container's own time-stamp token, of the worker */
    struct archive_instant known;            /* from outside */
    struct wssec_verdict v;
    const struct archive_candidate *signer; /* NULL: nobody of the court */
    size_t group;
};

static bool has_note(const struct wssec_verdict *v, const char *note)
{
    for (unsigned i = 0; i < v->n_notes; i++) {
        if (strcmp(v->notes[i], note) == 0) {
            return true;
        }
    }
    return false;
}

/* What lies in a file goes by in pieces, and does not stay in memory. @return as wssec_verify */
static int verify(struct work *k, const struct wssec_input *in, const struct wssec_policy *policy,
                  const struct wssec_when *when)
{
    struct archive_bench *b = k->b;
    const struct wssec_slice *content = &k->m->content;
    enum wssec_need need = WSSEC_NEED_MORE;
    if (k->item->data != NULL) {
        return wssec_verify(b->worker, in, policy, when, &b->keys.resolver, NULL, &k->v, NULL);
    }
    int rc = wssec_verify_begin(b->worker, in, policy, when, &b->keys.resolver, &k->v, NULL);
    for (size_t at = 0; rc == WSSEC_RC_OK && at < content->n && need == WSSEC_NEED_MORE; at += PIECE) {
        size_t n = content->n - at < PIECE ? content->n - at : PIECE;
        size_t from = (size_t)(content->p - k->octets) + at;
        rc = wssec_verify_feed(b->worker, content->p + at, n, &need);
        archive_item_passed(k->item, k->octets, from > PIECE ? from - PIECE : 0, from + n);
    }
    return rc == WSSEC_RC_OK ? wssec_verify_finish(b->worker, in, when, &b->keys.resolver, NULL) : rc;
}

static int look_at_message(struct work *k, const struct wssec_policy *policy, const struct wssec_when *when)
{
    struct archive_bench *b = k->b;
    const struct archive_court *court = b->court;
    const struct wssec_input in = {.slice = &k->m->content,
                                   .n_slice = 1,
                                   .content_type = k->m->content_type[0] != '\0' ? k->m->content_type : NULL,
                                   .response = true,
                                   .over_tls = true};
    ks_candidate any;
    int rc = verify(k, &in, policy, when);
    if (rc == WSSEC_RC_OK && (k->v.reason == WSSEC_NO_DECRYPTION_KEY || has_note(&k->v, "encrypted-content")) &&
        ks_decrypters(court->snapshot, court->decrypt, court->n_decrypt, NULL, when->at, &any, 1) > 0) {
        struct wssec_output opened;
        rc = wssec_open(b->worker, &in, policy, when, &b->keys.resolver, NULL, true, &k->v, NULL, &opened);
    }
    return rc;
}

/* One group's look at the message, as of an instant. */
static void look(struct work *k, size_t group, const size_t *partner, size_t n, cs_time at)
{
    struct archive_bench *b = k->b;
    struct wssec_policy *policy = b->groups->group[group].policy;
    const struct wssec_when when = {
        .now = b->court->now, .at = at, .source = k->known.source, .freshness = false, .replay = false};
    archive_keys_ask(&b->keys, partner, n);
    b->computed++;
    int rc = k->container == NULL ? look_at_message(k, policy, &when)
                                  : wssec_verify_detached(b->worker, k->container, policy, &when, &b->keys.resolver,
                                                          &k->v, NULL, &k->stamp);
    if (rc != WSSEC_RC_OK) {
        k->v.verdict = WSSEC_ERROR;
    }
    k->group = group;
    k->signer = k->v.has_certificate ? archive_keys_given(&b->keys, k->v.certificate.sha256) : NULL;
}

/* The group's partners together, or, where they have more certificates that might fit than can be tried at a time, one
 * after the other. @return true: one of them signed */
static bool look_group(struct work *k, size_t group, cs_time at)
{
    const struct archive_group *g = &k->b->groups->group[group];
    look(k, group, g->partner, g->n, at);
    bool overflow = k->b->keys.overflow;
    for (size_t i = 0; overflow && k->signer == NULL && i < g->n; i++) {
        look(k, group, &g->partner[i], 1, at);
    }
    return k->signer != NULL;
}

/* Every group is asked until one of its partners signed; the one that was right before comes first, which changes no
 * answer. What is nobody's is told as the first group sees it. */
static void find_signer(struct work *k, cs_time at)
{
    struct archive_bench *b = k->b;
    const struct archive_groups *g = b->groups;
    if (look_group(k, b->last, at)) {
        return;
    }
    for (size_t i = 0; i < g->n; i++) {
        if (i != b->last && look_group(k, i, at)) {
            b->last = i;
            return;
        }
    }
    if (k->group != 0) {
        (void)look_group(k, 0, at);
    }
}

/* ---- the instant ----------------------------------------------------------------------------------------------------
 */

bool archive_claim_counts(const struct archive_court *court, const struct archive_order *order,
                          const struct wssec_policy *policy, const struct wssec_verdict *v)
{
    if (v->claimed == 0 || order->trust_claimed) {
        return v->claimed != 0;
    }
    const ks_entry *e =
        v->has_certificate ? ks_entry_find(court->snapshot, v->certificate.alias, v->certificate.ordinal) : NULL;
    return e != NULL && policy->expired == WSSEC_EXPIRED_AT_SIGNING &&
           ks_entry_state(e, KS_CAN_VERIFY, court->now) == KS_DEACTIVATED;
}

/* Facts that depend on the instant after all: certificates that count by their chain, dated exceptions. */
static bool depends_on_time(const struct work *k)
{
    return (k->signer != NULL && k->signer->chain) || k->v.reason == WSSEC_LEGACY_ENDED;
}

static void settle_instant(struct work *k)
{
    cs_time now = k->b->court->now;
    if (k->known.source != WSSEC_TIME_NOW && k->known.source != WSSEC_TIME_MTIME) {
        find_signer(k, k->known.t);
        return;
    }
    if (k->known.source == WSSEC_TIME_NOW) {
        k->known.t = now;
    }
    find_signer(k, k->known.t);
    if (k->v.reason == WSSEC_LEGACY_ENDED && k->b->order->trust_claimed) {
        find_signer(k, 1); /* all exceptions in force: only to read what the message claims */
    }
    if (archive_claim_counts(k->b->court, k->b->order, k->b->groups->group[k->group].policy, &k->v)) {
        k->known = (struct archive_instant){k->v.claimed, WSSEC_TIME_CLAIMED, k->known.missed};
    }
    if (k->v.t != k->known.t && (depends_on_time(k) || k->v.t == 1)) {
        find_signer(k, k->known.t);
    }
}

/* ---- the record
 * ------------------------------------------------------------------------------------------------------ */

/* Refusals of wssec that say nothing about the signer: what is no message, and what nobody here can decide. */
static enum wssec_result result_of(const struct wssec_verdict *v)
{
    static const struct {
        enum wssec_reason reason;
        enum wssec_result result;
    } rows[] = {
        {WSSEC_XML_MALFORMED, WSSEC_ERROR},
        {WSSEC_MIME_MALFORMED, WSSEC_ERROR},
        {WSSEC_LIMIT_DOM, WSSEC_ERROR},
        {WSSEC_UNSUPPORTED_FORMAT, WSSEC_ERROR},
        {WSSEC_NO_DECRYPTION_KEY, WSSEC_INDETERMINATE},
        {WSSEC_DECRYPTION_FAILED, WSSEC_INDETERMINATE},
        {WSSEC_ATTACHMENT_MISSING, WSSEC_INDETERMINATE},
        {WSSEC_BODY_NOT_ARCHIVED, WSSEC_INDETERMINATE},
        {WSSEC_PARTNER_AMBIGUOUS, WSSEC_INDETERMINATE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].reason == v->reason) {
            return rows[i].result;
        }
    }
    return v->verdict;
}

void archive_record_final(struct archive_record *r, enum wssec_reason reason)
{
    r->v.reason = r->facts = r->reason_now = reason;
    r->v.verdict = r->verdict_now = result_of(&r->v);
    (void)cs_copy(r->sub_indication, sizeof r->sub_indication, wssec_reason_etsi(reason));
}

static void trouble(struct archive_record *r, enum wssec_reason reason, const char *detail)
{
    r->v.verdict = WSSEC_ERROR;
    (void)cs_copy(r->v.detail, sizeof r->v.detail, detail);
    archive_record_final(r, reason);
    r->v.verdict = r->verdict_now = WSSEC_ERROR;
}

/* Whose message it is; several: nobody can say. */
static bool name_partner(const struct work *k, struct archive_record *r)
{
    const struct archive_bench *b = k->b;
    const struct archive_court *court = b->court;
    const struct archive_groups *g = b->groups;
    if (k->signer == NULL) {
        if (court->n_partner == 1) {
            (void)cs_copy(r->partner, sizeof r->partner, b->order->partner != NULL ? b->order->partner : "");
        }
        return true;
    }
    const char *own = court->partner[k->signer->partner].name;
    bool several = g->n_shared > 0 && bsearch(r->v.certificate.sha256, g->shared, g->n_shared, 32, by_octets) != NULL;
    if (r->v.key_reference == WSSEC_KEYREF_NONE) {
        for (unsigned i = 0; i < r->v.n_also; i++) {
            const struct archive_candidate *other = archive_keys_given(&b->keys, r->v.also_matches[i].sha256);
            several = several || (other != NULL && strcmp(court->partner[other->partner].name, own) != 0);
        }
    }
    if (!several) {
        (void)cs_copy(r->partner, sizeof r->partner, own);
    }
    return !several;
}

/* Where wssec itself judged by a chain, "now" is one more look. */
static void look_at_now(struct work *k, struct archive_record *r)
{
    if (k->v.t == k->b->court->now) {
        r->reason_now = k->v.reason;
        r->verdict_now = k->v.verdict;
        return;
    }
    look(k, k->group, &k->signer->partner, 1, k->b->court->now);
    r->reason_now = k->v.reason;
    r->verdict_now = result_of(&k->v);
}

static void conclude(struct work *k, struct archive_record *r)
{
    const struct archive_court *court = k->b->court;
    bool chain = k->signer != NULL && k->signer->chain;
    r->v = k->v;
    r->v.t = k->known.t;
    r->v.time_source = k->known.source;
    if (k->v.t != k->known.t) {
        archive_drop_lateness(&r->v);
    }
    if (r->v.soap == 0 && r->v.reason == WSSEC_SOAP_SHAPE) {
        r->v.reason = WSSEC_UNSUPPORTED_FORMAT;
    }
    archive_record_final(r, r->v.reason);
    if (!name_partner(k, r)) {
        (void)cs_copy(r->v.detail, sizeof r->v.detail, "several partners have the certificate that fits");
        archive_record_final(r, WSSEC_PARTNER_AMBIGUOUS);
        return;
    }
    if (chain) {
        r->has_state = true;
        r->state_at_t = r->v.certificate.state;
        look_at_now(k, r);
        archive_decide_beyond(court, r);
    } else if (r->v.has_certificate) {
        archive_decide(court, k->b->groups->group[k->group].policy, r);
    } else {
        archive_decide_beyond(court, r);
    }
}

static void note(struct archive_record *r, const char *text)
{
    if (text != NULL && r->v.n_notes < WSSEC_MAX_NOTES) {
        (void)cs_copy(r->v.notes[r->v.n_notes++], sizeof r->v.notes[0], text);
    }
}

/* A token that holds proves an instant, against which only the operator's word stands. @return what is to be noted */
static const char *by_token(const struct archive_bench *b, const struct archive_item *item, const uint8_t *p, size_t n,
                            struct archive_instant *known)
{
    cs_time proven = 0;
    if (item->token == NULL || known->source == WSSEC_TIME_AS_OF) {
        return NULL;
    }
    enum archive_stamp stamp =
        archive_timestamp_check(b->court, &b->order->timestamp_anchors, item->token, item->token_n, p, n, &proven);
    if (stamp == ARCHIVE_STAMP_GOOD) {
        *known = (struct archive_instant){proven, WSSEC_TIME_POE, false};
    }
    return archive_timestamp_note(stamp);
}

/* A container's own token is over its signature, which is over the message: both existed then. */
static const char *by_own_token(struct work *k)
{
    cs_time proven = 0;
    if (k->stamp.token.p == NULL || k->known.source == WSSEC_TIME_AS_OF) {
        return NULL;
    }
    enum archive_stamp stamp = archive_timestamp_check(k->b->court, &k->b->order->timestamp_anchors, k->stamp.token.p,
                                                       k->stamp.token.n, k->stamp.over.p, k->stamp.over.n, &proven);
    if (stamp == ARCHIVE_STAMP_GOOD && (k->known.source != WSSEC_TIME_POE || proven < k->known.t)) {
        k->known = (struct archive_instant){proven, WSSEC_TIME_POE, false};
        if (k->v.t != proven && depends_on_time(k)) {
            find_signer(k, proven);
        }
    }
    return archive_timestamp_note(stamp);
}

static void judge_container(struct archive_bench *b, const struct archive_item *item, const uint8_t *p, size_t n,
                            struct archive_record *r)
{
    struct archive_asic a;
    char why[200];
    const char *stamp = NULL;
    const char *own = NULL;
    struct work k = {.b = b, .container = &a.container, .known = archive_times_of(b->times, item, NULL, NULL)};
    enum wssec_reason reason = archive_asic_read(&a, p, n, b->order, why, sizeof why);
    if (reason == WSSEC_NO_SIGNATURE) {
        (void)cs_copy(r->v.detail, sizeof r->v.detail, why);
        archive_record_final(r, reason);
    } else if (reason != WSSEC_OK) {
        trouble(r, reason, why);
    } else {
        stamp = by_token(b, item, p, n, &k.known);
        settle_instant(&k);
        own = by_own_token(&k);
        conclude(&k, r);
    }
    note(r, k.known.missed ? "received-from-missed" : NULL);
    note(r, stamp);
    note(r, own);
    note(r, "xroad-core-only");
    archive_keys_ask(&b->keys, NULL, 0);
    archive_asic_clear(&a);
}

static void judge_message(struct archive_bench *b, const struct archive_item *item, const uint8_t *p, size_t n,
                          struct archive_record *r)
{
    struct archive_message m;
    char why[128];
    struct work k = {.b = b, .item = item, .octets = p, .m = &m};
    const char *stamp = NULL;
    if (archive_message_read(&m, p, n, why, sizeof why) != 0) {
        k.known = archive_times_of(b->times, item, NULL, NULL);
        trouble(r, WSSEC_UNSUPPORTED_FORMAT, why);
    } else {
        k.known = archive_times_of(b->times, item, archive_message_field, &m);
        stamp = by_token(b, item, p, n, &k.known);
        settle_instant(&k);
        conclude(&k, r);
    }
    note(r, k.known.missed ? "received-from-missed" : NULL);
    note(r, stamp);
    archive_keys_ask(&b->keys, NULL, 0);
}

static bool digest(const struct archive_item *item, const uint8_t *p, size_t n, uint8_t out[32])
{
    if (item->data != NULL) {
        return EVP_Digest(p, n, out, NULL, EVP_sha256(), NULL) == 1;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
    for (size_t at = 0; good && at < n; at += PIECE) {
        size_t some = n - at < PIECE ? n - at : PIECE;
        good = EVP_DigestUpdate(ctx, p + at, some) == 1;
        archive_item_passed(item, p, at, at + some);
    }
    good = good && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}

void archive_bench_judge(struct archive_bench *b, const struct archive_item *item, struct archive_record *r)
{
    const uint8_t *p = NULL;
    size_t n = 0;
    memset(r, 0, sizeof *r);
    r->seq = item->seq;
    r->size = item->size;
    r->loc = strdup(item->loc);
    r->v.t = b->court->now;
    r->v.time_source = WSSEC_TIME_NOW;
    r->v.generation = ks_snapshot_generation(b->court->snapshot);
    (void)cs_copy(r->v.policy, sizeof r->v.policy, wssec_policy_name(b->groups->group[0].policy));
    if (item->trouble != WSSEC_OK) {
        r->size = 0;
        trouble(r, item->trouble, item->detail);
    } else if (archive_item_map(item, &p, &n) != 0) {
        trouble(r, WSSEC_OUT_OF_MEMORY, "the item cannot be mapped");
    } else {
        r->has_payload = digest(item, p, n, r->payload_sha256);
        if (archive_sniff(p, n < ARCHIVE_HEAD ? n : ARCHIVE_HEAD) == ARCHIVE_SEEK_CONTAINER) {
            judge_container(b, item, p, n, r);
        } else {
            judge_message(b, item, p, n, r);
        }
        archive_item_unmap(item, p, n);
    }
}
