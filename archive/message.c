/* SPDX-License-Identifier: Apache-2.0 */
/* message.c: see message.h. */
#include "archive/message.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HEAD_MAX ((size_t)65536)

struct line {
    const char *p;
    size_t n; /* without its end */
};

/* @return octets of the line with its end, 0: it has none */
static size_t line_at(const char *p, size_t n, struct line *out)
{
    const char *feed = memchr(p, '\n', n);
    if (feed == NULL) {
        return 0;
    }
    out->p = p;
    out->n = (size_t)(feed - p);
    out->n -= out->n > 0 && p[out->n - 1] == '\r' ? 1 : 0;
    return (size_t)(feed - p) + 1;
}

static bool is_field(const struct line *l)
{
    const char *colon = memchr(l->p, ':', l->n);
    if (colon == NULL || colon == l->p) {
        return false;
    }
    for (const char *p = l->p; p < colon; p++) {
        if (*p <= ' ' || *p > '~') {
            return false;
        }
    }
    return true;
}

static bool is_folded(const struct line *l)
{
    return l->n > 0 && (l->p[0] == ' ' || l->p[0] == '\t');
}

/* "POST /x HTTP/1.1", "HTTP/1.1 200 OK" */
static bool is_start(const struct line *l)
{
    return (l->n > 5 && memcmp(l->p, "HTTP/", 5) == 0) || memmem(l->p, l->n, " HTTP/1.", 8) != NULL;
}

/* Fields up to an empty line. @return octets with it, 0: there is no such head */
static size_t head_of(const char *p, size_t n)
{
    struct line l;
    size_t at = 0;
    n = n < HEAD_MAX ? n : HEAD_MAX;
    for (size_t i = 0; at < n; i++) {
        size_t step = line_at(p + at, n - at, &l);
        if (step == 0) {
            return 0;
        }
        at += step;
        if (l.n == 0) {
            return i > 0 ? at : 0;
        }
        if (!(i == 0 && is_start(&l)) && !is_field(&l) && !(i > 0 && is_folded(&l))) {
            return 0;
        }
    }
    return 0;
}

const char *archive_message_field(void *ctx, const char *name, char *out, size_t size)
{
    const struct archive_message *m = ctx;
    const char *p = (const char *)m->head.p;
    size_t left = m->head.n;
    size_t width = strlen(name);
    struct line l;
    size_t n = 0;
    bool found = false;
    for (size_t step = 0; left > 0 && (step = line_at(p, left, &l)) > 0; p += step, left -= step) {
        if (found && !is_folded(&l)) {
            break;
        }
        if (!found) {
            if (l.n <= width || strncasecmp(l.p, name, width) != 0 || l.p[width] != ':') {
                continue;
            }
            found = true;
            l.p += width + 1;
            l.n -= width + 1;
        }
        for (; l.n > 0 && (*l.p == ' ' || *l.p == '\t'); l.p++, l.n--) {
        }
        if (n + l.n + 2 > size) {
            return NULL;
        }
        if (n > 0) {
            out[n++] = ' ';
        }
        memcpy(out + n, l.p, l.n);
        n += l.n;
    }
    if (!found || memchr(out, '\0', n) != NULL) {
        return NULL;
    }
    for (; n > 0 && (out[n - 1] == ' ' || out[n - 1] == '\t'); n--) {
    }
    out[n] = '\0';
    return out;
}

int archive_message_read(struct archive_message *m, const uint8_t *p, size_t n, char *why, size_t size)
{
    memset(m, 0, sizeof *m);
    m->content = (struct wssec_slice){p, n};
    switch (archive_sniff(p, n < ARCHIVE_HEAD ? n : ARCHIVE_HEAD)) {
    case ARCHIVE_MESSAGE: break;
    case ARCHIVE_EMPTY: (void)snprintf(why, size, "it is empty"); return -1;
    default: (void)snprintf(why, size, "it is neither XML nor MIME nor an HTTP message"); return -1;
    }
    size_t head = head_of((const char *)p, n);
    if (head > 0) {
        m->head = (struct wssec_slice){p, head};
        m->content = (struct wssec_slice){p + head, n - head};
        if (archive_message_field(m, "Content-Type", m->content_type, sizeof m->content_type) == NULL) {
            m->content_type[0] = '\0';
        }
    }
    return 0;
}
