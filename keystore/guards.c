/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guards.c: what a change must not break. Preconditions are asked per step on the view before; invariants are compared
 * before and after the whole composite. One row per guard; all that refuse are told, not only the first.
 */
#include "keystore/rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CLOCK_SKEW 300 /* seconds that two clocks may differ: a notBefore so far ahead is not "in the future" */

struct verdict {
    ks_refusal *out;
    size_t max;
    size_t n;
};

static void refuse(struct verdict *v, enum ks_guard g, cs_time allowed_from, const char *fmt, ...) CS_PRINTF(4, 5);

static void refuse(struct verdict *v, enum ks_guard g, cs_time allowed_from, const char *fmt, ...)
{
    if (v->n < v->max) {
        ks_refusal *r = &v->out[v->n];
        r->guard = g;
        r->allowed_from = allowed_from;
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(r->text, sizeof r->text, fmt, ap);
        va_end(ap);
    }
    v->n++;
}

/* ---- preconditions --------------------------------------------------------------------------------------------- */

typedef void precondition(const struct ks_view *before, const struct ks_rule_plan *p, const struct ks_step *step,
                          cs_time now, struct verdict *v);

static const struct ks_view_entry *subject(const struct ks_view *before, const struct ks_rule_plan *p,
                                           const struct ks_step *step)
{
    return p->fresh.n != 0 && p->fresh.n == step->n ? &p->fresh : ks_view_get(before, step->n);
}

static void g4_shorter(const struct ks_view *before, const struct ks_rule_plan *p, const struct ks_view_entry *e,
                       struct verdict *v)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct ks_view_entry *old = p->step[i].t == KS_T3_DEACTIVATE ? ks_view_get(before, p->step[i].n) : NULL;
        if (old != NULL && e->not_after < old->not_after) {
            char mine[CS_TIME_TEXT];
            char theirs[CS_TIME_TEXT];
            refuse(v, KS_G4_OVERLAP, 0,
                   "%s#%u ends %s, before the active %s#%u does (%s). If that is right: --shorter-ok", before->alias,
                   e->n, cs_time_format(e->not_after, mine), before->alias, old->n,
                   cs_time_format(old->not_after, theirs));
        }
    }
}

static void g4(const struct ks_view *before, const struct ks_rule_plan *p, const struct ks_step *step, cs_time now,
               struct verdict *v)
{
    const struct ks_view_entry *e = subject(before, p, step);
    if (e == NULL) {
        return;
    }
    char when[CS_TIME_TEXT];
    if (now > e->not_after) {
        refuse(v, KS_G4_OVERLAP, 0,
               "the certificate of %s#%u expired %s. For archived messages of its time: "
               "countersign keystore add --since TIME --until TIME",
               before->alias, e->n, cs_time_format(e->not_after, when));
    } else if (e->not_before > now + CLOCK_SKEW) {
        refuse(v, KS_G4_OVERLAP, e->not_before,
               "the certificate of %s#%u is valid from %s only. Until then keep it pre-active", before->alias, e->n,
               cs_time_format(e->not_before, when));
    } else if (!p->shorter_ok && step->t == KS_T2_ACTIVATE) { /* the way back (T4) leads to an older one as a rule */
        g4_shorter(before, p, e, v);
    }
}

static void g5(const struct ks_view *before, const struct ks_rule_plan *p, const struct ks_step *step, cs_time now,
               struct verdict *v)
{
    (void)before;
    (void)step;
    (void)now;
    if (p->key_problem[0] != '\0') {
        refuse(v, KS_G5_KEY_MATCH, 0, "%s", p->key_problem);
    }
}

static void g7(const struct ks_view *before, const struct ks_rule_plan *p, const struct ks_step *step, cs_time now,
               struct verdict *v)
{
    (void)now;
    const struct ks_view_entry *e = subject(before, p, step);
    if (e != NULL && e->state == KS_ACTIVE) {
        refuse(v, KS_G7_INACTIVE_ONLY, 0, "%s#%u is active. First: countersign keystore deactivate %s#%u",
               before->alias, e->n, before->alias, e->n);
    } else if (e != NULL && e->state == KS_SUSPENDED) {
        refuse(v, KS_G7_INACTIVE_ONLY, 0,
               "%s#%u is suspended, and its window keeps running. First: countersign keystore resume %s#%u",
               before->alias, e->n, before->alias, e->n);
    }
}

static void g8(const struct ks_view *before, const struct ks_rule_plan *p, const struct ks_step *step, cs_time now,
               struct verdict *v)
{
    const struct ks_view_entry *e = subject(before, p, step);
    cs_time stop = e != NULL ? ks_view_stop(before, e) : 0;
    if (e == NULL || now >= stop) {
        return;
    }
    char until[CS_TIME_TEXT];
    char exchanged[CS_TIME_TEXT];
    int64_t days = ks_window(before->role, &before->terms) / CS_DAY;
    bool moved = stop > e->exchanged_at + ks_window(before->role, &before->terms);
    refuse(v, KS_G8_RETENTION, stop,
           "accepted until %s (exchanged %s, %lld d%s). To refuse its messages now, those in flight too: "
           "countersign keystore suspend %s#%u",
           cs_time_format(stop, until), cs_time_format(e->exchanged_at, exchanged), (long long)days,
           moved ? ", moved by its last use" : "", before->alias, e->n);
}

