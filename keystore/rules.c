/* SPDX-License-Identifier: Apache-2.0 */
/* rules.c: the transition table, the composition of verbs into steps, and what a step does to a view. */
#include "keystore/rules.h"

#include <stdio.h>
#include <string.h>

#define FROM(s)  (1U << (s))
#define GUARD(g) (1U << (g))
#define ANY_LIVING                                                                                                     \
    (FROM(KS_PRE_ACTIVE) | FROM(KS_ACTIVE) | FROM(KS_DEACTIVATED) | FROM(KS_ARCHIVED) | FROM(KS_SUSPENDED) |           \
     FROM(KS_COMPROMISED))

static const struct ks_transition_row transition_row[] = {
    {KS_T1_RECEIVE, false, "receive", 0, KS_PRE_ACTIVE, GUARD(KS_G5_KEY_MATCH), "a certificate comes into the slot"},
    {KS_T2_ACTIVATE, false, "activate", FROM(KS_PRE_ACTIVE), KS_ACTIVE, GUARD(KS_G4_OVERLAP),
     "protects and is accepted from now on"},
    {KS_T3_DEACTIVATE, false, "deactivate", FROM(KS_ACTIVE), KS_DEACTIVATED, 0,
     "replaced; its retention window begins"},
    {KS_T4_ROLL_BACK, false, "roll back", FROM(KS_DEACTIVATED), KS_ACTIVE, GUARD(KS_G4_OVERLAP), "active again"},
    {KS_T5_RETIRE, false, "retire", FROM(KS_DEACTIVATED), KS_ARCHIVED, GUARD(KS_G8_RETENTION), "the window is over"},
    {KS_T6_REOPEN, false, "reopen", FROM(KS_ARCHIVED), KS_DEACTIVATED, 0, "accepted once more until a new end"},
    {KS_T7_SUSPEND, false, "suspend", ANY_LIVING & ~FROM(KS_SUSPENDED), KS_SUSPENDED, 0,
     "refused for everything, reversible"},
    {KS_T7_SUSPEND, true, "resume", FROM(KS_SUSPENDED), KS_PRE_ACTIVE, 0, "back to the state before"},
    {KS_T8_COMPROMISE, false, "compromise", ANY_LIVING & ~FROM(KS_COMPROMISED), KS_COMPROMISED, 0,
     "the key is in wrong hands"},
    {KS_T9_DESTROY, false, "destroy", FROM(KS_PRE_ACTIVE) | FROM(KS_ARCHIVED) | FROM(KS_COMPROMISED), KS_DESTROYED,
     GUARD(KS_G7_INACTIVE_ONLY), "key bytes go, the record stays"},
    {KS_T10_DISCARD, false, "discard", FROM(KS_PRE_ACTIVE), KS_DESTROYED, GUARD(KS_G7_INACTIVE_ONLY),
     "never used: goes at once"},
};

