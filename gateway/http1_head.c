/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_head.c: reads a raw head (or trailer section) octet by octet for what no parser callback shows: line ends,
 * folds, control characters, the exact form of the start line, and sizes. It keeps counts and offsets only, so the
 * outcome depends on positions in the stream, never on how the stream is cut into reads.
 */
#include "gateway/http1_private.h"

#include <string.h>

#define ALPHA(c) (((c) >= 'A' && (c) <= 'Z') || ((c) >= 'a' && (c) <= 'z'))
#define DIGIT(c) ((c) >= '0' && (c) <= '9')
#define HEX(c)   (DIGIT(c) || ((c) >= 'A' && (c) <= 'F') || ((c) >= 'a' && (c) <= 'f'))
#define PLAIN(c) (ALPHA(c) || DIGIT(c) || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~')
#define MARK(c)  ((c) == '!' || (c) == '$' || (c) == '&' || (c) == '\'' || (c) == '*' || (c) == '+')
#define PCHAR(c)                                                                                                       \
    (PLAIN(c) || MARK(c) || (c) == '(' || (c) == ')' || (c) == ',' || (c) == ';' || (c) == '=' || (c) == ':' ||        \
     (c) == '@')
#define TOKEN(c) (PLAIN(c) || MARK(c) || (c) == '#' || (c) == '%' || (c) == '^' || (c) == '`' || (c) == '|')
#define CLASS(c)                                                                                                       \
    ((TOKEN(c) ? HTTP1_TOKEN : 0) | ((c) == '\t' || ((c) >= ' ' && (c) != 0x7f) ? HTTP1_VALUE : 0) |                   \
     ((c) > ' ' && (c) < 0x7f ? HTTP1_TARGET : 0) | (HEX(c) ? HTTP1_HEX : 0) | (PCHAR(c) ? HTTP1_PCHAR : 0) |          \
     (PLAIN(c) ? HTTP1_PLAIN : 0))
#define CLASS4(c)  CLASS(c), CLASS((c) + 1), CLASS((c) + 2), CLASS((c) + 3)
#define CLASS16(c) CLASS4(c), CLASS4((c) + 4), CLASS4((c) + 8), CLASS4((c) + 12)
#define CLASS64(c) CLASS16(c), CLASS16((c) + 16), CLASS16((c) + 32), CLASS16((c) + 48)

const uint8_t http1_octet[256] = {CLASS64(0), CLASS64(64), CLASS64(128), CLASS64(192)};

enum state {
    BEFORE, /* requests: one empty line may stand before the request line */
    BEFORE_LF,
    METHOD,
    TARGET,
    VERSION,
    VERSION_CR, /* eight octets of a request's version are there */
    LINE_LF,
    STATUS_VERSION,
    STATUS_SPACE,
    STATUS_CODE,
    STATUS_BEHIND,
    STATUS_TEXT,
    FIELD, /* first octet of a line behind the start line */
    NAME,
    VALUE,
    VALUE_LF,
    END_LF
};

void http1_scan_start(struct http1_scan *s, enum http1_kind kind)
{
    memset(s, 0, sizeof *s);
    s->state = kind == HTTP1_REQUEST ? BEFORE : STATUS_VERSION;
}

void http1_scan_trailer(struct http1_scan *s)
{
    memset(s, 0, sizeof *s);
    s->state = FIELD;
    s->trailer = true;
}

static enum http1_scan_result broken(struct http1_scan *s, enum http1_rule_id rule)
{
    s->rule = rule;
    return HTTP1_SCAN_BROKEN;
}

/* A line must not end here: the reason for c, which is not allowed at this place. */
static enum http1_scan_result unwanted(struct http1_scan *s, char c, enum http1_rule_id rule)
{
    return broken(s, c == '\n' ? HTTP1_R_LINE_END : rule);
}

/* The version of a request is complete: rule 1, and rule 12 for the HTTP/2 preface. */
static enum http1_scan_result version_judge(struct http1_scan *s)
{
    if (memcmp(s->version, "HTTP/2.0", 8) == 0 && strcmp(s->method, "PRI") == 0) {
        return broken(s, HTTP1_R_PREFACE);
    }
    if (memcmp(s->version, "HTTP/1.", 7) != 0 || (s->version[7] != '0' && s->version[7] != '1')) {
        return broken(s, HTTP1_R_REQUEST_LINE);
    }
    s->minor = s->version[7] - '0';
    return HTTP1_SCAN_MORE;
}

