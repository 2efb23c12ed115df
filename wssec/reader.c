/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.c: text, CDATA sections and comments of a Body, in pieces of any length. What a piece ends within is carried
 * over: at most one tag, whose length is limited.
 */
#include "wssec/reader.h"

#include <stdlib.h>
#include <string.h>

#include "wssec/build.h"
#include "wssec/reader_tag.h"
#include "wssec/run.h"

#define CARRIED_REFERENCE 16

/* ---- emitting ------------------------------------------------------------------------------------------------------
 */

static void raw(struct wssec_reader *r, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < r->n_emit && n != 0; i++) {
        wssec_emit_raw(r->emit[i], p, n);
    }
}

/* One character of text as it is meant, and as it is to be written. */
static void copy(struct wssec_reader *r, const char *meant, const char *text)
{
    if (r->build != NULL) {
        wssec_build_text(r->build, meant, 1, r->state == WSSEC_READING_CDATA);
    }
    for (size_t i = 0; i < r->n_emit; i++) {
        wssec_emit_copy(r->emit[i], text, strlen(text));
    }
}

static void settle(struct wssec_reader *r)
{
    for (size_t i = 0; i < r->n_emit; i++) {
        wssec_emit_settle(r->emit[i]);
    }
}

/* ---- text ----------------------------------------------------------------------------------------------------------
 */

static bool is_blank(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != ' ' && p[i] != '\t' && p[i] != '\n') {
            return false;
        }
    }
    return true;
}

/* How many ']' stand right before p, in this piece from, or at the end of the last. */
static unsigned brackets_before(const struct wssec_reader *r, const uint8_t *from, const uint8_t *p)
{
    unsigned n = 0;
    while (p > from && p[-1] == ']' && n < 2) {
        p--;
        n++;
    }
    return p == from ? n + r->brackets : n;
}

/* Octets since the last tag. @return false: too many, stopped */
static bool count_text(struct wssec_reader *r, size_t n)
{
    r->text += n;
    if (r->text > r->limits->text) {
        (void)wssec_reader_stop(r, WSSEC_LIMIT_TEXT, "limit-text");
        return false;
    }
    return true;
}

/* Octets of text that are written as they stand. @return false: stopped */
static bool plain_text(struct wssec_reader *r, const uint8_t *p, size_t n)
{
    if (r->depth < r->least && !is_blank(p, n)) {
        (void)wssec_reader_stop(r, WSSEC_SOAP_SHAPE, "behind-body");
        return false;
    }
    if (!count_text(r, n)) {
        return false;
    }
    if (r->depth >= r->least) {
        raw(r, p, n);
        if (r->build != NULL) {
            wssec_build_text(r->build, p, n, r->state == WSSEC_READING_CDATA);
        }
    }
    return true;
}

static const uint8_t *reference(struct wssec_reader *r, const uint8_t *p, const uint8_t *end)
{
    uint32_t point = 0;
    const uint8_t *behind = wssec_reader_reference(p, end, &point);
    if (behind == NULL || r->depth < r->least) {
        return wssec_reader_stop(r, WSSEC_XML_MALFORMED, "reference");
    }
    if (behind == p || !count_text(r, (size_t)(behind - p))) {
        return behind == p ? p : NULL;
    }
    uint8_t utf8[4];
    size_t n = wssec_reader_utf8(point, utf8);
    if (r->build != NULL) {
        wssec_build_text(r->build, utf8, n, false);
    }
    if (p[1] != '#' && (point == '&' || point == '<' || point == '>')) {
        raw(r, p, (size_t)(behind - p)); /* as it is to be written */
        return behind;
    }
    for (size_t i = 0; i < r->n_emit; i++) {
        wssec_emit_text(r->emit[i], utf8, n);
    }
    return behind;
}

/* A carriage return, alone or before a line feed, is one line feed; which of both shows with the next octet. */
static void line_end(struct wssec_reader *r, uint8_t next)
{
    r->cr = false;
    (void)count_text(r, 1);
    if (next != '\n' && r->depth >= r->least) {
        copy(r, "\n", "\n");
    }
}

/* ---- pieces --------------------------------------------------------------------------------------------------------
 */

static const uint8_t *carry(struct wssec_reader *r, const uint8_t *p, const uint8_t *end);

