/* SPDX-License-Identifier: Apache-2.0 */
/* test_consent.c: two persons: who may agree to what, how long it holds, and that it counts once. */
#include "keystore/consent.h"
#include "keystore/operators.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "consent";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static const ks_actor anna = {"anna", "uid", "because"};
static const ks_actor anna_too = {"anna-adm", "uid", "because"};
static const ks_actor ben = {"ben", "uid", NULL};
static const ks_actor carl = {"carl", "uid", NULL};
static const ks_actor unknown_dora = {"dora", "uid",
                                      NULL}; /* an account that has the name of an operator, but is not hers */

#define PERSONS "approvers anna ben dora\noperator anna anna anna-adm\noperator dora d.smith\n"

static void fixture_two(struct fixture *f)
{
    bool changed = false;
    fixture_open(f);
    MADE(ks_set_persons(f->s, PERSONS, &anna, NOW, &changed, &f->e) == 0 && changed);
}

static void plan_of(struct ks_plan *p, const char *reason)
{
    ks_plan_begin(p, "rekey", "");
    ks_plan_put(p, KS_PLAN_ASKED, "reason", reason);
}

/** Does the plan have consent when who asks for it at now? */
static bool given(struct fixture *f, const char *reason, const ks_actor *who, cs_time now)
{
    static struct ks_plan p;
    struct ks_consent c;
    plan_of(&p, reason);
    MADE(ks_consent_ask(f->s, &p, who, now, &c, &f->e) == 0 && c.asked);
    return c.given;
}

static int64_t propose(struct fixture *f, const char *reason, const ks_actor *who, cs_time now)
{
    static struct ks_plan p;
    struct ks_consent c;
    plan_of(&p, reason);
    CU_ASSERT_EQUAL(EXIT_OF(f, ks_consent_propose(f->s, &p, who, now, &f->e)), CS_EXIT_APPROVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(f->e.text, "keystore approve"));
    MADE(ks_consent_ask(f->s, &p, who, now, &c, &f->e) == 0);
    return c.proposal.id;
}

static int agree(struct fixture *f, int64_t id, const ks_actor *who, cs_time now)
{
    ks_proposal p;
    return EXIT_OF(f, ks_approve(f->s, id, who, now, &p, &f->e));
}

static void test_not_in_force_until_two_are_named(void)
{
    static struct ks_plan p;
    struct fixture f;
    struct ks_consent c;
    bool changed = false;
    fixture_open(&f);
    plan_of(&p, NULL);
    CU_ASSERT(ks_consent_ask(f.s, &p, &anna, NOW, &c, &f.e) == 0 && !c.asked && !c.given);
    MADE(ks_set_persons(f.s, "approvers anna\n", &anna, NOW, &changed, &f.e) == 0);
    CU_ASSERT(ks_consent_ask(f.s, &p, &anna, NOW, &c, &f.e) == 0 && !c.asked);
    MADE(ks_set_persons(f.s, "approvers anna ben\n", &anna, NOW, &changed, &f.e) == 0 && changed);
    CU_ASSERT(ks_consent_ask(f.s, &p, &anna, NOW, &c, &f.e) == 0 && c.asked && !c.given);
    CU_ASSERT_STRING_EQUAL(c.names, "anna ben");
    fixture_close(&f);
}

static void test_only_another_person_of_the_approvers_agrees(void)
{
    struct fixture f;
    fixture_two(&f);
    int64_t id = propose(&f, "a", &anna, NOW);
    CU_ASSERT_EQUAL(propose(&f, "a", &anna_too, NOW + 1), id); /* the same plan of the same person, once */
    CU_ASSERT_EQUAL(agree(&f, id, &anna, NOW), CS_EXIT_GUARD);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.e.text, "refused G10"));
    CU_ASSERT_EQUAL(agree(&f, id, &anna_too, NOW), CS_EXIT_GUARD); /* another account, the same person */
    CU_ASSERT_EQUAL(agree(&f, id, &carl, NOW), CS_EXIT_GUARD);
    CU_ASSERT_EQUAL(agree(&f, id, &unknown_dora, NOW), CS_EXIT_GUARD);
    CU_ASSERT_FALSE(given(&f, "a", &anna, NOW));
    CU_ASSERT_EQUAL(agree(&f, id + 1, &ben, NOW), CS_EXIT_USAGE);
    CU_ASSERT_EQUAL(agree(&f, id, &ben, NOW), 0);
    CU_ASSERT_TRUE(given(&f, "a", &anna, NOW));
    CU_ASSERT_TRUE(given(&f, "a", &anna_too, NOW));
    CU_ASSERT_FALSE(given(&f, "a", &ben, NOW)); /* who agreed does not carry it out himself */
    fixture_close(&f);
}

