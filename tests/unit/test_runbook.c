/* SPDX-License-Identifier: Apache-2.0 */
/* test_runbook.c: runbooks as text, what is refused of them, and the step function. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keystore/rollover_act.h"
#include "keystore/runbook.h"
#include "tests/unit/harness.h"

const char *const harness_suite = "runbook";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static struct ks_runbook *read_text(const char *text, struct cs_conf_report *report)
{
    memset(report, 0, sizeof *report);
    return ks_runbook_read("t.conf", text, strlen(text), report);
}

/* ---- grammar --------------------------------------------------------------------------------------------------- */

#define STEP(n, rest) "step " n " { who tenant-admin; kind do; title \"t\"; evidence confirmed; " rest " }\n"
#define BOOK(steps)   "runbook one { title \"t\"; slot-role sign;\n" steps "}\n"

static void test_what_is_wrong_is_told_with_its_place(void)
{
    static const struct {
        const char *text, *said;
    } bad[] = {
        {"", "runbook"},
        {BOOK(""), "t.conf:1:1"},
        {BOOK(STEP("1", "evidence probe-bohh;")), "unknown check \"probe-bohh\"; did you mean probe-both?"},
        {BOOK(STEP("1", "after 7;")), "t.conf:2:74: there is no step 7"},
        {BOOK(STEP("1", "after 2;") STEP("2", "")), "step 2 stands not before step 1"},
        {BOOK(STEP("1", "after 1;")), "step 1 stands not before step 1"},
        {BOOK(STEP("1", "") STEP("2", "closes 1;")), "step 1 stands not behind step 2"},
        {BOOK(STEP("1", "") STEP("1", "")), "step 1 stands twice"},
        {BOOK(STEP("one", "")), "no number of a step"},
        {BOOK(STEP("1", "run \"rm -rf /\";")), "unknown command \"rm -rf /\""},
        {BOOK(STEP("1", "run \"keystore activate {{neww}}\";")), "did you mean keystore activate {{new}}?"},
        {BOOK(STEP("1", "text \"{{new.sha257}}\";")),
         "nothing is known as {{new.sha257}}; did you mean {{new.sha256}}?"},
        {BOOK(STEP("1", "text \"{{new\";")), "has no \"}}\""},
        {BOOK(STEP("1", "skip-if confirmed;")), "not by a word"},
        {BOOK("step 1 { who emperor; kind do; title \"t\"; evidence confirmed; }"), "unknown role \"emperor\""},
        {BOOK("step 1 { who lb-admin; kind perhaps; title \"t\"; evidence confirmed; }"), "do | inform | wait | auto"},
        {BOOK("step 1 { who lb-admin; kind do; title \"t\"; }"), "evidence"},
        {BOOK("step 1 { who lb-admin; kind auto; title \"t\"; evidence held; }"), "it needs a command"},
        {BOOK("step 1 { who lb-admin; kind inform; title \"t\"; text \"x\"; evidence delivered; }"),
         "it needs to ROLE"},
        {BOOK(STEP("1", "each-sender;")), "it is for sender-admin, and for nobody else"},
        {BOOK(STEP("1", "") "include \"/etc/passwd\";"), "include"},
        {"runbook one { title \"t\"; slot-role emperor;\n" STEP("1", "") "}", "unknown role of a slot \"emperor\""},
        {"runbook one { title \"t\"; slot-role sign;\n" STEP("1", "") "} runbook two { }", "t.conf:3"},
        {"runbook one { title \"t\"; slot-role sign;\n" STEP("1", ""), "t.conf:"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cs_conf_report report;
        struct ks_runbook *r = read_text(bad[i].text, &report);
        bool said = false;
        for (size_t k = 0; k < report.n; k++) {
            said = said || strstr(report.line[k], bad[i].said) != NULL;
        }
        if (r != NULL || !said) {
            printf("# %zu: %s: %s\n", i, bad[i].said, report.n > 0 ? report.line[0] : "nothing was said");
        }
        CU_ASSERT_PTR_NULL(r);
        CU_ASSERT(said);
        ks_runbook_free(r);
        cs_conf_report_free(&report);
    }
}

static void test_one_step_too_many_is_refused(void)
{
    for (size_t steps = KS_STEPS_MAX; steps <= KS_STEPS_MAX + 1; steps++) {
        char text[8192];
        size_t used = (size_t)snprintf(text, sizeof text, "runbook one { title \"t\"; slot-role sign;\n");
        for (size_t i = 1; i <= steps; i++) {
            used += (size_t)snprintf(text + used, sizeof text - used,
                                     "step %zu { who lb-admin; kind do; title \"t\"; evidence confirmed; }\n", i);
        }
        snprintf(text + used, sizeof text - used, "}\n");
        struct cs_conf_report report;
        struct ks_runbook *r = read_text(text, &report);
        CU_ASSERT_EQUAL(r != NULL, steps == KS_STEPS_MAX);
        ks_runbook_free(r);
        cs_conf_report_free(&report);
    }
}

/** Each shipped file is read without a word, and each command and each check stands in one of them, or is explained. */
static void test_the_shipped_ones_are_good_and_every_check_and_command_is_used(void)
{
    struct dirent **found = NULL;
    uint64_t facts = 0;
    unsigned deeds = 0;
    int n = scandir("conf/runbooks", &found, NULL, alphasort);
    CU_ASSERT_FATAL(n > 2);
    for (int i = 0; i < n; i++) {
        char path[512];
        char text[32768];
        struct cs_conf_report report = {0};
        snprintf(path, sizeof path, "conf/runbooks/%s", found[i]->d_name);
        free(found[i]);
        if (strstr(path, ".conf") == NULL) {
            continue;
        }
        FILE *file = fopen(path, "r");
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        size_t length = fread(text, 1, sizeof text, file);
        fclose(file);
        struct ks_runbook *r = ks_runbook_read(path, text, length, &report);
        CU_ASSERT_EQUAL(report.n, 0);
        CU_ASSERT_PTR_NOT_NULL_FATAL(r);
        CU_ASSERT_EQUAL(r->step[0].after, 0);
        for (size_t s = 0; s < r->n; s++) {
            for (size_t w = 0; w < r->step[s].n_way; w++) {
                facts |= r->step[s].way[w];
            }
            facts |= r->step[s].skip_if | r->step[s].optional;
            for (size_t k = 0; k < r->step[s].n_run; k++) {
                deeds |= 1U << ks_deed_of(r->step[s].run[k])->deed;
            }
            for (size_t k = 0; k < r->step[s].n_undo; k++) {
                deeds |= 1U << ks_deed_of(r->step[s].undo[k])->deed;
            }
        }
        ks_runbook_free(r);
        cs_conf_report_free(&report);
    }
    free(found);
    /* left to runbooks of a site */
    facts |= KS_BIT(KS_FACT_ROUTED);
    deeds |= 1U << KS_DEED_DEACTIVATE_NEW;
    CU_ASSERT_EQUAL(facts, KS_BIT(KS_FACTS) - 1);
    CU_ASSERT_EQUAL(deeds, (1U << KS_DEEDS) - 1);
}

static void test_the_table_of_the_grammar_holds_its_examples(void)
{
    const struct cs_conf_table t = ks_runbook_directives();
    for (size_t i = 0; i < t.n; i++) {
        CU_ASSERT(t.row[i].help[0] != '\0' && t.row[i].example_good[0] != '\0' && t.row[i].example_bad[0] != '\0');
    }
    size_t n = 0;
    const struct ks_fact_row *row = ks_fact_rows(&n);
    for (size_t i = 0; i < n; i++) {
        CU_ASSERT(row[i].fact == i && row[i].help != NULL && row[i].help[0] != '\0');
    }
}

/* ---- the step function ----------------------------------------------------------------------------------------- */

#define FOUR                                                                                                           \
    "runbook four { title \"t\"; slot-role sign;\n"                                                                    \
    "step 1 { who tenant-admin; kind do; title \"a\"; evidence key-match; }\n"                                         \
    "step 2 { who receiver-admin; kind do; title \"b\"; evidence probe-both; evidence confirmed; closes 3; }\n"        \
    "step 3 { who receiver-admin; kind wait; title \"c\"; evidence confirmed; }\n"                                     \
    "step 4 { who tenant-admin receiver-admin each; kind do; title \"d\"; after 1 3; evidence exchanged confirmed;\n"  \
    "         skip-if dn-unchanged root-unchanged; }\n}\n"

struct play {
    struct ks_runbook *r;
    struct ks_facts facts;
    struct ks_step_known known[KS_STEPS_MAX];
    struct ks_step_judged out[KS_STEPS_MAX];
};

static struct play *begin(void)
{
    struct cs_conf_report report;
    struct play *p = calloc(1, sizeof *p);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    p->r = read_text(FOUR, &report);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p->r);
    cs_conf_report_free(&report);
    return p;
}

