/* SPDX-License-Identifier: Apache-2.0 */
/* crypt.c: countersign encrypt and countersign decrypt: one message in, the same message with parts sealed or opened out. */
#include <stdio.h>
#include <string.h>

#include "cli/message.h"
#include "cli/settings.h"
#include "resolver/resolver.h"

#define OCTETS_MOST ((size_t)64 << 20)
#define ALIASES     32

struct crypting {
    struct cli_context *c;
    struct cli_settings *settings;
    ks_store *store;
    const ks_snapshot *snapshot;
    struct wssec_worker *worker;
    struct wssec_policy *policy; /* decrypt */
    struct cli_words parts;
    struct wssec_encryption how;
    const char *alias[ALIASES];
    size_t n_alias;
    cs_buf octets;
};

/* ---- both ------------------------------------------------------------------------------------------------------ */

static int begin(struct crypting *k, const char *file)
{
    struct cli_context *c = k->c;
    char why[128];
    if (cli_wssec_init(c) != 0 || cli_open_store(c, true, &k->settings, &k->store) != 0 ||
        ks_snapshot_read(k->store, c->now, &k->snapshot, &c->error) != 0) {
        return -1;
    }
    if (cli_octets_read(file, OCTETS_MOST, &k->octets, why, sizeof why) != 0) {
        return cs_error_set(&c->error, CS_EXIT_UNREADABLE, wssec_reason_code(WSSEC_INPUT_UNREADABLE), "%.256s: %s", file,
                            why);
    }
    k->worker = wssec_worker_new();
    return k->worker != NULL ? 0 : cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
}

static int answer(struct crypting *k, int rc, const struct wssec_verdict *v, const struct wssec_output *out,
                  const char *file, const char *not_done)
{
    struct cli_context *c = k->c;
    if (rc != WSSEC_RC_OK || v->verdict != WSSEC_PASS) {
        return cs_error_set(&c->error, v->verdict == WSSEC_ERROR ? CS_EXIT_INTERNAL : CS_EXIT_FAIL,
                            wssec_reason_code(v->reason), "%.256s is not %s: %s", file, not_done,
                            v->detail[0] != '\0' ? v->detail : wssec_reason_meaning(v->reason));
    }
    return cli_octets_write(cli_option(c, "output"), out, &c->error);
}

static int with_message(struct cli_context *c, const char *verb, int (*read)(struct crypting *),
                        int (*work)(struct crypting *, const char *file))
{
    struct crypting k = {.c = c, .octets = CS_BUF_INIT};
    const char *file = c->argc > 0 ? c->argv[0] : "-";
    if (cli_is_directory(file)) {
        return cli_usage(c, "%s is a directory; %s takes one file", file, verb);
    }
    int rc = begin(&k, file);
    if (rc == 0) {
        rc = read(&k);
    }
    if (rc == 0) {
        rc = work(&k, file);
    }
    wssec_policy_unref(k.policy);
    wssec_worker_free(k.worker);
    ks_snapshot_release(k.snapshot);
    ks_close(k.store);
    cli_settings_free(k.settings);
    cli_words_free(&k.parts);
    cs_buf_wipe(&k.octets);
    wssec_shutdown();
    return rc == 0 ? CS_EXIT_OK : cli_fail(c);
}

/* ---- encrypt --------------------------------------------------------------------------------------------------- */

static int read_encryption(struct crypting *k)
{
    struct cli_context *c = k->c;
    const char *word = NULL;
    for (size_t i = 0; (word = cli_option_nth(c, "parts", i)) != NULL; i++) {
        if (cli_words_add(&k->parts, word) != 0) {
            return cs_error_set(&c->error, CS_EXIT_USAGE, "usage", "--parts: an empty word in \"%.128s\"", word);
        }
    }
    k->how.part = (const char *const *)k->parts.word;
    k->how.n_part = k->parts.n;
    k->how.cipher = cli_option(c, "data-algorithm");
    k->how.transport = cli_option(c, "key-transport");
    word = cli_option(c, "key-reference");
    if (word != NULL && wssec_keyref_parse(word, &k->how.key_reference) != 0) {
        return cs_error_set(&c->error, CS_EXIT_USAGE, "usage", "--key-reference: \"%.64s\" is not known", word);
    }
    const char *partner = cli_option(c, "partner");
    if (ks_encrypter(k->snapshot, partner) == NULL) {
        return cs_error_set(&c->error, CS_EXIT_USAGE, "unknown-partner",
                            "no active certificate of role encrypt-to for partner \"%.64s\"; add it: countersign keystore "
                            "add --role encrypt-to --partner %.64s --alias ALIAS FILE --activate",
                            partner, partner);
    }
    return 0;
}

static int encrypt(struct crypting *k, const char *file)
{
    struct cli_context *c = k->c;
    struct wssec_slice slice = {(const uint8_t *)k->octets.data, k->octets.len};
    struct wssec_input in = {.slice = &slice, .n_slice = 1};
    struct wssec_when when = {.now = c->now, .at = c->now, .source = WSSEC_TIME_NOW};
    struct wssec_resolver r;
    struct resolver ctx;
    struct wssec_output out;
    struct wssec_verdict v;
    resolver_init(&r, &ctx, k->snapshot, cli_option(c, "partner"), NULL);
    int rc = wssec_encrypt(k->worker, &in, &k->how, &when, &r, &out, &v);
    if (answer(k, rc, &v, &out, file, "encrypted") != 0) {
        return -1;
    }
    cli_detail(c, "encrypted to %s#%u", v.certificate.alias, v.certificate.ordinal);
    return 0;
}

