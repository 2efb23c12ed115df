/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn.h: one TCP connection of a loop, plain or under TLS: reads of up to 64 KB into the loop's scratch, writes at
 * once (writev, SSL_write), EV_WRITE armed only after EAGAIN. Embedded in its owner (a client or an upstream
 * connection), which gives the callbacks and sees no difference: what it sends and gets are octets of HTTP. Destroying
 * is deferred to the end of the loop's turn, so a callback may close its own connection.
 */
#ifndef GW_CONN_H
#define GW_CONN_H

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "gateway/loop.h"

struct conn;

/** What the owner learns; all on the loop's thread. Each may call conn_close(). */
struct conn_ops {
    /** n octets at p, borrowed for the call (the loop's scratch). */
    void (*data)(struct conn *c, const char *p, size_t n);
    /** All output was taken by the kernel; only after a conn_send() that returned CONN_LATER. */
    void (*drained)(struct conn *c);
    /** Some output was taken, more waits. */
    void (*progress)(struct conn *c);
    /** The connection is made, under TLS with its handshake over (err 0), or was refused. An accepted plain connection
     * gets no such call, an accepted one under TLS does. */
    void (*connected)(struct conn *c, int err);
    /** The peer closed its side (err 0), or the connection broke. The owner still has to close it. err: see conn_why().
     */
    void (*ended)(struct conn *c, int err);
    /** The deadline has passed. */
    void (*timeout)(struct conn *c);
    /** End of the turn after conn_close(): free the object that c is part of. */
    void (*destroy)(struct conn *c);
};

struct conn {
    uint32_t magic; /**< checked where libevent hands a pointer back */
    int fd;         /**< -1: closed */
    struct loop *loop;
    const struct conn_ops *ops;
    struct event read_event, write_event;
    struct timer timer;
    struct task end;
    struct iovec *out; /**< output that waits; the octets are borrowed until drained */
    size_t n_out, cap_out, first_out;
    uint64_t sent; /**< octets taken by the kernel since conn_mark() */
    bool reading, writing, connecting;
    SSL *ssl;           /**< owned; NULL: plain */
    bool securing;      /**< under TLS, and the handshake is not over */
    bool broken;        /**< the TLS connection is beyond use: not even a good-bye is sent */
    bool read_to_write; /**< TLS has to write before it can read on */
    char *why;          /**< owned; the last trouble of TLS in words, NULL: none */
    int reason;         /**< the same as a number of OpenSSL's, 0: none */
};

/** An err of the callbacks that is no errno: conn_why() has the words. */
#define CONN_TLS (-1)

enum conn_result {
    CONN_DONE /**< all taken */,
    CONN_LATER /**< drained() follows */,
    CONN_BROKEN /**< errno says why */
};

/** Take fd (non-blocking) into c. Nothing is watched yet. */
void conn_init(struct conn *c, struct loop *loop, int fd, const struct conn_ops *ops);
/** Begin a connection; connected() tells the outcome, never inside this call. @return 0, or -1 (errno) */
int conn_connect(struct conn *c, const struct sockaddr *sa, socklen_t len) __attribute__((warn_unused_result));
/** Speak TLS over c from its first octet on; ssl (takes it) has its side set. For an accepted connection the handshake
 * begins with the peer's first octets, else as soon as the connection is made. @return 0, or -1: ssl is freed */
int conn_secure(struct conn *c, SSL *ssl) __attribute__((warn_unused_result));
/** Put another sentence in the place of what TLS says about its trouble. */
void conn_note(struct conn *c, const char *why);
/** err of a callback in words; borrowed until the next trouble of c. */
const char *conn_why(const struct conn *c, int err);
/** Watch for input, or not. @return 0, or -1 */
int conn_read(struct conn *c, bool on);
/** Send the pieces; their octets are borrowed until all is taken, the array only for the call. Behind output that
 * waits. */
enum conn_result conn_send(struct conn *c, const struct iovec *piece, size_t n) __attribute__((warn_unused_result));
/** Writing failed with err, but what the peer said before it closed can still be read and ends in ended(): who refuses
 * a message often answers and closes without reading on. */
bool conn_speaks_on(const struct conn *c, int err);
/** Forget output that waits. */
void conn_drop_output(struct conn *c);
/** Octets sent that the peer has not acknowledged: falls as long as it reads. */
size_t conn_unread(const struct conn *c);
/** Begin counting in sent. */
void conn_mark(struct conn *c);
/** Nothing to read, not closed: an idle connection that may be used again. */
bool conn_quiet(struct conn *c);
/** Tell the peer that nothing follows; what it sends can still be read. */
void conn_end_output(struct conn *c);
/** Close and destroy at the end of the turn. */
void conn_close(struct conn *c);
/** TCP_NODELAY: a head and its body leave in one segment or at once, never 40 ms later. */
void conn_nodelay(int fd);

#endif
