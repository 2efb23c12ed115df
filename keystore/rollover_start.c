/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollover_start.c: roll-overs begun: of one slot, or of all slots that hold one key. Those of one key begin together
 * or not at all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/record.h"
#include "keystore/rollover.h"

struct oldest {
    int64_t entry_id;
    unsigned n;
};

/** The one that goes: of several in use the one that came first. */
static int take_oldest(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct oldest *o = ctx;
    (void)e;
    if (row->info.state == KS_ACTIVE && (o->n == 0 || row->info.n < o->n)) {
        o->entry_id = row->entry_id;
        o->n = row->info.n;
    }
    return 0;
}

static int check_span(const struct ks_roll_request *q, cs_time now, cs_error *e)
{
    bool span = q->window_from != 0;
    if (span && (q->window_to <= q->window_from || q->window_to <= now)) {
        return cs_error_set(e, CS_EXIT_USAGE, "rollover-window",
                            "a span ends behind its beginning, and not in the past");
    }
    if (span != q->runbook->window) {
        return cs_error_set(e, CS_EXIT_USAGE, "rollover-window",
                            span ? "runbook %s has no window: leave --window out" : "runbook %s needs --window FROM TO",
                            q->runbook->name);
    }
    return 0;
}

/** Slot and entry that it is about. */
static int find(ks_store *s, const struct ks_roll_request *q, struct ks_roll_row *row, cs_error *e)
{
    struct ks_slot slot;
    struct oldest o = {0, 0};
    char near[KS_WORD] = "";
    const struct ks_row_filter f = {.alias = q->alias};
    int found = s->driver->slot_get(s->b, q->alias, &slot, e);
    if (found <= 0) {
        if (found == 0 && s->driver->nearest(s->b, "alias", q->alias, near, e) == 0) {
            cs_error_set(e, CS_EXIT_USAGE, "alias-unknown", "the keystore has no alias %.64s%s%s%s", q->alias,
                         near[0] != '\0' ? "; did you mean " : "", near, near[0] != '\0' ? "?" : "");
        }
        return -1;
    }
    if (slot.role != q->runbook->role) {
        return cs_error_set(e, CS_EXIT_USAGE, "rollover-role", "runbook %s is for slots of role %s, %s has the role %s",
                            q->runbook->name, ks_role_word(q->runbook->role), q->alias, ks_role_word(slot.role));
    }
    if (s->driver->rows(s->b, &f, take_oldest, &o, e) != 0) {
        return -1;
    }
    if (o.n == 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "rollover-nothing",
                            "%s has no active certificate: there is nothing to be exchanged", q->alias);
    }
    row->slot_id = slot.slot_id;
    row->old_entry = o.entry_id;
    return 0;
}

static int refuse_second(ks_store *s, const struct ks_roll_request *q, int64_t slot_id, cs_error *e)
{
    int64_t open = 0;
    if (s->driver->rollover_open(s->b, slot_id, &open, e) != 0) {
        return -1;
    }
    return open == 0 ? 0
                     : cs_error_set(e, CS_EXIT_GUARD, "one-rollover",
                                    "refused G13 one-rollover: roll-over R-%lld of %s is under way. First: countersign "
                                    "rollover status R-%lld",
                                    (long long)open, q->alias, (long long)open);
}

/** One of them, within the change of all. */
static int begin_one(struct ks_record *rec, const struct ks_roll_request *q, struct ks_rollover **out, cs_error *e)
{
    bool changed = false;
    struct ks_roll_row row = {.text = q->runbook->text, .window_from = q->window_from, .window_to = q->window_to};
    row.started_at = rec->now;
    cs_copy(row.runbook, sizeof row.runbook, q->runbook->name);
    memcpy(row.hash, q->runbook->hash, sizeof row.hash);
    cs_copy(row.state, sizeof row.state, "open");
    cs_copy(row.actor, sizeof row.actor, rec->who->name);
    snprintf(row.settings, sizeof row.settings, "%s%s%s%s%s", q->partner != NULL ? "partner=" : "",
             q->partner != NULL ? q->partner : "", q->stay_held ? " stay-held" : "",
             q->release_by_hand ? " release-by-hand" : "", q->require_all ? " require-all" : "");
    if (check_span(q, rec->now, e) != 0 || find(rec->s, q, &row, e) != 0 ||
        refuse_second(rec->s, q, row.slot_id, e) != 0) {
        return -1;
    }
    if (rec->dry_run) {
        return 0;
    }
    if (rec->s->driver->rollovers->add(rec->s->b, &row, e) != 0 ||
        ks_rollover_load(rec->s, row.roll_id, rec->now, out, e) != 0) {
        return -1;
    }
    return ks_rollover_audit(rec, "rollover-start", (*out)->name, "runbook", row.runbook, e) == 0
               ? ks_rollover_settle(rec, *out, &changed, e)
               : -1;
}

