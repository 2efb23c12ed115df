/* SPDX-License-Identifier: Apache-2.0 */
/* markup.c: see markup.h. */
#include "wssec/markup.h"

#include <string.h>
#include <strings.h>

/* ---- tokens ---------------------------------------------------------------------------------------------------- */

enum token {
    TOKEN_END, /**< nothing is left */
    TOKEN_TEXT,
    TOKEN_OPEN,
    TOKEN_EMPTY, /**< <a/> */
    TOKEN_CLOSE,
    TOKEN_COMMENT,
    TOKEN_CDATA,
    TOKEN_INSTRUCTION,
    TOKEN_BROKEN /**< begins and does not end, or a declaration */
};

struct walk { /** The text is borrowed. */
    const char *p;
    size_t n;
    size_t from, to; /**< octets of the token that next_token() gave */
};

/* Behind the first end at or after at, 0: there is none. */
static size_t behind(const struct walk *m, size_t at, const char *end)
{
    size_t n = strlen(end);
    const char *hit = at <= m->n ? memmem(m->p + at, m->n - at, end, n) : NULL;
    return hit != NULL ? (size_t)(hit - m->p) + n : 0;
}

static bool begins(const struct walk *m, const char *with)
{
    size_t n = strlen(with);
    return m->n - m->from >= n && memcmp(m->p + m->from, with, n) == 0;
}

/* Behind the '>' of a tag, 0: it does not end. A '>' may stand in an attribute's value. */
static size_t tag_end(const struct walk *m)
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

/* The next token. Behind END or BROKEN it may not be called again. */
static enum token next_token(struct walk *m)
{
    static const struct {
        const char *begin, *end;
        enum token kind;
    } spans[] = {{"<!--", "-->", TOKEN_COMMENT}, {"<![CDATA[", "]]>", TOKEN_CDATA}, {"<?", "?>", TOKEN_INSTRUCTION}};
    m->from = m->to;
    if (m->from >= m->n) {
        return TOKEN_END;
    }
    if (m->p[m->from] != '<') {
        const char *hit = memchr(m->p + m->from, '<', m->n - m->from);
        m->to = hit != NULL ? (size_t)(hit - m->p) : m->n;
        return TOKEN_TEXT;
    }
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        if (begins(m, spans[i].begin)) {
            m->to = behind(m, m->from + strlen(spans[i].begin), spans[i].end);
            return m->to != 0 ? spans[i].kind : TOKEN_BROKEN;
        }
    }
    if (begins(m, "<!")) {
        return TOKEN_BROKEN;
    }
    m->to = tag_end(m);
    if (m->to == 0) {
        return TOKEN_BROKEN;
    }
    if (begins(m, "</")) {
        return TOKEN_CLOSE;
    }
    return m->p[m->to - 2] == '/' ? TOKEN_EMPTY : TOKEN_OPEN;
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

static bool named(const struct walk *t, const xmlNode *node)
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
static void opened(struct wssec_place *place, size_t n, const xmlNode *node, const struct walk *t, bool empty)
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

static void closed(struct wssec_place *place, size_t n, const xmlNode *node, const struct walk *t)
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
    struct walk t = {.p = text, .n = size};
    const xmlNode *root = m->envelope;
    const xmlNode *expected = root;
    const xmlNode *open = NULL;
    enum token kind = next_token(&t);
    for (; kind != TOKEN_END && kind != TOKEN_BROKEN; kind = next_token(&t)) {
        if (kind == TOKEN_OPEN || kind == TOKEN_EMPTY) {
            if (expected == NULL || !named(&t, expected)) {
                return -1;
            }
            opened(place, n, expected, &t, kind == TOKEN_EMPTY);
            open = kind == TOKEN_OPEN ? expected : open;
            expected = following(expected, root);
        } else if (kind == TOKEN_CLOSE) {
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
    return kind == TOKEN_END && expected == NULL && open == NULL ? 0 : -1;
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
    struct walk t = {.p = text, .n = n};
    size_t depth = 0;
    *out = (struct wssec_fragment){0, false};
    for (;;) {
        switch (next_token(&t)) {
        case TOKEN_END: return depth == 0 ? 0 : -1;
        case TOKEN_BROKEN: return -1;
        case TOKEN_OPEN: out->elements += depth++ == 0; break;
        case TOKEN_EMPTY: out->elements += depth == 0; break;
        case TOKEN_CLOSE:
            if (depth == 0) {
                return -1; /* it would close what stands around it */
            }
            depth--;
            break;
        case TOKEN_TEXT: out->text = out->text || (depth == 0 && !only_space(text + t.from, t.to - t.from)); break;
        case TOKEN_CDATA: out->text = out->text || depth == 0; break;
        case TOKEN_INSTRUCTION:
            if (t.to - t.from >= 7 && strncasecmp(text + t.from + 2, "xml", 3) == 0 &&
                only_space(text + t.from + 5, 1)) {
                return -1; /* an XML declaration */
            }
            break;
        case TOKEN_COMMENT: break;
        }
    }
}
