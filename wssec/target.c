/* SPDX-License-Identifier: Apache-2.0 */
/* target.c: from PART words to elements at their absolute positions, ids and the octets where ids are added. */
#include "wssec/target.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

int wssec_id_new(char out[WSSEC_ID_TEXT])
{
    uint8_t bits[16];
    if (RAND_bytes(bits, sizeof bits) != 1) {
        return WSSEC_RC_INTERNAL;
    }
    out[0] = '_';
    (void)cs_hex(bits, sizeof bits, out + 1);
    return WSSEC_RC_OK;
}

const char *wssec_scope(const xmlNode *node, const char *prefix)
{
    for (; node != NULL && node->type == XML_ELEMENT_NODE; node = node->parent) {
        for (const xmlNs *ns = node->nsDef; ns != NULL; ns = ns->next) {
            const char *bound = (const char *)ns->prefix;
            if (bound == NULL || prefix == NULL ? bound == prefix : strcmp(bound, prefix) == 0) {
                return ns->href != NULL && ns->href[0] != '\0' ? (const char *)ns->href : NULL;
            }
        }
    }
    return NULL;
}

/* The qualified names agree, else scanner and parser would not mean the same element. */
static bool same_name(const struct wssec_scan *s, const struct wssec_scan_element *e, const xmlNode *node)
{
    const char *name = s->names.data + e->name_at;
    size_t n = e->name_len;
    const char *prefix = node->ns != NULL ? (const char *)node->ns->prefix : NULL;
    size_t p = prefix != NULL ? strlen(prefix) : 0;
    if (p != 0 && (n <= p + 1 || memcmp(name, prefix, p) != 0 || name[p] != ':')) {
        return false;
    }
    name += p != 0 ? p + 1 : 0;
    n -= p != 0 ? p + 1 : 0;
    return strlen((const char *)node->name) == n && memcmp(node->name, name, n) == 0;
}

const struct wssec_scan_element *wssec_place(const struct wssec_message *m, const xmlNode *node)
{
    const struct wssec_scan *s = &m->scan;
    unsigned depth = node == m->envelope ? 1 : node->parent == m->envelope ? 2 : 3;
    const xmlNode *above = depth == 3 ? m->header : m->envelope;
    size_t skip = 0;
    if (depth == 3 && node->parent != m->header) {
        return NULL;
    }
    for (xmlNodePtr n = wssec_first_element(above); depth > 1 && n != NULL && n != node; n = wssec_next_element(n)) {
        skip++;
    }
    for (size_t i = 0; i < s->n_element; i++) {
        if (s->element[i].depth == depth && skip-- == 0) { /* only Header's children are recorded at depth 3 */
            return same_name(s, &s->element[i], node) ? &s->element[i] : NULL;
        }
    }
    return NULL;
}

/* ---- ids ----------------------------------------------------------------------------------------------------------
 */

/* A prefix for the utility namespace at node: *declare when it must be declared there. Never one that is bound to
 * something else in scope: what is inside the element may use it. */
static void utility_prefix(const xmlNode *node, char out[16], bool *declare)
{
    *declare = false;
    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(out, 16, i == 0 ? "wsu" : "wsu%u", i);
        const char *bound = wssec_scope(node, out);
        if (bound == NULL) {
            *declare = true;
            return;
        }
        if (strcmp(bound, WSSEC_NS_WSU) == 0) {
            return;
        }
    }
    out[0] = '\0';
}

