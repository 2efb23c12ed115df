/* SPDX-License-Identifier: Apache-2.0 */
/* test_notice.c: which facts are raised when, and who is told. */
#include "keystore/notice.h"
#include "keystore/store.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "notice";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static int number(const struct fixture *f, const char *text)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    MADE(sqlite3_open(f->path, &db) == SQLITE_OK);
    MADE(sqlite3_prepare_v2(db, text, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW);
    int n = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}

static int subscribe(struct fixture *f, const char *alias, const char *name, const char *mail)
{
    ks_subscriber told = {.kind = KS_SUBSCRIBER_OTHER};
    uint64_t generation = 0;
    snprintf(told.name, sizeof told.name, "%s", name);
    snprintf(told.mail, sizeof told.mail, "%s", mail);
    return EXIT_OF(f, ks_subscribe(f->s, alias, &told, false, &actor, NOW, &generation, &f->e));
}

/** A keystore with an own certificate that ends 100 days after NOW. @return that end */
static cs_time generated(struct fixture *f)
{
    fixture_open(f);
    const ks_new what = {
        .alias = "own-sign", .has_role = true, .role = KS_SIGN, .key = "ec:P-256", .subject = "CN=acme", .days = 100};
    MADE(EXIT_OF(f, ks_generate(f->s, &what, false, &actor, NOW, &f->out, &f->e)) == 0);
    return f->out.info.not_after;
}

static size_t raised(struct fixture *f, cs_time now, cs_time *next)
{
    size_t made = 0;
    MADE(EXIT_OF(f, ks_notice_due(f->s, false, now, &made, next, &f->e)) == 0);
    return made;
}

static void test_facts_are_due_to_the_second_and_once(void)
{
    struct fixture f;
    cs_time next = 0;
    cs_time end = generated(&f);
    CU_ASSERT_EQUAL(subscribe(&f, "own-sign", "Anna Berg", "anna@example.com"), 0);
    CU_ASSERT_EQUAL(subscribe(&f, "own-sign", "Operations", "ops@example.com"), 0);
    static const int64_t days[] = {30, 14, 3, 0};
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(raised(&f, end - days[i] * CS_DAY - 1, &next), 0);
        CU_ASSERT_EQUAL(next, end - days[i] * CS_DAY);
        CU_ASSERT_EQUAL(raised(&f, end - days[i] * CS_DAY, &next), 1);
        CU_ASSERT_EQUAL(raised(&f, end - days[i] * CS_DAY, &next), 0);
    }
    CU_ASSERT_EQUAL(raised(&f, end + 40 * CS_DAY, &next), 0);
    CU_ASSERT_EQUAL(next, 0);
    CU_ASSERT_EQUAL(number(&f, "select count(*) from notification"), 4);
    CU_ASSERT_EQUAL(number(&f, "select count(distinct message_id) from delivery"), 8);
    CU_ASSERT_EQUAL(number(&f, "select count(*) from delivery where state='queued'"), 2); /* the nearest alone */
    fixture_close(&f);
}

static void test_after_a_gap_only_the_nearest_threshold_is_told(void)
{
    struct fixture f;
    cs_time next = 0;
    cs_time end = generated(&f);
    MADE(subscribe(&f, "own-sign", "Anna Berg", "anna@example.com") == 0);
    CU_ASSERT_EQUAL(raised(&f, end - 5 * CS_DAY, &next), 1);
    CU_ASSERT_EQUAL(number(&f, "select threshold from notification"), 14);
    CU_ASSERT_EQUAL(next, end - 3 * CS_DAY);
    fixture_close(&f);
}

static void test_automatic_slots_are_told_of_only_at_the_last(void)
{
    struct fixture f;
    cs_time next = 0;
    cs_time end = generated(&f);
    MADE(sql(&f, "update slot set auto='on' where alias='own-sign'") == SQLITE_OK);
    CU_ASSERT_EQUAL(raised(&f, end - 14 * CS_DAY, &next), 0);
    CU_ASSERT_EQUAL(next, end - 3 * CS_DAY);
    CU_ASSERT_EQUAL(raised(&f, end - 3 * CS_DAY, &next), 1);
    fixture_close(&f);
}

static void test_exchanged_certificates_are_not_told_of(void)
{
    struct fixture f;
    cs_time next = 0;
    cs_time end = generated(&f);
    const ks_new second = {.alias = "own-sign", .days = 800};
    MADE(EXIT_OF(&f, ks_generate(f.s, &second, false, &actor, NOW, &f.out, &f.e)) == 0);
    CU_ASSERT_EQUAL(raised(&f, end - 30 * CS_DAY, &next), 1); /* a successor that waits is none yet */
    MADE(act_at(&f, KS_DO_ACTIVATE, "own-sign", 2, NOW) == 0);
    CU_ASSERT_EQUAL(raised(&f, end - 3 * CS_DAY, &next), 0);
    fixture_close(&f);
}

static int reached_by_nobody(void *ctx, const ks_unreached *u, cs_error *e)
{
    (void)e;
    CU_ASSERT_STRING_EQUAL(u->alias, "own-sign");
    ++*(size_t *)ctx;
    return 0;
}

static size_t count_unreached(struct fixture *f)
{
    size_t n = 0;
    MADE(EXIT_OF(f, ks_unreached_each(f->s, reached_by_nobody, &n, &f->e)) == 0);
    return n;
}

