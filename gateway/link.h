/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.h: the gateway process and its master: a socket pair with one short text per datagram. The process asks for
 * listening descriptors, which the master keeps over its death and upgrade, and tells how it is; the master says when a
 * successor has taken over. Without a master the process binds for itself and tells the service manager directly.
 */
#ifndef GW_LINK_H
#define GW_LINK_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "gateway/config.h"

#define LINK_TEXT 256

/* How the master asks the process to end (twice: at once) and to read its configuration. Not by SIGTERM and SIGHUP: a
 * terminal, timeout(1) or a service manager may send those to the whole group, and of two that wait the second is lost.
 */
#define LINK_SIGNAL_END    SIGRTMIN
#define LINK_SIGNAL_RELOAD (SIGRTMIN + 1)

struct link {
    int fd; /**< -1: no master */
    pthread_mutex_t lock;
    bool retire; /**< said while somebody waited for another answer; under lock */
};

/** @param fd the descriptor of --master-fd, or -1 */
void link_init(struct link *l, int fd);
void link_close(struct link *l);

/** A listening descriptor for address; name tells addresses with port 0 apart. Any thread.
 *  @return owned by the caller (non-blocking, close-on-exec); -1 with a sentence in why */
int link_listen(struct link *l, const char *name, const struct gw_address *address, char *why, size_t size);
/** The configuration has no such listener any more: the master closes its copy. Any thread. */
void link_forget(struct link *l, const char *name, const struct gw_address *address);
/** Accepting ends and nobody goes on with it: the master closes its copies, before this returns. What waits in the
 *  queues is then for this process alone. */
void link_closing(struct link *l);
/** "ready", "alive", "reloading", "reloaded", "stopping". Any thread. */
void link_tell(struct link *l, const char *word);

enum link_event { LINK_NOTHING, LINK_RETIRE, LINK_GONE /**< the master is dead */ };
/** What the master said; does not wait. Main thread. */
enum link_event link_look(struct link *l);

/** Bind and listen, in whichever process may. @return descriptor, -1 (errno) with the step that failed */
int link_bind(const struct gw_address *address, const char **step);

#endif
