/* SPDX-License-Identifier: Apache-2.0 */
/* options.h: a command line taken apart against the tables of options and commands. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdio.h>

#include "cli/command.h"

/** One call as written. Strings are borrowed from argv. */
struct cli_call {
    const struct cli_command *command; /**< NULL: none named, or a group */
    char group[64];                    /**< words of a group ("keystore"), "" none */
    struct cli_parsed *parsed;         /**< owned; cli_call_free */
    const char **operand;              /**< owned */
    int n_operand;
    bool help, version;
    char problem[512]; /**< why -1 was returned */
};

/** Options that every command has; end with {0}. */
extern const struct cli_option cli_global_options[];

/** @return 0, or -1: usage error, call->problem says which. Free call in either case. */
int cli_parse(int argc, char *const argv[], struct cli_call *call) CS_MUST_CHECK;
void cli_call_free(struct cli_call *call);
/** Value of the last use of an option, NULL: not given ("" for a flag). */
const char *cli_parsed_value(const struct cli_parsed *parsed, const char *name);

/** Words of a command from the table: "keystore add". */
void cli_command_words(const struct cli_command *command, char *out, size_t size);

/** --help of a command, a group ("keystore"), or of all (both NULL). */
void cli_help(FILE *out, const struct cli_command *command, const char *group);

#endif
