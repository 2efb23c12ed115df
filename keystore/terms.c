/* SPDX-License-Identifier: Apache-2.0 */
/*
 * terms.c: what a node tells the store at start and reload: which partners its routes name, and the durations of its
 * configuration, so that a command without one decides alike. Longer durations reach entries that wait already.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/change.h"
#include "keystore/checkpoint.h"
#include "keystore/config.h"
#include "keystore/facts.h"
#include "keystore/notice.h"

static const ks_actor node_actor = {"gateway", "node", NULL};

/** Entries whose window grows with the new terms. */
struct longer {
    ks_store *s;
    struct ks_row *row; /**< owned */
    size_t n, cap;
};

/** The end of an entry by the terms as they are now. */
static int end_of(ks_store *s, const struct ks_row *row, cs_time *stop, cs_error *e)
{
    struct ks_view_entry v;
    struct ks_terms terms;
    ks_view_of_row(row, &v);
    if (ks_terms_read(s, row->info.partner, &terms, e) != 0 ||
        ks_open_of(s, row->slot_id, row->entry_id, &v.open_since, &v.open_messages, e) != 0) {
        return -1;
    }
    *stop = ks_stop_of(row->info.role, &terms, &v);
    return 0;
}

static int find_longer(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct longer *l = ctx;
    cs_time stop = 0;
    if (row->info.state != KS_DEACTIVATED) {
        return 0;
    }
    if (end_of(l->s, row, &stop, e) != 0) {
        return -1;
    }
    if (stop <= row->info.process_stop) {
        return 0;
    }
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 8 : l->cap * 2;
        struct ks_row *grown = reallocarray(l->row, cap, sizeof *grown);
        if (grown == NULL) {
            return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
        }
        l->row = grown;
        l->cap = cap;
    }
    l->row[l->n++] = *row;
    return 0;
}

/** Somebody still uses what was exchanged (longer terms come without a reason): told once a week. */
static int tell_use(struct ks_work *w, const struct ks_row *row, cs_error *e)
{
    const ks_tell t = {.kind = KS_NOTICE_RETENTION_EXTENDED,
                       .entry_id = row->entry_id,
                       .occasion = w->now / (7 * CS_DAY),
                       .role = "tenant-admin"};
    return ks_notice_tell(w->s, &t, w->now, e) < 0 ? -1 : 0;
}

static int extend(struct ks_work *w, struct ks_row *row, cs_error *e)
{
    struct ks_view_entry before;
    struct ks_view_entry after;
    ks_view_of_row(row, &before);
    if (end_of(w->s, row, &row->info.process_stop, e) != 0) {
        return -1;
    }
    ks_view_of_row(row, &after);
    row->changed_at = w->now;
    row->info.version = w->generation;
    cs_copy(w->slot.alias, sizeof w->slot.alias, row->info.alias);
    w->slot.role = row->info.role;
    if (ks_work_audit(w, row->info.n, "extend", &before, &after, e) != 0 ||
        w->s->driver->row_update(w->s->b, row, e) != 0) {
        return -1;
    }
    return ks_work_intervals(w, row->entry_id, before.process_stop, &after, e) == 0 &&
                   (w->who->reason == NULL || tell_use(w, row, e) == 0)
               ? 0
               : -1;
}

int ks_extend_waiting(ks_store *s, const char *partner, uint64_t generation, const ks_actor *who, cs_time now,
                      uint64_t *seq, cs_error *e)
{
    struct longer l = {.s = s};
    struct ks_row_filter f = {.partner = partner};
    struct ks_work *w = calloc(1, sizeof *w);
    int rc = w != NULL ? s->driver->rows(s->b, &f, find_longer, &l, e)
                       : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    for (size_t i = 0; rc == 0 && i < l.n; i++) {
        *w = (struct ks_work){.s = s, .who = who, .verb = "extend", .now = now, .generation = generation};
        rc = extend(w, &l.row[i], e);
        *seq = w->seq;
    }
    free(l.row);
    free(w);
    return rc;
}

