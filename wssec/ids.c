/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ids.c: step 5: our own table of ids. libxml2's is not used: it depends on what was registered, keeps the first of two
 * equal ids silently and knows one id per element.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wssec/message.h"

static bool is_xml_id(const xmlAttr *a)
{
    return a->ns != NULL && strcmp((const char *)a->name, "id") == 0 &&
           strcmp((const char *)a->ns->href, (const char *)XML_XML_NAMESPACE) == 0;
}

static bool is_wsu_id(const xmlAttr *a)
{
    return a->ns != NULL && strcmp((const char *)a->name, "Id") == 0 &&
           strcmp((const char *)a->ns->href, WSSEC_NS_WSU) == 0;
}

static int add(struct wssec_ids *ids, const xmlAttr *a, xmlNodePtr node, bool payload)
{
    if (ids->n == ids->cap) {
        size_t cap = ids->cap == 0 ? 32 : ids->cap * 2;
        if (cap > SIZE_MAX / sizeof *ids->row) {
            return WSSEC_RC_NOMEM;
        }
        struct wssec_id *more = realloc(ids->row, cap * sizeof *more);
        if (more == NULL) {
            return WSSEC_RC_NOMEM;
        }
        ids->row = more;
        ids->cap = cap;
    }
    struct wssec_id *id = &ids->row[ids->n++];
    bool plain = a->ns == NULL && strcmp((const char *)a->name, "Id") == 0;
    id->value = a->children != NULL && a->children->content != NULL ? a->children->content : BAD_CAST "";
    id->len = strlen((const char *)id->value);
    id->node = node;
    id->named = plain || is_wsu_id(a) || is_xml_id(a);
    id->strict = id->named && !(plain && payload);
    ids->strict += id->strict;
    return WSSEC_RC_OK;
}

static int by_value(const void *x, const void *y)
{
    const struct wssec_id *a = x;
    const struct wssec_id *b = y;
    if (a->len != b->len) {
        return a->len < b->len ? -1 : 1;
    }
    return memcmp(a->value, b->value, a->len);
}

/* Document order without recursion; body's descendants are payload. */
static int collect(struct wssec_ids *ids, const struct wssec_message *m)
{
    xmlNodePtr n = xmlDocGetRootElement(m->doc);
    bool payload = false;
    while (n != NULL) {
        if (n->type == XML_ELEMENT_NODE) {
            for (const xmlAttr *a = n->properties; a != NULL; a = a->next) {
                if ((a->name[0] | 0x20) == 'i' && strcasecmp((const char *)a->name, "id") == 0 &&
                    add(ids, a, n, payload) != WSSEC_RC_OK) {
                    return WSSEC_RC_NOMEM;
                }
            }
        }
        payload = payload || n == m->body;
        if (n->type == XML_ELEMENT_NODE && n->children != NULL) {
            n = n->children;
            continue;
        }
        while (n->next == NULL) {
            n = n->parent;
            if (n == NULL || n->type != XML_ELEMENT_NODE) {
                return WSSEC_RC_OK;
            }
            payload = payload && n != m->body;
        }
        payload = payload && n != m->body;
        n = n->next;
    }
    return WSSEC_RC_OK;
}

int wssec_ids_build(struct wssec_ids *ids, const struct wssec_message *m, size_t limit, struct wssec_refusal *why)
{
    ids->n = 0;
    ids->strict = 0;
    if (collect(ids, m) != WSSEC_RC_OK) {
        return WSSEC_RC_NOMEM;
    }
    if (ids->strict > limit) {
        (void)wssec_refuse(why, WSSEC_LIMIT_IDS, "the message has %zu ids", ids->strict);
        return WSSEC_RC_OK;
    }
    if (ids->n > 1) {
        qsort(ids->row, ids->n, sizeof *ids->row, by_value);
    }
    for (size_t i = 0; i < ids->n;) {
        const struct wssec_id *first = NULL;
        size_t j = i;
        for (; j < ids->n && by_value(&ids->row[i], &ids->row[j]) == 0; j++) {
            const struct wssec_id *id = &ids->row[j];
            if (id->strict && first == NULL) {
                first = id;
            } else if (id->strict && id->node != first->node) {
                (void)wssec_refuse(why, WSSEC_DUPLICATE_ID, "%.32s and %.32s carry the same id", first->node->name,
                                   id->node->name);
                return WSSEC_RC_OK;
            }
        }
        i = j;
    }
    return WSSEC_RC_OK;
}

