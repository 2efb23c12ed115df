/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transitions.c: the life cycle as two tables: which transition leads where and which guards it asks; and how each verb
 * meets each state. Rules, documentation and tests are made from these rows; nothing else knows a transition.
 */
#include "keystore/rules.h"

#include <string.h>

#define FROM(s)  (1U << (s))
#define GUARD(g) (1U << (g))
#define ANY_LIVING                                                                                                     \
    (FROM(KS_PRE_ACTIVE) | FROM(KS_ACTIVE) | FROM(KS_DEACTIVATED) | FROM(KS_ARCHIVED) | FROM(KS_SUSPENDED) |           \
     FROM(KS_COMPROMISED))
#define REMOVABLE (FROM(KS_PRE_ACTIVE) | FROM(KS_ARCHIVED) | FROM(KS_COMPROMISED))

static const struct ks_transition_row transition_row[] = {
    {KS_T1_RECEIVE, KS_WAY_ON, "receive", 0, KS_PRE_ACTIVE, GUARD(KS_G5_KEY_MATCH),
     "a certificate comes into the slot; one of the past straight into archived"},
    {KS_T2_ACTIVATE, KS_WAY_ON, "activate", FROM(KS_PRE_ACTIVE), KS_ACTIVE,
     GUARD(KS_G4_OVERLAP) | GUARD(KS_G6_DISTRIBUTION) | GUARD(KS_G11_PROBE) | GUARD(KS_G12_REVOCATION),
     "protects and is accepted from now on"},
    {KS_T3_DEACTIVATE, KS_WAY_ON, "deactivate", FROM(KS_ACTIVE), KS_DEACTIVATED, 0,
     "replaced: this is the exchange, its retention window begins"},
    {KS_T4_ROLL_BACK, KS_WAY_ON, "roll back", FROM(KS_DEACTIVATED), KS_ACTIVE,
     GUARD(KS_G4_OVERLAP) | GUARD(KS_G12_REVOCATION), "active again"},
    {KS_T5_RETIRE, KS_WAY_ON, "retire", FROM(KS_DEACTIVATED), KS_ARCHIVED,
     GUARD(KS_G8_RETENTION) | GUARD(KS_G9_EVIDENCE), "the window is over"},
    {KS_T6_REOPEN, KS_WAY_ON, "reopen", FROM(KS_ARCHIVED), KS_DEACTIVATED, 0,
     "accepted once more until a new end, with a reason"},
    {KS_T7_SUSPEND, KS_WAY_ON, "suspend", ANY_LIVING & ~FROM(KS_SUSPENDED), KS_SUSPENDED, 0,
     "refused for everything, reversible; its window keeps running"},
    {KS_T7_SUSPEND, KS_WAY_BACK, "resume", FROM(KS_SUSPENDED), KS_AS_BEFORE, 0, "back to the state before"},
    {KS_T8_COMPROMISE, KS_WAY_ON, "compromise", ANY_LIVING, KS_COMPROMISED, 0,
     "the key is in wrong hands: every entry with it, in all slots"},
    {KS_T8_COMPROMISE, KS_WAY_BACK, "clear", FROM(KS_COMPROMISED), KS_AS_BEFORE, GUARD(KS_G10_TWO_PERSONS),
     "it was not: back to the state before"},
    {KS_T9_DESTROY, KS_WAY_ON, "remove", REMOVABLE, KS_AS_BEFORE,
     GUARD(KS_G7_INACTIVE_ONLY) | GUARD(KS_G8_RETENTION) | GUARD(KS_G9_EVIDENCE) | GUARD(KS_G10_TWO_PERSONS) |
         GUARD(KS_G14_BACKUP),
     "into the trash: leaves the lists, its key can be restored for 30 days"},
    {KS_T9_DESTROY, KS_WAY_BACK, "restore", REMOVABLE, KS_AS_BEFORE, 0, "out of the trash, as it was"},
    {KS_T9_DESTROY, KS_WAY_END, "destroy", REMOVABLE, KS_DESTROYED, GUARD(KS_G10_TWO_PERSONS),
     "out of the trash for good: key octets go, the record stays"},
    {KS_T10_DISCARD, KS_WAY_ON, "discard", FROM(KS_PRE_ACTIVE), KS_DESTROYED, GUARD(KS_G7_INACTIVE_ONLY),
     "never used: goes at once"},
};

