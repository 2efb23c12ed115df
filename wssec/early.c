/* SPDX-License-Identifier: Apache-2.0 */
/*
 * early.c: the message without the content of its Body. The tags are found by a plain search that CDATA may
 * deceive: what comes out then is not well-formed, and the message is judged the long way only.
 */
#include "wssec/early.h"

#include <stdio.h>
#include <string.h>

#define LARGE ((size_t)256 << 10) /* below, the second reading of the header would be felt */
#define FIRST ((size_t)8 << 10)   /* is looked at first, then eight times as much */
#define HEAD  ((size_t)512 << 10) /* where the Body must have begun */

struct span {
    const char *p;
    size_t n;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The name that begins at from. */
static struct span name_at(const char *from, const char *end)
{
    static const bool ends[256] = {
        [' '] = true, ['\t'] = true, ['\r'] = true, ['\n'] = true, ['>'] = true, ['/'] = true, ['<'] = true};
    const char *p = from;
    while (p < end && !ends[(uint8_t)*p]) {
        p++;
    }
    return (struct span){from, (size_t)(p - from)};
}

static bool is_local(struct span name, const char *local)
{
    size_t n = strlen(local);
    return name.n >= n && name.p[name.n - 1] == local[n - 1] && memcmp(name.p + name.n - n, local, n) == 0 &&
           (name.n == n || name.p[name.n - n - 1] == ':');
}

/* Behind the first '>' that stands in no quotes; NULL: none. */
static const char *behind_tag(const char *p, const char *end)
{
    char quote = '\0';
    for (; p < end; p++) {
        if (quote != '\0') {
            quote = *p == quote ? '\0' : quote;
        } else if (*p == '"' || *p == '\'') {
            quote = *p;
        } else if (*p == '>') {
            return p + 1;
        }
    }
    return NULL;
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && is_space(*p)) {
        p++;
    }
    return p;
}

/* Behind white space and comments. end: they are all there is, or a comment does not end */
static const char *skip_comments(const char *p, const char *end)
{
    p = skip_space(p, end);
    while ((size_t)(end - p) > 4 && memcmp(p, "<!--", 4) == 0) {
        const char *close = memmem(p + 4, (size_t)(end - p) - 4, "-->", 3);
        p = close != NULL ? skip_space(close + 3, end) : end;
    }
    return p;
}

/* The root's name, behind a byte order mark, the XML declaration and comments. n 0: something else stands there. */
static struct span root_name(const char *p, const char *end)
{
    static const char mark[] = "\xef\xbb\xbf";
    if ((size_t)(end - p) > 3 && memcmp(p, mark, 3) == 0) {
        p += 3;
    }
    if ((size_t)(end - p) > 2 && memcmp(p, "<?", 2) == 0) {
        p = behind_tag(p, end);
    }
    p = p != NULL ? skip_comments(p, end) : end;
    return end - p > 1 && *p == '<' && p[1] != '!' ? name_at(p + 1, end) : (struct span){end, 0};
}

/* Behind the end tag of the Header whose start tag ends at p; NULL: none. A whole message may stand in it, as in a
 * receipt. */
static const char *behind_header(const char *p, const char *end)
{
    unsigned open = 1;
    while (end - p > 4 && (p = memchr(p, '<', (size_t)(end - p) - 4)) != NULL) {
        if (p[1] == '!') {
            const char *behind = skip_comments(p, end);
            p = behind != p ? behind : p + 1;
            continue;
        }
        bool closes = p[1] == '/';
        struct span name = name_at(p + (closes ? 2 : 1), end);
        p = name.p + name.n;
        if (!is_local(name, "Header")) {
            continue;
        }
        p = behind_tag(p, end);
        if (p == NULL || (closes && --open == 0)) {
            return p;
        }
        open += !closes && p[-2] != '/';
    }
    return NULL;
}

bool wssec_early_large(const struct wssec_input *in)
{
    size_t total = 0;
    for (size_t i = 0; i < in->n_slice && total < LARGE; i++) {
        total = in->slice[i].n < LARGE ? total + in->slice[i].n : LARGE;
    }
    return total >= LARGE;
}

/* Copy at most max octets. @return false: no memory */
static bool gather(const struct wssec_input *in, size_t max, cs_buf *out)
{
    cs_buf_reset(out);
    for (size_t i = 0; i < in->n_slice && out->len < max; i++) {
        size_t n = in->slice[i].n < max - out->len ? in->slice[i].n : max - out->len;
        if (cs_buf_add(out, in->slice[i].p, n) != 0) {
            return false;
        }
    }
    return true;
}

/* Where the start tag of Body ends within [from,end), and what closes it. @return NULL: it does not */
static const char *behind_body(const char *from, const char *end, struct span *root, struct span *body)
{
    *root = root_name(from, end);
    const char *p = root->n != 0 ? behind_tag(root->p + root->n, end) : NULL;
    p = p != NULL ? skip_comments(p, end) : end;
    if (p < end && *p == '<' && !is_local(name_at(p + 1, end), "Body")) { /* there is a Header */
        const char *first = is_local(name_at(p + 1, end), "Header") ? behind_tag(p, end) : NULL;
        p = first == NULL || first[-2] == '/' ? first : behind_header(first, end);
        p = p != NULL ? skip_comments(p, end) : end;
    }
    if (p >= end || *p != '<') {
        return NULL;
    }
    *body = name_at(p + 1, end);
    p = behind_tag(body->p + body->n, end);
    return is_local(*body, "Body") ? p : NULL;
}

bool wssec_early_text(const struct wssec_input *in, cs_buf *out, size_t *behind)
{
    char close[512];
    struct span root = {NULL, 0};
    struct span body = {NULL, 0};
    const char *p = NULL;
    for (size_t max = FIRST; p == NULL; max *= 8) {
        if (!gather(in, max, out)) {
            return false;
        }
        p = behind_body(out->data, out->data + out->len, &root, &body);
        if (p == NULL && (out->len < max || max >= HEAD)) {
            return false;
        }
    }
    if (root.n + body.n + 7 > sizeof close) {
        return false;
    }
    int n = p[-2] == '/' ? snprintf(close, sizeof close, "</%.*s>", (int)root.n, root.p)
                         : snprintf(close, sizeof close, "</%.*s></%.*s>", (int)body.n, body.p, (int)root.n, root.p);
    *behind = (size_t)(p - out->data);
    out->len = *behind;
    return cs_buf_add(out, close, (size_t)n) == 0;
}
