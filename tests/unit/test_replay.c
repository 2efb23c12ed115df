/* SPDX-License-Identifier: Apache-2.0 */
/* test_replay.c: the table of signatures seen: once is new, twice is a replay, full refuses, time forgets, threads
 * agree. */
#include "tests/unit/harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "gateway/replay_local.h"

const char *const harness_suite = "replay";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static void key_of(uint64_t n, uint8_t key[32])
{
    uint64_t x = n * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (int i = 0; i < 32; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        key[i] = (uint8_t)(x >> 24);
    }
}

static struct replay_local *all_of(uint64_t entries)
{
    return replay_local_new(&(struct replay_limits){entries, 100});
}

static int claim(struct replay_local *r, const uint8_t key[32], cs_time keep_until, cs_time now)
{
    return replay_local_claim(r, &(struct replay_claim){key, "acme", keep_until, now});
}

static void second_claim_is_a_replay(void)
{
    struct replay_local *r = all_of(1024);
    uint8_t a[32];
    uint8_t b[32];
    key_of(1, a);
    memcpy(b, a, sizeof b);
    b[31] ^= 1; /* same place in the table, another key */
    CU_ASSERT_EQUAL(claim(r, a, 1000, 100), 1);
    CU_ASSERT_EQUAL(claim(r, a, 1000, 100), 0);
    CU_ASSERT_EQUAL(claim(r, b, 1000, 100), 1);
    CU_ASSERT_EQUAL(claim(r, a, 5000, 999), 0);
    replay_local_free(r);
}

static void forgotten_when_due_not_before(void)
{
    struct replay_local *r = all_of(1024);
    uint8_t a[32];
    key_of(2, a);
    CU_ASSERT_EQUAL(claim(r, a, 1000, 100), 1);
    CU_ASSERT_EQUAL(claim(r, a, 1000, 999), 0);
    CU_ASSERT_EQUAL(claim(r, a, 2000, 1000), 1);
    CU_ASSERT_EQUAL(claim(r, a, 2000, 1999), 0);
    replay_local_free(r);
}

static void keep_until_in_the_past_still_stops_the_same_second(void)
{
    struct replay_local *r = all_of(1024);
    uint8_t a[32];
    key_of(3, a);
    CU_ASSERT_EQUAL(claim(r, a, 50, 100), 1);
    CU_ASSERT_EQUAL(claim(r, a, 50, 100), 0);
    replay_local_free(r);
}

static void holds_what_was_asked_for_then_refuses(void)
{
    struct replay_local *r = all_of(65536);
    uint8_t key[32];
    unsigned taken = 0;
    unsigned refused = 0;
    for (uint64_t i = 0; i < 65536; i++) {
        key_of(i, key);
        CU_ASSERT_EQUAL(claim(r, key, 1000, 100), 1);
    }
    for (uint64_t i = 65536; i < 196608; i++) {
        key_of(i, key);
        int rc = claim(r, key, 1000, 100);
        taken += rc == 1;
        refused += rc == -1;
    }
    CU_ASSERT_TRUE(refused > 0);
    CU_ASSERT_EQUAL(taken + refused, 131072);
    /* Full or not, nothing that is in it was given up for a newer one. */
    for (uint64_t i = 0; i < 65536; i++) {
        key_of(i, key);
        CU_ASSERT_EQUAL(claim(r, key, 1000, 100), 0);
    }
    key_of(200000, key);
    CU_ASSERT_EQUAL(claim(r, key, 3000, 1001), 1); /* room again when the old ones are due */
    replay_local_free(r);
}

struct racer {
    struct replay_local *replay;
    _Atomic unsigned *won;
    pthread_barrier_t *start;
};

static void *race(void *ctx)
{
    const struct racer *racer = ctx;
    uint8_t key[32];
    pthread_barrier_wait(racer->start);
    for (uint64_t i = 0; i < 2000; i++) {
        key_of(i, key);
        if (claim(racer->replay, key, 1000, 100) == 1) {
            atomic_fetch_add(racer->won, 1);
        }
    }
    return NULL;
}

static void of_many_threads_one_wins(void)
{
    struct replay_local *r = all_of(8192);
    _Atomic unsigned won = 0;
    pthread_barrier_t start;
    pthread_t thread[4];
    struct racer racer = {r, &won, &start};
    pthread_barrier_init(&start, NULL, 4);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&thread[i], NULL, race, &racer), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
    }
    CU_ASSERT_EQUAL(atomic_load(&won), 2000);
    pthread_barrier_destroy(&start);
    replay_local_free(r);
}

static void behind_the_interface(void)
{
    struct replay_local *r = all_of(1024);
    struct wssec_replay i = replay_local_interface(&(struct replay_asker){r, "acme"});
    uint8_t key[32];
    key_of(7, key);
    CU_ASSERT_EQUAL(i.claim(i.ctx, key, INT64_MAX), 1);
    CU_ASSERT_EQUAL(i.claim(i.ctx, key, INT64_MAX), 0);
    replay_local_free(r);
    replay_local_free(NULL);
    CU_ASSERT_PTR_NULL(all_of(UINT64_MAX / 2));
}

const struct harness_test harness_tests[] = {
    {"the second claim of a key is a replay", second_claim_is_a_replay},
    {"a key is forgotten when it is due, not before", forgotten_when_due_not_before},
    {"a key that is due already stops a replay in the same second", keep_until_in_the_past_still_stops_the_same_second},
    {"as many keys as asked for fit; a full table refuses and forgets nothing", holds_what_was_asked_for_then_refuses},
    {"of many threads that claim one key one wins", of_many_threads_one_wins},
    {"the interface of wssec claims with the wall clock", behind_the_interface},
    {NULL, NULL},
};
