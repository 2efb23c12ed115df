/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_policy.c: the rules of the HTTP/1 layer as rows: number, test, status, reason, example.
 *
 *  1 request line: METHOD SP target SP HTTP/1.0|1.1 CRLF; one empty line before it is tolerated
 *  2 every line ends in CRLF; no bare CR or LF, no NUL or control but tab in a value, no fold
 *  3 field name: a token, then the colon at once
 *  4 exactly one Host, valid, on 1.1 and on 1.0; an absolute-form target names the same one
 *  5 target in origin-form or absolute-form and in normal form
 *  6 at most one Content-Length: digits only, below 2^63; a second one is refused even when equal
 *  7 Transfer-Encoding at most once, exactly chunked, never on 1.0, never beside Content-Length
 *  8 chunk size of 1 to 16 hexadecimal digits, extension valid and short, CRLF exact before and after the data
 *  9 trailers are read under the field limits and dropped; those that mean something are refused
 * 10 limits: head, field, number of fields, target, body
 * 11 GET and HEAD have no body, POST has a length; methods that no route could serve
 * 12 no Upgrade, HTTP2-Settings, CONNECT, HTTP/2 preface
 * 13 Expect: only 100-continue
 * 14 no content coding; a message has exactly one Content-Type, of a SOAP kind
 * 15 pipelining: in order, one in flight (the parser stops behind each message)
 * 16 inbound copies of fields that the gateway adds are removed (http1_write.c)
 * 17 responses: rules 2, 3, 6 to 10 alike; no body where none may be, none until close, few 1xx, no 101
 * 18 what is written is rebuilt, hop-by-hop fields go (http1_write.c); Connection cannot name a field that must stay
 */
#include "gateway/http1_private.h"

#include <string.h>

const struct http1_field *http1_known_field(const struct http1 *p, enum http1_known known)
{
    return p->known_count[known] == 0 ? NULL : &p->field[p->known_first[known]];
}

bool http1_connection_has(const struct http1 *p, const char *token)
{
    for (size_t i = 0; p->known_count[HTTP1_F_CONNECTION] > 0 && i < p->n_field; i++) {
        const struct http1_field *f = &p->field[i];
        if (f->known == HTTP1_F_CONNECTION && http1_list_has(f->value, f->value_n, token, strlen(token))) {
            return true;
        }
    }
    return false;
}

static bool value_is(const struct http1_field *f, const char *text)
{
    size_t n = strlen(text);
    return f->value_n == n && strncasecmp(f->value, text, n) == 0;
}

/* Digits only, below 2^63. */
static bool digits(const char *s, size_t n, uint64_t *value)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned digit = (unsigned)(unsigned char)s[i] - '0';
        if (digit > 9 || v > ((uint64_t)INT64_MAX - digit) / 10) {
            return false;
        }
        v = v * 10 + digit;
    }
    *value = v;
    return n > 0;
}

bool http1_declared(const struct http1 *p, uint64_t *length)
{
    const struct http1_field *f = http1_known_field(p, HTTP1_F_CONTENT_LENGTH);
    *length = 0;
    return f != NULL && digits(f->value, f->value_n, length);
}

static bool method_is(const struct http1 *p, const char *method)
{
    return strcmp(p->scan.method, method) == 0;
}

static bool length_twice(const struct http1 *p)
{
    return p->known_count[HTTP1_F_CONTENT_LENGTH] > 1;
}

static bool length_value(const struct http1 *p)
{
    const struct http1_field *f = http1_known_field(p, HTTP1_F_CONTENT_LENGTH);
    uint64_t length;
    return f != NULL && !digits(f->value, f->value_n, &length);
}

static bool length_and_coding(const struct http1 *p)
{
    return p->known_count[HTTP1_F_CONTENT_LENGTH] > 0 && p->known_count[HTTP1_F_TRANSFER_ENCODING] > 0;
}

static bool coding_twice(const struct http1 *p)
{
    return p->known_count[HTTP1_F_TRANSFER_ENCODING] > 1;
}

static bool coding_1_0(const struct http1 *p)
{
    return p->known_count[HTTP1_F_TRANSFER_ENCODING] > 0 && p->scan.minor == 0;
}

static bool coding_value(const struct http1 *p)
{
    const struct http1_field *f = http1_known_field(p, HTTP1_F_TRANSFER_ENCODING);
    return f != NULL && !value_is(f, "chunked");
}

static bool host_one(const struct http1 *p)
{
    return p->known_count[HTTP1_F_HOST] != 1;
}

static bool host_valid(const struct http1 *p)
{
    const struct http1_field *f = http1_known_field(p, HTTP1_F_HOST);
    return !http1_host_valid(f->value, f->value_n);
}

