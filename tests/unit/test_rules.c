/* SPDX-License-Identifier: Apache-2.0 */
/* test_rules.c: the life cycle as tables: every verb in every state, every guard at its border, a small world walked
 * through. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/life.h"

const char *const harness_suite = "rules";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static void test_every_verb_in_every_state(void)
{
    /* rows: verb; columns: state. 0 allowed, positive: guard, -1 never, -2 already */
    static const int expected[KS_VERBS][KS_STATES] = {
        /*                    pre  act dea arc sus com des */
        [KS_DO_ACTIVATE] = {0, -2, 0, -1, -1, -1, -1},  [KS_DO_DEACTIVATE] = {-1, 0, -2, -2, -1, -1, -1},
        [KS_DO_SUSPEND] = {0, 0, 0, 0, -2, 0, -1},      [KS_DO_RESUME] = {-1, -1, -1, -1, 0, -1, -1},
        [KS_DO_REMOVE] = {0, 7, 8, 0, 7, 0, -1},        [KS_DO_RETIRE] = {-1, -1, 8, -2, -1, -1, -1},
        [KS_DO_REOPEN] = {-1, -1, -1, 0, -1, -1, -1},   [KS_DO_COMPROMISE] = {0, 0, 0, 0, 0, -2, -1},
        [KS_DO_CLEAR] = {-1, -1, -1, -1, -1, 0, -1},    [KS_DO_RESTORE] = {-1, -1, -1, -1, -1, -1, -1},
        [KS_DO_DISCARD] = {-1, -1, -1, -1, -1, -1, -1},
    };
    for (int verb = 0; verb < KS_VERBS; verb++) {
        for (int state = 0; state < KS_STATES; state++) {
            struct ks_view v = slot(KS_VERIFIER, 1, (enum ks_state[]){(enum ks_state)state});
            int got = try_verb(&v, (enum ks_verb)verb, 1, NOW, false, NULL, NULL);
            if (got != expected[verb][state]) {
                printf("  # %s of %s: %d, expected %d\n", ks_verb_word((enum ks_verb)verb),
                       ks_state_word((enum ks_state)state), got, expected[verb][state]);
            }
            CU_ASSERT_EQUAL(got, expected[verb][state]);
        }
    }
}

static void test_verb_leads_to_its_state(void)
{
    static const struct {
        enum ks_verb verb;
        enum ks_state from, to;
    } row[] = {
        {KS_DO_ACTIVATE, KS_PRE_ACTIVE, KS_ACTIVE},    {KS_DO_ACTIVATE, KS_DEACTIVATED, KS_ACTIVE},
        {KS_DO_DEACTIVATE, KS_ACTIVE, KS_DEACTIVATED}, {KS_DO_SUSPEND, KS_DEACTIVATED, KS_SUSPENDED},
        {KS_DO_RESUME, KS_SUSPENDED, KS_ACTIVE},       {KS_DO_REMOVE, KS_PRE_ACTIVE, KS_DESTROYED},
        {KS_DO_REMOVE, KS_ARCHIVED, KS_ARCHIVED},      {KS_DO_REMOVE, KS_COMPROMISED, KS_COMPROMISED},
        {KS_DO_REOPEN, KS_ARCHIVED, KS_DEACTIVATED},   {KS_DO_COMPROMISE, KS_ACTIVE, KS_COMPROMISED},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct ks_view v = slot(KS_VERIFIER, 1, &row[i].from);
        struct ks_view after;
        CU_ASSERT_EQUAL(try_verb(&v, row[i].verb, 1, NOW, false, &after, NULL), 0);
        CU_ASSERT_EQUAL(after.entry[0].state, row[i].to);
    }
}

