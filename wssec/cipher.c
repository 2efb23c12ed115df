/* SPDX-License-Identifier: Apache-2.0 */
/* cipher.c: see cipher.h. */
#include "wssec/cipher.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <string.h>

#include "wssec/worker.h"

#define E   "http://www.w3.org/2001/04/xmlenc#"
#define E11 "http://www.w3.org/2009/xmlenc11#"

static const struct wssec_cipher_alg ciphers[] = {
    {"aes256-gcm", E11 "aes256-gcm", "AES-256-GCM", 32, 12, 16, WSSEC_LEGACY_NONE},
    {"aes192-gcm", E11 "aes192-gcm", "AES-192-GCM", 24, 12, 16, WSSEC_LEGACY_NONE},
    {"aes128-gcm", E11 "aes128-gcm", "AES-128-GCM", 16, 12, 16, WSSEC_LEGACY_NONE},
    {"aes256-cbc", E "aes256-cbc", "AES-256-CBC", 32, 16, 0, WSSEC_LEGACY_CBC},
    {"aes192-cbc", E "aes192-cbc", "AES-192-CBC", 24, 16, 0, WSSEC_LEGACY_CBC},
    {"aes128-cbc", E "aes128-cbc", "AES-128-CBC", 16, 16, 0, WSSEC_LEGACY_CBC},
    {"tripledes-cbc", E "tripledes-cbc", "DES-EDE3-CBC", 24, 8, 0, WSSEC_LEGACY_TRIPLEDES},
};

static const struct wssec_transport_alg transports[] = {
    {"rsa-oaep", E11 "rsa-oaep", true, true, WSSEC_LEGACY_NONE, 0},
    {"rsa-oaep-mgf1p", E "rsa-oaep-mgf1p", true, false, WSSEC_LEGACY_NONE, 0},
    {"rsa-1_5", E "rsa-1_5", false, false, WSSEC_LEGACY_RSA_1_5, 0},
    {"kw-aes256", E "kw-aes256", false, false, WSSEC_LEGACY_NONE, 32},
    {"kw-aes192", E "kw-aes192", false, false, WSSEC_LEGACY_NONE, 24},
    {"kw-aes128", E "kw-aes128", false, false, WSSEC_LEGACY_NONE, 16},
};

static const struct {
    const char *uri, *evp;
} mgfs[] = {
    {E11 "mgf1sha1", "SHA1"}, {E11 "mgf1sha256", "SHA256"}, {E11 "mgf1sha384", "SHA384"}, {E11 "mgf1sha512", "SHA512"}};

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

const struct wssec_cipher_alg *wssec_cipher_by_uri(const char *uri)
{
    for (size_t i = 0; i < ROWS(ciphers); i++) {
        if (strcmp(ciphers[i].uri, uri) == 0) {
            return &ciphers[i];
        }
    }
    return NULL;
}

const struct wssec_cipher_alg *wssec_cipher_by_word(const char *word)
{
    for (size_t i = 0; i < ROWS(ciphers); i++) {
        if (strcmp(ciphers[i].word, word) == 0) {
            return &ciphers[i];
        }
    }
    return NULL;
}

const struct wssec_transport_alg *wssec_transport_by_uri(const char *uri)
{
    for (size_t i = 0; i < ROWS(transports); i++) {
        if (strcmp(transports[i].uri, uri) == 0) {
            return &transports[i];
        }
    }
    return NULL;
}

const struct wssec_transport_alg *wssec_transport_by_word(const char *word)
{
    for (size_t i = 0; i < ROWS(transports); i++) {
        if (strcmp(transports[i].word, word) == 0) {
            return &transports[i];
        }
    }
    return NULL;
}

const struct wssec_transport_alg *wssec_transport_wrap(size_t octets)
{
    size_t i = 0;
    while (i < ROWS(transports) && transports[i].wrap != octets) {
        i++;
    }
    return i < ROWS(transports) ? &transports[i] : NULL;
}

/* What we write ourselves: no row that needs an exception. */
const char *const *wssec_cipher_words(void)
{
    static const char *const words[] = {"aes256-gcm", "aes192-gcm", "aes128-gcm", NULL};
    return words;
}

const char *const *wssec_transport_words(void)
{
    static const char *const words[] = {"rsa-oaep", "rsa-oaep-mgf1p", NULL};
    return words;
}

const char *wssec_mgf_digest(const char *uri)
{
    for (size_t i = 0; i < ROWS(mgfs); i++) {
        if (strcmp(mgfs[i].uri, uri) == 0) {
            return mgfs[i].evp;
        }
    }
    return NULL;
}

const char *wssec_mgf_uri(const char *evp)
{
    for (size_t i = 0; i < ROWS(mgfs); i++) {
        if (strcmp(mgfs[i].evp, evp) == 0) {
            return mgfs[i].uri;
        }
    }
    return NULL;
}

/* ---- content keys ---------------------------------------------------------------------------------------------- */

