/* SPDX-License-Identifier: Apache-2.0 */
/* report.c: which reports are wanted, and where they go: to a new file that takes the place of the old one at the end.
 */
#include "archive/report.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/report_private.h"
#include "base/text.h"

#define FLUSH_AT ((size_t)256 * 1024)

static const char *const words[ARCHIVE_REPORT_KINDS + 1] = {"summary", "ndjson", "csv", "junit", "html", NULL};

/* ---- the list ---------------------------------------------------------------------------------------------------- */

static int add_one(struct archive_reports *list, const char *text, size_t n, cs_error *e)
{
    const char *colon = memchr(text, ':', n);
    size_t word_n = colon != NULL ? (size_t)(colon - text) : n;
    int kind = 0;
    while (kind < ARCHIVE_REPORT_KINDS && (strlen(words[kind]) != word_n || memcmp(words[kind], text, word_n) != 0)) {
        kind++;
    }
    if (kind == ARCHIVE_REPORT_KINDS) {
        char word[32];
        snprintf(word, sizeof word, "%.*s", word_n < 30 ? (int)word_n : 30, text);
        const char *near = cs_nearest(word, words);
        return cs_error_set(e, CS_EXIT_USAGE, "report",
                            "there is no report %s%s%s%s; KIND is summary, ndjson, csv, junit or html", word,
                            near != NULL ? "; did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "");
    }
    if (colon == NULL || word_n + 1 == n) {
        return cs_error_set(e, CS_EXIT_USAGE, "report",
                            "the report %s needs a file: %s:FILE, or %s:- for standard output", words[kind],
                            words[kind], words[kind]);
    }
    struct archive_report *more = reallocarray(list->report, list->n + 1, sizeof *more);
    list->report = more != NULL ? more : list->report;
    char *file = strndup(colon + 1, n - word_n - 1);
    if (more == NULL || file == NULL) {
        free(file);
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the list of reports");
    }
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->report[i].file, file) == 0) {
            free(file);
            return cs_error_set(e, CS_EXIT_USAGE, "report", "two reports go to %s", list->report[i].file);
        }
    }
    list->report[list->n++] = (struct archive_report){(enum archive_report_kind)kind, file};
    return 0;
}

int archive_reports_add(struct archive_reports *list, const char *text, cs_error *e)
{
    int rc = 0;
    while (rc == 0) {
        size_t n = strcspn(text, ",");
        rc = add_one(list, text, n, e);
        if (text[n] == '\0') {
            break;
        }
        text += n + 1;
    }
    return rc;
}

void archive_reports_free(struct archive_reports *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->report[i].file);
    }
    free(list->report);
    *list = (struct archive_reports){NULL, 0};
}

/* ---- where a report goes ----------------------------------------------------------------------------------------- */

struct archive_out {
    const char *file;
    char *fresh; /* owned; name until it is whole; NULL: standard output, device, pipe */
    struct archive *packer;
};

static int out_error(const struct archive_out *o, cs_error *e)
{
    return cs_error_set(e, CS_EXIT_UNAVAILABLE, "report", "the report %s cannot be written: %s", o->file,
                        archive_error_string(o->packer) != NULL ? archive_error_string(o->packer) : strerror(errno));
}

static int filter_of(struct archive *packer, const char *file)
{
    const char *dot = strrchr(file, '.');
    if (dot != NULL && strcmp(dot, ".gz") == 0) {
        return archive_write_add_filter_gzip(packer) == ARCHIVE_OK &&
                       archive_write_set_filter_option(packer, "gzip", "timestamp", NULL) == ARCHIVE_OK
                   ? ARCHIVE_OK
                   : ARCHIVE_FATAL;
    }
    if (dot != NULL && strcmp(dot, ".xz") == 0) {
        return archive_write_add_filter_xz(packer);
    }
    if (dot != NULL && strcmp(dot, ".zst") == 0) {
        return archive_write_add_filter_zstd(packer);
    }
    return archive_write_add_filter_none(packer);
}

/* A device or a pipe is written to, never replaced. */
static bool replaceable(const char *file)
{
    struct stat st;
    return stat(file, &st) != 0 || S_ISREG(st.st_mode);
}

static int out_open(struct archive_out *o, const char *file, cs_error *e)
{
    struct archive_entry *entry = archive_entry_new();
    bool standard = strcmp(file, "-") == 0;
    *o = (struct archive_out){.file = file, .packer = archive_write_new()};
    if (entry == NULL || o->packer == NULL ||
        (!standard && replaceable(file) && asprintf(&o->fresh, "%s.new", file) < 0)) {
        o->fresh = NULL;
        archive_entry_free(entry);
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for a report");
    }
    archive_entry_set_filetype(entry, AE_IFREG);
    int rc =
        archive_write_set_format_raw(o->packer) == ARCHIVE_OK && filter_of(o->packer, file) == ARCHIVE_OK &&
                archive_write_set_bytes_in_last_block(o->packer, 1) == ARCHIVE_OK &&
                (standard ? archive_write_open_fd(o->packer, STDOUT_FILENO)
                          : archive_write_open_filename(o->packer, o->fresh != NULL ? o->fresh : file)) == ARCHIVE_OK &&
                archive_write_header(o->packer, entry) == ARCHIVE_OK
            ? 0
            : out_error(o, e);
    archive_entry_free(entry);
    return rc;
}

