/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mime.c: where the parts of a multipart/related package begin and end. A delimiter is CR LF, "--", the boundary, and
 * CR LF or "--" behind it. Whatever else a lenient reader could take for one (a bare line feed in front, other octets
 * behind, text before the first or behind the last) is refused, so that every reader finds the same parts.
 */
#include "wssec/mime.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define PARTS_FIRST 8
#define ID_MAX      255
#define TAIL        (WSSEC_MIME_BOUNDARY + 8)

struct reader { /* octets of the slices, one after the other */
    const struct wssec_slice *slice;
    size_t n_slice;
    size_t i, at;  /* slice, octet in it */
    size_t offset; /* from the first octet of the first slice */
};

static int refuse(struct wssec_mime *m, enum wssec_reason reason, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The first reason stays. @return -1 */
static int refuse(struct wssec_mime *m, enum wssec_reason reason, const char *fmt, ...)
{
    if (m->reason == WSSEC_OK) {
        va_list ap;
        va_start(ap, fmt);
        (void)vsnprintf(m->detail, sizeof m->detail, fmt, ap);
        va_end(ap);
        for (unsigned char *p = (unsigned char *)m->detail; *p != '\0'; p++) {
            *p = *p < ' ' || *p >= 127 ? '?' : *p;
        }
        m->reason = reason;
    }
    return -1;
}

static int malformed(struct wssec_mime *m, const char *what)
{
    return refuse(m, WSSEC_MIME_MALFORMED, "%s", what);
}

static int peek(struct reader *r)
{
    while (r->i < r->n_slice && r->at == r->slice[r->i].n) {
        r->i++;
        r->at = 0;
    }
    return r->i < r->n_slice ? r->slice[r->i].p[r->at] : -1;
}

static int next(struct reader *r)
{
    int c = peek(r);
    if (c >= 0) {
        r->at++;
        r->offset++;
    }
    return c;
}

/* Move on to an offset that was passed or seen already; forward only. */
static void seek(struct reader *r, size_t offset)
{
    while (r->offset < offset && peek(r) >= 0) {
        size_t left = r->slice[r->i].n - r->at;
        size_t take = left < offset - r->offset ? left : offset - r->offset;
        r->at += take;
        r->offset += take;
    }
}

/* ---- the header of a part ------------------------------------------------------------------------------------------
 */

/* Octets up to and with the empty line into m->head, without it. @return 0; -1 refused */
static int read_head(struct wssec_mime *m, struct reader *r, size_t limit)
{
    cs_buf *b = &m->head;
    cs_buf_reset(b);
    for (;;) {
        int c = next(r);
        if (c < 0) {
            return malformed(m, "it ends inside of a part's header");
        }
        if (b->len == limit) {
            return refuse(m, WSSEC_LIMIT_PARTS, "a part's header has more than %zu octets", limit);
        }
        if (cs_buf_addc(b, (char)c) != 0) {
            return -1;
        }
        if (c == '\n' && b->len >= 2 && memcmp(b->data + b->len - 2, "\r\n", 2) == 0 &&
            (b->len == 2 || (b->len >= 4 && memcmp(b->data + b->len - 4, "\r\n\r\n", 4) == 0))) {
            b->len -= 2;
            return 0;
        }
    }
}

static const struct wssec_mime_field *field_of(const struct wssec_mime_field *f, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (wssec_mime_is_field(&f[i], name)) {
            return &f[i];
        }
    }
    return NULL;
}

/* An id as RFC 2392 puts it into a URI. @return 0; -1 refused or no memory (m->head.failed) */
static int read_id(struct wssec_mime *m, const struct wssec_mime_field *f, struct wssec_mime_part *part)
{
    char *id = wssec_mime_unfold(&m->arena, f);
    if (id == NULL) {
        m->head.failed = true;
        return -1;
    }
    size_t n = strlen(id);
    if (n >= 2 && id[0] == '<' && id[n - 1] == '>') {
        id[n - 1] = '\0';
        id++;
        n -= 2;
    }
    for (size_t i = 0; i < n; i++) {
        if (id[i] <= ' ' || id[i] == 127 || id[i] == '<' || id[i] == '>') { /* negative: beyond ASCII */
            n = 0;
        }
    }
    if (n == 0 || n > ID_MAX) {
        return malformed(m, "a Content-ID is empty, too long or holds what no id may");
    }
    part->id = id;
    return 0;
}

