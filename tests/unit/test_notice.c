/* SPDX-License-Identifier: Apache-2.0 */
/* test_notice.c: which facts are raised when, and who is told. */
#include "keystore/addressee.h"
#include "keystore/letter.h"
#include "keystore/renewal.h"
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
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from notification"), 4);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(distinct message_id) from delivery where mail<>''"), 8);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from delivery where mail<>'' and state='queued'"),
                    2); /* the nearest alone */
    fixture_close(&f);
}

static void test_after_a_gap_only_the_nearest_threshold_is_told(void)
{
    struct fixture f;
    cs_time next = 0;
    cs_time end = generated(&f);
    MADE(subscribe(&f, "own-sign", "Anna Berg", "anna@example.com") == 0);
    CU_ASSERT_EQUAL(raised(&f, end - 5 * CS_DAY, &next), 1);
    CU_ASSERT_EQUAL(sql_number(&f, "select threshold from notification"), 14);
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
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from delivery where mail<>''"), 1);
    CU_ASSERT_EQUAL(
        EXIT_OF(&f, ks_unsubscribe(f.s, "own-sign", "ben@example.com", false, &actor, NOW, &generation, &f.e)),
        CS_EXIT_USAGE);
    CU_ASSERT_EQUAL(
        EXIT_OF(&f, ks_unsubscribe(f.s, "own-sign", "anna@example.com", false, &actor, NOW, &generation, &f.e)), 0);
    CU_ASSERT_EQUAL(generation, ks_generation(f.s));
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from delivery where mail<>''"), 0);
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

/* ---- what changes tell ------------------------------------------------------------------------------------------ */

static void tick(struct fixture *f, cs_time now)
{
    ks_report report;
    MADE(EXIT_OF(f, ks_tick(f->s, false, NULL, now, &report, &f->e)) == 0);
    ks_report_free(&report);
}

static void renews(struct fixture *f, const char *pinning)
{
    const ks_auto_request on = {.alias = "own-sign", .on = true, .pinning = pinning};
    ks_auto_info info;
    MADE(EXIT_OF(f, ks_auto_set(f->s, &on, false, &actor, NOW, &info, &f->e)) == 0);
}

/** A keystore with an own TLS client certificate that ends 100 days after NOW, told to two people. @return that end */
static cs_time client(struct fixture *f)
{
    fixture_open(f);
    const ks_new what = {.alias = "own-sign",
                         .has_role = true,
                         .role = KS_TLS_CLIENT,
                         .key = "ec:P-256",
                         .subject = "CN=acme",
                         .days = 100};
    MADE(EXIT_OF(f, ks_generate(f->s, &what, false, &actor, NOW, &f->out, &f->e)) == 0);
    cs_time end = f->out.info.not_after;
    static const ks_options rehearsal = {.time_given = true}; /* weeks pass here at once */
    ks_close(f->s);
    MADE(ks_open(&f->s, f->uri, &rehearsal, &f->e) == 0);
    MADE(subscribe(f, "own-sign", "Anna Berg", "anna@example.com") == 0);
    return end;
}

static void test_a_renewal_without_a_hand_is_told_once_when_it_is_in_use(void)
{
    struct fixture f;
    cs_time end = client(&f);
    renews(&f, "dn");
    tick(&f, end - 12 * CS_DAY);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from notification where kind='renewed'"), 1);
    CU_ASSERT_EQUAL(sql_number(&f, "select n from notification join entry using(entry_id)"), 2);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from notification where text like '%own-sign#1%'"), 1);
    tick(&f, end - 11 * CS_DAY);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from notification"), 1);
    fixture_close(&f);
}

static void test_what_waits_for_a_hand_is_told_when_it_is_made_and_when_it_is_taken_up(void)
{
    struct fixture f;
    cs_time end = client(&f);
    renews(&f, "fingerprint");
    tick(&f, end - 12 * CS_DAY);
    CU_ASSERT_EQUAL(
        sql_number(&f, "select count(*) from notification where kind='renewed' and text like '%not in use%'"), 1);
    MADE(act_at(&f, KS_DO_ACTIVATE, "own-sign", 2, end - 10 * CS_DAY) == 0);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from notification where kind='activated'"), 1);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from notification"), 2);
    fixture_close(&f);
}

