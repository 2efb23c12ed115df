/* SPDX-License-Identifier: Apache-2.0 */
/* import_read.c: PEM blocks and DER objects by their kind. */
#include "keystore/import_read.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>
#include <string.h>

#include "keystore/entry.h"

#define CERTIFICATES_MAX 64
#define ITERATIONS_MAX   5000000

void ks_parts_free(struct ks_parts *p)
{
    sk_X509_pop_free(p->certificate, X509_free);
    EVP_PKEY_free(p->key);
    p->certificate = NULL;
    p->key = NULL;
}

int ks_parts_certificate(struct ks_parts *p, X509 *x, cs_error *e)
{
    if (x == NULL) {
        ERR_clear_error();
        return cs_error_set(e, CS_EXIT_USAGE, "not-a-certificate", "a certificate of the file cannot be read");
    }
    for (int i = 0; i < sk_X509_num(p->certificate); i++) {
        if (X509_cmp(sk_X509_value(p->certificate, i), x) == 0) {
            X509_free(x);
            return 0;
        }
    }
    if (sk_X509_num(p->certificate) == CERTIFICATES_MAX) {
        X509_free(x);
        return cs_error_set(e, CS_EXIT_USAGE, "chain-too-long", "more than %d certificates in one file",
                            CERTIFICATES_MAX);
    }
    if (sk_X509_push(p->certificate, x) <= 0) {
        X509_free(x);
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    return 0;
}

int ks_parts_key(struct ks_parts *p, EVP_PKEY *key, cs_error *e)
{
    if (key == NULL) {
        ERR_clear_error();
        return cs_error_set(e, CS_EXIT_USAGE, "not-a-key", "a private key of the file cannot be read");
    }
    p->n_key++;
    if (p->key != NULL) {
        EVP_PKEY_free(key);
        return cs_error_set(e, CS_EXIT_USAGE, "several-keys",
                            "the file holds several private keys; take out the one wanted: one key, one file");
    }
    p->key = key;
    return 0;
}

/* ---- passphrases ------------------------------------------------------------------------------------------------ */

static long algorithm_iterations(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *object = NULL;
    const void *value = NULL;
    int type = 0;
    long n = -1;
    X509_ALGOR_get0(&object, &type, &value, algorithm);
    if (type != V_ASN1_SEQUENCE) {
        return -1;
    }
    if (OBJ_obj2nid(object) == NID_pbes2) {
        PBE2PARAM *two = ASN1_item_unpack(value, ASN1_ITEM_rptr(PBE2PARAM));
        if (two != NULL) {
            X509_ALGOR_get0(&object, &type, &value, two->keyfunc);
            PBKDF2PARAM *k = OBJ_obj2nid(object) == NID_id_pbkdf2 && type == V_ASN1_SEQUENCE
                                 ? ASN1_item_unpack(value, ASN1_ITEM_rptr(PBKDF2PARAM))
                                 : NULL;
            /* scrypt has OpenSSL's own bound of memory, and so of time */
            n = k != NULL ? ASN1_INTEGER_get(k->iter) : OBJ_obj2nid(object) == NID_id_scrypt ? 1 : -1;
            PBKDF2PARAM_free(k);
        }
        PBE2PARAM_free(two);
    } else {
        PBEPARAM *one = ASN1_item_unpack(value, ASN1_ITEM_rptr(PBEPARAM));
        n = one != NULL ? ASN1_INTEGER_get(one->iter) : -1;
        PBEPARAM_free(one);
    }
    ERR_clear_error();
    return n;
}

int ks_parts_bound(const X509_ALGOR *algorithm, cs_error *e)
{
    long n = algorithm != NULL ? algorithm_iterations(algorithm) : -1;
    return n > 0 && n <= ITERATIONS_MAX
               ? 0
               : cs_error_set(e, CS_EXIT_USAGE, "passphrase-cost",
                              "the file's passphrase is protected in a way that is not known here, or would take too "
                              "long (%ld rounds, at most %d)",
                              n, ITERATIONS_MAX);
}

static int missing(cs_error *e)
{
    return cs_error_set(e, CS_EXIT_USAGE, "passphrase-missing",
                        "the private key is protected by a passphrase; give it with --passphrase-file FILE, or type it "
                        "with --askpass");
}

static int wrong(cs_error *e)
{
    ERR_clear_error();
    return cs_error_set(e, CS_EXIT_USAGE, "passphrase-wrong", "the passphrase does not open the private key");
}

int ks_parts_shrouded(struct ks_parts *p, const X509_SIG *sealed, cs_error *e)
{
    const X509_ALGOR *algorithm = NULL;
    const ASN1_OCTET_STRING *octets = NULL;
    if (p->passphrase == NULL) {
        return missing(e);
    }
    X509_SIG_get0(sealed, &algorithm, &octets);
    if (ks_parts_bound(algorithm, e) != 0) {
        return -1;
    }
    PKCS8_PRIV_KEY_INFO *info = PKCS8_decrypt(sealed, p->passphrase, (int)strlen(p->passphrase));
    if (info == NULL) {
        return wrong(e);
    }
    EVP_PKEY *key = EVP_PKCS82PKEY(info);
    PKCS8_PRIV_KEY_INFO_free(info);
    return ks_parts_key(p, key, e);
}

/* ---- DER objects ------------------------------------------------------------------------------------------------ */

static int take_certificate(struct ks_parts *p, const unsigned char *der, long n, cs_error *e)
{
    return ks_parts_certificate(p, d2i_X509(NULL, &der, n), e);
}

static int take_trusted(struct ks_parts *p, const unsigned char *der, long n, cs_error *e)
{
    return ks_parts_certificate(p, d2i_X509_AUX(NULL, &der, n), e);
}

static int take_key(struct ks_parts *p, const unsigned char *der, long n, cs_error *e)
{
    return ks_parts_key(p, d2i_AutoPrivateKey(NULL, &der, n), e);
}

static int take_sealed_key(struct ks_parts *p, const unsigned char *der, long n, cs_error *e)
{
    X509_SIG *sealed = d2i_X509_SIG(NULL, &der, n);
    int rc = sealed != NULL ? ks_parts_shrouded(p, sealed, e) : ks_parts_key(p, NULL, e);
    X509_SIG_free(sealed);
    return rc;
}

static int take_p7(struct ks_parts *p, const unsigned char *der, long n, cs_error *e)
{
    PKCS7 *p7 = d2i_PKCS7(NULL, &der, n);
    STACK_OF(X509) *held = p7 != NULL && PKCS7_type_is_signed(p7) && p7->d.sign != NULL ? p7->d.sign->cert : NULL;
    int rc = 0;
    if (sk_X509_num(held) <= 0) {
        rc = cs_error_set(e, CS_EXIT_USAGE, "not-a-certificate", "the PKCS#7 file holds no certificate");
    }
    for (int i = 0; rc == 0 && i < sk_X509_num(held); i++) {
        X509 *x = sk_X509_value(held, i);
        rc = X509_up_ref(x) == 1 ? ks_parts_certificate(p, x, e) : -1;
    }
    PKCS7_free(p7);
    ERR_clear_error();
    return rc;
}

static int skip(struct ks_parts *p, const unsigned char *der, long n, cs_error *e)
{
    (void)p;
    (void)der;
    (void)n;
    (void)e;
    return 0;
}

/* ---- PEM -------------------------------------------------------------------------------------------------------- */

typedef int take(struct ks_parts *p, const unsigned char *der, long n, cs_error *e);

static const struct {
    const char *name;
    take *take;
} blocks[] = {
    {PEM_STRING_X509, take_certificate},
    {PEM_STRING_X509_OLD, take_certificate},
    {PEM_STRING_X509_TRUSTED, take_trusted},
    {PEM_STRING_PKCS7, take_p7},
    {PEM_STRING_CMS, take_p7},
    {PEM_STRING_PKCS8INF, take_key},
    {PEM_STRING_RSA, take_key},
    {PEM_STRING_ECPRIVATEKEY, take_key},
    {PEM_STRING_PKCS8, take_sealed_key},
    {PEM_STRING_ECPARAMETERS, skip},
};

static int give_passphrase(char *buf, int size, int rwflag, void *ctx)
{
    const struct ks_parts *p = ctx;
    (void)rwflag;
    size_t n = p->passphrase != NULL ? strlen(p->passphrase) : 0;
    if (p->passphrase == NULL || size < 0 || n > (size_t)size) {
        return -1;
    }
    memcpy(buf, p->passphrase, n);
    return (int)n;
}

/** The old way of PEM: what a header says is how the octets are encrypted. */
static int open_header(struct ks_parts *p, char *header, unsigned char *data, long *n, cs_error *e)
{
    EVP_CIPHER_INFO cipher;
    if (header[0] == '\0') {
        return 0;
    }
    if (PEM_get_EVP_CIPHER_INFO(header, &cipher) != 1) {
        ERR_clear_error();
        return cs_error_set(e, CS_EXIT_USAGE, "not-a-key", "a key of the file is encrypted in a way not known here");
    }
    if (cipher.cipher != NULL && p->passphrase == NULL) {
        return missing(e);
    }
    return PEM_do_header(&cipher, data, n, give_passphrase, p) == 1 ? 0 : wrong(e);
}

static int take_block(struct ks_parts *p, const char *name, char *header, unsigned char *data, long n, cs_error *e)
{
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        if (strcmp(blocks[i].name, name) == 0) {
            return open_header(p, header, data, &n, e) == 0 ? blocks[i].take(p, data, n, e) : -1;
        }
    }
    return cs_error_set(e, CS_EXIT_USAGE, "not-a-certificate",
                        "the file holds a block \"%.48s\"; certificates and private keys are read here", name);
}

