/* SPDX-License-Identifier: Apache-2.0 */
/* test_options.c: the command line parser over a table of its own; what the product's commands are is not its matter.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/harness.h"

/* the sources themselves: the list of commands is a name at link time, and here it is another list */
#include "cli/help.c"
#include "cli/options.c"

const char *const harness_suite = "options";

#define N(a) (sizeof(a) / sizeof(a)[0])

static int run_nothing(struct cli_context *c)
{
    (void)c;
    return 0;
}

static const struct cli_option add_options[] = {
    {"role", 0, CLI_TEXT, "verifier|sign", CLI_NEEDED, "what it is for"},
    {"at", 0, CLI_TIME, "TIME", 0, "from when on"},
    {"since", 0, CLI_TEXT, "TIME|not-before", 0, "a time, or a word"},
    {"wait", 0, CLI_DURATION, "DURATION", 0, "how long"},
    {"days", 0, CLI_NUMBER, "N", 0, "how many"},
    {"mail", 0, CLI_TEXT, "ADDRESS", CLI_REPEAT, "to whom"},
    {"output", 'o', CLI_FILE, "FILE", 0, "where to"},
    {"force", 'f', CLI_FLAG, NULL, 0, "anyway"},
    {"secret-door", 0, CLI_FLAG, NULL, CLI_HIDDEN, "not shown"},
    {0},
};
static const struct cli_command add = {
    "keystore", "add", "Put a certificate into a slot", "FILE", 1, 1, add_options, "Exit: 0 done.", false, run_nothing};
static const struct cli_command audit = {"keystore audit", "verify", "Check the chain", NULL, 0, 0, NULL, NULL, false,
                                         run_nothing};
static const struct cli_command verify = {NULL, "verify", "Judge messages", "FILE…|-", 1, -1, NULL,
                                          NULL, false,    run_nothing};
const struct cli_command *const cli_commands[] = {&verify, &add, &audit, NULL};

#define LINE(...) ((char *const[]){"countersign", __VA_ARGS__, NULL})

static int count(char *const argv[])
{
    int n = 0;
    while (argv[n] != NULL) {
        n++;
    }
    return n;
}

static void taken(char *const argv[], const struct cli_command *command, int operands)
{
    struct cli_call call;
    CU_ASSERT_EQUAL(cli_parse(count(argv), argv, &call), 0);
    CU_ASSERT_STRING_EQUAL(call.problem, "");
    CU_ASSERT_PTR_EQUAL(call.command, command);
    CU_ASSERT_EQUAL(call.n_operand, operands);
    if (call.problem[0] != '\0') {
        printf("  # %s\n", call.problem);
    }
    cli_call_free(&call);
}

static void refused(char *const argv[], const char *why)
{
    struct cli_call call;
    CU_ASSERT_EQUAL(cli_parse(count(argv), argv, &call), -1);
    CU_ASSERT_STRING_EQUAL(call.problem, why);
    if (strcmp(call.problem, why) != 0) {
        printf("  # %s\n", call.problem);
    }
    cli_call_free(&call);
}

static void global_options_stand_anywhere(void)
{
    taken(LINE("--json", "verify", "a"), &verify, 1);
    taken(LINE("verify", "--json", "a"), &verify, 1);
    taken(LINE("verify", "a", "--json", "-q"), &verify, 1);
    taken(LINE("-c", "f", "keystore", "--keystore", "sqlite:x", "add", "--role", "sign", "f"), &add, 1);
    taken(LINE("keystore", "audit", "--json", "verify"), &audit, 0);
    taken(LINE("--now=2026-08-02T22:40:10Z", "verify", "a", "b", "-"), &verify, 3);
}

static void values_are_read_in_every_spelling(void)
{
    struct cli_call call;
    char *const *argv =
        LINE("keystore", "add", "--role=sign", "-oout", "--days", "5", "--wait", "10s", "-qf", "--mail", "a",
             "--mail=b", "--at", "2026-08-02T22:40:10+02:00", "--since=not-before", "f", "-c", "one", "-c", "two");
    CU_ASSERT_EQUAL_FATAL(cli_parse(count(argv), argv, &call), 0);
    struct cli_context c = {.parsed = call.parsed};
    int64_t n = 0;
    cs_time t = 0;
    CU_ASSERT_STRING_EQUAL(cli_option(&c, "role"), "sign");
    CU_ASSERT_STRING_EQUAL(cli_option(&c, "output"), "out");
    CU_ASSERT_STRING_EQUAL(cli_option(&c, "since"), "not-before");
    CU_ASSERT_STRING_EQUAL(cli_option(&c, "config"), "two");
    CU_ASSERT_TRUE(cli_option_number(&c, "days", &n) && n == 5);
    CU_ASSERT_TRUE(cli_option_duration(&c, "wait", &n) && n == 10000);
    CU_ASSERT_TRUE(cli_option_time(&c, "at", &t) && t == 1785703210);
    CU_ASSERT_FALSE(cli_option_time(&c, "now", &t));
    CU_ASSERT_TRUE(cli_given(&c, "force") && cli_given(&c, "quiet"));
    CU_ASSERT_FALSE(cli_given(&c, "json"));
    CU_ASSERT_STRING_EQUAL(cli_option_nth(&c, "mail", 0), "a");
    CU_ASSERT_STRING_EQUAL(cli_option_nth(&c, "mail", 1), "b");
    CU_ASSERT_PTR_NULL(cli_option_nth(&c, "mail", 2));
    cli_call_free(&call);
}

