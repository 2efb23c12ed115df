/* SPDX-License-Identifier: Apache-2.0 */
/* test_rollover_span.c: what the keeper does at the end of an agreed downtime, by what probes found. */
#include "base/text.h"
#include "tests/unit/rollover_scene.h"

const char *const harness_suite = "rollover_span";

#define ALIAS "ack-client"
#define FROM  (NOW + CS_DAY)
#define TO    (FROM + 3600)

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static void found(struct scene *s, unsigned n, enum ks_probe_outcome o)
{
    ks_probe_result r = {
        .n = n, .outcome = o, .asked = true, .status = o == KS_PROBE_ACCEPTED ? 200 : 403, .at = s->now};
    cs_copy(r.node, sizeof r.node, NODE);
    cs_copy(r.alias, sizeof r.alias, ALIAS);
    cs_copy(r.target, sizeof r.target, "https://receiver/");
    MADE(ks_probe_put(s->f.s, &r, &s->f.e) == 0);
}

#define TO_DEVELOPER "select count(*) from notification where about='R-1/3'"

/** A downtime in which everything is done here, and the receiver's turn has come. */
static void begin(struct scene *s, bool release_by_hand)
{
    const struct ks_roll_request q = {.runbook = s->book = read_book("tls-client.window.conf"),
                                      .alias = ALIAS,
                                      .window_from = FROM,
                                      .window_to = TO,
                                      .release_by_hand = release_by_hand};
    const ks_new what = {
        .alias = ALIAS, .has_role = true, .role = KS_TLS_CLIENT, .key = "ec:P-256", .subject = "CN=acme"};
    scene_open(s, ALIAS, "roll-over window");
    MADE(EXIT_OF(&s->f, ks_generate(s->f.s, &what, false, &actor, NOW, &s->f.out, &s->f.e)) == 0);
    MADE(ks_rollover_start(s->f.s, &q, false, &actor, NOW, NULL, &s->f.e) == 0);
    MADE(EXIT_OF(&s->f, ks_generate(s->f.s, &(ks_new){.alias = ALIAS}, false, &actor, NOW, &s->f.out, &s->f.e)) == 0);
    keep(s, NOW + 1);
    CU_ASSERT_EQUAL(confirm(s, "2"), 0);
    keep(s, FROM - 1);
    CU_ASSERT(state_of(s, "3") == KS_STEP_READY && sql_number(&s->f, TO_DEVELOPER) == 0);
    keep(s, FROM + 1);
    CU_ASSERT_EQUAL(sql_number(&s->f, TO_DEVELOPER), 1); /* at its beginning, as the procedure has it */
    CU_ASSERT(active(s, 2) && state_of(s, "8") == KS_STEP_READY);
    CU_ASSERT_EQUAL(confirm(s, "7"), 0);
}

/** The downtime is over, and nothing was heard of the new certificate; so the old one is asked for, and is found so. */
static void overrun(struct scene *s, enum ks_probe_outcome old)
{
    begin(s, false);
    keep(s, TO);
    CU_ASSERT(is(s, "open") && active(s, 2)); /* asked, not heard yet */
    s->now = TO + 5;
    found(s, 1, old);
    keep(s, TO + 5);
}

static void end(struct scene *s)
{
    ks_runbook_free(s->book);
    fixture_close(&s->f);
}

static void test_the_old_one_comes_back_only_when_a_probe_finds_it_accepted(void)
{
    struct scene s;
    overrun(&s, KS_PROBE_ACCEPTED);
    CU_ASSERT(is(&s, "aborted") && active(&s, 1) && !active(&s, 2));
    CU_ASSERT_EQUAL(s.told, 1);
    end(&s);
}

static void test_where_the_old_one_is_refused_the_routes_stay_on_hold_and_people_are_told_once(void)
{
    struct scene s;
    overrun(&s, KS_PROBE_REFUSED);
    keep(&s, TO + 120);
    CU_ASSERT(is(&s, "open") && active(&s, 2));
    CU_ASSERT_EQUAL(s.told, 1);
    found(&s, 2, KS_PROBE_ACCEPTED); /* it was in the midst of its exchange */
    keep(&s, TO + 121);
    CU_ASSERT(state_of(&s, "8") == KS_STEP_DONE && state_of(&s, "11") == KS_STEP_DONE);
    end(&s);
}

