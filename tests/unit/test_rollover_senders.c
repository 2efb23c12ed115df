/* SPDX-License-Identifier: Apache-2.0 */
/* test_rollover_senders.c: a certificate that many senders trust: each is told, and says for himself that he is ready;
 * and who hears of what besides, once. */
#include "keystore/addressee.h"
#include "tests/unit/rollover_scene.h"

const char *const harness_suite = "rollover_senders";

#define AT (NOW + CS_DAY)

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

#define SENDERS                                                                                                        \
    "sender-admin\tacme\tAnna\tanna@acme.example\n"                                                                    \
    "sender-admin\tacme\tAlan\talan@acme.example\n"                                                                    \
    "sender-admin\tbeta\tBea\tbea@beta.example\n"                                                                      \
    "sender-admin\tgamma\tGus\tgus@gamma.example\n"                                                                    \
    "receiver-admin\tdelta\tDan\tdan@delta.example\n"

/** Listener certificate gw; acme and beta send through its route, or through none that is known; gamma through another.
 *  list: who there is */
static void begin(struct scene *s, const char *list, bool require_all)
{
    const ks_node_use use[] = {{"orders", "gw", NULL}, {"orders", NULL, "acme"}, {"bills", NULL, "gamma"}};
    const struct ks_roll_request q = {.runbook = s->book = read_book("tls-server.conf"),
                                      .alias = "gw",
                                      .window_from = AT,
                                      .window_to = AT + 3600,
                                      .require_all = require_all};
    struct made old = make_certificate(&(struct recipe){.cn = "gw", .from = NOW - CS_DAY, .to = NOW + 20 * CS_DAY});
    struct made new = make_certificate(&(struct recipe){.cn = "gw", .from = NOW - CS_DAY, .to = NOW + 300 * CS_DAY});
    ks_add a = adding(KS_TLS_SERVER, NULL, "gw", &old, true);
    ks_add b = adding(KS_TLS_SERVER, NULL, "gw", &new, false);
    bool changed = false;
    scene_open(s, "gw", "roll-over senders");
    MADE(ks_set_addressees(s->f.s, list, &actor, NOW, &changed, &s->f.e) == 0 && changed);
    MADE(ks_report_node(s->f.s, "gw2", use, 3, NOW, &s->f.e) == 0);
    MADE(add_at(&s->f, &a, NOW) == 0);
    MADE(ks_rollover_start(s->f.s, &q, false, &actor, NOW, NULL, &s->f.e) == 0);
    MADE(add_at(&s->f, &b, NOW) == 0);
    made_free(&old);
    made_free(&new);
    keep(s, NOW + 1);
}

/** @return exit code of the command of step 2a, which sets the instant */
static int set_instant(struct scene *s)
{
    struct ks_rollover *r = look(s);
    size_t at = ks_runbook_find(r->runbook, "2a");
    int rc = EXIT_OF(&s->f, ks_rollover_run(s->f.s, r, at, false, &actor, s->now, &s->f.out, &s->f.e));
    ks_rollover_free(r);
    return rc;
}

/** Mails about a step ("R-1/3/%") to an address. */
static int mails(struct scene *s, const char *about, const char *to)
{
    char query[256];
    snprintf(
        query, sizeof query,
        "select count(*) from delivery join notification using(dedup_key) where about like '%s' and mail like '%s'",
        about, to);
    return sql_number(&s->f, query);
}

static void send_all(struct scene *s)
{
    sql(&s->f, "update delivery set state='sent'");
    keep(s, s->now + 1);
}

/** Up to where senders are asked. */
static void ask(struct scene *s, bool require_all)
{
    begin(s, SENDERS, require_all);
    CU_ASSERT_EQUAL(set_instant(s), 0);
    keep(s, NOW + 2);
    CU_ASSERT_EQUAL(confirm(s, "3"), 0);
    keep(s, NOW + 3);
    CU_ASSERT_EQUAL(state_of(s, "4"), KS_STEP_READY);
}

static void end(struct scene *s)
{
    ks_runbook_free(s->book);
    fixture_close(&s->f);
}

