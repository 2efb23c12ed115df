/* SPDX-License-Identifier: Apache-2.0 */
/* rules.c: the composition of verbs into steps, and what a step does to a view. The tables stand in transitions.c. */
#include "keystore/rules.h"

#include <stdio.h>
#include <string.h>

void ks_view_copy(struct ks_view *to, const struct ks_view *from)
{
    memcpy(to, from, offsetof(struct ks_view, entry));
    memcpy(to->entry, from->entry, from->n * sizeof from->entry[0]);
    memcpy(to->node, from->node, from->n_node * sizeof from->node[0]);
    memcpy(to->user, from->user, from->n_user * sizeof from->user[0]);
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

/* ---- from a verb to steps --------------------------------------------------------------------------------------- */

static void push(struct ks_rule_plan *p, enum ks_transition t, enum ks_way way, unsigned n)
{
    if (p->n == KS_PLAN_MAX) {
        p->full = true;
        return;
    }
    p->step[p->n++] = (struct ks_step){t, way, n};
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
            push(p, KS_T3_DEACTIVATE, KS_WAY_ON, e->n);
        }
    }
}

/** Compromise again: only when that is earlier than what is known. */
static bool compromise_tells_more(const struct ks_view_entry *e, cs_time since)
{
    return e->compromised_since == 0 || (since != 0 && since < e->compromised_since);
}

void ks_plan_key(const struct ks_view *v, const uint8_t spki_sha256[32], enum ks_way way, struct ks_rule_plan *p)
{
    p->n = 0;
    for (size_t i = 0; i < v->n; i++) {
        const struct ks_view_entry *e = &v->entry[i];
        if (e->state == KS_DESTROYED || memcmp(e->spki_sha256, spki_sha256, sizeof e->spki_sha256) != 0) {
            continue;
        }
        if (way == KS_WAY_BACK ? e->state == KS_COMPROMISED && !e->in_trash : compromise_tells_more(e, p->since)) {
            push(p, KS_T8_COMPROMISE, way, e->n);
        }
    }
}

/** The advice of a row, with the entry's name where it has '@'. */
static void advise(char *out, size_t size, const char *advice, const char *alias, unsigned n)
{
    size_t used = 0;
    out[0] = '\0';
    for (const char *s = advice; *s != '\0' && used + 1 < size; s++) {
        if (*s == '@') {
            int len = snprintf(out + used, size - used, "%s#%u", alias, n);
            used += len > 0 ? (size_t)len : 0;
        } else {
            out[used++] = *s;
            out[used] = '\0';
        }
    }
}

static const struct ks_verb_row *meeting_of(enum ks_verb verb, enum ks_state state)
{
    size_t n = 0;
    const struct ks_verb_row *row = ks_verb_rows(&n);
    for (size_t i = 0; i < n; i++) {
        if (row[i].verb == verb && row[i].state == state) {
            return &row[i];
        }
    }
    return NULL;
}

/** Verbs that an entry in the trash knows; every other one must wait until it is back. */
static bool knows_trash(enum ks_verb verb)
{
    return verb == KS_DO_RESTORE || verb == KS_DO_DISCARD || verb == KS_DO_COMPROMISE;
}

static enum ks_meeting never(const struct ks_view *v, enum ks_verb verb, const struct ks_view_entry *e,
                             enum ks_state state, const char *advice, char *text, size_t size)
{
    char next[160];
    advise(next, sizeof next, advice, v->alias, e->n);
    snprintf(text, size, "%s#%u is %s: %s does not apply%s%s", v->alias, e->n,
             e->in_trash ? "in the trash" : ks_state_word(state), ks_verb_word(verb), next[0] != '\0' ? "; " : "",
             next);
    return KS_MEET_NEVER;
}