#define RSA_OCTETS_MAX 2048 /* RSA-16384 */

static int padding(const struct wssec_transport *t, EVP_PKEY_CTX *ctx)
{
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_oaep_md(ctx, wssec_md(t->digest)) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, wssec_md(t->mgf_digest)) != 1) { /* by name fails for keys of tokens */
        return -1;
    }
    if (t->label.n == 0) {
        return 0;
    }
    void *label = OPENSSL_memdup(t->label.p, t->label.n);
    if (label == NULL || t->label.n > INT_MAX ||
        EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, label, (int)t->label.n) != 1) { /* takes it */
        OPENSSL_free(label);
        return -1;
    }
    return 0;
}

/* 0xff when a is zero, else 0. */
static uint8_t zero_mask(unsigned a)
{
    return (uint8_t)(((a | (0U - a)) >> (sizeof a * 8 - 1)) - 1U);
}

/*
 * 00 02, octets that are not zero, 00, key: the length that the key must have says where each stands, so nothing
 * depends on the octets but the mask. What does not fit gives fill.
 */
static unsigned unpad(const uint8_t *block, size_t n, const uint8_t *fill, size_t want, uint8_t *out)
{
    uint8_t good = zero_mask(block[0]) & zero_mask(block[1] ^ 2U) & zero_mask(block[n - want - 1]);
    for (size_t i = 2; i < n - want - 1; i++) {
        good &= (uint8_t)~zero_mask(block[i]);
    }
    for (size_t i = 0; i < want; i++) {
        out[i] = (uint8_t)((block[n - want + i] & good) | (fill[i] & (uint8_t)~good));
    }
    return good & 1U;
}

static int open_pkcs1(EVP_PKEY *key, struct wssec_slice wrapped, size_t want, uint8_t *out)
{
    uint8_t block[RSA_OCTETS_MAX];
    uint8_t fill[WSSEC_CONTENT_KEY_MAX];
    size_t n = sizeof block;
    int rc = -1;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    if (ctx == NULL || RAND_bytes(fill, sizeof fill) != 1) {
        goto out;
    }
    rc = 0;
    if (EVP_PKEY_decrypt_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1 &&
        EVP_PKEY_decrypt(ctx, block, &n, wrapped.p, wrapped.n) == 1 && n >= want + 11) {
        rc = (int)unpad(block, n, fill, want, out);
    }
out:
    OPENSSL_cleanse(block, sizeof block);
    OPENSSL_cleanse(fill, sizeof fill);
    EVP_PKEY_CTX_free(ctx);
    return rc;
}

/* What was wrapped for another key is a number above the modulus of this one every second time, and OpenSSL then
 * refuses it without any work. A smaller number takes its place, so that the operation is paid for; its outcome does
 * not count.
 * @return whether wrapped is a number of this key */
static bool of_this_modulus(EVP_PKEY *key, struct wssec_slice wrapped, uint8_t number[RSA_OCTETS_MAX])
{
    BIGNUM *modulus = NULL;
    BIGNUM *said = BN_bin2bn(wrapped.p, (int)wrapped.n, NULL);
    bool below = said == NULL ||
                 EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &modulus) != 1 || /* OpenSSL decides */
                 BN_cmp(said, modulus) < 0;
    memcpy(number, wrapped.p, wrapped.n);
    if (!below) {
        number[0] = 0; /* the modulus has as many octets, the first one not zero */
    }
    BN_free(said);
    BN_free(modulus);
    return below;
}

int wssec_transport_open(const struct wssec_transport *t, EVP_PKEY *key, struct wssec_slice wrapped, size_t want,
                         uint8_t out[WSSEC_CONTENT_KEY_MAX])
{
    uint8_t plain[RSA_OCTETS_MAX];
    uint8_t number[RSA_OCTETS_MAX];
    size_t n = sizeof plain;
    if (t->alg->wrap != 0) {
        return wssec_agree_open(t->agreement, key, t->alg->wrap, wrapped, want, out);
    }
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_size(key) > RSA_OCTETS_MAX ||
        wrapped.n != (size_t)EVP_PKEY_get_size(key)) {
        return 0;
    }
    bool counts = of_this_modulus(key, wrapped, number);
    if (!t->alg->oaep) {
        int fits = open_pkcs1(key, (struct wssec_slice){number, wrapped.n}, want, out);
        return counts || fits < 0 ? fits : 0;
    }
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    int rc = -1;
    if (ctx != NULL && EVP_PKEY_decrypt_init(ctx) == 1 && padding(t, ctx) == 0) {
        rc = EVP_PKEY_decrypt(ctx, plain, &n, number, wrapped.n) == 1 && n == want && counts;
    }
    if (rc == 1) {
        memcpy(out, plain, want);
    }
    OPENSSL_cleanse(plain, sizeof plain);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return rc;
}

