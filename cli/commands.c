/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c: the list of all commands, in the order in which help shows them. */
#include "cli/command.h"

extern const struct cli_command cli_cmd_gateway;

const struct cli_command *const cli_commands[] = {
    &cli_cmd_gateway,
    NULL,
};