/* "<!" and what makes it a comment or a CDATA section. @return behind it; p: it does not end; NULL: stopped */
static const uint8_t *declaration(struct wssec_reader *r, const uint8_t *p, const uint8_t *end)
{
    static const char comment[] = "<!--";
    static const char cdata[] = "<![CDATA[";
    size_t n = (size_t)(end - p);
    if (memcmp(p, comment, n < 4 ? n : 4) == 0) {
        if (n < 4) {
            return p;
        }
        if (r->depth < r->least) {
            return wssec_reader_stop(r, WSSEC_SOAP_SHAPE, "behind-body");
        }
        r->state = WSSEC_READING_COMMENT;
        r->comments++;
        if (r->build != NULL) {
            wssec_build_comment(r->build);
        }
        r->dashes = 0;
        return p + 4;
    }
    if (memcmp(p, cdata, n < 9 ? n : 9) == 0 && r->depth >= r->least) {
        if (n >= 9 && r->build != NULL) {
            wssec_build_cdata(r->build);
        }
        r->state = n < 9 ? r->state : WSSEC_READING_CDATA;
        return n < 9 ? p : p + 9;
    }
    return wssec_reader_stop(r, WSSEC_XML_MALFORMED, "markup");
}

/* Markup at p ('<'). @return behind it; p: it does not end; NULL: stopped */
static const uint8_t *markup(struct wssec_reader *r, const uint8_t *p, const uint8_t *end)
{
    r->brackets = 0;
    if (end - p < 2) {
        return p;
    }
    if (p[1] == '/' || (p[1] != '!' && p[1] != '?')) {
        if (p[1] != '/' && r->depth < r->least && (r->build == NULL || r->elements != 0)) {
            return wssec_reader_stop(r, WSSEC_SOAP_SHAPE, "behind-body");
        }
        if (p[1] == '/' && r->depth == 0) {
            return wssec_reader_stop(r, WSSEC_XML_MALFORMED, "behind-envelope");
        }
        const uint8_t *behind = p[1] == '/' ? wssec_reader_end_tag(r, p, end) : wssec_reader_start_tag(r, p, end);
        r->text = behind != p ? 0 : r->text;
        return behind;
    }
    return p[1] == '!' ? declaration(r, p, end) : wssec_reader_stop(r, WSSEC_PROCESSING_INSTRUCTION, "instruction");
}

static const uint8_t *take_text(struct wssec_reader *r, const uint8_t *p, const uint8_t *end)
{
    while (p < end && r->state == WSSEC_READING_TEXT) {
        const uint8_t *q = *p == '<' ? p : wssec_run_text(p < r->clean ? r->clean : p, end);
        if (q != p && !plain_text(r, p, (size_t)(q - p))) {
            return NULL;
        }
        if (q == end) {
            r->brackets = brackets_before(r, p, q);
            return end;
        }
        const uint8_t *behind = q + 1;
        if (*q == '<') {
            behind = markup(r, q, end);
        } else if (*q == '&') {
            behind = reference(r, q, end);
        } else if (*q == '\r') {
            if (behind < end) {
                line_end(r, *behind);
            } else {
                r->cr = true;
            }
        } else if (r->depth < r->least || brackets_before(r, p, q) >= 2) {
            return wssec_reader_stop(r, WSSEC_XML_MALFORMED, "malformed");
        } else {
            copy(r, ">", "&gt;");
            (void)count_text(r, 1);
        }
        if (behind == NULL || r->cause != NULL) {
            return NULL;
        }
        if (behind == q) {
            return carry(r, q, end);
        }
        r->brackets = 0;
        p = behind;
    }
    return p;
}

/* Text of a CDATA section, escaped. */
static bool cdata_text(struct wssec_reader *r, const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        const uint8_t *q = wssec_run_text(p, end);
        if (!plain_text(r, p, (size_t)(q - p))) {
            return false;
        }
        if (q == end) {
            return true;
        }
        p = q + 1;
        if (*q != '\r') {
            copy(r, (const char *)q, *q == '<' ? "&lt;" : *q == '>' ? "&gt;" : "&amp;");
        } else if (p < end) {
            line_end(r, *p);
        } else {
            r->cr = true;
        }
        if (!count_text(r, 1)) {
            return false;
        }
    }
    return true;
}

/* brackets: ']' that were read and not yet written, since they may begin the end. */
static const uint8_t *take_cdata(struct wssec_reader *r, const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        if (r->brackets == 2 && *p == '>') {
            r->brackets = 0;
            r->state = WSSEC_READING_TEXT;
            return p + 1;
        }
        if (*p == ']') {
            if (r->brackets == 2) {
                copy(r, "]", "]");
            } else {
                r->brackets++;
            }
            if (!count_text(r, 1)) {
                return NULL;
            }
            p++;
            continue;
        }
        for (; r->brackets > 0; r->brackets--) {
            copy(r, "]", "]");
        }
        const uint8_t *q = memchr(p, ']', (size_t)(end - p));
        q = q != NULL ? q : end;
        bool ends_line = q < end; /* a carriage return right before ']' ends a line by itself */
        if (!cdata_text(r, p, q)) {
            return NULL;
        }
        if (ends_line && r->cr) {
            line_end(r, ']');
        }
        p = q;
    }
    return p;
}

