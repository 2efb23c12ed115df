/* SPDX-License-Identifier: Apache-2.0 */
/* help.c: --help of all, of a group and of one command, from the same rows that drive the parser. */
#include <string.h>

#include "cli/options.h"

static void print_option(FILE *out, const struct cli_option *o)
{
    if ((o->flags & CLI_HIDDEN) != 0) {
        return;
    }
    const char dash[] = {'-', o->letter, ',', ' ', '\0'};
    const char *value = o->kind != CLI_FLAG && o->value != NULL ? o->value : "";
    int n = fprintf(out, "  %s--%s%s%s", o->letter != 0 ? dash : "    ", o->name, value[0] != '\0' ? " " : "", value);
    if (n > 28) {
        fprintf(out, "\n  %-26s %s\n", "", o->help);
    } else {
        fprintf(out, "%*s %s\n", n >= 0 ? 28 - n : 0, "", o->help);
    }
}

static void print_options(FILE *out, const char *title, const struct cli_option *table)
{
    if (table == NULL || table->name == NULL) {
        return;
    }
    fprintf(out, "\n%s:\n", title);
    for (const struct cli_option *o = table; o->name != NULL; o++) {
        print_option(out, o);
    }
}

static void print_command(FILE *out, const struct cli_command *c)
{
    char words[96];
    cli_command_words(c, words, sizeof words);
    fprintf(out, "Usage: countersign %s [OPTIONS]", words);
    for (const struct cli_option *o = c->options; o != NULL && o->name != NULL; o++) {
        if ((o->flags & CLI_NEEDED) != 0) {
            fprintf(out, " --%s %s", o->name, o->value != NULL ? o->value : "");
        }
    }
    fprintf(out, "%s%s\n\n%s.\n", c->operands != NULL ? " " : "", c->operands != NULL ? c->operands : "", c->summary);
    print_options(out, "Options", c->options);
    print_options(out, "Options of every command", cli_global_options);
    if (c->more != NULL) {
        fprintf(out, "\n%s\n", c->more);
    }
}

static bool in_group(const struct cli_command *c, const char *group)
{
    size_t n = strlen(group);
    return n == 0 ||
           (c->parent != NULL && strncmp(c->parent, group, n) == 0 && (c->parent[n] == '\0' || c->parent[n] == ' '));
}

void cli_help(FILE *out, const struct cli_command *command, const char *group)
{
    if (command != NULL) {
        print_command(out, command);
        return;
    }
    if (group == NULL) {
        group = "";
    }
    fprintf(out, "Usage: countersign [OPTIONS] %s%sCOMMAND …\n\n", group, group[0] != '\0' ? " " : "");
    fprintf(out, "%s\n\nCommands:\n",
            group[0] == '\0' ? "A WS-Security gateway: signs and verifies SOAP messages while keys change."
                             : "Commands of this group.");
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        char words[96];
        if (cli_commands[i]->hidden || !in_group(cli_commands[i], group)) {
            continue;
        }
        cli_command_words(cli_commands[i], words, sizeof words);
        fprintf(out, "  %-28s %s\n", words, cli_commands[i]->summary);
    }
    print_options(out, "Options of every command", cli_global_options);
    fprintf(out, "\ncountersign COMMAND --help tells more.\n");
}
