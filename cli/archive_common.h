/* SPDX-License-Identifier: Apache-2.0 */
/* archive_common.h: what the commands about finished runs share. */
#ifndef CLI_ARCHIVE_COMMON_H
#define CLI_ARCHIVE_COMMON_H

#include "archive/archive.h"
#include "cli/command.h"

/** An open journal. */
struct cli_journal {
    struct archive_run run; /**< owned */
    int fd;                 /**< owned; of the records; -1: none */
};
#define CLI_JOURNAL_INIT                                                                                               \
    {                                                                                                                  \
        .fd = -1                                                                                                       \
    }

/** Open the journal in directory for reading. @return 0, or -1 with c->error filled; cli_journal_close in either case
 */
int cli_journal_open(struct cli_context *c, const char *directory, struct cli_journal *j) CS_MUST_CHECK;
void cli_journal_close(struct cli_journal *j);

#endif
