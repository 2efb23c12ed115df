/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.c: the state table, the one function that moves, timeouts by state, and the end of an exchange. */
#include "gateway/exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/answer.h"
#include "gateway/exchange_log.h"
#include "gateway/gateway_private.h"
#include "gateway/metrics.h"

#define EXCHANGE_MAGIC 0x45786368U

static void on_timer(struct exchange *ex);
static void on_gone_late(struct exchange *ex);
static void on_gone_early(struct exchange *ex);
static void on_aborted(struct exchange *ex);
static void on_done(struct exchange *ex);

/* A state is a paragraph, the rows that many states share stand on one line. */
/* clang-format off */
#define TIMER(state) {state, ON_TIMER, state, on_timer}
#define REFUSE(state) {state, ON_REFUSE, EX_REFUSED, exchange_refuse_send}
#define ABORT(state) {state, ON_ABORT, EX_ABORTED, on_aborted}
/* Before FORWARD a client that leaves cancels; from FORWARD on the receiver may have acted, its reply is still judged. */
#define GONE_EARLY(state) {state, ON_GONE, EX_ABORTED, on_gone_early}
#define GONE_LATE(state) {state, ON_GONE, state, on_gone_late}

const struct exchange_row exchange_table[] = {
    {EX_IDLE, ON_BYTES, EX_HEAD, exchange_request_begin},

    {EX_HEAD, ON_HEAD, EX_BODY, exchange_request_wait_body},
    TIMER(EX_HEAD), REFUSE(EX_HEAD), ABORT(EX_HEAD), GONE_EARLY(EX_HEAD),

    {EX_BODY, ON_HOLD, EX_HELD, exchange_hold},
    {EX_BODY, ON_WORK, EX_QUEUED, exchange_request_submit},
    {EX_BODY, ON_READY, EX_CONNECT, exchange_request_connect},
    TIMER(EX_BODY), REFUSE(EX_BODY), ABORT(EX_BODY), GONE_EARLY(EX_BODY),

    /* Let go, it may meet the next hold of its route at once. */
    {EX_HELD, ON_HOLD, EX_HELD, exchange_hold},
    {EX_HELD, ON_WORK, EX_QUEUED, exchange_request_submit},
    {EX_HELD, ON_READY, EX_CONNECT, exchange_request_connect},
    TIMER(EX_HELD), REFUSE(EX_HELD), ABORT(EX_HELD), GONE_EARLY(EX_HELD),

    {EX_QUEUED, ON_BEGUN, EX_WORKING, NULL},
    TIMER(EX_QUEUED), REFUSE(EX_QUEUED), ABORT(EX_QUEUED), GONE_EARLY(EX_QUEUED),

    {EX_WORKING, ON_READY, EX_CONNECT, exchange_request_connect},
    TIMER(EX_WORKING), REFUSE(EX_WORKING), ABORT(EX_WORKING), GONE_EARLY(EX_WORKING),

    {EX_CONNECT, ON_CONNECTED, EX_FORWARD, exchange_request_forward},
    {EX_CONNECT, ON_RETRY, EX_CONNECT, exchange_request_connect},
    TIMER(EX_CONNECT), REFUSE(EX_CONNECT), ABORT(EX_CONNECT), GONE_EARLY(EX_CONNECT),

    {EX_FORWARD, ON_WRITTEN, EX_REPLY_HEAD, exchange_request_sent},
    {EX_FORWARD, ON_REPLY, EX_REPLY_BODY, exchange_reply_accept},
    {EX_FORWARD, ON_RETRY, EX_CONNECT, exchange_request_connect},
    TIMER(EX_FORWARD), REFUSE(EX_FORWARD), ABORT(EX_FORWARD), GONE_LATE(EX_FORWARD),

    {EX_REPLY_HEAD, ON_REPLY, EX_REPLY_BODY, exchange_reply_accept},
    {EX_REPLY_HEAD, ON_RETRY, EX_CONNECT, exchange_request_connect},
    TIMER(EX_REPLY_HEAD), REFUSE(EX_REPLY_HEAD), ABORT(EX_REPLY_HEAD), GONE_LATE(EX_REPLY_HEAD),

    {EX_REPLY_BODY, ON_WORK, EX_REPLY_QUEUED, exchange_reply_submit},
    {EX_REPLY_BODY, ON_READY, EX_REPLY_SEND, exchange_reply_send},
    TIMER(EX_REPLY_BODY), REFUSE(EX_REPLY_BODY), ABORT(EX_REPLY_BODY), GONE_LATE(EX_REPLY_BODY),

    {EX_REPLY_QUEUED, ON_BEGUN, EX_REPLY_WORKING, NULL},
    TIMER(EX_REPLY_QUEUED), REFUSE(EX_REPLY_QUEUED), ABORT(EX_REPLY_QUEUED), GONE_LATE(EX_REPLY_QUEUED),

    {EX_REPLY_WORKING, ON_READY, EX_REPLY_SEND, exchange_reply_send},
    {EX_REPLY_WORKING, ON_WORK, EX_QUEUED, exchange_request_again},
    TIMER(EX_REPLY_WORKING), REFUSE(EX_REPLY_WORKING), ABORT(EX_REPLY_WORKING), GONE_LATE(EX_REPLY_WORKING),

    {EX_REPLY_SEND, ON_WRITTEN, EX_DONE, on_done},
    TIMER(EX_REPLY_SEND), ABORT(EX_REPLY_SEND), GONE_EARLY(EX_REPLY_SEND),

    {EX_REFUSED, ON_WRITTEN, EX_DONE, on_done},
    TIMER(EX_REFUSED), ABORT(EX_REFUSED), GONE_EARLY(EX_REFUSED),

    {EX_ABORTED, ON_END, EX_DONE, on_done},
};
/* clang-format on */

