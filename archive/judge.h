/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.h: the verdict on one item. wssec says what does not depend on time: digests, signature value, parts, whose
 * key. Whether the certificate counted is then a matter of the keystore's intervals and of the instant, which has a
 * strength: what an instant that anybody could have written does not settle is indeterminate.
 */
#ifndef ARCHIVE_JUDGE_H
#define ARCHIVE_JUDGE_H

#include "archive/keys.h"
#include "archive/times.h"

/** Partners of a court that share policy and users are asked together; made once, shared by all workers. */
struct archive_groups {
    struct archive_group {
        struct wssec_policy *policy;
        size_t *partner; /**< places in the court */
        size_t n;
    } * group; /**< owned */
    size_t n;
    size_t *place;         /**< owned: what the groups point into */
    uint8_t (*shared)[32]; /**< owned: certificates that several partners have, sorted */
    size_t n_shared;
};
int archive_groups_make(struct archive_groups *g, const struct archive_court *court) CS_MUST_CHECK;
void archive_groups_free(struct archive_groups *g);

/** What one worker judges with. */
struct archive_bench {
    const struct archive_court *court;
    const struct archive_order *order;
    const struct archive_groups *groups;
    const struct archive_times *times;
    struct wssec_worker *worker; /**< owned */
    struct archive_keys keys;    /**< owned */
    size_t last;                 /**< the group that the last message belonged to */
    uint64_t computed;           /**< messages whose signature was computed */
};
/** court, order, groups, times: borrowed. @return 0, or -1: no memory; archive_bench_free in either case */
int archive_bench_make(struct archive_bench *b, const struct archive_court *court, const struct archive_order *order,
                       const struct archive_groups *groups, const struct archive_times *times) CS_MUST_CHECK;
void archive_bench_free(struct archive_bench *b);

/** Judge item. r is filled but for run, dup_of and us; its loc is a copy (archive_record_clear). */
void archive_bench_judge(struct archive_bench *b, const struct archive_item *item, struct archive_record *r);

/** Judge the facts of r (its certificate, claimed time, t and time source) under the court's policy and intervals once
 *  more: fills verdict, reason, detail, verdict_now, reason_now, state_at_t, sub_indication. Computes no signature. */
void archive_decide(const struct archive_court *court, const struct wssec_policy *policy, struct archive_record *r);
/** r has that reason and its verdict, whatever the instant. */
void archive_record_final(struct archive_record *r, enum wssec_reason reason);
/** A partner of the court by its name; NULL: it has none of that name. */
const struct archive_partner *archive_partner_of(const struct archive_court *court, const char *name);
/** The policy of a partner of the court; "" or nobody's: its fallback. */
const struct wssec_policy *archive_policy_of(const struct archive_court *court, const char *partner);
/** Does the message's own word of its time (v->claimed) count? Where the operator says so, or where the policy lets an
 * entry that was exchanged live on what was signed before its end. */
bool archive_claim_counts(const struct archive_court *court, const struct archive_order *order,
                          const struct wssec_policy *policy, const struct wssec_verdict *v);
/** Late or early against the instant that the facts were found with says nothing against another one. */
void archive_drop_lateness(struct wssec_verdict *v);
/** A verdict that rests on certificates, about an instant of which the court knows nothing, is left open. Part of
 * archive_decide. */
void archive_decide_beyond(const struct archive_court *court, struct archive_record *r);

#endif
