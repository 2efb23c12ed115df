/* SPDX-License-Identifier: Apache-2.0 */
/* client.c: see client.h. */
#include "gateway/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/exchange.h"
#include "gateway/gateway_private.h"
#include "gateway/listener.h"
#include "gateway/tls_peer.h"

/* Octets of later requests that wait before reading stops. */
#define REST_LIMIT ((size_t)65536)
/* A reply sent before the request was read whole would be lost in a reset: read on for a while before the close. */
#define LINGER_MS     1000
#define LINGER_OCTETS ((size_t)4 << 20)
/* How long a connection must be idle before it is ended because what it was made with is replaced. */
#define RETIRE_IDLE_MS 1000
/* A crowd of connections is one fact, not one each. */
#define LIMIT_TOLD_US INT64_C(1000000)

static struct client *client_of(struct conn *conn)
{
    return (struct client *)conn;
}

void client_close(struct client *c)
{
    conn_close(&c->conn);
}

static void client_linger(struct client *c)
{
    cs_buf_free(&c->rest);
    if (c->ended) {
        client_close(c);
        return;
    }
    conn_end_output(&c->conn);
    c->lingering = true;
    timer_set(&c->conn.timer, LINGER_MS);
    if (conn_read(&c->conn, true) != 0) {
        client_close(c);
    }
}

/* Give octets to the exchange; what belongs to a later request waits. */
static void client_feed(struct client *c, const char *p, size_t n)
{
    if (c->exchange == NULL) {
        c->exchange = exchange_new(c);
        if (c->exchange == NULL) {
            cs_log(CS_LOG_ERROR, "out-of-memory", "no memory for an exchange", CS_STR("client", c->address));
            client_close(c);
            return;
        }
    }
    size_t used = exchange_input(c->exchange, p, n);
    if (used < n && !c->lingering && c->conn.fd >= 0) {
        if (cs_buf_add(&c->rest, p + used, n - used) != 0) {
            client_close(c);
            return;
        }
        if (c->rest.len >= REST_LIMIT) {
            conn_read(&c->conn, false);
        }
    }
}

static void client_data(struct conn *conn, const char *p, size_t n)
{
    struct client *c = client_of(conn);
    c->fresh = false;
    if (c->lingering) {
        c->lingered += n;
        if (c->lingered > LINGER_OCTETS) {
            client_close(c);
        }
        return;
    }
    if (c->rest.len > 0 || c->resume.waiting) {
        if (cs_buf_add(&c->rest, p, n) != 0) {
            client_close(c);
        } else if (c->rest.len >= REST_LIMIT) {
            conn_read(conn, false);
        }
        return;
    }
    client_feed(c, p, n);
}

/* The next request has been received behind the one that is over now. */
static void client_resume(struct task *t)
{
    struct client *c = (struct client *)((char *)t - offsetof(struct client, resume));
    if (c->conn.fd < 0 || c->lingering || c->exchange != NULL) {
        return;
    }
    cs_buf rest = c->rest;
    c->rest = (cs_buf)CS_BUF_INIT;
    if (rest.len > 0) {
        client_feed(c, rest.data, rest.len);
    }
    cs_buf_free(&rest);
    if (c->conn.fd >= 0 && !c->ended && !c->lingering && c->rest.len < REST_LIMIT && conn_read(&c->conn, true) != 0) {
        client_close(c);
    }
}

static bool client_retired(const struct client *c)
{
    return c->front != NULL && tls_retired(&c->front->object);
}

void client_retire(struct loop *loop)
{
    int64_t now_us = cs_clock_mono_us();
    for (struct client *c = loop->client; c != NULL; c = c->next) {
        if (client_retired(c) && c->conn.fd >= 0 && c->exchange == NULL && c->idle_us != 0 && !c->lingering) {
            timer_set(&c->conn.timer, RETIRE_IDLE_MS - (now_us - c->idle_us) / 1000);
        }
    }
}

void client_exchange_over(struct client *c, bool keep)
{
    c->exchange = NULL;
    conn_drop_output(&c->conn);
    if (c->conn.fd < 0) {
        return;
    }
    if (!keep) {
        client_linger(c);
        return;
    }
    if (c->ended && c->rest.len == 0) {
        client_close(c);
        return;
    }
    struct runtime *rt = gateway_runtime(c->conn.loop->gateway);
    c->idle_us = cs_clock_mono_us();
    timer_set(&c->conn.timer, client_retired(c) ? RETIRE_IDLE_MS : rt->plan->config->timeouts.keep_alive);
    runtime_unref(rt);
    if (c->rest.len > 0) {
        loop_later(c->conn.loop, &c->resume);
    } else {
        cs_buf_free(&c->rest);
    }
}

static void client_drained(struct conn *conn)
{
    struct client *c = client_of(conn);
    if (c->exchange != NULL) {
        exchange_client_drained(c->exchange);
    }
}

static void client_progress(struct conn *conn)
{
    struct client *c = client_of(conn);
    if (c->exchange != NULL) {
        exchange_client_progress(c->exchange);
    }
}

