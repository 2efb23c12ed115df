/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader_tag.c: tags inside a Body. A tag is read where it stands; it is refused whenever it is not what XML 1.0 and
 * Namespaces in XML say, and also where these leave libxml2 a choice.
 */
#include "wssec/reader_tag.h"

#include <libxml/uri.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wssec/build.h"
#include "wssec/run.h"

#define REFERENCE_MAX 16   /* "&#x0010FFFF;" and some zeros */
#define DEPTH_MAX     4095 /* as message.c */

enum kind { OTHER = 0, START = 1, MORE = 2, COLON = 4, WIDE = 8 };

#define LETTERS(from, to) [from... to] = START
static const uint8_t kinds[256] = {['A' ... 'Z'] = START, ['a' ... 'z'] = START, ['_'] = START, ['0' ... '9'] = MORE,
                                   ['-'] = MORE,          ['.'] = MORE,          [':'] = COLON, [0x80 ... 0xff] = WIDE};

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const uint8_t *skip_space(const uint8_t *p, const uint8_t *end)
{
    while (p < end && is_space(*p)) {
        p++;
    }
    return p;
}

static bool equals(struct wssec_slice s, const char *text)
{
    return s.n == strlen(text) && (s.n == 0 || memcmp(s.p, text, s.n) == 0);
}

const uint8_t *wssec_reader_stop(struct wssec_reader *r, enum wssec_reason reason, const char *cause)
{
    if (r->cause == NULL) {
        r->reason = reason;
        r->cause = cause;
    }
    return NULL;
}

static const uint8_t *malformed(struct wssec_reader *r)
{
    return wssec_reader_stop(r, WSSEC_XML_MALFORMED, "malformed");
}

static const uint8_t *starved(struct wssec_reader *r)
{
    r->no_memory = true;
    return wssec_reader_stop(r, WSSEC_OUT_OF_MEMORY, "memory");
}

/* ---- references ----------------------------------------------------------------------------------------------------
 */

static bool is_char(uint32_t c)
{
    return c == 9 || c == 10 || c == 13 || (c >= 0x20 && c <= 0xD7FF) || (c >= 0xE000 && c <= 0xFFFD) ||
           (c >= 0x10000 && c <= 0x10FFFF);
}

static unsigned digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - (unsigned)'0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - (unsigned)'a' + 10 : 16;
}

static const uint8_t *number(const uint8_t *p, const uint8_t *semicolon, uint32_t *point)
{
    unsigned base = *p == 'x' ? 16 : 10;
    p += base == 16;
    uint32_t c = 0;
    if (p == semicolon) {
        return NULL;
    }
    for (; p < semicolon; p++) {
        unsigned d = digit(*p);
        if (d >= base || c > 0x10FFFF) {
            return NULL;
        }
        c = c * base + d;
    }
    *point = c;
    return is_char(c) ? semicolon + 1 : NULL;
}

const uint8_t *wssec_reader_reference(const uint8_t *p, const uint8_t *end, uint32_t *point)
{
    static const struct {
        const char *name;
        uint32_t point;
    } names[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    size_t room = (size_t)(end - p) < REFERENCE_MAX ? (size_t)(end - p) : REFERENCE_MAX;
    const uint8_t *semicolon = memchr(p, ';', room);
    if (semicolon == NULL) {
        return room < REFERENCE_MAX ? p : NULL;
    }
    struct wssec_slice name = {p + 1, (size_t)(semicolon - p) - 1};
    if (name.n > 1 && name.p[0] == '#') {
        return number(name.p + 1, semicolon, point);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (equals(name, names[i].name)) {
            *point = names[i].point;
            return semicolon + 1;
        }
    }
    return NULL;
}

size_t wssec_reader_utf8(uint32_t c, uint8_t out[4])
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n; i-- > 1; c >>= 6) {
        out[i] = (uint8_t)(0x80 | (c & 0x3F));
    }
    out[0] = (uint8_t)(lead[n] | c);
    return n;
}

/* ---- names ---------------------------------------------------------------------------------------------------------
 */

/* One part of a name: XML's fifth edition, as libxml2 takes it. */
static bool is_part(const uint8_t *p, size_t n, unsigned seen)
{
    if ((seen & WIDE) != 0) {
        return wssec_is_ncname(p, n);
    }
    return n > 0 && kinds[p[0]] == START;
}

