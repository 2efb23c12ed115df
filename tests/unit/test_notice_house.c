/* SPDX-License-Identifier: Apache-2.0 */
/* test_notice_house.c: facts about the house itself: gateways that are silent or do not follow, checkpoints of the
 * audit, exceptions that end. */
#include "keystore/addressee.h"
#include "keystore/node.h"
#include "keystore/notice_store.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "notice-house";

#define TOLD "select count(*) from notification where kind="

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

/** A keystore that ben administers and ada audits. */
static void staffed(struct fixture *f)
{
    bool changed = false;
    fixture_open(f);
    MADE(ks_set_addressees(f->s, "tenant-admin\t\tBen\tben@example.com\nauditor\t\tAda\tada@example.com\n", &actor, NOW,
                           &changed, &f->e) == 0);
}

/** The audit grows. */
static void grow(struct fixture *f, const char *alias, cs_time at)
{
    struct made m = add_verifier(f, alias, at);
    made_free(&m);
}

/** A gateway of that name says that it works with a generation; at that instant it goes without a word. */
static void word_of(struct fixture *f, const char *node, uint64_t generation, cs_time at)
{
    struct ks_identity me = {.place = "host|/run/a.sock|1"};
    snprintf(me.node, sizeof me.node, "%s", node);
    MADE(ks_node_tell(f->s, &me, generation, "1.0", "", "", at) == 0);
}

static size_t look(struct fixture *f, cs_time now, cs_time *next)
{
    size_t made = 0;
    *next = 0;
    MADE(EXIT_OF(f, ks_notice_nodes(f->s, false, now, &made, next, &f->e)) == 0);
    return made;
}

static void test_a_node_that_says_nothing_for_five_minutes_is_told_once_each_time(void)
{
    struct fixture f;
    cs_time next = 0;
    staffed(&f);
    uint64_t generation = ks_generation(f.s);
    word_of(&f, "gw1", generation, NOW);
    CU_ASSERT_EQUAL(look(&f, NOW + 299, &next), 0);
    CU_ASSERT_EQUAL(next, NOW + 300);
    CU_ASSERT_EQUAL(look(&f, NOW + 300, &next), 1);
    CU_ASSERT_EQUAL(look(&f, NOW + 9000, &next), 0);
    CU_ASSERT_EQUAL(sql_number(&f, TOLD "'node-stale' and about='gw1' and text like 'Its last word came at 2026-%'"),
                    1);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from delivery where mail='ben@example.com'"), 1);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from delivery where mail='ada@example.com'"), 0);
    word_of(&f, "gw1", generation, NOW + 10000);
    CU_ASSERT_EQUAL(look(&f, NOW + 10001, &next), 0);
    CU_ASSERT_EQUAL(look(&f, NOW + 11000, &next), 1);
    fixture_close(&f);
}

static void test_a_node_that_speaks_but_does_not_follow_is_told(void)
{
    struct fixture f;
    cs_time next = 0;
    staffed(&f);
    uint64_t before = ks_generation(f.s);
    grow(&f, "acme-sign", NOW);
    word_of(&f, "gw1", before, NOW + 290);
    word_of(&f, "gw2", ks_generation(f.s), NOW + 290);
    CU_ASSERT_EQUAL(look(&f, NOW + 299, &next), 0);
    CU_ASSERT_EQUAL(next, NOW + 300);
    CU_ASSERT_EQUAL(look(&f, NOW + 300, &next), 1);
    CU_ASSERT_EQUAL(look(&f, NOW + 310, &next), 0);
    CU_ASSERT_EQUAL(sql_number(&f, TOLD "'node-stale' and about='gw1' and text like 'It speaks, but does not follow%'"),
                    1);
    fixture_close(&f);
}

static size_t checkpoint(struct fixture *f, cs_time now, cs_time *next)
{
    size_t made = 0;
    *next = 0;
    MADE(EXIT_OF(f, ks_notice_checkpoint(f->s, false, now, &made, next, &f->e)) == 0);
    return made;
}

static void test_a_checkpoint_goes_to_the_auditor_when_the_audit_grew_and_an_hour_is_over(void)
{
    struct fixture f;
    cs_time next = 0;
    staffed(&f);
    CU_ASSERT_EQUAL(checkpoint(&f, NOW, &next), 1);
    CU_ASSERT_EQUAL(checkpoint(&f, NOW + 2 * 3600, &next), 0); /* it did not grow: telling is no row of it */
    CU_ASSERT_EQUAL(next, 0);
    grow(&f, "acme-sign", NOW + 60);
    CU_ASSERT_EQUAL(checkpoint(&f, NOW + 3599, &next), 0);
    CU_ASSERT_EQUAL(next, NOW + 3600);
    CU_ASSERT_EQUAL(checkpoint(&f, NOW + 3600, &next), 1);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from delivery where mail='ada@example.com'"), 2);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from delivery where mail='ben@example.com'"), 0);
    grow(&f, "acme-next", NOW + 91 * CS_DAY);
    CU_ASSERT_EQUAL(checkpoint(&f, NOW + 91 * CS_DAY, &next), 1);
    CU_ASSERT_EQUAL(sql_number(&f, TOLD "'audit-checkpoint'"), 1); /* those of a quarter ago are forgotten */
    fixture_close(&f);
}

