/* SPDX-License-Identifier: Apache-2.0 */
/* archive_court.c: see archive_court.h. */
#include "cli/archive_court.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/input.h"

#define BUNDLE_MOST ((size_t)1 << 30)

static int no_memory(struct cli_context *c)
{
    return cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
}

/* All certificates and since when each counted: what the verdicts rest on. The head of a bundle tells when it was made.
 */
static int hash_keystore(struct cli_court *k, struct cli_context *c)
{
    static const char begin[] = "\"entries\":";
    cs_buf text = CS_BUF_INIT;
    uint8_t digest[32];
    ks_bundle_head head;
    int rc = ks_bundle(k->store, INT64_MAX / 2, &text, &head, &c->error);
    text.len =
        rc == 0 ? ks_bundle_body(text.data, text.len) : text.len; /* without seals, which are over the head, too */
    const char *at = rc == 0 ? memmem(text.data, text.len, begin, sizeof begin - 1) : NULL;
    if (rc == 0 &&
        (at == NULL || EVP_Digest(at, text.len - (size_t)(at - text.data), digest, NULL, EVP_sha256(), NULL) != 1)) {
        rc = no_memory(c);
    }
    if (rc == 0) {
        (void)cs_hex(digest, sizeof digest, k->keystore_sha256);
    }
    cs_buf_free(&text);
    return rc;
}

/* An auditor's: no keystore is opened, not even one that the configuration names. */
static int open_bundle(struct cli_court *k, struct cli_context *c, const struct archive_order *order)
{
    struct cli_input in = {.fd = -1};
    char why[256];
    char *path = NULL;
    uint8_t digest[32];
    ks_bundle_head head = {.as_of = 0};
    bool beside = order->bundle[0] != '/' && order->directory != NULL;
    if (asprintf(&path, "%s%s%s", beside ? order->directory : "", beside ? "/" : "", order->bundle) < 0) {
        return no_memory(c);
    }
    int rc = cli_settings_load(c, false, &k->settings);
    if (rc == 0 &&
        (cli_input_open(&in, path, BUNDLE_MOST, why, sizeof why) != 0 || cli_input_hold(&in, why, sizeof why) != 0)) {
        rc = cs_error_set(&c->error, CS_EXIT_USAGE, "bundle-unreadable", "--bundle %.300s: %s", order->bundle, why);
    } else if (rc == 0 && in.slice.n > BUNDLE_MOST) {
        rc = cs_error_set(&c->error, CS_EXIT_USAGE, "bundle-unreadable", "--bundle %.300s: larger than 1 GiB",
                          order->bundle);
    }
    rc = rc == 0
             ? ks_bundle_read((const char *)in.slice.p, in.slice.n, order->bundle_key, &k->snapshot, &head, &c->error)
             : rc;
    k->court.until = head.as_of;
    if (rc == 0 && EVP_Digest(in.slice.p, in.slice.n, digest, NULL, EVP_sha256(), NULL) != 1) {
        rc = no_memory(c);
    }
    if (rc == 0) {
        (void)cs_hex(digest, sizeof digest, k->keystore_sha256);
        k->court.now = k->court.until < c->now ? k->court.until : c->now;
    }
    if (rc == 0 && head.signer[0] == '\0') {
        cli_warn(c, "nobody signed the bundle: it is whole, but anybody may have made it");
    } else if (rc == 0 && order->bundle_key == NULL) {
        cli_warn(c, "the bundle is signed by %s; ask its maker for that key by another way, then: --bundle-key %s",
                 head.signer, head.signer);
    }
    cli_input_close(&in);
    free(path);
    return rc;
}

static int open_keystore(struct cli_court *k, struct cli_context *c)
{
    return cli_open_store(c, true, &k->settings, &k->store) == 0 &&
                   ks_snapshot_read(k->store, c->now, &k->snapshot, &c->error) == 0
               ? hash_keystore(k, c)
               : -1;
}

static int add_partner(struct cli_court *k, struct cli_context *c, const struct archive_order *order, const char *name)
{
    struct archive_partner *p = &k->partner[k->court.n_partner];
    *p = (struct archive_partner){.name = name, .policy = cli_settings_policy(c, k->settings, order->policy, name)};
    if (p->policy == NULL) {
        return -1;
    }
    p->chain = ks_config_chain(&k->settings->config, name);
    p->users = ks_config_users(&k->settings->config, name);
    k->court.n_partner++;
    return 0;
}

/* Those of the keystore, then those of the file that need no entry there. */
static int add_partners(struct cli_court *k, struct cli_context *c, const struct archive_order *order)
{
    const char *const *known = ks_snapshot_partners(k->snapshot);
    const struct ks_config *config = &k->settings->config;
    size_t n = 0;
    while (known[n] != NULL) {
        n++;
    }
    k->partner = calloc(n + config->n_partner + 1, sizeof *k->partner);
    if (k->partner == NULL) {
        return no_memory(c);
    }
    if (order->partner != NULL) {
        return add_partner(k, c, order, order->partner);
    }
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = add_partner(k, c, order, known[i]);
    }
    for (size_t i = 0; i < config->n_partner && rc == 0; i++) {
        const char *name = config->partner[i]->name;
        if (ks_config_chain(config, name) != NULL && !ks_snapshot_has_partner(k->snapshot, name)) {
            rc = add_partner(k, c, order, name);
        }
    }
    return rc;
}

int cli_court_open(struct cli_court *k, struct cli_context *c, const struct archive_order *order)
{
    static const char *const deciding[] = {"policy", "partner", "user", NULL};
    /* what is said with instants and intervals, beside the facts of a message, or not about messages at all */
    static const char *const later[] = {"expired-certificate", "guaranteed-delivery", "contact", NULL};
    *k = (struct cli_court){.court.now = c->now};
    if (cli_wssec_init(c) != 0 || (order->bundle != NULL ? open_bundle(k, c, order) : open_keystore(k, c)) != 0) {
        return -1;
    }
    if ((k->settings->tree != NULL && cli_settings_hash(k->settings, deciding, NULL, k->policy_sha256) != 0) ||
        cli_settings_hash(k->settings, deciding, later, k->facts_sha256) != 0) {
        return no_memory(c);
    }
    if (order->partner != NULL && !ks_snapshot_has_partner(k->snapshot, order->partner) &&
        ks_config_partner(&k->settings->config, order->partner) == NULL) {
        const char *near = cs_nearest(order->partner, ks_snapshot_partners(k->snapshot));
        return cs_error_set(&c->error, CS_EXIT_USAGE, "unknown-partner", "no partner \"%.64s\"%s%s%s", order->partner,
                            near != NULL ? "; did you mean \"" : " in keystore or configuration",
                            near != NULL ? near : "", near != NULL ? "\"?" : "");
    }
    if (add_partners(k, c, order) != 0) {
        return -1;
    }
    k->court.fallback = cli_settings_policy(c, k->settings, order->policy, NULL);
    k->court.snapshot = k->snapshot;
    k->court.partner = k->partner;
    return k->court.fallback != NULL ? 0 : -1;
}

void cli_court_close(struct cli_court *k)
{
    for (size_t i = 0; i < k->court.n_partner; i++) {
        wssec_policy_unref(k->partner[i].policy);
    }
    wssec_policy_unref(k->court.fallback);
    free(k->partner);
    ks_snapshot_release(k->snapshot);
    ks_close(k->store);
    cli_settings_free(k->settings);
    wssec_shutdown();
}