/* A qualified name at p. @return behind it; end: perhaps more comes; NULL: stopped */
static const uint8_t *take_name(struct wssec_reader *r, const uint8_t *p, const uint8_t *end, struct wssec_slice *name,
                                uint32_t *prefix_n)
{
    const uint8_t *from = p;
    const uint8_t *colon = NULL;
    unsigned seen = 0;
    unsigned k = 0;
    for (; p < end && (k = kinds[*p]) != OTHER; p++) {
        seen |= k;
        if (k == COLON) {
            if (colon != NULL) {
                return malformed(r);
            }
            colon = p;
        }
    }
    if (p == end) {
        return end;
    }
    size_t n = (size_t)(p - from);
    size_t prefix = colon != NULL ? (size_t)(colon - from) : 0;
    const uint8_t *local = colon != NULL ? colon + 1 : from;
    if (n > r->limits->name) {
        return wssec_reader_stop(r, WSSEC_LIMIT_NAME, "limit-name");
    }
    if ((colon != NULL && !is_part(from, prefix, seen)) || !is_part(local, (size_t)(p - local), seen)) {
        return malformed(r);
    }
    *name = (struct wssec_slice){from, n};
    *prefix_n = (uint32_t)prefix;
    return p;
}

static struct wssec_slice local_of(struct wssec_slice name, uint32_t prefix_n)
{
    size_t skip = prefix_n != 0 ? prefix_n + (size_t)1 : 0;
    return (struct wssec_slice){name.p + skip, name.n - skip};
}

/* ---- attributes ----------------------------------------------------------------------------------------------------
 */

static int room(struct wssec_reader *r, size_t n)
{
    if (n < r->cap_attribute) {
        return 0;
    }
    size_t cap = r->cap_attribute == 0 ? 16 : r->cap_attribute * 2;
    struct wssec_attribute *attribute = reallocarray(r->attribute, cap, sizeof *attribute);
    r->attribute = attribute != NULL ? attribute : r->attribute;
    struct wssec_value *value = attribute != NULL ? reallocarray(r->value, cap, sizeof *value) : NULL;
    r->value = value != NULL ? value : r->value;
    uint32_t *order = value != NULL ? reallocarray(r->order, 2 * cap, sizeof *order) : NULL;
    if (order == NULL) {
        (void)starved(r);
        return -1;
    }
    r->order = order;
    r->cap_attribute = cap;
    return 0;
}

/* The value behind its opening quote at p. @return at the closing quote; end: it does not come; NULL: stopped */
static const uint8_t *take_value(struct wssec_reader *r, const uint8_t *p, const uint8_t *end, uint8_t quote,
                                 struct wssec_value *v, bool *plain)
{
    *v = (struct wssec_value){.p = p};
    *plain = true;
    for (p = wssec_run_value(p, end); p < end; p = wssec_run_value(p + 1, end)) {
        if (*p == quote) {
            v->n = (size_t)(p - v->p);
            return p;
        }
        if (*p == '<') {
            return malformed(r);
        }
        v->decode = v->decode || (*p != '"' && *p != '\'');
        *plain = *plain && *p == '\'';
    }
    return end;
}

/* One attribute at p. @return behind it; end: it does not end; NULL: stopped */
static const uint8_t *take_attribute(struct wssec_reader *r, const uint8_t *p, const uint8_t *end, size_t i)
{
    struct wssec_attribute *a = &r->attribute[i];
    struct wssec_value *v = &r->value[i];
    *a = (struct wssec_attribute){.row = WSSEC_ROW_NONE};
    p = take_name(r, p, end, &a->name, &a->prefix_n);
    if (p == NULL || p == end) {
        return p;
    }
    const uint8_t *name_end = p;
    p = skip_space(p, end);
    if (p < end && *p != '=') {
        return malformed(r);
    }
    p = skip_space(p < end ? p + 1 : p, end);
    if (p == end) {
        return end;
    }
    if (*p != '"' && *p != '\'') {
        return malformed(r);
    }
    const uint8_t *open = p;
    p = take_value(r, p + 1, end, *open, v, &a->plain);
    if (p == NULL || p == end) {
        return p;
    }
    a->value = (struct wssec_slice){v->p, v->n};
    if (a->plain && *open == '"' && open == name_end + 1 && a->name.p[-1] == ' ') {
        a->raw = (struct wssec_slice){a->name.p - 1, (size_t)(p + 1 - (a->name.p - 1))};
    }
    v->is_namespace = (a->name.n == 5 || a->prefix_n == 5) && memcmp(a->name.p, "xmlns", 5) == 0;
    return p + 1;
}

