/* SPDX-License-Identifier: Apache-2.0 */
/* rollover_runbooks.c: rollover list-runbooks: which procedures there are, and their steps. */
#include <stdio.h>
#include <string.h>

#include "cli/keystore.h"
#include "cli/runbooks.h"

static void parts_text(unsigned who, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t p = 0; p < KS_PARTS && used < size; p++) {
        if ((who & (1U << p)) != 0) {
            int n = snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "", ks_part_word((enum ks_part)p));
            used += n > 0 ? (size_t)n : 0;
        }
    }
}

static void facts_json(cs_json *j, const char *key, uint64_t set)
{
    cs_json_array(j, key);
    for (size_t f = 0; f < KS_FACTS; f++) {
        if ((set & KS_BIT(f)) != 0) {
            cs_json_str(j, NULL, ks_fact_word((enum ks_fact_of)f));
        }
    }
    cs_json_array_end(j);
}

static void steps_json(cs_json *j, const char *key, const struct ks_runbook *r, uint32_t set)
{
    cs_json_array(j, key);
    for (size_t i = 0; i < r->n; i++) {
        if ((set & (1U << i)) != 0) {
            cs_json_str(j, NULL, r->step[i].n);
        }
    }
    cs_json_array_end(j);
}

static void step_json(cs_json *j, const struct ks_runbook *r, const struct ks_runbook_step *s)
{
    cs_json_object(j, NULL);
    cs_json_str(j, "step", s->n);
    cs_json_array(j, "who");
    for (size_t p = 0; p < KS_PARTS; p++) {
        if ((s->who & (1U << p)) != 0) {
            cs_json_str(j, NULL, ks_part_word((enum ks_part)p));
        }
    }
    cs_json_array_end(j);
    cs_json_str(j, "kind", ks_step_kind_word(s->kind));
    cs_json_str(j, "title", s->title);
    steps_json(j, "after", r, s->after);
    cs_json_array(j, "run");
    for (size_t i = 0; i < s->n_run; i++) {
        cs_json_str(j, NULL, s->run[i]);
    }
    cs_json_array_end(j);
    cs_json_array(j, "undo");
    for (size_t i = 0; i < s->n_undo; i++) {
        cs_json_str(j, NULL, s->undo[i]);
    }
    cs_json_array_end(j);
    cs_json_array(j, "evidence");
    for (size_t w = 0; w < s->n_way; w++) {
        facts_json(j, NULL, s->way[w]);
    }
    cs_json_array_end(j);
    steps_json(j, "closes", r, s->closes);
    facts_json(j, "skip_if", s->skip_if);
    cs_json_bool(j, "each_sender", s->each_sender);
    cs_json_bool(j, "no_return", s->no_return);
    cs_json_object_end(j);
}

static int print_json(struct cli_context *c, const struct cli_runbook *one)
{
    const struct ks_runbook *r = one->runbook;
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "runbook", r->name);
    cs_json_str(&j, "title", r->title);
    cs_json_str(&j, "seed", r->seed[0] != '\0' ? r->seed : NULL);
    cs_json_str(&j, "slot_role", ks_role_word(r->role));
    cs_json_bool(&j, "window", r->window);
    cs_json_hex(&j, "sha256", r->hash, sizeof r->hash);
    cs_json_str(&j, "file", one->file);
    cs_json_array(&j, "steps");
    for (size_t i = 0; i < r->n; i++) {
        step_json(&j, r, &r->step[i]);
    }
    cs_json_array_end(&j);
    cs_json_object_end(&j);
    int rc = cli_json_line(c, &b);
    cs_buf_free(&b);
    return rc;
}

static void print_one(const struct ks_runbook *r, bool steps)
{
    char who[160];
    printf("%-24s %-13s %2zu steps%s  %s\n", r->name, ks_role_word(r->role), r->n, r->window ? ", window" : "",
           r->title);
    for (size_t i = 0; steps && i < r->n; i++) {
        parts_text(r->step[i].who, who, sizeof who);
        printf("  %-3s %-6s %-38s %s\n", r->step[i].n, ks_step_kind_word(r->step[i].kind), who, r->step[i].title);
    }
}

static int run_list(struct cli_context *c)
{
    struct cli_runbooks all;
    const char *role = cli_option(c, "role");
    enum ks_role wanted = KS_ROLES;
    size_t shown = 0;
    if (role != NULL && ks_role_parse(role, &wanted) != 0) {
        return cli_usage(c, "unknown role \"%s\"", role);
    }
    int rc = cli_runbooks_read(c, &all) != 0 ? cli_fail(c) : CS_EXIT_OK;
    for (size_t i = 0; rc == CS_EXIT_OK && i < all.n; i++) {
        const struct ks_runbook *r = all.one[i].runbook;
        if ((role != NULL && r->role != wanted) || (c->argc > 0 && strcmp(c->argv[0], r->name) != 0)) {
            continue;
        }
        shown++;
        if (c->json) {
            rc = print_json(c, &all.one[i]);
        } else {
            print_one(r, c->argc > 0 || c->verbose);
        }
    }
    if (rc == CS_EXIT_OK && c->argc > 0 && shown == 0) {
        ks_runbook_free(cli_runbook_find(c, c->argv[0])); /* says why */
        rc = cli_fail(c);
    }
    if (rc == CS_EXIT_OK && all.bad > 0) {
        cli_warn(c, "%zu file%s no runbook: see above", all.bad, all.bad == 1 ? " is" : "s are");
        rc = CS_EXIT_FAIL;
    }
    cli_runbooks_free(&all);
    return rc;
}

static const struct cli_option list_options[] = {
    {"role", 0, CLI_TEXT, "ROLE", 0, "those for slots of this role"},
    {0},
};

const struct cli_command cli_cmd_rollover_list_runbooks = {
    .parent = "rollover",
    .name = "list-runbooks",
    .summary = "The procedures by which certificates are exchanged; with a name or -v their steps",
    .operands = "[RUNBOOK]",
    .min_operands = 0,
    .max_operands = 1,
    .options = list_options,
    .more =
        "Runbooks are files NAME.conf in $COUNTERSIGN_RUNBOOKS, /etc/countersign/runbooks, and beside the program.\n"
        "A file of the site hides a shipped one of its name. Exit: 0 listed; 1 a file is refused; 64 no such runbook.",
    .run = run_list,
};
