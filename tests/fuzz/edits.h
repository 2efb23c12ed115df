/* SPDX-License-Identifier: Apache-2.0 */
/* edits.h: an input as a small program that changes a message at its tags, shared by targets that start from good ones.
 */
#ifndef TESTS_FUZZ_EDITS_H
#define TESTS_FUZZ_EDITS_H

#include "tests/unit/soapmaker.h"

struct edits { /* a program: octets that choose */
    const uint8_t *p;
    size_t n;
};

static MAKER_UNUSED unsigned edits_octet(struct edits *in)
{
    if (in->n == 0) {
        return 0;
    }
    in->n--;
    return *in->p++;
}

static MAKER_UNUSED char *edits_copy(const char *p, size_t n)
{
    char *copy = malloc(n + 1);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

static MAKER_UNUSED void edits_put(cs_buf *t, size_t at, const char *what, size_t n)
{
    cs_buf out = CS_BUF_INIT;
    cs_buf_add(&out, t->data, at);
    cs_buf_add(&out, what, n);
    cs_buf_add(&out, t->data + at, t->len - at);
    cs_buf_free(t);
    *t = out;
}

/* One change: a piece between two places is cut, moved or copied, a snippet comes to a place, an octet becomes another.
 * place: where the so-manieth one is. */
static MAKER_UNUSED void edits_apply_at(cs_buf *t, struct edits *in, size_t (*place)(const cs_buf *, unsigned),
                                        const char *const *snippet, size_t snippets)
{
    unsigned what = edits_octet(in) % 5;
    size_t from = place(t, edits_octet(in));
    size_t to = place(t, edits_octet(in));
    if (to < from) {
        size_t swap = from;
        from = to;
        to = swap;
    }
    if (what == 0 || what == 1) { /* cut, or move */
        char *piece = edits_copy(t->data + from, to - from);
        memmove(t->data + from, t->data + to, t->len - to + 1);
        t->len -= to - from;
        if (what == 1) {
            edits_put(t, place(t, edits_octet(in)), piece, to - from);
        }
        free(piece);
    } else if (what == 2) { /* copy */
        char *piece = edits_copy(t->data + from, to - from);
        edits_put(t, place(t, edits_octet(in)), piece, to - from);
        free(piece);
    } else if (what == 3) {
        const char *s = snippet[edits_octet(in) % snippets];
        size_t at = s[0] == ' ' ? from + strcspn(t->data + from, " />") : from;
        edits_put(t, at < t->len ? at : t->len, s, strlen(s));
    } else if (t->len > 0) {
        size_t at = (edits_octet(in) * (size_t)256 + edits_octet(in)) % t->len;
        t->data[at] = (char)edits_octet(in);
    }
}

/* The same between tags. */
static MAKER_UNUSED void edits_apply(cs_buf *t, struct edits *in, const char *const *snippet, size_t snippets)
{
    edits_apply_at(t, in, maker_tag, snippet, snippets);
}

#endif
