/* SPDX-License-Identifier: Apache-2.0 */
/* body.c: see body.h. */
#include "gateway/body.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What an idle loop keeps: 4 MB of large and 1 MB of small chunks. */
#define KEEP_LARGE 64
#define KEEP_SMALL 128
/* Windows of a file whose length nobody declared: as large as what is there already, within these bounds. */
#define WINDOW_LEAST ((uint64_t)1 << 20)
#define WINDOW_MOST  ((uint64_t)64 << 20)
#define PAGE         ((uint64_t)4096)

static int memory_take(struct memory *m, uint64_t octets)
{
    uint64_t before = atomic_fetch_add_explicit(&m->reserved, octets, memory_order_relaxed);
    if (before + octets < before || before + octets > m->ceiling) {
        atomic_fetch_sub_explicit(&m->reserved, octets, memory_order_relaxed);
        return -1;
    }
    return 0;
}

static bool spooled(const struct memory *m)
{
    return m->spool.open;
}

/* Promise up to octets in memory. */
static enum body_room reserve_memory(struct body *b, struct memory *m, uint64_t octets)
{
    if (octets <= b->reserved) {
        return BODY_ROOM;
    }
    if (octets > m->ceiling || memory_take(m, octets - b->reserved) != 0) {
        return BODY_NO_MEMORY;
    }
    b->reserved = octets;
    return BODY_ROOM;
}

/* Promise up to octets in the file. */
static enum body_room reserve_spool(struct body *b, struct memory *m, uint64_t octets)
{
    if (octets <= b->spool_reserved) {
        return BODY_ROOM;
    }
    if (spool_take(&m->spool, octets - b->spool_reserved) != 0) {
        return BODY_NO_SPOOL;
    }
    b->spool_reserved = octets;
    return BODY_ROOM;
}

static uint64_t whole_pages(uint64_t octets)
{
    return (octets + PAGE - 1) / PAGE * PAGE;
}

enum body_room body_reserve(struct body *b, struct memory *m, uint64_t octets)
{
    if (!spooled(m) || octets <= m->per_body) {
        return reserve_memory(b, m, octets);
    }
    uint64_t before = b->reserved;
    enum body_room room = reserve_memory(b, m, m->per_body);
    if (room == BODY_ROOM) {
        /* What the last chunk in memory cannot take lies in the file, too; its windows are whole pages. */
        room = reserve_spool(b, m, whole_pages(octets - m->per_body + CHUNK_LARGE));
        if (room != BODY_ROOM) {
            atomic_fetch_sub_explicit(&m->reserved, b->reserved - before, memory_order_relaxed);
            b->reserved = before;
        }
    }
    return room;
}

static struct chunk *chunk_get(struct chunk_pool *pool, size_t size)
{
    struct chunk **list = size == CHUNK_LARGE ? &pool->large : &pool->small;
    struct chunk *c = *list;
    if (c != NULL) {
        *list = c->next;
        *(size == CHUNK_LARGE ? &pool->n_large : &pool->n_small) -= 1;
    } else {
        c = malloc(sizeof *c + size);
        if (c == NULL) {
            return NULL;
        }
        c->size = size;
        c->data = (char *)(c + 1);
        c->window = false;
    }
    c->next = NULL;
    c->n = 0;
    return c;
}

static void chunk_put(struct chunk_pool *pool, struct chunk *c)
{
    if (c->size == CHUNK_LARGE && pool->n_large < KEEP_LARGE) {
        c->next = pool->large;
        pool->large = c;
        pool->n_large++;
    } else if (c->size == CHUNK_SMALL && pool->n_small < KEEP_SMALL) {
        c->next = pool->small;
        pool->small = c;
        pool->n_small++;
    } else {
        free(c);
    }
}

static void body_link(struct body *b, struct chunk *c)
{
    if (b->last != NULL) {
        b->last->next = c;
    } else {
        b->first = c;
    }
    b->last = c;
    b->n_chunk++;
}

