/* SPDX-License-Identifier: Apache-2.0 */
/* import.c: the parts of a file in order: whose certificate it is, who issued it, and the key that belongs to it. */
#include "keystore/import.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "keystore/entry.h"
#include "keystore/import_read.h"

static bool issued(X509 *issuer, X509 *x)
{
    bool yes = X509_check_issued(issuer, x) == X509_V_OK && X509_verify(x, X509_get0_pubkey(issuer)) == 1;
    ERR_clear_error();
    return yes;
}

static bool issues_another(STACK_OF(X509) * all, X509 *x)
{
    for (int i = 0; i < sk_X509_num(all); i++) {
        if (sk_X509_value(all, i) != x && issued(x, sk_X509_value(all, i))) {
            return true;
        }
    }
    return false;
}

/** The certificate that all is about: the key's, else the one that issued no other. NULL: reported */
static X509 *find_leaf(const struct ks_parts *p, cs_error *e)
{
    X509 *found = NULL;
    int n = sk_X509_num(p->certificate);
    for (int i = 0; i < n; i++) {
        X509 *x = sk_X509_value(p->certificate, i);
        bool is = p->key != NULL ? EVP_PKEY_eq(X509_get0_pubkey(x), p->key) == 1 : !issues_another(p->certificate, x);
        if (is && found != NULL) {
            cs_error_set(e, CS_EXIT_USAGE, "several-certificates",
                         "the file holds several certificates that did not issue one another; one file, one owner");
            return NULL;
        }
        found = is ? x : found;
    }
    ERR_clear_error();
    if (found == NULL) {
        cs_error_set(e, CS_EXIT_USAGE, p->key != NULL && n > 0 ? "key-differs" : "not-a-certificate",
                     p->key != NULL && n > 0 ? "the private key of the file belongs to none of its certificates"
                     : p->key != NULL        ? "the file holds a private key, but no certificate of it"
                                             : "the file holds no certificate");
    }
    return found;
}

/** The leaf and behind it its issuers as far as they are there. @return how many certificates were written, -1: memory
 */
static int write_chain(const struct ks_parts *p, X509 *leaf, BIO *bio)
{
    X509 *at = leaf;
    int n = 0;
    while (at != NULL && n <= KS_CHAIN_MAX) {
        X509 *next = NULL;
        if (PEM_write_bio_X509(bio, at) != 1) {
            return -1;
        }
        n++;
        for (int i = 0; next == NULL && !issued(at, at) && i < sk_X509_num(p->certificate); i++) {
            X509 *x = sk_X509_value(p->certificate, i);
            next = x != at && issued(x, at) ? x : NULL;
        }
        at = next;
    }
    return n;
}

static int give_key(EVP_PKEY *key, ks_imported *out)
{
    char *data = NULL;
    BIO *bio = BIO_new(BIO_s_secmem());
    long n = bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1
                 ? BIO_get_mem_data(bio, &data)
                 : 0;
    if (n > 0) {
        out->key = OPENSSL_secure_malloc((size_t)n + 1);
    }
    if (out->key != NULL) {
        memcpy(out->key, data, (size_t)n);
        out->key[n] = '\0';
        out->key_len = (size_t)n;
    }
    BIO_free(bio);
    return out->key != NULL ? 0 : -1;
}

static int give(const struct ks_parts *p, X509 *leaf, ks_imported *out, cs_error *e)
{
    char *data = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    int n = bio != NULL ? write_chain(p, leaf, bio) : -1;
    long length = n > 0 ? BIO_get_mem_data(bio, &data) : 0;
    out->certificate = length > 0 ? strndup(data, (size_t)length) : NULL;
    out->certificate_len = (size_t)length;
    BIO_free(bio);
    if (out->certificate == NULL || (p->key != NULL && give_key(p->key, out) != 0)) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    if (p->legacy) {
        snprintf(out->note[out->n_note++], sizeof out->note[0],
                 "the file is encrypted by a cipher of the last century (RC2 or DES), read through OpenSSL's legacy "
                 "provider: whoever has a copy of it can have the key");
    }
    if (sk_X509_num(p->certificate) > n) {
        snprintf(out->note[out->n_note++], sizeof out->note[0],
                 "%d more certificates of the file are not on the way to its issuer and were left out",
                 sk_X509_num(p->certificate) - n);
    }
    return 0;
}

int ks_import_read(const char *data, size_t n, const char *passphrase, ks_imported *out, cs_error *e)
{
    struct ks_parts p = {.passphrase = passphrase};
    memset(out, 0, sizeof *out);
    int rc = ks_parts_read(&p, data, n, e);
    X509 *leaf = rc == 0 ? find_leaf(&p, e) : NULL;
    rc = leaf != NULL ? give(&p, leaf, out, e) : -1;
    ks_parts_free(&p);
    if (rc != 0) {
        ks_imported_free(out);
    }
    return rc;
}

void ks_imported_free(ks_imported *i)
{
    free(i->certificate);
    OPENSSL_secure_clear_free(i->key, i->key_len + 1);
    memset(i, 0, sizeof *i);
}

int ks_import_key(const char *data, size_t n, const char *passphrase, EVP_PKEY **key, cs_error *e)
{
    struct ks_parts p = {.passphrase = passphrase};
    int rc = ks_parts_read(&p, data, n, e);
    if (rc == 0 && p.key == NULL) {
        rc = cs_error_set(e, CS_EXIT_USAGE, "not-a-key", "the file holds no private key");
    }
    *key = rc == 0 ? p.key : NULL;
    if (rc == 0) {
        p.key = NULL;
    }
    ks_parts_free(&p);
    return rc;
}
