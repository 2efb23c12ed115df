/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_rekey.c: keystore rekey: every private key is sealed anew, under the next key-encryption key. */
#include <stdio.h>

#include "cli/keystore.h"

static int print_json(struct cli_context *c, const ks_rekeyed *r)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "action", "rekey");
    cs_json_bool(&j, "done", r->done);
    cs_json_int(&j, "keys", (int64_t)r->keys);
    cs_json_str(&j, "from", r->from);
    cs_json_str(&j, "to", r->to);
    cs_json_int(&j, "generation", (int64_t)r->generation);
    cs_json_object_end(&j);
    int rc = cli_json_line(c, &b);
    cs_buf_free(&b);
    return rc;
}

static int run(struct cli_context *c)
{
    struct cli_settings *settings = NULL;
    ks_store *store = NULL;
    ks_rekeyed done;
    struct cli_caller caller;
    int rc = CS_EXIT_OK;
    cli_caller_find(c, &caller);
    if (cli_keystore_open(c, &settings, &store) != 0 ||
        ks_rekey(store, cli_given(c, "dry-run"), &caller.actor, c->now, &done, &c->error) != 0) {
        rc = cli_fail(c);
        goto out;
    }
    if (c->json) {
        rc = print_json(c, &done);
    } else {
        printf("%s%zu private keys sealed under key-encryption key %s (before: %s); generation %llu\n",
               done.done ? "" : "dry run: ", done.keys, done.to, done.from, (unsigned long long)done.generation);
    }
    if (done.done) {
        cli_say(c, settings->keystore.n_kek == 0 ? "the key before stands beside it as .kek.old: backups made until "
                                                   "now need it; remove it when none is left"
                                                 : "backups made until now need the key before; take its file, and "
                                                   "\"previous\", away when none is left");
        rc = rc == CS_EXIT_OK ? cli_wait_applied(c, store, done.generation) : rc;
    }
out:
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

static const struct cli_option options[] = {
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_keystore_rekey = {
    .parent = "keystore",
    .name = "rekey",
    .summary = "Seal every private key anew, under the next key-encryption key",
    .options = options,
    .more =
        "Without a configured key-encryption key a new one is made beside the keystore and takes the place of the old one.\n"
        "With one: make the new key (umask 077; openssl rand -hex 32 > NEW), write\n"
        "  key-encryption-key file NEW previous file OLD;\n"
        "on every node, reload the gateways, then run this command. A token (pkcs11) wraps a new key each time.\n"
        "Exit: 0 done; 13 a live node cannot open the new key yet, nothing was changed; 64 all are sealed under it "
        "already.",
    .run = run,
};
