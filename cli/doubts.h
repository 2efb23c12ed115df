/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doubts.h: what a configuration says that is allowed and yet hardly meant: a file that is not there, an exception that
 * is over, an account that nobody has. Each is a warning with its place; none stops anything.
 */
#ifndef CLI_DOUBTS_H
#define CLI_DOUBTS_H

#include "base/time.h"
#include "cli/settings.h"

/** Tell them all. accounts: those of this machine are asked for, too (not inside of a confined process). */
void cli_doubts(const struct cli_settings *s, bool accounts, cs_time now, struct cs_conf_report *report);

#endif
