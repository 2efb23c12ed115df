/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_target.c: judges a request target and a Host (rules 4, 5). Only RFC 3986 characters, origin-form or
 * absolute-form; what two receivers could resolve to different resources (dot segments, empty segments, encoded
 * slashes and controls) is refused instead of repaired, and the path that routes see has no needless escapes left.
 */
#include "gateway/http1_private.h"

#include <arpa/inet.h>
#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The octet of an escape at s. @return -1: malformed */
static int escape(const char *s, size_t n)
{
    if (n < 3 || !http1_is(s[1], HTTP1_HEX) || !http1_is(s[2], HTTP1_HEX)) {
        return -1;
    }
    return hex_digit(s[1]) << 4 | hex_digit(s[2]);
}

/* Copy a path, escapes of unreserved characters undone and hexadecimal digits in upper case. */
static enum http1_rule_id normalise(const char *s, size_t n, char *path)
{
    static const char digit[] = "0123456789ABCDEF";
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] != '%') {
            if (s[i] != '/' && !http1_is(s[i], HTTP1_PCHAR)) {
                return HTTP1_R_TARGET_FORM;
            }
            path[out++] = s[i];
            continue;
        }
        int octet = escape(s + i, n - i);
        if (octet < 0) {
            return HTTP1_R_TARGET_FORM;
        }
        if (octet < 0x20 || octet == 0x7f || octet == '/' || octet == '\\') {
            return HTTP1_R_TARGET_ESCAPE;
        }
        if (http1_is((char)octet, HTTP1_PLAIN)) {
            path[out++] = (char)octet;
        } else {
            path[out++] = '%';
            path[out++] = digit[octet >> 4];
            path[out++] = digit[octet & 15];
        }
        i += 2;
    }
    path[out] = '\0';
    return HTTP1_R_NONE;
}

/* No empty segment but the last, none of dots; "..;x" counts as "..", as some servers read it. */
static enum http1_rule_id segments_judge(const char *path)
{
    for (const char *s = path; *s == '/';) {
        s++;
        size_t n = strcspn(s, "/");
        size_t name = strcspn(s, "/;");
        bool dots = (name == 1 && s[0] == '.') || (name == 2 && s[0] == '.' && s[1] == '.');
        if (dots || (n == 0 && *s == '/')) {
            return HTTP1_R_TARGET_PATH;
        }
        s += n;
    }
    return HTTP1_R_NONE;
}

static enum http1_rule_id query_judge(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '%') {
            int octet = escape(s + i, n - i);
            if (octet < 0) {
                return HTTP1_R_TARGET_FORM;
            }
            if (octet < 0x20 || octet == 0x7f) {
                return HTTP1_R_TARGET_ESCAPE;
            }
        } else if (s[i] != '/' && s[i] != '?' && !http1_is(s[i], HTTP1_PCHAR)) {
            return HTTP1_R_TARGET_FORM;
        }
    }
    return HTTP1_R_NONE;
}

enum http1_rule_id http1_target_judge(const char *target, size_t n, struct http1_target *out, char *path)
{
    memset(out, 0, sizeof *out);
    const char *end = target + n;
    const char *at = target;
    if (n > 7 && (strncasecmp(target, "http://", 7) == 0 || (n > 8 && strncasecmp(target, "https://", 8) == 0))) {
        at = target + (target[4] == ':' ? 7 : 8);
        out->authority = at;
        while (at < end && *at != '/' && *at != '?') {
            at++;
        }
        out->authority_n = (size_t)(at - out->authority);
        if (!http1_host_valid(out->authority, out->authority_n)) {
            return HTTP1_R_TARGET_FORM;
        }
    } else if (n == 0 || target[0] != '/') {
        return HTTP1_R_TARGET_FORM;
    }
    const char *mark = memchr(at, '?', (size_t)(end - at));
    size_t path_n = (size_t)((mark != NULL ? mark : end) - at);
    if (path_n == 0) {
        memcpy(path, "/", 2);
    } else {
        enum http1_rule_id rule = normalise(at, path_n, path);
        if (rule == HTTP1_R_NONE) {
            rule = segments_judge(path);
        }
        if (rule != HTTP1_R_NONE) {
            return rule;
        }
    }
    if (mark == NULL) {
        return HTTP1_R_NONE;
    }
    out->query = mark + 1;
    return query_judge(out->query, (size_t)(end - out->query));
}

static bool port_valid(const char *s, size_t n)
{
    unsigned port = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9' || i == 5) {
            return false;
        }
        port = port * 10 + (unsigned)(s[i] - '0');
    }
    return n > 0 && port > 0 && port <= 65535;
}

bool http1_host_valid(const char *host, size_t n)
{
    size_t name = 0;
    if (n > 0 && host[0] == '[') {
        char text[INET6_ADDRSTRLEN];
        unsigned char address[16];
        const char *close = memchr(host, ']', n);
        size_t text_n = close == NULL ? 0 : (size_t)(close - host) - 1;
        if (text_n == 0 || text_n >= sizeof text) {
            return false;
        }
        memcpy(text, host + 1, text_n);
        text[text_n] = '\0';
        if (inet_pton(AF_INET6, text, address) != 1) {
            return false;
        }
        name = text_n + 2;
    } else {
        while (name < n && http1_is(host[name], HTTP1_PLAIN)) {
            name++;
        }
        if (name == 0 || name > 255) {
            return false;
        }
    }
    return name == n || (host[name] == ':' && port_valid(host + name + 1, n - name - 1));
}
