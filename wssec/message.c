/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.c: steps 1 and 2: the octets go through the scanner and then, unchanged, through libxml2 with counters of our
 * own in its SAX2 handlers. What the scanner and the parser saw is compared, because edits are made where the scanner
 * found elements and verdicts on what the parser found.
 */
#include "wssec/message.h"

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/uri.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wssec/stream.h"
#include "wssec/worker.h"

#define DEPTH_MAX 4096 /* of any policy; libxml2 itself stops at 256 without HUGE */
#define IDS_KEPT  4096 /* rows of the id table that a worker keeps between messages */
#define DICT_MAX  4096 /* names a peer may leave in the parser's dictionary before the parser is made anew */

struct reading { /* what the SAX handlers count; parser->_private */
    struct wssec_worker *w;
    const struct wssec_limits *limits;
    struct wssec_refusal *why;
    uint64_t fold, folded;
    uint64_t text;       /* octets of the text node at hand */
    uint32_t namespaces; /* in scope */
    uint32_t header_nodes;
    bool in_header;
    bool has_xop;
    bool no_memory;
    int error, line, column;      /* first error of the parser */
    uint16_t declared[DEPTH_MAX]; /* namespaces by depth */
};

struct feed { /* pull source over slices */
    const struct wssec_slice *slice;
    size_t n;
    size_t at; /* within slice[0] */
};

/* Fills the buffer as far as there are octets: libxml2 takes a short read for all that it gets before it looks on. */
static int feed_read(void *ctx, char *buffer, int len)
{
    struct feed *f = ctx;
    size_t wanted = len > 0 ? (size_t)len : 0;
    size_t given = 0;
    while (f->n > 0 && given < wanted) {
        size_t take = f->slice->n - f->at;
        take = take < wanted - given ? take : wanted - given;
        memcpy(buffer + given, f->slice->p + f->at, take);
        given += take;
        f->at += take;
        if (f->at == f->slice->n) {
            f->slice++;
            f->n--;
            f->at = 0;
        }
    }
    return (int)given;
}

static void stop(xmlParserCtxtPtr c, enum wssec_reason reason, const char *what)
{
    struct reading *r = c->_private;
    (void)wssec_refuse(r->why, reason, "%s, line %d", what, xmlSAX2GetLineNumber(c));
    xmlStopParser(c);
}

/*
 * libxml2's canonicalization fails on names without scheme and does not escape what stands in them, so what it could
 * write wrongly is refused here. Names come from the parser's dictionary: one pointer per name, judged once.
 */
static bool namespace_good(struct wssec_worker *w, const xmlChar *uri)
{
    size_t slot = ((uintptr_t)uri >> 4) % (sizeof w->uri_ok / sizeof w->uri_ok[0]);
    if (w->uri_ok[slot] == uri) {
        return true;
    }
    for (const xmlChar *p = uri; *p != '\0'; p++) {
        if (*p <= 0x20 || *p >= 0x7f || strchr("&<>\"'`{}|\\^", *p) != NULL) {
            return false;
        }
    }
    xmlURIPtr parsed = xmlParseURI((const char *)uri);
    bool good = parsed != NULL && parsed->scheme != NULL && parsed->scheme[0] != '\0';
    xmlFreeURI(parsed);
    if (good) {
        w->uri_ok[slot] = uri;
    }
    return good;
}

static void fold_name(struct reading *r, unsigned depth, const xmlChar *prefix, const xmlChar *local)
{
    char name[2100];
    size_t np = prefix != NULL ? strlen((const char *)prefix) + 1 : 0;
    size_t nl = strlen((const char *)local);
    if (np + nl > sizeof name) {
        r->fold = 0; /* cannot be what the scanner saw: it refuses names of this length */
        return;
    }
    if (np > 0) {
        memcpy(name, prefix, np - 1);
        name[np - 1] = ':';
    }
    memcpy(name + np, local, nl);
    wssec_scan_fold(&r->fold, depth, name, np + nl);
    r->folded++;
}

/*
 * libxml2 2.9 leaves out what it finds no memory for (a namespace name, an attribute, its value) without an error, and
 * a tree with something missing must not be judged: the new element is compared with what the parser announced.
 */
