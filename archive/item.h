/* SPDX-License-Identifier: Apache-2.0 */
/*
 * item.h: one stored message on its way from its reader to its judge: octets in memory, or in an unnamed file where
 * they are many; where it lay; what is known of it from outside.
 *
 * loc: "2026/08/a.tar.zst!m/00981.xml#0": the path as it was named, and behind each '!' the name in the archive, with
 * the number of that name in it (0: the first one of the name; lines: the number of the line). In names, octets that
 * are no UTF-8, controls, '%', '!' and '#' stand as %XX, so that a loc is one name only and safe to be shown.
 */
#ifndef ARCHIVE_ITEM_H
#define ARCHIVE_ITEM_H

#include <jansson.h>

#include "archive/archive.h"

struct archive_item {
    uint64_t seq;
    char *loc;                 /**< owned */
    uint8_t *data;             /**< owned; the payload, NULL: in fd, or there is none */
    int fd;                    /**< owned; unnamed file with the payload, -1: none */
    uint64_t size;             /**< octets of the payload */
    cs_time mtime;             /**< of the file or member; 0: not known */
    json_t *fields;            /**< owned; the line that the payload was a member of, NULL: none */
    cs_time proven;            /**< proof of existence at that instant, found by its reader; 0: none */
    uint8_t *token;            /**< owned; time-stamp token that lay beside it, not looked at yet; NULL: none */
    size_t token_n;            /**< its octets; 0: it could not be read */
    cs_time captured;          /**< instant of receipt that its container vouches for; 0: none */
    enum wssec_reason trouble; /**< WSSEC_OK: the payload is whole; else there is none to be judged */
    char detail[256];          /**< a sentence about the trouble */
};
#define ARCHIVE_ITEM_INIT                                                                                              \
    {                                                                                                                  \
        .fd = -1                                                                                                       \
    }

void archive_item_clear(struct archive_item *i);
/** There is no payload: reason, with a sentence. The first one stays. */
void archive_item_trouble(struct archive_item *i, enum wssec_reason reason, const char *fmt, ...) CS_PRINTF(3, 4);
/** Add name to a loc, with what is special in it as %XX. path: '/' stands for itself, too, as in any name. */
void archive_loc_add(cs_buf *loc, const char *name, size_t n);
/** The payload in one piece: borrowed from i, or mapped; to be given back with archive_item_unmap. @return 0, or -1 */
int archive_item_map(const struct archive_item *i, const uint8_t **p, size_t *n) CS_MUST_CHECK;
/** The octets of p from … to were looked at: what was mapped need not stay in memory; it comes back when it is read. */
void archive_item_passed(const struct archive_item *i, const uint8_t *p, size_t from, size_t to);
void archive_item_unmap(const struct archive_item *i, const uint8_t *p, size_t n);

#endif
