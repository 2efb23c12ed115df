/* SPDX-License-Identifier: Apache-2.0 */
/* test_hold.c: routes on hold: rows that every node follows, with their audit. */
#include "keystore/store.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "hold";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static bool held(struct fixture *f, const char *route)
{
    const ks_snapshot *s = NULL;
    MADE(ks_snapshot_read(f->s, NOW, &s, &f->e) == 0);
    bool yes = ks_held(s, route) != NULL;
    ks_snapshot_release(s);
    return yes;
}

static void test_hold_begins_and_ends_once(void)
{
    struct fixture f;
    fixture_open(&f);
    ks_hold_outcome out;
    uint64_t before = ks_generation(f.s);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_hold(f.s, "orders", true, &actor, NOW, &out, &f.e)), 0);
    CU_ASSERT_FALSE(out.done);
    CU_ASSERT_EQUAL(out.generation, before + 1);
    CU_ASSERT_FALSE(held(&f, "orders"));
    CU_ASSERT_EQUAL(ks_generation(f.s), before);

    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_hold(f.s, "orders", false, &actor, NOW, &out, &f.e)), 0);
    CU_ASSERT_TRUE(out.done && !out.already);
    CU_ASSERT_EQUAL(ks_generation(f.s), out.generation);
    CU_ASSERT_TRUE(held(&f, "orders"));
    CU_ASSERT_FALSE(held(&f, "invoices"));

    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_hold(f.s, "orders", false, &actor, NOW + 5, &out, &f.e)), 0);
    CU_ASSERT_TRUE(!out.done && out.already);
    CU_ASSERT_EQUAL(out.hold.since, NOW);
    CU_ASSERT_STRING_EQUAL(out.hold.actor, "tester");
    CU_ASSERT_STRING_EQUAL(out.hold.reason, "a test");
    CU_ASSERT_EQUAL(ks_generation(f.s), before + 1);

    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_release(f.s, "orders", false, &actor, NOW + 9, &out, &f.e)), 0);
    CU_ASSERT_TRUE(out.done);
    CU_ASSERT_EQUAL(out.hold.since, NOW);
    CU_ASSERT_FALSE(held(&f, "orders"));
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_release(f.s, "orders", false, &actor, NOW + 9, &out, &f.e)), 0);
    CU_ASSERT_TRUE(!out.done && out.already);

    uint64_t rows = 0;
    char text[256];
    CU_ASSERT_EQUAL(ks_audit_verify(f.s, &rows, text, sizeof text, &f.e), 0);
    CU_ASSERT(rows > 3); /* three changes, each with the content of what it wrote */
    fixture_close(&f);
}

static void test_hold_of_what_is_no_route_is_refused(void)
{
    struct fixture f;
    fixture_open(&f);
    ks_hold_outcome out;
    static const char *const bad[] = {"", "two words", "a/b", "orders\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_EQUAL(EXIT_OF(&f, ks_hold(f.s, bad[i], false, &actor, NOW, &out, &f.e)), CS_EXIT_USAGE);
    }
    CU_ASSERT_EQUAL(ks_generation(f.s), 1);
    fixture_close(&f);
}

static void test_running_process_follows_a_hold(void)
{
    struct fixture f;
    fixture_open(&f);
    ks_live *l = NULL;
    ks_hold_outcome out;
    size_t n = 9;
    MADE(ks_live_open(&l, f.uri, NULL, NOW, &f.e) == 0);
    const ks_snapshot *before = ks_live_get(l);
    MADE(ks_hold(f.s, "orders", false, &actor, NOW, &out, &f.e) == 0);
    MADE(ks_hold(f.s, "invoices", false, &actor, NOW, &out, &f.e) == 0);
    CU_ASSERT_EQUAL(ks_live_step(l, 2000, NOW, &f.e), 1);
    const ks_snapshot *after = ks_live_get(l);
    CU_ASSERT_PTR_NULL(ks_held(before, "orders"));
    CU_ASSERT_PTR_NOT_NULL(ks_held(after, "orders"));
    const ks_hold_info *all = ks_holds(after, &n);
    CU_ASSERT_EQUAL_FATAL(n, 2);
    CU_ASSERT_STRING_EQUAL(all[0].route, "invoices");
    CU_ASSERT_STRING_EQUAL(all[1].route, "orders");
    ks_snapshot_release(before);
    ks_snapshot_release(after);
    MADE(ks_release(f.s, "orders", false, &actor, NOW, &out, &f.e) == 0);
    CU_ASSERT_EQUAL(ks_live_step(l, 2000, NOW, &f.e), 1);
    after = ks_live_get(l);
    CU_ASSERT_PTR_NULL(ks_held(after, "orders"));
    ks_snapshot_release(after);
    ks_live_close(l);
    fixture_close(&f);
}

IN_MEMORY(hold_begins_and_ends_once)
IN_MEMORY(hold_of_what_is_no_route_is_refused)
IN_MEMORY(running_process_follows_a_hold)

const struct harness_test harness_tests[] = {
    {"hold_begins_and_ends_once", test_hold_begins_and_ends_once},
    {"hold_of_what_is_no_route_is_refused", test_hold_of_what_is_no_route_is_refused},
    {"running_process_follows_a_hold", test_running_process_follows_a_hold},
    {"hold_begins_and_ends_once_in_memory", test_hold_begins_and_ends_once_in_memory},
    {"hold_of_what_is_no_route_is_refused_in_memory", test_hold_of_what_is_no_route_is_refused_in_memory},
    {"running_process_follows_a_hold_in_memory", test_running_process_follows_a_hold_in_memory},
    {NULL, NULL},
};
