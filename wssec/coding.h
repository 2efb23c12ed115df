/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coding.h: which character encoding a message has, and its text as UTF-8. The witnesses (byte order mark, XML
 * declaration, charset of Content-Type) must agree, since the next reader may believe another one of them than we.
 */
#ifndef WSSEC_CODING_H
#define WSSEC_CODING_H

#include "base/buffer.h"
#include "wssec/refusal.h"
#include "wssec/wssec.h"

enum wssec_coding { WSSEC_CODING_UTF8, WSSEC_CODING_UTF16LE, WSSEC_CODING_UTF16BE, WSSEC_CODING_LATIN1 };

struct wssec_coded {
    enum wssec_coding coding;
    size_t bom;      /**< octets of the byte order mark */
    bool ascii_only; /**< a witness says US-ASCII: no octet above 127 may occur */
    bool transcoded; /**< the text stands in the buffer; else it is the input behind the BOM */
};

/** Judge the witnesses and, unless the message is UTF-8, write its text as UTF-8 into text (reset first).
 *  @param allowed enum wssec_encodings  @return WSSEC_RC_OK: see why->reason; WSSEC_RC_NOMEM */
int wssec_decode(const struct wssec_slice *slice, size_t n_slice, const char *content_type, unsigned allowed,
                 struct wssec_coded *out, cs_buf *text, struct wssec_refusal *why) WSSEC_MUST_CHECK;
/** What a check of octets remembers between pieces of one text; zeroed at its start. */
struct wssec_octets {
    unsigned follow;       /**< octets that the last character still needs; not 0 at the end: cut inside a character */
    uint32_t point, least; /**< of that character */
    bool ascii_only;
};
/** Every octet of a piece: valid UTF-8, no control octet but tab, CR and LF. @return WSSEC_OK, or xml-encoding or
 *  xml-malformed with *bad set to the place in the piece */
enum wssec_reason wssec_octets_check(struct wssec_octets *o, const uint8_t *p, size_t n, size_t *bad) WSSEC_MUST_CHECK;

/** Write UTF-8 text (valid) in the coding of a message: what is spliced into it must be octets of its own kind.
 *  ASCII always works. @return 0, or -1: out->failed, or a character that Latin-1 lacks */
int wssec_encode(enum wssec_coding coding, const char *text, size_t n, cs_buf *out) WSSEC_MUST_CHECK;

#endif
