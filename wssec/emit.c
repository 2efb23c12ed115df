/* SPDX-License-Identifier: Apache-2.0 */
/*
 * emit.c: what exclusive canonicalization writes for one element: the declarations of the prefixes that it uses and
 * that no element around it has written with the same meaning, sorted; its attributes, sorted; everything escaped as
 * the recommendation says. Most octets of a Body come out as they came in: they are not copied, only told how far they
 * go.
 */
#include "wssec/emit.h"

#include <stdlib.h>
#include <string.h>

#include "wssec/run.h"

#define COPIED 1024 /* a run up to this is gathered, a longer one goes to the sink from where it stands */

/* ---- scope ------------------------------------------------------------------------------------------------------ */

static struct wssec_slice slice_of(const char *text)
{
    return (struct wssec_slice){(const uint8_t *)text, strlen(text)};
}

int wssec_scope_reset(struct wssec_scope *s)
{
    s->n = 0;
    cs_buf_reset(&s->text);
    return wssec_scope_declare(s, 0, slice_of("xml"), slice_of("http://www.w3.org/XML/1998/namespace"));
}

void wssec_scope_free(struct wssec_scope *s)
{
    free(s->row);
    cs_buf_free(&s->text);
    *s = (struct wssec_scope){0};
}

int wssec_scope_declare(struct wssec_scope *s, uint32_t depth, struct wssec_slice prefix, struct wssec_slice name)
{
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 32 : s->cap * 2;
        struct wssec_binding *more = reallocarray(s->row, cap, sizeof *more);
        if (more == NULL) {
            return -1;
        }
        s->row = more;
        s->cap = cap;
    }
    size_t at = s->text.len;
    if (at > UINT32_MAX / 2 || prefix.n > UINT32_MAX / 8 || name.n > UINT32_MAX / 8 ||
        cs_buf_add(&s->text, prefix.p, prefix.n) != 0 || cs_buf_add(&s->text, name.p, name.n) != 0) {
        return -1;
    }
    s->row[s->n++] =
        (struct wssec_binding){(uint32_t)at, (uint32_t)prefix.n, (uint32_t)(at + prefix.n), (uint32_t)name.n, depth};
    return 0;
}

void wssec_scope_leave(struct wssec_scope *s, uint32_t depth)
{
    while (s->n > 1 && s->row[s->n - 1].depth >= depth) {
        s->text.len = s->row[--s->n].prefix_at;
    }
}

static bool equal(struct wssec_slice a, struct wssec_slice b)
{
    return a.n == b.n && wssec_run_same(a.p, b.p, a.n);
}

static bool same(const struct wssec_scope *s, uint32_t at, uint32_t n, struct wssec_slice text)
{
    return n == text.n && equal((struct wssec_slice){(const uint8_t *)s->text.data + at, n}, text);
}

int32_t wssec_scope_find(const struct wssec_scope *s, struct wssec_slice prefix)
{
    for (size_t i = s->n; i-- > 0;) {
        if (same(s, s->row[i].prefix_at, s->row[i].prefix_n, prefix)) {
            return s->row[i].name_n != 0 ? (int32_t)i : WSSEC_ROW_NONE;
        }
    }
    return WSSEC_ROW_NONE;
}

struct wssec_slice wssec_scope_name(const struct wssec_scope *s, int32_t row)
{
    if (row < 0) {
        return (struct wssec_slice){NULL, 0};
    }
    return (struct wssec_slice){(const uint8_t *)s->text.data + s->row[row].name_at, s->row[row].name_n};
}

static struct wssec_slice prefix_of(const struct wssec_scope *s, int32_t row)
{
    if (row < 0) {
        return (struct wssec_slice){NULL, 0};
    }
    return (struct wssec_slice){(const uint8_t *)s->text.data + s->row[row].prefix_at, s->row[row].prefix_n};
}

static int compare(struct wssec_slice a, struct wssec_slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n != 0 ? memcmp(a.p, b.p, n) : 0;
    return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}

/* ---- attributes ----------------------------------------------------------------------------------------------------
 */

static struct wssec_slice local_of(const struct wssec_attribute *a)
{
    size_t skip = a->prefix_n != 0 ? a->prefix_n + (size_t)1 : 0;
    return (struct wssec_slice){a->name.p + skip, a->name.n - skip};
}

static int compare_attributes(const struct wssec_scope *s, const struct wssec_attribute *a,
                              const struct wssec_attribute *b)
{
    int c = a->row == b->row ? 0 : compare(wssec_scope_name(s, a->row), wssec_scope_name(s, b->row));
    return c != 0 ? c : compare(local_of(a), local_of(b));
}

