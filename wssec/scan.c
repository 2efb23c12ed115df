/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan.c: one walk over the text, slice by slice, as a table of states. It understands just enough XML to know where
 * tags, comments, CDATA sections and instructions begin and end; what well-formed means is the parser's business, and
 * the fold over the element names shows whether both saw the same structure.
 */
#include "wssec/scan.h"

#include <stdlib.h>
#include <string.h>

enum state {
    IN_TEXT,
    IN_LT,
    IN_NAME,
    IN_TAG,
    IN_QUOTE,
    IN_CLOSE,
    IN_BANG,
    IN_COMMENT,
    IN_CDATA,
    IN_INSTRUCTION,
    STATES
};

#define MAX_ENVELOPE_CHILDREN 16 /* Header and Body are two; a flood of siblings is no envelope */

struct walker {
    struct wssec_scan *s;
    const struct wssec_limits *limits;
    struct wssec_refusal why;
    enum state state;
    size_t at;       /* offset in the text of the octet in hand */
    size_t lt;       /* offset of the '<' of the markup in hand */
    size_t run;      /* where the text, comment, CDATA section or instruction in hand began */
    size_t name_run; /* octets of the attribute name in hand */
    size_t name_end;
    size_t name_at; /* in s->names */
    uint32_t depth; /* of the elements that are open */
    uint32_t roots;
    uint32_t children;  /* depth 2 */
    uint32_t blocks;    /* recorded at depth 3 */
    int32_t open[4];    /* recorded element that is open at depth 1..3, -1: not recorded */
    size_t header_from; /* of an open Header, with in_header */
    bool in_header;
    uint8_t quote;
    bool slash;     /* the last octet of the tag was '/' */
    unsigned marks; /* '-', ']' or '?' in a row */
    char bang[8];   /* what stands behind "<!" */
    size_t n_bang;
    struct wssec_octets octets;
    bool declared; /* the text begins with an XML declaration */
};

/* ---- results ------------------------------------------------------------------------------------------------------
 */

void wssec_scan_fold(uint64_t *fold, unsigned depth, const char *name, size_t n)
{
    uint64_t h = *fold ^ (depth + ((uint64_t)n << 8));
    for (size_t i = 0; i < n; i++) {
        h = (h ^ (uint8_t)name[i]) * 0x100000001B3u;
        h ^= h >> 29;
    }
    *fold = h * 0xBF58476D1CE4E5B9u + 1;
}

void wssec_scan_reset(struct wssec_scan *s)
{
    cs_buf_reset(&s->names);
    cs_buf_reset(&s->owned);
    s->coding = WSSEC_CODING_UTF8;
    s->bom = 0;
    s->octets = 0;
    s->piece = NULL;
    s->n_piece = 0;
    s->text_octets = 0;
    s->n_element = 0;
    s->fold = WSSEC_SCAN_FOLD;
    s->folded = 0;
    s->comments = 0;
    s->instructions = 0;
    s->instructions_outside = 0;
    s->reason = WSSEC_OK;
    s->detail[0] = '\0';
}

void wssec_scan_free(struct wssec_scan *s)
{
    cs_buf_free(&s->names);
    cs_buf_free(&s->owned);
    free(s->element);
    free(s->own_piece);
    memset(s, 0, sizeof *s);
}

/* Line and column (characters count as octets) of an offset, for people. */
static void place(const struct wssec_scan *s, size_t offset, size_t *line, size_t *column)
{
    *line = 1;
    *column = 1;
    for (size_t i = 0; i < s->n_piece && offset != 0; i++) {
        for (size_t k = 0; k < s->piece[i].n && offset != 0; k++, offset--) {
            (*column)++;
            if (s->piece[i].p[k] == '\n') {
                (*line)++;
                *column = 1;
            }
        }
    }
}

static int refuse_at(struct walker *w, enum wssec_reason reason, size_t offset, const char *what)
{
    size_t line = 0;
    size_t column = 0;
    place(w->s, offset, &line, &column);
    return wssec_refuse(&w->why, reason, "line %zu, column %zu: %s", line, column, what);
}

static int refuse(struct walker *w, enum wssec_reason reason, const char *what)
{
    return refuse_at(w, reason, w->at, what);
}

/* ---- elements -----------------------------------------------------------------------------------------------------
 */

