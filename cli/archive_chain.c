/* SPDX-License-Identifier: Apache-2.0 */
/* archive_chain.c: archive chain: is an archive of captures, or a message log of X-Road, complete? */
#include "cli/archive_chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/linking.h"
#include "base/json.h"
#include "cli/keystore.h"
#include "cli/settings.h"

#define TOLD 100 /* gaps on stderr; all of them with --json */

struct heads {
    ks_capture_head *head;
    size_t n;
};

static int take_head(void *ctx, const ks_capture_head *head, cs_error *e)
{
    struct heads *h = ctx;
    ks_capture_head *more = reallocarray(h->head, h->n + 1, sizeof *more);
    if (more == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the ends of captures");
    }
    h->head = more;
    h->head[h->n++] = *head;
    return 0;
}

int cli_archive_chain(struct cli_context *c, const char *kind, const struct archive_texts *path, ks_store *store,
                      struct archive_chain *out)
{
    struct heads heads = {NULL, 0};
    bool ours = strcmp(kind, "xroad") != 0;
    *out = (struct archive_chain){.files = 0};
    int rc = store == NULL || !ours || ks_captures(store, take_head, &heads, &c->error) == 0 ? 0 : -1;
    if (rc == 0) {
        rc = ours ? archive_chain_follow(path, heads.head, heads.n, out, &c->error)
                  : archive_linking_follow(path, out, &c->error);
    }
    for (size_t i = 0; i < out->gap.n && i < TOLD; i++) {
        cli_say(c, "gap: %s", out->gap.text[i]);
    }
    free(heads.head);
    return rc;
}

static int print(struct cli_context *c, const struct archive_chain *chain)
{
    char text[256];
    archive_chain_text(chain, text, sizeof text);
    if (!c->json) {
        printf("chain %s: %s\n", archive_chain_complete(chain) ? "complete" : "NOT COMPLETE", text);
        return CS_EXIT_OK;
    }
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_bool(&j, "complete", archive_chain_complete(chain));
    cs_json_int(&j, "files", (int64_t)chain->files);
    cs_json_int(&j, "streams", (int64_t)chain->streams);
    cs_json_int(&j, "messages", (int64_t)chain->messages);
    cs_json_int(&j, "lost", (int64_t)chain->lost);
    cs_json_int(&j, "open", (int64_t)chain->open);
    cs_json_array(&j, "gaps");
    for (size_t i = 0; i < chain->gap.n; i++) {
        cs_json_str(&j, NULL, chain->gap.text[i]);
    }
    cs_json_array_end(&j);
    cs_json_object_end(&j);
    int rc = cli_json_line(c, &b);
    cs_buf_free(&b);
    return rc;
}

static int run(struct cli_context *c)
{
    struct archive_texts path = {NULL, 0};
    struct archive_chain chain = {.files = 0};
    struct cli_settings *settings = NULL;
    ks_store *store = NULL;
    const char *kind = cli_option(c, "of") != NULL ? cli_option(c, "of") : "countersign";
    int rc = CS_EXIT_OK;
    for (int i = 0; rc == CS_EXIT_OK && i < c->argc; i++) {
        rc = archive_texts_add(&path, c->argv[i]) == 0 ? CS_EXIT_OK : CS_EXIT_INTERNAL;
    }
    if (rc == CS_EXIT_OK && cli_settings_load(c, false, &settings) != 0) {
        rc = cli_fail(c);
    }
    if (rc == CS_EXIT_OK && settings->keystore_uri != NULL &&
        ks_open(&store, settings->keystore_uri, &settings->keystore, &c->error) != 0) {
        rc = cli_fail(c);
    }
    if (rc == CS_EXIT_OK) {
        if (store == NULL && strcmp(kind, "xroad") != 0) {
            cli_warn(c, "without a keystore nobody says where a stream ends: a cut tail is not seen");
        }
        rc = cli_archive_chain(c, kind, &path, store, &chain) == 0 ? print(c, &chain) : cli_fail(c);
    }
    if (rc == CS_EXIT_OK) {
        rc = chain.files == 0 && chain.gap.n == 0 ? CS_EXIT_NOTHING
             : archive_chain_complete(&chain)     ? CS_EXIT_OK
                                                  : CS_EXIT_GAP;
    }
    archive_chain_clear(&chain);
    archive_texts_free(&path);
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

static const struct cli_option options[] = {
    {"of", 0, CLI_TEXT, "countersign|xroad", 0, "captures of a gateway (default), or message logs of X-Road"},
    {0},
};

const struct cli_command cli_cmd_archive_chain = {
    .parent = "archive",
    .name = "chain",
    .summary = "Whether an archive of captures is complete and unchanged",
    .operands = "PATH…",
    .min_operands = 1,
    .max_operands = -1,
    .options = options,
    .more =
        "Follows the records of captures from file to file and compares their ends with the audit of the keystore; of\n"
        "X-Road the linking information from mlog-….zip to mlog-….zip, where nobody says what the newest one is.\n"
        "No signature is verified: archive verify --chain countersign (or xroad) does both.\n"
        "Exit: 0 complete; 4 no captures there; 5 something is missing, changed, or was lost for want of room.",
    .run = run,
};
