/* SPDX-License-Identifier: Apache-2.0 */
/* exchange_request.c: the way of a request: head, route, body, work, connection, sending. */
#include "gateway/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "gateway/authz.h"
#include "gateway/gateway_private.h"
#include "gateway/plain.h"
#include "gateway/publish.h"
#include "gateway/route.h"

void exchange_request_begin(struct exchange *ex)
{
    const struct gw_timeouts *t = &exchange_config(ex)->timeouts;
    struct client *c = ex->client;
    int64_t late_ms = c->accepted_us != 0 ? (ex->mark.start - c->accepted_us) / 1000 : 0;
    /* On a new connection the head's time runs from accept, on a kept one from the first octet. */
    timer_set(&c->conn.timer, t->head > late_ms ? t->head - late_ms : 0);
    c->accepted_us = 0;
}

/* ---- head ----------------------------------------------------------------------------------------------------- */

/* The name that the TLS connection was made for; another Host would borrow its certificate. A port may stand behind. */
static bool name_fits(const struct exchange *ex, const struct http1_head *h)
{
    SSL *ssl = ex->client->conn.ssl;
    const char *name = ssl != NULL ? SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) : NULL;
    if (!tls_is_name(name) || h->host == NULL) {
        return true;
    }
    size_t n = strlen(name);
    return strncasecmp(h->host, name, n) == 0 && (h->host[n] == '\0' || h->host[n] == ':');
}

bool exchange_authorize(struct exchange *ex)
{
    struct client *c = ex->client;
    if (c->peer == NULL && !ex->route->conf->authorize.there) {
        return true;
    }
    struct authz_answer answer;
    struct runtime *rt = gateway_runtime(ex->loop->gateway);
    authz_ask(ex->route->conf, c->peer, runtime_front(rt, c->listening), rt->snapshot, cs_clock_now(), &answer);
    if (answer.reason == WSSEC_OK && c->peer != NULL && c->peer->alias[0] != '\0') {
        char sender[KS_SENDER];
        exchange_host(c->address, sender);
        ks_use(ex->loop->gateway->live, rt->snapshot, c->peer->alias, c->peer->n, sender, true, cs_clock_now());
    }
    runtime_unref(rt);
    free(ex->user);
    ex->user = NULL;
    if (answer.reason == WSSEC_OK && answer.user[0] != '\0' && (ex->user = strdup(answer.user)) == NULL) {
        answer.reason = WSSEC_OUT_OF_MEMORY;
    }
    if (answer.reason != WSSEC_OK) {
        exchange_fail(ex, answer.reason, "%s", answer.detail);
    }
    return answer.reason == WSSEC_OK;
}

bool exchange_request_accept(struct exchange *ex)
{
    const struct http1_head *h = http1_head(ex->parser);
    bool path_known;
    if (!name_fits(ex, h)) {
        exchange_fail(ex, WSSEC_TLS_NAME, "Host is %s", h->host);
        return false;
    }
    if (publish_answer(ex)) {
        return false;
    }
    ex->route = route_find(ex->runtime->plan, ex->client->listening, h->path, h->method, &path_known, ex->allow);
    if (ex->route == NULL) {
        exchange_fail(ex, path_known ? WSSEC_HTTP_METHOD : WSSEC_ROUTE_UNKNOWN, "%s %s", h->method, h->path);
        return false;
    }
    ex->passes_unsigned = false;
    bool post = strcmp(h->method, "POST") == 0;
    bool checked = gw_actions_any(&ex->route->conf->request) || gw_actions_any(&ex->route->conf->response);
    if (checked && !post) {
        /* No method turns verification off: what is no message passes only as the question for a service description.
         */
        if (!plain_request_allowed(h)) {
            memcpy(ex->allow, "POST", sizeof "POST");
            exchange_fail(ex, WSSEC_HTTP_METHOD, "%s asks for no service description", h->method);
            return false;
        }
        ex->passes_unsigned = true;
    }
    if (post) {
        const struct http1_failure *f = checked ? http1_check_content(ex->parser) : NULL;
        if (f != NULL) {
            exchange_fail_http(ex, f);
            return false;
        }
    }
    return true;
}

