/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h: what a run found, for people and for other programs. Reports are made from the journal, so at the end of a
 * run or any time later. Each goes to a file of its own, which is there as a whole or not at all.
 */
#ifndef ARCHIVE_REPORT_H
#define ARCHIVE_REPORT_H

#include "archive/tally.h"

enum archive_report_kind {
    ARCHIVE_SUMMARY,
    ARCHIVE_NDJSON,
    ARCHIVE_CSV,
    ARCHIVE_JUNIT,
    ARCHIVE_HTML,
    ARCHIVE_REPORT_KINDS
};

struct archive_report {
    enum archive_report_kind kind;
    char *file; /**< owned; "-": standard output. Suffix .gz, .xz or .zst: compressed */
};

/** Owned: archive_reports_free. */
struct archive_reports {
    struct archive_report *report;
    size_t n;
};

/** Something that was asked about the archive as a whole: a count, a manifest, a chain. */
struct archive_finding {
    const char *word; /**< "count", "manifest", "chain" */
    bool complete;
    const char *text; /**< a sentence with the numbers */
};

/** What reports are made from. All borrowed. */
struct archive_source {
    const struct archive_run *run;
    int fd; /**< of the records: archive_journal_fd, or the file */
    const struct archive_finding *finding;
    size_t n_finding;
    bool json;          /**< the summary as one JSON object */
    uint64_t junit_max; /**< with more records, passes are one number; 0: 10,000 */
};

/** Take "KIND:FILE,KIND:FILE". Unknown kind, no file: exit 64. Two kinds that go to standard output: 64, too. */
int archive_reports_add(struct archive_reports *list, const char *text, cs_error *e) CS_MUST_CHECK;
void archive_reports_free(struct archive_reports *list);
/** Write all of them. tally: sorted; counts all records of source. A file that cannot be written: exit 69. */
int archive_reports_write(const struct archive_reports *list, const struct archive_source *source,
                          const struct archive_tally *tally, cs_error *e) CS_MUST_CHECK;

#endif
