/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_http1.c: the HTTP/1 layer as tables of messages. Every case is fed whole, octet by octet and cut at every
 * place; what comes out must be the same each time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/http1_private.h"
#include "tests/unit/harness.h"

const char *const harness_suite = "http1";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

/* ---- feeding -------------------------------------------------------------------------------------------------- */

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
                h->target ? h->target : "-", h->path ? h->path : "-", h->query ? h->query : "-", h->host ? h->host : "-",
                h->status, h->minor, h->has_length, (unsigned long long)h->length, h->chunked, h->keep_alive,
                h->expect_continue);
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
        case HTTP1_MORE:
            CU_ASSERT_EQUAL(n, 0);
            return true;
        case HTTP1_HEAD:
            trace_word(t, "");
            trace_head(t, http1_head(p));
            break;
        case HTTP1_INTERIM:
            trace_word(t, "interim");
            break;
        case HTTP1_BODY:
            break;
        case HTTP1_DONE:
            trace_word(t, ".");
            http1_next(p);
            http1_set_request_method(p, method);
            if (n == 0) {
                return true;
            }
            break;
        case HTTP1_ERROR:
            trace_word(t, "!");
            return false;
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

/* ---- tables --------------------------------------------------------------------------------------------------- */

struct refused {
    const char *name;
    const char *data;
    size_t n; /* 0: strlen */
    int status;
    enum wssec_reason reason;
};
#define BYTES(s) s, sizeof s - 1

static void expect_refused(enum http1_kind kind, const struct refused *c)
{
    struct feeder f = {kind, HTTP1_LIMITS_DEFAULT, "POST", c->data, c->n != 0 ? c->n : strlen(c->data)};
    struct http1_failure failure;
    char *trace = run_all(&f, &failure);
    if (failure.status != c->status || failure.reason != c->reason) {
        printf("  # %s: %d %s, wanted %d %s; %s\n", c->name, failure.status, wssec_reason_code(failure.reason), c->status,
               wssec_reason_code(c->reason), trace);
        CU_FAIL("wrong outcome");
    }
    free(trace);
}

#define GET(fields) "GET / HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define POST(fields, body) "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\n" fields "\r\n" body
#define CHUNKED(body) POST("Transfer-Encoding: chunked\r\n", body)
#define R(status, reason) 0, status, WSSEC_##reason
#define RN(status, reason) status, WSSEC_##reason

