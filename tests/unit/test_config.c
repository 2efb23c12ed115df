/* SPDX-License-Identifier: Apache-2.0 */
/* test_config.c: the configuration grammar: what is taken, and which sentence at which place everything else gets. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/config.h"
#include "tests/unit/harness.h"

const char *const harness_suite = "config";

#define N(a) (sizeof(a) / sizeof(a)[0])

/* A small world: every shape, a block, a block that may be left out, a free block. Setters write what they see. */
static void set_seen(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    cs_buf *seen = parent;
    cs_buf_adds(seen, node->name);
    for (int i = 0; i < node->argc; i++) {
        cs_buf_addf(seen, node->arg[i].quoted ? " '%s'" : " %s", node->arg[i].text);
    }
    for (const struct cs_conf_node *c = (node->row->flags & CS_DIR_FREE_BLOCK) != 0 ? node->child : NULL; c != NULL;
         c = c->next) {
        cs_buf_addf(seen, " <%s>", c->name);
    }
    cs_buf_addc(seen, ';');
    if (node->argc != 0 && strcmp(node->arg[0].text, "refused") == 0) {
        cs_conf_error(report, node, 0, "the setter refuses it");
        return;
    }
    *child = parent;
}

#define ROW(name, block, args, opens, flags)                                                                           \
    {                                                                                                                  \
        name, block, args, opens, flags, NULL, "", "", "", set_seen                                                    \
    }
static const struct cs_directive rows[] = {
    ROW("word", "", "word", NULL, CS_DIR_REPEAT),
    ROW("once", "", "string", NULL, 0),
    ROW("number", "", "number", NULL, CS_DIR_REPEAT),
    ROW("duration", "", "duration", NULL, CS_DIR_REPEAT),
    ROW("size", "", "size", NULL, CS_DIR_REPEAT),
    ROW("time", "", "time", NULL, CS_DIR_REPEAT),
    ROW("address", "", "address", NULL, CS_DIR_REPEAT),
    ROW("switch", "", "on-off", NULL, CS_DIR_REPEAT),
    ROW("answer", "", "yes-no", NULL, CS_DIR_REPEAT),
    ROW("choice", "", "auto|number", NULL, CS_DIR_REPEAT),
    ROW("many", "", "word+", NULL, CS_DIR_REPEAT),
    ROW("any", "", "word*", NULL, CS_DIR_REPEAT),
    ROW("legacy", "", "sha1|cbc until time", NULL, CS_DIR_REPEAT),
    ROW("expired", "", "refuse|grace duration?", NULL, CS_DIR_REPEAT),
    ROW("route", "", "name", "route", CS_DIR_REPEAT),
    ROW("listener", "route", "name", NULL, CS_DIR_REQUIRED),
    ROW("request", "route", "", "request", 0),
    ROW("response", "route", "", "response", 0),
    ROW("verify", "request|response", "name", NULL, 0),
    ROW("sign", "request", "name", "sign?", 0),
    ROW("parts", "sign", "word+", NULL, 0),
    ROW("free", "", "", "free", CS_DIR_FREE_BLOCK),
};
static const struct cs_directive other_rows[] = {ROW("partner", "", "name", "partner", CS_DIR_REPEAT),
                                                 ROW("policy", "partner", "name", NULL, 0)};
static const struct cs_conf_table tables[] = {{rows, N(rows)}, {other_rows, N(other_rows)}};

/* Lines of a report, joined by newlines; owned by the caller. */
static char *joined(const struct cs_conf_report *r)
{
    cs_buf b = CS_BUF_INIT;
    for (size_t i = 0; i < r->n; i++) {
        cs_buf_addf(&b, "%s\n", r->line[i]);
    }
    return cs_buf_take(&b, NULL);
}

