/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_chunk.c: reads a chunk line: 1 to 16 hexadecimal digits, extensions of exact form (no blanks outside quotes,
 * no backslash inside), CRLF. Parsers disagree most about blanks, signs, escapes and line ends here, so nothing of that
 * kind goes through.
 */
#include "gateway/http1_private.h"

#include <string.h>

enum state { SIZE, EXT_NAME_FIRST, EXT_NAME, EXT_VALUE_FIRST, EXT_TOKEN, EXT_QUOTED, EXT_BEHIND, LINE_FEED };

void http1_chunk_start(struct http1_chunk_scan *s)
{
    memset(s, 0, sizeof *s);
    s->state = SIZE;
}

static unsigned hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0');
    }
    return (unsigned)((c | 0x20) - 'a') + 10;
}

static enum http1_rule_id step_size(struct http1_chunk_scan *s, char c)
{
    if (http1_is(c, HTTP1_HEX)) {
        if (s->digits >= 16) {
            return HTTP1_R_CHUNK_SIZE;
        }
        s->digits++;
        s->size = s->size << 4 | hex_value(c);
        return HTTP1_R_NONE;
    }
    if (s->digits == 0 || s->size > INT64_MAX) {
        return HTTP1_R_CHUNK_SIZE;
    }
    if (c == '\r' || c == ';') {
        s->state = c == '\r' ? LINE_FEED : EXT_NAME_FIRST;
        return HTTP1_R_NONE;
    }
    return HTTP1_R_CHUNK_SIZE;
}

/* Behind a complete name or value: the next extension, or the end of the line. */
static enum http1_rule_id ext_next(struct http1_chunk_scan *s, char c)
{
    if (c == ';') {
        s->state = EXT_NAME_FIRST;
        return HTTP1_R_NONE;
    }
    if (c == '\r') {
        s->state = LINE_FEED;
        return HTTP1_R_NONE;
    }
    return HTTP1_R_CHUNK_EXTENSION;
}

static enum http1_rule_id step_extension(struct http1_chunk_scan *s, char c)
{
    bool token = http1_is(c, HTTP1_TOKEN);
    switch (s->state) {
    case EXT_NAME_FIRST: s->state = EXT_NAME; return token ? HTTP1_R_NONE : HTTP1_R_CHUNK_EXTENSION;
    case EXT_NAME:
        if (c == '=') {
            s->state = EXT_VALUE_FIRST;
            return HTTP1_R_NONE;
        }
        return token ? HTTP1_R_NONE : ext_next(s, c);
    case EXT_VALUE_FIRST:
        s->state = c == '"' ? EXT_QUOTED : EXT_TOKEN;
        return token || c == '"' ? HTTP1_R_NONE : HTTP1_R_CHUNK_EXTENSION;
    case EXT_TOKEN: return token ? HTTP1_R_NONE : ext_next(s, c);
    case EXT_QUOTED:
        if (c == '"') {
            s->state = EXT_BEHIND;
        }
        return http1_is(c, HTTP1_VALUE) && c != '\\' ? HTTP1_R_NONE : HTTP1_R_CHUNK_EXTENSION;
    default: /* EXT_BEHIND */ return ext_next(s, c);
    }
}

enum http1_scan_result http1_chunk_scan(struct http1_chunk_scan *s, const struct http1_limits *limits, const char *data,
                                        size_t n, size_t *used)
{
    for (size_t i = 0; i < n; i++) {
        char c = data[i];
        *used = i + 1;
        if (s->state == LINE_FEED) {
            s->rule = c == '\n' ? HTTP1_R_NONE : HTTP1_R_CHUNK_SIZE;
            return c == '\n' ? HTTP1_SCAN_END : HTTP1_SCAN_BROKEN;
        }
        if (s->state == SIZE) {
            s->rule = step_size(s, c);
        } else {
            s->rule = step_extension(s, c);
        }
        if (s->rule == HTTP1_R_NONE && s->state != SIZE && s->state != LINE_FEED &&
            ++s->extension > limits->chunk_extension) {
            s->rule = HTTP1_R_CHUNK_EXTENSION_SIZE;
        }
        if (s->rule != HTTP1_R_NONE) {
            return HTTP1_SCAN_BROKEN;
        }
    }
    *used = n;
    return HTTP1_SCAN_MORE;
}
