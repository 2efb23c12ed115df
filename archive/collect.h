/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collect.h: the journals of all shards of one order become one journal, after it is proven that together they are the
 * whole: each shard once, each finished, all judged by the same, each item in its own shard and nowhere else.
 */
#ifndef ARCHIVE_COLLECT_H
#define ARCHIVE_COLLECT_H

#include "archive/journal.h"

/** Look whether the journals in directories are shards 0 … N-1 of one order. *run: that order without its shard, with
 * an id of its own; to be cleared in either case. What is missing, doubled, unfinished or of another order is named:
 * exit 5 (missing, unfinished) or 64. @return 0, or -1 with e filled */
int archive_collect_look(const char *const *directory, size_t n, cs_time now, struct archive_run *run,
                         cs_error *e) CS_MUST_CHECK;
/** Write all their records into journal, shard by shard, numbered anew; a payload that another shard has had before is
 * told as its duplicate. An item twice, or in a shard that is not its own: exit 5. out: what was written.
 *  @return 0, or -1 with e filled */
int archive_collect(const char *const *directory, size_t n, const struct archive_run *run,
                    struct archive_journal *journal, struct archive_counts *out, cs_error *e) CS_MUST_CHECK;

#endif