static void test_what_a_probe_found_an_hour_ago_is_asked_again(void)
{
    struct scene s;
    overrun(&s, KS_PROBE_REFUSED);
    keep(&s, TO + 4000); /* the answer of then is none of now */
    CU_ASSERT(is(&s, "open"));
    s.now = TO + 4005;
    found(&s, 1, KS_PROBE_ACCEPTED); /* the receiver went back */
    keep(&s, TO + 4005);
    CU_ASSERT(is(&s, "aborted") && active(&s, 1));
    end(&s);
}

static void test_a_receiver_that_cannot_be_asked_is_taken_to_be_as_before(void)
{
    struct scene s;
    overrun(&s, KS_PROBE_SILENT);
    CU_ASSERT(is(&s, "aborted") && active(&s, 1));
    end(&s);
    begin(&s, false);
    keep(&s, TO);
    keep(&s, TO + 29);
    CU_ASSERT(is(&s, "open"));
    keep(&s, TO + 31); /* no node finds anything */
    CU_ASSERT(is(&s, "aborted") && active(&s, 1));
    end(&s);
}

static void test_routes_that_a_person_lets_go_are_not_let_go_by_the_keeper(void)
{
    struct scene s;
    begin(&s, true);
    s.now = FROM + 60;
    found(&s, 2, KS_PROBE_ACCEPTED);
    keep(&s, FROM + 60);
    CU_ASSERT(state_of(&s, "9") == KS_STEP_DONE && state_of(&s, "11") == KS_STEP_READY);
    struct ks_rollover *r = look(&s);
    size_t at = ks_rollover_next(r, 1U << KS_INTEGRATION_DEVELOPER);
    CU_ASSERT_STRING_EQUAL(r->runbook->step[at].n, "11");
    CU_ASSERT_EQUAL(ks_rollover_run(s.f.s, r, at, false, &actor, s.now, &s.f.out, &s.f.e), 0);
    ks_rollover_free(r);
    keep(&s, FROM + 61);
    CU_ASSERT_EQUAL(state_of(&s, "11"), KS_STEP_DONE);
    end(&s);
}

/** The keeper looks with the machine's own count of seconds beside the clock. */
static bool doubted(struct scene *s, int64_t ran, cs_time at)
{
    const ks_uptime up = {"boot", ran};
    ks_report report;
    s->now = at;
    follow(s);
    MADE(ks_tick(s->f.s, false, &up, at, &report, &s->f.e) == 0);
    bool doubt = report.clock.suspect;
    ks_report_free(&report);
    return doubt;
}

static void test_a_clock_that_jumps_over_the_end_of_the_span_rolls_nothing_back(void)
{
    struct scene s;
    ks_clock_info info;
    const ks_uptime up = {"boot", 1080};
    begin(&s, false);
    CU_ASSERT_FALSE(doubted(&s, 1000, FROM + 2));
    found(&s, 1, KS_PROBE_ACCEPTED);
    CU_ASSERT_TRUE(doubted(&s, 1020, TO + 40 * CS_DAY));
    CU_ASSERT(is(&s, "open") && active(&s, 2) && state_of(&s, "8") == KS_STEP_READY);
    CU_ASSERT_TRUE(doubted(&s, 1040, NOW - CS_DAY));
    CU_ASSERT(is(&s, "open") && active(&s, 2));
    s.now = FROM + 82;
    follow(&s); /* set right again */
    MADE(ks_clock_accept(s.f.s, false, &actor, &up, FROM + 82, &info, &s.f.e) == 0);
    found(&s, 2, KS_PROBE_ACCEPTED);
    CU_ASSERT_FALSE(doubted(&s, 1081, FROM + 83));
    CU_ASSERT_EQUAL(state_of(&s, "9"), KS_STEP_DONE);
    end(&s);
}

#define TEST(name)                                                                                                     \
    {                                                                                                                  \
#name, test_##name                                                                                             \
    }
const struct harness_test harness_tests[] = {
    TEST(the_old_one_comes_back_only_when_a_probe_finds_it_accepted),
    TEST(where_the_old_one_is_refused_the_routes_stay_on_hold_and_people_are_told_once),
    TEST(what_a_probe_found_an_hour_ago_is_asked_again),
    TEST(a_receiver_that_cannot_be_asked_is_taken_to_be_as_before),
    TEST(routes_that_a_person_lets_go_are_not_let_go_by_the_keeper),
    TEST(a_clock_that_jumps_over_the_end_of_the_span_rolls_nothing_back),
    {NULL, NULL},
};
