/* SPDX-License-Identifier: Apache-2.0 */
/* report_summary.c: a run on one page: for a terminal, or as one JSON object. */
#include <string.h>

#include "archive/report_private.h"
#include "base/json.h"
#include "base/text.h"

/* ---- for people -------------------------------------------------------------------------------------------------- */

static void number(cs_buf *b, int width, uint64_t n)
{
    cs_buf one = CS_BUF_INIT;
    archive_add_grouped(&one, n);
    cs_buf_addf(b, "%*s", width, one.failed ? "?" : one.data);
    cs_buf_free(&one);
}

static void counted(cs_buf *b, const char *word, uint64_t n)
{
    cs_buf_addf(b, "%s ", word);
    archive_add_grouped(b, n);
}

static void write_signer(cs_buf *b, const struct archive_signer *s)
{
    char entry[80] = "(none)";
    char hex[65] = "";
    char label[160];
    char when[CS_TIME_TEXT];
    if (s->there) {
        archive_entry_text(&s->certificate, entry);
        cs_hex(s->certificate.sha256, 4, hex);
        snprintf(label, sizeof label, "%-20s %s  %s", entry, hex, wssec_state_word(s->certificate.state));
    } else {
        snprintf(label, sizeof label, "%s", entry);
    }
    cs_buf_addf(b, "    %-46s", label);
    number(b, 12, s->n[WSSEC_PASS]);
    number(b, 9, s->n[WSSEC_FAIL]);
    number(b, 9, s->n[WSSEC_INDETERMINATE] + s->n[WSSEC_ERROR]);
    cs_buf_addf(b, "  %.10s", s->first != 0 ? cs_time_format(s->first, when) : "-         ");
    cs_buf_addf(b, "  %.10s", s->last != 0 ? cs_time_format(s->last, when) : "-         ");
    cs_time stop = s->certificate.process_stop;
    cs_buf_addf(b, "  %.10s\n", s->there && stop != 0 ? cs_time_format(stop, when) : "-");
}

static void write_sources(cs_buf *b, const struct archive_tally *t)
{
    const char *between = "  time ";
    for (int i = 0; i <= WSSEC_TIME_MTIME; i++) {
        if (t->source[i] > 0) {
            cs_buf_adds(b, between);
            counted(b, wssec_time_source_word((enum wssec_time_source)i), t->source[i]);
            between = "   ";
        }
    }
    if (t->items > 0) {
        cs_buf_addc(b, '\n');
    }
}

/* Which they are, for the first ones; all of them stand in the other reports. */
static void write_shown(cs_buf *b, const struct archive_tally *t)
{
    uint64_t all = t->items - t->verdict[WSSEC_PASS];
    for (size_t i = 0; i < t->n_shown; i++) {
        const struct archive_shown *s = &t->shown[i];
        cs_buf_addf(b, "    %s: %s %s\n", s->loc, wssec_result_word(s->verdict), wssec_reason_code(s->reason));
    }
    if (all > t->n_shown && t->n_shown > 0) {
        cs_buf_adds(b, "    … ");
        archive_add_grouped(b, all - t->n_shown);
        cs_buf_adds(b, " more: --report ndjson:FILE, csv:FILE or html:FILE names all\n");
    }
}

static void write_people(cs_buf *b, const struct archive_source *s, const struct archive_tally *t)
{
    char when[CS_TIME_TEXT];
    char hex[65];
    uint8_t root[32];
    cs_buf_addf(b, "SUMMARY  run %s  %s  countersign %s  generation %llu\n", s->run->id,
                cs_time_format(s->run->started, when), s->run->version, (unsigned long long)s->run->generation);
    cs_buf_adds(b, "  ");
    counted(b, "messages", t->items);
    counted(b, "   pass", t->verdict[WSSEC_PASS]);
    counted(b, "   fail", t->verdict[WSSEC_FAIL]);
    counted(b, "   indeterminate", t->verdict[WSSEC_INDETERMINATE]);
    counted(b, "   error", t->verdict[WSSEC_ERROR]);
    counted(b, "   duplicates", t->duplicates);
    cs_buf_addc(b, '\n');
    write_sources(b, t);
    for (size_t i = 0; i < s->n_finding; i++) {
        cs_buf_addf(b, "  %s %s: %s\n", s->finding[i].word, s->finding[i].complete ? "complete" : "NOT COMPLETE",
                    s->finding[i].text);
    }
    cs_buf_addf(b, "  %-48s%12s%9s%9s  %-10s  %-10s  %s\n", "by certificate", "pass", "fail", "other", "first seen",
                "last seen", "process stop");
    for (size_t i = 0; i < t->n_signer; i++) {
        write_signer(b, &t->signer[i]);
    }
    static const enum wssec_result shown[] = {WSSEC_FAIL, WSSEC_INDETERMINATE, WSSEC_ERROR};
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        if (t->verdict[shown[i]] > 0) {
            cs_buf_addf(b, "  %s: ", wssec_result_word(shown[i]));
            archive_add_reasons(b, t, shown[i]);
            cs_buf_addc(b, '\n');
        }
    }
    write_shown(b, t);
    archive_merkle_root(&t->merkle, root);
    cs_hex(root, sizeof root, hex);
    cs_buf_addf(b, "  merkle root sha256:%s   (time-stamp it: openssl ts -query -sha256 -digest %s)\n", hex, hex);
}

