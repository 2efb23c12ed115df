/* SPDX-License-Identifier: Apache-2.0 */
/* crypt.c: countersign encrypt and countersign decrypt: one message in, the same message with parts sealed or opened
 * out. */
#include "cli/transform.h"

#define ALIASES 32

/* ---- encrypt --------------------------------------------------------------------------------------------------- */

static int encrypt(struct cli_transform *t)
{
    struct cli_context *c = t->c;
    const char *partner = cli_option(c, "partner");
    struct wssec_encryption how = {.part = (const char *const *)t->parts.word,
                                   .n_part = t->parts.n,
                                   .complete = cli_given(t->c, "complete"),
                                   .cipher = cli_option(c, "data-algorithm"),
                                   .transport = cli_option(c, "key-transport")};
    struct wssec_resolver r;
    struct resolver ctx;
    struct wssec_output out;
    struct wssec_verdict v;
    if (cli_transform_key_reference(t, &how.key_reference) != 0) {
        return -1;
    }
    if (ks_encrypter(t->snapshot, partner) == NULL) {
        return cs_error_set(
            &c->error, CS_EXIT_USAGE, "unknown-partner",
            "no active certificate of role encrypt-to for partner \"%.64s\"; add it: countersign keystore "
            "add --role encrypt-to --partner %.64s --alias ALIAS FILE --activate",
            partner, partner);
    }
    resolver_init(&r, &ctx, t->snapshot, partner, NULL);
    int rc = wssec_encrypt(t->worker, &t->in, &how, &t->when, &r, &out, &v);
    if (cli_transform_answer(t, rc, &v, &out, "encrypted") != 0) {
        return -1;
    }
    cli_detail(c, "encrypted to %s#%u", v.certificate.alias, v.certificate.ordinal);
    return 0;
}

static int run_encrypt(struct cli_context *c)
{
    return cli_transform_run(c, "encrypt", encrypt);
}

static const struct cli_option encrypt_options[] = {
    {"partner", 0, CLI_TEXT, "P", CLI_NEEDED, "whose active encrypt-to certificate is taken"},
    {"parts", 0, CLI_TEXT, "PART,…", CLI_REPEAT,
     "what is encrypted: Body (its content) and attachments (both the default), Signature, UsernameToken, wsa:X, {namespace}local"},
    {"key-reference", 0, CLI_TEXT,
     "direct|pkipath|issuer-serial|ski|thumbprint|x509v3-key-identifier|embedded|x509-data", 0,
     "how the certificate is named; default issuer-serial"},
    {"data-algorithm", 0, CLI_TEXT, "aes256-gcm|aes192-gcm|aes128-gcm", 0, "default aes256-gcm"},
    {"key-transport", 0, CLI_TEXT, "rsa-oaep|rsa-oaep-mgf1p|ecdh-es|x25519", 0,
     "default by the key: RSA rsa-oaep with SHA-256 (rsa-oaep-mgf1p, SHA-1, for peers that lack it), P-256, P-384 and P-521 ecdh-es, X25519 x25519"},
    {"complete", 0, CLI_FLAG, NULL, 0, "encrypt attachments with their MIME headers, not their content alone"},
    CLI_CONTENT_TYPE,
    {"output", 'o', CLI_FILE, "OUT", 0, "where the message goes; default standard output"},
    {0},
};

const struct cli_command cli_cmd_encrypt = {
    .name = "encrypt",
    .summary = "Encrypt a message for a partner",
    .operands = "[FILE]",
    .min_operands = 0,
    .max_operands = 1,
    .options = encrypt_options,
    .more =
        "A signature that is there already is verified after opening: the new EncryptedKey stands before it. No FILE, or -: standard input.\n"
        "  countersign --keystore sqlite:ks.db encrypt --partner acme order.xml -o sealed.xml\n",
    .run = run_encrypt,
};

/* ---- decrypt --------------------------------------------------------------------------------------------------- */

static int read_aliases(struct cli_transform *t, const char *alias[ALIASES], size_t *n)
{
    const char *word = NULL;
    for (*n = 0; (word = cli_option_nth(t->c, "alias", *n)) != NULL; alias[(*n)++] = word) {
        if (*n == ALIASES) {
            return cs_error_set(&t->c->error, CS_EXIT_USAGE, "usage", "--alias: at most %d", ALIASES);
        }
        if (cli_transform_slot(t, word, KS_DECRYPT) != 0) {
            return -1;
        }
    }
    return 0;
}

static int decrypt(struct cli_transform *t)
{
    struct cli_context *c = t->c;
    const char *alias[ALIASES];
    size_t n = 0;
    struct wssec_resolver r;
    struct resolver ctx;
    struct wssec_output out;
    struct wssec_verdict v;
    struct wssec_policy *policy = NULL;
    if (read_aliases(t, alias, &n) != 0 ||
        (policy = cli_settings_policy(c, t->settings, cli_option(c, "policy"), NULL)) == NULL) {
        return -1;
    }
    resolver_init(&r, &ctx, t->snapshot, NULL, NULL);
    resolver_decrypt(&ctx, alias, n);
    int rc = wssec_open(t->worker, &t->in, policy, &t->when, &r, NULL, false, &v, NULL, &out);
    wssec_policy_unref(policy);
    if (rc == WSSEC_RC_OK && v.verdict == WSSEC_PASS && !v.opening) {
        return cs_error_set(&c->error, CS_EXIT_NOTHING, "nothing-encrypted",
                            "%.256s: our Security header lists nothing encrypted", t->file);
    }
    if (cli_transform_answer(t, rc, &v, &out, "decrypted") != 0) {
        return -1;
    }
    cli_detail(c, "decrypted with %s#%u (%s)", v.decrypted_with.alias, v.decrypted_with.ordinal,
               wssec_state_word(v.decrypted_with.state));
    return 0;
}

static int run_decrypt(struct cli_context *c)
{
    return cli_transform_run(c, "decrypt", decrypt);
}

static const struct cli_option decrypt_options[] = {
    {"alias", 0, CLI_TEXT, "ALIAS", CLI_REPEAT, "slot of role decrypt; default every one"},
    {"policy", 0, CLI_TEXT, "NAME", 0,
     "limits and dated exceptions (legacy cbc-before-verify …); default the built-in default"},
    CLI_CONTENT_TYPE,
    {"output", 'o', CLI_FILE, "OUT", 0, "where the message goes; default standard output"},
    {0},
};

const struct cli_command cli_cmd_decrypt = {
    .name = "decrypt",
    .summary = "Decrypt a message with own keys",
    .operands = "[FILE]",
    .min_operands = 0,
    .max_operands = 1,
    .options = decrypt_options,
    .more =
        "No signature is looked at: verify judges. What our Security header lists is opened, active keys first, then deactivated ones up to their\n"
        "process stop. Nothing encrypted for us: exit 4. No FILE, or -: standard input.\n"
        "  countersign --keystore sqlite:ks.db decrypt sealed.xml -o order.xml\n",
    .run = run_decrypt,
};
