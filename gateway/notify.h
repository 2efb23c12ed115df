/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify.h: what the service manager is told and hands over: datagrams to $NOTIFY_SOCKET, listening descriptors by
 * $LISTEN_FDS. Two small protocols, so no library. Called by one thread of the process that the manager started.
 */
#ifndef GW_NOTIFY_H
#define GW_NOTIFY_H

#include <stddef.h>

/** Send a state ("READY=1"); without a manager nothing happens. */
void notify_send(const char *state);
/** RELOADING=1 with the instant that the manager wants. */
void notify_reloading(void);

#define NOTIFY_LISTEN_FIRST 3 /* descriptors are handed over from this one on */
/** How many were handed over to this process; they are close-on-exec from now on, the variables are gone. */
unsigned notify_listen_fds(void);
/** Name of descriptor number i as the manager gave it, "" none; before notify_listen_fds(). @return out */
const char *notify_listen_name(unsigned i, char *out, size_t size);

#endif