static bool is_complete(const xmlNode *node, const xmlChar *local, const xmlChar *uri, int n_ns, const xmlChar **ns,
                        int n_attr, const xmlChar **attr)
{
    if (node == NULL || node->name == NULL || !xmlStrEqual(node->name, local) ||
        (uri != NULL && (node->ns == NULL || node->ns->href == NULL))) {
        return false;
    }
    const xmlNs *def = node->nsDef;
    for (int i = 0; i < n_ns; i++, def = def->next) {
        if (def == NULL || (ns[2 * i] != NULL) != (def->prefix != NULL) ||
            (ns[2 * i + 1] != NULL && def->href == NULL)) {
            return false;
        }
    }
    const xmlAttr *a = node->properties;
    for (int i = 0; i < n_attr; i++, a = a->next) {
        const xmlChar **row = attr + 5 * i;
        bool has_value = row[4] > row[3];
        if (a == NULL || a->name == NULL || (row[1] != NULL && a->ns == NULL) ||
            (has_value && (a->children == NULL || a->children->content == NULL))) {
            return false;
        }
    }
    return true;
}

static void on_start(void *ctx, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri, int n_ns,
                     const xmlChar **ns, int n_attr, int n_default, const xmlChar **attr)
{
    xmlParserCtxtPtr c = ctx;
    struct reading *r = c->_private;
    unsigned depth = (unsigned)c->nodeNr + 1;
    if (c->disableSAX) {
        return;
    }
    r->text = 0;
    if (depth > r->limits->depth || depth >= DEPTH_MAX) {
        stop(c, WSSEC_LIMIT_DEPTH, "elements nested too deep");
        return;
    }
    if ((uint64_t)n_attr + (uint64_t)n_ns > r->limits->attributes) {
        stop(c, WSSEC_LIMIT_ATTRIBUTES, "too many attributes");
        return;
    }
    r->declared[depth] = (uint16_t)n_ns;
    r->namespaces += (uint32_t)n_ns;
    if (r->namespaces > r->limits->namespaces) {
        stop(c, WSSEC_LIMIT_NAMESPACES, "too many namespaces in scope");
        return;
    }
    for (int i = 0; i < n_ns; i++) {
        const xmlChar *name = ns[2 * i + 1];
        if (name != NULL && name[0] != '\0' && !namespace_good(r->w, name)) {
            stop(c, WSSEC_NAMESPACE_URI_UNSUPPORTED, "namespace name is relative or malformed");
            return;
        }
    }
    if (depth <= 3) {
        fold_name(r, depth, prefix, local);
    }
    if (depth == 2) {
        r->in_header = strcmp((const char *)local, "Header") == 0;
    }
    if (r->in_header && ++r->header_nodes > r->limits->header_nodes) {
        stop(c, WSSEC_LIMIT_HEADER, "too many elements in the header");
        return;
    }
    if (local[0] == 'I' && uri != NULL && strcmp((const char *)local, "Include") == 0 &&
        strcmp((const char *)uri, WSSEC_NS_XOP) == 0) {
        r->has_xop = true;
    }
    xmlSAX2StartElementNs(ctx, local, prefix, uri, n_ns, ns, n_attr, n_default, attr);
    /* a prefix without declaration makes another tree, which is refused at the end */
    if (!c->disableSAX && c->nsWellFormed && !is_complete(c->node, local, uri, n_ns, ns, n_attr, attr)) {
        stop(c, WSSEC_OUT_OF_MEMORY, "the element could not be built");
    }
}

static void on_end(void *ctx, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri)
{
    xmlParserCtxtPtr c = ctx;
    struct reading *r = c->_private;
    if (c->disableSAX) {
        return;
    }
    r->text = 0;
    if (c->nodeNr > 0 && c->nodeNr < DEPTH_MAX) {
        r->namespaces -= r->declared[c->nodeNr];
    }
    if (c->nodeNr == 2) {
        r->in_header = false;
    }
    xmlSAX2EndElementNs(ctx, local, prefix, uri);
}

static bool text_fits(xmlParserCtxtPtr c, int len)
{
    struct reading *r = c->_private;
    if (c->disableSAX || len < 0) {
        return false;
    }
    r->text += (uint64_t)len;
    if (r->text > r->limits->text) {
        stop(c, WSSEC_LIMIT_TEXT, "a text is too long");
        return false;
    }
    return true;
}

static void on_text(void *ctx, const xmlChar *text, int len)
{
    if (text_fits(ctx, len)) {
        xmlSAX2Characters(ctx, text, len);
    }
}

static void on_cdata(void *ctx, const xmlChar *text, int len)
{
    if (text_fits(ctx, len)) {
        xmlSAX2CDataBlock(ctx, text, len);
    }
}

/* The scanner refused any DOCTYPE already; this lock holds if it should ever miss one. */
static void on_dtd(void *ctx, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
    (void)name;
    (void)external;
    (void)system;
    stop(ctx, WSSEC_DTD_FORBIDDEN, "document type declaration");
}