static const struct precondition_row {
    enum ks_guard guard;
    precondition *ask;
} precondition_row[] = {
    {KS_G4_OVERLAP, g4},
    {KS_G5_KEY_MATCH, g5},
    {KS_G7_INACTIVE_ONLY, g7},
    {KS_G8_RETENTION, g8},
};

/* ---- invariants ------------------------------------------------------------------------------------------------ */

/** @return whether it holds; text, when it does not, says what is wrong and which command helps. */
typedef bool invariant(const struct ks_view *v, const struct ks_rule_plan *p, cs_time now, char *text, size_t size);

static bool i1(const struct ks_view *v, const struct ks_rule_plan *p, cs_time now, char *text, size_t size)
{
    (void)p;
    (void)now;
    const struct ks_role_row *role = ks_role_row(v->role);
    for (size_t i = 0; i < v->n; i++) {
        unsigned active = 0;
        for (size_t k = 0; k < v->n; k++) {
            bool same = !role->per_key_type || strcmp(v->entry[i].key_algorithm, v->entry[k].key_algorithm) == 0;
            active += v->entry[k].state == KS_ACTIVE && same;
        }
        if (active > role->max_active) {
            snprintf(text, size,
                     "%s would hold %u active entries, a %s slot has at most %u. First: countersign keystore "
                     "deactivate %s#N",
                     v->alias, active, role->word, role->max_active, v->alias);
            return false;
        }
    }
    return true;
}

static bool i2(const struct ks_view *v, const struct ks_rule_plan *p, cs_time now, char *text, size_t size)
{
    (void)p;
    const struct ks_role_row *role = ks_role_row(v->role);
    unsigned keyed = 0;
    unsigned oldest = 0;
    for (size_t i = 0; i < v->n; i++) {
        const struct ks_view_entry *e = &v->entry[i];
        enum ks_state s = ks_view_state(v, e, now);
        if (e->has_key && (s == KS_PRE_ACTIVE || s == KS_ACTIVE || s == KS_DEACTIVATED || e->state == KS_DEACTIVATED)) {
            keyed++;
            oldest = oldest == 0 && e->state != KS_ACTIVE ? e->n : oldest;
        }
    }
    if (role->max_keyed != 0 && keyed > role->max_keyed) {
        snprintf(
            text, size,
            "%s would hold %u entries with a key, a %s slot has at most %u. First: countersign keystore remove %s#%u",
            v->alias, keyed, role->word, role->max_keyed, v->alias, oldest);
        return false;
    }
    return true;
}

static bool i3(const struct ks_view *v, const struct ks_rule_plan *p, cs_time now, char *text, size_t size)
{
    (void)p;
    if (v->role != KS_VERIFIER || !v->partner_routed || v->acceptable_elsewhere + ks_view_acceptable(v, now) > 0) {
        return true;
    }
    snprintf(text, size,
             "partner %s has traffic and would have no acceptable certificate left. First: "
             "countersign keystore add --role verifier --partner %s --alias %s FILE --activate",
             v->partner, v->partner, v->alias);
    return false;
}

static const struct invariant_row {
    enum ks_guard guard;
    invariant *holds;
} invariant_row[] = {
    {KS_G1_ONE_ACTIVE, i1},
    {KS_G2_LIMIT_TWO, i2},
    {KS_G3_LAST_ACCEPTABLE, i3},
};

unsigned ks_view_acceptable(const struct ks_view *v, cs_time now)
{
    unsigned n = 0;
    for (size_t i = 0; i < v->n; i++) {
        const struct ks_view_entry *e = &v->entry[i];
        enum ks_state s = ks_view_state(v, e, now);
        n += (s == KS_ACTIVE && now <= e->not_after) || s == KS_DEACTIVATED;
    }
    return n;
}

static const struct ks_transition_row *row_of(const struct ks_step *step)
{
    size_t n = 0;
    const struct ks_transition_row *row = ks_transition_rows(&n);
    for (size_t i = 0; i < n; i++) {
        if (row[i].t == step->t && row[i].back == step->back) {
            return &row[i];
        }
    }
    return NULL;
}

/** T8 may leave a partner without a certificate: a key in wrong hands is worse than no traffic. */
static bool compromises(const struct ks_rule_plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->step[i].t == KS_T8_COMPROMISE) {
            return true;
        }
    }
    return false;
}

size_t ks_judge(const struct ks_view *before, const struct ks_view *after, const struct ks_rule_plan *p, cs_time now,
                ks_refusal *out, size_t max)
{
    struct verdict v = {out, max, 0};
    for (size_t i = 0; i < p->n; i++) {
        const struct ks_transition_row *row = row_of(&p->step[i]);
        for (size_t g = 0; row != NULL && g < sizeof precondition_row / sizeof precondition_row[0]; g++) {
            if ((row->guards & (1U << precondition_row[g].guard)) != 0) {
                precondition_row[g].ask(before, p, &p->step[i], now, &v);
            }
        }
    }
    for (size_t g = 0; after != NULL && g < sizeof invariant_row / sizeof invariant_row[0]; g++) {
        char text[sizeof out->text] = "";
        if (invariant_row[g].guard == KS_G3_LAST_ACCEPTABLE && compromises(p)) {
            continue;
        }
        if (!invariant_row[g].holds(after, p, now, text, sizeof text)) {
            char ignored[sizeof text];
            if (invariant_row[g].holds(before, p, now, ignored, sizeof ignored)) {
                refuse(&v, invariant_row[g].guard, 0, "%s", text);
            }
        }
    }
    return v.n;
}
