/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c: see conn.h. */
#include "gateway/conn.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway/conn_tls.h"

#define CONN_MAGIC     0x436f6e6eU
#define PIECES_AT_ONCE 64
/* Reads in a row for one connection before the others have their turn. */
#define READS_AT_ONCE 4

static struct conn *conn_of(void *ctx)
{
    struct conn *c = ctx;
    if (c->magic != CONN_MAGIC) {
        cs_log(CS_LOG_ERROR, "conn-magic", "an event came with a pointer that is no connection");
        abort();
    }
    return c;
}

static void conn_timeout(void *ctx)
{
    struct conn *c = conn_of(ctx);
    c->ops->timeout(c);
}

static void conn_end(struct task *t)
{
    struct conn *c = conn_of((char *)t - offsetof(struct conn, end));
    timer_destroy(&c->timer);
    SSL_free(c->ssl);
    free(c->why);
    free(c->out);
    c->magic = 0;
    c->ops->destroy(c);
}

/* ---- TLS ------------------------------------------------------------------------------------------------------ */

static int conn_watch_write(struct conn *c)
{
    if (!c->writing) {
        if (event_add(&c->write_event, NULL) != 0) {
            errno = ENOMEM;
            return -1;
        }
        c->writing = true;
    }
    return 0;
}

static void conn_unwatch_write(struct conn *c)
{
    if (c->writing) {
        event_del(&c->write_event);
        c->writing = false;
    }
}

/* Octets that TLS holds already make no descriptor readable. */
static void conn_read_again(struct conn *c)
{
    if (c->reading && c->ssl != NULL && !c->securing && conn_tls_waits(c)) {
        event_active(&c->read_event, EV_READ, 0);
    }
}

/* One step of the handshake. @return false: it goes on, or the owner was told that it failed */
static bool secure_step(struct conn *c)
{
    bool wants_write = false;
    enum conn_result result = conn_tls_handshake(c, &wants_write);
    if (result == CONN_LATER) {
        if (!wants_write) {
            conn_unwatch_write(c);
            return false;
        }
        if (conn_watch_write(c) == 0) {
            return false;
        }
        result = CONN_BROKEN;
    }
    conn_unwatch_write(c);
    c->securing = false;
    c->broken = result == CONN_BROKEN;
    c->ops->connected(c, result == CONN_DONE ? 0 : CONN_TLS);
    return result == CONN_DONE && c->fd >= 0;
}

static void secure_read_ready(struct conn *c, int fd)
{
    if (c->securing && !secure_step(c)) {
        return;
    }
    for (int i = 0; i < READS_AT_ONCE && c->fd == fd && c->reading; i++) {
        size_t n = 0;
        int err = 0;
        enum conn_tls_event e = conn_tls_read(c, c->loop->scratch, CHUNK_LARGE, &n, &err);
        if (n > 0) {
            c->ops->data(c, c->loop->scratch, n);
            if (c->fd != fd || !c->reading) {
                return;
            }
        }
        if (e == CONN_TLS_WANTS_WRITE && conn_watch_write(c) == 0) {
            c->read_to_write = true;
            return;
        }
        if (e == CONN_TLS_WAIT) {
            return;
        }
        if (e != CONN_TLS_MORE) {
            conn_read(c, false);
            c->ops->ended(c, e == CONN_TLS_END ? 0 : err);
            return;
        }
    }
    if (c->fd == fd) {
        conn_read_again(c);
    }
}

int conn_secure(struct conn *c, SSL *ssl)
{
    if (SSL_set_fd(ssl, c->fd) != 1 || SSL_set_app_data(ssl, c) != 1) {
        SSL_free(ssl);
        errno = ENOMEM;
        return -1;
    }
    c->ssl = ssl;
    c->securing = true;
    return 0;
}

void conn_note(struct conn *c, const char *why)
{
    free(c->why);
    c->why = strdup(why);
}

const char *conn_why(const struct conn *c, int err)
{
    return err != CONN_TLS ? strerror(err) : c->why != NULL ? c->why : "TLS failed";
}

