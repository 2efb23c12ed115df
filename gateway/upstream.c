/* SPDX-License-Identifier: Apache-2.0 */
/* upstream.c: see upstream.h. */
#include "gateway/upstream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/exchange.h"
#include "gateway/gateway_private.h"

static struct upstream_conn *upstream_of(struct conn *conn)
{
    return (struct upstream_conn *)conn;
}

static void list_move(struct upstream_conn *u, struct upstream_conn **to)
{
    if (u->place != NULL) {
        if (u->next != NULL) {
            u->next->place = u->place;
        }
        *u->place = u->next;
    }
    struct loop *loop = u->conn.loop;
    if (u->idle != (to == &loop->idle)) {
        u->idle = !u->idle;
        loop->counters.upstream_idle += u->idle ? 1 : UINT64_MAX;
    }
    u->place = to;
    u->next = NULL;
    if (to != NULL) {
        u->next = *to;
        if (u->next != NULL) {
            u->next->place = &u->next;
        }
        *to = u;
    }
}

static void upstream_close(struct upstream_conn *u)
{
    u->exchange = NULL;
    list_move(u, NULL);
    conn_close(&u->conn);
}

static void upstream_data(struct conn *conn, const char *p, size_t n)
{
    struct upstream_conn *u = upstream_of(conn);
    if (u->exchange == NULL) {
        /* Octets that nobody asked for: whatever they are, they are no reply. */
        upstream_close(u);
        return;
    }
    exchange_reply_input(u->exchange, p, n);
}

static void upstream_drained(struct conn *conn)
{
    struct upstream_conn *u = upstream_of(conn);
    if (u->exchange != NULL) {
        exchange_upstream_drained(u->exchange);
    }
}

static void upstream_progress(struct conn *conn)
{
    struct upstream_conn *u = upstream_of(conn);
    if (u->exchange != NULL) {
        exchange_upstream_progress(u->exchange);
    }
}

/* The server's certificate by the newest keystore; once per generation. @param done by the handshake, just now */
static int upstream_judge(struct upstream_conn *u, bool done)
{
    const ks_snapshot *s = ks_live_get(u->conn.loop->gateway->live);
    int error = X509_V_OK;
    if (u->judged != ks_snapshot_generation(s)) {
        u->judged = ks_snapshot_generation(s);
        error = done ? X509_V_OK : tls_back_judge(u->back, u->conn.ssl, s, cs_clock_now());
    }
    ks_snapshot_release(s);
    return error;
}

/* @return what became of the handshake */
static int upstream_secured(struct upstream_conn *u, int err)
{
    int judged = err == 0 ? upstream_judge(u, SSL_session_reused(u->conn.ssl) == 0) : X509_V_OK;
    if (judged != X509_V_OK) {
        conn_note(&u->conn, X509_verify_cert_error_string(judged));
        err = CONN_TLS;
    }
    tls_count(u->conn.loop->counters.handshakes[1], u->conn.ssl, err == 0);
    return err;
}

static void upstream_connected(struct conn *conn, int err)
{
    struct upstream_conn *u = upstream_of(conn);
    if (u->back != NULL) {
        err = upstream_secured(u, err);
    }
    if (u->exchange != NULL) {
        exchange_upstream_connected(u->exchange, err);
    }
}

static void upstream_ended(struct conn *conn, int err)
{
    struct upstream_conn *u = upstream_of(conn);
    if (u->exchange != NULL) {
        exchange_upstream_ended(u->exchange, err);
    } else {
        upstream_close(u);
    }
}

static void upstream_timeout(struct conn *conn)
{
    struct upstream_conn *u = upstream_of(conn);
    if (u->exchange == NULL) {
        upstream_close(u);
    }
}

static void upstream_destroy(struct conn *conn)
{
    struct upstream_conn *u = upstream_of(conn);
    conn->loop->counters.upstream_open--;
    if (u->back != NULL) {
        tls_leave(&u->back->object);
        tls_back_unref(u->back);
    }
    atomic_fetch_sub(&u->name->connections, 1);
    resolve_unref(&conn->loop->gateway->resolver, u->name);
    free(u->host);
    free(u);
}

static const struct conn_ops upstream_ops = {upstream_data,  upstream_drained, upstream_progress, upstream_connected,
                                             upstream_ended, upstream_timeout, upstream_destroy};

/* The only receiver of a route is not taken away for its failures, whoever saw them: nobody would be served better. */
static enum health_state target_state(const struct plan_route *route, const struct target *t, int64_t now_us)
{
    const struct health *h = &t->receiver->health;
    enum health_state state = health_state(h, now_us);
    bool only = route->n_target == 1 && !atomic_load_explicit(&h->down, memory_order_relaxed);
    return only ? HEALTH_UP : state;
}

bool upstream_usable(const struct plan_route *route, const struct target *t, int64_t now_us)
{
    struct gw_address unused;
    return resolve_address(t->name, 0, &unused) && target_state(route, t, now_us) != HEALTH_OUT;
}

static struct target *choose_once(const struct plan_route *route, const struct target *avoid, int64_t now_us)
{
    struct target *best = NULL;
    unsigned least = 0;
    unsigned from = atomic_fetch_add_explicit(&route->load->turn, 1, memory_order_relaxed);
    for (unsigned i = 0; i < route->n_target; i++) {
        struct target *t = &route->target[(from + i) % route->n_target];
        unsigned load = atomic_load_explicit(&t->in_flight, memory_order_relaxed);
        if (t != avoid && target_state(route, t, now_us) != HEALTH_OUT && (best == NULL || load < least)) {
            best = t;
            least = load;
        }
    }
    return best;
}