static void test_each_sender_is_told_and_says_for_himself_that_he_is_ready(void)
{
    struct scene s;
    ask(&s, false);
    struct ks_rollover *r = look(&s);
    size_t third = ks_runbook_find(r->runbook, "3");
    CU_ASSERT(r->n_sender == 2 && strcmp(r->sender[0], "acme") == 0 && strcmp(r->sender[1], "beta") == 0);
    CU_ASSERT(r->step[third].told == 3 && r->step[third + 1].told == 3);
    ks_rollover_free(r);
    CU_ASSERT(confirm(&s, "4") == CS_EXIT_USAGE && strstr(s.f.e.text, "not yet: acme, beta") != NULL);
    CU_ASSERT(confirm(&s, "4/gamma") == CS_EXIT_USAGE && confirm(&s, "4/") == CS_EXIT_USAGE);
    CU_ASSERT_EQUAL(confirm(&s, "4/acme"), 0);
    CU_ASSERT(confirm(&s, "4/acme") == CS_EXIT_CONFLICT && strstr(s.f.e.text, "not yet: beta") != NULL);
    CU_ASSERT_EQUAL(state_of(&s, "4"), KS_STEP_READY);
    r = look(&s);
    CU_ASSERT(strstr(r->judged[third + 1].missing, "confirmed (not yet: beta)") != NULL);
    ks_rollover_free(r);
    CU_ASSERT_EQUAL(confirm(&s, "4/beta"), 0);
    CU_ASSERT_EQUAL(state_of(&s, "4"), KS_STEP_DONE);
    CU_ASSERT(confirm(&s, "4/beta") == CS_EXIT_CONFLICT);
    CU_ASSERT(confirm(&s, "5/beta") != 0);
    end(&s);
}

static void test_a_link_of_one_sender_is_no_word_of_another(void)
{
    struct scene s;
    char token[KS_LINK_TOKEN];
    ask(&s, false);
    CU_ASSERT_EQUAL(EXIT_OF(&s.f, ks_link_make(s.f.s, "R-1/4/beta", "anna@acme.example", s.now, token, &s.f.e)),
                    CS_EXIT_USAGE);
    MADE(ks_link_make(s.f.s, "R-1/4/acme", "anna@acme.example", s.now, token, &s.f.e) == 0);
    CU_ASSERT_EQUAL(EXIT_OF(&s.f, ks_link_use(s.f.s, token, s.now, &s.f.e)), 0);
    CU_ASSERT_EQUAL(EXIT_OF(&s.f, ks_link_use(s.f.s, token, s.now, &s.f.e)), CS_EXIT_CONFLICT);
    struct ks_rollover *r = look(&s);
    size_t at = ks_runbook_find(r->runbook, "4");
    CU_ASSERT(ks_rollover_word(r, at, "acme") != NULL && ks_rollover_word(r, at, "beta") == NULL);
    CU_ASSERT_EQUAL(r->judged[at].state, KS_STEP_READY);
    ks_rollover_free(r);
    end(&s);
}

/** Notices to the tenant that name beta alone. */
static int named(struct scene *s)
{
    return sql_number(&s->f, "select count(*) from notification where about='R-1' and text like '%can come: beta. %'");
}

static void test_who_is_not_ready_an_hour_before_is_named_once_and_the_exchange_comes(void)
{
    struct scene s;
    ask(&s, false);
    CU_ASSERT_EQUAL(confirm(&s, "4/acme"), 0);
    keep(&s, AT - KS_ROLL_READY_S - 1);
    CU_ASSERT_EQUAL(named(&s), 0);
    keep(&s, AT - KS_ROLL_READY_S);
    CU_ASSERT_EQUAL(named(&s), 1);
    keep(&s, AT - 1);
    CU_ASSERT(named(&s) == 1 && s.told == 0 && !active(&s, 2)); /* it is a warning, and nothing that failed */
    keep(&s, AT);
    CU_ASSERT(active(&s, 2) && state_of(&s, "5") == KS_STEP_DONE);
    end(&s);
}

static void test_where_all_are_required_the_exchange_is_put_off_until_the_last_one_is_ready(void)
{
    struct scene s;
    ask(&s, true);
    CU_ASSERT_EQUAL(confirm(&s, "4/acme"), 0);
    keep(&s, AT - KS_ROLL_READY_S);
    CU_ASSERT(s.told == 1 && state_of(&s, "2a") == KS_STEP_READY);
    CU_ASSERT(set_instant(&s) == CS_EXIT_GUARD && strstr(s.f.e.text, "not yet: beta") != NULL);
    keep(&s, AT + 60);
    CU_ASSERT(!active(&s, 2) && state_of(&s, "5") == KS_STEP_WAITS);
    const cs_time later = AT + CS_DAY;
    CU_ASSERT_EQUAL(EXIT_OF(&s.f, ks_rollover_window(s.f.s, 1, later, later + 60, false, &actor, s.now, &s.f.e)), 0);
    CU_ASSERT(state_of(&s, "2a") == KS_STEP_READY && set_instant(&s) == 0);
    keep(&s, AT + 61);
    CU_ASSERT_EQUAL(mails(&s, "R-1/3/%", "%@%"), 6); /* who heard of the instant before hears of this one */
    CU_ASSERT(confirm(&s, "4/beta") == CS_EXIT_CONFLICT && confirm(&s, "3") == 0);
    CU_ASSERT_EQUAL(confirm(&s, "4/beta"), 0);
    keep(&s, later - KS_ROLL_READY_S);
    CU_ASSERT(s.told == 1 && !active(&s, 2));
    keep(&s, later);
    CU_ASSERT(active(&s, 2) && state_of(&s, "5") == KS_STEP_DONE);
    end(&s);
}

