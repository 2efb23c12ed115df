/* SPDX-License-Identifier: Apache-2.0 */
/* archive_report.c: archive report: reports of a run, made from its journal. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/conclusion.h"
#include "archive/journal.h"
#include "archive/report.h"
#include "cli/archive_common.h"

static int take_reports(struct cli_context *c, struct archive_reports *list)
{
    const char *text;
    int rc = 0;
    for (size_t i = 0; rc == 0 && (text = cli_option_nth(c, "report", i)) != NULL; i++) {
        rc = archive_reports_add(list, text, &c->error);
    }
    return rc == 0 && list->n == 0 ? archive_reports_add(list, "summary:-", &c->error) : rc;
}

static int run(struct cli_context *c)
{
    struct archive_reports list = {NULL, 0};
    struct archive_tally tally = {.items = 0};
    struct cli_journal journal = CLI_JOURNAL_INIT;
    struct archive_conclusion end;
    int64_t most = 0;
    (void)cli_option_number(c, "junit-max", &most);
    int rc = take_reports(c, &list) == 0 && cli_journal_open(c, c->argv[0], &journal) == 0 &&
                     archive_conclusion_read(&end, c->argv[0], &c->error) >= 0 &&
                     archive_tally_read(&tally, journal.fd, &c->error) == 0
                 ? CS_EXIT_OK
                 : cli_fail(c);
    if (rc == CS_EXIT_OK) {
        struct archive_source source = {.run = &journal.run,
                                        .fd = journal.fd,
                                        .finding = end.finding,
                                        .n_finding = end.n,
                                        .json = c->json,
                                        .junit_max = (uint64_t)most};
        if (end.items != tally.items) {
            cli_warn(c, "the run is not finished: %llu messages so far", (unsigned long long)tally.items);
        }
        archive_tally_sort(&tally);
        rc = archive_reports_write(&list, &source, &tally, &c->error) == 0 ? CS_EXIT_OK : cli_fail(c);
    }
    archive_tally_free(&tally);
    archive_reports_free(&list);
    cli_journal_close(&journal);
    return rc;
}

static const struct cli_option options[] = {
    {"report", 0, CLI_TEXT, "KIND:FILE,…", CLI_REPEAT,
     "summary, ndjson, csv, junit or html into a file (- standard output; .gz .xz .zst compress); without it "
     "summary:-"},
    {"junit-max", 0, CLI_NUMBER, "N", 0, "with more records, passes are one number in JUnit; without it 10000"},
    {0},
};

const struct cli_command cli_cmd_archive_report = {
    .parent = "archive",
    .name = "report",
    .summary = "Reports of a run of archive verify, from its journal",
    .operands = "JOURNAL",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .more = "Nothing is verified anew; a run that is still going on is reported as far as it is.\n"
            "Exit: 0 written; 69 a file cannot be written; 78 there is no journal.",
    .run = run,
};