static void test_resume_returns_to_the_state_before(void)
{
    static const enum ks_state states[] = {KS_PRE_ACTIVE, KS_ACTIVE, KS_DEACTIVATED};
    for (size_t i = 0; i < 3; i++) {
        struct ks_view v = slot(KS_VERIFIER, 1, &states[i]);
        struct ks_view suspended;
        struct ks_view back;
        CU_ASSERT_EQUAL(try_verb(&v, KS_DO_SUSPEND, 1, NOW, false, &suspended, NULL), 0);
        CU_ASSERT_EQUAL(try_verb(&suspended, KS_DO_RESUME, 1, NOW + 10, false, &back, NULL), 0);
        CU_ASSERT_EQUAL(back.entry[0].state, states[i]);
        CU_ASSERT_EQUAL(back.entry[0].process_stop, v.entry[0].process_stop);
    }
}

static void test_process_stop_is_the_latest_of_its_terms(void)
{
    const cs_time d = CS_DAY;
    const struct {
        const char *what;
        enum ks_role role;
        struct ks_terms terms;
        cs_time not_after, last_use, expected; /* relative to the exchange at 0 */
    } row[] = {
        {"floor", KS_VERIFIER, {0, 14 * d, 0}, 400 * d, 0, 90 * d},
        {"retention above the floor", KS_VERIFIER, {100 * d, 14 * d, 0}, 400 * d, 0, 100 * d},
        {"a retention below the floor does not count", KS_VERIFIER, {1 * d, 14 * d, 0}, 400 * d, 0, 90 * d},
        {"guaranteed delivery", KS_VERIFIER, {90 * d, 120 * d, 0}, 400 * d, 0, 120 * d},
        {"the partner's own", KS_VERIFIER, {90 * d, 14 * d, 150 * d}, 400 * d, 0, 150 * d},
        {"use before the exchange", KS_VERIFIER, {90 * d, 14 * d, 0}, 400 * d, -1 * d, 90 * d},
        {"late use moves it", KS_VERIFIER, {90 * d, 14 * d, 0}, 400 * d, 80 * d, 94 * d},
        {"late use counts up to notAfter only", KS_VERIFIER, {90 * d, 14 * d, 0}, 79 * d, 88 * d, 93 * d},
        {"expired before the exchange", KS_VERIFIER, {90 * d, 100 * d, 0}, -5 * d, 60 * d, 100 * d},
        {"sign keys as well", KS_SIGN, {90 * d, 14 * d, 0}, 400 * d, 0, 90 * d},
        {"encrypt-to ends at once", KS_ENCRYPT_TO, {90 * d, 14 * d, 0}, 400 * d, 5 * d, 0},
        {"tls-server one day", KS_TLS_SERVER, {90 * d, 14 * d, 0}, 400 * d, 5 * d, 1 * d},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        cs_time last = row[i].last_use != 0 ? NOW + row[i].last_use : 0;
        cs_time stop = ks_process_stop(row[i].role, &row[i].terms, NOW, NOW + row[i].not_after, last, 0);
        if (stop - NOW != row[i].expected) {
            printf("  # %s: %lld s, expected %lld s\n", row[i].what, (long long)(stop - NOW),
                   (long long)row[i].expected);
        }
        CU_ASSERT_EQUAL(stop - NOW, row[i].expected);
    }
    CU_ASSERT_EQUAL(ks_process_stop(KS_VERIFIER, &(struct ks_terms){INT64_MAX, 0, 0}, NOW, 0, 0, 0), INT64_MAX);
}

static void test_removal_is_refused_one_second_before_process_stop(void)
{
    struct ks_view v = slot(KS_VERIFIER, 1, (enum ks_state[]){KS_DEACTIVATED});
    cs_time stop = v.entry[0].process_stop;
    ks_refusal why;
    struct ks_view after;
    CU_ASSERT_EQUAL(try_verb(&v, KS_DO_REMOVE, 1, stop - 1, false, NULL, &why), KS_G8_RETENTION);
    CU_ASSERT_EQUAL(why.allowed_from, stop);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "countersign keystore suspend slot#1"));
    CU_ASSERT_EQUAL(ks_view_state(&v, &v.entry[0], stop - 1), KS_DEACTIVATED);
    CU_ASSERT_EQUAL(ks_view_state(&v, &v.entry[0], stop), KS_ARCHIVED);
    CU_ASSERT_EQUAL(try_verb(&v, KS_DO_REMOVE, 1, stop, false, &after, NULL), 0);
    CU_ASSERT_EQUAL(after.entry[0].state, KS_ARCHIVED);
    CU_ASSERT(after.entry[0].in_trash);
}

