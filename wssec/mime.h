/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mime.h: a multipart/related package (RFC 2045, 2046, 2387) as places in its octets. Nothing is copied but names: a
 * part of any size is two offsets. The reading is strict where readers differ: what the next hop could split at another
 * place than we do is refused, not repaired.
 */
#ifndef WSSEC_MIME_H
#define WSSEC_MIME_H

#include "base/buffer.h"
#include "wssec/arena.h"
#include "wssec/wssec.h"

#define WSSEC_MIME_BOUNDARY 70 /* octets, RFC 2046 */

enum wssec_mime_coding {
    WSSEC_MIME_IDENTITY /**< 7bit, 8bit, binary or not said */,
    WSSEC_MIME_BASE64,
    WSSEC_MIME_QUOTED
};

struct wssec_mime_part { /** One part; ranges count the octets of the package as it was given, texts are the package's.
                          */
    struct wssec_range header;  /**< its fields with their line ends, without the empty line; empty: it has none */
    struct wssec_range content; /**< as it stands, still in its transfer encoding */
    const char *id;             /**< Content-ID without angle brackets; "" none */
    const char *type;           /**< media type in lower case, without parameters; "" none */
    const char *content_type;   /**< the whole Content-Type, unfolded; NULL: none */
    struct wssec_range length;  /**< its Content-Length field with line end; 0,0: none */
    enum wssec_mime_coding coding;
};

struct wssec_mime_limits {
    size_t parts;  /**< of one package, the root included */
    size_t header; /**< octets of one part's header */
};

struct wssec_mime {               /** Zeroed before the first use; buffers are kept. part[0] is the root. */
    struct wssec_mime_part *part; /**< owned */
    size_t n_part;
    bool xop; /**< the package says that it is an XOP package, and so does its root */
    char boundary[WSSEC_MIME_BOUNDARY + 1];
    enum wssec_reason reason; /**< WSSEC_OK: it was split */
    char detail[384];
    /* owned */
    size_t cap_part;
    struct wssec_arena arena;
    cs_buf head;
};

/** A field of a header; points into the text that was read. */
struct wssec_mime_field {
    const char *name, *value; /**< value without white space around it, folds still in it */
    size_t name_n, value_n;
    size_t from, to; /**< in the text, with its line end */
};
#define WSSEC_MIME_FIELDS 64

struct wssec_mime_parameter {
    const char *name;  /**< lower case */
    const char *value; /**< without quotes and backslashes */
    size_t value_n;
};
#define WSSEC_MIME_PARAMETERS 16

struct wssec_mime_value { /** "text/xml; charset=utf-8" taken apart; memory of an arena. */
    const char *word;     /**< in front of the first ';', lower case */
    struct wssec_mime_parameter parameter[WSSEC_MIME_PARAMETERS];
    size_t n_parameter;
};

/** What a message comes in. */
enum wssec_mime_kind {
    WSSEC_MIME_PLAIN,   /**< no package: XML, or nothing that is known here */
    WSSEC_MIME_PACKAGE, /**< multipart/… */
    WSSEC_MIME_ENTITY   /**< a file that begins with MIME header fields: its content begins behind them */
};
struct wssec_mime_front {
    enum wssec_mime_kind kind;
    size_t octets;            /**< of the header in front of the content; 0: none */
    const char *content_type; /**< as given, or what the header in front says (memory of m), NULL: nobody said */
};

/** Content-Type names some kind of multipart. NULL is allowed. */
bool wssec_mime_is_multipart(const char *content_type);
/** Tell what kind of message it is. content_type NULL (a file): by its first octets, where MIME fields or a delimiter
 * line may stand. Only a header of this kind with a Content-Type makes an entity. @return WSSEC_RC_OK; WSSEC_RC_NOMEM
 */
int wssec_mime_front(struct wssec_mime *m, const struct wssec_slice *slice, size_t n_slice, const char *content_type,
                     const struct wssec_mime_limits *limits, struct wssec_mime_front *out) WSSEC_MUST_CHECK;
/**
 * Split a package. content_type NULL: the delimiter is taken from the first line. from: octets of slice in front of the
 * package, which ranges count too. m is reset first. @return WSSEC_RC_OK: see m->reason; WSSEC_RC_NOMEM
 */
int wssec_mime_split(struct wssec_mime *m, const struct wssec_slice *slice, size_t n_slice, size_t from,
                     const char *content_type, const struct wssec_mime_limits *limits) WSSEC_MUST_CHECK;
void wssec_mime_free(struct wssec_mime *m);

/** The part that a URI "cid:…" names (RFC 2392, percent-encoding undone). @return its index; 0: none, or the root; -1:
 * no such URI, or one that two parts could be meant by */
int wssec_mime_find(const struct wssec_mime *m, const char *uri);

/** Slices that a range of octets consists of. out has room for n_slice. @return how many */
size_t wssec_mime_slices(const struct wssec_slice *slice, size_t n_slice, struct wssec_range range,
                         struct wssec_slice *out);

/** Takes octets in order. @return 0, or -1: stop */
typedef int (*wssec_mime_sink)(void *ctx, const void *p, size_t n);
/** The octets that a part means: its transfer encoding undone. @return 0; -1: the sink said stop; 1: not of its
 * encoding */
int wssec_mime_content(const struct wssec_slice *slice, size_t n_slice, const struct wssec_mime_part *part,
                       wssec_mime_sink sink, void *ctx) WSSEC_MUST_CHECK;

/* mime_field.c */
/** Read the fields of a header (n octets, each line ends with CR LF). @return how many, or -1 with a sentence in detail
 */
int wssec_mime_fields(const char *text, size_t n, struct wssec_mime_field field[WSSEC_MIME_FIELDS], char detail[384]);
/** The same of the header of a stored message, where fields of its way may repeat: Received, Via, X-… */
int wssec_mime_front_fields(const char *text, size_t n, struct wssec_mime_field field[WSSEC_MIME_FIELDS],
                            char detail[384]);
/** Name of a field, in any case. */
bool wssec_mime_is_field(const struct wssec_mime_field *f, const char *name);
/** Value of a field without its folds. NULL: no memory */
char *wssec_mime_unfold(struct wssec_arena *arena, const struct wssec_mime_field *f);
/** Take a value apart. No comments, no parameter twice, and none in the split or encoded form of RFC 2231.
 *  @return 1: *out is filled; 0: malformed; -1: no memory */
int wssec_mime_value_read(struct wssec_arena *arena, const char *text, struct wssec_mime_value *out);
/** Value of a parameter. NULL: not there */
const char *wssec_mime_parameter(const struct wssec_mime_value *v, const char *name);

#endif