static void test_agreement_is_bound_to_the_exact_plan(void)
{
    struct fixture f;
    fixture_two(&f);
    MADE(agree(&f, propose(&f, "a", &anna, NOW), &ben, NOW) == 0);
    CU_ASSERT_TRUE(given(&f, "a", &anna, NOW));
    CU_ASSERT_FALSE(given(&f, "b", &anna, NOW));
    CU_ASSERT_FALSE(given(&f, NULL, &anna, NOW));
    fixture_close(&f);
}

static void test_agreement_lasts_a_day_and_counts_once(void)
{
    static struct ks_plan p;
    struct fixture f;
    struct ks_consent c;
    fixture_two(&f);
    int64_t id = propose(&f, "a", &anna, NOW);
    CU_ASSERT_EQUAL(agree(&f, id, &ben, NOW + CS_DAY), CS_EXIT_CONFLICT);
    CU_ASSERT_EQUAL(agree(&f, id, &ben, NOW + CS_DAY - 1), 0);
    CU_ASSERT_TRUE(given(&f, "a", &anna, NOW + CS_DAY - 1));
    CU_ASSERT_FALSE(given(&f, "a", &anna, NOW + CS_DAY));
    plan_of(&p, "a");
    MADE(ks_consent_ask(f.s, &p, &anna, NOW + 5, &c, &f.e) == 0 && c.given);
    CU_ASSERT_STRING_EQUAL(c.proposal.approver, "ben");
    MADE(ks_consent_use(f.s, &c, NOW + 5, &f.e) == 0);
    CU_ASSERT_FALSE(given(&f, "a", &anna, NOW + 6));
    CU_ASSERT_EQUAL(agree(&f, id, &ben, NOW + 6), CS_EXIT_CONFLICT);
    int64_t second = propose(&f, "a", &anna, NOW + 7);
    CU_ASSERT(second > id);
    fixture_close(&f);
}

static void test_list_of_persons_guards_itself(void)
{
    static const char wider[] = "approvers anna anna2 ben dora\noperator anna anna anna-adm\noperator dora d.smith\n";
    static const ks_actor node = {"gateway", "node", NULL};
    struct fixture f;
    bool changed = true;
    fixture_two(&f);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_set_persons(f.s, PERSONS, &anna, NOW, &changed, &f.e)), 0);
    CU_ASSERT_FALSE(changed);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_set_persons(f.s, "", &anna, NOW, &changed, &f.e)), CS_EXIT_APPROVAL);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_set_persons(f.s, wider, &anna, NOW, &changed, &f.e)), CS_EXIT_APPROVAL);
    /* a node starts with another file: nobody stands behind it who could be compared */
    uint64_t generation = ks_generation(f.s);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_set_persons(f.s, wider, &node, NOW, &changed, &f.e)), CS_EXIT_APPROVAL);
    CU_ASSERT_EQUAL(ks_generation(f.s), generation);
    CU_ASSERT_EQUAL(agree(&f, 2, &anna, NOW), CS_EXIT_GUARD);
    CU_ASSERT_EQUAL(agree(&f, 2, &ben, NOW), 0);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_set_persons(f.s, wider, &anna, NOW, &changed, &f.e)), 0);
    CU_ASSERT_TRUE(changed);
    fixture_close(&f);
}

static void test_approver_who_left_the_list_counts_no_more(void)
{
    static const char without_ben[] = "approvers anna dora\noperator anna anna anna-adm\noperator dora d.smith\n";
    static const ks_actor dora = {"d.smith", "uid", NULL};
    struct fixture f;
    bool changed = false;
    fixture_two(&f);
    MADE(agree(&f, propose(&f, "a", &anna, NOW), &ben, NOW) == 0);
    MADE(EXIT_OF(&f, ks_set_persons(f.s, without_ben, &anna, NOW, &changed, &f.e)) == CS_EXIT_APPROVAL);
    MADE(agree(&f, 2, &dora, NOW) == 0);
    MADE(EXIT_OF(&f, ks_set_persons(f.s, without_ben, &anna, NOW, &changed, &f.e)) == 0 && changed);
    CU_ASSERT_FALSE(given(&f, "a", &anna, NOW));
    fixture_close(&f);
}

struct approvers {
    const char *verb;  /**< of the rows looked at */
    char approver[64]; /**< of the last of them; "-": it has none */
    unsigned others;   /**< rows of other verbs that name one */
};

