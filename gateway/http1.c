/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1.c: the parser of one connection: phases of a message, and llhttp as second judge behind the scanners. llhttp
 * never sees octets that a scanner has not passed, gets chunk lines without extensions and no trailers (both are
 * dropped anyway), and every span that it reports must be the one found before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/http1_private.h"

enum { MOST_INTERIM = 8 };

/* ---- second judge ---------------------------------------------------------------------------------------------- */

static int on_url(llhttp_t *parser, const char *at, size_t n)
{
    struct http1 *p = parser->data;
    p->judge_differs |= at != p->raw.data + p->scan.target || n != p->scan.target_n;
    return 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t n)
{
    struct http1 *p = parser->data;
    const struct http1_field *f = p->judge_field < p->n_field ? &p->field[p->judge_field] : NULL;
    p->judge_differs |= f == NULL || at != f->name || n != f->name_n;
    return 0;
}

/* Outer blanks of a value are kept or cut depending on the version. */
static int on_header_value(llhttp_t *parser, const char *at, size_t n)
{
    struct http1 *p = parser->data;
    const struct http1_field *f = p->judge_field < p->n_field ? &p->field[p->judge_field] : NULL;
    while (n > 0 && (at[0] == ' ' || at[0] == '\t')) {
        at++;
        n--;
    }
    while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t')) {
        n--;
    }
    p->judge_differs |= f == NULL || n != f->value_n || (n > 0 && at != f->value);
    return 0;
}

static int on_header_value_complete(llhttp_t *parser)
{
    struct http1 *p = parser->data;
    p->judge_field++;
    return 0;
}

static bool body_expected(const struct http1 *p)
{
    return p->kind == HTTP1_REQUEST ||
           !(p->head_request || p->scan.status < 200 || p->scan.status == 204 || p->scan.status == 304);
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http1 *p = parser->data;
    const char *method = p->kind == HTTP1_REQUEST ? llhttp_method_name((llhttp_method_t)llhttp_get_method(parser)) : "";
    p->judge_differs |= p->judge_field != p->n_field || strcmp(method, p->scan.method) != 0 ||
                        llhttp_get_http_major(parser) != 1 || llhttp_get_http_minor(parser) != p->scan.minor ||
                        (p->kind == HTTP1_RESPONSE && llhttp_get_status_code(parser) != p->scan.status) ||
                        (p->head.has_length && parser->content_length != p->head.length);
    return body_expected(p) ? 0 : 1;
}

static int on_body(llhttp_t *parser, const char *at, size_t n)
{
    struct http1 *p = parser->data;
    (void)at;
    p->judge_body += n;
    return 0;
}

static int on_chunk_header(llhttp_t *parser)
{
    struct http1 *p = parser->data;
    p->judge_chunk = parser->content_length;
    p->judge_chunk_seen = true;
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct http1 *p = parser->data;
    p->judge_done = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t judge_settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_header = on_chunk_header,
    .on_message_complete = on_message_complete,
};

/* Give llhttp what the scanners passed. @return false: it refuses, differs, or ends the message not where we do */
static bool judge(struct http1 *p, const char *data, size_t n, uint64_t body, bool done)
{
    p->judge_body = 0;
    llhttp_errno_t rc = llhttp_execute(&p->llhttp, data, n);
    if (rc != HPE_OK && !(rc == HPE_PAUSED && p->judge_done)) {
        return false;
    }
    return !p->judge_differs && p->judge_body == body && p->judge_done == done;
}

/* ---- failure ---------------------------------------------------------------------------------------------------- */

/* What is known of the start line, for the log and for a 405 with Allow. */
static void give_start_line(struct http1 *p)
{
    if (p->scan.lines > 0 && p->kind == HTTP1_REQUEST && p->raw.data != NULL) {
        p->raw.data[p->scan.target + p->scan.target_n] = '\0';
        p->head.target = p->raw.data + p->scan.target;
        memcpy(p->head.method, p->scan.method, sizeof p->head.method);
    }
}

static enum http1_event fail_with(struct http1 *p, enum wssec_reason reason, int status, const char *detail)
{
    if (p->phase == HTTP1_P_HEAD) {
        give_start_line(p);
    }
    p->phase = HTTP1_P_FAILED;
    p->failure.reason = reason;
    p->failure.status = status;
    snprintf(p->failure.detail, sizeof p->failure.detail, "%s", detail);
    return HTTP1_ERROR;
}

