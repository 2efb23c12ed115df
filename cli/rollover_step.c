/* SPDX-License-Identifier: Apache-2.0 */
/* rollover_step.c: rollover next, confirm, probe, abort and window: carried on. */
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "cli/rollover.h"

/* One command on an open roll-over. */
struct step_call {
    struct cli_context *c;
    ks_store *s;
    int64_t id;
    bool dry_run;
    unsigned roles;
    struct cli_caller caller;
};

/* What evidence closes already is written down, and it is shown as it stands then. */
static int finish(const struct step_call *k)
{
    struct cli_context *c = k->c;
    struct ks_rollover *r = NULL;
    bool changed = false;
    if ((!k->dry_run && ks_rollover_advance(k->s, k->id, &k->caller.actor, c->now, &changed, &c->error) != 0) ||
        ks_rollover_read(k->s, k->id, c->now, &r, &c->error) != 0) {
        return cli_fail(c);
    }
    int rc = cli_rollover_print(c, k->s, r);
    ks_rollover_free(r);
    return rc;
}

/* id: operand 0. @return exit code of what, or of what went wrong before */
static int call(struct cli_context *c, int (*what)(struct step_call *k))
{
    struct cli_settings *settings = NULL;
    struct step_call k = {.c = c, .id = cli_rollover_id(c, c->argv[0]), .dry_run = cli_given(c, "dry-run")};
    if (k.id == 0) {
        return CS_EXIT_USAGE;
    }
    int rc = cli_keystore_open(c, &settings, &k.s) != 0 ? cli_fail(c) : CS_EXIT_OK;
    if (rc == CS_EXIT_OK) {
        cli_caller_find(c, &k.caller);
        k.roles = cli_rollover_roles(settings, &k.caller);
        rc = what(&k);
    }
    ks_close(k.s);
    cli_settings_free(settings);
    return rc;
}

/* ---- next ------------------------------------------------------------------------------------------------------ */

/* Nothing to carry out: whose turn it is instead. */
static int nothing_next(const struct step_call *k, const struct ks_rollover *r)
{
    char who[160];
    for (size_t i = 0; i < r->runbook->n; i++) {
        if (r->judged[i].state == KS_STEP_READY) {
            cli_say(k->c, "step %s is for %s; no command of yours is next", r->runbook->step[i].n,
                    cli_parts_text(r->runbook->step[i].who, ", ", who, sizeof who));
        }
    }
    return cli_rollover_print(k->c, k->s, r);
}

static int next(struct step_call *k)
{
    struct cli_context *c = k->c;
    struct ks_rollover *r = NULL;
    bool changed = false;
    ks_outcome out = {.n_refusal = 0};
    if ((!k->dry_run && ks_rollover_advance(k->s, k->id, &k->caller.actor, c->now, &changed, &c->error) != 0) ||
        ks_rollover_read(k->s, k->id, c->now, &r, &c->error) != 0) {
        return cli_fail(c);
    }
    size_t at = ks_rollover_next(r, k->roles);
    if (strcmp(r->row.state, "open") != 0 || at == r->runbook->n) {
        int rc = nothing_next(k, r);
        ks_rollover_free(r);
        return rc;
    }
    char target[KS_ROLL_NAME + KS_STEP_NAME + 2];
    snprintf(target, sizeof target, "%s/%s", r->name, r->runbook->step[at].n);
    const struct cli_change change = {"rollover next", target, k->dry_run, false};
    int rc = CS_EXIT_OK;
    if (ks_rollover_run(k->s, r, at, k->dry_run, &k->caller.actor, c->now, &out, &c->error) != 0) {
        rc = out.n_refusal > 0 ? cli_refused(c, &change, &out) : cli_fail(c);
    } else {
        cli_say(c, "step %s of %s: %s", r->runbook->step[at].n, r->name,
                k->dry_run ? "would be carried out" : "carried out");
    }
    ks_rollover_free(r);
    if (rc == CS_EXIT_OK && !k->dry_run && out.generation != 0) {
        int waited = cli_wait_applied(c, k->s, out.generation);
        rc = finish(k);
        return rc != CS_EXIT_OK ? rc : waited;
    }
    return rc != CS_EXIT_OK ? rc : finish(k);
}

static int run_next(struct cli_context *c)
{
    return call(c, next);
}

