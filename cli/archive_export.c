/* SPDX-License-Identifier: Apache-2.0 */
/* archive_export.c: archive export: evidence about some messages of a run. */
#include <stdio.h>

#include "archive/export.h"
#include "base/text.h"
#include "cli/archive_common.h"
#include "cli/keystore.h"
#include "cli/settings.h"

/* Certificates and their times as of the run, where a keystore is at hand. */
static int make_bundle(struct cli_context *c, cs_time as_of, cs_buf *out)
{
    struct cli_settings *settings = NULL;
    ks_store *store = NULL;
    ks_bundle_head head;
    int rc = cli_settings_load(c, false, &settings);
    if (rc == 0 && settings->keystore_uri != NULL) {
        rc = ks_open(&store, settings->keystore_uri, &settings->keystore, &c->error) == 0
                 ? ks_bundle(store, as_of, out, &head, &c->error)
                 : -1;
    }
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

static int run(struct cli_context *c)
{
    struct archive_select select = {.has_verdict = false};
    struct archive_exported done;
    struct cli_journal journal = CLI_JOURNAL_INIT;
    cs_buf bundle = CS_BUF_INIT;
    cs_buf token = CS_BUF_INIT;
    char hex[65];
    const char *expr = cli_option(c, "select");
    const char *stamp = cli_option(c, "token");
    int rc = (expr == NULL || archive_select_parse(&select, expr, &c->error) == 0) &&
                     cli_journal_open(c, cli_option(c, "journal"), &journal) == 0 &&
                     make_bundle(c, journal.run.started, &bundle) == 0 &&
                     (stamp == NULL || cli_file_read(c, stamp, &token) == 0)
                 ? CS_EXIT_OK
                 : cli_fail(c);
    if (rc == CS_EXIT_OK) {
        struct archive_evidence in = {.run = &journal.run,
                                      .fd = journal.fd,
                                      .bundle = bundle.len > 0 ? bundle.data : NULL,
                                      .bundle_n = bundle.len,
                                      .token = token.len > 0 ? (const uint8_t *)token.data : NULL,
                                      .token_n = token.len};
        rc = archive_export(&in, &select, cli_option(c, "output"), &done, &c->error) == 0 ? CS_EXIT_OK : cli_fail(c);
    }
    if (rc == CS_EXIT_OK) {
        cli_say(c, "%llu records and %llu payloads in %s; Merkle root of the run sha256:%s",
                (unsigned long long)done.records, (unsigned long long)done.payloads, cli_option(c, "output"),
                cs_hex(done.root, sizeof done.root, hex));
        rc = done.records == 0 ? CS_EXIT_NOTHING : CS_EXIT_OK;
    }
    archive_select_clear(&select);
    cs_buf_free(&bundle);
    cs_buf_free(&token);
    cli_journal_close(&journal);
    return rc;
}

static const struct cli_option options[] = {
    {"journal", 0, CLI_FILE, "DIR", CLI_NEEDED, "of a run of archive verify"},
    {"select", 0, CLI_TEXT, "EXPR", 0,
     "which messages: verdict= reason= partner= entry= loc= from= to=, with commas between; without it all"},
    {"token", 0, CLI_FILE, "FILE", 0, "a time stamp (RFC 3161) over the Merkle root, to go in"},
    {"output", 'o', CLI_FILE, "FILE", CLI_NEEDED, "the ZIP"},
    {0},
};

const struct cli_command cli_cmd_archive_export = {
    .parent = "archive",
    .name = "export",
    .summary = "Evidence about messages of a run: octets, records, certificates, proofs",
    .options = options,
    .more = "The payloads are read from where the run found them, and compared with what was judged. unzip, then\n"
            "sha256sum -c SHA256SUMS checks the evidence; docs/evidence.md tells how to check a proof.\n"
            "Exit: 0 written; 4 nothing is selected; 5 a payload is gone or was changed; 78 there is no journal.",
    .run = run,
};