static void test_the_tenant_hears_of_the_instant_before_the_senders_do(void)
{
    struct scene s;
    begin(&s, SENDERS "lb-admin\t\tLea\tlea@example.com\ntenant-admin\t\tTom\ttom@example.com\n", false);
    CU_ASSERT_EQUAL(set_instant(&s), 0);
    keep(&s, NOW + 2);
    CU_ASSERT(mails(&s, "R-1/2b", "tom@example.com") == 1 && mails(&s, "R-1/2b", "%@%") == 1);
    CU_ASSERT_EQUAL(sql_number(&s.f,
                               "select count(*) from notification where about='R-1/2b' and attach=1 and body like "
                               "'%the server certificate of gw is exchanged. New root: CN=%'"),
                    1);
    CU_ASSERT(state_of(&s, "2b") == KS_STEP_READY && state_of(&s, "3") == KS_STEP_WAITS); /* not sent yet */
    send_all(&s);
    CU_ASSERT(state_of(&s, "2b") == KS_STEP_DONE && mails(&s, "R-1/3/%", "%@%") == 3);
    end(&s);
}

static void test_nobody_of_the_house_writes_to_himself(void)
{
    struct scene s;
    begin(&s, SENDERS "lb-admin\t\tLea\tlea@example.com\ntenant-admin\t\tLea\tlea@example.com\n", false);
    CU_ASSERT_EQUAL(set_instant(&s), 0);
    keep(&s, NOW + 2);
    CU_ASSERT(mails(&s, "R-1/2b", "%@%") == 0 && state_of(&s, "2b") == KS_STEP_DONE);
    CU_ASSERT_EQUAL(mails(&s, "R-1/3/%", "%@%"), 3);
    end(&s);
}

/** A certificate of that common name, self-signed, into a slot. */
static void add_one(struct scene *s, enum ks_role role, const char *alias, const char *cn, bool activate)
{
    struct made m = make_certificate(
        &(struct recipe){.cn = cn, .from = NOW - CS_DAY, .to = NOW + 300 * CS_DAY, .ca = role == KS_TRUST_ANCHOR});
    ks_add a = adding(role, NULL, alias, &m, activate);
    MADE(add_at(&s->f, &a, NOW) == 0);
    made_free(&m);
}

static void test_the_developer_is_given_the_certificate_and_asked_for_its_names_once(void)
{
    static const char list[] = "tenant-admin\t\tTom\ttom@example.com\nintegration-developer\t\tDee\tdee@example.com\n";
    struct scene s;
    ks_mapping_outcome done;
    bool changed = false;
    const ks_mapping_new names = {.route = "orders", .subject = "CN=sender 1", .issuer = "CN=sender 1"};
    struct ks_roll_request q = {.runbook = read_book("authz-client.conf"), .alias = "sender"};
    scene_open(&s, "sender", "");
    s.book = (struct ks_runbook *)q.runbook;
    MADE(ks_set_addressees(s.f.s, list, &actor, NOW, &changed, &s.f.e) == 0);
    add_one(&s, KS_AUTHZ_CLIENT, "sender", "sender 1", true);
    MADE(ks_mapping_add(s.f.s, &names, false, &actor, NOW, &done, &s.f.e) == 0);
    MADE(ks_rollover_start(s.f.s, &q, false, &actor, NOW, NULL, &s.f.e) == 0);
    add_one(&s, KS_AUTHZ_CLIENT, "sender", "sender 2", true);
    keep(&s, NOW + 1);
    CU_ASSERT(state_of(&s, "3a") == KS_STEP_READY && mails(&s, "R-1/3b", "%@%") == 0);
    add_one(&s, KS_TRUST_ANCHOR, "senders", "sender 2", true);
    keep(&s, NOW + 2);
    CU_ASSERT_EQUAL(sql_number(&s.f,
                               "select count(*) from notification where about='R-1/3b' and attach=1 and body like "
                               "'%let in its subject CN=sender 2 and its issuer CN=sender 2, beside those of "
                               "sender#1, on the routes orders.%rollover next R-1%'"),
                    1);
    CU_ASSERT(mails(&s, "R-1/3b", "dee@example.com") == 1 && state_of(&s, "4a") == KS_STEP_WAITS);
    send_all(&s);
    CU_ASSERT(state_of(&s, "3b") == KS_STEP_DONE && state_of(&s, "4a") == KS_STEP_READY);
    CU_ASSERT_EQUAL(mails(&s, "R-1/4a", "%@%"), 0); /* the mail before asked for just that */
    end(&s);
}