static void test_a_fact_that_reaches_nobody_is_an_alert(void)
{
    struct fixture f;
    cs_time next = 0;
    cs_time end = generated(&f);
    CU_ASSERT_EQUAL(count_unreached(&f), 0);
    CU_ASSERT_EQUAL(raised(&f, end - 30 * CS_DAY, &next), 1);
    CU_ASSERT_EQUAL(count_unreached(&f), 1);
    MADE(subscribe(&f, "own-sign", "Anna Berg", "anna@example.com") == 0);
    CU_ASSERT_EQUAL(raised(&f, end - 14 * CS_DAY, &next), 1);
    CU_ASSERT_EQUAL(count_unreached(&f), 0);
    MADE(sql(&f, "update delivery set state='failed'") == SQLITE_OK);
    CU_ASSERT_EQUAL(count_unreached(&f), 1);
    fixture_close(&f);
}

static void test_subscribers_come_and_go_with_their_audit(void)
{
    struct fixture f;
    cs_time next = 0;
    uint64_t generation = 0;
    uint64_t rows = 0;
    char text[256];
    cs_time end = generated(&f);
    CU_ASSERT_EQUAL(subscribe(&f, "own-sign", "Anna Berg", "anna@example.com"), 0);
    CU_ASSERT_EQUAL(subscribe(&f, "own-sign", "Anna again", "ANNA@example.com"), CS_EXIT_CONFLICT);
    CU_ASSERT_EQUAL(subscribe(&f, "own-sing", "Ben", "ben@example.com"), CS_EXIT_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.e.text, "own-sign"));
    CU_ASSERT_EQUAL(subscribe(&f, "own-ca", "Ben", "ben@example.com"), CS_EXIT_USAGE);
    CU_ASSERT_EQUAL(raised(&f, end - 30 * CS_DAY, &next), 1);
    CU_ASSERT_EQUAL(number(&f, "select count(*) from delivery"), 1);
    CU_ASSERT_EQUAL(
        EXIT_OF(&f, ks_unsubscribe(f.s, "own-sign", "ben@example.com", false, &actor, NOW, &generation, &f.e)),
        CS_EXIT_USAGE);
    CU_ASSERT_EQUAL(
        EXIT_OF(&f, ks_unsubscribe(f.s, "own-sign", "anna@example.com", false, &actor, NOW, &generation, &f.e)), 0);
    CU_ASSERT_EQUAL(generation, ks_generation(f.s));
    CU_ASSERT_EQUAL(number(&f, "select count(*) from delivery"), 0);
    CU_ASSERT_EQUAL(ks_audit_verify(f.s, &rows, text, sizeof text, &f.e), 0);
    MADE(subscribe(&f, "own-sign", "Anna Berg", "anna@example.com") == 0);
    MADE(sql(&f, "update subscriber set mail='eve@example.com'") == SQLITE_OK);
    CU_ASSERT_EQUAL(ks_audit_verify(f.s, &rows, text, sizeof text, &f.e), 1); /* changed behind the keystore's back */
    fixture_close(&f);
}

static void test_what_could_break_a_header_is_refused(void)
{
    struct fixture f;
    generated(&f);
    static const char *const mail[] = {"",
                                       "anna",
                                       "@example.com",
                                       "anna@",
                                       "a@b@c",
                                       "a b@c",
                                       "anna@ex\r\nBcc: x",
                                       "<anna@example.com>",
                                       "anna@example.com,ben@example.com",
                                       "-x@example.com",
                                       "anna@\xc3\xa4.de",
                                       "\"a\"@example.com"};
    for (size_t i = 0; i < sizeof mail / sizeof mail[0]; i++) {
        CU_ASSERT_EQUAL(subscribe(&f, "own-sign", "Anna", mail[i]), CS_EXIT_USAGE);
    }
    static const char *const name[] = {"", "Anna\nBcc: eve@example.com", "Anna\rx", "Anna\tB", "Anna\x7f"};
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        CU_ASSERT_EQUAL(subscribe(&f, "own-sign", name[i], "anna@example.com"), CS_EXIT_USAGE);
    }
    CU_ASSERT_EQUAL(subscribe(&f, "own-sign", "J\xc3\xb6rg \"Jo\" Doe", "joerg.doe+gw@mail.example.com"), 0);
    fixture_close(&f);
}

static void test_a_keystore_in_memory_has_rounds_without_notices(void)
{
    struct fixture f;
    cs_time next = 0;
    fixture_scheme = "memory";
    cs_time end = generated(&f);
    CU_ASSERT_EQUAL(raised(&f, end - 3 * CS_DAY, &next), 0);
    CU_ASSERT_EQUAL(count_unreached(&f), 0);
    CU_ASSERT_EQUAL(subscribe(&f, "own-sign", "Anna Berg", "anna@example.com"), CS_EXIT_USAGE);
    fixture_close(&f);
    fixture_scheme = "sqlite";
}

const struct harness_test harness_tests[] = {
    {"facts_are_due_to_the_second_and_once", test_facts_are_due_to_the_second_and_once},
    {"after_a_gap_only_the_nearest_threshold_is_told", test_after_a_gap_only_the_nearest_threshold_is_told},
    {"automatic_slots_are_told_of_only_at_the_last", test_automatic_slots_are_told_of_only_at_the_last},
    {"exchanged_certificates_are_not_told_of", test_exchanged_certificates_are_not_told_of},
    {"a_fact_that_reaches_nobody_is_an_alert", test_a_fact_that_reaches_nobody_is_an_alert},
    {"subscribers_come_and_go_with_their_audit", test_subscribers_come_and_go_with_their_audit},
    {"what_could_break_a_header_is_refused", test_what_could_break_a_header_is_refused},
    {"a_keystore_in_memory_has_rounds_without_notices", test_a_keystore_in_memory_has_rounds_without_notices},
    {NULL, NULL},
};