static void taken(const char *text, const char *expected)
{
    struct cs_conf_report report = {0};
    struct cs_conf *tree = NULL;
    cs_buf seen = CS_BUF_INIT;
    int rc = cs_conf_read_text("t", text, strlen(text), tables, N(tables), &tree, &report);
    CU_ASSERT_EQUAL(rc, 0);
    if (rc == 0) {
        CU_ASSERT_EQUAL(cs_conf_apply(tree, tables[0], &seen, &report), 0);
        CU_ASSERT_EQUAL(cs_buf_reserve(&seen, 0), 0);
        CU_ASSERT_STRING_EQUAL(seen.data, expected);
        if (strcmp(seen.data, expected) != 0) {
            printf("  # %s\n", seen.data);
        }
    }
    for (size_t i = 0; i < report.n; i++) {
        printf("  # %s\n", report.line[i]);
    }
    cs_buf_free(&seen);
    cs_conf_free(tree);
    cs_conf_report_free(&report);
}

/* expected: all lines of the report, in order. */
static void refused_octets(const char *text, size_t n, const char *expected)
{
    struct cs_conf_report report = {0};
    struct cs_conf *tree = NULL;
    CU_ASSERT_EQUAL(cs_conf_read_text("t", text, n, tables, N(tables), &tree, &report), -1);
    CU_ASSERT_FALSE(report.warning_only);
    char *lines = joined(&report);
    CU_ASSERT_STRING_EQUAL(lines, expected);
    if (strcmp(lines, expected) != 0) {
        printf("  # got: %s", lines);
    }
    free(lines);
    cs_conf_free(tree);
    cs_conf_report_free(&report);
}

static void refused(const char *text, const char *expected)
{
    refused_octets(text, strlen(text), expected);
}

static void statements_blocks_comments(void)
{
    taken("", "");
    taken("# nothing\n\r\n", "");
    taken("\xef\xbb\xbfword a;", "word a;");
    taken("word a;# word b;\nword c;", "word a;word c;");
}

static void words_and_strings(void)
{
    taken("word acme-sign#1; # a comment\nword b;", "word acme-sign#1;word b;");
    taken("once \"a b;{}# \\\" \\\\ '\";", "once 'a b;{}# \" \\ '';");
    taken("once 'a \"b\" \\'';", "once 'a \"b\" '';");
    taken("once \"\";", "once '';");
    taken("many a \"{urn:x}y\" c;", "many a '{urn:x}y' c;");
    taken("many a\n  b\n;any;any x y;", "many a b;any;any x y;");
}

static void shapes_take_what_they_say(void)
{
    taken("number 0; number 123456789012345678; duration 500ms; duration 90d; size 64k; size 123;",
          "number 0;number 123456789012345678;duration 500ms;duration 90d;size 64k;size 123;");
    taken("time 2027-06-30; time 2027-06-30T12:00:00+02:00; address 127.0.0.1:0; address [::1]:65535; address "
          "host.example:80;",
          "time 2027-06-30;time 2027-06-30T12:00:00+02:00;address 127.0.0.1:0;address [::1]:65535;address "
          "host.example:80;");
    taken("switch on; switch off; answer yes; choice auto; choice 4; legacy cbc until 2027-06-30; expired refuse; "
          "expired grace 24h;",
          "switch on;switch off;answer yes;choice auto;choice 4;legacy cbc until 2027-06-30;expired refuse;expired "
          "grace 24h;");
}