/** Uses and refusals that a gateway counted and wrote. */
static void use_from(struct scene *s, const char *alias, unsigned n, const char *sender, bool ok, int times)
{
    ks_live *l = NULL;
    const ks_options opt = {.node = NODE};
    MADE(ks_live_open(&l, s->f.uri, &opt, s->now, &s->f.e) == 0 && ks_live_step(l, 0, s->now, &s->f.e) >= 0);
    const ks_snapshot *snapshot = ks_live_get(l);
    for (int i = 0; i < times; i++) {
        ks_use(l, snapshot, alias, n, sender, ok, s->now);
    }
    ks_snapshot_release(snapshot);
    ks_live_close(l);
}

/** What the roll-over has seen of refusals. */
static void seen_refused(struct scene *s, char text[KS_FACT_TEXT])
{
    struct ks_rollover *r = look(s);
    CU_ASSERT_EQUAL(r->facts.hold & KS_BIT(KS_FACT_NONE_REFUSED), 0);
    memcpy(text, r->facts.text[KS_FACT_NONE_REFUSED], KS_FACT_TEXT);
    ks_rollover_free(r);
}

static void test_who_does_not_trust_the_new_certificate_is_counted_and_named_and_the_way_back_is_offered(void)
{
    static const char told[] = "select count(*) from notification where about='R-1' and text like '%refuses the new "
                               "certificate of gw%keystore activate gw#1'";
    struct scene s;
    char text[KS_FACT_TEXT];
    ask(&s, false);
    struct made m = make_certificate(&(struct recipe){.cn = "acme", .from = NOW - CS_DAY, .to = NOW + 300 * CS_DAY});
    ks_add a = adding(KS_VERIFIER, "acme", "acme-sign", &m, true);
    MADE(add_at(&s.f, &a, NOW) == 0);
    made_free(&m);
    use_from(&s, "acme-sign", 1, "10.2.0.7", true, 1); /* messages of acme come from there */
    use_from(&s, "gw", 1, "10.2.0.7", false, 5);       /* the old one is another matter */
    CU_ASSERT(confirm(&s, "4/acme") == 0 && confirm(&s, "4/beta") == 0);
    keep(&s, AT);
    CU_ASSERT_FATAL(active(&s, 2));
    use_from(&s, "gw", 2, "10.9.9.9", false, 3);
    use_from(&s, "gw", 2, "10.9.9.9", false, 1);
    keep(&s, AT + 10);
    seen_refused(&s, text);
    CU_ASSERT_STRING_EQUAL(text, "4 refused: 10.9.9.9 4"); /* nobody knows who that is: nobody is disturbed */
    CU_ASSERT_EQUAL(sql_number(&s.f, told), 0);
    use_from(&s, "gw", 2, "10.2.0.7", false, 2);
    keep(&s, AT + 20);
    seen_refused(&s, text);
    CU_ASSERT_STRING_EQUAL(text, "6 refused: acme (10.2.0.7) 2, 10.9.9.9 4; back: countersign keystore activate gw#1");
    use_from(&s, "gw", 2, "10.2.0.7", false, 1);
    keep(&s, AT + 30);
    CU_ASSERT_EQUAL(sql_number(&s.f, told), 1); /* once of each */
    end(&s);
}

static void test_senders_beyond_the_bound_are_counted_together(void)
{
    struct scene s;
    char text[KS_FACT_TEXT];
    char sender[KS_SENDER];
    ask(&s, false);
    keep(&s, AT);
    for (int i = 0; i < 300; i++) {
        snprintf(sender, sizeof sender, "10.3.%d.%d", i / 250, i % 250);
        use_from(&s, "gw", 2, sender, false, 1);
    }
    keep(&s, AT + 10);
    seen_refused(&s, text);
    CU_ASSERT(strncmp(text, "300 refused: others 44, 10.3.0.0 1", 34) == 0);
    CU_ASSERT_EQUAL(sql_number(&s.f, "select count(*) from observation where kind='refused'"), 257);
    end(&s);
}

#define TEST(name)                                                                                                     \
    {                                                                                                                  \
#name, test_##name                                                                                             \
    }
const struct harness_test harness_tests[] = {
    TEST(each_sender_is_told_and_says_for_himself_that_he_is_ready),
    TEST(a_link_of_one_sender_is_no_word_of_another),
    TEST(who_is_not_ready_an_hour_before_is_named_once_and_the_exchange_comes),
    TEST(where_all_are_required_the_exchange_is_put_off_until_the_last_one_is_ready),
    TEST(the_tenant_hears_of_the_instant_before_the_senders_do),
    TEST(nobody_of_the_house_writes_to_himself),
    TEST(who_does_not_trust_the_new_certificate_is_counted_and_named_and_the_way_back_is_offered),
    TEST(senders_beyond_the_bound_are_counted_together),
    TEST(the_developer_is_given_the_certificate_and_asked_for_its_names_once),
    {NULL, NULL},
};