/* ---- readiness ------------------------------------------------------------------------------------------------- */

static void read_ready(evutil_socket_t fd, short what, void *ctx)
{
    (void)what;
    struct conn *c = conn_of(ctx);
    if (c->ssl != NULL) {
        secure_read_ready(c, fd);
        return;
    }
    for (int i = 0; i < READS_AT_ONCE && c->fd == fd && c->reading; i++) {
        ssize_t n = recv(fd, c->loop->scratch, CHUNK_LARGE, 0);
        if (n > 0) {
            c->ops->data(c, c->loop->scratch, (size_t)n);
            if ((size_t)n < CHUNK_LARGE) {
                return;
            }
        } else if (n == 0) {
            conn_read(c, false);
            c->ops->ended(c, 0);
            return;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno != EINTR) {
            int err = errno;
            conn_read(c, false);
            c->ops->ended(c, err);
            return;
        }
    }
}

void conn_taken(struct conn *c, size_t n)
{
    c->sent += n;
    while (c->first_out < c->n_out && n >= c->out[c->first_out].iov_len) {
        n -= c->out[c->first_out++].iov_len;
    }
    if (n > 0) {
        c->out[c->first_out].iov_base = (char *)c->out[c->first_out].iov_base + n;
        c->out[c->first_out].iov_len -= n;
    }
}

/* Hand the waiting pieces to the kernel. */
static enum conn_result conn_flush(struct conn *c)
{
    enum conn_result result = c->ssl != NULL ? conn_tls_write(c) : CONN_DONE;
    if (result != CONN_DONE) {
        return result;
    }
    while (c->first_out < c->n_out) {
        size_t count = c->n_out - c->first_out;
        struct msghdr message = {.msg_iov = c->out + c->first_out,
                                 .msg_iovlen = count < PIECES_AT_ONCE ? count : PIECES_AT_ONCE};
        ssize_t n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno == EAGAIN || errno == EWOULDBLOCK ? CONN_LATER : CONN_BROKEN;
        }
        conn_taken(c, (size_t)n);
    }
    c->first_out = 0;
    c->n_out = 0;
    return CONN_DONE;
}

/* The kernel has made the connection, or knows why not. */
static void connect_over(struct conn *c, int fd)
{
    int err = 0;
    socklen_t len = sizeof err;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0) {
        err = errno;
    }
    c->connecting = false;
    conn_unwatch_write(c);
    if (err == 0 && c->ssl != NULL) {
        if (conn_read(c, true) == 0) {
            secure_step(c);
            return;
        }
        err = ENOMEM;
    }
    c->ops->connected(c, err);
}

/* @return true: this readiness was for TLS, not for our output */
static bool secure_write_ready(struct conn *c, int fd)
{
    if (c->securing) {
        if (secure_step(c)) {
            conn_read_again(c);
        }
        return true;
    }
    if (!c->read_to_write) {
        return false;
    }
    c->read_to_write = false;
    secure_read_ready(c, fd);
    if (c->fd != fd || c->read_to_write) {
        return true;
    }
    if (c->first_out == c->n_out) {
        conn_unwatch_write(c);
        return true;
    }
    return false;
}

bool conn_speaks_on(const struct conn *c, int err)
{
    return (err == EPIPE || err == ECONNRESET) && c->ssl == NULL && c->reading;
}

static void write_ready(evutil_socket_t fd, short what, void *ctx)
{
    (void)what;
    struct conn *c = conn_of(ctx);
    if (c->connecting) {
        connect_over(c, fd);
        return;
    }
    if (c->ssl != NULL && secure_write_ready(c, fd)) {
        return;
    }
    uint64_t before = c->sent;
    enum conn_result result = conn_flush(c);
    if (result == CONN_LATER) {
        if (c->sent != before) {
            c->ops->progress(c);
        }
        return;
    }
    int err = c->broken ? CONN_TLS : errno;
    conn_unwatch_write(c);
    if (result == CONN_DONE) {
        c->ops->drained(c);
    } else if (!conn_speaks_on(c, err)) {
        c->ops->ended(c, err);
    }
}

