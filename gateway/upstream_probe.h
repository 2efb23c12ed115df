/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream_probe.h: one receiver asked once whether it is well: a connection, or a GET and the first octets of its
 * answer, for an https upstream under TLS with what a request would present and demand. Never waits: who runs it polls.
 */
#ifndef GW_UPSTREAM_PROBE_H
#define GW_UPSTREAM_PROBE_H

#include <openssl/ssl.h>

#include "gateway/upstream_check.h"

#define PROBE_ANSWER "HTTP/1.x nnn"

struct probe {
    struct receiver *receiver;     /**< borrowed until the end */
    int fd;                        /**< -1: over */
    short wants;                   /**< POLLIN or POLLOUT */
    void (*step)(struct probe *p); /**< to be called when fd is ready */
    bool over, good;
    bool unasked;          /**< its TLS is not in force yet, or not any more: nothing was found out */
    struct tls_back *back; /**< a reference; NULL: plain */
    SSL *ssl;              /**< owned */
    size_t got;
    char answer[sizeof PROBE_ANSWER];
    int64_t deadline_us;
};

/** Begin with p->receiver; the rest of p is zero. Over at once where no connection can be begun. */
void probe_begin(struct probe *p, struct gateway *gw, int64_t now_us);
/** Close and note the outcome. */
void probe_end(struct probe *p, bool good);

#endif
