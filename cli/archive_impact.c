/* SPDX-License-Identifier: Apache-2.0 */
/* archive_impact.c: archive impact: which messages of a run verify only thanks to certain entries. */
#include "cli/archive_impact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/archive_common.h"
#include "cli/archive_court.h"
#include "cli/keystore.h"

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static int add_entries(struct cli_impact *i, struct cli_context *c, const char *text)
{
    for (;;) {
        size_t n = strcspn(text, ",");
        struct archive_without *more = reallocarray(i->without, i->n + 1, sizeof *more);
        if (more == NULL) {
            return cs_error_set(&c->error, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the entries");
        }
        i->without = more;
        if (archive_without_parse(text, n, &more[i->n]) != 0) {
            return cs_error_set(&c->error, CS_EXIT_USAGE, "entry",
                                "%.*s is no entry: write it as keystore list shows it, acme-sign#1",
                                n < 100 ? (int)n : 100, text);
        }
        i->n++;
        if (text[n] == '\0') {
            return 0;
        }
        text += n + 1;
    }
}

struct listing {
    struct cli_context *c;
    bool on;
};

static int list_lost(void *ctx, const struct archive_record *before, const struct archive_record *after, cs_error *e)
{
    const struct listing *l = ctx;
    char entry[80];
    (void)e;
    if (!l->on) {
        return 0;
    }
    snprintf(entry, sizeof entry, "%s#%u", before->v.certificate.alias, before->v.certificate.ordinal);
    if (!l->c->json) {
        printf("%s  %s  pass -> %s %s\n", before->loc, entry, wssec_result_word(after->v.verdict),
               wssec_reason_code(after->v.reason));
        return 0;
    }
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "loc", before->loc);
    cs_json_str(&j, "entry", entry);
    cs_json_time(&j, "t", before->v.t);
    cs_json_str(&j, "verdict", wssec_result_word(after->v.verdict));
    cs_json_str(&j, "reason", wssec_reason_code(after->v.reason));
    cs_json_object_end(&j);
    int rc = cli_json_line(l->c, &b) == CS_EXIT_OK ? 0 : -1;
    cs_buf_free(&b);
    return rc;
}

int cli_impact_ask(struct cli_impact *i, struct cli_context *c, const char *directory, const char *entries,
                   cs_time from, bool list)
{
    struct cli_journal journal = CLI_JOURNAL_INIT;
    struct cli_court court = {.settings = NULL};
    struct listing l = {c, list};
    bool opened = false;
    int rc = add_entries(i, c, entries) == 0 && cli_journal_open(c, directory, &journal) == 0 ? 0 : -1;
    if (rc == 0) {
        opened = true;
        rc = cli_court_open(&court, c, &journal.run.order);
    }
    for (size_t k = 0; rc == 0 && k < i->n; k++) {
        if (ks_entry_find(court.snapshot, i->without[k].alias, i->without[k].ordinal) == NULL) {
            cli_warn(c, "the keystore has no entry %s#%u", i->without[k].alias, i->without[k].ordinal);
        }
    }
    rc = rc == 0 ? archive_impact(journal.fd, &court.court, i->without, i->n, from, list_lost, &l, &i->all, &c->error)
                 : rc;
    if (opened) {
        cli_court_close(&court);
    }
    cli_journal_close(&journal);
    return rc;
}

void cli_impact_clear(struct cli_impact *i)
{
    free(i->without);
    i->without = NULL;
}

/* ---- telling ----------------------------------------------------------------------------------------------------- */

static int print_json(struct cli_context *c, const struct cli_impact *i)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_int(&j, "messages", (int64_t)i->all.items);
    cs_json_int(&j, "pass", (int64_t)i->all.passed);
    cs_json_int(&j, "lost", (int64_t)i->all.lost);
    cs_json_time(&j, "oldest", i->all.oldest);
    cs_json_time(&j, "newest", i->all.newest);
    cs_json_int(&j, "signatures_computed", 0);
    cs_json_array(&j, "entries");
    for (size_t k = 0; k < i->n; k++) {
        const struct archive_without *w = &i->without[k];
        char entry[80];
        snprintf(entry, sizeof entry, "%s#%u", w->alias, w->ordinal);
        cs_json_object(&j, NULL);
        cs_json_str(&j, "entry", entry);
        cs_json_int(&j, "pass", (int64_t)w->passed);
        cs_json_int(&j, "held_by_others", (int64_t)w->held);
        cs_json_int(&j, "lost", (int64_t)w->lost);
        cs_json_time(&j, "oldest", w->oldest);
        cs_json_time(&j, "newest", w->newest);
        cs_json_object_end(&j);
    }
    cs_json_array_end(&j);
    cs_json_object_end(&j);
    int rc = cli_json_line(c, &b);
    cs_buf_free(&b);
    return rc;
}

int cli_impact_print(struct cli_context *c, const struct cli_impact *i)
{
    char oldest[CS_TIME_TEXT];
    char newest[CS_TIME_TEXT];
    if (c->json) {
        return print_json(c, i);
    }
    if (i->all.lost == 0) {
        printf("would stop verifying: no message of %llu\n", (unsigned long long)i->all.items);
    } else {
        printf("would stop verifying: %llu messages (%.1f %%), oldest %s, newest %s\n", (unsigned long long)i->all.lost,
               100.0 * (double)i->all.lost / (double)i->all.items, cs_time_format(i->all.oldest, oldest),
               cs_time_format(i->all.newest, newest));
    }
    for (size_t k = 0; k < i->n; k++) {
        const struct archive_without *w = &i->without[k];
        printf("  %s#%u: %llu pass by it, %llu of them by another entry, too; %llu by it alone\n", w->alias, w->ordinal,
               (unsigned long long)w->passed, (unsigned long long)w->held, (unsigned long long)w->lost);
    }
    return CS_EXIT_OK;
}

static int run(struct cli_context *c)
{
    struct cli_impact i = {.without = NULL};
    cs_time from = 0;
    (void)cli_option_time(c, "at", &from);
    int rc = cli_impact_ask(&i, c, cli_option(c, "journal"), cli_option(c, "without"), from, cli_given(c, "list")) == 0
                 ? cli_impact_print(c, &i)
                 : cli_fail(c);
    if (rc == CS_EXIT_OK && i.all.lost > 0) {
        rc = CS_EXIT_FAIL;
    }
    cli_impact_clear(&i);
    return rc;
}

static const struct cli_option options[] = {
    {"journal", 0, CLI_FILE, "DIR", CLI_NEEDED, "of a run of archive verify"},
    {"without", 0, CLI_TEXT, "ENTRY,…", CLI_NEEDED, "entries that are thought away"},
    {"at", 0, CLI_TIME, "TIME", 0, "only messages of this instant or later"},
    {"list", 0, CLI_FLAG, NULL, 0, "name each message"},
    {0},
};

const struct cli_command cli_cmd_archive_impact = {
    .parent = "archive",
    .name = "impact",
    .summary = "Which messages of a run verify only thanks to certain entries",
    .options = options,
    .more =
        "Decided from the journal and the keystore; no signature is computed. A message that another entry verifies as\n"
        "well, by its own dates and times, is not lost: one with the same certificate, or with the same key where the message\n"
        "does not name its certificate.\n"
        "Exit: 0 none is lost; 1 some are; 78 there is no journal.",
    .run = run,
};
