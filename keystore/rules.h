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
#include "keystore/live.h"
#include "keystore/words.h"

/** Durations that govern a slot, in seconds; 0: none. */
struct ks_terms {
    int64_t retention;
    int64_t guaranteed_delivery;
    int64_t partner_delivery;
};

/** What revocation lists say of a certificate. */
enum ks_revocation { KS_REVOCATION_UNKNOWN, KS_REVOCATION_GOOD, KS_REVOCATION_REVOKED };

/** What the rules need to know of an entry. */
struct ks_view_entry {
    unsigned n;
    int64_t entry_id;           /**< of the store; 0: not stored yet */
    enum ks_state state;        /**< as stored */
    enum ks_state resume_state; /**< while suspended or compromised: the state underneath */
    bool suspended_too;         /**< while compromised: it was suspended, and is again when that is taken back */
    bool in_trash;              /**< removed; can be restored until its key is destroyed */
    bool has_key;
    char key_algorithm[16];
    uint8_t spki_sha256[32];
    cs_time not_before, not_after;
    cs_time activated_at, exchanged_at, process_stop, compromised_since, last_use; /**< 0: none */
    cs_time since, until;   /**< of an entry of the past (T1 straight into archived); 0: none */
    cs_time changed_at;     /**< last change of the entry */
    cs_time open_since;     /**< newest message that still waits somewhere and needs it; 0: none */
    unsigned open_messages; /**< how many wait */
    uint64_t version;       /**< generation of its last change */
    enum ks_revocation revocation;
};

/** A node that serves the store. */
struct ks_view_node {
    char name[KS_WORD];
    uint64_t applied;     /**< generation that it works with */
    cs_time silent_since; /**< its last word, when that is too long ago; 0: it is alive */
};

/** Somebody who is let in by entries of the slot. */
struct ks_view_user {
    char name[KS_WORD];
    unsigned n;         /**< entry that stands for the user */
    unsigned elsewhere; /**< acceptable entries of other slots that stand for the same user */
};

#define KS_VIEW_MAX   256 /* entries of one slot, destroyed ones included only while they are needed */
#define KS_VIEW_NODES 32
#define KS_VIEW_USERS 64

/** One slot as it stands, and what the rules must know of its surroundings. Copied with ks_view_copy. */
struct ks_view {
    char alias[KS_WORD];
    char partner[KS_WORD]; /**< "" none */
    enum ks_role role;
    struct ks_terms terms;
    bool partner_routed;           /**< a route of some node names the partner */
    unsigned acceptable_elsewhere; /**< acceptable entries of the same role and partner in other slots */
    bool anchors_traffic;          /**< trust-anchor: a partner, listener or upstream in use names the slot */
    bool revocation_required;      /**< the partner's policy asks for a current revocation list */
    cs_time backup_at;             /**< when the store was backed up last; 0: never */
    char rollover[KS_WORD];        /**< a roll-over of the slot that is under way; "" none */
    size_t n, n_node, n_user;
    struct ks_view_entry entry[KS_VIEW_MAX];
    struct ks_view_node node[KS_VIEW_NODES];
    struct ks_view_user user[KS_VIEW_USERS];
};

/** Which way a transition is taken. */
enum ks_way {
    KS_WAY_ON,
    KS_WAY_BACK, /**< T7 resume, T8 taken back, T9 out of the trash */
    KS_WAY_END,  /**< T9: out of the trash for good */
    KS_WAYS
};

/** One step of a change. */
struct ks_step {
    enum ks_transition t;
    enum ks_way way;
    unsigned n; /**< entry number */
};

#define KS_PLAN_MAX 64 /* steps of a composite; the largest: one key in many entries (T8) */

/** What a probe with the new key found (G11). */
enum ks_probe { KS_PROBE_NONE /**< none is configured */, KS_PROBE_DUE, KS_PROBE_PASSED, KS_PROBE_FAILED };
/** Does the change wait for a second person (G10)? */
enum ks_approval { KS_APPROVAL_OFF /**< the rule is not in force */, KS_APPROVAL_MISSING, KS_APPROVAL_GIVEN };