const size_t exchange_rows = sizeof exchange_table / sizeof exchange_table[0];

const char *exchange_state_word(enum exchange_state s)
{
    static const char *const words[EX_STATES] = {
        "IDLE",       "HEAD",       "BODY",         "HELD",          "QUEUED",     "WORKING", "CONNECT", "FORWARD",
        "REPLY_HEAD", "REPLY_BODY", "REPLY_QUEUED", "REPLY_WORKING", "REPLY_SEND", "REFUSED", "ABORTED", "DONE"};
    return (unsigned)s < EX_STATES ? words[s] : "?";
}

const char *exchange_on_word(enum exchange_on e)
{
    static const char *const words[EX_EVENTS] = {"bytes",  "head",      "hold",  "work",    "ready",
                                                 "begun",  "connected", "retry", "written", "reply",
                                                 "refuse", "abort",     "gone",  "timer",   "end"};
    return (unsigned)e < EX_EVENTS ? words[e] : "?";
}

const struct exchange_row *exchange_row(enum exchange_state s, enum exchange_on e)
{
    for (size_t i = 0; i < exchange_rows; i++) {
        if (exchange_table[i].state == s && exchange_table[i].on == e) {
            return &exchange_table[i];
        }
    }
    return NULL;
}

void exchange_event(struct exchange *ex, enum exchange_on e)
{
    const struct exchange_row *row = exchange_row(ex->state, e);
    if (ex->magic != EXCHANGE_MAGIC) {
        cs_log(CS_LOG_ERROR, "exchange-magic", "an event came for something that is no exchange");
        abort();
    }
    if (row == NULL) {
        cs_log(CS_LOG_ERROR, "exchange-bug", "an exchange got an event that its state does not know; it is given up",
               CS_STR("exchange", ex->id), CS_STR("state", exchange_state_word(ex->state)),
               CS_STR("on", exchange_on_word(e)));
        if (exchange_row(ex->state, ON_ABORT) != NULL) {
            exchange_abort(ex, WSSEC_INTERNAL);
        }
        return;
    }
    if (row->next == EX_REFUSED || (row->next == EX_ABORTED && ex->state != EX_REFUSED)) {
        ex->last_state = ex->state;
    }
    ex->state = row->next;
    if (row->run != NULL) {
        row->run(ex);
    }
}

