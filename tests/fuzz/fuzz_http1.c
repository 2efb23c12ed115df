/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_http1.c: the HTTP/1 parser under octets of any kind. The first octet chooses request or response, the method
 * that a response answers, and how the rest is cut. Holds: fed whole or in pieces the outcome is the same; a message
 * that is accepted is accepted by llhttp alone, with the same content; what we write from it, we accept.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/http1_private.h"

#define HOLDS(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                             \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

enum { MOST_MESSAGES = 16 };

/* What one way of feeding gives. */
struct outcome {
    cs_buf content;            /* of all messages, one behind the other */
    size_t end[MOST_MESSAGES]; /* octets taken when the message was complete */
    size_t content_end[MOST_MESSAGES];
    size_t messages;
    struct http1_failure failure;
};

static void write_again(enum http1_kind kind, const struct http1_head *h)
{
    struct http1_limits limits = HTTP1_LIMITS_DEFAULT;
    limits.head *= 2;
    limits.fields += 2;
    cs_buf out = CS_BUF_INIT;
    int rc = kind == HTTP1_REQUEST
                 ? http1_write_request(&out, h, h->path, "up", 0, strcmp(h->method, "GET") != 0, NULL, 0)
                 : http1_write_response(&out, h, 0, false, NULL, 0);
    HOLDS(rc == 0);
    struct http1 *p = http1_new(kind, &limits);
    HOLDS(p != NULL);
    size_t used = 0;
    size_t body_n = 0;
    const char *body = NULL;
    HOLDS(http1_feed(p, out.data, out.len, &used, &body, &body_n) == HTTP1_HEAD);
    HOLDS(used == out.len && http1_head(p)->length == 0 && !http1_head(p)->chunked);
    http1_free(p);
    cs_buf_free(&out);
}

static void feed(struct outcome *o, enum http1_kind kind, const char *method, const char *data, size_t n, uint32_t cut)
{
    struct http1_limits limits = HTTP1_LIMITS_DEFAULT;
    memset(o, 0, sizeof *o);
    struct http1 *p = http1_new(kind, &limits);
    HOLDS(p != NULL);
    http1_set_request_method(p, method);
    size_t at = 0;
    enum http1_event ev = HTTP1_MORE;
    while (ev != HTTP1_ERROR && o->messages < MOST_MESSAGES && (at < n || ev != HTTP1_MORE)) {
        size_t piece = n - at;
        if (cut != 0 && piece > 0) {
            cut = cut * 1664525u + 1013904223u;
            piece = 1 + (cut >> 24) % (piece < 7 ? piece : 7);
        }
        char *copy = malloc(piece + 1);
        HOLDS(copy != NULL);
        memcpy(copy, data + at, piece);
        size_t used = 0;
        size_t body_n = 0;
        const char *body = NULL;
        ev = http1_feed(p, copy, piece, &used, &body, &body_n);
        HOLDS(used <= piece);
        HOLDS(ev != HTTP1_MORE || used == piece);
        if (ev == HTTP1_HEAD) {
            write_again(kind, http1_head(p));
        } else if (ev == HTTP1_BODY) {
            HOLDS(body_n > 0 && body >= copy && body + body_n <= copy + used);
            cs_buf_add(&o->content, body, body_n);
        } else if (ev == HTTP1_DONE) {
            o->end[o->messages] = at + used;
            o->content_end[o->messages++] = o->content.len;
            http1_next(p);
            http1_set_request_method(p, method);
            ev = HTTP1_MORE;
        }
        free(copy);
        at += used;
    }
    o->failure = *http1_failure(p);
    http1_free(p);
}

/* ---- llhttp alone ----------------------------------------------------------------------------------------------- */

struct alone {
    llhttp_t parser;
    cs_buf content;
    bool no_body;
    bool done;
};

static int alone_headers(llhttp_t *parser)
{
    const struct alone *a = parser->data;
    int status = parser->type == HTTP_RESPONSE ? llhttp_get_status_code(parser) : 200;
    return a->no_body || status < 200 || status == 204 || status == 304 ? 1 : 0;
}

static int alone_body(llhttp_t *parser, const char *at, size_t n)
{
    struct alone *a = parser->data;
    return cs_buf_add(&a->content, at, n);
}