struct wssec_scan_element *wssec_scan_element_new(struct wssec_scan *s)
{
    if (s->n_element == s->cap_element) {
        size_t cap = s->cap_element != 0 ? s->cap_element * 2 : 64;
        struct wssec_scan_element *grown = reallocarray(s->element, cap, sizeof *grown);
        if (grown == NULL) {
            s->names.failed = true;
            return NULL;
        }
        s->element = grown;
        s->cap_element = cap;
    }
    struct wssec_scan_element *e = &s->element[s->n_element++];
    memset(e, 0, sizeof *e);
    return e;
}

static bool local_is(const char *name, size_t n, const char *local)
{
    const char *colon = memchr(name, ':', n);
    size_t skip = colon != NULL ? (size_t)(colon - name) + 1 : 0;
    return n - skip == strlen(local) && memcmp(name + skip, local, n - skip) == 0;
}

/* Is the element that just ended its name one whose range is kept? @return 1, 0, -1: refused */
static int is_recorded(struct walker *w)
{
    switch (w->depth) {
    case 1: return ++w->roots == 1 ? 1 : refuse_at(w, WSSEC_XML_MALFORMED, w->lt, "a second root element");
    case 2:
        return ++w->children <= MAX_ENVELOPE_CHILDREN
                   ? 1
                   : refuse_at(w, WSSEC_SOAP_SHAPE, w->lt, "the root element has too many children");
    case 3:
        if (!w->in_header) {
            return 0;
        }
        return ++w->blocks <= w->limits->header_nodes
                   ? 1
                   : refuse_at(w, WSSEC_LIMIT_HEADER, w->lt, "too many header blocks");
    default: return 0;
    }
}

/* The name of a start tag is complete. */
static int open_named(struct walker *w)
{
    struct wssec_scan *s = w->s;
    size_t n = s->names.len - w->name_at;
    w->name_end = w->at;
    w->state = IN_TAG;
    w->name_run = 0;
    w->slash = false;
    if (++w->depth > w->limits->depth) {
        return refuse_at(w, WSSEC_LIMIT_DEPTH, w->lt, "nested too deep");
    }
    if (w->depth > 3) {
        s->names.len = w->name_at;
        return 0;
    }
    if (s->names.failed) {
        return -1;
    }
    wssec_scan_fold(&s->fold, w->depth, s->names.data + w->name_at, n);
    s->folded++;
    int keep = is_recorded(w);
    if (keep < 0) {
        return -1;
    }
    w->open[w->depth] = -1;
    if (keep == 0) {
        s->names.len = w->name_at;
        return 0;
    }
    struct wssec_scan_element *e = wssec_scan_element_new(s);
    if (e == NULL) {
        return -1;
    }
    e->from = w->lt;
    e->name_end = w->at;
    e->name_at = w->name_at;
    e->name_len = (uint32_t)n;
    e->depth = (uint8_t)w->depth;
    e->parent = w->depth > 1 ? w->open[w->depth - 1] : -1;
    w->open[w->depth] = (int32_t)(s->n_element - 1);
    if (w->depth == 2 && local_is(s->names.data + w->name_at, n, "Header")) {
        w->in_header = true;
        w->header_from = w->lt;
    }
    return 0;
}

/* The element at w->depth ends: close_from is its "</", to lies behind its '>'. */
static void element_closed(struct walker *w, size_t close_from, size_t to)
{
    if (w->depth <= 3 && w->open[w->depth] >= 0) {
        struct wssec_scan_element *e = &w->s->element[w->open[w->depth]];
        e->close_from = close_from;
        e->to = to;
        w->open[w->depth] = -1;
    }
    if (w->depth == 2) {
        w->in_header = false;
    }
    w->depth--;
}

/* '>' of a start tag at w->at. */
static void open_done(struct walker *w)
{
    size_t behind = w->at + 1;
    if (w->depth <= 3 && w->open[w->depth] >= 0) {
        struct wssec_scan_element *e = &w->s->element[w->open[w->depth]];
        e->open_end = behind;
        e->empty = w->slash;
    }
    if (w->slash) {
        element_closed(w, behind, behind);
    }
    w->state = IN_TEXT;
    w->run = behind;
}

/* ---- one handler per state: takes what it can of [p,end), moves w->at along. @return octets taken, 0 with why:
 * refused --- */

static size_t take_text(struct walker *w, const uint8_t *p, size_t n)
{
    const uint8_t *lt = memchr(p, '<', n);
    size_t used = lt != NULL ? (size_t)(lt - p) : n;
    w->at += used;
    if (w->at - w->run > w->limits->text) {
        (void)refuse(w, WSSEC_LIMIT_TEXT, "a text is too long");
        return 0;
    }
    if (lt == NULL) {
        return used;
    }
    w->lt = w->at;
    w->at++;
    w->state = IN_LT;
    return used + 1;
}

