/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_export.c: keystore export: certificates for the other side, and, encrypted, a private key. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/keystore.h"
#include "cli/message.h"
#include "cli/passphrase.h"
#include "wssec/wssec.h"

int cli_output_write(struct cli_context *c, const char *path, const char *p, size_t n, unsigned mode)
{
    const struct wssec_slice piece = {(const uint8_t *)p, n};
    const struct wssec_output out = {&piece, 1, n};
    if (path == NULL || strcmp(path, "-") == 0) {
        return fwrite(p, 1, n, stdout) == n
                   ? 0
                   : cs_error_set(&c->error, CS_EXIT_UNAVAILABLE, "output", "the output cannot be written");
    }
    return cli_octets_write(path, &out, mode, &c->error);
}

/* A private key, by a writing store: what leaves is in the audit before it is printed. */
static int export_private(struct cli_context *c, const struct cli_entry *entry)
{
    struct cli_settings *settings = NULL;
    ks_store *store = NULL;
    char *passphrase = NULL;
    char *text = NULL;
    size_t n = 0;
    struct cli_caller caller;
    cli_caller_find(c, &caller);
    int rc = cli_passphrase_read(c, "Passphrase for the exported key: ", true, &passphrase) == 0 &&
                     cli_keystore_open(c, &settings, &store) == 0 &&
                     ks_export_private(store, entry->alias, entry->n, passphrase, &caller.actor, c->now, &text, &n,
                                       &c->error) == 0 &&
                     cli_output_write(c, cli_option(c, "output"), text, n, 0600) == 0
                 ? 0
                 : -1;
    if (text != NULL) {
        OPENSSL_cleanse(text, n);
    }
    free(text);
    cli_passphrase_free(passphrase);
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

static int export_public(struct cli_context *c, const struct cli_entry *entry)
{
    static const struct {
        const char *word;
        enum ks_export_form form;
    } forms[] = {{"pem", KS_EXPORT_PEM}, {"der", KS_EXPORT_DER}, {"pkcs7", KS_EXPORT_PKCS7}};
    ks_export_request q = {.alias = entry->alias, .n = entry->n};
    const char *form = cli_option(c, "format");
    ks_store *store = NULL;
    char *text = NULL;
    size_t n = 0;
    q.what = cli_given(c, "root") ? KS_EXPORT_ROOT : cli_given(c, "chain") ? KS_EXPORT_CHAIN : KS_EXPORT_CERTIFICATE;
    for (size_t i = 0; form != NULL && i < sizeof forms / sizeof forms[0]; i++) {
        q.form = strcmp(form, forms[i].word) == 0 ? forms[i].form : q.form;
    }
    int rc = cli_open_store(c, true, NULL, &store) == 0 && ks_export(store, &q, &text, &n, &c->error) == 0 &&
                     cli_output_write(c, cli_option(c, "output"), text, n, 0644) == 0
                 ? 0
                 : -1;
    free(text);
    ks_close(store);
    return rc;
}

static int run_export(struct cli_context *c)
{
    struct cli_entry entry;
    bool private_key = cli_given(c, "private");
    if (cli_entry_read(c, c->argv[0], false, &entry) != 0) {
        return CS_EXIT_USAGE;
    }
    if (cli_given(c, "chain") + cli_given(c, "root") + private_key > 1) {
        return cli_usage(c, "--chain, --root and --private do not go together");
    }
    if (private_key && cli_given(c, "format")) {
        return cli_usage(c, "a private key is exported as PKCS#8 PEM; leave --format out");
    }
    return (private_key ? export_private(c, &entry) : export_public(c, &entry)) == 0 ? CS_EXIT_OK : cli_fail(c);
}

static const struct cli_option export_options[] = {
    {"chain", 0, CLI_FLAG, NULL, 0, "with the issuers that came with it"},
    {"root", 0, CLI_FLAG, NULL, 0, "the root that it leads to, alone"},
    {"private", 0, CLI_FLAG, NULL, 0, "its private key, encrypted under a passphrase; may need a second person (11)"},
    {"format", 0, CLI_TEXT, "pem|der|pkcs7", 0, "form of certificates; default pem"},
    CLI_PASSPHRASE_OPTIONS,
    {"output", 'o', CLI_FILE, "FILE", 0, "write to FILE instead of stdout"},
    {"reason", 0, CLI_TEXT, "TEXT", 0, "why, for the audit (--private)"},
    {0},
};

const struct cli_command cli_cmd_keystore_export = {
    .parent = "keystore",
    .name = "export",
    .summary = "The certificate of an entry, with its issuers, its root; or its private key, encrypted",
    .operands = "ENTRY",
    .min_operands = 1,
    .max_operands = 1,
    .options = export_options,
    .run = run_export,
};
