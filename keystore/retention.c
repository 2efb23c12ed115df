/* SPDX-License-Identifier: Apache-2.0 */
/* retention.c: how long an exchanged entry goes on processing. The one place where process stop is computed. */
#include "keystore/rules.h"

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/** An overflow would end a window early: such a sum is the end of time instead. */
static cs_time later(cs_time t, int64_t seconds)
{
    cs_time sum = 0;
    return __builtin_add_overflow(t, seconds, &sum) ? INT64_MAX : sum;
}

int64_t ks_window(enum ks_role role, const struct ks_terms *terms)
{
    switch (ks_role_row(role)->floor) {
    case KS_FLOOR_NONE: return 0;
    case KS_FLOOR_DAY: return CS_DAY;
    case KS_FLOOR_RETENTION: break;
    }
    int64_t delivery = larger(terms->guaranteed_delivery, terms->partner_delivery);
    return larger(larger(KS_RETENTION_FLOOR, terms->retention), delivery);
}

cs_time ks_process_stop(enum ks_role role, const struct ks_terms *terms, cs_time exchanged_at, cs_time not_after,
                        cs_time last_use, cs_time open_since)
{
    cs_time stop = later(exchanged_at, ks_window(role, terms));
    int64_t delivery = larger(terms->guaranteed_delivery, terms->partner_delivery);
    if (ks_role_row(role)->floor != KS_FLOOR_RETENTION) {
        return stop;
    }
    if (last_use != 0) {
        cs_time cap = larger(exchanged_at, not_after);
        stop = larger(stop, later(last_use < cap ? last_use : cap, delivery));
    }
    return open_since != 0 ? larger(stop, later(open_since, delivery)) : stop;
}

cs_time ks_stop_of(enum ks_role role, const struct ks_terms *terms, const struct ks_view_entry *e)
{
    if (e->exchanged_at == 0) {
        return e->process_stop;
    }
    return larger(e->process_stop,
                  ks_process_stop(role, terms, e->exchanged_at, e->not_after, e->last_use, e->open_since));
}

enum ks_state ks_state_of(enum ks_role role, const struct ks_terms *terms, const struct ks_view_entry *e, cs_time now)
{
    /* without a window nothing ends: the entry is out of use from the exchange on, and may come back until it is
     * removed */
    bool window = ks_role_row(role)->floor != KS_FLOOR_NONE;
    return window && e->state == KS_DEACTIVATED && now >= ks_stop_of(role, terms, e) ? KS_ARCHIVED : e->state;
}

cs_time ks_view_stop(const struct ks_view *v, const struct ks_view_entry *e)
{
    return ks_stop_of(v->role, &v->terms, e);
}

enum ks_state ks_view_state(const struct ks_view *v, const struct ks_view_entry *e, cs_time now)
{
    return ks_state_of(v->role, &v->terms, e, now);
}

bool ks_acceptable_at(enum ks_role role, const struct ks_terms *terms, const struct ks_view_entry *e, cs_time now)
{
    enum ks_state s = ks_state_of(role, terms, e, now);
    return (s == KS_ACTIVE && now <= e->not_after) || s == KS_DEACTIVATED;
}