/* References resolved and white space made blanks; room in r->values is reserved. @return false: not well-formed */
static bool decode(struct wssec_reader *r, const struct wssec_value *v, struct wssec_slice *out)
{
    uint8_t *to = (uint8_t *)r->values.data + r->values.len;
    uint8_t *from = to;
    for (size_t i = 0; i < v->n;) {
        uint8_t c = v->p[i];
        if (c == '&') {
            uint32_t point = 0;
            const uint8_t *behind = wssec_reader_reference(v->p + i, v->p + v->n, &point);
            if (behind == NULL || behind == v->p + i) {
                return false;
            }
            to += wssec_reader_utf8(point, to); /* never longer than the reference */
            i = (size_t)(behind - v->p);
            continue;
        }
        i += c == '\r' && i + 1 < v->n && v->p[i + 1] == '\n' ? 2 : 1;
        *to++ = is_space(c) ? ' ' : c;
    }
    *out = (struct wssec_slice){from, (size_t)(to - from)};
    r->values.len += out->n;
    return true;
}

static int decode_all(struct wssec_reader *r, size_t n, size_t octets)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        any = any || r->value[i].decode;
    }
    if (!any) {
        return 0;
    }
    cs_buf_reset(&r->values);
    if (cs_buf_reserve(&r->values, octets) != 0) {
        (void)starved(r);
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (r->value[i].decode && !decode(r, &r->value[i], &r->attribute[i].value)) {
            (void)wssec_reader_stop(r, WSSEC_XML_MALFORMED, "reference");
            return -1;
        }
    }
    return 0;
}

/* ---- namespaces ----------------------------------------------------------------------------------------------------
 */

/* Where a name is kept: there or beside it. Names begin alike and end differently, mostly. */
static size_t slot_of(struct wssec_slice name)
{
    uint64_t tail = 0;
    size_t n = name.n < sizeof tail ? name.n : sizeof tail;
    if (n != 0) {
        memcpy(&tail, name.p + name.n - n, n);
    }
    return (size_t)(((tail ^ name.n) * 0x9E3779B97F4A7C15u) >> 32) % WSSEC_GOOD_NAMES;
}

static bool is_good(const struct wssec_good_name *good, struct wssec_slice name)
{
    return good->n == name.n && name.n != 0 && wssec_run_same(good->text, name.p, name.n);
}

/* As message.c judges names of namespaces: absolute, and no octet that C14N would have to escape. */
static bool name_is_good(struct wssec_reader *r, struct wssec_slice name)
{
    char text[1024];
    size_t slot = slot_of(name);
    if (is_good(&r->good[slot], name) || is_good(&r->good[slot ^ 1], name)) {
        return true;
    }
    if (name.n >= sizeof text) {
        return false;
    }
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] <= 0x20 || name.p[i] >= 0x7f || strchr("&<>\"'`{}|\\^", name.p[i]) != NULL) {
            return false;
        }
        text[i] = (char)name.p[i];
    }
    text[name.n] = '\0';
    xmlURIPtr parsed = xmlParseURI(text);
    bool absolute = parsed != NULL && parsed->scheme != NULL && parsed->scheme[0] != '\0';
    xmlFreeURI(parsed);
    if (absolute && name.n <= sizeof r->good[slot].text) {
        r->good[slot ^ 1] = r->good[slot];
        memcpy(r->good[slot].text, name.p, name.n);
        r->good[slot].n = (uint8_t)name.n;
    }
    return absolute;
}

static int declare(struct wssec_reader *r, const struct wssec_attribute *a, uint32_t depth)
{
    struct wssec_slice prefix = {NULL, 0};
    if (a->prefix_n != 0) {
        prefix = local_of(a->name, a->prefix_n);
    }
    if (equals(prefix, "xml") || equals(prefix, "xmlns") || (prefix.n != 0 && a->value.n == 0) ||
        equals(a->value, (const char *)XML_XML_NAMESPACE) || equals(a->value, "http://www.w3.org/2000/xmlns/")) {
        (void)wssec_reader_stop(r, WSSEC_XML_MALFORMED, "namespace");
        return -1;
    }
    if (a->value.n != 0 && !name_is_good(r, a->value)) {
        (void)wssec_reader_stop(r, WSSEC_NAMESPACE_URI_UNSUPPORTED, "namespace");
        return -1;
    }
    const struct wssec_scope *s = &r->scope;
    for (size_t i = s->n; i-- > 0 && s->row[i].depth == depth;) {
        if (s->row[i].prefix_n == prefix.n &&
            (prefix.n == 0 || memcmp(s->text.data + s->row[i].prefix_at, prefix.p, prefix.n) == 0)) {
            (void)malformed(r);
            return -1;
        }
    }
    if (wssec_scope_declare(&r->scope, depth, prefix, a->value) != 0) {
        (void)starved(r);
        return -1;
    }
    if (++r->namespaces > r->limits->namespaces) {
        (void)wssec_reader_stop(r, WSSEC_LIMIT_NAMESPACES, "limit-namespaces");
        return -1;
    }
    return 0;
}

