/* SPDX-License-Identifier: Apache-2.0 */
/* rollover.c: rollover start, status, history and message: begun and shown. */
#include "cli/rollover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/runbooks.h"
#include "keystore/operators.h"

int64_t cli_rollover_id(struct cli_context *c, const char *text)
{
    int64_t id = ks_rollover_number(text);
    if (id == 0) {
        cli_usage(c, "\"%.40s\" is no roll-over, as R-17; see: countersign rollover status", text);
    }
    return id;
}

unsigned cli_rollover_roles(const struct cli_settings *settings, const struct cli_caller *caller)
{
    if (settings->config.n_operator == 0) {
        return KS_ANYBODY;
    }
    for (size_t i = 0; i < settings->config.n_operator; i++) {
        const struct ks_operator *o = settings->config.operators[i];
        for (size_t k = 0; k < o->n_uid; k++) {
            if (strcmp(o->uid[k], caller->name) == 0) {
                return o->roles;
            }
        }
    }
    return 0;
}

/* ---- start ----------------------------------------------------------------------------------------------------- */

static int read_span(struct cli_context *c, struct ks_roll_request *q)
{
    cli_option_time(c, "window", &q->window_from);
    cli_option_time(c, "until", &q->window_to);
    if (c->argc == 2 && cs_time_parse(c->argv[1], &q->window_to) != 0) {
        return cli_usage(c, "\"%.40s\" is no instant, as 2026-12-01T22:00:00Z", c->argv[1]);
    }
    if ((q->window_from != 0) != (q->window_to != 0)) {
        return cli_usage(c, "a window has two ends: --window FROM TO");
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

static int start(struct cli_context *c, const struct cli_settings *settings, ks_store *s, struct ks_roll_request *q)
{
    struct ks_rollover *r = NULL;
    struct cli_caller caller;
    bool dry_run = cli_given(c, "dry-run");
    cli_caller_find(c, &caller);
    if (ks_rollover_start(s, q, dry_run, &caller.actor, c->now, &r, &c->error) != 0) {
        return cli_fail(c);
    }
    if (dry_run) {
        return print_plan(c, q->runbook, q->alias);
    }
    warn_roles(c, settings, r);
    warn_routes(c, r);
    int rc = cli_rollover_print(c, s, r);
    ks_rollover_free(r);
    return rc;
}

static int run_start(struct cli_context *c)
{
    struct cli_settings *settings = NULL;
    ks_store *store = NULL;
    struct ks_roll_request q = {.alias = cli_option(c, "alias"),
                                .partner = cli_option(c, "partner"),
                                .stay_held = cli_given(c, "stay-held"),
                                .release_by_hand = cli_given(c, "release-by-hand"),
                                .require_all = cli_given(c, "require-all")};
    int rc = q.release_by_hand && cli_given(c, "auto-release")
                 ? cli_usage(c, "--auto-release and --release-by-hand exclude each other")
                 : read_span(c, &q);
    if (rc != 0) {
        return rc;
    }
    struct ks_runbook *runbook = cli_runbook_find(c, c->argv[0]);
    q.runbook = runbook;
    rc = runbook == NULL || cli_keystore_open(c, &settings, &store) != 0 ? cli_fail(c) : start(c, settings, store, &q);
    ks_runbook_free(runbook);
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

static const struct cli_option start_options[] = {
    {"alias", 0, CLI_TEXT, "ALIAS", CLI_NEEDED, "the slot whose certificate is exchanged"},
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
    .operands = "RUNBOOK [TO]",
    .min_operands = 1,
    .max_operands = 2,
    .options = start_options,
    .more = "Examples:\n"
            "  countersign rollover start verifier --alias acme-sign\n"
            "  countersign rollover start tls-client.window --alias ack-client --window 2026-12-01T22:00:00Z "
            "2026-12-01T23:00:00Z\n"
            "The runbook is copied: a later change of its file changes no roll-over that has begun.\n"
            "Exit: 0 begun; 10 another one of the slot is under way (G13); 64 no such runbook, alias, or another role.",
    .run = run_start,
};

/* ---- status, history ------------------------------------------------------------------------------------------- */

struct shown {
    int64_t id;
    cs_time ends;
};

struct shown_list {
    struct shown *one;
    size_t n;
};

static int take_number(void *ctx, const struct ks_roll_row *row, cs_error *e)
{
    struct shown_list *l = ctx;
    struct shown *grown = reallocarray(l->one, l->n + 1, sizeof *grown);
    if (grown == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    l->one = grown;
    l->one[l->n++] = (struct shown){row->roll_id, 0};
    return 0;
}

/* The nearest expiry first. */
static int by_end(const void *a, const void *b)
{
    const struct shown *x = a;
    const struct shown *y = b;
    return x->ends != y->ends ? (x->ends > y->ends) - (x->ends < y->ends) : (x->id > y->id) - (x->id < y->id);
}

static int show(struct cli_context *c, ks_store *s, int64_t id, bool whole)
{
    struct ks_rollover *r = NULL;
    if (ks_rollover_read(s, id, c->now, &r, &c->error) != 0) {
        return cli_fail(c);
    }
    int rc = CS_EXIT_OK;
    const char *role = cli_option(c, "role");
    bool wanted = role == NULL;
    for (size_t i = 0; role != NULL && i < r->runbook->n; i++) {
        enum ks_part p;
        wanted = wanted || (ks_part_parse(role, &p) == 0 && r->judged[i].state == KS_STEP_READY &&
                            (r->runbook->step[i].who & (1U << p)) != 0);
    }
    if (wanted && (whole || c->json)) {
        rc = cli_rollover_print(c, s, r);
    } else if (wanted) {
        cli_rollover_line(c, r);
    }
    ks_rollover_free(r);
    return rc;
}

static int show_all(struct cli_context *c, ks_store *s, bool open, bool whole)
{
    struct shown_list l = {NULL, 0};
    int rc = ks_rollover_each(s, open, take_number, &l, &c->error) == 0 ? CS_EXIT_OK : cli_fail(c);
    for (size_t i = 0; rc == CS_EXIT_OK && open && i < l.n; i++) {
        struct ks_rollover *r = NULL;
        if (ks_rollover_read(s, l.one[i].id, c->now, &r, &c->error) != 0) {
            rc = cli_fail(c);
        } else {
            l.one[i].ends = r->has_old ? r->old_info.not_after : INT64_MAX;
        }
        ks_rollover_free(r);
    }
    if (l.n > 1 && open) {
        qsort(l.one, l.n, sizeof *l.one, by_end);
    }
    for (size_t i = 0; rc == CS_EXIT_OK && i < l.n; i++) {
        rc = show(c, s, l.one[i].id, whole);
    }
    if (rc == CS_EXIT_OK && l.n == 0) {
        cli_say(c, open ? "no roll-over is under way" : "there was no roll-over yet");
    }
    free(l.one);
    return rc;
}

static int run_show(struct cli_context *c, bool open)
{
    ks_store *store = NULL;
    const char *role = cli_option(c, "role");
    enum ks_part part;
    if (role != NULL && ks_part_parse(role, &part) != 0) {
        return cli_usage(c,
                         "\"%.40s\" is no role of a roll-over: tenant-admin, receiver-admin, sender-admin, lb-admin, "
                         "integration-developer",
                         role);
    }
    int64_t id = c->argc > 0 ? cli_rollover_id(c, c->argv[0]) : 0;
    if (c->argc > 0 && id == 0) {
        return CS_EXIT_USAGE;
    }
    int rc = cli_open_store(c, true, NULL, &store) != 0 ? cli_fail(c)
             : c->argc > 0                              ? show(c, store, id, true)
                                                        : show_all(c, store, open, open);
    ks_close(store);
    return rc;
}

static int run_status(struct cli_context *c)
{
    return run_show(c, true);
}

static const struct cli_option status_options[] = {
    {"role", 0, CLI_TEXT, "ROLE", 0, "only where it is the turn of that role"},
    {0},
};

const struct cli_command cli_cmd_rollover_status = {
    .parent = "rollover",
    .name = "status",
    .summary = "Where roll-overs stand: what is done, who must do what next, why the rest waits",
    .operands = "[ID]",
    .min_operands = 0,
    .max_operands = 1,
    .options = status_options,
    .more = "Without ID every open one, the nearest expiry first. Exit: 0 shown; 64 no such roll-over.",
    .run = run_status,
};

static int run_history(struct cli_context *c)
{
    return run_show(c, false);
}

const struct cli_command cli_cmd_rollover_history = {
    .parent = "rollover",
    .name = "history",
    .summary = "All roll-overs that there were; with an ID each step, by whom and on which evidence",
    .operands = "[ID]",
    .min_operands = 0,
    .max_operands = 1,
    .options = NULL,
    .run = run_history,
};

/* ---- message --------------------------------------------------------------------------------------------------- */

static int message(struct cli_context *c, ks_store *s, int64_t id)
{
    struct ks_rollover *r = NULL;
    cs_buf b = CS_BUF_INIT;
    if (ks_rollover_read(s, id, c->now, &r, &c->error) != 0) {
        return cli_fail(c);
    }
    size_t place = ks_runbook_find(r->runbook, c->argv[1]);
    int rc = CS_EXIT_OK;
    if (place == r->runbook->n) {
        rc = cli_usage(c, "%s has no step %.16s", r->name, c->argv[1]);
    } else if (ks_rollover_message(s, r, place, &b, &c->error) != 0 ||
               cli_output_write(c, cli_option(c, "output"), b.data, b.len, 0644) != 0) {
        rc = cli_fail(c);
    }
    cs_buf_free(&b);
    ks_rollover_free(r);
    return rc;
}

static int run_message(struct cli_context *c)
{
    ks_store *store = NULL;
    int64_t id = cli_rollover_id(c, c->argv[0]);
    if (id == 0) {
        return CS_EXIT_USAGE;
    }
    int rc = cli_open_store(c, true, NULL, &store) != 0 ? cli_fail(c) : message(c, store, id);
    ks_close(store);
    return rc;
}

static const struct cli_option message_options[] = {
    {"output", 'o', CLI_FILE, "FILE", 0, "write it there; else to stdout"},
    {0},
};

const struct cli_command cli_cmd_rollover_message = {
    .parent = "rollover",
    .name = "message",
    .summary = "Write the mail of a step instead of sending it",
    .operands = "ID STEP",
    .min_operands = 2,
    .max_operands = 2,
    .options = message_options,
    .more =
        "For a site without mail: send it by hand, with the certificate (countersign keystore export), then confirm.",
    .run = run_message,
};
