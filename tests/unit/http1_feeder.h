/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_feeder.h: feeds octets to the HTTP/1 parser whole, octet by octet and cut at every place, and writes down all
 * that an observer can see. The outcome must be the same each time.
 */
#ifndef TESTS_HTTP1_FEEDER_H
#define TESTS_HTTP1_FEEDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/http1_private.h"
#include "tests/unit/harness.h"

struct feeder {
    enum http1_kind kind;
    struct http1_limits limits;
    const char *request_method; /* responses */
    const char *data;
    size_t n;
};

/* Everything that an outside observer can see of the stream, as text: heads, content, ends, the failure. */
struct trace {
    cs_buf text;
    bool body_open;
};

static void trace_head(struct trace *t, const struct http1_head *h)
{
    cs_buf_addf(&t->text, "[%s %s %s?%s h=%s %d 1.%d len=%d/%llu chunked=%d keep=%d expect=%d", h->method,
                h->target ? h->target : "-", h->path ? h->path : "-", h->query ? h->query : "-",
                h->host ? h->host : "-", h->status, h->minor, h->has_length, (unsigned long long)h->length, h->chunked,
                h->keep_alive, h->expect_continue);
    for (size_t i = 0; i < h->n_field; i++) {
        CU_ASSERT_EQUAL(strlen(h->field[i].name), h->field[i].name_n);
        CU_ASSERT_EQUAL(strlen(h->field[i].value), h->field[i].value_n);
        cs_buf_addf(&t->text, "|%s=%s", h->field[i].name, h->field[i].value);
    }
    cs_buf_adds(&t->text, "]");
}

static void trace_body(struct trace *t, const char *body, size_t n)
{
    if (!t->body_open) {
        cs_buf_adds(&t->text, "(");
        t->body_open = true;
    }
    cs_buf_add(&t->text, body, n);
}

static void trace_word(struct trace *t, const char *word)
{
    if (t->body_open) {
        cs_buf_adds(&t->text, ")");
        t->body_open = false;
    }
    cs_buf_adds(&t->text, word);
}

/* Feed one piece until the parser has had all of it. @return false: failed */
static bool feed_piece(struct http1 *p, const char *data, size_t n, struct trace *t, const char *method)
{
    for (;;) {
        size_t used = 0;
        size_t body_n = 0;
        const char *body = NULL;
        /* an exact copy, so that a sanitizer sees each read behind the piece */
        char *copy = malloc(n > 0 ? n : 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
        memcpy(copy, data, n);
        enum http1_event ev = http1_feed(p, copy, n, &used, &body, &body_n);
        CU_ASSERT_FATAL(used <= n);
        if (ev == HTTP1_BODY) {
            CU_ASSERT(body >= copy && body_n > 0 && body + body_n <= copy + used);
            trace_body(t, body, body_n);
        }
        free(copy);
        data += used;
        n -= used;
        switch (ev) {
        case HTTP1_MORE: CU_ASSERT_EQUAL(n, 0); return true;
        case HTTP1_HEAD:
            trace_word(t, "");
            trace_head(t, http1_head(p));
            break;
        case HTTP1_INTERIM: trace_word(t, "interim"); break;
        case HTTP1_BODY: break;
        case HTTP1_DONE:
            trace_word(t, ".");
            http1_next(p);
            http1_set_request_method(p, method);
            if (n == 0) {
                return true;
            }
            break;
        case HTTP1_ERROR: trace_word(t, "!"); return false;
        }
    }
}

/* Feed f cut at the given place (0: whole; SIZE_MAX: octet by octet). Caller frees. */
static char *run(const struct feeder *f, size_t cut, struct http1_failure *failure)
{
    struct trace t = {CS_BUF_INIT, false};
    struct http1 *p = http1_new(f->kind, &f->limits);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    http1_set_request_method(p, f->request_method);
    bool ok = true;
    size_t at = 0;
    while (ok && at < f->n) {
        size_t n = cut == SIZE_MAX ? 1 : (cut > at && cut < f->n ? cut - at : f->n - at);
        ok = feed_piece(p, f->data + at, n, &t, f->request_method);
        at += n;
    }
    if (ok) {
        enum http1_event ev = http1_eof(p);
        trace_word(&t, ev == HTTP1_MORE ? "$" : ev == HTTP1_DONE ? "done$" : "cut$");
    }
    *failure = *http1_failure(p);
    if (failure->detail[0] != '\0') {
        cs_buf_addf(&t.text, "%d %d %s", failure->status, (int)failure->reason, failure->detail);
        cs_buf_addf(&t.text, " %s %s", http1_head(p)->method, http1_head(p)->path ? http1_head(p)->path : "-");
    }
    http1_free(p);
    return cs_buf_take(&t.text, NULL);
}

/* Feed f in every way. @return the trace of the whole one; caller frees */
static char *run_all(const struct feeder *f, struct http1_failure *failure)
{
    char *whole = run(f, 0, failure);
    CU_ASSERT_PTR_NOT_NULL_FATAL(whole);
    for (size_t cut = 1; cut <= f->n; cut++) {
        struct http1_failure other;
        char *trace = run(f, cut == f->n ? SIZE_MAX : cut, &other);
        CU_ASSERT_PTR_NOT_NULL_FATAL(trace);
        if (strcmp(trace, whole) != 0) {
            printf("  # cut at %zu differs:\n  # %s\n  # %s\n", cut == f->n ? (size_t)0 : cut, whole, trace);
            CU_FAIL("outcome depends on how the octets are cut");
        }
        free(trace);
    }
    return whole;
}

#define GET(fields)         "GET / HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define POST(fields, body)  "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\n" fields "\r\n" body
#define CHUNKED(body)       POST("Transfer-Encoding: chunked\r\n", body)
#define REPLY(fields, body) "HTTP/1.1 200 OK\r\n" fields "\r\n" body

#endif