#if LIBXML_VERSION >= 21200
static void on_error(void *ctx, const xmlError *e)
#else
static void on_error(void *ctx, xmlErrorPtr e)
#endif
{
    xmlParserCtxtPtr c = ctx;
    struct reading *r = c->_private;
    r->no_memory = r->no_memory || e->code == XML_ERR_NO_MEMORY; /* later errors would hide it */
    if (r->error == 0) {
        r->error = e->code;
        r->line = e->line;
        r->column = e->int2;
    }
}

static xmlParserCtxtPtr parser_of(struct wssec_worker *w)
{
    if (w->parser != NULL && xmlDictSize(w->parser->dict) > DICT_MAX) {
        xmlFreeParserCtxt(w->parser);
        w->parser = NULL;
    }
    if (w->parser == NULL) {
        memset(w->uri_ok, 0, sizeof w->uri_ok);
        w->parser = xmlNewParserCtxt();
        if (w->parser == NULL) {
            return NULL;
        }
        xmlSAXHandlerPtr sax = w->parser->sax;
        sax->startElementNs = on_start;
        sax->endElementNs = on_end;
        sax->characters = on_text;
        sax->ignorableWhitespace = on_text;
        sax->cdataBlock = on_cdata;
        sax->internalSubset = on_dtd;
        sax->externalSubset = on_dtd;
        sax->serror = on_error;
    }
    return w->parser;
}

static int parse_failed(xmlParserCtxtPtr c, struct wssec_refusal *why)
{
    const struct reading *r = c->_private;
    if (why->reason == WSSEC_OUT_OF_MEMORY || r->no_memory || c->errNo == XML_ERR_NO_MEMORY || wssec_library_failed()) {
        return WSSEC_RC_NOMEM;
    }
    if (why->reason == WSSEC_OK && r->error == 0) {
        return WSSEC_RC_NOMEM; /* it gave up without a word: libxml2 does so only for want of memory */
    }
    (void)wssec_refuse(why, WSSEC_XML_MALFORMED, "line %d, column %d: XML error %d", r->line, r->column, r->error);
    return WSSEC_RC_OK;
}

static int parse(struct wssec_worker *w, const struct wssec_limits *limits, struct wssec_message *m,
                 struct wssec_refusal *why)
{
    xmlParserCtxtPtr c = parser_of(w);
    struct reading *r = wssec_arena_take(&w->arena, sizeof *r);
    if (c == NULL || r == NULL) {
        return WSSEC_RC_NOMEM;
    }
    if (m->scan.text_octets > limits->dom || m->scan.text_octets > INT_MAX) {
        (void)wssec_refuse(why, WSSEC_LIMIT_DOM, "the message has %zu octets", m->scan.text_octets);
        return WSSEC_RC_OK;
    }
    r->w = w;
    r->limits = limits;
    r->why = why;
    r->fold = WSSEC_SCAN_FOLD;
    int flags = XML_PARSE_NONET | XML_PARSE_NOENT | XML_PARSE_COMPACT | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                XML_PARSE_IGNORE_ENC;
    if (limits->text > XML_MAX_TEXT_LENGTH || limits->depth > 255) {
        flags |= XML_PARSE_HUGE; /* our own counters hold */
    }
    /* reset first: _private would be lost in it otherwise */
    xmlCtxtReset(c);
    c->_private = r;
    if (m->scan.n_piece == 1) {
        m->doc = xmlCtxtReadMemory(c, (const char *)m->scan.piece[0].p, (int)m->scan.piece[0].n, NULL, NULL, flags);
    } else {
        struct feed f = {m->scan.piece, m->scan.n_piece, 0};
        m->doc = xmlCtxtReadIO(c, feed_read, NULL, &f, NULL, NULL, flags);
    }
    int rc = WSSEC_RC_OK;
    /* a text left out for want of memory stops the handlers, yet leaves wellFormed as it is */
    bool whole = m->doc != NULL && !c->disableSAX && !r->no_memory && c->errNo != XML_ERR_NO_MEMORY;
    if (!whole || !c->wellFormed || !c->nsWellFormed || why->reason != WSSEC_OK) {
        rc = parse_failed(c, why);
    } else if (m->doc->version == NULL || strcmp((const char *)m->doc->version, "1.0") != 0) {
        (void)wssec_refuse(why, WSSEC_XML_VERSION, "XML version is not 1.0");
    } else if (m->doc->intSubset != NULL || m->doc->extSubset != NULL) {
        (void)wssec_refuse(why, WSSEC_DTD_FORBIDDEN, "document type declaration");
    } else if (r->fold != m->scan.fold || r->folded != m->scan.folded) {
        (void)wssec_refuse(why, WSSEC_ENGINE_DISAGREEMENT, "scanner and parser saw different elements");
    }
    c->_private = NULL;
    m->has_xop = r->has_xop;
    if ((rc != WSSEC_RC_OK || why->reason != WSSEC_OK) && m->doc != NULL) {
        xmlFreeDoc(m->doc);
        m->doc = NULL;
    }
    return rc;
}

