/* SPDX-License-Identifier: Apache-2.0 */
/* header.h: where a Security header that we make goes, and its start tag; shared by signing and encrypting. */
#ifndef WSSEC_HEADER_H
#define WSSEC_HEADER_H

#include "wssec/splice.h"

#define WSSEC_MADE_BODY ((uint64_t)1 << 30) /**< octets: who asks for a signature or encryption bounds its messages */

/** Begin the text of a new header block: <soap:Header> where m has none, and <wsse:Security …> with the prefixes wsse
 * and wsu. */
void wssec_header_open(const struct wssec_message *m, const char *role, bool must_understand, cs_buf *b);
/** End it. */
void wssec_header_close(const struct wssec_message *m, cs_buf *b);
/** The edit that puts text as first child into node: Header, or Envelope where it has none, or our Security; an
 *  empty-element tag is opened. text is borrowed until the splice. @return WSSEC_RC_OK, WSSEC_RC_NOMEM,
 * WSSEC_RC_INTERNAL */
int wssec_header_place(struct wssec_arena *arena, const struct wssec_message *m, const xmlNode *node,
                       const cs_buf *text, struct wssec_edit *e) WSSEC_MUST_CHECK;
/** Is a Security header for role (NULL: ours) in m? @return it, or NULL */
xmlNodePtr wssec_header_of_role(const struct wssec_message *m, const char *role);
/** A header with the prefixes that wssec_header_open writes: one of ours, into which more may be put. */
bool wssec_header_is_ours(const xmlNode *security);

#endif