static int read_coding(struct wssec_mime *m, const struct wssec_mime_field *f, struct wssec_mime_part *part)
{
    static const struct {
        const char *word;
        enum wssec_mime_coding coding;
    } known[] = {{"7bit", WSSEC_MIME_IDENTITY},
                 {"8bit", WSSEC_MIME_IDENTITY},
                 {"binary", WSSEC_MIME_IDENTITY},
                 {"base64", WSSEC_MIME_BASE64},
                 {"quoted-printable", WSSEC_MIME_QUOTED}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strlen(known[i].word) == f->value_n && strncasecmp(known[i].word, f->value, f->value_n) == 0) {
            part->coding = known[i].coding;
            return 0;
        }
    }
    return malformed(m, "a Content-Transfer-Encoding that is not known");
}

static int read_type(struct wssec_mime *m, const struct wssec_mime_field *f, struct wssec_mime_part *part)
{
    struct wssec_mime_value v;
    char *text = wssec_mime_unfold(&m->arena, f);
    int rc = text != NULL ? wssec_mime_value_read(&m->arena, text, &v) : -1;
    if (rc < 0) {
        m->head.failed = true;
        return -1;
    }
    if (rc == 0 || strchr(v.word, '/') == NULL) {
        return malformed(m, "the Content-Type of a part cannot be read");
    }
    if (strncmp(v.word, "multipart/", 10) == 0) {
        return malformed(m, "a part is itself a multipart");
    }
    part->content_type = text;
    part->type = v.word;
    return 0;
}

/* @param base octets in front of the header */
static int judge_head(struct wssec_mime *m, struct wssec_mime_part *part, size_t base)
{
    struct wssec_mime_field field[WSSEC_MIME_FIELDS];
    int n = wssec_mime_fields(m->head.data != NULL ? m->head.data : "", m->head.len, field, m->detail);
    if (n < 0) {
        m->reason = WSSEC_MIME_MALFORMED;
        return -1;
    }
    part->id = "";
    part->type = "";
    const struct wssec_mime_field *f = field_of(field, n, "Content-ID");
    if (f != NULL && read_id(m, f, part) != 0) {
        return -1;
    }
    f = field_of(field, n, "Content-Transfer-Encoding");
    if (f != NULL && read_coding(m, f, part) != 0) {
        return -1;
    }
    f = field_of(field, n, "Content-Type");
    if (f != NULL && read_type(m, f, part) != 0) {
        return -1;
    }
    f = field_of(field, n, "Content-Length");
    if (f != NULL) {
        part->length = (struct wssec_range){base + f->from, base + f->to};
    }
    return 0;
}

/* A length that another reader could believe must be the true one. */
static int judge_length(struct wssec_mime *m, const struct wssec_mime_part *part)
{
    const char *p = m->head.data + (part->length.from - part->header.from);
    const char *end = m->head.data + (part->length.to - part->header.from);
    unsigned long long said = 0;
    bool digits = false;
    p = memchr(p, ':', (size_t)(end - p));
    for (p = p != NULL ? p + 1 : end; p < end; p++) {
        if (*p >= '0' && *p <= '9' && said < (1ull << 58)) {
            said = said * 10 + (unsigned long long)(*p - '0');
            digits = true;
        } else if (strchr(" \t\r\n", *p) == NULL) {
            digits = false;
            break;
        }
    }
    return digits && said == part->content.to - part->content.from
               ? 0
               : malformed(m, "a part's Content-Length is not the length of its content");
}

/* ---- delimiters ----------------------------------------------------------------------------------------------------
 */

