/* SPDX-License-Identifier: Apache-2.0 */
/* build.c: nodes as libxml2's SAX2 handlers would make them: texts joined, CDATA sections apart, order as written. */
#include "wssec/build.h"

#include <libxml/parserInternals.h>
#include <stdlib.h>
#include <string.h>

static void *take(struct wssec_builder *b, size_t n)
{
    void *p = wssec_arena_take(b->arena, n);
    b->no_memory = b->no_memory || p == NULL;
    return p;
}

static xmlChar *text_of(struct wssec_builder *b, const void *p, size_t n)
{
    char *copy = wssec_arena_text(b->arena, p, n);
    b->no_memory = b->no_memory || copy == NULL;
    return (xmlChar *)copy;
}

/* A new last child of the element in hand. */
static xmlNodePtr add_node(struct wssec_builder *b, xmlElementType type)
{
    xmlNodePtr n = take(b, sizeof *n);
    xmlNodePtr parent = b->open != NULL ? b->open : (xmlNodePtr)(void *)b->doc; /* these begin with the same members */
    if (n == NULL) {
        return NULL;
    }
    n->type = type;
    n->doc = b->doc;
    n->parent = parent;
    n->prev = parent->last;
    if (parent->last != NULL) {
        parent->last->next = n;
    } else {
        parent->children = n;
    }
    parent->last = n;
    return n;
}

/* ---- texts ---------------------------------------------------------------------------------------------------------
 */

static void end_text(struct wssec_builder *b)
{
    if (b->kind != 0 && b->open != NULL) {
        xmlNodePtr n = add_node(b, b->kind);
        if (n != NULL) {
            n->name = b->kind == XML_TEXT_NODE ? xmlStringText : NULL;
            n->content = text_of(b, b->text.data, b->text.len);
        }
    }
    b->no_memory = b->no_memory || b->text.failed;
    b->kind = 0;
}

static void begin_text(struct wssec_builder *b, xmlElementType kind)
{
    if (b->kind != kind) {
        end_text(b);
        b->kind = kind;
        cs_buf_reset(&b->text);
    }
}

void wssec_build_text(struct wssec_builder *b, const void *p, size_t n, bool cdata)
{
    if (n != 0) {
        begin_text(b, cdata ? XML_CDATA_SECTION_NODE : XML_TEXT_NODE);
        (void)cs_buf_add(&b->text, p, n);
    }
}

void wssec_build_cdata(struct wssec_builder *b)
{
    begin_text(b, XML_CDATA_SECTION_NODE);
    (void)cs_buf_reserve(&b->text, 0);
}

void wssec_build_comment(struct wssec_builder *b)
{
    end_text(b);
    xmlNodePtr n = add_node(b, XML_COMMENT_NODE);
    if (n != NULL) {
        n->name = xmlStringComment;
        n->content = text_of(b, "", 0);
    }
}

/* ---- elements ------------------------------------------------------------------------------------------------------
 */

static struct wssec_slice slice_at(const struct wssec_scope *s, uint32_t at, uint32_t n)
{
    return (struct wssec_slice){(const uint8_t *)s->text.data + at, n};
}

static xmlNs *new_ns(struct wssec_builder *b, struct wssec_slice prefix, struct wssec_slice name)
{
    xmlNs *ns = take(b, sizeof *ns);
    if (ns != NULL) {
        ns->type = XML_NAMESPACE_DECL;
        ns->href = text_of(b, name.p, name.n);
        ns->prefix = prefix.n != 0 ? text_of(b, prefix.p, prefix.n) : NULL;
    }
    return ns;
}

static int room(struct wssec_builder *b, size_t rows)
{
    if (rows > b->cap_ns) {
        size_t cap = rows < 32 ? 32 : rows * 2;
        xmlNs **more = reallocarray(b->ns, cap, sizeof *more);
        if (more == NULL) {
            b->no_memory = true;
            return -1;
        }
        b->ns = more;
        b->cap_ns = cap;
    }
    return 0;
}

static void add_declarations(struct wssec_builder *b, const struct wssec_scope *s, uint32_t depth, xmlNodePtr n)
{
    size_t first = s->n;
    while (first > 1 && s->row[first - 1].depth == depth) {
        first--;
    }
    xmlNs **link = &n->nsDef;
    for (size_t i = first; i < s->n && room(b, s->n) == 0; i++) {
        const struct wssec_binding *row = &s->row[i];
        b->ns[i] = new_ns(b, slice_at(s, row->prefix_at, row->prefix_n), slice_at(s, row->name_at, row->name_n));
        if (b->ns[i] == NULL) {
            return;
        }
        *link = b->ns[i];
        link = &b->ns[i]->next;
    }
}

