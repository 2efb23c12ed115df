/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h: the configuration file read with the joined tables of all folders, for every command: where the keystore
 * is, retention, policies, partners; and the loader of the gateway.
 */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "cli/command.h"
#include "gateway/gateway.h"
#include "keystore/config.h"
#include "wssec/directives.h"

/**
 * What one configuration says, without the gateway's part. Owned by whoever loaded it; read-only afterwards.
 * The policy of each partner is looked for only when it is needed: keystore commands must work while references of the
 * file do not hold yet.
 */
struct cli_settings {
    struct cs_conf *tree; /**< NULL: no file (only --keystore) */
    struct ks_config config;
    struct wssec_policies *policies;
    char *keystore_uri;  /**< --keystore, else the file's; NULL: neither */
    ks_options keystore; /**< for ks_open and ks_live_open */
    char hash[65];       /**< of all statements, whatever their layout; "" without a file */
};

/**
 * Read the configuration of this call (-c, $COUNTERSIGN_CONF, default; a default file that is missing is no error).
 * Grammar and the folders' own rules are checked, references are not resolved. All errors are printed on stderr.
 * @param need_keystore neither --keystore nor a `keystore` directive: exit 64
 * @return 0, or -1 with c->error set (78, 64)
 */
int cli_settings_load(struct cli_context *c, bool need_keystore, struct cli_settings **out) CS_MUST_CHECK;
void cli_settings_free(struct cli_settings *s);

/** Settings and the open store in one step. @return 0, or -1 with c->error set. settings may be NULL where not wanted
 */
int cli_open_store(struct cli_context *c, bool read_only, struct cli_settings **settings,
                   ks_store **store) CS_MUST_CHECK;

/**
 * The policy that judges: by name; name NULL: the partner's (with its expired-certificate rule), else the built-in
 * default. @return a new reference (wssec_policy_unref), or NULL with c->error set: unknown name (64), contradiction
 * (78)
 */
struct wssec_policy *cli_settings_policy(struct cli_context *c, const struct cli_settings *s, const char *name,
                                         const char *partner) CS_MUST_CHECK;

/** Read the passwords of the configuration's users. @return 0, or -1 with c->error set (78), the errors printed */
int cli_users_read(struct cli_context *c, struct cli_settings *s) CS_MUST_CHECK;

/** Read the letters of the configuration's locales. @return 0, or -1 with c->error set (78), the errors printed */
int cli_templates_read(struct cli_context *c, struct cli_settings *s) CS_MUST_CHECK;

/** SHA-256, hexadecimal, of the statements at top level with these names, without those inside of the other names (NULL
 * ends either; without: may be NULL). @return 0, or -1 */
int cli_settings_hash(const struct cli_settings *s, const char *const names[], const char *const without[],
                      char out[65]) CS_MUST_CHECK;

/** wssec_init() with $COUNTERSIGN_ENGINE (auto, dom, stream). @return 0, or -1 with c->error set */
int cli_wssec_init(struct cli_context *c) CS_MUST_CHECK;

#endif
