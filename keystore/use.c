/* SPDX-License-Identifier: Apache-2.0 */
/*
 * use.c: who was used, by whom, when and how often. Counted where verification runs (counts.c); written into the store
 * by the watch thread, so that no message waits for the disk.
 */
#include <string.h>

#include "keystore/change.h"
#include "keystore/checkpoint.h"
#include "keystore/refused.h"
#include "keystore/snapshot.h"
#include "keystore/use.h"

/* A later end is in force in this process at once; the store is told when it moved by this much. */
#define EXTEND_STEP 3600

void ks_use_count(struct ks_counts *c, const ks_snapshot *s, const char *alias, unsigned n, const char *sender, bool ok,
                  cs_time now)
{
    const ks_entry *e = ks_snapshot_slot(s, alias);
    for (; e != NULL && e < s->entry + s->n && strcmp(e->m->alias, alias) == 0; e++) {
        if (e->m->n != n) {
            continue;
        }
        ks_counts_add(c, e->m->entry_id, sender, ok, now);
        /* shared by all threads, therefore written once per second only */
        long long seen = atomic_load_explicit(&e->m->last_use, memory_order_relaxed);
        while (ok && now > seen &&
               !atomic_compare_exchange_weak_explicit(&e->m->last_use, &seen, now, memory_order_relaxed,
                                                      memory_order_relaxed)) {
        }
        return;
    }
}

/** Has a late use moved the end of an entry so far that the store should know? */
static bool moved(const ks_snapshot *s, int64_t entry_id)
{
    const struct ks_entry *e = ks_snapshot_entry(s, entry_id);
    return e != NULL && e->state == KS_DEACTIVATED && ks_entry_stop(e) >= e->process_stop + EXTEND_STEP;
}

/** The new ends as a generation of their own, within the transaction of the counters. */
static int write_ends(ks_store *s, cs_time now, cs_error *e)
{
    static const ks_actor who = {"gateway", "node", "late use"};
    uint64_t generation = 0;
    uint64_t seq = 0;
    if (s->driver->generation(s->b, &generation, e) != 0 ||
        ks_extend_waiting(s, NULL, generation + 1, &who, now, &seq, e) != 0) {
        return -1;
    }
    return seq != 0 ? ks_generation_next(s, now, "use", &who, seq, generation + 1, e) : 0;
}

int ks_use_flush(ks_store *s, struct ks_counts *counts, const ks_snapshot *snapshot, const char *node, cs_time now,
                 cs_error *e)
{
    size_t n = 0;
    bool ends = false;
    const struct ks_count *row = ks_counts_take(counts, &n);
    if (n == 0) {
        return 0;
    }
    if (s->driver->begin(s->b, KS_UPKEEP, e) != 0) {
        return -1;
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = s->driver->use_add(s->b, node, &row[i], e) == 0 ? ks_refused_add(s, snapshot, node, &row[i], now, e) : -1;
        ends = ends || (row[i].ok > 0 && moved(snapshot, row[i].entry_id));
    }
    if (rc == 0 && ends) {
        rc = write_ends(s, now, e);
    }
    if (rc == 0) {
        rc = ks_commit(s, e);
    }
    if (rc == 0) {
        ks_counts_drop(counts); /* after the commit: a failure or a crash in between counts again rather than loses */
    } else {
        s->driver->rollback(s->b);
    }
    return rc == 0 && ends ? 1 : rc;
}