static const uint8_t *take_comment(struct wssec_reader *r, const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        if (r->dashes == 2) {
            if (*p != '>') {
                return wssec_reader_stop(r, WSSEC_XML_MALFORMED, "malformed");
            }
            r->state = WSSEC_READING_TEXT;
            return p + 1;
        }
        if (*p == '-') {
            r->dashes++;
            p++;
            continue;
        }
        r->dashes = 0;
        const uint8_t *q = memchr(p, '-', (size_t)(end - p));
        q = q != NULL ? q : end;
        if (!count_text(r, (size_t)(q - p))) {
            return NULL;
        }
        p = q;
    }
    return p;
}

static const uint8_t *take(struct wssec_reader *r, const uint8_t *p, const uint8_t *end)
{
    switch (r->state) {
    case WSSEC_READING_TEXT: return take_text(r, p, end);
    case WSSEC_READING_CDATA: return take_cdata(r, p, end);
    case WSSEC_READING_COMMENT: break;
    }
    return take_comment(r, p, end);
}

/* ---- what a piece ends within --------------------------------------------------------------------------------------
 */

/* Up to and with the '>' that ends a tag. @return octets of p, n: it does not come */
static size_t tag_end(struct wssec_reader *r, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (r->quote != 0) {
            const uint8_t *q = memchr(p + i, r->quote, n - i);
            if (q == NULL) {
                return n;
            }
            i = (size_t)(q - p);
            r->quote = 0;
        } else if (p[i] == '"' || p[i] == '\'') {
            r->quote = p[i];
        } else if (p[i] == '>') {
            return i + 1;
        }
    }
    return n;
}

static const uint8_t *carry(struct wssec_reader *r, const uint8_t *p, const uint8_t *end)
{
    settle(r);
    cs_buf_reset(&r->carry);
    if (cs_buf_add(&r->carry, p, (size_t)(end - p)) != 0) {
        r->no_memory = true;
        return wssec_reader_stop(r, WSSEC_OUT_OF_MEMORY, "memory");
    }
    r->carrying = true;
    r->quote = 0;
    if (*p == '<' && end - p > 1 && p[1] != '!') {
        (void)tag_end(r, p, (size_t)(end - p));
    }
    return end;
}

/* How many octets of p go to what is carried before it is looked at again. */
static size_t wanted(struct wssec_reader *r, const uint8_t *p, size_t n)
{
    const char *c = r->carry.data;
    if (c[0] == '&') {
        const uint8_t *semicolon = memchr(p, ';', n < CARRIED_REFERENCE ? n : CARRIED_REFERENCE);
        return semicolon != NULL ? (size_t)(semicolon - p) + 1 : n < CARRIED_REFERENCE ? n : CARRIED_REFERENCE;
    }
    if (r->carry.len == 1 || c[1] == '!') {
        return 1;
    }
    size_t most = r->limits->start_tag + 2;
    size_t some = r->carry.len < most ? most - r->carry.len : 1;
    return tag_end(r, p, n < some ? n : some);
}

/* A tag whose end has not come is not looked at again with every piece. */
static bool within_tag(const struct wssec_reader *r)
{
    const char *c = r->carry.data;
    size_t n = r->carry.len;
    return n > 2 && c[0] == '<' && c[1] != '!' && (r->quote != 0 || c[n - 1] != '>') && n < r->limits->start_tag;
}

/* @return behind what was taken of [p,end), NULL: stopped */
static const uint8_t *carry_on(struct wssec_reader *r, const uint8_t *p, const uint8_t *end)
{
    while (p < end && r->carrying) {
        size_t n = wanted(r, p, (size_t)(end - p));
        if (cs_buf_add(&r->carry, p, n) != 0) {
            r->no_memory = true;
            return wssec_reader_stop(r, WSSEC_OUT_OF_MEMORY, "memory");
        }
        p += n;
        if (within_tag(r)) {
            continue;
        }
        const uint8_t *from = (const uint8_t *)r->carry.data;
        const uint8_t *to = from + r->carry.len;
        const uint8_t *behind = *from == '&' ? reference(r, from, to) : markup(r, from, to);
        if (behind == NULL) {
            return NULL;
        }
        if (behind != from) {
            if (behind != to) {
                return wssec_reader_stop(r, WSSEC_XML_MALFORMED, "malformed");
            }
            settle(r);
            r->carrying = false;
            r->brackets = 0;
        }
    }
    return p;
}