/** Write a number of meta where it differs, with its audit row. *seq stays 0 where nothing changed. */
static int tell(ks_store *s, const char *key, int64_t seconds, cs_time now, uint64_t *seq, cs_error *e)
{
    char old[32] = "";
    char new[32];
    snprintf(new, sizeof new, "%lld", (long long)seconds);
    int found = seconds > 0 ? s->driver->meta_get(s->b, key, old, sizeof old, e) : 1;
    if (found < 0 || seconds == 0 || (found == 1 && strcmp(old, new) == 0)) {
        return found < 0 ? -1 : 0;
    }
    struct ks_audit_row row = {.at = now,
                               .actor = node_actor.name,
                               .actor_kind = node_actor.kind,
                               .verb = "configure",
                               .object = key,
                               .before = found == 1 ? old : NULL,
                               .after = new};
    if (s->driver->meta_set(s->b, key, new, e) != 0 || ks_audit_append(s, &row, e) != 0) {
        return -1;
    }
    *seq = row.seq;
    return 0;
}

/** End a write transaction: a generation when something was audited. */
static int finish(ks_store *s, const char *partner, uint64_t seq, cs_time now, cs_error *e)
{
    uint64_t generation = 0;
    if (seq != 0) {
        if (s->driver->generation(s->b, &generation, e) != 0 ||
            ks_extend_waiting(s, partner, generation + 1, &node_actor, now, &seq, e) != 0 ||
            ks_generation_next(s, now, "configure", &node_actor, seq, generation + 1, e) != 0) {
            return -1;
        }
    }
    return ks_commit(s, e);
}

/** Once a node has reported itself, a command must not pretend another time when it writes. */
static int mark_served(ks_store *s, cs_error *e)
{
    char text[8];
    int found = s->driver->meta_get(s->b, "served", text, sizeof text, e);
    return found != 0 ? (found < 0 ? -1 : 0) : s->driver->meta_set(s->b, "served", "yes", e);
}

int ks_served(ks_store *s, bool *served, cs_error *e)
{
    char text[8];
    int found = s->driver->meta_get(s->b, "served", text, sizeof text, e);
    *served = found == 1;
    return found < 0 ? -1 : 0;
}

int ks_report_node(ks_store *s, const char *node, const ks_node_use *use, size_t n, cs_time now, cs_error *e)
{
    uint64_t seq = 0;
    if (s->driver->begin(s->b, KS_UPKEEP, e) != 0) {
        return -1;
    }
    int rc = s->driver->node_uses(s->b, node, use, n, e);
    if (rc == 0) {
        rc = mark_served(s, e);
    }
    if (rc == 0) {
        rc = tell(s, "retention", s->options.retention, now, &seq, e);
    }
    if (rc == 0) {
        rc = tell(s, "guaranteed_delivery", s->options.guaranteed_delivery, now, &seq, e);
    }
    if (rc == 0) {
        rc = finish(s, NULL, seq, now, e);
    }
    s->driver->rollback(s->b);
    return rc;
}

int ks_set_partner(ks_store *s, const char *partner, int64_t guaranteed_delivery, cs_time now, cs_error *e)
{
    struct ks_partner_row row = {.guaranteed_delivery = 0};
    if (!ks_name_ok(partner) || guaranteed_delivery < 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "partner", "not a partner name or not a duration");
    }
    if (s->driver->begin(s->b, KS_UPKEEP, e) != 0) {
        return -1;
    }
    int found = s->driver->partner_get(s->b, partner, &row, e);
    int rc = found < 0 ? -1 : 0;
    if (rc == 0 && (found == 0 || row.guaranteed_delivery != guaranteed_delivery)) {
        char old[32];
        char new[32];
        snprintf(old, sizeof old, "%lld", (long long)row.guaranteed_delivery);
        snprintf(new, sizeof new, "%lld", (long long)guaranteed_delivery);
        struct ks_audit_row audit = {.at = now,
                                     .actor = node_actor.name,
                                     .actor_kind = node_actor.kind,
                                     .verb = "partner",
                                     .object = partner,
                                     .before = found == 1 ? old : NULL,
                                     .after = new};
        cs_copy(row.name, sizeof row.name, partner);
        row.guaranteed_delivery = guaranteed_delivery;
        rc = s->driver->partner_set(s->b, &row, e) == 0 && ks_audit_append(s, &audit, e) == 0 &&
                     finish(s, partner, audit.seq, now, e) == 0
                 ? 0
                 : -1;
    }
    s->driver->rollback(s->b);
    return rc;
}