struct target *upstream_choose(const struct plan_route *route, const struct target *avoid, int64_t now_us, bool *tried)
{
    struct target *t;
    while ((t = choose_once(route, avoid, now_us)) != NULL) {
        *tried = target_state(route, t, now_us) == HEALTH_TRY;
        if (!*tried || health_try(&t->receiver->health, now_us)) {
            break; /* else another exchange has the try, and the target is out */
        }
    }
    return t;
}

void upstream_failed(const struct plan_route *route, struct target *t, bool tried, int64_t now_us)
{
    unsigned after = route->n_target > 1 ? t->conf->eject_after : 0;
    struct health *h = &t->receiver->health;
    if (health_failed(h, tried, after, now_us)) {
        cs_log(CS_LOG_WARN, "upstream-ejected", "an upstream has failed and gets no requests for a while",
               CS_STR("route", route->conf->name), CS_STR("upstream", t->conf->authority),
               CS_INT("seconds", health_wait_us(h, now_us) / 1000000));
    }
}

void upstream_good(struct target *t)
{
    if (health_good(&t->receiver->health)) {
        cs_log(CS_LOG_NOTICE, "upstream-back", "an upstream that was ejected answers again",
               CS_STR("upstream", t->conf->authority));
    }
}

static bool upstream_fits(const struct upstream_conn *u, const struct gw_upstream *conf, const struct tls_back *back)
{
    return u->back == back && strcmp(u->host, conf->host) == 0 && strcmp(u->port, conf->port) == 0;
}

struct upstream_conn *upstream_take(struct loop *loop, const struct target *t, const struct tls_back *back,
                                    struct exchange *ex)
{
    struct upstream_conn *u = loop->idle;
    while (u != NULL) {
        struct upstream_conn *next = u->next;
        if (upstream_fits(u, t->conf, back)) {
            if (conn_quiet(&u->conn) && (back == NULL || upstream_judge(u, false) == X509_V_OK)) {
                list_move(u, &loop->busy);
                timer_off(&u->conn.timer);
                u->exchange = ex;
                u->reused = true;
                return u;
            }
            upstream_close(u);
        }
        u = next;
    }
    return NULL;
}

/* @return 0, or -1: no memory */
static int upstream_secure(struct upstream_conn *u, struct tls_back *back)
{
    if (back == NULL) {
        return 0;
    }
    SSL *ssl = tls_back_new_ssl(back);
    if (ssl == NULL || conn_secure(&u->conn, ssl) != 0) {
        return -1;
    }
    u->back = tls_back_ref(back);
    tls_use(&back->object);
    return 0;
}

struct upstream_conn *upstream_open(struct loop *loop, const struct target *t, struct tls_back *back, unsigned i,
                                    struct exchange *ex)
{
    struct gw_address address;
    if (!resolve_address(t->name, i, &address)) {
        errno = EADDRNOTAVAIL;
        return NULL;
    }
    struct upstream_conn *u = calloc(1, sizeof *u);
    if (u == NULL || (u->host = strdup(t->conf->host)) == NULL) {
        free(u);
        errno = ENOMEM;
        return NULL;
    }
    memcpy(u->port, t->conf->port, sizeof u->port);
    int fd = socket(address.sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        free(u->host);
        free(u);
        return NULL;
    }
    conn_nodelay(fd);
    conn_init(&u->conn, loop, fd, &upstream_ops);
    u->name = resolve_ref(t->name);
    atomic_fetch_add(&u->name->connections, 1);
    loop->counters.upstream_connects++;
    loop->counters.upstream_open++;
    if (upstream_secure(u, back) != 0) {
        upstream_close(u);
        errno = ENOMEM;
        return NULL;
    }
    if (conn_connect(&u->conn, (const struct sockaddr *)&address.sa, address.len) != 0) {
        int err = errno;
        upstream_close(u);
        errno = err;
        return NULL;
    }
    u->exchange = ex;
    list_move(u, &loop->busy);
    return u;
}

void upstream_give_back(struct upstream_conn *u, const struct gw_upstream *conf, bool reusable)
{
    struct loop *loop = u->conn.loop;
    u->exchange = NULL;
    u->served++;
    conn_drop_output(&u->conn);
    unsigned idle = 0;
    for (const struct upstream_conn *i = loop->idle; i != NULL; i = i->next) {
        idle += upstream_fits(i, conf, u->back);
    }
    if (!reusable || (u->back != NULL && tls_retired(&u->back->object)) || loop->draining ||
        u->served >= conf->max_requests || idle >= conf->max_idle || conn_read(&u->conn, true) != 0) {
        upstream_close(u);
        loop_check_drained(loop);
        return;
    }
    list_move(u, &loop->idle);
    timer_set(&u->conn.timer, conf->idle_ms);
}

void upstream_close_idle_to(struct loop *loop, const struct resolve_name *name)
{
    for (struct upstream_conn *u = loop->idle; u != NULL;) {
        struct upstream_conn *next = u->next;
        if (u->name == name) {
            upstream_close(u);
        }
        u = next;
    }
}

void upstream_close_idle(struct loop *loop)
{
    while (loop->idle != NULL) {
        upstream_close(loop->idle);
    }
}

void upstream_retire(struct loop *loop)
{
    for (struct upstream_conn *u = loop->idle, *next; u != NULL; u = next) {
        next = u->next;
        if (u->back != NULL && tls_retired(&u->back->object)) {
            upstream_close(u);
        }
    }
    bool again = true;
    while (again) {
        again = false;
        for (struct upstream_conn *u = loop->busy; u != NULL && !again; u = u->next) {
            if (u->back != NULL && tls_retired(&u->back->object) && (u->conn.connecting || u->conn.securing) &&
                u->exchange != NULL) {
                /* moves u out of the list, and may put another one in */
                exchange_upstream_anew(u->exchange);
                again = true;
            }
        }
    }
}