/** How a verb meets a state; rows not listed are KS_MEET_NEVER without advice. */
static const struct verb_row {
    enum ks_verb verb;
    enum ks_state state;
    enum ks_meeting meeting;
    enum ks_transition t[2]; /**< 0: none */
    bool back;
    const char *advice;
} verb_row[] = {
    {KS_DO_ACTIVATE, KS_PRE_ACTIVE, KS_MEET_STEPS, {KS_T2_ACTIVATE}, false, ""},
    {KS_DO_ACTIVATE, KS_ACTIVE, KS_MEET_ALREADY, {0}, false, ""},
    {KS_DO_ACTIVATE, KS_DEACTIVATED, KS_MEET_STEPS, {KS_T4_ROLL_BACK}, false, ""},
    {KS_DO_ACTIVATE, KS_ARCHIVED, KS_MEET_NEVER, {0}, false, "its window is over; add a new certificate"},
    {KS_DO_ACTIVATE, KS_SUSPENDED, KS_MEET_NEVER, {0}, false, "first: countersign keystore resume"},
    {KS_DO_DEACTIVATE,
     KS_PRE_ACTIVE,
     KS_MEET_NEVER,
     {0},
     false,
     "it was never active; to drop it: countersign keystore remove"},
    {KS_DO_DEACTIVATE, KS_ACTIVE, KS_MEET_STEPS, {KS_T3_DEACTIVATE}, false, ""},
    {KS_DO_DEACTIVATE, KS_DEACTIVATED, KS_MEET_ALREADY, {0}, false, ""},
    {KS_DO_DEACTIVATE, KS_ARCHIVED, KS_MEET_ALREADY, {0}, false, ""},
    {KS_DO_DEACTIVATE, KS_SUSPENDED, KS_MEET_NEVER, {0}, false, "first: countersign keystore resume"},
    {KS_DO_SUSPEND, KS_PRE_ACTIVE, KS_MEET_STEPS, {KS_T7_SUSPEND}, false, ""},
    {KS_DO_SUSPEND, KS_ACTIVE, KS_MEET_STEPS, {KS_T7_SUSPEND}, false, ""},
    {KS_DO_SUSPEND, KS_DEACTIVATED, KS_MEET_STEPS, {KS_T7_SUSPEND}, false, ""},
    {KS_DO_SUSPEND, KS_ARCHIVED, KS_MEET_STEPS, {KS_T7_SUSPEND}, false, ""},
    {KS_DO_SUSPEND, KS_COMPROMISED, KS_MEET_STEPS, {KS_T7_SUSPEND}, false, ""},
    {KS_DO_SUSPEND, KS_SUSPENDED, KS_MEET_ALREADY, {0}, false, ""},
    {KS_DO_RESUME, KS_SUSPENDED, KS_MEET_STEPS, {KS_T7_SUSPEND}, true, ""},
    {KS_DO_REMOVE, KS_PRE_ACTIVE, KS_MEET_STEPS, {KS_T10_DISCARD}, false, ""},
    {KS_DO_REMOVE, KS_ACTIVE, KS_MEET_STEPS, {KS_T9_DESTROY}, false, ""},
    {KS_DO_REMOVE, KS_DEACTIVATED, KS_MEET_STEPS, {KS_T5_RETIRE, KS_T9_DESTROY}, false, ""},
    {KS_DO_REMOVE, KS_ARCHIVED, KS_MEET_STEPS, {KS_T9_DESTROY}, false, ""},
    {KS_DO_REMOVE, KS_SUSPENDED, KS_MEET_STEPS, {KS_T9_DESTROY}, false, ""},
    {KS_DO_REMOVE, KS_COMPROMISED, KS_MEET_STEPS, {KS_T9_DESTROY}, false, ""},
};

static const char *const verb_word[] = {
    [KS_DO_ACTIVATE] = "activate", [KS_DO_DEACTIVATE] = "deactivate", [KS_DO_SUSPEND] = "suspend",
    [KS_DO_RESUME] = "resume",     [KS_DO_REMOVE] = "remove",
};

const char *ks_verb_word(enum ks_verb verb)
{
    return (unsigned)verb < sizeof verb_word / sizeof verb_word[0] ? verb_word[verb] : "?";
}

const struct ks_transition_row *ks_transition_rows(size_t *n)
{
    *n = sizeof transition_row / sizeof transition_row[0];
    return transition_row;
}

const struct ks_view_entry *ks_view_get(const struct ks_view *v, unsigned n)
{
    for (size_t i = 0; i < v->n; i++) {
        if (v->entry[i].n == n) {
            return &v->entry[i];
        }
    }
    return NULL;
}

struct ks_view_entry *ks_view_find(struct ks_view *v, unsigned n)
{
    for (size_t i = 0; i < v->n; i++) {
        if (v->entry[i].n == n) {
            return &v->entry[i];
        }
    }
    return NULL;
}

static int push(struct ks_rule_plan *p, enum ks_transition t, bool back, unsigned n)
{
    if (p->n == KS_PLAN_MAX) {
        return -1;
    }
    p->step[p->n++] = (struct ks_step){t, back, n};
    return 0;
}

/** In a slot with one active entry, activating one deactivates the other: the same change, so that there is no gap. */
static void push_exchange(const struct ks_view *v, struct ks_rule_plan *p, const struct ks_view_entry *incoming)
{
    const struct ks_role_row *role = ks_role_row(v->role);
    if (role->max_active != 1) {
        return;
    }
    for (size_t i = 0; i < v->n; i++) {
        const struct ks_view_entry *e = &v->entry[i];
        if (e->state == KS_ACTIVE && e->n != incoming->n &&
            (!role->per_key_type || strcmp(e->key_algorithm, incoming->key_algorithm) == 0)) {
            push(p, KS_T3_DEACTIVATE, false, e->n);
        }
    }
}

