/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tick.c: what is due, done once: windows that are over (T5), verbs that waited for their instant, keys that were long
 * enough in the trash. Each is a change of its own, so that one that is refused holds up no other; it may run on
 * several nodes at once, since each is judged again within its transaction.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/canary.h"
#include "keystore/change.h"
#include "keystore/facts.h"
#include "keystore/notice_store.h"
#include "keystore/regenerate.h"
#include "keystore/rollover.h"
#include "keystore/time.h"

static const ks_actor keeper = {"keeper", "keeper", NULL};

/** Everything that has an instant, due or not. */
struct agenda {
    ks_store *s;
    const ks_uptime *up; /**< NULL: not known */
    cs_time now;
    ks_report *report;
    struct ks_clock_facts clock;
    size_t cap;
    struct ks_terms terms;
    char partner[KS_WORD];
    bool have_terms;
    struct silent {
        cs_time oldest; /**< last word of the node that said nothing for longest; 0: no node */
    } nodes;
    char (*reason)[256]; /**< owned: beside each due row, of who scheduled it */
    char (*actor)[64];   /**< owned: likewise; "" the keeper */
};

static int add_due(struct agenda *a, enum ks_verb verb, const char *alias, unsigned n, const char *actor,
                   const char *reason, cs_error *e)
{
    ks_report *r = a->report;
    if (r->n == a->cap) {
        size_t cap = a->cap == 0 ? 16 : a->cap * 2;
        ks_due *due = reallocarray(r->due, cap, sizeof *due);
        r->due = due != NULL ? due : r->due;
        char(*why)[256] = reallocarray(a->reason, cap, sizeof *why);
        a->reason = why != NULL ? why : a->reason;
        char(*who)[64] = reallocarray(a->actor, cap, sizeof *who);
        a->actor = who != NULL ? who : a->actor;
        if (due == NULL || why == NULL || who == NULL) {
            return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
        }
        a->cap = cap;
    }
    ks_due *d = &r->due[r->n];
    memset(d, 0, sizeof *d);
    d->verb = verb;
    d->word = ks_verb_word(verb);
    d->n = n;
    cs_copy(d->alias, sizeof d->alias, alias);
    snprintf(a->reason[r->n], sizeof a->reason[0], "%s", reason);
    snprintf(a->actor[r->n], sizeof a->actor[0], "%s", actor);
    r->n++;
    return 0;
}

static void later(struct agenda *a, cs_time at)
{
    if (at > a->now && (a->report->next == 0 || at < a->report->next)) {
        a->report->next = at;
    }
}

static int find_over(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct agenda *a = ctx;
    struct ks_view_entry v;
    unsigned open = 0;
    if (row->info.state != KS_DEACTIVATED || ks_role_row(row->info.role)->floor == KS_FLOOR_NONE) {
        return 0;
    }
    if (!a->have_terms || strcmp(a->partner, row->info.partner) != 0) {
        if (ks_terms_read(a->s, row->info.partner, &a->terms, e) != 0) {
            return -1;
        }
        cs_copy(a->partner, sizeof a->partner, row->info.partner);
        a->have_terms = true;
    }
    ks_view_of_row(row, &v);
    if (ks_open_of(a->s, row->slot_id, row->entry_id, &v.open_since, &open, e) != 0) {
        return -1;
    }
    cs_time stop = ks_stop_of(row->info.role, &a->terms, &v);
    if (stop > a->now) {
        later(a, stop);
        return 0;
    }
    /* counters of a node that served until now may still be on their way: they might move the end */
    if (a->nodes.oldest != 0 && a->nodes.oldest < stop) {
        later(a, a->now + 1);
        return 0;
    }
    return add_due(a, KS_DO_RETIRE, row->info.alias, row->info.n, "", "its window is over", e);
}

