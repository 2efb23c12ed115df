/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_renew.c: keystore renew and auto: the successor of a certificate, by hand or without one. */
#include <stdio.h>
#include <string.h>

#include "cli/keystore_issue.h"
#include "keystore/renewal.h"
#include "keystore/words.h"

/* ---- renew ------------------------------------------------------------------------------------------------------- */

struct renewing {
    struct cli_context *c;
    const char *alias;
};

static int carry_renew(ks_store *s, const void *what, bool dry_run, const ks_actor *who, cs_time now, ks_outcome *out,
                       cs_error *e)
{
    const struct renewing *r = what;
    const ks_new new = {.alias = r->alias};
    const struct cli_issue issue = {r->c, {&new, NULL, true}};
    int rc = 0;
    bool outside = cli_issue_wanted(r->c, s, r->alias, NULL, &rc);
    return rc != 0   ? rc
           : outside ? cli_issue_carry(s, &issue, dry_run, who, now, out, e)
                     : ks_renew(s, r->alias, dry_run, who, now, out, e);
}

static int run_renew(struct cli_context *c)
{
    const struct cli_change change = {"renew", c->argv[0], cli_given(c, "dry-run"), true};
    struct cli_entry slot;
    if (cli_entry_read(c, c->argv[0], true, &slot) != 0) {
        return CS_EXIT_USAGE;
    }
    return slot.n != 0 ? cli_usage(c, "renew takes the alias alone: %s", slot.alias)
                       : cli_change_run(c, &change, carry_renew, &(const struct renewing){c, slot.alias});
}

