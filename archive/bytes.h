/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bytes.h: octets that come once, from a file, a pipe or a member of an archive, with a look ahead that tells what they
 * are; and how a payload is taken out of them under limits.
 */
#ifndef ARCHIVE_BYTES_H
#define ARCHIVE_BYTES_H

#include <sys/types.h>

#include "archive/item.h"

#define ARCHIVE_HEAD ((size_t)65536)

struct archive_bytes {
    void *ctx;
    /** Fill at most n octets. Trouble (not readable, a limit) is told to item. @return octets, 0: the end, -1: trouble
     */
    ssize_t (*read)(void *ctx, uint8_t *p, size_t n, struct archive_item *item);
    uint8_t *head; /**< owned, made when first needed: ARCHIVE_HEAD octets */
    size_t from, to;
    bool over;
};

/** Look ahead. *n octets (all that there are, or ARCHIVE_HEAD) borrowed until the next call. @return 0, -1: see item */
int archive_bytes_peek(struct archive_bytes *b, const uint8_t **p, size_t *n, struct archive_item *item) CS_MUST_CHECK;
/** As b->read, what was looked at first. */
ssize_t archive_bytes_read(struct archive_bytes *b, uint8_t *p, size_t n, struct archive_item *item) CS_MUST_CHECK;
/** Forget what was looked at; b can begin with other octets. */
void archive_bytes_reset(struct archive_bytes *b);
void archive_bytes_free(struct archive_bytes *b);

struct archive_room {
    uint64_t most;    /**< octets of a payload at most (limit-member) */
    size_t in_memory; /**< more than these go to an unnamed file */
};
/** All that is left into item->data or item->fd. Trouble is told to item. */
void archive_bytes_take(struct archive_bytes *b, const struct archive_room *room, struct archive_item *item);

enum archive_form {
    ARCHIVE_EMPTY,
    ARCHIVE_MESSAGE,
    ARCHIVE_LINES,
    ARCHIVE_PACKED,
    ARCHIVE_CONTAINER,
    ARCHIVE_SEEK_CONTAINER,
    ARCHIVE_UNKNOWN
};
/** What octets look like, by their beginning alone: a message, JSON lines, a compression, an archive that can be read
 * in one pass, one that cannot (zip, 7z). */
enum archive_form archive_sniff(const uint8_t *p, size_t n);

#endif
