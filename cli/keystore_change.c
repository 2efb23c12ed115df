/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_change.c: keystore activate, deactivate, suspend, resume and remove: one verb on one entry each. */
#include "cli/keystore.h"

static int carry_verb(ks_store *s, const void *what, bool dry_run, const ks_actor *who, cs_time now, ks_outcome *out,
                      cs_error *e)
{
    (void)dry_run; /* stands in the request */
    return ks_change(s, what, who, now, out, e);
}

static int change(struct cli_context *c, const ks_request *request)
{
    const struct cli_change asked = {ks_verb_word(request->verb), c->argv[0], request->dry_run, false};
    return cli_change_run(c, &asked, carry_verb, request);
}

static int run_verb(struct cli_context *c, enum ks_verb verb)
{
    struct cli_entry entry;
    int64_t version = 0;
    if (cli_entry_read(c, c->argv[0], false, &entry) != 0) {
        return CS_EXIT_USAGE;
    }
    if (cli_option_number(c, "expect-version", &version) && version == 0) {
        return cli_usage(c, "--expect-version: a stored entry has a version from 1 on");
    }
    ks_request request = {.verb = verb, .alias = entry.alias, .n = entry.n, .expect_version = (uint64_t)version,
                          .shorter_ok = cli_given(c, "shorter-ok"), .dry_run = cli_given(c, "dry-run")};
    return change(c, &request);
}

static int run_activate(struct cli_context *c)
{
    return run_verb(c, KS_DO_ACTIVATE);
}

static int run_deactivate(struct cli_context *c)
{
    return run_verb(c, KS_DO_DEACTIVATE);
}

static int run_suspend(struct cli_context *c)
{
    return run_verb(c, KS_DO_SUSPEND);
}

static int run_resume(struct cli_context *c)
{
    return run_verb(c, KS_DO_RESUME);
}

static int run_remove(struct cli_context *c)
{
    return run_verb(c, KS_DO_REMOVE);
}

static const struct cli_option activate_options[] = {
    {"shorter-ok", 0, CLI_FLAG, NULL, 0, "it may end before the entry that it exchanges"},
    {"expect-version", 0, CLI_NUMBER, "N", 0, "only if nobody changed the entry since it was read (12)"},
    CLI_WRITING_OPTIONS,
    {0},
};

static const struct cli_option verb_options[] = {
    {"expect-version", 0, CLI_NUMBER, "N", 0, "only if nobody changed the entry since it was read (12)"},
    CLI_WRITING_OPTIONS,
    {0},
};

#define EXITS "Exit: 0 done, or so already; 10 refused by a guard; 12 changed by somebody else; 64 not possible from its state."

const struct cli_command cli_cmd_keystore_activate = {
    .parent = "keystore",
    .name = "activate",
    .summary = "Put an entry in force; where one entry is active at a time, that one is exchanged",
    .operands = "ENTRY",
    .min_operands = 1,
    .max_operands = 1,
    .options = activate_options,
    .more = "A deactivated entry inside its window becomes active again: that is the way back.\n" EXITS,
    .run = run_activate,
};

const struct cli_command cli_cmd_keystore_deactivate = {
    .parent = "keystore",
    .name = "deactivate",
    .summary = "Take an entry out of use; it is still accepted until the end of its retention window",
    .operands = "ENTRY",
    .min_operands = 1,
    .max_operands = 1,
    .options = verb_options,
    .more = EXITS,
    .run = run_deactivate,
};

const struct cli_command cli_cmd_keystore_suspend = {
    .parent = "keystore",
    .name = "suspend",
    .summary = "Refuse an entry for everything, at once, until resumed; its window keeps running",
    .operands = "ENTRY",
    .min_operands = 1,
    .max_operands = 1,
    .options = verb_options,
    .more = EXITS,
    .run = run_suspend,
};

const struct cli_command cli_cmd_keystore_resume = {
    .parent = "keystore",
    .name = "resume",
    .summary = "Return a suspended entry to the state before",
    .operands = "ENTRY",
    .min_operands = 1,
    .max_operands = 1,
    .options = verb_options,
    .more = EXITS,
    .run = run_resume,
};

const struct cli_command cli_cmd_keystore_remove = {
    .parent = "keystore",
    .name = "remove",
    .summary = "Remove an entry whose retention window is over, or that was never used",
    .operands = "ENTRY",
    .min_operands = 1,
    .max_operands = 1,
    .options = verb_options,
    .more = "Inside the window it is refused (G8) with the instant from which it is allowed; nothing overrides that.\n" EXITS,
    .run = run_remove,
};