static enum http1_event fail(struct http1 *p, enum http1_rule_id id)
{
    const struct http1_rule *r = &http1_rule[id];
    char detail[sizeof p->failure.detail];
    if (p->phase == HTTP1_P_HEAD && p->n_field == 0) {
        snprintf(detail, sizeof detail, "rule %u: %s (line %zu of the head)", r->number, r->text, p->scan.lines + 1);
    } else {
        snprintf(detail, sizeof detail, "rule %u: %s", r->number, r->text);
    }
    if (p->kind == HTTP1_REQUEST) {
        return fail_with(p, r->reason, r->status, detail);
    }
    return fail_with(p, r->reason == WSSEC_LIMIT_BODY ? WSSEC_LIMIT_BODY : WSSEC_UPSTREAM_FRAMING, 502, detail);
}

static enum http1_event fail_memory(struct http1 *p)
{
    return fail_with(p, WSSEC_OUT_OF_MEMORY, 503, "no memory for the head");
}

/* ---- head ------------------------------------------------------------------------------------------------------- */

static bool method_known(const char *method)
{
    size_t n = strlen(method);
    for (const char *known = HTTP1_METHODS; *known != '\0'; known += strspn(known, "|")) {
        size_t length = strcspn(known, "|");
        if (length == n && memcmp(known, method, n) == 0) {
            return true;
        }
        known += length;
    }
    return false;
}

/* The request line is complete and in raw. */
static enum http1_rule_id request_line_judge(struct http1 *p, bool *no_memory)
{
    if (strcmp(p->scan.method, "CONNECT") == 0) {
        return HTTP1_R_CONNECT;
    }
    p->path = malloc(p->scan.target_n + 2);
    *no_memory = p->path == NULL;
    if (*no_memory) {
        return HTTP1_R_NONE;
    }
    enum http1_rule_id rule = http1_target_judge(p->raw.data + p->scan.target, p->scan.target_n, &p->target, p->path);
    if (rule == HTTP1_R_NONE) {
        p->head.path = p->path;
        rule = method_known(p->scan.method) ? HTTP1_R_NONE : HTTP1_R_METHOD_UNKNOWN;
    }
    return rule;
}

/* Outer blanks of a value become spaces: llhttp 8.1 refuses a tab behind the digits of Content-Length. */
static const char *blanks_cut(char *from, char *to, size_t *n)
{
    while (from < to && (*from == ' ' || *from == '\t')) {
        *from++ = ' ';
    }
    while (to > from && (to[-1] == ' ' || to[-1] == '\t')) {
        *--to = ' ';
    }
    *n = (size_t)(to - from);
    return from;
}

/* The head is complete: cut it into fields. The scanner has counted them and checked their form. */
static bool split(struct http1 *p)
{
    p->field = calloc(p->scan.fields + 1, sizeof *p->field);
    if (p->field == NULL) {
        return false;
    }
    char *end = p->raw.data + p->raw.len;
    char *start = p->raw.data + (p->kind == HTTP1_REQUEST ? p->scan.target : 0);
    char *line = memchr(start, '\n', (size_t)(end - start));
    for (line++; *line != '\r'; line++) {
        struct http1_field *f = &p->field[p->n_field];
        char *feed = memchr(line, '\n', (size_t)(end - line));
        char *colon = memchr(line, ':', (size_t)(feed - line));
        f->name = line;
        f->name_n = (size_t)(colon - line);
        f->value = blanks_cut(colon + 1, feed - 1, &f->value_n);
        f->known = http1_known(f->name, f->name_n);
        if (f->known < HTTP1_F_COUNT && p->known_count[f->known]++ == 0) {
            p->known_first[f->known] = (uint16_t)p->n_field;
        }
        p->n_field++;
        line = feed;
    }
    return true;
}

/* All rules hold: what the head means. */
static void understand(struct http1 *p)
{
    struct http1_head *h = &p->head;
    h->status = p->scan.status;
    h->minor = p->scan.minor;
    h->field = p->field;
    h->n_field = p->n_field;
    h->has_length = http1_declared(p, &h->length);
    h->chunked = p->known_count[HTTP1_F_TRANSFER_ENCODING] > 0;
    h->keep_alive = h->minor == 1 ? !http1_connection_has(p, "close")
                                  : http1_connection_has(p, "keep-alive") && !http1_connection_has(p, "close");
    h->expect_continue = h->minor == 1 && p->known_count[HTTP1_F_EXPECT] > 0;
}

