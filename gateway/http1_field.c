/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_field.c: the field names that mean something to this layer, one row each, and comma lists. A row also bars the
 * name from trailers: what is known here could change what was judged already.
 */
#include "gateway/http1_private.h"

#include <string.h>

#define HOP (HTTP1_NOT_UP | HTTP1_NOT_DOWN)

static const struct {
    const char *name;
    uint8_t n;
    uint8_t flags;
} known_field[HTTP1_F_COUNT] = {
#define ROW(id, text, flags) [HTTP1_F_##id] = {text, sizeof text - 1, flags}
    ROW(HOST, "host", HTTP1_NOT_UP | HTTP1_END_TO_END),
    ROW(CONTENT_LENGTH, "content-length", HOP | HTTP1_END_TO_END),
    ROW(TRANSFER_ENCODING, "transfer-encoding", HOP | HTTP1_END_TO_END),
    ROW(CONNECTION, "connection", HOP),
    ROW(EXPECT, "expect", HTTP1_NOT_UP | HTTP1_END_TO_END),
    ROW(UPGRADE, "upgrade", HOP),
    ROW(HTTP2_SETTINGS, "http2-settings", HOP),
    ROW(CONTENT_TYPE, "content-type", HTTP1_END_TO_END),
    ROW(CONTENT_ENCODING, "content-encoding", HTTP1_END_TO_END),
    ROW(KEEP_ALIVE, "keep-alive", HOP),
    ROW(PROXY_CONNECTION, "proxy-connection", HOP),
    ROW(PROXY_AUTHENTICATE, "proxy-authenticate", HOP),
    ROW(PROXY_AUTHORIZATION, "proxy-authorization", HOP),
    ROW(TE, "te", HOP),
    ROW(TRAILER, "trailer", HOP),
    ROW(ACCEPT_ENCODING, "accept-encoding", HTTP1_NOT_UP),
    ROW(RANGE, "range", HTTP1_NOT_UP),
    ROW(IF_RANGE, "if-range", HTTP1_NOT_UP),
    ROW(CONTENT_RANGE, "content-range", HTTP1_END_TO_END),
    ROW(AUTHORIZATION, "authorization", HTTP1_END_TO_END),
    ROW(COOKIE, "cookie", HTTP1_END_TO_END),
    ROW(SET_COOKIE, "set-cookie", HTTP1_END_TO_END),
    ROW(SOAPACTION, "soapaction", HTTP1_END_TO_END),
    ROW(MIME_VERSION, "mime-version", HTTP1_END_TO_END),
    ROW(DATE, "date", HTTP1_END_TO_END),
#undef ROW
};

/* Equal but for case and for '_' in a where b (lower case) has '-'. */
static bool same_name(const char *a, const char *b, size_t n, bool *respelt)
{
    *respelt = false;
    for (size_t i = 0; i < n; i++) {
        char c = a[i];
        if (c >= 'A' && c <= 'Z') {
            c = (char)(c | 0x20);
        }
        if (c == b[i]) {
            continue;
        }
        if (c != '_' || b[i] != '-') {
            return false;
        }
        *respelt = true;
    }
    return true;
}

unsigned http1_known(const char *name, size_t n)
{
    for (unsigned i = HTTP1_F_OTHER + 1; i < HTTP1_F_COUNT; i++) {
        bool respelt;
        if (known_field[i].n == n && same_name(name, known_field[i].name, n, &respelt)) {
            return respelt ? i | HTTP1_F_RESPELT : i;
        }
    }
    return HTTP1_F_OTHER;
}

unsigned http1_known_flags(unsigned known)
{
    unsigned id = known & ~HTTP1_F_RESPELT;
    return id < HTTP1_F_COUNT ? known_field[id].flags : 0;
}

bool http1_list_next(const char **at, const char *end, const char **element, size_t *n)
{
    const char *p = *at;
    while (p < end && (*p == ',' || *p == ' ' || *p == '\t')) {
        p++;
    }
    if (p == end) {
        return false;
    }
    *element = p;
    while (p < end && *p != ',') {
        p++;
    }
    *at = p;
    while (p[-1] == ' ' || p[-1] == '\t') {
        p--;
    }
    *n = (size_t)(p - *element);
    return true;
}

bool http1_list_has(const char *list, size_t list_n, const char *token, size_t token_n)
{
    const char *at = list;
    const char *element;
    size_t n;
    while (http1_list_next(&at, list + list_n, &element, &n)) {
        if (n == token_n && strncasecmp(element, token, n) == 0) {
            return true;
        }
    }
    return false;
}
