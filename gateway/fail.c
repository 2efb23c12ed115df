/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fail.c: the one exit of every refusal: reason, status or SOAP fault, detail for the log and counters are set
 * together. Outwards goes the standard text and an id only; what was found stands in the log under that id.
 */
#include "gateway/exchange.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "gateway/gateway_private.h"
#include "gateway/plain.h"

#define RETRY_AFTER_S "1"

/* Reasons that are answered without a SOAP fault, and how. */
static const struct status_row {
    enum wssec_reason reason;
    int status;
    int reply_status; /* once the upstream has the request; 0: the same */
    bool retry_after;
    bool close;
} statuses[] = {
    {WSSEC_ROUTE_UNKNOWN, 404, 0, false, true},
    {WSSEC_HTTP_METHOD, 405, 0, false, true},
    {WSSEC_HTTP_HEAD_TIMEOUT, 408, 0, false, true},
    {WSSEC_HTTP_BODY_TIMEOUT, 408, 0, false, true},
    {WSSEC_LIMIT_BODY, 413, 502, false, true},
    {WSSEC_SHED, 503, 0, true, false},
    {WSSEC_ROUTE_HELD, 503, 0, true, false},
    {WSSEC_WORK_TIMEOUT, 503, 0, true, false},
    {WSSEC_OUT_OF_MEMORY, 503, 0, true, false},
    {WSSEC_RATE_LIMIT, 429, 0, true, true},
    {WSSEC_CONCURRENCY_LIMIT, 503, 0, true, false},
    {WSSEC_PARTNER_LIMIT, 503, 0, true, false},
    {WSSEC_HTTP_BODY_RATE, 408, 0, false, true},
    {WSSEC_UPSTREAM_CONNECT_TIMEOUT, 504, 0, false, false},
    {WSSEC_UPSTREAM_UNAVAILABLE, 503, 0, true, false},
    {WSSEC_DRAINED, 503, 0, true, true},
    {WSSEC_UPSTREAM_SLOW, 504, 0, false, false},
    {WSSEC_SPOOL_FULL, 503, 0, true, false},
    {WSSEC_CAPTURE_FULL, 503, 0, true, false},
    {WSSEC_KEY_UNAVAILABLE, 503, 0, true, false},
    {WSSEC_INTERNAL, 500, 502, false, true},
    {WSSEC_UPSTREAM_CONNECT, 502, 0, false, false},
    {WSSEC_UPSTREAM_CLOSED, 502, 0, false, false},
    {WSSEC_UPSTREAM_FRAMING, 502, 0, false, false},
    {WSSEC_UPSTREAM_TIMEOUT, 504, 0, false, false},
    {WSSEC_UPSTREAM_TLS, 502, 0, false, false},
    {WSSEC_CLIENT_CERTIFICATE, 403, 0, false, true},
    {WSSEC_CLIENT_DENIED, 403, 0, false, true},
    {WSSEC_TLS_NAME, 421, 0, false, true},
};

static const struct status_row *status_of(enum wssec_reason reason)
{
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i].reason == reason) {
            return &statuses[i];
        }
    }
    return NULL;
}

/* The upstream has at least a part of the request: what fails now is no matter between the client and us. */
static bool on_reply_side(const struct exchange *ex)
{
    return ex->state >= EX_FORWARD && ex->state <= EX_REPLY_SEND;
}

/* @return false: there is nobody to answer, or an answer is under way */
static bool fail_begin(struct exchange *ex, enum wssec_reason reason)
{
    if (ex->state == EX_REFUSED || ex->state == EX_ABORTED || ex->state == EX_DONE) {
        return false;
    }
    if (ex->reason == WSSEC_OK) {
        ex->reason = reason;
    }
    if (ex->target != NULL && strncmp(wssec_reason_code(reason), "upstream-", 9) == 0) {
        upstream_failed(ex->route, ex->target, ex->target_tried, cs_clock_mono_us());
    }
    if (ex->state == EX_REPLY_SEND) {
        exchange_abort(ex, reason);
        return false;
    }
    return true;
}

static void fail_end(struct exchange *ex)
{
    exchange_leave_jobs(ex);
    exchange_leave_upstream(ex, false);
    timer_off(&ex->client->conn.timer);
    exchange_event(ex, ON_REFUSE);
}

