/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xop.c: an xop:Include stands for the base64 text of its part. In the tree a mark of random text takes its place, and
 * where canonical octets are made the base64 is put in for the mark as they go by, so that a part of any size is
 * digested and never built. What is forwarded stays the package as it came.
 */
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "wssec/dom.h"
#include "wssec/worker.h"

#define KEY_TEXT  ((size_t)33) /* '_' and 32 digits: the same in all marks of a message */
#define GROUP     ((size_t)3072)
#define TOKEN_MAX ((size_t)65536)

/* ---- base64
 * ---------------------------------------------------------------------------------------------------------- */

struct coding { /* base64 on one line, three octets at a time */
    wssec_canon_sink sink;
    void *ctx;
    size_t n;
    uint8_t octet[GROUP];
};

static int give_base64(struct coding *c)
{
    char text[4 * (GROUP / 3) + 1];
    size_t n = cs_base64_encode(c->octet, c->n, text);
    c->n = 0;
    return n == 0 ? 0 : c->sink(c->ctx, text, n);
}

static int to_base64(void *ctx, const void *p, size_t n)
{
    struct coding *c = ctx;
    for (const uint8_t *at = p; n > 0;) {
        size_t some = GROUP - c->n < n ? GROUP - c->n : n;
        memcpy(c->octet + c->n, at, some);
        c->n += some;
        at += some;
        n -= some;
        if (c->n == GROUP && give_base64(c) != 0) {
            return -1;
        }
    }
    return 0;
}

/* The text that an Include stands for. @return as wssec_mime_content */
static int write_part(const struct wssec_package *k, size_t part, wssec_canon_sink sink, void *ctx)
{
    struct coding c = {.sink = sink, .ctx = ctx};
    int rc = wssec_mime_content(k->in->slice, k->in->n_slice, &k->mime.part[part], to_base64, &c);
    return rc == 0 ? give_base64(&c) : rc;
}

/* ---- the tree
 * -------------------------------------------------------------------------------------------------------- */

static int malformed(struct wssec_judge *j, const char *what)
{
    (void)wssec_refuse(j->why, WSSEC_XOP_MALFORMED, "%s", what);
    return WSSEC_RC_OK;
}

/* The only child of its parent, empty, nothing but an href that names a part which no other Include names. */
static int judge(struct wssec_judge *j, const xmlNode *include, size_t *part)
{
    const struct wssec_package *k = j->package;
    const xmlChar *href = wssec_attr(include, NULL, "href");
    if (include->prev != NULL || include->next != NULL || include->parent == j->message->envelope) {
        return malformed(j, "an xop:Include is not the only content of its element");
    }
    if (include->children != NULL || href == NULL || include->properties->next != NULL) {
        return malformed(j, "an xop:Include is not empty, or has other attributes than href");
    }
    int found = wssec_mime_find(&k->mime, (const char *)href);
    if (found < 0) {
        (void)wssec_refuse(j->why, WSSEC_XOP_MALFORMED, "the href \"%.100s\" names no part without doubt", href);
        return WSSEC_RC_OK;
    }
    if (found == 0) {
        (void)wssec_refuse(j->why, WSSEC_ATTACHMENT_MISSING, "no part has the Content-ID of \"%.100s\"", href);
        return WSSEC_RC_OK;
    }
    for (size_t i = 0; i < k->n_include; i++) {
        if (k->include[i].part == (size_t)found) {
            return malformed(j, "two xop:Includes name one part");
        }
    }
    *part = (size_t)found;
    return WSSEC_RC_OK;
}

