/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counts.h: uses counted where they happen. Each thread has a table of its own and no other one waits for it; whoever
 * writes the counts away takes the tables out and adds them up.
 */
#ifndef KS_COUNTS_H
#define KS_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"
#include "keystore/keystore.h"

/** Uses of one entry by one sender on one day. */
struct ks_count {
    int64_t entry_id; /**< 0: free */
    int64_t day;      /**< since 1970 */
    char sender[KS_SENDER];
    uint64_t ok, bad;
    cs_time first, last; /**< newest that passed; 0: none did */
};

struct ks_counts;

/** @return to be freed when no thread counts any more; NULL: no memory */
struct ks_counts *ks_counts_new(void);
void ks_counts_free(struct ks_counts *c);
/** Count one use in the calling thread's table. Senders beyond the bound are counted without their name. */
void ks_counts_add(struct ks_counts *c, int64_t entry_id, const char *sender, bool ok, cs_time now);
/** Take all tables and add them to what was taken before and not dropped. One thread only.
 *  @return rows, by entry, day and sender, valid until the next call; *n 0: NULL */
const struct ks_count *ks_counts_take(struct ks_counts *c, size_t *n);
/** What was taken is written: forget it. */
void ks_counts_drop(struct ks_counts *c);

#endif
