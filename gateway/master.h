/* SPDX-License-Identifier: Apache-2.0 */
/*
 * master.h: the process that the service manager starts: it keeps the listening descriptors, starts the gateway process
 * and starts it again when it dies, and at an upgrade lets a new one take over before the old one drains. It reads no
 * traffic and no configuration.
 */
#ifndef GW_MASTER_H
#define GW_MASTER_H

#include <stdbool.h>

/** Has this program been put in the place of a running master? Then it goes on with that one's children, and the
 *  descriptors of the command line are gone. */
bool gw_master_goes_on(void);
/** Until the end. ready_fd: descriptor that the first gateway process writes its ready line to, or -1.
 *  @return an exit code of enum cs_exit */
int gw_master_run(int ready_fd);

#endif
