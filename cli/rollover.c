/* SPDX-License-Identifier: Apache-2.0 */
/* rollover.c: rollover status, history and message: shown. */
#include "cli/rollover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        char numbers[160];
        ks_runbook_numbers(r->runbook, numbers, sizeof numbers);
        rc = cli_usage(c, "%s has no step %.16s; its steps are %s", r->name, c->argv[1], numbers);
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