/* ---- the call ------------------------------------------------------------------------------------------------------
 */

static int push_name(struct wssec_reader *r, uint32_t depth, const xmlNode *n)
{
    size_t at = r->names.len;
    if (n->ns != NULL && n->ns->prefix != NULL) {
        (void)cs_buf_adds(&r->names, (const char *)n->ns->prefix);
        (void)cs_buf_addc(&r->names, ':');
    }
    (void)cs_buf_adds(&r->names, (const char *)n->name);
    r->open[depth] = (struct wssec_open){(uint32_t)at, (uint32_t)(r->names.len - at)};
    return r->names.failed ? -1 : 0;
}

static void begin(struct wssec_reader *r, bool ascii_only)
{
    r->comments = 0;
    r->has_xop = false;
    r->is_fault = false;
    r->cause = NULL;
    r->reason = WSSEC_OK;
    r->no_memory = false;
    r->state = WSSEC_READING_TEXT;
    r->children = 0;
    r->elements = 0;
    r->text = 0;
    r->octets_read = 0;
    r->brackets = 0;
    r->dashes = 0;
    r->cr = false;
    r->carrying = false;
    r->octets = (struct wssec_octets){.ascii_only = ascii_only};
    cs_buf_reset(&r->names);
    if (r->cap_open == 0) {
        r->open = calloc(64, sizeof *r->open);
        r->cap_open = r->open != NULL ? 64 : 0;
    }
}

int wssec_reader_begin_tree(struct wssec_reader *r, struct wssec_builder *build, bool ascii_only)
{
    begin(r, ascii_only);
    r->build = build;
    r->depth = 0;
    r->least = 1;
    r->fault_ns = "";
    r->namespaces = 0;
    return r->cap_open == 0 || wssec_scope_reset(&r->scope) != 0 ? WSSEC_RC_NOMEM : WSSEC_RC_OK;
}

int wssec_reader_begin(struct wssec_reader *r, const struct wssec_message *m, bool ascii_only)
{
    begin(r, ascii_only);
    r->build = NULL;
    r->depth = 2;
    r->least = 2;
    r->fault_ns = m->soap == 12 ? WSSEC_NS_SOAP12 : WSSEC_NS_SOAP11;
    if (r->cap_open == 0 || wssec_scope_of(&r->scope, m->body) != 2 || push_name(r, 1, m->envelope) != 0 ||
        push_name(r, 2, m->body) != 0) {
        return WSSEC_RC_NOMEM;
    }
    r->namespaces = (uint32_t)r->scope.n - 1;
    return WSSEC_RC_OK;
}

int wssec_reader_push(struct wssec_reader *r, const uint8_t *p, size_t n)
{
    const uint8_t *end = p + n;
    size_t bad = 0;
    if (r->cause != NULL) {
        return -1;
    }
    r->octets_read += n;
    r->clean = p + (r->octets.follow == 0 ? wssec_run_clean(p, n) : 0);
    enum wssec_reason reason = wssec_octets_check(&r->octets, r->clean, (size_t)(end - r->clean), &bad);
    if (reason != WSSEC_OK) {
        (void)wssec_reader_stop(r, reason, "octets");
        return -1;
    }
    if (n != 0 && r->cr) {
        line_end(r, *p);
    }
    while (p != NULL && p < end && r->cause == NULL) {
        p = r->carrying ? carry_on(r, p, end) : take(r, p, end);
    }
    settle(r);
    return r->cause == NULL ? 0 : -1;
}

int wssec_reader_end(struct wssec_reader *r)
{
    if (r->cause == NULL && (r->depth != 0 || r->state != WSSEC_READING_TEXT || r->carrying || r->octets.follow != 0)) {
        (void)wssec_reader_stop(r, WSSEC_XML_MALFORMED, "unfinished");
    }
    return r->cause == NULL ? 0 : -1;
}

void wssec_reader_free(struct wssec_reader *r)
{
    wssec_scope_free(&r->scope);
    free(r->attribute);
    free(r->value);
    free(r->order);
    free(r->open);
    cs_buf_free(&r->values);
    cs_buf_free(&r->names);
    cs_buf_free(&r->carry);
    *r = (struct wssec_reader){0};
}
