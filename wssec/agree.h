/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agree.h: a content key that travels under an agreed key: Diffie-Hellman with an ephemeral key of the sender (ECDH-ES,
 * X25519), ConcatKDF or HKDF, AES key wrap (XML Encryption 1.1, 5.4.1, 5.6.2, 5.7; RFC 9231). The cryptographic steps
 * alone; knows no XML tree.
 */
#ifndef WSSEC_AGREE_H
#define WSSEC_AGREE_H

#include "base/buffer.h"
#include "wssec/wssec.h"

#define WSSEC_POINT_MAX 133 /* P-521, not compressed */
#define WSSEC_SALT      32  /* octets of the salt that is written */

struct wssec_curve {
    const char *uri;  /**< as dsig11:NamedCurve says it; NULL: X25519, which has another way to be written */
    const char *name; /**< OpenSSL's */
    size_t octets;    /**< of a coordinate */
};

/** @return static row; NULL: none of P-256, P-384, P-521 */
const struct wssec_curve *wssec_curve_by_uri(const char *uri);
/** The curve of an EC or X25519 key. NULL: another kind of key, or another curve */
const struct wssec_curve *wssec_curve_of(const EVP_PKEY *key);

struct wssec_agreement {
    const struct wssec_curve *curve;
    struct wssec_slice point; /**< the sender's ephemeral public key: 04, x, y; of X25519: its octets */
    bool hkdf;                /**< else ConcatKDF */
    const char *digest;       /**< of the derivation, OpenSSL's name */
    struct wssec_slice info;  /**< OtherInfo of ConcatKDF, info of HKDF */
    struct wssec_slice salt;  /**< of HKDF, may be empty */
    size_t key_octets;        /**< that the derivation says to give; 0: not said */
};

/** Unwrap with the key that own private key and point agree on. A key of another kind or curve, a point that is not on
 * the curve, and a wrap that does not hold look alike. @return 1: out holds want octets; 0: it does not fit; -1: no
 * memory */
int wssec_agree_open(const struct wssec_agreement *a, EVP_PKEY *own, size_t kek_octets, struct wssec_slice wrapped,
                     size_t want, uint8_t *out) WSSEC_MUST_CHECK;
/** Wrap n octets for the holder of a public key, into out (reset first), under a fresh ephemeral key whose public half
 * goes to point, which a->point then names. The members of the derivation are set. @return 0, or -1 */
int wssec_agree_close(struct wssec_agreement *a, EVP_PKEY *holder, size_t kek_octets, const uint8_t *content_key,
                      size_t n, uint8_t point[WSSEC_POINT_MAX], cs_buf *out) WSSEC_MUST_CHECK;

#endif