enum ks_meeting ks_plan_verb(const struct ks_view *v, enum ks_verb verb, unsigned n, cs_time now,
                             struct ks_rule_plan *p, char *text, size_t size)
{
    memset(p, 0, sizeof *p);
    text[0] = '\0';
    const struct ks_view_entry *e = ks_view_get(v, n);
    if (e == NULL) {
        snprintf(text, size, "%s holds no entry #%u", v->alias, n);
        return KS_MEET_NEVER;
    }
    enum ks_state state = ks_view_state(v, e, now);
    const char *advice = "";
    for (size_t i = 0; i < sizeof verb_row / sizeof verb_row[0]; i++) {
        const struct verb_row *row = &verb_row[i];
        if (row->verb != verb || row->state != state) {
            continue;
        }
        if (row->meeting == KS_MEET_ALREADY) {
            snprintf(text, size, "%s#%u is %s already: nothing to do", v->alias, n, ks_state_word(state));
            return KS_MEET_ALREADY;
        }
        if (row->meeting == KS_MEET_NEVER) {
            advice = row->advice;
            break;
        }
        if (row->t[0] == KS_T2_ACTIVATE || row->t[0] == KS_T4_ROLL_BACK) {
            push_exchange(v, p, e);
        }
        /* past its process stop an entry is archived by comparison; the stored word follows here, before it goes */
        if (row->t[0] == KS_T9_DESTROY && e->state == KS_DEACTIVATED) {
            push(p, KS_T5_RETIRE, false, n);
        }
        push(p, row->t[0], row->back, n);
        if (row->t[1] != 0) {
            push(p, row->t[1], false, n);
        }
        return KS_MEET_STEPS;
    }
    snprintf(text, size, "%s#%u is %s: %s does not apply%s%s", v->alias, n, ks_state_word(state), ks_verb_word(verb),
             advice[0] != '\0' ? "; " : "", advice);
    return KS_MEET_NEVER;
}

void ks_plan_add(const struct ks_view *v, struct ks_rule_plan *p, bool activate)
{
    p->n = 0;
    push(p, KS_T1_RECEIVE, false, p->fresh.n);
    if (activate) {
        push_exchange(v, p, &p->fresh);
        push(p, KS_T2_ACTIVATE, false, p->fresh.n);
    }
}

static const struct ks_transition_row *row_of(const struct ks_step *step)
{
    for (size_t i = 0; i < sizeof transition_row / sizeof transition_row[0]; i++) {
        if (transition_row[i].t == step->t && transition_row[i].back == step->back) {
            return &transition_row[i];
        }
    }
    return NULL;
}

static void enter(const struct ks_view *v, struct ks_view_entry *e, const struct ks_transition_row *row, cs_time now)
{
    enum ks_state before = e->state;
    e->state = row->back ? e->resume_state : row->to;
    switch (row->t) {
    case KS_T2_ACTIVATE: e->activated_at = e->since != 0 ? e->since : now; break;
    case KS_T3_DEACTIVATE:
        e->exchanged_at = now;
        e->process_stop = ks_process_stop(v->role, &v->terms, now, e->not_after, e->last_use);
        break;
    case KS_T4_ROLL_BACK:
        e->exchanged_at = 0;
        e->process_stop = 0;
        break;
    case KS_T5_RETIRE: e->process_stop = ks_view_stop(v, e); break;
    case KS_T7_SUSPEND: e->resume_state = row->back ? KS_PRE_ACTIVE : before; break;
    case KS_T8_COMPROMISE:
        if (before != KS_SUSPENDED) {
            e->resume_state = before;
        }
        e->compromised_since = now;
        break;
    default: break;
    }
}

int ks_plan_apply(struct ks_view *v, const struct ks_rule_plan *p, cs_time now, char *text, size_t size)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct ks_step *step = &p->step[i];
        const struct ks_transition_row *row = row_of(step);
        if (row == NULL) {
            snprintf(text, size, "unknown transition T%d", (int)step->t);
            return -1;
        }
        if (step->t == KS_T1_RECEIVE) {
            if (v->n == KS_VIEW_MAX) {
                snprintf(text, size, "slot %s is full: %d entries", v->alias, KS_VIEW_MAX);
                return -1;
            }
            struct ks_view_entry *fresh = &v->entry[v->n++];
            *fresh = p->fresh;
            fresh->state = KS_PRE_ACTIVE;
            if (fresh->until != 0) { /* of the past: its window is what it came with */
                fresh->state = KS_ARCHIVED;
                fresh->activated_at = fresh->since;
                fresh->process_stop = fresh->until;
            }
            continue;
        }
        struct ks_view_entry *e = ks_view_find(v, step->n);
        if (e == NULL || (row->from & FROM(e->state)) == 0) {
            snprintf(text, size, "%s#%u is %s: %s does not apply", v->alias, step->n,
                     e == NULL ? "not there" : ks_state_word(e->state), row->word);
            return -1;
        }
        enter(v, e, row, now);
    }
    return 0;
}