static xmlNs *ns_of(const struct wssec_builder *b, int32_t row)
{
    return row == WSSEC_ROW_NONE ? NULL : row == WSSEC_ROW_XML ? b->xml : b->ns[row];
}

static xmlChar *local_text(struct wssec_builder *b, struct wssec_slice name, uint32_t prefix_n)
{
    size_t skip = prefix_n != 0 ? prefix_n + (size_t)1 : 0;
    return text_of(b, name.p + skip, name.n - skip);
}

static void add_attributes(struct wssec_builder *b, const struct wssec_element *el, xmlNodePtr n)
{
    xmlAttrPtr last = NULL;
    for (size_t i = 0; i < el->n_attribute; i++) {
        const struct wssec_attribute *from = &el->attribute[i];
        xmlAttrPtr a = take(b, sizeof *a);
        xmlNodePtr text = take(b, sizeof *text);
        if (a == NULL || text == NULL) {
            return;
        }
        a->type = XML_ATTRIBUTE_NODE;
        a->name = local_text(b, from->name, from->prefix_n);
        a->ns = ns_of(b, from->row);
        a->parent = n;
        a->doc = b->doc;
        a->children = text;
        a->last = text;
        a->prev = last;
        text->type = XML_TEXT_NODE;
        text->name = xmlStringText;
        text->parent = (xmlNodePtr)(void *)a;
        text->doc = b->doc;
        text->content = text_of(b, from->value.p, from->value.n);
        if (last != NULL) {
            last->next = a;
        } else {
            n->properties = a;
        }
        last = a;
    }
}

/* Where it stands, for edits by octets. */
static void record(struct wssec_builder *b, const struct wssec_element *el, const uint8_t *gt, bool empty)
{
    static const char header[] = "Header";
    size_t skip = el->prefix_n != 0 ? el->prefix_n + (size_t)1 : 0;
    bool is_header = el->depth == 2 && el->name.n - skip == sizeof header - 1 &&
                     memcmp(el->name.p + skip, header, sizeof header - 1) == 0;
    b->in_header = el->depth == 2 ? is_header : b->in_header;
    b->header_nodes += b->in_header;
    if (el->depth > 3) {
        return;
    }
    b->place[el->depth] = -1;
    if (el->depth == 3 && !b->in_header) {
        return;
    }
    struct wssec_scan *s = b->scan;
    struct wssec_scan_element *e = wssec_scan_element_new(s);
    size_t name_at = s->names.len;
    if (e == NULL || cs_buf_add(&s->names, el->name.p, el->name.n) != 0) {
        b->no_memory = true;
        return;
    }
    *e = (struct wssec_scan_element){.from = (size_t)(el->name.p - 1 - b->base),
                                     .name_end = (size_t)(el->name.p + el->name.n - b->base),
                                     .open_end = (size_t)(gt + 1 - b->base),
                                     .close_from = (size_t)(gt + 1 - b->base),
                                     .to = (size_t)(gt + 1 - b->base),
                                     .name_at = name_at,
                                     .name_len = (uint32_t)el->name.n,
                                     .parent = el->depth > 1 ? b->place[el->depth - 1] : -1,
                                     .depth = (uint8_t)el->depth,
                                     .empty = empty};
    b->place[el->depth] = (int32_t)(s->n_element - 1);
}

void wssec_build_start(struct wssec_builder *b, const struct wssec_scope *s, const struct wssec_element *el,
                       const uint8_t *gt, bool empty)
{
    end_text(b);
    xmlNodePtr n = add_node(b, XML_ELEMENT_NODE);
    if (n == NULL) {
        return;
    }
    add_declarations(b, s, el->depth, n);
    if (b->no_memory) {
        return;
    }
    n->name = local_text(b, el->name, el->prefix_n);
    n->ns = ns_of(b, el->row);
    add_attributes(b, el, n);
    record(b, el, gt, empty);
    if (!empty) {
        b->open = n;
    } else if (el->depth == 2) {
        b->in_header = false;
    }
}