static bool host_target(const struct http1 *p)
{
    const struct http1_field *f = http1_known_field(p, HTTP1_F_HOST);
    return p->target.authority != NULL &&
           (f->value_n != p->target.authority_n || strncasecmp(f->value, p->target.authority, f->value_n) != 0);
}

static bool upgrade(const struct http1 *p)
{
    return p->known_count[HTTP1_F_UPGRADE] > 0 || p->known_count[HTTP1_F_HTTP2_SETTINGS] > 0;
}

static bool connection_names(const struct http1 *p)
{
    for (size_t i = 0; p->known_count[HTTP1_F_CONNECTION] > 0 && i < p->n_field; i++) {
        const char *at = p->field[i].value;
        const char *end = at + p->field[i].value_n;
        const char *element;
        size_t n;
        while (p->field[i].known == HTTP1_F_CONNECTION && http1_list_next(&at, end, &element, &n)) {
            if ((http1_known_flags(http1_known(element, n)) & HTTP1_END_TO_END) != 0) {
                return true;
            }
        }
    }
    return false;
}

static bool body_on_get(const struct http1 *p)
{
    uint64_t length;
    return (method_is(p, "GET") || method_is(p, "HEAD")) &&
           ((http1_declared(p, &length) && length > 0) || p->known_count[HTTP1_F_TRANSFER_ENCODING] > 0);
}

static bool length_missing(const struct http1 *p)
{
    return method_is(p, "POST") && p->known_count[HTTP1_F_CONTENT_LENGTH] == 0 &&
           p->known_count[HTTP1_F_TRANSFER_ENCODING] == 0;
}

static bool expect(const struct http1 *p)
{
    const struct http1_field *f = http1_known_field(p, HTTP1_F_EXPECT);
    return f != NULL && (p->known_count[HTTP1_F_EXPECT] > 1 || !value_is(f, "100-continue"));
}

static bool content_coded(const struct http1 *p)
{
    const struct http1_field *f = http1_known_field(p, HTTP1_F_CONTENT_ENCODING);
    return f != NULL && (p->known_count[HTTP1_F_CONTENT_ENCODING] > 1 || !value_is(f, "identity"));
}

static bool content_type(const struct http1 *p)
{
    static const char *const kinds[] = {"text/xml", "application/soap+xml", "multipart/related"};
    const struct http1_field *f = http1_known_field(p, HTTP1_F_CONTENT_TYPE);
    if (p->known_count[HTTP1_F_CONTENT_TYPE] != 1) {
        return true;
    }
    size_t n = strcspn(f->value, "; \t");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strlen(kinds[i]) == n && strncasecmp(f->value, kinds[i], n) == 0) {
            return false;
        }
    }
    return true;
}

static bool switching(const struct http1 *p)
{
    return p->scan.status == 101;
}

/* 204 with "Content-Length: 0" is against RFC 9110 but common and without doubt; more is not. */
static bool bodiless(const struct http1 *p)
{
    uint64_t length;
    bool interim = p->scan.status < 200;
    return (interim || p->scan.status == 204) &&
           (p->known_count[HTTP1_F_TRANSFER_ENCODING] > 0 || (http1_declared(p, &length) && (interim || length > 0)));
}

static bool until_close(const struct http1 *p)
{
    return p->scan.status >= 200 && p->scan.status != 204 && p->scan.status != 304 && !p->head_request &&
           p->known_count[HTTP1_F_CONTENT_LENGTH] == 0 && p->known_count[HTTP1_F_TRANSFER_ENCODING] == 0;
}

/* Nothing could follow such a 1xx. */
static bool interim_last(const struct http1 *p)
{
    return p->scan.status < 200 && (p->scan.minor == 0 || http1_connection_has(p, "close"));
}

