/* SPDX-License-Identifier: Apache-2.0 */
/*
 * package_edit.c: attachments that give way to their ciphertext, or the other way round. The package is put together
 * anew from its old octets and the new parts, and is split again by the reader that every package passes: it must have
 * the same parts, so no content can hold a delimiter and become two.
 */
#include <stdlib.h>
#include <string.h>

#include "wssec/package.h"

/* What one wssec_package_replace made; the one before may be the input still. */
struct wssec_edition {
    struct wssec_input in;
    struct wssec_slice *slice; /* owned */
    size_t n_slice, cap_slice;
    cs_buf *kept; /* owned: headers and contents */
    size_t n_kept;
};

static void clear(struct wssec_edition *e)
{
    for (size_t i = 0; i < e->n_kept; i++) {
        cs_buf_wipe(&e->kept[i]);
    }
    free(e->kept);
    e->kept = NULL;
    e->n_kept = 0;
    e->n_slice = 0;
}

void wssec_edition_free(struct wssec_edition *e)
{
    if (e != NULL) {
        clear(e);
        free(e->slice);
        free(e);
    }
}

int wssec_attachment_pass(const struct wssec_package *k, size_t part, wssec_mime_sink sink, void *ctx,
                          struct wssec_refusal *why)
{
    const struct wssec_mime_part *p = &k->mime.part[part];
    int rc = wssec_mime_content(k->in->slice, k->in->n_slice, p, sink, ctx);
    if (rc == 1) {
        (void)wssec_refuse(why, WSSEC_MIME_MALFORMED, "the attachment %.100s is not of its transfer encoding", p->id);
    }
    return rc < 0 ? WSSEC_RC_INTERNAL : WSSEC_RC_OK;
}

size_t wssec_attachment_most(const struct wssec_package *k, size_t part)
{
    return k->mime.part[part].content.to - k->mime.part[part].content.from;
}

uint8_t *wssec_attachment_room(const struct wssec_package *k, size_t n, cs_buf *heap)
{
    if (k->room != NULL && n >= WSSEC_ROOM_LEAST) {
        return k->room->take(k->room->ctx, n);
    }
    return cs_buf_reserve(heap, n) == 0 ? (uint8_t *)heap->data : NULL;
}

void wssec_part_edit_free(struct wssec_part_edit *e)
{
    cs_buf_wipe(&e->header);
    cs_buf_wipe(&e->heap);
    *e = (struct wssec_part_edit){.header = CS_BUF_INIT};
}

static bool is_replaced(const struct wssec_mime_field *f, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (wssec_mime_is_field(f, *names)) {
            return true;
        }
    }
    return false;
}

int wssec_attachment_fields(const struct wssec_package *k, size_t part, const char *const *without, cs_buf *out)
{
    struct wssec_mime_field field[WSSEC_MIME_FIELDS];
    char ignored[384];
    cs_buf text = CS_BUF_INIT;
    struct wssec_mime_part header = {.content = k->mime.part[part].header};
    (void)cs_buf_adds(&text, "");
    int rc = wssec_mime_content(k->in->slice, k->in->n_slice, &header, wssec_to_buffer, &text);
    int n = rc == 0 ? wssec_mime_fields(text.data, text.len, field, ignored) : 0;
    for (int i = 0; i < n; i++) {
        if (!is_replaced(&field[i], without)) {
            (void)cs_buf_add(out, text.data + field[i].from, field[i].to - field[i].from);
        }
    }
    cs_buf_free(&text);
    return rc == 0 && n >= 0 && !out->failed ? WSSEC_RC_OK : WSSEC_RC_NOMEM;
}

static struct wssec_edition *edition_new(struct wssec_package *k, size_t n_slice, size_t n_kept)
{
    k->side ^= 1;
    struct wssec_edition *e = k->edition[k->side];
    if (e == NULL && (e = k->edition[k->side] = calloc(1, sizeof *e)) == NULL) {
        return NULL;
    }
    clear(e);
    e->kept = calloc(n_kept, sizeof *e->kept);
    if (n_slice > e->cap_slice) {
        struct wssec_slice *grown = reallocarray(e->slice, n_slice, sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        e->slice = grown;
        e->cap_slice = n_slice;
    }
    return e->kept != NULL ? e : NULL;
}

/* b is kept as long as the edition, and octets of it become a slice. */
static void add(struct wssec_edition *e, cs_buf *b, struct wssec_slice octets)
{
    e->kept[e->n_kept++] = *b;
    *b = (cs_buf)CS_BUF_INIT;
    if (octets.n > 0) {
        e->slice[e->n_slice++] = octets;
    }
}

int wssec_package_replace(struct wssec_package *k, const struct wssec_limits *limits, struct wssec_part_edit *edit,
                          size_t n, struct wssec_refusal *why)
{
    static const char separator[] = "\r\n";
    const struct wssec_input *in = k->in;
    size_t parts = k->mime.n_part;
    size_t at = 0;
    struct wssec_edition *e = edition_new(k, (n + 1) * (in->n_slice + 3), 2 * n);
    size_t *octets = calloc(n > 0 ? n : 1, sizeof *octets);
    int rc = e != NULL && octets != NULL ? WSSEC_RC_OK : WSSEC_RC_NOMEM;
    for (size_t i = 0; i < n && rc == WSSEC_RC_OK; i++) { /* sorted by part */
        const struct wssec_mime_part *p = &k->mime.part[edit[i].part];
        e->n_slice +=
            wssec_mime_slices(in->slice, in->n_slice, (struct wssec_range){at, p->header.from}, e->slice + e->n_slice);
        octets[i] = edit[i].content.n;
        add(e, &edit[i].header, (struct wssec_slice){(const uint8_t *)edit[i].header.data, edit[i].header.len});
        e->slice[e->n_slice++] = (struct wssec_slice){(const uint8_t *)separator, 2};
        add(e, &edit[i].heap, edit[i].content);
        at = p->content.to;
    }
    if (rc == WSSEC_RC_OK) {
        e->n_slice +=
            wssec_mime_slices(in->slice, in->n_slice, (struct wssec_range){at, SIZE_MAX}, e->slice + e->n_slice);
        e->in = *in;
        e->in.slice = e->slice;
        e->in.n_slice = e->n_slice;
        rc = wssec_package_open(k, &e->in, limits, why);
    }
    for (size_t i = 0; i < n && rc == WSSEC_RC_OK && why->reason == WSSEC_OK; i++) {
        const struct wssec_mime_part *p = k->mime.n_part == parts ? &k->mime.part[edit[i].part] : NULL;
        if (p == NULL || p->content.to - p->content.from != octets[i]) {
            (void)wssec_refuse(why, WSSEC_MIME_MALFORMED, "an attachment holds the boundary of its package");
        }
    }
    free(octets);
    return rc;
}