/* Route, limits, room for the body; each failure has answered already. @return false: refused */
static bool head_accept(struct exchange *ex)
{
    const struct http1_head *h = http1_head(ex->parser);
    if (!exchange_request_accept(ex) || !exchange_admit(ex) || !exchange_authorize(ex)) {
        return false;
    }
    if (!http1_set_body_limit(ex->parser, ex->route->request_limit)) {
        exchange_fail(ex, WSSEC_LIMIT_BODY, "declared %llu octets", (unsigned long long)h->length);
        return false;
    }
    enum body_room room = h->has_length ? body_reserve(&ex->body, &ex->loop->gateway->memory, h->length) : BODY_ROOM;
    if (room != BODY_ROOM) {
        exchange_fail_room(ex, room, "a body", h->length);
        return false;
    }
    return true;
}

/* The HTTP layer refused before a route was chosen; a 405 names what would be served there. */
static void malformed(struct exchange *ex)
{
    const struct http1_failure *f = http1_failure(ex->parser);
    const struct http1_head *h = http1_head(ex->parser);
    bool path_known = true;
    if (f->status == 405 && h->path != NULL) {
        (void)route_find(ex->runtime->plan, ex->client->listening, h->path, "", &path_known, ex->allow);
    }
    if (path_known) {
        exchange_fail_http(ex, f);
    } else {
        exchange_fail(ex, WSSEC_ROUTE_UNKNOWN, "%s %s", h->method, h->path);
    }
}

void exchange_request_wait_body(struct exchange *ex)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    ex->mark.head = cs_clock_mono_us();
    timer_set(&ex->client->conn.timer, exchange_config(ex)->timeouts.body_idle);
    if (http1_head(ex->parser)->expect_continue) {
        struct iovec piece = {(void *)(uintptr_t)go_on, sizeof go_on - 1};
        if (conn_send(&ex->client->conn, &piece, 1) == CONN_BROKEN) {
            exchange_event(ex, ON_GONE);
        }
    }
}

/* ---- octets of the client -------------------------------------------------------------------------------------- */

static bool wants_input(const struct exchange *ex)
{
    return ex->state == EX_IDLE || ex->state == EX_HEAD || ex->state == EX_BODY;
}

/* A body that trickles is as good as one that has stopped. */
static bool body_too_slow(const struct exchange *ex)
{
    const struct gw_timeouts *t = &exchange_config(ex)->timeouts;
    int64_t elapsed_ms = (cs_clock_mono_us() - ex->mark.head) / 1000 - t->body_idle;
    return t->body_rate > 0 && elapsed_ms > 0 && ex->body.octets < (uint64_t)elapsed_ms * t->body_rate / 1000;
}

static void body_take(struct exchange *ex, const char *p, size_t n)
{
    enum body_room room = body_append(&ex->body, &ex->loop->chunks, &ex->loop->gateway->memory, p, n);
    if (room != BODY_ROOM) {
        exchange_fail_room(ex, room, "a body", ex->body.octets + n);
    } else if (body_too_slow(ex)) {
        exchange_fail(ex, WSSEC_HTTP_BODY_RATE, "the body comes too slowly");
    } else {
        timer_set(&ex->client->conn.timer, exchange_config(ex)->timeouts.body_idle);
        exchange_arriving(ex, false);
    }
}

static void request_complete(struct exchange *ex)
{
    ex->parser_done = true;
    ex->keep = http1_head(ex->parser)->keep_alive;
    ex->mark.complete = cs_clock_mono_us();
    ex->request_octets = ex->body.octets;
    timer_off(&ex->client->conn.timer);
    exchange_request_go_on(ex);
}

