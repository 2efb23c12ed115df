/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_table.c: buckets of slots in shards. A key may lie in two buckets and goes into the emptier one, which keeps
 * all of them evenly full: with one bucket per key, some would overflow long before the table is full. Every look-up
 * reads both, so an entry that has left needs no tombstone, and the cost of a claim has an upper bound whatever a
 * sender does.
 */
#include "gateway/replay_table.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"

static_assert(sizeof(struct replay_slot) == 64, "a row is one cache line");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_LONG_LOCK_FREE == 2, "processes share these words without a lock");

#define HELD_OCTETS (REPLAY_PARTNERS * sizeof(_Atomic uint64_t[REPLAY_SPANS]))

/* A quarter more than asked for: with random keys, shards and buckets differ by less. */
static uint64_t slots_per_shard(uint64_t entries)
{
    return ((entries + entries / 4) / REPLAY_SHARDS / REPLAY_BUCKET + 2) * REPLAY_BUCKET;
}

size_t replay_table_octets(uint64_t entries)
{
    return HELD_OCTETS + (size_t)slots_per_shard(entries) * REPLAY_SHARDS * sizeof(struct replay_slot);
}

void replay_table_place(struct replay_table *t, void *memory, uint64_t entries, unsigned share)
{
    t->held = memory;
    t->slot = (struct replay_slot *)(void *)((char *)memory + HELD_OCTETS);
    t->per_shard = slots_per_shard(entries);
    t->share = share >= 100 ? UINT64_MAX : entries * share / 100;
}

uint64_t replay_table_sum(const void *octets, size_t n)
{
    return cs_fnv1a(CS_FNV1A_BASIS, octets, n);
}

static uint64_t slot_check(const uint8_t key[32], int64_t until, uint16_t partner)
{
    return cs_fnv1a(cs_fnv1a(cs_fnv1a(CS_FNV1A_BASIS, key, 32), &until, sizeof until), &partner, sizeof partner);
}

/* The key is a SHA-256: its octets are as good as any hash of it. */
static uint64_t key_hash(const uint8_t key[32], size_t which)
{
    uint64_t hash;
    memcpy(&hash, key + which * sizeof hash, sizeof hash);
    return hash;
}

unsigned replay_table_shard(const uint8_t key[32])
{
    return (unsigned)(key_hash(key, 0) % REPLAY_SHARDS);
}

/* ---- shares ---------------------------------------------------------------------------------------------------- */

/* Entries of this partner that stay for longer than the present span. */
static uint64_t share_held(const struct replay_table *t, uint16_t partner, cs_time now)
{
    uint64_t present = (uint64_t)now / REPLAY_SPAN_S;
    uint64_t sum = 0;
    for (unsigned i = 0; i < REPLAY_SPANS; i++) {
        uint64_t word = atomic_load_explicit(&t->held[partner][i], memory_order_relaxed);
        sum += word >> 32 > present ? word & UINT32_MAX : 0;
    }
    return sum;
}

static void share_add(struct replay_table *t, uint16_t partner, cs_time until, cs_time now)
{
    uint64_t last = (uint64_t)now / REPLAY_SPAN_S + REPLAY_SPANS - 1;
    uint64_t span = (uint64_t)until / REPLAY_SPAN_S;
    span = span < last ? span : last;
    _Atomic uint64_t *word = &t->held[partner][span % REPLAY_SPANS];
    uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
    uint64_t made;
    do {
        made = old >> 32 == span ? old + 1 : span << 32 | 1;
    } while (!atomic_compare_exchange_weak_explicit(word, &old, made, memory_order_relaxed, memory_order_relaxed));
}

/* ---- claims ---------------------------------------------------------------------------------------------------- */

/* The row is nobody's while it changes: see the head of replay_table.h. */
static void slot_write(struct replay_slot *slot, const uint8_t key[32], cs_time until, uint16_t partner)
{
    atomic_store_explicit(&slot->until, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    memcpy(slot->key, key, sizeof slot->key);
    slot->partner = partner;
    slot->check = slot_check(key, until, partner);
    atomic_store_explicit(&slot->until, until, memory_order_release);
}

static int claim(struct replay_table *t, const struct replay_claim *c, uint16_t partner)
{
    struct replay_slot *shard = t->slot + replay_table_shard(c->key) * t->per_shard;
    struct replay_slot *room = NULL;
    unsigned most = 0;
    for (size_t which = 1; which <= 2; which++) {
        struct replay_slot *bucket = shard + key_hash(c->key, which) % (t->per_shard / REPLAY_BUCKET) * REPLAY_BUCKET;
        struct replay_slot *hole = NULL;
        unsigned holes = 0;
        for (unsigned i = 0; i < REPLAY_BUCKET; i++) {
            if (atomic_load_explicit(&bucket[i].until, memory_order_relaxed) <= c->now) {
                hole = &bucket[i];
                holes++;
            } else if (memcmp(bucket[i].key, c->key, sizeof bucket[i].key) == 0) {
                return 0;
            }
        }
        if (holes > most) {
            most = holes;
            room = hole;
        }
    }
    if (room == NULL || (t->share != UINT64_MAX && share_held(t, partner, c->now) >= t->share)) {
        return -1;
    }
    cs_time until = c->keep_until > c->now ? c->keep_until : c->now + 1;
    slot_write(room, c->key, until, partner);
    share_add(t, partner, until, c->now);
    return 1;
}

int replay_table_claim(struct replay_table *t, const struct replay_claim *c)
{
    const char *name = c->partner != NULL ? c->partner : "";
    return claim(t, c, (uint16_t)(cs_fnv1a(CS_FNV1A_BASIS, name, strlen(name)) % REPLAY_PARTNERS));
}

/* ---- whole tables ---------------------------------------------------------------------------------------------- */

bool replay_table_review(struct replay_table *t, cs_time now, uint64_t *live)
{
    *live = 0;
    memset((void *)t->held, 0, HELD_OCTETS);
    for (uint64_t i = 0; i < t->per_shard * REPLAY_SHARDS; i++) {
        const struct replay_slot *slot = &t->slot[i];
        int64_t until = atomic_load_explicit(&slot->until, memory_order_relaxed);
        if (until == 0) {
            continue;
        }
        if (until < 0 || slot->partner >= REPLAY_PARTNERS ||
            slot->check != slot_check(slot->key, until, slot->partner)) {
            return false;
        }
        if (until > now) {
            share_add(t, slot->partner, until, now);
            ++*live;
        }
    }
    return true;
}

bool replay_table_copy(struct replay_table *t, const struct replay_table *from, cs_time now)
{
    uint64_t share = t->share;
    bool fits = true;
    t->share = UINT64_MAX; /* what was accepted stays remembered, whatever its partner may hold from now on */
    for (uint64_t i = 0; fits && i < from->per_shard * REPLAY_SHARDS; i++) {
        const struct replay_slot *slot = &from->slot[i];
        int64_t until = atomic_load_explicit(&slot->until, memory_order_relaxed);
        if (until > now) {
            struct replay_claim c = {slot->key, NULL, until, now};
            fits = claim(t, &c, slot->partner) >= 0;
        }
    }
    t->share = share;
    return fits;
}
