/* SPDX-License-Identifier: Apache-2.0 */
/* splice.c: the pieces of an edited message: ranges of the input and what stands between them. */
#include "wssec/splice.h"

#include <stdlib.h>

/* Room for one more piece. @return NULL: no memory */
static struct wssec_slice *piece_new(struct wssec_worker *w)
{
    if (w->n_piece == w->cap_piece) {
        size_t cap = w->cap_piece != 0 ? w->cap_piece * 2 : 32;
        struct wssec_slice *grown = reallocarray(w->piece, cap, sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        w->piece = grown;
        w->cap_piece = cap;
    }
    return &w->piece[w->n_piece++];
}

/* Where in the input the next untouched octet stands. */
struct cursor {
    const struct wssec_input *in;
    size_t slice;
    size_t at; /* within that slice */
    size_t offset;
};

/* Walk to an offset; what is passed becomes pieces when w is given. @return WSSEC_RC_* */
static int go(struct cursor *c, size_t to, struct wssec_worker *w)
{
    while (c->offset < to) {
        if (c->slice == c->in->n_slice) {
            return WSSEC_RC_INTERNAL;
        }
        const struct wssec_slice *s = &c->in->slice[c->slice];
        size_t take = s->n - c->at < to - c->offset ? s->n - c->at : to - c->offset;
        if (w != NULL && take != 0) {
            struct wssec_slice *piece = piece_new(w);
            if (piece == NULL) {
                return WSSEC_RC_NOMEM;
            }
            *piece = (struct wssec_slice){s->p + c->at, take};
        }
        c->at += take;
        c->offset += take;
        if (c->at == s->n) {
            c->slice++;
            c->at = 0;
        }
    }
    return WSSEC_RC_OK;
}

/* The text of all edits, coded, in w->out; its growth must be over before pieces point into it. */
static int code_texts(struct wssec_worker *w, enum wssec_coding coding, const struct wssec_edit *edit, size_t n_edit)
{
    cs_buf_reset(&w->out);
    for (size_t i = 0; i < n_edit; i++) {
        if (wssec_encode(coding, edit[i].text, edit[i].n, &w->out) != 0) {
            return w->out.failed ? WSSEC_RC_NOMEM : WSSEC_RC_INTERNAL;
        }
    }
    return WSSEC_RC_OK;
}

/* Octets that a text has in the coding: as code_texts() wrote it. */
static size_t coded_octets(enum wssec_coding coding, const struct wssec_edit *edit)
{
    if (coding == WSSEC_CODING_UTF8) {
        return edit->n;
    }
    size_t n = 0;
    for (size_t i = 0; i < edit->n; i++) {
        uint8_t c = (uint8_t)edit->text[i];
        if ((c & 0xC0) != 0x80) {
            n += coding == WSSEC_CODING_LATIN1 ? 1 : c >= 0xF0 ? 4 : 2;
        }
    }
    return n;
}

int wssec_splice(struct wssec_worker *w, const struct wssec_input *in, enum wssec_coding coding,
                 const struct wssec_edit *edit, size_t n_edit, struct wssec_output *out)
{
    struct cursor c = {in, 0, 0, 0};
    size_t total = 0;
    size_t text_at = 0;
    *out = (struct wssec_output){NULL, 0, 0};
    w->n_piece = 0;
    for (size_t i = 0; i < in->n_slice; i++) {
        total += in->slice[i].n;
    }
    int rc = code_texts(w, coding, edit, n_edit);
    for (size_t i = 0; i < n_edit && rc == WSSEC_RC_OK; i++) {
        if (edit[i].from < c.offset || edit[i].to < edit[i].from || edit[i].to > total) {
            return WSSEC_RC_INTERNAL;
        }
        size_t n = coded_octets(coding, &edit[i]);
        rc = go(&c, edit[i].from, w);
        if (rc == WSSEC_RC_OK && n != 0) {
            struct wssec_slice *piece = piece_new(w);
            if (piece == NULL) {
                return WSSEC_RC_NOMEM;
            }
            *piece = (struct wssec_slice){(const uint8_t *)w->out.data + text_at, n};
            text_at += n;
        }
        if (rc == WSSEC_RC_OK) {
            rc = go(&c, edit[i].to, NULL);
        }
    }
    if (rc == WSSEC_RC_OK) {
        rc = go(&c, total, w);
    }
    if (rc != WSSEC_RC_OK) {
        return rc;
    }
    for (size_t i = 0; i < w->n_piece; i++) {
        out->octets += w->piece[i].n;
    }
    out->piece = w->piece;
    out->n_piece = w->n_piece;
    return WSSEC_RC_OK;
}