/* An id that the element carries, or the octets that give it one. */
static int identify(struct wssec_arena *arena, const struct wssec_message *m, struct wssec_target *t,
                    struct wssec_refusal *why)
{
    const xmlChar *own = wssec_attr(t->node, WSSEC_NS_WSU, "Id");
    if (own != NULL) {
        bool twice = false;
        size_t n = strlen((const char *)own);
        if (!wssec_is_ncname(own, n) || n > 120) {
            (void)wssec_refuse(why, WSSEC_REFERENCE_URI_FORBIDDEN, "the wsu:Id of %s is no NCName of usual length",
                               t->name);
        } else if (wssec_ids_find(&m->ids, own, n, &twice) != t->node || twice) {
            (void)wssec_refuse(why, WSSEC_DUPLICATE_ID, "the wsu:Id of %s stands on a second element", t->name);
        }
        t->id = (const char *)own;
        return WSSEC_RC_OK;
    }
    const struct wssec_scan_element *e = wssec_place(m, t->node);
    char id[WSSEC_ID_TEXT];
    char prefix[16];
    char text[256];
    bool declare = false;
    if (e == NULL || wssec_id_new(id) != WSSEC_RC_OK) {
        return WSSEC_RC_INTERNAL;
    }
    utility_prefix(t->node, prefix, &declare);
    if (prefix[0] == '\0') {
        return WSSEC_RC_INTERNAL;
    }
    int n = declare ? snprintf(text, sizeof text, " xmlns:%s=\"%s\" %s:Id=\"%s\"", prefix, WSSEC_NS_WSU, prefix, id)
                    : snprintf(text, sizeof text, " %s:Id=\"%s\"", prefix, id);
    t->at = e->name_end;
    t->id = wssec_arena_text(arena, id, strlen(id));
    t->splice = wssec_arena_text(arena, text, (size_t)n);
    return t->id != NULL && t->splice != NULL ? WSSEC_RC_OK : WSSEC_RC_NOMEM;
}

/* ---- parts --------------------------------------------------------------------------------------------------------
 */

/* Header blocks of one part: how many, and the first. */
static unsigned header_blocks(const struct wssec_message *m, const struct wssec_part *part, xmlNodePtr *first)
{
    unsigned n = 0;
    for (xmlNodePtr block = wssec_first_element(m->header); block != NULL; block = wssec_next_element(block)) {
        bool hit = part->kind == WSSEC_PART_WSA
                       ? wssec_is(block, WSSEC_NS_WSA10, part->local) || wssec_is(block, WSSEC_NS_WSA04, part->local)
                       : wssec_is(block, part->ns, part->local);
        if (hit && n++ == 0) {
            *first = block;
        }
    }
    return n;
}

struct finder {
    struct wssec_arena *arena;
    const struct wssec_message *m;
    const struct wssec_package *package;
    const char *timestamp_id, *token_id, *user_id;
    struct wssec_targets *out;
    struct wssec_refusal *why;
};

static int add(struct finder *f, const struct wssec_part *part, xmlNodePtr node, const char *id)
{
    for (unsigned i = 0; i < f->out->n; i++) {
        if (node != NULL ? f->out->row[i].node == node : f->out->row[i].id == id) {
            return WSSEC_RC_OK; /* named twice, signed once */
        }
    }
    if (f->out->n == WSSEC_MAX_REFERENCES) {
        (void)wssec_refuse(f->why, WSSEC_LIMIT_REFERENCES, "more than %d parts", WSSEC_MAX_REFERENCES);
        return WSSEC_RC_OK;
    }
    struct wssec_target *t = &f->out->row[f->out->n++];
    memset(t, 0, sizeof *t);
    (void)cs_copy(t->name, sizeof t->name, part->name);
    t->node = node;
    t->id = id;
    return node != NULL ? identify(f->arena, f->m, t, f->why) : WSSEC_RC_OK;
}

static int missing(struct finder *f, const struct wssec_part *part)
{
    if (!part->optional) {
        (void)wssec_refuse(f->why, WSSEC_POLICY_NOT_EVALUABLE, "part %s is not in the message", part->name);
    }
    return WSSEC_RC_OK;
}

/* The URI of a part (RFC 2392); what would end it, or the attribute that it stands in, is escaped. */
const char *wssec_cid(struct wssec_arena *arena, const char *id)
{
    char *uri = wssec_arena_take(arena, 5 + 3 * strlen(id));
    char *to = uri;
    if (uri == NULL) {
        return NULL;
    }
    memcpy(to, "cid:", 4);
    for (to += 4; *id != '\0'; id++) {
        if (strchr("%\"<>&#'\\^`{|}", *id) != NULL) {
            to += snprintf(to, 4, "%%%02X", (unsigned)*id);
        } else {
            *to++ = *id;
        }
    }
    *to = '\0';
    return uri;
}

