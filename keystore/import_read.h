/* SPDX-License-Identifier: Apache-2.0 */
/* import_read.h: the containers, taken apart into certificates and keys; import.c puts these in order. */
#ifndef KS_IMPORT_READ_H
#define KS_IMPORT_READ_H

#include <openssl/x509.h>

#include "keystore/keystore.h"

struct ks_parts {
    STACK_OF(X509) * certificate; /**< owned; as found */
    EVP_PKEY *key;                /**< owned; the first one found */
    unsigned n_key;
    const char *passphrase; /**< borrowed; NULL: none */
    bool legacy;            /**< ciphers of the last century were needed */
};

/** Take one PEM file or DER object apart. @return 0, or -1 with the error filled */
int ks_parts_read(struct ks_parts *p, const char *data, size_t n, cs_error *e) CS_MUST_CHECK;
void ks_parts_free(struct ks_parts *p);
/** A PKCS#12 file (import_p12.c): all its certificates and keys join the parts. */
int ks_parts_p12(struct ks_parts *p, const unsigned char *der, long n, cs_error *e) CS_MUST_CHECK;
/** A key, or a certificate, joins the parts; both are owned by p then, also after -1. */
int ks_parts_key(struct ks_parts *p, EVP_PKEY *key, cs_error *e) CS_MUST_CHECK;
int ks_parts_certificate(struct ks_parts *p, X509 *x, cs_error *e) CS_MUST_CHECK;
/** An encrypted PKCS#8 key (borrowed) is opened and joins the parts. */
int ks_parts_shrouded(struct ks_parts *p, const X509_SIG *sealed, cs_error *e) CS_MUST_CHECK;
/** Refuse a file whose passphrase is to be stretched for hours. NULL algorithm: refused. */
int ks_parts_bound(const X509_ALGOR *algorithm, cs_error *e) CS_MUST_CHECK;

#endif
