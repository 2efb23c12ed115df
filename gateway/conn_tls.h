/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_tls.h: how a connection under TLS reads and writes; for conn.c only. OpenSSL works on the descriptor itself;
 * each call does as much as it can without waiting and says what it waits for.
 */
#ifndef GW_CONN_TLS_H
#define GW_CONN_TLS_H

#include "gateway/conn.h"

enum conn_tls_event {
    CONN_TLS_MORE,        /**< more may be there already */
    CONN_TLS_WAIT,        /**< nothing more until the descriptor is readable */
    CONN_TLS_WANTS_WRITE, /**< nothing more until the descriptor is writable */
    CONN_TLS_END,         /**< the peer said that nothing follows */
    CONN_TLS_BROKEN       /**< *err, for conn_why() */
};

/** CONN_LATER: *wants_write says for which readiness. CONN_BROKEN: c->why is set */
enum conn_result conn_tls_handshake(struct conn *c, bool *wants_write);
/** Read up to size octets of content; *n may be above 0 with every outcome. */
enum conn_tls_event conn_tls_read(struct conn *c, char *out, size_t size, size_t *n, int *err);
/** Octets were received that TLS has not given away yet. */
bool conn_tls_waits(const struct conn *c);
/** Write what waits in c->out, small pieces joined into one record. */
enum conn_result conn_tls_write(struct conn *c);
/** As conn_quiet(); tickets that came are taken in. */
bool conn_tls_quiet(struct conn *c);
/** Say once that nothing follows, if there is anybody to say it to. */
void conn_tls_end(struct conn *c);

/** conn.c: n octets of what waits are with the kernel. */
void conn_taken(struct conn *c, size_t n);

#endif
