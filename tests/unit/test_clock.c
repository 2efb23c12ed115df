/* SPDX-License-Identifier: Apache-2.0 */
/* test_clock.c: whether the clock can be believed, and what the keeper does when it can and when it cannot. */
#include "keystore/audit.h"
#include "keystore/time.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "clock";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static void test_clock_is_doubted_at_its_borders(void)
{
    const struct {
        struct ks_clock_facts f;
        cs_time now;
        enum ks_clock expected;
    } row[] = {
        {{.high_water = 0}, NOW, KS_CLOCK_GOOD},
        {{.high_water = NOW}, NOW - 5, KS_CLOCK_GOOD},
        {{.high_water = NOW}, NOW - 6, KS_CLOCK_BACK},
        {{.high_water = NOW}, NOW + 7 * CS_DAY, KS_CLOCK_GOOD},
        {{.high_water = NOW}, NOW + 7 * CS_DAY + 1, KS_CLOCK_JUMP},
        {{.newest_node = NOW + 300}, NOW, KS_CLOCK_GOOD},
        {{.newest_node = NOW + 301}, NOW, KS_CLOCK_SKEW},
        {{.running = true, .last_now = NOW, .since_last_s = 10}, NOW + 70, KS_CLOCK_GOOD},
        {{.running = true, .last_now = NOW, .since_last_s = 10}, NOW + 71, KS_CLOCK_AHEAD},
        {{.running = true, .last_now = NOW, .since_last_s = 100}, NOW + 40, KS_CLOCK_GOOD},
        {{.running = true, .last_now = NOW, .since_last_s = 100}, NOW + 39, KS_CLOCK_BEHIND},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        char text[256];
        CU_ASSERT_EQUAL(ks_clock_judge(&row[i].f, row[i].now, text, sizeof text), row[i].expected);
        CU_ASSERT_EQUAL(text[0] != '\0', row[i].expected != KS_CLOCK_GOOD);
    }
}

static size_t due_at(struct fixture *f, cs_time now, bool *suspect, cs_time *next)
{
    ks_report r;
    MADE(EXIT_OF(f, ks_tick(f->s, false, NULL, now, &r, &f->e)) == 0);
    size_t done = 0;
    for (size_t i = 0; i < r.n; i++) {
        done += r.due[i].done;
    }
    *suspect = r.clock.suspect;
    *next = r.next;
    ks_report_free(&r);
    return done;
}

static void test_window_ends_by_itself_unless_the_clock_jumped(void)
{
    struct fixture f;
    bool suspect = false;
    cs_time next = 0;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    MADE(act_at(&f, KS_DO_DEACTIVATE, "acme-sign", 1, NOW) == 0);
    cs_time stop = f.out.info.process_stop;
    CU_ASSERT_EQUAL(due_at(&f, NOW + 1, &suspect, &next), 0);
    CU_ASSERT_EQUAL(next, stop);
    CU_ASSERT_EQUAL(due_at(&f, stop, &suspect, &next), 0); /* 90 days without a sign of life */
    CU_ASSERT_TRUE(suspect);
    ks_clock_info clock;
    MADE(ks_clock_accept(f.s, false, &actor, NULL, stop, &clock, &f.e) == 0);
    CU_ASSERT_EQUAL(due_at(&f, stop - 1, &suspect, &next), 0);
    CU_ASSERT_FALSE(suspect);
    CU_ASSERT_EQUAL(due_at(&f, stop, &suspect, &next), 1);
    CU_ASSERT_EQUAL(due_at(&f, stop, &suspect, &next), 0);
    made_free(&m);
    fixture_close(&f);
}

static void test_quiet_store_follows_the_clock(void)
{
    struct fixture f;
    bool suspect = false;
    cs_time next = 0;
    fixture_open(&f);
    for (cs_time now = NOW; now < NOW + 30 * CS_DAY; now += 5 * CS_DAY) {
        due_at(&f, now, &suspect, &next);
        CU_ASSERT_FALSE(suspect);
    }
    fixture_close(&f);
}

/* The machine has run for up seconds: is the clock doubted? */
static bool doubted(struct fixture *f, const char *boot, int64_t up, cs_time now)
{
    ks_report r;
    const ks_uptime ran = {boot, up};
    MADE(EXIT_OF(f, ks_tick(f->s, false, &ran, now, &r, &f->e)) == 0);
    bool suspect = r.clock.suspect;
    ks_report_free(&r);
    return suspect;
}

