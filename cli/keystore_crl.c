/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_crl.c: keystore add-crl: what an authority has revoked comes into the keystore, from a file. */
#include <stdio.h>

#include "cli/keystore.h"
#include "cli/message.h"

#define CRL_MOST ((size_t)32 << 20) /* one octet more is read, so that the library sees that it is too large */

static int print_json(struct cli_context *c, const char *alias, const ks_crl_info *i)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "action", "add-crl");
    cs_json_str(&j, "alias", alias);
    cs_json_str(&j, "issuer", i->issuer);
    cs_json_str(&j, "signer", i->signer);
    cs_json_hex(&j, "sha256", i->sha256, sizeof i->sha256);
    cs_json_time(&j, "this_update", i->this_update);
    cs_json_time(&j, "next_update", i->next_update);
    cs_json_int(&j, "revoked", (int64_t)i->revoked);
    cs_json_bool(&j, "done", i->done);
    cs_json_int(&j, "generation", i->generation > INT64_MAX ? INT64_MAX : (int64_t)i->generation);
    cs_json_object_end(&j);
    int rc = cli_json_line(c, &b);
    cs_buf_free(&b);
    return rc;
}

static int print_text(const ks_crl_info *i)
{
    char until[80];
    printf("%sCRL of %s, signed by %s, %zu revoked%s%s; generation %llu\n", i->done ? "" : "dry run: ", i->issuer,
           i->signer, i->revoked, i->next_update != 0 ? ", current until " : "",
           i->next_update != 0 ? cli_time_local(i->next_update, until, sizeof until) : "",
           (unsigned long long)i->generation);
    return CS_EXIT_OK;
}

static int add_crl(struct cli_context *c, const char *alias, const cs_buf *octets)
{
    struct cli_settings *settings = NULL;
    ks_store *store = NULL;
    ks_crl_info info;
    struct cli_caller caller;
    int rc = CS_EXIT_OK;
    cli_caller_find(c, &caller);
    if (cli_keystore_open(c, &settings, &store) != 0 ||
        ks_add_crl(store, alias, octets->data, octets->len, cli_given(c, "dry-run"), &caller.actor, c->now, &info,
                   &c->error) != 0) {
        rc = cli_fail(c);
        goto out;
    }
    rc = c->json ? print_json(c, alias, &info) : print_text(&info);
    if (info.next_update == 0) {
        cli_warn(c,
                 "the CRL does not say until when it is current; where crl require stands, it does not count as such");
    } else if (info.next_update < c->now) {
        cli_warn(
            c,
            "the CRL is no longer current: what it revokes is heeded, but where crl require stands, messages are refused");
    }
    if (rc == CS_EXIT_OK && info.done) {
        rc = cli_wait_applied(c, store, info.generation);
    }
out:
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

static int run(struct cli_context *c)
{
    cs_buf octets = CS_BUF_INIT;
    char why[128];
    int rc = 0;
    if (cli_octets_read(c->argv[0], CRL_MOST, &octets, why, sizeof why) != 0) {
        cs_error_set(&c->error, CS_EXIT_UNREADABLE, "input-unreadable", "%.256s cannot be read: %s", c->argv[0], why);
        rc = cli_fail(c);
    } else {
        rc = add_crl(c, cli_option(c, "alias"), &octets);
    }
    cs_buf_free(&octets);
    return rc;
}

static const struct cli_option options[] = {
    {"alias", 0, CLI_TEXT, "ALIAS", CLI_NEEDED, "the slot of role trust-anchor whose authority signed the list"},
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_keystore_add_crl = {
    .parent = "keystore",
    .name = "add-crl",
    .summary = "Take the revocation list of a trust anchor; it takes the place of the one before",
    .operands = "FILE|-",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .more =
        "FILE is a full CRL, PEM or DER. It is heeded for partners with trust chain; nothing is fetched.\n"
        "Example:\n"
        "  countersign keystore add-crl --alias acme-ca acme-ca.crl\n"
        "Exit: 0 added; 3 FILE cannot be read; 12 held already, or a newer one is; 64 FILE is no full CRL, or no entry of\n"
        "ALIAS signed it.",
    .run = run,
};
