/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h: bump allocator for what lives as long as one call; freed as a whole, so no error path can forget a piece. */
#ifndef WSSEC_ARENA_H
#define WSSEC_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct wssec_arena_block;

struct wssec_arena {
    struct wssec_arena_block *block; /**< owned, newest first */
    size_t used;                     /**< octets of the newest block */
    uint64_t resets;                 /**< so often everything was given back */
};

/** n octets, aligned for any type, zeroed. @return owned by the arena, NULL: no memory */
void *wssec_arena_take(struct wssec_arena *a, size_t n);
/** The same, not zeroed: all of it is written by the caller. */
void *wssec_arena_octets(struct wssec_arena *a, size_t n);
/** A terminated copy of n octets. @return owned by the arena, NULL: no memory */
char *wssec_arena_text(struct wssec_arena *a, const void *p, size_t n);
/** Give everything back but one block, which is used again. */
void wssec_arena_reset(struct wssec_arena *a);
void wssec_arena_free(struct wssec_arena *a);

#endif