struct ks_rule_plan {
    struct ks_step step[KS_PLAN_MAX];
    size_t n;
    bool full;                  /**< a step did not fit: the plan must not be carried out */
    struct ks_view_entry fresh; /**< what T1 brings */
    unsigned replaces;          /**< T1: the inactive entry that goes in the same change; 0: none */
    char key_problem[320];      /**< G5: what does not fit; "" nothing */
    bool shorter_ok;            /**< G4: a shorter validity was agreed to */
    bool forced;                /**< G9: in spite of the evidence */
    bool reasoned;              /**< somebody said why */
    bool no_backup_ok;          /**< G14 */
    bool probe_later;           /**< G11: the other side takes the new one only behind the exchange */
    bool automatic;             /**< the keeper does what was decided before: no second person */
    bool ahead;                 /**< judged now for a later instant: what only that instant can show is not asked */
    bool starts_rollover;       /**< G13 */
    char without_node[256];     /**< G6: nodes that are not waited for, blanks between */
    enum ks_probe probe;        /**< G11 */
    char probe_text[256];       /**< what it answered */
    enum ks_approval approval;  /**< G10 */
    cs_time since;              /**< T8: the key is in wrong hands since; 0: since now */
    cs_time until;              /**< T6: accepted until */
};

/** How a verb meets a state. */
enum ks_meeting { KS_MEET_STEPS, KS_MEET_ALREADY /**< nothing to do */, KS_MEET_NEVER /**< not from this state */ };

/* ---- time ------------------------------------------------------------------------------------------------------ */

/** THE end of an entry's retention window: from here on it is refused and may go. Every decision uses this function.
 *  last_use 0: none. A use after the exchange counts at most up to notAfter, so that a stolen old key cannot keep
 *  itself alive. open_since: of the newest message that still waits and needs the entry, 0: none. */
cs_time ks_process_stop(enum ks_role role, const struct ks_terms *terms, cs_time exchanged_at, cs_time not_after,
                        cs_time last_use, cs_time open_since);
/** The retention window of a role under these terms, in seconds. */
int64_t ks_window(enum ks_role role, const struct ks_terms *terms);
/** The three questions of an entry outside of a view. */
cs_time ks_stop_of(enum ks_role role, const struct ks_terms *terms, const struct ks_view_entry *e);
enum ks_state ks_state_of(enum ks_role role, const struct ks_terms *terms, const struct ks_view_entry *e, cs_time now);
bool ks_acceptable_at(enum ks_role role, const struct ks_terms *terms, const struct ks_view_entry *e, cs_time now);
/** Process stop of an entry: what is stored, or later when use or terms moved it. 0: not deactivated. */
cs_time ks_view_stop(const struct ks_view *v, const struct ks_view_entry *e);
/** State by comparison with the instant: a deactivated entry past its process stop is archived; in a role without a
 *  window it stays deactivated. */
enum ks_state ks_view_state(const struct ks_view *v, const struct ks_view_entry *e, cs_time now);

/* ---- rules ----------------------------------------------------------------------------------------------------- */

/** What is filled of from, into to. */
void ks_view_copy(struct ks_view *to, const struct ks_view *from);
/** The entry of that number, or NULL. */
struct ks_view_entry *ks_view_find(struct ks_view *v, unsigned n);
const struct ks_view_entry *ks_view_get(const struct ks_view *v, unsigned n);

/** The steps of a verb on entry n. On KS_MEET_ALREADY and KS_MEET_NEVER text tells why. */
enum ks_meeting ks_plan_verb(const struct ks_view *v, enum ks_verb verb, unsigned n, cs_time now,
                             struct ks_rule_plan *p, char *text, size_t size);
