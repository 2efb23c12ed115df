/* SPDX-License-Identifier: Apache-2.0 */
/* context.c: what a command says to people, and how it ends. All of it goes to stderr; stdout is for results. */
#include <stdarg.h>
#include <stdio.h>

#include "cli/options.h"

static void say(const struct cli_context *c, const char *color, const char *label, const char *fmt, va_list ap)
    CS_PRINTF(4, 0);
static void say(const struct cli_context *c, const char *color, const char *label, const char *fmt, va_list ap)
{
    fprintf(stderr, "countersign: %s%s%s", c->color ? color : "", label, c->color && color[0] != '\0' ? "\033[0m" : "");
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
}

int cli_fail(struct cli_context *c)
{
    if (c->error.exit_code == CS_EXIT_OK) {
        cs_error_set(&c->error, CS_EXIT_INTERNAL, "internal", "the command failed without saying why");
    }
    fprintf(stderr, "countersign: %s%s%s [%s]\n", c->color ? "\033[31m" : "", c->error.text, c->color ? "\033[0m" : "",
            c->error.reason);
    return c->error.exit_code;
}

int cli_usage(struct cli_context *c, const char *fmt, ...)
{
    char words[96];
    va_list ap;
    cli_command_words(c->command, words, sizeof words);
    va_start(ap, fmt);
    say(c, "", "", fmt, ap);
    va_end(ap);
    fprintf(stderr, "countersign: \"countersign %s --help\" tells more\n", words);
    return CS_EXIT_USAGE;
}

void cli_say(const struct cli_context *c, const char *fmt, ...)
{
    va_list ap;
    if (c->quiet) {
        return;
    }
    va_start(ap, fmt);
    say(c, "", "", fmt, ap);
    va_end(ap);
}

void cli_warn(const struct cli_context *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(c, "\033[33m", "warning: ", fmt, ap);
    va_end(ap);
}

void cli_detail(const struct cli_context *c, const char *fmt, ...)
{
    va_list ap;
    if (!c->verbose) {
        return;
    }
    va_start(ap, fmt);
    say(c, "", "", fmt, ap);
    va_end(ap);
}
