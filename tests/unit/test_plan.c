/* SPDX-License-Identifier: Apache-2.0 */
/* test_plan.c: a change as data: its text is canonical, its hash changes with every octet, and what does not fit has
 * none. */
#include "keystore/plan.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "plan";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static void fill(struct ks_plan *p)
{
    ks_info info = {.alias = "acme-sign", .n = 2, .state = KS_DEACTIVATED, .version = 17};
    struct ks_rule_plan steps = {.n = 2, .step = {{KS_T5_RETIRE, false, 2}, {KS_T9_DESTROY, false, 2}}};
    ks_plan_begin(p, "remove", "acme-sign#2");
    ks_plan_put(p, KS_PLAN_ASKED, "reason", "line one\nline \\ two\\n");
    ks_plan_put(p, KS_PLAN_ASKED, "force", NULL); /* not given */
    ks_plan_put_number(p, KS_PLAN_ASKED, "expect-version", -17);
    ks_plan_put_time(p, KS_PLAN_ASKED, "at", NOW);
    ks_plan_put_time(p, KS_PLAN_ASKED, "since", 0);
    ks_plan_put_hex(p, KS_PLAN_FOUND, "file", (const uint8_t *)"\x00\xff", 2);
    ks_plan_put_entry(p, &info);
    ks_plan_put_steps(p, "acme-sign", &steps);
}

static void test_text_is_canonical_and_reads_back(void)
{
    static char text[KS_PLAN_TEXT];
    static struct ks_plan p;
    static struct ks_plan back;
    uint8_t a[32];
    uint8_t b[32];
    fill(&p);
    CU_ASSERT_EQUAL(ks_plan_write(&p, text, sizeof text), 0);
    CU_ASSERT_STRING_EQUAL(
        text, "cs-plan-1\nverb remove\nobject acme-sign#2\nasked reason line one\\nline \\\\ two\\\\n\n"
              "asked expect-version -17\nasked at 2026-06-01T00:00:00Z\nfound file 00ff\n"
              "found entry acme-sign#2 deactivated 0000000000000000000000000000000000000000000000000000000000000000 "
              "version 17\nfound step T5 acme-sign#2\nfound step T9 acme-sign#2\n");
    CU_ASSERT_EQUAL(ks_plan_read(text, &back), 0);
    CU_ASSERT_STRING_EQUAL(ks_plan_get(&back, KS_PLAN_ASKED, "reason"), "line one\nline \\ two\\n");
    CU_ASSERT_PTR_NULL(ks_plan_get(&back, KS_PLAN_FOUND, "reason"));
    CU_ASSERT_EQUAL(ks_plan_hash(&p, a), 0);
    CU_ASSERT_EQUAL(ks_plan_hash(&back, b), 0);
    CU_ASSERT_EQUAL(memcmp(a, b, sizeof a), 0);
    CU_ASSERT_EQUAL(ks_plan_write(&p, text, strlen(text)), -1); /* one octet too few */
}

static void test_every_octet_counts(void)
{
    static char text[KS_PLAN_TEXT];
    static char other[KS_PLAN_TEXT];
    static struct ks_plan p;
    static struct ks_plan q;
    uint8_t a[32];
    uint8_t b[32];
    fill(&p);
    MADE(ks_plan_write(&p, text, sizeof text) == 0 && ks_plan_hash(&p, a) == 0);
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        memcpy(other, text, n + 1);
        other[i] = other[i] == 'x' ? 'y' : 'x';
        if (ks_plan_read(other, &q) == 0) {
            CU_ASSERT_EQUAL(ks_plan_hash(&q, b), 0);
            CU_ASSERT_NOT_EQUAL(memcmp(a, b, sizeof a), 0);
        }
    }
    CU_ASSERT_EQUAL(ks_plan_read("", &q), -1);
    for (size_t i = 0; i < n; i++) { /* cut anywhere it is another plan or none */
        memcpy(other, text, i);
        other[i] = '\0';
        CU_ASSERT(ks_plan_read(other, &q) != 0 || (ks_plan_hash(&q, b) == 0 && memcmp(a, b, sizeof a) != 0));
    }
    q = p;
    q.field[0].kind = KS_PLAN_FOUND;
    CU_ASSERT(ks_plan_hash(&q, b) == 0 && memcmp(a, b, sizeof a) != 0);
}

static void test_what_does_not_fit_has_no_hash(void)
{
    static struct ks_plan p;
    static char big[KS_PLAN_VALUE + 1];
    uint8_t a[32];
    memset(big, 'a', sizeof big - 1);
    ks_plan_begin(&p, "remove", "acme-sign#2");
    ks_plan_put(&p, KS_PLAN_ASKED, "reason", big);
    CU_ASSERT_EQUAL(ks_plan_hash(&p, a), -1);
    ks_plan_begin(&p, "remove", "acme-sign#2");
    for (int i = 0; i < KS_PLAN_FIELDS; i++) {
        CU_ASSERT_FALSE(p.failed);
        ks_plan_put_number(&p, KS_PLAN_ASKED, "n", i);
    }
    CU_ASSERT_EQUAL(ks_plan_hash(&p, a), 0);
    ks_plan_put(&p, KS_PLAN_ASKED, "n", "one more");
    CU_ASSERT_EQUAL(ks_plan_hash(&p, a), -1);
    ks_plan_begin(&p, "a word that is no verb at all", "acme-sign#2");
    CU_ASSERT_EQUAL(ks_plan_hash(&p, a), -1);
}

const struct harness_test harness_tests[] = {
    {"text_is_canonical_and_reads_back", test_text_is_canonical_and_reads_back},
    {"every_octet_counts", test_every_octet_counts},
    {"what_does_not_fit_has_no_hash", test_what_does_not_fit_has_no_hash},
    {NULL, NULL},
};