static int read_pem(struct ks_parts *p, const char *data, size_t n, cs_error *e)
{
    BIO *bio = BIO_new_mem_buf(data, (int)n);
    int rc = bio != NULL ? 0 : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    while (rc == 0) {
        char *name = NULL;
        char *header = NULL;
        unsigned char *octets = NULL;
        long length = 0;
        if (PEM_read_bio(bio, &name, &header, &octets, &length) != 1) {
            unsigned long last = ERR_peek_last_error();
            if (ERR_GET_LIB(last) != ERR_LIB_PEM || ERR_GET_REASON(last) != PEM_R_NO_START_LINE) {
                rc = cs_error_set(e, CS_EXIT_USAGE, "not-a-certificate",
                                  "the PEM file is damaged or cut off: a block has no end or is no base64");
            }
            break;
        }
        rc = take_block(p, name, header, octets, length, e);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(octets, (size_t)length);
    }
    ERR_clear_error();
    BIO_free(bio);
    return rc;
}

/* ---- DER -------------------------------------------------------------------------------------------------------- */

/** Octets that the outermost DER object says it has, 0: none can be seen. */
static size_t said_length(const unsigned char *p, size_t n)
{
    if (n < 2 || p[0] != 0x30) {
        return 0;
    }
    if (p[1] < 0x80) {
        return 2U + p[1];
    }
    size_t bytes = p[1] & 0x7fU;
    size_t length = 0;
    if (bytes == 0 || bytes > 4 || n < 2 + bytes) {
        return 0;
    }
    for (size_t i = 0; i < bytes; i++) {
        length = length << 8 | p[2 + i];
    }
    return length + 2 + bytes;
}

