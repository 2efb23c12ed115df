/* SPDX-License-Identifier: Apache-2.0 */
/* refused.c: see refused.h. The counts are observations of the kind "refused", about "ENTRY SENDER". */
#include "keystore/refused.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/rollover_store.h"
#include "keystore/snapshot.h"

#define KIND       "refused"
#define SENDERS    256 /* with a name of their own on one node; beyond, they are counted together */
#define KNOWN_DAYS 30  /* an address that nobody used for so long is nobody's any more */

/* ---- counted ---------------------------------------------------------------------------------------------------- */

struct sum {
    const char *node, *object;
    int64_t n;
    size_t rows; /* of the node */
    bool found;
};

static int add_up(void *ctx, const char *node, const char *object, int64_t n, cs_time at, cs_error *e)
{
    struct sum *sum = ctx;
    (void)at;
    (void)e;
    if (strcmp(node, sum->node) == 0) {
        sum->rows++;
        if (strcmp(object, sum->object) == 0) {
            sum->n = n;
            sum->found = true;
        }
    }
    return 0;
}

int ks_refused_add(ks_store *s, const ks_snapshot *snapshot, const char *node, const struct ks_count *row, cs_time now,
                   cs_error *e)
{
    const ks_entry *entry = row->bad > 0 ? ks_snapshot_entry(snapshot, row->entry_id) : NULL;
    char object[KS_SENDER + 24];
    struct sum sum = {.node = node, .object = object};
    if (entry == NULL || entry->m->role != KS_TLS_SERVER) {
        return 0;
    }
    snprintf(object, sizeof object, "%lld %s", (long long)row->entry_id, row->sender);
    if (s->driver->rollovers->gauges(s->b, KIND, add_up, &sum, e) != 0) {
        return -1;
    }
    if (!sum.found && sum.rows >= SENDERS) {
        snprintf(object, sizeof object, "%lld ", (long long)row->entry_id);
        sum = (struct sum){.node = node, .object = object};
        if (s->driver->rollovers->gauges(s->b, KIND, add_up, &sum, e) != 0) {
            return -1;
        }
    }
    return s->driver->rollovers->gauge_set(s->b, node, KIND, object, sum.n + (int64_t)row->bad, now, e);
}

/* ---- read ------------------------------------------------------------------------------------------------------- */

struct reading {
    ks_store *s;
    int64_t entry_id, from_day;
    struct ks_denials *out;
    cs_time used[KS_DENIALS]; /* when the one who is known at the address used it last */
    const char *name;         /* of the entry whose uses are read */
    int64_t *entry;           /* owned: verifiers and client certificates */
    char (*names)[KS_WORD];   /* owned, likewise */
    size_t n_entry;
};

static int take_refused(void *ctx, const char *node, const char *object, int64_t n, cs_time at, cs_error *e)
{
    struct reading *r = ctx;
    struct ks_denials *out = r->out;
    char *end = NULL;
    size_t i = 0;
    (void)node;
    (void)at;
    (void)e;
    if (strtoll(object, &end, 10) != r->entry_id || *end != ' ' || n <= 0) {
        return 0;
    }
    const char *sender = end + 1;
    out->all += (uint64_t)n;
    while (i < out->n && strcmp(out->row[i].sender, sender) != 0) {
        i++;
    }
    if (i == out->n && out->n < KS_DENIALS) {
        out->row[out->n] = (struct ks_denial){.n = 0};
        cs_copy(out->row[out->n++].sender, KS_SENDER, sender);
    }
    if (i < out->n) {
        out->row[i].n += (uint64_t)n;
    }
    return 0;
}

static int take_entry(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct reading *r = ctx;
    int64_t *entry = reallocarray(r->entry, r->n_entry + 1, sizeof *entry);
    r->entry = entry != NULL ? entry : r->entry;
    char(*names)[KS_WORD] = reallocarray(r->names, r->n_entry + 1, sizeof *names);
    r->names = names != NULL ? names : r->names;
    if (entry == NULL || names == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    entry[r->n_entry] = row->entry_id;
    cs_copy(names[r->n_entry++], KS_WORD, row->info.partner[0] != '\0' ? row->info.partner : row->info.alias);
    return 0;
}

static int take_use(void *ctx, const struct ks_use_row *row, cs_error *e)
{
    struct reading *r = ctx;
    (void)e;
    for (size_t i = 0; row->by_sender && row->c.sender[0] != '\0' && i < r->out->n; i++) {
        if (strcmp(r->out->row[i].sender, row->c.sender) == 0 && row->c.last > r->used[i]) {
            r->used[i] = row->c.last;
            cs_copy(r->out->row[i].who, KS_WORD, r->name);
        }
    }
    return 0;
}

static int by_weight(const void *a, const void *b)
{
    const struct ks_denial *x = a;
    const struct ks_denial *y = b;
    bool named = x->who[0] != '\0';
    if (named != (y->who[0] != '\0')) {
        return named ? -1 : 1;
    }
    return x->n != y->n ? (x->n < y->n ? 1 : -1) : strcmp(x->sender, y->sender);
}

int ks_refused_read(ks_store *s, int64_t entry_id, cs_time now, struct ks_denials *out, cs_error *e)
{
    const struct ks_row_filter verifiers = {.has_role = true, .role = KS_VERIFIER};
    const struct ks_row_filter clients = {.has_role = true, .role = KS_AUTHZ_CLIENT};
    struct reading r = {.s = s, .entry_id = entry_id, .from_day = now / CS_DAY - KNOWN_DAYS, .out = out};
    memset(out, 0, sizeof *out);
    int rc = s->driver->rollovers->gauges(s->b, KIND, take_refused, &r, e);
    if (rc == 0 && out->n > 0) {
        rc = s->driver->rows(s->b, &verifiers, take_entry, &r, e) == 0
                 ? s->driver->rows(s->b, &clients, take_entry, &r, e)
                 : -1;
    }
    for (size_t i = 0; rc == 0 && i < r.n_entry; i++) {
        r.name = r.names[i];
        rc = s->driver->uses(s->b, r.entry[i], r.from_day, take_use, &r, e);
    }
    qsort(out->row, out->n, sizeof out->row[0], by_weight);
    free(r.entry);
    free(r.names);
    return rc;
}

void ks_refused_text(const struct ks_denials *all, char *text, size_t size)
{
    int n = snprintf(text, size, "%llu refused", (unsigned long long)all->all);
    size_t used = n > 0 ? (size_t)n : 0;
    for (size_t i = 0; i < all->n && used < size; i++) {
        const struct ks_denial *r = &all->row[i];
        bool named = r->who[0] != '\0';
        n = snprintf(text + used, size - used, "%s%s%s%s%s %llu", i == 0 ? ": " : ", ", r->who, named ? " (" : "",
                     r->sender[0] != '\0' ? r->sender : "others", named ? ")" : "", (unsigned long long)r->n);
        used += n > 0 ? (size_t)n : 0;
    }
}
