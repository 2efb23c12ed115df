/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed.h: all items of a run, one after the other, numbered in the order of the walk: files, and what lies in archives,
 * in archives of archives. What is done already, or belongs to another shard, is passed over. One caller at a time.
 */
#ifndef ARCHIVE_FEED_H
#define ARCHIVE_FEED_H

#include "archive/bytes.h"

struct archive_done;
struct archive_feed;

/** order, done: borrowed. done NULL: nothing is. first: number of the first item. in_memory: octets of a payload above
 *  which it goes to an unnamed file. */
int archive_feed_new(struct archive_feed **out, const struct archive_order *order, const struct archive_done *done,
                     uint64_t first, size_t in_memory, cs_error *e) CS_MUST_CHECK;
/** The next item; what cannot be read is one, too, with its trouble. item is empty before, the caller's afterwards.
 *  @return 1, 0: no more */
int archive_feed_next(struct archive_feed *f, struct archive_item *item);
/** Octets of files (packed ones as they lie there) that were read or passed over so far, for progress. Any thread. */
uint64_t archive_feed_octets(const struct archive_feed *f);
void archive_feed_free(struct archive_feed *f);

#endif
