/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entry.h: what a certificate says of itself, read once when it comes in: fingerprints, names, dates, key. Input is
 * untrusted: sizes are bounded, and every refusal says what the file is instead.
 */
#ifndef KS_ENTRY_H
#define KS_ENTRY_H

#include "keystore/keystore.h"

#define KS_INPUT_MAX (256 * 1024) /* octets of a certificate or key file */
#define KS_CHAIN_MAX 8            /* issuers behind a leaf */
#define KS_SKI_MAX   64

struct ks_certificate {
    uint8_t *der; /**< owned */
    size_t der_len;
    uint8_t *chain; /**< owned: concatenated DER of the issuers, NULL: none */
    size_t chain_len;
    EVP_PKEY *key; /**< owned: the public key */
    uint8_t sha256[32], sha1[20], spki_sha256[32];
    uint8_t ski[KS_SKI_MAX];
    size_t ski_len; /**< 0: no such extension */
    char subject[512], issuer[512], serial[80];
    char key_algorithm[16];
    int key_bits;
    cs_time not_before, not_after;
    uint32_t key_usage; /**< X509_get_key_usage; UINT32_MAX: not limited */
    uint32_t extended_usage;
    bool ca;
};

/** Read PEM (first is the leaf, others its issuers in order) or DER. @return 0; -1: exit 64, reason tells the kind */
int ks_certificate_read(const char *data, size_t n, struct ks_certificate *c, cs_error *e) CS_MUST_CHECK;
void ks_certificate_free(struct ks_certificate *c);
/** Read an unencrypted private key, PEM or DER. @return 0 with *key owned by the caller, or -1 */
int ks_key_read(const char *data, size_t n, EVP_PKEY **key, cs_error *e) CS_MUST_CHECK;
/** G5: does the certificate, with the key or without, fit the role? @return true: it does; else text says why not.
 *  warning: something that is allowed but should be known, "" none */
bool ks_key_fits(enum ks_role role, const struct ks_certificate *c, EVP_PKEY *key, char *text, size_t size,
                 char *warning, size_t warnsize);
/** Seconds of an instant in a certificate or CRL. @return 0, or -1: it cannot be read */
int ks_time_of_asn1(const ASN1_TIME *t, cs_time *out);
/** SHA-256 of the certificate's SubjectPublicKeyInfo. @return 0, or -1 */
int ks_spki_of(const X509 *x, uint8_t out[32]);
/** Algorithm word and size of a key: "RSA" 2048, "EC" 256, "Ed25519" 256. */
int ks_key_kind(EVP_PKEY *key, char algorithm[16], int *bits);

#endif
