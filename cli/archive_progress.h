/* SPDX-License-Identifier: Apache-2.0 */
/* archive_progress.h: how far a run is, on stderr: a bar on a terminal, lines for logs, JSON for programs. */
#ifndef CLI_ARCHIVE_PROGRESS_H
#define CLI_ARCHIVE_PROGRESS_H

#include "archive/verify.h"
#include "cli/command.h"

struct cli_progress {
    enum { CLI_PROGRESS_NONE, CLI_PROGRESS_BAR, CLI_PROGRESS_PLAIN, CLI_PROGRESS_JSON } kind;
    const char *metrics;         /**< file for a textfile collector; NULL: none */
    const char *run;             /**< id */
    uint64_t expected;           /**< items, 0: not known */
    struct archive_sizes *sizes; /**< owned: finds it; NULL: nobody looks */
    uint64_t octets;             /**< of the files named, 0: not known */
    double rate, octet_rate;     /**< per second, moving */
    int64_t us;                  /**< when they were taken last */
    uint64_t items, octets_read;
    int64_t told; /**< when a plain line was written last */
    bool drawn;
};

/** Read --progress and --metrics-file. order: borrowed until cli_progress_end. @return 0, or -1: c->error is filled */
int cli_progress_begin(struct cli_progress *p, struct cli_context *c, const struct archive_order *order) CS_MUST_CHECK;
void cli_progress_end(struct cli_progress *p);
/** archive_watch: stop flag of SIGINT and SIGTERM (a second one ends the process), tick. p lives until the run is over.
 */
void cli_progress_watch(struct cli_progress *p, struct archive_watch *out);

#endif
