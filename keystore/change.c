/* SPDX-License-Identifier: Apache-2.0 */
/* change.c: verbs on entries, as one transaction each. */
#include "keystore/change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

void ks_note(ks_outcome *out, const char *fmt, ...)
{
    if (out->n_note < sizeof out->note / sizeof out->note[0]) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(out->note[out->n_note++], sizeof out->note[0], fmt, ap);
        va_end(ap);
    }
}

/* ---- the slot as it stands ------------------------------------------------------------------------------------- */

static int keep_row(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct ks_work *w = ctx;
    if (w->n_row == w->cap_row) {
        size_t cap = w->cap_row == 0 ? 8 : w->cap_row * 2;
        struct ks_row *grown = realloc(w->row, cap * sizeof *grown);
        if (grown == NULL) {
            return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
        }
        w->row = grown;
        w->cap_row = cap;
    }
    w->row[w->n_row++] = *row;
    return 0;
}

static int count_elsewhere(void *ctx, const struct ks_row *row, cs_error *e)
{
    (void)e;
    struct ks_work *w = ctx;
    struct ks_view one = {.role = row->info.role, .terms = w->before.terms, .n = 1};
    ks_view_of_row(row, &one.entry[0]);
    if (strcmp(row->info.alias, w->slot.alias) != 0) {
        w->before.acceptable_elsewhere += ks_view_acceptable(&one, w->now);
    }
    return 0;
}

/** What G3 must know: does a route name the partner, and what else is acceptable from it? */
static int surroundings(struct ks_work *w, cs_error *e)
{
    if (w->slot.role != KS_VERIFIER || w->slot.partner[0] == '\0') {
        return 0;
    }
    struct ks_row_filter f = {.partner = w->slot.partner, .has_role = true, .role = KS_VERIFIER};
    if (w->s->driver->partner_routed(w->s->b, w->slot.partner, &w->before.partner_routed, e) != 0) {
        return -1;
    }
    return w->before.partner_routed ? w->s->driver->rows(w->s->b, &f, count_elsewhere, w, e) : 0;
}

static struct ks_work *work_new(ks_store *s, const char *verb, bool dry_run, const ks_actor *who, cs_time now,
                                cs_error *e)
{
    struct ks_work *w = calloc(1, sizeof *w);
    if (w == NULL) {
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
        return NULL;
    }
    w->s = s;
    w->who = who;
    w->verb = verb;
    w->now = now;
    w->dry_run = dry_run;
    return w;
}

/** The slot as it stands in the transaction. @return 0; an alias that is not there leaves slot_id 0 */
static int work_read(struct ks_work *w, const char *alias, cs_error *e)
{
    struct ks_row_filter f = {.alias = alias};
    int found = w->s->driver->slot_get(w->s->b, alias, &w->slot, e);
    return found < 0 || (found == 1 && (w->s->driver->rows(w->s->b, &f, keep_row, w, e) != 0 ||
                                        ks_view_read(w->s, &w->slot, &w->before, e) != 0 || surroundings(w, e) != 0))
               ? -1
               : 0;
}

struct ks_work *ks_work_begin(ks_store *s, const char *alias, const char *verb, bool dry_run, const ks_actor *who,
                              cs_time now, cs_error *e)
{
    struct ks_work *w = work_new(s, verb, dry_run, who, now, e);
    if (w == NULL) {
        return NULL;
    }
    if (s->driver->begin(s->b, dry_run ? KS_READ : KS_WRITE, e) != 0 ||
        s->driver->generation(s->b, &w->generation, e) != 0) {
        ks_work_free(w);
        return NULL;
    }
    w->generation++;
    if (work_read(w, alias, e) != 0) {
        ks_work_free(w);
        return NULL;
    }
    return w;
}

struct ks_work *ks_work_within(const struct ks_work *outer, const char *alias, cs_error *e)
{
    struct ks_work *w = work_new(outer->s, outer->verb, outer->dry_run, outer->who, outer->now, e);
    if (w == NULL) {
        return NULL;
    }
    w->inner = true;
    w->generation = outer->generation;
    if (work_read(w, alias, e) != 0) {
        ks_work_free(w);
        return NULL;
    }
    return w;
}