static size_t take_lt(struct walker *w, const uint8_t *p, size_t n)
{
    (void)n;
    if (w->in_header && w->at - w->header_from > w->limits->header) {
        (void)refuse(w, WSSEC_LIMIT_HEADER, "the header is too large");
        return 0;
    }
    switch (p[0]) {
    case '/': w->state = IN_CLOSE; break;
    case '!':
        w->state = IN_BANG;
        w->n_bang = 0;
        break;
    case '?':
        w->state = IN_INSTRUCTION;
        w->run = w->at;
        w->marks = 0;
        break;
    case ' ':
    case '\t':
    case '\r':
    case '\n':
    case '>':
    case '<':
    case '=':
    case '&':
    case '"':
    case '\'': (void)refuse(w, WSSEC_XML_MALFORMED, "'<' without a name"); return 0;
    default:
        w->state = IN_NAME;
        w->name_at = w->s->names.len;
        if (cs_buf_addc(&w->s->names, (char)p[0]) != 0) {
            return 0;
        }
        break;
    }
    w->at++;
    return 1;
}

static bool ends_name(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '/' || c == '>';
}

static size_t take_name(struct walker *w, const uint8_t *p, size_t n)
{
    size_t used = 0;
    while (used < n && !ends_name(p[used])) {
        used++;
    }
    if (w->s->names.len - w->name_at + used > w->limits->name) {
        (void)refuse(w, WSSEC_LIMIT_NAME, "an element name is too long");
        return 0;
    }
    if (used != 0 && cs_buf_add(&w->s->names, p, used) != 0) {
        return 0;
    }
    w->at += used;
    if (used < n) {
        if (open_named(w) != 0) {
            return 0;
        }
        if (p[used] == '>') {
            open_done(w);
        }
        w->slash = p[used] == '/';
        w->at++;
        used++;
    }
    return used;
}

static bool tag_too_long(struct walker *w)
{
    if (w->at - w->lt >= w->limits->start_tag) {
        (void)refuse_at(w, WSSEC_LIMIT_START_TAG, w->lt, "a tag is too long");
        return true;
    }
    return false;
}

static size_t take_tag(struct walker *w, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t c = p[i];
        if (tag_too_long(w)) {
            return 0;
        }
        if (c == '>') {
            open_done(w);
            w->at++;
            return i + 1;
        }
        if (w->slash || c == '<') {
            (void)refuse(w, WSSEC_XML_MALFORMED, c == '<' ? "'<' inside a tag" : "'/' inside a tag");
            return 0;
        }
        if (c == '"' || c == '\'') {
            w->quote = c;
            w->state = IN_QUOTE;
            w->at++;
            return i + 1;
        }
        w->slash = c == '/';
        w->name_run = ends_name(c) || c == '=' ? 0 : w->name_run + 1;
        if (w->name_run > w->limits->name) {
            (void)refuse(w, WSSEC_LIMIT_NAME, "an attribute name is too long");
            return 0;
        }
        w->at++;
    }
    return n;
}

static size_t take_quote(struct walker *w, const uint8_t *p, size_t n)
{
    const uint8_t *q = memchr(p, w->quote, n);
    size_t used = q != NULL ? (size_t)(q - p) + 1 : n;
    w->at += used;
    if (tag_too_long(w)) {
        return 0;
    }
    if (q != NULL) {
        w->state = IN_TAG;
        w->name_run = 0;
    }
    return used;
}

static size_t take_close(struct walker *w, const uint8_t *p, size_t n)
{
    const uint8_t *gt = memchr(p, '>', n);
    size_t used = gt != NULL ? (size_t)(gt - p) + 1 : n;
    w->at += used;
    if (tag_too_long(w)) {
        return 0;
    }
    if (gt != NULL) {
        if (w->depth == 0) {
            (void)refuse_at(w, WSSEC_XML_MALFORMED, w->lt, "an end tag without a start tag");
            return 0;
        }
        element_closed(w, w->lt, w->at);
        w->state = IN_TEXT;
        w->run = w->at;
    }
    return used;
}