static void wrong_values_are_named(void)
{
    refused(LINE("keystore", "add", "--role", "verfier", "f"), "--role: \"verfier\" is none of verifier|sign");
    refused(LINE("keystore", "add", "--role", "sign", "--at", "tomorrow", "f"),
            "--at: \"tomorrow\" is not a time as 2026-08-02T22:40:10Z");
    refused(LINE("keystore", "add", "--role", "sign", "--wait", "10", "f"),
            "--wait: \"10\" is not a duration as 300s, 12h or 90d");
    refused(LINE("keystore", "add", "--role", "sign", "--days", "-1", "f"), "--days: \"-1\" is not a number");
    refused(LINE("keystore", "add", "--role", "sign", "--output", "", "f"), "--output: the value is empty");
    refused(LINE("keystore", "add", "--role"), "--role needs a value");
    refused(LINE("keystore", "add", "--role", "--json", "f"), "--role needs a value");
    refused(LINE("keystore", "add", "--force=yes", "f"), "--force takes no value");
    refused(LINE("keystore", "add", "--role", "sign", "--role", "sign", "f"), "--role is given twice");
    refused(LINE("verify", "-c"), "-c needs a value");
}

static void unknown_words_get_the_nearest(void)
{
    refused(LINE("verfy", "f"), "unknown command \"verfy\"; did you mean \"verify\"?");
    refused(LINE("keystor", "add"), "unknown command \"keystor\"; did you mean \"keystore\"?");
    refused(LINE("keystore", "ad", "f"), "unknown command \"ad\" of keystore; did you mean \"add\"?");
    refused(LINE("keystore", "audit", "verfy"),
            "unknown command \"verfy\" of keystore audit; did you mean \"verify\"?");
    refused(LINE("keystore", "add", "--rol=x"), "unknown option --rol; did you mean --role?");
    refused(LINE("verify", "--role", "sign"), "unknown option --role");
    refused(LINE("verify", "-x", "f"), "unknown option -x");
    refused(LINE("audit"), "unknown command \"audit\"");
}

static void arguments_are_counted(void)
{
    refused(LINE("verify"), "an argument is missing: FILE…|-");
    refused(LINE("keystore", "add", "--role", "sign", "f", "g"), "too many arguments: \"g\"");
    refused(LINE("keystore", "add", "f"), "--role verifier|sign is missing");
    refused(LINE("keystore"), "\"keystore\" needs a command behind it");
    refused(LINE("--json"), "a command is missing");
    taken(LINE("verify", "--", "--json", "-x"), &verify, 2);
    taken(LINE("verify", "-"), &verify, 1);
}

static void help_needs_nothing_else(void)
{
    struct cli_call call;
    char *const *argv = LINE("keystore", "add", "--help");
    CU_ASSERT_EQUAL(cli_parse(count(argv), argv, &call), 0);
    CU_ASSERT_TRUE(call.help);
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    cli_help(out, call.command, call.group);
    cli_call_free(&call);
    cli_help(out, NULL, "keystore");
    cli_help(out, NULL, "");
    CU_ASSERT_EQUAL(fclose(out), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(
        text,
        "Usage: countersign keystore add [OPTIONS] --role verifier|sign FILE\n\nPut a certificate into a slot.\n"));
    for (const struct cli_option *o = add_options; o->name != NULL; o++) {
        CU_ASSERT_EQUAL(strstr(text, o->help) != NULL, (o->flags & CLI_HIDDEN) == 0);
    }
    for (const struct cli_option *o = cli_global_options; o->name != NULL; o++) {
        CU_ASSERT_PTR_NOT_NULL(strstr(text, o->help));
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Exit: 0 done."));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "keystore audit verify"));
    free(text);
    taken(LINE("help"), NULL, 0);
    taken(LINE("--version"), NULL, 0);
}

const struct harness_test harness_tests[] = {
    {"global_options_stand_anywhere", global_options_stand_anywhere},
    {"values_are_read_in_every_spelling", values_are_read_in_every_spelling},
    {"wrong_values_are_named", wrong_values_are_named},
    {"unknown_words_get_the_nearest", unknown_words_get_the_nearest},
    {"arguments_are_counted", arguments_are_counted},
    {"help_needs_nothing_else", help_needs_nothing_else},
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
