/* SPDX-License-Identifier: Apache-2.0 */
/* archive_progress.h: how far a run is, on stderr: a bar on a terminal, lines for logs, JSON for programs. */
#ifndef CLI_ARCHIVE_PROGRESS_H
#define CLI_ARCHIVE_PROGRESS_H

#include "archive/verify.h"
#include "cli/command.h"

struct cli_progress {
    enum { CLI_PROGRESS_NONE, CLI_PROGRESS_BAR, CLI_PROGRESS_PLAIN, CLI_PROGRESS_JSON } kind;
    const char *metrics; /**< file for a textfile collector; NULL: none */
    const char *run;     /**< id */
    uint64_t expected;   /**< items, 0: not known */
    uint64_t octets;     /**< of the files named, 0: not known */
    double rate;         /**< items per second, moving */
    int64_t us;          /**< when rate was taken last */
    uint64_t items;
    int64_t told; /**< when a plain line was written last */
    bool drawn;
};

/** Read --progress and --metrics-file. @return 0, or -1: c->error is filled */
int cli_progress_begin(struct cli_progress *p, struct cli_context *c, uint64_t expected, uint64_t octets) CS_MUST_CHECK;
/** archive_watch: stop flag of SIGINT and SIGTERM (a second one ends the process), tick. p lives until the run is over.
 */
void cli_progress_watch(struct cli_progress *p, struct archive_watch *out);

#endif