/* llhttp is done with the head: values may now be terminated in place. The octet behind a value is a blank or CR. */
static void terminate(struct http1 *p)
{
    give_start_line(p);
    p->head.query = p->target.query;
    for (size_t i = 0; i < p->n_field; i++) {
        const struct http1_field *f = &p->field[i];
        p->raw.data[(size_t)(f->name - p->raw.data) + f->name_n] = '\0';
        p->raw.data[(size_t)(f->value - p->raw.data) + f->value_n] = '\0';
    }
    const struct http1_field *host = http1_known_field(p, HTTP1_F_HOST);
    p->head.host = host != NULL ? host->value : NULL;
}

static enum http1_event head_complete(struct http1 *p)
{
    if (!split(p)) {
        return fail_memory(p);
    }
    if (p->kind == HTTP1_REQUEST) {
        /* raw may have moved since the request line */
        http1_target_judge(p->raw.data + p->scan.target, p->scan.target_n, &p->target, p->path);
    }
    enum http1_rule_id rule = http1_policy(p, HTTP1_R_LENGTH_TWICE, HTTP1_R_UNTIL_CLOSE);
    if (rule == HTTP1_R_NONE && p->scan.status >= 100 && p->scan.status < 200 && ++p->interim > MOST_INTERIM) {
        rule = HTTP1_R_INTERIM_FLOOD;
    }
    if (rule != HTTP1_R_NONE) {
        return fail(p, rule);
    }
    understand(p);
    size_t blank = p->raw.data[0] == '\r' ? 2 : 0;
    bool no_body = !body_expected(p) || (!p->head.chunked && p->head.length == 0);
    if (!judge(p, p->raw.data + blank, p->raw.len - blank, 0, no_body)) {
        return fail(p, HTTP1_R_JUDGES_HEAD);
    }
    terminate(p);
    if (p->kind == HTTP1_RESPONSE && p->scan.status < 200) {
        p->phase = HTTP1_P_INTERIM;
        return HTTP1_INTERIM;
    }
    p->phase = HTTP1_P_GIVEN;
    return HTTP1_HEAD;
}

static enum http1_event feed_head(struct http1 *p, const char *data, size_t n, size_t *used)
{
    enum http1_scan_result r = HTTP1_SCAN_LINE;
    while (r == HTTP1_SCAN_LINE) {
        size_t taken = 0;
        r = http1_scan(&p->scan, &p->limits, data + *used, n - *used, &taken);
        if (cs_buf_add(&p->raw, data + *used, taken) != 0) {
            return fail_memory(p);
        }
        *used += taken;
        if (r == HTTP1_SCAN_LINE && p->kind == HTTP1_REQUEST) {
            bool no_memory = false;
            enum http1_rule_id rule = request_line_judge(p, &no_memory);
            if (no_memory) {
                return fail_memory(p);
            }
            if (rule != HTTP1_R_NONE) {
                return fail(p, rule);
            }
        }
    }
    if (r == HTTP1_SCAN_BROKEN) {
        return fail(p, p->scan.rule);
    }
    return r == HTTP1_SCAN_END ? head_complete(p) : HTTP1_MORE;
}

/* ---- body ------------------------------------------------------------------------------------------------------- */

static bool over_limit(const struct http1 *p, uint64_t more)
{
    return p->body_seen > p->body_limit || more > p->body_limit - p->body_seen;
}

/* The head was handed out: how does it go on? */
static enum http1_event feed_given(struct http1 *p)
{
    bool body = body_expected(p);
    if (body && p->head.chunked) {
        http1_chunk_start(&p->chunk);
        p->phase = HTTP1_P_CHUNK_LINE;
        return HTTP1_MORE;
    }
    if (body && over_limit(p, p->head.length)) {
        return fail(p, HTTP1_R_BODY_SIZE);
    }
    p->left = body ? p->head.length : 0;
    p->phase = p->left > 0 ? HTTP1_P_LENGTH : HTTP1_P_DONE;
    return p->left > 0 ? HTTP1_MORE : HTTP1_DONE;
}

