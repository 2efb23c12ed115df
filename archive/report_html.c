/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_html.c: one page without script and without anything fetched: what the run was, what it found, which
 * certificate verified how much in which month, and what did not verify.
 */
#include <string.h>

#include "archive/report_private.h"
#include "base/text.h"

#define SHOWN 1000 /* records that did not pass */

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Archive "
    "verification</title>\n<style>\n"
    ":root{color-scheme:light dark;--line:#8886;--soft:#8881;--pass:#15803d;--fail:#b91c1c;--open:#b45309}\n"
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem}\n"
    "h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}\n"
    ".wide td{white-space:nowrap}.wide td.long{white-space:normal;overflow-wrap:anywhere;min-width:14rem}\n"
    "td.n,th.n{text-align:right}thead th{background:var(--soft)}\n"
    ".wide{overflow-x:auto}.counts{display:flex;flex-wrap:wrap;gap:.8rem}\n"
    ".counts div{border:1px solid var(--line);border-radius:.4rem;padding:.6rem 1rem;min-width:7rem}\n"
    ".counts b{display:block;font-size:1.5rem}\n"
    ".pass{color:var(--pass)}.fail,.error{color:var(--fail)}.indeterminate{color:var(--open)}\n"
    "code{font:.85em ui-monospace,monospace;overflow-wrap:anywhere}\n"
    "</style></head><body>\n";

static void cell(cs_buf *b, const char *text)
{
    cs_buf_adds(b, "<td>");
    archive_add_xml(b, text);
    cs_buf_adds(b, "</td>");
}

static void cell_number(cs_buf *b, const char *class, uint64_t n)
{
    cs_buf_addf(b, "<td class=\"n%s%s\">", n > 0 ? " " : "", n > 0 ? class : "");
    if (n > 0) {
        archive_add_grouped(b, n);
    } else {
        cs_buf_adds(b, "·");
    }
    cs_buf_adds(b, "</td>");
}

static void fact(cs_buf *b, const char *name, const char *value)
{
    cs_buf_addf(b, "<tr><th scope=\"row\">%s</th><td><code>", name);
    archive_add_xml(b, value);
    cs_buf_adds(b, "</code></td></tr>\n");
}

static void write_identity(cs_buf *b, const struct archive_source *s, const struct archive_tally *t)
{
    const struct archive_run *run = s->run;
    char text[CS_TIME_TEXT];
    char digits[24];
    char hex[65];
    uint8_t root[32];
    cs_buf_adds(b, "<table>\n");
    fact(b, "run", run->id);
    fact(b, "begun", cs_time_format(run->started, text));
    fact(b, "countersign", run->version);
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)run->generation);
    fact(b, "generation of the keystore", digits);
    if (run->policy_sha256[0] != '\0') {
        fact(b, "policies (SHA-256)", run->policy_sha256);
    }
    for (size_t i = 0; i < run->order.path.n; i++) {
        fact(b, "input", run->order.path.text[i]);
    }
    if (run->order.as_of != 0) {
        fact(b, "judged as of", cs_time_format(run->order.as_of, text));
    }
    archive_merkle_root(&t->merkle, root);
    fact(b, "Merkle root of the records (SHA-256)", cs_hex(root, sizeof root, hex));
    cs_buf_adds(b, "</table>\n");
}

static void write_counts(cs_buf *b, const struct archive_source *s, const struct archive_tally *t)
{
    static const enum wssec_result shown[] = {WSSEC_PASS, WSSEC_FAIL, WSSEC_INDETERMINATE, WSSEC_ERROR};
    cs_buf_adds(b, "<h2>Result</h2>\n<div class=\"counts\"><div><b>");
    archive_add_grouped(b, t->items);
    cs_buf_adds(b, "</b>messages</div>");
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        const char *word = wssec_result_word(shown[i]);
        cs_buf_addf(b, "<div%s%s%s><b>", t->verdict[shown[i]] > 0 ? " class=\"" : "",
                    t->verdict[shown[i]] > 0 ? word : "", t->verdict[shown[i]] > 0 ? "\"" : "");
        archive_add_grouped(b, t->verdict[shown[i]]);
        cs_buf_addf(b, "</b>%s</div>", word);
    }
    cs_buf_adds(b, "<div><b>");
    archive_add_grouped(b, t->duplicates);
    cs_buf_adds(b, "</b>duplicates</div></div>\n");
    for (size_t i = 0; i < s->n_finding; i++) {
        cs_buf_addf(b, "<p class=\"%s\">", s->finding[i].complete ? "pass" : "fail");
        cs_buf_addf(b, "%s %s: ", s->finding[i].word, s->finding[i].complete ? "complete" : "not complete");
        archive_add_xml(b, s->finding[i].text);
        cs_buf_adds(b, "</p>\n");
    }
}

static void write_signer(cs_buf *b, const struct archive_signer *s)
{
    char entry[80];
    char hex[65];
    char date[CS_TIME_TEXT];
    archive_entry_text(&s->certificate, entry);
    cs_buf_adds(b, "<tr>");
    cell(b, s->there ? entry : "(none)");
    cell(b, s->there ? cs_hex(s->certificate.sha256, 8, hex) : "");
    cell(b, s->there ? wssec_state_word(s->certificate.state) : "");
    cell_number(b, "pass", s->n[WSSEC_PASS]);
    cell_number(b, "fail", s->n[WSSEC_FAIL]);
    cell_number(b, "indeterminate", s->n[WSSEC_INDETERMINATE]);
    cell_number(b, "error", s->n[WSSEC_ERROR]);
    const cs_time at[] = {s->first, s->last, s->there ? s->certificate.process_stop : 0};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        if (at[i] != 0) {
            (void)cs_time_format(at[i], date);
            date[10] = '\0';
        }
        cell(b, at[i] != 0 ? date : "-");
    }
    cs_buf_adds(b, "</tr>\n");
}

