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
    free(c->out);
    c->magic = 0;
    c->ops->destroy(c);
}

static void read_ready(evutil_socket_t fd, short what, void *ctx)
{
    (void)what;
    struct conn *c = conn_of(ctx);
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

/* Hand the waiting pieces to the kernel. */
static enum conn_result conn_flush(struct conn *c)
{
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
        c->sent += (uint64_t)n;
        size_t left = (size_t)n;
        while (c->first_out < c->n_out && left >= c->out[c->first_out].iov_len) {
            left -= c->out[c->first_out++].iov_len;
        }
        if (left > 0) {
            c->out[c->first_out].iov_base = (char *)c->out[c->first_out].iov_base + left;
            c->out[c->first_out].iov_len -= left;
        }
    }
    c->first_out = 0;
    c->n_out = 0;
    return CONN_DONE;
}

static void write_ready(evutil_socket_t fd, short what, void *ctx)
{
    (void)what;
    struct conn *c = conn_of(ctx);
    if (c->connecting) {
        int err = 0;
        socklen_t len = sizeof err;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0) {
            err = errno;
        }
        c->connecting = false;
        c->writing = false;
        event_del(&c->write_event);
        c->ops->connected(c, err);
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
    int err = errno;
    c->writing = false;
    event_del(&c->write_event);
    if (result == CONN_DONE) {
        c->ops->drained(c);
    } else {
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

bool conn_quiet(const struct conn *c)
{
    char octet;
    return recv(c->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void conn_close(struct conn *c)
{
    if (c->fd < 0) {
        return;
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