const struct gw_config *exchange_config(const struct exchange *ex)
{
    return ex->runtime->plan->config;
}

/* ---- birth ---------------------------------------------------------------------------------------------------- */

static void exchange_destroy(struct task *t)
{
    struct exchange *ex = (struct exchange *)((char *)t - offsetof(struct exchange, destroy));
    ex->magic = 0;
    free(ex);
}

struct exchange *exchange_new(struct client *c)
{
    struct loop *loop = c->conn.loop;
    struct exchange *ex = calloc(1, sizeof *ex);
    if (ex == NULL) {
        return NULL;
    }
    ex->magic = EXCHANGE_MAGIC;
    ex->client = c;
    ex->loop = loop;
    ex->destroy.run = exchange_destroy;
    ex->mark.start = cs_clock_mono_us();
    ex->start_ms = cs_clock_now_ms();
    ex->runtime = gateway_runtime(loop->gateway);
    ex->parser = loop_parser_get(loop, HTTP1_REQUEST, &exchange_config(ex)->limits);
    if (ex->parser == NULL || loop_uuid(loop, ex->id) != 0) {
        http1_free(ex->parser);
        runtime_unref(ex->runtime);
        free(ex);
        return NULL;
    }
    loop->counters.begun++;
    return ex;
}

/* ---- what any state may meet ---------------------------------------------------------------------------------- */

void exchange_write_timer(struct exchange *ex, const struct conn *peer)
{
    ex->unread = conn_unread(peer);
    timer_set(&ex->client->conn.timer, exchange_config(ex)->timeouts.write_idle);
}

/* The kernel says "writable" only when a third of its buffer is free: a slow reader may well have taken octets since.
 */
static bool peer_still_reads(struct exchange *ex)
{
    const struct conn *peer = ex->state == EX_REPLY_SEND || ex->state == EX_REFUSED ? &ex->client->conn
                              : ex->state == EX_FORWARD                             ? &ex->upstream->conn
                                                                                    : NULL;
    if (peer == NULL || conn_unread(peer) >= ex->unread) {
        return false;
    }
    exchange_write_timer(ex, peer);
    return true;
}

/* Which reason the passing of a state's deadline has. */
static void on_timer(struct exchange *ex)
{
    static const struct {
        enum wssec_reason reason;
        const char *text;
    } late[EX_STATES] = {
        [EX_HEAD] = {WSSEC_HTTP_HEAD_TIMEOUT, "the head was not complete in time"},
        [EX_BODY] = {WSSEC_HTTP_BODY_TIMEOUT, "nothing more of the body came"},
        [EX_HELD] = {WSSEC_ROUTE_HELD, "the route is still on hold"},
        [EX_QUEUED] = {WSSEC_SHED, "no worker was free in time"},
        [EX_WORKING] = {WSSEC_WORK_TIMEOUT, "the worker is still busy with it"},
        [EX_FORWARD] = {WSSEC_UPSTREAM_SLOW, "the receiver does not take the request"},
        [EX_REPLY_HEAD] = {WSSEC_UPSTREAM_TIMEOUT, "no reply came in time"},
        [EX_REPLY_BODY] = {WSSEC_UPSTREAM_TIMEOUT, "the reply stopped in the middle"},
        [EX_REPLY_QUEUED] = {WSSEC_WORK_TIMEOUT, "no worker was free for the reply in time"},
        [EX_REPLY_WORKING] = {WSSEC_WORK_TIMEOUT, "the worker is still busy with the reply"},
    };
    struct job *job = ex->state == EX_QUEUED ? ex->request_job : ex->state == EX_REPLY_QUEUED ? ex->reply_job : NULL;
    if (job != NULL && atomic_load(&job->begun_us) != 0) {
        exchange_event(ex, ON_BEGUN);
    }
    if (peer_still_reads(ex)) {
        return;
    }
    if (ex->state == EX_CONNECT) {
        bool secure = ex->upstream != NULL && ex->upstream->conn.securing && !ex->upstream->conn.connecting;
        if (secure) {
            conn_note(&ex->upstream->conn, "the handshake was not over in time");
        }
        exchange_upstream_connected(ex,
                                    secure ? CONN_TLS : ETIMEDOUT); /* nothing was sent: another address may be tried */
    } else if (ex->state == EX_REPLY_SEND || ex->state == EX_REFUSED) {
        exchange_abort(ex, WSSEC_CLIENT_SLOW);
    } else {
        exchange_fail(ex, late[ex->state].reason, "%s", late[ex->state].text);
    }
}