int wssec_transport_close(const struct wssec_transport *t, EVP_PKEY *key, const uint8_t *content_key, size_t n,
                          cs_buf *out)
{
    uint8_t wrapped[RSA_OCTETS_MAX];
    size_t len = sizeof wrapped;
    int rc = -1;
    cs_buf_reset(out);
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_size(key) > RSA_OCTETS_MAX || !t->alg->oaep) {
        return -1;
    }
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    if (ctx != NULL && EVP_PKEY_encrypt_init(ctx) == 1 && padding(t, ctx) == 0 &&
        EVP_PKEY_encrypt(ctx, wrapped, &len, content_key, n) == 1) {
        rc = cs_buf_add(out, wrapped, len);
    }
    EVP_PKEY_CTX_free(ctx);
    return rc;
}

/* ---- data ------------------------------------------------------------------------------------------------------ */

/* XML Encryption's padding: the last octet says how many octets go, the others may be anything. */
static int unpad_block(const struct wssec_cipher_alg *a, cs_buf *out)
{
    size_t pad = out->len > 0 ? (uint8_t)out->data[out->len - 1] : 0;
    if (pad == 0 || pad > a->iv || pad > out->len) {
        return 0;
    }
    out->len -= pad;
    out->data[out->len] = '\0';
    return 1;
}

/* EVP takes int lengths. @return 0, or -1 */
static int feed(EVP_CIPHER_CTX *ctx, const uint8_t *p, size_t n, cs_buf *out)
{
    while (n > 0) {
        int take = n > (1 << 20) ? 1 << 20 : (int)n;
        int made = 0;
        if (cs_buf_reserve(out, (size_t)take + EVP_MAX_BLOCK_LENGTH + 1) != 0 ||
            EVP_CipherUpdate(ctx, (uint8_t *)out->data + out->len, &made, p, take) != 1) {
            return -1;
        }
        out->len += (size_t)made;
        p += take;
        n -= (size_t)take;
    }
    return 0;
}

int wssec_cipher_open(const struct wssec_cipher_alg *a, const uint8_t *key, struct wssec_slice sealed, cs_buf *out)
{
    EVP_CIPHER_CTX *ctx = NULL;
    EVP_CIPHER *cipher = NULL;
    bool to_judge = false;
    int made = 0;
    int rc = 0;
    cs_buf_reset(out);
    if (sealed.n < a->iv + a->tag || (a->tag == 0 && (sealed.n == a->iv || sealed.n % a->iv != 0))) {
        return 0;
    }
    size_t n = sealed.n - a->iv - a->tag;
    uint8_t tag[16];
    memcpy(tag, sealed.p + sealed.n - a->tag, a->tag);
    cipher = EVP_CIPHER_fetch(NULL, a->evp, NULL);
    ctx = EVP_CIPHER_CTX_new();
    if (cipher == NULL || ctx == NULL || cs_buf_reserve(out, n + EVP_MAX_BLOCK_LENGTH + 1) != 0 ||
        EVP_CipherInit_ex2(ctx, cipher, key, sealed.p, 0, NULL) != 1 ||
        (a->tag == 0 && EVP_CIPHER_CTX_set_padding(ctx, 0) != 1) ||
        (a->tag != 0 && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)a->tag, tag) != 1) ||
        feed(ctx, sealed.p + a->iv, n, out) != 0) {
        rc = -1;
        goto out;
    }
    if (EVP_CipherFinal_ex(ctx, (uint8_t *)out->data + out->len, &made) == 1) {
        out->len += (size_t)made;
        out->data[out->len] = '\0';
        rc = a->tag != 0 ? 1 : unpad_block(a, out);
    }
out:
    to_judge = rc == 0 && a->tag == 0; /* by the caller, as if its padding held */
    if (rc != 1 && !to_judge && out->data != NULL) {
        OPENSSL_cleanse(out->data, out->cap); /* what did not hold is nobody's to read */
        cs_buf_reset(out);
    }
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    ERR_clear_error();
    return rc;
}

int wssec_cipher_close(const struct wssec_cipher_alg *a, const uint8_t *key, struct wssec_slice data, cs_buf *out)
{
    uint8_t iv[16];
    uint8_t tag[16];
    int made = 0;
    int rc = -1;
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, a->evp, NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (a->tag != 0 && cipher != NULL && ctx != NULL && RAND_bytes(iv, (int)a->iv) == 1 &&
        cs_buf_add(out, iv, a->iv) == 0 && EVP_CipherInit_ex2(ctx, cipher, key, iv, 1, NULL) == 1 &&
        feed(ctx, data.p, data.n, out) == 0 && cs_buf_reserve(out, EVP_MAX_BLOCK_LENGTH) == 0 &&
        EVP_CipherFinal_ex(ctx, (uint8_t *)out->data + out->len, &made) == 1) {
        out->len += (size_t)made;
        if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, (int)a->tag, tag) == 1) {
            rc = cs_buf_add(out, tag, a->tag);
        }
    }
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    return rc;
}
