/* SPDX-License-Identifier: Apache-2.0 */
/* test_store.c: changes of a keystore, on each driver: what they do, what they refuse, and that a refusal leaves
 * nothing behind. */
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "store";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static enum ks_state state_of(struct fixture *f, const char *alias, unsigned n, cs_time now)
{
    ks_list l;
    MADE(ks_list_entries(f->s, &(ks_filter){.alias = alias, .n = n, .with_destroyed = true}, now, &l, &f->e) == 0 &&
         l.n == 1);
    enum ks_state s = l.info[0].state;
    ks_list_free(&l);
    return s;
}

static void test_rollover_of_a_verifier_keeps_both_accepted(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made first = add_verifier(&f, "acme-sign", NOW);
    struct made second = add_verifier(&f, "acme-sign", NOW + 10);
    CU_ASSERT_EQUAL(f.out.info.n, 2);
    CU_ASSERT_EQUAL(f.out.generation, 3);
    CU_ASSERT_EQUAL(acceptable_at(&f, NOW + 10, 0), 2);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_DEACTIVATE, "acme-sign", 1, NOW + 20), 0);
    CU_ASSERT_EQUAL(f.out.info.process_stop, NOW + 20 + 90 * CS_DAY);
    CU_ASSERT_EQUAL(acceptable_at(&f, NOW + 20 + 90 * CS_DAY - 1, 0), 2);
    CU_ASSERT_EQUAL(acceptable_at(&f, NOW + 20 + 90 * CS_DAY, 0), 1);
    CU_ASSERT_EQUAL(state_of(&f, "acme-sign", 1, NOW + 20 + 90 * CS_DAY), KS_ARCHIVED);
    made_free(&first);
    made_free(&second);
    fixture_close(&f);
}

static void test_removal_waits_for_process_stop(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_REMOVE, "acme-sign", 1, NOW), CS_EXIT_GUARD);
    CU_ASSERT_EQUAL(f.out.refusal[0].guard, KS_G7_INACTIVE_ONLY);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_DEACTIVATE, "acme-sign", 1, NOW), 0);
    cs_time stop = f.out.info.process_stop;
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_REMOVE, "acme-sign", 1, stop - 1), CS_EXIT_GUARD);
    CU_ASSERT_EQUAL(f.out.refusal[0].guard, KS_G8_RETENTION);
    CU_ASSERT_EQUAL(f.out.refusal[0].allowed_from, stop);
    CU_ASSERT_EQUAL(strncmp(f.e.text, "refused G8 retention: ", 22), 0);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_REMOVE, "acme-sign", 1, stop), 0);
    CU_ASSERT_EQUAL(state_of(&f, "acme-sign", 1, stop), KS_ARCHIVED);
    CU_ASSERT_EQUAL(f.out.info.trash_until, stop + 30 * CS_DAY);
    /* what was acceptable stays known */
    CU_ASSERT_EQUAL(acceptable_at(&f, stop - 1, 0), 1);
    /* and the same certificate may come again, under a new number */
    ks_add again = adding(KS_VERIFIER, "acme", "acme-sign", &m, false);
    CU_ASSERT_EQUAL(add_at(&f, &again, stop + 1), CS_EXIT_CONFLICT);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.e.text, "trash restore"));
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_DISCARD, "acme-sign", 1, stop + 1), 0);
    CU_ASSERT_EQUAL(state_of(&f, "acme-sign", 1, stop + 1), KS_DESTROYED);
    CU_ASSERT_EQUAL(add_at(&f, &again, stop + 1), 0);
    CU_ASSERT_EQUAL(f.out.info.n, 2);
    made_free(&m);
    fixture_close(&f);
}