static void shapes_refuse_the_rest(void)
{
    refused("number x;", "t:1:8: \"x\" is not a number\n");
    refused("number 1234567890123456789;", "t:1:8: \"1234567890123456789\" is not a number\n");
    refused("number -1;", "t:1:8: \"-1\" is not a number\n");
    refused("duration 90;", "t:1:10: \"90\" is not a duration as 500ms, 300s, 12h or 90d\n");
    refused("size 1T;", "t:1:6: \"1T\" is not a size as 512, 64k or 10M\n");
    refused("time 2027-02-30;",
            "t:1:6: \"2027-02-30\" is not a date as 2027-06-30 or a time as 2027-06-30T12:00:00Z\n");
    refused("address 127.0.0.1;", "t:1:9: \"127.0.0.1\" is not an address as 127.0.0.1:8080 or [::1]:8080\n");
    refused("address ::1:80;", "t:1:9: \"::1:80\" is not an address as 127.0.0.1:8080 or [::1]:8080\n");
    refused("address h:65536;", "t:1:9: \"h:65536\" is not an address as 127.0.0.1:8080 or [::1]:8080\n");
    refused("switch yes;", "t:1:8: \"yes\" is not on|off\n");
    refused("choice 1x;", "t:1:8: \"1x\" is not auto | a number\n");
    refused("legacy sha1 untill 2027-06-30;", "t:1:13: \"untill\" is not until; did you mean \"until\"?\n");
    refused("legacy sah1 until 2027-06-30;", "t:1:8: \"sah1\" is not sha1 | cbc; did you mean \"sha1\"?\n");
    refused("legacy sha1 until;", "t:1:1: \"legacy\" lacks a date as 2027-06-30 or a time as 2027-06-30T12:00:00Z\n");
    refused("word \"two words\";", "t:1:6: \"two words\" is not a word\n");
    refused("word \"\";", "t:1:6: \"\" is not a word\n");
    refused("word a b;", "t:1:8: \"word\" does not take \"b\"\n");
    refused("route -x { listener a; }", "t:1:7: \"-x\" is not a name (letters, digits, . _ -, at most 64)\n");
}

static void nested_blocks(void)
{
    taken("route r { listener a; request { sign s { parts Body; } } response { verify p; } }",
          "route r;listener a;request;sign s;parts Body;response;verify p;");
    taken("route r { listener a; request { sign s; verify p; } }", "route r;listener a;request;sign s;verify p;");
    taken("free { what ever \"x\"; you { like; } }", "free <what> <you>;");
    taken("partner acme { policy p; } word a;", "word a;");
}

static void unknown_and_misplaced_words(void)
{
    refused("wrod a;", "t:1:1: unknown directive \"wrod\"; did you mean \"word\"?\n");
    refused("xyzzy a;", "t:1:1: unknown directive \"xyzzy\"\n");
    refused("route r { listner a; }", "t:1:11: unknown directive \"listner\" in route; did you mean "
                                      "\"listener\"?\nt:1:1: \"route\" lacks \"listener\"\n");
    refused("verify p;", "t:1:1: \"verify\" does not stand here; it stands in: request|response\n");
    refused("route r { listener a; word x; }",
            "t:1:23: \"word\" does not stand here; it stands in: no block (top level)\n");
}

static void repeated_and_required(void)
{
    taken("word a; word a;", "word a;word a;");
    refused("once a;\nonce b;", "t:2:1: \"once\" stands already in line 1 of t\n");
    refused("route r { }", "t:1:1: \"route\" lacks \"listener\"\n");
    refused("route r { listener a; } route q { listener a; listener b; }",
            "t:1:47: \"listener\" stands already in line 1 of t\n");
}

static void blocks_where_they_belong(void)
{
    refused("word a { }", "t:1:1: \"word\" has no block; it ends in ';'\n");
    refused("route r;", "t:1:1: \"route\" needs a block { … }\n");
}

static void forgotten_semicolon_is_named(void)
{
    refused("word a\nword b;", "t:2:1: ';' is missing before \"word\" (the statement \"word\" of line 1)\n");
    refused("route r {\n  listener a\n  request { verify p; }\n}",
            "t:3:3: ';' is missing before \"request\" (the statement \"listener\" of line 2)\n");
    refused("many a b\nroute r { listener a; }",
            "t:2:1: ';' is missing before \"route\" (the statement \"many\" of line 1)\n");
    refused("route r { listener a }", "t:1:22: ';' is missing before '}'\n");
    refused("word a", "t:1:7: ';' is missing before the end of the file\n");
}