static void test_late_use_moves_the_removal(void)
{
    struct ks_view v = slot(KS_VERIFIER, 1, (enum ks_state[]){KS_DEACTIVATED});
    cs_time stop = v.entry[0].process_stop;
    v.entry[0].last_use = stop - CS_DAY;
    ks_refusal why;
    CU_ASSERT_EQUAL(try_verb(&v, KS_DO_REMOVE, 1, stop, false, NULL, &why), KS_G8_RETENTION);
    CU_ASSERT_EQUAL(why.allowed_from, stop - CS_DAY + 14 * CS_DAY);
}

static void test_what_our_nodes_did_while_they_followed_keeps_nothing(void)
{
    static const struct {
        enum ks_role role;
        cs_time used; /* after the exchange */
        bool needed;
    } row[] = {
        {KS_TLS_CLIENT, 1, false}, {KS_TLS_CLIENT, 60, false}, {KS_TLS_CLIENT, 61, true},   {KS_ENCRYPT_TO, 60, false},
        {KS_ENCRYPT_TO, 61, true}, {KS_AUTHZ_CLIENT, 1, true}, {KS_AUTHZ_CLIENT, 0, false}, {KS_VERIFIER, 1, true},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        char text[256];
        struct ks_view v = slot(row[i].role, 1, (enum ks_state[]){KS_DEACTIVATED});
        v.entry[0].exchanged_at = NOW - 600;
        v.entry[0].last_use = v.entry[0].exchanged_at + row[i].used;
        CU_ASSERT_EQUAL(ks_still_needed(&v, &v.entry[0], NOW, text, sizeof text), row[i].needed);
    }
}

static void test_second_deactivation_does_not_restart_the_window(void)
{
    struct ks_view v = slot(KS_VERIFIER, 1, (enum ks_state[]){KS_ACTIVE});
    struct ks_view after;
    CU_ASSERT_EQUAL(try_verb(&v, KS_DO_DEACTIVATE, 1, NOW, false, &after, NULL), 0);
    CU_ASSERT_EQUAL(after.entry[0].exchanged_at, NOW);
    CU_ASSERT_EQUAL(after.entry[0].process_stop, NOW + 90 * CS_DAY);
    CU_ASSERT_EQUAL(try_verb(&after, KS_DO_DEACTIVATE, 1, NOW + 50 * CS_DAY, false, NULL, NULL), -2);
}

static void test_one_active_slot_exchanges(void)
{
    struct ks_view v = slot(KS_SIGN, 2, (enum ks_state[]){KS_ACTIVE, KS_PRE_ACTIVE});
    struct ks_view after;
    CU_ASSERT_EQUAL(try_verb(&v, KS_DO_ACTIVATE, 2, NOW, false, &after, NULL), 0);
    CU_ASSERT_EQUAL(after.entry[0].state, KS_DEACTIVATED);
    CU_ASSERT_EQUAL(after.entry[0].exchanged_at, NOW);
    CU_ASSERT_EQUAL(after.entry[1].state, KS_ACTIVE);
    /* and back, in the same way */
    struct ks_view back;
    CU_ASSERT_EQUAL(try_verb(&after, KS_DO_ACTIVATE, 1, NOW + 60, false, &back, NULL), 0);
    CU_ASSERT_EQUAL(back.entry[0].state, KS_ACTIVE);
    CU_ASSERT_EQUAL(back.entry[0].process_stop, 0);
    CU_ASSERT_EQUAL(back.entry[1].state, KS_DEACTIVATED);
}

static void test_resume_into_a_taken_one_active_slot_is_refused(void)
{
    struct ks_view v = slot(KS_SIGN, 2, (enum ks_state[]){KS_SUSPENDED, KS_ACTIVE});
    CU_ASSERT_EQUAL(try_verb(&v, KS_DO_RESUME, 1, NOW, false, NULL, NULL), KS_G1_ONE_ACTIVE);
}

