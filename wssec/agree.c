/* SPDX-License-Identifier: Apache-2.0 */
/* agree.c: see agree.h. */
#include "wssec/agree.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <string.h>

#define KEK_MAX     32
#define SECRET_MAX  66 /* P-521 */
#define WRAPPED_MAX 64
#define WRAP_MORE   8 /* octets that AES key wrap adds */

static const struct wssec_curve curves[] = {
    {"urn:oid:1.2.840.10045.3.1.7", "prime256v1", 32},
    {"urn:oid:1.3.132.0.34", "secp384r1", 48},
    {"urn:oid:1.3.132.0.35", "secp521r1", 66},
    {NULL, "X25519", 32},
};
#define CURVES (sizeof curves / sizeof curves[0])
#define X25519 (&curves[CURVES - 1])

const struct wssec_curve *wssec_curve_by_uri(const char *uri)
{
    for (size_t i = 0; i < CURVES; i++) {
        if (curves[i].uri != NULL && strcmp(curves[i].uri, uri) == 0) {
            return &curves[i];
        }
    }
    return NULL;
}

const struct wssec_curve *wssec_curve_of(const EVP_PKEY *key)
{
    char name[64];
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_X25519) {
        return X25519;
    }
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC || EVP_PKEY_get_group_name(key, name, sizeof name, NULL) != 1) {
        return NULL;
    }
    for (size_t i = 0; i < CURVES; i++) {
        if (strcmp(curves[i].name, name) == 0) {
            return &curves[i];
        }
    }
    return NULL;
}

/* The public key at point; OpenSSL refuses what is not on the curve. NULL: not one, or no memory */
static EVP_PKEY *public_key(const struct wssec_agreement *a)
{
    EVP_PKEY *key = NULL;
    char name[64];
    uint8_t point[WSSEC_POINT_MAX];
    if (a->curve == X25519) {
        return EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, a->point.p, a->point.n);
    }
    if (a->point.n != 1 + 2 * a->curve->octets || a->point.p[0] != 4) {
        return NULL;
    }
    (void)memcpy(name, a->curve->name, strlen(a->curve->name) + 1);
    memcpy(point, a->point.p, a->point.n);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
                           OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, a->point.n),
                           OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return key;
}

/* ConcatKDF is the single-step KDF of NIST SP 800-56C with a hash. HKDF is that of RFC 5869, whose missing salt is as
 * many zeros as the digest has octets. @return 0, or -1 */
static int derive(const struct wssec_agreement *a, uint8_t *secret, size_t n, uint8_t *kek, size_t kek_octets)
{
    char digest[32];
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, a->hkdf ? OSSL_KDF_NAME_HKDF : OSSL_KDF_NAME_SSKDF, NULL);
    EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    OPENSSL_strlcpy(digest, a->digest, sizeof digest);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)a->info.p, a->info.n),
        OSSL_PARAM_construct_end(), OSSL_PARAM_construct_end()};
    if (a->hkdf && a->salt.n > 0) {
        params[3] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)a->salt.p, a->salt.n);
    }
    int rc = ctx != NULL && EVP_KDF_derive(ctx, kek, kek_octets, params) == 1 ? 0 : -1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return rc;
}

/* The key that own private key and the other's public key agree on. @return 0, or -1 */
static int agree(const struct wssec_agreement *a, EVP_PKEY *own, EVP_PKEY *other, uint8_t *kek, size_t kek_octets)
{
    uint8_t secret[SECRET_MAX];
    size_t n = sizeof secret;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    int rc = -1;
    if (ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, other) == 1 &&
        EVP_PKEY_derive(ctx, secret, &n) == 1 && n == a->curve->octets) {
        rc = derive(a, secret, n, kek, kek_octets);
    }
    OPENSSL_cleanse(secret, sizeof secret);
    EVP_PKEY_CTX_free(ctx);
    return rc;
}

/* AES key wrap, in either direction. @return octets in out, 0: it does not hold */
static size_t wrap(const uint8_t *kek, size_t kek_octets, const uint8_t *in, size_t n, int encrypt,
                   uint8_t out[WRAPPED_MAX + WRAP_MORE])
{
    const char *name = kek_octets == 16 ? "AES-128-WRAP" : kek_octets == 24 ? "AES-192-WRAP" : "AES-256-WRAP";
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int made = 0;
    int more = 0;
    size_t octets = 0;
    if (cipher != NULL && ctx != NULL && n <= WRAPPED_MAX) {
        EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
        if (EVP_CipherInit_ex2(ctx, cipher, kek, NULL, encrypt, NULL) == 1 &&
            EVP_CipherUpdate(ctx, out, &made, in, (int)n) == 1 && EVP_CipherFinal_ex(ctx, out + made, &more) == 1 &&
            made > 0) {
            octets = (size_t)made + (size_t)more;
        }
    }
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    return octets;
}

int wssec_agree_open(const struct wssec_agreement *a, EVP_PKEY *own, size_t kek_octets, struct wssec_slice wrapped,
                     size_t want, uint8_t *out)
{
    uint8_t kek[KEK_MAX];
    uint8_t plain[WRAPPED_MAX + WRAP_MORE];
    if (wssec_curve_of(own) != a->curve || wrapped.n != want + WRAP_MORE || wrapped.n > WRAPPED_MAX) {
        return 0;
    }
    EVP_PKEY *other = public_key(a);
    int rc = 0;
    if (other != NULL && agree(a, own, other, kek, kek_octets) == 0 &&
        wrap(kek, kek_octets, wrapped.p, wrapped.n, 0, plain) == want) {
        memcpy(out, plain, want);
        rc = 1;
    }
    OPENSSL_cleanse(kek, sizeof kek);
    OPENSSL_cleanse(plain, sizeof plain);
    EVP_PKEY_free(other);
    ERR_clear_error();
    return rc;
}

int wssec_agree_close(struct wssec_agreement *a, EVP_PKEY *holder, size_t kek_octets, const uint8_t *content_key,
                      size_t n, uint8_t point[WSSEC_POINT_MAX], cs_buf *out)
{
    uint8_t kek[KEK_MAX];
    uint8_t wrapped[WRAPPED_MAX + WRAP_MORE];
    size_t octets = 0;
    int rc = -1;
    cs_buf_reset(out);
    a->curve = wssec_curve_of(holder);
    EVP_PKEY *own = a->curve == X25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "X25519")
                    : a->curve != NULL ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", a->curve->name)
                                       : NULL;
    if (own != NULL && n <= WRAPPED_MAX - WRAP_MORE &&
        EVP_PKEY_get_octet_string_param(own, OSSL_PKEY_PARAM_PUB_KEY, point, WSSEC_POINT_MAX, &octets) == 1 &&
        agree(a, own, holder, kek, kek_octets) == 0) {
        size_t made = wrap(kek, kek_octets, content_key, n, 1, wrapped);
        a->point = (struct wssec_slice){point, octets};
        rc = made == n + WRAP_MORE ? cs_buf_add(out, wrapped, made) : -1;
    }
    OPENSSL_cleanse(kek, sizeof kek);
    EVP_PKEY_free(own);
    return rc;
}