void ks_work_free(struct ks_work *w)
{
    if (w != NULL) {
        if (!w->inner) {
            w->s->driver->rollback(w->s->b);
        }
        free(w->row);
        free(w);
    }
}

struct ks_row *ks_work_row(struct ks_work *w, unsigned n)
{
    for (size_t i = 0; i < w->n_row; i++) {
        if (w->row[i].info.n == n) {
            return &w->row[i];
        }
    }
    return NULL;
}

void ks_work_info(const struct ks_work *w, unsigned n, ks_info *out)
{
    const struct ks_view_entry *v = ks_view_get(&w->after, n);
    for (size_t i = 0; i < w->n_row; i++) {
        if (w->row[i].info.n == n) {
            *out = w->row[i].info;
        }
    }
    if (v != NULL) {
        out->state = ks_view_state(&w->after, v, w->now);
        out->activated_at = v->activated_at;
        out->exchanged_at = v->exchanged_at;
        out->process_stop = ks_view_stop(&w->after, v);
    }
}

/* ---- judgement ------------------------------------------------------------------------------------------------- */

int ks_work_judge(struct ks_work *w, ks_outcome *out, cs_error *e)
{
    char text[256];
    w->after = w->before;
    int applied = ks_plan_apply(&w->after, &w->plan, w->now, text, sizeof text);
    size_t max = sizeof out->refusal / sizeof out->refusal[0];
    size_t n = ks_judge(&w->before, applied == 0 ? &w->after : NULL, &w->plan, w->now, out->refusal, max);
    out->n_refusal = n < max ? n : max;
    out->generation = w->generation;
    if (n > 0) {
        const ks_refusal *r = &out->refusal[0];
        return cs_error_set(e, CS_EXIT_GUARD, ks_guard_word(r->guard), "refused G%d %s: %s", (int)r->guard,
                            ks_guard_word(r->guard), r->text);
    }
    return applied == 0 ? 0 : cs_error_set(e, CS_EXIT_USAGE, "no-transition", "%s", text);
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

static char *entry_json(const struct ks_view_entry *v)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    if (v == NULL) {
        return NULL;
    }
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "state", ks_state_word(v->state));
    cs_json_time(&j, "activated_at", v->activated_at);
    cs_json_time(&j, "exchanged_at", v->exchanged_at);
    cs_json_time(&j, "process_stop", v->process_stop);
    cs_json_hex(&j, "spki_sha256", v->spki_sha256, sizeof v->spki_sha256);
    cs_json_object_end(&j);
    size_t n = 0;
    char *text = cs_buf_take(&b, &n);
    cs_buf_free(&b);
    return text;
}

int ks_work_audit(struct ks_work *w, unsigned n, const char *verb, const struct ks_view_entry *before,
                  const struct ks_view_entry *after, cs_error *e)
{
    char object[KS_WORD + 12];
    char *old = entry_json(before);
    char *new = entry_json(after);
    snprintf(object, sizeof object, "%s#%u", w->slot.alias, n);
    int rc = -1;
    if ((before != NULL && old == NULL) || (after != NULL && new == NULL)) {
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    } else {
        struct ks_audit_row row = {.at = w->now,
                                   .actor = w->who->name,
                                   .actor_kind = w->who->kind,
                                   .verb = verb,
                                   .object = object,
                                   .before = old,
                                   .after = new,
                                   .reason = w->who->reason};
        rc = ks_audit_append(w->s, &row, e);
        w->seq = row.seq;
    }
    free(old);
    free(new);
    return rc;
}

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

static bool differs(const struct ks_view_entry *a, const struct ks_view_entry *b)
{
    return a->state != b->state || a->resume_state != b->resume_state || a->activated_at != b->activated_at ||
           a->exchanged_at != b->exchanged_at || a->process_stop != b->process_stop ||
           a->compromised_since != b->compromised_since;
}

static const char *word_of(const struct ks_work *w, unsigned n)
{
    const struct ks_step *last = NULL;
    for (size_t i = 0; i < w->plan.n; i++) {
        last = w->plan.step[i].n == n ? &w->plan.step[i] : last;
    }
    size_t rows = 0;
    const struct ks_transition_row *row = ks_transition_rows(&rows);
    for (size_t i = 0; last != NULL && i < rows; i++) {
        if (row[i].t == last->t && row[i].back == last->back) {
            return row[i].word;
        }
    }
    return w->verb;
}

