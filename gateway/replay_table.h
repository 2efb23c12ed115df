/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_table.h: the rows in which signatures seen are remembered, over memory that somebody else owns (a heap block
 * or a mapped file) and without a lock of its own. Bounded: a key has two buckets of slots; entries leave at their
 * keep-until; when both are full the claim is refused, never an older entry forgotten.
 *
 * A process that is killed at any instruction leaves whole rows only: a row counts from the store of its keep-until on,
 * which is the last of its stores, and a claim is answered after that.
 */
#ifndef GW_REPLAY_TABLE_H
#define GW_REPLAY_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

#define REPLAY_SHARDS 64
#define REPLAY_BUCKET 32 /* slots */
/* Keep-untils of one partner are counted in spans, so that what has left needs no counting down. */
#define REPLAY_SPAN_S   128
#define REPLAY_SPANS    1024
#define REPLAY_PARTNERS 256

/** One cache line, so that no page boundary and no disk sector ever cuts a row. */
struct replay_slot {
    uint8_t key[32];
    _Atomic int64_t until; /**< 0: free */
    uint64_t check;        /**< over key and until: a row that something else wrote is noticed */
    uint16_t partner;      /**< number of the share that it counts in */
    uint8_t spare[14];
};

struct replay_table {
    struct replay_slot *slot;
    uint64_t per_shard;
    _Atomic uint64_t (*held)[REPLAY_SPANS]; /**< per partner and span: number of the span << 32 | entries */
    uint64_t share;                         /**< most entries of one partner */
};

struct replay_claim {
    const uint8_t *key;  /**< 32 octets; a SHA-256 */
    const char *partner; /**< whose share it counts in; NULL: nobody's name. Two names may fall together in one share */
    cs_time keep_until;
    cs_time now;
};

/** Most entries that a table can be asked for; below it no size overflows. */
#define REPLAY_ENTRIES_MAX (UINT64_C(1) << 28)

/** Octets of a table with room for so many keys (at most REPLAY_ENTRIES_MAX). */
size_t replay_table_octets(uint64_t entries);
/** Lay the table over memory of that size, aligned as malloc does (to 64: faster), borrowed; zeroed memory is an empty
 * table.
 *  @param share hundredths of entries that one partner may hold; 100: no limit */
void replay_table_place(struct replay_table *t, void *memory, uint64_t entries, unsigned share);
/** The shard of a key; a claim needs the lock of this shard only. */
unsigned replay_table_shard(const uint8_t key[32]);
/** @return 1 new, 0 seen before, -1 no room, or the partner's share is used up */
int replay_table_claim(struct replay_table *t, const struct replay_claim *c);
/** Read every row, count the shares anew. Nobody else may use the table meanwhile.
 *  @param live where to put how many entries are remembered at now  @return false: a row is damaged */
bool replay_table_review(struct replay_table *t, cs_time now, uint64_t *live);
/** Sum that tells accidents, not malice. */
uint64_t replay_table_sum(const void *octets, size_t n);
/** Take over what from remembers at now. Nobody else may use either. @return false: it does not fit */
bool replay_table_copy(struct replay_table *t, const struct replay_table *from, cs_time now);

#endif
