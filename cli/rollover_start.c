/* SPDX-License-Identifier: Apache-2.0 */
/* rollover_start.c: rollover start: of one slot, or of all slots that hold one key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/rollover.h"
#include "cli/runbooks.h"
#include "keystore/operators.h"

#define STARTS 8 /* roll-overs begun at once, at most */

static int read_span(struct cli_context *c, struct ks_roll_request *q)
{
    bool of_key = cli_option(c, "key") != NULL;
    cli_option_time(c, "window", &q->window_from);
    cli_option_time(c, "until", &q->window_to);
    if (!of_key && c->argc == 2 && cs_time_parse(c->argv[1], &q->window_to) != 0) {
        return cli_usage(c, "\"%.40s\" is no instant, as 2026-12-01T22:00:00Z", c->argv[1]);
    }
    if (!of_key && c->argc > 2) {
        return cli_usage(c, "one runbook for one --alias; several are for --key");
    }
    if ((q->window_from != 0) != (q->window_to != 0)) {
        return cli_usage(c, of_key ? "a window has two ends: --window FROM --until TO"
                                   : "a window has two ends: --window FROM TO");
    }
    return 0;
}

/* What would be done by whom, before anything is. */
static int print_plan(struct cli_context *c, const struct ks_runbook *r, const char *alias)
{
    char who[160];
    if (c->json) {
        cs_buf b = CS_BUF_INIT;
        cs_json j;
        cs_json_begin(&j, &b);
        cs_json_object(&j, NULL);
        cs_json_str(&j, "runbook", r->name);
        cs_json_str(&j, "alias", alias);
        cs_json_bool(&j, "dry_run", true);
        cs_json_int(&j, "steps", (int64_t)r->n);
        cs_json_object_end(&j);
        int rc = cli_json_line(c, &b);
        cs_buf_free(&b);
        return rc;
    }
    printf("dry run: %s of %s would begin\n", r->name, alias);
    for (size_t i = 0; i < r->n; i++) {
        printf(" %-3s %-22s %s\n", r->step[i].n, cli_parts_text(r->step[i].who, ", ", who, sizeof who),
               r->step[i].title);
    }
    return CS_EXIT_OK;
}

static bool has_contact(const struct ks_partner_config *p, const char *role)
{
    for (size_t i = 0; p != NULL && i < p->n_contact; i++) {
        if (strcmp(p->contact[i].role, role) == 0) {
            return true;
        }
    }
    return false;
}

/* A role that nobody has: its mails are written by hand. */
static void warn_roles(struct cli_context *c, const struct cli_settings *settings, const struct ks_rollover *r)
{
    unsigned needed = 0;
    unsigned have = settings->config.n_operator == 0 ? 1U << KS_TENANT_ADMIN | 1U << KS_INTEGRATION_DEVELOPER : 0;
    for (size_t i = 0; i < r->runbook->n; i++) {
        needed |= r->runbook->step[i].who;
    }
    for (size_t i = 0; i < settings->config.n_operator; i++) {
        have |= settings->config.operators[i]->roles;
    }
    const struct ks_partner_config *p = r->partner[0] != '\0' ? ks_config_partner(&settings->config, r->partner) : NULL;
    have |= r->n_sender > 0 ? 1U << KS_SENDER_ADMIN : 0;
    for (size_t k = 0; k < KS_PARTS; k++) {
        have |= has_contact(p, ks_part_word((enum ks_part)k)) ? 1U << k : 0;
    }
    for (size_t k = 0; k < KS_PARTS; k++) {
        if ((needed & ~have & (1U << k)) != 0) {
            cli_warn(
                c,
                "nobody has the role %s: its mails are written with \"countersign rollover message %s STEP\"; to have "
                "them sent: contact %s \"NAME\" \"ADDRESS\"; in partner %s { } of the configuration",
                ks_part_word((enum ks_part)k), r->name, ks_part_word((enum ks_part)k),
                r->partner[0] != '\0' ? r->partner : "NAME");
        }
    }
}

