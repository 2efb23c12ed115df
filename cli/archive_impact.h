/* SPDX-License-Identifier: Apache-2.0 */
/* archive_impact.h: what messages of a run depend on entries; for archive impact and keystore remove. */
#ifndef CLI_ARCHIVE_IMPACT_H
#define CLI_ARCHIVE_IMPACT_H

#include "archive/impact.h"
#include "cli/command.h"

struct cli_impact {
    struct archive_without *without; /**< owned: cli_impact_clear */
    size_t n;
    struct archive_impact all;
};

/** Ask the journal in directory about entries ("a#1,b#2"); list: each lost message on stdout. @return 0, or -1 with
 * c->error filled; cli_impact_clear in either case */
int cli_impact_ask(struct cli_impact *i, struct cli_context *c, const char *directory, const char *entries,
                   cs_time from, bool list) CS_MUST_CHECK;
/** @return an exit code */
int cli_impact_print(struct cli_context *c, const struct cli_impact *i);
void cli_impact_clear(struct cli_impact *i);

#endif
