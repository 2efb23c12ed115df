/* SPDX-License-Identifier: Apache-2.0 */
/* test_use.c: uses are counted exactly, by thread, day and sender, whoever collects meanwhile, and written once. */
#include <pthread.h>
#include <stdatomic.h>

#include "keystore/counts.h"
#include "keystore/use.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "use";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

enum { THREADS = 4, EACH = 20000, ENTRIES = 7, SENDERS = 5 };

static void *count_many(void *ctx)
{
    for (int i = 0; i < EACH; i++) {
        char sender[24];
        snprintf(sender, sizeof sender, "10.0.0.%d", i % SENDERS);
        ks_counts_add(ctx, 1 + i % ENTRIES, sender, i % 4 != 0, NOW + i);
    }
    return NULL;
}

static void test_no_use_is_lost_or_doubled_while_tables_are_taken(void)
{
    struct ks_counts *c = ks_counts_new();
    pthread_t thread[THREADS];
    uint64_t ok = 0;
    uint64_t bad = 0;
    MADE(c != NULL);
    for (int round = 0; round < 3; round++) { /* later threads take over the places of earlier ones */
        for (int i = 0; i < THREADS; i++) {
            MADE(pthread_create(&thread[i], NULL, count_many, c) == 0);
        }
        for (int i = 0; i < 200 + 2 * THREADS; i++) {
            if (i >= 200 && i % 2 == 0) {
                MADE(pthread_join(thread[(i - 200) / 2], NULL) == 0);
            }
            size_t n = 0;
            const struct ks_count *row = ks_counts_take(c, &n);
            for (size_t k = 0; k < n; k++) {
                CU_ASSERT_TRUE(row[k].ok + row[k].bad > 0 && row[k].entry_id >= 1 && row[k].entry_id <= ENTRIES);
                ok += row[k].ok;
                bad += row[k].bad;
            }
            ks_counts_drop(c);
        }
    }
    CU_ASSERT_EQUAL(ok + bad, 3 * THREADS * EACH);
    CU_ASSERT_EQUAL(bad, 3 * THREADS * EACH / 4);
    ks_counts_free(c);
}

static void test_what_is_not_dropped_comes_again_added_up(void)
{
    struct ks_counts *c = ks_counts_new();
    size_t n = 9;
    MADE(c != NULL);
    CU_ASSERT_PTR_NULL(ks_counts_take(c, &n));
    CU_ASSERT_EQUAL(n, 0);
    ks_counts_add(c, 1, "a", true, NOW + 5);
    ks_counts_add(c, 1, "b", false, NOW + 6);
    CU_ASSERT_PTR_NOT_NULL(ks_counts_take(c, &n));
    CU_ASSERT_EQUAL(n, 2);
    ks_counts_add(c, 1, "a", true, NOW + 3);
    ks_counts_add(c, 1, "a", true, NOW + CS_DAY);
    const struct ks_count *row = ks_counts_take(c, &n); /* the first ones could not be written */
    CU_ASSERT_EQUAL_FATAL(n, 3);
    CU_ASSERT_STRING_EQUAL(row[0].sender, "a");
    CU_ASSERT_EQUAL(row[0].ok, 2);
    CU_ASSERT_EQUAL(row[0].first, NOW + 3);
    CU_ASSERT_EQUAL(row[0].last, NOW + 5);
    CU_ASSERT_EQUAL(row[1].bad, 1);
    CU_ASSERT_EQUAL(row[1].last, 0); /* a refused one is no use */
    CU_ASSERT_EQUAL(row[2].day, row[0].day + 1);
    ks_counts_drop(c);
    CU_ASSERT_PTR_NULL(ks_counts_take(c, &n));
    ks_counts_free(c);
}