#define STEPS(...)  KS_MEET_STEPS, {__VA_ARGS__}, ""
#define ALREADY     KS_MEET_ALREADY, {{0}}, ""
#define NEVER(text) KS_MEET_NEVER, {{0}}, text
#define ON(t)                                                                                                          \
    {                                                                                                                  \
        t, KS_WAY_ON                                                                                                   \
    }
#define BACK(t)                                                                                                        \
    {                                                                                                                  \
        t, KS_WAY_BACK                                                                                                 \
    }
#define RESUME_FIRST "first: countersign keystore resume @"
#define CLEAR_FIRST  "if the key is not in wrong hands after all: countersign keystore compromise @ --undo"
#define NOT_IN_TRASH "it is not in the trash; see: countersign keystore trash list"

/* clang-format off */
static const struct ks_verb_row verb_row[] = {
    {KS_DO_ACTIVATE, KS_PRE_ACTIVE, STEPS(ON(KS_T2_ACTIVATE))},
    {KS_DO_ACTIVATE, KS_ACTIVE, ALREADY},
    {KS_DO_ACTIVATE, KS_DEACTIVATED, STEPS(ON(KS_T4_ROLL_BACK))},
    {KS_DO_ACTIVATE, KS_ARCHIVED, NEVER("its window is over; add a new certificate")},
    {KS_DO_ACTIVATE, KS_SUSPENDED, NEVER(RESUME_FIRST)},
    {KS_DO_ACTIVATE, KS_COMPROMISED, NEVER(CLEAR_FIRST)},
    {KS_DO_DEACTIVATE, KS_PRE_ACTIVE, NEVER("it was never active; to drop it: countersign keystore remove @")},
    {KS_DO_DEACTIVATE, KS_ACTIVE, STEPS(ON(KS_T3_DEACTIVATE))},
    {KS_DO_DEACTIVATE, KS_DEACTIVATED, ALREADY},
    {KS_DO_DEACTIVATE, KS_ARCHIVED, ALREADY},
    {KS_DO_DEACTIVATE, KS_SUSPENDED, NEVER(RESUME_FIRST)},
    {KS_DO_DEACTIVATE, KS_COMPROMISED, NEVER("it is out of use already")},
    {KS_DO_SUSPEND, KS_PRE_ACTIVE, STEPS(ON(KS_T7_SUSPEND))},
    {KS_DO_SUSPEND, KS_ACTIVE, STEPS(ON(KS_T7_SUSPEND))},
    {KS_DO_SUSPEND, KS_DEACTIVATED, STEPS(ON(KS_T7_SUSPEND))},
    {KS_DO_SUSPEND, KS_ARCHIVED, STEPS(ON(KS_T7_SUSPEND))},
    {KS_DO_SUSPEND, KS_COMPROMISED, STEPS(ON(KS_T7_SUSPEND))},
    {KS_DO_SUSPEND, KS_SUSPENDED, ALREADY},
    {KS_DO_RESUME, KS_SUSPENDED, STEPS(BACK(KS_T7_SUSPEND))},
    {KS_DO_RESUME, KS_COMPROMISED, NEVER(CLEAR_FIRST)},
    {KS_DO_RETIRE, KS_PRE_ACTIVE, NEVER("it was never active; to drop it: countersign keystore remove @")},
    {KS_DO_RETIRE, KS_ACTIVE, NEVER("first: countersign keystore deactivate @")},
    {KS_DO_RETIRE, KS_DEACTIVATED, STEPS(ON(KS_T5_RETIRE))},
    {KS_DO_RETIRE, KS_ARCHIVED, KS_MEET_ALREADY, {ON(KS_T5_RETIRE)}, ""},
    {KS_DO_RETIRE, KS_SUSPENDED, NEVER(RESUME_FIRST)},
    {KS_DO_REMOVE, KS_PRE_ACTIVE, STEPS(ON(KS_T10_DISCARD))},
    {KS_DO_REMOVE, KS_ACTIVE, STEPS(ON(KS_T9_DESTROY))},
    {KS_DO_REMOVE, KS_DEACTIVATED, STEPS(ON(KS_T5_RETIRE), ON(KS_T9_DESTROY))},
    {KS_DO_REMOVE, KS_ARCHIVED, STEPS(ON(KS_T9_DESTROY))},
    {KS_DO_REMOVE, KS_SUSPENDED, STEPS(ON(KS_T9_DESTROY))},
    {KS_DO_REMOVE, KS_COMPROMISED, STEPS(ON(KS_T9_DESTROY))},
    {KS_DO_REOPEN, KS_DEACTIVATED, NEVER("it is accepted still")},
    {KS_DO_REOPEN, KS_ARCHIVED, STEPS(ON(KS_T6_REOPEN))},
    {KS_DO_REOPEN, KS_SUSPENDED, NEVER(RESUME_FIRST)},
    {KS_DO_COMPROMISE, KS_PRE_ACTIVE, STEPS(ON(KS_T8_COMPROMISE))},
    {KS_DO_COMPROMISE, KS_ACTIVE, STEPS(ON(KS_T8_COMPROMISE))},
    {KS_DO_COMPROMISE, KS_DEACTIVATED, STEPS(ON(KS_T8_COMPROMISE))},
    {KS_DO_COMPROMISE, KS_ARCHIVED, STEPS(ON(KS_T8_COMPROMISE))},
    {KS_DO_COMPROMISE, KS_SUSPENDED, STEPS(ON(KS_T8_COMPROMISE))},
    {KS_DO_COMPROMISE, KS_COMPROMISED, KS_MEET_ALREADY, {ON(KS_T8_COMPROMISE)}, ""},
    {KS_DO_CLEAR, KS_COMPROMISED, STEPS(BACK(KS_T8_COMPROMISE))},
    {KS_DO_CLEAR, KS_SUSPENDED, NEVER(RESUME_FIRST)},
    {KS_DO_RESTORE, KS_PRE_ACTIVE, KS_MEET_STEPS, {BACK(KS_T9_DESTROY)}, NOT_IN_TRASH},
    {KS_DO_RESTORE, KS_ARCHIVED, KS_MEET_STEPS, {BACK(KS_T9_DESTROY)}, NOT_IN_TRASH},
    {KS_DO_RESTORE, KS_COMPROMISED, KS_MEET_STEPS, {BACK(KS_T9_DESTROY)}, NOT_IN_TRASH},
    {KS_DO_RESTORE, KS_DESTROYED, NEVER("its key is gone; the certificate can be exported and added anew")},
    {KS_DO_DISCARD, KS_PRE_ACTIVE, KS_MEET_STEPS, {{KS_T9_DESTROY, KS_WAY_END}}, NOT_IN_TRASH},
    {KS_DO_DISCARD, KS_ARCHIVED, KS_MEET_STEPS, {{KS_T9_DESTROY, KS_WAY_END}}, NOT_IN_TRASH},
    {KS_DO_DISCARD, KS_COMPROMISED, KS_MEET_STEPS, {{KS_T9_DESTROY, KS_WAY_END}}, NOT_IN_TRASH},
};
/* clang-format on */