static void test_guaranteed_delivery_of_a_partner_reaches_entries_that_wait(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_DEACTIVATE, "acme-sign", 1, NOW), 0);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_set_partner(f.s, "acme", 120 * CS_DAY, NOW + 5, &f.e)), 0);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_REMOVE, "acme-sign", 1, NOW + 120 * CS_DAY - 1), CS_EXIT_GUARD);
    CU_ASSERT_EQUAL(acceptable_at(&f, NOW + 120 * CS_DAY - 1, 0), 1);
    CU_ASSERT_EQUAL(acceptable_at(&f, NOW + 120 * CS_DAY, 0), 0);
    /* a shorter one does not take back what was promised */
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_set_partner(f.s, "acme", CS_DAY, NOW + 6, &f.e)), 0);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_REMOVE, "acme-sign", 1, NOW + 120 * CS_DAY - 1), CS_EXIT_GUARD);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_REMOVE, "acme-sign", 1, NOW + 120 * CS_DAY), 0);
    made_free(&m);
    fixture_close(&f);
}

static void test_terms_of_a_node_hold_for_commands_without_configuration(void)
{
    struct fixture f;
    fixture_open(&f);
    fixture_close(&f);
    ks_options terms = {.retention = 100 * CS_DAY, .guaranteed_delivery = 110 * CS_DAY};
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_open(&f.s, f.uri, &terms, &f.e)), 0);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_report_node(f.s, "n1", NULL, 0, NOW, &f.e)), 0);
    uint64_t told = ks_generation(f.s);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_report_node(f.s, "n1", NULL, 0, NOW, &f.e)), 0);
    CU_ASSERT_EQUAL(ks_generation(f.s), told); /* the same again changes nothing */
    fixture_close(&f);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_open(&f.s, f.uri, NULL, &f.e)), 0);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_DEACTIVATE, "acme-sign", 1, NOW), 0);
    CU_ASSERT_EQUAL(f.out.info.process_stop, NOW + 110 * CS_DAY);
    made_free(&m);
    fixture_close(&f);
}

static void test_sign_slot_exchanges_in_one_change(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made a = make_certificate(&(struct recipe){0});
    struct made b = make_certificate(&(struct recipe){0});
    ks_add first = adding(KS_SIGN, NULL, "own-sign", &a, true);
    ks_add second = adding(KS_SIGN, NULL, "own-sign", &b, true);
    CU_ASSERT_EQUAL(add_at(&f, &first, NOW), 0);
    uint64_t before = ks_generation(f.s);
    CU_ASSERT_EQUAL(add_at(&f, &second, NOW + 5), 0);
    CU_ASSERT_EQUAL(ks_generation(f.s), before + 1);
    CU_ASSERT(f.out.has_other && f.out.other.n == 1 && f.out.other.state == KS_DEACTIVATED);
    CU_ASSERT_EQUAL(state_of(&f, "own-sign", 1, NOW + 5), KS_DEACTIVATED);
    CU_ASSERT_EQUAL(state_of(&f, "own-sign", 2, NOW + 5), KS_ACTIVE);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_ACTIVATE, "own-sign", 1, NOW + 9), 0); /* and back */
    CU_ASSERT_EQUAL(state_of(&f, "own-sign", 2, NOW + 9), KS_DEACTIVATED);
    made_free(&a);
    made_free(&b);
    fixture_close(&f);
}

static void test_refusal_and_dry_run_leave_nothing_behind(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    struct made other = make_certificate(&(struct recipe){0});
    uint64_t before = ks_generation(f.s);
    ks_add a = adding(KS_VERIFIER, "beta", "beta-sign", &other, true);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_add_entry(f.s, &a, true, &actor, NOW, &f.out, &f.e)), 0);
    CU_ASSERT_FALSE(f.out.done);
    CU_ASSERT_EQUAL(f.out.generation, before + 1);
    CU_ASSERT_EQUAL(
        EXIT_OF(&f,
                ks_change(f.s, &(ks_request){.verb = KS_DO_DEACTIVATE, .alias = "acme-sign", .n = 1, .dry_run = true},
                          &actor, NOW, &f.out, &f.e)),
        0);
    CU_ASSERT_EQUAL(
        EXIT_OF(&f, ks_change(f.s, &(ks_request){.verb = KS_DO_REMOVE, .alias = "acme-sign", .n = 1, .dry_run = true},
                              &actor, NOW, &f.out, &f.e)),
        CS_EXIT_GUARD);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_REMOVE, "acme-sign", 1, NOW), CS_EXIT_GUARD);
    CU_ASSERT_EQUAL(ks_generation(f.s), before);
    CU_ASSERT_EQUAL(state_of(&f, "acme-sign", 1, NOW), KS_ACTIVE);
    ks_list l;
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_list_entries(f.s, &(ks_filter){.alias = "beta-sign"}, NOW, &l, &f.e)),
                    CS_EXIT_USAGE);
    made_free(&m);
    made_free(&other);
    fixture_close(&f);
}

