/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_p12.c: PKCS#12, bag by bag: PKCS12_parse would take any one key of several. Files of old products are
 * encrypted with RC2-40, for which OpenSSL's legacy provider is loaded as long as it is needed, and that is said.
 */
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <string.h>

#include "keystore/import_read.h"

#define NESTING_MAX    4
#define MAC_ROUNDS_MAX 5000000

static int damaged(cs_error *e)
{
    ERR_clear_error();
    return cs_error_set(e, CS_EXIT_USAGE, "p12-damaged", "the PKCS#12 file is damaged");
}

static int take_bags(struct ks_parts *p, const STACK_OF(PKCS12_SAFEBAG) * bags, int depth, cs_error *e);

static int take_bag(struct ks_parts *p, const PKCS12_SAFEBAG *bag, int depth, cs_error *e)
{
    switch (PKCS12_SAFEBAG_get_nid(bag)) {
    case NID_keyBag: {
        const PKCS8_PRIV_KEY_INFO *info = PKCS12_SAFEBAG_get0_p8inf(bag);
        return info != NULL ? ks_parts_key(p, EVP_PKCS82PKEY(info), e) : damaged(e);
    }
    case NID_pkcs8ShroudedKeyBag: {
        const X509_SIG *sealed = PKCS12_SAFEBAG_get0_pkcs8(bag);
        return sealed != NULL ? ks_parts_shrouded(p, sealed, e) : damaged(e);
    }
    case NID_certBag:
        return PKCS12_SAFEBAG_get_bag_nid(bag) == NID_x509Certificate
                   ? ks_parts_certificate(p, PKCS12_SAFEBAG_get1_cert(bag), e)
                   : 0;
    case NID_safeContentsBag:
        return depth < NESTING_MAX ? take_bags(p, PKCS12_SAFEBAG_get0_safes(bag), depth + 1, e) : damaged(e);
    default: return 0; /* secrets and lists of revoked ones are not for here */
    }
}

static int take_bags(struct ks_parts *p, const STACK_OF(PKCS12_SAFEBAG) * bags, int depth, cs_error *e)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < sk_PKCS12_SAFEBAG_num(bags); i++) {
        rc = take_bag(p, sk_PKCS12_SAFEBAG_value(bags, i), depth, e);
    }
    return rc;
}

/** How the encrypted contents are protected; NULL: it is not there. */
static const X509_ALGOR *algorithm_of(const PKCS7 *p7)
{
    const PKCS7_ENCRYPT *encrypted = p7->d.encrypted;
    return encrypted != NULL && encrypted->enc_data != NULL ? encrypted->enc_data->algorithm : NULL;
}

static int take_safe(struct ks_parts *p, PKCS7 *p7, cs_error *e)
{
    STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
    const char *passphrase = p->passphrase != NULL ? p->passphrase : "";
    if (PKCS7_type_is_data(p7)) {
        bags = PKCS12_unpack_p7data(p7);
    } else if (PKCS7_type_is_encrypted(p7)) {
        if (ks_parts_bound(algorithm_of(p7), e) != 0) {
            return -1;
        }
        bags = PKCS12_unpack_p7encdata(p7, passphrase, (int)strlen(passphrase));
    }
    if (bags == NULL) {
        return damaged(e);
    }
    int rc = take_bags(p, bags, 0, e);
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    return rc;
}

static int take_safes(struct ks_parts *p, const PKCS12 *p12, cs_error *e)
{
    STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(p12);
    int rc = safes != NULL ? 0 : damaged(e);
    for (int i = 0; rc == 0 && i < sk_PKCS7_num(safes); i++) {
        rc = take_safe(p, sk_PKCS7_value(safes, i), e);
    }
    sk_PKCS7_pop_free(safes, PKCS7_free);
    return rc;
}

/** The passphrase, before anything is decrypted with it. */
static int check_mac(struct ks_parts *p, PKCS12 *p12, cs_error *e)
{
    const ASN1_INTEGER *rounds = NULL;
    if (PKCS12_mac_present(p12) != 1) {
        return 0;
    }
    PKCS12_get0_mac(NULL, NULL, NULL, &rounds, p12);
    if (rounds != NULL && (ASN1_INTEGER_get(rounds) < 1 || ASN1_INTEGER_get(rounds) > MAC_ROUNDS_MAX)) {
        return cs_error_set(e, CS_EXIT_USAGE, "passphrase-cost", "to check the file's passphrase would take too long");
    }
    const char *passphrase = p->passphrase != NULL ? p->passphrase : "";
    bool good = PKCS12_verify_mac(p12, passphrase, (int)strlen(passphrase)) == 1 ||
                (passphrase[0] == '\0' && PKCS12_verify_mac(p12, NULL, 0) == 1);
    ERR_clear_error();
    if (good) {
        return 0;
    }
    return p->passphrase == NULL
               ? cs_error_set(
                     e, CS_EXIT_USAGE, "passphrase-missing",
                     "the PKCS#12 file is protected by a passphrase; give it with --passphrase-file FILE, or type "
                     "it with --askpass")
               : cs_error_set(e, CS_EXIT_USAGE, "passphrase-wrong",
                              "the passphrase does not open the PKCS#12 file, or the file was changed");
}

/** Once more with the ciphers of old, for as long as that takes. */
static int take_legacy(struct ks_parts *p, const PKCS12 *p12, cs_error *e)
{
    OSSL_PROVIDER *usual = OSSL_PROVIDER_load(NULL, "default"); /* a provider that is named stands for all */
    OSSL_PROVIDER *legacy = OSSL_PROVIDER_load(NULL, "legacy");
    int rc = -1;
    if (usual == NULL || legacy == NULL) {
        ERR_clear_error();
        cs_error_set(
            e, CS_EXIT_USAGE, "p12-legacy",
            "the PKCS#12 file is encrypted in a way that needs OpenSSL's legacy provider, which is not installed; "
            "make the file anew with AES");
    } else {
        STACK_OF(X509) *fresh = sk_X509_new_null();
        sk_X509_pop_free(p->certificate, X509_free);
        EVP_PKEY_free(p->key);
        p->certificate = fresh;
        p->key = NULL;
        p->n_key = 0;
        p->legacy = true;
        rc =
            fresh != NULL ? take_safes(p, p12, e) : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    OSSL_PROVIDER_unload(legacy);
    OSSL_PROVIDER_unload(usual);
    return rc;
}

int ks_parts_p12(struct ks_parts *p, const unsigned char *der, long n, cs_error *e)
{
    PKCS12 *p12 = d2i_PKCS12(NULL, &der, n);
    cs_error why = {0};
    if (p12 == NULL) {
        return damaged(e);
    }
    int rc = check_mac(p, p12, e);
    if (rc == 0 && p->passphrase == NULL) {
        p->passphrase = ""; /* which is what "none" means to a PKCS#12 file */
    }
    if (rc == 0 && take_safes(p, p12, &why) != 0) {
        /* the passphrase is right: either the file is bad, or its cipher is one of those left to the legacy provider */
        bool cipher = strcmp(why.reason, "p12-damaged") == 0 || strcmp(why.reason, "passphrase-wrong") == 0;
        if (!cipher && e != NULL) {
            *e = why;
        }
        rc = cipher ? take_legacy(p, p12, e) : -1;
    }
    PKCS12_free(p12);
    return rc;
}
