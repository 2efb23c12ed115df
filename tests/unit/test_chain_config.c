/* SPDX-License-Identifier: Apache-2.0 */
/* test_chain_config.c: chains as the configuration asks for them: what a statement must say, and that its anchors are
 * there. */
#include "keystore/config.h"
#include "keystore/live.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "chain_config";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static int read_partner(const char *trust, struct ks_config *c, struct cs_conf **tree, struct cs_conf_report *report)
{
    char text[1024];
    struct cs_conf_table table = ks_directives();
    snprintf(text, sizeof text, "partner acme { %s }", trust);
    int rc = cs_conf_read_text("test", text, strlen(text), &table, 1, tree, report);
    return rc != 0 ? rc : cs_conf_apply(*tree, table, c, report);
}

static void test_configuration(void)
{
    static const struct {
        const char *trust;
        bool good, chain;
    } row[] = {
        {"trust pinned;", true, false},
        {"trust chain { anchors acme-root; subject \"O=ACME*\"; issuer \"CN=*\"; }", true, true},
        {"trust chain { anchors acme-root acme-sign; subject \"O=ACME*\"; issuer \"CN=*\"; crl require; }", true, true},
        {"trust chain;", false, false},
        {"trust pinned { anchors acme-root; subject \"O=ACME*\"; issuer \"CN=*\"; }", false, false},
        {"trust chain { subject \"O=ACME*\"; issuer \"CN=*\"; }", false, false},
        {"trust chain { anchors acme-root; issuer \"CN=*\"; }", false, false},
        {"trust chain { anchors acme-root; subject \"O=ACME*\"; }", false, false},
        {"trust chain { anchors acme-root; subject \"ACME\"; issuer \"CN=*\"; }", false, false},
        {"trust chain { anchors acme-root; subject \"O=ACME*\"; issuer \"\"; }", false, false},
        {"trust chain { anchors -x; subject \"O=ACME*\"; issuer \"CN=*\"; }", false, false},
        {"trust chain { anchors acme-root; subject \"O=ACME*\"; issuer \"CN=*\"; crl fetch; }", false, false},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct ks_config c = KS_CONFIG_INIT;
        struct cs_conf *tree = NULL;
        struct cs_conf_report report = {0};
        bool good = read_partner(row[i].trust, &c, &tree, &report) == 0;
        if (good != row[i].good) {
            printf("  # %s: %s\n", row[i].trust, report.n > 0 ? report.line[0] : "");
        }
        CU_ASSERT_EQUAL(good, row[i].good);
        CU_ASSERT_EQUAL(good && ks_config_chain(&c, "acme") != NULL, row[i].chain);
        CU_ASSERT_PTR_NULL(ks_config_chain(&c, "globex"));
        ks_config_free(&c);
        cs_conf_free(tree);
        cs_conf_report_free(&report);
    }
}

static void test_references(void)
{
    static const struct {
        const char *anchors, *says; /**< says NULL: no error */
    } row[] = {{"acme-root", NULL}, {"acme-rot", "no alias acme-rot"}, {"acme-sign", "has the role verifier"}};
    struct fixture f;
    const ks_snapshot *s = NULL;
    fixture_open(&f);
    struct made root = make_certificate(&(struct recipe){.cn = "ACME Root", .o = "ACME", .ca = true, .ski = true});
    ks_add anchor = adding(KS_TRUST_ANCHOR, NULL, "acme-root", &root, true);
    MADE(add_at(&f, &anchor, NOW - CS_DAY) == 0);
    struct made v = add_verifier(&f, "acme-sign", NOW - CS_DAY);
    MADE(ks_snapshot_read(f.s, NOW, &s, &f.e) == 0);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct ks_config c = KS_CONFIG_INIT;
        struct cs_conf *tree = NULL;
        struct cs_conf_report report = {0};
        char text[256];
        snprintf(text, sizeof text, "trust chain { anchors acme-root %s; subject \"O=*\"; issuer \"O=*\"; }",
                 row[i].anchors);
        CU_ASSERT_EQUAL(read_partner(text, &c, &tree, &report), 0);
        CU_ASSERT_EQUAL(ks_config_check(&c, s, &report), row[i].says != NULL);
        CU_ASSERT_EQUAL(report.n, row[i].says != NULL);
        if (row[i].says != NULL && report.n == 1) {
            CU_ASSERT_PTR_NOT_NULL(strstr(report.line[0], row[i].says));
            CU_ASSERT_PTR_NOT_NULL(strstr(report.line[0], "test:1:"));
        }
        ks_config_free(&c);
        cs_conf_free(tree);
        cs_conf_report_free(&report);
    }
    ks_snapshot_release(s);
    made_free(&v);
    made_free(&root);
    fixture_close(&f);
}

const struct harness_test harness_tests[] = {
    {"trust chain as a statement", test_configuration},
    {"anchors as references into the keystore", test_references},
    {NULL, NULL},
};