/* Octet ranges of Header and of our Security header: the n-th child of Header is the n-th one that the scanner
 * recorded. */
static int locate(struct wssec_message *m, struct wssec_refusal *why)
{
    if (m->header == NULL) {
        return 0;
    }
    size_t wanted = 0;
    bool found = false;
    for (xmlNodePtr n = wssec_first_element(m->header); n != NULL && m->security != NULL;
         n = wssec_next_element(n), wanted++) {
        if (n == m->security) {
            found = true;
            break;
        }
    }
    const struct wssec_scan *s = &m->scan;
    int32_t header = -1;
    for (size_t i = 0; i < s->n_element; i++) {
        const struct wssec_scan_element *e = &s->element[i];
        if (e->depth == 2 && header < 0) { /* Header is the first child of Envelope, soap.c has seen to it */
            header = (int32_t)i;
            m->header_at = (struct wssec_range){wssec_scan_original(s, e->from), wssec_scan_original(s, e->to)};
        } else if (e->depth == 3 && e->parent == header && found && wanted-- == 0) {
            m->security_at = (struct wssec_range){wssec_scan_original(s, e->from), wssec_scan_original(s, e->to)};
            found = false;
        }
    }
    if (header < 0 || found) {
        return wssec_refuse(why, WSSEC_ENGINE_DISAGREEMENT, "the header has no place in the scan");
    }
    return 0;
}

/* Known before the scan where the text cannot be shorter than its octets: in UTF-8 but for the byte order mark. */
static bool exceeds_tree(const struct wssec_input *in, const struct wssec_limits *limits)
{
    uint64_t octets = 0;
    for (size_t i = 0; i < in->n_slice; i++) {
        octets += in->slice[i].n;
    }
    bool utf8 = in->n_slice > 0 && in->slice[0].n > 1 && in->slice[0].p[0] == '<' && in->slice[0].p[1] != '\0';
    return utf8 && octets > limits->dom && octets <= limits->body;
}

/* What stands where, once there is a tree. */
static int judge_shape(const struct wssec_policy *p, struct wssec_message *m, struct wssec_refusal *why)
{
    if (wssec_soap_read(m, why) != 0 || wssec_soap_security(m, why) != 0 || locate(m, why) != 0) {
        return WSSEC_RC_OK;
    }
    if (m->header_at.to - m->header_at.from > p->limits.header) {
        (void)wssec_refuse(why, WSSEC_LIMIT_HEADER, "the header has %zu octets", m->header_at.to - m->header_at.from);
        return WSSEC_RC_OK;
    }
    return wssec_ids_build(&m->ids, m, p->limits.ids, why);
}

int wssec_document_read(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                        struct wssec_message *m, struct wssec_refusal *why)
{
    wssec_message_reset(m);
    if (exceeds_tree(in, &p->limits)) {
        (void)wssec_refuse(why, WSSEC_LIMIT_DOM, "the message is larger than %llu octets",
                           (unsigned long long)p->limits.dom);
        return WSSEC_RC_OK;
    }
    int rc = wssec_scan_run(&m->scan, in->slice, in->n_slice, in->content_type, &p->limits, p->encodings);
    if (rc != WSSEC_RC_OK) {
        return rc;
    }
    if (m->scan.reason != WSSEC_OK) {
        (void)wssec_refuse(why, m->scan.reason, "%s", m->scan.detail);
        return WSSEC_RC_OK;
    }
    return parse(w, &p->limits, m, why);
}

int wssec_message_read(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                       struct wssec_message *m, struct wssec_refusal *why)
{
    int rc = wssec_document_read(w, in, p, m, why);
    return rc != WSSEC_RC_OK || why->reason != WSSEC_OK ? rc : judge_shape(p, m, why);
}

