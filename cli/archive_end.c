/* SPDX-License-Identifier: Apache-2.0 */
/* archive_end.c: see archive_end.h. */
#include "cli/archive_end.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/coverage.h"
#include "base/text.h"
#include "cli/archive_chain.h"

int cli_end_wanted(struct cli_end *end, struct cli_context *c)
{
    const char *text;
    int rc = 0;
    for (size_t i = 0; rc == 0 && (text = cli_option_nth(c, "report", i)) != NULL; i++) {
        rc = archive_reports_add(&end->reports, text, &c->error);
    }
    return rc == 0 && end->reports.n == 0 ? archive_reports_add(&end->reports, "summary:-", &c->error) : rc;
}

static void note(struct cli_end *end, const char *word, bool complete, const char *text)
{
    archive_conclusion_add(&end->found, word, complete, text);
    end->gap |= !complete;
}

static void tell_names(const struct cli_context *c, const char *what, const struct archive_texts *names, uint64_t n)
{
    for (size_t i = 0; i < names->n; i++) {
        cli_say(c, "%s: %s", what, names->text[i]);
    }
    if (n > names->n) {
        cli_say(c, "%s: and %llu more", what, (unsigned long long)(n - names->n));
    }
}

static int find_manifest(struct cli_end *end, struct cli_context *c, const struct archive_order *o, int fd)
{
    struct archive_coverage m;
    memset(&m, 0, sizeof m);
    int rc = archive_coverage_manifest(&m, o->directory, o->expect_manifest, fd, &c->error);
    if (rc == 0) {
        note(end, "manifest", m.complete, m.text);
        tell_names(c, "missing", &m.missing_name, m.missing);
        tell_names(c, "different", &m.different_name, m.different);
        tell_names(c, "extra", &m.extra_name, m.extra);
    }
    archive_coverage_clear(&m);
    return rc;
}

/* Operands count from where the run was begun; a chain lies in files, not in a list or a pipe. */
static int add_place(struct archive_texts *list, const char *directory, const char *path, struct cli_context *c)
{
    char *joined = NULL;
    if (path[0] == '@' || strcmp(path, "-") == 0) {
        cli_warn(c, "the chain is not followed into %s", path);
        return 0;
    }
    int n = path[0] == '/' || directory == NULL ? asprintf(&joined, "%s", path)
                                                : asprintf(&joined, "%s/%s", directory, path);
    int rc = n >= 0 && archive_texts_add(list, joined) == 0
                 ? 0
                 : cs_error_set(&c->error, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the places of captures");
    if (n >= 0) {
        free(joined);
    }
    return rc;
}

static int find_chain(struct cli_end *end, struct cli_context *c, const struct archive_order *o, ks_store *store)
{
    struct archive_chain chain = {.files = 0};
    char text[256];
    struct archive_texts path = {NULL, 0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->path.n; i++) {
        rc = add_place(&path, o->directory, o->path.text[i], c);
    }
    rc = rc == 0 ? cli_archive_chain(c, o->chain, &path, store, &chain) : rc;
    if (rc == 0) {
        archive_chain_text(&chain, text, sizeof text);
        note(end, "chain", archive_chain_complete(&chain), text);
    }
    archive_chain_clear(&chain);
    archive_texts_free(&path);
    return rc;
}

int cli_end_find(struct cli_end *end, struct cli_context *c, const struct archive_run *run,
                 struct archive_journal *journal, const struct archive_counts *counts, ks_store *store)
{
    const struct archive_order *o = &run->order;
    bool whole = o->shards == 0;
    int rc = 0;
    (void)cs_copy(end->found.run, sizeof end->found.run, run->id);
    end->found.items = counts->items;
    if (whole && o->has_expect_count) {
        struct archive_coverage n;
        memset(&n, 0, sizeof n);
        archive_coverage_count(&n, o->expect_count, counts->items);
        note(end, "count", n.complete, n.text);
        archive_coverage_clear(&n);
    }
    if (whole && o->expect_manifest != NULL) {
        rc = find_manifest(end, c, o, archive_journal_fd(journal));
    }
    if (rc == 0 && whole && o->chain != NULL) {
        rc = find_chain(end, c, o, store);
    }
    return rc == 0 && end->directory != NULL ? archive_conclusion_write(&end->found, end->directory, &c->error) : rc;
}

int cli_end_report(const struct cli_end *end, struct cli_context *c, const struct archive_run *run,
                   struct archive_journal *journal, const struct archive_counts *counts, struct archive_tally *tally)
{
    int64_t most = 0;
    (void)cli_option_number(c, "junit-max", &most);
    int rc = tally->items == 0 ? archive_tally_read(tally, archive_journal_fd(journal), &c->error) : 0;
    if (rc == 0 && tally->items != counts->items) {
        rc = cs_error_set(&c->error, CS_EXIT_INTERNAL, "internal", "the journal has %llu records of %llu items",
                          (unsigned long long)tally->items, (unsigned long long)counts->items);
    }
    if (rc == 0) {
        struct archive_source source = {.run = run,
                                        .fd = archive_journal_fd(journal),
                                        .finding = end->found.finding,
                                        .n_finding = end->found.n,
                                        .json = c->json,
                                        .junit_max = (uint64_t)most};
        archive_tally_sort(tally);
        rc = archive_reports_write(&end->reports, &source, tally, &c->error);
    }
    return rc;
}

void cli_end_clear(struct cli_end *end)
{
    archive_reports_free(&end->reports);
}