static void end(struct play *p)
{
    ks_runbook_free(p->r);
    free(p);
}

static void test_a_closed_step_unlocks_the_next(void)
{
    struct play *p = begin();
    CU_ASSERT_FALSE(ks_runbook_judge(p->r, &p->facts, p->known, p->out));
    CU_ASSERT_EQUAL(p->out[0].state, KS_STEP_READY);
    CU_ASSERT_STRING_EQUAL(p->out[0].missing, "key-match");
    CU_ASSERT_EQUAL(p->out[1].state, KS_STEP_WAITS);
    CU_ASSERT_EQUAL(p->out[1].waits_for, 1);
    CU_ASSERT_EQUAL(p->out[3].waits_for, 1 | 4);
    p->facts.hold = KS_BIT(KS_FACT_KEY_MATCH);
    ks_runbook_judge(p->r, &p->facts, p->known, p->out);
    CU_ASSERT_EQUAL(p->out[0].state, KS_STEP_DONE);
    CU_ASSERT(p->out[0].closes_now && p->out[0].by == KS_BIT(KS_FACT_KEY_MATCH));
    CU_ASSERT_EQUAL(p->out[1].state, KS_STEP_READY);
    CU_ASSERT_STRING_EQUAL(p->out[1].missing, "probe-both, or confirmed");
    end(p);
}

