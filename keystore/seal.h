/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal.h: private keys at rest: AES-256-GCM under one key-encryption key, each with its own nonce, bound to its store,
 * slot and role, so that rows cannot change places.
 */
#ifndef KS_SEAL_H
#define KS_SEAL_H

#include "keystore/kek.h"

/** Seal key for slot into row, whose key_id is set (ct malloc'ed, owned by the caller). */
int ks_seal(const struct ks_kek *kek, const char *store_id, const struct ks_slot *slot, EVP_PKEY *key,
            struct ks_key_row *row, uint8_t **ct, cs_error *e) CS_MUST_CHECK;
/** Open a sealed row. @return 0 with *key owned by the caller; -1: exit 78, wrong KEK or changed row */
int ks_unseal(const struct ks_kek *kek, const char *store_id, const struct ks_slot *slot, const struct ks_key_row *row,
              EVP_PKEY **key, cs_error *e) CS_MUST_CHECK;
/** Open a private key of slot: one that is sealed in the store (its key-encryption key out of ring; NULL: one of its
 * own), or one of a token.
 *  @return 0 with *key owned by the caller, or -1 */
int ks_key_open(ks_store *s, struct ks_keyring *ring, const struct ks_slot *slot, const char *key_id, EVP_PKEY **key,
                cs_error *e) CS_MUST_CHECK;
/** Seal key for slot under the key-encryption key in force, or note the address of a token's key (pkcs11_uri not NULL),
 * as a new row. row: spki_sha256 and created_at set; key_id is filled. Within a write transaction. */
int ks_key_store(ks_store *s, const struct ks_slot *slot, EVP_PKEY *key, const char *pkcs11_uri, struct ks_key_row *row,
                 cs_error *e) CS_MUST_CHECK;

#endif
