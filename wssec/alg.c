/* SPDX-License-Identifier: Apache-2.0 */
/* alg.c: the tables of alg.def as C, and the two shapes of an ECDSA value: r||s in XML, DER in OpenSSL. */
#include "wssec/alg.h"

#include <libxml/c14n.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <string.h>

enum {
#define DIGEST(id, word, uri, evp, octets, legacy) DIGEST_##id,
#include "wssec/alg.def"
    DIGESTS
};

enum {
#define SIGNATURE(id, word, uri, key, evp, padding, xmlsec, legacy) SIGNATURE_##id,
#include "wssec/alg.def"
    SIGNATURES
};

enum {
#define C14N(id, word, uri, mode) C14N_##id,
#include "wssec/alg.def"
    C14NS
};

_Static_assert(DIGESTS <= 32 && SIGNATURES <= 32 && C14NS <= 32, "policy masks have 32 bits");

static const struct wssec_digest_alg digests[DIGESTS] = {
#define DIGEST(id, word, uri, evp, octets, legacy) {word, uri, evp, octets, WSSEC_LEGACY_##legacy, DIGEST_##id},
#include "wssec/alg.def"
};

static const struct wssec_signature_alg signatures[SIGNATURES] = {
#define SIGNATURE(id, word, uri, key, evp, padding, xmlsec, legacy)                                                    \
    {word, uri, key, evp, WSSEC_PAD_##padding, xmlsec, WSSEC_LEGACY_##legacy, SIGNATURE_##id},
#include "wssec/alg.def"
};

static const struct wssec_c14n_alg c14ns[C14NS] = {
#define C14N(id, word, uri, mode) {word, uri, mode, C14N_##id},
#include "wssec/alg.def"
};

static const struct {
    const char *name;
    const char *uri;
} forbidden[] = {
#define FORBIDDEN(name, uri) {name, uri},
#include "wssec/alg.def"
};

static const char *const legacy_words[WSSEC_LEGACIES] = {
    [WSSEC_LEGACY_SHA1] = "sha1",
    [WSSEC_LEGACY_RSA_1024] = "rsa-1024",
    [WSSEC_LEGACY_CBC] = "cbc",
    [WSSEC_LEGACY_CBC_BEFORE_VERIFY] = "cbc-before-verify",
    [WSSEC_LEGACY_RSA_1_5] = "rsa-1_5",
    [WSSEC_LEGACY_TRIPLEDES] = "tripledes",
    [WSSEC_LEGACY_REFERENCE_WITHOUT_VALUETYPE] = "reference-without-valuetype",
    [WSSEC_LEGACY_BARE_STR] = "bare-str",
    [WSSEC_LEGACY_WSSE_2002] = "wsse-2002",
};

#define COUNT(table) ((unsigned)(sizeof(table) / sizeof((table)[0])))

/* One look-up per table and column; the tables are short, so a walk is as good as anything. */
#define LOOKUP(function, type, table, column)                                                                          \
    const struct type *function(const char *text)                                                                      \
    {                                                                                                                  \
        for (unsigned i = 0; text != NULL && i < COUNT(table); i++) {                                                  \
            if (strcmp((table)[i].column, text) == 0) {                                                                \
                return &(table)[i];                                                                                    \
            }                                                                                                          \
        }                                                                                                              \
        return NULL;                                                                                                   \
    }

LOOKUP(wssec_digest_by_uri, wssec_digest_alg, digests, uri)
LOOKUP(wssec_digest_by_word, wssec_digest_alg, digests, word)
LOOKUP(wssec_signature_by_uri, wssec_signature_alg, signatures, uri)
LOOKUP(wssec_signature_by_word, wssec_signature_alg, signatures, word)
LOOKUP(wssec_c14n_by_uri, wssec_c14n_alg, c14ns, uri)
LOOKUP(wssec_c14n_by_word, wssec_c14n_alg, c14ns, word)

const struct wssec_digest_alg *wssec_digest_row(unsigned index)
{
    return index < DIGESTS ? &digests[index] : NULL;
}

const struct wssec_signature_alg *wssec_signature_row(unsigned index)
{
    return index < SIGNATURES ? &signatures[index] : NULL;
}

const char *wssec_legacy_word(enum wssec_legacy l)
{
    return (unsigned)l < WSSEC_LEGACIES ? legacy_words[l] : "none";
}

enum wssec_legacy wssec_legacy_parse(const char *word)
{
    for (unsigned i = 0; i < WSSEC_LEGACIES; i++) {
        if (strcmp(legacy_words[i], word) == 0) {
            return (enum wssec_legacy)i;
        }
    }
    return WSSEC_LEGACY_NONE;
}

const char *wssec_forbidden_name(const char *uri)
{
    for (unsigned i = 0; uri != NULL && i < COUNT(forbidden); i++) {
        if (strcmp(forbidden[i].uri, uri) == 0) {
            return forbidden[i].name;
        }
    }
    return NULL;
}

size_t wssec_ecdsa_octets(const EVP_PKEY *key)
{
    static const struct {
        const char *group;
        size_t octets;
    } curves[] = {{"prime256v1", 64}, {"secp384r1", 96}, {"secp521r1", 132}};
    char group[32];
    size_t n = 0;
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC ||
        EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, &n) != 1) {
        return 0;
    }
    for (unsigned i = 0; i < COUNT(curves); i++) {
        if (strcmp(curves[i].group, group) == 0) {
            return curves[i].octets;
        }
    }
    return 0;
}

