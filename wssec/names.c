/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.c: what a document calls itself: its root, the first element in the Body of a SOAP envelope, and the code of a
 * fault that stands there. The whole document goes through the scanner and the parser, without a tree, so that a name
 * is given for nothing that a strict parser would not take.
 */
#include <libxml/parser.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "wssec/worker.h"

#define DECLARED 32 /* prefixes on the way to a fault's code; with more it has none that anybody asks for */
#define CODE_MAX 192

struct declared {
    unsigned depth; /**< of the element that declares it */
    char prefix[64], uri[256];
};

/** The way to a fault's code: /Envelope/Body/Fault/faultcode, or …/Code{/Subcode}/Value, of which the last one counts.
 */
struct fault_path {
    unsigned depth; /**< open elements that stand on it */
    bool value;     /**< the innermost of them holds a code */
    bool doubtful;  /**< that code is not plain text, or too long; or a declaration was */
    char text[CODE_MAX];
    size_t n;
    struct declared ns[DECLARED];
    size_t n_ns;
};

struct reading {
    struct wssec_names *out;
    unsigned depth;
    bool in_body, soap;
    struct fault_path fault;
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

/* ---- the code of a fault -------------------------------------------------------------------------------------- */

/* Does an element that begins continue the way? Its parents stand on it. */
static bool leads_on(const struct reading *r, const char *uri, const char *local)
{
    const struct wssec_name *root = &r->out->root;
    bool old = strcmp(root->ns, WSSEC_NS_SOAP11) == 0;
    bool soap = strcmp(uri, root->ns) == 0;
    switch (r->depth) {
    case 1: return r->soap;
    case 2: return soap && strcmp(local, "Body") == 0;
    case 3: return soap && strcmp(local, "Fault") == 0 && r->out->payload.local[0] == '\0';
    case 4: return old ? uri[0] == '\0' && strcmp(local, "faultcode") == 0 : soap && strcmp(local, "Code") == 0;
    default: return !old && soap && (strcmp(local, "Value") == 0 || strcmp(local, "Subcode") == 0);
    }
}

static void declare(struct reading *r, int n_ns, const xmlChar **ns)
{
    struct fault_path *f = &r->fault;
    for (int i = 0; i < n_ns; i++) {
        const char *prefix = ns[2 * i] != NULL ? (const char *)ns[2 * i] : "";
        const char *uri = ns[2 * i + 1] != NULL ? (const char *)ns[2 * i + 1] : "";
        if (f->n_ns == DECLARED || strlen(prefix) >= sizeof f->ns->prefix || strlen(uri) >= sizeof f->ns->uri) {
            f->doubtful = true;
            return;
        }
        struct declared *d = &f->ns[f->n_ns++];
        d->depth = r->depth;
        memcpy(d->prefix, prefix, strlen(prefix) + 1);
        memcpy(d->uri, uri, strlen(uri) + 1);
    }
}

static void fault_begin(struct reading *r, const xmlChar *local, const xmlChar *uri, int n_ns, const xmlChar **ns)
{
    struct fault_path *f = &r->fault;
    if (f->value) {
        f->doubtful = true; /* an element in a code */
    } else if (f->depth + 1 == r->depth && leads_on(r, uri != NULL ? (const char *)uri : "", (const char *)local)) {
        f->depth = r->depth;
        f->value = r->depth > 3 &&
                   (strcmp((const char *)local, "faultcode") == 0 || strcmp((const char *)local, "Value") == 0);
        f->n = 0;
        declare(r, n_ns, ns);
    }
}

static void on_text(void *ctx, const xmlChar *text, int n)
{
    xmlParserCtxtPtr c = ctx;
    struct fault_path *f = &((struct reading *)c->_private)->fault;
    if (f->value && n > 0 && (size_t)n < sizeof f->text - f->n) {
        memcpy(f->text + f->n, text, (size_t)n);
        f->n += (size_t)n;
    } else if (f->value) {
        f->doubtful = true;
    }
}

/* The text of a code is over: a name with a prefix that is declared, or without one. */
static void fault_take(struct fault_path *f, struct wssec_name *to)
{
    static const char blank[] = " \t\r\n";
    f->text[f->n] = '\0';
    char *from = f->text + strspn(f->text, blank);
    size_t len = strcspn(from, blank);
    bool one = from[len + strspn(from + len, blank)] == '\0' && strlen(f->text) == f->n;
    from[len] = '\0';
    char *colon = strchr(from, ':');
    const char *prefix = colon != NULL ? from : "";
    const char *local = colon != NULL ? colon + 1 : from;
    const char *uri = colon != NULL ? NULL : "";
    if (colon != NULL) {
        *colon = '\0';
    }
    for (size_t i = 0; i < f->n_ns; i++) {
        uri = strcmp(f->ns[i].prefix, prefix) == 0 ? f->ns[i].uri : uri;
    }
    memset(to, 0, sizeof *to);
    if (one && !f->doubtful && uri != NULL && wssec_is_ncname((const xmlChar *)local, strlen(local))) {
        (void)name_take(to, (const xmlChar *)uri, (const xmlChar *)local);
    }
}

static void fault_end(struct reading *r)
{
    struct fault_path *f = &r->fault;
    if (f->depth != r->depth) {
        return;
    }
    if (f->value) {
        fault_take(f, &r->out->fault);
        f->value = false;
    }
    while (f->n_ns > 0 && f->ns[f->n_ns - 1].depth == r->depth) {
        f->n_ns--;
    }
    f->depth--;
}

/* ---- the parser's events --------------------------------------------------------------------------------------- */

static void on_start(void *ctx, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri, int n_ns,
                     const xmlChar **ns, int n_attr, int n_default, const xmlChar **attr)
{
    (void)prefix;
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
    }
    fault_begin(r, local, uri, n_ns, ns);
    if (r->depth == 3 && r->in_body && out->payload.local[0] == '\0') {
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
    fault_end(r);
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
    sax.characters = on_text;
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
        memset(&out->fault, 0, sizeof out->fault);
    }
    wssec_message_reset(&w->message);
    return rc;
}