/* Content, of the message or of a chunk. */
static enum http1_event feed_content(struct http1 *p, const char *data, size_t n, size_t *used, const char **body,
                                     size_t *body_n)
{
    size_t take = n < p->left ? n : (size_t)p->left;
    bool last = p->phase == HTTP1_P_LENGTH && take == p->left;
    if (!judge(p, data, take, take, last)) {
        return fail(p, HTTP1_R_JUDGES_BODY);
    }
    *used += take;
    *body = data;
    *body_n = take;
    p->left -= take;
    p->body_seen += take;
    if (p->left == 0) {
        p->phase = p->phase == HTTP1_P_LENGTH ? HTTP1_P_DONE : HTTP1_P_CHUNK_END;
        p->end_cr = false;
    }
    return HTTP1_BODY;
}

static enum http1_event feed_chunk_line(struct http1 *p, const char *data, size_t n, size_t *used)
{
    size_t taken = 0;
    enum http1_scan_result r = http1_chunk_scan(&p->chunk, &p->limits, data, n, &taken);
    *used += taken;
    if (r == HTTP1_SCAN_BROKEN) {
        return fail(p, p->chunk.rule);
    }
    if (r != HTTP1_SCAN_END) {
        return HTTP1_MORE;
    }
    if (over_limit(p, p->chunk.size)) {
        return fail(p, HTTP1_R_BODY_SIZE);
    }
    char line[24];
    int line_n = snprintf(line, sizeof line, "%llx\r\n", (unsigned long long)p->chunk.size);
    p->judge_chunk_seen = false;
    if (!judge(p, line, (size_t)line_n, 0, false) || !p->judge_chunk_seen || p->judge_chunk != p->chunk.size) {
        return fail(p, HTTP1_R_JUDGES_BODY);
    }
    p->left = p->chunk.size;
    p->phase = p->left > 0 ? HTTP1_P_CHUNK_DATA : HTTP1_P_TRAILER;
    if (p->phase == HTTP1_P_TRAILER) {
        http1_scan_trailer(&p->scan);
    }
    return HTTP1_MORE;
}

static enum http1_event feed_chunk_end(struct http1 *p, const char *data, size_t *used)
{
    if (data[0] != (p->end_cr ? '\n' : '\r')) {
        return fail(p, HTTP1_R_CHUNK_END);
    }
    *used += 1;
    if (!p->end_cr) {
        p->end_cr = true;
        return HTTP1_MORE;
    }
    if (!judge(p, "\r\n", 2, 0, false)) {
        return fail(p, HTTP1_R_JUDGES_BODY);
    }
    http1_chunk_start(&p->chunk);
    p->phase = HTTP1_P_CHUNK_LINE;
    return HTTP1_MORE;
}

static enum http1_event feed_trailer(struct http1 *p, const char *data, size_t n, size_t *used)
{
    size_t taken = 0;
    enum http1_scan_result r = http1_scan(&p->scan, &p->limits, data, n, &taken);
    *used += taken;
    if (r == HTTP1_SCAN_BROKEN) {
        return fail(p, p->scan.rule);
    }
    if (r != HTTP1_SCAN_END) {
        return HTTP1_MORE;
    }
    if (!judge(p, "\r\n", 2, 0, true)) {
        return fail(p, HTTP1_R_JUDGES_BODY);
    }
    p->phase = HTTP1_P_DONE;
    return HTTP1_DONE;
}

/* ---- the public functions --------------------------------------------------------------------------------------- */

/* Forget the message, keep the connection's settings. Memory is given back: an idle connection holds none. */
static void restart(struct http1 *p)
{
    cs_buf_free(&p->raw);
    free(p->path);
    free(p->field);
    p->path = NULL;
    p->field = NULL;
    p->n_field = 0;
    memset(p->known_count, 0, sizeof p->known_count);
    memset(&p->target, 0, sizeof p->target);
    memset(&p->head, 0, sizeof p->head);
    p->body_limit = p->limits.body;
    p->body_seen = 0;
    p->left = 0;
    p->judge_field = 0;
    p->judge_done = false;
    p->judge_differs = false;
    p->phase = HTTP1_P_HEAD;
    http1_scan_start(&p->scan, p->kind);
    llhttp_init(&p->llhttp, p->kind == HTTP1_REQUEST ? HTTP_REQUEST : HTTP_RESPONSE, &judge_settings);
    p->llhttp.data = p;
}

struct http1 *http1_new(enum http1_kind kind, const struct http1_limits *limits)
{
    struct http1 *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    p->kind = kind;
    p->limits = *limits;
    restart(p);
    return p;
}

