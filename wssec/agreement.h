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
/** Octets of an URI as AlgorithmID of ConcatKDF; also what a->info is when nothing else is said. */
struct wssec_slice wssec_agreement_info(const char *uri);
/** The AgreementMethod of a; recipient: content of a KeyInfo. Prefixes xenc and ds are bound. */
void wssec_agreement_write(const struct wssec_agreement *a, const char *recipient, size_t n, cs_buf *out);

#endif
