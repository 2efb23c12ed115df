/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollover_tick.c: what roll-overs do without a hand: steps close by evidence, steps of the kind auto are carried out,
 * an agreed span begins, and when it is over before the other side is ready, the way back is taken.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/notice_store.h"
#include "keystore/rollover.h"

#define WARN_S  (10 * 60) /* before the end of a span */
#define ASKED_S 2         /* until what was asked is looked for */
#define LOOK_S  60

static const ks_actor keeper = {"keeper", "keeper", NULL};

struct round {
    ks_store *s;
    cs_time now;
    bool dry_run;
    ks_report *report;
    cs_time next;
};

struct numbers {
    int64_t *id;
    size_t n;
};

static int take_number(void *ctx, const struct ks_roll_row *row, cs_error *e)
{
    struct numbers *all = ctx;
    int64_t *grown = reallocarray(all->id, all->n + 1, sizeof *grown);
    if (grown == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    all->id = grown;
    grown[all->n++] = row->roll_id;
    return 0;
}

static void later(struct round *o, cs_time at)
{
    if (at > o->now && (o->next == 0 || at < o->next)) {
        o->next = at;
    }
}

/** One line of the report: what was done, or why not. */
static int report(struct round *o, const struct ks_rollover *r, const char *word, bool done, const char *text,
                  cs_error *e)
{
    ks_report *out = o->report;
    ks_due *grown = reallocarray(out->due, out->n + 1, sizeof *grown);
    if (grown == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    out->due = grown;
    ks_due *d = &grown[out->n++];
    memset(d, 0, sizeof *d);
    d->word = word;
    d->n = r->has_new ? r->new_info.n : 0;
    d->done = done;
    cs_copy(d->alias, sizeof d->alias, r->row.alias);
    snprintf(d->text, sizeof d->text, "%.*s", (int)sizeof d->text - 1, text);
    return 0;
}

/** A refusal is told and tried again; only a store that cannot be worked with ends the round. */
static bool ours(const cs_error *why)
{
    return why->exit_code != CS_EXIT_GUARD && why->exit_code != CS_EXIT_USAGE && why->exit_code != CS_EXIT_CONFLICT &&
           why->exit_code != CS_EXIT_APPROVAL;
}

/* ---- steps that are done here ---------------------------------------------------------------------------------- */

/** The first ready step of kind auto, if it is left to the keeper. */
static size_t due_step(const struct ks_rollover *r)
{
    for (size_t i = 0; i < r->runbook->n; i++) {
        if (r->judged[i].state == KS_STEP_READY && ks_rollover_by_itself(r, i)) {
            return i;
        }
    }
    return r->runbook->n;
}

/** @return 1 something was done, 0 nothing (more), -1 */
static int do_step(struct round *o, const struct ks_rollover *r, size_t at, cs_error *e)
{
    char word[64];
    cs_error why = {0};
    ks_outcome *out = calloc(1, sizeof *out);
    uint64_t before = ks_generation(o->s);
    if (out == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    snprintf(word, sizeof word, "step %s of %s", r->runbook->step[at].n, r->name);
    int rc = ks_rollover_run(o->s, r, at, false, &keeper, o->now, out, &why);
    free(out);
    if (rc != 0) {
        if (ours(&why)) {
            if (e != NULL) {
                *e = why;
            }
            return -1;
        }
        char text[384];
        snprintf(text, sizeof text, "%s: %.300s", word, why.text);
        return report(o, r, "roll-over", false, text, e);
    }
    /* what it does is done already, and its evidence is on its way */
    return ks_generation(o->s) != before ? 1 : 0;
}

/* ---- the end of a span ----------------------------------------------------------------------------------------- */

static bool other_side_ready(const struct ks_rollover *r)
{
    for (size_t i = 0; i < r->runbook->n; i++) {
        if (r->runbook->step[i].no_return && r->judged[i].state == KS_STEP_DONE) {
            return true;
        }
    }
    return (r->facts.hold & KS_BIT(KS_FACT_PROBE_NEW)) != 0;
}

/** @return 1 people are told, 0 they were told before, -1 */
static int alarm(struct round *o, const struct ks_rollover *r, int64_t occasion, const char *text, cs_error *e)
{
    const ks_tell t = {.kind = KS_NOTICE_STEP_DUE,
                       .about = r->name,
                       .occasion = occasion,
                       .text = text,
                       .role = ks_part_word(KS_TENANT_ADMIN)};
    int rc = o->s->driver->begin(o->s->b, KS_UPKEEP, e);
    if (rc == 0) {
        rc = ks_notice_tell(o->s, &t, o->now, e);
        rc = rc >= 0 && o->s->driver->commit(o->s->b, e) != 0 ? -1 : rc;
    }
    o->s->driver->rollback(o->s->b);
    return rc;
}

/** Which way out there is when the span is over. @return 1 it is over, 0 it goes on with the routes on hold, -1 */
static int end_span(struct round *o, const struct ks_rollover *r, cs_error *e)
{
    char text[512];
    char kept[KS_STEP_NAME];
    cs_error why = {0};
    ks_probe_said seen = {.nodes = 0};
    bool stay = ks_rollover_setting(r, "stay-held") || other_side_ready(r);
    int back = stay ? 0 : ks_rollover_way_back(o->s, r, o->now, &seen, e);
    if (back < 0 || back == 2) {
        later(o, o->now + ASKED_S);
        return back < 0 ? -1 : 0;
    }
    if (back == 0) {
        later(o, o->now + LOOK_S);
        snprintf(
            text, sizeof text,
            "the window of %s is over and its routes stay on hold%s%.120s; countersign rollover status %s, or move "
            "its end: countersign rollover window %s FROM TO",
            r->name, stay ? "" : ", for the old certificate does not pass any more: ", stay ? "" : seen.text, r->name,
            r->name);
        int told = alarm(o, r, r->row.window_to, text, e);
        return told == 1 ? report(o, r, "roll-over window", false, text, e) : told;
    }
    ks_outcome *out = calloc(1, sizeof *out);
    if (out == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    const ks_actor who = {"keeper", "keeper", "the window was over and the other side not ready"};
    int rc = ks_rollover_abort(o->s, r->row.roll_id, false, &who, o->now, kept, out, &why);
    free(out);
    if (rc != 0 && ours(&why)) {
        if (e != NULL) {
            *e = why;
        }
        return -1;
    }
    snprintf(text, sizeof text, "the window of %s is over and the other side not ready: %s%.200s", r->name,
             rc == 0 ? "rolled back, the routes are let go" : "the way back is refused: ", rc == 0 ? "" : why.text);
    return alarm(o, r, r->row.window_to, text, e) >= 0 && report(o, r, "roll-over window", rc == 0, text, e) == 0 ? 1
                                                                                                                  : -1;
}

/** An hour before the exchange: who is not ready is named; if all are required, it is put off. */
static int watch_senders(struct round *o, const struct ks_rollover *r, cs_error *e)
{
    char names[160];
    char text[400];
    cs_error why = {0};
    cs_time at = r->row.window_from - KS_ROLL_READY_S;
    bool all = ks_rollover_setting(r, "require-all");
    if (r->row.window_from == 0 || !r->planned || r->new_info.state == KS_ACTIVE) {
        return 0;
    }
    later(o, at);
    size_t n = o->now >= at ? ks_rollover_unready(r, names, sizeof names) : 0;
    if (n == 0) {
        return 0;
    }
    if (all && ks_rollover_unset(o->s, r, &keeper, o->now, &why) != 0) {
        snprintf(text, sizeof text, "%s is not put off: %.200s", r->name, why.text);
        if (ours(&why)) {
            *e = why;
            return -1;
        }
        return report(o, r, "roll-over senders", false, text, e);
    }
    snprintf(text, sizeof text, "%zu sender%s of %s did not say that the exchange can come: %s. %s%s%s", n,
             n == 1 ? "" : "s", r->name, names,
             all ? "It is put off; agree on another instant: countersign rollover window "
                 : "It comes at its instant; to move it: countersign rollover window ",
             r->name, " FROM TO");
    int told = alarm(o, r, at, text, e);
    o->report->notices += told == 1;
    return all && told == 1 ? report(o, r, "roll-over senders", false, text, e) : told < 0 ? -1 : 0;
}

/** What makes the notice about one sender another than that about the next. */
static int64_t occasion_of(const char *who, const char *sender)
{
    uint64_t h = cs_fnv1a(cs_fnv1a(CS_FNV1A_BASIS, who, strlen(who)), " ", 1);
    h = cs_fnv1a(h, sender, strlen(sender));
    return (int64_t)(h >> 1);
}

/** A sender that is known by name refuses the certificate that came: said once of each, with the way back. */
static int watch_refusals(struct round *o, const struct ks_rollover *r, cs_error *e)
{
    char text[KS_NOTICE_TEXT];
    size_t n = ks_rollover_denied_named(r);
    for (size_t i = 0; i < n; i++) {
        const struct ks_denial *who = &r->denied.row[i];
        snprintf(
            text, sizeof text,
            "%.48s (%.48s) refuses the new certificate of %.64s: he seems to lack its root. Back, while the old one "
            "lasts: countersign keystore activate %.64s#%u",
            who->who, who->sender, r->row.alias, r->row.alias, r->old_info.n);
        int told = alarm(o, r, occasion_of(who->who, who->sender), text, e);
        if (told < 0) {
            return -1;
        }
        o->report->notices += told == 1;
    }
    return 0;
}

/** @return 1 it was ended, 0, -1 */
static int watch_span(struct round *o, const struct ks_rollover *r, cs_error *e)
{
    char text[200];
    if (r->row.window_from == 0 || !ks_rollover_holds(r) || (r->facts.hold & KS_BIT(KS_FACT_HELD)) == 0) {
        later(o, r->row.window_from);
        return 0;
    }
    later(o, r->row.window_to - WARN_S);
    later(o, r->row.window_to);
    if (o->now >= r->row.window_to) {
        return end_span(o, r, e);
    }
    if (o->now >= r->row.window_to - WARN_S) {
        char at[CS_TIME_TEXT];
        snprintf(text, sizeof text, "the window of %s ends at %s and its routes are still on hold", r->name,
                 cs_time_format(r->row.window_to, at));
        return alarm(o, r, r->row.window_to - 1, text, e) >= 0 ? 0 : -1;
    }
    return 0;
}

/* ---- all ------------------------------------------------------------------------------------------------------- */

static int one(struct round *o, int64_t id, cs_error *e)
{
    int rc = 0;
    for (size_t turn = 0; rc == 0 && turn <= KS_STEPS_MAX; turn++) {
        struct ks_rollover *r = NULL;
        bool changed = false;
        if (ks_rollover_advance(o->s, id, &keeper, o->now, &changed, e) != 0 ||
            ks_rollover_read(o->s, id, o->now, &r, e) != 0) {
            return -1;
        }
        if (strcmp(r->row.state, "open") != 0) {
            rc = report(o, r, "roll-over", true, "", e);
            ks_rollover_free(r);
            return rc;
        }
        cs_time next = 0;
        cs_time again = 0;
        int ended = watch_senders(o, r, e) == 0 && watch_refusals(o, r, e) == 0 ? watch_span(o, r, e) : -1;
        size_t at = due_step(r);
        int did = ended == 0 && at < r->runbook->n ? do_step(o, r, at, e) : 0;
        rc = ended < 0 || did < 0 ? -1 : 0;
        if (ended == 0 && did == 0) {
            rc = ks_rollover_await(o->s, r, o->now, &next, e);
            rc = rc == 0 ? ks_rollover_remind(o->s, r, o->now, &o->report->notices, &again, e) : rc;
        }
        later(o, next);
        later(o, again);
        ks_rollover_free(r);
        if (ended != 0 || did != 1) {
            break;
        }
    }
    return rc;
}

int ks_rollover_tick(ks_store *s, bool dry_run, cs_time now, ks_report *out, cs_time *next, cs_error *e)
{
    struct round o = {.s = s, .now = now, .dry_run = dry_run, .report = out};
    struct numbers all = {NULL, 0};
    *next = 0;
    if (ks_schema_version(s) != KS_SCHEMA_VERSION) {
        return 0; /* a store of the version before has none */
    }
    int rc = ks_rollover_each(s, true, take_number, &all, e);
    for (size_t i = 0; rc == 0 && !dry_run && i < all.n; i++) {
        cs_error why = {0};
        rc = one(&o, all.id[i], &why);
        if (rc != 0 && why.exit_code == CS_EXIT_CONFIG) { /* its runbook does not read: the others go on */
            rc = 0;
        } else if (rc != 0 && e != NULL) {
            *e = why;
        }
    }
    free(all.id);
    *next = o.next;
    return rc;
}
