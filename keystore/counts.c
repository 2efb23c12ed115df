/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counts.c: see counts.h. A thread takes its table out of its place (leaving a mark), counts, and puts it back: two
 * exchanges of a pointer that nobody else touches but once a second, so no lock and no shared cache line on the way of
 * a message. Who collects takes the table for good; the thread begins a new one.
 */
#include "keystore/counts.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define FIRST_SIZE  64
#define SENDERS_MAX 1024 /* rows with a name in one table; beyond, uses are counted without */
#define YIELDS_MAX  10000

struct table {
    size_t n, size; /**< size: a power of two, never full */
    struct ks_count row[];
};

struct place {
    _Atomic(struct table *) table; /**< NULL: none; &busy: its thread is counting */
    atomic_bool owned;             /**< by a living thread */
    struct place *next;
};

struct ks_counts {
    pthread_key_t key;
    _Atomic(struct place *) first; /**< only grows */
    struct table *taken;           /**< collecting thread: added up, not yet dropped */
    struct ks_count *sorted;
};

static struct table busy;

static struct table *table_new(size_t size)
{
    struct table *t = calloc(1, sizeof *t + size * sizeof t->row[0]);
    if (t != NULL) {
        t->size = size;
    }
    return t;
}

/* ---- one table -------------------------------------------------------------------------------------------------- */

static size_t hash_of(int64_t entry_id, int64_t day, const char *sender)
{
    uint64_t h = (uint64_t)entry_id * 0x9e3779b97f4a7c15ULL ^ (uint64_t)day;
    h = cs_fnv1a(h, sender, strlen(sender));
    return (size_t)(h ^ h >> 32);
}

/** The row of that key, or the free one where it goes. */
static struct ks_count *find(struct table *t, int64_t entry_id, int64_t day, const char *sender)
{
    for (size_t i = hash_of(entry_id, day, sender);; i++) {
        struct ks_count *r = &t->row[i & (t->size - 1)];
        if (r->entry_id == 0 || (r->entry_id == entry_id && r->day == day && strcmp(r->sender, sender) == 0)) {
            return r;
        }
    }
}

static bool grow(struct table **t)
{
    struct table *more = table_new(*t == NULL ? FIRST_SIZE : (*t)->size * 2);
    if (more == NULL) {
        return false;
    }
    for (size_t i = 0; *t != NULL && i < (*t)->size; i++) {
        const struct ks_count *r = &(*t)->row[i];
        if (r->entry_id != 0) {
            *find(more, r->entry_id, r->day, r->sender) = *r;
            more->n++;
        }
    }
    free(*t);
    *t = more;
    return true;
}

/** Add c to its row. Without memory for a new row the use is not counted; the entry's last use is known all the same.
 */
static void add(struct table **t, const struct ks_count *c)
{
    if ((*t == NULL || (*t)->n * 4 >= (*t)->size * 3) && !grow(t) && (*t == NULL || (*t)->n + 1 >= (*t)->size)) {
        return;
    }
    const char *sender = (*t)->n < SENDERS_MAX ? c->sender : "";
    struct ks_count *r = find(*t, c->entry_id, c->day, c->sender);
    if (r->entry_id == 0 && sender != c->sender) {
        r = find(*t, c->entry_id, c->day, sender);
    }
    if (r->entry_id == 0) {
        r->entry_id = c->entry_id;
        r->day = c->day;
        cs_copy(r->sender, sizeof r->sender, sender);
        r->first = c->first;
        (*t)->n++;
    }
    r->ok += c->ok;
    r->bad += c->bad;
    r->first = c->first < r->first ? c->first : r->first;
    r->last = c->last > r->last ? c->last : r->last;
}

/* ---- places ----------------------------------------------------------------------------------------------------- */

/** A thread ends: its place, with what was counted in it, goes to the next one. */
static void leave(void *ctx)
{
    struct place *p = ctx;
    atomic_store_explicit(&p->owned, false, memory_order_release);
}

struct ks_counts *ks_counts_new(void)
{
    struct ks_counts *c = calloc(1, sizeof *c);
    if (c != NULL && pthread_key_create(&c->key, leave) != 0) {
        free(c);
        c = NULL;
    }
    return c;
}