static void test_verifier_slot_holds_eight_active(void)
{
    enum ks_state states[9];
    for (size_t i = 0; i < 9; i++) {
        states[i] = i < 7 ? KS_ACTIVE : KS_PRE_ACTIVE;
    }
    struct ks_view v = slot(KS_VERIFIER, 9, states);
    struct ks_view after;
    CU_ASSERT_EQUAL(try_verb(&v, KS_DO_ACTIVATE, 8, NOW, false, &after, NULL), 0);
    CU_ASSERT_EQUAL(try_verb(&after, KS_DO_ACTIVATE, 9, NOW, false, NULL, NULL), KS_G1_ONE_ACTIVE);
}

static void test_third_key_of_a_tls_client_is_refused(void)
{
    struct ks_view v = slot(KS_TLS_CLIENT, 2, (enum ks_state[]){KS_DEACTIVATED, KS_ACTIVE});
    v.entry[0].process_stop = NOW + CS_DAY; /* still within some window */
    struct ks_rule_plan p = {
        .fresh = {.n = 3, .has_key = true, .not_before = NOW - 1, .not_after = NOW + 500 * CS_DAY}};
    struct ks_view after = v;
    ks_refusal refusal[8];
    char text[128];
    ks_plan_add(&v, &p, false);
    CU_ASSERT_EQUAL(ks_plan_apply(&after, &p, NOW, text, sizeof text), 0);
    CU_ASSERT_EQUAL(ks_judge(&v, &after, &p, NOW, refusal, 8), 1);
    CU_ASSERT_EQUAL(refusal[0].guard, KS_G2_LIMIT_TWO);
    CU_ASSERT_PTR_NOT_NULL(strstr(refusal[0].text, "keystore remove slot#1"));
}

static void test_last_acceptable_verifier_of_a_routed_partner_stays(void)
{
    struct ks_view v = slot(KS_VERIFIER, 2, (enum ks_state[]){KS_ACTIVE, KS_ARCHIVED});
    CU_ASSERT_EQUAL(try_verb(&v, KS_DO_SUSPEND, 1, NOW, false, NULL, NULL), 0);
    v.partner_routed = true;
    v.entry[1].process_stop = NOW - 1;
    CU_ASSERT_EQUAL(try_verb(&v, KS_DO_SUSPEND, 1, NOW, false, NULL, NULL), KS_G3_LAST_ACCEPTABLE);
    CU_ASSERT_EQUAL(try_verb(&v, KS_DO_DEACTIVATE, 1, NOW, false, NULL, NULL), 0); /* still acceptable in its window */
    v.acceptable_elsewhere = 1;
    CU_ASSERT_EQUAL(try_verb(&v, KS_DO_SUSPEND, 1, NOW, false, NULL, NULL), 0);
}

static void test_what_is_broken_before_does_not_block(void)
{
    struct ks_view v = slot(KS_VERIFIER, 1, (enum ks_state[]){KS_PRE_ACTIVE});
    v.partner_routed = true; /* no acceptable one before: suspending the pre-active one breaks nothing more */
    CU_ASSERT_EQUAL(try_verb(&v, KS_DO_SUSPEND, 1, NOW, false, NULL, NULL), 0);
}

static void test_activation_looks_at_the_dates(void)
{
    const struct {
        cs_time not_before, not_after;
        int expected;
    } row[] = {
        {NOW - 10, NOW + 10, 0},
        {NOW - 10, NOW, 0}, /* notAfter is inclusive */
        {NOW - 10, NOW - 1, KS_G4_OVERLAP},
        {NOW + 300, NOW + 1000, 0}, /* clocks may differ */
        {NOW + 301, NOW + 1000, KS_G4_OVERLAP},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct ks_view v = slot(KS_VERIFIER, 1, (enum ks_state[]){KS_PRE_ACTIVE});
        v.entry[0].not_before = row[i].not_before;
        v.entry[0].not_after = row[i].not_after;
        CU_ASSERT_EQUAL(try_verb(&v, KS_DO_ACTIVATE, 1, NOW, false, NULL, NULL), row[i].expected);
    }
}