/* Declarations leave the list of attributes. @return how many attributes stay; SIZE_MAX: stopped */
static size_t declare_all(struct wssec_reader *r, size_t n, uint32_t depth)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (r->value[i].is_namespace) {
            if (declare(r, &r->attribute[i], depth) != 0) {
                return SIZE_MAX;
            }
        } else {
            r->attribute[kept++] = r->attribute[i];
        }
    }
    return kept;
}

static bool bind(struct wssec_reader *r, struct wssec_slice name, uint32_t prefix_n, int32_t *row)
{
    *row = wssec_scope_find(&r->scope, (struct wssec_slice){name.p, prefix_n});
    if (prefix_n != 0 && *row == WSSEC_ROW_NONE) {
        (void)malformed(r);
        return false;
    }
    return true;
}

/* ---- what the judges want to know -----------------------------------------------------------------------------------
 */

static int tell_ids(struct wssec_reader *r, const struct wssec_element *el)
{
    for (size_t i = 0; i < el->n_attribute; i++) {
        const struct wssec_attribute *a = &el->attribute[i];
        struct wssec_slice local = local_of(a->name, a->prefix_n);
        if (local.n != 2 || (local.p[0] | 0x20) != 'i' || (local.p[1] | 0x20) != 'd') {
            continue;
        }
        bool wsu = equals(local, "Id") && equals(wssec_scope_name(&r->scope, a->row), WSSEC_NS_WSU);
        bool xml = equals(local, "id") && a->row == WSSEC_ROW_XML;
        bool plain = equals(local, "Id") && a->prefix_n == 0;
        const struct wssec_seen_id id = {a->value, el->name, r->elements, wsu || xml || plain, wsu || xml};
        if (r->on_id != NULL && r->on_id(r->ctx, &id) != 0) {
            (void)starved(r);
            return -1;
        }
    }
    return 0;
}

static void look_at(struct wssec_reader *r, const struct wssec_element *el)
{
    struct wssec_slice local = local_of(el->name, el->prefix_n);
    if (local.p[0] == 'I' && equals(local, "Include") && equals(wssec_scope_name(&r->scope, el->row), WSSEC_NS_XOP)) {
        r->has_xop = true;
    }
    if (el->depth == 3) {
        r->is_fault =
            r->children++ == 0 && equals(local, "Fault") && equals(wssec_scope_name(&r->scope, el->row), r->fault_ns);
    }
}

/* ---- elements ------------------------------------------------------------------------------------------------------
 */

static int enter(struct wssec_reader *r, const struct wssec_element *el)
{
    if (el->depth >= r->cap_open) {
        size_t cap = r->cap_open * 2;
        struct wssec_open *more = reallocarray(r->open, cap, sizeof *more);
        if (more == NULL) {
            (void)starved(r);
            return -1;
        }
        r->open = more;
        r->cap_open = cap;
    }
    r->open[el->depth] = (struct wssec_open){(uint32_t)r->names.len, (uint32_t)el->name.n};
    if (r->names.len > UINT32_MAX / 2 || cs_buf_add(&r->names, el->name.p, el->name.n) != 0) {
        (void)starved(r);
        return -1;
    }
    r->depth = el->depth;
    return 0;
}

static void leave(struct wssec_reader *r, struct wssec_slice name, bool in_input)
{
    for (size_t i = 0; i < r->n_emit; i++) {
        wssec_emit_end(r->emit[i], name, r->depth, in_input);
    }
}

static void forget(struct wssec_reader *r, uint32_t depth)
{
    size_t before = r->scope.n;
    wssec_scope_leave(&r->scope, depth);
    r->namespaces -= (uint32_t)(before - r->scope.n);
}

