/* SPDX-License-Identifier: Apache-2.0 */
/* bsp.c: the rules of the Basic Security Profile that are looked at. */
#include "wssec/bsp.h"

#include "docs/generate/page.h"

void page_bsp(FILE *out)
{
    const struct wssec_bsp_rule *r = NULL;
    fputs("| rule | demands | where it does not hold, `enforce` |\n|---|---|---|\n", out);
    for (size_t i = 0; (r = wssec_bsp_rule(i)) != NULL; i++) {
        fprintf(out, "| %s | %s | %s |\n", r->number, r->text, r->must ? "refuses" : "notes (SHOULD)");
    }
}