void exchange_request_cut(struct exchange *ex)
{
    ex->mark.complete = cs_clock_mono_us();
    ex->request_octets = ex->body.octets;
    exchange_event(ex, ON_WORK);
}

void exchange_request_go_on(struct exchange *ex)
{
    bool work = gw_actions_any(&ex->route->conf->request) && !ex->passes_unsigned;
    if (hold_must_wait(ex)) {
        exchange_event(ex, ON_HOLD);
    } else {
        exchange_event(ex, work ? ON_WORK : ON_READY);
    }
}

size_t exchange_input(struct exchange *ex, const char *p, size_t n)
{
    size_t used_all = 0;
    if (ex->state == EX_IDLE) {
        exchange_event(ex, ON_BYTES);
    }
    while (wants_input(ex)) {
        size_t used = 0;
        const char *body = NULL;
        size_t body_n = 0;
        enum http1_event e = http1_feed(ex->parser, p + used_all, n - used_all, &used, &body, &body_n);
        used_all += used;
        if (e == HTTP1_MORE) {
            break;
        } else if (e == HTTP1_HEAD) {
            if (head_accept(ex)) {
                exchange_event(ex, ON_HEAD);
            }
        } else if (e == HTTP1_BODY) {
            body_take(ex, body, body_n);
        } else if (e == HTTP1_DONE) {
            request_complete(ex);
        } else {
            malformed(ex);
        }
    }
    return used_all;
}

/* ---- connection ------------------------------------------------------------------------------------------------ */

/* @return false: no target is fit to be tried */
static bool target_take(struct exchange *ex, const struct target *avoid)
{
    struct target *t = upstream_choose(ex->route, avoid, cs_clock_mono_us(), &ex->target_tried);
    if (t != NULL) {
        exchange_leave_upstream(ex, false);
        ex->target = t;
        atomic_fetch_add_explicit(&t->in_flight, 1, memory_order_relaxed);
    }
    return t != NULL;
}

/* How this target is reached now: a certificate that was replaced since the exchange began is not shown any more.
 * @return a reference, NULL: plain */
static struct tls_back *back_now(const struct exchange *ex)
{
    if (ex->target->tls < 0) {
        return NULL;
    }
    struct tls_back *own = ex->runtime->tls->back[ex->target->tls];
    struct runtime *rt = gateway_runtime(ex->loop->gateway);
    struct tls_back *back = tls_back_ref(tls_set_like(rt->tls, own));
    runtime_unref(rt);
    return back;
}

void exchange_request_connect(struct exchange *ex)
{
    if (ex->mark.connect == 0) {
        ex->mark.connect = cs_clock_mono_us();
    }
    if (ex->target == NULL && !target_take(ex, NULL)) {
        exchange_fail(ex, WSSEC_UPSTREAM_UNAVAILABLE, "all %u upstreams of route %s are ejected or down",
                      ex->route->n_target, ex->route->conf->name);
        return;
    }
    struct tls_back *back = back_now(ex);
    if (back != NULL && back->why[0] != '\0') {
        exchange_fail(ex, WSSEC_UPSTREAM_TLS, "%s: %s", ex->target->conf->authority, back->why);
        tls_back_unref(back);
        return;
    }
    timer_set(&ex->client->conn.timer, ex->target->conf->connect_ms);
    ex->upstream = ex->retried || ex->address > 0 ? NULL : upstream_take(ex->loop, ex->target, back, ex);
    bool taken = ex->upstream != NULL;
    if (!taken) {
        ex->upstream = upstream_open(ex->loop, ex->target, back, ex->address, ex);
    }
    int err = errno;
    tls_back_unref(back);
    if (taken) {
        exchange_event(ex, ON_CONNECTED);
    } else if (ex->upstream == NULL) {
        exchange_upstream_connected(ex, err);
    }
}

