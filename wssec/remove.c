/* SPDX-License-Identifier: Apache-2.0 */
/* remove.c: a verified message without our Security header; an empty soap:Header goes with it. */
#include "wssec/splice.h"

/* Reads the input character by character; only ASCII matters here, so anything else may be any other character. */
struct reader {
    const struct wssec_input *in;
    size_t unit; /* octets of a code unit */
    size_t low;  /* which of them is the low one */
};

static int octet_at(const struct wssec_input *in, size_t offset)
{
    for (size_t i = 0; i < in->n_slice; i++) {
        if (offset < in->slice[i].n) {
            return in->slice[i].p[offset];
        }
        offset -= in->slice[i].n;
    }
    return -1;
}

/* @param from where the document begins */
static struct reader reader_of(const struct wssec_input *in, size_t from)
{
    int first = octet_at(in, from);
    int second = octet_at(in, from + 1);
    if (first == 0xFF && second == 0xFE) {
        return (struct reader){in, 2, 0};
    }
    return first == 0xFE && second == 0xFF ? (struct reader){in, 2, 1} : (struct reader){in, 1, 0};
}

/* The character at an offset; 0x100: one beyond ASCII. */
static int char_at(const struct reader *r, size_t offset)
{
    int c = octet_at(r->in, offset + r->low);
    int high = r->unit == 2 ? octet_at(r->in, offset + 1 - r->low) : 0;
    return c < 0 || c >= 0x80 || high != 0 ? 0x100 : c;
}

/* [from,to) is exactly one tag with nothing but white space behind (or, for an end tag, before) it. */
static bool only_a_tag(const struct reader *r, size_t from, size_t to)
{
    int quote = 0;
    unsigned tags = 0;
    bool inside = false;
    for (size_t at = from; at + r->unit <= to; at += r->unit) {
        int c = char_at(r, at);
        if (!inside && c == '<') {
            inside = true;
            tags++;
        } else if (!inside && c != ' ' && c != '\t' && c != '\r' && c != '\n') {
            return false;
        } else if (inside && quote != 0) {
            quote = c == quote ? 0 : quote;
        } else if (inside && (c == '"' || c == '\'')) {
            quote = c;
        } else if (inside && c == '>') {
            inside = false;
        }
    }
    return tags == 1 && !inside;
}

int wssec_remove_header(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_verdict *v,
                        struct wssec_output *out)
{
    struct reader r = reader_of(in, v->root.from);
    struct wssec_range cut = v->security;
    *out = (struct wssec_output){NULL, 0, 0};
    if (v->verdict != WSSEC_PASS) {
        return WSSEC_RC_USAGE;
    }
    if (cut.to > cut.from && v->header.from < cut.from && cut.to < v->header.to &&
        only_a_tag(&r, v->header.from, cut.from) && only_a_tag(&r, cut.to, v->header.to)) {
        cut = v->header;
    }
    struct wssec_edit edit[2 + WSSEC_HEADER_PARTS];
    size_t n = 0;
    if (cut.to > cut.from && v->root_length.to > 0) {
        edit[n++] = (struct wssec_edit){v->root_length.from, v->root_length.to, "", 0};
    }
    if (cut.to > cut.from) {
        edit[n++] = (struct wssec_edit){cut.from, cut.to, "", 0};
    }
    for (unsigned i = 0; i < v->n_header_part && i < WSSEC_HEADER_PARTS; i++) {
        edit[n++] = (struct wssec_edit){v->header_part[i].from, v->header_part[i].to, "", 0};
    }
    return wssec_splice(w, in, WSSEC_CODING_UTF8, edit, n, out);
}
