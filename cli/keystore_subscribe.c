/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_subscribe.c: keystore subscribe, unsubscribe, subscribers and test-mail: who is told, and whether mail goes.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/keystore.h"
#include "keystore/mail.h"
#include "keystore/operators.h"

/* The operator whose account calls, with an address. @return 0, or -1: the error is set */
static int find_me(struct cli_context *c, const struct cli_settings *settings, ks_subscriber *out)
{
    struct cli_caller caller;
    cli_caller_find(c, &caller);
    for (size_t i = 0; i < settings->config.n_operator; i++) {
        const struct ks_operator *o = settings->config.operators[i];
        for (size_t k = 0; k < o->n_uid; k++) {
            if (strcmp(o->uid[k], caller.name) == 0 && o->mail[0] != '\0') {
                cs_copy(out->name, sizeof out->name, o->full_name[0] != '\0' ? o->full_name : o->name);
                if (!cs_copy(out->mail, sizeof out->mail, o->mail)) {
                    out->mail[0] = '\0';
                }
                return 0;
            }
        }
    }
    return cs_error_set(
        &c->error, CS_EXIT_USAGE, "operator-unknown",
        "no operator of the configuration has the account %.60s and an address; write: operator NAME { uid %.60s; mail "
        "\"ADDRESS\"; }, or use --mail",
        caller.name, caller.name);
}

/* Who is meant by --me, or --name and --mail. @return 0; 1: the usage error is printed; -1: the error is set */
static int read_person(struct cli_context *c, const struct cli_settings *settings, bool with_name, ks_subscriber *out)
{
    const char *name = cli_option(c, "name");
    const char *mail = cli_option(c, "mail");
    memset(out, 0, sizeof *out);
    if (cli_given(c, "me")) {
        if (name != NULL || mail != NULL) {
            cli_usage(c, "--me stands alone: the address is that of the operator");
            return 1;
        }
        return find_me(c, settings, out);
    }
    if (mail == NULL || (with_name && name == NULL)) {
        cli_usage(c, with_name ? "--me, or both --name NAME and --mail ADDRESS" : "--me, or --mail ADDRESS");
        return 1;
    }
    out->kind = with_name && cli_given(c, "group") ? KS_SUBSCRIBER_GROUP : KS_SUBSCRIBER_OTHER;
    if (!cs_copy(out->mail, sizeof out->mail, mail) || (name != NULL && !cs_copy(out->name, sizeof out->name, name))) {
        return cs_error_set(&c->error, CS_EXIT_USAGE, "mail-address", "an address has at most %d octets, a name %d",
                            KS_MAIL - 1, KS_FULL_NAME - 1);
    }
    return 0;
}

