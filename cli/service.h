/* SPDX-License-Identifier: Apache-2.0 */
/* service.h: what the commands to a running gateway share. */
#ifndef CLI_SERVICE_H
#define CLI_SERVICE_H

#include <jansson.h>

#include "cli/command.h"

/** Rows that each of these commands has. */
#define CLI_SERVICE_OPTIONS                                                                                            \
    {                                                                                                                  \
        "socket", 0, CLI_FILE, "PATH", 0, "admin socket of the gateway; else the one that the configuration names"     \
    }

/** Send one line to the gateway and read its answer; with --json it is printed as it came.
 *  @return owned by the caller (json_decref); NULL with c->error set: unreachable (69), or what the gateway refused */
json_t *cli_service_ask(struct cli_context *c, const char *line);
/** The status, printed nowhere. @return as cli_service_ask() */
json_t *cli_service_look(struct cli_context *c);

#endif
