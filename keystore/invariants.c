/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invariants.c: what holds of a slot at every moment (G1 to G3). A change is allowed only if each one that holds before
 * it holds after it: what is broken already blocks no way out. And the signs that an entry is still needed (G9).
 */
#include <stdio.h>
#include <string.h>

#include "keystore/rules.h"

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
        if (e->has_key && !e->in_trash &&
            (s == KS_PRE_ACTIVE || s == KS_ACTIVE || s == KS_DEACTIVATED || e->state == KS_DEACTIVATED)) {
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

/** Is the user let in by any entry that is acceptable? */
static bool user_served(const struct ks_view *v, const char *name, cs_time now)
{
    for (size_t i = 0; i < v->n_user; i++) {
        const struct ks_view_user *u = &v->user[i];
        const struct ks_view_entry *e = strcmp(u->name, name) == 0 ? ks_view_get(v, u->n) : NULL;
        if (e == NULL) {
            continue;
        }
        if (u->elsewhere > 0 || ks_acceptable_at(v->role, &v->terms, e, now)) {
            return true;
        }
    }
    return false;
}

static bool i3_users(const struct ks_view *v, cs_time now, char *text, size_t size)
{
    for (size_t i = 0; i < v->n_user; i++) {
        if (!user_served(v, v->user[i].name, now)) {
            snprintf(text, size,
                     "user %s would have no acceptable certificate left. First: countersign keystore mapping add "
                     "--certificate ENTRY --user %s, with a certificate that is active",
                     v->user[i].name, v->user[i].name);
            return false;
        }
    }
    return true;
}

/* Entries of the view that are acceptable at now (verifier: would pass live traffic). */
static unsigned count_acceptable(const struct ks_view *v, cs_time now)
{
    unsigned n = 0;
    for (size_t i = 0; i < v->n; i++) {
        n += ks_acceptable_at(v->role, &v->terms, &v->entry[i], now);
    }
    return n;
}

static bool i3(const struct ks_view *v, const struct ks_rule_plan *p, cs_time now, char *text, size_t size)
{
    (void)p;
    if (v->role == KS_AUTHZ_CLIENT) {
        return i3_users(v, now, text, size);
    }
    if (v->acceptable_elsewhere + count_acceptable(v, now) > 0) {
        return true;
    }
    if (v->role == KS_VERIFIER && v->partner_routed) {
        snprintf(text, size,
                 "partner %s has traffic and would have no acceptable certificate left. First: "
                 "countersign keystore add --role verifier --partner %s --alias %s FILE --activate",
                 v->partner, v->partner, v->alias);
        return false;
    }
    if (v->role == KS_TRUST_ANCHOR && v->anchors_traffic) {
        snprintf(text, size,
                 "%s is in use and would have no anchor left. First: countersign keystore add --role trust-anchor "
                 "--alias %s FILE --activate",
                 v->alias, v->alias);
        return false;
    }
    return true;
}

static const struct invariant_row {
    enum ks_guard guard;
    invariant *holds;
} invariant_row[] = {
    {KS_G1_ONE_ACTIVE, i1},
    {KS_G2_LIMIT_TWO, i2},
    {KS_G3_LAST_ACCEPTABLE, i3},
};

/** Would the plan end an invariant that holds? */
static bool breaks(enum ks_guard g, const struct ks_view *before, const struct ks_view *after,
                   const struct ks_rule_plan *p, cs_time now, char *text, size_t size)
{
    for (size_t i = 0; i < sizeof invariant_row / sizeof invariant_row[0]; i++) {
        char ignored[512];
        if (invariant_row[i].guard == g) {
            return !invariant_row[i].holds(after, p, now, text, size) &&
                   invariant_row[i].holds(before, p, now, ignored, sizeof ignored);
        }
    }
    return false;
}

/** T8 may leave a partner without a certificate: a key in wrong hands is worse than no traffic. */
static bool compromises(const struct ks_rule_plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->step[i].t == KS_T8_COMPROMISE && p->step[i].way == KS_WAY_ON) {
            return true;
        }
    }
    return false;
}

bool ks_invariant_broken(enum ks_guard g, const struct ks_view *before, const struct ks_view *after,
                         const struct ks_rule_plan *p, cs_time now, char *text, size_t size)
{
    return !(g == KS_G3_LAST_ACCEPTABLE && compromises(p)) && breaks(g, before, after, p, now, text, size);
}

bool ks_alarm(const struct ks_view *before, const struct ks_view *after, const struct ks_rule_plan *p, cs_time now,
              char *text, size_t size)
{
    return compromises(p) && breaks(KS_G3_LAST_ACCEPTABLE, before, after, p, now, text, size);
}

#define STILL_USED CS_DAY /* a use so fresh says that somebody goes on using it */
#define FOLLOW_S   60     /* nodes follow an exchange within a second; what was under way then ends a little later */

bool ks_still_needed(const struct ks_view *v, const struct ks_view_entry *e, cs_time now, char *text, size_t size)
{
    char when[CS_TIME_TEXT];
    if (e->open_messages > 0) {
        snprintf(text, size, "%u open %s %s %s#%u, the newest since %s", e->open_messages,
                 e->open_messages == 1 ? "message" : "messages", e->open_messages == 1 ? "needs" : "need", v->alias,
                 e->n, cs_time_format(e->open_since, when));
        return true;
    }
    /* what does nothing once it is deactivated is used by our own nodes alone, and they follow by themselves */
    int64_t follow = ks_capabilities(v->role, KS_DEACTIVATED) == 0 ? FOLLOW_S : 0;
    if (e->exchanged_at != 0 && e->last_use > e->exchanged_at + follow && now - e->last_use < STILL_USED) {
        snprintf(text, size, "%s#%u was used after its exchange, last %s", v->alias, e->n,
                 cs_time_format(e->last_use, when));
        return true;
    }
    return false;
}