static int see_approver(void *ctx, const ks_logged *row, cs_error *e)
{
    (void)e;
    struct approvers *a = ctx;
    if (strcmp(row->verb, a->verb) == 0) {
        snprintf(a->approver, sizeof a->approver, "%s", row->approver != NULL ? row->approver : "-");
    } else {
        a->others += row->approver != NULL;
    }
    return 0;
}

static void logged_approver(struct fixture *f, const char *verb, const char *expected)
{
    struct approvers a = {.verb = verb};
    MADE(ks_audit_list(f->s, true, see_approver, &a, &f->e) == 0);
    CU_ASSERT_STRING_EQUAL(a.approver, expected);
}

static void test_log_names_who_agreed(void)
{
    struct fixture f;
    ks_outcome out;
    bool carried = false;
    uint64_t rows = 0;
    char text[256];
    fixture_two(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    ks_add twin = adding(KS_VERIFIER, "bolt", "bolt-sign", &m, true);
    MADE(add_at(&f, &twin, NOW) == 0); /* the same key in another slot goes and comes with it */
    ks_request r = {.verb = KS_DO_COMPROMISE, .alias = "acme-sign", .n = 1};
    MADE(EXIT_OF(&f, ks_change(f.s, &r, &anna, NOW + 1, &f.out, &f.e)) == 0);
    logged_approver(&f, "compromise", "-");
    r.verb = KS_DO_CLEAR;
    MADE(EXIT_OF(&f, ks_change(f.s, &r, &anna, NOW + 2, &f.out, &f.e)) == CS_EXIT_APPROVAL);
    MADE(agree(&f, 1, &ben, NOW + 3) == 0);
    MADE(EXIT_OF(&f, ks_carry_out(f.s, 1, NOW + 4, &carried, &out, &f.e)) == 0 && carried);
    logged_approver(&f, "clear", "ben");
    struct approvers a = {.verb = "clear"};
    MADE(ks_audit_list(f.s, true, see_approver, &a, &f.e) == 0);
    CU_ASSERT_EQUAL(a.others, 0);
    MADE(act_at(&f, KS_DO_SUSPEND, "acme-sign", 1, NOW + 5) == 0);
    logged_approver(&f, "suspend", "-"); /* an agreement does not reach beyond its change */
    CU_ASSERT_EQUAL(ks_audit_verify(f.s, &rows, text, sizeof text, &f.e), 0);
    made_free(&m);
    fixture_close(&f);
}

static void test_agreed_verb_is_carried_out_from_its_plan(void)
{
    struct fixture f;
    ks_outcome out;
    bool carried = false;
    fixture_two(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    struct made other = add_verifier(&f, "acme-sign", NOW);
    ks_request r = {.verb = KS_DO_COMPROMISE, .alias = "acme-sign", .n = 1};
    MADE(EXIT_OF(&f, ks_change(f.s, &r, &anna, NOW + 1, &f.out, &f.e)) == 0);
    r.verb = KS_DO_CLEAR; /* taking a compromise back is for two */
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_change(f.s, &r, &anna, NOW + 2, &f.out, &f.e)), CS_EXIT_APPROVAL);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_carry_out(f.s, 1, NOW + 3, &carried, &out, &f.e)), CS_EXIT_APPROVAL);
    CU_ASSERT_FALSE(carried);
    CU_ASSERT_EQUAL(agree(&f, 1, &ben, NOW + 3), 0);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_carry_out(f.s, 1, NOW + 4, &carried, &out, &f.e)), 0);
    CU_ASSERT_TRUE(carried && out.done && out.info.state == KS_ACTIVE);
    CU_ASSERT_NOT_EQUAL(EXIT_OF(&f, ks_carry_out(f.s, 1, NOW + 5, &carried, &out, &f.e)) == 0 && out.done, true);
    made_free(&m);
    made_free(&other);
    fixture_close(&f);
}

