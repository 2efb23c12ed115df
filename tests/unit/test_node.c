/* SPDX-License-Identifier: Apache-2.0 */
/* test_node.c: the processes that serve a store: names, leases, acknowledgements with their counts, forgetting. */
#include "keystore/node.h"
#include "keystore/store.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "node";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static ks_live *serve(struct fixture *f, const char *node, const char *place, cs_time now)
{
    const ks_options options = {.node = node, .place = place};
    ks_live *l = NULL;
    MADE(ks_live_open(&l, f->uri, &options, now, &f->e) == 0);
    return l;
}

static size_t node_count(struct fixture *f, cs_time now)
{
    ks_node_list list;
    MADE(ks_nodes(f->s, now, &list, &f->e) == 0);
    size_t n = list.n;
    ks_node_list_free(&list);
    return n;
}

static void test_second_node_of_a_name_gets_a_suffix(void)
{
    struct fixture f;
    fixture_open(&f);
    ks_live *a = serve(&f, "gw1", "/run/a.sock", NOW);
    ks_live *b = serve(&f, "gw1", "/run/b.sock", NOW);
    ks_live *c = serve(&f, "gw1", NULL, NOW);
    ks_live *d = serve(&f, "gw1", NULL, NOW); /* without a socket nothing says that it is the same one */
    CU_ASSERT_STRING_EQUAL(ks_live_node(a), "gw1");
    CU_ASSERT_STRING_EQUAL(ks_live_node(b), "gw1~2");
    CU_ASSERT_STRING_EQUAL(ks_live_node(c), "gw1~3");
    CU_ASSERT_STRING_EQUAL(ks_live_node(d), "gw1~4");
    ks_live_close(b);
    ks_live *e = serve(&f, "gw1", "/run/e.sock", NOW);
    CU_ASSERT_STRING_EQUAL(ks_live_node(e), "gw1~2"); /* free again */
    ks_live *other = serve(&f, "gw10", NULL, NOW);
    CU_ASSERT_STRING_EQUAL(ks_live_node(other), "gw10");
    /* who was not heard of for a minute has lost its name */
    ks_live *late = serve(&f, "gw1", "/run/late.sock", NOW + KS_NODE_ALIVE + 1);
    CU_ASSERT_STRING_EQUAL(ks_live_node(late), "gw1");
    ks_live *all[] = {a, c, d, e, other, late};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        ks_live_close(all[i]);
    }
    fixture_close(&f);
}

static void test_successor_in_the_same_place_keeps_name_and_row(void)
{
    struct fixture f;
    fixture_open(&f);
    ks_live *old = serve(&f, "gw1", "/run/a.sock", NOW);
    /* as another process of the same host and socket would have written it */
    MADE(sql(&f, "update node_place set place=place||'9'") == SQLITE_OK);
    ks_live *new = serve(&f, "gw1", "/run/a.sock", NOW + 1);
    CU_ASSERT_STRING_EQUAL(ks_live_node(new), "gw1");
    MADE(sql(&f, "update node_place set place=place||'9'") == SQLITE_OK);
    ks_live_close(old); /* the row is the successor's now */
    CU_ASSERT_EQUAL(node_count(&f, NOW + 2), 1);
    ks_live_close(new);
    fixture_close(&f);
}

static void test_acknowledged_generation_has_all_uses_before_it(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    ks_live *l = serve(&f, "gw1", NULL, NOW + 1);
    char names[256];
    uint64_t generation = 0;
    for (int i = 0; i < 137; i++) {
        use_at(l, "acme-sign", 1, true, NOW + 2);
    }
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_flush(f.s, NOW + 3, &generation, &f.e)), 0);
    CU_ASSERT_EQUAL(ks_lagging(f.s, generation, NOW + 3, names, sizeof names, &f.e), 1);
    CU_ASSERT_STRING_EQUAL(names, "gw1");
    CU_ASSERT_EQUAL(ks_live_step(l, 1000, NOW + 3, &f.e), 1);
    CU_ASSERT_EQUAL(ks_lagging(f.s, generation, NOW + 3, names, sizeof names, &f.e), 1); /* it has not swapped yet */
    CU_ASSERT_EQUAL(ks_live_step(l, 0, NOW + 3, &f.e), 0);
    CU_ASSERT_EQUAL(ks_lagging(f.s, generation, NOW + 3, names, sizeof names, &f.e), 0);
    ks_list list;
    MADE(ks_list_entries(f.s, &(ks_filter){.alias = "acme-sign"}, NOW + 3, &list, &f.e) == 0);
    CU_ASSERT_EQUAL(list.info[0].uses, 137);
    ks_list_free(&list);
    ks_live_close(l);
    made_free(&m);
    fixture_close(&f);
}

