/* SPDX-License-Identifier: Apache-2.0 */
/* test_http1_refused.c: malformed messages as tables: what each is refused with, however its octets are cut. */
#include "tests/unit/http1_feeder.h"

const char *const harness_suite = "http1 refused";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

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
        printf("  # %s: %d %s, wanted %d %s; %s\n", c->name, failure.status, wssec_reason_code(failure.reason),
               c->status, wssec_reason_code(c->reason), trace);
        CU_FAIL("wrong outcome");
    }
    free(trace);
}

#define R(status, reason)  0, status, WSSEC_##reason
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
        {"method of 24", "ABCDEFGHIJKLMNOPQRSTUVWX / HTTP/1.1\r\nHost: a\r\n\r\n", R(400, HTTP_REQUEST_LINE)},
        {"method of 23", "ABCDEFGHIJKLMNOPQRSTUVW / HTTP/1.1\r\nHost: a\r\n\r\n", R(405, HTTP_METHOD)},
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
        T("//"),          T("//a"),        T("/a//b"),       T("/a//"),     T("/."),        T("/.."),
        T("/a/../b"),     T("/a/./b"),     T("/a/.."),       T("/%2e"),     T("/%2E%2e/"),  T("/.%2e/a"),
        T("/a%00"),       T("/a%2fb"),     T("/a%2Fb"),      T("/a%5cb"),   T("/a%0d%0aX"), T("/a%7f"),
        T("/%"),          T("/%4"),        T("/%zz"),        T("/a\\b"),    T("/a#b"),      T("/a<b"),
        T("/a\"b"),       T("/a|b"),       T("/..;/b"),      T("/.;x=1/b"), T("*"),         T("a"),
        T("a/b"),         T("?a"),         T("http:/a/"),    T("http:///"), T("ftp://a/"),  T("http://u@a/"),
        T("http://a b/"), T("http://a:/"), T("http://a/.."), T("/?a%00"),   T("/?a#b"),     T("/?%x0"),
        T("/?\"")};
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
        {"/a?b%20c%c3", "/a", "b%20c%c3"},
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
        {"Connection names Content-Type", GET("Connection: close\r\nConnection: X, content-type\r\n"),
         R(400, HTTP_FIELD)},
        {"Connection names it respelt", GET("Connection: content_length\r\n"), R(400, HTTP_FIELD)},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        expect_refused(HTTP1_REQUEST, &table[i]);
    }
}