static void test_clock_that_leaves_the_running_machine_is_doubted_until_accepted(void)
{
    struct fixture f;
    ks_clock_info info;
    fixture_open(&f);
    CU_ASSERT_FALSE(doubted(&f, "b1", 1000, NOW));
    CU_ASSERT_FALSE(doubted(&f, "b1", 1010, NOW + 70));
    CU_ASSERT_TRUE(doubted(&f, "b1", 1020, NOW + 81));
    CU_ASSERT_TRUE(doubted(&f, "b1", 1080, NOW + 141)); /* it does not become right by being looked at */
    CU_ASSERT_FALSE(doubted(&f, "b1", 1080, NOW + 80)); /* set right again */
    CU_ASSERT_TRUE(doubted(&f, "b1", 1090, NOW + 4 * CS_DAY));
    CU_ASSERT_FALSE(doubted(&f, "b2", 10, NOW + 4 * CS_DAY)); /* a stop of four days, and another boot */
    CU_ASSERT_TRUE(doubted(&f, "b2", 20, NOW + 5 * CS_DAY));
    const ks_uptime up = {"b2", 30};
    MADE(ks_clock_look(f.s, &up, NOW + 5 * CS_DAY, &info, &f.e) == 0);
    CU_ASSERT_TRUE(info.suspect);
    MADE(ks_clock_accept(f.s, false, &actor, &up, NOW + 5 * CS_DAY + 10, &info, &f.e) == 0);
    CU_ASSERT_FALSE(doubted(&f, "b2", 40, NOW + 5 * CS_DAY + 20));
    CU_ASSERT_TRUE(doubted(&f, "b2", 50, NOW + 5 * CS_DAY + 91));
    fixture_close(&f);
}

static void test_witness_follows_a_clock_that_is_believed(void)
{
    struct fixture f;
    fixture_open(&f);
    CU_ASSERT_FALSE(doubted(&f, "b1", 0, NOW));
    for (int hour = 1; hour < 100;
         hour++) { /* a clock that runs 30 s a hour too fast is never a minute ahead within one */
        CU_ASSERT_FALSE(doubted(&f, "b1", hour * 3600, NOW + hour * 3630));
    }
    char text[256];
    uint64_t rows = 0;
    CU_ASSERT_EQUAL(ks_audit_verify(f.s, &rows, text, sizeof text, &f.e), 0);
    fixture_close(&f);
}

static void test_window_waits_for_the_counters_of_every_node(void)
{
    struct fixture f;
    bool suspect = false;
    cs_time next = 0;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    MADE(act_at(&f, KS_DO_DEACTIVATE, "acme-sign", 1, NOW) == 0);
    cs_time stop = f.out.info.process_stop;
    ks_clock_info clock;
    MADE(ks_clock_accept(f.s, false, &actor, NULL, stop, &clock, &f.e) == 0);
    char text[200];
    snprintf(text, sizeof text, "insert into node(node_id, applied_gen, applied_at, clock_at) values('gw1',1,1,%lld)",
             (long long)stop - 5);
    MADE(sql(&f, text) == SQLITE_OK);
    CU_ASSERT_EQUAL(due_at(&f, stop, &suspect, &next), 0);
    snprintf(text, sizeof text, "update node set clock_at=%lld", (long long)stop);
    MADE(sql(&f, text) == SQLITE_OK);
    CU_ASSERT_EQUAL(due_at(&f, stop + 1, &suspect, &next), 1);
    made_free(&m);
    fixture_close(&f);
}

const struct harness_test harness_tests[] = {
    {"clock_is_doubted_at_its_borders", test_clock_is_doubted_at_its_borders},
    {"window_ends_by_itself_unless_the_clock_jumped", test_window_ends_by_itself_unless_the_clock_jumped},
    {"clock_that_leaves_the_running_machine_is_doubted_until_accepted",
     test_clock_that_leaves_the_running_machine_is_doubted_until_accepted},
    {"witness_follows_a_clock_that_is_believed", test_witness_follows_a_clock_that_is_believed},
    {"quiet_store_follows_the_clock", test_quiet_store_follows_the_clock},
    {"window_waits_for_the_counters_of_every_node", test_window_waits_for_the_counters_of_every_node},
    {NULL, NULL},
};
