/* SPDX-License-Identifier: Apache-2.0 */
/* archive_common.c: see archive_common.h. */
#include "cli/archive_common.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/journal.h"

int cli_journal_open(struct cli_context *c, const char *directory, struct cli_journal *j)
{
    struct archive_reader *reader = NULL;
    char path[4096];
    int rc = archive_reader_open(&reader, directory, &j->run, &c->error);
    archive_reader_close(reader);
    if (rc != 0) {
        return -1;
    }
    int n = snprintf(path, sizeof path, "%s/" ARCHIVE_RESULTS_FILE, directory);
    j->fd = n > 0 && (size_t)n < sizeof path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    return j->fd >= 0 ? 0
                      : cs_error_set(&c->error, CS_EXIT_CONFIG, "journal-unreadable", "%.300s is no journal: %s",
                                     directory, strerror(errno));
}

void cli_journal_close(struct cli_journal *j)
{
    archive_run_clear(&j->run);
    if (j->fd >= 0) {
        close(j->fd);
    }
    j->fd = -1;
}