static void hosts(void)
{
    static const char *const bad[] = {
        "",
        "Host:\r\n",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nhost: b\r\n",
        "Host: a,b\r\n",
        "Host: a/b\r\n",
        "Host: u@a\r\n",
        "Host: a:\r\n",
        "Host: a:b\r\n",
        "Host: a:0\r\n",
        "Host: a:65536\r\n",
        "Host: a:080080\r\n",
        "Host: :80\r\n",
        "Host: [::1\r\n",
        "Host: [1]\r\n",
        "Host: [0000:0000:0000:0000:0000:0000:0000:0000:00000:]\r\n",
        "Host: [1:2:3:4:5:6:7:8:9:0:1:2:3:4:5:6:7:8:9:0:1:2:3:4:5:6:7:8:9]\r\n",
        "Host: [::1]x\r\n",
        "Host: [::1%25lo]\r\n",
        "Host: ::1\r\n",
        "Host: a?b\r\n",
        "Host: a%2eb\r\n",
        "Host: a b\r\n",
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
    static const char *const good[] = {"a",   "A.example", "127.0.0.1:8080", "[::1]", "[2001:db8::1]:443",
                                       "a_b", "a:65535",   "a:59999"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CU_ASSERT(http1_host_valid(good[i], strlen(good[i])));
    }
}

#define CL(value) POST("Content-Length: " value "\r\n", "x")
#define TE(value) POST("Transfer-Encoding: " value "\r\n", "0\r\n\r\n")
static const struct refused framing_table[] = {
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
    {"length, odd coding", POST("Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
     R(400, HTTP_LENGTH)},
    {"odd coding, length", POST("transfer-ENCODING: \tidentity\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
     R(400, HTTP_LENGTH)},
    {"length, empty coding", POST("Content-Length: 5\r\nTransfer-Encoding:\r\n", "0\r\n\r\n"), R(400, HTTP_LENGTH)},
    {"length, coding on 1.0", "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
     R(400, HTTP_LENGTH)},
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
    {"control in coding",
     TE("\x0b"
        "chunked"),
     R(400, HTTP_FIELD)},
    {"repeated", POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
     R(400, HTTP_TRANSFER_ENCODING)},
    {"repeated, other", POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
     R(400, HTTP_TRANSFER_ENCODING)},
    {"on 1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     R(400, HTTP_TRANSFER_ENCODING)},
    {"GET with length", GET("Content-Length: 1\r\n") "x", R(405, HTTP_METHOD)},
    {"HEAD with length", "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", R(405, HTTP_METHOD)},
    {"GET chunked", GET("Transfer-Encoding: chunked\r\n") "0\r\n\r\n", R(405, HTTP_METHOD)},
    {"POST without length", POST("", ""), R(411, HTTP_LENGTH_MISSING)},
    {"upgrade", GET("Upgrade: h2c\r\n"), R(400, HTTP_UPGRADE)},
    {"HTTP2-Settings", GET("HTTP2-Settings: AAMAAABkAAQAAP__\r\n"), R(400, HTTP_UPGRADE)},
    {"expectation", POST("Expect: 200-ok\r\nContent-Length: 1\r\n", "x"), R(417, HTTP_EXPECT)},
    {"two expectations", POST("Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 1\r\n", "x"),
     R(417, HTTP_EXPECT)},
    {"gzip", POST("Content-Encoding: gzip\r\nContent-Length: 1\r\n", "x"), R(415, HTTP_CONTENT)},
    {"identity twice", POST("Content-Encoding: identity\r\nContent-Encoding: identity\r\nContent-Length: 1\r\n", "x"),
     R(415, HTTP_CONTENT)},
    {"declared over the limit", CL("67108865"), R(413, LIMIT_BODY)},
    {"cut head", "GET / HTTP/1.1\r\nHost: a\r\n", R(400, CLIENT_GONE)},
    {"cut body", POST("Content-Length: 2\r\n", "x"), R(400, CLIENT_GONE)},
    {"cut chunk", CHUNKED("5\r\nhel"), R(400, CLIENT_GONE)},
    {"cut trailer", CHUNKED("0\r\n"), R(400, CLIENT_GONE)},
};

static void framing(void)
{
    for (size_t i = 0; i < sizeof framing_table / sizeof *framing_table; i++) {
        expect_refused(HTTP1_REQUEST, &framing_table[i]);
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
        {"escape in quotes", SIZE("5;a=\"\\\"\""), R(400, HTTP_CHUNK)},
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
#define U R(502, UPSTREAM_FRAMING)
    static const struct refused table[] = {
        {"0.9", "<html>", U},
        {"2.0", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", U},
        {"1.2", "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n", U},
        {"two digits", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", U},
        {"letter in the status", "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n", U},
        {"sign in the status", "HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n", U},
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
        {"100 on 1.0", "HTTP/1.0 100 Continue\r\n\r\n" REPLY("Content-Length: 0\r\n", ""), U},
        {"100 that closes", "HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n" REPLY("Content-Length: 0\r\n", ""), U},
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

const struct harness_test harness_tests[] = {
    {"request lines", request_lines},
    {"targets refused and normalised", targets},
    {"line ends and fields", lines_and_fields},
    {"hosts refused and accepted", hosts},
    {"framing", framing},
    {"chunks and trailers", chunks},
    {"replies", replies_refused},
    {NULL, NULL},
};