static void broken_text(void)
{
    refused("once \"a;\nword b;", "t:1:6: the string is not closed on its line; a \" is missing\n");
    refused("once 'a", "t:1:6: the string is not closed on its line; a ' is missing\n");
    refused("once \"a\"b;", "t:1:9: a blank or ';' is missing behind the string\n");
    refused("once a\"b\";", "t:1:7: a quote inside a word; quote the whole of it\n");
    refused("once \"a\\n\";", "t:1:8: a backslash stands only before a quote or a backslash; write \\\\\n");
    refused("route r { listener a;", "t:1:9: the block is not closed; '}' is missing\n");
    refused("word a; }", "t:1:9: '}' closes nothing\n");
    refused("word a;; word b;", "t:1:8: ';' ends nothing; a block needs none\n");
    refused("{ word a; }", "t:1:1: a block without a name\n");
    refused("\"word\" a; word;",
            "t:1:1: a statement begins with its name, not with a string\nt:1:11: \"word\" lacks a word\n");
    refused_octets("word a\0b;", 9, "t:1:7: octet 0x00: not a text file\n");
    refused_octets("once \"a\0b\";", 11, "t:1:8: octet 0x00: not a text file\n");
    refused("once \xc3\xa4\xc3\xb6 b;", "t:1:9: \"once\" does not take \"b\"\n");
}

static void all_errors_are_reported(void)
{
    refused("wrod a;\nnumber x;\nonce \"y;\nroute r { listener a; verify q; }\nnumber 5;\n",
            "t:3:6: the string is not closed on its line; a \" is missing\n"
            "t:1:1: unknown directive \"wrod\"; did you mean \"word\"?\n"
            "t:2:8: \"x\" is not a number\n"
            "t:4:23: \"verify\" does not stand here; it stands in: request|response\n");
}

static void setters_see_only_what_was_checked(void)
{
    static const char text[] = "number x;\nroute r { listner a; listener l; }\nword refused;\nword a b;\n";
    struct cs_conf_report report = {0};
    struct cs_conf *tree = NULL;
    cs_buf seen = CS_BUF_INIT;
    CU_ASSERT_EQUAL(cs_conf_read_text("t", text, strlen(text), tables, N(tables), &tree, &report), -1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tree);
    CU_ASSERT_EQUAL(report.n, 3);
    CU_ASSERT_EQUAL(cs_conf_apply(tree, tables[0], &seen, &report), -1);
    CU_ASSERT_STRING_EQUAL(seen.data, "route r;listener l;word refused;");
    CU_ASSERT_EQUAL(report.n, 4);
    cs_conf_report_free(&report);
    cs_conf_free(tree);
    cs_buf_free(&seen);
}

static void report_has_an_end(void)
{
    cs_buf text = CS_BUF_INIT;
    struct cs_conf_report report = {0};
    struct cs_conf *tree = NULL;
    for (int i = 0; i < 1000; i++) {
        cs_buf_adds(&text, "nonsense;\n");
    }
    CU_ASSERT_EQUAL(cs_conf_read_text("t", text.data, text.len, tables, N(tables), &tree, &report), -1);
    CU_ASSERT_EQUAL(report.n, 201);
    CU_ASSERT_STRING_EQUAL(report.line[200], "t: more errors are not shown");
    cs_conf_free(tree);
    cs_conf_report_free(&report);
    cs_buf_free(&text);
}

static void setter_errors_count(void)
{
    struct cs_conf_report report = {0};
    struct cs_conf *tree = NULL;
    cs_buf seen = CS_BUF_INIT;
    static const char text[] = "route refused { listener a; }";
    CU_ASSERT_EQUAL_FATAL(cs_conf_read_text("t", text, strlen(text), tables, N(tables), &tree, &report), 0);
    CU_ASSERT_EQUAL(cs_conf_apply(tree, tables[0], &seen, &report), -1);
    CU_ASSERT_STRING_EQUAL(seen.data, "route refused;");
    CU_ASSERT_EQUAL_FATAL(report.n, 1);
    CU_ASSERT_STRING_EQUAL(report.line[0], "t:1:7: the setter refuses it");
    cs_conf_report_free(&report);
    cs_conf_warn(&report, cs_conf_root(tree), -1, "only a doubt");
    CU_ASSERT_TRUE(report.warning_only);
    CU_ASSERT_STRING_EQUAL(report.line[0], "t:1:1: warning: only a doubt");
    cs_conf_error(&report, cs_conf_root(tree), 0, "an error");
    cs_conf_warn(&report, cs_conf_root(tree), 0, "a doubt");
    CU_ASSERT_FALSE(report.warning_only);
    cs_conf_report_free(&report);
    cs_conf_free(tree);
    cs_buf_free(&seen);
}