/* The next address of the target, or once another target; never the same one twice. */
static bool connect_elsewhere(struct exchange *ex)
{
    struct gw_address unused;
    if (resolve_address(ex->target->name, ex->address + 1, &unused)) {
        ex->address++;
        return true;
    }
    if (ex->retried || !target_take(ex, ex->target)) {
        return false;
    }
    ex->retried = true;
    ex->address = 0;
    return true;
}

static void upstream_drop(struct exchange *ex)
{
    struct upstream_conn *u = ex->upstream;
    ex->upstream = NULL;
    if (u != NULL) {
        upstream_give_back(u, ex->target->conf, false);
    }
}

void exchange_upstream_connected(struct exchange *ex, int err)
{
    if (err == 0) {
        exchange_event(ex, ON_CONNECTED);
        return;
    }
    struct target *failed = ex->target;
    bool tried = ex->target_tried;
    char why[160];
    snprintf(why, sizeof why, "%s",
             err == EADDRNOTAVAIL   ? "its name has no address"
             : ex->upstream != NULL ? conn_why(&ex->upstream->conn, err)
                                    : strerror(err));
    upstream_drop(ex);
    if (connect_elsewhere(ex)) {
        if (ex->target != failed) {
            upstream_failed(ex->route, failed, tried, cs_clock_mono_us());
        }
        ex->loop->counters.upstream_retries++;
        exchange_event(ex, ON_RETRY);
        return;
    }
    exchange_fail(ex,
                  err == CONN_TLS    ? WSSEC_UPSTREAM_TLS
                  : err == ETIMEDOUT ? WSSEC_UPSTREAM_CONNECT_TIMEOUT
                                     : WSSEC_UPSTREAM_CONNECT,
                  "%s: %s", failed->conf->authority, why);
}

void exchange_upstream_anew(struct exchange *ex)
{
    upstream_drop(ex);
    exchange_event(ex, ON_RETRY);
}

/* ---- sending --------------------------------------------------------------------------------------------------- */

static const struct output *request_output(const struct exchange *ex)
{
    return ex->request_job != NULL ? &ex->request_job->output : NULL;
}

static uint64_t request_length(const struct exchange *ex)
{
    const struct output *o = request_output(ex);
    return o != NULL ? o->octets : ex->body.octets;
}

static int request_head_write(struct exchange *ex)
{
    const struct http1_head *h = http1_head(ex->parser);
    const struct gw_upstream *u = ex->target->conf;
    cs_buf target = CS_BUF_INIT;
    bool post = strcmp(h->method, "POST") == 0;
    const char *query = !post || ex->route->conf->query_pass ? h->query : NULL;
    bool has_body = h->has_length || h->chunked;
    int rc = route_target(&target, ex->route->conf, u, h->path, query);
    cs_buf_reset(&ex->upstream_head);
    if (rc == 0) {
        struct http1_extra extra[1 + TRACE_EXTRA] = {{ex->route->conf->user_header, ex->user}};
        size_t n = extra[0].name != NULL && extra[0].value != NULL;
        n += trace_fields(ex, extra + n);
        rc = http1_write_request(&ex->upstream_head, h, target.data, u->authority, request_length(ex), has_body, extra,
                                 n);
    }
    cs_buf_free(&target);
    return rc;
}

struct iovec *exchange_pieces(const cs_buf *head, const struct body *body, const struct output *o, size_t *n)
{
    size_t count = 1 + (o != NULL ? o->n_piece : body->n_chunk);
    struct iovec *v = calloc(count, sizeof *v);
    if (v == NULL) {
        return NULL;
    }
    size_t k = 0;
    v[k++] = (struct iovec){head->data, head->len};
    for (size_t i = 0; o != NULL && i < o->n_piece; i++) {
        v[k++] = (struct iovec){(void *)(uintptr_t)o->piece[i].p, o->piece[i].n};
    }
    for (struct chunk *c = o == NULL ? body->first : NULL; c != NULL; c = c->next) {
        v[k++] = (struct iovec){c->data, c->n};
    }
    *n = k;
    return v;
}