static int find_set(void *ctx, const struct ks_schedule_row *row, cs_error *e)
{
    struct agenda *a = ctx;
    enum ks_verb verb;
    if (row->due_at > a->now) {
        later(a, row->due_at);
        return 0;
    }
    return ks_verb_parse(row->verb, &verb) == 0 ? add_due(a, verb, row->alias, row->n, row->actor, row->reason, e) : 0;
}

static int find_trash(void *ctx, const struct ks_trash_row *row, cs_error *e)
{
    struct agenda *a = ctx;
    if (row->until > a->now) {
        later(a, row->until);
        return 0;
    }
    return add_due(a, KS_DO_DISCARD, row->alias, row->n, "", "its time in the trash is over", e);
}

static int find_oldest(void *ctx, const struct ks_node_row *row, cs_error *e)
{
    (void)e;
    struct agenda *a = ctx;
    if (a->nodes.oldest == 0 || row->clock_at < a->nodes.oldest) {
        a->nodes.oldest = row->clock_at;
    }
    return 0;
}

/** Read only: what is due, what is next, whether the clock may be believed. */
static int look(struct agenda *a, cs_error *e)
{
    ks_store *s = a->s;
    const struct ks_clock_facts *f = &a->clock;
    if (s->driver->begin(s->b, KS_READ, e) != 0) {
        return -1;
    }
    int rc = ks_clock_read(s, a->up, &a->clock, e);
    if (rc == 0) {
        ks_clock_info *c = &a->report->clock;
        c->high_water = f->high_water;
        c->suspect = !s->options.time_given && ks_clock_judge(f, a->now, c->text, sizeof c->text) != KS_CLOCK_GOOD;
        rc = s->driver->nodes(s->b, find_oldest, a, e);
    }
    struct ks_row_filter all = {.alias = NULL};
    if (rc == 0) { /* what a person set comes before what follows by itself */
        rc = s->driver->schedules(s->b, 0, find_set, a, e) == 0 && s->driver->rows(s->b, &all, find_over, a, e) == 0 &&
                     s->driver->trash(s->b, 0, find_trash, a, e) == 0
                 ? 0
                 : -1;
    }
    s->driver->rollback(s->b);
    return rc;
}

struct drop {
    ks_store *s;
    const ks_due *due;
    int64_t entry_id;
};

/** A verb that its entry no longer knows is not tried for ever. */
static int drop_row(void *ctx, const struct ks_schedule_row *row, cs_error *e)
{
    (void)e;
    struct drop *d = ctx;
    if (row->n == d->due->n && strcmp(row->alias, d->due->alias) == 0 &&
        strcmp(row->verb, ks_verb_word(d->due->verb)) == 0) {
        d->entry_id = row->entry_id;
    }
    return 0;
}

static int drop(ks_store *s, const ks_due *due, cs_time now, cs_error *e)
{
    struct drop d = {.s = s, .due = due};
    if (s->driver->schedules(s->b, 0, drop_row, &d, e) != 0) {
        return -1;
    }
    ks_request r = {.verb = due->verb, .alias = due->alias, .n = due->n, .cancel = true};
    ks_outcome *out = d.entry_id != 0 ? calloc(1, sizeof *out) : NULL;
    int rc = out != NULL ? ks_change(s, &r, &keeper, now, out, e) : 0;
    free(out);
    return rc;
}