int ks_rollover_start_all(ks_store *s, const struct ks_roll_request *q, size_t n, bool dry_run, const ks_actor *who,
                          cs_time now, struct ks_rollover **out, cs_error *e)
{
    struct ks_record rec = {0};
    memset(out, 0, n * sizeof *out);
    int rc = ks_record_begin(&rec, s, who, dry_run, now, e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = begin_one(&rec, &q[i], &out[i], e);
    }
    rc = rc == 0 && !dry_run ? ks_record_commit(&rec, "rollover", e) : rc;
    ks_record_end(&rec);
    for (size_t i = 0; rc != 0 && i < n; i++) {
        ks_rollover_free(out[i]);
        out[i] = NULL;
    }
    return rc;
}

int ks_rollover_start(ks_store *s, const struct ks_roll_request *q, bool dry_run, const ks_actor *who, cs_time now,
                      struct ks_rollover **out, cs_error *e)
{
    struct ks_rollover *r = NULL;
    int rc = ks_rollover_start_all(s, q, 1, dry_run, who, now, &r, e);
    if (out != NULL) {
        *out = r;
    } else {
        ks_rollover_free(r);
    }
    return rc;
}

/* ---- one key in several slots ---------------------------------------------------------------------------------- */

struct gathering {
    struct ks_roll_slot *one;
    size_t n;
};

/** Rows come by alias: of several entries of a slot one is enough. */
static int take_slot(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct gathering *g = ctx;
    if (row->info.state != KS_ACTIVE || (g->n > 0 && strcmp(g->one[g->n - 1].alias, row->info.alias) == 0)) {
        return 0;
    }
    struct ks_roll_slot *grown = reallocarray(g->one, g->n + 1, sizeof *grown);
    if (grown == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    g->one = grown;
    grown[g->n].role = row->info.role;
    cs_copy(grown[g->n++].alias, KS_WORD, row->info.alias);
    return 0;
}

int ks_rollover_slots(ks_store *s, const uint8_t spki_sha256[32], struct ks_roll_slot **out, size_t *n, cs_error *e)
{
    struct gathering g = {NULL, 0};
    const struct ks_row_filter f = {.spki = spki_sha256};
    int rc = s->driver->begin(s->b, KS_READ, e);
    if (rc == 0) {
        rc = s->driver->rows(s->b, &f, take_slot, &g, e);
        s->driver->rollback(s->b);
    }
    if (rc == 0 && g.n == 0) {
        rc = cs_error_set(e, CS_EXIT_USAGE, "rollover-nothing", "no slot has an active certificate with that key");
    }
    if (rc != 0) {
        free(g.one);
        g = (struct gathering){NULL, 0};
    }
    *out = g.one;
    *n = g.n;
    return rc;
}

struct shared {
    const struct ks_rollover *r;
    struct {
        int64_t roll_id, entry_id;
        char alias[KS_WORD];
    } open[KS_ROLL_SHARED];
    size_t n;
    char *text;
    size_t size, used;
};

static int take_open(void *ctx, const struct ks_roll_row *row, cs_error *e)
{
    struct shared *x = ctx;
    (void)e;
    if (row->roll_id != x->r->row.roll_id && x->n < KS_ROLL_SHARED) {
        x->open[x->n].roll_id = row->roll_id;
        x->open[x->n].entry_id = row->old_entry;
        cs_copy(x->open[x->n++].alias, KS_WORD, row->alias);
    }
    return 0;
}

static int take_shared(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct shared *x = ctx;
    (void)e;
    for (size_t i = 0; i < x->n && x->used < x->size; i++) {
        if (x->open[i].entry_id == row->entry_id) {
            int n = snprintf(x->text + x->used, x->size - x->used, "%sR-%lld of %s", x->used > 0 ? ", " : "",
                             (long long)x->open[i].roll_id, x->open[i].alias);
            x->used += n > 0 ? (size_t)n : 0;
        }
    }
    return 0;
}

int ks_rollover_shared(ks_store *s, const struct ks_rollover *r, char *text, size_t size, cs_error *e)
{
    struct shared x = {.r = r, .text = text, .size = size};
    const struct ks_row_filter f = {.spki = r->old_info.spki_sha256};
    text[0] = '\0';
    if (!r->has_old || strcmp(r->row.state, "open") != 0) {
        return 0;
    }
    int rc = s->driver->begin(s->b, KS_READ, e);
    if (rc == 0) {
        rc = s->driver->rollovers->each(s->b, 0, true, take_open, &x, e);
        rc = rc == 0 && x.n > 0 ? s->driver->rows(s->b, &f, take_shared, &x, e) : rc;
        s->driver->rollback(s->b);
    }
    return rc;
}
