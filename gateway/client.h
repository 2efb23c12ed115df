/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h: one client connection: idle, or with the one exchange that is in flight on it; octets of requests behind it
 * wait here (pipelining: strictly in order). An idle client holds no parser and no buffer.
 */
#ifndef GW_CLIENT_H
#define GW_CLIENT_H

#include "base/buffer.h"
#include "gateway/config.h"
#include "gateway/conn.h"
#include "gateway/limit.h"

struct exchange;
struct listening;
struct runtime;
struct tls_front;
struct tls_peer;

struct client {
    struct conn conn; /**< first: conn_ops hand it back */
    struct client *next, **place;
    struct listening *listening; /**< reference */
    struct tls_front *front;     /**< reference; NULL: plain */
    struct tls_peer *peer;       /**< owned; NULL: no certificate, or none yet */
    struct exchange *exchange;   /**< NULL: idle */
    struct task resume;
    cs_buf rest; /**< octets behind the request in flight */
    char address[64];
    char limited_as[LIMIT_ADDRESS]; /**< what its address is counted by */
    bool limited;                   /**< counted among the connections of that address */
    int64_t accepted_us;
    int64_t idle_us; /**< monotonic; since when it is idle. 0: it has had no request yet */
    bool fresh;      /**< nothing was received yet */
    bool ended;      /**< the peer closed its side */
    bool lingering;  /**< our last reply is out; what still comes is thrown away */
    size_t lingered;
};

/** Take fd. @return 0, or -1: fd is still the caller's */
int client_accept(struct loop *loop, struct listening *l, const struct runtime *rt, int fd,
                  const struct gw_address *peer) __attribute__((warn_unused_result));
/** The exchange is over. keep: the connection may carry another one; else the reply is let out and the connection
 * closed. */
void client_exchange_over(struct client *c, bool keep);
/** The reply that is written now is the last one: the gateway drains, or what the client was served with is replaced.
 */
bool client_last_reply(const struct client *c);
/** TLS objects were retired: end idle connections made with them, as soon as they are idle for a second. One that was
 * in use a moment ago is so again a moment later; it ends with its next reply, so that no request is lost. */
void client_retire(struct loop *loop);
/** Close without further ado. */
void client_close(struct client *c);

#endif