/* The tag is complete: namespaces, limits, then out with it. */
static int take_element(struct wssec_reader *r, struct wssec_element *el, size_t n, size_t octets, bool empty,
                        const uint8_t *gt)
{
    el->depth = r->depth + 1;
    r->elements++;
    if (el->depth > r->limits->depth || el->depth > DEPTH_MAX) {
        (void)wssec_reader_stop(r, WSSEC_LIMIT_DEPTH, "limit-depth");
        return -1;
    }
    if (n > 0) {
        if (decode_all(r, n, octets) != 0) {
            return -1;
        }
        size_t kept = declare_all(r, n, el->depth);
        if (kept == SIZE_MAX) {
            return -1;
        }
        el->declares = kept != n;
        el->n_attribute = kept;
        el->attribute = r->attribute;
        el->order = r->order;
    }
    if (!bind(r, el->name, el->prefix_n, &el->row) || el->row == WSSEC_ROW_XML) {
        (void)malformed(r);
        return -1;
    }
    for (size_t i = 0; i < el->n_attribute; i++) {
        struct wssec_attribute *a = &r->attribute[i];
        if (a->prefix_n != 0 && !bind(r, a->name, a->prefix_n, &a->row)) {
            return -1;
        }
    }
    if (el->n_attribute > 0 &&
        (wssec_attributes_sort(&r->scope, r->attribute, el->n_attribute, r->order) != 0 || tell_ids(r, el) != 0)) {
        (void)malformed(r);
        return -1;
    }
    look_at(r, el);
    if (r->build != NULL) {
        wssec_build_start(r->build, &r->scope, el, gt, empty);
    }
    for (size_t i = 0; i < r->n_emit; i++) {
        wssec_emit_start(r->emit[i], &r->scope, el);
        if (empty) {
            wssec_emit_copy(r->emit[i], ">", 1);
            wssec_emit_end(r->emit[i], el->name, el->depth, false);
        } else {
            wssec_emit_raw(r->emit[i], gt, 1);
        }
    }
    if (empty) {
        forget(r, el->depth);
        return 0;
    }
    return enter(r, el);
}

const uint8_t *wssec_reader_start_tag(struct wssec_reader *r, const uint8_t *lt, const uint8_t *end)
{
    struct wssec_element el = {.in_input = true};
    size_t n = 0;
    const uint8_t *p = take_name(r, lt + 1, end, &el.name, &el.prefix_n);
    while (p != NULL && p != end && *p != '>') {
        const uint8_t *gap = p;
        p = skip_space(p, end);
        if (p == end || *p == '>') {
            continue;
        }
        if (*p == '/') {
            if (p + 1 < end && p[1] != '>') {
                return malformed(r);
            }
            p++;
            break;
        }
        if (p == gap) {
            return malformed(r);
        }
        if (n == r->limits->attributes) {
            return wssec_reader_stop(r, WSSEC_LIMIT_ATTRIBUTES, "limit-attributes");
        }
        if (room(r, n) != 0) {
            return NULL;
        }
        p = take_attribute(r, p, end, n++);
    }
    if (p == NULL) {
        return NULL;
    }
    if ((size_t)(p - lt) >= r->limits->start_tag) {
        return wssec_reader_stop(r, WSSEC_LIMIT_START_TAG, "limit-start-tag");
    }
    if (p == end) {
        return lt;
    }
    return take_element(r, &el, n, (size_t)(p - lt), p[-1] == '/', p) == 0 ? p + 1 : NULL;
}

const uint8_t *wssec_reader_end_tag(struct wssec_reader *r, const uint8_t *lt, const uint8_t *end)
{
    const struct wssec_open *open = &r->open[r->depth];
    const struct wssec_slice name = {lt + 2, open->n};
    if ((size_t)(end - lt) < open->n + (size_t)3) {
        return lt;
    }
    const uint8_t *p = lt + 2 + open->n;
    if (!wssec_run_same(name.p, r->names.data + open->at, open->n)) {
        return malformed(r);
    }
    bool in_input = *p == '>';
    p = skip_space(p, end);
    if ((size_t)(p - lt) >= r->limits->start_tag) {
        return wssec_reader_stop(r, WSSEC_LIMIT_START_TAG, "limit-start-tag");
    }
    if (p == end) {
        return lt;
    }
    if (*p != '>') {
        return malformed(r);
    }
    if (r->build != NULL) {
        wssec_build_end(r->build, r->depth, lt, p + 1);
    } else if (r->depth >= r->least) {
        leave(r, name, in_input);
    }
    forget(r, r->depth);
    r->names.len = open->at;
    r->depth--;
    return p + 1;
}
