/* SPDX-License-Identifier: Apache-2.0 */
/*
 * emit.h: exclusive canonicalization as a stream: elements go in one by one, canonical octets come out in large
 * pieces. Two walkers feed it: emit_tree.c from a tree of libxml2, reader.c from the octets of a Body that is never
 * built. Which namespaces are declared where is kept once in a scope; each emitter knows what it has written.
 */
#ifndef WSSEC_EMIT_H
#define WSSEC_EMIT_H

#include "base/buffer.h"
#include "wssec/canon.h"
#include "wssec/wssec.h"

#define WSSEC_ROW_NONE (-1) /* no namespace: the default one where none is declared or it was taken back */
#define WSSEC_ROW_XML  0    /* prefix xml, in every scope, never written */

/* ---- scope ------------------------------------------------------------------------------------------------------ */

struct wssec_binding { /** One declaration; octets in the scope's text. */
    uint32_t prefix_at, prefix_n, name_at, name_n;
    uint32_t depth; /**< of the element that declares it */
};

struct wssec_scope { /** Declarations in force, innermost last. Zeroed before the first use; buffers are kept. */
    struct wssec_binding *row;
    size_t n, cap;
    cs_buf text;
};

/** Forget all but the prefix xml. @return 0, or -1: no memory */
int wssec_scope_reset(struct wssec_scope *s) WSSEC_MUST_CHECK;
void wssec_scope_free(struct wssec_scope *s);
/** A declaration at depth; name empty: taken back. @return 0, or -1: no memory */
int wssec_scope_declare(struct wssec_scope *s, uint32_t depth, struct wssec_slice prefix,
                        struct wssec_slice name) WSSEC_MUST_CHECK;
/** Take back what elements at depth and below declared. */
void wssec_scope_leave(struct wssec_scope *s, uint32_t depth);
/** Row of a prefix (empty: the default namespace). @return WSSEC_ROW_NONE: not declared, or taken back */
int32_t wssec_scope_find(const struct wssec_scope *s, struct wssec_slice prefix);
/** Name of a row; empty for WSSEC_ROW_NONE. Until the scope changes. */
struct wssec_slice wssec_scope_name(const struct wssec_scope *s, int32_t row);

/* ---- elements ---------------------------------------------------------------------------------------------------- */

struct wssec_attribute {      /** One attribute that is no namespace declaration. */
    struct wssec_slice name;  /**< qualified, as written */
    uint32_t prefix_n;        /**< octets of its prefix, 0: none */
    int32_t row;              /**< its namespace; WSSEC_ROW_NONE without prefix */
    struct wssec_slice value; /**< as the parser gives it, references resolved */
    bool plain;               /**< no octet of value needs an escape */
    struct wssec_slice raw;   /**< space, name, '=' and quoted value when they stand in the input just as they are to be
                                 written; n 0: no */
};

struct wssec_element {       /** A start tag; borrowed for the call. */
    struct wssec_slice name; /**< qualified, as written */
    uint32_t prefix_n;
    int32_t row;    /**< its namespace */
    uint32_t depth; /**< 1: root of the document */
    const struct wssec_attribute *attribute;
    size_t n_attribute;
    const uint32_t *order; /**< indices of attribute in canonical order (wssec_attributes_sort) */
    bool declares;         /**< it declares namespaces, or is the first one given: prefix lists are looked at */
    bool in_input;         /**< name stands in memory that lives until wssec_emit_settle, with '<' right before it */
};

/** Canonical order: without namespace first, then by name of the namespace, then by local name; order has room for n.
 *  @return 0, or -1: two attributes have one expanded name */
int wssec_attributes_sort(const struct wssec_scope *s, const struct wssec_attribute *a, size_t n,
                          uint32_t *order) WSSEC_MUST_CHECK;

/* ---- emitter ----------------------------------------------------------------------------------------------------- */

#define WSSEC_EMIT_BUFFER ((size_t)16384)