void ks_counts_free(struct ks_counts *c)
{
    if (c == NULL) {
        return;
    }
    pthread_key_delete(c->key);
    for (struct place *p = atomic_load(&c->first); p != NULL;) {
        struct place *next = p->next;
        free(atomic_load(&p->table));
        free(p);
        p = next;
    }
    free(c->taken);
    free(c->sorted);
    free(c);
}

/** One that a thread left behind, or a new one. */
static struct place *find_place(struct ks_counts *c)
{
    for (struct place *p = atomic_load(&c->first); p != NULL; p = p->next) {
        bool free_one = false;
        if (atomic_compare_exchange_strong(&p->owned, &free_one, true)) {
            return p;
        }
    }
    struct place *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    atomic_init(&p->owned, true);
    p->next = atomic_load(&c->first);
    while (!atomic_compare_exchange_weak(&c->first, &p->next, p)) {
    }
    return p;
}

static struct place *own_place(struct ks_counts *c)
{
    struct place *p = pthread_getspecific(c->key);
    if (p != NULL) {
        return p;
    }
    p = find_place(c);
    if (p != NULL && pthread_setspecific(c->key, p) != 0) {
        leave(p);
        p = NULL;
    }
    return p;
}

void ks_counts_add(struct ks_counts *c, int64_t entry_id, const char *sender, bool ok, cs_time now)
{
    struct place *p = own_place(c);
    if (p == NULL) {
        return;
    }
    struct ks_count one = {.entry_id = entry_id, .day = now / CS_DAY, .ok = ok, .bad = !ok, .first = now};
    one.last = ok ? now : 0;
    cs_copy(one.sender, sizeof one.sender, sender != NULL ? sender : "");
    struct table *t = atomic_exchange_explicit(&p->table, &busy, memory_order_acq_rel);
    add(&t, &one);
    atomic_store_explicit(&p->table, t, memory_order_release);
}

/* ---- collecting ------------------------------------------------------------------------------------------------- */

/** The table of a place, for good. A thread that was stopped while it counted is waited for a little; its table comes
 *  with the next collection then. */
static struct table *take(struct place *p)
{
    for (int i = 0; i < YIELDS_MAX; i++) {
        struct table *t = atomic_load_explicit(&p->table, memory_order_acquire);
        if (t == NULL) {
            return NULL;
        }
        if (t != &busy &&
            atomic_compare_exchange_strong_explicit(&p->table, &t, NULL, memory_order_acq_rel, memory_order_acquire)) {
            return t;
        }
        sched_yield();
    }
    return NULL;
}

static int by_key(const void *a, const void *b)
{
    const struct ks_count *x = a;
    const struct ks_count *y = b;
    if (x->entry_id != y->entry_id) {
        return x->entry_id > y->entry_id ? 1 : -1;
    }
    if (x->day != y->day) {
        return x->day > y->day ? 1 : -1;
    }
    return strcmp(x->sender, y->sender);
}

const struct ks_count *ks_counts_take(struct ks_counts *c, size_t *n)
{
    *n = 0;
    for (struct place *p = atomic_load(&c->first); p != NULL; p = p->next) {
        struct table *t = take(p);
        for (size_t i = 0; t != NULL && i < t->size; i++) {
            if (t->row[i].entry_id != 0) {
                add(&c->taken, &t->row[i]);
            }
        }
        free(t);
    }
    if (c->taken == NULL || c->taken->n == 0) {
        return NULL;
    }
    struct ks_count *rows = reallocarray(c->sorted, c->taken->n, sizeof *rows);
    if (rows == NULL) {
        return NULL; /* kept in taken: the next time */
    }
    c->sorted = rows;
    for (size_t i = 0; i < c->taken->size; i++) {
        if (c->taken->row[i].entry_id != 0) {
            rows[(*n)++] = c->taken->row[i];
        }
    }
    qsort(rows, *n, sizeof *rows, by_key);
    return rows;
}

void ks_counts_drop(struct ks_counts *c)
{
    free(c->taken);
    c->taken = NULL;
}
