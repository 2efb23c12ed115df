/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attachment.c: the octets of an attachment that a signature covers (SwA profile 1.1, 4.4 and 5.3). Content is
 * canonical by media type: XML by exclusive canonicalization, text with CR LF as line ends, all else as it is. A header
 * field whose canonical form stacks do not agree on (comments, encoded words) is refused, not guessed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wssec/package.h"
#include "wssec/worker.h"

struct writing {
    wssec_canon_sink sink;
    void *ctx;
    bool after_cr;
    cs_buf *text; /* an XML attachment is collected; limit octets of it */
    size_t limit;
};

static int to_text(void *ctx, const void *p, size_t n)
{
    struct writing *w = ctx;
    if (n > w->limit - w->text->len) {
        w->limit = 0;
        return -1;
    }
    return cs_buf_add(w->text, p, n);
}

/* Each of CR LF, CR and LF is a line end and comes out as CR LF. */
static int to_lines(void *ctx, const void *p, size_t n)
{
    struct writing *w = ctx;
    const char *at = p;
    const char *end = at + n;
    while (at < end) {
        const char *stop = at;
        while (stop < end && *stop != '\r' && *stop != '\n') {
            stop++;
        }
        if (stop > at && w->sink(w->ctx, at, (size_t)(stop - at)) != 0) {
            return -1;
        }
        if (stop == end) {
            w->after_cr = false;
            return 0;
        }
        bool second = *stop == '\n' && w->after_cr && stop == at;
        if (!second && w->sink(w->ctx, "\r\n", 2) != 0) {
            return -1;
        }
        w->after_cr = *stop == '\r';
        at = stop + 1;
    }
    return 0;
}

static bool is_xml(const char *type)
{
    size_t n = strlen(type);
    bool plus = n > 4 && strcmp(type + n - 4, "+xml") == 0;
    return strcmp(type, "text/xml") == 0 || strcmp(type, "application/xml") == 0 ||
           (plus && (strncmp(type, "application/", 12) == 0 || strncmp(type, "image/", 6) == 0));
}

static int undone(const struct wssec_mime_part *part, int rc, const struct writing *w, struct wssec_refusal *why)
{
    if (rc == 1) {
        (void)wssec_refuse(why, WSSEC_MIME_MALFORMED, "the attachment %.100s is not of its transfer encoding",
                           part->id);
        return WSSEC_RC_OK;
    }
    if (rc < 0 && w->text != NULL && w->limit == 0) {
        (void)wssec_refuse(why, WSSEC_LIMIT_DOM, "the XML attachment %.100s is larger than limits { dom }", part->id);
        return WSSEC_RC_OK;
    }
    return rc == 0 ? WSSEC_RC_OK : w->text != NULL ? WSSEC_RC_NOMEM : WSSEC_RC_INTERNAL;
}

/* A document of its own, under the rules of every message: no document type, no other encoding than it says. */
static int write_xml(struct wssec_worker *worker, const struct wssec_policy *p, const struct wssec_mime_part *part,
                     cs_buf *text, const struct writing *w, struct wssec_refusal *why)
{
    struct wssec_slice slice = {(const uint8_t *)text->data, text->len};
    const struct wssec_input in = {.slice = &slice, .n_slice = 1, .content_type = part->content_type};
    struct wssec_message m = {0};
    struct wssec_refusal bad = {WSSEC_OK, ""};
    int rc = wssec_document_read(worker, &in, p, &m, &bad);
    if (rc == WSSEC_RC_OK && bad.reason == WSSEC_OK && m.scan.comments > 0 && !p->comments_allowed) {
        (void)wssec_refuse(&bad, WSSEC_COMMENT_IN_SIGNED_PART, "it holds a comment");
    }
    if (rc == WSSEC_RC_OK && bad.reason == WSSEC_OK) {
        rc = wssec_canon_document(m.doc, w->sink, w->ctx);
    }
    if (bad.reason != WSSEC_OK) {
        (void)wssec_refuse(why, bad.reason, "attachment %.100s: %.200s", part->id, bad.detail);
    }
    wssec_message_free(&m);
    return rc;
}

static int write_content(struct wssec_worker *worker, const struct wssec_policy *p, const struct wssec_mime_part *part,
                         struct writing *w, struct wssec_refusal *why)
{
    const struct wssec_input *in = worker->package.in;
    if (is_xml(part->type)) {
        cs_buf text = CS_BUF_INIT;
        w->text = &text;
        w->limit = p->limits.dom < SIZE_MAX ? (size_t)p->limits.dom : SIZE_MAX - 1;
        int rc = undone(part, wssec_mime_content(in->slice, in->n_slice, part, to_text, w), w, why);
        if (rc == WSSEC_RC_OK && why->reason == WSSEC_OK) {
            rc = write_xml(worker, p, part, &text, w, why);
        }
        cs_buf_free(&text);
        return rc;
    }
    /* a part without a type is text (RFC 2045) */
    bool lines = part->type[0] == '\0' || strncmp(part->type, "text/", 5) == 0;
    wssec_mime_sink sink = lines ? to_lines : w->sink;
    return undone(part, wssec_mime_content(in->slice, in->n_slice, part, sink, lines ? w : w->ctx), w, why);
}