static void test_version_that_moved_on_is_a_conflict(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    uint64_t version = f.out.info.version;
    CU_ASSERT_EQUAL(
        EXIT_OF(&f,
                ks_change(f.s,
                          &(ks_request){
                              .verb = KS_DO_DEACTIVATE, .alias = "acme-sign", .n = 1, .expect_version = version + 1},
                          &actor, NOW, &f.out, &f.e)),
        CS_EXIT_CONFLICT);
    CU_ASSERT_EQUAL(
        EXIT_OF(&f, ks_change(f.s,
                              &(ks_request){
                                  .verb = KS_DO_DEACTIVATE, .alias = "acme-sign", .n = 1, .expect_version = version},
                              &actor, NOW, &f.out, &f.e)),
        0);
    CU_ASSERT_EQUAL(
        EXIT_OF(&f,
                ks_change(f.s,
                          &(ks_request){.verb = KS_DO_SUSPEND, .alias = "acme-sign", .n = 1, .expect_version = version},
                          &actor, NOW, &f.out, &f.e)),
        CS_EXIT_CONFLICT);
    made_free(&m);
    fixture_close(&f);
}

static void test_repeated_verb_is_no_change(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_DEACTIVATE, "acme-sign", 1, NOW), 0);
    uint64_t before = ks_generation(f.s);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_DEACTIVATE, "acme-sign", 1, NOW + 1000), 0);
    CU_ASSERT_EQUAL(f.out.info.exchanged_at, NOW);
    CU_ASSERT_EQUAL(ks_generation(f.s), before);
    made_free(&m);
    fixture_close(&f);
}

static void test_acceptable_answers_for_then_and_as_known_then(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW + 100);                    /* generation 2 */
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_SUSPEND, "acme-sign", 1, NOW + 200), 0);    /* 3 */
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_RESUME, "acme-sign", 1, NOW + 300), 0);     /* 4 */
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_DEACTIVATE, "acme-sign", 1, NOW + 400), 0); /* 5 */
    const struct {
        cs_time at;
        uint64_t known;
        size_t n;
    } row[] = {
        {99, 0, 0},
        {100, 0, 1},
        {199, 0, 1},
        {200, 0, 0},
        {299, 0, 0},
        {300, 0, 1},
        {400, 0, 1},
        {400 + 90 * CS_DAY - 1, 0, 1},
        {400 + 90 * CS_DAY, 0, 0},
        {150, 1, 0}, /* before it was added nobody knew */
        {250, 2, 1},
        {250, 3, 0},               /* before the suspension it was expected to go on */
        {400 + 90 * CS_DAY, 4, 1}, /* nor was an end known */
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        CU_ASSERT_EQUAL(acceptable_at(&f, NOW + row[i].at, row[i].known), row[i].n);
    }
    uint64_t generation = 0;
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_generation_at(f.s, NOW + 250, &generation, &f.e)), 0);
    CU_ASSERT_EQUAL(generation, 3);
    made_free(&m);
    fixture_close(&f);
}

static void test_entry_of_the_past_is_never_active(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = make_certificate(&(struct recipe){.from = NOW - 900 * CS_DAY, .to = NOW - 400 * CS_DAY});
    ks_add a = adding(KS_VERIFIER, "acme", "acme-sign", &m, true);
    CU_ASSERT_EQUAL(add_at(&f, &a, NOW), CS_EXIT_GUARD); /* expired */
    CU_ASSERT_EQUAL(f.out.refusal[0].guard, KS_G4_OVERLAP);
    a.has_since = true; /* since 0: its notBefore */
    a.has_until = true;
    a.until = NOW - 400 * CS_DAY;
    CU_ASSERT_EQUAL(add_at(&f, &a, NOW), CS_EXIT_USAGE); /* contradicts --activate */
    a.activate = false;
    CU_ASSERT_EQUAL(add_at(&f, &a, NOW), 0);
    CU_ASSERT_EQUAL(f.out.info.state, KS_ARCHIVED);
    CU_ASSERT_EQUAL(acceptable_at(&f, NOW - 900 * CS_DAY, 0), 1);
    CU_ASSERT_EQUAL(acceptable_at(&f, NOW - 400 * CS_DAY - 1, 0), 1);
    CU_ASSERT_EQUAL(acceptable_at(&f, NOW - 400 * CS_DAY, 0), 0);
    CU_ASSERT_EQUAL(acceptable_at(&f, NOW, 0), 0);
    made_free(&m);
    fixture_close(&f);
}

