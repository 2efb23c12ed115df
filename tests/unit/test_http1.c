/* SPDX-License-Identifier: Apache-2.0 */
/* test_http1.c: what the HTTP/1 parser accepts, its rules, limits and states, however the octets are cut. */
#include "tests/unit/http1_feeder.h"

const char *const harness_suite = "http1";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

struct accepted {
    enum http1_kind kind;
    const char *method; /* responses: of the request */
    const char *data;
    const char *trace;
};

static const struct accepted accepted_table[] = {
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
    {HTTP1_REQUEST, "", "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
     "[GET / /?- h=a 0 1.0 len=0/0 chunked=0 keep=0 expect=0|Host=a].$"},
    {HTTP1_REQUEST, "", "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n",
     "[GET / /?- h=a 0 1.0 len=0/0 chunked=0 keep=1 expect=0|Host=a|Connection=keep-alive|Expect=100-continue].$"},
    {HTTP1_REQUEST, "", "POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\nhello",
     "[POST /a?b /a?b h=a 0 1.1 len=1/5 chunked=0 keep=1 "
     "expect=1|Host=a|Content-Length=5|Expect=100-Continue](hello).$"},
    {HTTP1_REQUEST, "", "POST / HTTP/1.1\r\nHost:\ta\t\r\nContent-Length: \t0\t \t\r\n\r\n",
     "[POST / /?- h=a 0 1.1 len=1/0 chunked=0 keep=1 expect=0|Host=a|Content-Length=0].$"},
    {HTTP1_REQUEST, "", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0000000000000000000000000000005\r\n\r\nhello",
     "[POST / /?- h=a 0 1.1 len=1/5 chunked=0 keep=1 "
     "expect=0|Host=a|Content-Length=0000000000000000000000000000005](hello).$"},
    {HTTP1_REQUEST, "",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \tChunked "
     "\r\n\r\n5\r\nhello\r\n0000000000000006;a;b=c;d=\"e , ;\"\r\n world\r\n0;x\r\nA: "
     "1\r\nB:\r\nX23456789012345678901234567890123: 1\r\nX2345678901234567890123456789012: 1\r\n\r\n",
     "[POST / /?- h=a 0 1.1 len=0/0 chunked=1 keep=1 expect=0|Host=a|Transfer-Encoding=Chunked](hello world).$"},
    {HTTP1_REQUEST, "", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "[POST / /?- h=a 0 1.1 len=0/0 chunked=1 keep=1 expect=0|Host=a|Transfer-Encoding=chunked].$"},
    {HTTP1_REQUEST, "", "DELETE /x HTTP/1.1\r\nHost: a\r\nContent-Encoding: Identity\r\n\r\n",
     "[DELETE /x /x?- h=a 0 1.1 len=0/0 chunked=0 keep=1 expect=0|Host=a|Content-Encoding=Identity].$"},
    {HTTP1_REQUEST, "", "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx" GET(""),
     "[POST /1 /1?- h=a 0 1.1 len=1/1 chunked=0 keep=1 expect=0|Host=a|Content-Length=1](x)."
     "[GET / /?- h=a 0 1.1 len=0/0 chunked=0 keep=1 expect=0|Host=a].$"},
    {HTTP1_REQUEST, "",
     "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: "
     "close\r\n\r\n1\r\nx\r\n0\r\n\r\n\r\n" GET(""),
     "[POST /1 /1?- h=a 0 1.1 len=0/0 chunked=1 keep=0 "
     "expect=0|Host=a|Transfer-Encoding=chunked|Connection=close](x)."
     "[GET / /?- h=a 0 1.1 len=0/0 chunked=0 keep=1 expect=0|Host=a].$"},
    {HTTP1_RESPONSE, "POST", REPLY("Content-Length: 5\r\n", "hello"),
     "[ - -?- h=- 200 1.1 len=1/5 chunked=0 keep=1 expect=0|Content-Length=5](hello).$"},
    {HTTP1_RESPONSE, "POST", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
     "[ - -?- h=- 200 1.0 len=1/5 chunked=0 keep=0 expect=0|Content-Length=5](hello).$"},
    {HTTP1_RESPONSE, "POST",
     "HTTP/1.1 599\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello wor\r\n2\r\nld\r\n0\r\nX: 1\r\n\r\n",
     "[ - -?- h=- 599 1.1 len=0/0 chunked=1 keep=1 expect=0|Transfer-Encoding=chunked](hello world).$"},
    {HTTP1_RESPONSE, "POST", "HTTP/1.1 202 \r\nContent-Length: 0\r\n\r\n",
     "[ - -?- h=- 202 1.1 len=1/0 chunked=0 keep=1 expect=0|Content-Length=0].$"},
    {HTTP1_RESPONSE, "POST", "HTTP/1.1 204 No Content\r\n\r\n",
     "[ - -?- h=- 204 1.1 len=0/0 chunked=0 keep=1 expect=0].$"},
    {HTTP1_RESPONSE, "POST", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
     "[ - -?- h=- 204 1.1 len=1/0 chunked=0 keep=1 expect=0|Content-Length=0].$"},
    {HTTP1_RESPONSE, "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
     "[ - -?- h=- 304 1.1 len=1/5 chunked=0 keep=1 expect=0|Content-Length=5].$"},
    {HTTP1_RESPONSE, "HEAD", REPLY("Content-Length: 99999999999\r\n", ""),
     "[ - -?- h=- 200 1.1 len=1/99999999999 chunked=0 keep=1 expect=0|Content-Length=99999999999].$"},
    {HTTP1_RESPONSE, "HEAD", REPLY("", ""), "[ - -?- h=- 200 1.1 len=0/0 chunked=0 keep=1 expect=0].$"},
    {HTTP1_RESPONSE, "HEAD", REPLY("Transfer-Encoding: chunked\r\n", ""),
     "[ - -?- h=- 200 1.1 len=0/0 chunked=1 keep=1 expect=0|Transfer-Encoding=chunked].$"},
    {HTTP1_RESPONSE, "POST",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" REPLY("Content-Length: 1\r\n", "x"),
     "interiminterim[ - -?- h=- 200 1.1 len=1/1 chunked=0 keep=1 expect=0|Content-Length=1](x).$"},
    {HTTP1_RESPONSE, "POST", REPLY("Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 1\r\n", "x"),
     "[ - -?- h=- 200 1.1 len=1/1 chunked=0 keep=1 expect=0|Upgrade=h2c|Connection=Upgrade|Content-Length=1](x).$"},
    {HTTP1_RESPONSE, "POST", "", "$"},
};

