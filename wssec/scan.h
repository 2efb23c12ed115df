/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan.h: the byte scanner that stands ahead of libxml2. One pass over the octets as received: encoding (BOM,
 * declaration and charset must agree), XML 1.0 only, no DOCTYPE, no NUL or control octet, valid UTF-8, limits of tags,
 * names and depth; records where the elements down to depth 3 stand, so that edits are byte splices.
 */
#ifndef WSSEC_SCAN_H
#define WSSEC_SCAN_H

#include "base/buffer.h"
#include "wssec/coding.h"
#include "wssec/policy.h"

/** One element: offsets count the octets of the text as UTF-8 (see wssec_scan_original). */
struct wssec_scan_element {
    size_t from;       /**< its '<' */
    size_t name_end;   /**< behind the qualified name: where attributes are spliced in */
    size_t open_end;   /**< behind the '>' of the start tag */
    size_t close_from; /**< '<' of the end tag; == open_end for an empty-element tag or empty content */
    size_t to;         /**< behind the end tag */
    size_t name_at;    /**< qualified name in wssec_scan.names */
    uint32_t name_len;
    int32_t parent; /**< index of the parent, -1: root */
    uint8_t depth;  /**< 1: root element */
    bool empty;     /**< empty-element tag <a/> */
};

struct wssec_scan {
    enum wssec_coding coding;
    size_t bom;      /**< octets of the byte order mark */
    size_t octets;   /**< of the input as received */
    bool ascii_only; /**< a witness of the encoding says US-ASCII */
    /** What the parser reads: UTF-8 without BOM. Points into the input when that is UTF-8, else into owned. */
    const struct wssec_slice *piece;
    size_t n_piece;
    size_t text_octets;
    /** Elements in document order: root, its children, and the children of those children of the root whose local name
     * is Header (bounded by limits header-nodes). Children of other depth-2 elements are counted and folded only. */
    struct wssec_scan_element *element; /**< owned */
    size_t n_element, cap_element;
    uint64_t fold;                   /**< order-dependent fold over (depth, name) of ALL elements down to depth 3 */
    uint64_t folded;                 /**< how many */
    uint32_t comments, instructions; /**< anywhere; the XML declaration is no instruction */
    uint32_t instructions_outside;   /**< before or behind the root element */
    enum wssec_reason reason;        /**< why it was refused */
    char detail[384];
    /* owned, kept between messages */
    cs_buf names, owned;
    struct wssec_slice *own_piece;
    size_t cap_piece;
};

#define WSSEC_SCAN_FOLD 0x9E3779B97F4A7C15u
/** Fold one element into *fold (start with WSSEC_SCAN_FOLD): the parser's side of the cross-check. name: as written,
 * prefix included. */
void wssec_scan_fold(uint64_t *fold, unsigned depth, const char *name, size_t n);

/** Room for one more element. @return zeroed, NULL: no memory */
struct wssec_scan_element *wssec_scan_element_new(struct wssec_scan *s);
/** The encoding of a message whose octets are one text: what wssec_scan_run does before it looks at markup. @return as
 *  wssec_scan_run */
int wssec_scan_coding(struct wssec_scan *s, const struct wssec_slice *slice, size_t n_slice, const char *content_type,
                      const struct wssec_limits *limits, unsigned encodings) WSSEC_MUST_CHECK;
/** Make s empty; the first time with s zeroed. Buffers are kept. */
void wssec_scan_reset(struct wssec_scan *s);
void wssec_scan_free(struct wssec_scan *s);
/** Scan one message. content_type as received, NULL: none (only its charset is read here). Borrows slice as long as
 * s->piece is used.
 *  @return WSSEC_RC_OK: see s->reason (WSSEC_OK: good); WSSEC_RC_NOMEM */
int wssec_scan_run(struct wssec_scan *s, const struct wssec_slice *slice, size_t n_slice, const char *content_type,
                   const struct wssec_limits *limits, unsigned encodings) WSSEC_MUST_CHECK;
/** Offset in the octets as received for an offset in the text. O(1) for UTF-8, else a walk. */
size_t wssec_scan_original(const struct wssec_scan *s, size_t text_offset);

#endif