static void test_many_senders_are_bounded_and_none_of_their_uses_lost(void)
{
    struct ks_counts *c = ks_counts_new();
    size_t n = 0;
    uint64_t ok = 0;
    MADE(c != NULL);
    for (int i = 0; i < 5000; i++) {
        char sender[120];
        snprintf(sender, sizeof sender, "a sender whose name is far longer than anyone would want to store it: %d", i);
        ks_counts_add(c, 1, sender, true, NOW);
        snprintf(sender, sizeof sender, "%d", i);
        ks_counts_add(c, 2, sender, true, NOW);
    }
    const struct ks_count *row = ks_counts_take(c, &n);
    CU_ASSERT_TRUE(n <= 1024 + 1);
    for (size_t i = 0; i < n; i++) {
        ok += row[i].ok;
    }
    CU_ASSERT_EQUAL(ok, 10000);
    ks_counts_free(c);
}

struct seen {
    uint64_t by_day, by_sender, unnamed;
    size_t senders;
};

static int see(void *ctx, const struct ks_use_row *row, cs_error *e)
{
    struct seen *s = ctx;
    (void)e;
    CU_ASSERT_STRING_EQUAL(row->node, "gw1");
    *(row->by_sender ? &s->by_sender : &s->by_day) += row->c.ok;
    s->senders += row->by_sender && row->c.sender[0] != '\0';
    s->unnamed += row->by_sender && row->c.sender[0] == '\0' ? row->c.ok : 0;
    return 0;
}

static void test_store_keeps_days_and_a_bounded_number_of_senders(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    const struct ks_driver *d = f.s->driver;
    const ks_snapshot *s = NULL;
    struct ks_counts *c = ks_counts_new();
    MADE(c != NULL && ks_snapshot_read(f.s, NOW, &s, &f.e) == 0);
    for (int i = 0; i < 3 * KS_SENDERS_MAX; i++) {
        char sender[24];
        snprintf(sender, sizeof sender, "10.0.0.%d", i);
        ks_use_count(c, s, "acme-sign", 1, sender, true, NOW);
    }
    ks_use_count(c, s, "acme-sign", 1, "10.0.0.0", false, NOW);
    ks_use_count(c, s, "acme-sign", 2, "10.0.0.0", true, NOW); /* not there */
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(EXIT_OF(&f, ks_use_flush(f.s, c, s, "gw1", NOW, &f.e)), 0); /* the second finds nothing */
    }
    struct seen seen = {0};
    CU_ASSERT_EQUAL(d->uses(f.s->b, 1, NOW / CS_DAY, see, &seen, &f.e), 0);
    CU_ASSERT_EQUAL(seen.by_day, 3 * KS_SENDERS_MAX);
    CU_ASSERT_EQUAL(seen.by_sender, 3 * KS_SENDERS_MAX);
    CU_ASSERT_EQUAL(seen.senders, KS_SENDERS_MAX);
    CU_ASSERT_EQUAL(seen.unnamed, 2 * KS_SENDERS_MAX);
    /* names go after half a year, counts stay */
    CU_ASSERT_EQUAL(d->use_prune(f.s->b, NOW + 181 * CS_DAY, &f.e), 0);
    memset(&seen, 0, sizeof seen);
    CU_ASSERT_EQUAL(d->uses(f.s->b, 1, 0, see, &seen, &f.e), 0);
    CU_ASSERT_EQUAL(seen.by_day, 3 * KS_SENDERS_MAX);
    CU_ASSERT_EQUAL(seen.by_sender, 0);
    ks_counts_free(c);
    ks_snapshot_release(s);
    made_free(&m);
    fixture_close(&f);
}

const struct harness_test harness_tests[] = {
    {"no_use_is_lost_or_doubled_while_tables_are_taken", test_no_use_is_lost_or_doubled_while_tables_are_taken},
    {"what_is_not_dropped_comes_again_added_up", test_what_is_not_dropped_comes_again_added_up},
    {"many_senders_are_bounded_and_none_of_their_uses_lost", test_many_senders_are_bounded_and_none_of_their_uses_lost},
    {"store_keeps_days_and_a_bounded_number_of_senders", test_store_keeps_days_and_a_bounded_number_of_senders},
    {NULL, NULL},
};