static void push_steps(const struct ks_view *v, const struct ks_verb_row *row, const struct ks_view_entry *e,
                       enum ks_state state, struct ks_rule_plan *p)
{
    enum ks_transition first = row->step[0].t;
    if (first == KS_T8_COMPROMISE) {
        ks_plan_key(v, e->spki_sha256, row->step[0].way, p);
        return;
    }
    if (first == KS_T2_ACTIVATE || first == KS_T4_ROLL_BACK) {
        push_exchange(v, p, e);
    }
    /* past its process stop an entry is archived by comparison; the stored word follows where the next step needs it */
    if (state == KS_ARCHIVED && e->state == KS_DEACTIVATED && (first == KS_T9_DESTROY || first == KS_T6_REOPEN)) {
        push(p, KS_T5_RETIRE, KS_WAY_ON, e->n);
    }
    /* what was used is not simply dropped: its use is evidence, and it goes through the trash */
    if (first == KS_T10_DISCARD && e->last_use != 0) {
        push(p, KS_T9_DESTROY, KS_WAY_ON, e->n);
        return;
    }
    for (size_t i = 0; i < sizeof row->step / sizeof row->step[0] && row->step[i].t != 0; i++) {
        push(p, row->step[i].t, row->step[i].way, e->n);
    }
}

enum ks_meeting ks_plan_verb(const struct ks_view *v, enum ks_verb verb, unsigned n, cs_time now,
                             struct ks_rule_plan *p, char *text, size_t size)
{
    p->n = 0;
    p->full = false;
    text[0] = '\0';
    const struct ks_view_entry *e = ks_view_get(v, n);
    if (e == NULL) {
        snprintf(text, size, "%s holds no entry #%u", v->alias, n);
        return KS_MEET_NEVER;
    }
    enum ks_state state = ks_view_state(v, e, now);
    const struct ks_verb_row *row = meeting_of(verb, state);
    if (e->in_trash && !knows_trash(verb)) {
        return never(v, verb, e, state, "first: countersign keystore trash restore @", text, size);
    }
    bool from_trash = verb == KS_DO_RESTORE || verb == KS_DO_DISCARD;
    if (row == NULL || row->meeting == KS_MEET_NEVER || from_trash != (from_trash && e->in_trash)) {
        return never(v, verb, e, state, row != NULL ? row->advice : "", text, size);
    }
    bool word_lags = verb == KS_DO_RETIRE && e->state == KS_DEACTIVATED;
    bool more = verb == KS_DO_COMPROMISE && compromise_tells_more(e, p->since);
    if (row->meeting == KS_MEET_ALREADY && !word_lags && !more) {
        snprintf(text, size, "%s#%u is %s already: nothing to do", v->alias, n, ks_state_word(state));
        return KS_MEET_ALREADY;
    }
    push_steps(v, row, e, state, p);
    if (p->n == 0 && !p->full) { /* suspended since, but its key is known to be in wrong hands */
        snprintf(text, size, "%s#%u is compromised already: nothing to do", v->alias, n);
        return KS_MEET_ALREADY;
    }
    return KS_MEET_STEPS;
}

void ks_plan_add(const struct ks_view *v, struct ks_rule_plan *p, bool activate)
{
    p->n = 0;
    const struct ks_view_entry *goes = p->replaces != 0 ? ks_view_get(v, p->replaces) : NULL;
    const struct ks_verb_row *remove = goes != NULL ? meeting_of(KS_DO_REMOVE, goes->state) : NULL;
    if (remove != NULL) {
        push_steps(v, remove, goes, goes->state, p);
    }
    push(p, KS_T1_RECEIVE, KS_WAY_ON, p->fresh.n);
    if (activate) {
        push_exchange(v, p, &p->fresh);
        push(p, KS_T2_ACTIVATE, KS_WAY_ON, p->fresh.n);
    }
}

/* ---- what a step does ------------------------------------------------------------------------------------------- */

const struct ks_transition_row *ks_transition_row(const struct ks_step *step)
{
    size_t n = 0;
    const struct ks_transition_row *row = ks_transition_rows(&n);
    for (size_t i = 0; i < n; i++) {
        if (row[i].t == step->t && row[i].way == step->way) {
            return &row[i];
        }
    }
    return NULL;
}

static void exchange(const struct ks_view *v, struct ks_view_entry *e, cs_time now)
{
    e->exchanged_at = now;
    e->process_stop = ks_process_stop(v->role, &v->terms, now, e->not_after, e->last_use, e->open_since);
}

