/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream.h: connections to receivers: a pool per loop, newest first. Before reuse a connection is looked at: one that
 * is readable or closed is never used again.
 */
#ifndef GW_UPSTREAM_H
#define GW_UPSTREAM_H

#include "gateway/conn.h"
#include "gateway/runtime.h"

struct exchange;

struct upstream_conn {
    struct conn conn;                    /**< first */
    struct upstream_conn *next, **place; /**< in loop->idle or loop->busy */
    struct exchange *exchange;           /**< NULL: idle or closing */
    char *host;                          /**< owned, with port: what the connection may be reused for */
    char port[8];
    struct tls_back *back;     /**< reference; NULL: plain. A connection is used again only for the same object */
    struct resolve_name *name; /**< reference; counts its connections */
    uint64_t judged;           /**< generation by which the server was judged last */
    unsigned served;
    bool reused;
    bool idle; /**< in loop->idle, and counted there */
};

/** The target of route with the fewest exchanges in flight that is fit to be tried, but not avoid. *tried: this
 * exchange is the one try of a target that was ejected. NULL: none. */
struct target *upstream_choose(const struct plan_route *route, const struct target *avoid, int64_t now_us, bool *tried);
/** What came of an exchange: no connection, no whole reply; or a final status, whatever it says. */
void upstream_failed(const struct plan_route *route, struct target *t, bool tried, int64_t now_us);
void upstream_good(struct target *t);
/** An idle connection to t that can be used, now busy with ex. NULL: none. */
struct upstream_conn *upstream_take(struct loop *loop, const struct target *t, const struct tls_back *back,
                                    struct exchange *ex);
/** Begin a connection to address number i; exchange_upstream_connected() follows. back: how to speak TLS, NULL: plain.
 *  @return NULL: not possible (errno) */
struct upstream_conn *upstream_open(struct loop *loop, const struct target *t, struct tls_back *back, unsigned i,
                                    struct exchange *ex);
/** TLS objects were retired: close idle connections made with them, and begin anew those whose handshake goes on. Busy
 *  ones end with their reply. */
void upstream_retire(struct loop *loop);
/** The exchange needs it no more. reusable: request and reply were whole, nothing is left over. */
void upstream_give_back(struct upstream_conn *u, const struct gw_upstream *conf, bool reusable);
/** Has the target an address, and is it not taken out for its failures? Any thread. */
bool upstream_usable(const struct plan_route *route, const struct target *t, int64_t now_us);
/** Loop's thread: close the idle ones to that name. */
void upstream_close_idle_to(struct loop *loop, const struct resolve_name *name);
/** Loop's thread: close all idle ones. */
void upstream_close_idle(struct loop *loop);

#endif