static void test_back_dated_entry_is_accepted_since_then(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = make_certificate(&(struct recipe){0});
    ks_add a = adding(KS_VERIFIER, "acme", "acme-sign", &m, true);
    a.has_since = true;
    a.since = NOW - 50 * CS_DAY;
    CU_ASSERT_EQUAL(add_at(&f, &a, NOW), 0);
    CU_ASSERT_EQUAL(acceptable_at(&f, NOW - 50 * CS_DAY, 0), 1);
    CU_ASSERT_EQUAL(acceptable_at(&f, NOW - 50 * CS_DAY - 1, 0), 0);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_DEACTIVATE, "acme-sign", 1, NOW + 10), 0);
    CU_ASSERT_EQUAL(acceptable_at(&f, NOW - 50 * CS_DAY, 0), 1);
    made_free(&m);
    fixture_close(&f);
}

static void test_last_verifier_of_a_routed_partner_is_not_suspended(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    ks_node_use use = {"orders", NULL, "acme"};
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_report_node(f.s, "n1", &use, 1, NOW, &f.e)), 0);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_SUSPEND, "acme-sign", 1, NOW), CS_EXIT_GUARD);
    CU_ASSERT_EQUAL(f.out.refusal[0].guard, KS_G3_LAST_ACCEPTABLE);
    struct made other = add_verifier(&f, "acme-second", NOW); /* another slot of the partner counts */
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_SUSPEND, "acme-sign", 1, NOW), 0);
    made_free(&m);
    made_free(&other);
    fixture_close(&f);
}

static void test_actions_tell_what_is_possible_and_why_not(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    ks_action action[KS_VERBS];
    int n = ks_actions(f.s, &f.out.info, NOW, action, &f.e);
    CU_ASSERT_EQUAL(n, 4); /* deactivate, suspend, remove, compromise */
    for (int i = 0; i < n; i++) {
        CU_ASSERT_EQUAL(action[i].possible, action[i].verb != KS_DO_REMOVE);
        if (action[i].verb == KS_DO_REMOVE) {
            CU_ASSERT_EQUAL(action[i].refusal.guard, KS_G7_INACTIVE_ONLY);
        }
    }
    made_free(&m);
    fixture_close(&f);
}

static bool can(struct fixture *f, const ks_info *info, enum ks_verb verb)
{
    ks_action action[KS_VERBS];
    int n = ks_actions(f->s, info, NOW, action, &f->e);
    for (int i = 0; i < n; i++) {
        if (action[i].verb == verb) {
            return action[i].possible;
        }
    }
    return false;
}

static void test_a_list_looks_at_one_state_while_others_change_it(void)
{
    struct fixture f;
    struct fixture other;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    ks_info info = f.out.info;
    other = f;
    MADE(ks_open(&other.s, f.uri, NULL, &other.e) == 0);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_reading_begin(f.s, &f.e)), 0);
    CU_ASSERT_TRUE(can(&f, &info, KS_DO_DEACTIVATE));
    CU_ASSERT_EQUAL(act_at(&other, KS_DO_DEACTIVATE, "acme-sign", 1, NOW), 0);
    CU_ASSERT_TRUE(can(&f, &info, KS_DO_DEACTIVATE));
    CU_ASSERT_TRUE(EXIT_OF(&f, ks_reading_begin(f.s, &f.e)) != 0); /* within itself */
    CU_ASSERT_TRUE(can(&f, &info, KS_DO_DEACTIVATE));
    ks_reading_end(f.s);
    CU_ASSERT_FALSE(can(&f, &info, KS_DO_DEACTIVATE));
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_SUSPEND, "acme-sign", 1, NOW), 0); /* it may change things again */
    ks_close(other.s);
    made_free(&m);
    fixture_close(&f);
}

