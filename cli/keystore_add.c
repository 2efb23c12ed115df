/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_add.c: keystore add: a certificate comes into the store. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/keystore.h"
#include "cli/passphrase.h"
#include "keystore/pkcs11.h"

/* ---- add -------------------------------------------------------------------------------------------------------- */

/* A fingerprint as people have it: 64 digits, or in pairs with colons as openssl prints them. */
static int read_fingerprint(struct cli_context *c, const char *text, char out[65])
{
    uint8_t octets[32];
    size_t n = 0;
    for (const char *p = text; *p != '\0' && n < 65; p++) {
        if (*p != ':') {
            out[n++] = *p;
        }
    }
    if (n == 64) {
        out[n] = '\0';
        if (cs_unhex(out, octets, sizeof octets) == 0) {
            return 0;
        }
    }
    cli_usage(c, "--expect-sha256: \"%.96s\" is no SHA-256 fingerprint (64 hexadecimal digits)", text);
    return -1;
}

/* What the options say, checked as far as that needs no store. @return 0, or -1: the usage error is printed */
static int read_options(struct cli_context *c, ks_add *add, char fingerprint[65])
{
    const char *since = cli_option(c, "since");
    const char *expected = cli_given(c, "seen") ? cli_option(c, "seen") : cli_option(c, "expect-sha256");
    if (ks_role_parse(cli_option(c, "role"), &add->role) != 0) {
        cli_usage(c, "--role: unknown role");
        return -1;
    }
    add->alias = cli_option(c, "alias");
    add->partner = cli_option(c, "partner");
    add->activate = cli_given(c, "activate");
    add->shorter_ok = cli_given(c, "shorter-ok");
    if (since != NULL) {
        add->has_since = true;
        if (strcmp(since, "not-before") != 0 && cs_time_parse(since, &add->since) != 0) {
            cli_usage(c, "--since: \"%.64s\" is neither a time as 2026-08-02T22:40:10Z nor not-before", since);
            return -1;
        }
    }
    add->has_until = cli_option_time(c, "until", &add->until);
    if (expected != NULL) {
        if (read_fingerprint(c, expected, fingerprint) != 0) {
            return -1;
        }
        add->expect_sha256 = fingerprint;
    }
    return 0;
}

static int carry_add(ks_store *s, const void *what, bool dry_run, const ks_actor *who, cs_time now, ks_outcome *out,
                     cs_error *e)
{
    return ks_add_entry(s, what, dry_run, who, now, out, e);
}

/* The certificate comes from a message that a gateway refused: its expected fingerprint is what was read out to the
 * caller. */
static int carry_seen(ks_store *s, const void *what, bool dry_run, const ks_actor *who, cs_time now, ks_outcome *out,
                      cs_error *e)
{
    ks_add add = *(const ks_add *)what;
    uint8_t sha256[32];
    uint8_t *der = NULL;
    size_t n = 0;
    for (size_t i = 0; i < sizeof sha256; i++) {
        const char two[3] = {add.expect_sha256[2 * i], add.expect_sha256[2 * i + 1], '\0'};
        sha256[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    if (ks_seen_get(s, add.partner, sha256, &der, &n, e) != 0) {
        return -1;
    }
    add.certificate_pem = (const char *)der;
    add.certificate_len = n;
    int rc = ks_add_entry(s, &add, dry_run, who, now, out, e);
    free(der);
    return rc;
}

static int add(struct cli_context *c, const ks_add *what)
{
    const struct cli_change change = {"add", what->alias, cli_given(c, "dry-run"), true};
    return cli_change_run(c, &change, carry_add, what);
}

static int run_add(struct cli_context *c)
{
    cs_buf certificate = CS_BUF_INIT;
    cs_buf key = CS_BUF_INIT;
    char fingerprint[65];
    ks_add what = {.role = KS_VERIFIER};
    char *passphrase = NULL;
    const char *key_file = cli_option(c, "private-key");
    int rc = CS_EXIT_USAGE;
    if (read_options(c, &what, fingerprint) != 0) {
        return rc;
    }
    if (cli_given(c, "seen")) {
        const struct cli_change change = {"add", what.alias, cli_given(c, "dry-run"), true};
        return c->argc != 0 || key_file != NULL || what.partner == NULL
                   ? cli_usage(
                         c, "--seen takes the certificate of a message: with --partner, without FILE and --private-key")
                   : cli_change_run(c, &change, carry_seen, &what);
    }
    if (c->argc != 1) {
        return cli_usage(c, "which certificate? FILE, or - for stdin");
    }
    if (key_file != NULL && ks_pkcs11_is_uri(key_file)) {
        what.pkcs11_uri = key_file;
        key_file = NULL;
    }
    if (cli_passphrase_read(c, "Passphrase of the private key: ", false, &passphrase) != 0 ||
        cli_file_read(c, c->argv[0], &certificate) != 0 ||
        (key_file != NULL && cli_file_read(c, key_file, &key) != 0)) {
        rc = cli_fail(c);
    } else {
        what.certificate_pem = certificate.data;
        what.certificate_len = certificate.len;
        what.key_pem = key_file != NULL ? key.data : NULL;
        what.key_len = key.len;
        what.passphrase = passphrase;
        rc = add(c, &what);
    }
    cs_buf_free(&certificate);
    cs_buf_wipe(&key);
    cli_passphrase_free(passphrase);
    return rc;
}

static const struct cli_option add_options[] = {
    {"role", 0, CLI_TEXT, "verifier|encrypt-to|sign|decrypt|tls-client|tls-server|trust-anchor|authz-client",
     CLI_NEEDED, "what the slot is for"},
    {"alias", 0, CLI_TEXT, "ALIAS", CLI_NEEDED, "the slot; made when it is not there yet"},
    {"partner", 0, CLI_TEXT, "PARTNER", 0, "whose certificate it is (verifier, encrypt-to)"},
    {"private-key", 0, CLI_FILE, "FILE|URI", 0, "its private key, PEM or DER, stored sealed; or a token's (pkcs11:…)"},
    CLI_PASSPHRASE_OPTIONS,
    {"activate", 0, CLI_FLAG, NULL, 0, "in force at once; where one entry is active at a time, that one is exchanged"},
    {"shorter-ok", 0, CLI_FLAG, NULL, 0, "it may end before the entry that it exchanges"},
    {"expect-sha256", 0, CLI_TEXT, "HEX", 0, "refuse any certificate but the one with this fingerprint"},
    {"seen", 0, CLI_TEXT, "SHA256", 0, "instead of FILE: a certificate that a gateway saw in messages of the partner"},
    {"since", 0, CLI_TEXT, "TIME|not-before", 0, "accepted since then, for archived messages of that time"},
    {"until", 0, CLI_TIME, "TIME", 0, "with --since: only until then, never for live traffic"},
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_keystore_add = {
    .parent = "keystore",
    .name = "add",
    .summary = "Take a certificate into a slot, and print the entry",
    .operands = "[FILE|-]",
    .min_operands = 0,
    .max_operands = 1,
    .options = add_options,
    .more = "FILE is PEM (the certificate first, its issuers behind it) or DER.\n"
            "Examples:\n"
            "  countersign keystore add --role verifier --partner acme --alias acme-sign new.pem --activate\n"
            "  countersign keystore add --role sign --alias own-sign cert.pem --private-key key.pem --activate\n"
            "Exit: 0 added; 3 FILE cannot be read; 10 refused by a guard; 12 the slot holds this certificate already;\n"
            "64 FILE is no certificate, or does not fit the slot.",
    .run = run_add,
};