/* The first row that is not below the key. */
static size_t first_of(const struct wssec_ids *ids, const struct wssec_id *key)
{
    size_t low = 0;
    size_t high = ids->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (by_value(&ids->row[mid], key) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static void note(struct wssec_asked *asked, const xmlChar *value, size_t len, bool found)
{
    asked->missing = asked->missing || !found || asked->n == WSSEC_ASKED;
    if (asked->n < WSSEC_ASKED) {
        asked->value[asked->n++] = (struct wssec_slice){value, len};
    }
}

bool wssec_ids_is_strict(const struct wssec_ids *ids, const void *value, size_t len)
{
    struct wssec_id key = {.value = value, .len = len};
    for (size_t i = first_of(ids, &key); i < ids->n && by_value(&ids->row[i], &key) == 0; i++) {
        if (ids->row[i].strict) {
            return true;
        }
    }
    return false;
}

xmlNodePtr wssec_ids_find(const struct wssec_ids *ids, const xmlChar *value, size_t len, bool *twice)
{
    struct wssec_id key = {.value = value, .len = len};
    size_t low = first_of(ids, &key);
    *twice = false;
    xmlNodePtr named = NULL;
    xmlNodePtr any = NULL;
    for (; low < ids->n && by_value(&ids->row[low], &key) == 0; low++) {
        const struct wssec_id *id = &ids->row[low];
        *twice = *twice || (any != NULL && any != id->node);
        any = id->node;
        if (id->named) {
            named = id->node;
        }
    }
    if (ids->asked != NULL) {
        note(ids->asked, value, len, named != NULL);
    }
    return named;
}

struct span {
    uint32_t from, to;
};

/* NameStartChar of XML 1.0 fifth edition without ':'; NameChar adds the second table. */
static const struct span name_start[] = {{'A', 'Z'},       {'_', '_'},       {'a', 'z'},        {0xC0, 0xD6},
                                         {0xD8, 0xF6},     {0xF8, 0x2FF},    {0x370, 0x37D},    {0x37F, 0x1FFF},
                                         {0x200C, 0x200D}, {0x2070, 0x218F}, {0x2C00, 0x2FEF},  {0x3001, 0xD7FF},
                                         {0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF}};
static const struct span name_more[] = {{'-', '.'}, {'0', '9'}, {0xB7, 0xB7}, {0x300, 0x36F}, {0x203F, 0x2040}};

static bool in_spans(uint32_t c, const struct span *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (c >= s[i].from && c <= s[i].to) {
            return true;
        }
    }
    return false;
}

/* One character of UTF-8 that is known to be valid. */
static uint32_t character(const xmlChar *p, size_t n, size_t *used)
{
    static const unsigned char bits[] = {0x7f, 0x1f, 0x0f, 0x07};
    unsigned more = p[0] < 0xc0 ? 0u : p[0] < 0xe0 ? 1u : p[0] < 0xf0 ? 2u : 3u;
    uint32_t c = p[0] & bits[more];
    if (more >= n) {
        *used = n;
        return 0;
    }
    for (unsigned i = 1; i <= more; i++) {
        c = c << 6 | (p[i] & 0x3fu);
    }
    *used = more + 1;
    return c;
}

bool wssec_is_ncname(const xmlChar *value, size_t n)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i += used) {
        uint32_t c = character(value + i, n - i, &used);
        bool start = in_spans(c, name_start, sizeof name_start / sizeof name_start[0]);
        if (!start && (i == 0 || !in_spans(c, name_more, sizeof name_more / sizeof name_more[0]))) {
            return false;
        }
    }
    return n > 0;
}
