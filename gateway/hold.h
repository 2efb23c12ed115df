/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold.h: routes on hold. What is known of a held route belongs to its name, not to a plan, so that a hold survives a
 * reload. An exchange passes the hold (and is then under way until its end) or waits in its loop, first in, first out.
 */
#ifndef GW_HOLD_H
#define GW_HOLD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct exchange;
struct gateway;
struct loop;
struct runtime;

/** One route by name; shared by reference. */
struct hold_route {
    struct hold_route *next;
    unsigned refs; /**< under the lock of the table */
    char *name;
    _Atomic bool held;
    _Atomic unsigned under_way; /**< exchanges that have passed the hold and not ended */
    _Atomic unsigned waiting;
};

struct hold_table {
    pthread_mutex_t lock;
    struct hold_route *first;
};

/** The route of that name. Any thread. @return a reference, NULL: no memory */
struct hold_route *hold_get(struct hold_table *t, const char *name);
void hold_unref(struct hold_table *t, struct hold_route *h);

/** What the keystore says now, for every route; loops are told. Whoever publishes a runtime, behind that. */
void hold_apply(struct gateway *gw, const struct runtime *rt);
/** Loop's thread: refuse what waits (503): the process ends and nothing will let it go. */
void hold_refuse_all(struct loop *loop);

/** The request is complete: does it wait? A false answer counts the exchange as under way: once held is seen with
 *  under_way 0, nothing of the route is at the upstream or can get there. Loop's thread. */
bool hold_must_wait(struct exchange *ex);
/** Handler of the state HELD. */
void exchange_hold(struct exchange *ex);
/** The end of an exchange: it is no more under way, nor does it wait. */
void hold_leave(struct exchange *ex);
/** Is the route of ex held? Its upstream connections are closed then, not kept. */
bool hold_closes(const struct exchange *ex);

#endif
