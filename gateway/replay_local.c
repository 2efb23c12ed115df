/* SPDX-License-Identifier: Apache-2.0 */
/* replay_local.c: locks around replay_table.c: a mutex per shard among threads, a lock of the file among processes. */
#include "gateway/replay_local.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/replay_file.h"

struct replay_local {
    struct replay_table table;
    pthread_mutex_t lock[REPLAY_SHARDS];
    unsigned n_lock;
    void *memory;              /* of the table; NULL: it lies in the file */
    struct replay_file *file;  /* NULL: in memory */
    _Atomic uint64_t count[3]; /* claims by result: failed, seen, new */
    _Atomic bool failing;
};

static struct replay_local *with_locks(void)
{
    struct replay_local *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    while (r->n_lock < REPLAY_SHARDS) {
        if (pthread_mutex_init(&r->lock[r->n_lock], NULL) != 0) {
            replay_local_free(r);
            return NULL;
        }
        r->n_lock++;
    }
    return r;
}

struct replay_local *replay_local_new(const struct replay_limits *limits)
{
    if (limits->entries > REPLAY_ENTRIES_MAX) {
        return NULL;
    }
    struct replay_local *r = with_locks();
    if (r == NULL) {
        return NULL;
    }
    r->memory = calloc(1, replay_table_octets(limits->entries));
    if (r->memory == NULL) {
        replay_local_free(r);
        return NULL;
    }
    replay_table_place(&r->table, r->memory, limits->entries, limits->share);
    return r;
}

struct replay_local *replay_local_open(const char *path, const struct replay_limits *limits, uint64_t *live,
                                       cs_error *e)
{
    struct replay_local *r = with_locks();
    if (r == NULL) {
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the replay store");
        return NULL;
    }
    r->file = replay_file_open(path, limits->entries, cs_clock_now(), live, e);
    if (r->file == NULL) {
        replay_local_free(r);
        return NULL;
    }
    replay_table_place(&r->table, replay_file_memory(r->file), limits->entries, limits->share);
    return r;
}

void replay_local_free(struct replay_local *r)
{
    if (r == NULL) {
        return;
    }
    while (r->n_lock > 0) {
        pthread_mutex_destroy(&r->lock[--r->n_lock]);
    }
    replay_file_close(r->file);
    free(r->memory);
    free(r);
}

int replay_local_claim(struct replay_local *r, const struct replay_claim *c)
{
    unsigned shard = replay_table_shard(c->key);
    int result = -1;
    pthread_mutex_lock(&r->lock[shard]);
    if (r->file == NULL) {
        result = replay_table_claim(&r->table, c);
    } else if (replay_file_lock(r->file, shard) == 0) {
        result = replay_table_claim(&r->table, c);
        replay_file_unlock(r->file, shard);
    }
    pthread_mutex_unlock(&r->lock[shard]);
    atomic_fetch_add_explicit(&r->count[result + 1], 1, memory_order_relaxed);
    if (atomic_load_explicit(&r->failing, memory_order_relaxed) != (result < 0)) {
        atomic_store(&r->failing, result < 0);
    }
    return result;
}

struct replay_counts replay_local_counts(const struct replay_local *r)
{
    return (struct replay_counts){atomic_load(&r->count[2]), atomic_load(&r->count[1]), atomic_load(&r->count[0]),
                                  !atomic_load(&r->failing)};
}

static int claim_now(void *ctx, const uint8_t key[32], int64_t keep_until)
{
    const struct replay_asker *asker = ctx;
    struct replay_claim c = {key, asker->partner, keep_until, cs_clock_now()};
    return replay_local_claim(asker->store, &c);
}

struct wssec_replay replay_local_interface(struct replay_asker *asker)
{
    return (struct wssec_replay){asker, claim_now};
}
