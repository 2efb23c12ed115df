/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin.h: how operators reach the running process: a socket for commands (lines in, JSON out) and HTTP for probes and
 * metrics, on a thread with a loop of its own that runs until the process exits, also while it drains.
 */
#ifndef GW_ADMIN_H
#define GW_ADMIN_H

#include "base/error.h"

struct gateway;
struct admin;

/** Open what the configuration in force names and start the thread. The loops of gw run. @return 0, or -1 with e filled
 */
int admin_start(struct gateway *gw, cs_error *e) CS_MUST_CHECK;
/** A successor serves: HTTP ports are its own, the socket moves to PATH.PROCESS-ID. Main thread, once. */
void admin_retire(struct gateway *gw);
/** Close everything, end the thread. The loops have not been destroyed yet. Not started: nothing. */
void admin_stop(struct gateway *gw);

#endif
