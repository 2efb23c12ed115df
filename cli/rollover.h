/* SPDX-License-Identifier: Apache-2.0 */
/* rollover.h: what the roll-over commands share: which one is meant, in which roles the caller acts, how it is shown.
 */
#ifndef CLI_ROLLOVER_H
#define CLI_ROLLOVER_H

#include "cli/keystore.h"
#include "keystore/rollover.h"

/** The number behind "R-17". @return 0: the usage error is printed */
int64_t cli_rollover_id(struct cli_context *c, const char *text) CS_MUST_CHECK;
/** Roles of the caller, a set of 1 << ks_part: of the operator whose account it is; KS_ANYBODY where the file names no
 *  operator. */
unsigned cli_rollover_roles(const struct cli_settings *settings, const struct cli_caller *caller);
/** The whole roll-over for people or as one JSON line. @return exit code */
int cli_rollover_print(struct cli_context *c, ks_store *s, const struct ks_rollover *r);
/** "a, b" of a set of roles. @return out */
const char *cli_parts_text(unsigned who, const char *between, char *out, size_t size);
/** One line of a roll-over for lists. */
void cli_rollover_line(const struct cli_context *c, const struct ks_rollover *r);

#endif
