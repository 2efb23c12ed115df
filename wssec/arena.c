/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c: bump allocator; the first block is kept between calls, larger demands get blocks of their own. */
#include "wssec/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK ((size_t)16384)

struct wssec_arena_block {
    struct wssec_arena_block *next;
    size_t size;
    alignas(max_align_t) unsigned char octet[];
};

void *wssec_arena_octets(struct wssec_arena *a, size_t n)
{
    const size_t align = alignof(max_align_t);
    if (n > SIZE_MAX / 2) {
        return NULL;
    }
    n = (n + align - 1) / align * align;
    if (a->block == NULL || a->block->size - a->used < n) {
        size_t size = n > BLOCK ? n : BLOCK;
        struct wssec_arena_block *b = malloc(sizeof *b + size);
        if (b == NULL) {
            return NULL;
        }
        b->next = a->block;
        b->size = size;
        a->block = b;
        a->used = 0;
    }
    void *p = a->block->octet + a->used;
    a->used += n;
    return p;
}

void *wssec_arena_take(struct wssec_arena *a, size_t n)
{
    void *p = wssec_arena_octets(a, n);
    return p != NULL ? memset(p, 0, n) : NULL;
}

char *wssec_arena_text(struct wssec_arena *a, const void *p, size_t n)
{
    if (n == SIZE_MAX) {
        return NULL;
    }
    char *copy = wssec_arena_octets(a, n + 1);
    if (copy != NULL) {
        if (n > 0) {
            memcpy(copy, p, n);
        }
        copy[n] = '\0';
    }
    return copy;
}

void wssec_arena_reset(struct wssec_arena *a)
{
    while (a->block != NULL && (a->block->next != NULL || a->block->size > BLOCK)) {
        struct wssec_arena_block *next = a->block->next;
        free(a->block);
        a->block = next;
    }
    a->used = 0;
    a->resets++;
}

void wssec_arena_free(struct wssec_arena *a)
{
    while (a->block != NULL) {
        struct wssec_arena_block *next = a->block->next;
        free(a->block);
        a->block = next;
    }
    a->used = 0;
}
