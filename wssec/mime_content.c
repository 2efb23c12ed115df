/* SPDX-License-Identifier: Apache-2.0 */
/* mime_content.c: what comes in front of a package, which part a URI names, and the octets that a part means. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wssec/mime.h"

#define PIECE ((size_t)4096)

bool wssec_mime_is_multipart(const char *content_type)
{
    while (content_type != NULL && (*content_type == ' ' || *content_type == '\t')) {
        content_type++;
    }
    return content_type != NULL && strncasecmp(content_type, "multipart/", 10) == 0;
}

size_t wssec_mime_slices(const struct wssec_slice *slice, size_t n_slice, struct wssec_range range,
                         struct wssec_slice *out)
{
    size_t n = 0;
    size_t at = 0;
    for (size_t i = 0; i < n_slice && at < range.to; at += slice[i].n, i++) {
        size_t from = range.from > at ? range.from - at : 0;
        size_t to = range.to - at < slice[i].n ? range.to - at : slice[i].n;
        if (from < to) {
            out[n++] = (struct wssec_slice){slice[i].p + from, to - from};
        }
    }
    return n;
}

/* ---- a file
 * ---------------------------------------------------------------------------------------------------------- */

/* The lines of a file up to the first empty one, their ends written as CR LF. @return octets of the file, 0: there is
 * no empty line within the limit, or no memory (m->head.failed) */
static size_t front_lines(struct wssec_mime *m, const struct wssec_slice *slice, size_t n_slice, size_t limit)
{
    size_t octets = 0;
    bool empty = true;
    int before = 0;
    cs_buf_reset(&m->head);
    for (size_t i = 0; i < n_slice; i++) {
        for (size_t k = 0; k < slice[i].n; k++) {
            int c = slice[i].p[k];
            octets++;
            if (octets > limit || c == '\0') {
                return 0;
            }
            if (c == '\n' && before != '\r' && cs_buf_addc(&m->head, '\r') != 0) {
                return 0;
            }
            if (cs_buf_addc(&m->head, (char)c) != 0) {
                return 0;
            }
            if (c == '\n' && empty) {
                m->head.len -= 2;
                return octets;
            }
            empty = c == '\n' || (c == '\r' && empty);
            before = c;
        }
    }
    return 0;
}

static int first_octet(const struct wssec_slice *slice, size_t n_slice)
{
    for (size_t i = 0; i < n_slice; i++) {
        for (size_t k = 0; k < slice[i].n; k++) {
            if (slice[i].p[k] != '\r' && slice[i].p[k] != '\n') {
                return slice[i].p[k];
            }
        }
    }
    return -1;
}

int wssec_mime_front(struct wssec_mime *m, const struct wssec_slice *slice, size_t n_slice, const char *content_type,
                     const struct wssec_mime_limits *limits, struct wssec_mime_front *out)
{
    struct wssec_mime_field field[WSSEC_MIME_FIELDS];
    char detail[384];
    *out = (struct wssec_mime_front){WSSEC_MIME_PLAIN, 0, content_type};
    if (content_type != NULL) {
        out->kind = wssec_mime_is_multipart(content_type) ? WSSEC_MIME_PACKAGE : WSSEC_MIME_PLAIN;
        return WSSEC_RC_OK;
    }
    int c = first_octet(slice, n_slice);
    if (c == '-') {
        out->kind = WSSEC_MIME_PACKAGE;
        return WSSEC_RC_OK;
    }
    if ((c < 'A' || c > 'Z') && (c < 'a' || c > 'z')) {
        return WSSEC_RC_OK;
    }
    m->head.failed = false;
    size_t octets = front_lines(m, slice, n_slice, limits->header);
    int n = octets > 0 ? wssec_mime_front_fields(m->head.data, m->head.len, field, detail) : 0;
    for (int i = 0; i < n; i++) {
        if (wssec_mime_is_field(&field[i], "Content-Type")) {
            out->content_type = wssec_mime_unfold(&m->arena, &field[i]);
            out->octets = octets;
            out->kind = wssec_mime_is_multipart(out->content_type) ? WSSEC_MIME_PACKAGE : WSSEC_MIME_ENTITY;
            return out->content_type != NULL ? WSSEC_RC_OK : WSSEC_RC_NOMEM;
        }
    }
    return m->head.failed ? WSSEC_RC_NOMEM : WSSEC_RC_OK;
}

/* ---- ids
 * --------------------------------------------------------------------------------------------------------------- */

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Compare an id with a URI's text, whose escapes are undone if decode. @return 1, 0, or -1: the escapes are broken */
static int same_id(const char *id, const char *uri, bool decode)
{
    while (*uri != '\0') {
        int c = (unsigned char)*uri++;
        if (decode && c == '%') {
            int high = hex(uri[0]);
            int low = high >= 0 ? hex(uri[1]) : -1;
            if (low < 0 || (high == 0 && low == 0)) {
                return -1;
            }
            c = high * 16 + low;
            uri += 2;
        }
        if (c != (unsigned char)*id++) {
            return 0;
        }
    }
    return *id == '\0';
}