static void limits_of_text(void)
{
    /* one below, at, one above */
    static const struct {
        size_t depth;
        bool good;
    } depths[] = {{15, true}, {16, true}, {17, false}};
    static const struct {
        size_t n;
        bool good;
    } arguments[] = {{255, true}, {256, true}, {257, false}};
    static const struct {
        size_t n;
        bool good;
    } sizes[] = {{(1 << 20) - 1, true}, {1 << 20, true}, {(1 << 20) + 1, false}};
    struct cs_conf *tree = NULL;
    for (size_t i = 0; i < N(depths); i++) {
        struct cs_conf_report report = {0};
        cs_buf text = CS_BUF_INIT;
        cs_buf_adds(&text, "free {");
        for (size_t k = 1; k < depths[i].depth; k++) {
            cs_buf_adds(&text, "x {");
        }
        for (size_t k = 0; k < depths[i].depth; k++) {
            cs_buf_adds(&text, "}");
        }
        CU_ASSERT_EQUAL(cs_conf_read_text("t", text.data, text.len, tables, N(tables), &tree, &report) == 0,
                        depths[i].good);
        CU_ASSERT_EQUAL(report.n, depths[i].good ? 0 : 1);
        cs_conf_free(tree);
        cs_conf_report_free(&report);
        cs_buf_free(&text);
    }
    for (size_t i = 0; i < N(arguments); i++) {
        struct cs_conf_report report = {0};
        cs_buf text = CS_BUF_INIT;
        cs_buf_adds(&text, "many");
        for (size_t k = 0; k < arguments[i].n; k++) {
            cs_buf_adds(&text, " x");
        }
        cs_buf_adds(&text, ";");
        CU_ASSERT_EQUAL(cs_conf_read_text("t", text.data, text.len, tables, N(tables), &tree, &report) == 0,
                        arguments[i].good);
        cs_conf_free(tree);
        cs_conf_report_free(&report);
        cs_buf_free(&text);
    }
    char *blank = malloc((1 << 20) + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(blank);
    memset(blank, ' ', (1 << 20) + 1);
    for (size_t i = 0; i < N(sizes); i++) {
        struct cs_conf_report report = {0};
        CU_ASSERT_EQUAL(cs_conf_read_text("t", blank, sizes[i].n, tables, N(tables), &tree, &report) == 0,
                        sizes[i].good);
        cs_conf_free(tree);
        cs_conf_report_free(&report);
    }
    free(blank);
}

/* ---- files --------------------------------------------------------------------------------------------------- */

static void write_file(const char *name, const char *text)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", harness_dir(), name);
    FILE *f = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_TRUE(fputs(text, f) >= 0);
    CU_ASSERT_EQUAL(fclose(f), 0);
}

/* Reads name; seen: what the setters saw, or the report without the directory in front. */
static void file_gives(const char *name, const char *expected)
{
    char path[4200];
    struct cs_conf_report report = {0};
    struct cs_conf *tree = NULL;
    cs_buf seen = CS_BUF_INIT;
    size_t prefix = strlen(harness_dir()) + 1;
    snprintf(path, sizeof path, "%s/%s", harness_dir(), name);
    if (cs_conf_read(path, tables, N(tables), &tree, &report) == 0) {
        CU_ASSERT_EQUAL(cs_conf_apply(tree, tables[0], &seen, &report), 0);
    }
    for (size_t i = 0; i < report.n; i++) {
        CU_ASSERT_TRUE_FATAL(strlen(report.line[i]) > prefix);
        cs_buf_addf(&seen, "%s\n", report.line[i] + prefix);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(strstr(seen.data, expected));
    cs_buf_free(&seen);
    cs_conf_free(tree);
    cs_conf_report_free(&report);
}

static void include_is_relative_to_its_file(void)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/sub", harness_dir());
    CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
    write_file("main", "word a; include \"sub/one\"; word c; route r { include \"sub/in-route\"; }");
    write_file("sub/one", "include \"two\"; word b;");
    write_file("sub/two", "number 2;");
    write_file("sub/in-route", "listener l;");
    file_gives("main", "word a;number 2;word b;word c;route r;listener l;");
    write_file("sub/two", "number 2;\n number x;");
    file_gives("main", "sub/two:2:9: \"x\" is not a number\n");
}