struct search {
    struct wssec_mime *m;
    char needle[WSSEC_MIME_BOUNDARY + 3]; /* "--" and the boundary */
    size_t n;
};

enum line_end { NO_LINE_END, LINE_END, BARE_LINE_END };

/* The two octets before the boundary. */
static enum line_end line_end(int two, int one)
{
    return one == '\n' && two == '\r' ? LINE_END : one == '\n' || one == '\r' ? BARE_LINE_END : NO_LINE_END;
}

static int found_at(const struct search *s, enum line_end end, size_t offset, size_t *found)
{
    if (end == BARE_LINE_END) {
        return malformed(s->m, "the boundary stands behind a bare line end");
    }
    *found = offset;
    return 0;
}

/* Where the next delimiter's "--" is, from r on; its line end in front may be the last two octets before r (begin).
 * @return 0; -1 refused: there is none, or something that some readers take for one */
static int find(const struct search *s, const struct reader *from, size_t *found)
{
    struct reader r = *from;
    uint8_t tail[2 * TAIL];
    size_t n_tail = 2;
    memcpy(tail, "\r\n", 2); /* what stands in front of the content: the empty line behind a header */
    while (peek(&r) >= 0) {
        const uint8_t *p = r.slice[r.i].p + r.at;
        size_t n = r.slice[r.i].n - r.at;
        size_t some = n < TAIL ? n : TAIL;
        memcpy(tail + n_tail, p, some);
        /* a hit that begins in the octets that were kept, then those that begin in this slice */
        for (size_t at = 2; at < n_tail + some; at++) {
            const uint8_t *hit = memmem(tail + at, n_tail + some - at, s->needle, s->n);
            if (hit == NULL || (size_t)(hit - tail) >= n_tail) {
                break;
            }
            at = (size_t)(hit - tail);
            enum line_end end = line_end(hit[-2], hit[-1]);
            if (end != NO_LINE_END) {
                return found_at(s, end, r.offset - n_tail + at, found);
            }
        }
        for (size_t at = 0; at + s->n <= n; at++) {
            const uint8_t *hit = memmem(p + at, n - at, s->needle, s->n);
            if (hit == NULL) {
                break;
            }
            at = (size_t)(hit - p);
            enum line_end end =
                line_end(at >= 2 ? hit[-2] : tail[n_tail + at - 2], at >= 1 ? hit[-1] : tail[n_tail - 1]);
            if (end != NO_LINE_END) {
                return found_at(s, end, r.offset + at, found);
            }
        }
        /* keep what a hit across the seam needs: its beginning, and two octets in front of it */
        size_t keep = s->n + 2;
        if (n >= keep) {
            memcpy(tail, p + n - keep, keep);
            n_tail = keep;
        } else {
            size_t all = n_tail + n;
            size_t drop = all > keep ? all - keep : 0;
            memmove(tail, tail + drop, all - drop);
            n_tail = all - drop;
        }
        seek(&r, r.offset + n);
    }
    return malformed(s->m, "the closing delimiter is missing");
}

/* Behind a delimiter: CR LF (*last false) or "--" (*last true). */
static int delimiter_end(struct wssec_mime *m, struct reader *r, bool *last)
{
    int c = next(r);
    int d = next(r);
    *last = c == '-' && d == '-';
    return *last || (c == '\r' && d == '\n') ? 0
                                             : malformed(m, "a line begins with the boundary and goes on otherwise");
}

/* Nothing but white space behind the last delimiter. */
static int nothing_behind(struct wssec_mime *m, struct reader *r)
{
    int c = next(r);
    if (c >= 0 && c != '\r' && c != '\n') {
        return malformed(m, "the closing delimiter goes on");
    }
    for (; c >= 0; c = next(r)) {
        if (c != '\r' && c != '\n' && c != ' ' && c != '\t') {
            return malformed(m, "text behind the closing delimiter");
        }
    }
    return 0;
}

/* ---- the package ---------------------------------------------------------------------------------------------------
 */