void wssec_build_end(struct wssec_builder *b, uint32_t depth, const uint8_t *lt, const uint8_t *behind)
{
    end_text(b);
    if (depth <= 3 && b->place[depth] >= 0 && !b->no_memory) {
        struct wssec_scan_element *e = &b->scan->element[b->place[depth]];
        e->close_from = (size_t)(lt - b->base);
        e->to = (size_t)(behind - b->base);
        b->place[depth] = -1;
    }
    b->in_header = b->in_header && depth != 2;
    b->open = b->open != NULL && b->open->parent->type == XML_ELEMENT_NODE ? b->open->parent : NULL;
}

/* ---- the call ------------------------------------------------------------------------------------------------------
 */

/* Behind an XML declaration that says version 1.0 and perhaps an encoding, which was judged before, and white space.
 * NULL: written in another way */
static const uint8_t *behind_declaration(const uint8_t *p, const uint8_t *end)
{
    static const char version[] = "<?xml version=?1.0?"; /* '?' behind '=' and 1.0: one of the quotes */
    static const char encoding[] = " encoding=";
    if (end - p < 2 || p[1] != '?') {
        return p;
    }
    if (end - p < (ptrdiff_t)sizeof version + 64) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof version - 1; i++) {
        bool quote = i > 1 && version[i] == '?';
        if (quote ? p[i] != '"' && p[i] != '\'' : p[i] != (uint8_t)version[i]) {
            return NULL;
        }
    }
    if (p[14] != p[18]) {
        return NULL;
    }
    p += sizeof version - 1;
    if (memcmp(p, encoding, sizeof encoding - 1) == 0) {
        p += sizeof encoding - 1;
        const uint8_t *close = *p == '"' || *p == '\'' ? memchr(p + 1, *p, 20) : NULL;
        if (close == NULL || close == p + 1) {
            return NULL;
        }
        p = close + 1;
    }
    if (p[0] != '?' || p[1] != '>') {
        return NULL;
    }
    p += 2;
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) {
        p++;
    }
    return p;
}

static int begin(struct wssec_builder *b, struct wssec_arena *arena, struct wssec_message *m, const uint8_t *base)
{
    static const char xml[] = "xml";
    const struct wssec_slice prefix = {(const uint8_t *)xml, 3};
    const struct wssec_slice name = {(const uint8_t *)XML_XML_NAMESPACE, strlen((const char *)XML_XML_NAMESPACE)};
    b->arena = arena;
    b->scan = &m->scan;
    b->base = base;
    b->header_nodes = 0;
    b->in_header = false;
    b->no_memory = false;
    b->open = NULL;
    b->kind = 0;
    cs_buf_reset(&b->text);
    b->doc = take(b, sizeof *b->doc);
    b->xml = new_ns(b, prefix, name);
    for (size_t i = 0; i < sizeof b->place / sizeof b->place[0]; i++) {
        b->place[i] = -1;
    }
    if (b->no_memory || room(b, 1) != 0) {
        return WSSEC_RC_NOMEM;
    }
    b->doc->type = XML_DOCUMENT_NODE;
    b->doc->doc = b->doc;
    b->doc->standalone = -1;
    b->doc->version = BAD_CAST "1.0";
    return WSSEC_RC_OK;
}

int wssec_build(struct wssec_builder *b, struct wssec_reader *r, struct wssec_arena *arena, struct wssec_slice text,
                const struct wssec_limits *limits, struct wssec_message *m, bool *built)
{
    const uint8_t *end = text.p + text.n;
    const uint8_t *p = behind_declaration(text.p, end);
    *built = false;
    if (p == NULL || p == end || *p != '<') {
        return WSSEC_RC_OK;
    }
    r->limits = limits;
    r->n_emit = 0;
    r->on_id = NULL;
    if (begin(b, arena, m, text.p) != WSSEC_RC_OK || wssec_reader_begin_tree(r, b, m->scan.ascii_only) != WSSEC_RC_OK) {
        return WSSEC_RC_NOMEM;
    }
    bool good = wssec_reader_push(r, p, (size_t)(end - p)) == 0 && wssec_reader_end(r) == 0;
    r->build = NULL;
    if (r->no_memory || b->no_memory) {
        return WSSEC_RC_NOMEM;
    }
    if (!good || b->header_nodes > limits->header_nodes) {
        return WSSEC_RC_OK;
    }
    m->doc = b->doc;
    m->has_xop = r->has_xop;
    m->scan.comments = r->comments;
    *built = true;
    return WSSEC_RC_OK;
}

void wssec_build_free(struct wssec_builder *b)
{
    free(b->ns);
    cs_buf_free(&b->text);
    *b = (struct wssec_builder){0};
}