static int alone_done(llhttp_t *parser)
{
    struct alone *a = parser->data;
    if (parser->type == HTTP_RESPONSE && llhttp_get_status_code(parser) < 200) {
        return 0;
    }
    a->done = true;
    return HPE_PAUSED;
}

/* llhttp 8.1 refuses valid extensions (a second one behind a value without quotes); the parser never shows it any. */
static bool in_extension(const struct alone *a, llhttp_errno_t rc, const char *data)
{
    if (rc != HPE_INVALID_CHUNK_SIZE && rc != HPE_STRICT) {
        return false;
    }
    const char *at = llhttp_get_error_pos(&a->parser);
    while (at > data && *at != '\n' && *at != ';') {
        at--;
    }
    return *at == ';';
}

/* llhttp 8.1 refuses a tab behind some values, so the parser shows it spaces. Tabs of all heads (1xx stand before). */
static char *without_tabs(enum http1_kind kind, const char *data, size_t n)
{
    char *copy = malloc(n + 1);
    HOLDS(copy != NULL);
    memcpy(copy, data, n);
    copy[n] = '\0';
    size_t from = 0;
    size_t to;
    do {
        const char *end = memmem(copy + from, n - from, "\r\n\r\n", 4);
        to = end != NULL ? (size_t)(end - copy) + 4 : n;
        for (size_t i = from; i < to; i++) {
            copy[i] = copy[i] == '\t' ? ' ' : copy[i];
        }
        from = to;
    } while (kind == HTTP1_RESPONSE && n - to >= 7 && memcmp(copy + to, "HTTP/1.", 7) == 0);
    return copy;
}

static void judge_alone(const struct outcome *o, enum http1_kind kind, bool no_body, const char *data)
{
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_headers_complete = alone_headers;
    settings.on_body = alone_body;
    settings.on_message_complete = alone_done;
    for (size_t i = 0; i < o->messages; i++) {
        size_t from = i > 0 ? o->end[i - 1] : 0;
        size_t content = i > 0 ? o->content_end[i - 1] : 0;
        struct alone a = {.content = CS_BUF_INIT, .no_body = no_body};
        llhttp_init(&a.parser, kind == HTTP1_REQUEST ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
        a.parser.data = &a;
        char *message = without_tabs(kind, data + from, o->end[i] - from);
        llhttp_errno_t rc = llhttp_execute(&a.parser, message, o->end[i] - from);
        bool extension = in_extension(&a, rc, message);
        HOLDS(extension || (rc == HPE_PAUSED && a.done));
        HOLDS(extension || a.content.len == o->content_end[i] - content);
        HOLDS(extension || a.content.len == 0 || memcmp(a.content.data, o->content.data + content, a.content.len) == 0);
        cs_buf_free(&a.content);
        free(message);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    enum http1_kind kind = (data[0] & 1) != 0 ? HTTP1_RESPONSE : HTTP1_REQUEST;
    const char *method = (data[0] & 2) != 0 ? "HEAD" : "POST";
    const char *octets = (const char *)data + 1;
    struct outcome whole;
    struct outcome pieces;
    feed(&whole, kind, method, octets, size - 1, 0);
    feed(&pieces, kind, method, octets, size - 1, 1u + (data[0] >> 2));
    HOLDS(whole.messages == pieces.messages);
    HOLDS(memcmp(whole.end, pieces.end, sizeof whole.end) == 0);
    HOLDS(memcmp(whole.content_end, pieces.content_end, sizeof whole.content_end) == 0);
    HOLDS(whole.failure.status == pieces.failure.status && whole.failure.reason == pieces.failure.reason);
    HOLDS(strcmp(whole.failure.detail, pieces.failure.detail) == 0);
    size_t n = whole.messages > 0 ? whole.content_end[whole.messages - 1] : 0;
    HOLDS(n == 0 || memcmp(whole.content.data, pieces.content.data, n) == 0);
    HOLDS(strstr(whole.failure.detail, "llhttp") == NULL);
    judge_alone(&whole, kind, kind == HTTP1_RESPONSE && method[0] == 'H', octets);
    cs_buf_free(&whole.content);
    cs_buf_free(&pieces.content);
    return 0;
}
