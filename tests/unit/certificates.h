/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificates.h: keys and certificates made while a test runs, so that none of them ages. Included by the tests of the
 * keystore only. Failures here are failures of the test program: it stops.
 */
#ifndef TESTS_CERTIFICATES_H
#define TESTS_CERTIFICATES_H

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"

#define MADE(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: cannot make a certificate: %s\n", __FILE__, __LINE__, #condition);                 \
            exit(70);                                                                                                  \
        }                                                                                                              \
    } while (0)

struct made {
    EVP_PKEY *key;
    X509 *x;
    char *pem;     /**< certificate */
    char *key_pem; /**< private key, PKCS#8 */
};

struct recipe {
    const char *cn;            /**< NULL: "signer" */
    const char *o;             /**< organization, before cn; NULL: none */
    const EVP_MD *md;          /**< NULL: SHA-256 */
    cs_time from, to;          /**< 0: a wide validity around 2026 */
    EVP_PKEY *key;             /**< NULL: a new EC P-256 key */
    int rsa_bits;              /**< a new RSA key instead */
    const struct made *issuer; /**< NULL: self-signed */
    const char *key_usage;     /**< as OpenSSL reads it; NULL: none */
    bool ca, ski;
};

static inline char *bio_text(BIO *bio)
{
    char *data = NULL;
    long n = BIO_get_mem_data(bio, &data);
    char *text = strndup(data, (size_t)n);
    MADE(text != NULL);
    BIO_free(bio);
    return text;
}

static inline void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    MADE(ext != NULL && X509_add_ext(x, ext, -1) == 1);
    X509_EXTENSION_free(ext);
}

static inline struct made make_certificate(const struct recipe *r)
{
    static long serial = 1000;
    struct made m = {0};
    if (r->key != NULL) {
        m.key = r->key;
        EVP_PKEY_up_ref(m.key);
    } else {
        m.key = r->rsa_bits != 0 ? EVP_RSA_gen((unsigned)r->rsa_bits) : EVP_EC_gen("P-256");
    }
    m.x = X509_new();
    MADE(m.key != NULL && m.x != NULL && X509_set_version(m.x, 2) == 1);
    MADE(ASN1_INTEGER_set(X509_get_serialNumber(m.x), ++serial) == 1);
    X509_NAME *name = X509_get_subject_name(m.x);
    const char *cn = r->cn != NULL ? r->cn : "signer";
    if (r->o != NULL) {
        MADE(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)r->o, -1, -1, 0) == 1);
    }
    MADE(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0) == 1);
    X509 *issuer = r->issuer != NULL ? r->issuer->x : m.x;
    MADE(X509_set_issuer_name(m.x, X509_get_subject_name(issuer)) == 1 && X509_set_pubkey(m.x, m.key) == 1);
    cs_time from = r->from != 0 ? r->from : cs_time_civil(2020, 1, 1, 0, 0, 0);
    cs_time to = r->to != 0 ? r->to : cs_time_civil(2040, 1, 1, 0, 0, 0);
    MADE(ASN1_TIME_set(X509_getm_notBefore(m.x), from) != NULL && ASN1_TIME_set(X509_getm_notAfter(m.x), to) != NULL);
    if (r->ca) {
        add_extension(m.x, issuer, NID_basic_constraints, "critical,CA:TRUE");
    }
    if (r->ski) {
        add_extension(m.x, issuer, NID_subject_key_identifier, "hash");
    }
    if (r->key_usage != NULL) {
        add_extension(m.x, issuer, NID_key_usage, r->key_usage);
    }
    MADE(X509_sign(m.x, r->issuer != NULL ? r->issuer->key : m.key, r->md != NULL ? r->md : EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    MADE(bio != NULL && PEM_write_bio_X509(bio, m.x) == 1);
    m.pem = bio_text(bio);
    bio = BIO_new(BIO_s_mem());
    MADE(bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, m.key, NULL, NULL, 0, NULL, NULL) == 1);
    m.key_pem = bio_text(bio);
    return m;
}

static inline void made_free(struct made *m)
{
    EVP_PKEY_free(m->key);
    X509_free(m->x);
    free(m->pem);
    free(m->key_pem);
    memset(m, 0, sizeof *m);
}

#endif
