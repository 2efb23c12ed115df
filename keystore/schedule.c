/* SPDX-License-Identifier: Apache-2.0 */
/* schedule.c: verbs that wait for their instant; see schedule.h. */
#include "keystore/schedule.h"
#include "keystore/checkpoint.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/text.h"

static bool can_wait(enum ks_verb verb)
{
    return verb == KS_DO_ACTIVATE || verb == KS_DO_DEACTIVATE || verb == KS_DO_SUSPEND || verb == KS_DO_RESUME ||
           verb == KS_DO_RETIRE || verb == KS_DO_REMOVE;
}

int ks_verb_record(struct ks_work *w, const char *verb, const char *object, const char *after, cs_error *e)
{
    struct ks_audit_row row = {.at = w->now,
                               .actor = w->who->name,
                               .actor_kind = w->who->kind,
                               .verb = verb,
                               .object = object,
                               .after = after,
                               .reason = w->who->reason,
                               .approver = w->approver};
    if (ks_audit_append(w->s, &row, e) != 0) {
        return -1;
    }
    w->seq = row.seq;
    return ks_generation_next(w->s, w->now, verb, w->who, w->seq, w->generation, e) == 0 && ks_commit(w->s, e) == 0
               ? 0
               : -1;
}

/** at 0: taken back. */
static int record(struct ks_work *w, const char *verb, const char *object, const ks_request *r, cs_error *e)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "verb", ks_verb_word(r->verb));
    if (r->at != 0) {
        cs_json_time(&j, "at", r->at);
    }
    cs_json_object_end(&j);
    int rc = b.failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory")
                      : ks_verb_record(w, verb, object, b.data, e);
    cs_buf_free(&b);
    return rc;
}

struct find {
    int64_t entry_id;
    const char *verb;
    cs_time due_at; /**< 0: not scheduled */
};

static int find_one(void *ctx, const struct ks_schedule_row *row, cs_error *e)
{
    (void)e;
    struct find *f = ctx;
    if (row->entry_id == f->entry_id && strcmp(row->verb, f->verb) == 0) {
        f->due_at = row->due_at;
    }
    return 0;
}

static int cancel(struct ks_verb_work *v, const struct ks_row *row, const char *object, ks_outcome *out, cs_error *e)
{
    struct ks_work *w = v->w;
    struct find f = {.entry_id = row->entry_id, .verb = ks_verb_word(v->r->verb)};
    ks_view_copy(&w->after, &w->before);
    ks_work_info(w, v->r->n, &out->info);
    if (w->s->driver->schedules(w->s->b, w->slot.slot_id, find_one, &f, e) != 0) {
        return -1;
    }
    if (f.due_at == 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "not-scheduled", "%s of %s is not scheduled", f.verb, object);
    }
    ks_request taken_back = {.verb = v->r->verb};
    if (!w->dry_run && (w->s->driver->schedule_remove(w->s->b, row->entry_id, f.verb, e) != 0 ||
                        record(w, "unschedule", object, &taken_back, e) != 0)) {
        return -1;
    }
    char when[CS_TIME_TEXT];
    ks_note(out, "%s at %s is taken back", f.verb, cs_time_format(f.due_at, when));
    return 0;
}

/** Guards are asked as they will stand then, as far as that can be said now. */
static int judge_ahead(struct ks_verb_work *v, ks_outcome *out, cs_error *e)
{
    struct ks_work *w = v->w;
    cs_time now = w->now;
    w->now = v->r->at;
    w->plan.ahead = true;
    int met = ks_verb_judge(v, out, e);
    w->now = now;
    return met;
}

static int set(struct ks_verb_work *v, const struct ks_row *row, const char *object, ks_outcome *out, cs_error *e)
{
    struct ks_work *w = v->w;
    const ks_request *r = v->r;
    char when[CS_TIME_TEXT];
    int met = judge_ahead(v, out, e);
    if (met != 0) {
        return met == 1 ? 0 : -1;
    }
    struct ks_schedule_row s = {.entry_id = row->entry_id, .due_at = r->at, .set_at = w->now};
    cs_copy(s.verb, sizeof s.verb, ks_verb_word(r->verb));
    snprintf(s.actor, sizeof s.actor, "%s", w->who->name);
    snprintf(s.reason, sizeof s.reason, "%s", w->who->reason != NULL ? w->who->reason : "");
    if (!w->dry_run && (w->s->driver->schedule_set(w->s->b, &s, e) != 0 ||
                        (v->consent.given && ks_consent_use(w->s, &v->consent, w->now, e) != 0) ||
                        record(w, "schedule", object, r, e) != 0)) {
        return -1;
    }
    ks_view_copy(&w->after, &w->before);
    ks_work_info(w, r->n, &out->info);
    out->info.planned[0] = (struct ks_planned){r->verb, r->at};
    out->info.n_planned = 1;
    out->has_other = false;
    ks_note(out,
            "%s at %s, by a gateway or by: countersign keystore tick. To take it back: countersign keystore %s %s "
            "--cancel",
            s.verb, cs_time_format(r->at, when), s.verb, object);
    return 0;
}

int ks_schedule_within(struct ks_verb_work *v, ks_outcome *out, cs_error *e)
{
    struct ks_work *w = v->w;
    const ks_request *r = v->r;
    char object[KS_WORD + 12];
    const struct ks_row *row = w->slot.slot_id != 0 ? ks_work_row(w, r->n) : NULL;
    if (row == NULL) {
        return ks_work_unknown(w, r->alias, r->n, e);
    }
    if (!can_wait(r->verb)) {
        return cs_error_set(e, CS_EXIT_USAGE, "usage", "%s is done at once or not at all: leave --at out",
                            ks_verb_word(r->verb));
    }
    snprintf(object, sizeof object, "%s#%u", r->alias, r->n);
    out->generation = w->generation;
    int rc = r->cancel ? cancel(v, row, object, out, e) : set(v, row, object, out, e);
    out->done = rc == 0 && !r->dry_run;
    return rc;
}

struct tell {
    const char *alias;
    ks_visit_scheduled *visit;
    void *ctx;
};

static int tell_one(void *ctx, const struct ks_schedule_row *row, cs_error *e)
{
    const struct tell *t = ctx;
    ks_scheduled s = {.n = row->n, .due_at = row->due_at, .set_at = row->set_at};
    if ((t->alias != NULL && strcmp(row->alias, t->alias) != 0) || ks_verb_parse(row->verb, &s.verb) != 0) {
        return 0;
    }
    cs_copy(s.alias, sizeof s.alias, row->alias);
    cs_copy(s.actor, sizeof s.actor, row->actor);
    cs_copy(s.reason, sizeof s.reason, row->reason);
    return t->visit(t->ctx, &s, e);
}

int ks_schedules(ks_store *s, const char *alias, ks_visit_scheduled *visit, void *ctx, cs_error *e)
{
    struct tell t = {alias, visit, ctx};
    return s->driver->schedules(s->b, 0, tell_one, &t, e);
}