static void test_shorter_successor_needs_consent_in_one_active_slots_only(void)
{
    for (int one = 0; one < 2; one++) {
        struct ks_view v = slot(one ? KS_SIGN : KS_VERIFIER, 2, (enum ks_state[]){KS_ACTIVE, KS_PRE_ACTIVE});
        v.entry[1].not_after = v.entry[0].not_after - 1;
        CU_ASSERT_EQUAL(try_verb(&v, KS_DO_ACTIVATE, 2, NOW, false, NULL, NULL), one ? KS_G4_OVERLAP : 0);
        CU_ASSERT_EQUAL(try_verb(&v, KS_DO_ACTIVATE, 2, NOW, true, NULL, NULL), 0);
    }
}

static void test_words_are_complete_and_read_back(void)
{
    for (int r = 0; r < KS_ROLES; r++) {
        enum ks_role role;
        CU_ASSERT_EQUAL(ks_role_parse(ks_role_word((enum ks_role)r), &role), 0);
        CU_ASSERT_EQUAL(role, (enum ks_role)r);
        CU_ASSERT_STRING_EQUAL(ks_role_row((enum ks_role)r)->word, ks_role_word((enum ks_role)r));
        CU_ASSERT(ks_role_row((enum ks_role)r)->max_active > 0);
    }
    for (int s = 0; s < KS_STATES; s++) {
        enum ks_state state;
        CU_ASSERT_EQUAL(ks_state_parse(ks_state_word((enum ks_state)s), &state), 0);
        CU_ASSERT_EQUAL(state, (enum ks_state)s);
    }
    for (int g = KS_G1_ONE_ACTIVE; g <= KS_G14_BACKUP; g++) {
        CU_ASSERT_STRING_NOT_EQUAL(ks_guard_word((enum ks_guard)g), "?");
    }
    size_t n = 0;
    const struct ks_transition_row *row = ks_transition_rows(&n);
    unsigned seen = 0;
    for (size_t i = 0; i < n; i++) {
        seen |= 1U << row[i].t;
    }
    CU_ASSERT_EQUAL(seen, 0x7feU); /* T1 to T10 */
}

const struct harness_test harness_tests[] = {
    {"every_verb_in_every_state", test_every_verb_in_every_state},
    {"verb_leads_to_its_state", test_verb_leads_to_its_state},
    {"resume_returns_to_the_state_before", test_resume_returns_to_the_state_before},
    {"process_stop_is_the_latest_of_its_terms", test_process_stop_is_the_latest_of_its_terms},
    {"removal_is_refused_one_second_before_process_stop", test_removal_is_refused_one_second_before_process_stop},
    {"late_use_moves_the_removal", test_late_use_moves_the_removal},
    {"what_our_nodes_did_while_they_followed_keeps_nothing", test_what_our_nodes_did_while_they_followed_keeps_nothing},
    {"second_deactivation_does_not_restart_the_window", test_second_deactivation_does_not_restart_the_window},
    {"one_active_slot_exchanges", test_one_active_slot_exchanges},
    {"resume_into_a_taken_one_active_slot_is_refused", test_resume_into_a_taken_one_active_slot_is_refused},
    {"verifier_slot_holds_eight_active", test_verifier_slot_holds_eight_active},
    {"third_key_of_a_tls_client_is_refused", test_third_key_of_a_tls_client_is_refused},
    {"last_acceptable_verifier_of_a_routed_partner_stays", test_last_acceptable_verifier_of_a_routed_partner_stays},
    {"what_is_broken_before_does_not_block", test_what_is_broken_before_does_not_block},
    {"activation_looks_at_the_dates", test_activation_looks_at_the_dates},
    {"shorter_successor_needs_consent_in_one_active_slots_only",
     test_shorter_successor_needs_consent_in_one_active_slots_only},
    {"words_are_complete_and_read_back", test_words_are_complete_and_read_back},
    {NULL, NULL},
};