static void request_lines(void)
{
    static const struct refused table[] = {
        {"0.9", "GET /\r\n", R(400, HTTP_REQUEST_LINE)},
        {"0.9 with a blank", "GET / \r\n", R(400, HTTP_REQUEST_LINE)},
        {"1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", R(400, HTTP_REQUEST_LINE)},
        {"2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", R(400, HTTP_REQUEST_LINE)},
        {"0.9 written out", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", R(400, HTTP_REQUEST_LINE)},
        {"overflowing version", "GET / HTTP/1.11\r\nHost: a\r\n\r\n", R(400, HTTP_REQUEST_LINE)},
        {"huge version", "GET / HTTP/65536.1\r\nHost: a\r\n\r\n", R(400, HTTP_REQUEST_LINE)},
        {"lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", R(400, HTTP_REQUEST_LINE)},
        {"other protocol", "GET / RTSP/1.1\r\nHost: a\r\n\r\n", R(400, HTTP_REQUEST_LINE)},
        {"tab before target", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", R(400, HTTP_REQUEST_LINE)},
        {"tab behind target", "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", R(400, HTTP_REQUEST_LINE)},
        {"two blanks", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", R(400, HTTP_REQUEST_LINE)},
        {"blank at the end", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", R(400, HTTP_REQUEST_LINE)},
        {"blank at the start", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", R(400, HTTP_REQUEST_LINE)},
        {"blank in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", R(400, HTTP_REQUEST_LINE)},
        {"control in the target", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", R(400, HTTP_REQUEST_LINE)},
        {"8 bit target", "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", R(400, HTTP_REQUEST_LINE)},
        {"NUL in the method", BYTES("G\0T / HTTP/1.1\r\nHost: a\r\n\r\n"), RN(400, HTTP_REQUEST_LINE)},
        {"NUL in the target", BYTES("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"), RN(400, HTTP_REQUEST_LINE)},
        {"long method", "AVERYLONGMETHODTHATNOBODYKNOWS / HTTP/1.1\r\nHost: a\r\n\r\n", R(400, HTTP_REQUEST_LINE)},
        {"a handshake", "\x16\x03\x01", R(400, HTTP_REQUEST_LINE)},
        {"two empty lines before", "\r\n\r\n" GET(""), R(400, HTTP_REQUEST_LINE)},
        {"bare LF before", "\n" GET(""), R(400, HTTP_LINE_END)},
        {"bare LF in the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", R(400, HTTP_LINE_END)},
        {"CR CR LF", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", R(400, HTTP_LINE_END)},
        {"response", "HTTP/1.1 200 OK\r\n\r\n", R(400, HTTP_REQUEST_LINE)},
        {"unknown method", "BREW /x HTTP/1.1\r\nHost: a\r\n\r\n", R(405, HTTP_METHOD)},
        {"lower case method", "post / HTTP/1.1\r\nHost: a\r\n\r\n", R(405, HTTP_METHOD)},
        {"preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", R(400, HTTP_UPGRADE)},
        {"connect", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", R(400, HTTP_UPGRADE)},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        expect_refused(HTTP1_REQUEST, &table[i]);
    }
}

static void targets(void)
{
#define T(target) "GET " target " HTTP/1.1\r\nHost: a\r\n\r\n"
    static const char *const bad[] = {
        T("//"), T("//a"), T("/a//b"), T("/a//"), T("/."), T("/.."), T("/a/../b"), T("/a/./b"), T("/a/.."), T("/%2e"),
        T("/%2E%2e/"), T("/.%2e/a"), T("/a%00"), T("/a%2fb"), T("/a%2Fb"), T("/a%5cb"), T("/a%0d%0aX"), T("/a%7f"), T("/%"),
        T("/%4"), T("/%zz"), T("/a\\b"), T("/a#b"), T("/a<b"), T("/a\"b"), T("/a|b"), T("/..;/b"), T("/.;x=1/b"), T("*"), T("a"),
        T("a/b"), T("?a"), T("http:/a/"), T("http:///"), T("ftp://a/"), T("http://u@a/"), T("http://a b/"), T("http://a:/"),
        T("http://a/.."), T("/?a%00"), T("/?a#b"), T("/?%x0"), T("/?\"")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        enum wssec_reason reason = strstr(bad[i], "a b") != NULL ? WSSEC_HTTP_REQUEST_LINE : WSSEC_HTTP_TARGET;
        struct refused c = {bad[i], bad[i], 0, 400, reason};
        expect_refused(HTTP1_REQUEST, &c);
    }
    static const struct {
        const char *target;
        const char *path;
        const char *query;
    } good[] = {
        {"/", "/", NULL},
        {"/a/b/", "/a/b/", NULL},
        {"/a?", "/a", ""},
        {"/a?b/c?d=//..", "/a", "b/c?d=//.."},
        {"/...", "/...", NULL},
        {"/.a/b..", "/.a/b..", NULL},
        {"/%61%7E%2d", "/a~-", NULL},
        {"/%c3%A4%25%20", "/%C3%A4%25%20", NULL},
        {"/a;v=1/b", "/a;v=1/b", NULL},
        {"http://a", "/", NULL},
        {"HTTP://A/x", "/x", NULL},
        {"https://a?q", "/", "q"},
    };
    struct http1_limits limits = HTTP1_LIMITS_DEFAULT;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char text[200];
        int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", good[i].target);
        struct http1 *p = http1_new(HTTP1_REQUEST, &limits);
        size_t used;
        size_t body_n;
        const char *body;
        CU_ASSERT_EQUAL(http1_feed(p, text, (size_t)n, &used, &body, &body_n), HTTP1_HEAD);
        CU_ASSERT_STRING_EQUAL(http1_head(p)->target, good[i].target);
        CU_ASSERT_PTR_NOT_NULL_FATAL(http1_head(p)->path);
        CU_ASSERT_STRING_EQUAL(http1_head(p)->path, good[i].path);
        CU_ASSERT_EQUAL(http1_head(p)->query == NULL, good[i].query == NULL);
        CU_ASSERT(good[i].query == NULL || strcmp(http1_head(p)->query, good[i].query) == 0);
        http1_free(p);
    }
}

static void lines_and_fields(void)
{
    static const struct refused table[] = {
        {"bare LF behind a field", GET("X: 1\n"), R(400, HTTP_LINE_END)},
        {"bare LF ends the head", "GET / HTTP/1.1\r\nHost: a\r\n\n", R(400, HTTP_LINE_END)},
        {"bare LF in a name", GET("X\nY: 1\r\n"), R(400, HTTP_LINE_END)},
        {"bare CR in a value", GET("X: 1\r2\r\n"), R(400, HTTP_LINE_END)},
        {"CR CR LF in a field", GET("X: 1\r\r\n"), R(400, HTTP_LINE_END)},
        {"CR CR LF ends the head", "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", R(400, HTTP_LINE_END)},
        {"fold", GET("X: 1\r\n 2\r\n"), R(400, HTTP_FOLD)},
        {"fold by tab", GET("X: 1\r\n\t2\r\n"), R(400, HTTP_FOLD)},
        {"fold of nothing", GET("X: 1\r\n \r\n"), R(400, HTTP_FOLD)},
        {"fold on the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", R(400, HTTP_FOLD)},
        {"fold in Transfer-Encoding", POST("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), R(400, HTTP_FOLD)},
        {"NUL in a value", BYTES(GET("X: \0\r\n")), RN(400, HTTP_FIELD)},
        {"NUL in a name", BYTES(GET("X\0: 1\r\n")), RN(400, HTTP_FIELD)},
        {"control in a value", GET("X: \x08\r\n"), R(400, HTTP_FIELD)},
        {"DEL in a value", GET("X: \x7f\r\n"), R(400, HTTP_FIELD)},
        {"vertical tab in a value", GET("X:\x0b 1\r\n"), R(400, HTTP_FIELD)},
        {"blank in a name", GET("X Y: 1\r\n"), R(400, HTTP_FIELD)},
        {"blank before the colon", GET("X : 1\r\n"), R(400, HTTP_FIELD)},
        {"tab before the colon", GET("X\t: 1\r\n"), R(400, HTTP_FIELD)},
        {"separator in a name", GET("X(Y): 1\r\n"), R(400, HTTP_FIELD)},
        {"8 bit name", GET("\xc3\xa4: 1\r\n"), R(400, HTTP_FIELD)},
        {"empty name", GET(": 1\r\n"), R(400, HTTP_FIELD)},
        {"no colon", GET("X\r\n"), R(400, HTTP_FIELD)},
        {"Connection names Host", GET("Connection: host\r\n"), R(400, HTTP_FIELD)},
        {"Connection names Content-Type", GET("Connection: close\r\nConnection: X, content-type\r\n"), R(400, HTTP_FIELD)},
        {"Connection names it respelt", GET("Connection: content_length\r\n"), R(400, HTTP_FIELD)},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        expect_refused(HTTP1_REQUEST, &table[i]);
    }
}

static void hosts(void)
{
    static const char *const bad[] = {
        "",        "Host:\r\n",       "Host: a\r\nHost: a\r\n", "Host: a\r\nhost: b\r\n", "Host: a,b\r\n", "Host: a/b\r\n", "Host: u@a\r\n",
        "Host: a:\r\n", "Host: a:b\r\n",   "Host: a:0\r\n",          "Host: a:65536\r\n",     "Host: a:080080\r\n", "Host: :80\r\n", "Host: [::1\r\n",
        "Host: [1]\r\n", "Host: [::1]x\r\n", "Host: [::1%25lo]\r\n",   "Host: ::1\r\n",         "Host: a?b\r\n", "Host: a%2eb\r\n", "Host: a b\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (int minor = 0; minor < 2; minor++) {
            char text[200];
            snprintf(text, sizeof text, "GET / HTTP/1.%d\r\n%s\r\n", minor, bad[i]);
            struct refused c = {bad[i], text, R(400, HTTP_HOST)};
            expect_refused(HTTP1_REQUEST, &c);
        }
    }
    static const struct refused other[] = {
        {"target names another host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", R(400, HTTP_HOST)},
        {"target names another port", "GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n", R(400, HTTP_HOST)},
        {"target without Host", "GET http://b/ HTTP/1.1\r\n\r\n", R(400, HTTP_HOST)},
    };
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        expect_refused(HTTP1_REQUEST, &other[i]);
    }
    static const char *const good[] = {"a", "A.example", "127.0.0.1:8080", "[::1]", "[2001:db8::1]:443", "a_b", "a:65535"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CU_ASSERT(http1_host_valid(good[i], strlen(good[i])));
    }
}

static void framing(void)
{
#define CL(value) POST("Content-Length: " value "\r\n", "x")
#define TE(value) POST("Transfer-Encoding: " value "\r\n", "0\r\n\r\n")
    static const struct refused table[] = {
        {"plus", CL("+1"), R(400, HTTP_LENGTH)},
        {"minus", CL("-1"), R(400, HTTP_LENGTH)},
        {"hexadecimal", CL("0x1"), R(400, HTTP_LENGTH)},
        {"list", CL("1, 1"), R(400, HTTP_LENGTH)},
        {"list of one", CL("1,"), R(400, HTTP_LENGTH)},
        {"nothing", CL(""), R(400, HTTP_LENGTH)},
        {"blank inside", CL("1 1"), R(400, HTTP_LENGTH)},
        {"fraction", CL("1.0"), R(400, HTTP_LENGTH)},
        {"quoted", CL("\"1\""), R(400, HTTP_LENGTH)},
        {"2^63", CL("9223372036854775808"), R(400, HTTP_LENGTH)},
        {"2^64", CL("18446744073709551616"), R(400, HTTP_LENGTH)},
        {"2^64 + 1", CL("18446744073709551617"), R(400, HTTP_LENGTH)},
        {"control", CL("1\x0b"), R(400, HTTP_FIELD)},
        {"two equal", POST("Content-Length: 1\r\nContent-Length: 1\r\n", "x"), R(400, HTTP_LENGTH)},
        {"two", POST("Content-Length: 1\r\ncontent-length: 2\r\n", "x"), R(400, HTTP_LENGTH)},
        {"first empty", POST("Content-Length:\r\ncontent-length: 1\r\n", "x"), R(400, HTTP_LENGTH)},
        {"length, coding", POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), R(400, HTTP_LENGTH)},
        {"coding, length", POST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), R(400, HTTP_LENGTH)},
        {"length, odd coding", POST("Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n", "0\r\n\r\n"), R(400, HTTP_LENGTH)},
        {"odd coding, length", POST("transfer-ENCODING: \tidentity\r\nContent-Length: 5\r\n", "0\r\n\r\n"), R(400, HTTP_LENGTH)},
        {"length, empty coding", POST("Content-Length: 5\r\nTransfer-Encoding:\r\n", "0\r\n\r\n"), R(400, HTTP_LENGTH)},
        {"length, coding on 1.0", "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", R(400, HTTP_LENGTH)},
        {"coding list", TE("gzip, chunked"), R(400, HTTP_TRANSFER_ENCODING)},
        {"chunked first", TE("chunked, gzip"), R(400, HTTP_TRANSFER_ENCODING)},
        {"chunked twice in a list", TE("chunked, chunked"), R(400, HTTP_TRANSFER_ENCODING)},
        {"comma", TE("chunked,"), R(400, HTTP_TRANSFER_ENCODING)},
        {"parameter", TE("chunked;a=1"), R(400, HTTP_TRANSFER_ENCODING)},
        {"empty coding", TE(""), R(400, HTTP_TRANSFER_ENCODING)},
        {"identity", TE("identity"), R(400, HTTP_TRANSFER_ENCODING)},
        {"unknown", TE("cow"), R(400, HTTP_TRANSFER_ENCODING)},
        {"longer word", TE("chunkedx"), R(400, HTTP_TRANSFER_ENCODING)},
        {"quoted", TE("\"chunked\""), R(400, HTTP_TRANSFER_ENCODING)},
        {"control in coding", TE("\x0b" "chunked"), R(400, HTTP_FIELD)},
        {"repeated", POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), R(400, HTTP_TRANSFER_ENCODING)},
        {"repeated, other", POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"), R(400, HTTP_TRANSFER_ENCODING)},
        {"on 1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", R(400, HTTP_TRANSFER_ENCODING)},
        {"GET with length", GET("Content-Length: 1\r\n") "x", R(405, HTTP_METHOD)},
        {"HEAD with length", "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", R(405, HTTP_METHOD)},
        {"GET chunked", GET("Transfer-Encoding: chunked\r\n") "0\r\n\r\n", R(405, HTTP_METHOD)},
        {"POST without length", POST("", ""), R(411, HTTP_LENGTH_MISSING)},
        {"upgrade", GET("Upgrade: h2c\r\n"), R(400, HTTP_UPGRADE)},
        {"HTTP2-Settings", GET("HTTP2-Settings: AAMAAABkAAQAAP__\r\n"), R(400, HTTP_UPGRADE)},
        {"expectation", POST("Expect: 200-ok\r\nContent-Length: 1\r\n", "x"), R(417, HTTP_EXPECT)},
        {"two expectations", POST("Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 1\r\n", "x"), R(417, HTTP_EXPECT)},
        {"gzip", POST("Content-Encoding: gzip\r\nContent-Length: 1\r\n", "x"), R(415, HTTP_CONTENT)},
        {"identity twice", POST("Content-Encoding: identity\r\nContent-Encoding: identity\r\nContent-Length: 1\r\n", "x"), R(415, HTTP_CONTENT)},
        {"declared over the limit", CL("67108865"), R(413, LIMIT_BODY)},
        {"cut head", "GET / HTTP/1.1\r\nHost: a\r\n", R(400, CLIENT_GONE)},
        {"cut body", POST("Content-Length: 2\r\n", "x"), R(400, CLIENT_GONE)},
        {"cut chunk", CHUNKED("5\r\nhel"), R(400, CLIENT_GONE)},
        {"cut trailer", CHUNKED("0\r\n"), R(400, CLIENT_GONE)},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        expect_refused(HTTP1_REQUEST, &table[i]);
    }
}

static void chunks(void)
{
#define SIZE(size) CHUNKED(size "\r\nhello\r\n0\r\n\r\n")
    static const struct refused table[] = {
        {"plus", SIZE("+5"), R(400, HTTP_CHUNK)},
        {"minus", SIZE("-5"), R(400, HTTP_CHUNK)},
        {"0x", SIZE("0x5"), R(400, HTTP_CHUNK)},
        {"blank before", SIZE(" 5"), R(400, HTTP_CHUNK)},
        {"blank behind", SIZE("5 "), R(400, HTTP_CHUNK)},
        {"tab behind", SIZE("5\t"), R(400, HTTP_CHUNK)},
        {"blank before an extension", SIZE("5 ;a=b"), R(400, HTTP_CHUNK)},
        {"junk", SIZE("5g"), R(400, HTTP_CHUNK)},
        {"underscore", SIZE("0_5"), R(400, HTTP_CHUNK)},
        {"nothing", SIZE(""), R(400, HTTP_CHUNK)},
        {"17 digits", SIZE("00000000000000005"), R(400, HTTP_CHUNK)},
        {"2^63", SIZE("8000000000000000"), R(400, HTTP_CHUNK)},
        {"2^64 - 1", SIZE("ffffffffffffffff"), R(400, HTTP_CHUNK)},
        {"NUL", BYTES(CHUNKED("5\0\r\nhello\r\n0\r\n\r\n")), RN(400, HTTP_CHUNK)},
        {"bare LF", CHUNKED("5\nhello\r\n0\r\n\r\n"), R(400, HTTP_CHUNK)},
        {"bare LF behind an extension", CHUNKED("5;a\nhello\r\n0\r\n\r\n"), R(400, HTTP_CHUNK)},
        {"CR CR LF", CHUNKED("5\r\r\nhello\r\n0\r\n\r\n"), R(400, HTTP_CHUNK)},
        {"empty extension", SIZE("5;"), R(400, HTTP_CHUNK)},
        {"extension without a value", SIZE("5;a="), R(400, HTTP_CHUNK)},
        {"open quotes", SIZE("5;a=\"b"), R(400, HTTP_CHUNK)},
        {"CR in quotes", SIZE("5;a=\"\r\n\""), R(400, HTTP_CHUNK)},
        {"junk behind quotes", SIZE("5;a=\"b\"c"), R(400, HTTP_CHUNK)},
        {"control in an extension", SIZE("5;a\x01"), R(400, HTTP_CHUNK)},
        {"no CRLF behind the data", CHUNKED("5\r\nhello0\r\n\r\n"), R(400, HTTP_CHUNK)},
        {"LF behind the data", CHUNKED("5\r\nhello\n0\r\n\r\n"), R(400, HTTP_CHUNK)},
        {"CR behind the data", CHUNKED("5\r\nhello\r0\r\n\r\n"), R(400, HTTP_CHUNK)},
        {"two CRLF behind the data", CHUNKED("5\r\nhello\r\n\r\n0\r\n\r\n"), R(400, HTTP_CHUNK)},
        {"LF CR behind the data", CHUNKED("5\r\nhello\n\r0\r\n\r\n"), R(400, HTTP_CHUNK)},
        {"over the limit", CHUNKED("4000001\r\n"), R(413, LIMIT_BODY)},
        {"over the limit by sum", CHUNKED("1\r\nx\r\n4000000\r\n"), R(413, LIMIT_BODY)},
        {"trailer without colon", CHUNKED("0\r\nX\r\n\r\n"), R(400, HTTP_TRAILER)},
        {"trailer with a control", CHUNKED("0\r\nX: \x01\r\n\r\n"), R(400, HTTP_TRAILER)},
        {"trailer names Content-Length", CHUNKED("0\r\nContent-Length: 5\r\n\r\n"), R(400, HTTP_TRAILER)},
        {"trailer names Transfer-Encoding", CHUNKED("0\r\ntransfer-encoding: chunked\r\n\r\n"), R(400, HTTP_TRAILER)},
        {"trailer names Host", CHUNKED("0\r\nA: 1\r\nHOST: b\r\n\r\n"), R(400, HTTP_TRAILER)},
        {"trailer names it respelt", CHUNKED("0\r\ncontent_type: b\r\n\r\n"), R(400, HTTP_TRAILER)},
        {"trailer names a field of ours", CHUNKED("0\r\nX-Countersign-Verified: yes\r\n\r\n"), R(400, HTTP_TRAILER)},
        {"trailer fold", CHUNKED("0\r\nA: 1\r\n b\r\n\r\n"), R(400, HTTP_FOLD)},
        {"trailer bare LF", CHUNKED("0\r\nA: 1\n\r\n"), R(400, HTTP_LINE_END)},
        {"trailer ends in bare LF", CHUNKED("0\r\n\n"), R(400, HTTP_LINE_END)},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        expect_refused(HTTP1_REQUEST, &table[i]);
    }
}

static void replies_refused(void)
{
#define REPLY(fields, body) "HTTP/1.1 200 OK\r\n" fields "\r\n" body
#define U R(502, UPSTREAM_FRAMING)
    static const struct refused table[] = {
        {"0.9", "<html>", U},
        {"2.0", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", U},
        {"1.2", "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n", U},
        {"two digits", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", U},
        {"four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", U},
        {"status 099", "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n", U},
        {"status 600", "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n", U},
        {"two blanks", "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n", U},
        {"control in the text", "HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n", U},
        {"bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", U},
        {"empty line before", "\r\n" REPLY("Content-Length: 0\r\n", ""), U},
        {"request", GET(""), U},
        {"no framing", REPLY("Content-Type: text/xml\r\n", "<a/>"), U},
        {"no framing on 1.0", "HTTP/1.0 200 OK\r\n\r\n<a/>", U},
        {"length and coding", REPLY("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), U},
        {"two lengths", REPLY("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), U},
        {"bad length", REPLY("Content-Length: 5;\r\n", "hello"), U},
        {"coding list", REPLY("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), U},
        {"coding on 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", U},
        {"bad chunk", REPLY("Transfer-Encoding: chunked\r\n", "5 \r\nhello\r\n0\r\n\r\n"), U},
        {"bad chunk end", REPLY("Transfer-Encoding: chunked\r\n", "5\r\nhello\n0\r\n\r\n"), U},
        {"bad trailer", REPLY("Transfer-Encoding: chunked\r\n", "0\r\nContent-Length: 1\r\n\r\n"), U},
        {"fold", REPLY("Content-Length: 0\r\n X\r\n", ""), U},
        {"NUL", BYTES(REPLY("X: \0\r\nContent-Length: 0\r\n", "")), RN(502, UPSTREAM_FRAMING)},
        {"204 with a body", "HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\nx", U},
        {"204 chunked", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", U},
        {"100 with a length", "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n", U},
        {"101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", U},
        {"declared over the limit", REPLY("Content-Length: 67108865\r\n", ""), R(502, LIMIT_BODY)},
        {"counted over the limit", REPLY("Transfer-Encoding: chunked\r\n", "4000001\r\n"), R(502, LIMIT_BODY)},
        {"cut head", "HTTP/1.1 200 OK\r\n", R(502, UPSTREAM_CLOSED)},
        {"cut body", REPLY("Content-Length: 5\r\n", "hell"), R(502, UPSTREAM_CLOSED)},
        {"cut chunked", REPLY("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"), R(502, UPSTREAM_CLOSED)},
        {"only an interim", "HTTP/1.1 100 Continue\r\n\r\n", R(502, UPSTREAM_CLOSED)},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        expect_refused(HTTP1_RESPONSE, &table[i]);
    }
}

struct accepted {
    enum http1_kind kind;
    const char *method; /* responses: of the request */
    const char *data;
    const char *trace;
};

static void accepted_messages(void)
{
    static const struct accepted table[] = {
        {HTTP1_REQUEST, "", GET(""), "[GET / /?- h=a 0 1.1 len=0/0 chunked=0 keep=1 expect=0|Host=a].$"},
        {HTTP1_REQUEST, "", "\r\n" GET(""), "[GET / /?- h=a 0 1.1 len=0/0 chunked=0 keep=1 expect=0|Host=a].$"},
        {HTTP1_REQUEST, "", "\r\n", "$"},
        {HTTP1_REQUEST, "", GET("X: \t 1 \t 2 \t\r\nY:\r\nZ: \t\r\n"),
         "[GET / /?- h=a 0 1.1 len=0/0 chunked=0 keep=1 expect=0|Host=a|X=1 \t 2|Y=|Z=].$"},
        {HTTP1_REQUEST, "", GET("X: \xff\r\n"), "[GET / /?- h=a 0 1.1 len=0/0 chunked=0 keep=1 expect=0|Host=a|X=\xff].$"},
        {HTTP1_REQUEST, "", GET("Connection: x , Close\r\n"),
         "[GET / /?- h=a 0 1.1 len=0/0 chunked=0 keep=0 expect=0|Host=a|Connection=x , Close].$"},
        {HTTP1_REQUEST, "", GET("Content-Length: 0\r\n"),
         "[GET / /?- h=a 0 1.1 len=1/0 chunked=0 keep=1 expect=0|Host=a|Content-Length=0].$"},
        {HTTP1_REQUEST, "", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", "[GET / /?- h=a 0 1.0 len=0/0 chunked=0 keep=0 expect=0|Host=a].$"},
        {HTTP1_REQUEST, "", "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n",
         "[GET / /?- h=a 0 1.0 len=0/0 chunked=0 keep=1 expect=0|Host=a|Connection=keep-alive|Expect=100-continue].$"},
        {HTTP1_REQUEST, "", "POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\nhello",
         "[POST /a?b /a?b h=a 0 1.1 len=1/5 chunked=0 keep=1 expect=1|Host=a|Content-Length=5|Expect=100-Continue](hello).$"},
        {HTTP1_REQUEST, "", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
         "[POST / /?- h=a 0 1.1 len=1/0 chunked=0 keep=1 expect=0|Host=a|Content-Length=0].$"},
        {HTTP1_REQUEST, "", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0000000000000000000000000000005\r\n\r\nhello",
         "[POST / /?- h=a 0 1.1 len=1/5 chunked=0 keep=1 expect=0|Host=a|Content-Length=0000000000000000000000000000005](hello).$"},
        {HTTP1_REQUEST, "", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \tChunked \r\n\r\n5\r\nhello\r\n0000000000000006;a;b=c;d=\"e \\\" ;\"\r\n world\r\n0;x\r\nA: 1\r\nB:\r\n\r\n",
         "[POST / /?- h=a 0 1.1 len=0/0 chunked=1 keep=1 expect=0|Host=a|Transfer-Encoding=Chunked](hello world).$"},
        {HTTP1_REQUEST, "", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "[POST / /?- h=a 0 1.1 len=0/0 chunked=1 keep=1 expect=0|Host=a|Transfer-Encoding=chunked].$"},
        {HTTP1_REQUEST, "", "DELETE /x HTTP/1.1\r\nHost: a\r\nContent-Encoding: Identity\r\n\r\n",
         "[DELETE /x /x?- h=a 0 1.1 len=0/0 chunked=0 keep=1 expect=0|Host=a|Content-Encoding=Identity].$"},
        {HTTP1_REQUEST, "", "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx" GET(""),
         "[POST /1 /1?- h=a 0 1.1 len=1/1 chunked=0 keep=1 expect=0|Host=a|Content-Length=1](x)."
         "[GET / /?- h=a 0 1.1 len=0/0 chunked=0 keep=1 expect=0|Host=a].$"},
        {HTTP1_REQUEST, "", "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\nx\r\n0\r\n\r\n\r\n" GET(""),
         "[POST /1 /1?- h=a 0 1.1 len=0/0 chunked=1 keep=0 expect=0|Host=a|Transfer-Encoding=chunked|Connection=close](x)."
         "[GET / /?- h=a 0 1.1 len=0/0 chunked=0 keep=1 expect=0|Host=a].$"},
        {HTTP1_RESPONSE, "POST", REPLY("Content-Length: 5\r\n", "hello"),
         "[ - -?- h=- 200 1.1 len=1/5 chunked=0 keep=1 expect=0|Content-Length=5](hello).$"},
        {HTTP1_RESPONSE, "POST", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
         "[ - -?- h=- 200 1.0 len=1/5 chunked=0 keep=0 expect=0|Content-Length=5](hello).$"},
        {HTTP1_RESPONSE, "POST", "HTTP/1.1 500\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: 1\r\n\r\n",
         "[ - -?- h=- 500 1.1 len=0/0 chunked=1 keep=1 expect=0|Transfer-Encoding=chunked](hello).$"},
        {HTTP1_RESPONSE, "POST", "HTTP/1.1 202 \r\nContent-Length: 0\r\n\r\n",
         "[ - -?- h=- 202 1.1 len=1/0 chunked=0 keep=1 expect=0|Content-Length=0].$"},
        {HTTP1_RESPONSE, "POST", "HTTP/1.1 204 No Content\r\n\r\n", "[ - -?- h=- 204 1.1 len=0/0 chunked=0 keep=1 expect=0].$"},
        {HTTP1_RESPONSE, "POST", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
         "[ - -?- h=- 204 1.1 len=1/0 chunked=0 keep=1 expect=0|Content-Length=0].$"},
        {HTTP1_RESPONSE, "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
         "[ - -?- h=- 304 1.1 len=1/5 chunked=0 keep=1 expect=0|Content-Length=5].$"},
        {HTTP1_RESPONSE, "HEAD", REPLY("Content-Length: 99999999999\r\n", ""),
         "[ - -?- h=- 200 1.1 len=1/99999999999 chunked=0 keep=1 expect=0|Content-Length=99999999999].$"},
        {HTTP1_RESPONSE, "HEAD", REPLY("", ""), "[ - -?- h=- 200 1.1 len=0/0 chunked=0 keep=1 expect=0].$"},
        {HTTP1_RESPONSE, "HEAD", REPLY("Transfer-Encoding: chunked\r\n", ""),
         "[ - -?- h=- 200 1.1 len=0/0 chunked=1 keep=1 expect=0|Transfer-Encoding=chunked].$"},
        {HTTP1_RESPONSE, "POST", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" REPLY("Content-Length: 1\r\n", "x"),
         "interiminterim[ - -?- h=- 200 1.1 len=1/1 chunked=0 keep=1 expect=0|Content-Length=1](x).$"},
        {HTTP1_RESPONSE, "POST", REPLY("Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 1\r\n", "x"),
         "[ - -?- h=- 200 1.1 len=1/1 chunked=0 keep=1 expect=0|Upgrade=h2c|Connection=Upgrade|Content-Length=1](x).$"},
        {HTTP1_RESPONSE, "POST", "", "$"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct feeder f = {table[i].kind, HTTP1_LIMITS_DEFAULT, table[i].method, table[i].data, strlen(table[i].data)};
        struct http1_failure failure;
        char *trace = run_all(&f, &failure);
        if (strcmp(trace, table[i].trace) != 0) {
            printf("  # got    %s\n  # wanted %s\n", trace, table[i].trace);
            CU_FAIL("wrong trace");
        }
        free(trace);
    }
}

/* Each rule's own example breaks exactly that rule; no rule is without one but the second judge's. */
static void every_rule_has_an_example(void)
{
    for (unsigned i = HTTP1_R_NONE + 1; i < HTTP1_R_COUNT; i++) {
        const struct http1_rule *r = &http1_rule[i];
        CU_ASSERT_PTR_NOT_NULL_FATAL(r->text);
        if (i == HTTP1_R_JUDGES_HEAD || i == HTTP1_R_JUDGES_BODY) {
            continue;
        }
        CU_ASSERT_PTR_NOT_NULL_FATAL(r->example);
        bool request = (r->on & HTTP1_ON_REQUEST) != 0;
        struct feeder f = {request ? HTTP1_REQUEST : HTTP1_RESPONSE, HTTP1_LIMITS_EXAMPLE, "POST", r->example, strlen(r->example)};
        struct http1_failure failure;
        char *trace = NULL;
        if (i == HTTP1_R_CONTENT_TYPE) {
            struct http1 *p = http1_new(HTTP1_REQUEST, &f.limits);
            size_t used;
            size_t body_n;
            const char *body;
            CU_ASSERT_EQUAL(http1_feed(p, f.data, f.n, &used, &body, &body_n), HTTP1_HEAD);
            CU_ASSERT_PTR_NOT_NULL(http1_check_content(p));
            failure = *http1_failure(p);
            CU_ASSERT_EQUAL(http1_feed(p, f.data + used, f.n - used, &used, &body, &body_n), HTTP1_ERROR);
            http1_free(p);
        } else {
            trace = run_all(&f, &failure);
        }
        if (failure.status != r->status || failure.reason != r->reason || strstr(failure.detail, r->text) == NULL) {
            printf("  # rule %u \"%s\": %d %s\n", r->number, r->text, failure.status, failure.detail);
            CU_FAIL("the example breaks another rule");
        }
        free(trace);
    }
}

static void content_types(void)
{
    static const struct {
        const char *fields;
        bool good;
    } table[] = {
        {"Content-Type: text/xml\r\n", true},
        {"Content-Type: Text/XML; charset=utf-8\r\n", true},
        {"Content-Type: text/xml;charset=\"utf-8\"\r\n", true},
        {"Content-Type: application/soap+xml ; action=\"x\"\r\n", true},
        {"Content-Type: multipart/related; type=\"text/xml\"\r\n", true},
        {"", false},
        {"Content-Type:\r\n", false},
        {"Content-Type: text/xmlx\r\n", false},
        {"Content-Type: text/html\r\n", false},
        {"Content-Type: application/x-www-form-urlencoded\r\n", false},
        {"Content-Type: text/xml, text/html\r\n", false},
        {"Content-Type: text/xml\r\nContent-Type: text/xml\r\n", false},
        {"Content_Type: text/xml\r\n", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char text[300];
        int n = snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n%s\r\n", table[i].fields);
        struct http1_limits limits = HTTP1_LIMITS_DEFAULT;
        struct http1 *p = http1_new(HTTP1_REQUEST, &limits);
        size_t used;
        size_t body_n;
        const char *body;
        CU_ASSERT_EQUAL(http1_feed(p, text, (size_t)n, &used, &body, &body_n), HTTP1_HEAD);
        const struct http1_failure *failure = http1_check_content(p);
        CU_ASSERT_EQUAL(failure == NULL, table[i].good);
        CU_ASSERT(failure == NULL || (failure->status == 415 && failure->reason == WSSEC_HTTP_CONTENT));
        http1_free(p);
    }
}

/* ---- limits: one below, at, one above -------------------------------------------------------------------------- */

/* A request of one kind of size n. */
static void sized(cs_buf *b, const char *what, size_t n)
{
    cs_buf_reset(b);
    if (strcmp(what, "target") == 0) {
        cs_buf_adds(b, "GET /");
        for (size_t i = 1; i < n; i++) {
            cs_buf_addc(b, 'a');
        }
        cs_buf_adds(b, " HTTP/1.1\r\nHost: a\r\n\r\n");
        return;
    }
    cs_buf_adds(b, strcmp(what, "body") == 0 ? "POST" : "GET");
    cs_buf_adds(b, " / HTTP/1.1\r\nHost: a\r\n");
    if (strcmp(what, "field") == 0) {
        cs_buf_adds(b, "X:");
        for (size_t i = 2; i < n; i++) {
            cs_buf_addc(b, 'a');
        }
        cs_buf_adds(b, "\r\n\r\n");
    } else if (strcmp(what, "fields") == 0) {
        for (size_t i = 1; i < n; i++) {
            cs_buf_adds(b, "X:\r\n");
        }
        cs_buf_adds(b, "\r\n");
    } else if (strcmp(what, "head") == 0) {
        while (b->len + 60 < n) {
            cs_buf_adds(b, "A: 2345678901234567890123456789\r\n");
        }
        cs_buf_adds(b, "B:");
        while (b->len + 4 < n) {
            cs_buf_addc(b, 'b');
        }
        cs_buf_adds(b, "\r\n\r\n");
    } else if (strcmp(what, "body") == 0) {
        cs_buf_addf(b, "Content-Length: %zu\r\n\r\n", n);
        for (size_t i = 0; i < n; i++) {
            cs_buf_addc(b, 'b');
        }
    } else if (strcmp(what, "extension") == 0) {
        cs_buf_reset(b);
        cs_buf_adds(b, CHUNKED("1;"));
        for (size_t i = 1; i < n; i++) {
            cs_buf_addc(b, 'e');
        }
        cs_buf_adds(b, "\r\nx\r\n0\r\n\r\n");
    } else if (strcmp(what, "trailer field") == 0) {
        cs_buf_reset(b);
        cs_buf_adds(b, CHUNKED("0\r\nX:"));
        for (size_t i = 2; i < n; i++) {
            cs_buf_addc(b, 'a');
        }
        cs_buf_adds(b, "\r\n\r\n");
    } else {
        cs_buf_reset(b);
        cs_buf_adds(b, CHUNKED("0\r\n"));
        for (size_t i = 0; i < n; i++) {
            cs_buf_adds(b, "X:\r\n");
        }
        cs_buf_adds(b, "\r\n");
    }
}

static void limits(void)
{
    static const struct http1_limits small = HTTP1_LIMITS_EXAMPLE;
    const struct {
        const char *what;
        size_t limit;
        int status;
        enum wssec_reason reason;
    } table[] = {
        {"target", small.target, 414, WSSEC_HTTP_TARGET_SIZE},
        {"field", small.field, 431, WSSEC_HTTP_HEAD_SIZE},
        {"fields", small.fields, 431, WSSEC_HTTP_HEAD_SIZE},
        {"head", 290, 431, WSSEC_HTTP_HEAD_SIZE},
        {"body", (size_t)small.body, 413, WSSEC_LIMIT_BODY},
        {"extension", small.chunk_extension, 400, WSSEC_HTTP_CHUNK},
        {"trailer field", small.field, 431, WSSEC_HTTP_HEAD_SIZE},
        {"trailer fields", small.fields, 431, WSSEC_HTTP_HEAD_SIZE},
    };
    cs_buf b = CS_BUF_INIT;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        for (size_t n = table[i].limit - 1; n <= table[i].limit + 1; n++) {
            sized(&b, table[i].what, n);
            CU_ASSERT_FATAL(!b.failed);
            struct feeder f = {HTTP1_REQUEST, small, "", b.data, b.len};
            if (strcmp(table[i].what, "head") == 0) {
                CU_ASSERT_EQUAL(b.len, n);
                f.limits.head = table[i].limit;
                f.limits.fields = 100;
            }
            struct http1_failure failure;
            char *trace = run_all(&f, &failure);
            int status = n > table[i].limit ? table[i].status : 0;
            if (failure.status != status || (status != 0 && failure.reason != table[i].reason)) {
                printf("  # %s of %zu: %d %s\n", table[i].what, n, failure.status, failure.detail);
                CU_FAIL("wrong limit");
            }
            free(trace);
        }
    }
    cs_buf_free(&b);
}

static void interim_flood(void)
{
    cs_buf b = CS_BUF_INIT;
    for (size_t n = 8; n <= 9; n++) {
        cs_buf_reset(&b);
        for (size_t i = 0; i < n; i++) {
            cs_buf_adds(&b, "HTTP/1.1 102 Processing\r\n\r\n");
        }
        cs_buf_adds(&b, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
        struct feeder f = {HTTP1_RESPONSE, HTTP1_LIMITS_DEFAULT, "POST", b.data, b.len};
        struct http1_failure failure;
        free(run_all(&f, &failure));
        CU_ASSERT_EQUAL(failure.status, n > 8 ? 502 : 0);
    }
    cs_buf_free(&b);
}

static void body_limit_of_the_route(void)
{
    struct http1_limits small = HTTP1_LIMITS_EXAMPLE;
    static const char text[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 70\r\n\r\n";
    for (int allowed = 69; allowed <= 70; allowed++) {
        struct http1 *p = http1_new(HTTP1_REQUEST, &small);
        size_t used;
        size_t body_n;
        const char *body;
        CU_ASSERT_EQUAL(http1_feed(p, text, sizeof text - 1, &used, &body, &body_n), HTTP1_HEAD);
        CU_ASSERT_EQUAL(http1_set_body_limit(p, (uint64_t)allowed), allowed >= 70);
        CU_ASSERT_EQUAL(http1_feed(p, NULL, 0, &used, &body, &body_n), allowed >= 70 ? HTTP1_MORE : HTTP1_ERROR);
        CU_ASSERT_EQUAL(http1_failure(p)->status, allowed >= 70 ? 0 : 413);
        http1_free(p);
    }
}

static void state_between_messages(void)
{
    struct http1_limits normal = HTTP1_LIMITS_DEFAULT;
    struct http1 *p = http1_new(HTTP1_REQUEST, &normal);
    size_t used;
    size_t body_n;
    const char *body;
    static const char two[] = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxy" GET("");
    CU_ASSERT(!http1_begun(p));
    CU_ASSERT_EQUAL(http1_eof(p), HTTP1_MORE);
    CU_ASSERT_EQUAL(http1_feed(p, two, 1, &used, &body, &body_n), HTTP1_MORE);
    CU_ASSERT(http1_begun(p));
    CU_ASSERT_EQUAL(http1_feed(p, two + 1, sizeof two - 2, &used, &body, &body_n), HTTP1_HEAD);
    size_t at = 1 + used;
    CU_ASSERT_EQUAL(http1_feed(p, two + at, sizeof two - 1 - at, &used, &body, &body_n), HTTP1_BODY);
    at += used;
    CU_ASSERT_EQUAL(http1_body_seen(p), 2);
    CU_ASSERT_EQUAL(http1_feed(p, two + at, sizeof two - 1 - at, &used, &body, &body_n), HTTP1_DONE);
    CU_ASSERT_EQUAL(used, 0);
    CU_ASSERT_STRING_EQUAL(http1_head(p)->path, "/a");
    CU_ASSERT_EQUAL(http1_eof(p), HTTP1_DONE);
    http1_next(p);
    CU_ASSERT(!http1_begun(p));
    CU_ASSERT_EQUAL(http1_feed(p, two + at, sizeof two - 1 - at, &used, &body, &body_n), HTTP1_HEAD);
    CU_ASSERT_EQUAL(at + used, sizeof two - 1);
    CU_ASSERT_STRING_EQUAL(http1_head(p)->path, "/");
    CU_ASSERT_EQUAL(http1_eof(p), HTTP1_DONE);
    http1_free(p);
    http1_free(NULL);
}

static void error_stays_and_names_the_request(void)
{
    struct http1_limits normal = HTTP1_LIMITS_DEFAULT;
    struct http1 *p = http1_new(HTTP1_REQUEST, &normal);
    size_t used;
    size_t body_n;
    const char *body;
    static const char bad[] = "POST /a?b HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n";
    CU_ASSERT_EQUAL(http1_feed(p, bad, sizeof bad - 1, &used, &body, &body_n), HTTP1_ERROR);
    CU_ASSERT_STRING_EQUAL(http1_head(p)->method, "POST");
    CU_ASSERT_STRING_EQUAL(http1_head(p)->target, "/a?b");
    CU_ASSERT_STRING_EQUAL(http1_head(p)->path, "/a");
    CU_ASSERT_STRING_EQUAL(http1_failure(p)->detail, "rule 3: field name is not a token with a colon behind it (line 3 of the head)");
    CU_ASSERT_EQUAL(http1_feed(p, GET(""), sizeof GET("") - 1, &used, &body, &body_n), HTTP1_ERROR);
    CU_ASSERT_EQUAL(used, 0);
    CU_ASSERT_EQUAL(http1_eof(p), HTTP1_ERROR);
    http1_free(p);
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

static struct http1 *parse_head(enum http1_kind kind, const char *text)
{
    struct http1_limits normal = HTTP1_LIMITS_DEFAULT;
    struct http1 *p = http1_new(kind, &normal);
    size_t used;
    size_t body_n;
    const char *body;
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    CU_ASSERT_EQUAL_FATAL(http1_feed(p, text, strlen(text), &used, &body, &body_n), HTTP1_HEAD);
    return p;
}

static void request_heads_are_rebuilt(void)
{
    struct http1 *p = parse_head(HTTP1_REQUEST,
                                 "POST /a?q HTTP/1.1\r\nHost: a\r\nContent-Type:  text/xml \r\nTransfer-Encoding: chunked\r\n"
                                 "Connection: keep-alive, X-Hop\r\nx-hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nTrailer: X\r\n"
                                 "Proxy-Connection: x\r\nProxy-Authorization: x\r\nAccept-Encoding: gzip\r\nRange: bytes=0-1\r\n"
                                 "If-Range: x\r\nExpect: 100-continue\r\nContent_Length: 7\r\ntransfer_encoding: x\r\n"
                                 "X-Countersign-User: evil\r\nX_countersign_USER: evil\r\nSOAPAction: \"x\"\r\nX: 1\r\nX: 2\r\n\r\n");
    const struct http1_extra extra[] = {{"X-Countersign-User", "anna"}};
    cs_buf out = CS_BUF_INIT;
    CU_ASSERT_EQUAL(http1_write_request(&out, http1_head(p), "/soap", "up:81", 1234, true, extra, 1), 0);
    CU_ASSERT_STRING_EQUAL(out.data, "POST /soap HTTP/1.1\r\nHost: up:81\r\nContent-Type: text/xml\r\nSOAPAction: \"x\"\r\n"
                                     "X: 1\r\nX: 2\r\nX-Countersign-User: anna\r\nContent-Length: 1234\r\n\r\n");
    cs_buf_reset(&out);
    static const struct http1_extra bad[] = {{"X", "a\r\nY: b"}, {"X", "a\nb"}, {"X", "\x01"}, {"X Y", "a"}, {"", "a"}, {"X:", "a"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_EQUAL(http1_write_request(&out, http1_head(p), "/", "a", 0, true, &bad[i], 1), -1);
        cs_buf_reset(&out);
    }
    CU_ASSERT_EQUAL(http1_write_request(&out, http1_head(p), "/", "a\r\nX: 1", 0, true, NULL, 0), -1);
    http1_free(p);
    cs_buf_reset(&out);
    p = parse_head(HTTP1_REQUEST, GET("Accept: */*\r\n"));
    CU_ASSERT_EQUAL(http1_write_request(&out, http1_head(p), "/", "a", 0, false, NULL, 0), 0);
    CU_ASSERT_STRING_EQUAL(out.data, "GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n");
    http1_free(p);
    cs_buf_free(&out);
}

static void response_heads_are_rebuilt(void)
{
    struct http1 *p = parse_head(HTTP1_RESPONSE, "HTTP/1.0 500 My own text\r\nContent-Type: text/xml\r\nContent-Length: 3\r\n"
                                                 "Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: x\r\nUpgrade: h2c\r\n"
                                                 "Proxy-Authenticate: x\r\nServer: s\r\nDate: d\r\n\r\n");
    cs_buf out = CS_BUF_INIT;
    CU_ASSERT_EQUAL(http1_write_response(&out, http1_head(p), 99, true, NULL, 0), 0);
    CU_ASSERT_STRING_EQUAL(out.data, "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/xml\r\nServer: s\r\nDate: d\r\n"
                                     "Content-Length: 99\r\nConnection: close\r\n\r\n");
    http1_free(p);
    cs_buf_reset(&out);
    p = parse_head(HTTP1_RESPONSE, "HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n");
    CU_ASSERT_EQUAL(http1_write_response(&out, http1_head(p), 0, false, NULL, 0), 0);
    CU_ASSERT_STRING_EQUAL(out.data, "HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n");
    http1_free(p);
    cs_buf_free(&out);
}

static void own_replies(void)
{
    cs_buf out = CS_BUF_INIT;
    const struct http1_extra allow = {"Allow", "POST"};
    CU_ASSERT_EQUAL(http1_write_plain(&out, 405, "text/plain", "no\n", 3, true, false, &allow, 1), 0);
    CU_ASSERT_STRING_EQUAL(out.data, "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nAllow: POST\r\n"
                                     "Content-Length: 3\r\nConnection: close\r\n\r\nno\n");
    cs_buf_reset(&out);
    CU_ASSERT_EQUAL(http1_write_plain(&out, 404, "text/plain", "no\n", 3, false, true, NULL, 0), 0);
    CU_ASSERT_STRING_EQUAL(out.data, "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\n");
    cs_buf_reset(&out);
    CU_ASSERT_EQUAL(http1_write_plain(&out, 100, NULL, "", 0, false, false, NULL, 0), 0);
    CU_ASSERT_STRING_EQUAL(out.data, "HTTP/1.1 100 Continue\r\n\r\n");
    cs_buf_free(&out);
}

/* What we write, our own parser reads as one message with the same content. */
static void written_heads_parse(void)
{
    struct http1 *p = parse_head(HTTP1_REQUEST, "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX:\r\n\r\n");
    cs_buf out = CS_BUF_INIT;
    CU_ASSERT_EQUAL(http1_write_request(&out, http1_head(p), "/b", "c", 5, true, NULL, 0), 0);
    cs_buf_adds(&out, "hello");
    struct feeder f = {HTTP1_REQUEST, HTTP1_LIMITS_DEFAULT, "", out.data, out.len};
    struct http1_failure failure;
    char *trace = run_all(&f, &failure);
    CU_ASSERT_STRING_EQUAL(trace, "[POST /b /b?- h=c 0 1.1 len=1/5 chunked=0 keep=1 expect=0|Host=c|X=|Content-Length=5](hello).$");
    free(trace);
    http1_free(p);
    cs_buf_free(&out);
}

const struct harness_test harness_tests[] = {
    {"request lines that are refused", request_lines},
    {"targets refused and normalised", targets},
    {"line ends and fields that are refused", lines_and_fields},
    {"hosts refused and accepted", hosts},
    {"framing that is refused", framing},
    {"chunks and trailers that are refused", chunks},
    {"replies that are refused", replies_refused},
    {"messages that are accepted", accepted_messages},
    {"every rule has an example that breaks it alone", every_rule_has_an_example},
    {"content types", content_types},
    {"limits: one below, at, one above", limits},
    {"interim flood", interim_flood},
    {"the body limit of the route counts", body_limit_of_the_route},
    {"state between messages", state_between_messages},
    {"an error stays and names the request", error_stays_and_names_the_request},
    {"request heads are rebuilt", request_heads_are_rebuilt},
    {"response heads are rebuilt", response_heads_are_rebuilt},
    {"replies of our own", own_replies},
    {"written heads parse", written_heads_parse},
    {NULL, NULL},
};
