/* SPDX-License-Identifier: Apache-2.0 */
/* test_http1_write.c: heads that we send: what is dropped, what is ours, and that nobody can add a line. */
#include "tests/unit/http1_feeder.h"

const char *const harness_suite = "http1 write";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

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
    struct http1 *p = parse_head(
        HTTP1_REQUEST, "POST /a?q HTTP/1.1\r\nHost: a\r\nContent-Type:  text/xml \r\nTransfer-Encoding: chunked\r\n"
                       "Connection: keep-alive, X-Hop\r\nx-hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nTrailer: X\r\n"
                       "Proxy-Connection: x\r\nProxy-Authorization: x\r\nAccept-Encoding: gzip\r\nRange: bytes=0-1\r\n"
                       "If-Range: x\r\nExpect: 100-continue\r\nContent_Length: 7\r\ntransfer_encoding: x\r\n"
                       "X-Countersign-User: evil\r\nX_countersign_USER: evil\r\nSOAPAction: \"x\"\r\n"
                       "Contentxlength: 7\r\nX-Countersign-Used: 8\r\nX: 1\r\nX: 2\r\n\r\n");
    const struct http1_extra extra[] = {{"X-Countersign-User", "anna"}};
    cs_buf out = CS_BUF_INIT;
    CU_ASSERT_EQUAL(http1_write_request(&out, http1_head(p), "/soap", "up:81", 1234, true, extra, 1), 0);
    CU_ASSERT_STRING_EQUAL(out.data,
                           "POST /soap HTTP/1.1\r\nHost: up:81\r\nContent-Type: text/xml\r\nSOAPAction: \"x\"\r\n"
                           "Contentxlength: 7\r\nX-Countersign-Used: 8\r\nX: 1\r\nX: 2\r\nX-Countersign-User: "
                           "anna\r\nContent-Length: 1234\r\n\r\n");
    cs_buf_reset(&out);
    static const struct http1_extra bad[] = {{"X", "a\r\nY: b"}, {"X", "a\nb"}, {"X", "\x01"},
                                             {"X Y", "a"},       {"", "a"},     {"X:", "a"}};
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
    struct http1 *p =
        parse_head(HTTP1_RESPONSE, "HTTP/1.0 500 My own text\r\nContent-Type: text/xml\r\nContent-Length: 3\r\n"
                                   "Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: x\r\nUpgrade: h2c\r\n"
                                   "Proxy-Authenticate: x\r\nServer: s\r\nDate: d\r\n\r\n");
    cs_buf out = CS_BUF_INIT;
    CU_ASSERT_EQUAL(http1_write_response(&out, http1_head(p), 99, true, NULL, 0), 0);
    CU_ASSERT_STRING_EQUAL(out.data,
                           "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/xml\r\nServer: s\r\nDate: d\r\n"
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
    CU_ASSERT_EQUAL(
        http1_write_plain(&out, &(struct http1_plain){405, "text/plain", "no\n", 3, true, false, &allow, 1}), 0);
    CU_ASSERT_STRING_EQUAL(out.data, "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nAllow: POST\r\n"
                                     "Content-Length: 3\r\nConnection: close\r\n\r\nno\n");
    cs_buf_reset(&out);
    CU_ASSERT_EQUAL(http1_write_plain(&out, &(struct http1_plain){404, "text/plain", "no\n", 3, .head_only = true}), 0);
    CU_ASSERT_STRING_EQUAL(out.data, "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\n");
    cs_buf_reset(&out);
    CU_ASSERT_EQUAL(http1_write_plain(&out, &(struct http1_plain){.status = 200}), 0);
    CU_ASSERT_STRING_EQUAL(out.data, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    cs_buf_reset(&out);
    CU_ASSERT_EQUAL(http1_write_plain(&out, &(struct http1_plain){.status = 100}), 0);
    CU_ASSERT_STRING_EQUAL(out.data, "HTTP/1.1 100 Continue\r\n\r\n");
    cs_buf_free(&out);
}

/* What we write, our own parser reads as one message with the same content. */
static void written_heads_parse(void)
{
    struct http1 *p =
        parse_head(HTTP1_REQUEST, "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX:\r\n\r\n");
    cs_buf out = CS_BUF_INIT;
    CU_ASSERT_EQUAL(http1_write_request(&out, http1_head(p), "/b", "c", 5, true, NULL, 0), 0);
    cs_buf_adds(&out, "hello");
    struct feeder f = {HTTP1_REQUEST, HTTP1_LIMITS_DEFAULT, "", out.data, out.len};
    struct http1_failure failure;
    char *trace = run_all(&f, &failure);
    CU_ASSERT_STRING_EQUAL(
        trace, "[POST /b /b?- h=c 0 1.1 len=1/5 chunked=0 keep=1 expect=0|Host=c|X=|Content-Length=5](hello).$");
    free(trace);
    http1_free(p);
    cs_buf_free(&out);
}

const struct harness_test harness_tests[] = {
    {"request heads are rebuilt", request_heads_are_rebuilt},
    {"response heads are rebuilt", response_heads_are_rebuilt},
    {"replies of our own", own_replies},
    {"written heads parse", written_heads_parse},
    {NULL, NULL},
};
