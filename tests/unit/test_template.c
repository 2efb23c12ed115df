/* SPDX-License-Identifier: Apache-2.0 */
/* test_template.c: letters in the words of a house: what a file may hold, what it must say, whose it is. */
#include <sys/stat.h>
#include <unistd.h>

#include "keystore/config.h"
#include "keystore/template.h"
#include "tests/unit/harness.h"

const char *const harness_suite = "template";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

/** As letters say it; what there is not, leaves its line out. */
static int say(void *ctx, enum ks_template_word word, cs_buf *out, cs_error *e)
{
    (void)e;
    if (word == KS_SAY_TEXT) {
        return 1;
    }
    return cs_buf_adds(out, word == KS_SAY_ENTRY ? "ack#1" : word == KS_SAY_NOT_AFTER ? "2026-12-02" : (char *)ctx);
}

#define ENDS "{{entry}} {{not-after}}\n{{text}}\n"

static void test_a_letter_is_refused_with_the_place_of_what_is_wrong(void)
{
    static const struct {
        enum ks_notice kind;
        const char *text, *says;
    } bad[] = {
        {KS_NOTICE_EXPIRATION, "{{entry}} {{not-after}}\n", "t:2:1: a letter about expiration must say {{text}}"},
        {KS_NOTICE_EXPIRATION, "{{entry}} {{text}}\n", "t:2:1: a letter about expiration must say {{not-after}}"},
        {KS_NOTICE_STEP_DUE, "{{text}}\n", "must say {{body}}: step-due: the text of the step"},
        {KS_NOTICE_EXPIRATION, "\n  {{entri}}" ENDS,
         "t:2:3: a letter knows nothing as {{entri}}; did you mean {{entry}}?"},
        {KS_NOTICE_EXPIRATION, ENDS "{{entry", "t:3:1: \"{{\" has no \"}}\""},
        {KS_NOTICE_EXPIRATION, ENDS "{{entry\n}}", "t:3:1: \"{{\" has no \"}}\""},
        {KS_NOTICE_EXPIRATION, "Subject: End\nBcc: eve@example.com\n\n" ENDS,
         "t:2:1: behind the subject stands a blank line: a letter has no other header"},
        {KS_NOTICE_EXPIRATION, "Subject: {{entry}}\r\nBcc: eve@example.com\r\n\r\n" ENDS, "t:2:1: behind the subject"},
        {KS_NOTICE_EXPIRATION, "Subject: End\rBcc: eve@example.com\n\n" ENDS,
         "t:1:13: a letter is UTF-8 without control characters"},
        {KS_NOTICE_EXPIRATION, "Subject: \n\n" ENDS, "the subject is empty"},
        {KS_NOTICE_EXPIRATION, "Subject: End", "behind the subject stands a blank line"},
        {KS_NOTICE_EXPIRATION, "Subject: {{opt-out}}\n\n" ENDS,
         "t:1:10: a subject is one line; it cannot hold opt-out"},
        {KS_NOTICE_EXPIRATION, "Subject: {{entry\n\n}}" ENDS, "t:1:10: \"{{\" has no \"}}\""},
        {KS_NOTICE_EXPIRATION, ENDS "\x1b[2J", "t:3:1: a letter is UTF-8 without control characters"},
        {KS_NOTICE_EXPIRATION,
         ENDS "\xfc"
              "ber",
         "t:3:1: a letter is UTF-8"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cs_conf_report report = {0};
        struct ks_template *t = ks_template_read("t", bad[i].kind, bad[i].text, strlen(bad[i].text), &report);
        bool told = t == NULL && report.n > 0 && strstr(report.line[0], bad[i].says) != NULL;
        if (!told) {
            printf("# %zu: %s\n", i, report.n > 0 ? report.line[0] : "taken");
        }
        CU_ASSERT(told);
        ks_template_free(t);
        cs_conf_report_free(&report);
    }
}

static void test_a_letter_too_long_or_with_a_nul_is_refused(void)
{
    static char text[KS_TEMPLATE + 1];
    struct cs_conf_report report = {0};
    memset(text, ' ', sizeof text);
    memcpy(text, ENDS, sizeof ENDS - 1);
    struct ks_template *t = ks_template_read("t", KS_NOTICE_EXPIRED, text, KS_TEMPLATE, &report);
    CU_ASSERT(t != NULL && report.n == 0);
    ks_template_free(t);
    CU_ASSERT(ks_template_read("t", KS_NOTICE_EXPIRED, text, KS_TEMPLATE + 1, &report) == NULL && report.n == 1);
    text[100] = '\0';
    CU_ASSERT(ks_template_read("t", KS_NOTICE_EXPIRED, text, KS_TEMPLATE, &report) == NULL && report.n == 2);
    cs_conf_report_free(&report);
}

static void test_words_are_filled_in_once_and_lines_about_nothing_are_left_out(void)
{
    static const char text[] = "Subject: Ende: {{entry}}\r\n\r\n{{entry}} endet {{not-after}}.\r\n"
                               "Hinweis: {{text}}\r\nName: {{name}}";
    struct cs_conf_report report = {0};
    cs_buf out = CS_BUF_INIT;
    cs_error e = {0};
    struct ks_template *t = ks_template_read("t", KS_NOTICE_EXPIRATION, text, sizeof text - 1, &report);
    CU_ASSERT_FATAL(t != NULL && report.n == 0);
    CU_ASSERT_EQUAL(ks_template_fill(t->subject, say, "{{entry}}", &out, &e), 0);
    CU_ASSERT_STRING_EQUAL(out.data, "Ende: ack#1");
    cs_buf_reset(&out);
    CU_ASSERT_EQUAL(ks_template_fill(t->body, say, "{{entry}}", &out, &e), 0);
    CU_ASSERT_STRING_EQUAL(out.data, "ack#1 endet 2026-12-02.\r\nName: {{entry}}");
    cs_buf_free(&out);
    ks_template_free(t);
}

static void test_every_word_has_its_row(void)
{
    size_t n = 0;
    const struct ks_template_row *row = ks_template_rows(&n);
    CU_ASSERT_EQUAL(n, KS_SAYS);
    for (size_t i = 0; i < n; i++) {
        CU_ASSERT(row[i].word != NULL && row[i].help != NULL);
    }
}

/** The letters that a configuration's block mail names. @return what ks_templates_read says; -2: the block is refused
 */
static int read_letters(const char *statements, struct ks_config *c, struct cs_conf **tree,
                        struct cs_conf_report *report)
{
    char text[1024];
    const struct cs_conf_table table = ks_directives();
    snprintf(text, sizeof text, "mail { server \"smtp://127.0.0.1:25\"; from \"a@example.com\"; %s }", statements);
    *c = (struct ks_config)KS_CONFIG_INIT;
    int rc = cs_conf_read_text("t.conf", text, strlen(text), &table, 1, tree, report);
    rc = cs_conf_apply(*tree, table, c, report) != 0 || rc != 0 ? -2 : ks_templates_read(&c->mail, report);
    return rc;
}

static void test_the_letters_that_are_shipped_are_whole_and_go_to_whom_they_are_for(void)
{
    struct ks_config c;
    struct cs_conf *tree = NULL;
    struct cs_conf_report report = {0};
    CU_ASSERT_EQUAL_FATAL(read_letters("templates \"conf/letters\"; locale de \"anna@example.com\" \"@acme.example\";"
                                       " locale en \"bob@acme.example\";",
                                       &c, &tree, &report),
                          0);
    CU_ASSERT_EQUAL(report.n, 0);
    for (int k = 0; k < KS_NOTICES; k++) {
        CU_ASSERT_PTR_NOT_NULL(ks_template_for(&c.mail, "anna@example.com", (enum ks_notice)k));
        CU_ASSERT_PTR_NOT_NULL(ks_template_for(&c.mail, "eve@ACME.example", (enum ks_notice)k));
        CU_ASSERT_PTR_NULL(ks_template_for(&c.mail, "bob@acme.example", (enum ks_notice)k));
        CU_ASSERT_PTR_NULL(ks_template_for(&c.mail, "ben@example.com", (enum ks_notice)k));
    }
    ks_config_free(&c);
    cs_conf_free(tree);
    cs_conf_report_free(&report);
}

static void test_a_locale_that_is_not_there_is_named_with_the_cure(void)
{
    static const struct {
        const char *statements, *says;
        int rc;
    } row[] = {
        {"locale de;", "t.conf:1:67: letters of locale de stand in a directory: templates \"DIRECTORY\";", -1},
        {"templates \"conf/letters\"; locale fr;", "t.conf:1:93: locale fr is not known: conf/letters/fr: ", -1},
        {"templates \"conf/letters\"; locale ../de;", "is no locale as de or pt-BR", -2},
        {"templates \"conf/letters\"; locale de; locale en;", "everybody else gets letters of locale de already", -2},
        {"templates \"conf/letters\"; locale de \"anna\";", "\"anna\" is neither an address nor the domain of one", -2},
        {"templates \"conf/letters\"; locale de \"a@b.example\" \"a@b.example\";",
         "a@b.example gets letters of locale de already", -2},
        {"templates \"\";", "is no path", -2},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct ks_config c;
        struct cs_conf *tree = NULL;
        struct cs_conf_report report = {0};
        CU_ASSERT_EQUAL(read_letters(row[i].statements, &c, &tree, &report), row[i].rc);
        bool told = report.n > 0 && strstr(report.line[0], row[i].says) != NULL;
        if (!told) {
            printf("# %zu: %s\n", i, report.n > 0 ? report.line[0] : "taken");
        }
        CU_ASSERT(told);
        ks_config_free(&c);
        cs_conf_free(tree);
        cs_conf_report_free(&report);
    }
}

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *out = fopen(path, "w");
    CU_ASSERT_FATAL(out != NULL && fputs(text, out) >= 0 && fclose(out) == 0);
}