static void test_what_changed_since_is_not_carried_out(void)
{
    struct fixture f;
    ks_outcome out;
    bool carried = false;
    fixture_two(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    ks_request r = {.verb = KS_DO_COMPROMISE, .alias = "acme-sign", .n = 1};
    MADE(EXIT_OF(&f, ks_change(f.s, &r, &anna, NOW + 1, &f.out, &f.e)) == 0);
    r.verb = KS_DO_CLEAR;
    MADE(EXIT_OF(&f, ks_change(f.s, &r, &anna, NOW + 2, &f.out, &f.e)) == CS_EXIT_APPROVAL);
    MADE(agree(&f, 1, &ben, NOW + 3) == 0);
    MADE(act_at(&f, KS_DO_SUSPEND, "acme-sign", 1, NOW + 4) == 0);
    CU_ASSERT_NOT_EQUAL(EXIT_OF(&f, ks_carry_out(f.s, 1, NOW + 5, &carried, &out, &f.e)), 0);
    CU_ASSERT_FALSE(carried);
    made_free(&m);
    fixture_close(&f);
}

/** Read a configuration and give its list, "" where an error was told. */
static char *persons_of(const char *text)
{
    struct cs_conf_table table = ks_directives();
    struct cs_conf_report report = {0};
    struct ks_config config = KS_CONFIG_INIT;
    struct cs_conf *tree = NULL;
    char *persons = NULL;
    int rc = cs_conf_read_text("t", text, strlen(text), &table, 1, &tree, &report);
    if (rc == 0 && cs_conf_apply(tree, table, &config, &report) == 0) {
        persons = ks_config_persons(&config);
    }
    ks_config_free(&config);
    cs_conf_free(tree);
    cs_conf_report_free(&report);
    return persons != NULL ? persons : strdup("");
}

static void test_configuration_names_operators_and_approvers(void)
{
    static const struct {
        const char *text, *persons;
    } row[] = {
        {"", ""},
        {"two-persons { approvers ben anna; }", "approvers anna ben\n"},
        {"operator dora { uid d.smith; roles lb-admin tenant-admin; mail \"d@example.com\"; } operator anna { uid "
         "anna-adm anna; "
         "certificate \"CN=anna\"; name \"Anna Berg\"; } two-persons { approvers dora anna ben; }",
         PERSONS},
        {"two-persons { approvers anna; }", ""},
        {"two-persons { approvers anna anna; }", ""},
        {"two-persons { }", ""},
        {"operator anna { uid anna; } operator anna { uid ben; }", ""},
        {"operator anna { uid anna; } operator ben { uid anna; }", ""}, /* one account, two persons */
        {"operator anna { roles tenant-admim; }", ""},
        {"operator anna { mail \"anna\"; }", ""},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        char *persons = persons_of(row[i].text);
        CU_ASSERT_STRING_EQUAL(persons, row[i].persons);
        free(persons);
    }
}

IN_MEMORY(not_in_force_until_two_are_named)
IN_MEMORY(only_another_person_of_the_approvers_agrees)
IN_MEMORY(agreement_is_bound_to_the_exact_plan)
IN_MEMORY(list_of_persons_guards_itself)
IN_MEMORY(approver_who_left_the_list_counts_no_more)
IN_MEMORY(log_names_who_agreed)
IN_MEMORY(agreed_verb_is_carried_out_from_its_plan)
IN_MEMORY(what_changed_since_is_not_carried_out)

const struct harness_test harness_tests[] = {
    {"not_in_force_until_two_are_named", test_not_in_force_until_two_are_named},
    {"only_another_person_of_the_approvers_agrees", test_only_another_person_of_the_approvers_agrees},
    {"agreement_is_bound_to_the_exact_plan", test_agreement_is_bound_to_the_exact_plan},
    {"agreement_lasts_a_day_and_counts_once", test_agreement_lasts_a_day_and_counts_once},
    {"list_of_persons_guards_itself", test_list_of_persons_guards_itself},
    {"approver_who_left_the_list_counts_no_more", test_approver_who_left_the_list_counts_no_more},
    {"log_names_who_agreed", test_log_names_who_agreed},
    {"agreed_verb_is_carried_out_from_its_plan", test_agreed_verb_is_carried_out_from_its_plan},
    {"what_changed_since_is_not_carried_out", test_what_changed_since_is_not_carried_out},
    {"configuration_names_operators_and_approvers", test_configuration_names_operators_and_approvers},
    {"not_in_force_until_two_are_named_in_memory", test_not_in_force_until_two_are_named_in_memory},
    {"only_another_person_of_the_approvers_agrees_in_memory",
     test_only_another_person_of_the_approvers_agrees_in_memory},
    {"agreement_is_bound_to_the_exact_plan_in_memory", test_agreement_is_bound_to_the_exact_plan_in_memory},
    {"list_of_persons_guards_itself_in_memory", test_list_of_persons_guards_itself_in_memory},
    {"approver_who_left_the_list_counts_no_more_in_memory", test_approver_who_left_the_list_counts_no_more_in_memory},
    {"log_names_who_agreed_in_memory", test_log_names_who_agreed_in_memory},
    {"agreed_verb_is_carried_out_from_its_plan_in_memory", test_agreed_verb_is_carried_out_from_its_plan_in_memory},
    {"what_changed_since_is_not_carried_out_in_memory", test_what_changed_since_is_not_carried_out_in_memory},
    {NULL, NULL},
};
