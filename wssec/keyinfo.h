/* SPDX-License-Identifier: Apache-2.0 */
/* keyinfo.h: what a signature says about its key, written: the token of the Security header and the content of
 * ds:KeyInfo. */
#ifndef WSSEC_KEYINFO_H
#define WSSEC_KEYINFO_H

#include "base/buffer.h"
#include "wssec/refusal.h"
#include "wssec/wssec.h"

/** Whether this kind puts a BinarySecurityToken of its own beside the signature (direct, pkipath). */
bool wssec_keyref_has_token(enum wssec_keyref kind);
/** Add the BinarySecurityToken with that wsu:Id. @return WSSEC_RC_OK, see why->reason; WSSEC_RC_NOMEM */
int wssec_token_write(enum wssec_keyref kind, const struct wssec_entry *e, const char *id, cs_buf *out,
                      struct wssec_refusal *why) WSSEC_MUST_CHECK;
/** Add <ds:KeyInfo>. token_id: of the token above, for kinds that have one. @return as above */
int wssec_keyinfo_write(enum wssec_keyref kind, const struct wssec_entry *e, const char *token_id, cs_buf *out,
                        struct wssec_refusal *why) WSSEC_MUST_CHECK;
/** Text as XML content or attribute value. */
void wssec_xml_escape(const char *text, cs_buf *out);
/** Base64 on one line. */
void wssec_base64_add(const uint8_t *p, size_t n, cs_buf *out);

#endif