int wssec_message_read_front(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                             struct wssec_message *m, struct wssec_refusal *why)
{
    struct wssec_stream *s = w->stream;
    bool built = false;
    wssec_message_reset(m);
    if (s == NULL) {
        return wssec_message_read(w, in, p, m, why);
    }
    int rc = wssec_scan_coding(&m->scan, in->slice, in->n_slice, in->content_type, &p->limits, p->encodings);
    if (rc == WSSEC_RC_OK && m->scan.reason == WSSEC_OK && m->scan.coding == WSSEC_CODING_UTF8 &&
        m->scan.n_piece == 1) {
        rc = wssec_build(&s->builder, &s->reader, &w->arena, m->scan.piece[0], &p->limits, m, &built);
    }
    if (rc != WSSEC_RC_OK) {
        return rc;
    }
    m->arena_doc = built;
    return built ? judge_shape(p, m, why) : wssec_message_read(w, in, p, m, why);
}

void wssec_message_reset(struct wssec_message *m)
{
    if (m->doc != NULL && !m->arena_doc) {
        xmlFreeDoc(m->doc);
    }
    m->doc = NULL;
    m->arena_doc = false;
    m->envelope = NULL;
    m->header = NULL;
    m->body = NULL;
    m->security = NULL;
    m->soap = 0;
    m->is_fault = false;
    m->has_xop = false;
    m->streamed = false;
    m->body_xop = false;
    m->body_comments = 0;
    m->ids.asked = NULL;
    if (m->ids.cap > IDS_KEPT) { /* one large message must not weigh on the worker for ever */
        free(m->ids.row);
        m->ids.row = NULL;
        m->ids.cap = 0;
    }
    m->ids.n = 0;
    m->ids.strict = 0;
    m->security_at = (struct wssec_range){0, 0};
    m->header_at = (struct wssec_range){0, 0};
    wssec_scan_reset(&m->scan);
}

void wssec_message_free(struct wssec_message *m)
{
    wssec_message_reset(m);
    wssec_scan_free(&m->scan);
    free(m->ids.row);
    m->ids = (struct wssec_ids){0};
}

bool wssec_is(const xmlNode *node, const char *ns, const char *local)
{
    return node != NULL && node->type == XML_ELEMENT_NODE && node->ns != NULL &&
           strcmp((const char *)node->name, local) == 0 && strcmp((const char *)node->ns->href, ns) == 0;
}

xmlNodePtr wssec_next_element(const xmlNode *node)
{
    xmlNodePtr n = node != NULL ? node->next : NULL;
    while (n != NULL && n->type != XML_ELEMENT_NODE) {
        n = n->next;
    }
    return n;
}

xmlNodePtr wssec_first_element(const xmlNode *node)
{
    xmlNodePtr n = node != NULL ? node->children : NULL;
    return n != NULL && n->type != XML_ELEMENT_NODE ? wssec_next_element(n) : n;
}

const xmlNode *wssec_next_below(const xmlNode *top, const xmlNode *n)
{
    if (n->type == XML_ELEMENT_NODE && n->children != NULL) {
        return n->children;
    }
    while (n != top && n->next == NULL) {
        n = n->parent;
    }
    return n == top ? NULL : n->next;
}

bool wssec_within(const xmlNode *outer, const xmlNode *inner)
{
    while (inner != NULL && inner != outer) {
        inner = inner->parent;
    }
    return inner != NULL;
}

const xmlChar *wssec_attr(const xmlNode *node, const char *ns, const char *local)
{
    for (const xmlAttr *a = node->properties; a != NULL; a = a->next) {
        if (strcmp((const char *)a->name, local) == 0 &&
            (ns == NULL ? a->ns == NULL : a->ns != NULL && strcmp((const char *)a->ns->href, ns) == 0)) {
            return a->children != NULL && a->children->content != NULL ? a->children->content : BAD_CAST "";
        }
    }
    return NULL;
}

const xmlChar *wssec_text(const xmlNode *node, size_t *len)
{
    const xmlNode *n = node->children;
    *len = 0;
    if (n == NULL) {
        return BAD_CAST "";
    }
    if (n->next != NULL || (n->type != XML_TEXT_NODE && n->type != XML_CDATA_SECTION_NODE) || n->content == NULL) {
        return NULL;
    }
    *len = strlen((const char *)n->content);
    return n->content;
}

bool wssec_element_content(const xmlNode *node, bool loose)
{
    for (const xmlNode *n = node->children; n != NULL; n = n->next) {
        switch (n->type) {
        case XML_ELEMENT_NODE: break;
        case XML_TEXT_NODE:
            if (!xmlIsBlankNode(n)) {
                return false;
            }
            break;
        case XML_COMMENT_NODE:
        case XML_PI_NODE:
            if (!loose) {
                return false;
            }
            break;
        default: return false;
        }
    }
    return true;
}
