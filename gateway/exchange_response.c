/* SPDX-License-Identifier: Apache-2.0 */
/* exchange_response.c: the way of a reply: head, body, work, sending; and the sending of refusals. */
#include "gateway/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "gateway/answer.h"
#include "gateway/gateway_private.h"
#include "gateway/plain.h"

/* ---- octets of the upstream ------------------------------------------------------------------------------------ */

static bool wants_reply(const struct exchange *ex)
{
    return ex->state == EX_FORWARD || ex->state == EX_REPLY_HEAD || ex->state == EX_REPLY_BODY;
}

static bool reply_begin(struct exchange *ex)
{
    if (ex->reply_parser == NULL) {
        ex->reply_parser = loop_parser_get(ex->loop, HTTP1_RESPONSE, &exchange_config(ex)->limits);
        if (ex->reply_parser == NULL) {
            exchange_fail(ex, WSSEC_OUT_OF_MEMORY, "no memory for the reply");
            return false;
        }
        http1_set_request_method(ex->reply_parser, http1_head(ex->parser)->method);
    }
    ex->reply_begun = true;
    return true;
}

void exchange_reply_accept(struct exchange *ex)
{
    const struct http1_head *h = http1_head(ex->reply_parser);
    ex->upstream_status = h->status;
    ex->reply_over_tls = ex->target->tls >= 0;
    upstream_good(ex->target);
    if (ex->upstream->conn.n_out > 0) {
        /* An early reply: the rest of the request is not wanted. */
        ex->reply_early = true;
        conn_drop_output(&ex->upstream->conn);
    }
    timer_set(&ex->client->conn.timer, ex->target->conf->response_ms);
    if (!http1_set_body_limit(ex->reply_parser, ex->route->response_limit)) {
        exchange_fail(ex, WSSEC_LIMIT_BODY, "the reply declares %llu octets", (unsigned long long)h->length);
        return;
    }
    bool counted = h->has_length && strcmp(http1_head(ex->parser)->method, "HEAD") != 0;
    enum body_room room = counted ? body_reserve(&ex->reply_body, &ex->loop->gateway->memory, h->length) : BODY_ROOM;
    if (room != BODY_ROOM) {
        exchange_fail_room(ex, room, "a reply", h->length);
    }
}

/* What of status and head forbids a reply to go on, before its body is looked at. A signature covers neither: a
 * redirect would send the client elsewhere, a part or a coded body is not what its signature says. NULL: nothing. */
static const char *reply_unfit(const struct http1_head *h, uint64_t octets)
{
    const char *coding = http1_field_value(h, "Content-Encoding");
    if (h->status == 206 || (h->status >= 300 && h->status < 400)) {
        return "a status that is no answer to a message";
    }
    if (coding != NULL && (http1_field_count(h, "Content-Encoding") > 1 || strcasecmp(coding, "identity") != 0)) {
        return "a coded body";
    }
    if (octets == 0) {
        return "no body";
    }
    if (http1_field_count(h, "Content-Type") != 1 || !plain_type_is_soap(http1_field_value(h, "Content-Type"))) {
        return "a body that is no SOAP message";
    }
    return NULL;
}

/* What must be judged before it goes on, what may pass, and what never passes. */
static void reply_decide(struct exchange *ex)
{
    const struct http1_head *h = http1_head(ex->reply_parser);
    const struct gw_actions *a = &ex->route->conf->response;
    if (!gw_actions_any(a)) {
        exchange_event(ex, answer_matters(ex) ? ON_WORK : ON_READY);
        return;
    }
    if (ex->passes_unsigned) {
        if (plain_reply_typed(h) && http1_field_value(h, "Content-Encoding") == NULL) {
            exchange_event(ex, ON_WORK);
        } else {
            exchange_fail(ex, WSSEC_UPSTREAM_REPLY, "status %d: not a service description", h->status);
        }
        return;
    }
    if (h->status == 202 && ex->reply_octets == 0) {
        exchange_event(ex, ON_READY); /* one-way */
        return;
    }
    const char *unfit = reply_unfit(h, ex->reply_octets);
    if (unfit == NULL) {
        exchange_event(ex, ON_WORK);
    } else if (gw_actions_monitor(a, cs_clock_now())) {
        snprintf(ex->unfit, sizeof ex->unfit, "status %d: %s", h->status, unfit);
        exchange_event(ex, ON_WORK);
    } else {
        exchange_fail(ex, WSSEC_UPSTREAM_REPLY, "status %d: %s", h->status, unfit);
    }
}