/* Routes are known from nodes that run: without one a downtime would stop nothing. */
static void warn_routes(struct cli_context *c, const struct ks_rollover *r)
{
    bool holds = false;
    for (size_t i = 0; i < r->runbook->n; i++) {
        for (size_t k = 0; k < r->runbook->step[i].n_run; k++) {
            holds = holds || strncmp(r->runbook->step[i].run[k], "hold ", 5) == 0;
        }
    }
    if (holds && r->n_route == 0) {
        cli_warn(
            c,
            "no route of a gateway that runs uses %s: in the window nothing would be put on hold. Start the gateway "
            "before it begins, and see: countersign keystore show %s",
            r->row.alias, r->row.alias);
    }
}

/* What is to begin: one, or with a key one for each slot that holds it. */
struct starting {
    struct ks_runbook *book[STARTS]; /* owned: as named */
    size_t n_book;
    struct ks_roll_slot *slot; /* owned: NULL with an alias */
    struct ks_roll_request q[STARTS];
    struct ks_rollover *out[STARTS]; /* owned */
    size_t n;
};

static void starting_free(struct starting *st)
{
    for (size_t i = 0; i < st->n_book; i++) {
        ks_runbook_free(st->book[i]);
    }
    for (size_t i = 0; i < st->n; i++) {
        ks_rollover_free(st->out[i]);
    }
    free(st->slot);
}

static int read_books(struct cli_context *c, struct starting *st)
{
    int n = cli_option(c, "key") != NULL ? c->argc : 1;
    for (int i = 0; i < n && i < STARTS; i++) {
        struct ks_runbook *book = cli_runbook_find(c, c->argv[i]);
        if (book == NULL) {
            return cli_fail(c);
        }
        st->book[st->n_book++] = book;
    }
    return CS_EXIT_OK;
}

/* Each slot with the key gets the runbook for its role: exactly one must be named, and each named one must be of use.
 */
static int choose(struct cli_context *c, struct starting *st, size_t n_slot, const struct ks_roll_request *all)
{
    unsigned used = 0;
    if (n_slot > STARTS) {
        return cli_usage(c, "%zu slots have that key; begin with --alias, one after the other", n_slot);
    }
    for (size_t i = 0; i < n_slot; i++) {
        size_t fits = 0;
        st->q[i] = *all;
        st->q[i].alias = st->slot[i].alias;
        for (size_t k = 0; k < st->n_book; k++) {
            if (st->book[k]->role == st->slot[i].role) {
                st->q[i].runbook = st->book[k];
                used |= 1U << k;
                fits++;
            }
        }
        if (fits != 1) {
            return cli_usage(c,
                             "%s has that key, and the role %s: name %s runbook for it, of: countersign rollover "
                             "list-runbooks --role %s",
                             st->slot[i].alias, ks_role_word(st->slot[i].role), fits == 0 ? "a" : "only one",
                             ks_role_word(st->slot[i].role));
        }
        if (!st->q[i].runbook->window) {
            st->q[i].window_from = st->q[i].window_to = 0;
        }
    }
    for (size_t k = 0; k < st->n_book; k++) {
        if ((used & (1U << k)) == 0) {
            return cli_usage(c, "runbook %s is for slots of role %s, and none of them has that key", st->book[k]->name,
                             ks_role_word(st->book[k]->role));
        }
    }
    st->n = n_slot;
    return CS_EXIT_OK;
}

static int expand(struct cli_context *c, ks_store *s, struct starting *st, const struct ks_roll_request *all)
{
    const char *key = cli_option(c, "key");
    uint8_t spki[32];
    size_t n = 0;
    if (key == NULL) {
        st->q[0] = *all;
        st->q[0].runbook = st->book[0];
        st->n = 1;
        return CS_EXIT_OK;
    }
    if (strlen(key) != 64 || cs_unhex(key, spki, sizeof spki) != 0) {
        return cli_usage(c,
                         "--key takes 64 hexadecimal digits, spki_sha256 of: countersign keystore show ALIAS --json");
    }
    return ks_rollover_slots(s, spki, &st->slot, &n, &c->error) != 0 ? cli_fail(c) : choose(c, st, n, all);
}

