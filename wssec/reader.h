/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.h: the content of a Body, octet by octet as it comes, never built: a strict reader for the part of XML that
 * SOAP allows there. It gives what it reads to emitters. It never guesses: what it does not know, or would not read
 * exactly as libxml2 does, it names and stops, and the message is judged by the tree engine.
 */
#ifndef WSSEC_READER_H
#define WSSEC_READER_H

#include "wssec/coding.h"
#include "wssec/emit.h"
#include "wssec/message.h"

#define WSSEC_EMITTERS   4
#define WSSEC_GOOD_NAMES 32 /* even: a name has two places */

struct wssec_good_name { /** A namespace name that was judged good. */
    uint8_t text[120];
    uint8_t n;
};

struct wssec_seen_id {          /** An id-like attribute inside Body. */
    struct wssec_slice value;   /**< until the call ends */
    struct wssec_slice element; /**< its qualified name, until the call ends */
    uint64_t number;            /**< of the element: equal for two ids of one */
    bool named, strict;         /**< as in struct wssec_id */
};

enum wssec_reading { WSSEC_READING_TEXT, WSSEC_READING_CDATA, WSSEC_READING_COMMENT };

struct wssec_open { /** An open element; its name stands in names. */
    uint32_t at, n;
};

struct wssec_builder;

struct wssec_reader { /** Zeroed before the first use; buffers are kept between messages. */
    const struct wssec_limits *limits;
    struct wssec_emitter *emit[WSSEC_EMITTERS]; /**< borrowed */
    size_t n_emit;
    struct wssec_builder *build;                             /**< borrowed; NULL: no tree is made */
    int (*on_id)(void *ctx, const struct wssec_seen_id *id); /**< @return 0, or -1: no memory */
    void *ctx;
    /* what was found */
    uint32_t comments;
    bool has_xop, is_fault;
    uint64_t octets_read;
    /* why it stopped: reason, and a word for people and counters; NULL: it did not */
    const char *cause;
    enum wssec_reason reason;
    bool no_memory;
    /* where it is */
    enum wssec_reading state;
    uint32_t depth; /**< open elements; Body is the second */
    uint32_t least; /**< below this depth only white space and end tags are expected: 2, of a whole document 1 */
    uint32_t children;
    uint32_t namespaces;
    uint64_t elements, text;
    unsigned brackets, dashes;
    uint8_t quote;
    bool cr; /**< a carriage return was read, and not yet what follows */
    bool carrying;
    struct wssec_octets octets;
    const uint8_t *clean; /**< up to here the piece in hand holds nothing but text that is written as it stands */
    const char *fault_ns; /**< namespace of the SOAP version */
    /* owned */
    struct wssec_scope scope;
    struct wssec_attribute *attribute;
    struct wssec_value { /** The attribute's value as it stands in the tag. */
        const uint8_t *p;
        size_t n;
        bool decode, is_namespace;
    } * value;
    uint32_t *order;
    size_t cap_attribute;
    cs_buf values, names, carry;
    struct wssec_open *open;
    size_t cap_open;
    struct wssec_good_name good[WSSEC_GOOD_NAMES]; /**< kept for ever: whether a name is good never changes */
};

/** Ready for what follows the start tag of m->body. Limits, emitters (their start tag written), on_id and ctx are set
 *  by the caller before. @return WSSEC_RC_OK; WSSEC_RC_NOMEM */
int wssec_reader_begin(struct wssec_reader *r, const struct wssec_message *m, bool ascii_only) WSSEC_MUST_CHECK;
/** As wssec_reader_begin, for a whole document that goes into a tree (build.h). */
int wssec_reader_begin_tree(struct wssec_reader *r, struct wssec_builder *build, bool ascii_only) WSSEC_MUST_CHECK;
/** The next octets. @return 0: go on; -1: r->cause says why it stopped (r->no_memory: for want of memory) */
int wssec_reader_push(struct wssec_reader *r, const uint8_t *p, size_t n) WSSEC_MUST_CHECK;
/** Nothing follows. @return 0: Body and Envelope ended, and nothing but white space stands behind; -1 as above */
int wssec_reader_end(struct wssec_reader *r) WSSEC_MUST_CHECK;
void wssec_reader_free(struct wssec_reader *r);

#endif
