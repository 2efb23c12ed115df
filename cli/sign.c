/* SPDX-License-Identifier: Apache-2.0 */
/* sign.c: countersign sign: one message in, the same message with a Security header out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"
#include "cli/settings.h"
#include "resolver/resolver.h"

#define OCTETS_MOST ((size_t)64 << 20) /* what wssec_sign takes at most */

struct signing {
    struct cli_context *c;
    struct cli_settings *settings;
    ks_store *store;
    const ks_snapshot *snapshot;
    struct wssec_worker *worker;
    struct cli_words parts;
    struct wssec_recipe recipe;
    cs_buf octets;
};

static int read_recipe(struct signing *k)
{
    struct cli_context *c = k->c;
    const char *word = NULL;
    int64_t ttl_ms = 0;
    for (size_t i = 0; (word = cli_option_nth(c, "parts", i)) != NULL; i++) {
        if (cli_words_add(&k->parts, word) != 0) {
            return cs_error_set(&c->error, CS_EXIT_USAGE, "usage", "--parts: an empty word in \"%.128s\"", word);
        }
    }
    k->recipe.part = (const char *const *)k->parts.word;
    k->recipe.n_part = k->parts.n;
    k->recipe.timestamp = cli_given(c, "timestamp");
    word = cli_option(c, "key-reference");
    if (word != NULL && wssec_keyref_parse(word, &k->recipe.key_reference) != 0) {
        return cs_error_set(&c->error, CS_EXIT_USAGE, "usage", "--key-reference: \"%.64s\" is not known", word);
    }
    k->recipe.signature_algorithm = cli_option(c, "signature-algorithm");
    k->recipe.digest_algorithm = cli_option(c, "digest-algorithm");
    if (cli_option_duration(c, "ttl", &ttl_ms)) {
        if (ttl_ms < 1000 || ttl_ms % 1000 != 0) {
            return cs_error_set(&c->error, CS_EXIT_USAGE, "usage", "--ttl: whole seconds, at least 1s");
        }
        k->recipe.ttl = ttl_ms / 1000;
    }
    return 0;
}

static int find_slot(struct signing *k, const char *alias)
{
    struct cli_context *c = k->c;
    enum ks_role role = KS_SIGN;
    if (!ks_has_slot(k->snapshot, alias, &role)) {
        return cs_error_set(&c->error, CS_EXIT_USAGE, "unknown-alias", "no alias \"%.64s\" in the keystore; see: countersign keystore list --role sign", alias);
    }
    if (role != KS_SIGN) {
        return cs_error_set(&c->error, CS_EXIT_USAGE, "wrong-role", "alias \"%.64s\" has role %s; signing needs one of role sign", alias, ks_role_word(role));
    }
    return 0;
}

static int begin(struct signing *k, const char *file)
{
    struct cli_context *c = k->c;
    char why[128];
    if (read_recipe(k) != 0 || cli_wssec_init(c) != 0 || cli_open_store(c, true, &k->settings, &k->store) != 0 ||
        ks_snapshot_read(k->store, c->now, &k->snapshot, &c->error) != 0 || find_slot(k, cli_option(c, "alias")) != 0) {
        return -1;
    }
    if (cli_octets_read(file, OCTETS_MOST, &k->octets, why, sizeof why) != 0) {
        return cs_error_set(&c->error, CS_EXIT_UNREADABLE, wssec_reason_code(WSSEC_INPUT_UNREADABLE), "%.256s: %s", file, why);
    }
    k->worker = wssec_worker_new();
    return k->worker != NULL ? 0 : cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
}

static int sign(struct signing *k, const char *file)
{
    struct cli_context *c = k->c;
    struct wssec_slice slice = {(const uint8_t *)k->octets.data, k->octets.len};
    struct wssec_input in = {.slice = &slice, .n_slice = 1};
    struct wssec_when when = {.now = c->now, .at = c->now, .source = WSSEC_TIME_NOW};
    struct wssec_resolver r;
    struct resolver ctx;
    struct wssec_output out;
    struct wssec_verdict v;
    resolver_init(&r, &ctx, k->snapshot, NULL, cli_option(c, "alias"));
    int rc = wssec_sign(k->worker, &in, &k->recipe, &when, &r, &out, &v);
    if (rc != WSSEC_RC_OK || v.verdict != WSSEC_PASS) {
        return cs_error_set(&c->error, rc != WSSEC_RC_OK ? CS_EXIT_INTERNAL : CS_EXIT_FAIL, wssec_reason_code(v.reason), "%.256s is not signed: %s", file,
                            v.detail[0] != '\0' ? v.detail : wssec_reason_meaning(v.reason));
    }
    if (cli_octets_write(cli_option(c, "output"), &out, &c->error) != 0) {
        return -1;
    }
    cli_detail(c, "signed with %s#%u, %s, %s", v.certificate.alias, v.certificate.ordinal, v.algorithm, wssec_keyref_word(v.key_reference));
    return 0;
}

static int run(struct cli_context *c)
{
    struct signing k = {.c = c, .octets = CS_BUF_INIT};
    const char *file = c->argc > 0 ? c->argv[0] : "-";
    if (cli_is_directory(file)) {
        return cli_usage(c, "%s is a directory; sign takes one file", file);
    }
    int rc = begin(&k, file);
    if (rc == 0) {
        rc = sign(&k, file);
    }
    wssec_worker_free(k.worker);
    ks_snapshot_release(k.snapshot);
    ks_close(k.store);
    cli_settings_free(k.settings);
    cli_words_free(&k.parts);
    cs_buf_free(&k.octets);
    wssec_shutdown();
    return rc == 0 ? CS_EXIT_OK : cli_fail(c);
}

static const struct cli_option options[] = {
    {"alias", 0, CLI_TEXT, "ALIAS", CLI_NEEDED, "slot of role sign whose active entry signs"},
    {"parts", 0, CLI_TEXT, "PART,…", CLI_REPEAT, "what is signed; default Body, and the Timestamp that is made"},
    {"key-reference", 0, CLI_TEXT, "direct|pkipath|issuer-serial|ski|thumbprint|x509v3-key-identifier|embedded|x509-data", 0,
     "how the signature names its key; default direct"},
    {"timestamp", 0, CLI_FLAG, NULL, 0, "add a Timestamp and sign it"},
    {"ttl", 0, CLI_DURATION, "DURATION", 0, "Created to Expires of the Timestamp; default 300s"},
    {"signature-algorithm", 0, CLI_TEXT, "ALGORITHM", 0, "as rsa-sha256, rsa-pss-sha256, ecdsa-sha256, ed25519; default by key"},
    {"digest-algorithm", 0, CLI_TEXT, "sha256|sha384|sha512", 0, "default sha256"},
    {"output", 'o', CLI_FILE, "OUT", 0, "where the signed message goes; default standard output"},
    {0},
};

const struct cli_command cli_cmd_sign = {
    .name = "sign",
    .summary = "sign a message with an own key",
    .operands = "[FILE]",
    .min_operands = 0,
    .max_operands = 1,
    .options = options,
    .more = "Everything but the inserted Security header and Id attributes stays octet for octet. No FILE, or -: standard input.\n"
            "  countersign --keystore sqlite:ks.db sign --alias own-sign --timestamp order.xml -o signed.xml\n",
    .run = run,
};
