/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_open_message.c: keystore open-message add and close: messages that wait and need an entry. */
#include "cli/keystore.h"

static int carry_message(ks_store *s, const void *what, bool dry_run, const ks_actor *who, cs_time now, ks_outcome *out,
                         cs_error *e)
{
    return ks_open_message(s, what, dry_run, who, now, out, e);
}

static int run_message(struct cli_context *c, bool open)
{
    struct cli_entry named;
    const char *entry = cli_option(c, "entry");
    if (cli_entry_read(c, entry, false, &named) != 0) {
        return CS_EXIT_USAGE;
    }
    const ks_waiting message = {.ref = c->argv[0], .alias = named.alias, .n = named.n, .open = open};
    const struct cli_change change = {open ? "open-message add" : "open-message close", entry, cli_given(c, "dry-run"),
                                      false};
    return cli_change_run(c, &change, carry_message, &message);
}

static int run_add(struct cli_context *c)
{
    return run_message(c, true);
}

static int run_close(struct cli_context *c)
{
    return run_message(c, false);
}

static const struct cli_option message_options[] = {
    {"entry", 0, CLI_TEXT, "ENTRY", CLI_NEEDED, "that the message needs"},
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_keystore_open_message_add = {
    .parent = "keystore open-message",
    .name = "add",
    .summary = "Tell that a message waits (queue, dead letters) and needs an entry when it is taken up again",
    .operands = "REF",
    .min_operands = 1,
    .max_operands = 1,
    .options = message_options,
    .more =
        "The entry's window then ends a guaranteed delivery later, not sooner, and it is not removed while the message waits.",
    .run = run_add,
};

const struct cli_command cli_cmd_keystore_open_message_close = {
    .parent = "keystore open-message",
    .name = "close",
    .summary = "Tell that such a message is done with",
    .operands = "REF",
    .min_operands = 1,
    .max_operands = 1,
    .options = message_options,
    .run = run_close,
};