/* ---- header
 * ---------------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct wssec_mime_parameter *x = a;
    const struct wssec_mime_parameter *y = b;
    return strcmp(x->name, y->name);
}

/* Parameters whose values have no case. */
static bool is_caseless(const char *name)
{
    static const char *const names[] = {"charset", "creation-date", "filename", "modification-date",
                                        "padding", "read-date",     "size",     "type"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* "text/plain; Charset=us-ascii" -> text/plain;charset="us-ascii". @return 1, 0, -1 as canonical_header */
static int add_structured(struct wssec_arena *arena, const char *text, cs_buf *out)
{
    struct wssec_mime_value v;
    int rc = wssec_mime_value_read(arena, text, &v);
    if (rc != 1) {
        return rc;
    }
    (void)cs_buf_adds(out, v.word);
    qsort(v.parameter, v.n_parameter, sizeof v.parameter[0], by_name);
    for (size_t i = 0; i < v.n_parameter; i++) {
        const struct wssec_mime_parameter *p = &v.parameter[i];
        bool caseless = is_caseless(p->name);
        (void)cs_buf_addf(out, ";%s=\"", p->name);
        for (size_t k = 0; k < p->value_n; k++) {
            char c = p->value[k];
            if (c == '"' || c == '\\') {
                (void)cs_buf_addc(out, '\\');
            }
            (void)cs_buf_addc(out, caseless && c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
        }
        (void)cs_buf_addc(out, '"');
    }
    return out->failed ? -1 : 1;
}

static bool is_plain(const char *text, bool structured)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p < ' ' && *p != '\t') { /* beyond ASCII is negative */
            return false;
        }
    }
    return structured || (strchr(text, '(') == NULL && strstr(text, "=?") == NULL);
}

/* Fields that belong to the canonical header, in its order. */
static const struct {
    const char *name;
    bool structured;
} signed_fields[] = {{"Content-Description", false},
                     {"Content-Disposition", true},
                     {"Content-ID", false},
                     {"Content-Location", false},
                     {"Content-Type", true}};

/* The canonical header of an attachment, added to out. @return 1; 0: with fields that have no canonical form (detail
 * says which); -1: no memory */
static int canonical_header(struct wssec_arena *arena, const char *text, size_t n, cs_buf *out, char detail[384])
{
    struct wssec_mime_field field[WSSEC_MIME_FIELDS];
    int count = wssec_mime_fields(text, n, field, detail);
    bool typed = false;
    for (size_t s = 0; s < sizeof signed_fields / sizeof signed_fields[0] && count >= 0; s++) {
        for (int i = 0; i < count; i++) {
            if (!wssec_mime_is_field(&field[i], signed_fields[s].name)) {
                continue;
            }
            char *value = wssec_mime_unfold(arena, &field[i]);
            int rc = value != NULL ? is_plain(value, signed_fields[s].structured) : -1;
            (void)cs_buf_addf(out, "%s:", signed_fields[s].name);
            if (rc == 1 && signed_fields[s].structured) {
                rc = add_structured(arena, value, out);
            } else if (rc == 1) {
                (void)cs_buf_adds(out, value);
            }
            if (rc != 1) {
                (void)snprintf(detail, 384, "its %s has no canonical form", signed_fields[s].name);
                return rc;
            }
            (void)cs_buf_adds(out, "\r\n");
            typed = typed || strcmp(signed_fields[s].name, "Content-Type") == 0;
        }
    }
    if (!typed) {
        (void)cs_buf_adds(out, "Content-Type:text/plain;charset=\"us-ascii\"\r\n");
    }
    return out->failed ? -1 : count >= 0;
}

static int write_header(struct wssec_worker *worker, const struct wssec_mime_part *part, const struct writing *w,
                        struct wssec_refusal *why)
{
    const struct wssec_input *in = worker->package.in;
    char detail[384] = "";
    cs_buf text = CS_BUF_INIT;
    cs_buf header = CS_BUF_INIT;
    struct wssec_slice *slice = wssec_arena_take(&worker->arena, (in->n_slice + 1) * sizeof *slice);
    size_t n = slice != NULL ? wssec_mime_slices(in->slice, in->n_slice, part->header, slice) : 0;
    for (size_t i = 0; i < n; i++) {
        (void)cs_buf_add(&text, slice[i].p, slice[i].n);
    }
    int rc = slice == NULL || text.failed
                 ? -1
                 : canonical_header(&worker->arena, text.data != NULL ? text.data : "", text.len, &header, detail);
    if (rc == 0) {
        (void)wssec_refuse(why, WSSEC_MIME_MALFORMED, "attachment %.100s: %s", part->id, detail);
    }
    int done = rc < 0 ? WSSEC_RC_NOMEM : WSSEC_RC_OK;
    if (rc == 1 && w->sink(w->ctx, header.data, header.len) != 0) {
        done = WSSEC_RC_INTERNAL;
    }
    cs_buf_free(&text);
    cs_buf_free(&header);
    return done;
}

int wssec_attachment_write(struct wssec_worker *worker, const struct wssec_policy *p, size_t part,
                           enum wssec_attachment_form form, wssec_canon_sink sink, void *ctx, struct wssec_refusal *why)
{
    struct writing w = {.sink = sink, .ctx = ctx};
    const struct wssec_mime_part *at = &worker->package.mime.part[part];
    if (form != WSSEC_ATTACHMENT_CONTENT) {
        int rc = write_header(worker, at, &w, why);
        if (rc != WSSEC_RC_OK || why->reason != WSSEC_OK) {
            return rc;
        }
        if (form == WSSEC_ATTACHMENT_COMPLETE_SPACED && sink(ctx, "\r\n", 2) != 0) {
            return WSSEC_RC_INTERNAL;
        }
    }
    return write_content(worker, p, at, &w, why);
}