static void test_a_file_of_no_kind_is_refused_and_a_missing_one_is_told(void)
{
    char place[] = "/tmp/cs-letters-XXXXXX";
    char path[512];
    char statements[600];
    struct ks_config c;
    struct cs_conf *tree = NULL;
    struct cs_conf_report report = {0};
    CU_ASSERT_FATAL(mkdtemp(place) != NULL);
    snprintf(path, sizeof path, "%s/nl", place);
    CU_ASSERT_FATAL(mkdir(path, 0700) == 0);
    snprintf(statements, sizeof statements, "templates \"%s\"; locale nl;", place);
    write_file(path, "expiration.txt", ENDS);
    write_file(path, "README", "{{nothing}}");
    CU_ASSERT_EQUAL(read_letters(statements, &c, &tree, &report), 0);
    CU_ASSERT(report.n == 1 && report.warning_only &&
              strstr(report.line[0], "locale nl has no letter (KIND.txt) for: expired, renewed,") != NULL);
    CU_ASSERT(ks_template_for(&c.mail, "a@b.example", KS_NOTICE_EXPIRATION) != NULL &&
              ks_template_for(&c.mail, "a@b.example", KS_NOTICE_EXPIRED) == NULL);
    ks_config_free(&c);
    cs_conf_free(tree);
    cs_conf_report_free(&report);
    write_file(path, "expierd.txt", ENDS);
    CU_ASSERT_EQUAL(read_letters(statements, &c, &tree, &report), -1);
    CU_ASSERT(report.n > 0 &&
              strstr(report.line[0], "no notice is of the kind expierd; did you mean expired.txt?") != NULL);
    ks_config_free(&c);
    cs_conf_free(tree);
    cs_conf_report_free(&report);
    for (const char *const *f = (const char *const[]){"nl/expiration.txt", "nl/README", "nl/expierd.txt", NULL};
         *f != NULL; f++) {
        snprintf(path, sizeof path, "%s/%s", place, *f);
        CU_ASSERT_EQUAL(unlink(path), 0);
    }
    snprintf(path, sizeof path, "%s/nl", place);
    CU_ASSERT(rmdir(path) == 0 && rmdir(place) == 0);
}

#define TEST(name)                                                                                                     \
    {                                                                                                                  \
#name, test_##name                                                                                             \
    }
const struct harness_test harness_tests[] = {
    TEST(a_letter_is_refused_with_the_place_of_what_is_wrong),
    TEST(a_letter_too_long_or_with_a_nul_is_refused),
    TEST(words_are_filled_in_once_and_lines_about_nothing_are_left_out),
    TEST(every_word_has_its_row),
    TEST(the_letters_that_are_shipped_are_whole_and_go_to_whom_they_are_for),
    TEST(a_locale_that_is_not_there_is_named_with_the_cure),
    TEST(a_file_of_no_kind_is_refused_and_a_missing_one_is_told),
    {NULL, NULL},
};
