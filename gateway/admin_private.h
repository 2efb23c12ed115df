/* SPDX-License-Identifier: Apache-2.0 */
/* admin_private.h: the admin thread as its own files see it: ports, connections, and who may ask what. */
#ifndef GW_ADMIN_PRIVATE_H
#define GW_ADMIN_PRIVATE_H

#include <sys/types.h>

#include "base/buffer.h"
#include "gateway/admin.h"
#include "gateway/conn.h"
#include "gateway/gateway_private.h"
#include "gateway/limit.h"
#include "gateway/metrics.h"

enum admin_kind { ADMIN_SOCKET, ADMIN_HTTP, ADMIN_HEALTH, ADMIN_KINDS };

struct admin_port {
    struct admin *admin;
    enum admin_kind kind;
    int fd; /**< -1: not open */
    struct event event;
    bool watching;
    bool secure; /**< TLS was configured when it was opened: plain connections are never served */
};

struct admin_conn {
    struct conn conn; /**< first: callbacks hand it back */
    struct admin *admin;
    struct admin_conn *next, **place;
    uint64_t id; /**< an answer that comes later finds its asker by this */
    enum admin_kind kind;
    uid_t uid; /**< of the peer, socket only */
    pid_t pid;
    cs_buf in, out;
    struct http1 *parser;    /**< HTTP only; owned */
    struct tls_front *front; /**< what the connection was made with; a reference, NULL: plain */
    struct tls_peer *client; /**< owned; NULL: has shown no certificate */
    char address[LIMIT_ADDRESS];
    bool waiting; /**< for an answer, or for the kernel to take one */
    bool last;    /**< close behind the answer */
    bool ended;   /**< the peer sends nothing more */
};

struct admin {
    struct gateway *gateway;
    struct loop loop;
    pthread_t thread;
    struct mail retire;
    struct mail end;   /**< ends the thread */
    struct timer beat; /**< signs of life of the other loops */
    struct admin_port port[ADMIN_KINDS];
    struct admin_conn *conn;
    unsigned n_conn;
    uint64_t next_id;
    struct metrics *metrics; /* owned */
    char *socket_path;       /**< removed at the end; NULL: none */
};

/** Send c->out; the next line or request is looked at when it is out. */
void admin_send(struct admin_conn *c);
/** The connection that asked, NULL: it has gone. */
struct admin_conn *admin_asker(struct admin *a, uint64_t id);

/** Speak TLS where admin http does. @return 0, or -1: the connection is not to be served */
int admin_tls_begin(struct admin_conn *c, const struct admin_port *port);
/** The handshake is over. @return false: it failed, c is to be closed */
bool admin_tls_connected(struct admin_conn *c, int err);
/** Is the client's certificate, if it had to show one, still good? Asked anew for each request. */
bool admin_tls_welcome(struct admin_conn *c);
/** What c was made with is replaced: it ends as soon as nothing is under way. */
bool admin_tls_retired(const struct admin_conn *c);
/** Give back what the connection holds. */
void admin_tls_end(struct admin_conn *c);

/** Take one line out of c->in and answer it. @return false: no whole line is there */
bool admin_line_step(struct admin_conn *c);
/** Feed c->in to the parser and answer a whole request. @return false: more is needed */
bool admin_http_step(struct admin_conn *c);

#endif