static int run_encrypt(struct cli_context *c)
{
    return with_message(c, "encrypt", read_encryption, encrypt);
}

static const struct cli_option encrypt_options[] = {
    {"partner", 0, CLI_TEXT, "P", CLI_NEEDED, "whose active encrypt-to certificate is taken"},
    {"parts", 0, CLI_TEXT, "PART,…", CLI_REPEAT,
     "what is encrypted: Body (its content; the default), Signature, UsernameToken, wsa:X, {namespace}local"},
    {"key-reference", 0, CLI_TEXT, "direct|pkipath|issuer-serial|ski|thumbprint|x509v3-key-identifier|embedded|x509-data", 0,
     "how the certificate is named; default issuer-serial"},
    {"data-algorithm", 0, CLI_TEXT, "aes256-gcm|aes192-gcm|aes128-gcm", 0, "default aes256-gcm"},
    {"key-transport", 0, CLI_TEXT, "rsa-oaep|rsa-oaep-mgf1p", 0,
     "default rsa-oaep with SHA-256; rsa-oaep-mgf1p (SHA-1) for peers that lack it"},
    {"output", 'o', CLI_FILE, "OUT", 0, "where the message goes; default standard output"},
    {0},
};

const struct cli_command cli_cmd_encrypt = {
    .name = "encrypt",
    .summary = "encrypt a message for a partner",
    .operands = "[FILE]",
    .min_operands = 0,
    .max_operands = 1,
    .options = encrypt_options,
    .more = "A signature that is there already is verified after opening: the new EncryptedKey stands before it. No FILE, or -: standard input.\n"
            "  countersign --keystore sqlite:ks.db encrypt --partner acme order.xml -o sealed.xml\n",
    .run = run_encrypt,
};

/* ---- decrypt --------------------------------------------------------------------------------------------------- */

static int read_aliases(struct crypting *k)
{
    struct cli_context *c = k->c;
    const char *alias = NULL;
    for (size_t i = 0; (alias = cli_option_nth(c, "alias", i)) != NULL; i++) {
        enum ks_role role = KS_DECRYPT;
        if (k->n_alias == ALIASES) {
            return cs_error_set(&c->error, CS_EXIT_USAGE, "usage", "--alias: at most %d", ALIASES);
        }
        if (!ks_has_slot(k->snapshot, alias, &role)) {
            return cs_error_set(&c->error, CS_EXIT_USAGE, "unknown-alias",
                                "no alias \"%.64s\" in the keystore; see: countersign keystore list --role decrypt", alias);
        }
        if (role != KS_DECRYPT) {
            return cs_error_set(&c->error, CS_EXIT_USAGE, "wrong-role",
                                "alias \"%.64s\" has role %s; decryption needs one of role decrypt", alias, ks_role_word(role));
        }
        k->alias[k->n_alias++] = alias;
    }
    k->policy = cli_settings_policy(c, k->settings, cli_option(c, "policy"), NULL);
    return k->policy != NULL ? 0 : -1;
}

static int decrypt(struct crypting *k, const char *file)
{
    struct cli_context *c = k->c;
    struct wssec_slice slice = {(const uint8_t *)k->octets.data, k->octets.len};
    struct wssec_input in = {.slice = &slice, .n_slice = 1};
    struct wssec_when when = {.now = c->now, .at = c->now, .source = WSSEC_TIME_NOW};
    struct wssec_resolver r;
    struct resolver ctx;
    struct wssec_output out;
    struct wssec_verdict v;
    resolver_init(&r, &ctx, k->snapshot, NULL, NULL);
    resolver_decrypt(&ctx, k->alias, k->n_alias);
    int rc = wssec_open(k->worker, &in, k->policy, &when, &r, NULL, false, &v, NULL, &out);
    if (rc == WSSEC_RC_OK && v.verdict == WSSEC_PASS && !v.opening) {
        return cs_error_set(&c->error, CS_EXIT_NOTHING, "nothing-encrypted", "%.256s: our Security header lists nothing encrypted", file);
    }
    if (answer(k, rc, &v, &out, file, "decrypted") != 0) {
        return -1;
    }
    cli_detail(c, "decrypted with %s#%u (%s)", v.decrypted_with.alias, v.decrypted_with.ordinal,
               wssec_state_word(v.decrypted_with.state));
    return 0;
}

static int run_decrypt(struct cli_context *c)
{
    return with_message(c, "decrypt", read_aliases, decrypt);
}

static const struct cli_option decrypt_options[] = {
    {"alias", 0, CLI_TEXT, "ALIAS", CLI_REPEAT, "slot of role decrypt; default every one"},
    {"policy", 0, CLI_TEXT, "NAME", 0, "limits and dated exceptions (legacy cbc-before-verify …); default the built-in default"},
    {"output", 'o', CLI_FILE, "OUT", 0, "where the message goes; default standard output"},
    {0},
};

const struct cli_command cli_cmd_decrypt = {
    .name = "decrypt",
    .summary = "decrypt a message with own keys",
    .operands = "[FILE]",
    .min_operands = 0,
    .max_operands = 1,
    .options = decrypt_options,
    .more = "No signature is looked at: verify judges. What our Security header lists is opened, active keys first, then deactivated ones up to their\n"
            "process stop. Nothing encrypted for us: exit 4. No FILE, or -: standard input.\n"
            "  countersign --keystore sqlite:ks.db decrypt sealed.xml -o order.xml\n",
    .run = run_decrypt,
};
