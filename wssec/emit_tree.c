/* SPDX-License-Identifier: Apache-2.0 */
/* emit_tree.c: a subtree of libxml2 through an emitter, without recursion. What it does not know it does not write. */
#include <stdlib.h>
#include <string.h>

#include "wssec/emit.h"

static struct wssec_slice slice_of(const xmlChar *text)
{
    return (struct wssec_slice){(const uint8_t *)text, text != NULL ? strlen((const char *)text) : 0};
}

void wssec_walk_free(struct wssec_walk *w)
{
    wssec_scope_free(&w->scope);
    wssec_emit_free(&w->emitter);
    free(w->attribute);
    free(w->order);
    cs_buf_free(&w->names);
    w->attribute = NULL;
    w->order = NULL;
    w->cap_attribute = 0;
}

static int declare(struct wssec_scope *s, const xmlNode *node, uint32_t depth)
{
    for (const xmlNs *ns = node->nsDef; ns != NULL; ns = ns->next) {
        if (wssec_scope_declare(s, depth, slice_of(ns->prefix), slice_of(ns->href)) != 0) {
            return -1;
        }
    }
    return 0;
}

uint32_t wssec_scope_of(struct wssec_scope *s, const xmlNode *node)
{
    uint32_t depth = 0;
    for (const xmlNode *n = node; n != NULL && n->type == XML_ELEMENT_NODE; n = n->parent) {
        depth++;
    }
    if (wssec_scope_reset(s) != 0) {
        return 0;
    }
    for (uint32_t level = 1; level <= depth; level++) {
        const xmlNode *n = node;
        for (uint32_t up = depth; up > level; up--) {
            n = n->parent;
        }
        if (declare(s, n, level) != 0) {
            return 0;
        }
    }
    return depth;
}

static int room(struct wssec_walk *w, size_t n)
{
    if (n <= w->cap_attribute) {
        return 0;
    }
    size_t cap = n < 16 ? 16 : n * 2;
    struct wssec_attribute *attribute = reallocarray(w->attribute, cap, sizeof *attribute);
    if (attribute == NULL) {
        return -1;
    }
    w->attribute = attribute;
    uint32_t *order = reallocarray(w->order, 2 * cap, sizeof *order);
    if (order == NULL) {
        return -1;
    }
    w->order = order;
    w->cap_attribute = cap;
    return 0;
}

static char *put(char *to, struct wssec_slice text)
{
    memcpy(to, text.p, text.n);
    return to + text.n;
}

/* The qualified name at the end of w->names; octets() were reserved, so earlier names stay where they are. */
static struct wssec_slice qualified(struct wssec_walk *w, const xmlNs *ns, const xmlChar *local, uint32_t *prefix_n)
{
    char *from = w->names.data + w->names.len;
    char *to = from;
    *prefix_n = 0;
    if (ns != NULL && ns->prefix != NULL) {
        to = put(to, slice_of(ns->prefix));
        *prefix_n = (uint32_t)(to - from);
        *to++ = ':';
    }
    to = put(to, slice_of(local));
    w->names.len += (size_t)(to - from);
    return (struct wssec_slice){(const uint8_t *)from, (size_t)(to - from)};
}

static size_t octets(const xmlNs *ns, const xmlChar *local)
{
    return (ns != NULL ? slice_of(ns->prefix).n + 1 : 0) + slice_of(local).n;
}

static int read_attributes(struct wssec_walk *w, const struct wssec_scope *s, const xmlNode *node,
                           struct wssec_element *el)
{
    size_t n = 0;
    size_t need = octets(node->ns, node->name);
    for (const xmlAttr *a = node->properties; a != NULL; a = a->next, n++) {
        need += octets(a->ns, a->name);
        if (a->children != NULL && (a->children->next != NULL || a->children->type != XML_TEXT_NODE)) {
            return -1; /* parsed without references, an attribute has one text */
        }
    }
    cs_buf_reset(&w->names);
    if (room(w, n) != 0 || cs_buf_reserve(&w->names, need) != 0) {
        return -1;
    }
    el->name = qualified(w, node->ns, node->name, &el->prefix_n);
    struct wssec_attribute *out = w->attribute;
    for (const xmlAttr *a = node->properties; a != NULL; a = a->next, out++) {
        *out = (struct wssec_attribute){.row = WSSEC_ROW_NONE};
        out->name = qualified(w, a->ns, a->name, &out->prefix_n);
        out->value = slice_of(a->children != NULL ? a->children->content : NULL);
        if (out->prefix_n != 0) {
            out->row = wssec_scope_find(s, (struct wssec_slice){out->name.p, out->prefix_n});
        }
    }
    el->row = wssec_scope_find(s, (struct wssec_slice){el->name.p, el->prefix_n});
    el->attribute = w->attribute;
    el->n_attribute = n;
    el->order = w->order;
    return wssec_attributes_sort(s, w->attribute, n, w->order);
}