static void test_node_that_cannot_write_its_counts_does_not_acknowledge(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    ks_live *l = serve(&f, "gw1", NULL, NOW + 1);
    char names[256];
    uint64_t generation = 0;
    use_at(l, "acme-sign", 1, true, NOW + 2);
    MADE(ks_flush(f.s, NOW + 3, &generation, &f.e) == 0);
    CU_ASSERT_EQUAL(ks_live_step(l, 1000, NOW + 3, &f.e), 1);
    MADE(f.s->driver->begin(f.s->b, KS_WRITE, &f.e) == 0); /* another writer holds the store */
    CU_ASSERT_EQUAL(ks_live_step(l, 0, NOW + 3, &f.e), 0);
    f.s->driver->rollback(f.s->b);
    CU_ASSERT_EQUAL(ks_lagging(f.s, generation, NOW + 3, names, sizeof names, &f.e), 1);
    CU_ASSERT_EQUAL(ks_live_step(l, 0, NOW + 3, &f.e), 0);
    CU_ASSERT_EQUAL(ks_lagging(f.s, generation, NOW + 3, names, sizeof names, &f.e), 0);
    ks_live_close(l);
    made_free(&m);
    fixture_close(&f);
}

static void test_node_shows_version_and_configuration(void)
{
    struct fixture f;
    fixture_open(&f);
    ks_live *l = serve(&f, "gw1", NULL, NOW);
    ks_live_describe(l, "1.2.3", "77b0");
    CU_ASSERT_EQUAL(ks_live_step(l, 0, NOW + 1, &f.e), 0);
    ks_node_list list;
    MADE(ks_nodes(f.s, NOW + 1, &list, &f.e) == 0);
    CU_ASSERT_EQUAL_FATAL(list.n, 1);
    CU_ASSERT_STRING_EQUAL(list.info[0].build, "1.2.3");
    CU_ASSERT_STRING_EQUAL(list.info[0].conf, "77b0");
    CU_ASSERT_TRUE(list.info[0].live);
    CU_ASSERT_EQUAL(list.info[0].applied, 1);
    CU_ASSERT_EQUAL(list.info[0].applied_at, NOW); /* since when, not the last beat */
    CU_ASSERT_EQUAL(list.info[0].seen_at, NOW + 1);
    ks_node_list_free(&list);
    ks_live_close(l);
    fixture_close(&f);
}

static void test_only_a_dead_node_is_forgotten(void)
{
    struct fixture f;
    fixture_open(&f);
    ks_live *l = serve(&f, "gw1", NULL, NOW);
    uint64_t generation = 0;
    const ks_node_use use = {"orders", NULL, "acme"};
    MADE(ks_report_node(f.s, "gw1", &use, 1, NOW, &f.e) == 0);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_node_forget(f.s, "gw1", false, &actor, NOW + KS_NODE_ALIVE, &generation, &f.e)),
                    CS_EXIT_CONFLICT);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_node_forget(f.s, "gw2", false, &actor, NOW, &generation, &f.e)), CS_EXIT_USAGE);
    cs_time later = NOW + KS_NODE_ALIVE + 1;
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_node_forget(f.s, "gw1", true, &actor, later, &generation, &f.e)), 0);
    CU_ASSERT_EQUAL(node_count(&f, later), 1);
    uint64_t before = ks_generation(f.s);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_node_forget(f.s, "gw1", false, &actor, later, &generation, &f.e)), 0);
    CU_ASSERT_EQUAL(generation, before + 1);
    CU_ASSERT_EQUAL(node_count(&f, later), 0);
    bool routed = true;
    CU_ASSERT_EQUAL(f.s->driver->partner_routed(f.s->b, "acme", &routed, &f.e), 0);
    CU_ASSERT_FALSE(routed);
    ks_live_close(l);
    fixture_close(&f);
}