static void test_unknown_names_are_told_with_the_nearest(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_SUSPEND, "acme-sgin", 1, NOW), CS_EXIT_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.e.text, "did you mean acme-sign?"));
    struct made near = add_verifier(&f, "acme-sigma", NOW); /* nearly as near, and later in the list */
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_SUSPEND, "acme-sigg", 1, NOW), CS_EXIT_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.e.text, "did you mean acme-sign?"));
    CU_ASSERT_EQUAL(f.out.n_note, 0);
    made_free(&near);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_SUSPEND, "acme-sign", 7, NOW), CS_EXIT_USAGE);
    made_free(&m);
    fixture_close(&f);
}

static void test_known_partner_is_not_called_new(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    struct made other = make_certificate(&(struct recipe){0});
    ks_add a = adding(KS_VERIFIER, "acmf", "acmf-sign", &other, true);
    CU_ASSERT_EQUAL(add_at(&f, &a, NOW), 0);
    bool near = false;
    for (size_t i = 0; i < f.out.n_note; i++) {
        near = near || strcmp(f.out.note[i], "partner acmf is new; nearest known: acme") == 0;
    }
    CU_ASSERT_TRUE(near);
    struct made third = add_verifier(&f, "acme-third", NOW);
    for (size_t i = 0; i < f.out.n_note; i++) {
        CU_ASSERT_PTR_NULL(strstr(f.out.note[i], "partner acme is new"));
    }
    made_free(&m);
    made_free(&other);
    made_free(&third);
    fixture_close(&f);
}

static void test_export_gives_back_the_certificate(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made ca = make_certificate(&(struct recipe){.cn = "ca", .ca = true});
    struct made leaf = make_certificate(&(struct recipe){.cn = "leaf", .issuer = &ca});
    char both[8192];
    char *pem = NULL;
    snprintf(both, sizeof both, "%s%s", leaf.pem, ca.pem);
    ks_add a = adding(KS_VERIFIER, "acme", "acme-sign", &leaf, true);
    a.certificate_pem = both;
    a.certificate_len = strlen(both);
    CU_ASSERT_EQUAL(add_at(&f, &a, NOW), 0);
    CU_ASSERT_EQUAL(EXIT_OF(&f, export_pem(f.s, "acme-sign", 1, false, &pem, &f.e)), 0);
    CU_ASSERT_STRING_EQUAL(pem, leaf.pem);
    free(pem);
    CU_ASSERT_EQUAL(EXIT_OF(&f, export_pem(f.s, "acme-sign", 1, true, &pem, &f.e)), 0);
    CU_ASSERT_STRING_EQUAL(pem, both);
    free(pem);
    made_free(&ca);
    made_free(&leaf);
    fixture_close(&f);
}

IN_MEMORY(rollover_of_a_verifier_keeps_both_accepted)
IN_MEMORY(removal_waits_for_process_stop)
IN_MEMORY(guaranteed_delivery_of_a_partner_reaches_entries_that_wait)
IN_MEMORY(terms_of_a_node_hold_for_commands_without_configuration)
IN_MEMORY(sign_slot_exchanges_in_one_change)
IN_MEMORY(refusal_and_dry_run_leave_nothing_behind)
IN_MEMORY(version_that_moved_on_is_a_conflict)
IN_MEMORY(repeated_verb_is_no_change)
IN_MEMORY(acceptable_answers_for_then_and_as_known_then)
IN_MEMORY(entry_of_the_past_is_never_active)
IN_MEMORY(back_dated_entry_is_accepted_since_then)
IN_MEMORY(last_verifier_of_a_routed_partner_is_not_suspended)
IN_MEMORY(actions_tell_what_is_possible_and_why_not)
IN_MEMORY(unknown_names_are_told_with_the_nearest)
IN_MEMORY(known_partner_is_not_called_new)
IN_MEMORY(export_gives_back_the_certificate)

