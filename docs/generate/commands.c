/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c: the command line for the man page, from the rows that parse it. */
#include <string.h>

#include "cli/options.h"
#include "docs/generate/page.h"

static void print_option(FILE *out, const struct cli_option *o)
{
    if ((o->flags & CLI_HIDDEN) != 0) {
        return;
    }
    fputs(".It ", out);
    if (o->letter != 0) {
        fprintf(out, "Fl %c , ", o->letter);
    }
    fprintf(out, "Fl -%s", o->name);
    if (o->kind != CLI_FLAG) {
        fputs(" Ar ", out);
        page_roff_argument(out, o->value != NULL ? o->value : "VALUE");
    }
    fputc('\n', out);
    page_roff_sentence(out, o->help);
    if ((o->flags & CLI_NEEDED) != 0) {
        fputs("Must be given.\n", out);
    }
    if ((o->flags & CLI_REPEAT) != 0) {
        fputs("May be given several times.\n", out);
    }
}

static void print_options(FILE *out, const struct cli_option *table)
{
    fputs(".Bl -tag -width 4n\n", out);
    for (const struct cli_option *o = table; o->name != NULL; o++) {
        print_option(out, o);
    }
    fputs(".El\n", out);
}

static void print_synopsis(FILE *out, const struct cli_command *c, const char *words)
{
    fprintf(out, ".Bd -ragged\n.Nm\n.Cm %s\n", words);
    bool more = false;
    for (const struct cli_option *o = c->options; o != NULL && o->name != NULL; o++) {
        if ((o->flags & CLI_NEEDED) != 0) {
            fprintf(out, ".Fl -%s Ar ", o->name);
            page_roff_argument(out, o->value != NULL ? o->value : "VALUE");
            fputc('\n', out);
        }
        more |= (o->flags & (CLI_NEEDED | CLI_HIDDEN)) == 0;
    }
    if (more) {
        fputs(".Op Ar OPTIONS\n", out);
    }
    if (c->operands != NULL) {
        fputs(".Ar ", out);
        page_roff_argument(out, c->operands);
        fputc('\n', out);
    }
    fputs(".Ed\n", out);
}

static void print_command(FILE *out, const struct cli_command *c)
{
    char words[96];
    cli_command_words(c, words, sizeof words);
    fprintf(out, ".Ss %s\n", words);
    page_roff_sentence(out, c->summary);
    print_synopsis(out, c, words);
    if (c->options != NULL && c->options->name != NULL) {
        print_options(out, c->options);
    }
    if (c->more != NULL) {
        size_t n = strlen(c->more);
        fputs(".Bd -literal\n", out);
        page_roff(out, c->more);
        fputs(n > 0 && c->more[n - 1] == '\n' ? ".Ed\n" : "\n.Ed\n", out);
    }
}

void page_commands(FILE *out)
{
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        if (!cli_commands[i]->hidden) {
            print_command(out, cli_commands[i]);
        }
    }
}

void page_global_options(FILE *out)
{
    print_options(out, cli_global_options);
}
