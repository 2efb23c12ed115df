/* SPDX-License-Identifier: Apache-2.0 */
/* canon.h: canonical octets of one element and what is in it, made by libxml2. */
#ifndef WSSEC_CANON_H
#define WSSEC_CANON_H

#include <libxml/tree.h>
#include <openssl/evp.h>

#include "base/buffer.h"
#include "wssec/wssec.h"

/** What to canonicalise and how; borrowed for the call. */
struct wssec_canon {
    xmlNodePtr node;    /**< apex; the tree around it belongs to the calling thread alone */
    int mode;           /**< XML_C14N_* of libxml2 */
    xmlChar **prefix;   /**< InclusiveNamespaces of exclusive C14N, NULL-terminated; NULL: none */
    bool empty_default; /**< STR-Transform: xmlns="" behind the apex name when no default namespace is rendered */
};

/** Takes octets in order. @return 0, or -1: stop */
typedef int (*wssec_canon_sink)(void *ctx, const void *p, size_t n);

/** A sink: ctx is a cs_buf. */
int wssec_to_buffer(void *ctx, const void *p, size_t n);
/** Comments are left out. The tree is changed during the call and as before afterwards.
 *  @return WSSEC_RC_OK; WSSEC_RC_NOMEM; WSSEC_RC_INTERNAL: not canonicalisable, empty result, or the sink said stop */
int wssec_canon(const struct wssec_canon *c, wssec_canon_sink sink, void *ctx) WSSEC_MUST_CHECK;
/** A whole document, exclusively and without comments. @return as wssec_canon */
int wssec_canon_document(struct _xmlDoc *doc, wssec_canon_sink sink, void *ctx) WSSEC_MUST_CHECK;
/** Into a buffer (added behind its content). */
int wssec_canon_text(const struct wssec_canon *c, cs_buf *out) WSSEC_MUST_CHECK;
/** Into a digest context that was started by the caller. */
int wssec_canon_digest(const struct wssec_canon *c, EVP_MD_CTX *md) WSSEC_MUST_CHECK;

#endif