const struct harness_test harness_tests[] = {
    {"rollover_of_a_verifier_keeps_both_accepted", test_rollover_of_a_verifier_keeps_both_accepted},
    {"removal_waits_for_process_stop", test_removal_waits_for_process_stop},
    {"guaranteed_delivery_of_a_partner_reaches_entries_that_wait",
     test_guaranteed_delivery_of_a_partner_reaches_entries_that_wait},
    {"terms_of_a_node_hold_for_commands_without_configuration",
     test_terms_of_a_node_hold_for_commands_without_configuration},
    {"sign_slot_exchanges_in_one_change", test_sign_slot_exchanges_in_one_change},
    {"refusal_and_dry_run_leave_nothing_behind", test_refusal_and_dry_run_leave_nothing_behind},
    {"version_that_moved_on_is_a_conflict", test_version_that_moved_on_is_a_conflict},
    {"repeated_verb_is_no_change", test_repeated_verb_is_no_change},
    {"acceptable_answers_for_then_and_as_known_then", test_acceptable_answers_for_then_and_as_known_then},
    {"entry_of_the_past_is_never_active", test_entry_of_the_past_is_never_active},
    {"back_dated_entry_is_accepted_since_then", test_back_dated_entry_is_accepted_since_then},
    {"last_verifier_of_a_routed_partner_is_not_suspended", test_last_verifier_of_a_routed_partner_is_not_suspended},
    {"actions_tell_what_is_possible_and_why_not", test_actions_tell_what_is_possible_and_why_not},
    {"a_list_looks_at_one_state_while_others_change_it", test_a_list_looks_at_one_state_while_others_change_it},
    {"unknown_names_are_told_with_the_nearest", test_unknown_names_are_told_with_the_nearest},
    {"known_partner_is_not_called_new", test_known_partner_is_not_called_new},
    {"export_gives_back_the_certificate", test_export_gives_back_the_certificate},
    {"rollover_of_a_verifier_keeps_both_accepted_in_memory", test_rollover_of_a_verifier_keeps_both_accepted_in_memory},
    {"removal_waits_for_process_stop_in_memory", test_removal_waits_for_process_stop_in_memory},
    {"guaranteed_delivery_of_a_partner_reaches_entries_that_wait_in_memory",
     test_guaranteed_delivery_of_a_partner_reaches_entries_that_wait_in_memory},
    {"terms_of_a_node_hold_for_commands_without_configuration_in_memory",
     test_terms_of_a_node_hold_for_commands_without_configuration_in_memory},
    {"sign_slot_exchanges_in_one_change_in_memory", test_sign_slot_exchanges_in_one_change_in_memory},
    {"refusal_and_dry_run_leave_nothing_behind_in_memory", test_refusal_and_dry_run_leave_nothing_behind_in_memory},
    {"version_that_moved_on_is_a_conflict_in_memory", test_version_that_moved_on_is_a_conflict_in_memory},
    {"repeated_verb_is_no_change_in_memory", test_repeated_verb_is_no_change_in_memory},
    {"acceptable_answers_for_then_and_as_known_then_in_memory",
     test_acceptable_answers_for_then_and_as_known_then_in_memory},
    {"entry_of_the_past_is_never_active_in_memory", test_entry_of_the_past_is_never_active_in_memory},
    {"back_dated_entry_is_accepted_since_then_in_memory", test_back_dated_entry_is_accepted_since_then_in_memory},
    {"last_verifier_of_a_routed_partner_is_not_suspended_in_memory",
     test_last_verifier_of_a_routed_partner_is_not_suspended_in_memory},
    {"actions_tell_what_is_possible_and_why_not_in_memory", test_actions_tell_what_is_possible_and_why_not_in_memory},
    {"unknown_names_are_told_with_the_nearest_in_memory", test_unknown_names_are_told_with_the_nearest_in_memory},
    {"known_partner_is_not_called_new_in_memory", test_known_partner_is_not_called_new_in_memory},
    {"export_gives_back_the_certificate_in_memory", test_export_gives_back_the_certificate_in_memory},
    {NULL, NULL},
};
