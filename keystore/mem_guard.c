/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem_guard.c: the indexes and triggers of the schema that are SQL there, for the tables in memory: one active entry
 * per one-active slot, one living entry of a certificate, no retirement before process stop, a process stop that never
 * shrinks, intervals that are only ended, a log that only grows.
 */
#include <stdio.h>
#include <string.h>

#include "keystore/mem.h"

/** Two rows to compare, by names of columns. */
struct pair {
    struct ks_mem_scan before, after; /**< stand on the rows; row NULL: there is none */
};

static bool in(const struct ks_mem_scan *s, const char *column, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (ks_mem_is(s, column, *words)) {
            return true;
        }
    }
    return false;
}

static bool differs(const struct pair *p, const char *column)
{
    return ks_mem_order(ks_mem_value(&p->before, column), ks_mem_value(&p->after, column)) != 0;
}

static int kept(const char *what, cs_error *e)
{
    return ks_mem_conflict(what, e);
}

/** Does another living row of the slot stand in the way? The partial indexes one_certificate and one_active. */
static int entry_alone(struct ks_backend *b, const struct ks_mem_scan *mine, cs_error *e)
{
    bool living = !ks_mem_is(mine, "state", "destroyed");
    bool one = ks_mem_is(mine, "state", "active") && !ks_mem_is_null(mine, "one_key");
    struct ks_mem_scan s = ks_mem_scan(b, "entry");
    const char *what = NULL;
    while (ks_mem_next(&s)) {
        if (ks_mem_num(&s, "slot_id") != ks_mem_num(mine, "slot_id") ||
            ks_mem_num(&s, "entry_id") == ks_mem_num(mine, "entry_id")) {
            continue;
        }
        if (living && !ks_mem_is(&s, "state", "destroyed") &&
            ks_mem_order(ks_mem_value(&s, "sha256"), ks_mem_value(mine, "sha256")) == 0) {
            what = "one_certificate";
        } else if (one && ks_mem_is(&s, "state", "active") && !ks_mem_is_null(&s, "one_key") &&
                   ks_mem_is(&s, "one_key", ks_mem_text(mine, "one_key"))) {
            what = "one_active";
        }
    }
    return what != NULL ? ks_mem_conflict(what, e) : 0;
}

static int entry(struct ks_backend *b, const struct pair *p, cs_error *e)
{
    static const char *const bound[] = {"deactivated", "suspended", "compromised", NULL};
    static const char *const gone[] = {"archived", "destroyed", NULL};
    const struct ks_mem_scan *old = &p->before;
    const struct ks_mem_scan *new = &p->after;
    enum ks_state state = KS_STATES;
    if (new->row == NULL) {
        return kept("entries are never deleted", e);
    }
    if (ks_state_parse(ks_mem_text(new, "state"), &state) != 0) {
        return ks_mem_conflict("no such state", e);
    }
    if (old->row != NULL) {
        cs_time stop = ks_mem_num(old, "process_stop");
        bool early = in(old, "state", bound) && in(new, "state", gone) && ks_mem_num(old, "exchanged_at") != 0 &&
                     (stop == 0 || ks_mem_num(new, "changed_at") < stop);
        bool shrinks = !differs(p, "state") && stop != 0 && ks_mem_num(new, "process_stop") < stop;
        if (early || shrinks) {
            return cs_error_set(e, CS_EXIT_GUARD, "retention", "refused G8 retention: the store itself refuses it");
        }
    }
    return entry_alone(b, new, e);
}

static int interval(struct ks_backend *b, const struct pair *p, cs_error *e)
{
    (void)b;
    static const char *const fixed[] = {"entry_id", "capability", "from_ts", "to_ts", "cause_seq", NULL};
    if (p->after.row == NULL) {
        return kept("intervals are never deleted", e);
    }
    bool altered = p->before.row != NULL && !ks_mem_is_null(&p->before, "end_seq");
    for (const char *const *c = fixed; p->before.row != NULL && *c != NULL; c++) {
        altered = altered || differs(p, *c);
    }
    return altered ? kept("intervals are never altered", e) : 0;
}

static int audit(struct ks_backend *b, const struct pair *p, cs_error *e)
{
    (void)b;
    return p->before.row != NULL ? kept("the audit log is append-only", e) : 0;
}

static int approval(struct ks_backend *b, const struct pair *p, cs_error *e)
{
    (void)b;
    return p->after.row == NULL ? kept("approvals are never deleted", e) : 0;
}

static int rollover(struct ks_backend *b, const struct pair *p, cs_error *e)
{
    bool twice = false;
    if (p->after.row == NULL || !ks_mem_is(&p->after, "state", "open")) {
        return 0;
    }
    struct ks_mem_scan s = ks_mem_scan(b, "rollover");
    while (ks_mem_next(&s)) {
        twice = twice || (ks_mem_is(&s, "state", "open") && s.row != p->before.row &&
                          ks_mem_num(&s, "slot_id") == ks_mem_num(&p->after, "slot_id"));
    }
    return twice ? ks_mem_conflict("rollover_open", e) : 0;
}

static const struct {
    const char *table;
    int (*judge)(struct ks_backend *b, const struct pair *p, cs_error *e);
} guard[] = {
    {"entry", entry}, {"interval", interval}, {"audit", audit}, {"approval", approval}, {"rollover", rollover},
};

int ks_mem_guard(struct ks_backend *b, const struct ks_mem_table *t, const struct ks_mem_row *before,
                 const struct ks_mem_row *after, cs_error *e)
{
    const struct pair p = {.before = {.t = t, .row = before}, .after = {.t = t, .row = after}};
    for (size_t i = 0; i < sizeof guard / sizeof guard[0]; i++) {
        if (strcmp(guard[i].table, t->name) == 0) {
            return guard[i].judge(b, &p, e);
        }
    }
    return 0;
}

int ks_mem_guard_all(struct ks_backend *b, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "entry");
    while (ks_mem_next(&s)) {
        if (entry_alone(b, &s, e) != 0) {
            ks_mem_done(&s);
            return -1;
        }
    }
    return 0;
}