static int write_entry(struct ks_work *w, struct ks_row *row, const struct ks_view_entry *v, cs_error *e)
{
    row->changed_at = w->now;
    row->info.version = w->generation;
    row->info.activated_at = v->activated_at;
    row->info.exchanged_at = v->exchanged_at;
    row->info.process_stop = v->process_stop;
    row->resume_state = v->resume_state;
    row->compromised_since = v->compromised_since;
    row->info.state = v->state;
    if (v->state == KS_DESTROYED && row->key_id[0] != '\0') {
        if (w->s->driver->key_destroy(w->s->b, row->key_id, w->now, e) != 0) {
            return -1;
        }
        row->key_id[0] = '\0';
        row->info.has_key = false;
    }
    return w->s->driver->row_update(w->s->b, row, e);
}

/** Deactivations first: the index of one-active slots is looked at after every row. */
static int write_changed(struct ks_work *w, bool activations, cs_error *e)
{
    for (size_t i = 0; i < w->before.n; i++) {
        const struct ks_view_entry *old = &w->before.entry[i];
        const struct ks_view_entry *new = &w->after.entry[i];
        struct ks_row *row = ks_work_row(w, old->n);
        if (!differs(old, new) || (new->state == KS_ACTIVE) != activations || row == NULL) {
            continue;
        }
        if (ks_work_audit(w, old->n, word_of(w, old->n), old, new, e) != 0 || write_entry(w, row, new, e) != 0 ||
            ks_work_intervals(w, row->entry_id, old->process_stop, new, e) != 0) {
            return -1;
        }
    }
    return 0;
}

int ks_work_write(struct ks_work *w, cs_error *e)
{
    return write_changed(w, false, e) == 0 && write_changed(w, true, e) == 0 ? 0 : -1;
}

int ks_work_commit(struct ks_work *w, cs_error *e)
{
    bool destroyed = false;
    for (size_t i = 0; i < w->before.n; i++) {
        destroyed |= w->after.entry[i].state == KS_DESTROYED && w->before.entry[i].has_key;
    }
    if (ks_generation_next(w->s, w->now, w->verb, w->who, w->seq, w->generation, e) != 0 ||
        w->s->driver->commit(w->s->b, e) != 0) {
        return -1;
    }
    if (destroyed) {
        w->s->driver->scrub(w->s->b);
    }
    return 0;
}

/* ---- verbs ----------------------------------------------------------------------------------------------------- */

static int unknown(struct ks_work *w, const char *alias, unsigned n, cs_error *e)
{
    char near[KS_WORD] = "";
    if (w->slot.slot_id != 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "entry-unknown", "%s holds no entry #%u; see: countersign keystore list",
                            alias, n);
    }
    if (w->s->driver->nearest(w->s->b, "alias", alias, near, e) != 0) {
        return -1;
    }
    return cs_error_set(e, CS_EXIT_USAGE, "alias-unknown", "no alias %s%s%s%s", alias,
                        near[0] != '\0' ? "; did you mean " : "", near, near[0] != '\0' ? "?" : "");
}

static void verb_notes(struct ks_work *w, const ks_request *r, ks_outcome *out)
{
    char when[CS_TIME_TEXT];
    const ks_info *i = &out->info;
    if (r->verb == KS_DO_DEACTIVATE && i->process_stop > w->now) {
        ks_note(out, "still accepted until %s; from then on: countersign keystore remove %s#%u",
                cs_time_format(i->process_stop, when), r->alias, r->n);
    }
    if (out->has_other) {
        ks_note(out, "%s#%u is deactivated in the same moment; to roll back: countersign keystore activate %s#%u",
                r->alias, out->other.n, r->alias, out->other.n);
    }
    if (r->verb == KS_DO_SUSPEND) {
        ks_note(out, "refused for everything until: countersign keystore resume %s#%u", r->alias, r->n);
    }
    if (r->verb == KS_DO_ACTIVATE && ks_role_row(w->slot.role)->max_active != 1) {
        const struct ks_view_entry *mine = ks_view_get(&w->after, r->n);
        for (size_t k = 0; mine != NULL && k < w->after.n; k++) {
            const struct ks_view_entry *v = &w->after.entry[k];
            if (v->state == KS_ACTIVE && v->n != r->n && v->not_after > mine->not_after) {
                ks_note(out, "it ends %s, before the active %s#%u", cs_time_format(mine->not_after, when), r->alias,
                        v->n);
                break;
            }
        }
    }
}

