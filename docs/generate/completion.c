/* SPDX-License-Identifier: Apache-2.0 */
/* completion.c: the command line for bash, from the rows that parse it, as three functions over the words so far. */
#include <string.h>

#include "cli/options.h"
#include "docs/generate/page.h"

/* Is c a command directly in the group, and if it lies deeper: what is the next word there? @return NULL: neither */
static const char *next_word(const struct cli_command *c, const char *group, char *store, size_t size)
{
    char words[96];
    size_t n = strlen(group);
    cli_command_words(c, words, sizeof words);
    if (c->hidden || (n > 0 && (strncmp(words, group, n) != 0 || words[n] != ' '))) {
        return NULL;
    }
    const char *rest = words + n + (n > 0);
    snprintf(store, size, "%.*s", (int)strcspn(rest, " "), rest);
    return store;
}

static void print_group(FILE *out, const char *group)
{
    char last[64] = "";
    fprintf(out, "    '%s') echo '", group);
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        char word[64];
        const char *next = next_word(cli_commands[i], group, word, sizeof word);
        if (next != NULL && strcmp(next, last) != 0) {
            fprintf(out, "%s%s", last[0] != '\0' ? " " : "", next);
            snprintf(last, sizeof last, "%s", next);
        }
    }
    fputs("' ;;\n", out);
}

/* Every group once: the list keeps the commands of a group together. */
static void print_groups(FILE *out)
{
    const char *last = "";
    fputs("_countersign_words()\n{\n    case $1 in\n", out);
    print_group(out, "");
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        const char *parent = cli_commands[i]->parent;
        if (parent != NULL && strcmp(parent, last) != 0 && !cli_commands[i]->hidden) {
            print_group(out, parent);
            last = parent;
        }
    }
    fputs("    esac\n}\n\n", out);
}

static void print_names(FILE *out, const struct cli_option *table)
{
    for (; table != NULL && table->name != NULL; table++) {
        if ((table->flags & CLI_HIDDEN) == 0) {
            fprintf(out, " --%s", table->name);
        }
    }
}

/* pattern: how the command's words match in case, its quote still open */
static void print_value(FILE *out, const char *pattern, const struct cli_option *o)
{
    if (o->kind == CLI_FLAG || (o->flags & CLI_HIDDEN) != 0) {
        return;
    }
    fprintf(out, "    %s --%s'", pattern, o->name);
    if (o->letter != 0) {
        fprintf(out, " | %s -%c'", pattern, o->letter);
    }
    fputs(") echo '", out);
    bool enforced = o->value != NULL && strpbrk(o->value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL;
    if (o->kind == CLI_FILE) {
        fputs("FILE", out);
    } else if (enforced) {
        for (const char *p = o->value; *p != '\0'; p++) {
            fputc(*p == '|' ? ' ' : *p, out);
        }
    }
    fputs("' ;;\n", out);
}

void page_completion(FILE *out)
{
    char words[96];
    print_groups(out);
    fputs("_countersign_options()\n{\n    echo '", out);
    print_names(out, cli_global_options);
    fputs("'\n    case $1 in\n", out);
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        cli_command_words(cli_commands[i], words, sizeof words);
        fprintf(out, "    '%s') echo '", words);
        print_names(out, cli_commands[i]->options);
        fputs("' ;;\n", out);
    }
    fputs("    esac\n}\n\n# words for the value of an option; FILE: a path; nothing: a value of the caller's own; "
          "fails for a flag\n"
          "_countersign_values()\n{\n    case $1 in\n",
          out);
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        char pattern[98] = "'";
        cli_command_words(cli_commands[i], pattern + 1, sizeof pattern - 1);
        for (const struct cli_option *o = cli_commands[i]->options; o != NULL && o->name != NULL; o++) {
            print_value(out, pattern, o);
        }
    }
    for (const struct cli_option *o = cli_global_options; o->name != NULL; o++) {
        print_value(out, "*'", o);
    }
    fputs("    *) return 1 ;;\n    esac\n}\n", out);
}
