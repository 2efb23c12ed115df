/* SPDX-License-Identifier: Apache-2.0 */
/*
 * canon.c: canonicalization of one subtree by libxml2 in time proportional to the subtree. libxml2 walks from a
 * document node, and asks a callback for every node of the document; so the apex is shown to it as the only child of a
 * document view, with its next sibling hidden. Namespaces in scope are still found, because they are searched through
 * parents.
 */
#include "wssec/canon.h"

#include <libxml/c14n.h>
#include <string.h>

struct writer {
    wssec_canon_sink sink;
    void *ctx;
    uint64_t written;
    bool empty_default;
    size_t name_len; /* octets of "<" and the apex name, behind which xmlns="" goes */
    char head[4096]; /* the apex start tag up to name and default namespace */
    size_t head_len;
};

static int give(struct writer *w, const void *p, size_t n)
{
    w->written += n;
    return n == 0 ? 0 : w->sink(w->ctx, p, n);
}

/* C14N writes the default namespace, when it is rendered at all, right behind the element name. */
static int give_head(struct writer *w)
{
    static const char declared[] = " xmlns=\"";
    size_t rest = w->head_len - w->name_len;
    bool has = rest >= sizeof declared - 1 && memcmp(w->head + w->name_len, declared, sizeof declared - 1) == 0;
    w->empty_default = false;
    if (give(w, w->head, w->name_len) != 0 || (!has && give(w, " xmlns=\"\"", 9) != 0)) {
        return -1;
    }
    return give(w, w->head + w->name_len, rest);
}

static int on_write(void *ctx, const char *p, int len)
{
    struct writer *w = ctx;
    size_t n = len > 0 ? (size_t)len : 0;
    if (w->empty_default) {
        size_t room = sizeof w->head - w->head_len;
        size_t take = n < room ? n : room;
        memcpy(w->head + w->head_len, p, take);
        w->head_len += take;
        if (w->head_len < w->name_len + 8) {
            return len; /* not enough to see; an apex start tag is never that short at its end, see the flush in
                           wssec_canon */
        }
        if (give_head(w) != 0 || give(w, p + take, n - take) != 0) {
            return -1;
        }
        return len;
    }
    return give(w, p, n) == 0 ? len : -1;
}

/* For inclusive C14N the ancestors of the apex are not in the node set: their xml: attributes are inherited. */
static int is_below(void *ctx, xmlNodePtr node, xmlNodePtr parent)
{
    const xmlNode *apex = ctx;
    (void)parent;
    for (const xmlNode *n = apex->parent; n != NULL; n = n->parent) {
        if (n == node) {
            return 0;
        }
    }
    return 1;
}

int wssec_canon(const struct wssec_canon *c, wssec_canon_sink sink, void *ctx)
{
    xmlNodePtr apex = c->node;
    struct writer w = {.sink = sink, .ctx = ctx, .empty_default = c->empty_default};
    w.name_len = 1 + strlen((const char *)apex->name);
    if (apex->ns != NULL && apex->ns->prefix != NULL) {
        w.name_len += strlen((const char *)apex->ns->prefix) + 1;
    }
    if (w.name_len + 8 > sizeof w.head) {
        return WSSEC_RC_INTERNAL;
    }
    xmlOutputBufferPtr out = xmlOutputBufferCreateIO(on_write, NULL, &w, NULL);
    if (out == NULL) {
        return WSSEC_RC_NOMEM;
    }
    struct _xmlDoc view = *apex->doc;
    xmlNodePtr next = apex->next;
    bool inclusive = c->mode != XML_C14N_EXCLUSIVE_1_0;
    view.children = apex;
    view.last = apex;
    apex->next = NULL;
    int made = xmlC14NExecute(&view, inclusive ? is_below : NULL, apex, c->mode, inclusive ? NULL : c->prefix, 0, out);
    apex->next = next;
    int closed = xmlOutputBufferClose(out);
    if (made > 0 && closed >= 0 && w.empty_default && w.head_len > 0 && give_head(&w) != 0) {
        return WSSEC_RC_INTERNAL;
    }
    /* an empty result is never a canonical element: digested, it would be the same for every content */
    return made > 0 && closed >= 0 && w.written > 0 ? WSSEC_RC_OK : WSSEC_RC_INTERNAL;
}

int wssec_canon_document(struct _xmlDoc *doc, wssec_canon_sink sink, void *ctx)
{
    struct writer w = {.sink = sink, .ctx = ctx};
    xmlOutputBufferPtr out = xmlOutputBufferCreateIO(on_write, NULL, &w, NULL);
    if (out == NULL) {
        return WSSEC_RC_NOMEM;
    }
    int made = xmlC14NExecute(doc, NULL, NULL, XML_C14N_EXCLUSIVE_1_0, NULL, 0, out);
    int closed = xmlOutputBufferClose(out);
    return made > 0 && closed >= 0 && w.written > 0 ? WSSEC_RC_OK : WSSEC_RC_INTERNAL;
}

int wssec_to_buffer(void *ctx, const void *p, size_t n)
{
    return cs_buf_add(ctx, p, n);
}

int wssec_canon_text(const struct wssec_canon *c, cs_buf *out)
{
    int rc = wssec_canon(c, wssec_to_buffer, out);
    return out->failed ? WSSEC_RC_NOMEM : rc;
}

static int to_digest(void *ctx, const void *p, size_t n)
{
    return EVP_DigestUpdate(ctx, p, n) == 1 ? 0 : -1;
}

int wssec_canon_digest(const struct wssec_canon *c, EVP_MD_CTX *md)
{
    return wssec_canon(c, to_digest, md);
}
