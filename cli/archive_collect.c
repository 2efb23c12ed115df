/* SPDX-License-Identifier: Apache-2.0 */
/* archive_collect.c: archive collect: the journals of all shards as one, after it is proven that nothing is missing. */
#include <stdio.h>
#include <string.h>

#include "archive/collect.h"
#include "archive/verify.h"
#include "cli/archive_end.h"

static int write_all(struct cli_context *c, struct archive_run *run, struct archive_journal *journal,
                     struct archive_counts *counts)
{
    return archive_collect(c->argv, (size_t)c->argc, run, journal, counts, &c->error) == 0 &&
                   archive_journal_flush(journal, true, &c->error) == 0
               ? 0
               : -1;
}

static int run(struct cli_context *c)
{
    struct archive_run all = {.order = ARCHIVE_ORDER_INIT};
    struct archive_journal *journal = NULL;
    struct archive_counts counts = {.items = 0};
    struct archive_tally tally = {.items = 0};
    struct cli_end end = {.directory = cli_option(c, "journal")};
    int rc =
        cli_end_wanted(&end, c) == 0 && archive_collect_look(c->argv, (size_t)c->argc, c->now, &all, &c->error) == 0
            ? 0
            : -1;
    if (rc == 0) {
        struct archive_run whole = all;
        whole.order.shard = 0;
        whole.order.shards = 0;
        rc = archive_journal_create(&journal, end.directory, &whole, &c->error) == 0 &&
                     write_all(c, &all, journal, &counts) == 0 &&
                     cli_end_find(&end, c, &whole, journal, &counts, NULL) == 0 &&
                     cli_end_report(&end, c, &whole, journal, &counts, &tally) == 0
                 ? 0
                 : -1;
    }
    rc = rc == 0 ? archive_exit_code(&counts, end.gap) : cli_fail(c);
    archive_tally_free(&tally);
    cli_end_clear(&end);
    archive_journal_close(journal);
    archive_run_clear(&all);
    return rc;
}

static const struct cli_option options[] = {
    {"journal", 0, CLI_FILE, "DIR", 0, "keep the whole there, as a journal"},
    CLI_REPORT_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_archive_collect = {
    .parent = "archive",
    .name = "collect",
    .summary = "The journals of all shards as one, when none is missing",
    .operands = "JOURNAL…",
    .min_operands = 1,
    .max_operands = -1,
    .options = options,
    .more =
        "Every shard of --shard I/N must be there once and finished, of one order and judged by the same certificates and\n"
        "policies; every item must stand in its own shard alone. --expect-count and --expect-manifest are judged here.\n"
        "Exit: as archive verify would for the whole; 5 a shard is missing or not finished (it is named); 64 not "
        "of one order.",
    .run = run,
};
