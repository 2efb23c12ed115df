/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_local.c: shards of open-addressed slots. Every look-up walks the whole window of its key, so an entry that has
 * left needs no tombstone, and the cost of a claim has an upper bound whatever a sender does.
 */
#include "gateway/replay_local.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define SHARDS 64
#define WINDOW 32

struct slot {
    uint8_t key[32];
    cs_time until; /* 0: never used */
};

struct shard {
    pthread_mutex_t lock;
    struct slot *slot;
};

struct replay_local {
    struct shard shard[SHARDS];
    size_t slots; /* per shard */
};

struct replay_local *replay_local_new(uint64_t entries)
{
    if (entries > SIZE_MAX / (2 * sizeof(struct slot))) {
        return NULL;
    }
    struct replay_local *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    /* A quarter more than asked for: with random keys a window overflows only when nearly every slot is in use. */
    r->slots = (size_t)(entries + entries / 4) / SHARDS + WINDOW;
    for (int i = 0; i < SHARDS; i++) {
        struct slot *slot = calloc(r->slots, sizeof *slot);
        if (slot != NULL && pthread_mutex_init(&r->shard[i].lock, NULL) == 0) {
            r->shard[i].slot = slot;
        } else {
            free(slot);
            replay_local_free(r);
            return NULL;
        }
    }
    return r;
}

void replay_local_free(struct replay_local *r)
{
    if (r == NULL) {
        return;
    }
    for (int i = 0; i < SHARDS; i++) {
        if (r->shard[i].slot != NULL) {
            pthread_mutex_destroy(&r->shard[i].lock);
        }
        free(r->shard[i].slot);
    }
    free(r);
}

int replay_local_claim(struct replay_local *r, const uint8_t key[32], cs_time keep_until, cs_time now)
{
    uint64_t hash; /* the key is a SHA-256: its octets are as good as any hash of it */
    memcpy(&hash, key, sizeof hash);
    struct shard *s = &r->shard[hash % SHARDS];
    size_t start = (size_t)(hash / SHARDS) % r->slots;
    struct slot *room = NULL;
    int result = -1;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < WINDOW; i++) {
        struct slot *slot = &s->slot[(start + i) % r->slots];
        if (slot->until <= now) {
            room = room == NULL ? slot : room;
        } else if (memcmp(slot->key, key, sizeof slot->key) == 0) {
            result = 0;
            goto out;
        }
    }
    if (room != NULL) {
        memcpy(room->key, key, sizeof room->key);
        room->until = keep_until > now ? keep_until : now + 1;
        result = 1;
    }
out:
    pthread_mutex_unlock(&s->lock);
    return result;
}

static int claim_now(void *ctx, const uint8_t key[32], int64_t keep_until)
{
    return replay_local_claim(ctx, key, keep_until, cs_clock_now());
}

struct wssec_replay replay_local_interface(struct replay_local *r)
{
    return (struct wssec_replay){r, claim_now};
}