/** The entry that the plan exchanges, if there is one. */
static void name_other(struct ks_work *w, unsigned n, ks_outcome *out)
{
    for (size_t i = 0; i < w->plan.n; i++) {
        if (w->plan.step[i].t == KS_T3_DEACTIVATE && w->plan.step[i].n != n) {
            ks_work_info(w, w->plan.step[i].n, &out->other);
            out->has_other = true;
        }
    }
}

static int change_within(struct ks_work *w, const ks_request *r, ks_outcome *out, cs_error *e)
{
    char text[256];
    struct ks_row *row = w->slot.slot_id != 0 ? ks_work_row(w, r->n) : NULL;
    if (row == NULL) {
        return unknown(w, r->alias, r->n, e);
    }
    if (r->expect_version != 0 && row->info.version != r->expect_version) {
        return cs_error_set(e, CS_EXIT_CONFLICT, "conflict",
                            "%s#%u has version %llu by now, not %llu: look again, then decide", r->alias, r->n,
                            (unsigned long long)row->info.version, (unsigned long long)r->expect_version);
    }
    w->after = w->before;
    ks_work_info(w, r->n, &out->info);
    switch (ks_plan_verb(&w->before, r->verb, r->n, w->now, &w->plan, text, sizeof text)) {
    case KS_MEET_NEVER: return cs_error_set(e, CS_EXIT_USAGE, "no-transition", "%s", text);
    case KS_MEET_ALREADY:
        ks_note(out, "%s", text);
        out->done = !r->dry_run;
        out->generation = w->generation - 1;
        return 0;
    case KS_MEET_STEPS: break;
    }
    w->plan.shorter_ok = r->shorter_ok;
    if (ks_work_judge(w, out, e) != 0) {
        return -1;
    }
    name_other(w, r->n, out);
    if (!w->dry_run && (ks_work_write(w, e) != 0 || ks_work_commit(w, e) != 0)) {
        return -1;
    }
    ks_work_info(w, r->n, &out->info);
    verb_notes(w, r, out);
    out->done = !r->dry_run;
    return 0;
}

int ks_change(ks_store *s, const ks_request *r, const ks_actor *who, cs_time now, ks_outcome *out, cs_error *e)
{
    memset(out, 0, sizeof *out);
    struct ks_work *w = ks_work_begin(s, r->alias, ks_verb_word(r->verb), r->dry_run, who, now, e);
    if (w == NULL) {
        return -1;
    }
    int rc = change_within(w, r, out, e);
    ks_work_free(w);
    return rc;
}

int ks_act(ks_store *s, enum ks_verb verb, const char *alias, unsigned n, uint64_t expect_version, bool dry_run,
           const ks_actor *who, cs_time now, ks_outcome *out, cs_error *e)
{
    ks_request r = {.verb = verb, .alias = alias, .n = n, .expect_version = expect_version, .dry_run = dry_run};
    return ks_change(s, &r, who, now, out, e);
}

int ks_actions(ks_store *s, const ks_info *info, cs_time now, ks_action out[KS_VERBS], cs_error *e)
{
    static const ks_actor nobody = {"list", "query", NULL};
    struct ks_work *w = ks_work_begin(s, info->alias, "list", true, &nobody, now, e);
    int n = 0;
    if (w == NULL) {
        return -1;
    }
    for (int v = 0; v < KS_VERBS; v++) {
        char text[256];
        ks_outcome outcome = {0};
        cs_error refused = {0};
        if (ks_plan_verb(&w->before, (enum ks_verb)v, info->n, now, &w->plan, text, sizeof text) != KS_MEET_STEPS) {
            continue;
        }
        out[n].verb = (enum ks_verb)v;
        out[n].possible = ks_work_judge(w, &outcome, &refused) == 0;
        out[n].refusal = outcome.refusal[0];
        n++;
    }
    ks_work_free(w);
    return n;
}
