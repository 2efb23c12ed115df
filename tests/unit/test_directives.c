/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_directives.c: walks the joined tables of all folders: each row is documented, its good example is taken at the
 * place where it stands, its bad one is refused; and kinds of blocks fit together.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "gateway/gateway.h"
#include "keystore/config.h"
#include "tests/unit/harness.h"
#include "wssec/directives.h"

const char *const harness_suite = "directives";

#define TABLES 3

/* The same rows without CS_DIR_REQUIRED: an example shows one statement, not what else its block needs. */
static struct cs_directive *copied[TABLES];
static struct cs_conf_table relaxed[TABLES];
static struct cs_conf_table strict[TABLES];

static const struct cs_directive *opener(const char *block, size_t n)
{
    for (size_t t = 0; t < TABLES; t++) {
        for (size_t i = 0; i < strict[t].n; i++) {
            const char *opens = strict[t].row[i].opens;
            if (opens != NULL && strncmp(opens, block, n) == 0 && (opens[n] == '\0' || strcmp(opens + n, "?") == 0)) {
                return &strict[t].row[i];
            }
        }
    }
    return NULL;
}

/* The example inside the blocks that it needs. @return how many were opened, -1: a block that nothing opens */
static int wrap(cs_buf *out, const char *blocks, size_t n, const char *example)
{
    if (n == 0) {
        cs_buf_addf(out, "%s\n", example);
        return 0;
    }
    const struct cs_directive *o = opener(blocks, n);
    if (o == NULL) {
        return -1;
    }
    cs_buf inner = CS_BUF_INIT;
    size_t head = strcspn(o->example_good, "{;");
    cs_buf_addf(&inner, "%.*s {\n%s\n}", (int)head, o->example_good, example);
    int rc = inner.failed ? -1 : wrap(out, o->block, strcspn(o->block, "|"), inner.data);
    cs_buf_free(&inner);
    return rc < 0 ? -1 : rc + 1;
}

static int apply_all(const struct cs_conf *tree, const struct cs_conf_table *tables, struct cs_conf_report *report)
{
    struct ks_config keystore = KS_CONFIG_INIT;
    struct wssec_policies *policies = wssec_policies_new();
    struct gw_config *gateway = gw_config_new();
    int rc = -1;
    if (policies != NULL && gateway != NULL) {
        rc = cs_conf_apply(tree, tables[0], &keystore, report);
        rc |= cs_conf_apply(tree, tables[1], policies, report);
        rc |= cs_conf_apply(tree, tables[2], gateway, report);
        rc |= wssec_policies_freeze(policies, report);
    }
    ks_config_free(&keystore);
    wssec_policies_free(policies);
    gw_config_free(gateway);
    return rc;
}

/* @return true: taken by the grammar and by every setter */
static bool accepted(const char *text, const struct cs_conf_table *tables, struct cs_conf_report *report)
{
    struct cs_conf *tree = NULL;
    bool good = cs_conf_read_text("example", text, strlen(text), tables, TABLES, &tree, report) == 0 &&
                apply_all(tree, tables, report) == 0;
    cs_conf_free(tree);
    return good;
}

static void check_example(const struct cs_directive *row, const char *example, bool good)
{
    const char *rest = row->block;
    do {
        size_t n = strcspn(rest, "|");
        struct cs_conf_report report = {0};
        cs_buf text = CS_BUF_INIT;
        CU_ASSERT_TRUE_FATAL(wrap(&text, rest, n, example) >= 0 && !text.failed);
        bool taken = accepted(text.data, relaxed, &report);
        if (taken && !good) {
            cs_conf_report_free(&report);
            taken = accepted(text.data, strict, &report); /* what is wrong may be that something is missing */
        }
        CU_ASSERT_EQUAL(taken, good);
        if (taken != good) {
            printf("  # %s in \"%s\": %s is %s: %s\n", row->name, row->block, example, taken ? "taken" : "refused",
                   report.n != 0 ? report.line[0] : "");
        }
        cs_conf_report_free(&report);
        cs_buf_free(&text);
        rest += n + (rest[n] == '|');
    } while (*rest != '\0');
}

static void for_each_row(void (*check)(const struct cs_directive *row))
{
    for (size_t t = 0; t < TABLES; t++) {
        for (size_t i = 0; i < strict[t].n; i++) {
            check(&strict[t].row[i]);
        }
    }
}

static void check_documented(const struct cs_directive *row)
{
    bool good = row->help != NULL && row->help[0] != '\0' && row->example_good != NULL && row->example_bad != NULL &&
                row->args != NULL && strncmp(row->example_good, row->name, strlen(row->name)) == 0 &&
                strncmp(row->example_bad, row->name, strlen(row->name)) == 0;
    CU_ASSERT_TRUE(good);
    if (!good) {
        printf("  # %s in \"%s\"\n", row->name, row->block);
    }
}

static void check_good(const struct cs_directive *row)
{
    check_example(row, row->example_good, true);
}

static void check_bad(const struct cs_directive *row)
{
    check_example(row, row->example_bad, false);
}

static void rows_are_documented(void)
{
    for_each_row(check_documented);
}

static void good_examples_are_taken(void)
{
    for_each_row(check_good);
}

static void bad_examples_are_refused(void)
{
    for_each_row(check_bad);
}

static void names_stand_once_per_block(void)
{
    for (size_t t = 0; t < TABLES; t++) {
        for (size_t i = 0; i < strict[t].n; i++) {
            const struct cs_directive *a = &strict[t].row[i];
            for (size_t u = t; u < TABLES; u++) {
                for (size_t k = u == t ? i + 1 : 0; k < strict[u].n; k++) {
                    const struct cs_directive *b = &strict[u].row[k];
                    CU_ASSERT_FALSE(strcmp(a->name, b->name) == 0 && strcmp(a->block, b->block) == 0);
                }
            }
        }
    }
}

const struct harness_test harness_tests[] = {
    {"rows_are_documented", rows_are_documented},
    {"good_examples_are_taken", good_examples_are_taken},
    {"bad_examples_are_refused", bad_examples_are_refused},
    {"names_stand_once_per_block", names_stand_once_per_block},
    {NULL, NULL},
};

int harness_setup(void)
{
    strict[0] = ks_directives();
    strict[1] = wssec_directives();
    strict[2] = gw_directives();
    for (size_t t = 0; t < TABLES; t++) {
        copied[t] = calloc(strict[t].n, sizeof *copied[t]);
        if (copied[t] == NULL) {
            return -1;
        }
        memcpy(copied[t], strict[t].row, strict[t].n * sizeof *copied[t]);
        for (size_t i = 0; i < strict[t].n; i++) {
            copied[t][i].flags &= ~(unsigned)CS_DIR_REQUIRED;
        }
        relaxed[t] = (struct cs_conf_table){copied[t], strict[t].n};
    }
    return 0;
}

int harness_teardown(void)
{
    for (size_t t = 0; t < TABLES; t++) {
        free(copied[t]);
    }
    return 0;
}