/** @return 0 done or refused (told in d); -1 the store cannot be worked with */
static int carry_out(ks_store *s, ks_due *d, const char *actor, const char *reason, bool dry_run, cs_time now,
                     cs_error *e)
{
    ks_request r = {.verb = d->verb, .alias = d->alias, .n = d->n, .dry_run = dry_run, .automatic = true};
    ks_actor who = {actor[0] != '\0' ? actor : keeper.name, actor[0] != '\0' ? "scheduled" : keeper.kind, reason};
    cs_error why = {0};
    ks_outcome *out = calloc(1, sizeof *out);
    if (out == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    int rc = ks_change(s, &r, &who, now, out, &why);
    d->done = rc == 0 && !dry_run;
    d->generation = out->generation;
    bool nothing =
        rc == 0 && out->n_note > 0 && !out->info.trash_until && strstr(out->note[0], "nothing to do") != NULL;
    if (rc != 0) {
        snprintf(d->text, sizeof d->text, "%.*s", (int)sizeof d->text - 1, why.text);
        bool ours =
            why.exit_code != CS_EXIT_GUARD && why.exit_code != CS_EXIT_USAGE && why.exit_code != CS_EXIT_CONFLICT;
        rc = ours ? -1 : 0;
        if (ours && e != NULL) {
            *e = why;
        }
    }
    if (rc == 0 && !dry_run && actor[0] != '\0' && (nothing || why.exit_code == CS_EXIT_USAGE)) {
        rc = drop(s, d, now, e);
    }
    free(out);
    return rc;
}

#define WITNESS_S 3600 /* a store where nothing changes must not look like one after a long stop */

static int witness(struct agenda *a, cs_error *e)
{
    ks_store *s = a->s;
    bool quiet = a->now - a->clock.high_water >= WITNESS_S;
    bool unseen = a->up != NULL && (!a->clock.running || a->clock.since_last_s >= WITNESS_S);
    if (s->options.time_given || (!quiet && !unseen)) {
        return 0;
    }
    int rc = s->driver->begin(s->b, KS_UPKEEP, e) == 0 && ks_clock_raise(s, a->now, e) == 0 &&
                     ks_clock_witness(s, a->up, a->now, e) == 0 && s->driver->commit(s->b, e) == 0
                 ? 0
                 : -1;
    s->driver->rollback(s->b);
    return rc;
}

static int tell_all(ks_store *s, bool dry_run, cs_time now, ks_report *out, cs_time *next, cs_error *e)
{
    static int (*const kinds[])(ks_store *, bool, cs_time, size_t *, cs_time *,
                                cs_error *) = {ks_notice_due, ks_notice_nodes, ks_notice_checkpoint};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t made = 0;
        cs_time at = 0;
        rc = kinds[i](s, dry_run, now, &made, &at, e);
        out->notices += made;
        *next = at != 0 && (*next == 0 || at < *next) ? at : *next;
    }
    return rc;
}

/** What is due beyond the verbs, in this order: each may make work for the one behind it. */
static int (*const rounds[])(ks_store *s, bool dry_run, cs_time now, ks_report *out, cs_time *next,
                             cs_error *e) = {ks_canary_due, ks_rollover_tick, tell_all};

int ks_tick(ks_store *s, bool dry_run, const ks_uptime *up, cs_time now, ks_report *out, cs_error *e)
{
    memset(out, 0, sizeof *out);
    struct agenda a = {.s = s, .up = s->options.time_given ? NULL : up, .now = now, .report = out};
    int rc = look(&a, e);
    if (rc == 0 && out->clock.suspect) {
        for (size_t i = 0; i < out->n; i++) {
            snprintf(out->due[i].text, sizeof out->due[i].text, "waits: clock-suspect");
        }
    }
    for (size_t i = 0; rc == 0 && !out->clock.suspect && i < out->n; i++) {
        rc = carry_out(s, &out->due[i], a.actor[i], a.reason[i], dry_run, now, e);
    }
    if (rc == 0 && !out->clock.suspect) {
        rc = ks_regenerate_due(s, dry_run, now, out, e);
        for (size_t i = 0; rc == 0 && i < sizeof rounds / sizeof rounds[0]; i++) {
            cs_time next = 0;
            rc = rounds[i](s, dry_run, now, out, &next, e);
            later(&a, next);
        }
    }
    if (rc == 0 && !out->clock.suspect && !dry_run) {
        rc = witness(&a, e);
    }
    free(a.reason);
    free(a.actor);
    if (rc != 0) {
        ks_report_free(out);
    }
    return rc;
}

void ks_report_free(ks_report *r)
{
    free(r->due);
    r->due = NULL;
    r->n = 0;
}
