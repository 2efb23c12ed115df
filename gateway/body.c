/* SPDX-License-Identifier: Apache-2.0 */
/* body.c: see body.h. */
#include "gateway/body.h"

#include <stdlib.h>
#include <string.h>

/* What an idle loop keeps: 4 MB of large and 1 MB of small chunks. */
#define KEEP_LARGE 64
#define KEEP_SMALL 128

static int memory_take(struct memory *m, uint64_t octets)
{
    uint64_t before = atomic_fetch_add_explicit(&m->reserved, octets, memory_order_relaxed);
    if (before + octets < before || before + octets > m->ceiling) {
        atomic_fetch_sub_explicit(&m->reserved, octets, memory_order_relaxed);
        return -1;
    }
    return 0;
}

int body_reserve(struct body *b, struct memory *m, uint64_t octets)
{
    if (octets <= b->reserved) {
        return 0;
    }
    if (octets > m->ceiling || memory_take(m, octets - b->reserved) != 0) {
        return -1;
    }
    b->reserved = octets;
    return 0;
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

/* The first chunk is small unless more is announced or here: most SOAP messages have a few kilobytes. */
static int body_grow(struct body *b, struct chunk_pool *pool, struct memory *m, size_t n)
{
    uint64_t expected = b->reserved > b->octets ? b->reserved - b->octets : 0;
    size_t size = b->first == NULL && n <= CHUNK_SMALL && expected <= CHUNK_SMALL ? CHUNK_SMALL : CHUNK_LARGE;
    if (body_reserve(b, m, b->capacity + size) != 0) {
        return -1;
    }
    struct chunk *c = chunk_get(pool, size);
    if (c == NULL) {
        return -1;
    }
    if (b->last != NULL) {
        b->last->next = c;
    } else {
        b->first = c;
    }
    b->last = c;
    b->n_chunk++;
    b->capacity += size;
    return 0;
}

int body_append(struct body *b, struct chunk_pool *pool, struct memory *m, const char *p, size_t n)
{
    while (n > 0) {
        if ((b->last == NULL || b->last->n == b->last->size) && body_grow(b, pool, m, n) != 0) {
            return -1;
        }
        struct chunk *c = b->last;
        size_t part = n < c->size - c->n ? n : c->size - c->n;
        memcpy(c->data + c->n, p, part);
        c->n += part;
        b->octets += part;
        p += part;
        n -= part;
    }
    return 0;
}

void body_clear(struct body *b, struct chunk_pool *pool, struct memory *m)
{
    while (b->first != NULL) {
        struct chunk *c = b->first;
        b->first = c->next;
        chunk_put(pool, c);
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
