/* SPDX-License-Identifier: Apache-2.0 */
/* test_health.c: when a receiver is ejected, for how long, who tries it again, and what the active check adds. */
#include "gateway/upstream_health.h"
#include "tests/unit/harness.h"

const char *const harness_suite = "health";

#define SECOND INT64_C(1000000)

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static void failures_in_a_row_eject(void)
{
    struct health h = {0};
    int64_t now = 5 * SECOND;
    CU_ASSERT_FALSE(health_failed(&h, false, 3, now));
    CU_ASSERT_FALSE(health_failed(&h, false, 3, now));
    CU_ASSERT_FALSE(health_good(&h)); /* one success and the row begins anew */
    CU_ASSERT_FALSE(health_failed(&h, false, 3, now));
    CU_ASSERT_FALSE(health_failed(&h, false, 3, now));
    CU_ASSERT_EQUAL(health_state(&h, now), HEALTH_UP);
    CU_ASSERT_TRUE(health_failed(&h, false, 3, now));
    CU_ASSERT_EQUAL(health_state(&h, now), HEALTH_OUT);
    CU_ASSERT_EQUAL(health_wait_us(&h, now), SECOND);
    CU_ASSERT_FALSE(health_failed(&h, false, 3, now + 10)); /* was under way: no longer time for it */
    CU_ASSERT_EQUAL(health_state(&h, now + SECOND - 1), HEALTH_OUT);
    CU_ASSERT_EQUAL(health_state(&h, now + SECOND), HEALTH_TRY);
}

static void one_exchange_tries_and_the_time_doubles(void)
{
    struct health h = {0};
    int64_t now = 5 * SECOND;
    int64_t expected = SECOND;
    CU_ASSERT_TRUE(health_failed(&h, false, 1, now));
    for (int i = 0; i < 10; i++) {
        now += expected;
        CU_ASSERT_TRUE(health_try(&h, now));
        CU_ASSERT_FALSE(health_try(&h, now));
        CU_ASSERT_EQUAL(health_state(&h, now), HEALTH_OUT);
        CU_ASSERT_TRUE(health_failed(&h, true, 1, now));
        expected = expected * 2 < HEALTH_BACKOFF_MOST_US ? expected * 2 : HEALTH_BACKOFF_MOST_US;
        CU_ASSERT_EQUAL(health_wait_us(&h, now), expected);
    }
    now += expected;
    CU_ASSERT_TRUE(health_try(&h, now));
    CU_ASSERT_TRUE(health_good(&h));
    CU_ASSERT_EQUAL(health_state(&h, now), HEALTH_UP);
    CU_ASSERT_TRUE(health_failed(&h, false, 1, now));
    CU_ASSERT_EQUAL(health_wait_us(&h, now), SECOND); /* forgiven */
}

static void a_try_without_an_answer_is_left_to_another(void)
{
    struct health h = {0};
    CU_ASSERT_TRUE(health_failed(&h, false, 1, SECOND));
    CU_ASSERT_TRUE(health_try(&h, 3 * SECOND));
    CU_ASSERT_EQUAL(health_state(&h, 3 * SECOND + 1), HEALTH_OUT);
    CU_ASSERT_EQUAL(health_state(&h, 4 * SECOND), HEALTH_TRY);
    CU_ASSERT_TRUE(health_try(&h, 4 * SECOND));
}

static void never_means_never(void)
{
    struct health h = {0};
    for (int i = 0; i < 1000; i++) {
        CU_ASSERT_FALSE(health_failed(&h, false, 0, SECOND));
    }
    CU_ASSERT_EQUAL(health_state(&h, SECOND), HEALTH_UP);
}

static void two_failed_checks_are_down_and_one_good_one_is_up(void)
{
    struct health h = {0};
    CU_ASSERT_FALSE(health_checked(&h, false));
    CU_ASSERT_FALSE(health_checked(&h, true));
    CU_ASSERT_FALSE(health_checked(&h, false));
    CU_ASSERT_EQUAL(health_state(&h, SECOND), HEALTH_UP);
    CU_ASSERT_TRUE(health_checked(&h, false));
    CU_ASSERT_EQUAL(health_state(&h, SECOND), HEALTH_OUT);
    CU_ASSERT_FALSE(health_checked(&h, false)); /* said once */
    CU_ASSERT_TRUE(health_checked(&h, true));
    CU_ASSERT_EQUAL(health_state(&h, SECOND), HEALTH_UP);
}

const struct harness_test harness_tests[] = {
    {"failures in a row eject", failures_in_a_row_eject},
    {"one exchange tries, and the time doubles", one_exchange_tries_and_the_time_doubles},
    {"a try without an answer is left to another", a_try_without_an_answer_is_left_to_another},
    {"never means never", never_means_never},
    {"two failed checks are down, one good one is up", two_failed_checks_are_down_and_one_good_one_is_up},
    {NULL, NULL},
};