static void compromise(const struct ks_view *v, struct ks_view_entry *e, cs_time since, cs_time now)
{
    if (e->state == KS_SUSPENDED) {
        e->suspended_too = e->suspended_too || e->compromised_since == 0;
    } else if (e->state != KS_COMPROMISED) {
        e->resume_state = e->state;
    }
    /* out of use from now on: its window begins, so that this is no shorter way to its removal */
    if (e->resume_state == KS_ACTIVE && e->exchanged_at == 0) {
        exchange(v, e, now);
    }
    cs_time from = since != 0 ? since : now;
    if (e->compromised_since == 0 || from < e->compromised_since) {
        e->compromised_since = from;
    }
    e->state = KS_COMPROMISED;
}

static void clear(struct ks_view_entry *e)
{
    if (e->resume_state == KS_ACTIVE) {
        e->exchanged_at = 0;
        e->process_stop = 0;
    }
    e->compromised_since = 0;
    e->state = e->suspended_too ? KS_SUSPENDED : e->resume_state;
    if (!e->suspended_too) {
        e->resume_state = KS_PRE_ACTIVE;
    }
    e->suspended_too = false;
}

static void suspend(struct ks_view_entry *e)
{
    if (e->state != KS_COMPROMISED) {
        e->resume_state = e->state;
    }
    e->state = KS_SUSPENDED;
}

static void resume(struct ks_view_entry *e)
{
    if (e->compromised_since != 0) {
        e->state = KS_COMPROMISED;
        return;
    }
    e->state = e->resume_state;
    e->resume_state = KS_PRE_ACTIVE;
}

static void enter(const struct ks_view *v, const struct ks_rule_plan *p, struct ks_view_entry *e,
                  const struct ks_transition_row *row, cs_time now)
{
    bool back = row->way == KS_WAY_BACK;
    if (row->t == KS_T7_SUSPEND) {
        back ? resume(e) : suspend(e);
        return;
    }
    if (row->t == KS_T8_COMPROMISE) {
        back ? clear(e) : compromise(v, e, p->since, now);
        return;
    }
    switch (row->t) {
    case KS_T2_ACTIVATE: e->activated_at = e->since != 0 ? e->since : now; break;
    case KS_T3_DEACTIVATE: exchange(v, e, now); break;
    case KS_T4_ROLL_BACK:
        e->exchanged_at = 0;
        e->process_stop = 0;
        break;
    case KS_T5_RETIRE: e->process_stop = ks_view_stop(v, e); break;
    case KS_T6_REOPEN: e->process_stop = p->until; break;
    case KS_T9_DESTROY: e->in_trash = row->way == KS_WAY_ON; break;
    default: break;
    }
    e->state = row->to != KS_AS_BEFORE ? row->to : e->state;
}

static int receive(struct ks_view *v, const struct ks_rule_plan *p, char *text, size_t size)
{
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
    return 0;
}

int ks_plan_apply(struct ks_view *v, const struct ks_rule_plan *p, cs_time now, char *text, size_t size)
{
    if (p->full) {
        snprintf(text, size, "more than %d entries of %s would change at once", KS_PLAN_MAX, v->alias);
        return -1;
    }
    for (size_t i = 0; i < p->n; i++) {
        const struct ks_step *step = &p->step[i];
        const struct ks_transition_row *row = ks_transition_row(step);
        if (row == NULL) {
            snprintf(text, size, "unknown transition T%d", (int)step->t);
            return -1;
        }
        if (step->t == KS_T1_RECEIVE) {
            if (receive(v, p, text, size) != 0) {
                return -1;
            }
            continue;
        }
        struct ks_view_entry *e = ks_view_find(v, step->n);
        bool out_of_trash = step->t == KS_T9_DESTROY && step->way != KS_WAY_ON;
        if (e == NULL || (row->from & (1U << e->state)) == 0 || (out_of_trash && !e->in_trash)) {
            snprintf(text, size, "%s#%u is %s: %s does not apply", v->alias, step->n,
                     e == NULL ? "not there" : ks_state_word(e->state), row->word);
            return -1;
        }
        enter(v, p, e, row, now);
    }
    return 0;
}