static bool is_included(const struct wssec_package *k, size_t part)
{
    for (size_t i = 0; i < k->n_include; i++) {
        if (k->include[i].part == part) {
            return true;
        }
    }
    return false;
}

/* What an Include stands for is signed with the element that holds it. */
static int add_attachments(struct finder *f, const struct wssec_part *word)
{
    const struct wssec_package *k = f->package;
    for (size_t i = 1; i < k->mime.n_part && f->why->reason == WSSEC_OK; i++) {
        if (is_included(k, i)) {
            continue;
        }
        if (k->mime.part[i].id[0] == '\0') {
            (void)wssec_refuse(f->why, WSSEC_POLICY_NOT_EVALUABLE,
                               "part %zu has no Content-ID, so no reference can name it", i + 1);
            return WSSEC_RC_OK;
        }
        const char *uri = wssec_cid(f->arena, k->mime.part[i].id);
        unsigned n = f->out->n;
        int rc = uri != NULL ? add(f, word, NULL, uri) : WSSEC_RC_NOMEM;
        if (rc != WSSEC_RC_OK) {
            return rc;
        }
        if (f->out->n > n) {
            f->out->row[n].attachment = i;
            (void)cs_copy(f->out->row[n].name, sizeof f->out->row[n].name, uri);
        }
    }
    return WSSEC_RC_OK;
}

static int add_part(struct finder *f, const struct wssec_part *part)
{
    xmlNodePtr block = NULL;
    switch (part->kind) {
    case WSSEC_PART_BODY: return add(f, part, f->m->body, NULL);
    case WSSEC_PART_TIMESTAMP: return f->timestamp_id != NULL ? add(f, part, NULL, f->timestamp_id) : missing(f, part);
    case WSSEC_PART_TOKEN: return f->token_id != NULL ? add(f, part, NULL, f->token_id) : missing(f, part);
    case WSSEC_PART_USERNAME_TOKEN: return f->user_id != NULL ? add(f, part, NULL, f->user_id) : missing(f, part);
    case WSSEC_PART_SIGNATURE: /* the Security header is made here, so no other signature stands in it */
        return missing(f, part);
    case WSSEC_PART_ATTACHMENTS: /* every part but the root: a plain message has none */
        return add_attachments(f, part);
    case WSSEC_PART_WSA:
    case WSSEC_PART_ELEMENT: break;
    }
    unsigned n = header_blocks(f->m, part, &block);
    if (n > 1) {
        (void)wssec_refuse(f->why, WSSEC_POLICY_NOT_EVALUABLE, "part %s stands %u times in the header", part->name, n);
        return WSSEC_RC_OK;
    }
    return n == 1 ? add(f, part, block, NULL) : missing(f, part);
}

int wssec_targets_find(struct wssec_arena *arena, const struct wssec_message *m, const struct wssec_package *package,
                       const struct wssec_recipe *recipe, const char *timestamp_id, const char *token_id,
                       const char *user_id, struct wssec_targets *out, struct wssec_refusal *why)
{
    static const char *const defaults[] = {"Body", "Timestamp?", "attachments"};
    const char *const *word = recipe->n_part != 0 ? recipe->part : defaults;
    size_t n = recipe->n_part != 0 ? recipe->n_part : sizeof defaults / sizeof defaults[0];
    struct finder f = {arena, m, package, timestamp_id, token_id, user_id, out, why};
    char err[256];
    out->n = 0;
    for (size_t i = 0; i < n; i++) {
        struct wssec_part part;
        if (wssec_part_parse(word[i], &part, err, sizeof err) != 0) {
            (void)wssec_refuse(why, WSSEC_POLICY_NOT_EVALUABLE, "%s", err);
            return WSSEC_RC_OK;
        }
        int rc = add_part(&f, &part);
        if (rc != WSSEC_RC_OK || why->reason != WSSEC_OK) {
            return rc;
        }
    }
    if (out->n == 0) {
        (void)wssec_refuse(why, WSSEC_POLICY_NOT_EVALUABLE, "no part is left to sign");
    }
    return WSSEC_RC_OK;
}