static void test_evidence_of_one_step_closes_another_that_it_names(void)
{
    struct play *p = begin();
    p->facts.hold = KS_BIT(KS_FACT_KEY_MATCH) | KS_BIT(KS_FACT_PROBE_BOTH);
    ks_runbook_judge(p->r, &p->facts, p->known, p->out);
    CU_ASSERT_EQUAL(p->out[2].state, KS_STEP_DONE);
    CU_ASSERT_EQUAL(p->out[2].with, 1);
    CU_ASSERT_EQUAL(p->out[3].state, KS_STEP_READY);
    end(p);
}

static void test_evidence_ahead_of_its_step_waits_for_its_turn(void)
{
    struct play *p = begin();
    p->facts.hold = KS_BIT(KS_FACT_PROBE_BOTH) | KS_BIT(KS_FACT_EXCHANGED);
    p->known[3].confirmed = 1U << KS_TENANT_ADMIN | 1U << KS_RECEIVER_ADMIN;
    CU_ASSERT_FALSE(ks_runbook_judge(p->r, &p->facts, p->known, p->out));
    for (size_t i = 1; i < 4; i++) {
        CU_ASSERT_EQUAL(p->out[i].state, KS_STEP_WAITS);
    }
    end(p);
}

static void test_a_step_of_two_needs_both_words_and_the_wrong_one_counts_nothing(void)
{
    struct play *p = begin();
    p->known[0].state = p->known[1].state = p->known[2].state = KS_STEP_DONE;
    p->facts.hold = KS_BIT(KS_FACT_EXCHANGED);
    p->known[3].confirmed = 1U << KS_TENANT_ADMIN | 1U << KS_LB_ADMIN;
    CU_ASSERT_FALSE(ks_runbook_judge(p->r, &p->facts, p->known, p->out));
    CU_ASSERT_STRING_EQUAL(p->out[3].missing, "confirmed");
    p->known[3].confirmed |= 1U << KS_RECEIVER_ADMIN;
    CU_ASSERT_TRUE(ks_runbook_judge(p->r, &p->facts, p->known, p->out));
    end(p);
}

static void test_a_needless_step_is_skipped_only_with_all_of_its_reasons(void)
{
    struct play *p = begin();
    p->known[0].state = p->known[1].state = p->known[2].state = KS_STEP_DONE;
    p->facts.hold = KS_BIT(KS_FACT_DN_UNCHANGED);
    ks_runbook_judge(p->r, &p->facts, p->known, p->out);
    CU_ASSERT_EQUAL(p->out[3].state, KS_STEP_READY);
    p->facts.hold |= KS_BIT(KS_FACT_ROOT_UNCHANGED);
    CU_ASSERT_TRUE(ks_runbook_judge(p->r, &p->facts, p->known, p->out));
    CU_ASSERT_EQUAL(p->out[3].state, KS_STEP_SKIPPED);
    end(p);
}

static void test_the_word_of_one_step_says_nothing_of_another(void)
{
    struct play *p = begin();
    p->facts.hold = KS_BIT(KS_FACT_KEY_MATCH) | KS_BIT(KS_FACT_CONFIRMED) | KS_BIT(KS_FACT_DELIVERED);
    ks_runbook_judge(p->r, &p->facts, p->known, p->out);
    CU_ASSERT_EQUAL(p->out[1].state, KS_STEP_READY);
    end(p);
}

#define TEST(name)                                                                                                     \
    {                                                                                                                  \
#name, test_##name                                                                                             \
    }
const struct harness_test harness_tests[] = {
    TEST(what_is_wrong_is_told_with_its_place),
    TEST(one_step_too_many_is_refused),
    TEST(the_shipped_ones_are_good_and_every_check_and_command_is_used),
    TEST(the_table_of_the_grammar_holds_its_examples),
    TEST(a_closed_step_unlocks_the_next),
    TEST(evidence_of_one_step_closes_another_that_it_names),
    TEST(evidence_ahead_of_its_step_waits_for_its_turn),
    TEST(a_step_of_two_needs_both_words_and_the_wrong_one_counts_nothing),
    TEST(a_needless_step_is_skipped_only_with_all_of_its_reasons),
    TEST(the_word_of_one_step_says_nothing_of_another),
    {NULL, NULL},
};