static struct wssec_mime_part *part_new(struct wssec_mime *m)
{
    if (m->n_part == m->cap_part) {
        size_t cap = m->cap_part != 0 ? m->cap_part * 2 : PARTS_FIRST;
        struct wssec_mime_part *grown = reallocarray(m->part, cap, sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        m->part = grown;
        m->cap_part = cap;
    }
    struct wssec_mime_part *p = &m->part[m->n_part++];
    memset(p, 0, sizeof *p);
    return p;
}

/* @return 1: one more part may follow; 0: it was the last one; -1: refused, or m->head.failed */
static int split_part(struct wssec_mime *m, const struct search *s, struct reader *r,
                      const struct wssec_mime_limits *limits)
{
    size_t found = 0;
    bool last = false;
    if (m->n_part == limits->parts) {
        return refuse(m, WSSEC_LIMIT_PARTS, "more than %zu parts", limits->parts);
    }
    struct wssec_mime_part *p = part_new(m);
    if (p == NULL) {
        m->head.failed = true;
        return -1;
    }
    p->header.from = r->offset;
    if (read_head(m, r, limits->header) != 0) {
        return -1;
    }
    p->header.to = p->header.from + m->head.len;
    p->content.from = r->offset;
    if (judge_head(m, p, p->header.from) != 0 || find(s, r, &found) != 0) {
        return -1;
    }
    /* no content at all: the empty line is the delimiter's own */
    p->content.to = found - p->content.from >= 2 ? found - 2 : p->content.from;
    if (p->length.to != 0 && judge_length(m, p) != 0) {
        return -1;
    }
    for (size_t i = 0; i + 1 < m->n_part; i++) {
        if (p->id[0] != '\0' && strcmp(m->part[i].id, p->id) == 0) {
            return refuse(m, WSSEC_MIME_MALFORMED, "two parts have the Content-ID %.100s", p->id);
        }
    }
    seek(r, found + s->n);
    return delimiter_end(m, r, &last) != 0 ? -1 : !last;
}

/* The first delimiter, behind nothing but empty lines. */
static int open_package(struct wssec_mime *m, const struct search *s, struct reader *r)
{
    bool last = false;
    while (peek(r) == '\r') {
        (void)next(r);
        if (next(r) != '\n') {
            return malformed(m, "text in front of the first delimiter");
        }
    }
    for (size_t i = 0; i < s->n; i++) {
        if (next(r) != s->needle[i]) {
            return malformed(m, "it does not begin with its boundary");
        }
    }
    if (delimiter_end(m, r, &last) != 0) {
        return -1;
    }
    return last ? malformed(m, "it has no part") : 0;
}

static bool good_boundary(const char *b)
{
    size_t n = strlen(b);
    return n >= 1 && n <= WSSEC_MIME_BOUNDARY && b[n - 1] != ' ' &&
           strspn(b, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'()+_,-./:=? ") == n;
}

/* What the root says of itself must be what the package says of it. */
static int judge_root(struct wssec_mime *m, const struct wssec_mime_value *said)
{
    static const char xop[] = "application/xop+xml";
    const struct wssec_mime_part *root = &m->part[0];
    const char *type = said != NULL ? wssec_mime_parameter(said, "type") : NULL;
    const char *start = said != NULL ? wssec_mime_parameter(said, "start") : NULL;
    if (root->coding != WSSEC_MIME_IDENTITY) {
        return malformed(m, "the root part has a transfer encoding");
    }
    if (type != NULL && root->type[0] != '\0' && strcasecmp(type, root->type) != 0) {
        return refuse(m, WSSEC_MIME_MALFORMED, "type names %.60s, the root part is %.60s", type, root->type);
    }
    if (start != NULL) {
        size_t n = strlen(start);
        bool bracketed = n >= 2 && start[0] == '<' && start[n - 1] == '>';
        const char *id = bracketed ? start + 1 : start;
        n -= bracketed ? 2 : 0;
        if (strlen(root->id) != n || memcmp(root->id, id, n) != 0) {
            return malformed(m, "start does not name the first part");
        }
    }
    m->xop = strcmp(root->type, xop) == 0;
    if (type != NULL && strcasecmp(type, xop) == 0 && !m->xop) {
        return malformed(m, "type names an XOP package, the root part does not");
    }
    return 0;
}

static void reset(struct wssec_mime *m)
{
    wssec_arena_reset(&m->arena);
    m->n_part = 0;
    m->xop = false;
    m->boundary[0] = '\0';
    m->reason = WSSEC_OK;
    m->detail[0] = '\0';
    cs_buf_reset(&m->head);
    m->head.failed = false;
}

/* The boundary of a package in a file: its first line says it. */
static int first_line(struct wssec_mime *m, struct reader r)
{
    size_t n = 0;
    int c = 0;
    while (peek(&r) == '\r' || peek(&r) == '\n') {
        (void)next(&r);
    }
    if (next(&r) != '-' || next(&r) != '-') {
        return malformed(m, "it does not begin with a delimiter");
    }
    while ((c = next(&r)) >= ' ' && n < WSSEC_MIME_BOUNDARY) {
        m->boundary[n++] = (char)c;
    }
    m->boundary[n] = '\0';
    return c == '\r' && good_boundary(m->boundary) ? 0 : malformed(m, "the first line is no delimiter");
}

static int split(struct wssec_mime *m, struct reader *r, const struct wssec_mime_value *said,
                 const struct wssec_mime_limits *limits)
{
    struct search s = {.m = m};
    s.n = (size_t)snprintf(s.needle, sizeof s.needle, "--%s", m->boundary);
    int more = open_package(m, &s, r) == 0;
    while (more == 1) {
        more = split_part(m, &s, r, limits);
    }
    if (m->reason != WSSEC_OK || m->head.failed || more < 0) {
        return -1;
    }
    return nothing_behind(m, r) == 0 ? judge_root(m, said) : -1;
}

int wssec_mime_split(struct wssec_mime *m, const struct wssec_slice *slice, size_t n_slice, size_t from,
                     const char *content_type, const struct wssec_mime_limits *limits)
{
    struct wssec_mime_value said = {0};
    struct reader r = {slice, n_slice, 0, 0, 0};
    char *copy = NULL;
    int rc = 1;
    if (content_type != NULL) { /* it may be memory of m */
        copy = strdup(content_type);
        if (copy == NULL) {
            return WSSEC_RC_NOMEM;
        }
    }
    reset(m);
    seek(&r, from);
    if (copy != NULL) {
        rc = wssec_mime_value_read(&m->arena, copy, &said);
        const char *boundary = rc == 1 ? wssec_mime_parameter(&said, "boundary") : NULL;
        if (rc == 0) {
            (void)malformed(m, "its Content-Type cannot be read without doubt");
        } else if (rc == 1 && strcmp(said.word, "multipart/related") != 0) {
            (void)refuse(m, WSSEC_MIME_MALFORMED, "%.60s is no multipart/related", said.word);
        } else if (rc == 1 && (boundary == NULL || !good_boundary(boundary))) {
            (void)malformed(m, "its Content-Type names no boundary, or none that may be one");
        } else if (rc == 1) {
            (void)cs_copy(m->boundary, sizeof m->boundary, boundary);
        }
    } else {
        (void)first_line(m, r);
    }
    if (rc == 1 && m->reason == WSSEC_OK) {
        (void)split(m, &r, copy != NULL ? &said : NULL, limits);
    }
    free(copy);
    if (m->reason != WSSEC_OK) {
        m->n_part = 0;
    }
    return rc < 0 || m->head.failed ? WSSEC_RC_NOMEM : WSSEC_RC_OK;
}

void wssec_mime_free(struct wssec_mime *m)
{
    free(m->part);
    m->part = NULL;
    m->cap_part = m->n_part = 0;
    wssec_arena_free(&m->arena);
    cs_buf_free(&m->head);
}