static const struct cli_option writing_options[] = {
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_rollover_next = {
    .parent = "rollover",
    .name = "next",
    .summary = "Carry out the command of the step whose turn it is",
    .operands = "ID",
    .min_operands = 1,
    .max_operands = 1,
    .options = writing_options,
    .more = "The first ready step that has a command and is for a role of the caller. All guards are asked.\n"
            "Exit: 0 carried out, or nothing to carry out (said whose turn it is); 10 refused by a guard.",
    .run = run_next,
};

/* ---- confirm --------------------------------------------------------------------------------------------------- */

static int confirm(struct step_call *k)
{
    struct cli_context *c = k->c;
    if (ks_rollover_confirm(k->s, k->id, c->argv[1], k->roles, cli_option(c, "note"), k->dry_run, &k->caller.actor,
                            c->now, &c->error) != 0) {
        return cli_fail(c);
    }
    return finish(k);
}

static int run_confirm(struct cli_context *c)
{
    return call(c, confirm);
}

static const struct cli_option confirm_options[] = {
    {"note", 0, CLI_TEXT, "TEXT", 0,
     "who said so and how; with it a tenant-admin passes on the word of a role outside"},
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_rollover_confirm = {
    .parent = "rollover",
    .name = "confirm",
    .summary = "Say that a step is done",
    .operands = "ID STEP[/SENDER]",
    .min_operands = 2,
    .max_operands = 2,
    .options = confirm_options,
    .more = "Where each sender says for himself that a step is done: rollover confirm R-1 4/acme\n"
            "Exit: 0 taken; 10 for another role; 12 closed already, or not its turn; 64 no such step, or one that only "
            "evidence closes.",
    .run = run_confirm,
};

/* ---- probe ----------------------------------------------------------------------------------------------------- */

static int print_result(void *ctx, const ks_probe_result *p, cs_error *e)
{
    char at[CS_TIME_TEXT];
    (void)ctx;
    (void)e;
    printf("%s#%u  %s  %s: %s%s%s %s\n", p->alias, p->n, p->node, p->target, ks_probe_outcome_word(p->outcome),
           p->detail[0] != '\0' ? ", " : "", p->detail, cs_time_format(p->at, at));
    return 0;
}

static int probe(struct step_call *k)
{
    struct cli_context *c = k->c;
    struct ks_rollover *r = NULL;
    uint64_t generation = 0;
    int rc = ks_rollover_read(k->s, k->id, c->now, &r, &c->error);
    if (rc == 0 && !k->dry_run && r->has_old) {
        rc = ks_probe_ask(k->s, r->row.alias, r->old_info.n, &k->caller.actor, c->now, &generation, &c->error);
    }
    if (rc == 0 && !k->dry_run && r->has_new) {
        rc = ks_probe_ask(k->s, r->row.alias, r->new_info.n, &k->caller.actor, c->now, &generation, &c->error);
    }
    if (rc == 0 && !c->json) {
        rc = ks_probe_each(k->s, r->row.alias, 0, print_result, NULL, &c->error);
    }
    if (rc == 0 && !k->dry_run) {
        cli_say(c, "every live node is asked to probe with both certificates; see: countersign rollover status %s",
                r->name);
    }
    ks_rollover_free(r);
    return rc == 0 ? finish(k) : cli_fail(c);
}

static int run_probe(struct cli_context *c)
{
    return call(c, probe);
}

const struct cli_command cli_cmd_rollover_probe = {
    .parent = "rollover",
    .name = "probe",
    .summary = "Ask every live node to call the other side with the old and the new certificate",
    .operands = "ID",
    .min_operands = 1,
    .max_operands = 1,
    .options = writing_options,
    .more = "Shows what nodes found so far; results come in within seconds. Exit: 0 asked; 64 a slot of another role.",
    .run = run_probe,
};

/* ---- abort ----------------------------------------------------------------------------------------------------- */

static int abort_it(struct step_call *k)
{
    struct cli_context *c = k->c;
    char kept[KS_STEP_NAME];
    ks_outcome out;
    const struct cli_change change = {"rollover abort", c->argv[0], k->dry_run, false};
    if (ks_rollover_abort(k->s, k->id, k->dry_run, &k->caller.actor, c->now, kept, &out, &c->error) != 0) {
        return out.n_refusal > 0 ? cli_refused(c, &change, &out) : cli_fail(c);
    }
    if (kept[0] != '\0') {
        cli_warn(c, "step %s cannot be taken back by anybody here: what was done up to it stands; on hold is nothing",
                 kept);
    }
    for (size_t i = 0; i < out.n_note; i++) {
        cli_say(c, "%s", out.note[i]);
    }
    return finish(k);
}

static int run_abort(struct cli_context *c)
{
    return call(c, abort_it);
}

static const struct cli_option abort_options[] = {
    {"dry-run", 0, CLI_FLAG, NULL, 0, "tell what would happen and which guard refuses; change nothing"},
    {"reason", 0, CLI_TEXT, "TEXT", CLI_NEEDED, "why, for the audit"},
    {"wait", 0, CLI_DURATION, "DURATION", 0, "wait so long for the lock"},
    {0},
};

const struct cli_command cli_cmd_rollover_abort = {
    .parent = "rollover",
    .name = "abort",
    .summary = "Take back what can be taken back, the last step first, and end the roll-over",
    .operands = "ID",
    .min_operands = 1,
    .max_operands = 1,
    .options = abort_options,
    .more = "Behind a step that the other side cannot take back nothing before it is undone. Routes are let go in any "
            "case.\nA new certificate that the other side used already stays accepted.\n"
            "Exit: 0 ended; 10 a guard refuses the way back (nothing more was done; give it again); 12 over already.",
    .run = run_abort,
};

/* ---- window ---------------------------------------------------------------------------------------------------- */

static int window(struct step_call *k)
{
    struct cli_context *c = k->c;
    cs_time from = 0;
    cs_time to = 0;
    if (cs_time_parse(c->argv[1], &from) != 0 || cs_time_parse(c->argv[2], &to) != 0) {
        return cli_usage(c, "a window has two instants, as 2026-12-01T22:00:00Z 2026-12-01T23:00:00Z");
    }
    if (ks_rollover_window(k->s, k->id, from, to, k->dry_run, &k->caller.actor, c->now, &c->error) != 0) {
        return cli_fail(c);
    }
    return finish(k);
}

static int run_window(struct cli_context *c)
{
    return call(c, window);
}

const struct cli_command cli_cmd_rollover_window = {
    .parent = "rollover",
    .name = "window",
    .summary = "Move the agreed span; who agreed says so again. One that has begun can only end at another time",
    .operands = "ID FROM TO",
    .min_operands = 3,
    .max_operands = 3,
    .options = writing_options,
    .run = run_window,
};