int wssec_mime_find(const struct wssec_mime *m, const char *uri)
{
    int found = -1;
    bool broken = false;
    if (strncasecmp(uri, "cid:", 4) != 0 || uri[4] == '\0') {
        return -1;
    }
    for (size_t i = 0; i < m->n_part; i++) {
        const char *id = m->part[i].id;
        int decoded = same_id(id, uri + 4, true);
        broken = broken || decoded < 0;
        /* some senders write an id into the URI as it stands, '%' and all */
        if (id[0] != '\0' && (decoded == 1 || same_id(id, uri + 4, false) == 1)) {
            if (found >= 0) {
                return -1;
            }
            found = (int)i;
        }
    }
    return found >= 0 ? found : broken ? -1 : 0;
}

/* ---- transfer encodings
 * ------------------------------------------------------------------------------------------------ */

struct undoing {
    wssec_mime_sink sink;
    void *ctx;
    size_t n;
    uint8_t out[PIECE];
    /* base64 */
    uint32_t bits;
    unsigned have, pads;
    /* quoted-printable */
    int escape[2];
    unsigned in_escape; /* octets behind '=' that were read, and 1 */
    int last;
};

static int give(struct undoing *u, uint8_t c)
{
    u->out[u->n++] = c;
    if (u->n < PIECE) {
        return 0;
    }
    u->n = 0;
    return u->sink(u->ctx, u->out, PIECE);
}

static int sextet(int c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Groups of four, nothing but white space between them, nothing behind the padding. @return 0, -1, 1 as
 * wssec_mime_content */
static int base64_octet(struct undoing *u, int c)
{
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        return 0;
    }
    if (c == '=') {
        u->pads++;
        return u->have + u->pads > 4 || u->have < 2 ? 1 : 0;
    }
    int s = sextet(c);
    if (s < 0 || u->pads > 0) {
        return 1;
    }
    u->bits = u->bits << 6 | (uint32_t)s;
    if (++u->have < 4) {
        return 0;
    }
    u->have = 0;
    int rc = give(u, (uint8_t)(u->bits >> 16));
    rc = rc == 0 ? give(u, (uint8_t)(u->bits >> 8)) : rc;
    return rc == 0 ? give(u, (uint8_t)u->bits) : rc;
}

static int base64_end(struct undoing *u)
{
    if (u->have == 0) {
        return 0;
    }
    unsigned octets = u->have - 1;
    uint32_t bits = u->bits << 6 * (4 - u->have);
    if (u->have + u->pads != 4 || u->have < 2 || (bits & (octets == 1 ? 0xFFFFu : 0xFFu)) != 0) {
        return 1;
    }
    int rc = give(u, (uint8_t)(bits >> 16));
    return rc == 0 && octets == 2 ? give(u, (uint8_t)(bits >> 8)) : rc;
}

/* RFC 2045 section 6.7, without the repairs that it allows. */
static int quoted_octet(struct undoing *u, int c)
{
    int before = u->last;
    u->last = c;
    if (u->in_escape != 0) {
        u->escape[u->in_escape++ - 1] = c;
        if (u->in_escape < 3) {
            return 0;
        }
        u->in_escape = 0;
        u->last = 'x';
        if (u->escape[0] == '\r' && u->escape[1] == '\n') {
            return 0; /* a soft line break */
        }
        int high = hex((char)u->escape[0]);
        int low = hex((char)u->escape[1]);
        return high < 0 || low < 0 ? 1 : give(u, (uint8_t)(high * 16 + low));
    }
    if (c == '=') {
        u->in_escape = 1;
        return 0;
    }
    bool line = (c == '\r' && before != ' ' && before != '\t') || (c == '\n' && before == '\r');
    bool text = (c >= ' ' && c < 127) || c == '\t';
    if (!(line || text) || (before == '\r' && c != '\n')) {
        return 1;
    }
    return give(u, (uint8_t)c);
}

static int quoted_end(const struct undoing *u)
{
    return u->in_escape != 0 || u->last == '\r' ? 1 : 0;
}

static int undo(struct undoing *u, enum wssec_mime_coding coding, const struct wssec_slice *s)
{
    int rc = 0;
    for (size_t i = 0; i < s->n && rc == 0; i++) {
        rc = coding == WSSEC_MIME_BASE64 ? base64_octet(u, s->p[i]) : quoted_octet(u, s->p[i]);
    }
    return rc;
}

int wssec_mime_content(const struct wssec_slice *slice, size_t n_slice, const struct wssec_mime_part *part,
                       wssec_mime_sink sink, void *ctx)
{
    struct undoing u = {.sink = sink, .ctx = ctx};
    size_t at = 0;
    int rc = 0;
    for (size_t i = 0; i < n_slice && at < part->content.to && rc == 0; at += slice[i].n, i++) {
        struct wssec_range here = {part->content.from > at ? part->content.from - at : 0, part->content.to - at};
        struct wssec_slice some;
        if (wssec_mime_slices(&slice[i], 1, here, &some) == 1) {
            rc = part->coding == WSSEC_MIME_IDENTITY ? sink(ctx, some.p, some.n) : undo(&u, part->coding, &some);
        }
    }
    if (rc == 0 && part->coding != WSSEC_MIME_IDENTITY) {
        rc = part->coding == WSSEC_MIME_BASE64 ? base64_end(&u) : quoted_end(&u);
    }
    return rc == 0 && u.n > 0 ? sink(ctx, u.out, u.n) : rc;
}