static const char *const verb_word[KS_VERBS] = {
    [KS_DO_ACTIVATE] = "activate",     [KS_DO_DEACTIVATE] = "deactivate", [KS_DO_SUSPEND] = "suspend",
    [KS_DO_RESUME] = "resume",         [KS_DO_RETIRE] = "retire",         [KS_DO_REMOVE] = "remove",
    [KS_DO_REOPEN] = "reopen",         [KS_DO_COMPROMISE] = "compromise", [KS_DO_CLEAR] = "compromise --undo",
    [KS_DO_RESTORE] = "trash restore", [KS_DO_DISCARD] = "trash discard",
};

const char *ks_way_word(enum ks_way way)
{
    static const char *const word[KS_WAYS] = {"", " back", " for good"};
    return (unsigned)way < KS_WAYS ? word[way] : "?";
}

int ks_verb_parse(const char *word, enum ks_verb *verb)
{
    for (int v = 0; v < KS_VERBS; v++) {
        if (strcmp(verb_word[v], word) == 0) {
            *verb = (enum ks_verb)v;
            return 0;
        }
    }
    return -1;
}

const char *ks_verb_word(enum ks_verb verb)
{
    return (unsigned)verb < KS_VERBS ? verb_word[verb] : "?";
}

const struct ks_transition_row *ks_transition_rows(size_t *n)
{
    *n = sizeof transition_row / sizeof transition_row[0];
    return transition_row;
}

const struct ks_verb_row *ks_verb_rows(size_t *n)
{
    *n = sizeof verb_row / sizeof verb_row[0];
    return verb_row;
}
