/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intervals.c: since when and until when an entry is acceptable, as rows that are never altered: a row that turned out
 * otherwise is ended by the change that says so, and a new one stands beside it. So both questions have an answer: what
 * holds for an instant, and what was known of it at another.
 */
#include <stdio.h>
#include <string.h>

#include "keystore/change.h"

/** Interval rows that hold and reach beyond now (or to the process stop before), one per capability at most. */
struct held {
    struct ks_interval i[KS_CAPABILITIES];
    bool has[KS_CAPABILITIES];
    cs_time now, stop_before;
};

static int keep_held(void *ctx, const struct ks_interval *i, cs_error *e)
{
    (void)e;
    struct held *h = ctx;
    if (i->to > h->now || i->to == h->stop_before) {
        h->i[i->capability] = *i;
        h->has[i->capability] = true;
    }
    return 0;
}

/** What a capability of the entry shall last until: 0, it shall not hold. */
static cs_time wanted_end(const struct ks_work *w, const struct ks_view_entry *v, enum ks_capability c)
{
    const struct ks_role_row *role = ks_role_row(w->slot.role);
    switch (v->state) {
    case KS_ACTIVE: return (role->while_active & KS_CAN(c)) != 0 ? KS_FOREVER : 0;
    case KS_DEACTIVATED: return (role->while_deactivated & KS_CAN(c)) != 0 ? v->process_stop : 0;
    default: return 0;
    }
}

static int interval_row(struct ks_work *w, int64_t entry_id, enum ks_capability c, cs_time from, cs_time to,
                        cs_error *e)
{
    if (to <= from) {
        return 0;
    }
    struct ks_interval i = {.entry_id = entry_id, .capability = c, .from = from, .to = to, .cause_seq = w->seq};
    return w->s->driver->interval_add(w->s->b, &i, e);
}

int ks_work_intervals(struct ks_work *w, int64_t entry_id, cs_time stop_before, const struct ks_view_entry *after,
                      cs_error *e)
{
    struct held held = {.now = w->now, .stop_before = stop_before};
    if (w->s->driver->intervals(w->s->b, entry_id, 0, keep_held, &held, e) != 0) {
        return -1;
    }
    for (int n = 0; n < KS_CAPABILITIES; n++) {
        enum ks_capability c = (enum ks_capability)n;
        cs_time end = wanted_end(w, after, c);
        if (!held.has[n]) {
            cs_time from = after->since != 0 && after->since < w->now ? after->since : w->now;
            if (end != 0 && interval_row(w, entry_id, c, from, end, e) != 0) {
                return -1;
            }
            continue;
        }
        struct ks_interval *row = &held.i[n];
        cs_time to = end != 0 ? end : w->now < row->to ? w->now : row->to;
        if (to == row->to) {
            continue;
        }
        row->end_seq = w->seq;
        if (w->s->driver->interval_end(w->s->b, row, e) != 0 || interval_row(w, entry_id, c, row->from, to, e) != 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- a key in wrong hands --------------------------------------------------------------------------------------- */

#define ROWS_MAX 256 /* interval rows of one entry that hold at a moment */

struct rows {
    struct ks_interval i[ROWS_MAX];
    size_t n;
};

static int keep_row(void *ctx, const struct ks_interval *i, cs_error *e)
{
    struct rows *r = ctx;
    if (r->n == ROWS_MAX) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "too-many-intervals", "an entry has more than %d intervals", ROWS_MAX);
    }
    r->i[r->n++] = *i;
    return 0;
}

static int end_row(struct ks_work *w, struct ks_interval *row, cs_error *e)
{
    row->end_seq = w->seq;
    return w->s->driver->interval_end(w->s->b, row, e);
}

int ks_work_cut(struct ks_work *w, int64_t entry_id, cs_time since, cs_error *e)
{
    struct rows held = {.n = 0};
    if (w->s->driver->intervals(w->s->b, entry_id, 0, keep_row, &held, e) != 0) {
        return -1;
    }
    for (size_t k = 0; k < held.n; k++) {
        struct ks_interval *row = &held.i[k];
        if (row->to <= since) {
            continue;
        }
        if (end_row(w, row, e) != 0 || interval_row(w, entry_id, row->capability, row->from, since, e) != 0) {
            return -1;
        }
    }
    return 0;
}

/** The audit row of the T8 that is in force: the first behind the last one that was taken back. */
struct made {
    char object[KS_WORD + 12];
    uint64_t below; /**< rows from here on do not count */
    uint64_t seq;   /**< 0: none */
    cs_time at;
};

static int find_made(void *ctx, const struct ks_audit_row *row, cs_error *e)
{
    (void)e;
    struct made *m = ctx;
    if (row->seq >= m->below || row->object == NULL || row->verb == NULL || strcmp(row->object, m->object) != 0) {
        return 0;
    }
    if (strcmp(row->verb, "clear") == 0) {
        m->seq = 0;
    } else if (m->seq == 0 && strcmp(row->verb, "compromise") == 0) {
        m->seq = row->seq;
        m->at = row->at;
    }
    return 0;
}

int ks_work_uncut(struct ks_work *w, int64_t entry_id, unsigned n, cs_error *e)
{
    struct rows held = {.n = 0};
    struct rows before = {.n = 0};
    struct made made = {.below = w->seq}; /* the row of this change is in the log already */
    snprintf(made.object, sizeof made.object, "%s#%u", w->slot.alias, n);
    const struct ks_driver *d = w->s->driver;
    if (d->audit_each(w->s->b, find_made, &made, e) != 0) {
        return -1;
    }
    if (made.seq == 0) {
        return 0;
    }
    if (d->intervals(w->s->b, entry_id, 0, keep_row, &held, e) != 0 ||
        d->intervals_known(w->s->b, entry_id, made.seq - 1, keep_row, &before, e) != 0) {
        return -1;
    }
    for (size_t k = 0; k < held.n; k++) { /* what the cut left */
        if (held.i[k].cause_seq >= made.seq && end_row(w, &held.i[k], e) != 0) {
            return -1;
        }
    }
    for (size_t k = 0; k < before.n; k++) { /* refused it was nevertheless from then until now */
        struct ks_interval *row = &before.i[k];
        cs_time to = made.at < w->now ? made.at : w->now; /* the clock may have gone back since */
        to = row->to < to ? row->to : to;
        if (row->end_seq != 0 && interval_row(w, entry_id, row->capability, row->from, to, e) != 0) {
            return -1;
        }
    }
    return 0;
}
