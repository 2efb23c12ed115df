/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container.h: tar, zip, 7z, cpio and the compressions, through libarchive: a whitelist of formats and filters, members
 * one by one, nothing written anywhere under a member's name. Limits on ratio and number of members end a container.
 * What is damaged is told where it is: a tar archive goes on behind it, a zip with the next member of its table.
 */
#ifndef ARCHIVE_CONTAINER_H
#define ARCHIVE_CONTAINER_H

#include "archive/bytes.h"

struct archive_container;

struct archive_limits {
    uint64_t ratio, members, member; /**< 0: none */
};

/** Open what b gives; b is borrowed until the close. fd >= 0: the same octets in a file that can be sought in (zip,
 * 7z); borrowed. loc is copied. @return owned, or NULL with trouble told to item */
struct archive_container *archive_container_open(struct archive_bytes *b, int fd, const char *loc,
                                                 const struct archive_limits *limits, struct archive_item *item);
/** Go to the next member. item gets its loc and time; what it holds comes from *content until the next call.
 *  @return 1: a member (with trouble told to item: it has no content), 0: no more, -1: trouble of the container itself
 * is told to item, which has the container's loc; there are no more */
int archive_container_next(struct archive_container *c, struct archive_item *item, struct archive_bytes **content);
void archive_container_close(struct archive_container *c);

#endif