/* Behind "<!": a comment, a CDATA section, or something that only a document type declaration has. */
static size_t take_bang(struct walker *w, const uint8_t *p, size_t n)
{
    (void)n;
    static const char cdata[] = "[CDATA[";
    w->bang[w->n_bang++] = (char)p[0];
    w->at++;
    if (memcmp(w->bang, "--", w->n_bang < 2 ? w->n_bang : 2) == 0 && w->n_bang <= 2) {
        if (w->n_bang == 2) {
            w->state = IN_COMMENT;
            w->s->comments++;
        }
    } else if (memcmp(w->bang, cdata, w->n_bang) == 0) {
        if (w->n_bang == sizeof cdata - 1) {
            w->state = IN_CDATA;
        }
    } else {
        bool letter = (w->bang[0] >= 'A' && w->bang[0] <= 'Z') || (w->bang[0] >= 'a' && w->bang[0] <= 'z');
        (void)refuse_at(w, letter ? WSSEC_DTD_FORBIDDEN : WSSEC_XML_MALFORMED, w->lt,
                        letter ? "a document type declaration" : "'<!' without comment or CDATA section");
        return 0;
    }
    w->run = w->at;
    w->marks = 0;
    return 1;
}

/* Up to enough marks in a row and then '>'; what stands before them is bounded like text. */
static size_t take_marked(struct walker *w, const uint8_t *p, size_t n, uint8_t mark, unsigned enough)
{
    size_t used = 0;
    bool ended = false;
    while (used < n && !ended) {
        ended = p[used] == '>' && w->marks >= enough;
        w->marks = p[used] == mark ? w->marks + 1 : 0;
        used++;
    }
    w->at += used;
    if (w->at - w->run > w->limits->text + enough + (ended ? 1 : 0)) {
        (void)refuse(w, WSSEC_LIMIT_TEXT, "a comment, CDATA section or instruction is too long");
        return 0;
    }
    if (ended) {
        w->state = IN_TEXT;
        w->run = w->at;
    }
    return used;
}

static size_t take_comment(struct walker *w, const uint8_t *p, size_t n)
{
    return take_marked(w, p, n, '-', 2);
}

static size_t take_cdata(struct walker *w, const uint8_t *p, size_t n)
{
    return take_marked(w, p, n, ']', 2);
}

static size_t take_instruction(struct walker *w, const uint8_t *p, size_t n)
{
    size_t used = take_marked(w, p, n, '?', 1);
    if (used != 0 && w->state == IN_TEXT && !(w->lt == 0 && w->declared)) {
        w->s->instructions++;
        w->s->instructions_outside += w->depth == 0 ? 1 : 0;
    }
    return used;
}

static size_t (*const take[STATES])(struct walker *, const uint8_t *, size_t) = {
    [IN_TEXT] = take_text,   [IN_LT] = take_lt,
    [IN_NAME] = take_name,   [IN_TAG] = take_tag,
    [IN_QUOTE] = take_quote, [IN_CLOSE] = take_close,
    [IN_BANG] = take_bang,   [IN_COMMENT] = take_comment,
    [IN_CDATA] = take_cdata, [IN_INSTRUCTION] = take_instruction,
};

/* ---- the walk -----------------------------------------------------------------------------------------------------
 */

/* The octets are checked ahead of the walk, yet what comes first in the text decides, however it is cut. */
static int walk_slice(struct walker *w, const struct wssec_slice *slice)
{
    const uint8_t *p = slice->p;
    size_t left = slice->n;
    enum wssec_reason reason = wssec_octets_check(&w->octets, p, slice->n, &left);
    while (left != 0) {
        size_t used = take[w->state](w, p, left);
        if (used == 0 && (w->why.reason != WSSEC_OK || w->s->names.failed)) {
            return -1;
        }
        p += used;
        left -= used;
    }
    if (reason != WSSEC_OK) {
        return refuse(w, reason,
                      reason == WSSEC_XML_ENCODING ? "octets that are not of the encoding" : "a NUL or control octet");
    }
    return 0;
}

static int walk(struct walker *w)
{
    for (size_t i = 0; i < w->s->n_piece; i++) {
        if (walk_slice(w, &w->s->piece[i]) != 0) {
            return -1;
        }
    }
    if (w->octets.follow != 0) {
        return refuse(w, WSSEC_XML_ENCODING, "the text ends inside a character");
    }
    if (w->state != IN_TEXT || w->depth != 0 || w->roots == 0) {
        return refuse(w, WSSEC_XML_MALFORMED,
                      w->roots == 0 ? "there is no element" : "the text ends before its root element");
    }
    return 0;
}

