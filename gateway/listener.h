/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener.h: listening descriptors. All loops watch the one descriptor of an address (a lost race costs a wake-up), so
 * that handing over or ending a loop loses no connection that waits in the kernel's queue.
 */
#ifndef GW_LISTENER_H
#define GW_LISTENER_H

#include "base/error.h"
#include "gateway/config.h"
#include "gateway/loop.h"

struct listening;
struct runtime;

struct gateway;
/** Bind and listen, or let the master do it. @return a reference, NULL with e filled */
struct listening *listening_open(struct gateway *gw, const struct gw_listener *l, cs_error *e);
/** Is it what the configuration calls l? */
bool listening_is(const struct listening *l, const struct gw_listener *conf);
struct listening *listening_ref(struct listening *l);
void listening_unref(struct listening *l); /**< the last one closes */
/** The address as bound (port 0: the real one). Borrowed from l. */
const char *listening_address(const struct listening *l);

/** Loop's thread: watch what the runtime lists, and nothing else. @return 0, or -1 */
int listener_sync(struct loop *loop, const struct runtime *rt);
/** Loop's thread: take what waits in the queues, then accept no more. */
void listener_stop(struct loop *loop);
/** Forget all descriptors without accepting. */
void listener_unwatch_all(struct loop *loop);
/** Accept again after a pause (timer; a connection ended). */
void listener_resume(void *loop);

#endif
