/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c: fills a template of docs/templates from the tables of the product: generate < TEMPLATE > PAGE.
 * A line that is only @NAME@ becomes the table of that name; every other line stays as it is.
 */
#include <stdlib.h>
#include <string.h>

#include "docs/generate/page.h"

static const struct {
    const char *name;
    void (*print)(FILE *out);
} tables[] = {
    {"@REASONS@\n", page_reasons},
    {"@COMMANDS@\n", page_commands},
    {"@GLOBAL-OPTIONS@\n", page_global_options},
    {"@DIRECTIVES@\n", page_directives},
    {"@COMPLETION@\n", page_completion},
    {"@TRANSITIONS@\n", page_transitions},
    {"@GUARDS@\n", page_guards},
    {"@BSP@\n", page_bsp},
    {"@VERBS@\n", page_verbs},
    {"@RUNBOOK-WORDS@\n", page_runbook_words},
    {"@RUNBOOK-CHECKS@\n", page_runbook_checks},
};

/* @return 0, or -1: the line names a table that does not exist */
static int print_line(const char *line)
{
    size_t n = strlen(line);
    if (line[0] != '@' || n < 3 || strcmp(line + n - 2, "@\n") != 0) {
        fputs(line, stdout);
        return 0;
    }
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (strcmp(tables[i].name, line) == 0) {
            tables[i].print(stdout);
            return 0;
        }
    }
    fprintf(stderr, "generate: no table %s", line);
    return -1;
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    int rc = 0;
    while (rc == 0 && getline(&line, &room, stdin) > 0) {
        rc = print_line(line);
    }
    free(line);
    if (rc != 0 || ferror(stdin) || fflush(stdout) != 0 || ferror(stdout)) {
        fputs("generate: the page is not complete\n", stderr);
        return 1;
    }
    return 0;
}
