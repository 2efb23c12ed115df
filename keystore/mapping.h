/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mapping.h: who a TLS client is: certificates that stand for a user, and names that a route lets in. Rows of the
 * store, held parsed by snapshots.
 */
#ifndef KS_MAPPING_H
#define KS_MAPPING_H

#include "keystore/snapshot.h"

/** Parsed once, shared by all snapshots until a mapping changes. */
struct ks_mappings {
    atomic_uint refs;
    uint64_t changed; /**< generation of the last change */
    struct ks_map_certificate {
        uint8_t sha256[32];
        int64_t map_id, entry_id;
        char user[KS_WORD];
    } * certificate; /**< owned; by fingerprint, then user */
    size_t n_certificate;
    struct ks_map_rule {
        int64_t map_id;
        char route[KS_WORD];
        cs_dn *subject, *issuer; /**< owned; rules of cs_dn_rule_parse */
    } * rule;                    /**< owned; by route, then number */
    size_t n_rule;
};

#define KS_META_MAPPINGS "mappings_changed" /* meta: generation of the last change of a mapping */

/** Fill s->mappings from the store, taking over what old (may be NULL) holds. s has its entries already. */
int ks_mappings_read(ks_store *store, const ks_snapshot *old, ks_snapshot *s, cs_error *e) CS_MUST_CHECK;
void ks_mappings_release(ks_snapshot *s);

#endif
