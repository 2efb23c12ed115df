/* SPDX-License-Identifier: Apache-2.0 */
/* passphrase.h: a passphrase from a file or from the terminal; never from the command line, which everybody can see. */
#ifndef CLI_PASSPHRASE_H
#define CLI_PASSPHRASE_H

#include "cli/command.h"

/** Rows for the option table of a command that may need one. */
#define CLI_PASSPHRASE_OPTIONS                                                                                         \
    {"passphrase-file", 0, CLI_FILE, "FILE", 0, "file that holds the passphrase (its first line)"},                    \
    {                                                                                                                  \
        "askpass", 0, CLI_FLAG, NULL, 0, "ask for the passphrase on the terminal"                                      \
    }

/** The passphrase as the options say, in the secure heap; *out NULL: none was asked for. twice: one that is new, typed
 * a second time. @return 0, or -1 with c->error set (3, 64) */
int cli_passphrase_read(struct cli_context *c, const char *prompt, bool twice, char **out) CS_MUST_CHECK;
/** Wipe and free; NULL is harmless. */
void cli_passphrase_free(char *passphrase);

#endif
