/* SPDX-License-Identifier: Apache-2.0 */
/* report_csv.c: one line per record, RFC 4180. A name that a spreadsheet would compute is text there, too. */
#include <string.h>

#include "archive/report_private.h"
#include "base/text.h"

static void field(cs_buf *b, const char *text, char end)
{
    bool formula = text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL;
    if (!formula && strpbrk(text, ",\"\r\n'") == NULL) {
        cs_buf_adds(b, text);
    } else {
        cs_buf_adds(b, formula ? "\"'" : "\"");
        for (; *text != '\0'; text++) {
            cs_buf_adds(b, *text == '"' ? "\"" : "");
            cs_buf_addc(b, *text);
        }
        cs_buf_addc(b, '"');
    }
    cs_buf_addc(b, end);
}

struct csv {
    struct archive_out *o;
    cs_buf b;
};

static int row(void *ctx, const struct archive_record *r, cs_error *e)
{
    struct csv *c = ctx;
    char hex[65] = "";
    char entry[80] = "";
    char t[CS_TIME_TEXT] = "";
    bool there = r->v.has_certificate;
    field(&c->b, r->loc, ',');
    field(&c->b, r->has_payload ? cs_hex(r->payload_sha256, sizeof r->payload_sha256, hex) : "", ',');
    field(&c->b, r->partner, ',');
    field(&c->b, wssec_result_word(r->v.verdict), ',');
    field(&c->b, wssec_reason_code(r->v.reason), ',');
    field(&c->b, r->v.t != 0 ? cs_time_format(r->v.t, t) : "", ',');
    if (there) {
        archive_entry_text(&r->v.certificate, entry);
    }
    field(&c->b, there ? r->v.certificate.alias : "", ',');
    field(&c->b, entry, ',');
    field(&c->b, there ? cs_hex(r->v.certificate.sha256, sizeof r->v.certificate.sha256, hex) : "", '\r');
    cs_buf_addc(&c->b, '\n');
    return archive_out_flush(c->o, &c->b, false, e);
}

int archive_write_csv(struct archive_out *o, const struct archive_source *s, const struct archive_tally *t, cs_error *e)
{
    struct csv c = {o, CS_BUF_INIT};
    (void)t;
    cs_buf_adds(&c.b, "loc,payload_sha256,partner,verdict,reason,t,alias,entry,certificate_sha256\r\n");
    int rc = archive_each_record(s, row, &c, e);
    rc = rc == 0 ? archive_out_flush(o, &c.b, true, e) : rc;
    cs_buf_free(&c.b);
    return rc;
}