/* The text as pieces without the byte order mark. @return 0, or -1: no memory */
static int make_pieces(struct wssec_scan *s, const struct wssec_slice *slice, size_t n_slice, bool transcoded)
{
    size_t need = n_slice != 0 ? n_slice : 1;
    if (need > s->cap_piece) {
        struct wssec_slice *grown = reallocarray(s->own_piece, need, sizeof *grown);
        if (grown == NULL) {
            return -1;
        }
        s->own_piece = grown;
        s->cap_piece = need;
    }
    s->piece = s->own_piece;
    if (transcoded) {
        s->own_piece[0] = (struct wssec_slice){(const uint8_t *)s->owned.data, s->owned.len};
        s->n_piece = 1;
    } else {
        size_t skip = s->bom;
        for (size_t i = 0; i < n_slice; i++) {
            size_t from = skip < slice[i].n ? skip : slice[i].n;
            skip -= from;
            if (slice[i].n != from) {
                s->own_piece[s->n_piece++] = (struct wssec_slice){slice[i].p + from, slice[i].n - from};
            }
        }
    }
    for (size_t i = 0; i < s->n_piece; i++) {
        s->text_octets += s->own_piece[i].n;
    }
    return 0;
}

static bool begins_with_declaration(const struct wssec_scan *s)
{
    static const char decl[] = "<?xml";
    size_t at = 0;
    for (size_t i = 0; i < s->n_piece; i++) {
        for (size_t k = 0; k < s->piece[i].n; k++, at++) {
            uint8_t c = s->piece[i].p[k];
            if (at == sizeof decl - 1) {
                return c == ' ' || c == '\t' || c == '\r' || c == '\n';
            }
            if (c != (uint8_t)decl[at]) {
                return false;
            }
        }
    }
    return false;
}

static void refused(struct wssec_scan *s, int rc, const struct wssec_refusal *why)
{
    s->reason = rc == WSSEC_RC_OK ? why->reason : WSSEC_OUT_OF_MEMORY;
    memcpy(s->detail, why->detail, sizeof s->detail);
    s->detail[sizeof s->detail - 1] = '\0';
}

int wssec_scan_coding(struct wssec_scan *s, const struct wssec_slice *slice, size_t n_slice, const char *content_type,
                      const struct wssec_limits *limits, unsigned encodings)
{
    struct wssec_refusal why = {WSSEC_OK, ""};
    struct wssec_coded coded;
    int rc = WSSEC_RC_OK;
    wssec_scan_reset(s);
    for (size_t i = 0; i < n_slice; i++) {
        if (__builtin_add_overflow(s->octets, slice[i].n, &s->octets)) {
            s->octets = SIZE_MAX;
            break;
        }
    }
    if (s->octets > limits->body) {
        (void)wssec_refuse(&why, WSSEC_LIMIT_BODY, "%zu octets, allowed are %llu", s->octets,
                           (unsigned long long)limits->body);
        goto out;
    }
    rc = wssec_decode(slice, n_slice, content_type, encodings, &coded, &s->owned, &why);
    if (rc != WSSEC_RC_OK || why.reason != WSSEC_OK) {
        goto out;
    }
    s->coding = coded.coding;
    s->bom = coded.bom;
    s->ascii_only = coded.ascii_only;
    if (make_pieces(s, slice, n_slice, coded.transcoded) != 0) {
        rc = WSSEC_RC_NOMEM;
    }
out:
    refused(s, rc, &why);
    return rc;
}

int wssec_scan_run(struct wssec_scan *s, const struct wssec_slice *slice, size_t n_slice, const char *content_type,
                   const struct wssec_limits *limits, unsigned encodings)
{
    struct walker w = {.s = s, .limits = limits, .open = {-1, -1, -1, -1}};
    int rc = wssec_scan_coding(s, slice, n_slice, content_type, limits, encodings);
    if (rc != WSSEC_RC_OK || s->reason != WSSEC_OK) {
        return rc;
    }
    w.octets.ascii_only = s->ascii_only;
    w.declared = begins_with_declaration(s);
    if (walk(&w) != 0 && w.why.reason == WSSEC_OK) {
        rc = WSSEC_RC_NOMEM; /* the only failure without a refusal */
    }
    refused(s, rc, &w.why);
    return rc;
}

size_t wssec_scan_original(const struct wssec_scan *s, size_t text_offset)
{
    if (s->coding == WSSEC_CODING_UTF8) {
        return s->bom + text_offset;
    }
    size_t at = s->bom;
    for (size_t i = 0; i < text_offset && i < s->owned.len; i++) {
        uint8_t c = (uint8_t)s->owned.data[i];
        if ((c & 0xC0) != 0x80) { /* first octet of a character */
            at += s->coding == WSSEC_CODING_LATIN1 ? 1 : c >= 0xF0 ? 4 : 2;
        }
    }
    return at;
}
