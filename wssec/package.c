/* SPDX-License-Identifier: Apache-2.0 */
/* package.c: see package.h. */
#include "wssec/package.h"

#include <stdlib.h>
#include <string.h>

/* Room for n slices in an array that is kept. @return NULL: no memory */
static struct wssec_slice *room(struct wssec_slice **array, size_t *cap, size_t n)
{
    if (n > *cap) {
        struct wssec_slice *grown = reallocarray(*array, n, sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        *array = grown;
        *cap = n;
    }
    return *array;
}

static int take_root(struct wssec_package *k, struct wssec_range at, const char *content_type)
{
    struct wssec_slice *slice = room(&k->slice, &k->cap_slice, k->in->n_slice);
    if (slice == NULL) {
        return WSSEC_RC_NOMEM;
    }
    k->wrapped = true;
    k->root_at = at;
    k->root.slice = slice;
    k->root.n_slice = wssec_mime_slices(k->in->slice, k->in->n_slice, at, slice);
    k->root.content_type = content_type;
    return WSSEC_RC_OK;
}

void wssec_package_none(struct wssec_package *k)
{
    k->in = NULL;
    k->wrapped = false;
    k->mime.n_part = 0;
    k->mime.xop = false;
    k->n_include = 0;
}

/* What a file that was given by mistake is, by octets with which no message begins. NULL: it may be one. */
static const char *foreign(const struct wssec_input *in)
{
    static const struct {
        const char *octets;
        size_t n;
        const char *what;
    } kind[] = {
        {"-----BEGIN ", 11, "a PEM file (a certificate, a key), not a message"},
        {"\x30\x82", 2, "a DER file (a certificate, a key, PKCS#12), not a message"},
        {"%PDF-", 5, "a PDF, not a message"},
        {"PK\x03\x04", 4, "an archive (zip), not a message"},
        {"\x1f\x8b", 2, "compressed (gzip), not a message"},
        {"\x28\xb5\x2f\xfd", 4, "compressed (zstd), not a message"},
    };
    uint8_t head[11];
    size_t n = 0;
    for (size_t i = 0; i < in->n_slice && n < sizeof head; i++) {
        for (size_t k = 0; k < in->slice[i].n && n < sizeof head; k++) {
            head[n++] = in->slice[i].p[k];
        }
    }
    for (size_t i = 0; i < sizeof kind / sizeof kind[0]; i++) {
        if (n >= kind[i].n && memcmp(head, kind[i].octets, kind[i].n) == 0) {
            return kind[i].what;
        }
    }
    return NULL;
}

int wssec_package_open(struct wssec_package *k, const struct wssec_input *in, const struct wssec_limits *limits,
                       struct wssec_refusal *why)
{
    const struct wssec_mime_limits mime = {limits->parts, (size_t)limits->part_header};
    struct wssec_mime_front front;
    uint64_t octets = 0;
    for (size_t i = 0; i < in->n_slice; i++) {
        octets += in->slice[i].n;
    }
    wssec_package_none(k);
    k->in = in;
    k->root = *in;
    k->root_at = (struct wssec_range){0, (size_t)octets};
    const char *what = in->content_type == NULL ? foreign(in) : NULL;
    if (what != NULL) {
        (void)wssec_refuse(why, WSSEC_UNSUPPORTED_FORMAT, "it is %s", what);
        return WSSEC_RC_OK;
    }
    int rc = wssec_mime_front(&k->mime, in->slice, in->n_slice, in->content_type, &mime, &front);
    if (rc != WSSEC_RC_OK || front.kind == WSSEC_MIME_PLAIN) {
        return rc;
    }
    if (octets > limits->body) {
        (void)wssec_refuse(why, WSSEC_LIMIT_BODY, "the message has %llu octets", (unsigned long long)octets);
        return WSSEC_RC_OK;
    }
    if (front.kind == WSSEC_MIME_ENTITY) {
        return take_root(k, (struct wssec_range){front.octets, (size_t)octets}, front.content_type);
    }
    rc = wssec_mime_split(&k->mime, in->slice, in->n_slice, front.octets, front.content_type, &mime);
    if (rc == WSSEC_RC_OK && k->mime.reason != WSSEC_OK) {
        (void)wssec_refuse(why, k->mime.reason, "%s", k->mime.detail);
        return WSSEC_RC_OK;
    }
    return rc == WSSEC_RC_OK ? take_root(k, k->mime.part[0].content, k->mime.part[0].content_type) : rc;
}

int wssec_package_wrap(struct wssec_package *k, struct wssec_output *out)
{
    const struct wssec_input *in = k->in;
    if (!k->wrapped) {
        return WSSEC_RC_OK;
    }
    struct wssec_range front[2] = {{0, k->root_at.from}, {k->root_at.from, k->root_at.from}};
    struct wssec_range length = k->mime.n_part > 0 ? k->mime.part[0].length : (struct wssec_range){0, 0};
    if (length.to != 0) {
        front[0].to = length.from;
        front[1].from = length.to;
    }
    size_t side = in->slice == k->piece[0] ? 1 : 0;
    struct wssec_slice *piece = room(&k->piece[side], &k->cap_piece[side], 3 * in->n_slice + out->n_piece);
    if (piece == NULL) {
        return WSSEC_RC_NOMEM;
    }
    size_t n = wssec_mime_slices(in->slice, in->n_slice, front[0], piece);
    n += wssec_mime_slices(in->slice, in->n_slice, front[1], piece + n);
    if (out->n_piece > 0) {
        memcpy(piece + n, out->piece, out->n_piece * sizeof *piece);
    }
    n += out->n_piece;
    n += wssec_mime_slices(in->slice, in->n_slice, (struct wssec_range){k->root_at.to, SIZE_MAX}, piece + n);
    *out = (struct wssec_output){piece, n, 0};
    for (size_t i = 0; i < n; i++) {
        out->octets += piece[i].n;
    }
    return WSSEC_RC_OK;
}

static void move(struct wssec_range *r, size_t by)
{
    r->from += r->to > 0 ? by : 0;
    r->to += r->to > 0 ? by : 0;
}

/* Parts that an xop:Include of our Security header names: nobody else may name them, and without it nobody does. */
static void show_header_parts(const struct wssec_package *k, struct wssec_verdict *v, size_t behind)
{
    v->n_header_part = 0;
    for (size_t part = 1; part < k->mime.n_part && v->n_header_part < WSSEC_HEADER_PARTS; part++) {
        for (size_t i = 0; i < k->n_include; i++) {
            if (k->include[i].part == part && k->include[i].mark[0] == '\0') {
                v->header_part[v->n_header_part++] = (struct wssec_range){k->mime.part[part - 1].content.to + behind,
                                                                          k->mime.part[part].content.to + behind};
                break;
            }
        }
    }
}

void wssec_package_show(const struct wssec_package *k, struct wssec_verdict *v, size_t octets)
{
    struct wssec_range length = k->mime.n_part > 0 ? k->mime.part[0].length : (struct wssec_range){0, 0};
    if (!k->wrapped) {
        return;
    }
    v->root = k->root_at;
    v->root_length = length;
    if (octets != SIZE_MAX) { /* the length is gone */
        v->root.from -= length.to - length.from;
        v->root.to = v->root.from + octets;
        v->root_length = (struct wssec_range){0, 0};
    }
    move(&v->security, v->root.from);
    move(&v->header, v->root.from);
    show_header_parts(k, v, v->root.to - k->root_at.to);
}

void wssec_package_free(struct wssec_package *k)
{
    wssec_mime_free(&k->mime);
    free(k->include);
    free(k->slice);
    wssec_edition_free(k->edition[0]);
    wssec_edition_free(k->edition[1]);
    free(k->piece[0]);
    free(k->piece[1]);
    *k = (struct wssec_package){0};
}
