/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alg.h: the algorithm tables of alg.def: URI <-> word <-> OpenSSL, and what every signature value needs before and
 * after OpenSSL (padding, ECDSA r||s <-> DER, key fit). Rows are static and immutable; any thread.
 */
#ifndef WSSEC_ALG_H
#define WSSEC_ALG_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Dated exceptions: `legacy NAME until DATE`. LEGACY_NONE: the row needs none. */
enum wssec_legacy {
    WSSEC_LEGACY_SHA1,
    WSSEC_LEGACY_RSA_1024,
    WSSEC_LEGACY_CBC,
    WSSEC_LEGACY_CBC_BEFORE_VERIFY,
    WSSEC_LEGACY_RSA_1_5,
    WSSEC_LEGACY_TRIPLEDES,
    WSSEC_LEGACY_REFERENCE_WITHOUT_VALUETYPE,
    WSSEC_LEGACY_BARE_STR,
    WSSEC_LEGACY_WSSE_2002,
    WSSEC_LEGACIES,
    WSSEC_LEGACY_NONE = WSSEC_LEGACIES
};

/** Word of a dated exception ("sha1"); parse: @return WSSEC_LEGACY_NONE when unknown. */
const char *wssec_legacy_word(enum wssec_legacy l);
enum wssec_legacy wssec_legacy_parse(const char *word);

enum wssec_padding { WSSEC_PAD_NONE, WSSEC_PAD_PKCS1, WSSEC_PAD_PSS /**< MGF1 and salt of the digest's own length */ };

struct wssec_digest_alg {
    const char *word, *uri;
    const char *evp; /**< OpenSSL's name */
    size_t octets;
    enum wssec_legacy legacy;
    unsigned index; /**< row number: bit of policy masks */
};

struct wssec_signature_alg {
    const char *word, *uri;
    int key_type;    /**< EVP_PKEY_RSA, EVP_PKEY_EC, EVP_PKEY_ED25519 */
    const char *evp; /**< digest, OpenSSL's name; NULL: the algorithm hashes by itself (Ed25519) */
    enum wssec_padding padding;
    bool xmlsec; /**< xmlsec 1.2.37 has it; else EVP judges alone */
    enum wssec_legacy legacy;
    unsigned index;
};

struct wssec_c14n_alg {
    const char *word, *uri; /**< word: "exclusive", "inclusive", "inclusive-1.1" */
    int libxml2_mode;       /**< XML_C14N_* */
    unsigned index;
};

/** By URI as in the message, or by word as in a directive. @return static row, NULL: not in the table */
const struct wssec_digest_alg *wssec_digest_by_uri(const char *uri);
const struct wssec_digest_alg *wssec_digest_by_word(const char *word);
const struct wssec_signature_alg *wssec_signature_by_uri(const char *uri);
const struct wssec_signature_alg *wssec_signature_by_word(const char *word);
const struct wssec_c14n_alg *wssec_c14n_by_uri(const char *uri);
const struct wssec_c14n_alg *wssec_c14n_by_word(const char *word);
/** Walk of the tables (documentation, suggestions, tests). @return NULL behind the last row */
const struct wssec_digest_alg *wssec_digest_row(unsigned index);
const struct wssec_signature_alg *wssec_signature_row(unsigned index);
/** Known by name and never allowed (MD5, HMAC, DSA, canonicalization with comments …): algorithm-forbidden instead of
 *  algorithm-unsupported. @return short name, NULL: not known */
const char *wssec_forbidden_name(const char *uri);
/** What a sender uses for this key when nothing is said: rsa-sha256, ecdsa-sha256/384/512 by curve, ed25519. NULL: key
 * type unusable. */
const struct wssec_signature_alg *wssec_signature_for_key(const EVP_PKEY *key);
/** The key's type (and for EC a curve P-256, P-384, P-521) fits the algorithm. Length is not judged here. */
bool wssec_signature_fits_key(const struct wssec_signature_alg *a, const EVP_PKEY *key);
/** Set RSA padding (and for PSS MGF1 digest and salt = digest length) on a signing or verifying context.
 *  @return 0, or -1 */
int wssec_signature_padding(const struct wssec_signature_alg *a, EVP_PKEY_CTX *ctx);
/** Octets of r||s for an EC key (both halves), 0: not an EC key of the profile. */
size_t wssec_ecdsa_octets(const EVP_PKEY *key);
/** r||s of exactly octets -> DER in out (octets + 16 suffice). @return length, 0: malformed (wrong length, r or s zero)
 * or out too small */
size_t wssec_ecdsa_to_der(const uint8_t *raw, size_t n, size_t octets, uint8_t *out, size_t outsize);
/** DER -> r||s, each half octets/2, left-padded with zeros. @return octets, 0: malformed or does not fit */
size_t wssec_ecdsa_from_der(const uint8_t *der, size_t n, size_t octets, uint8_t *out, size_t outsize);

#endif