static void accepted_messages(void)
{
    for (size_t i = 0; i < sizeof accepted_table / sizeof *accepted_table; i++) {
        struct feeder f = {accepted_table[i].kind, HTTP1_LIMITS_DEFAULT, accepted_table[i].method,
                           accepted_table[i].data, strlen(accepted_table[i].data)};
        struct http1_failure failure;
        char *trace = run_all(&f, &failure);
        if (strcmp(trace, accepted_table[i].trace) != 0) {
            printf("  # got    %s\n  # wanted %s\n", trace, accepted_table[i].trace);
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
        struct feeder f = {request ? HTTP1_REQUEST : HTTP1_RESPONSE, HTTP1_LIMITS_EXAMPLE, "POST", r->example,
                           strlen(r->example)};
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
        int n =
            snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n%s\r\n", table[i].fields);
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
    } else if (strcmp(what, "name") == 0) {
        for (size_t i = 1; i < n; i++) {
            cs_buf_addc(b, 'a');
        }
        cs_buf_adds(b, ":\r\n\r\n");
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
        {"name", small.field, 431, WSSEC_HTTP_HEAD_SIZE},
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

static void answers_to_head_are_told_each_time(void)
{
    struct http1_limits normal = HTTP1_LIMITS_DEFAULT;
    struct http1 *p = http1_new(HTTP1_RESPONSE, &normal);
    static const char reply[] = REPLY("Content-Length: 2\r\n", "");
    size_t used;
    size_t body_n;
    const char *body;
    http1_set_request_method(p, "HEAD");
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(http1_feed(p, reply, sizeof reply - 1, &used, &body, &body_n), HTTP1_HEAD);
        CU_ASSERT_EQUAL(http1_feed(p, NULL, 0, &used, &body, &body_n), i == 0 ? HTTP1_DONE : HTTP1_MORE);
        http1_next(p);
    }
    http1_free(p);
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
    CU_ASSERT_STRING_EQUAL(http1_field_value(http1_head(p), "content-LENGTH"), "2");
    CU_ASSERT_PTR_NULL(http1_field_value(http1_head(p), "Hos"));
    CU_ASSERT_PTR_NULL(http1_field_value(http1_head(p), "Nost"));
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
    CU_ASSERT_STRING_EQUAL(http1_failure(p)->detail,
                           "rule 3: field name is not a token with a colon behind it (line 3 of the head)");
    CU_ASSERT_EQUAL(http1_feed(p, GET(""), sizeof GET("") - 1, &used, &body, &body_n), HTTP1_ERROR);
    CU_ASSERT_EQUAL(used, 0);
    CU_ASSERT_EQUAL(http1_eof(p), HTTP1_ERROR);
    http1_free(p);
}

const struct harness_test harness_tests[] = {
    {"messages that are accepted", accepted_messages},
    {"every rule has an example that breaks it alone", every_rule_has_an_example},
    {"content types", content_types},
    {"limits: one below, at, one above", limits},
    {"answers to HEAD are told each time", answers_to_head_are_told_each_time},
    {"interim flood", interim_flood},
    {"the body limit of the route counts", body_limit_of_the_route},
    {"state between messages", state_between_messages},
    {"an error stays and names the request", error_stays_and_names_the_request},
    {NULL, NULL},
};
