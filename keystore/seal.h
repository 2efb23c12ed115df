/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal.h: private keys at rest: AES-256-GCM under one key-encryption key, each with its own nonce, bound to its store,
 * slot and role, so that rows cannot change places.
 */
#ifndef KS_SEAL_H
#define KS_SEAL_H

#include "keystore/store.h"

struct ks_kek {
    uint8_t key[32];
    char id[17]; /**< 16 digits of its SHA-256: not a secret */
};

/** Make the file (0600, must not exist) with a new random key; one that is there already is read instead. */
int ks_kek_make(const char *path, struct ks_kek *out, cs_error *e) CS_MUST_CHECK;
/** @return 0; -1: exit 78, the file is missing, readable by others, or none */
int ks_kek_read(const char *path, struct ks_kek *out, cs_error *e) CS_MUST_CHECK;
void ks_kek_wipe(struct ks_kek *k);

/** Seal key for slot into row (ct malloc'ed, owned by the caller). */
int ks_seal(const struct ks_kek *kek, const char *store_id, const struct ks_slot *slot, EVP_PKEY *key,
            struct ks_key_row *row, uint8_t **ct, cs_error *e) CS_MUST_CHECK;
/** Open a sealed row. @return 0 with *key owned by the caller; -1: exit 78, wrong KEK or changed row */
int ks_unseal(const struct ks_kek *kek, const char *store_id, const struct ks_slot *slot, const struct ks_key_row *row,
              EVP_PKEY **key, cs_error *e) CS_MUST_CHECK;
/** Read a sealed key of slot from the store and open it. @return 0 with *key owned by the caller, or -1 */
int ks_key_open(ks_store *s, const struct ks_slot *slot, const char *key_id, EVP_PKEY **key, cs_error *e) CS_MUST_CHECK;

#endif
