/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.c: countersign gateway: the configuration as the gateway wants it, and the process itself. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/doubts.h"
#include "cli/policy.h"
#include "gateway/master.h"
#include "keystore/addressee.h"
#include "keystore/issuer_config.h"
#include "keystore/template.h"

/* What the gateway borrows of the settings; immutable once given away, so any thread may ask it. */
struct loaded {
    struct cli_settings *settings; /* owned */
    struct wssec_policy **policy;  /* owned references; one per partner of settings->config, in its order */
    char *persons;                 /* owned: operators and approvers as the store keeps them */
    char *addressees;              /* owned: who is told because of a role, likewise */
    bool checking;                 /* --check: a person looks, and nothing is confined */
};

static void loaded_free(struct loaded *l)
{
    if (l == NULL) {
        return;
    }
    for (size_t i = 0; l->policy != NULL && i < l->settings->config.n_partner; i++) {
        wssec_policy_unref(l->policy[i]);
    }
    free(l->policy);
    free(l->persons);
    free(l->addressees);
    cli_settings_free(l->settings);
    free(l);
}

static struct wssec_policy *settings_policy(const struct gw_settings *s, const char *policy, const char *partner)
{
    const struct loaded *l = s->ctx;
    for (size_t i = 0; policy == NULL && partner != NULL && i < l->settings->config.n_partner; i++) {
        if (strcmp(l->settings->config.partner[i]->name, partner) == 0) {
            return l->policy[i];
        }
    }
    return wssec_policies_find(l->settings->policies, policy);
}

static bool settings_partner_known(const struct gw_settings *s, const char *partner)
{
    const struct loaded *l = s->ctx;
    return ks_config_partner(&l->settings->config, partner) != NULL;
}

static int64_t settings_partner_delivery(const struct gw_settings *s, const char *partner)
{
    const struct loaded *l = s->ctx;
    const struct ks_partner_config *p = ks_config_partner(&l->settings->config, partner);
    return p != NULL ? p->guaranteed_delivery : 0;
}

static unsigned settings_partner_concurrency(const struct gw_settings *s, const char *partner)
{
    const struct loaded *l = s->ctx;
    const struct ks_partner_config *p = ks_config_partner(&l->settings->config, partner);
    return p != NULL ? p->concurrency : 0;
}

static const ks_chain_rule *settings_chain(const struct gw_settings *s, const char *partner)
{
    const struct loaded *l = s->ctx;
    return ks_config_chain(&l->settings->config, partner);
}

static const struct ks_partner_config *settings_users(const struct gw_settings *s, const char *partner)
{
    const struct loaded *l = s->ctx;
    return ks_config_users(&l->settings->config, partner);
}

static const struct ks_user *settings_user(const struct gw_settings *s, const char *name)
{
    const struct loaded *l = s->ctx;
    return ks_config_user(&l->settings->config, name);
}

static unsigned settings_check(const struct gw_settings *s, const ks_snapshot *snapshot, struct cs_conf_report *report)
{
    const struct loaded *l = s->ctx;
    cli_doubts(l->settings, l->checking, cs_clock_now(), report);
    return ks_config_check(&l->settings->config, snapshot, report);
}

static void settings_each_file(const struct gw_settings *s, void (*each)(void *ctx, const char *file), void *ctx)
{
    const struct loaded *l = s->ctx;
    if (l->settings->tree != NULL) {
        cs_conf_each_file(l->settings->tree, each, ctx);
    }
    for (size_t i = 0; i < l->settings->config.n_user; i++) {
        each(ctx, l->settings->config.user[i]->file);
    }
}

static void settings_free(struct gw_settings *s)
{
    gw_config_free(s->config);
    free(s->keystore_uri);
    loaded_free(s->ctx);
    free(s);
}

static int apply_gateway(const struct cs_conf *tree, void *root, struct cs_conf_report *report)
{
    return cs_conf_apply(tree, gw_directives(), root, report);
}

/* Second pass over what this folder joins: the policy that each partner names. @return 0, or -1: reported */
static int resolve_partners(struct loaded *l, struct cs_conf_report *report)
{
    const struct ks_config *config = &l->settings->config;
    int rc = 0;
    l->policy = calloc(config->n_partner + 1, sizeof *l->policy);
    if (l->policy == NULL) {
        return -1;
    }
    for (size_t i = 0; i < config->n_partner; i++) {
        l->policy[i] = cli_partner_policy(l->settings, config->partner[i], report);
        rc |= l->policy[i] == NULL ? -1 : 0;
    }
    return rc;
}

