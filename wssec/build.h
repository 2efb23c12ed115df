/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build.h: a small tree from what the reader reads: nodes of libxml2's shape in the memory of one call, so that the
 * judges find what libxml2 would have built, without an allocation for each name and text. Line numbers are not kept.
 */
#ifndef WSSEC_BUILD_H
#define WSSEC_BUILD_H

#include "wssec/arena.h"
#include "wssec/reader.h"

struct wssec_builder { /** Zeroed before the first use; buffers are kept. */
    struct wssec_arena *arena;
    struct wssec_scan *scan; /**< gets the places of elements down to depth 3, as scan.c records them */
    const uint8_t *base;     /**< where the text begins */
    uint32_t header_nodes;
    bool in_header, no_memory;
    xmlNodePtr open; /**< element in hand; NULL: the document */
    struct _xmlDoc *doc;
    xmlNs *xml; /**< of the prefix xml */
    xmlNs **ns; /**< owned; by row of the reader's scope */
    size_t cap_ns;
    cs_buf text;         /**< of the text node that is being read */
    xmlElementType kind; /**< of it; 0: none */
    int32_t place[4];    /**< recorded element that is open at depth 1..3, -1: none */
};

/**
 * Build the whole of text, which is a message that ends with its root element. Into m: doc (of the arena, never to be
 * freed), has_xop, and of scan what scan.c would have found. @return WSSEC_RC_OK, *built false: text is not all of the
 * kind that the reader knows, nothing is said about it; WSSEC_RC_NOMEM
 */
int wssec_build(struct wssec_builder *b, struct wssec_reader *r, struct wssec_arena *arena, struct wssec_slice text,
                const struct wssec_limits *limits, struct wssec_message *m, bool *built) WSSEC_MUST_CHECK;
void wssec_build_free(struct wssec_builder *b);

/* ---- from the reader ------------------------------------------------------------------------------------------------
 */

/** A start tag from '<' up to and with gt; its declarations are the rows of the scope at its depth. */
void wssec_build_start(struct wssec_builder *b, const struct wssec_scope *s, const struct wssec_element *el,
                       const uint8_t *gt, bool empty);
/** An end tag at lt; behind: where it ends. */
void wssec_build_end(struct wssec_builder *b, uint32_t depth, const uint8_t *lt, const uint8_t *behind);
/** Text as it is meant. */
void wssec_build_text(struct wssec_builder *b, const void *p, size_t n, bool cdata);
/** A CDATA section begins; it may stay empty. */
void wssec_build_cdata(struct wssec_builder *b);
void wssec_build_comment(struct wssec_builder *b);

#endif