static void on_gone_early(struct exchange *ex)
{
    if (ex->reason == WSSEC_OK) {
        ex->reason = WSSEC_CLIENT_GONE;
    }
    ex->client_gone = true;
    on_aborted(ex);
}

static void on_gone_late(struct exchange *ex)
{
    ex->client_gone = true;
}

void exchange_abort(struct exchange *ex, enum wssec_reason reason)
{
    if (ex->reason == WSSEC_OK) {
        ex->reason = reason;
    }
    exchange_event(ex, ON_ABORT);
}

static void on_aborted(struct exchange *ex)
{
    ex->keep = false;
    exchange_event(ex, ON_END);
}

/* ---- the end -------------------------------------------------------------------------------------------------- */

void exchange_leave_upstream(struct exchange *ex, bool reusable)
{
    struct upstream_conn *u = ex->upstream;
    if (u != NULL) {
        ex->upstream = NULL;
        upstream_give_back(u, ex->target->conf, reusable && !hold_closes(ex));
    }
    if (ex->target != NULL) {
        atomic_fetch_sub_explicit(&ex->target->in_flight, 1, memory_order_relaxed);
        ex->target = NULL;
    }
}

void exchange_leave_jobs(struct exchange *ex)
{
    exchange_leave_flow(ex);
    struct job **place[] = {&ex->request_job, &ex->reply_job};
    for (size_t i = 0; i < 2; i++) {
        if (*place[i] != NULL && (*place[i])->exchange != NULL) {
            (*place[i])->exchange = NULL;
            atomic_store(&(*place[i])->unwanted, true);
            *place[i] = NULL;
        }
    }
}

static void on_done(struct exchange *ex)
{
    struct loop *loop = ex->loop;
    struct client *client = ex->client;
    bool keep = ex->keep && ex->parser_done && !loop->draining && !ex->client_gone;
    ex->mark.end = cs_clock_mono_us();
    exchange_leave_jobs(ex);
    exchange_leave_upstream(ex, false);
    exchange_release(ex);
    hold_leave(ex);
    loop->counters.exchanges++;
    loop->counters.refused[ex->reason]++;
    answer_count(ex);
    exchange_log(ex);
    meter_exchange(loop->meter, ex);
    job_free(ex->request_job);
    job_free(ex->reply_job);
    body_clear(&ex->body, &loop->chunks, &loop->gateway->memory);
    body_clear(&ex->reply_body, &loop->chunks, &loop->gateway->memory);
    loop_parser_put(loop, HTTP1_REQUEST, ex->parser, ex->parser_done);
    loop_parser_put(loop, HTTP1_RESPONSE, ex->reply_parser, ex->reply_done);
    cs_buf_free(&ex->upstream_head);
    free(ex->user);
    runtime_unref(ex->runtime);
    client_exchange_over(client, keep);
    cs_buf_free(&ex->client_head);
    loop_later(loop, &ex->destroy);
}