/** The steps of adding p->fresh (its n is set): the removal of what it replaces, T1, with activate T2 and T3 of whom it
 *  exchanges. */
void ks_plan_add(const struct ks_view *v, struct ks_rule_plan *p, bool activate);
/** Carry the steps out on v. @return 0, or -1: a step does not start from the state that it finds (text tells) */
int ks_plan_apply(struct ks_view *v, const struct ks_rule_plan *p, cs_time now, char *text, size_t size);
/** All guards over the plan, each told once. A change that only waits for a second person is refused by G10 alone.
 *  @param after the view with the plan carried out, NULL: it cannot be  @return how many refuse; 0: allowed */
size_t ks_judge(const struct ks_view *before, const struct ks_view *after, const struct ks_rule_plan *p, cs_time now,
                ks_refusal *out, size_t max);

/** Steps for every entry that holds this key: T8 from since on, or that taken back. p is reset but for its facts. */
void ks_plan_key(const struct ks_view *v, const uint8_t spki_sha256[32], enum ks_way way, struct ks_rule_plan *p);
/** What the plan breaks although no guard refuses it (T8 goes before G3). @return true: text tells */
bool ks_alarm(const struct ks_view *before, const struct ks_view *after, const struct ks_rule_plan *p, cs_time now,
              char *text, size_t size);
/** Does an active entry of this role go out to others: signs, encrypts, is presented? */
bool ks_protects(enum ks_role role);
/** Must a second person agree to this, where two approvers are named? */
bool ks_plan_asks_consent(const struct ks_rule_plan *p);
/** Does the plan end an invariant (G1, G2, G3) that holds before it? @return true: text tells */
bool ks_invariant_broken(enum ks_guard g, const struct ks_view *before, const struct ks_view *after,
                         const struct ks_rule_plan *p, cs_time now, char *text, size_t size);
/** Is there a sign that the entry is still needed (G9)? @return true: text tells which */
bool ks_still_needed(const struct ks_view *v, const struct ks_view_entry *e, cs_time now, char *text, size_t size);

/* ---- the tables, for tests and documentation -------------------------------------------------------------------- */

#define KS_AS_BEFORE KS_STATES /* a transition that leads to no fixed state */

struct ks_transition_row {
    enum ks_transition t;
    enum ks_way way;
    const char *word;
    unsigned from;    /**< set of 1 << state; 0: the entry is new */
    enum ks_state to; /**< KS_AS_BEFORE: see help */
    unsigned guards;  /**< set of 1 << guard: preconditions asked; invariants are always asked */
    const char *help;
};
const struct ks_transition_row *ks_transition_rows(size_t *n);
/** "", " back", " for good": behind a transition's number. */
const char *ks_way_word(enum ks_way way);
/** The verb of ks_verb_word. @return 0, or -1 */
int ks_verb_parse(const char *word, enum ks_verb *verb);
/** The row of a step, or NULL. */
const struct ks_transition_row *ks_transition_row(const struct ks_step *step);

enum ks_guard_kind {
    KS_GUARD_INVARIANT,    /**< holds after the change, if it held before */
    KS_GUARD_PRECONDITION, /**< asked of each step that names it */
    KS_GUARD_PLAN          /**< asked of the change as a whole */
};
struct ks_guard_row {
    enum ks_guard guard;
    enum ks_guard_kind kind;
    const char *help; /**< the rule, for people */
    const char *lift; /**< what lifts a refusal */
};
const struct ks_guard_row *ks_guard_rows(size_t *n);

/** How a verb meets a state, row by row. */
struct ks_verb_row {
    enum ks_verb verb;
    enum ks_state state; /**< as shown: by comparison with the instant */
    enum ks_meeting meeting;
    struct {
        enum ks_transition t; /**< 0: none */
        enum ks_way way;
    } step[2];
    const char *advice; /**< '@' stands for the entry */
};
const struct ks_verb_row *ks_verb_rows(size_t *n);

#endif
