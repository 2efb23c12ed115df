/* SPDX-License-Identifier: Apache-2.0 */
/* reasons.c: the table of reasons for people who have one in a log line. */
#include <string.h>

#include "docs/generate/page.h"
#include "wssec/wssec.h"

/* Where a group begins: the first reason of it, in the order of reason.def. */
static const struct {
    enum wssec_reason first;
    const char *title;
} groups[] = {
    {WSSEC_OK, "Nothing to refuse"},
    {WSSEC_XML_MALFORMED, "Shape of the message"},
    {WSSEC_NO_SECURITY, "The Security header"},
    {WSSEC_SIGNATURE_MALFORMED, "The signature: shape and algorithms"},
    {WSSEC_TOKEN_UNSUPPORTED, "Key references and tokens"},
    {WSSEC_CERTIFICATE_UNKNOWN, "Certificates"},
    {WSSEC_SIGNATURE_MISMATCH, "What was signed, when, and for whom"},
    {WSSEC_OUT_OF_MEMORY, "Our own trouble"},
    {WSSEC_HTTP_REQUEST_LINE, "HTTP, routes and receivers"},
    {WSSEC_IO_ERROR, "Stored messages in bulk"},
};

static const char *who(const char *hint)
{
    static const struct {
        const char *hint;
        const char *who;
    } words[] = {{"S", "sender"}, {"L", "wait"}, {"O", "operator"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i].hint, hint) == 0) {
            return words[i].who;
        }
    }
    return "–";
}

/* Text of one cell: what Markdown would take for markup stays text. */
static void print_cell(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("|*_<>`\\", *text) != NULL) {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
}

static void print_code(FILE *out, const char *text)
{
    if (text[0] == '\0') {
        fputs("–", out);
    } else {
        fprintf(out, "`%s`", text);
    }
}

static void print_row(FILE *out, enum wssec_reason r)
{
    fprintf(out, "| `%s` | ", wssec_reason_code(r));
    print_cell(out, wssec_reason_meaning(r));
    fprintf(out, " | %s | ", who(wssec_reason_hint(r)));
    print_cell(out, wssec_reason_cure(r));
    fputs(" | ", out);
    print_code(out, wssec_reason_fault(r));
    fputs(" | ", out);
    print_code(out, wssec_reason_etsi(r));
    fputs(" |\n", out);
}

void page_reasons(FILE *out)
{
    for (int r = 0; r < WSSEC_REASONS; r++) {
        for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
            if ((int)groups[g].first == r) {
                fprintf(out,
                        "%s## %s\n| reason | meaning | who acts | cure | fault | ETSI |\n|---|---|---|---|---|---|\n",
                        r > 0 ? "\n" : "", groups[g].title);
            }
        }
        print_row(out, (enum wssec_reason)r);
    }
}