static void test_a_successor_made_by_hand_is_told_and_the_first_of_a_slot_is_not(void)
{
    struct fixture f;
    client(&f);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from notification"), 0);
    MADE(EXIT_OF(&f, ks_renew(f.s, "own-sign", true, &actor, NOW, &f.out, &f.e)) == 0);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from notification"), 0); /* a rehearsal tells nobody */
    MADE(EXIT_OF(&f, ks_renew(f.s, "own-sign", false, &actor, NOW, &f.out, &f.e)) == 0);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from notification where kind='renewed'"), 1);
    fixture_close(&f);
}

static void set_addressees(struct fixture *f, const char *list, bool changes)
{
    bool changed = false;
    MADE(EXIT_OF(f, ks_set_addressees(f->s, list, &actor, NOW, &changed, &f->e)) == 0);
    CU_ASSERT_EQUAL(changed, changes);
}

static void test_a_renewal_that_fails_is_told_every_day_and_at_last_to_the_administrators(void)
{
    struct fixture f;
    uint64_t rows = 0;
    char text[256];
    cs_time end = client(&f);
    set_addressees(&f, "tenant-admin\t\tBen\tben@example.com\nlb-admin\t\tLea\tlea@example.com\n", true);
    set_addressees(&f, "tenant-admin\t\tBen\tben@example.com\nlb-admin\t\tLea\tlea@example.com\n", false);
    renews(&f, "dn");
    MADE(sql(&f, "update entry set issuer_dn='CN=elsewhere' where n=1 and key_id is not null") == SQLITE_OK);
    for (int64_t left = 12; left >= 2; left--) {
        tick(&f, end - left * CS_DAY);
        tick(&f, end - left * CS_DAY + 60);
    }
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from notification where kind='renewal-failed'"), 11);
    CU_ASSERT_EQUAL(
        sql_number(&f, "select count(*) from delivery join notification using(dedup_key) where mail='anna@example.com'"
                       " and kind='renewal-failed'"),
        11);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from delivery where mail='ben@example.com'"), 2);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from delivery where mail='lea@example.com'"), 0);
    /* towards the end it is tried every hour */
    CU_ASSERT_EQUAL(sql_number(&f, "select next_at from renewal") - (int)(end - 2 * CS_DAY), 3600);
    CU_ASSERT_EQUAL(ks_audit_verify(f.s, &rows, text, sizeof text, &f.e), 1); /* only what was altered above is amiss */
    fixture_close(&f);
}

/* ---- letters that come ready ------------------------------------------------------------------------------------ */

static int told(struct fixture *f, const ks_tell *t)
{
    MADE(f->s->driver->begin(f->s->b, KS_UPKEEP, &f->e) == 0);
    int rc = ks_notice_tell(f->s, t, NOW, &f->e);
    MADE(f->s->driver->commit(f->s->b, &f->e) == 0);
    f->s->driver->rollback(f->s->b);
    return rc;
}

static void test_a_disagreement_of_judges_is_told_to_the_administrators_once_a_day(void)
{
    struct fixture f;
    ks_live *l = NULL;
    generated(&f);
    set_addressees(&f, "tenant-admin\t\tBen\tben@example.com\nlb-admin\t\tLea\tlea@example.com\n", true);
    for (int i = 0; i < 3; i++) { /* twice on the first day */
        MADE(ks_live_open(&l, f.uri, NULL, NOW, &f.e) == 0);
        ks_disagreement(l, "orders", "one says ok,\r\nBcc: x", NOW + i / 2 * CS_DAY);
        ks_disagreement(l, "orders", "while another waits", NOW);
        ks_live_close(l);
    }
    CU_ASSERT_EQUAL(
        sql_number(&f, "select count(*) from notification where kind='engine-disagreement' and about='orders'"), 2);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from notification where text='one says ok,  Bcc: x'"), 2);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from delivery where mail='ben@example.com'"), 2);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from delivery where mail='lea@example.com'"), 0);
    fixture_close(&f);
}

static int write_link(const char *base, ks_store *s, const char *reference, const char *address, cs_time now,
                      cs_buf *out, cs_error *e)
{
    (void)base;
    (void)s;
    (void)now;
    (void)e;
    return cs_buf_addf(out, "https://gw.example/%s?%s", reference, address);
}