/* ---- for programs ------------------------------------------------------------------------------------------------ */

static void verdicts(cs_json *j, const uint64_t n[ARCHIVE_VERDICTS])
{
    for (int v = 0; v < ARCHIVE_VERDICTS; v++) {
        cs_json_int(j, wssec_result_word((enum wssec_result)v), (int64_t)n[v]);
    }
}

static void json_signer(cs_json *j, const struct archive_signer *s)
{
    char entry[80];
    cs_json_object(j, NULL);
    archive_entry_text(&s->certificate, entry);
    cs_json_str(j, "entry", s->there ? entry : NULL);
    cs_json_str(j, "partner", s->partner[0] != '\0' ? s->partner : NULL);
    if (s->there) {
        cs_json_hex(j, "sha256", s->certificate.sha256, sizeof s->certificate.sha256);
        cs_json_str(j, "state", wssec_state_word(s->certificate.state));
        cs_json_time(j, "process_stop", s->certificate.process_stop);
    }
    verdicts(j, s->n);
    cs_json_time(j, "first_seen", s->first);
    cs_json_time(j, "last_seen", s->last);
    cs_json_array(j, "months");
    for (size_t i = 0; i < s->n_month; i++) {
        char month[16];
        archive_month_text(s->month[i].month, month);
        cs_json_object(j, NULL);
        cs_json_str(j, "month", month);
        verdicts(j, s->month[i].n);
        cs_json_object_end(j);
    }
    cs_json_array_end(j);
    cs_json_object_end(j);
}

/* A reason may stand under several verdicts (failed, or left open for want of a proof): one member for it. */
static void json_reasons(cs_json *j, const struct archive_tally *t)
{
    cs_json_object(j, "reasons");
    for (int r = 0; r < WSSEC_REASONS; r++) {
        uint64_t n = 0;
        for (int v = 0; v < ARCHIVE_VERDICTS; v++) {
            n += v != WSSEC_PASS ? t->reason[v][r] : 0;
        }
        if (n > 0) {
            cs_json_int(j, wssec_reason_code((enum wssec_reason)r), (int64_t)n);
        }
    }
    cs_json_object_end(j);
}

static void write_json(cs_buf *b, const struct archive_source *s, const struct archive_tally *t)
{
    cs_json j;
    uint8_t root[32];
    archive_merkle_root(&t->merkle, root);
    cs_json_begin(&j, b);
    cs_json_object(&j, NULL);
    cs_json_int(&j, "v", 1);
    cs_json_str(&j, "run", s->run->id);
    cs_json_time(&j, "started", s->run->started);
    cs_json_str(&j, "version", s->run->version);
    cs_json_str(&j, "policy_sha256", s->run->policy_sha256[0] != '\0' ? s->run->policy_sha256 : NULL);
    cs_json_int(&j, "generation", (int64_t)s->run->generation);
    cs_json_int(&j, "messages", (int64_t)t->items);
    verdicts(&j, t->verdict);
    cs_json_int(&j, "duplicates", (int64_t)t->duplicates);
    cs_json_int(&j, "octets", (int64_t)t->octets);
    cs_json_object(&j, "time_sources");
    for (int i = 0; i <= WSSEC_TIME_MTIME; i++) {
        cs_json_int(&j, wssec_time_source_word((enum wssec_time_source)i), (int64_t)t->source[i]);
    }
    cs_json_object_end(&j);
    json_reasons(&j, t);
    cs_json_array(&j, "coverage");
    for (size_t i = 0; i < s->n_finding; i++) {
        cs_json_object(&j, NULL);
        cs_json_str(&j, "word", s->finding[i].word);
        cs_json_bool(&j, "complete", s->finding[i].complete);
        cs_json_str(&j, "text", s->finding[i].text);
        cs_json_object_end(&j);
    }
    cs_json_array_end(&j);
    cs_json_array(&j, "certificates");
    for (size_t i = 0; i < t->n_signer; i++) {
        json_signer(&j, &t->signer[i]);
    }
    cs_json_array_end(&j);
    cs_json_hex(&j, "merkle_root", root, sizeof root);
    cs_json_object_end(&j);
    cs_buf_addc(b, '\n');
}

int archive_write_summary(struct archive_out *o, const struct archive_source *s, const struct archive_tally *t,
                          cs_error *e)
{
    cs_buf b = CS_BUF_INIT;
    if (s->json) {
        write_json(&b, s, t);
    } else {
        write_people(&b, s, t);
    }
    int rc = archive_out_flush(o, &b, true, e);
    cs_buf_free(&b);
    return rc;
}