/** The line that was told last, malloc'ed. */
static char *told_line(const struct fixture *f)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    MADE(sqlite3_open(f->path, &db) == SQLITE_OK);
    MADE(sqlite3_prepare_v2(db, "select text from notification where kind='audit-checkpoint' order by threshold desc",
                            -1, &stmt, NULL) == SQLITE_OK &&
         sqlite3_step(stmt) == SQLITE_ROW);
    char *line = strdup((const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    MADE(line != NULL);
    return line;
}

static void test_the_line_that_was_told_finds_a_log_that_was_cut(void)
{
    struct fixture f;
    cs_time next = 0;
    uint64_t rows = 0;
    char text[256];
    staffed(&f);
    grow(&f, "acme-sign", NOW);
    MADE(checkpoint(&f, NOW, &next) == 1);
    char *line = told_line(&f);
    CU_ASSERT_EQUAL(ks_audit_verify_from(f.s, line, &rows, text, sizeof text, &f.e), 0);
    char *digit = strrchr(line, 'Z'); /* of the time: the signature covers it */
    MADE(digit != NULL);
    digit[-1] = digit[-1] == '1' ? '2' : '1';
    CU_ASSERT_EQUAL(ks_audit_verify_from(f.s, line, &rows, text, sizeof text, &f.e), 1);
    free(line);
    line = told_line(&f);
    MADE(sql(&f, "drop trigger audit_kept; delete from audit where seq=(select max(seq) from audit)") == SQLITE_OK);
    CU_ASSERT_EQUAL(ks_audit_verify_from(f.s, line, &rows, text, sizeof text, &f.e), 1);
    free(line);
    fixture_close(&f);
}

static void test_a_rehearsal_of_another_day_makes_no_checkpoint(void)
{
    struct fixture f;
    cs_time next = 0;
    staffed(&f);
    ks_close(f.s);
    const ks_options rehearsal = {.time_given = true};
    MADE(ks_open(&f.s, f.uri, &rehearsal, &f.e) == 0);
    CU_ASSERT_EQUAL(checkpoint(&f, NOW + 400 * CS_DAY, &next), 0);
    fixture_close(&f);
}

static void test_an_exception_that_is_still_used_is_told_30_14_and_3_days_before_its_end(void)
{
    static const struct {
        int64_t before; /* seconds before the end */
        int told;
    } uses[] = {{30 * CS_DAY + 1, 0}, {30 * CS_DAY, 1}, {20 * CS_DAY, 1}, {14 * CS_DAY, 2},
                {14 * CS_DAY - 1, 2}, {2 * CS_DAY, 3},  {1, 3},           {0, 3}};
    struct fixture f;
    ks_live *l = NULL;
    cs_time end = NOW + 90 * CS_DAY;
    staffed(&f);
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        MADE(ks_live_open(&l, f.uri, NULL, NOW, &f.e) == 0);
        ks_legacy_used(l, "acme", "sha1", end, end - uses[i].before);
        ks_live_close(l);
        CU_ASSERT_EQUAL(sql_number(&f, TOLD "'legacy-ends' and about='acme sha1 until 2026-08-29'"), uses[i].told);
    }
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from delivery where mail='ben@example.com'"), 3);
    fixture_close(&f);
}

static void test_several_exceptions_of_one_moment_are_all_told(void)
{
    struct fixture f;
    ks_live *l = NULL;
    char partner[16];
    staffed(&f);
    MADE(ks_live_open(&l, f.uri, NULL, NOW, &f.e) == 0);
    for (int i = 0; i < 20; i++) {
        snprintf(partner, sizeof partner, "p%d", i);
        ks_legacy_used(l, partner, "sha1", NOW + CS_DAY, NOW);
        ks_legacy_used(l, partner, "sha1", NOW + CS_DAY, NOW);
    }
    ks_live_close(l);
    CU_ASSERT_EQUAL(sql_number(&f, TOLD "'legacy-ends'"), 20);
    fixture_close(&f);
}

const struct harness_test harness_tests[] = {
    {"a_node_that_says_nothing_for_five_minutes_is_told_once_each_time",
     test_a_node_that_says_nothing_for_five_minutes_is_told_once_each_time},
    {"a_node_that_speaks_but_does_not_follow_is_told", test_a_node_that_speaks_but_does_not_follow_is_told},
    {"a_checkpoint_goes_to_the_auditor_when_the_audit_grew_and_an_hour_is_over",
     test_a_checkpoint_goes_to_the_auditor_when_the_audit_grew_and_an_hour_is_over},
    {"the_line_that_was_told_finds_a_log_that_was_cut", test_the_line_that_was_told_finds_a_log_that_was_cut},
    {"a_rehearsal_of_another_day_makes_no_checkpoint", test_a_rehearsal_of_another_day_makes_no_checkpoint},
    {"an_exception_that_is_still_used_is_told_30_14_and_3_days_before_its_end",
     test_an_exception_that_is_still_used_is_told_30_14_and_3_days_before_its_end},
    {"several_exceptions_of_one_moment_are_all_told", test_several_exceptions_of_one_moment_are_all_told},
    {NULL, NULL},
};