#define ON(kind) HTTP1_ON_##kind
#define RULE(id, number, on, status, reason, broken, text, example)                                                    \
    [HTTP1_R_##id] = {number, ON(on), status, WSSEC_##reason, broken, text, example}
#define GET(fields)         "GET / HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define POST(fields, body)  "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\n" fields "\r\n" body
#define CHUNKED(body)       POST("Transfer-Encoding: chunked\r\n", body)
#define REPLY(fields, body) "HTTP/1.1 200 OK\r\n" fields "\r\n" body
#define TEN                 "0123456789"
#define FORTY               TEN TEN TEN TEN
#define NINETY              FORTY FORTY TEN

const struct http1_rule http1_rule[HTTP1_R_COUNT] = {
    RULE(REQUEST_LINE, 1, REQUEST, 400, HTTP_REQUEST_LINE, NULL, "request line is not METHOD SP target SP HTTP/1.x",
         "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    RULE(STATUS_LINE, 17, RESPONSE, 502, UPSTREAM_FRAMING, NULL, "status line is not HTTP/1.x SP code SP text",
         "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
    RULE(PREFACE, 12, REQUEST, 400, HTTP_UPGRADE, NULL, "HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    RULE(CONNECT, 12, REQUEST, 400, HTTP_UPGRADE, NULL, "CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"),
    RULE(METHOD_UNKNOWN, 11, REQUEST, 405, HTTP_METHOD, NULL, "method that no route serves",
         "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"),
    RULE(LINE_END, 2, BOTH, 400, HTTP_LINE_END, NULL, "line does not end in CRLF", GET("X: 1\n")),
    RULE(FOLD, 2, BOTH, 400, HTTP_FOLD, NULL, "line begins with a blank", GET("X: 1\r\n 2\r\n")),
    RULE(FIELD_NAME, 3, BOTH, 400, HTTP_FIELD, NULL, "field name is not a token with a colon behind it",
         GET("X : 1\r\n")),
    RULE(FIELD_VALUE, 2, BOTH, 400, HTTP_FIELD, NULL, "control character in a field value", GET("X: \x01\r\n")),
    RULE(TARGET_SIZE, 10, REQUEST, 414, HTTP_TARGET_SIZE, NULL, "target over the limit",
         "GET /" NINETY " HTTP/1.1\r\nHost: a\r\n\r\n"),
    RULE(HEAD_SIZE, 10, BOTH, 431, HTTP_HEAD_SIZE, NULL, "head over the limit",
         GET("A: " NINETY "\r\nB: " NINETY "\r\nC: " NINETY "\r\nD: " NINETY "\r\n")),
    RULE(FIELD_SIZE, 10, BOTH, 431, HTTP_HEAD_SIZE, NULL, "field over the limit", GET("X: " NINETY TEN "\r\n")),
    RULE(FIELD_COUNT, 10, BOTH, 431, HTTP_HEAD_SIZE, NULL, "more fields than the limit",
         GET("A:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\nI:\r\n")),
    RULE(TARGET_FORM, 5, REQUEST, 400, HTTP_TARGET, NULL, "target is not in origin-form or absolute-form",
         "GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    RULE(TARGET_PATH, 5, REQUEST, 400, HTTP_TARGET, NULL, "empty segment or dot segment in the path",
         "GET /a/%2e%2E/b HTTP/1.1\r\nHost: a\r\n\r\n"),
    RULE(TARGET_ESCAPE, 5, REQUEST, 400, HTTP_TARGET, NULL, "escaped control character or slash in the target",
         "GET /a%00 HTTP/1.1\r\nHost: a\r\n\r\n"),
    RULE(CHUNK_SIZE, 8, BOTH, 400, HTTP_CHUNK, NULL, "chunk size is not 1 to 16 hexadecimal digits with CRLF behind",
         CHUNKED("0x5\r\nhello\r\n0\r\n\r\n")),
    RULE(CHUNK_EXTENSION, 8, BOTH, 400, HTTP_CHUNK, NULL, "chunk extension is malformed",
         CHUNKED("5; a\r\nhello\r\n0\r\n\r\n")),
    RULE(CHUNK_EXTENSION_SIZE, 8, BOTH, 400, HTTP_CHUNK, NULL, "chunk extension over the limit",
         CHUNKED("5;" FORTY "\r\nhello\r\n0\r\n\r\n")),
    RULE(CHUNK_END, 8, BOTH, 400, HTTP_CHUNK, NULL, "no CRLF behind the data of a chunk",
         CHUNKED("5\r\nhello!\r\n0\r\n\r\n")),
    RULE(TRAILER_FIELD, 9, BOTH, 400, HTTP_TRAILER, NULL, "trailer field is malformed", CHUNKED("0\r\nX : 1\r\n\r\n")),
    RULE(TRAILER_FORBIDDEN, 9, BOTH, 400, HTTP_TRAILER, NULL, "trailer field names framing, routing or content",
         CHUNKED("0\r\nHost: b\r\n\r\n")),
    RULE(BODY_SIZE, 10, BOTH, 413, LIMIT_BODY, NULL, "body over the limit",
         CHUNKED("28\r\n" FORTY "\r\n28\r\n" FORTY "\r\n0\r\n\r\n")),
    RULE(INTERIM_FLOOD, 17, RESPONSE, 502, UPSTREAM_FRAMING, NULL, "more than 8 interim responses",
#define INTERIM "HTTP/1.1 102 \r\n\r\n"
         INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM REPLY("Content-Length: 0\r\n", "")),
#undef INTERIM
    RULE(LENGTH_TWICE, 6, BOTH, 400, HTTP_LENGTH, length_twice, "second Content-Length",
         POST("Content-Length: 1\r\nContent-Length: 1\r\n", "x")),
    RULE(LENGTH_VALUE, 6, BOTH, 400, HTTP_LENGTH, length_value, "Content-Length is not a number below 2^63",
         POST("Content-Length: +1\r\n", "x")),
    RULE(LENGTH_AND_CODING, 7, BOTH, 400, HTTP_LENGTH, length_and_coding, "Content-Length beside Transfer-Encoding",
         POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
    RULE(CODING_TWICE, 7, BOTH, 400, HTTP_TRANSFER_ENCODING, coding_twice, "second Transfer-Encoding",
         POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
    RULE(CODING_1_0, 7, BOTH, 400, HTTP_TRANSFER_ENCODING, coding_1_0, "Transfer-Encoding in HTTP/1.0",
         "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    RULE(CODING_VALUE, 7, BOTH, 400, HTTP_TRANSFER_ENCODING, coding_value, "Transfer-Encoding is not exactly chunked",
         POST("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")),
    RULE(HOST_ONE, 4, REQUEST, 400, HTTP_HOST, host_one, "not exactly one Host", "GET / HTTP/1.0\r\n\r\n"),
    RULE(HOST_VALID, 4, REQUEST, 400, HTTP_HOST, host_valid, "Host is malformed",
         "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    RULE(HOST_TARGET, 4, REQUEST, 400, HTTP_HOST, host_target, "Host is not the one of the target",
         "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    RULE(UPGRADE, 12, REQUEST, 400, HTTP_UPGRADE, upgrade, "Upgrade",
         GET("Connection: Upgrade\r\nUpgrade: websocket\r\n")),
    RULE(CONNECTION_NAMES, 18, BOTH, 400, HTTP_FIELD, connection_names, "Connection names a field that must stay",
         GET("Connection: close, Content-Type\r\n")),
    RULE(BODY_ON_GET, 11, REQUEST, 405, HTTP_METHOD, body_on_get, "GET or HEAD with a body",
         GET("Content-Length: 1\r\n") "x"),
    RULE(LENGTH_MISSING, 11, REQUEST, 411, HTTP_LENGTH_MISSING, length_missing, "POST without a length", POST("", "")),
    RULE(EXPECT, 13, REQUEST, 417, HTTP_EXPECT, expect, "Expect is not 100-continue", GET("Expect: miracles\r\n")),
    RULE(CONTENT_CODED, 14, REQUEST, 415, HTTP_CONTENT, content_coded, "body is coded",
         POST("Content-Encoding: gzip\r\nContent-Length: 1\r\n", "x")),
    RULE(SWITCH, 17, RESPONSE, 502, UPSTREAM_FRAMING, switching, "101 to a request without Upgrade",
         "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    RULE(INTERIM_LAST, 17, RESPONSE, 502, UPSTREAM_FRAMING, interim_last, "1xx of HTTP/1.0 or with Connection: close",
         "HTTP/1.0 100 Continue\r\n\r\n"),
    RULE(BODILESS, 17, RESPONSE, 502, UPSTREAM_FRAMING, bodiless, "body on 1xx or 204",
         "HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\nx"),
    RULE(UNTIL_CLOSE, 17, RESPONSE, 502, UPSTREAM_FRAMING, until_close, "neither Content-Length nor chunked",
         REPLY("", "x")),
    RULE(CONTENT_TYPE, 14, REQUEST, 415, HTTP_CONTENT, content_type, "not exactly one Content-Type of a SOAP kind",
         "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/html\r\nContent-Length: 1\r\n\r\nx"),
    RULE(JUDGES_HEAD, 0, BOTH, 400, HTTP_FIELD, NULL, "llhttp reads the head differently", NULL),
    RULE(JUDGES_BODY, 0, BOTH, 400, HTTP_CHUNK, NULL, "llhttp reads the body differently", NULL),
};

enum http1_rule_id http1_policy(const struct http1 *p, enum http1_rule_id from, enum http1_rule_id to)
{
    unsigned kind = p->kind == HTTP1_REQUEST ? HTTP1_ON_REQUEST : HTTP1_ON_RESPONSE;
    for (unsigned i = from; i <= (unsigned)to; i++) {
        const struct http1_rule *r = &http1_rule[i];
        if (r->broken != NULL && (r->on & kind) != 0 && r->broken(p)) {
            return (enum http1_rule_id)i;
        }
    }
    return HTTP1_R_NONE;
}
