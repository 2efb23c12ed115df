/* SPDX-License-Identifier: Apache-2.0 */
/* directives.c: the configuration's words for the man page, block by block, from the rows that it is checked against.
 */
#include <stdbool.h>
#include <string.h>

#include "base/config.h"
#include "docs/generate/page.h"
#include "gateway/config.h"
#include "keystore/config.h"
#include "wssec/directives.h"

#define DEPTH 8

struct print {
    FILE *out;
    struct cs_conf_table table[3];
    const char *path[DEPTH]; /* names of the blocks around, outermost first */
    int depth;
};

/* Is word one of those in list, which '|' separates? A block's name may end in '?' where it may be left out. */
static bool in_list(const char *list, const char *word, size_t n)
{
    while (true) {
        size_t m = strcspn(list, "|");
        if (m == n && memcmp(list, word, n) == 0) {
            return true;
        }
        if (list[m] == '\0') {
            return false;
        }
        list += m + 1;
    }
}

static bool is_kind(const char *word, size_t n)
{
    return in_list("word|string|name|number|duration|size|time|address", word, n);
}

/* One of a row's argument shapes ("word+", "a|b", "yes-no?") as a reader writes it. */
static void print_shape(FILE *out, const char *shape, size_t n)
{
    char mark = n > 1 && strchr("?+*", shape[n - 1]) != NULL ? shape[n - 1] : '\0';
    n -= mark != '\0';
    fputs(mark == '?' || mark == '*' ? " Op " : " ", out);
    for (size_t from = 0; from < n;) {
        size_t m = strcspn(shape + from, "| ");
        m = m > n - from ? n - from : m;
        const char *word = shape + from;
        const char *both = in_list("yes-no", word, m)   ? "Cm yes | Cm no"
                           : in_list("on-off", word, m) ? "Cm on | Cm off"
                                                        : NULL;
        if (both != NULL) {
            fprintf(out, "%s%s", from > 0 ? " | " : "", both);
        } else {
            fprintf(out, "%s%s %.*s", from > 0 ? " | " : "", is_kind(word, m) ? "Ar" : "Cm", (int)m, word);
        }
        from += m + 1;
    }
    fputs(mark == '+' || mark == '*' ? " ..." : "", out);
}

/* The example is the default once more: nothing that a reader would not see. */
static bool says_default(const struct cs_directive *row)
{
    char same[256];
    snprintf(same, sizeof same, "%s %s;", row->name, row->deflt != NULL ? row->deflt : "");
    return strcmp(same, row->example_good) == 0;
}

static void print_row(const struct print *p, const struct cs_directive *row)
{
    fprintf(p->out, ".It Ic %s", row->name);
    for (const char *at = row->args; at != NULL && *at != '\0';) {
        size_t n = strcspn(at, " ");
        print_shape(p->out, at, n);
        at += n + (at[n] == ' ');
    }
    const char *block = row->opens == NULL                ? " ;"
                        : strchr(row->opens, '?') != NULL ? " Op \\&{ ... \\&}"
                                                          : " \\&{ ... \\&}";
    fprintf(p->out, "%s\n", block);
    page_roff_sentence(p->out, row->help);
    if (row->deflt != NULL) {
        fputs("Default: ", p->out);
        page_roff(p->out, row->deflt);
        fputs(".\n", p->out);
    }
    if ((row->flags & CS_DIR_REQUIRED) != 0) {
        fputs("Must be there.\n", p->out);
    }
    if ((row->flags & CS_DIR_REPEAT) != 0) {
        fputs("May stand several times.\n", p->out);
    }
    if ((row->flags & CS_DIR_RESTART) != 0) {
        fputs("A change needs a restart.\n", p->out);
    }
    if (row->example_good != NULL && row->opens == NULL && !says_default(row)) {
        fputs("Example:\n.Dl ", p->out);
        page_roff_argument(p->out, row->example_good);
        fputc('\n', p->out);
    }
}

static void print_title(const struct print *p)
{
    fputs(".Ss ", p->out);
    fputs(p->depth == 0 ? "Top level" : "Inside", p->out);
    for (int i = 0; i < p->depth; i++) {
        fprintf(p->out, "%s %s", i > 0 ? "," : "", p->path[i]);
    }
    fputc('\n', p->out);
}

/* The rows of one block, then the blocks that they open; two rows may open the same one and share its rows. */
static void print_block(struct print *p, const char *block, size_t n)
{
    print_title(p);
    fputs(".Bl -tag -width 4n\n", p->out);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t t = 0; t < sizeof p->table / sizeof p->table[0]; t++) {
            for (size_t i = 0; i < p->table[t].n; i++) {
                const struct cs_directive *row = &p->table[t].row[i];
                if (!in_list(row->block, block, n)) {
                    continue;
                }
                if (pass == 0) {
                    print_row(p, row);
                } else if (row->opens != NULL && p->depth < DEPTH) {
                    p->path[p->depth++] = row->name;
                    print_block(p, row->opens, strcspn(row->opens, "?"));
                    p->depth--;
                }
            }
        }
        if (pass == 0) {
            fputs(".El\n", p->out);
        }
    }
}

void page_directives(FILE *out)
{
    struct print p = {.out = out, .table = {ks_directives(), wssec_directives(), gw_directives()}};
    print_block(&p, "", 0);
}
