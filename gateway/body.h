/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body.h: the octets of one message as a list of chunks, and the ceiling for all of them together. The first ones are
 * memory from a pool, those of a large body are windows of a spool file. A chunk pool belongs to one loop; a body may
 * travel to a worker and back, but is filled and freed on its loop's thread. Never malloc or free of message size:
 * giving a large block back to the kernel each time costs more than the message.
 */
#ifndef GW_BODY_H
#define GW_BODY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/spool.h"
#include "wssec/wssec.h"

#define CHUNK_LARGE ((size_t)65536)
#define CHUNK_SMALL ((size_t)8192)

struct chunk {
    struct chunk *next;
    size_t n;    /**< octets in use */
    size_t size; /**< octets of data */
    char *data;  /**< behind this head, or a window of the body's file */
    bool window;
};

/** Free chunks of one loop. */
struct chunk_pool {
    struct chunk *small, *large;
    size_t n_small, n_large;
};

/** Where bodies may lie, over all loops: octets promised in memory, and the spool behind it. */
struct memory {
    _Atomic uint64_t reserved;
    uint64_t ceiling;
    uint64_t per_body; /**< octets of one body in memory when there is a spool; the rest goes there */
    struct spool spool;
};

struct body {
    struct chunk *first, *last;
    size_t n_chunk;
    uint64_t octets;         /**< of content */
    uint64_t capacity;       /**< of the chunks in memory */
    uint64_t reserved;       /**< promised by the memory ceiling; at least capacity */
    uint64_t mapped;         /**< octets of the file's windows */
    uint64_t spool_reserved; /**< promised by the spool; at least mapped */
    int *file;               /**< owned descriptor, NULL: no file */
};

enum body_room {
    BODY_ROOM = 0,
    BODY_NO_MEMORY = -1, /**< above the ceiling, or malloc failed */
    BODY_NO_SPOOL = -2   /**< above the quota, or the disk is full or broken */
};

/** Promise room for octets in all (Content-Length). @return BODY_ROOM; else nothing has changed */
enum body_room body_reserve(struct body *b, struct memory *m, uint64_t octets) __attribute__((warn_unused_result));
/** Add octets, copied. @return BODY_ROOM; else what was added before stays */
enum body_room body_append(struct body *b, struct chunk_pool *pool, struct memory *m, const char *p, size_t n)
    __attribute__((warn_unused_result));
/** Give chunks, file and promise back; b is empty. */
void body_clear(struct body *b, struct chunk_pool *pool, struct memory *m);
/** Hand the content over: to is as from was, from is empty. */
void body_move(struct body *to, struct body *from);
/** Fill out with the content in order. out has room for b->n_chunk. @return b->n_chunk */
size_t body_slices(const struct body *b, struct wssec_slice *out);
void chunk_pool_clear(struct chunk_pool *pool);

#endif
