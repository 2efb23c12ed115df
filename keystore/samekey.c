/* SPDX-License-Identifier: Apache-2.0 */
/* samekey.c: the other entries of a key in wrong hands; see samekey.h. */
#include "keystore/samekey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/** Slots that hold the key, by name. */
struct slots {
    struct ks_same_key *same;
    const char *own;
    const uint8_t *spki;
    char (*alias)[KS_WORD]; /**< owned */
    size_t n, cap;
};

static void *grow(void *p, size_t *cap, size_t size, cs_error *e)
{
    size_t wider = *cap == 0 ? 8 : *cap * 2;
    void *grown = reallocarray(p, wider, size);
    if (grown == NULL) {
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
        return NULL;
    }
    *cap = wider;
    return grown;
}

static int keep_gone(struct ks_same_key *same, const struct ks_row *row, cs_error *e)
{
    if (same->n_gone == same->cap_gone) {
        struct ks_row *grown = grow(same->gone, &same->cap_gone, sizeof *grown, e);
        if (grown == NULL) {
            return -1;
        }
        same->gone = grown;
    }
    same->gone[same->n_gone++] = *row;
    return 0;
}

static int look(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct slots *s = ctx;
    if (memcmp(row->info.spki_sha256, s->spki, sizeof row->info.spki_sha256) != 0) {
        return 0;
    }
    if (row->info.state == KS_DESTROYED) {
        return keep_gone(s->same, row, e);
    }
    if (strcmp(row->info.alias, s->own) == 0 || (s->n > 0 && strcmp(s->alias[s->n - 1], row->info.alias) == 0)) {
        return 0; /* rows come by alias */
    }
    if (s->n == s->cap) {
        char(*grown)[KS_WORD] = grow(s->alias, &s->cap, sizeof *grown, e);
        if (grown == NULL) {
            return -1;
        }
        s->alias = grown;
    }
    cs_copy(s->alias[s->n++], KS_WORD, row->info.alias);
    return 0;
}

static int judge_slot(struct ks_work *w, const char *alias, const uint8_t spki[32], enum ks_way way,
                      struct ks_same_key *same, ks_outcome *outcome, cs_error *e)
{
    if (same->n == same->cap) {
        struct ks_work **grown = grow(same->other, &same->cap, sizeof *grown, e);
        if (grown == NULL) {
            return -1;
        }
        same->other = grown;
    }
    struct ks_work *other = ks_work_within(w, alias, e);
    if (other == NULL) {
        return -1;
    }
    same->other[same->n++] = other;
    other->plan.since = w->plan.since;
    other->plan.reasoned = w->plan.reasoned;
    other->plan.approval = w->plan.approval;
    ks_plan_key(&other->before, spki, way, &other->plan);
    return other->plan.n > 0 ? ks_work_judge(other, outcome, e) : 0;
}

int ks_same_key_judge(struct ks_work *w, unsigned n, struct ks_same_key *out, ks_outcome *outcome, cs_error *e)
{
    memset(out, 0, sizeof *out);
    const struct ks_view_entry *v = ks_view_get(&w->before, n);
    if (v == NULL || w->plan.n == 0 || w->plan.step[0].t != KS_T8_COMPROMISE) {
        return 0;
    }
    enum ks_way way = w->plan.step[0].way;
    struct slots s = {.same = out, .own = w->slot.alias, .spki = v->spki_sha256};
    struct ks_row_filter f = {.with_destroyed = true};
    out->since = way == KS_WAY_BACK ? 0 : w->plan.since != 0 ? w->plan.since : w->now;
    int rc = w->s->driver->rows(w->s->b, &f, look, &s, e);
    for (size_t i = 0; rc == 0 && i < s.n; i++) {
        rc = judge_slot(w, s.alias[i], v->spki_sha256, way, out, outcome, e);
    }
    free(s.alias);
    return rc;
}

/** A destroyed entry: its state stays, its past is cut, or whole again. */
static int write_gone(struct ks_work *w, const struct ks_row *gone, cs_time since, cs_error *e)
{
    struct ks_row row = *gone;
    struct ks_view_entry before;
    struct ks_view_entry after;
    bool earlier = row.compromised_since == 0 || since < row.compromised_since;
    if (since != 0 ? !earlier : row.compromised_since == 0) {
        return 0;
    }
    ks_view_of_row(&row, &before);
    row.compromised_since = since;
    row.changed_at = w->now;
    row.info.version = w->generation;
    ks_view_of_row(&row, &after);
    struct ks_work *inner = calloc(1, sizeof *inner);
    if (inner == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    *inner = (struct ks_work){.s = w->s,
                              .who = w->who,
                              .verb = w->verb,
                              .now = w->now,
                              .inner = true,
                              .generation = w->generation,
                              .approver = w->approver};
    cs_copy(inner->slot.alias, sizeof inner->slot.alias, row.info.alias);
    inner->slot.role = row.info.role;
    int rc = ks_work_audit(inner, row.info.n, since != 0 ? "compromise" : "clear", &before, &after, e) == 0 &&
                     w->s->driver->row_update(w->s->b, &row, e) == 0 &&
                     (since != 0 ? ks_work_cut(inner, row.entry_id, since, e)
                                 : ks_work_uncut(inner, row.entry_id, row.info.n, e)) == 0
                 ? 0
                 : -1;
    w->seq = inner->seq;
    free(inner);
    return rc;
}

int ks_same_key_write(struct ks_work *w, struct ks_same_key *same, cs_error *e)
{
    for (size_t i = 0; i < same->n; i++) {
        struct ks_work *other = same->other[i];
        if (other->plan.n > 0 && ks_work_write(other, e) != 0) {
            return -1;
        }
        w->seq = other->seq > w->seq ? other->seq : w->seq;
    }
    for (size_t i = 0; i < same->n_gone; i++) {
        if (write_gone(w, &same->gone[i], same->since, e) != 0) {
            return -1;
        }
    }
    return 0;
}

void ks_same_key_notes(const struct ks_same_key *same, ks_outcome *out)
{
    for (size_t i = 0; i < same->n; i++) {
        const struct ks_work *w = same->other[i];
        char text[384];
        for (size_t k = 0; k < w->plan.n; k++) {
            const struct ks_view_entry *v = ks_view_get(&w->after, w->plan.step[k].n);
            ks_note(out, "%s#%u holds the same key: it is %s, too", w->slot.alias, w->plan.step[k].n,
                    v != NULL ? ks_state_word(v->state) : "gone");
        }
        if (ks_alarm(&w->before, &w->after, &w->plan, w->now, text, sizeof text)) {
            ks_note(out, "ALARM: %s", text);
        }
    }
}

void ks_same_key_free(struct ks_same_key *same)
{
    for (size_t i = 0; i < same->n; i++) {
        ks_work_free(same->other[i]);
    }
    free(same->other);
    free(same->gone);
}
