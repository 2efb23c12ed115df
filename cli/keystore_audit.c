/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_audit.c: keystore audit verify: is the record of all changes whole? */
#include <stdio.h>

#include "cli/keystore.h"

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

static int run_verify(struct cli_context *c)
{
    ks_store *store = NULL;
    uint64_t rows = 0;
    char text[512] = "";
    int verdict = cli_open_store(c, true, NULL, &store) == 0 ? ks_audit_verify(store, &rows, text, sizeof text, &c->error) : -1;
    ks_close(store);
    if (verdict < 0) {
        return cli_fail(c);
    }
    int rc = print_verdict(c, verdict == 0, rows, text);
    return rc == CS_EXIT_OK && verdict != 0 ? CS_EXIT_FAIL : rc;
}

const struct cli_command cli_cmd_keystore_audit_verify = {
    .parent = "keystore audit",
    .name = "verify",
    .summary = "Recompute the audit's chain of hashes; the first broken row is named",
    .more = "Exit: 0 whole; 1 broken.",
    .run = run_verify,
};