/* Merge sort above a handful: as many attributes as a policy allows must not cost their square. */
static void merge(const struct wssec_scope *s, const struct wssec_attribute *a, uint32_t *order, uint32_t *room,
                  size_t n)
{
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t from = 0; from < n; from += 2 * width) {
            size_t mid = from + width < n ? from + width : n;
            size_t end = from + 2 * width < n ? from + 2 * width : n;
            size_t left = from;
            size_t right = mid;
            for (size_t k = from; k < end; k++) {
                bool first =
                    right == end || (left < mid && compare_attributes(s, &a[order[left]], &a[order[right]]) <= 0);
                room[k] = first ? order[left++] : order[right++];
            }
        }
        memcpy(order, room, n * sizeof *order);
    }
}

int wssec_attributes_sort(const struct wssec_scope *s, const struct wssec_attribute *a, size_t n, uint32_t *order)
{
    for (size_t i = 0; i < n; i++) {
        order[i] = (uint32_t)i;
    }
    if (n <= 16) {
        for (size_t i = 1; i < n; i++) {
            uint32_t x = order[i];
            size_t k = i;
            for (; k > 0 && compare_attributes(s, &a[order[k - 1]], &a[x]) > 0; k--) {
                order[k] = order[k - 1];
            }
            order[k] = x;
        }
    } else {
        merge(s, a, order, order + n, n);
    }
    for (size_t i = 1; i < n; i++) {
        if (compare_attributes(s, &a[order[i - 1]], &a[order[i]]) == 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- octets out ----------------------------------------------------------------------------------------------------
 */

static void drain(struct wssec_emitter *e)
{
    if (e->used != 0 && !e->failed && e->sink(e->ctx, e->buffer, e->used) != 0) {
        e->failed = true;
    }
    e->used = 0;
}

static void gather(struct wssec_emitter *e, const void *p, size_t n)
{
    if (n > sizeof e->buffer - e->used) {
        drain(e);
    }
    if (n <= COPIED) {
        memcpy(e->buffer + e->used, p, n);
        e->used += n;
        return;
    }
    drain(e);
    if (!e->failed && e->sink(e->ctx, p, n) != 0) {
        e->failed = true;
    }
}

void wssec_emit_settle(struct wssec_emitter *e)
{
    if (e->run_n != 0) {
        gather(e, e->run, e->run_n);
    }
    e->run = NULL;
    e->run_n = 0;
}

void wssec_emit_copy(struct wssec_emitter *e, const void *p, size_t n)
{
    wssec_emit_settle(e);
    if (n != 0) {
        gather(e, p, n);
    }
}

static void copy_text(struct wssec_emitter *e, const char *text)
{
    wssec_emit_copy(e, text, strlen(text));
}

/* next: the first octet that may have to be written otherwise, as by says */
static void escape(struct wssec_emitter *e, const uint8_t *p, size_t n, const char *const by[256],
                   const uint8_t *(*next)(const uint8_t *p, const uint8_t *end))
{
    if (n == 0) {
        return;
    }
    const uint8_t *end = p + n;
    for (const uint8_t *q = next(p, end); q < end; q = next(q + 1, end)) {
        const char *instead = by[*q];
        if (instead != NULL) {
            wssec_emit_copy(e, p, (size_t)(q - p));
            copy_text(e, instead);
            p = q + 1;
        }
    }
    wssec_emit_copy(e, p, (size_t)(end - p));
}

void wssec_emit_text(struct wssec_emitter *e, const void *p, size_t n)
{
    static const char *const by[256] = {['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['\r'] = "&#xD;"};
    escape(e, p, n, by, wssec_run_text);
}

static void escape_value(struct wssec_emitter *e, struct wssec_slice value)
{
    static const char *const by[256] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['"'] = "&quot;", ['\t'] = "&#x9;", ['\n'] = "&#xA;", ['\r'] = "&#xD;"};
    escape(e, value.p, value.n, by, wssec_run_value);
}

/* ---- declarations --------------------------------------------------------------------------------------------------
 */

/* The prefix (that of row; none: the default) has that meaning already in what was written around here. */
static bool is_rendered(const struct wssec_emitter *e, const struct wssec_scope *s, int32_t row)
{
    struct wssec_slice prefix = prefix_of(s, row);
    for (size_t i = e->n_rendered; i-- > 0;) {
        int32_t there = e->rendered[i].row;
        if (there == row) {
            return true;
        }
        if (equal(prefix_of(s, there), prefix)) {
            return equal(wssec_scope_name(s, there), wssec_scope_name(s, row));
        }
    }
    return row == WSSEC_ROW_NONE; /* nothing was written, and nothing is meant */
}

static void render(struct wssec_emitter *e, const struct wssec_scope *s, int32_t row, uint32_t depth)
{
    bool as_last = e->n_rendered != 0 && e->rendered[e->n_rendered - 1].row == row; /* mostly */
    if (as_last || row == WSSEC_ROW_XML || is_rendered(e, s, row)) {
        return;
    }
    if (e->n_rendered == e->cap_rendered) {
        size_t cap = e->cap_rendered == 0 ? 32 : e->cap_rendered * 2;
        struct wssec_rendered *more = reallocarray(e->rendered, cap, sizeof *more);
        if (more == NULL) {
            e->failed = true;
            e->no_memory = true;
            return;
        }
        e->rendered = more;
        e->cap_rendered = cap;
    }
    e->rendered[e->n_rendered++] = (struct wssec_rendered){row, depth};
}

/* Prefixes of the list count as used wherever they are declared. */
static void render_listed(struct wssec_emitter *e, const struct wssec_scope *s, uint32_t depth)
{
    for (xmlChar *const *p = e->prefix; p != NULL && *p != NULL; p++) {
        bool deflt = strcmp((const char *)*p, "#default") == 0;
        int32_t row = wssec_scope_find(s, deflt ? (struct wssec_slice){NULL, 0} : slice_of((const char *)*p));
        if (row != WSSEC_ROW_NONE || deflt) {
            render(e, s, row, depth);
        }
    }
}

static void write_declarations(struct wssec_emitter *e, const struct wssec_scope *s, size_t first)
{
    struct wssec_rendered *r = e->rendered + first;
    size_t n = e->n_rendered - first;
    for (size_t i = 1; i < n; i++) { /* by prefix; few */
        struct wssec_rendered x = r[i];
        size_t k = i;
        for (; k > 0 && compare(prefix_of(s, r[k - 1].row), prefix_of(s, x.row)) > 0; k--) {
            r[k] = r[k - 1];
        }
        r[k] = x;
    }
    bool has_default = n > 0 && prefix_of(s, r[0].row).n == 0;
    if (!e->begun && e->empty_default && !has_default) {
        copy_text(e, " xmlns=\"\"");
    }
    for (size_t i = 0; i < n; i++) {
        struct wssec_slice prefix = prefix_of(s, r[i].row);
        struct wssec_slice name = wssec_scope_name(s, r[i].row);
        copy_text(e, prefix.n != 0 ? " xmlns:" : " xmlns");
        wssec_emit_copy(e, prefix.p, prefix.n);
        copy_text(e, "=\"");
        wssec_emit_copy(e, name.p, name.n);
        copy_text(e, "\"");
    }
}

/* ---- elements ------------------------------------------------------------------------------------------------------
 */

static void write_attribute(struct wssec_emitter *e, const struct wssec_attribute *a)
{
    if (a->raw.n != 0) {
        wssec_emit_raw(e, a->raw.p, a->raw.n);
        return;
    }
    copy_text(e, " ");
    wssec_emit_copy(e, a->name.p, a->name.n);
    copy_text(e, "=\"");
    if (a->plain) {
        wssec_emit_copy(e, a->value.p, a->value.n);
    } else {
        escape_value(e, a->value);
    }
    copy_text(e, "\"");
}

void wssec_emit_start(struct wssec_emitter *e, const struct wssec_scope *s, const struct wssec_element *el)
{
    size_t first = e->n_rendered;
    if (el->in_input) {
        wssec_emit_raw(e, el->name.p - 1, el->name.n + 1);
    } else {
        copy_text(e, "<");
        wssec_emit_copy(e, el->name.p, el->name.n);
    }
    if (el->declares || !e->begun) {
        render_listed(e, s, el->depth);
    }
    render(e, s, el->row, el->depth);
    for (size_t i = 0; i < el->n_attribute; i++) {
        if (el->attribute[i].row > WSSEC_ROW_XML) {
            render(e, s, el->attribute[i].row, el->depth);
        }
    }
    if (e->n_rendered != first || (!e->begun && e->empty_default)) {
        write_declarations(e, s, first);
    }
    for (size_t i = 0; i < el->n_attribute; i++) {
        write_attribute(e, &el->attribute[el->order[i]]);
    }
    e->begun = true;
}

void wssec_emit_end(struct wssec_emitter *e, struct wssec_slice name, uint32_t depth, bool in_input)
{
    if (in_input) {
        wssec_emit_raw(e, name.p - 2, name.n + 3);
    } else {
        copy_text(e, "</");
        wssec_emit_copy(e, name.p, name.n);
        copy_text(e, ">");
    }
    while (e->n_rendered > 0 && e->rendered[e->n_rendered - 1].depth >= depth) {
        e->n_rendered--;
    }
}

void wssec_emit_begin(struct wssec_emitter *e, wssec_canon_sink sink, void *ctx, xmlChar *const *prefix,
                      bool empty_default)
{
    e->sink = sink;
    e->ctx = ctx;
    e->prefix = prefix;
    e->empty_default = empty_default;
    e->n_rendered = 0;
    e->run = NULL;
    e->run_n = 0;
    e->used = 0;
    e->begun = false;
    e->failed = false;
    e->no_memory = false;
}

int wssec_emit_finish(struct wssec_emitter *e)
{
    wssec_emit_settle(e);
    drain(e);
    e->prefix = NULL;
    if (e->no_memory) {
        return WSSEC_RC_NOMEM;
    }
    return e->failed || !e->begun ? WSSEC_RC_INTERNAL : WSSEC_RC_OK;
}

void wssec_emit_free(struct wssec_emitter *e)
{
    free(e->rendered);
    e->rendered = NULL;
    e->cap_rendered = 0;
}