static void test_a_step_is_told_to_its_role_with_a_link(void)
{
    struct fixture f;
    struct ks_mailing m = {0};
    ks_mail mail = {.given = true};
    const struct ks_ways ways = {.mail = true, .domain = "example.com"};
    generated(&f);
    set_addressees(&f,
                   "receiver-admin\tacme\tJo Doe\tjo@acme.example\nreceiver-admin\tother\tX\tx@other.example\n"
                   "receiver-admin\t\tAnna\tanna@example.com\nlb-admin\tacme\tL\tl@acme.example\n",
                   true);
    const ks_tell t = {.kind = KS_NOTICE_STEP_DUE,
                       .about = "R-17",
                       .occasion = 3,
                       .role = "receiver-admin",
                       .partner = "acme",
                       .subject = "Accept the new certificate",
                       .body = "Dear colleague,\nplease accept it.\nDone: {{link}}\nThank you.\n",
                       .link = "17/3"};
    CU_ASSERT_EQUAL(told(&f, &t), 1);
    CU_ASSERT_EQUAL(told(&f, &t), 0);
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from delivery where mail<>''"), 2);
    CU_ASSERT_EQUAL(
        sql_number(&f, "select count(*) from delivery where mail in ('jo@acme.example','anna@example.com')"), 2);
    MADE(f.s->driver->begin(f.s->b, KS_UPKEEP, &f.e) == 0);
    CU_ASSERT_EQUAL(f.s->driver->notices->claim(f.s->b, &ways, NOW, NOW + 60, &m.d, &f.e), 1);
    f.s->driver->rollback(f.s->b);
    CU_ASSERT_EQUAL(ks_letter_compose(f.s, &mail, &m, NOW, false, &f.e), 0);
    CU_ASSERT_STRING_EQUAL(m.subject, "Accept the new certificate");
    CU_ASSERT_STRING_EQUAL(m.body.data,
                           "Dear colleague,\r\nplease accept it.\r\nThank you.\r\n"); /* nobody makes links */
    cs_buf_reset(&m.body);
    mail.link = write_link;
    CU_ASSERT_EQUAL(ks_letter_compose(f.s, &mail, &m, NOW, false, &f.e), 0);
    CU_ASSERT_STRING_EQUAL(m.body.data, "Dear colleague,\r\nplease accept it.\r\nDone: "
                                        "https://gw.example/17/3?anna@example.com\r\nThank you.\r\n");
    cs_buf_free(&m.body);
    free(m.d.body);
    fixture_close(&f);
}

static void test_a_fact_that_could_break_a_header_is_refused(void)
{
    struct fixture f;
    generated(&f);
    const ks_tell bad[] = {{.kind = KS_NOTICE_STEP_DUE, .occasion = 1},
                           {.kind = KS_NOTICE_STEP_DUE, .about = "R\n1"},
                           {.kind = KS_NOTICE_STEP_DUE, .about = "R-1", .subject = "x\r\nBcc: eve@example.com"},
                           {.kind = KS_NOTICE_STEP_DUE, .about = "R-1", .text = "two\nlines"},
                           {.kind = KS_NOTICE_STEP_DUE, .about = "R-1", .body = "a\rb"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_EQUAL(told(&f, &bad[i]), -1);
    }
    CU_ASSERT_EQUAL(sql_number(&f, "select count(*) from notification"), 0);
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
    {"a_renewal_without_a_hand_is_told_once_when_it_is_in_use",
     test_a_renewal_without_a_hand_is_told_once_when_it_is_in_use},
    {"what_waits_for_a_hand_is_told_when_it_is_made_and_when_it_is_taken_up",
     test_what_waits_for_a_hand_is_told_when_it_is_made_and_when_it_is_taken_up},
    {"a_successor_made_by_hand_is_told_and_the_first_of_a_slot_is_not",
     test_a_successor_made_by_hand_is_told_and_the_first_of_a_slot_is_not},
    {"a_renewal_that_fails_is_told_every_day_and_at_last_to_the_administrators",
     test_a_renewal_that_fails_is_told_every_day_and_at_last_to_the_administrators},
    {"a_disagreement_of_judges_is_told_to_the_administrators_once_a_day",
     test_a_disagreement_of_judges_is_told_to_the_administrators_once_a_day},
    {"a_step_is_told_to_its_role_with_a_link", test_a_step_is_told_to_its_role_with_a_link},
    {"a_fact_that_could_break_a_header_is_refused", test_a_fact_that_could_break_a_header_is_refused},
    {"a_keystore_in_memory_has_rounds_without_notices", test_a_keystore_in_memory_has_rounds_without_notices},
    {NULL, NULL},
};
