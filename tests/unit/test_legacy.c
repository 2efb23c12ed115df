/* SPDX-License-Identifier: Apache-2.0 */
/* test_legacy.c: dated exceptions are counted for each partner and told once a day. */
#include "tests/unit/harness.h"

#include <stdio.h>

#include "base/log.h"
#include "gateway/legacy.h"

const char *const harness_suite = "legacy";

#define NOW ((cs_time)1790000000)

int harness_setup(void)
{
    cs_log_setup(CS_LOG_HUMAN, CS_LOG_ERROR, 2);
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static void the_first_use_and_each_new_day_are_told(void)
{
    struct legacy *l = legacy_new();
    CU_ASSERT_PTR_NOT_NULL_FATAL(l);
    CU_ASSERT_TRUE(legacy_use(l, "acme", "sha1", NOW + 90 * CS_DAY, NOW));
    CU_ASSERT_FALSE(legacy_use(l, "acme", "sha1", NOW + 90 * CS_DAY, NOW + CS_DAY - 1));
    CU_ASSERT_TRUE(legacy_use(l, "acme", "sha1", NOW + 90 * CS_DAY, NOW + CS_DAY));
    CU_ASSERT_FALSE(legacy_use(l, "acme", "sha1", NOW + 90 * CS_DAY, NOW + CS_DAY + 1));
    legacy_free(l);
}

static void partners_and_exceptions_are_told_apart(void)
{
    struct legacy *l = legacy_new();
    CU_ASSERT_PTR_NOT_NULL_FATAL(l);
    CU_ASSERT_TRUE(legacy_use(l, "acme", "sha1", NOW + CS_DAY, NOW));
    CU_ASSERT_TRUE(legacy_use(l, "globex", "sha1", NOW + CS_DAY, NOW));
    CU_ASSERT_TRUE(legacy_use(l, "acme", "rsa-1024", NOW + CS_DAY, NOW));
    CU_ASSERT_FALSE(legacy_use(l, "globex", "sha1", NOW + CS_DAY, NOW));
    legacy_free(l);
}

static void more_partners_than_rows_share_the_last_row(void)
{
    struct legacy *l = legacy_new();
    unsigned told = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(l);
    for (int i = 0; i < 1000; i++) {
        char partner[16];
        snprintf(partner, sizeof partner, "p%d", i);
        told += legacy_use(l, partner, "sha1", NOW + CS_DAY, NOW);
    }
    CU_ASSERT_EQUAL(told, 256);
    legacy_free(l);
    legacy_free(NULL);
}

const struct harness_test harness_tests[] = {
    {"the first use and each new day are told", the_first_use_and_each_new_day_are_told},
    {"partners and exceptions are told apart", partners_and_exceptions_are_told_apart},
    {"more partners than rows share the last row", more_partners_than_rows_share_the_last_row},
    {NULL, NULL},
};
