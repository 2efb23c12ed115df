/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules.h: the life cycle as pure functions: which transition leads from which state, which guards it must pass, what
 * holds afterwards. No store, no clock, no allocation: a view of one slot and the instant go in, a judgement comes out.
 *
 * A change is allowed when every precondition of its steps holds on the view before, and every invariant that holds
 * before it holds after it, over the whole composite.
 */
#ifndef KS_RULES_H
#define KS_RULES_H

#include "keystore/keystore.h"
#include "keystore/words.h"

/** Durations that govern a slot, in seconds; 0: none. */
struct ks_terms {
    int64_t retention;
    int64_t guaranteed_delivery;
    int64_t partner_delivery;
};

/** What the rules need to know of an entry. */
struct ks_view_entry {
    unsigned n;
    enum ks_state state;        /**< as stored */
    enum ks_state resume_state; /**< while suspended: the state to return to */
    bool has_key;
    char key_algorithm[16];
    uint8_t spki_sha256[32];
    cs_time not_before, not_after;
    cs_time activated_at, exchanged_at, process_stop, compromised_since, last_use; /**< 0: none */
    cs_time since, until; /**< of an entry of the past (T1 straight into archived); 0: none */
};

#define KS_VIEW_MAX 256 /* entries of one slot, destroyed ones included only while they are needed */

/** One slot as it stands, and what the rules must know of its surroundings. */
struct ks_view {
    char alias[KS_WORD];
    char partner[KS_WORD]; /**< "" none */
    enum ks_role role;
    struct ks_terms terms;
    bool partner_routed;           /**< a route of some node names the partner */
    unsigned acceptable_elsewhere; /**< acceptable entries of the same role and partner in other slots */
    struct ks_view_entry entry[KS_VIEW_MAX];
    size_t n;
};

/** One step of a change. */
struct ks_step {
    enum ks_transition t;
    bool back;  /**< T7: resume instead of suspend */
    unsigned n; /**< entry number */
};

#define KS_PLAN_MAX 12 /* a composite: T1, T2 and T3 of the others */

struct ks_rule_plan {
    struct ks_step step[KS_PLAN_MAX];
    size_t n;
    struct ks_view_entry fresh; /**< what T1 brings */
    char key_problem[320];      /**< G5: what does not fit; "" nothing */
    bool shorter_ok;            /**< G4: a shorter validity was agreed to */
};

/** How a verb meets a state. */
enum ks_meeting { KS_MEET_STEPS, KS_MEET_ALREADY /**< nothing to do */, KS_MEET_NEVER /**< not from this state */ };

/* ---- time ------------------------------------------------------------------------------------------------------ */

/** THE end of an entry's retention window: from here on it is refused and may go. Every decision uses this function.
 *  last_use 0: none. A use after the exchange counts at most up to notAfter, so that a stolen old key cannot keep
 * itself alive. */
cs_time ks_process_stop(enum ks_role role, const struct ks_terms *terms, cs_time exchanged_at, cs_time not_after,
                        cs_time last_use);
/** The retention window of a role under these terms, in seconds. */
int64_t ks_window(enum ks_role role, const struct ks_terms *terms);
/** Process stop of an entry: what is stored, or later when use or terms moved it. 0: not deactivated. */
cs_time ks_view_stop(const struct ks_view *v, const struct ks_view_entry *e);
/** State by comparison with the instant: a deactivated entry past its process stop is archived; in a role without a
 *  window it stays deactivated. */
enum ks_state ks_view_state(const struct ks_view *v, const struct ks_view_entry *e, cs_time now);

/* ---- rules ----------------------------------------------------------------------------------------------------- */

/** The entry of that number, or NULL. */
struct ks_view_entry *ks_view_find(struct ks_view *v, unsigned n);
const struct ks_view_entry *ks_view_get(const struct ks_view *v, unsigned n);
/** Entries of the view that are acceptable at now (verifier: would pass live traffic). */
unsigned ks_view_acceptable(const struct ks_view *v, cs_time now);

/** The steps of a verb on entry n. On KS_MEET_ALREADY and KS_MEET_NEVER text tells why. */
enum ks_meeting ks_plan_verb(const struct ks_view *v, enum ks_verb verb, unsigned n, cs_time now,
                             struct ks_rule_plan *p, char *text, size_t size);
/** The steps of adding p->fresh (its n is set): T1, with activate T2 and T3 of whom it exchanges. */
void ks_plan_add(const struct ks_view *v, struct ks_rule_plan *p, bool activate);
/** Carry the steps out on v. @return 0, or -1: a step does not start from the state that it finds (text tells) */
int ks_plan_apply(struct ks_view *v, const struct ks_rule_plan *p, cs_time now, char *text, size_t size);
/** All guards over the plan. @param after the view with the plan carried out  @return how many refuse; 0: allowed */
size_t ks_judge(const struct ks_view *before, const struct ks_view *after, const struct ks_rule_plan *p, cs_time now,
                ks_refusal *out, size_t max);

/** The transition table, for tests and documentation. */
struct ks_transition_row {
    enum ks_transition t;
    bool back;
    const char *word;
    unsigned from;    /**< set of 1 << state; 0: the entry is new */
    enum ks_state to; /**< resume: the state before */
    unsigned guards;  /**< set of 1 << guard: preconditions asked; invariants are always asked */
    const char *help;
};
const struct ks_transition_row *ks_transition_rows(size_t *n);

#endif