static void write_months(cs_buf *b, const struct archive_signer *s)
{
    char entry[80];
    archive_entry_text(&s->certificate, entry);
    for (size_t i = 0; i < s->n_month; i++) {
        char month[16];
        archive_month_text(s->month[i].month, month);
        cs_buf_adds(b, "<tr>");
        cell(b, i == 0 ? (s->there ? entry : "(none)") : "");
        cell(b, month);
        cell_number(b, "pass", s->month[i].n[WSSEC_PASS]);
        cell_number(b, "fail", s->month[i].n[WSSEC_FAIL]);
        cell_number(b, "indeterminate", s->month[i].n[WSSEC_INDETERMINATE]);
        cell_number(b, "error", s->month[i].n[WSSEC_ERROR]);
        cs_buf_adds(b, "</tr>\n");
    }
}

static void write_certificates(cs_buf *b, const struct archive_tally *t)
{
    static const char columns[] = "<th class=\"n\">pass</th><th class=\"n\">fail</th><th class=\"n\">indeterminate</th>"
                                  "<th class=\"n\">error</th>";
    cs_buf_addf(
        b,
        "<h2>By certificate</h2>\n<div class=\"wide\"><table><thead><tr><th>entry</th><th>SHA-256</th><th>state</th>%s"
        "<th>first seen</th><th>last seen</th><th>process stop</th></tr></thead><tbody>\n",
        columns);
    for (size_t i = 0; i < t->n_signer; i++) {
        write_signer(b, &t->signer[i]);
    }
    cs_buf_addf(b,
                "</tbody></table></div>\n<h2>By month</h2>\n<div "
                "class=\"wide\"><table><thead><tr><th>entry</th><th>month</th>%s"
                "</tr></thead><tbody>\n",
                columns);
    for (size_t i = 0; i < t->n_signer; i++) {
        write_months(b, &t->signer[i]);
    }
    cs_buf_adds(b, "</tbody></table></div>\n");
}

struct page {
    struct archive_out *o;
    cs_buf b;
    uint64_t shown;
};

static int add_row(void *ctx, const struct archive_record *r, cs_error *e)
{
    struct page *p = ctx;
    char t[CS_TIME_TEXT];
    char entry[80];
    if (r->v.verdict == WSSEC_PASS || p->shown >= SHOWN) {
        return 0;
    }
    p->shown++;
    cs_buf_adds(&p->b, "<tr><td class=\"long\"><code>");
    archive_add_xml(&p->b, r->loc);
    cs_buf_addf(&p->b, "</code></td><td class=\"%s\">%s</td>", wssec_result_word(r->v.verdict),
                wssec_result_word(r->v.verdict));
    cell(&p->b, wssec_reason_code(r->v.reason));
    cs_buf_adds(&p->b, "<td class=\"long\">");
    archive_add_xml(&p->b, r->v.detail);
    cs_buf_adds(&p->b, "</td>");
    archive_entry_text(&r->v.certificate, entry);
    cell(&p->b, r->v.has_certificate ? entry : "-");
    cell(&p->b, r->v.t != 0 ? cs_time_format(r->v.t, t) : "-");
    cs_buf_adds(&p->b, "</tr>\n");
    return archive_out_flush(p->o, &p->b, false, e);
}

static int write_rest(struct page *p, const struct archive_source *s, const struct archive_tally *t, cs_error *e)
{
    uint64_t others = t->items - t->verdict[WSSEC_PASS];
    if (others == 0) {
        cs_buf_adds(&p->b, "<p class=\"pass\">Every message verifies.</p>\n");
        return 0;
    }
    cs_buf_adds(
        &p->b, "<h2>Not verified</h2>\n<div class=\"wide\"><table><thead><tr><th>message</th><th>verdict</th><th>reason"
               "</th><th>detail</th><th>certificate</th><th>judged as of</th></tr></thead><tbody>\n");
    int rc = archive_each_record(s, add_row, p, e);
    cs_buf_adds(&p->b, "</tbody></table></div>\n");
    if (others > p->shown) {
        cs_buf_adds(&p->b, "<p>");
        archive_add_grouped(&p->b, others - p->shown);
        cs_buf_adds(&p->b, " more stand in the journal.</p>\n");
    }
    return rc;
}

int archive_write_html(struct archive_out *o, const struct archive_source *s, const struct archive_tally *t,
                       cs_error *e)
{
    struct page p = {.o = o, .b = CS_BUF_INIT};
    cs_buf_adds(&p.b, head);
    cs_buf_adds(&p.b, "<h1>Archive verification</h1>\n");
    write_identity(&p.b, s, t);
    write_counts(&p.b, s, t);
    write_certificates(&p.b, t);
    int rc = write_rest(&p, s, t, e);
    cs_buf_adds(&p.b, "</body></html>\n");
    rc = rc == 0 ? archive_out_flush(o, &p.b, true, e) : rc;
    cs_buf_free(&p.b);
    return rc;
}