static void include_cycles_are_refused(void)
{
    write_file("self", "include \"self\";");
    file_gives("self", "self:1:1: cannot read ");
    file_gives("self", "it includes itself");
    write_file("loop-a", "\ninclude \"loop-b\";");
    write_file("loop-b", "include \"loop-a\";");
    file_gives("loop-a", "loop-b:1:1: cannot read ");
}

static void include_depth_is_eight(void)
{
    char name[32];
    char text[64];
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "deep-%d", i);
        snprintf(text, sizeof text, "number %d; include \"deep-%d\";", i, i + 1);
        write_file(name, text);
    }
    write_file("deep-8", "number 8;");
    file_gives("deep-0", "number 0;number 1;number 2;number 3;number 4;number 5;number 6;number 7;number 8;");
    write_file("deep-8", "include \"deep-9\";");
    write_file("deep-9", "number 9;");
    file_gives("deep-0", "deep-8:1:1: cannot read ");
    file_gives("deep-0", "includes are nested deeper than 8");
}

static void files_that_cannot_be_read(void)
{
    file_gives("absent", "absent:1:1: cannot read ");
    file_gives("absent", ": No such file or directory");
    write_file("holds-absent", "word a;\n  include \"absent-too\";");
    file_gives("holds-absent", "holds-absent:2:3: cannot read ");
    write_file("holds-directory", "include \".\";");
    file_gives("holds-directory", "it is a directory");
    write_file("twice", "include \"a\" \"b\";");
    file_gives("twice", "include takes the name of one file");
    refused("include \"x\";", "t:1:1: include is not possible here\n");
}

static void files_of_more_than_a_mebibyte(void)
{
    char *text = malloc((1 << 20) + 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memset(text, '\n', (1 << 20) + 1);
    text[(1 << 20) + 1] = '\0';
    write_file("huge", text);
    file_gives("huge", "huge:1:1: cannot read ");
    file_gives("huge", "larger than 1 MiB");
    text[1 << 20] = '\0';
    memcpy(text, "word a;", 7);
    write_file("large", text);
    file_gives("large", "word a;");
    cs_buf many = CS_BUF_INIT;
    for (int i = 0; i < 9; i++) {
        cs_buf_adds(&many, "include \"large\";\n");
    }
    write_file("many-large", many.data);
    file_gives("many-large", "many-large:8:1: cannot read ");
    file_gives("many-large", "all files together are larger than 8 MiB");
    cs_buf_free(&many);
    free(text);
}

const struct harness_test harness_tests[] = {
    {"statements_blocks_comments", statements_blocks_comments},
    {"words_and_strings", words_and_strings},
    {"shapes_take_what_they_say", shapes_take_what_they_say},
    {"shapes_refuse_the_rest", shapes_refuse_the_rest},
    {"nested_blocks", nested_blocks},
    {"unknown_and_misplaced_words", unknown_and_misplaced_words},
    {"repeated_and_required", repeated_and_required},
    {"blocks_where_they_belong", blocks_where_they_belong},
    {"forgotten_semicolon_is_named", forgotten_semicolon_is_named},
    {"broken_text", broken_text},
    {"all_errors_are_reported", all_errors_are_reported},
    {"setters_see_only_what_was_checked", setters_see_only_what_was_checked},
    {"report_has_an_end", report_has_an_end},
    {"setter_errors_count", setter_errors_count},
    {"limits_of_text", limits_of_text},
    {"include_is_relative_to_its_file", include_is_relative_to_its_file},
    {"include_cycles_are_refused", include_cycles_are_refused},
    {"include_depth_is_eight", include_depth_is_eight},
    {"files_that_cannot_be_read", files_that_cannot_be_read},
    {"files_of_more_than_a_mebibyte", files_of_more_than_a_mebibyte},
    {NULL, NULL},
};

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}