/** Which kind of object it is: the one reader that takes all of its octets. */
static take *kind_of(const unsigned char *der, long n)
{
    const unsigned char *p = der;
    take *found = NULL;
    X509 *x = d2i_X509(NULL, &p, n);
    PKCS12 *p12 = NULL;
    PKCS7 *p7 = NULL;
    X509_SIG *sealed = NULL;
    if (x != NULL) {
        found = take_certificate;
    } else if (p = der, (p12 = d2i_PKCS12(NULL, &p, n)) != NULL) {
        found = ks_parts_p12;
    } else if (p = der, (p7 = d2i_PKCS7(NULL, &p, n)) != NULL) {
        found = take_p7;
    } else if (p = der, (sealed = d2i_X509_SIG(NULL, &p, n)) != NULL) {
        found = take_sealed_key;
    } else {
        p = der;
        EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, n);
        found = key != NULL ? take_key : NULL;
        EVP_PKEY_free(key);
    }
    X509_free(x);
    PKCS12_free(p12);
    PKCS7_free(p7);
    X509_SIG_free(sealed);
    ERR_clear_error();
    return found != NULL && p == der + n ? found : NULL;
}

static int read_der(struct ks_parts *p, const unsigned char *der, size_t n, cs_error *e)
{
    size_t said = said_length(der, n);
    if (said > n) {
        return cs_error_set(e, CS_EXIT_USAGE, "input-cut-off",
                            "the file is cut off: it says to have %zu octets, %zu are there", said, n);
    }
    take *reader = kind_of(der, (long)n);
    return reader != NULL ? reader(p, der, (long)n, e)
                          : cs_error_set(e, CS_EXIT_USAGE, "not-a-certificate",
                                         "the file is none of: PEM, DER certificate or key, PKCS#7, PKCS#8, PKCS#12");
}

static bool begins(const char *data, size_t n, const char *mark)
{
    return n >= 4 && memcmp(data, mark, 4) == 0;
}

int ks_parts_read(struct ks_parts *p, const char *data, size_t n, cs_error *e)
{
    p->certificate = sk_X509_new_null();
    if (p->certificate == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    if (n > KS_INPUT_MAX) {
        return cs_error_set(e, CS_EXIT_USAGE, "input-too-large",
                            "the file is larger than %d KiB: no certificate with its "
                            "issuers and key is",
                            KS_INPUT_MAX / 1024);
    }
    if (n == 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "not-a-certificate", "the file is empty");
    }
    if (begins(data, n, "\xfe\xed\xfe\xed") || begins(data, n, "\xce\xce\xce\xce")) {
        return cs_error_set(e, CS_EXIT_USAGE, "java-keystore",
                            "the file is a Java keystore; convert it with: keytool -importkeystore -srckeystore FILE "
                            "-srcalias ALIAS -destkeystore OUT.p12 -deststoretype PKCS12");
    }
    ERR_clear_error();
    return memmem(data, n, "-----BEGIN ", 11) != NULL ? read_pem(p, data, n, e)
                                                      : read_der(p, (const unsigned char *)data, n, e);
}