static int take(struct fixture *f, const char *holder, cs_time now, ks_lease *l)
{
    int rc = ks_lease_take(f->s, KS_LEASE_KEEPER, holder, 15, now, l, &f->e);
    CU_ASSERT(rc >= 0);
    return rc;
}

static void test_one_of_several_has_the_lease_until_it_gives_it_back_or_says_nothing(void)
{
    struct fixture f;
    ks_lease l;
    fixture_open(&f);
    CU_ASSERT_EQUAL(take(&f, "gw1", NOW, &l), 1);
    CU_ASSERT_EQUAL(take(&f, "gw2", NOW + 1, &l), 0);
    CU_ASSERT(strcmp(l.holder, "gw1") == 0 && l.until == NOW + 15 && l.fence == 1);
    CU_ASSERT_EQUAL(take(&f, "gw1", NOW + 10, &l), 1); /* renewed; a process after it has it, too */
    CU_ASSERT(l.until == NOW + 25 && l.fence == 1);
    CU_ASSERT_EQUAL(take(&f, "gw2", NOW + 24, &l), 0);
    CU_ASSERT_EQUAL(take(&f, "gw2", NOW + 25, &l), 1);
    CU_ASSERT(l.fence == 2);
    CU_ASSERT_EQUAL(take(&f, "gw1", NOW + 26, &l), 0);
    CU_ASSERT_EQUAL(ks_lease_drop(f.s, KS_LEASE_KEEPER, "gw1", NOW + 26, &f.e), 0); /* not its own */
    CU_ASSERT_EQUAL(take(&f, "gw1", NOW + 27, &l), 0);
    CU_ASSERT_EQUAL(ks_lease_drop(f.s, KS_LEASE_KEEPER, "gw2", NOW + 28, &f.e), 0);
    CU_ASSERT_EQUAL(take(&f, "gw1", NOW + 28, &l), 1);
    CU_ASSERT_EQUAL(l.fence, 3);
    fixture_close(&f);
}
IN_MEMORY(one_of_several_has_the_lease_until_it_gives_it_back_or_says_nothing)

static void test_a_lease_of_a_clock_that_was_far_ahead_holds_nobody_up(void)
{
    struct fixture f;
    ks_lease l;
    fixture_open(&f);
    CU_ASSERT_EQUAL(take(&f, "gw1", NOW + 400 * CS_DAY, &l), 1);
    CU_ASSERT_EQUAL(take(&f, "gw2", NOW, &l), 1);
    CU_ASSERT_EQUAL(l.until, NOW + 15);
    fixture_close(&f);
}

const struct harness_test harness_tests[] = {
    {"one_of_several_has_the_lease_until_it_gives_it_back_or_says_nothing",
     test_one_of_several_has_the_lease_until_it_gives_it_back_or_says_nothing},
    {"one_of_several_has_the_lease_until_it_gives_it_back_or_says_nothing_in_memory",
     test_one_of_several_has_the_lease_until_it_gives_it_back_or_says_nothing_in_memory},
    {"a_lease_of_a_clock_that_was_far_ahead_holds_nobody_up",
     test_a_lease_of_a_clock_that_was_far_ahead_holds_nobody_up},
    {"second_node_of_a_name_gets_a_suffix", test_second_node_of_a_name_gets_a_suffix},
    {"successor_in_the_same_place_keeps_name_and_row", test_successor_in_the_same_place_keeps_name_and_row},
    {"acknowledged_generation_has_all_uses_before_it", test_acknowledged_generation_has_all_uses_before_it},
    {"node_that_cannot_write_its_counts_does_not_acknowledge",
     test_node_that_cannot_write_its_counts_does_not_acknowledge},
    {"node_shows_version_and_configuration", test_node_shows_version_and_configuration},
    {"only_a_dead_node_is_forgotten", test_only_a_dead_node_is_forgotten},
    {NULL, NULL},
};