struct wssec_rendered { /** A declaration that was written (row WSSEC_ROW_NONE: xmlns=""). */
    int32_t row;
    uint32_t depth;
};

struct wssec_emitter { /** Zeroed before the first use; buffers are kept. */
    wssec_canon_sink sink;
    void *ctx;
    xmlChar *const *prefix; /**< InclusiveNamespaces, NULL-terminated; NULL: none */
    bool empty_default;     /**< as in struct wssec_canon, for the first element */
    struct wssec_rendered *rendered;
    size_t n_rendered, cap_rendered;
    const uint8_t *run; /**< octets of the input that are to be given next, not yet copied */
    size_t run_n;
    size_t used;
    bool begun, failed, no_memory;
    uint8_t buffer[WSSEC_EMIT_BUFFER];
};

/** Ready for a new subtree. prefix is borrowed until the end. */
void wssec_emit_begin(struct wssec_emitter *e, wssec_canon_sink sink, void *ctx, xmlChar *const *prefix,
                      bool empty_default);
void wssec_emit_free(struct wssec_emitter *e);
/** Start tag without its '>', with the declarations that are due; those of the element are in s already. */
void wssec_emit_start(struct wssec_emitter *e, const struct wssec_scope *s, const struct wssec_element *element);
/** End tag; in_input: name stands between "</" and ">" in memory as above. Before the scope leaves depth. */
void wssec_emit_end(struct wssec_emitter *e, struct wssec_slice name, uint32_t depth, bool in_input);
/** Octets that are to be written as they are, copied at once. */
void wssec_emit_copy(struct wssec_emitter *e, const void *p, size_t n);
/** Text with what needs an escape escaped, copied. */
void wssec_emit_text(struct wssec_emitter *e, const void *p, size_t n);
/** Memory that was given by wssec_emit_raw and in_input may go. */
void wssec_emit_settle(struct wssec_emitter *e);
/** Octets that stand in memory until wssec_emit_settle exactly as they are to be written. Most go on where the last
 * ones ended, three times for each element: no call. */
static inline void wssec_emit_raw(struct wssec_emitter *e, const void *p, size_t n)
{
    if (e->run_n != 0 && (const uint8_t *)p == e->run + e->run_n) {
        e->run_n += n;
        return;
    }
    wssec_emit_settle(e);
    e->run = p;
    e->run_n = n;
}
/** Give the rest to the sink. @return WSSEC_RC_OK; WSSEC_RC_NOMEM; WSSEC_RC_INTERNAL: the sink said stop, or nothing
 *  was written */
int wssec_emit_finish(struct wssec_emitter *e) WSSEC_MUST_CHECK;

/* ---- from a tree (emit_tree.c) ------------------------------------------------------------------------------------
 */

struct wssec_walk { /** What walks of one thread share. Zeroed before the first use. */
    struct wssec_scope scope;
    struct wssec_emitter emitter;
    struct wssec_attribute *attribute;
    uint32_t *order;
    size_t cap_attribute;
    cs_buf names; /**< qualified names of the element in hand */
};

void wssec_walk_free(struct wssec_walk *w);
/** As wssec_canon for exclusive canonicalization. */
int wssec_emit_tree(struct wssec_walk *w, const struct wssec_canon *c, wssec_canon_sink sink,
                    void *ctx) WSSEC_MUST_CHECK;
/** Fill the scope with what is declared at node and around it. @return depth of node, 0: no memory */
uint32_t wssec_scope_of(struct wssec_scope *s, const xmlNode *node) WSSEC_MUST_CHECK;
/** The start tag of node alone, given to n emitters; scope as wssec_scope_of left it. @return 0, or -1: no memory */
int wssec_emit_node_start(struct wssec_walk *w, const struct wssec_scope *s, const xmlNode *node, uint32_t depth,
                          bool first, struct wssec_emitter *const *e, size_t n) WSSEC_MUST_CHECK;

#endif
