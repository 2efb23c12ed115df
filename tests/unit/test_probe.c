/* SPDX-License-Identifier: Apache-2.0 */
/* test_probe.c: what nodes found with a certificate, and what that says together. */
#include "keystore/node.h"
#include "keystore/probe.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "probe";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static void generated(struct fixture *f)
{
    fixture_open(f);
    const ks_new what = {
        .alias = "ack", .has_role = true, .role = KS_TLS_CLIENT, .key = "ec:P-256", .subject = "CN=acme"};
    MADE(EXIT_OF(f, ks_generate(f->s, &what, false, &actor, NOW, &f->out, &f->e)) == 0);
}

static void node(struct fixture *f, const char *name, const char *alias, cs_time at)
{
    const ks_node_use use = {.route = "orders", .alias = alias, .partner = NULL};
    struct ks_identity me = {.place = "host|socket|1"};
    snprintf(me.node, sizeof me.node, "%s", name);
    MADE(EXIT_OF(f, ks_report_node(f->s, name, &use, 1, at, &f->e)) == 0);
    MADE(ks_node_tell(f->s, &me, 1, "", "", "", at) == 0);
}

static int put(struct fixture *f, const char *name, const char *target, enum ks_probe_outcome o, bool asked, cs_time at)
{
    ks_probe_result r = {.n = 1, .outcome = o, .asked = asked, .status = o == KS_PROBE_ACCEPTED ? 200 : 0, .at = at};
    snprintf(r.node, sizeof r.node, "%s", name);
    snprintf(r.alias, sizeof r.alias, "ack");
    snprintf(r.target, sizeof r.target, "%s", target);
    return EXIT_OF(f, ks_probe_put(f->s, &r, &f->e));
}

static ks_probe_said said(struct fixture *f, cs_time since, cs_time now)
{
    ks_probe_said out;
    MADE(EXIT_OF(f, ks_probe_summary(f->s, "ack", 1, since, now, &out, &f->e)) == 0);
    return out;
}

static void test_every_live_node_that_uses_the_slot_counts_and_no_other(void)
{
    struct fixture f;
    generated(&f);
    CU_ASSERT_EQUAL(said(&f, 0, NOW).nodes, 0);
    node(&f, "gw1", "ack", NOW);
    node(&f, "gw2", "ack", NOW);
    node(&f, "gw3", "other", NOW);
    node(&f, "gone", "ack", NOW - KS_NODE_ALIVE - 1);
    ks_probe_said s = said(&f, 0, NOW);
    CU_ASSERT(s.nodes == 2 && s.silent == 2 && s.accepted == 0);
    MADE(put(&f, "gw1", "https://a/", KS_PROBE_ACCEPTED, true, NOW) == 0);
    s = said(&f, 0, NOW);
    CU_ASSERT(s.nodes == 2 && s.accepted == 1 && s.silent == 1);
    CU_ASSERT_STRING_EQUAL(s.text, "gw1 accepted (200), gw2 no result");
    MADE(put(&f, "gw2", "https://a/", KS_PROBE_ACCEPTED, true, NOW) == 0);
    MADE(put(&f, "gw2", "https://b/", KS_PROBE_REFUSED, true, NOW) == 0);
    s = said(&f, 0, NOW);
    CU_ASSERT(s.accepted == 1 && s.refused == 1);
    MADE(put(&f, "gw2", "https://b/", KS_PROBE_ACCEPTED, true, NOW) == 0);
    CU_ASSERT_EQUAL(said(&f, 0, NOW).accepted, 2);
    fixture_close(&f);
}

static void test_a_pass_without_a_request_for_the_certificate_is_no_evidence(void)
{
    struct fixture f;
    generated(&f);
    node(&f, "gw1", "ack", NOW);
    MADE(put(&f, "gw1", "https://a/", KS_PROBE_ACCEPTED, false, NOW) == 0);
    ks_probe_said s = said(&f, 0, NOW);
    CU_ASSERT(s.accepted == 0 && s.silent == 1);
    fixture_close(&f);
}

static void test_an_old_result_is_no_evidence(void)
{
    struct fixture f;
    generated(&f);
    node(&f, "gw1", "ack", NOW);
    MADE(put(&f, "gw1", "https://a/", KS_PROBE_ACCEPTED, true, NOW) == 0);
    CU_ASSERT_EQUAL(said(&f, NOW, NOW).accepted, 1);
    CU_ASSERT_EQUAL(said(&f, NOW + 1, NOW).accepted, 0);
    node(&f, "gw1", "ack", NOW + KS_PROBE_FRESH + 1);
    CU_ASSERT_EQUAL(said(&f, 0, NOW + KS_PROBE_FRESH).accepted, 1);
    CU_ASSERT_EQUAL(said(&f, 0, NOW + KS_PROBE_FRESH + 1).accepted, 0);
    fixture_close(&f);
}