void conn_init(struct conn *c, struct loop *loop, int fd, const struct conn_ops *ops)
{
    c->magic = CONN_MAGIC;
    c->fd = fd;
    c->loop = loop;
    c->ops = ops;
    c->end.run = conn_end;
    event_assign(&c->read_event, loop->base, fd, EV_READ | EV_PERSIST, read_ready, c);
    event_assign(&c->write_event, loop->base, fd, EV_WRITE | EV_PERSIST, write_ready, c);
    timer_init(&c->timer, loop, conn_timeout, c);
}

int conn_connect(struct conn *c, const struct sockaddr *sa, socklen_t len)
{
    if (connect(c->fd, sa, len) != 0 && errno != EINPROGRESS) {
        return -1;
    }
    /* A connection made at once is writable at once: the answer takes the same way. */
    c->connecting = true;
    return conn_watch_write(c);
}

int conn_read(struct conn *c, bool on)
{
    if (c->reading == on) {
        return 0;
    }
    if ((on ? event_add(&c->read_event, NULL) : event_del(&c->read_event)) != 0) {
        return -1;
    }
    c->reading = on;
    conn_read_again(c);
    return 0;
}

static int conn_queue(struct conn *c, const struct iovec *piece, size_t n)
{
    if (c->n_out + n > c->cap_out) {
        size_t cap = c->n_out + n;
        struct iovec *out = reallocarray(c->out, cap, sizeof *out);
        if (out == NULL) {
            return -1;
        }
        c->out = out;
        c->cap_out = cap;
    }
    for (size_t i = 0; i < n; i++) {
        if (piece[i].iov_len > 0) {
            c->out[c->n_out++] = piece[i];
        }
    }
    return 0;
}

enum conn_result conn_send(struct conn *c, const struct iovec *piece, size_t n)
{
    if (conn_queue(c, piece, n) != 0) {
        errno = ENOMEM;
        return CONN_BROKEN;
    }
    if (c->writing) {
        return CONN_LATER;
    }
    enum conn_result result = conn_flush(c);
    if (result == CONN_LATER && conn_watch_write(c) != 0) {
        return CONN_BROKEN;
    }
    return result;
}

void conn_drop_output(struct conn *c)
{
    c->n_out = 0;
    c->first_out = 0;
    if (c->writing && !c->connecting) {
        event_del(&c->write_event);
        c->writing = false;
    }
    if (c->cap_out <= 16) {
        return;
    }
    /* An idle connection keeps no array that a large message made. */
    free(c->out);
    c->out = NULL;
    c->cap_out = 0;
}

size_t conn_unread(const struct conn *c)
{
    int octets = 0;
    return ioctl(c->fd, SIOCOUTQ, &octets) == 0 && octets > 0 ? (size_t)octets : 0;
}

void conn_mark(struct conn *c)
{
    c->sent = 0;
}

bool conn_quiet(struct conn *c)
{
    char octet;
    if (c->ssl != NULL) {
        return conn_tls_quiet(c);
    }
    return recv(c->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void conn_end_output(struct conn *c)
{
    if (c->ssl != NULL) {
        conn_tls_end(c);
    }
    shutdown(c->fd, SHUT_WR);
}

void conn_close(struct conn *c)
{
    if (c->fd < 0) {
        return;
    }
    if (c->ssl != NULL) {
        conn_tls_end(c);
    }
    event_del(&c->read_event);
    event_del(&c->write_event);
    timer_off(&c->timer);
    close(c->fd);
    c->fd = -1;
    c->reading = false;
    c->writing = false;
    loop_later(c->loop, &c->end);
}

void conn_nodelay(int fd)
{
    int one = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) {
        cs_log(CS_LOG_DEBUG, "nodelay", "TCP_NODELAY cannot be set", CS_STR("why", strerror(errno)));
    }
}