void http1_free(struct http1 *p)
{
    if (p != NULL) {
        cs_buf_free(&p->raw);
        free(p->path);
        free(p->field);
        free(p);
    }
}

void http1_next(struct http1 *p)
{
    restart(p);
    p->interim = 0;
    p->head_request = false;
    memset(&p->failure, 0, sizeof p->failure);
}

enum http1_event http1_feed(struct http1 *p, const char *data, size_t n, size_t *used, const char **body,
                            size_t *body_n)
{
    enum http1_event event = HTTP1_MORE;
    *used = 0;
    *body = NULL;
    *body_n = 0;
    if (p->phase == HTTP1_P_INTERIM) {
        restart(p);
    }
    if (p->phase == HTTP1_P_GIVEN) {
        event = feed_given(p);
    }
    while (event == HTTP1_MORE && p->phase != HTTP1_P_DONE && *used < n) {
        const char *at = data + *used;
        switch (p->phase) {
        case HTTP1_P_HEAD: event = feed_head(p, data, n, used); break;
        case HTTP1_P_LENGTH:
        case HTTP1_P_CHUNK_DATA: event = feed_content(p, at, n - *used, used, body, body_n); break;
        case HTTP1_P_CHUNK_LINE: event = feed_chunk_line(p, at, n - *used, used); break;
        case HTTP1_P_CHUNK_END: event = feed_chunk_end(p, at, used); break;
        case HTTP1_P_TRAILER: event = feed_trailer(p, at, n - *used, used); break;
        default: return HTTP1_ERROR;
        }
    }
    if (event == HTTP1_MORE && (p->phase == HTTP1_P_DONE || p->phase == HTTP1_P_FAILED)) {
        return p->phase == HTTP1_P_DONE ? HTTP1_DONE : HTTP1_ERROR;
    }
    return event;
}

enum http1_event http1_eof(struct http1 *p)
{
    if (p->phase == HTTP1_P_DONE) {
        return HTTP1_DONE;
    }
    if (p->phase == HTTP1_P_FAILED) {
        return HTTP1_ERROR;
    }
    if (p->phase == HTTP1_P_GIVEN && feed_given(p) == HTTP1_DONE) {
        return HTTP1_DONE;
    }
    if (!http1_begun(p)) {
        return HTTP1_MORE;
    }
    bool request = p->kind == HTTP1_REQUEST;
    return p->phase == HTTP1_P_FAILED ? HTTP1_ERROR
                                      : fail_with(p, request ? WSSEC_CLIENT_GONE : WSSEC_UPSTREAM_CLOSED,
                                                  request ? 400 : 502, "closed inside a message");
}

const struct http1_head *http1_head(const struct http1 *p)
{
    return &p->head;
}

const struct http1_failure *http1_failure(const struct http1 *p)
{
    return &p->failure;
}

bool http1_set_body_limit(struct http1 *p, uint64_t octets)
{
    p->body_limit = octets;
    return !body_expected(p) || p->head.length <= octets;
}

const struct http1_failure *http1_check_content(struct http1 *p)
{
    enum http1_rule_id rule = http1_policy(p, HTTP1_R_CONTENT_TYPE, HTTP1_R_CONTENT_TYPE);
    if (rule == HTTP1_R_NONE) {
        return NULL;
    }
    fail(p, rule);
    return &p->failure;
}

void http1_set_request_method(struct http1 *p, const char *method)
{
    p->head_request = strcmp(method, "HEAD") == 0;
}

uint64_t http1_body_seen(const struct http1 *p)
{
    return p->body_seen;
}

bool http1_begun(const struct http1 *p)
{
    return p->phase != HTTP1_P_HEAD || p->interim > 0 ||
           p->scan.octets > (p->kind == HTTP1_REQUEST && p->raw.len > 0 && p->raw.data[0] == '\r' ? 2u : 0u);
}

const char *http1_field_value(const struct http1_head *h, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < h->n_field; i++) {
        if (h->field[i].name_n == n && strncasecmp(h->field[i].name, name, n) == 0) {
            return h->field[i].value;
        }
    }
    return NULL;
}

size_t http1_field_count(const struct http1_head *h, const char *name)
{
    size_t n = strlen(name);
    size_t count = 0;
    for (size_t i = 0; i < h->n_field; i++) {
        count += h->field[i].name_n == n && strncasecmp(h->field[i].name, name, n) == 0;
    }
    return count;
}