static int count_asked(void *ctx, const ks_probe_asked *a, cs_error *e)
{
    (void)e;
    CU_ASSERT(strcmp(a->alias, "ack") == 0 && a->n == 1);
    ++*(size_t *)ctx;
    return 0;
}

static void test_a_probe_that_is_asked_for_is_seen_for_an_hour_and_needs_a_key(void)
{
    struct fixture f;
    uint64_t generation = 0;
    size_t n = 0;
    generated(&f);
    uint64_t before = ks_generation(f.s);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_probe_ask(f.s, "ack", 1, &actor, NOW, &generation, &f.e)), 0);
    CU_ASSERT_EQUAL(generation, before + 1);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_probe_ask(f.s, "ack", 2, &actor, NOW, &generation, &f.e)), 64);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_probe_ask(f.s, "none", 1, &actor, NOW, &generation, &f.e)), 64);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    made_free(&m);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_probe_ask(f.s, "acme-sign", 1, &actor, NOW, &generation, &f.e)), 64);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_probe_asks(f.s, NOW + KS_PROBE_FRESH, count_asked, &n, &f.e)), 0);
    CU_ASSERT_EQUAL(n, 1);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_probe_asks(f.s, NOW + KS_PROBE_FRESH + 1, count_asked, &n, &f.e)), 0);
    CU_ASSERT_EQUAL(n, 1);
    fixture_close(&f);
}

static int keep_instant(void *ctx, const ks_probe_asked *a, cs_error *e)
{
    (void)e;
    *(cs_time *)ctx = a->at;
    return 0;
}

/** A result of the same second would stand for an answer, and the second question of an impatient person were lost. */
static void test_a_probe_asked_for_in_the_second_of_a_result_is_not_answered_by_it(void)
{
    struct fixture f;
    uint64_t generation = 0;
    cs_time at = 0;
    generated(&f);
    node(&f, "gw1", "ack", NOW);
    MADE(put(&f, "gw1", "https://a/", KS_PROBE_REFUSED, true, NOW) == 0);
    MADE(ks_probe_ask(f.s, "ack", 1, &actor, NOW, &generation, &f.e) == 0);
    MADE(ks_probe_asks(f.s, NOW, keep_instant, &at, &f.e) == 0);
    CU_ASSERT_EQUAL(at, NOW + 1);
    MADE(put(&f, "gw1", "https://a/", KS_PROBE_REFUSED, true, NOW + KS_NODE_ALIVE) == 0); /* a clock that is ahead */
    MADE(ks_probe_ask(f.s, "ack", 1, &actor, NOW, &generation, &f.e) == 0);
    MADE(ks_probe_asks(f.s, NOW, keep_instant, &at, &f.e) == 0);
    CU_ASSERT_EQUAL(at, NOW);
    fixture_close(&f);
}

IN_MEMORY(a_probe_asked_for_in_the_second_of_a_result_is_not_answered_by_it)
IN_MEMORY(every_live_node_that_uses_the_slot_counts_and_no_other)
IN_MEMORY(an_old_result_is_no_evidence)
IN_MEMORY(a_probe_that_is_asked_for_is_seen_for_an_hour_and_needs_a_key)

#define TEST(name)                                                                                                     \
    {                                                                                                                  \
#name, test_##name                                                                                             \
    }
const struct harness_test harness_tests[] = {
    TEST(every_live_node_that_uses_the_slot_counts_and_no_other),
    TEST(every_live_node_that_uses_the_slot_counts_and_no_other_in_memory),
    TEST(a_pass_without_a_request_for_the_certificate_is_no_evidence),
    TEST(an_old_result_is_no_evidence),
    TEST(an_old_result_is_no_evidence_in_memory),
    TEST(a_probe_that_is_asked_for_is_seen_for_an_hour_and_needs_a_key),
    TEST(a_probe_that_is_asked_for_is_seen_for_an_hour_and_needs_a_key_in_memory),
    TEST(a_probe_asked_for_in_the_second_of_a_result_is_not_answered_by_it),
    TEST(a_probe_asked_for_in_the_second_of_a_result_is_not_answered_by_it_in_memory),
    {NULL, NULL},
};
