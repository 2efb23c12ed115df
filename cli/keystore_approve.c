/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_approve.c: keystore approve: what waits for a second person, and that person's agreement. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/keystore.h"
#include "keystore/audit.h"

/* One proposal as a JSON line or as text with its plan, line by line. */
static int print_proposal(void *ctx, const ks_proposal *p, const char *plan, cs_error *e)
{
    struct cli_context *c = ctx;
    char until[80];
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    if (!c->json) {
        printf("%lld  %s %s  proposed by %s, %s %s%s%s\n", (long long)p->id, p->verb, p->object, p->proposer,
               p->used_at != 0          ? "carried out"
               : p->approver[0] != '\0' ? "agreed to"
                                        : "open until",
               p->used_at != 0 || p->approver[0] == '\0'
                   ? cli_time_local(p->used_at != 0 ? p->used_at : p->expires_at, until, sizeof until)
                   : "by ",
               p->used_at == 0 ? p->approver : "", p->reason[0] != '\0' ? "" : "  (no reason given)");
        for (const char *line = plan; *line != '\0'; line += strcspn(line, "\n") + 1) {
            printf("     %.*s\n", (int)strcspn(line, "\n"), line);
        }
        return 0;
    }
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_int(&j, "approval", p->id);
    cs_json_str(&j, "action", p->verb);
    cs_json_str(&j, "target", p->object[0] != '\0' ? p->object : NULL);
    cs_json_str(&j, "proposer", p->proposer);
    cs_json_str(&j, "approver", p->approver[0] != '\0' ? p->approver : NULL);
    cs_json_str(&j, "reason", p->reason[0] != '\0' ? p->reason : NULL);
    cs_json_time(&j, "proposed_at", p->proposed_at);
    cs_json_time(&j, "expires_at", p->expires_at);
    cs_json_time(&j, "approved_at", p->approved_at);
    cs_json_time(&j, "used_at", p->used_at);
    cs_json_hex(&j, "plan_sha256", p->plan_hash, sizeof p->plan_hash);
    cs_json_str(&j, "plan", plan);
    cs_json_object_end(&j);
    int rc = cli_json_line(c, &b);
    cs_buf_free(&b);
    return rc == CS_EXIT_OK ? 0 : cs_error_set(e, CS_EXIT_INTERNAL, "output", "the result could not be printed");
}

struct listing {
    struct cli_context *c;
    unsigned n;
};

static int list_proposal(void *ctx, const ks_proposal *p, const char *plan, cs_error *e)
{
    struct listing *l = ctx;
    l->n++;
    return print_proposal(l->c, p, plan, e);
}

static int list(struct cli_context *c, ks_store *s)
{
    struct listing l = {.c = c};
    if (ks_proposals(s, 0, c->now, list_proposal, &l, &c->error) != 0) {
        return cli_fail(c);
    }
    if (l.n == 0) {
        cli_say(c, "nothing waits for a second person");
    }
    return CS_EXIT_OK;
}

static int approve(struct cli_context *c, ks_store *s, int64_t id)
{
    struct cli_caller caller;
    ks_proposal proposal;
    bool carried = false;
    int rc = CS_EXIT_OK;
    ks_outcome *out = calloc(1, sizeof *out);
    cli_caller_find(c, &caller);
    if (out == NULL) {
        cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
        rc = cli_fail(c);
    } else if (ks_approve(s, id, &caller.actor, c->now, &proposal, &c->error) != 0 ||
               ks_carry_out(s, id, c->now, &carried, out, &c->error) != 0 ||
               ks_proposals(s, id, c->now, print_proposal, c, &c->error) != 0) {
        rc = cli_fail(c);
    } else if (carried) {
        char entry[KS_WORD + 12];
        cli_entry_text(&out->info, entry, sizeof entry);
        cli_say(c, "agreed and carried out: %s is %s; generation %llu", entry, ks_state_word(out->info.state),
                (unsigned long long)out->generation);
    } else {
        cli_say(c, "agreed. %s now repeats the command, unchanged", proposal.proposer);
    }
    free(out);
    return rc;
}

static int run(struct cli_context *c)
{
    struct cli_settings *settings = NULL;
    ks_store *store = NULL;
    char *end = NULL;
    long long id = c->argc > 0 ? strtoll(c->argv[0], &end, 10) : 0;
    if (c->argc > 0 && (*end != '\0' || end == c->argv[0] || id <= 0)) {
        return cli_usage(c, "\"%.40s\" is no number of a proposal", c->argv[0]);
    }
    if (cli_keystore_open(c, &settings, &store) != 0) {
        return cli_fail(c);
    }
    int rc = id != 0 ? approve(c, store, id) : list(c, store);
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

const struct cli_command cli_cmd_keystore_approve = {
    .parent = "keystore",
    .name = "approve",
    .summary = "Agree to what another person proposed; without ID list what waits",
    .operands = "[ID]",
    .max_operands = 1,
    .more =
        "With two approvers named (two-persons { approvers anna ben; }) what one person alone must not do ends with 11 and the\n"
        "number of its proposal. Another approver agrees to exactly that change within 24 hours. Persons are compared, not\n"
        "accounts; a verb on an entry is carried out at once, other commands are repeated by who proposed them. An "
        "agreement counts once, and not when anything that the change touches is different by then.\n"
        "Exit: 0 agreed, or listed; 10 own proposal, or no approver; 12 expired or carried out already; 64 no such "
        "proposal.",
    .run = run,
};