/* The TLS handshake is over. */
static void client_connected(struct conn *conn, int err)
{
    struct client *c = client_of(conn);
    char sender[KS_SENDER]; /* by its address alone: who does not trust our certificate shows none of his */
    bool good = err == 0 && tls_peer_of(conn->ssl, &c->peer) == 0;
    if (err != 0 && BIO_number_read(SSL_get_rbio(conn->ssl)) == 0) {
        client_close(c); /* a look at the port, as load balancers take it, is no handshake */
        return;
    }
    tls_count(conn->loop->counters.handshakes[0], conn->ssl, good);
    exchange_host(c->address, sender);
    tls_front_tell(c->front, conn, sender, good);
    if (good) {
        return;
    }
    loop_log_refused(conn->loop, "tls-refused", "a TLS handshake with a client failed", c->address,
                     err == 0 ? "its certificate is beyond reading" : conn_why(conn, err));
    client_close(c);
}

static void client_ended(struct conn *conn, int err)
{
    struct client *c = client_of(conn);
    (void)err;
    c->ended = true;
    if (c->exchange != NULL) {
        exchange_event(c->exchange, ON_GONE);
    } else if (c->rest.len == 0 || c->lingering) {
        client_close(c);
    }
}

static void client_timeout(struct conn *conn)
{
    struct client *c = client_of(conn);
    if (conn->securing) {
        tls_count(conn->loop->counters.handshakes[0], conn->ssl, false);
        loop_log_refused(conn->loop, "tls-refused", "a TLS handshake with a client failed", c->address,
                         "it was not over in time");
    }
    if (c->exchange != NULL) {
        exchange_event(c->exchange, ON_TIMER);
    } else if (client_retired(c) && !c->lingering && !conn->securing) {
        client_linger(c);
    } else {
        client_close(c);
    }
}

static void client_destroy(struct conn *conn)
{
    struct client *c = client_of(conn);
    struct loop *loop = conn->loop;
    if (c->next != NULL) {
        c->next->place = c->place;
    }
    *c->place = c->next;
    loop->n_client--;
    atomic_fetch_sub(&loop->gateway->clients, 1);
    if (c->limited) {
        limit_release(loop->gateway->limiter, c->limited_as);
    }
    listening_unref(c->listening);
    if (c->front != NULL) {
        tls_leave(&c->front->object);
        tls_front_unref(c->front);
    }
    tls_peer_free(c->peer);
    cs_buf_free(&c->rest);
    free(c);
    if (loop->accept_again.due_us != 0) {
        timer_set(&loop->accept_again, 0);
    }
}

static const struct conn_ops client_ops = {client_data,  client_drained, client_progress, client_connected,
                                           client_ended, client_timeout, client_destroy};

/* @return false: the address has as many connections as it may have */
static bool client_count(struct client *c, struct loop *loop, unsigned most)
{
    if (limit_connection(loop->gateway->limiter, c->limited_as, most)) {
        c->limited = most != 0;
        return true;
    }
    int64_t now_us = cs_clock_mono_us();
    loop->counters.refused[WSSEC_CONNECTION_LIMIT]++;
    if (now_us - loop->limit_told_us >= LIMIT_TOLD_US) {
        loop->limit_told_us = now_us;
        cs_log(CS_LOG_WARN, "connection-limit", "an address has as many connections as it may have; more are closed",
               CS_STR("address", c->limited_as), CS_INT("connections", most));
    }
    return false;
}

/* @return 0, or -1: no memory */
static int client_secure(struct client *c, struct tls_front *front)
{
    if (front == NULL) {
        return 0;
    }
    SSL *ssl = tls_front_new_ssl(front);
    if (ssl == NULL || conn_secure(&c->conn, ssl) != 0) {
        return -1;
    }
    c->front = front;
    return 0;
}

bool client_last_reply(const struct client *c)
{
    return c->conn.loop->draining || client_retired(c);
}

int client_accept(struct loop *loop, struct listening *l, const struct runtime *rt, int fd,
                  const struct gw_address *peer)
{
    struct client *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return -1;
    }
    limit_address((const struct sockaddr *)&peer->sa, c->limited_as);
    if (!client_count(c, loop, rt->plan->config->per_address)) {
        free(c);
        return -1;
    }
    conn_init(&c->conn, loop, fd, &client_ops);
    if (client_secure(c, runtime_front(rt, l)) != 0 || conn_read(&c->conn, true) != 0) {
        SSL_free(c->conn.ssl);
        if (c->limited) {
            limit_release(loop->gateway->limiter, c->limited_as);
        }
        free(c);
        return -1;
    }
    if (c->front != NULL) {
        tls_front_ref(c->front);
        tls_use(&c->front->object);
    }
    c->resume.run = client_resume;
    c->listening = listening_ref(l);
    c->accepted_us = cs_clock_mono_us();
    c->fresh = true;
    memcpy(c->address, peer->text, sizeof c->address);
    c->next = loop->client;
    c->place = &loop->client;
    if (c->next != NULL) {
        c->next->place = &c->next;
    }
    loop->client = c;
    loop->n_client++;
    loop->counters.connections++;
    atomic_fetch_add(&loop->gateway->clients, 1);
    timer_set(&c->conn.timer, rt->plan->config->timeouts.head);
    return 0;
}
