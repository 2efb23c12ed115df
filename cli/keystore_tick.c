/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_tick.c: keystore tick and keystore clock: what is due, and the clock that says so. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/keystore_issue.h"
#include "gateway/config.h"
#include "keystore/link.h"
#include "keystore/mail.h"

/* What the time of day is held against; ran keeps the name. */
static ks_uptime uptime(cs_uptime *ran)
{
    cs_clock_uptime(ran);
    return (ks_uptime){ran->boot, ran->s};
}

/* ---- tick ------------------------------------------------------------------------------------------------------- */

static int due_json(struct cli_context *c, const ks_due *d)
{
    char entry[KS_WORD + 12];
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    snprintf(entry, sizeof entry, "%s#%u", d->alias, d->n);
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "action", d->word);
    cs_json_str(&j, "entry", entry);
    cs_json_bool(&j, "done", d->done);
    cs_json_int(&j, "generation", d->generation > INT64_MAX ? INT64_MAX : (int64_t)d->generation);
    cs_json_str(&j, "text", d->text[0] != '\0' ? d->text : NULL);
    cs_json_object_end(&j);
    int rc = cli_json_line(c, &b);
    cs_buf_free(&b);
    return rc;
}

static int print_due(struct cli_context *c, const ks_report *r, bool dry_run)
{
    int rc = CS_EXIT_OK;
    char when[80];
    for (size_t i = 0; rc == CS_EXIT_OK && i < r->n; i++) {
        const ks_due *d = &r->due[i];
        if (c->json) {
            rc = due_json(c, d);
        } else if (d->text[0] != '\0') {
            printf("%s %s#%u: %s\n", d->word, d->alias, d->n, d->text);
        } else {
            printf("%s %s#%u: %s\n", d->word, d->alias, d->n, dry_run ? "is due" : "done");
        }
    }
    if (r->n == 0 && !r->clock.suspect) {
        cli_say(c, "nothing is due");
    }
    if (r->next != 0) {
        cli_say(c, "next: %s", cli_time_local(r->next, when, sizeof when));
    }
    return rc;
}

static int tick(struct cli_context *c, ks_store *store)
{
    ks_report report;
    bool dry_run = cli_given(c, "dry-run");
    cs_uptime ran;
    const ks_uptime up = uptime(&ran);
    if (ks_tick(store, dry_run, c->now_given ? NULL : &up, c->now, &report, &c->error) != 0) {
        return cli_fail(c);
    }
    int rc = print_due(c, &report, dry_run);
    bool refused = false;
    for (size_t i = 0; i < report.n; i++) {
        refused = refused || report.due[i].text[0] != '\0';
    }
    if (report.clock.suspect) {
        cli_warn(
            c, "clock-suspect: %s; nothing is done by itself. If the clock is right: countersign keystore clock accept",
            report.clock.text);
        refused = true;
    }
    ks_report_free(&report);
    return rc == CS_EXIT_OK && refused ? CS_EXIT_FAIL : rc;
}

/* What links of mails begin with: links of the block admin; NULL: mails have none. A gateway answers them. */
static const char *links_of(const struct cli_settings *settings)
{
    const struct cs_conf_node *node = settings->tree != NULL ? cs_conf_root(settings->tree) : NULL;
    while (node != NULL && strcmp(node->name, "admin") != 0) {
        node = node->next;
    }
    for (node = node != NULL ? node->child : NULL; node != NULL; node = node->next) {
        if (strcmp(node->name, "links") == 0 && node->argc == 1 && gw_links_ok(node->arg[0].text)) {
            return node->arg[0].text;
        }
    }
    return NULL;
}

/* Notices that wait. One that no server takes is told and tried again: no failure of what else was due. */
static int deliver(struct cli_context *c, struct cli_settings *settings, ks_store *store)
{
    ks_delivered done;
    if (cli_templates_read(c, settings) != 0) {
        return cli_fail(c);
    }
    ks_mail mail = settings->config.mail;
    mail.link_base = links_of(settings);
    mail.link = mail.link_base != NULL ? ks_link_write : NULL;
    if (ks_deliver(store, &mail, c->now, &done, &c->error) != 0) {
        return cli_fail(c);
    }
    if (done.sent > 0) {
        cli_say(c, "%zu notice%s sent", done.sent, done.sent == 1 ? "" : "s");
    }
    if (done.failed + done.put_off > 0) {
        cli_warn(c, "%zu notice%s not sent; the last: %s", done.failed + done.put_off,
                 done.failed + done.put_off == 1 ? "" : "s", done.text);
    }
    if (done.stuck > 0) {
        cli_warn(c, "%zu mail%s wait, and the configuration has no mail { server …; from …; }", done.stuck,
                 done.stuck == 1 ? "" : "s");
    }
    return CS_EXIT_OK;
}

