/* SPDX-License-Identifier: Apache-2.0 */
/* agreement.h: xenc:AgreementMethod, which says how sender and holder of a certificate agree on a key: read and
 * written. */
#ifndef WSSEC_AGREEMENT_H
#define WSSEC_AGREEMENT_H

#include "wssec/agree.h"
#include "wssec/sec.h"

/** Read an AgreementMethod; memory of the arena. *recipient: what names the holder's certificate, shaped as a KeyInfo;
 * NULL: nothing does. @return WSSEC_RC_OK, see r->why; WSSEC_RC_NOMEM */
int wssec_agreement_read(const struct wssec_key_reader *r, const xmlNode *node, struct wssec_agreement *out,
                         xmlNodePtr *recipient) WSSEC_MUST_CHECK;
/** How the derivation of a is written when nothing else is said: ConcatKDF with uri as AlgorithmID; with X25519 HKDF
 * with uri as info and a random salt, which is put into salt and lives as long as a. @return 0, or -1 */
int wssec_agreement_usual(struct wssec_agreement *a, bool x25519, const char *uri, size_t key_octets,
                          uint8_t salt[WSSEC_SALT]) WSSEC_MUST_CHECK;
/** The AgreementMethod of a; recipient: content of a KeyInfo. Prefixes xenc and ds are bound. */
void wssec_agreement_write(const struct wssec_agreement *a, const char *recipient, size_t n, cs_buf *out);

#endif
