/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream_check.h: the receivers of all routes with what is known of their health, shared by every plan that names
 * them, so that a reload forgets nothing; and the thread that asks those which want to be asked.
 */
#ifndef GW_UPSTREAM_CHECK_H
#define GW_UPSTREAM_CHECK_H

#include <pthread.h>
#include <stdbool.h>

#include "gateway/config.h"
#include "gateway/resolve.h"
#include "gateway/upstream_health.h"

struct gateway;

/** One host and port with one kind of check; shared by reference. */
struct receiver {
    struct receiver *next;
    unsigned refs; /**< under the lock of the thread */
    struct health health;
    struct resolve_name *name; /**< reference */
    char *authority;
    enum gw_check check;
    char *path; /**< of an HTTP check; NULL */
    char *tls;  /**< tls_back_key() of an HTTP check under TLS; NULL: plain */
    int64_t interval_ms, timeout_ms;
    int64_t due_us; /**< next check; the thread's own */
};

struct check_thread {
    pthread_t thread;
    bool started;
    _Atomic bool stop;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct gateway *gateway;          /**< borrowed */
    struct resolver_thread *resolver; /**< borrowed */
    struct receiver *receivers;       /**< all that are in use */
};

/** @return 0, or -1 */
int check_start(struct check_thread *t, struct gateway *gw, struct resolver_thread *resolver)
    __attribute__((warn_unused_result));
/** All receivers are given back before or after; the thread ends here. */
void check_stop(struct check_thread *t);
/** Everything goes; no receiver is in use any more. */
void check_destroy(struct check_thread *t);

/** The shared receiver; its name may be resolved here and now (never on a loop). @return a reference, NULL: no memory
 */
struct receiver *receiver_get(struct check_thread *t, const struct gw_upstream *u);
void receiver_unref(struct check_thread *t, struct receiver *r);

#endif