/* Issuers of others; what they gave takes its place at once where it may. */
static int issue(struct cli_context *c, ks_store *store)
{
    bool came = false;
    bool refused = false;
    if (cli_issue_due(c, store, &came, &refused) != 0) {
        return cli_fail(c);
    }
    int rc = came ? tick(c, store) : CS_EXIT_OK;
    return rc == CS_EXIT_OK && refused ? CS_EXIT_FAIL : rc;
}

static int run_tick(struct cli_context *c)
{
    struct cli_settings *settings = NULL;
    ks_store *store = NULL;
    int rc = cli_keystore_open(c, &settings, &store) != 0 ? cli_fail(c) : tick(c, store);
    if ((rc == CS_EXIT_OK || rc == CS_EXIT_FAIL) && !cli_given(c, "dry-run")) {
        int issued = issue(c, store);
        rc = issued != CS_EXIT_OK ? issued : rc;
    }
    if ((rc == CS_EXIT_OK || rc == CS_EXIT_FAIL) && !cli_given(c, "dry-run")) {
        int delivered = deliver(c, settings, store);
        rc = delivered != CS_EXIT_OK ? delivered : rc;
    }
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

static const struct cli_option tick_options[] = {
    {"dry-run", 0, CLI_FLAG, NULL, 0, "tell what is due; change nothing"},
    {"wait", 0, CLI_DURATION, "DURATION", 0, "wait so long for the lock"},
    {0},
};

const struct cli_command cli_cmd_keystore_tick = {
    .parent = "keystore",
    .name = "tick",
    .summary = "Do all that is due, once: windows that are over, what was set for its instant, the end of the trash",
    .options = tick_options,
    .more =
        "A gateway does the same by itself, but for issuers that are programs (exec): these are asked here alone. For a\n"
        "timer where no gateway runs, or where such issuers are.\n"
        "Exit: 0 done, or nothing due; 1 something due was refused, or waits since the clock is suspect.",
    .run = run_tick,
};

/* ---- clock ------------------------------------------------------------------------------------------------------ */

static int print_clock(struct cli_context *c, const ks_clock_info *i)
{
    char now[80];
    char mark[80];
    if (!c->json) {
        printf("%s\n", cli_time_local(c->now, now, sizeof now));
        printf("keystore changed last %s\n",
               i->high_water != 0 ? cli_time_local(i->high_water, mark, sizeof mark) : "never");
        printf("%s%s\n", i->suspect ? "suspect: " : "good", i->suspect ? i->text : "");
        return CS_EXIT_OK;
    }
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_time(&j, "now", c->now);
    cs_json_time(&j, "high_water", i->high_water);
    cs_json_bool(&j, "suspect", i->suspect);
    cs_json_str(&j, "text", i->text[0] != '\0' ? i->text : NULL);
    cs_json_object_end(&j);
    int rc = cli_json_line(c, &b);
    cs_buf_free(&b);
    return rc;
}

static int run_clock(struct cli_context *c)
{
    struct cli_settings *settings = NULL;
    struct cli_caller caller;
    ks_store *store = NULL;
    ks_clock_info info;
    bool accept = c->argc == 1;
    if (accept && strcmp(c->argv[0], "accept") != 0) {
        return cli_usage(c, "\"%.40s\" is none of: accept", c->argv[0]);
    }
    cli_caller_find(c, &caller);
    cs_uptime ran;
    const ks_uptime here = uptime(&ran);
    const ks_uptime *up = c->now_given ? NULL : &here;
    int rc = CS_EXIT_OK;
    if (cli_keystore_open(c, &settings, &store) != 0 ||
        (accept ? ks_clock_accept(store, cli_given(c, "dry-run"), &caller.actor, up, c->now, &info, &c->error)
                : ks_clock_look(store, up, c->now, &info, &c->error)) != 0) {
        rc = cli_fail(c);
    } else {
        rc = print_clock(c, &info);
        rc = rc == CS_EXIT_OK && info.suspect ? CS_EXIT_FAIL : rc;
    }
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

static const struct cli_option clock_options[] = {
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_keystore_clock = {
    .parent = "keystore",
    .name = "clock",
    .summary = "Tell whether the clock fits the keystore; accept: say that it is right",
    .operands = "[accept]",
    .max_operands = 1,
    .options = clock_options,
    .more = "A clock that went back, or ahead by more than a week since the last change, or that left the one that "
            "nobody can set by\n"
            "more than a minute while the machine was running, stops what is done by itself.\n"
            "Exit: 0 good; 1 suspect.",
    .run = run_clock,
};
