/* SPDX-License-Identifier: Apache-2.0 */
/* runbooks.c: what runbooks are written with: the words of their grammar, and the checks that close a step. */
#include "docs/generate/page.h"
#include "keystore/runbook.h"

/* A cell of a table: what would end it is escaped. */
static void print_cell(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        fputs(*text == '|' ? "\\" : "", out);
        fputc(*text, out);
    }
}

void page_runbook_words(FILE *out)
{
    const struct cs_conf_table table = ks_runbook_directives();
    fputs("| word | takes | |\n|---|---|---|\n", out);
    for (size_t i = 0; i < table.n; i++) {
        const struct cs_directive *row = &table.row[i];
        fprintf(out, "| `%s` | ", row->name);
        print_cell(out, row->args);
        fputs(row->opens != NULL ? " { … } | " : " | ", out);
        print_cell(out, row->help);
        fputs(" |\n", out);
    }
}

void page_runbook_checks(FILE *out)
{
    size_t n = 0;
    const struct ks_fact_row *row = ks_fact_rows(&n);
    fputs("| check | holds when |\n|---|---|\n", out);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "| `%s` | ", row[i].word);
        print_cell(out, row[i].help);
        fputs(" |\n", out);
    }
}
