/* SPDX-License-Identifier: Apache-2.0 */
/* archive_end.h: what follows when every item has its record: coverage, conclusion, reports; for verify and collect. */
#ifndef CLI_ARCHIVE_END_H
#define CLI_ARCHIVE_END_H

#include "archive/conclusion.h"
#include "archive/journal.h"
#include "cli/command.h"

#define CLI_REPORT_OPTIONS                                                                                             \
    {"report",                                                                                                         \
     0,                                                                                                                \
     CLI_TEXT,                                                                                                         \
     "KIND:FILE,…",                                                                                                    \
     CLI_REPEAT,                                                                                                       \
     "summary, ndjson, csv, junit or html into a file (- standard output; .gz .xz .zst compress); without it "         \
     "summary:-"},                                                                                                     \
    {                                                                                                                  \
        "junit-max", 0, CLI_NUMBER, "N", 0, "with more records, passes are one number in JUnit; without it 10000"      \
    }

/** Zeroed but for directory. */
struct cli_end {
    const char *directory; /**< of the journal; NULL: none is kept */
    struct archive_reports reports;
    struct archive_conclusion found;
    bool gap; /**< out: the archive is not complete */
};

/** Read --report; none: summary:-. @return 0, or -1 with c->error filled; cli_end_clear in either case */
int cli_end_wanted(struct cli_end *end, struct cli_context *c) CS_MUST_CHECK;
/** Judge what the order asks of the archive as a whole, and note the end of the run. store: knows the ends of captures;
 * NULL: none. What is missing is told on stderr. A shard is not judged: that is for who collects them. */
int cli_end_find(struct cli_end *end, struct cli_context *c, const struct archive_run *run,
                 struct archive_journal *journal, const struct archive_counts *counts, ks_store *store) CS_MUST_CHECK;
/** Write the reports. tally: of all records, or empty; then they are read from the journal first. */
int cli_end_report(const struct cli_end *end, struct cli_context *c, const struct archive_run *run,
                   struct archive_journal *journal, const struct archive_counts *counts,
                   struct archive_tally *tally) CS_MUST_CHECK;
void cli_end_clear(struct cli_end *end);

#endif
