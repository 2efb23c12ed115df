/* SPDX-License-Identifier: Apache-2.0 */
/* roff.c: text of our tables for mdoc(7), so that no character of it is taken for markup. */
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "docs/generate/page.h"

/* One character of UTF-8 as \[uXXXX]; the tables are ours, so they are well-formed. @return octets taken */
static size_t print_wide(FILE *out, const unsigned char *p)
{
    size_t n = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
    unsigned code = *p & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        code = code << 6 | (p[i] & 0x3fU);
    }
    fprintf(out, "\\[u%04X]", code);
    return n;
}

static void print(FILE *out, const char *text, bool argument)
{
    bool line_start = !argument;
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0';) {
        if (line_start && (*p == '.' || *p == '\'')) {
            fputs("\\&", out);
        }
        line_start = *p == '\n' && !argument;
        if (*p >= 0x80) {
            p += print_wide(out, p);
            continue;
        }
        if (*p == '\\') {
            fputs("\\e", out);
        } else if (*p == '-') {
            fputs("\\-", out);
        } else if (*p == '"' && argument) {
            fputs("\\(dq", out);
        } else if (*p == '|' && argument) {
            fputs("|\\:", out); /* a long list of words may break here */
        } else {
            fputc(*p, out);
        }
        p++;
    }
}

void page_roff(FILE *out, const char *text)
{
    print(out, text, false);
}

void page_roff_argument(FILE *out, const char *text)
{
    fputc('"', out);
    print(out, text, true);
    fputc('"', out);
}

/* mdoc wants each sentence on a line of its own. @return malloc'ed */
static char *by_line(const char *text)
{
    char *lines = strdup(text);
    if (lines == NULL) {
        abort();
    }
    for (char *p = lines; (p = strstr(p, ". ")) != NULL; p += 2) {
        if (isupper((unsigned char)p[2])) {
            p[1] = '\n';
        }
    }
    return lines;
}

void page_roff_sentence(FILE *out, const char *text)
{
    char *lines = by_line(text);
    size_t n = strlen(lines);
    /* a word with a colon or hyphen behind it may be a keyword of the product: those keep their case */
    size_t word = strspn(lines, "abcdefghijklmnopqrstuvwxyz");
    if (word > 0 && (lines[word] == ' ' || lines[word] == ',')) {
        fputc(toupper((unsigned char)lines[0]), out);
        print(out, lines + 1, true);
    } else {
        print(out, lines, false);
    }
    fputs(n > 0 && lines[n - 1] == '.' ? "\n" : ".\n", out);
    free(lines);
}
