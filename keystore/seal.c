/* SPDX-License-Identifier: Apache-2.0 */
/* seal.c: sealing and opening of private keys; key octets live in buffers that are wiped. */
#include "keystore/seal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/pkcs11.h"

static int new_key_id(struct ks_key_row *row)
{
    uint8_t id[16];
    if (RAND_bytes(id, sizeof id) != 1) {
        return -1;
    }
    cs_hex(id, sizeof id, row->key_id);
    return 0;
}

/** What a sealed key is bound to. */
static int bind(char *out, size_t size, const char *store_id, const struct ks_slot *slot, const struct ks_key_row *row)
{
    int n = snprintf(out, size, "%s|%s|%s|%s|%s", store_id, row->key_id, slot->alias, ks_role_word(slot->role),
                     row->kek_id);
    return n > 0 && (size_t)n < size ? n : -1;
}

int ks_seal(const struct ks_kek *kek, const char *store_id, const struct ks_slot *slot, EVP_PKEY *key,
            struct ks_key_row *row, uint8_t **ct, cs_error *e)
{
    char aad[512];
    uint8_t *plain = NULL;
    size_t plain_len = 0;
    int part = 0;
    int tail = 0;
    int rc = -1;
    *ct = NULL;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    int n = info != NULL ? i2d_PKCS8_PRIV_KEY_INFO(info, &plain) : -1;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (n <= 0 || ctx == NULL || RAND_bytes(row->nonce, sizeof row->nonce) != 1) {
        goto out;
    }
    plain_len = (size_t)n;
    cs_copy(row->kek_id, sizeof row->kek_id, kek->id);
    int aad_len = bind(aad, sizeof aad, store_id, slot, row);
    *ct = malloc(plain_len);
    if (aad_len < 0 || *ct == NULL || EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, kek->key, row->nonce) != 1 ||
        EVP_EncryptUpdate(ctx, NULL, &part, (const uint8_t *)aad, aad_len) != 1 ||
        EVP_EncryptUpdate(ctx, *ct, &part, plain, n) != 1 || EVP_EncryptFinal_ex(ctx, *ct + part, &tail) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, sizeof row->tag, row->tag) != 1) {
        goto out;
    }
    row->ct = *ct;
    row->ct_len = plain_len;
    rc = 0;
out:
    if (rc != 0) {
        free(*ct);
        *ct = NULL;
        cs_error_set(e, CS_EXIT_INTERNAL, "seal-failed", "the private key cannot be sealed");
    }
    EVP_CIPHER_CTX_free(ctx);
    PKCS8_PRIV_KEY_INFO_free(info);
    OPENSSL_clear_free(plain, plain_len);
    ERR_clear_error();
    return rc;
}

int ks_unseal(const struct ks_kek *kek, const char *store_id, const struct ks_slot *slot, const struct ks_key_row *row,
              EVP_PKEY **key, cs_error *e)
{
    char aad[512];
    uint8_t tag[16];
    int part = 0;
    int tail = 0;
    *key = NULL;
    int aad_len = bind(aad, sizeof aad, store_id, slot, row);
    uint8_t *plain = row->ct_len > 0 && row->ct_len < (1U << 20) ? OPENSSL_secure_malloc(row->ct_len) : NULL;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    memcpy(tag, row->tag, sizeof tag);
    if (plain != NULL && ctx != NULL && aad_len > 0 &&
        EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, kek->key, row->nonce) == 1 &&
        EVP_DecryptUpdate(ctx, NULL, &part, (const uint8_t *)aad, aad_len) == 1 &&
        EVP_DecryptUpdate(ctx, plain, &part, row->ct, (int)row->ct_len) == 1 &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, sizeof tag, tag) == 1 &&
        EVP_DecryptFinal_ex(ctx, plain + part, &tail) == 1) {
        const uint8_t *p = plain;
        *key = d2i_AutoPrivateKey(NULL, &p, (long)row->ct_len);
    }
    OPENSSL_secure_clear_free(plain, row->ct_len);
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    if (*key == NULL) {
        bool other = strcmp(kek->id, row->kek_id) != 0;
        return cs_error_set(e, CS_EXIT_CONFIG, "key-sealed", "the private key of %s does not open: %s", slot->alias,
                            other ? "the key-encryption key is not the one that sealed it" : "its row was changed");
    }
    return 0;
}

/** The row of a private key, and what its sealing is bound to. */
static int open_row(ks_store *s, struct ks_keyring *ring, const struct ks_slot *slot, const struct ks_key_row *row,
                    EVP_PKEY **key, cs_error *e)
{
    const struct ks_kek *kek = NULL;
    char store_id[KS_ID] = "";
    if (row->pkcs11_uri[0] != '\0') {
        return ks_pkcs11_key(row->pkcs11_uri, key, e);
    }
    if (s->driver->meta_get(s->b, "store_id", store_id, sizeof store_id, e) != 1) {
        return cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "the store has no identity; restore it from a backup");
    }
    return ks_keyring_find(ring, row->kek_id, &kek, e) == 0 ? ks_unseal(kek, store_id, slot, row, key, e) : -1;
}

int ks_key_open(ks_store *s, struct ks_keyring *ring, const struct ks_slot *slot, const char *key_id, EVP_PKEY **key,
                cs_error *e)
{
    struct ks_keyring *mine = ring == NULL ? ks_keyring_new(s) : NULL;
    struct ks_key_row row = {0};
    uint8_t *ct = NULL;
    int rc = -1;
    *key = NULL;
    if (ring == NULL && mine == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    int found = s->driver->key_get(s->b, key_id, &row, &ct, e);
    if (found == 0) {
        cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt",
                     "a sealed key of %s is not in the store; restore it from a backup", slot->alias);
    } else if (found == 1) {
        row.ct = ct;
        rc = open_row(s, ring != NULL ? ring : mine, slot, &row, key, e);
    }
    free(ct);
    ks_keyring_free(mine);
    return rc;
}

int ks_key_store(ks_store *s, const struct ks_slot *slot, EVP_PKEY *key, const char *pkcs11_uri, struct ks_key_row *row,
                 cs_error *e)
{
    const struct ks_kek *kek = NULL;
    uint8_t *ct = NULL;
    char store_id[KS_ID];
    int rc = -1;
    if (pkcs11_uri != NULL) {
        if (!cs_copy(row->pkcs11_uri, sizeof row->pkcs11_uri, pkcs11_uri)) {
            return cs_error_set(e, CS_EXIT_USAGE, "pkcs11-uri", "the address of the token's key is too long");
        }
        return new_key_id(row) == 0 ? s->driver->key_add(s->b, row, e)
                                    : cs_error_set(e, CS_EXIT_INTERNAL, "random", "no random numbers");
    }
    struct ks_keyring *ring = ks_keyring_new(s);
    if (ring == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    if (ks_keyring_current(ring, &kek, e) == 0 &&
        s->driver->meta_get(s->b, "store_id", store_id, sizeof store_id, e) == 1 && new_key_id(row) == 0 &&
        ks_seal(kek, store_id, slot, key, row, &ct, e) == 0) {
        rc = s->driver->key_add(s->b, row, e);
    }
    free(ct);
    row->ct = NULL;
    ks_keyring_free(ring);
    return rc;
}