static enum http1_scan_result step_request_line(struct http1_scan *s, const struct http1_limits *limits, char c)
{
    switch (s->state) {
    case BEFORE:
        if (c == '\r') {
            s->state = BEFORE_LF;
            return HTTP1_SCAN_MORE;
        }
        s->state = METHOD;
        s->line_octets = 0;
        /* fall through */
    case METHOD:
        if (c == ' ' && s->line_octets > 0) {
            s->method[s->line_octets] = '\0';
            s->line_octets = 0;
            s->target = s->octets + 1;
            s->state = TARGET;
            return HTTP1_SCAN_MORE;
        }
        if (!http1_is(c, HTTP1_TOKEN) || s->line_octets + 1 >= sizeof s->method) {
            return unwanted(s, c, HTTP1_R_REQUEST_LINE);
        }
        s->method[s->line_octets++] = c;
        return HTTP1_SCAN_MORE;
    case BEFORE_LF:
        s->state = METHOD;
        s->line_octets = 0;
        return c == '\n' ? HTTP1_SCAN_MORE : broken(s, HTTP1_R_LINE_END);
    case TARGET:
        if (c == ' ' && s->target_n > 0) {
            s->line_octets = 0;
            s->state = VERSION;
            return HTTP1_SCAN_MORE;
        }
        if (!http1_is(c, HTTP1_TARGET)) {
            return unwanted(s, c, HTTP1_R_REQUEST_LINE);
        }
        return ++s->target_n > limits->target ? broken(s, HTTP1_R_TARGET_SIZE) : HTTP1_SCAN_MORE;
    case VERSION:
        if (!http1_is(c, HTTP1_TARGET)) {
            return unwanted(s, c, HTTP1_R_REQUEST_LINE);
        }
        s->version[s->line_octets++] = c;
        if (s->line_octets < sizeof s->version) {
            return HTTP1_SCAN_MORE;
        }
        s->state = VERSION_CR;
        return version_judge(s);
    default: /* VERSION_CR */
        s->state = LINE_LF;
        return c == '\r' ? HTTP1_SCAN_MORE : unwanted(s, c, HTTP1_R_REQUEST_LINE);
    }
}

static enum http1_scan_result step_status_line(struct http1_scan *s, char c)
{
    static const char version[] = "HTTP/1.";
    switch (s->state) {
    case STATUS_VERSION:
        if (s->line_octets < sizeof version - 1) {
            return c == version[s->line_octets++] ? HTTP1_SCAN_MORE : broken(s, HTTP1_R_STATUS_LINE);
        }
        if (c != '0' && c != '1') {
            return broken(s, HTTP1_R_STATUS_LINE);
        }
        s->minor = c - '0';
        s->state = STATUS_SPACE;
        return HTTP1_SCAN_MORE;
    case STATUS_SPACE:
        s->line_octets = 0;
        s->state = STATUS_CODE;
        return c == ' ' ? HTTP1_SCAN_MORE : unwanted(s, c, HTTP1_R_STATUS_LINE);
    case STATUS_CODE:
        if (c < '0' || c > '9') {
            return unwanted(s, c, HTTP1_R_STATUS_LINE);
        }
        s->status = s->status * 10 + (c - '0');
        if (++s->line_octets < 3) {
            return HTTP1_SCAN_MORE;
        }
        s->state = STATUS_BEHIND;
        return s->status >= 100 && s->status <= 599 ? HTTP1_SCAN_MORE : broken(s, HTTP1_R_STATUS_LINE);
    case STATUS_BEHIND:
        if (c == ' ') {
            s->state = STATUS_TEXT;
            return HTTP1_SCAN_MORE;
        }
        /* fall through */
    default: /* STATUS_TEXT; the blank before an empty text is often missing */
        if (c == '\r') {
            s->state = LINE_LF;
            return HTTP1_SCAN_MORE;
        }
        return s->state == STATUS_TEXT && http1_is(c, HTTP1_VALUE) ? HTTP1_SCAN_MORE
                                                                   : unwanted(s, c, HTTP1_R_STATUS_LINE);
    }
}

