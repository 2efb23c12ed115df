/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crl.h: certificate revocation lists: taken in for a trust anchor, held parsed by snapshots, asked for one
 * certificate. A list is bound to the key that signed it, proven once when it is read; nothing here fetches one.
 */
#ifndef KS_CRL_H
#define KS_CRL_H

#include "keystore/snapshot.h"

#define KS_CRL_MAX (32u << 20) /* octets of one list */

/** Parsed once, shared by all generations that hold it. */
struct ks_crl {
    atomic_uint refs;
    uint8_t sha256[32];
    uint8_t signer_spki[32]; /**< of the stored anchor whose key signed it */
    X509_CRL *x;             /**< owned */
    cs_time this_update, next_update;
};

/** Fill s->crl from the store, taking over what old (may be NULL) holds. s has its entries already. */
int ks_crls_read(ks_store *store, const ks_snapshot *old, ks_snapshot *s, cs_error *e) CS_MUST_CHECK;
void ks_crls_release(ks_snapshot *s);

/** What the lists of s say of x, which the key with signer_spki issued.
 *  @return true: a list that is current at when was asked; *revoked_at is set (0: not revoked) by stale lists too */
bool ks_crl_ask(const ks_snapshot *s, X509 *x, const uint8_t signer_spki[32], cs_time when, cs_time *revoked_at);

#endif