void exchange_request_forward(struct exchange *ex)
{
    struct upstream_conn *u = ex->upstream;
    size_t n = 0;
    ex->mark.connected = cs_clock_mono_us();
    ex->upstream_reused = u->reused;
    ex->upstream_name = ex->target->conf->authority;
    ex->reply_begun = false;
    if (request_head_write(ex) != 0) {
        exchange_fail(ex, WSSEC_OUT_OF_MEMORY, "no memory for the request head");
        return;
    }
    struct iovec *v = exchange_pieces(&ex->upstream_head, &ex->body, request_output(ex), &n);
    if (v == NULL) {
        exchange_fail(ex, WSSEC_OUT_OF_MEMORY, "no memory for the request");
        return;
    }
    if (u->back != NULL && u->back->presents[0] != '\0') {
        ks_use(ex->loop->gateway->live, ex->runtime->snapshot, u->back->presents, u->back->presents_n,
               ex->target->conf->host, true, cs_clock_now());
    }
    conn_mark(&u->conn);
    if (conn_read(&u->conn, true) != 0) {
        free(v);
        exchange_fail(ex, WSSEC_OUT_OF_MEMORY, "the upstream connection cannot be watched");
        return;
    }
    enum conn_result result = conn_send(&u->conn, v, n);
    int err = errno;
    free(v);
    if (result == CONN_BROKEN && (u->conn.sent == 0 || !conn_speaks_on(&u->conn, err))) {
        exchange_upstream_ended(ex, err);
    } else if (result == CONN_DONE) {
        exchange_event(ex, ON_WRITTEN);
    } else {
        exchange_write_timer(ex, &u->conn);
    }
}

void exchange_upstream_drained(struct exchange *ex)
{
    if (ex->state == EX_FORWARD) {
        exchange_event(ex, ON_WRITTEN);
    }
}

void exchange_upstream_progress(struct exchange *ex)
{
    if (ex->state == EX_FORWARD) {
        exchange_write_timer(ex, &ex->upstream->conn);
    }
}

void exchange_request_sent(struct exchange *ex)
{
    timer_set(&ex->client->conn.timer, ex->target->conf->response_ms);
}

/* Only what cannot have reached the receiver is sent again, and only once; or what the operator calls idempotent. */
static bool may_retry(const struct exchange *ex)
{
    const struct upstream_conn *u = ex->upstream;
    if (ex->retried || ex->reply_begun || (ex->state != EX_FORWARD && ex->state != EX_REPLY_HEAD)) {
        return false;
    }
    return u->conn.sent == 0 || (u->reused && ex->target->conf->idempotent);
}

void exchange_upstream_ended(struct exchange *ex, int err)
{
    if (ex->state == EX_CONNECT) {
        exchange_upstream_connected(ex, err != 0 ? err : ECONNRESET);
        return;
    }
    if (may_retry(ex)) {
        ex->retried = true;
        ex->loop->counters.upstream_retries++;
        upstream_drop(ex);
        exchange_event(ex, ON_RETRY);
        return;
    }
    if (ex->reply_parser != NULL && err == 0 && ex->reply_begun && http1_eof(ex->reply_parser) == HTTP1_DONE) {
        return;
    }
    exchange_fail(ex, WSSEC_UPSTREAM_CLOSED, "%s: %s", ex->target->conf->authority,
                  err != 0 ? conn_why(&ex->upstream->conn, err) : "closed before its reply was complete");
}

/* ---- towards the client ---------------------------------------------------------------------------------------- */

void exchange_client_drained(struct exchange *ex)
{
    if (ex->state == EX_REPLY_SEND || ex->state == EX_REFUSED) {
        exchange_event(ex, ON_WRITTEN);
    }
}

void exchange_client_progress(struct exchange *ex)
{
    if (ex->state == EX_REPLY_SEND || ex->state == EX_REFUSED) {
        exchange_write_timer(ex, &ex->client->conn);
    }
}