static const struct cli_option renew_options[] = {
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_keystore_renew = {
    .parent = "keystore",
    .name = "renew",
    .summary = "Make the successor of an own certificate: same name, issuer, kind of key and validity, new key",
    .operands = "ALIAS",
    .min_operands = 1,
    .max_operands = 1,
    .options = renew_options,
    .more =
        "In a full slot the inactive entry goes in the same change, unless it is still needed (G9). The new one waits for\n"
        "\"keystore activate\".\n"
        "Exit: 0 made; 10 refused by a guard; 11 who goes needs a second person; 64 an outside authority issued it: the\n"
        "message tells the command for a request; 69, 75 the issuer of the configuration is away, or lets us wait.",
    .run = run_renew,
};

/* ---- auto -------------------------------------------------------------------------------------------------------- */

static void sentence(const ks_auto_info *i, cs_time now, char *out, size_t size)
{
    char when[80];
    char start[384] = "";
    if (!i->on) {
        snprintf(out, size, "%s  auto off", i->alias);
        return;
    }
    if (i->successor != 0) {
        snprintf(start, sizeof start, ": #%u was made for #%u%s", i->successor, i->n,
                 i->fingerprint ? "; when the other side has it, activate it" : "");
    } else if (i->at != 0 && i->error[0] != '\0') {
        snprintf(start, sizeof start, ": the successor of #%u could not be made: %.240s", i->n, i->error);
    } else if (i->at != 0) {
        snprintf(start, sizeof start, ": regenerates %s, before #%u ends",
                 now < i->at ? cli_time_local(i->at, when, sizeof when) : "now", i->n);
    }
    snprintf(out, size, "%s  auto on%s  (%d d, pinning %s%s%s)", i->alias, start, i->days,
             i->fingerprint ? "fingerprint: made, not activated" : "dn", i->window[0] != '\0' ? ", window " : "",
             i->window);
}

/* How a slot renews itself, into an open object. */
static void settings_json(cs_json *j, const ks_auto_info *i)
{
    char entry[KS_WORD + 12];
    snprintf(entry, sizeof entry, "%s#%u", i->alias, i->n);
    cs_json_int(j, "days", i->days);
    cs_json_str(j, "pinning", i->fingerprint ? "fingerprint" : "dn");
    cs_json_str(j, "window", i->window[0] != '\0' ? i->window : NULL);
    cs_json_str(j, "ends", i->n != 0 ? entry : NULL);
    cs_json_time(j, "not_after", i->not_after);
    cs_json_time(j, "regenerates", i->on ? i->at : 0);
    snprintf(entry, sizeof entry, "%s#%u", i->alias, i->successor);
    cs_json_str(j, "successor", i->successor != 0 ? entry : NULL);
    cs_json_str(j, "error", i->error[0] != '\0' ? i->error : NULL);
}

static void auto_json(cs_json *j, const ks_auto_info *i)
{
    cs_json_str(j, "alias", i->alias);
    cs_json_str(j, "auto", i->on ? "on" : "off");
    settings_json(j, i);
}

struct member {
    cs_json *j;
    bool written;
};

static int write_member(void *ctx, const ks_auto_info *i, cs_error *e)
{
    (void)e;
    struct member *m = ctx;
    cs_json_object(m->j, "auto");
    cs_json_bool(m->j, "on", i->on);
    settings_json(m->j, i);
    cs_json_object_end(m->j);
    m->written = true;
    return 0;
}

int cli_auto_member(struct cli_context *c, ks_store *s, const ks_info *info, cs_json *j)
{
    struct member m = {j, false};
    if (ks_role_row(info->role)->own_key && ks_auto_each(s, info->alias, c->now, write_member, &m, &c->error) != 0) {
        return -1;
    }
    if (!m.written) {
        cs_json_null(j, "auto");
    }
    return 0;
}

static int show(void *ctx, const ks_auto_info *i, cs_error *e)
{
    (void)e;
    const cs_time *now = ctx;
    char text[640];
    sentence(i, *now, text, sizeof text);
    puts(text);
    return 0;
}

int cli_autos_print(struct cli_context *c, ks_store *s, const ks_filter *f)
{
    if (c->json || f->partner != NULL || f->has_role || f->has_state) {
        return CS_EXIT_OK;
    }
    return ks_auto_each(s, f->alias, c->now, show, &c->now, &c->error) == 0 ? CS_EXIT_OK : cli_fail(c);
}

static int print_auto(struct cli_context *c, const ks_auto_info *i, bool dry_run)
{
    char text[640];
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    if (!c->json) {
        sentence(i, c->now, text, sizeof text);
        printf("%s%s\n", text, dry_run ? "  (nothing is changed)" : "");
        if (i->on && !i->fingerprint) {
            cli_say(
                c,
                "systems that know the certificate by its fingerprint refuse the new one until they have it: for them "
                "--pinning fingerprint");
        }
        return CS_EXIT_OK;
    }
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    auto_json(&j, i);
    cs_json_bool(&j, "dry_run", dry_run);
    cs_json_int(&j, "generation", i->generation > INT64_MAX ? INT64_MAX : (int64_t)i->generation);
    cs_json_object_end(&j);
    int rc = cli_json_line(c, &b);
    cs_buf_free(&b);
    return rc;
}

static int run_auto(struct cli_context *c)
{
    struct cli_settings *settings = NULL;
    struct cli_caller caller;
    ks_store *store = NULL;
    ks_auto_info info;
    bool dry_run = cli_given(c, "dry-run");
    ks_auto_request r = {.alias = c->argv[0], .window = cli_option(c, "window"), .pinning = cli_option(c, "pinning")};
    r.on = strcmp(c->argv[1], "on") == 0;
    if (!r.on && strcmp(c->argv[1], "off") != 0) {
        return cli_usage(c, "\"%.40s\" is none of: on, off", c->argv[1]);
    }
    if (cli_option_number(c, "days", &r.days) && r.days == 0) {
        return cli_usage(c, "--days: at least one");
    }
    cli_caller_find(c, &caller);
    int rc = CS_EXIT_OK;
    if (cli_keystore_open(c, &settings, &store) != 0 ||
        ks_auto_set(store, &r, dry_run, &caller.actor, c->now, &info, &c->error) != 0) {
        rc = cli_fail(c);
    } else {
        rc = print_auto(c, &info, dry_run);
        rc = rc == CS_EXIT_OK && !dry_run ? cli_wait_applied(c, store, info.generation) : rc;
    }
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

static const struct cli_option auto_options[] = {
    {"days", 0, CLI_NUMBER, "N", 0, "begin so many days before the end, 1 to 14; 14 when never given"},
    {"window", 0, CLI_TEXT, "SPEC", 0,
     "only then: \"Mon-Thu 09:00-12:00\", behind it UTC, local, or a time zone as Europe/Berlin; \"\": at any time"},
    {"pinning", 0, CLI_TEXT, "dn|fingerprint", 0,
     "what the other side checks: name and issuer, or the certificate itself (then it is made, and activated by you)"},
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_keystore_auto = {
    .parent = "keystore",
    .name = "auto",
    .summary = "Let a certificate of the keystore's own authority be regenerated and activated before it ends, or not",
    .operands = "ALIAS on|off",
    .min_operands = 2,
    .max_operands = 2,
    .options = auto_options,
    .more =
        "A running gateway, or \"keystore tick\", makes the successor within 14 days before the end, activates it when all\n"
        "nodes have it, and deactivates the one before. A prepared second that lasts 30 days is activated instead. When the\n"
        "active one has expired beside a second that never was active: a new one is generated and active, the expired one\n"
        "is deactivated, the second deleted. A window never beats the end: a day before it the successor is made "
        "anyway.",
    .run = run_auto,
};
