/* SPDX-License-Identifier: Apache-2.0 */
/* calendar.c: verbs that wait for their instant, beside the entries that they are for; see facts.h. */
#include <stdlib.h>
#include <string.h>

#include "keystore/change.h"
#include "keystore/facts.h"

static int keep(void *ctx, const struct ks_schedule_row *row, cs_error *e)
{
    struct ks_calendar *c = ctx;
    struct ks_planned planned = {.at = row->due_at};
    if (ks_verb_parse(row->verb, &planned.verb) != 0) {
        return 0;
    }
    if (c->n == c->cap) {
        size_t cap = c->cap == 0 ? 8 : c->cap * 2;
        struct ks_calendar_row *grown = reallocarray(c->row, cap, sizeof *grown);
        if (grown == NULL) {
            return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
        }
        c->row = grown;
        c->cap = cap;
    }
    c->row[c->n++] = (struct ks_calendar_row){row->entry_id, planned};
    return 0;
}

static int keep_share(void *ctx, const struct ks_canary_row *row, cs_error *e)
{
    struct ks_calendar *c = ctx;
    struct ks_canary_row *grown = reallocarray(c->share, c->n_share + 1, sizeof *grown);
    if (grown == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    c->share = grown;
    c->share[c->n_share++] = *row;
    return 0;
}

void ks_calendar_free(struct ks_calendar *c)
{
    free(c->row);
    free(c->share);
    memset(c, 0, sizeof *c);
}

static int by_entry(const void *a, const void *b)
{
    const struct ks_calendar_row *x = a;
    const struct ks_calendar_row *y = b;
    if (x->entry_id != y->entry_id) {
        return x->entry_id < y->entry_id ? -1 : 1;
    }
    return x->planned.at != y->planned.at ? (x->planned.at < y->planned.at ? -1 : 1)
                                          : (int)x->planned.verb - (int)y->planned.verb;
}

int ks_calendar_read(ks_store *s, int64_t slot_id, struct ks_calendar *out, cs_error *e)
{
    memset(out, 0, sizeof *out);
    if (s->driver->schedules(s->b, slot_id, keep, out, e) != 0 ||
        s->driver->canaries(s->b, slot_id, keep_share, out, e) != 0) {
        ks_calendar_free(out);
        return -1;
    }
    if (out->n > 1) {
        qsort(out->row, out->n, sizeof *out->row, by_entry);
    }
    return 0;
}

void ks_calendar_tell(const struct ks_calendar *c, int64_t entry_id, ks_info *info)
{
    size_t low = 0;
    size_t high = c->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->row[middle].entry_id < entry_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (size_t i = 0; i < c->n_share; i++) { /* few have one at a time */
        info->share = c->share[i].entry_id == entry_id ? c->share[i].share : info->share;
    }
    info->n_planned = 0;
    for (size_t i = low; i < c->n && c->row[i].entry_id == entry_id && info->n_planned < KS_PLANNED; i++) {
        info->planned[info->n_planned++] = c->row[i].planned;
    }
}
