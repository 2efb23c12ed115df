/* SPDX-License-Identifier: Apache-2.0 */
/*
 * use.c: who was used, when and how often. Counted where verification runs, with atomics of the shared material;
 * written into the store by the watch thread, so that no message waits for the disk.
 */
#include <stdlib.h>
#include <string.h>

#include "keystore/change.h"
#include "keystore/snapshot.h"

/* A later end is in force in this process at once; the store is told when it moved by this much. */
#define EXTEND_STEP 3600

void ks_use(ks_live *l, const char *alias, unsigned n, bool ok, cs_time now)
{
    const ks_snapshot *s = ks_live_get(l);
    const ks_entry *e = ks_snapshot_slot(s, alias);
    for (; e != NULL && e < s->entry + s->n && strcmp(e->m->alias, alias) == 0; e++) {
        if (e->m->n != n) {
            continue;
        }
        atomic_fetch_add_explicit(ok ? &e->m->ok : &e->m->bad, 1, memory_order_relaxed);
        long long seen = atomic_load_explicit(&e->m->last_use, memory_order_relaxed);
        while (ok && now > seen &&
               !atomic_compare_exchange_weak_explicit(&e->m->last_use, &seen, now, memory_order_relaxed,
                                                      memory_order_relaxed)) {
        }
        break;
    }
    ks_snapshot_release(s);
}

static bool used(const struct ks_material *m)
{
    return atomic_load_explicit(&m->ok, memory_order_relaxed) != 0 ||
           atomic_load_explicit(&m->bad, memory_order_relaxed) != 0;
}

/** Has a late use moved the end of an entry so far that the store should know? */
static bool moved(const struct ks_entry *e)
{
    return e->state == KS_DEACTIVATED && ks_entry_stop(e) >= e->process_stop + EXTEND_STEP;
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

int ks_use_flush(ks_store *s, const ks_snapshot *snapshot, const char *node, cs_time now, cs_error *e)
{
    bool any = false;
    bool ends = false;
    for (size_t i = 0; i < snapshot->n && !any; i++) {
        any = used(snapshot->entry[i].m);
    }
    if (!any) {
        return 0;
    }
    if (s->driver->begin(s->b, KS_UPKEEP, e) != 0) {
        return -1;
    }
    int rc = 0;
    size_t done = 0;
    /* read first, subtract after the commit: a failure or a crash in between counts again rather than loses */
    struct {
        unsigned long long ok, bad;
    } *taken = calloc(snapshot->n, sizeof *taken);
    if (taken == NULL) {
        rc = cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "memory ran out while use counters were written");
    }
    for (; rc == 0 && done < snapshot->n; done++) {
        struct ks_material *m = snapshot->entry[done].m;
        taken[done].ok = atomic_load_explicit(&m->ok, memory_order_relaxed);
        taken[done].bad = atomic_load_explicit(&m->bad, memory_order_relaxed);
        cs_time last = atomic_load_explicit(&m->last_use, memory_order_relaxed);
        if (taken[done].ok != 0 || taken[done].bad != 0) {
            rc = s->driver->use_add(s->b, m->alias, m->n, node, now, last, taken[done].ok, taken[done].bad, e);
            ends = ends || moved(&snapshot->entry[done]);
        }
    }
    if (rc == 0 && ends) {
        rc = write_ends(s, now, e);
    }
    if (rc == 0) {
        rc = s->driver->commit(s->b, e);
    }
    if (rc != 0) {
        s->driver->rollback(s->b);
    }
    for (size_t i = 0; rc == 0 && i < snapshot->n; i++) {
        atomic_fetch_sub_explicit(&snapshot->entry[i].m->ok, taken[i].ok, memory_order_relaxed);
        atomic_fetch_sub_explicit(&snapshot->entry[i].m->bad, taken[i].bad, memory_order_relaxed);
    }
    free(taken);
    return rc == 0 && ends ? 1 : rc;
}
