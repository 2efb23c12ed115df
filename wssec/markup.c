/* SPDX-License-Identifier: Apache-2.0 */
/* markup.c: see markup.h. */
#include "wssec/markup.h"

#include <string.h>
#include <strings.h>

/* ---- tokens ---------------------------------------------------------------------------------------------------- */

/* Behind the first end at or after at, 0: there is none. */
static size_t behind(const struct wssec_markup *m, size_t at, const char *end)
{
    size_t n = strlen(end);
    const char *hit = at <= m->n ? memmem(m->p + at, m->n - at, end, n) : NULL;
    return hit != NULL ? (size_t)(hit - m->p) + n : 0;
}

static bool begins(const struct wssec_markup *m, const char *with)
{
    size_t n = strlen(with);
    return m->n - m->from >= n && memcmp(m->p + m->from, with, n) == 0;
}

/* Behind the '>' of a tag, 0: it does not end. A '>' may stand in an attribute's value. */
static size_t tag_end(const struct wssec_markup *m)
{
    char quote = '\0';
    for (size_t i = m->from + 1; i < m->n; i++) {
        char c = m->p[i];
        if (quote != '\0') {
            quote = c == quote ? '\0' : quote;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '>') {
            return i + 1;
        } else if (c == '<') {
            return 0;
        }
    }
    return 0;
}

enum wssec_markup_kind wssec_markup_next(struct wssec_markup *m)
{
    static const struct {
        const char *begin, *end;
        enum wssec_markup_kind kind;
    } spans[] = {{"<!--", "-->", WSSEC_MARKUP_COMMENT},
                 {"<![CDATA[", "]]>", WSSEC_MARKUP_CDATA},
                 {"<?", "?>", WSSEC_MARKUP_INSTRUCTION}};
    m->from = m->to;
    if (m->from >= m->n) {
        return WSSEC_MARKUP_END;
    }
    if (m->p[m->from] != '<') {
        const char *hit = memchr(m->p + m->from, '<', m->n - m->from);
        m->to = hit != NULL ? (size_t)(hit - m->p) : m->n;
        return WSSEC_MARKUP_TEXT;
    }
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        if (begins(m, spans[i].begin)) {
            m->to = behind(m, m->from + strlen(spans[i].begin), spans[i].end);
            return m->to != 0 ? spans[i].kind : WSSEC_MARKUP_BROKEN;
        }
    }
    if (begins(m, "<!")) {
        return WSSEC_MARKUP_BROKEN;
    }
    m->to = tag_end(m);
    if (m->to == 0) {
        return WSSEC_MARKUP_BROKEN;
    }
    if (begins(m, "</")) {
        return WSSEC_MARKUP_CLOSE;
    }
    return m->p[m->to - 2] == '/' ? WSSEC_MARKUP_EMPTY : WSSEC_MARKUP_OPEN;
}

/* ---- elements of the tree -------------------------------------------------------------------------------------- */

/* The next element in document order. */
static const xmlNode *following(const xmlNode *node, const xmlNode *root)
{
    const xmlNode *inner = wssec_first_element(node);
    if (inner != NULL) {
        return inner;
    }
    while (node != root) {
        const xmlNode *next = wssec_next_element(node);
        if (next != NULL) {
            return next;
        }
        node = node->parent;
    }
    return NULL;
}

static bool named(const struct wssec_markup *t, const xmlNode *node)
{
    const char *prefix = node->ns != NULL && node->ns->prefix != NULL ? (const char *)node->ns->prefix : NULL;
    size_t n = prefix != NULL ? strlen(prefix) : 0;
    const char *p = t->p + t->from + 1;
    size_t left = t->to - t->from - 1;
    if (prefix != NULL && (left <= n + 1 || memcmp(p, prefix, n) != 0 || p[n] != ':')) {
        return false;
    }
    p += prefix != NULL ? n + 1 : 0;
    left -= prefix != NULL ? n + 1 : 0;
    size_t local = strlen((const char *)node->name);
    return left > local && memcmp(p, node->name, local) == 0 && strchr(" \t\r\n/>", p[local]) != NULL;
}

/* Begin every place asked for at this element. */
static void opened(struct wssec_place *place, size_t n, const xmlNode *node, const struct wssec_markup *t, bool empty)
{
    for (size_t i = 0; i < n; i++) {
        if (place[i].node == node) {
            place[i].from = t->from;
            place[i].open_end = t->to;
            place[i].close_from = place[i].to = empty ? t->to : 0;
            place[i].empty = empty;
        }
    }
}

static void closed(struct wssec_place *place, size_t n, const xmlNode *node, const struct wssec_markup *t)
{
    for (size_t i = 0; i < n; i++) {
        if (place[i].node == node) {
            place[i].close_from = t->from;
            place[i].to = t->to;
        }
    }
}

int wssec_markup_locate(const struct wssec_message *m, const char *text, size_t size, struct wssec_place *place,
                        size_t n)
{
    struct wssec_markup t = {.p = text, .n = size};
    const xmlNode *root = m->envelope;
    const xmlNode *expected = root;
    const xmlNode *open = NULL;
    enum wssec_markup_kind kind = wssec_markup_next(&t);
    for (; kind != WSSEC_MARKUP_END && kind != WSSEC_MARKUP_BROKEN; kind = wssec_markup_next(&t)) {
        if (kind == WSSEC_MARKUP_OPEN || kind == WSSEC_MARKUP_EMPTY) {
            if (expected == NULL || !named(&t, expected)) {
                return -1;
            }
            opened(place, n, expected, &t, kind == WSSEC_MARKUP_EMPTY);
            open = kind == WSSEC_MARKUP_OPEN ? expected : open;
            expected = following(expected, root);
        } else if (kind == WSSEC_MARKUP_CLOSE) {
            if (open == NULL) {
                return -1;
            }
            closed(place, n, open, &t);
            open = open != root ? open->parent : NULL;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (place[i].to == 0) {
            return -1;
        }
    }
    return kind == WSSEC_MARKUP_END && expected == NULL && open == NULL ? 0 : -1;
}

/* ---- a text by itself ------------------------------------------------------------------------------------------ */

static bool only_space(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r' && p[i] != '\n') {
            return false;
        }
    }
    return true;
}

int wssec_markup_fragment(const char *text, size_t n, struct wssec_fragment *out)
{
    struct wssec_markup t = {.p = text, .n = n};
    size_t depth = 0;
    *out = (struct wssec_fragment){0, false};
    for (;;) {
        switch (wssec_markup_next(&t)) {
        case WSSEC_MARKUP_END: return depth == 0 ? 0 : -1;
        case WSSEC_MARKUP_BROKEN: return -1;
        case WSSEC_MARKUP_OPEN: out->elements += depth++ == 0; break;
        case WSSEC_MARKUP_EMPTY: out->elements += depth == 0; break;
        case WSSEC_MARKUP_CLOSE:
            if (depth == 0) {
                return -1; /* it would close what stands around it */
            }
            depth--;
            break;
        case WSSEC_MARKUP_TEXT:
            out->text = out->text || (depth == 0 && !only_space(text + t.from, t.to - t.from));
            break;
        case WSSEC_MARKUP_CDATA: out->text = out->text || depth == 0; break;
        case WSSEC_MARKUP_INSTRUCTION:
            if (t.to - t.from >= 7 && strncasecmp(text + t.from + 2, "xml", 3) == 0 &&
                only_space(text + t.from + 5, 1)) {
                return -1; /* an XML declaration */
            }
            break;
        case WSSEC_MARKUP_COMMENT: break;
        }
    }
}
