/* SPDX-License-Identifier: Apache-2.0 */
/* seal.c: sealing and opening of private keys; key octets live in buffers that are wiped. */
#include "keystore/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define KEK_TEXT 65 /* 64 digits and a line end */

static void name_kek(struct ks_kek *k)
{
    uint8_t hash[32];
    SHA256(k->key, sizeof k->key, hash);
    cs_hex(hash, 8, k->id);
}

int ks_kek_read(const char *path, struct ks_kek *out, cs_error *e)
{
    char text[KEK_TEXT + 1];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return cs_error_set(
            e, CS_EXIT_CONFIG, "kek-unavailable",
            "the key-encryption key %s cannot be read: %s. Without it no private key opens; put the file back", path,
            strerror(errno));
    }
    ssize_t n = read(fd, text, KEK_TEXT);
    int rc = fstat(fd, &st);
    close(fd);
    if (rc == 0 && (st.st_mode & 077) != 0) {
        rc = cs_error_set(e, CS_EXIT_CONFIG, "kek-exposed",
                          "the key-encryption key %s is open to others (mode %03o); close it with: chmod 600 %s", path,
                          (unsigned)st.st_mode & 0777U, path);
    } else if (n < KEK_TEXT - 1) {
        rc = -1;
    } else {
        text[KEK_TEXT - 1] = '\0';
        rc = cs_unhex(text, out->key, sizeof out->key);
    }
    OPENSSL_cleanse(text, sizeof text);
    if (rc != 0) {
        ks_kek_wipe(out);
        return cs_error_set(e, CS_EXIT_CONFIG, "kek-unavailable", "%s is no key-encryption key (64 hexadecimal digits)",
                            path);
    }
    name_kek(out);
    return 0;
}

int ks_kek_make(const char *path, struct ks_kek *out, cs_error *e)
{
    char text[KEK_TEXT + 1];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) {
        return ks_kek_read(path, out, e);
    }
    if (fd < 0) {
        return cs_error_set(e, CS_EXIT_UNAVAILABLE, "kek-unavailable", "the key-encryption key %s cannot be made: %s",
                            path, strerror(errno));
    }
    int rc = RAND_priv_bytes(out->key, sizeof out->key) == 1 ? 0 : -1;
    if (rc == 0) {
        cs_hex(out->key, sizeof out->key, text);
        text[KEK_TEXT - 1] = '\n';
        rc = write(fd, text, KEK_TEXT) == KEK_TEXT && fsync(fd) == 0 ? 0 : -1;
    }
    if (close(fd) != 0) {
        rc = -1;
    }
    OPENSSL_cleanse(text, sizeof text);
    if (rc != 0) {
        unlink(path);
        ks_kek_wipe(out);
        return cs_error_set(e, CS_EXIT_UNAVAILABLE, "kek-unavailable", "the key-encryption key %s cannot be written",
                            path);
    }
    name_kek(out);
    return 0;
}

void ks_kek_wipe(struct ks_kek *k)
{
    OPENSSL_cleanse(k, sizeof *k);
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
    uint8_t id[16];
    uint8_t *plain = NULL;
    size_t plain_len = 0;
    int part = 0;
    int tail = 0;
    int rc = -1;
    *ct = NULL;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    int n = info != NULL ? i2d_PKCS8_PRIV_KEY_INFO(info, &plain) : -1;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (n <= 0 || ctx == NULL || RAND_bytes(row->nonce, sizeof row->nonce) != 1 || RAND_bytes(id, sizeof id) != 1) {
        goto out;
    }
    plain_len = (size_t)n;
    cs_hex(id, sizeof id, row->key_id);
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
    uint8_t *plain = row->ct_len > 0 && row->ct_len < (1U << 20) ? malloc(row->ct_len) : NULL;
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
    if (plain != NULL) {
        OPENSSL_cleanse(plain, row->ct_len);
    }
    free(plain);
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    if (*key == NULL) {
        bool other = strcmp(kek->id, row->kek_id) != 0;
        return cs_error_set(e, CS_EXIT_CONFIG, "key-sealed", "the private key of %s does not open: %s", slot->alias,
                            other ? "the key-encryption key is not the one that sealed it" : "its row was changed");
    }
    return 0;
}

int ks_key_open(ks_store *s, const struct ks_slot *slot, const char *key_id, EVP_PKEY **key, cs_error *e)
{
    struct ks_kek kek = {0};
    struct ks_key_row row = {0};
    uint8_t *ct = NULL;
    char store_id[KS_ID] = "";
    int rc = -1;
    *key = NULL;
    if (s->kek_file == NULL) {
        return cs_error_set(e, CS_EXIT_CONFIG, "key-unavailable", "no key-encryption key is configured");
    }
    if (ks_kek_read(s->kek_file, &kek, e) != 0) {
        goto out;
    }
    if (s->driver->meta_get(s->b, "store_id", store_id, sizeof store_id, e) != 1 ||
        s->driver->key_get(s->b, key_id, &row, &ct, e) != 1) {
        cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt",
                     "a sealed key of %s is not in the store; restore it from a backup", slot->alias);
        goto out;
    }
    row.ct = ct;
    rc = ks_unseal(&kek, store_id, slot, &row, key, e);
out:
    ks_kek_wipe(&kek);
    free(ct);
    return rc;
}
