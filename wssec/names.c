/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.c: what a document calls itself: its root, and the first element in the Body of a SOAP envelope. The whole
 * document goes through the scanner and the parser, without a tree, so that a name is given for nothing that a strict
 * parser would not take.
 */
#include <libxml/parser.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "wssec/worker.h"

struct reading {
    struct wssec_names *out;
    unsigned depth;
    bool in_body, soap;
};

static bool name_take(struct wssec_name *to, const xmlChar *uri, const xmlChar *local)
{
    const char *ns = uri != NULL ? (const char *)uri : "";
    size_t n_ns = strlen(ns);
    size_t n_local = strlen((const char *)local);
    if (n_ns >= sizeof to->ns || n_local >= sizeof to->local) {
        return false; /* a name of such a length is none that anybody asks for */
    }
    memcpy(to->ns, ns, n_ns + 1);
    memcpy(to->local, local, n_local + 1);
    return true;
}

static void on_start(void *ctx, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri, int n_ns,
                     const xmlChar **ns, int n_attr, int n_default, const xmlChar **attr)
{
    (void)prefix;
    (void)n_ns;
    (void)ns;
    (void)n_attr;
    (void)n_default;
    (void)attr;
    xmlParserCtxtPtr c = ctx;
    struct reading *r = c->_private;
    struct wssec_names *out = r->out;
    r->depth++;
    if (r->depth == 1 && name_take(&out->root, uri, local)) {
        r->soap = strcmp(out->root.local, "Envelope") == 0 &&
                  (strcmp(out->root.ns, WSSEC_NS_SOAP11) == 0 || strcmp(out->root.ns, WSSEC_NS_SOAP12) == 0);
    } else if (r->depth == 2 && r->soap) {
        r->in_body =
            strcmp((const char *)local, "Body") == 0 && uri != NULL && strcmp((const char *)uri, out->root.ns) == 0;
    } else if (r->depth == 3 && r->in_body && out->payload.local[0] == '\0') {
        (void)name_take(&out->payload, uri, local);
    }
}

static void on_end(void *ctx, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri)
{
    (void)local;
    (void)prefix;
    (void)uri;
    xmlParserCtxtPtr c = ctx;
    struct reading *r = c->_private;
    if (r->depth-- == 2) {
        r->in_body = false;
    }
}

/* @return the parser's own code of its first error, XML_ERR_OK */
static int parse(struct wssec_scan *s, struct reading *r, bool *no_memory)
{
    xmlSAXHandler sax;
    memset(&sax, 0, sizeof sax);
    sax.initialized = XML_SAX2_MAGIC;
    sax.startElementNs = on_start;
    sax.endElementNs = on_end;
    xmlParserCtxtPtr c = xmlCreatePushParserCtxt(&sax, NULL, NULL, 0, NULL);
    *no_memory = c == NULL;
    if (c == NULL) {
        return XML_ERR_NO_MEMORY;
    }
    c->_private = r;
    (void)xmlCtxtUseOptions(c, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_IGNORE_ENC);
    int rc = XML_ERR_OK;
    for (size_t i = 0; i < s->n_piece && rc == XML_ERR_OK; i++) {
        for (size_t at = 0; at < s->piece[i].n && rc == XML_ERR_OK;) {
            size_t left = s->piece[i].n - at;
            int n = left < INT_MAX ? (int)left : INT_MAX;
            rc = xmlParseChunk(c, (const char *)s->piece[i].p + at, n, 0);
            at += (size_t)n;
        }
    }
    if (rc == XML_ERR_OK) {
        rc = xmlParseChunk(c, NULL, 0, 1);
    }
    if (rc == XML_ERR_OK && (c->wellFormed != 1 || c->nsWellFormed != 1)) {
        rc = XML_ERR_DOCUMENT_END;
    }
    *no_memory = rc == XML_ERR_NO_MEMORY;
    xmlFreeDoc(c->myDoc);
    xmlFreeParserCtxt(c);
    return rc;
}

int wssec_names(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                struct wssec_names *out)
{
    struct wssec_scan *s = &w->message.scan;
    struct reading r = {.out = out};
    bool no_memory = false;
    memset(out, 0, sizeof *out);
    wssec_message_reset(&w->message);
    wssec_scan_reset(s);
    struct wssec_refusal why = {WSSEC_OK, ""};
    int rc = wssec_package_open(&w->package, in, &p->limits, &why);
    if (rc == WSSEC_RC_OK && why.reason == WSSEC_OK) {
        const struct wssec_input *root = &w->package.root;
        rc = wssec_scan_run(s, root->slice, root->n_slice, root->content_type, &p->limits, p->encodings);
    }
    if (rc == WSSEC_RC_OK && why.reason != WSSEC_OK) {
        out->reason = why.reason;
        memcpy(out->detail, why.detail, sizeof out->detail);
    } else if (rc == WSSEC_RC_OK && s->reason != WSSEC_OK) {
        out->reason = s->reason;
        memcpy(out->detail, s->detail, sizeof out->detail);
    } else if (rc == WSSEC_RC_OK) {
        int error = parse(s, &r, &no_memory);
        if (no_memory) {
            rc = WSSEC_RC_NOMEM;
        } else if (error != XML_ERR_OK) {
            out->reason = WSSEC_XML_MALFORMED;
            snprintf(out->detail, sizeof out->detail, "XML error %d", error);
        }
    }
    if (rc != WSSEC_RC_OK || out->reason != WSSEC_OK) {
        memset(&out->root, 0, sizeof out->root);
        memset(&out->payload, 0, sizeof out->payload);
    }
    wssec_message_reset(&w->message);
    return rc;
}