/* gw_load of the gateway; ctx is the struct cli_context. */
static struct gw_settings *load_settings(void *ctx, struct cs_conf_report *report, cs_error *e)
{
    const struct cli_context *c = ctx;
    struct loaded *l = calloc(1, sizeof *l);
    struct gw_settings *s = calloc(1, sizeof *s);
    bool good = false;
    if (l == NULL || s == NULL || (s->config = gw_config_new()) == NULL) {
        goto out;
    }
    l->checking = cli_given(c, "check");
    l->settings = cli_settings_read(c->config_file, c->keystore_uri, report, apply_gateway, s->config);
    if (l->settings == NULL || (resolve_partners(l, report) | ks_users_read(&l->settings->config, report) |
                                ks_templates_read(&l->settings->config.mail, report)) != 0) {
        goto out;
    }
    if (l->settings->keystore_uri == NULL) {
        cs_error_set(e, CS_EXIT_CONFIG, "no-keystore", "%.256s names no keystore; write: keystore sqlite \"PATH\";",
                     c->config_file);
        goto out;
    }
    s->keystore_uri = strdup(l->settings->keystore_uri);
    if (s->keystore_uri == NULL) {
        goto out;
    }
    s->keystore = l->settings->keystore;
    s->keystore.keys = KS_KEYS_NEED; /* a gateway that cannot sign or decrypt must not look as if it ran */
    l->persons = ks_config_persons(&l->settings->config);
    l->addressees = ks_config_addressees(&l->settings->config);
    if (l->persons == NULL || l->addressees == NULL) {
        goto out;
    }
    s->mail = &l->settings->config.mail;
    s->issuers = ks_config_issuers(&l->settings->config);
    s->persons = l->persons;
    s->addressees = l->addressees;
    cs_copy(s->conf_hash, sizeof s->conf_hash, l->settings->hash);
    s->file = c->config_file;
    s->policy = settings_policy;
    s->partner_known = settings_partner_known;
    s->partner_delivery = settings_partner_delivery;
    s->partner_concurrency = settings_partner_concurrency;
    s->chain = settings_chain;
    s->users = settings_users;
    s->user = settings_user;
    s->check = settings_check;
    s->each_file = settings_each_file;
    s->free = settings_free;
    s->ctx = l;
    good = true;
out:
    if (good) {
        return s;
    }
    if (report->n != 0 && !report->warning_only) {
        cs_error_set(e, CS_EXIT_CONFIG, "configuration", "the configuration %.256s cannot be used", c->config_file);
    } else {
        cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    }
    if (s != NULL) {
        gw_config_free(s->config);
        free(s->keystore_uri);
        free(s);
    }
    loaded_free(l);
    return NULL;
}

/* Log lines go to stderr: JSON with --json; -v and -q move the level. */
static void set_up_log(const struct cli_context *c)
{
    enum cs_log_level level = c->quiet ? CS_LOG_WARN : c->verbose ? CS_LOG_DEBUG : CS_LOG_NOTICE;
    cs_log_setup(c->json ? CS_LOG_JSON : CS_LOG_HUMAN, level, STDERR_FILENO);
}

static int run(struct cli_context *c)
{
    struct gw_run_options options = {.load = load_settings,
                                     .load_ctx = c,
                                     .check_only = cli_given(c, "check"),
                                     .again = cli_given(c, "again"),
                                     .master_fd = -1,
                                     .ready_fd = -1};
    int64_t fd = -1;
    if (c->now_given) {
        return cli_usage(c, "the gateway takes the time from the system; --now is for one-shot commands");
    }
    if (cli_option_number(c, "master-fd", &fd)) {
        if (fd > 65535 || fcntl((int)fd, F_GETFD) < 0) {
            return cli_usage(c, "--master-fd: descriptor %lld is not open", (long long)fd);
        }
        options.master_fd = (int)fd;
    }
    if (!options.again && !gw_master_goes_on() && cli_option_number(c, "ready-fd", &fd)) {
        if (fd > 65535 || fcntl((int)fd, F_GETFD) < 0) {
            return cli_usage(c, "--ready-fd: descriptor %lld is not open", (long long)fd);
        }
        options.ready_fd = (int)fd;
    }
    set_up_log(c);
    if (options.master_fd < 0 && !options.check_only && !cli_given(c, "no-master")) {
        return gw_master_run(options.ready_fd);
    }
    if (cli_wssec_init(c) != 0) {
        return cli_fail(c);
    }
    int rc = gw_run(&options);
    wssec_shutdown();
    return rc;
}

static const struct cli_option options[] = {
    {"check", 0, CLI_FLAG, NULL, 0, "only check the configuration and what it refers to, then end"},
    {"no-master", 0, CLI_FLAG, NULL, 0, "one process alone: not started again when it dies, no upgrade by SIGUSR2"},
    {"master-fd", 0, CLI_NUMBER, "N", CLI_HIDDEN, "socket to the master that started this process"},
    {"again", 0, CLI_FLAG, NULL, CLI_HIDDEN, "take over from another process of the same master"},
    {"ready-fd", 0, CLI_NUMBER, "N", CLI_HIDDEN, "write a line to this descriptor when all listeners accept"},
    {0},
};

const struct cli_command cli_cmd_gateway = {
    .name = "gateway",
    .summary = "Run the proxy in front of receivers and senders, in the foreground",
    .options = options,
    .more =
        "SIGHUP reads the configuration again, SIGTERM lets exchanges end and exits 0, a second SIGTERM ends at once.\n"
        "The process is a master that keeps the listening sockets and starts another one that serves, again when that dies.\n"
        "SIGUSR2 upgrades: the program is read anew, a new process takes over, the old one drains; no connection is lost.\n"
        "Log lines go to stderr, as JSON with --json; the access log goes where the configuration says.\n"
        "Exit: 0 stopped as told, or the check found nothing; 69 keystore not available; 78 configuration or keystore\n"
        "cannot be read; with --check every error and every doubt (warning) is printed as file:line:column: message.",
    .run = run,
};