bool wssec_signature_fits_key(const struct wssec_signature_alg *a, const EVP_PKEY *key)
{
    return EVP_PKEY_get_base_id(key) == a->key_type && (a->key_type != EVP_PKEY_EC || wssec_ecdsa_octets(key) != 0);
}

const struct wssec_signature_alg *wssec_signature_for_key(const EVP_PKEY *key)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA: return &signatures[SIGNATURE_RSA_SHA256];
    case EVP_PKEY_ED25519: return &signatures[SIGNATURE_ED25519];
    case EVP_PKEY_EC:
        switch (wssec_ecdsa_octets(key)) {
        case 64: return &signatures[SIGNATURE_ECDSA_SHA256];
        case 96: return &signatures[SIGNATURE_ECDSA_SHA384];
        case 132: return &signatures[SIGNATURE_ECDSA_SHA512];
        default: return NULL;
        }
    default: return NULL;
    }
}

int wssec_signature_padding(const struct wssec_signature_alg *a, EVP_PKEY_CTX *ctx)
{
    switch (a->padding) {
    case WSSEC_PAD_NONE: return 0;
    case WSSEC_PAD_PKCS1: return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 ? 0 : -1;
    case WSSEC_PAD_PSS:
        /* MGF1 uses the signature's digest unless told otherwise */
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
                       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1
                   ? 0
                   : -1;
    }
    return -1;
}

static bool all_zero(const uint8_t *p, size_t n)
{
    uint8_t seen = 0;
    for (size_t i = 0; i < n; i++) {
        seen |= p[i];
    }
    return seen == 0;
}

/* INTEGER of one half: leading zeros dropped, one put back where the top bit is set. */
static size_t put_integer(const uint8_t *half, size_t n, uint8_t *out)
{
    while (n > 1 && half[0] == 0) {
        half++;
        n--;
    }
    size_t pad = (half[0] & 0x80) != 0 ? 1 : 0;
    out[0] = 0x02;
    out[1] = (uint8_t)(n + pad); /* at most 67: one length octet */
    out[2] = 0;
    memcpy(out + 2 + pad, half, n);
    return 2 + pad + n;
}

size_t wssec_ecdsa_to_der(const uint8_t *raw, size_t n, size_t octets, uint8_t *out, size_t outsize)
{
    size_t half = octets / 2;
    if (n != octets || octets < 2 || octets > 132 || all_zero(raw, half) || all_zero(raw + half, half)) {
        return 0;
    }
    uint8_t body[2 * 69];
    size_t len = put_integer(raw, half, body);
    len += put_integer(raw + half, half, body + len);
    size_t head = len < 128 ? 2 : 3;
    if (head + len > outsize) {
        return 0;
    }
    out[0] = 0x30;
    out[1] = len < 128 ? (uint8_t)len : 0x81;
    if (len >= 128) {
        out[2] = (uint8_t)len;
    }
    memcpy(out + head, body, len);
    return head + len;
}

/* Read one positive INTEGER into a half of fixed size. @return octets used, 0: malformed */
static size_t get_integer(const uint8_t *der, size_t n, uint8_t *half, size_t half_octets)
{
    if (n < 3 || der[0] != 0x02 || der[1] == 0 || der[1] >= 128 || (size_t)der[1] + 2 > n || (der[2] & 0x80) != 0) {
        return 0;
    }
    size_t len = der[1];
    const uint8_t *value = der + 2;
    size_t used = 2 + len;
    if (len > 1 && value[0] == 0) {
        value++;
        len--;
    }
    if (len > half_octets) {
        return 0;
    }
    memset(half, 0, half_octets - len);
    memcpy(half + half_octets - len, value, len);
    return used;
}

size_t wssec_ecdsa_from_der(const uint8_t *der, size_t n, size_t octets, uint8_t *out, size_t outsize)
{
    size_t half = octets / 2;
    if (n < 2 || octets < 2 || octets > outsize || der[0] != 0x30) {
        return 0;
    }
    size_t head = der[1] == 0x81 ? 3 : 2;
    if (n < head || (head == 2 && der[1] >= 128) || n - head != der[head - 1]) {
        return 0;
    }
    size_t r = get_integer(der + head, n - head, out, half);
    size_t s = r != 0 ? get_integer(der + head + r, n - head - r, out + half, half) : 0;
    return r != 0 && s != 0 && head + r + s == n ? octets : 0;
}
