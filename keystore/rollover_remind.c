/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollover_remind.c: whoever has a step of a roll-over to do hears of it again before it is too late. What is due
 * follows from the rows alone: a round that did not run is made up for by the next, and of several missed reminders
 * only the nearest goes out.
 */
#include "keystore/notice_store.h"
#include "keystore/rollover.h"

#define HOUR 3600

/** Before an agreed instant, and before the old certificate ends; seconds, nearest first. */
static const int64_t before_span[] = {HOUR, CS_DAY, 7 * CS_DAY};
static const int64_t before_end[] = {3 * CS_DAY, 14 * CS_DAY, 30 * CS_DAY};
#define LEADS 3

struct deadline {
    cs_time at; /**< 0: there is none */
    const int64_t *lead;
    const char *until;
};

static struct deadline deadline_of(const struct ks_rollover *r, cs_time now)
{
    if (r->row.window_from > now) {
        return (struct deadline){r->row.window_from, before_span, "the agreed instant is"};
    }
    if (r->has_old && r->old_info.state == KS_ACTIVE && r->old_info.not_after > now) {
        return (struct deadline){r->old_info.not_after, before_end, "the old certificate ends"};
    }
    return (struct deadline){0};
}

const char *ks_rollover_deadline(const struct ks_rollover *r, cs_time now, cs_time *at)
{
    struct deadline d = deadline_of(r, now);
    if (r->row.window_from <= now && r->row.window_to > now && ks_rollover_holds(r)) {
        *at = r->row.window_to;
        return "the agreed window ends";
    }
    bool runs = d.at == 0 && r->has_old && r->old_info.state == KS_DEACTIVATED && r->old_info.process_stop > now;
    *at = runs ? r->old_info.process_stop : d.at;
    return runs ? "the retention of the old certificate ends" : d.at != 0 ? d.until : NULL;
}

/** The reminder of a step that is due, 0: none; *next: the one after it. Who heard of it after that instant knows. */
static cs_time due_of(const struct ks_rollover *r, size_t place, const struct deadline *d, cs_time now, cs_time *next)
{
    const struct ks_runbook_step *step = &r->runbook->step[place];
    cs_time told_at = r->step[place].row.told_at;
    if (r->judged[place].state != KS_STEP_READY || told_at == 0 ||
        (step->kind != KS_STEP_DO && step->kind != KS_STEP_WAIT)) {
        return 0;
    }
    for (size_t i = 0; i < LEADS; i++) {
        cs_time at = d->at - d->lead[i];
        if (at <= now) {
            return at > told_at ? at : 0;
        }
        *next = *next == 0 || at < *next ? at : *next;
    }
    return 0;
}

int ks_rollover_remind(ks_store *s, const struct ks_rollover *r, cs_time now, size_t *made, cs_time *next, cs_error *e)
{
    struct deadline d = deadline_of(r, now);
    struct ks_reminder again = {.deadline = d.at, .now = now, .until = d.until};
    cs_time due[KS_STEPS_MAX] = {0};
    bool any = false;
    *next = 0;
    if (d.at == 0 || !ks_keeps_notices(s)) {
        return 0;
    }
    for (size_t i = 0; i < r->runbook->n; i++) {
        due[i] = due_of(r, i, &d, now, next);
        any = any || due[i] != 0;
    }
    int rc = any ? s->driver->begin(s->b, KS_UPKEEP, e) : 0;
    for (size_t i = 0; rc == 0 && i < r->runbook->n; i++) {
        again.due_at = due[i];
        rc = due[i] != 0 ? ks_rollover_tell_again(s, r, i, &again, made, e) : 0;
    }
    rc = rc == 0 && any ? s->driver->commit(s->b, e) : rc;
    s->driver->rollback(s->b);
    return rc;
}
