/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c: the configuration file with the joined tables of all folders, for one-shot commands. */
#include "cli/settings.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/policy.h"
#include "keystore/template.h"
#include "keystore/users.h"

void cli_settings_free(struct cli_settings *s)
{
    if (s == NULL) {
        return;
    }
    ks_config_free(&s->config);
    wssec_policies_free(s->policies);
    cs_conf_free(s->tree);
    free(s->keystore_uri);
    free(s);
}

static void hash_statements(EVP_MD_CTX *md, const struct cs_conf_node *node, const char *const *without);

static bool is_one_of(const char *name, const char *const *names)
{
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/** A statement as it was understood: comments, layout and the distribution over files do not count. */
static void hash_statement(EVP_MD_CTX *md, const struct cs_conf_node *node, const char *const *without)
{
    EVP_DigestUpdate(md, node->name, strlen(node->name) + 1);
    for (int i = 0; i < node->argc; i++) {
        EVP_DigestUpdate(md, node->arg[i].text, strlen(node->arg[i].text) + 1);
    }
    EVP_DigestUpdate(md, node->has_block ? "{" : ";", 1);
    if (node->has_block) {
        hash_statements(md, node->child, without);
        EVP_DigestUpdate(md, "}", 1);
    }
}

static void hash_statements(EVP_MD_CTX *md, const struct cs_conf_node *node, const char *const *without)
{
    for (; node != NULL; node = node->next) {
        if (!is_one_of(node->name, without)) {
            hash_statement(md, node, without);
        }
    }
}

int cli_settings_hash(const struct cli_settings *s, const char *const names[], const char *const without[],
                      char out[65])
{
    uint8_t digest[32];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int rc = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 ? 0 : -1;
    for (const struct cs_conf_node *node = rc == 0 && s->tree != NULL ? cs_conf_root(s->tree) : NULL; node != NULL;
         node = node->next) {
        if (is_one_of(node->name, names)) {
            hash_statement(md, node, without);
        }
    }
    rc = rc == 0 && EVP_DigestFinal_ex(md, digest, NULL) == 1 ? 0 : -1;
    EVP_MD_CTX_free(md);
    return rc == 0 ? (cs_hex(digest, sizeof digest, out), 0) : -1;
}

static int set_hash(struct cli_settings *s)
{
    uint8_t digest[32];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int rc = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 ? 0 : -1;
    if (rc == 0) {
        hash_statements(md, cs_conf_root(s->tree), NULL);
        rc = EVP_DigestFinal_ex(md, digest, NULL) == 1 ? 0 : -1;
    }
    if (rc == 0) {
        cs_hex(digest, sizeof digest, s->hash);
    }
    EVP_MD_CTX_free(md);
    return rc;
}

struct cli_settings *cli_settings_read(const char *file, const char *keystore_uri, struct cs_conf_report *report,
                                       cli_apply also, void *also_root)
{
    const struct cs_conf_table tables[] = {ks_directives(), wssec_directives(), gw_directives()};
    struct cli_settings *s = calloc(1, sizeof *s);
    int rc = -1;
    if (s == NULL || (s->policies = wssec_policies_new()) == NULL) {
        goto out;
    }
    if (file != NULL) {
        rc = cs_conf_read(file, tables, sizeof tables / sizeof tables[0], &s->tree, report);
        if (s->tree == NULL) {
            goto out;
        }
        /* grammar and all folders have their say even when one finds errors, so that one run names them all */
        rc |= cs_conf_apply(s->tree, tables[0], &s->config, report);
        rc |= cs_conf_apply(s->tree, tables[1], s->policies, report);
        rc |= also != NULL ? also(s->tree, also_root, report) : 0;
        if (rc != 0) {
            goto out;
        }
    }
    rc = wssec_policies_freeze(s->policies, report);
    if (rc != 0) {
        goto out;
    }
    const char *uri = keystore_uri != NULL ? keystore_uri : s->config.uri;
    if (uri != NULL && (s->keystore_uri = strdup(uri)) == NULL) {
        rc = -1;
        goto out;
    }
    ks_config_sources(&s->config, &s->keystore);
    if (s->tree != NULL && set_hash(s) != 0) {
        rc = -1;
        goto out;
    }
    s->keystore.node = s->config.node[0] != '\0' ? s->config.node : NULL;
    s->keystore.retention = s->config.retention;
    s->keystore.guaranteed_delivery = s->config.guaranteed_delivery;
out:
    if (rc != 0) {
        cli_settings_free(s);
        s = NULL;
    }
    return s;
}

static void print_report(const struct cs_conf_report *report)
{
    for (size_t i = 0; i < report->n; i++) {
        fprintf(stderr, "%s\n", report->line[i]);
    }
}

int cli_settings_load(struct cli_context *c, bool need_keystore, struct cli_settings **out)
{
    struct cs_conf_report report = {0};
    int rc = -1;
    *out = NULL;
    /* only a default file may be missing; one that is there and cannot be read is an error like any other */
    bool absent = !c->config_file_given && access(c->config_file, F_OK) != 0 && errno == ENOENT;
    struct cli_settings *s = cli_settings_read(absent ? NULL : c->config_file, c->keystore_uri, &report, NULL, NULL);
    print_report(&report);
    if (s == NULL && report.n == 0) {
        cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    } else if (s == NULL) {
        cs_error_set(&c->error, CS_EXIT_CONFIG, "configuration",
                     "the configuration %.256s cannot be used; see the lines above", c->config_file);
    } else if (need_keystore && s->keystore_uri == NULL) {
        cs_error_set(&c->error, CS_EXIT_USAGE, "no-keystore",
                     "no keystore: give --keystore sqlite:PATH, or -c FILE with: keystore sqlite \"PATH\";");
    } else {
        *out = s;
        s = NULL;
        rc = 0;
    }
    cli_settings_free(s);
    cs_conf_report_free(&report);
    return rc;
}

int cli_users_read(struct cli_context *c, struct cli_settings *s)
{
    struct cs_conf_report report = {0};
    int rc = ks_users_read(&s->config, &report);
    print_report(&report);
    cs_conf_report_free(&report);
    return rc == 0 ? 0
                   : cs_error_set(&c->error, CS_EXIT_CONFIG, "configuration",
                                  "user names cannot be judged or borne; see the lines above");
}

int cli_templates_read(struct cli_context *c, struct cli_settings *s)
{
    struct cs_conf_report report = {0};
    int rc = ks_templates_read(&s->config.mail, &report);
    print_report(&report);
    cs_conf_report_free(&report);
    return rc == 0 ? 0
                   : cs_error_set(&c->error, CS_EXIT_CONFIG, "configuration",
                                  "letters of mail { templates } cannot be used; see the lines above");
}

int cli_open_store(struct cli_context *c, bool read_only, struct cli_settings **settings, ks_store **store)
{
    struct cli_settings *s = NULL;
    *store = NULL;
    if (settings != NULL) {
        *settings = NULL;
    }
    if (cli_settings_load(c, true, &s) != 0) {
        return -1;
    }
    ks_options options = s->keystore;
    options.read_only = read_only;
    int rc = ks_open(store, s->keystore_uri, &options, &c->error);
    if (rc == 0 && settings != NULL) {
        *settings = s;
        s = NULL;
    }
    cli_settings_free(s);
    return rc;
}

int cli_wssec_init(struct cli_context *c)
{
    static const struct {
        const char *word;
        enum wssec_engine engine;
    } engines[] = {{"auto", WSSEC_ENGINE_AUTO}, {"dom", WSSEC_ENGINE_DOM}, {"stream", WSSEC_ENGINE_STREAM}};
    struct wssec_options options = {WSSEC_ENGINE_AUTO};
    const char *word = getenv("COUNTERSIGN_ENGINE");
    char why[256] = "";
    if (word != NULL && word[0] != '\0') {
        size_t i = 0;
        while (i < sizeof engines / sizeof engines[0] && strcmp(word, engines[i].word) != 0) {
            i++;
        }
        if (i == sizeof engines / sizeof engines[0]) {
            return cs_error_set(&c->error, CS_EXIT_USAGE, "engine",
                                "COUNTERSIGN_ENGINE is \"%.32s\"; it is auto, dom or stream", word);
        }
        options.engine = engines[i].engine;
    }
    if (wssec_init(&options, why, sizeof why) != 0) {
        return cs_error_set(&c->error, CS_EXIT_INTERNAL, "wssec-init",
                            "the XML and crypto libraries cannot be started: %s", why);
    }
    return 0;
}
