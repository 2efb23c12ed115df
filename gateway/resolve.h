/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve.h: names of upstreams to addresses, never on a loop: literal addresses when they are read, names by a thread
 * that looks again every so often. A name keeps its last good addresses while the name service is away.
 */
#ifndef GW_RESOLVE_H
#define GW_RESOLVE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "gateway/config.h"

#define RESOLVE_ADDRESSES 8

/** One host and port; shared by reference. */
struct resolve_name {
    struct resolve_name *next; /**< list of the thread */
    _Atomic unsigned refs;
    char *host;
    char port[8];
    bool literal;
    pthread_mutex_t lock;
    struct gw_address address[RESOLVE_ADDRESSES];
    unsigned n_address;
    int64_t every_us, due_us;     /**< under the lock of the thread */
    _Atomic unsigned connections; /**< open ones, over all loops */
};

struct resolver_thread {
    pthread_t thread;
    bool started, stop;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct resolve_name *names; /**< all that are in use */
};

/** @return 0, or -1 */
int resolver_start(struct resolver_thread *r) __attribute__((warn_unused_result));
void resolver_stop(struct resolver_thread *r);

/** The shared name, looked up again every so often; resolved here and now the first time (may block: never on a loop).
 * @return a reference, NULL: no memory */
struct resolve_name *resolve_get(struct resolver_thread *r, const char *host, const char *port, int64_t every_ms);
/** @return another reference */
struct resolve_name *resolve_ref(struct resolve_name *name);
void resolve_unref(struct resolver_thread *r, struct resolve_name *name);
/** Address number i. Any thread, does not block. @return false: there are not so many */
bool resolve_address(struct resolve_name *name, unsigned i, struct gw_address *out);

#endif