/* A plain answer: status line, a few words, the id. */
static void answer_plain(struct exchange *ex, int status, bool retry_after, bool close)
{
    struct http1_extra extra[2];
    size_t n = 0;
    char text[160];
    if (retry_after) {
        extra[n++] = (struct http1_extra){"Retry-After", RETRY_AFTER_S};
    }
    if (status == 405 && ex->allow[0] != '\0') {
        extra[n++] = (struct http1_extra){"Allow", ex->allow};
    }
    if (close || !ex->parser_done || client_last_reply(ex->client)) {
        ex->keep = false;
    }
    int len = snprintf(text, sizeof text, "%d %s\n%s\n", status, http1_status_text(status), ex->id);
    const struct http1_plain reply = {.status = status,
                                      .type = "text/plain; charset=us-ascii",
                                      .body = text,
                                      .n = (size_t)len,
                                      .close = !ex->keep,
                                      .head_only = strcmp(http1_head(ex->parser)->method, "HEAD") == 0,
                                      .extra = extra,
                                      .n_extra = n};
    ex->status = status;
    if (http1_write_plain(&ex->client_head, &reply) != 0) {
        ex->status = 0;
        cs_buf_free(&ex->client_head);
    }
}

static void answer_fault(struct exchange *ex, const struct wssec_verdict *v, bool response)
{
    char fault[2048];
    struct wssec_verdict shown = *v;
    if (shown.soap == 0) {
        const char *type = http1_field_value(http1_head(ex->parser), "Content-Type");
        shown.soap = plain_type_is_soap12(type) ? 12 : 11;
    }
    if (wssec_reason_fault(shown.reason)[0] == '\0') {
        shown.reason = WSSEC_INTERNAL; /* has no outward code of its own: Server, Receiver */
    }
    size_t n = wssec_fault(&shown, ex->id, fault, sizeof fault);
    if (n == 0) {
        answer_plain(ex, response ? 502 : 500, false, true);
        return;
    }
    ex->status = wssec_fault_status(&shown, response);
    ex->fault_sent = true;
    ex->keep = ex->keep && ex->parser_done && !client_last_reply(ex->client);
    const struct http1_plain reply = {.status = ex->status,
                                      .type = shown.soap == 12 ? "application/soap+xml; charset=utf-8"
                                                               : "text/xml; charset=utf-8",
                                      .body = fault,
                                      .n = n,
                                      .close = !ex->keep};
    if (http1_write_plain(&ex->client_head, &reply) != 0) {
        ex->status = 0;
        ex->fault_sent = false;
        cs_buf_free(&ex->client_head);
    }
}

void exchange_fail(struct exchange *ex, enum wssec_reason reason, const char *fmt, ...)
{
    if (ex->reason == WSSEC_OK) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(ex->detail, sizeof ex->detail, fmt, ap);
        va_end(ap);
    }
    if (!fail_begin(ex, reason)) {
        return;
    }
    const struct status_row *row = status_of(reason);
    bool reply = on_reply_side(ex);
    if (row != NULL) {
        int status = reply && row->reply_status != 0 ? row->reply_status : row->status;
        answer_plain(ex, status, row->retry_after && !reply, row->close);
    } else {
        struct wssec_verdict v = {.reason = reason};
        answer_fault(ex, &v, reply);
    }
    fail_end(ex);
}

void exchange_fail_room(struct exchange *ex, enum body_room room, const char *what, uint64_t octets)
{
    exchange_fail(ex, room == BODY_NO_SPOOL ? WSSEC_SPOOL_FULL : WSSEC_OUT_OF_MEMORY, "no room for %s of %llu octets",
                  what, (unsigned long long)octets);
}

void exchange_fail_http(struct exchange *ex, const struct http1_failure *f)
{
    if (ex->reason == WSSEC_OK) {
        cs_copy(ex->detail, sizeof ex->detail, f->detail);
    }
    if (!fail_begin(ex, f->reason)) {
        return;
    }
    bool reply = on_reply_side(ex);
    answer_plain(ex, reply ? 502 : f->status, false, !reply);
    fail_end(ex);
}

void exchange_fail_verdict(struct exchange *ex, const struct wssec_verdict *v, bool response)
{
    if (ex->reason == WSSEC_OK) {
        cs_copy(ex->detail, sizeof ex->detail, v->detail);
    }
    if (!fail_begin(ex, v->reason)) {
        return;
    }
    answer_fault(ex, v, response);
    fail_end(ex);
}

void exchange_answered(struct exchange *ex)
{
    fail_end(ex);
}