static int body_file(struct body *b, struct spool *s)
{
    if (b->file != NULL) {
        return 0;
    }
    b->file = malloc(sizeof *b->file);
    if (b->file == NULL || (*b->file = spool_file(s)) < 0) {
        free(b->file);
        b->file = NULL;
        return -1;
    }
    return 0;
}

static enum body_room grow_file(struct body *b, struct memory *m, size_t n)
{
    uint64_t size = b->spool_reserved - b->mapped;
    if (size < n) {
        size = b->mapped > n ? b->mapped : n;
        size = size < WINDOW_LEAST ? WINDOW_LEAST : size;
    }
    size = whole_pages(size < WINDOW_MOST ? size : WINDOW_MOST);
    struct chunk *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return BODY_NO_MEMORY;
    }
    if (reserve_spool(b, m, b->mapped + size) != BODY_ROOM || body_file(b, &m->spool) != 0 ||
        (c->data = spool_window(*b->file, b->mapped, (size_t)size)) == NULL) {
        free(c);
        return BODY_NO_SPOOL;
    }
    c->size = (size_t)size;
    c->window = true;
    b->mapped += size;
    body_link(b, c);
    return BODY_ROOM;
}

/* The first chunk is small unless more is announced or here: most SOAP messages have a few kilobytes. */
static enum body_room body_grow(struct body *b, struct chunk_pool *pool, struct memory *m, size_t n)
{
    uint64_t promised = b->reserved + b->spool_reserved;
    uint64_t expected = promised > b->octets ? promised - b->octets : 0;
    size_t size = b->first == NULL && n <= CHUNK_SMALL && expected <= CHUNK_SMALL ? CHUNK_SMALL : CHUNK_LARGE;
    if (spooled(m) && b->capacity + size > m->per_body) {
        return grow_file(b, m, n);
    }
    enum body_room room = reserve_memory(b, m, b->capacity + size);
    if (room != BODY_ROOM) {
        return room;
    }
    struct chunk *c = chunk_get(pool, size);
    if (c == NULL) {
        return BODY_NO_MEMORY;
    }
    body_link(b, c);
    b->capacity += size;
    return BODY_ROOM;
}

enum body_room body_append(struct body *b, struct chunk_pool *pool, struct memory *m, const char *p, size_t n)
{
    while (n > 0) {
        if (b->last == NULL || b->last->n == b->last->size) {
            enum body_room room = body_grow(b, pool, m, n);
            if (room != BODY_ROOM) {
                return room;
            }
        }
        struct chunk *c = b->last;
        size_t part = n < c->size - c->n ? n : c->size - c->n;
        memcpy(c->data + c->n, p, part);
        c->n += part;
        b->octets += part;
        p += part;
        n -= part;
    }
    return BODY_ROOM;
}

void body_clear(struct body *b, struct chunk_pool *pool, struct memory *m)
{
    while (b->first != NULL) {
        struct chunk *c = b->first;
        b->first = c->next;
        if (c->window) {
            munmap(c->data, c->size);
            free(c);
        } else {
            chunk_put(pool, c);
        }
    }
    if (b->file != NULL) {
        close(*b->file);
        free(b->file);
    }
    if (b->spool_reserved > 0) {
        spool_give(&m->spool, b->spool_reserved);
    }
    atomic_fetch_sub_explicit(&m->reserved, b->reserved, memory_order_relaxed);
    *b = (struct body){0};
}

void body_move(struct body *to, struct body *from)
{
    *to = *from;
    *from = (struct body){0};
}

size_t body_slices(const struct body *b, struct wssec_slice *out)
{
    size_t n = 0;
    for (const struct chunk *c = b->first; c != NULL; c = c->next) {
        out[n++] = (struct wssec_slice){(const uint8_t *)c->data, c->n};
    }
    return n;
}

void chunk_pool_clear(struct chunk_pool *pool)
{
    for (int large = 0; large < 2; large++) {
        struct chunk **list = large ? &pool->large : &pool->small;
        while (*list != NULL) {
            struct chunk *c = *list;
            *list = c->next;
            free(c);
        }
    }
    *pool = (struct chunk_pool){0};
}
