/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_init.c: keystore init: a store begins, or one of the version before is brought to this one. */
#include "cli/keystore.h"

/** What came of it. */
struct made {
    bool created;
    int version; /**< of the store as it is now */
    int from;    /**< upgraded from; 0: not */
};

static int print_made(struct cli_context *c, const struct cli_settings *settings, const struct made *m)
{
    const char *uri = settings->keystore_uri;
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    if (c->json) {
        cs_json_begin(&j, &b);
        cs_json_object(&j, NULL);
        cs_json_str(&j, "keystore", uri);
        cs_json_bool(&j, "created", m->created);
        cs_json_int(&j, "schema", m->version);
        if (m->from != 0) {
            cs_json_int(&j, "upgraded_from", m->from);
        }
        cs_json_object_end(&j);
        int rc = cli_json_line(c, &b);
        cs_buf_free(&b);
        return rc;
    }
    if (m->created) {
        cli_say(c, "%s is ready. Keep a copy of its key-encryption key%s elsewhere: without it no private key opens",
                uri, settings->keystore.n_kek == 0 ? " (.kek beside it)" : "");
    } else if (m->from != 0) {
        cli_say(c, "%s was upgraded from schema version %d to %d", uri, m->from, m->version);
    } else if (m->version != KS_SCHEMA_VERSION) {
        cli_say(
            c,
            "%s has schema version %d and is served as it is; nothing was changed. Once every node runs this release: "
            "countersign --keystore %s keystore init --upgrade",
            uri, m->version, uri);
    } else {
        cli_say(c, "%s is a keystore of this version already; nothing was changed", uri);
    }
    return CS_EXIT_OK;
}

static int upgrade(struct cli_context *c, ks_store *s, struct made *m)
{
    struct cli_caller caller;
    int from = 0;
    cli_caller_find(c, &caller);
    if (ks_upgrade(s, &caller.actor, c->now, &from, &c->error) != 0) {
        return -1;
    }
    m->from = from != KS_SCHEMA_VERSION ? from : 0;
    return 0;
}

static int run_init(struct cli_context *c)
{
    struct cli_settings *settings = NULL;
    ks_store *store = NULL;
    struct made m = {0};
    if (cli_settings_load(c, true, &settings) != 0) {
        return cli_fail(c);
    }
    int rc = CS_EXIT_OK;
    if (cli_become_owner(c, settings->keystore_uri) != 0 ||
        ks_init(settings->keystore_uri, &settings->keystore, c->now, &m.created, &c->error) != 0 ||
        ks_open(&store, settings->keystore_uri, &settings->keystore, &c->error) != 0 ||
        (cli_given(c, "upgrade") && upgrade(c, store, &m) != 0)) {
        rc = cli_fail(c);
    } else {
        m.version = ks_schema_version(store);
        rc = print_made(c, settings, &m);
    }
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

static const struct cli_option init_options[] = {
    {"upgrade", 0, CLI_FLAG, NULL, 0, "bring a keystore of the version before to this release's schema"},
    {0},
};

const struct cli_command cli_cmd_keystore_init = {
    .parent = "keystore",
    .name = "init",
    .summary = "Make an empty keystore and its key-encryption key; on one that is there change nothing",
    .options = init_options,
    .more =
        "A release serves a keystore of its own version and of the one before. Upgrade the nodes one after the other, then the\n"
        "keystore with --upgrade; no gateway does that by itself.\n"
        "Example:\n  countersign --keystore sqlite:ks.db keystore init",
    .run = run_init,
};
