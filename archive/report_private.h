/* SPDX-License-Identifier: Apache-2.0 */
/* report_private.h: what the kinds of reports share: where they write to, and how strangers' texts are made harmless.
 */
#ifndef ARCHIVE_REPORT_PRIVATE_H
#define ARCHIVE_REPORT_PRIVATE_H

#include "archive/journal.h"
#include "archive/report.h"

struct archive_out;

/** Write out what b holds when it is much, or when all of it must go (all). @return 0, or -1 with e filled */
int archive_out_flush(struct archive_out *o, cs_buf *b, bool all, cs_error *e) CS_MUST_CHECK;

typedef int archive_write(struct archive_out *o, const struct archive_source *s, const struct archive_tally *t,
                          cs_error *e);
archive_write archive_write_summary, archive_write_csv, archive_write_junit, archive_write_html;

/** Call each with every record, in order. @return 0, or -1 with e filled */
typedef int archive_each(void *ctx, const struct archive_record *r, cs_error *e);
int archive_each_record(const struct archive_source *s, archive_each *each, void *ctx, cs_error *e) CS_MUST_CHECK;

/** Text for XML and HTML, in content and in quoted attributes; what XML cannot hold becomes U+FFFD. */
void archive_add_xml(cs_buf *b, const char *text);
/** 1,204,331 */
void archive_add_grouped(cs_buf *b, uint64_t n);
/** "acme-sign#1" */
void archive_entry_text(const struct wssec_certificate *c, char out[80]);
/** "9 digest-mismatch, 2 certificate-unknown": reasons of a verdict, the most frequent first. */
void archive_add_reasons(cs_buf *b, const struct archive_tally *t, enum wssec_result verdict);

#endif