/* Nothing more of the reply is read. */
static void reply_over(struct exchange *ex, bool reusable)
{
    ex->mark.reply = cs_clock_mono_us();
    ex->reply_octets = ex->reply_body.octets;
    timer_off(&ex->client->conn.timer);
    exchange_leave_upstream(ex, reusable);
    ex->may_repeat = answer_may_repeat(ex);
    if (!ex->may_repeat) { /* nothing is sent a second time any more */
        body_clear(&ex->body, &ex->loop->chunks, &ex->loop->gateway->memory);
        job_release_message(ex->request_job);
    }
}

static void reply_complete(struct exchange *ex, bool left_over)
{
    ex->reply_done = true;
    reply_over(ex, http1_head(ex->reply_parser)->keep_alive && !left_over && !ex->reply_early);
    reply_decide(ex);
}

void exchange_reply_cut(struct exchange *ex)
{
    reply_over(ex, false);
    exchange_event(ex, ON_WORK);
}

static void reply_take(struct exchange *ex, const char *p, size_t n)
{
    enum body_room room = body_append(&ex->reply_body, &ex->loop->chunks, &ex->loop->gateway->memory, p, n);
    if (room != BODY_ROOM) {
        exchange_fail_room(ex, room, "a reply", ex->reply_body.octets + n);
        return;
    }
    timer_set(&ex->client->conn.timer, ex->target->conf->response_ms);
    if (reply_unfit(http1_head(ex->reply_parser), ex->reply_body.octets) == NULL) {
        exchange_arriving(ex, true);
    }
}

void exchange_reply_input(struct exchange *ex, const char *p, size_t n)
{
    size_t used_all = 0;
    if (!wants_reply(ex) || !reply_begin(ex)) {
        return;
    }
    while (wants_reply(ex)) {
        size_t used = 0;
        const char *body = NULL;
        size_t body_n = 0;
        enum http1_event e = http1_feed(ex->reply_parser, p + used_all, n - used_all, &used, &body, &body_n);
        used_all += used;
        if (e == HTTP1_MORE) {
            break;
        } else if (e == HTTP1_HEAD) {
            exchange_event(ex, ON_REPLY);
        } else if (e == HTTP1_BODY) {
            reply_take(ex, body, body_n);
        } else if (e == HTTP1_DONE) {
            reply_complete(ex, used_all < n);
        } else if (e == HTTP1_ERROR) {
            exchange_fail_http(ex, http1_failure(ex->reply_parser));
        }
    }
}

/* ---- towards the client ---------------------------------------------------------------------------------------- */

/* Send head and pieces; CONN_LATER is answered by exchange_client_drained(). */
static void client_send(struct exchange *ex, const struct body *body, const struct output *o)
{
    size_t n = 0;
    struct iovec *v = exchange_pieces(&ex->client_head, body, o, &n);
    if (v == NULL) {
        exchange_abort(ex, WSSEC_OUT_OF_MEMORY);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        ex->sent_octets += v[i].iov_len;
    }
    enum conn_result result = conn_send(&ex->client->conn, v, n);
    free(v);
    if (result == CONN_DONE) {
        exchange_event(ex, ON_WRITTEN);
    } else if (result == CONN_LATER) {
        exchange_write_timer(ex, &ex->client->conn);
    } else if (result == CONN_BROKEN) {
        ex->client_gone = true;
        exchange_abort(ex, WSSEC_CLIENT_GONE);
    }
}

void exchange_reply_send(struct exchange *ex)
{
    const struct http1_head *h = http1_head(ex->reply_parser);
    const struct output *o = ex->reply_job != NULL ? &ex->reply_job->output : NULL;
    uint64_t octets = o != NULL ? o->octets : ex->reply_body.octets;
    ex->mark.send = cs_clock_mono_us();
    if (ex->client_gone) {
        exchange_abort(ex, WSSEC_CLIENT_GONE);
        return;
    }
    if (strcmp(http1_head(ex->parser)->method, "HEAD") == 0 && h->has_length) {
        octets = h->length;
    }
    ex->keep = ex->keep && !client_last_reply(ex->client);
    bool close = !ex->keep;
    if (http1_write_response(&ex->client_head, h, octets, close, NULL, 0) != 0) {
        exchange_abort(ex, WSSEC_OUT_OF_MEMORY);
        return;
    }
    ex->status = h->status;
    client_send(ex, &ex->reply_body, o);
}

void exchange_refuse_send(struct exchange *ex)
{
    static const struct body none = {0};
    ex->mark.send = cs_clock_mono_us();
    if (ex->client_gone || ex->client_head.failed || ex->client_head.len == 0) {
        exchange_abort(ex, ex->client_gone ? WSSEC_CLIENT_GONE : WSSEC_OUT_OF_MEMORY);
        return;
    }
    client_send(ex, &none, NULL);
}