/* A name is complete. Trailers that could change what was judged already are refused, all others are dropped. */
static enum http1_scan_result name_end(struct http1_scan *s)
{
    static const char ours[] = "x-countersign-";
    s->state = VALUE;
    if (!s->trailer) {
        return HTTP1_SCAN_MORE;
    }
    size_t kept = s->name_n < sizeof s->name ? s->name_n : sizeof s->name - 1;
    s->name[kept] = '\0';
    bool whole = kept == s->name_n;
    if ((whole && http1_known(s->name, kept) != HTTP1_F_OTHER) || strncasecmp(s->name, ours, sizeof ours - 1) == 0) {
        return broken(s, HTTP1_R_TRAILER_FORBIDDEN);
    }
    return HTTP1_SCAN_MORE;
}

static enum http1_scan_result step_field(struct http1_scan *s, const struct http1_limits *limits, char c)
{
    enum http1_rule_id bad_name = s->trailer ? HTTP1_R_TRAILER_FIELD : HTTP1_R_FIELD_NAME;
    enum http1_rule_id bad_value = s->trailer ? HTTP1_R_TRAILER_FIELD : HTTP1_R_FIELD_VALUE;
    switch (s->state) {
    case FIELD:
        if (c == '\r') {
            s->state = END_LF;
            return HTTP1_SCAN_MORE;
        }
        if (c == ' ' || c == '\t') {
            return broken(s, HTTP1_R_FOLD);
        }
        if (++s->fields > limits->fields) {
            return broken(s, HTTP1_R_FIELD_COUNT);
        }
        s->state = NAME;
        s->name_n = 0;
        s->line_octets = 0;
        /* fall through */
    case NAME:
        if (c == ':' && s->name_n > 0) {
            return ++s->line_octets > limits->field ? broken(s, HTTP1_R_FIELD_SIZE) : name_end(s);
        }
        if (!http1_is(c, HTTP1_TOKEN)) {
            return unwanted(s, c, bad_name);
        }
        if (s->trailer && s->name_n < sizeof s->name) {
            s->name[s->name_n] = c;
        }
        s->name_n++;
        break;
    case VALUE:
        if (c == '\r') {
            s->state = VALUE_LF;
            return HTTP1_SCAN_MORE;
        }
        if (!http1_is(c, HTTP1_VALUE)) {
            return unwanted(s, c, bad_value);
        }
        break;
    case VALUE_LF:
        s->state = FIELD;
        s->lines++;
        return c == '\n' ? HTTP1_SCAN_MORE : broken(s, HTTP1_R_LINE_END);
    default: return c == '\n' ? HTTP1_SCAN_END : broken(s, HTTP1_R_LINE_END);
    }
    return ++s->line_octets > limits->field ? broken(s, HTTP1_R_FIELD_SIZE) : HTTP1_SCAN_MORE;
}

static enum http1_scan_result step(struct http1_scan *s, const struct http1_limits *limits, char c)
{
    if (s->state >= FIELD) {
        return step_field(s, limits, c);
    }
    if (s->state == LINE_LF) {
        s->state = FIELD;
        s->lines++;
        return c == '\n' ? HTTP1_SCAN_LINE : broken(s, HTTP1_R_LINE_END);
    }
    return s->state < LINE_LF ? step_request_line(s, limits, c) : step_status_line(s, c);
}

/* Octets of a value that need counting only: the hot path. Never beyond a limit, so step() alone judges those. */
static size_t run_of_value(const struct http1_scan *s, const struct http1_limits *limits, const char *data, size_t n)
{
    size_t room = limits->field > s->line_octets ? limits->field - s->line_octets : 0;
    size_t head = limits->head > s->octets ? limits->head - s->octets : 0;
    size_t most = n < room ? n : room;
    most = most < head ? most : head;
    size_t i = 0;
    while (i < most && http1_is(data[i], HTTP1_VALUE)) {
        i++;
    }
    return i;
}

enum http1_scan_result http1_scan(struct http1_scan *s, const struct http1_limits *limits, const char *data, size_t n,
                                  size_t *used)
{
    enum http1_scan_result result = HTTP1_SCAN_MORE;
    size_t i = 0;
    while (i < n && result == HTTP1_SCAN_MORE) {
        if (s->state == VALUE) {
            size_t run = run_of_value(s, limits, data + i, n - i);
            i += run;
            s->octets += run;
            s->line_octets += run;
            if (i == n) {
                break;
            }
        }
        if (s->octets >= limits->head) {
            result = broken(s, HTTP1_R_HEAD_SIZE);
            break;
        }
        result = step(s, limits, data[i]);
        i++;
        s->octets++;
    }
    *used = i;
    return result;
}