static int start(struct cli_context *c, const struct cli_settings *settings, ks_store *s, struct starting *st)
{
    struct cli_caller caller;
    bool dry_run = cli_given(c, "dry-run");
    int rc = CS_EXIT_OK;
    cli_caller_find(c, &caller);
    if (ks_rollover_start_all(s, st->q, st->n, dry_run, &caller.actor, c->now, st->out, &c->error) != 0) {
        return cli_fail(c);
    }
    for (size_t i = 0; rc == CS_EXIT_OK && i < st->n; i++) {
        if (dry_run) {
            rc = print_plan(c, st->q[i].runbook, st->q[i].alias);
            continue;
        }
        warn_roles(c, settings, st->out[i]);
        warn_routes(c, st->out[i]);
        rc = cli_rollover_print(c, s, st->out[i]);
    }
    if (rc == CS_EXIT_OK && st->n > 1) {
        cli_say(c,
                "%zu slots have the key; each has steps of its own, and a new certificate for all of them is given to "
                "each: countersign keystore import",
                st->n);
    }
    return rc;
}

static int run_start(struct cli_context *c)
{
    struct cli_settings *settings = NULL;
    ks_store *store = NULL;
    struct starting st = {.n = 0};
    struct ks_roll_request all = {.alias = cli_option(c, "alias"),
                                  .partner = cli_option(c, "partner"),
                                  .stay_held = cli_given(c, "stay-held"),
                                  .release_by_hand = cli_given(c, "release-by-hand"),
                                  .require_all = cli_given(c, "require-all")};
    if (all.release_by_hand && cli_given(c, "auto-release")) {
        return cli_usage(c, "--auto-release and --release-by-hand exclude each other");
    }
    if ((all.alias != NULL) == (cli_option(c, "key") != NULL)) {
        return cli_usage(c, "the slot is given by --alias ALIAS, or all slots of a key by --key SPKI");
    }
    int rc = read_span(c, &all);
    rc = rc == CS_EXIT_OK ? read_books(c, &st) : rc;
    if (rc == CS_EXIT_OK && cli_keystore_open(c, &settings, &store) != 0) {
        rc = cli_fail(c);
    }
    rc = rc == CS_EXIT_OK ? expand(c, store, &st, &all) : rc;
    rc = rc == CS_EXIT_OK ? start(c, settings, store, &st) : rc;
    starting_free(&st);
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

static const struct cli_option start_options[] = {
    {"alias", 0, CLI_TEXT, "ALIAS", 0, "the slot whose certificate is exchanged"},
    {"key", 0, CLI_TEXT, "SPKI", 0,
     "instead: all slots whose active certificate has this key (SHA-256), with a runbook for the role of each"},
    {"partner", 0, CLI_TEXT, "PARTNER", 0, "whose contacts are told; else the slot's, or that of its routes"},
    {"window", 0, CLI_TIME, "FROM", 0, "beginning of the agreed span; its end stands behind it"},
    {"until", 0, CLI_TIME, "TO", 0, "its end, where it does not stand behind FROM"},
    {"stay-held", 0, CLI_FLAG, NULL, 0, "when the span is over and the other side not ready: an alarm, no way back"},
    {"auto-release", 0, CLI_FLAG, NULL, 0, "routes on hold are let go when the other side is ready: the default"},
    {"release-by-hand", 0, CLI_FLAG, NULL, 0, "routes on hold are let go with rollover next, not by themselves"},
    {"require-all", 0, CLI_FLAG, NULL, 0,
     "put an exchange off when a sender did not say one hour before it that he is ready; else that is warned of"},
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_rollover_start = {
    .parent = "rollover",
    .name = "start",
    .summary = "Begin the exchange of a certificate along a runbook",
    .operands = "RUNBOOK… [TO]",
    .min_operands = 1,
    .max_operands = STARTS,
    .options = start_options,
    .more = "Examples:\n"
            "  countersign rollover start verifier --alias acme-sign\n"
            "  countersign rollover start tls-client.window --alias ack-client --window 2026-12-01T22:00:00Z "
            "2026-12-01T23:00:00Z\n"
            "  countersign rollover start sign.request.dual decrypt.request --key 5f1c…\n"
            "Roll-overs of one key begin together or not at all. The runbook is copied: a later change of its file "
            "changes no roll-over that has begun.\n"
            "Exit: 0 begun; 10 another one of the slot is under way (G13); 64 no such runbook, alias, or another role.",
    .run = run_start,
};
