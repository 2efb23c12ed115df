/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_audit.c: keystore audit verify and list: is the record of all changes whole, and what does it say? */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/keystore.h"
#include "keystore/audit.h"

static int print_verdict(struct cli_context *c, bool good, uint64_t rows, const char *text)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    if (!c->json) {
        if (good) {
            printf("ok: %llu rows, each bound to the one before\n", (unsigned long long)rows);
        } else {
            printf("broken: %s\n", text);
        }
        return CS_EXIT_OK;
    }
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "audit", good ? "ok" : "broken");
    cs_json_int(&j, "rows", rows > INT64_MAX ? INT64_MAX : (int64_t)rows);
    cs_json_str(&j, "text", good ? NULL : text);
    cs_json_object_end(&j);
    int rc = cli_json_line(c, &b);
    cs_buf_free(&b);
    return rc;
}

/* --from: a file of checkpoint lines, or one line itself. */
static int read_from(struct cli_context *c, cs_buf *lines)
{
    const char *from = cli_option(c, "from");
    if (from == NULL) {
        return 0;
    }
    if (strncmp(from, "cs-checkpoint-", 14) == 0) {
        cs_buf_adds(lines, from);
        return lines->failed ? cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory") : 0;
    }
    return cli_file_read(c, from, lines);
}

static int run_verify(struct cli_context *c)
{
    ks_store *store = NULL;
    uint64_t rows = 0;
    char text[512] = "";
    cs_buf lines = CS_BUF_INIT;
    int verdict = read_from(c, &lines) == 0 && cli_open_store(c, true, NULL, &store) == 0
                      ? ks_audit_verify_from(store, lines.data, &rows, text, sizeof text, &c->error)
                      : -1;
    ks_close(store);
    cs_buf_free(&lines);
    if (verdict < 0) {
        return cli_fail(c);
    }
    int rc = print_verdict(c, verdict == 0, rows, text);
    return rc == CS_EXIT_OK && verdict != 0 ? CS_EXIT_FAIL : rc;
}

static const struct cli_option verify_options[] = {
    {"from", 0, CLI_TEXT, "CHECKPOINT", 0, "compare with this checkpoint, or a file of them, that was kept elsewhere"},
    {0},
};

const struct cli_command cli_cmd_keystore_audit_verify = {
    .parent = "keystore audit",
    .name = "verify",
    .summary = "Recompute the audit and all rows that it tells of; the first that differs is named",
    .options = verify_options,
    .more =
        "The log is a chain of hashes. It holds the content of every row that decides about certificates, so what was altered,\n"
        "put there or taken away behind the keystore's back is named. Every change also appends a signed checkpoint to the file\n"
        ".checkpoints beside the keystore: a log that was cut, or an older copy of the keystore, does not fit it. Who can write\n"
        "both files can roll both back: keep lines elsewhere, too, and give them with --from.\n"
        "Exit: 0 whole; 1 broken; 64 CHECKPOINT is none of this keystore.",
    .run = run_verify,
};

static int print_change(void *ctx, const ks_logged *r, cs_error *e)
{
    struct cli_context *c = ctx;
    const char *object = cli_option(c, "object");
    char when[80];
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    if (object != NULL && (r->object == NULL || strcmp(object, r->object) != 0)) {
        return 0;
    }
    if (!c->json) {
        printf("%6llu  %s  %s  %s %s%s%s%s%s\n", (unsigned long long)r->seq, cli_time_local(r->at, when, sizeof when),
               r->actor, r->verb, r->object, r->approver != NULL ? "  agreed to by " : "",
               r->approver != NULL ? r->approver : "", r->reason != NULL ? "  reason: " : "",
               r->reason != NULL ? r->reason : "");
        return 0;
    }
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_int(&j, "seq", (int64_t)r->seq);
    cs_json_time(&j, "at", r->at);
    cs_json_str(&j, "actor", r->actor);
    cs_json_str(&j, "actor_kind", r->actor_kind);
    cs_json_str(&j, "verb", r->verb);
    cs_json_str(&j, "object", r->object);
    cs_json_str(&j, "reason", r->reason);
    cs_json_str(&j, "approver", r->approver);
    cs_json_str(&j, "before", r->before);
    cs_json_str(&j, "after", r->after);
    cs_json_hex(&j, "hash", r->hash, 32);
    cs_json_object_end(&j);
    int rc = cli_json_line(c, &b);
    cs_buf_free(&b);
    return rc == CS_EXIT_OK ? 0 : cs_error_set(e, CS_EXIT_INTERNAL, "output", "the result could not be printed");
}

static int run_list(struct cli_context *c)
{
    ks_store *store = NULL;
    int rc = cli_open_store(c, true, NULL, &store) == 0
                 ? ks_audit_list(store, cli_given(c, "contents"), print_change, c, &c->error)
                 : -1;
    ks_close(store);
    return rc == 0 ? CS_EXIT_OK : cli_fail(c);
}

static const struct cli_option list_options[] = {
    {"object", 0, CLI_TEXT, "NAME", 0, "only what was done to this: acme-sign#2, or with --contents entry/5"},
    {"contents", 0, CLI_FLAG, NULL, 0, "also the content of each stored row after each change"},
    {0},
};

const struct cli_command cli_cmd_keystore_audit_list = {
    .parent = "keystore audit",
    .name = "list",
    .summary = "All changes, oldest first: when, who, what, why, and who agreed",
    .options = list_options,
    .more = "Exit: 0 listed, even with nothing.",
    .run = run_list,
};
