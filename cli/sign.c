/* SPDX-License-Identifier: Apache-2.0 */
/* sign.c: countersign sign: one message in, the same message with a Security header out. */
#include "cli/transform.h"
#include "keystore/users.h"

/* The user of the configuration that --user names, and its password. */
static int read_user(struct cli_transform *t, struct wssec_recipe *r, struct wssec_user *user)
{
    struct cli_context *c = t->c;
    const char *name = cli_option(c, "user");
    if (name == NULL) {
        return cli_given(c, "password-text")
                   ? cs_error_set(&c->error, CS_EXIT_USAGE, "usage", "--password-text goes with --user")
                   : 0;
    }
    const struct ks_user *u = ks_config_user(&t->settings->config, name);
    if (u == NULL) {
        return cs_error_set(&c->error, CS_EXIT_USAGE, "unknown-user",
                            "no user \"%.64s\" in the configuration; write: user %.64s { password file \"PATH\"; }",
                            name, name);
    }
    if (cli_users_read(c, t->settings) != 0) {
        return -1;
    }
    *user = (struct wssec_user){u->said, u->password, cli_given(c, "password-text")};
    r->user = user;
    return 0;
}

static int read_recipe(struct cli_transform *t, struct wssec_recipe *r)
{
    struct cli_context *c = t->c;
    int64_t ttl_ms = 0;
    r->part = (const char *const *)t->parts.word;
    r->n_part = t->parts.n;
    r->timestamp = cli_given(c, "timestamp");
    r->complete = cli_given(c, "complete");
    r->signature_algorithm = cli_option(c, "signature-algorithm");
    r->digest_algorithm = cli_option(c, "digest-algorithm");
    if (cli_option_duration(c, "ttl", &ttl_ms)) {
        if (ttl_ms < 1000 || ttl_ms % 1000 != 0) {
            return cs_error_set(&c->error, CS_EXIT_USAGE, "usage", "--ttl: whole seconds, at least 1s");
        }
        r->ttl = ttl_ms / 1000;
    }
    return cli_transform_key_reference(t, &r->key_reference);
}

static int sign(struct cli_transform *t)
{
    struct cli_context *c = t->c;
    struct wssec_recipe recipe = {0};
    struct wssec_user user;
    struct wssec_resolver r;
    struct resolver ctx;
    struct wssec_output out;
    struct wssec_verdict v;
    if (read_recipe(t, &recipe) != 0 || read_user(t, &recipe, &user) != 0 ||
        cli_transform_slot(t, cli_option(c, "alias"), KS_SIGN) != 0) {
        return -1;
    }
    resolver_init(&r, &ctx, t->snapshot, NULL, cli_option(c, "alias"));
    int rc = wssec_sign(t->worker, &t->in, &recipe, &t->when, &r, &out, &v);
    if (cli_transform_answer(t, rc, &v, &out, "signed") != 0) {
        return -1;
    }
    cli_detail(c, "signed with %s#%u, %s, %s", v.certificate.alias, v.certificate.ordinal, v.algorithm,
               wssec_keyref_word(v.key_reference));
    return 0;
}

static int run(struct cli_context *c)
{
    return cli_transform_run(c, "sign", sign);
}

static const struct cli_option options[] = {
    {"alias", 0, CLI_TEXT, "ALIAS", CLI_NEEDED, "slot of role sign whose active entry signs"},
    {"parts", 0, CLI_TEXT, "PART,…", CLI_REPEAT,
     "what is signed; default Body, attachments, and the Timestamp that is made"},
    {"key-reference", 0, CLI_TEXT,
     "direct|pkipath|issuer-serial|ski|thumbprint|x509v3-key-identifier|embedded|x509-data", 0,
     "how the signature names its key; default direct"},
    {"timestamp", 0, CLI_FLAG, NULL, 0, "add a Timestamp and sign it"},
    {"ttl", 0, CLI_DURATION, "DURATION", 0, "Created to Expires of the Timestamp; default 300s"},
    {"signature-algorithm", 0, CLI_TEXT, "ALGORITHM", 0,
     "as rsa-sha256, rsa-pss-sha256, ecdsa-sha256, ed25519; default by key"},
    {"digest-algorithm", 0, CLI_TEXT, "sha256|sha384|sha512", 0, "default sha256"},
    {"user", 0, CLI_TEXT, "NAME", 0,
     "bear this user's name (user NAME of the configuration) in a UsernameToken, signed"},
    {"password-text", 0, CLI_FLAG, NULL, 0,
     "with --user: the password itself instead of a digest, for a way under TLS only"},
    {"complete", 0, CLI_FLAG, NULL, 0, "sign attachments with their MIME headers, not their content alone"},
    CLI_CONTENT_TYPE,
    {"output", 'o', CLI_FILE, "OUT", 0, "where the signed message goes; default standard output"},
    {0},
};

const struct cli_command cli_cmd_sign = {
    .name = "sign",
    .summary = "Sign a message with an own key",
    .operands = "[FILE]",
    .min_operands = 0,
    .max_operands = 1,
    .options = options,
    .more =
        "Everything but the inserted Security header and Id attributes stays octet for octet. No FILE, or -: standard input.\n"
        "  countersign --keystore sqlite:ks.db sign --alias own-sign --timestamp order.xml -o signed.xml\n",
    .run = run,
};