int wssec_emit_node_start(struct wssec_walk *w, const struct wssec_scope *s, const xmlNode *node, uint32_t depth,
                          bool first, struct wssec_emitter *const *e, size_t n)
{
    struct wssec_element el = {.depth = depth, .declares = first || node->nsDef != NULL};
    if (read_attributes(w, s, node, &el) != 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        wssec_emit_start(e[i], s, &el);
        wssec_emit_copy(e[i], ">", 1);
    }
    return 0;
}

static void emit_instruction(struct wssec_emitter *e, const xmlNode *n)
{
    wssec_emit_copy(e, "<?", 2);
    wssec_emit_copy(e, n->name, slice_of(n->name).n);
    if (n->content != NULL && n->content[0] != '\0') {
        wssec_emit_copy(e, " ", 1);
        for (const xmlChar *p = n->content; *p != '\0';) {
            size_t plain = strcspn((const char *)p, "\r");
            wssec_emit_copy(e, p, plain);
            p += plain;
            if (*p == '\r') {
                wssec_emit_copy(e, "&#xD;", 5);
                p++;
            }
        }
    }
    wssec_emit_copy(e, "?>", 2);
}

static void leave(struct wssec_walk *w, const xmlNode *node, uint32_t depth)
{
    uint32_t prefix_n = 0;
    cs_buf_reset(&w->names);
    if (cs_buf_reserve(&w->names, octets(node->ns, node->name)) != 0) {
        w->emitter.failed = true;
        w->emitter.no_memory = true;
        return;
    }
    wssec_emit_end(&w->emitter, qualified(w, node->ns, node->name, &prefix_n), depth, false);
    wssec_scope_leave(&w->scope, depth);
}

/* One node that is no element. @return 0, or -1: not one that a message has */
static int emit_other(struct wssec_emitter *e, const xmlNode *n)
{
    switch (n->type) {
    case XML_TEXT_NODE:
    case XML_CDATA_SECTION_NODE: wssec_emit_text(e, n->content, slice_of(n->content).n); return 0;
    case XML_COMMENT_NODE: return 0;
    case XML_PI_NODE: emit_instruction(e, n); return 0;
    default: return -1;
    }
}

static int walk(struct wssec_walk *w, const xmlNode *apex, uint32_t depth)
{
    const xmlNode *n = apex;
    struct wssec_emitter *const e = &w->emitter;
    while (n != NULL) {
        if (n->type != XML_ELEMENT_NODE) {
            if (emit_other(e, n) != 0) {
                return -1;
            }
        } else if ((n != apex && declare(&w->scope, n, depth) != 0) ||
                   wssec_emit_node_start(w, &w->scope, n, depth, n == apex, &e, 1) != 0) {
            return -1;
        } else if (n->children != NULL) {
            n = n->children;
            depth++;
            continue;
        } else {
            leave(w, n, depth);
        }
        while (n != apex && n->next == NULL) {
            n = n->parent;
            leave(w, n, --depth);
        }
        n = n == apex ? NULL : n->next;
    }
    return 0;
}

int wssec_emit_tree(struct wssec_walk *w, const struct wssec_canon *c, wssec_canon_sink sink, void *ctx)
{
    uint32_t depth = wssec_scope_of(&w->scope, c->node);
    if (depth == 0) {
        return WSSEC_RC_NOMEM;
    }
    wssec_emit_begin(&w->emitter, sink, ctx, c->prefix, c->empty_default);
    int bad = walk(w, c->node, depth);
    int rc = wssec_emit_finish(&w->emitter);
    if (bad != 0) {
        return w->names.failed || w->scope.text.failed ? WSSEC_RC_NOMEM : WSSEC_RC_INTERNAL;
    }
    return rc;
}