static struct wssec_include *include_new(struct wssec_package *k)
{
    if (k->n_include == k->cap_include) {
        size_t cap = k->cap_include == 0 ? 8 : k->cap_include * 2;
        struct wssec_include *grown = reallocarray(k->include, cap, sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        k->include = grown;
        k->cap_include = cap;
    }
    return &k->include[k->n_include++];
}

static int to_token(void *ctx, const void *p, size_t n)
{
    cs_buf *b = ctx;
    return b->len + n <= TOKEN_MAX ? cs_buf_add(b, p, n) : -1;
}

/* In our header stand tokens and keys, which are read: their text is put in as it is. @return the text, NULL: no memory
 */
static xmlNodePtr text_of(struct wssec_judge *j, const xmlNode *node, struct wssec_include *include)
{
    struct wssec_package *k = j->package;
    xmlNodePtr text = NULL;
    if (j->message->security == NULL || !wssec_within(j->message->security, node)) {
        (void)snprintf(include->mark, sizeof include->mark, "%.33s%015u", k->key, (unsigned)include->part);
        return xmlNewDocText(node->doc, BAD_CAST include->mark);
    }
    cs_buf b = CS_BUF_INIT;
    include->mark[0] = '\0';
    (void)cs_buf_adds(&b, "");
    int rc = write_part(k, include->part, to_token, &b);
    if (rc != 0 && !b.failed) {
        (void)malformed(j, "what an xop:Include in the Security header names is too large or not of its encoding");
    }
    text = b.failed ? NULL : xmlNewDocText(node->doc, BAD_CAST b.data);
    cs_buf_free(&b);
    return text;
}

static int replace(struct wssec_judge *j, xmlNodePtr node)
{
    struct wssec_package *k = j->package;
    size_t part = 0;
    int rc = judge(j, node, &part);
    if (rc != WSSEC_RC_OK || j->why->reason != WSSEC_OK) {
        return rc;
    }
    struct wssec_include *include = include_new(k);
    if (include == NULL) {
        return WSSEC_RC_NOMEM;
    }
    include->part = part;
    xmlNodePtr text = text_of(j, node, include);
    if (text == NULL) {
        return WSSEC_RC_NOMEM;
    }
    (void)xmlReplaceNode(node, text);
    xmlFreeNode(node);
    include->text = text;
    return WSSEC_RC_OK;
}

static int new_key(struct wssec_package *k)
{
    uint8_t bits[16];
    if (RAND_bytes(bits, sizeof bits) != 1) {
        return WSSEC_RC_INTERNAL;
    }
    k->key[0] = '_';
    (void)cs_hex(bits, sizeof bits, k->key + 1);
    return WSSEC_RC_OK;
}

int wssec_xop_expand(struct wssec_judge *j)
{
    xmlNodePtr n = j->message->envelope;
    if (j->package == NULL || !j->package->mime.xop || !j->message->has_xop) {
        return WSSEC_RC_OK;
    }
    j->package->n_include = 0;
    int rc = new_key(j->package);
    while (n != NULL && rc == WSSEC_RC_OK && j->why->reason == WSSEC_OK) {
        xmlNodePtr parent = n->parent;
        if (wssec_is(n, WSSEC_NS_XOP, "Include")) {
            rc = replace(j, n);
            n = parent; /* it was the only child */
        } else if (n->type == XML_ELEMENT_NODE && n->children != NULL) {
            n = n->children;
            continue;
        }
        while (n != j->message->envelope && n->next == NULL) {
            n = n->parent;
        }
        n = n == j->message->envelope ? NULL : n->next;
    }
    return rc;
}

/* ---- the octets
 * ------------------------------------------------------------------------------------------------------ */

struct filling {
    struct wssec_worker *worker;
    wssec_canon_sink sink;
    void *ctx;
    cs_buf kept; /* owned: octets that may be the beginning of a mark */
    size_t all;  /* marks that were filled */
    int rc;
};

static int fill(struct filling *f, const char *mark)
{
    const struct wssec_package *k = &f->worker->package;
    for (size_t i = 0; i < k->n_include; i++) {
        if (memcmp(k->include[i].mark, mark, WSSEC_XOP_MARK) == 0) {
            int rc = write_part(k, k->include[i].part, f->sink, f->ctx);
            f->all++;
            if (rc == 1) {
                f->rc = 1; /* libxml2 takes a sink that stops for want of memory, so the rest goes by unheeded */
            }
            return rc < 0 ? -1 : 0;
        }
    }
    return -1;
}

/* Octets go on but for marks, and what may become one. */
static int to_filled(void *ctx, const void *p, size_t n)
{
    struct filling *f = ctx;
    const char *key = f->worker->package.key;
    size_t at = 0;
    if (cs_buf_add(&f->kept, p, n) != 0) {
        f->rc = WSSEC_RC_NOMEM;
        return -1;
    }
    for (;;) {
        const char *from = f->kept.data + at;
        size_t left = f->kept.len - at;
        const char *hit = memmem(from, left, key, KEY_TEXT);
        size_t go = hit != NULL ? (size_t)(hit - from) : left > KEY_TEXT - 1 ? left - (KEY_TEXT - 1) : 0;
        if (go > 0 && f->sink(f->ctx, from, go) != 0) {
            return -1;
        }
        at += go;
        if (hit == NULL || f->kept.len - at < WSSEC_XOP_MARK) {
            break;
        }
        if (fill(f, f->kept.data + at) != 0) {
            return -1;
        }
        at += WSSEC_XOP_MARK;
    }
    memmove(f->kept.data, f->kept.data + at, f->kept.len - at);
    f->kept.len -= at;
    return 0;
}

/* Marks in the subtree of node. */
static size_t marks_within(const struct wssec_package *k, const xmlNode *node)
{
    size_t n = 0;
    for (size_t i = 0; i < k->n_include; i++) {
        n += k->include[i].mark[0] != '\0' && wssec_within(node, k->include[i].text);
    }
    return n;
}

int wssec_xop_canon(struct wssec_worker *worker, const struct wssec_canon *c, wssec_canon_sink sink, void *ctx,
                    struct wssec_refusal *why)
{
    struct filling f = {.worker = worker, .sink = sink, .ctx = ctx};
    if (worker->package.n_include == 0) {
        return wssec_canon(c, sink, ctx);
    }
    size_t within = marks_within(&worker->package, c->node);
    int rc = wssec_canon(c, to_filled, &f);
    if (rc == WSSEC_RC_OK && f.kept.len > 0 && sink(ctx, f.kept.data, f.kept.len) != 0) {
        rc = WSSEC_RC_INTERNAL;
    }
    if (f.rc == 1) {
        (void)wssec_refuse(why, WSSEC_MIME_MALFORMED,
                           "a part that an xop:Include names is not of its transfer encoding");
        rc = WSSEC_RC_OK;
    } else if (f.rc != 0) {
        rc = f.rc;
    } else if (rc == WSSEC_RC_OK && f.all != within) {
        rc = WSSEC_RC_INTERNAL;
    }
    cs_buf_free(&f.kept);
    return rc;
}