int archive_out_flush(struct archive_out *o, cs_buf *b, bool all, cs_error *e)
{
    if (b->failed) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the report %s", o->file);
    }
    if (b->len == 0 || (!all && b->len < FLUSH_AT)) {
        return 0;
    }
    bool good = archive_write_data(o->packer, b->data, b->len) == (la_ssize_t)b->len;
    cs_buf_reset(b);
    return good ? 0 : out_error(o, e);
}

/* @return rc, or -1 where the end of the report cannot be written */
static int out_close(struct archive_out *o, int rc, cs_error *e)
{
    if (rc == 0 && archive_write_close(o->packer) != ARCHIVE_OK) {
        rc = out_error(o, e);
    }
    if (o->packer != NULL && rc != 0) {
        (void)archive_write_close(o->packer); /* archive_write_fail() would leak a compressor; the file goes anyway */
    }
    (void)archive_write_free(o->packer);
    if (rc == 0 && o->fresh != NULL && rename(o->fresh, o->file) != 0) {
        rc = cs_error_set(e, CS_EXIT_UNAVAILABLE, "report", "the report %s cannot be written: %s", o->file,
                          strerror(errno));
    }
    if (rc != 0 && o->fresh != NULL) {
        (void)unlink(o->fresh);
    }
    free(o->fresh);
    return rc;
}

/* ---- what kinds share -------------------------------------------------------------------------------------------- */

int archive_each_record(const struct archive_source *s, archive_each *each, void *ctx, cs_error *e)
{
    struct archive_reader *reader = NULL;
    int rc = archive_reader_fd(&reader, s->fd, e) == 0 ? 1 : -1;
    while (rc == 1) {
        struct archive_record r = {.seq = 0};
        rc = archive_reader_next(reader, &r, e);
        if (rc == 1 && each(ctx, &r, e) != 0) {
            rc = -1;
        }
        archive_record_clear(&r);
    }
    archive_reader_close(reader);
    return rc;
}

/* The records as they stand. */
static int write_ndjson(struct archive_out *o, const struct archive_source *s, const struct archive_tally *t,
                        cs_error *e)
{
    struct archive_reader *reader = NULL;
    const char *line = NULL;
    size_t n = 0;
    cs_buf b = CS_BUF_INIT;
    (void)t;
    int rc = archive_reader_fd(&reader, s->fd, e) == 0 ? 1 : -1;
    while (rc == 1 && (rc = archive_reader_line(reader, &line, &n, e)) == 1) {
        cs_buf_add(&b, line, n);
        rc = archive_out_flush(o, &b, false, e) == 0 ? 1 : -1;
    }
    rc = rc == 0 ? archive_out_flush(o, &b, true, e) : rc;
    archive_reader_close(reader);
    cs_buf_free(&b);
    return rc;
}

void archive_add_xml(cs_buf *b, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        const char *instead = *c == '&'    ? "&amp;"
                              : *c == '<'  ? "&lt;"
                              : *c == '>'  ? "&gt;"
                              : *c == '"'  ? "&quot;"
                              : *c == '\'' ? "&#39;"
                              : *c < 0x20  ? "\xef\xbf\xbd"
                                           : NULL;
        /* U+FFFE and U+FFFF are no characters of XML. */
        if (c[0] == 0xef && c[1] == 0xbf && (c[2] == 0xbe || c[2] == 0xbf)) {
            instead = "\xef\xbf\xbd";
            c += 2;
        }
        if (instead != NULL) {
            cs_buf_adds(b, instead);
        } else {
            cs_buf_addc(b, (char)*c);
        }
    }
}

void archive_add_grouped(cs_buf *b, uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            cs_buf_addc(b, ',');
        }
        cs_buf_addc(b, digits[i]);
    }
}

void archive_entry_text(const struct wssec_certificate *c, char out[80])
{
    snprintf(out, 80, "%s#%u", c->alias, c->ordinal);
}

void archive_add_reasons(cs_buf *b, const struct archive_tally *t, enum wssec_result verdict)
{
    const uint64_t *n = t->reason[verdict];
    uint64_t below = UINT64_MAX;
    bool first = true;
    for (;;) {
        uint64_t most = 0;
        for (int r = 0; r < WSSEC_REASONS; r++) {
            most = n[r] < below && n[r] > most ? n[r] : most;
        }
        if (most == 0) {
            return;
        }
        for (int r = 0; r < WSSEC_REASONS; r++) {
            if (n[r] == most) {
                cs_buf_adds(b, first ? "" : ", ");
                archive_add_grouped(b, most);
                cs_buf_addf(b, " %s", wssec_reason_code((enum wssec_reason)r));
                first = false;
            }
        }
        below = most;
    }
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

int archive_reports_write(const struct archive_reports *list, const struct archive_source *source,
                          const struct archive_tally *tally, cs_error *e)
{
    static archive_write *const write[ARCHIVE_REPORT_KINDS] = {
        [ARCHIVE_SUMMARY] = archive_write_summary, [ARCHIVE_NDJSON] = write_ndjson,
        [ARCHIVE_CSV] = archive_write_csv,         [ARCHIVE_JUNIT] = archive_write_junit,
        [ARCHIVE_HTML] = archive_write_html,
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < list->n; i++) {
        struct archive_out o;
        rc = out_open(&o, list->report[i].file, e);
        rc = rc == 0 ? write[list->report[i].kind](&o, source, tally, e) : rc;
        rc = out_close(&o, rc, e);
    }
    return rc;
}
