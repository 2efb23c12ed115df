/* SPDX-License-Identifier: Apache-2.0 */
/* test_canary.c: which request is signed with the successor, and when its refusals are more than chance. */
#include "keystore/canary.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "canary";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static void test_of_every_hundred_exactly_the_share_is_taken_and_never_the_first(void)
{
    for (unsigned share = 0; share < 100; share++) {
        unsigned n = 0;
        unsigned run = 0;
        unsigned longest = 0;
        for (uint64_t turn = 700; turn < 800; turn++) {
            bool taken = ks_canary_turn(turn, share);
            n += taken;
            run = taken ? run + 1 : 0;
            longest = run > longest ? run : longest;
        }
        CU_ASSERT_EQUAL(n, share);
        CU_ASSERT_TRUE(share > 50 || longest <= 1);
        CU_ASSERT_FALSE(ks_canary_turn(0, share));
    }
}

static void test_rise_of_refusals_is_told_from_a_bad_day_of_the_other_side(void)
{
    static const struct {
        struct ks_canary_tally t;
        bool refused;
    } row[] = {
        {{{0, 0}, {0, 0}}, false},        {{{8, 2}, {0, 2}}, false}, /* too few to say anything */
        {{{12, 3}, {0, 3}}, true},        {{{57, 3}, {0, 3}}, true},
        {{{12, 3}, {12, 3}}, false}, /* it refuses everything */
        {{{0, 20}, {0, 20}}, true},  /* nothing to compare with, but too much */
        {{{800, 200}, {8, 2}}, false},    {{{800, 200}, {8, 4}}, false},
        {{{800, 200}, {8, 9}}, true},     {{{800, 200}, {400, 110}}, false}, /* faults are part of the business */
        {{{800, 200}, {400, 140}}, true}, {{{800, 200}, {400, 3}}, false},   /* better than the old one */
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        CU_ASSERT_EQUAL(ks_canary_refused(&row[i].t), row[i].refused);
    }
}

const struct harness_test harness_tests[] = {
    {"of_every_hundred_exactly_the_share_is_taken_and_never_the_first",
     test_of_every_hundred_exactly_the_share_is_taken_and_never_the_first},
    {"rise_of_refusals_is_told_from_a_bad_day_of_the_other_side",
     test_rise_of_refusals_is_told_from_a_bad_day_of_the_other_side},
    {NULL, NULL},
};
