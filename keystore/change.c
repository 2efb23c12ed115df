/* SPDX-License-Identifier: Apache-2.0 */
/* change.c: one change of one slot: its transaction, the judgement, the rows that differ afterwards. */
#include "keystore/change.h"
#include "keystore/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "keystore/facts.h"
#include "keystore/notice_store.h"

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
    int rc = found < 0 ? -1 : 0;
    if (found == 1) {
        rc = w->s->driver->rows(w->s->b, &f, keep_row, w, e) == 0 ? ks_view_begin(w->s, &w->slot, &w->before, e) : -1;
        for (size_t i = 0; rc == 0 && i < w->n_row; i++) {
            rc = ks_view_add(&w->before, &w->row[i], e);
        }
        rc = rc == 0 ? ks_facts_read(w, e) : rc;
    }
    return rc;
}

struct ks_work *ks_work_begin(ks_store *s, const char *alias, const char *verb, bool dry_run, const ks_actor *who,
                              cs_time now, cs_error *e)
{
    struct ks_work *w = work_new(s, verb, dry_run, who, now, e);
    if (w == NULL) {
        return NULL;
    }
    w->inner = s->reading && dry_run;
    if ((!w->inner && s->driver->begin(s->b, dry_run ? KS_READ : KS_WRITE, e) != 0) ||
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
    w->approver = outer->approver;
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
        out->trash_until = v->in_trash ? w->now + KS_TRASH_DELAY : 0;
    }
}

/* ---- judgement ------------------------------------------------------------------------------------------------- */

int ks_work_judge(struct ks_work *w, ks_outcome *out, cs_error *e)
{
    char text[256];
    if (ks_facts_of_plan(w, e) != 0) {
        return -1;
    }
    ks_view_copy(&w->after, &w->before);
    int applied = ks_plan_apply(&w->after, &w->plan, w->now, text, sizeof text);
    size_t max = sizeof out->refusal / sizeof out->refusal[0];
    size_t n = ks_judge(&w->before, applied == 0 ? &w->after : NULL, &w->plan, w->now, out->refusal, max);
    out->n_refusal = n < max ? n : max;
    out->generation = w->generation;
    if (n > 0) {
        const ks_refusal *r = &out->refusal[0];
        bool waits = r->guard == KS_G10_TWO_PERSONS; /* that one is told only where all others are content */
        return cs_error_set(e, waits ? CS_EXIT_APPROVAL : CS_EXIT_GUARD, ks_guard_word(r->guard), "refused G%d %s: %s",
                            (int)r->guard, ks_guard_word(r->guard), r->text);
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
    if (v->since != 0) { /* it came in with a past: acceptable from then on, not from now */
        cs_json_time(&j, "since", v->since);
    }
    if (v->compromised_since != 0) {
        cs_json_time(&j, "compromised_since", v->compromised_since);
    }
    if (v->in_trash) {
        cs_json_bool(&j, "in_trash", true);
    }
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
                                   .reason = w->who->reason,
                                   .approver = w->approver};
        rc = ks_audit_append(w->s, &row, e);
        w->seq = row.seq;
    }
    free(old);
    free(new);
    return rc;
}

static bool differs(const struct ks_view_entry *a, const struct ks_view_entry *b)
{
    return a->state != b->state || a->resume_state != b->resume_state || a->activated_at != b->activated_at ||
           a->exchanged_at != b->exchanged_at || a->process_stop != b->process_stop ||
           a->compromised_since != b->compromised_since || a->suspended_too != b->suspended_too ||
           a->in_trash != b->in_trash;
}

static const char *word_of(const struct ks_work *w, unsigned n)
{
    const struct ks_step *last = NULL;
    for (size_t i = 0; i < w->plan.n; i++) {
        last = w->plan.step[i].n == n ? &w->plan.step[i] : last;
    }
    const struct ks_transition_row *row = last != NULL ? ks_transition_row(last) : NULL;
    return row != NULL ? row->word : w->verb;
}

static int write_entry(struct ks_work *w, struct ks_row *row, const struct ks_view_entry *v, cs_error *e)
{
    row->changed_at = w->now;
    row->info.version = w->generation;
    row->info.activated_at = v->activated_at;
    row->info.exchanged_at = v->exchanged_at;
    row->info.process_stop = v->process_stop;
    row->resume_state = v->resume_state;
    row->suspended_too = v->suspended_too;
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

/** Into the trash, or out of it; what is scheduled for the entry and done or no longer possible goes with it. */
static int write_beside(struct ks_work *w, const struct ks_row *row, const struct ks_view_entry *old,
                        const struct ks_view_entry *new, cs_error *e)
{
    const struct ks_driver *d = w->s->driver;
    bool gone = new->in_trash || new->state == KS_DESTROYED;
    if (new->in_trash && !old->in_trash) {
        struct ks_trash_row t = {.entry_id = row->entry_id, .at = w->now, .until = w->now + KS_TRASH_DELAY};
        snprintf(t.actor, sizeof t.actor, "%s", w->who->name);
        if (d->trash_set(w->s->b, &t, e) != 0) {
            return -1;
        }
    } else if (!new->in_trash && old->in_trash && d->trash_remove(w->s->b, row->entry_id, e) != 0) {
        return -1;
    }
    if (old->state == KS_PRE_ACTIVE && (gone || new->state != KS_PRE_ACTIVE) &&
        d->canary_remove(w->s->b, row->entry_id, e) != 0) {
        return -1;
    }
    return gone || w->carried != NULL ? d->schedule_remove(w->s->b, row->entry_id, gone ? NULL : w->carried, e) : 0;
}

/** The interval rows: of a key in wrong hands nothing holds beyond its date, whatever the state says. */
static int write_intervals(struct ks_work *w, const struct ks_row *row, const struct ks_view_entry *old,
                           const struct ks_view_entry *new, cs_error *e)
{
    if (new->compromised_since != old->compromised_since) {
        int rc = new->compromised_since != 0 ? ks_work_cut(w, row->entry_id, new->compromised_since, e)
                                             : ks_work_uncut(w, row->entry_id, new->n, e);
        if (rc != 0) {
            return -1;
        }
    }
    /* only a window that runs still is made longer; behind one that is over, or was cut off, it begins anew: nobody is
     * told afterwards that an entry was accepted while it was not */
    bool runs = old->state == KS_DEACTIVATED && w->now < ks_view_stop(&w->before, old);
    return ks_work_intervals(w, row->entry_id, runs ? old->process_stop : 0, new, e);
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
            write_intervals(w, row, old, new, e) != 0 || write_beside(w, row, old, new, e) != 0) {
            return -1;
        }
        bool taken_up = activations && (old->state == KS_PRE_ACTIVE || old->state == KS_DEACTIVATED);
        if (taken_up && ks_notice_active(w, row->entry_id, old->n, e) != 0) {
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
    if (ks_generation_next(w->s, w->now, w->verb, w->who, w->seq, w->generation, e) != 0 || ks_commit(w->s, e) != 0) {
        return -1;
    }
    if (destroyed) {
        w->s->driver->scrub(w->s->b);
    }
    return 0;
}