static int change(struct cli_context *c, bool add)
{
    struct cli_settings *settings = NULL;
    struct cli_caller caller;
    ks_store *store = NULL;
    ks_subscriber told;
    uint64_t generation = 0;
    bool dry_run = cli_given(c, "dry-run");
    const char *alias = c->argv[0];
    int rc = CS_EXIT_OK;
    cli_caller_find(c, &caller);
    int opened = cli_keystore_open(c, &settings, &store);
    int person = opened == 0 ? read_person(c, settings, add, &told) : -1;
    if (person == 1) {
        rc = CS_EXIT_USAGE;
    } else if (person != 0 ||
               (add ? ks_subscribe(store, alias, &told, dry_run, &caller.actor, c->now, &generation, &c->error)
                    : ks_unsubscribe(store, alias, told.mail, dry_run, &caller.actor, c->now, &generation,
                                     &c->error)) != 0) {
        rc = cli_fail(c);
    } else {
        cli_say(c, "%s%s %s told about %s", dry_run ? "dry run: " : "", told.mail, add ? "is" : "is no longer", alias);
        if (add && !settings->config.mail.given) {
            cli_warn(c, "no mail leaves yet: the configuration has no mail { server …; from …; }");
        }
        rc = dry_run ? CS_EXIT_OK : cli_wait_applied(c, store, generation);
    }
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

static int run_subscribe(struct cli_context *c)
{
    return change(c, true);
}

static int run_unsubscribe(struct cli_context *c)
{
    return change(c, false);
}

static const struct cli_option subscribe_options[] = {
    {"me", 0, CLI_FLAG, NULL, 0, "the operator of the configuration who calls"},
    {"name", 0, CLI_TEXT, "NAME", 0, "of the person or group, as people write it"},
    {"mail", 0, CLI_TEXT, "ADDRESS", 0, "where the mails go"},
    {"group", 0, CLI_FLAG, NULL, 0, "the address is a list of several people"},
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_keystore_subscribe = {
    .parent = "keystore",
    .name = "subscribe",
    .summary = "Tell somebody by mail of what concerns an own certificate: its end at 30, 14 and 3 days, its renewal",
    .operands = "ALIAS",
    .min_operands = 1,
    .max_operands = 1,
    .options = subscribe_options,
    .more = "Example:\n  countersign keystore subscribe ack-client --name \"Anna Berg\" --mail anna@example.com\n"
            "Exit: 0 done; 12 the address is told already; 64 no such alias, an address or name that is none.",
    .run = run_subscribe,
};

static const struct cli_option unsubscribe_options[] = {
    {"me", 0, CLI_FLAG, NULL, 0, "the operator of the configuration who calls"},
    {"mail", 0, CLI_TEXT, "ADDRESS", 0, "that gets no mails any more, not even those that wait"},
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_keystore_unsubscribe = {
    .parent = "keystore",
    .name = "unsubscribe",
    .summary = "Send no mails about an own certificate to an address any more",
    .operands = "ALIAS",
    .min_operands = 1,
    .max_operands = 1,
    .options = unsubscribe_options,
    .run = run_unsubscribe,
};

/* ---- subscribers ------------------------------------------------------------------------------------------------ */

static int print_subscriber(void *ctx, const ks_subscriber *row, cs_error *e)
{
    struct cli_context *c = ctx;
    char date[CS_TIME_TEXT];
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    (void)e;
    if (!c->json) {
        printf("%-32s %-24s %-6s since %s\n", row->mail, row->name, ks_subscriber_word(row->kind),
               cli_date(row->since, date));
        return 0;
    }
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "mail", row->mail);
    cs_json_str(&j, "name", row->name);
    cs_json_str(&j, "kind", ks_subscriber_word(row->kind));
    cs_json_time(&j, "since", row->since);
    cs_json_str(&j, "by", row->actor);
    cs_json_object_end(&j);
    int rc = cli_json_line(c, &b);
    cs_buf_free(&b);
    return rc == CS_EXIT_OK ? 0 : cs_error_set(e, CS_EXIT_INTERNAL, "output", "the output cannot be written");
}

static int run_subscribers(struct cli_context *c)
{
    ks_store *store = NULL;
    int rc = cli_open_store(c, true, NULL, &store) != 0 ||
                     ks_subscribers(store, c->argv[0], print_subscriber, c, &c->error) != 0
                 ? cli_fail(c)
                 : CS_EXIT_OK;
    ks_close(store);
    return rc;
}

const struct cli_command cli_cmd_keystore_subscribers = {
    .parent = "keystore",
    .name = "subscribers",
    .summary = "Who is told of what concerns an own certificate",
    .operands = "ALIAS",
    .min_operands = 1,
    .max_operands = 1,
    .run = run_subscribers,
};

/* ---- test-mail -------------------------------------------------------------------------------------------------- */

static int run_test_mail(struct cli_context *c)
{
    struct cli_settings *settings = NULL;
    int rc = CS_EXIT_OK;
    if (cli_settings_load(c, false, &settings) != 0 ||
        ks_mail_test(&settings->config.mail, c->argv[0], c->now, &c->error) != 0) {
        rc = cli_fail(c);
    } else {
        cli_say(c, "%s took the mail for %s", settings->config.mail.server, c->argv[0]);
    }
    cli_settings_free(settings);
    return rc;
}

const struct cli_command cli_cmd_keystore_test_mail = {
    .parent = "keystore",
    .name = "test-mail",
    .summary = "Send one mail the way that notices go",
    .operands = "ADDRESS",
    .min_operands = 1,
    .max_operands = 1,
    .more =
        "Exit: 0 the server took it; 64 no address; 69 it did not, with what it said; 78 the configuration has no mail { }.",
    .run = run_test_mail,
};
