/* SPDX-License-Identifier: Apache-2.0 */
/* entry.c: the facts of a certificate, by OpenSSL; and whether a key fits it and its role. */
#include "keystore/entry.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/dn.h"
#include "base/text.h"
#include "keystore/words.h"

static bool contains(const char *data, size_t n, const char *word)
{
    return memmem(data, n, word, strlen(word)) != NULL;
}

/** A sentence about what the file is instead of a certificate. */
static int not_a_certificate(const char *data, size_t n, cs_error *e)
{
    ERR_clear_error();
    if (contains(data, n, "PRIVATE KEY-----")) {
        return cs_error_set(e, CS_EXIT_USAGE, "not-a-certificate",
                            "the file holds a private key, no certificate; the key goes to --private-key");
    }
    if (contains(data, n, "CERTIFICATE REQUEST-----")) {
        return cs_error_set(e, CS_EXIT_USAGE, "not-a-certificate",
                            "the file is a certificate request; the certification authority makes a certificate of it");
    }
    if (contains(data, n, "PUBLIC KEY-----")) {
        return cs_error_set(e, CS_EXIT_USAGE, "not-a-certificate", "the file holds a bare public key, no certificate");
    }
    if (n >= 4 && memcmp(data, "\xfe\xed\xfe\xed", 4) == 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "not-a-certificate",
                            "the file is a Java keystore; take the certificate out with: "
                            "keytool -exportcert -rfc -alias ALIAS -keystore FILE -file OUT.pem");
    }
    if (n > 4 && data[0] == 0x30 && !contains(data, n, "-----BEGIN ")) {
        return cs_error_set(
            e, CS_EXIT_USAGE, "not-a-certificate",
            "the file is no X.509 certificate; PKCS#7 and PKCS#12 are read by: countersign keystore import");
    }
    return cs_error_set(e, CS_EXIT_USAGE, "not-a-certificate",
                        "the file is no X.509 certificate (PEM or DER is read here)");
}

int ks_time_of_asn1(const ASN1_TIME *t, cs_time *out)
{
    struct tm tm;
    if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1) {
        return -1;
    }
    *out = cs_time_civil(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    return 0;
}

int ks_spki_of(const X509 *x, uint8_t out[32])
{
    uint8_t *spki = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);
    int rc = n > 0 && SHA256(spki, (size_t)n, out) != NULL ? 0 : -1;
    OPENSSL_free(spki);
    return rc;
}

static int serial_text(const X509 *x, char *out, size_t size)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
    char *text = number != NULL ? BN_bn2dec(number) : NULL;
    int rc = text != NULL && cs_copy(out, size, text) ? 0 : -1;
    OPENSSL_free(text);
    BN_free(number);
    return rc;
}

int ks_key_kind(EVP_PKEY *key, char algorithm[16], int *bits)
{
    *bits = EVP_PKEY_get_bits(key);
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS: cs_copy(algorithm, 16, "RSA"); return 0;
    case EVP_PKEY_EC: cs_copy(algorithm, 16, "EC"); return 0;
    case EVP_PKEY_ED25519:
        cs_copy(algorithm, 16, "Ed25519");
        *bits = 256;
        return 0;
    case EVP_PKEY_X25519:
        cs_copy(algorithm, 16, "X25519");
        *bits = 256;
        return 0;
    default: break;
    }
    const char *name = EVP_PKEY_get0_type_name(key);
    cs_copy(algorithm, 16, name != NULL ? name : "other");
    return -1;
}

static int facts(X509 *x, struct ks_certificate *c, cs_error *e)
{
    int n = i2d_X509(x, &c->der);
    if (n <= 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "not-a-certificate", "the certificate cannot be encoded again");
    }
    c->der_len = (size_t)n;
    c->key = X509_get_pubkey(x);
    if (ks_spki_of(x, c->spki_sha256) != 0 || c->key == NULL) {
        return cs_error_set(e, CS_EXIT_USAGE, "key-unknown", "the certificate's public key cannot be read");
    }
    ks_key_kind(c->key, c->key_algorithm, &c->key_bits);
    SHA256(c->der, c->der_len, c->sha256);
    SHA1(c->der, c->der_len, c->sha1);
    const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(x);
    if (ski != NULL && ASN1_STRING_length(ski) > 0 && ASN1_STRING_length(ski) <= KS_SKI_MAX) {
        c->ski_len = (size_t)ASN1_STRING_length(ski);
        memcpy(c->ski, ASN1_STRING_get0_data(ski), c->ski_len);
    }
    if (ks_time_of_asn1(X509_get0_notBefore(x), &c->not_before) != 0 ||
        ks_time_of_asn1(X509_get0_notAfter(x), &c->not_after) != 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "certificate-dates", "the certificate's dates cannot be read");
    }
    if (c->not_after < c->not_before) {
        return cs_error_set(e, CS_EXIT_USAGE, "certificate-dates", "the certificate ends before it begins");
    }
    if (serial_text(x, c->serial, sizeof c->serial) != 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "certificate-serial",
                            "the certificate's serial number is longer than 32 octets");
    }
    if (X509_NAME_entry_count(X509_get_issuer_name(x)) > 0 &&
        cs_dn_text(X509_get_issuer_name(x), c->issuer, sizeof c->issuer) == 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "certificate-name", "the issuer's name is longer than %zu octets",
                            sizeof c->issuer - 1);
    }
    if (X509_NAME_entry_count(X509_get_subject_name(x)) > 0 &&
        cs_dn_text(X509_get_subject_name(x), c->subject, sizeof c->subject) == 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "certificate-name", "the subject's name is longer than %zu octets",
                            sizeof c->subject - 1);
    }
    c->key_usage = X509_get_key_usage(x);
    c->extended_usage = X509_get_extended_key_usage(x);
    c->ca = X509_check_ca(x) != 0;
    return 0;
}

static int read_pem(const char *data, size_t n, STACK_OF(X509) * stack, cs_error *e)
{
    BIO *bio = BIO_new_mem_buf(data, (int)n);
    if (bio == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    int rc = 0;
    X509 *x = NULL;
    while (rc == 0 && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (sk_X509_num(stack) > KS_CHAIN_MAX || sk_X509_push(stack, x) <= 0) {
            X509_free(x);
            rc = cs_error_set(e, CS_EXIT_USAGE, "chain-too-long", "more than %d certificates in one file",
                              KS_CHAIN_MAX + 1);
        }
    }
    unsigned long last = ERR_peek_last_error();
    if (rc == 0 && (ERR_GET_LIB(last) != ERR_LIB_PEM || ERR_GET_REASON(last) != PEM_R_NO_START_LINE)) {
        rc = not_a_certificate(data, n, e);
    }
    ERR_clear_error();
    BIO_free(bio);
    return rc;
}

static int read_chain(STACK_OF(X509) * stack, struct ks_certificate *c, cs_error *e)
{
    cs_buf buf = CS_BUF_INIT;
    int rc = 0;
    for (int i = 1; rc == 0 && i < sk_X509_num(stack); i++) {
        X509 *issuer = sk_X509_value(stack, i);
        uint8_t *der = NULL;
        int n = i2d_X509(issuer, &der);
        if (n <= 0 || cs_buf_add(&buf, der, (size_t)n) != 0) {
            rc = cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
        } else if (X509_check_issued(issuer, sk_X509_value(stack, i - 1)) != X509_V_OK ||
                   X509_verify(sk_X509_value(stack, i - 1), X509_get0_pubkey(issuer)) != 1) {
            /* names alone would take a second certificate of the same subject for an issuer */
            rc =
                cs_error_set(e, CS_EXIT_USAGE, "chain-order",
                             "certificate %d of the file did not issue certificate %d. A file holds one "
                             "certificate, and behind it its issuers in order; other certificates are added one by one",
                             i + 1, i);
        }
        OPENSSL_free(der);
    }
    ERR_clear_error();
    if (rc == 0 && buf.len > 0) {
        c->chain = (uint8_t *)cs_buf_take(&buf, &c->chain_len);
    }
    cs_buf_free(&buf);
    return rc;
}

int ks_certificate_read(const char *data, size_t n, struct ks_certificate *c, cs_error *e)
{
    memset(c, 0, sizeof *c);
    if (n > KS_INPUT_MAX) {
        return cs_error_set(e, CS_EXIT_USAGE, "input-too-large",
                            "the file is larger than %d KiB: no single certificate is", KS_INPUT_MAX / 1024);
    }
    STACK_OF(X509) *stack = sk_X509_new_null();
    if (stack == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    ERR_clear_error();
    int rc = 0;
    if (contains(data, n, "-----BEGIN ")) {
        rc = read_pem(data, n, stack, e);
    } else {
        const uint8_t *p = (const uint8_t *)data;
        X509 *x = d2i_X509(NULL, &p, (long)n);
        if (x == NULL || p != (const uint8_t *)data + n || sk_X509_push(stack, x) <= 0) {
            X509_free(x);
            rc = not_a_certificate(data, n, e);
        }
    }
    if (rc == 0 && sk_X509_num(stack) == 0) {
        rc = not_a_certificate(data, n, e);
    }
    if (rc == 0) {
        rc = facts(sk_X509_value(stack, 0), c, e);
    }
    if (rc == 0) {
        rc = read_chain(stack, c, e);
    }
    sk_X509_pop_free(stack, X509_free);
    ERR_clear_error();
    if (rc != 0) {
        ks_certificate_free(c);
    }
    return rc;
}

void ks_certificate_free(struct ks_certificate *c)
{
    OPENSSL_free(c->der);
    free(c->chain);
    EVP_PKEY_free(c->key);
    memset(c, 0, sizeof *c);
}

/** No prompt on a terminal: an encrypted key is refused with the command that opens it. */
static int no_passphrase(char *buf, int size, int rwflag, void *ctx)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    *(bool *)ctx = true;
    return -1;
}

int ks_key_read(const char *data, size_t n, EVP_PKEY **key, cs_error *e)
{
    *key = NULL;
    if (n > KS_INPUT_MAX) {
        return cs_error_set(e, CS_EXIT_USAGE, "input-too-large", "the key file is larger than %d KiB",
                            KS_INPUT_MAX / 1024);
    }
    bool encrypted = false;
    if (contains(data, n, "-----BEGIN ")) {
        BIO *bio = BIO_new_mem_buf(data, (int)n);
        *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &encrypted) : NULL;
        BIO_free(bio);
    } else {
        const uint8_t *p = (const uint8_t *)data;
        *key = d2i_AutoPrivateKey(NULL, &p, (long)n);
    }
    ERR_clear_error();
    if (*key != NULL) {
        return 0;
    }
    if (encrypted) {
        return cs_error_set(
            e, CS_EXIT_USAGE, "key-encrypted",
            "the private key is protected by a passphrase; give it with --passphrase-file FILE, or type it "
            "with --askpass");
    }
    return cs_error_set(e, CS_EXIT_USAGE, "not-a-key",
                        "the file holds no private key (PEM or DER, PKCS#8 or traditional)");
}

/** By signing and verifying, not by comparing moduli: this proves that the key works. */
static bool key_pair(EVP_PKEY *private_key, EVP_PKEY *public_key)
{
    static const uint8_t probe[] = "countersign key match";
    const EVP_MD *md = EVP_PKEY_get_base_id(private_key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
    uint8_t signature[2048];
    size_t n = sizeof signature;
    EVP_MD_CTX *sign = EVP_MD_CTX_new();
    EVP_MD_CTX *verify = EVP_MD_CTX_new();
    bool ok = sign != NULL && verify != NULL && EVP_DigestSignInit(sign, NULL, md, NULL, private_key) == 1 &&
              EVP_DigestSign(sign, signature, &n, probe, sizeof probe) == 1 &&
              EVP_DigestVerifyInit(verify, NULL, md, NULL, public_key) == 1 &&
              EVP_DigestVerify(verify, signature, n, probe, sizeof probe) == 1;
    EVP_MD_CTX_free(sign);
    EVP_MD_CTX_free(verify);
    ERR_clear_error();
    return ok;
}

/** A key of a token may be allowed to decrypt only: then it must open what the certificate's key closed. */
static bool decrypts(EVP_PKEY *private_key, EVP_PKEY *public_key)
{
    static const uint8_t probe[] = "countersign key match";
    uint8_t sealed[2048];
    uint8_t opened[2048];
    size_t n = sizeof sealed;
    size_t m = sizeof opened;
    EVP_PKEY_CTX *in = EVP_PKEY_CTX_new(public_key, NULL);
    EVP_PKEY_CTX *out = EVP_PKEY_CTX_new(private_key, NULL);
    bool ok = EVP_PKEY_get_base_id(public_key) == EVP_PKEY_RSA && in != NULL && out != NULL &&
              EVP_PKEY_get_size(public_key) <= (int)sizeof sealed && EVP_PKEY_encrypt_init(in) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(in, RSA_PKCS1_OAEP_PADDING) == 1 &&
              EVP_PKEY_encrypt(in, sealed, &n, probe, sizeof probe) == 1 && EVP_PKEY_decrypt_init(out) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(out, RSA_PKCS1_OAEP_PADDING) == 1 &&
              EVP_PKEY_decrypt(out, opened, &m, sealed, n) == 1 && m == sizeof probe && memcmp(opened, probe, m) == 0;
    EVP_PKEY_CTX_free(in);
    EVP_PKEY_CTX_free(out);
    ERR_clear_error();
    return ok;
}

/** A key that can do nothing but agree must agree on the same as the certificate's key, with a third one. */
static bool agrees(EVP_PKEY *private_key, EVP_PKEY *public_key)
{
    EVP_PKEY *third =
        EVP_PKEY_get_base_id(public_key) == EVP_PKEY_X25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "X25519") : NULL;
    uint8_t secret[2][32];
    size_t n[2] = {sizeof secret[0], sizeof secret[1]};
    EVP_PKEY_CTX *ours = third != NULL ? EVP_PKEY_CTX_new(private_key, NULL) : NULL;
    EVP_PKEY_CTX *theirs = third != NULL ? EVP_PKEY_CTX_new(third, NULL) : NULL;
    bool ok = ours != NULL && theirs != NULL && EVP_PKEY_derive_init(ours) == 1 &&
              EVP_PKEY_derive_set_peer(ours, third) == 1 && EVP_PKEY_derive(ours, secret[0], &n[0]) == 1 &&
              EVP_PKEY_derive_init(theirs) == 1 && EVP_PKEY_derive_set_peer(theirs, public_key) == 1 &&
              EVP_PKEY_derive(theirs, secret[1], &n[1]) == 1 && n[0] == n[1] &&
              CRYPTO_memcmp(secret[0], secret[1], n[0]) == 0;
    OPENSSL_cleanse(secret, sizeof secret);
    EVP_PKEY_CTX_free(ours);
    EVP_PKEY_CTX_free(theirs);
    EVP_PKEY_free(third);
    ERR_clear_error();
    return ok;
}

static bool usage_fits(enum ks_role role, const struct ks_certificate *c, char *text, size_t size)
{
    static const struct {
        enum ks_role role;
        uint32_t key_usage, extended;
        const char *word;
    } need[] = {
        {KS_SIGN, KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION, 0, "digitalSignature"},
        {KS_VERIFIER, KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION, 0, "digitalSignature"},
        {KS_ENCRYPT_TO, KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT | KU_KEY_AGREEMENT, 0, "keyEncipherment"},
        {KS_DECRYPT, KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT | KU_KEY_AGREEMENT, 0, "keyEncipherment"},
        {KS_TLS_CLIENT, 0, XKU_SSL_CLIENT, "clientAuth"},
        {KS_AUTHZ_CLIENT, 0, XKU_SSL_CLIENT, "clientAuth"},
        {KS_TLS_SERVER, 0, XKU_SSL_SERVER, "serverAuth"},
    };
    for (size_t i = 0; i < sizeof need / sizeof need[0]; i++) {
        if (need[i].role != role) {
            continue;
        }
        bool usage = need[i].key_usage == 0 || c->key_usage == UINT32_MAX || (c->key_usage & need[i].key_usage) != 0;
        bool extended = need[i].extended == 0 || c->extended_usage == UINT32_MAX ||
                        (c->extended_usage & (need[i].extended | XKU_ANYEKU)) != 0;
        if (!usage || !extended) {
            snprintf(text, size, "the certificate's key usage does not allow %s, which role %s needs", need[i].word,
                     ks_role_word(role));
            return false;
        }
    }
    if (role == KS_TRUST_ANCHOR && !c->ca) {
        snprintf(text, size, "the certificate is none of a certification authority, which role trust-anchor needs");
        return false;
    }
    return true;
}

static bool size_fits(enum ks_role role, const struct ks_certificate *c, char *text, size_t size, char *warning,
                      size_t warnsize)
{
    const struct ks_role_row *row = ks_role_row(role);
    char algorithm[16];
    int bits = 0;
    if (ks_key_kind(c->key, algorithm, &bits) != 0) {
        snprintf(text, size, "keys of kind %s are not used here; RSA, EC, Ed25519 and X25519 are", algorithm);
        return false;
    }
    bool crypt = role == KS_DECRYPT || role == KS_ENCRYPT_TO;
    if ((strcmp(algorithm, "X25519") == 0 && !crypt) || (strcmp(algorithm, "Ed25519") == 0 && crypt)) {
        snprintf(text, size, "an %s key only %s: role %s has no use for it", algorithm,
                 crypt ? "signs" : "agrees on keys, for roles decrypt and encrypt-to", row->word);
        return false;
    }
    bool rsa = strcmp(algorithm, "RSA") == 0;
    int least = rsa ? row->min_rsa : row->min_ec;
    if (bits < least) {
        snprintf(text, size, "the %s key has %d bits; role %s takes %d or more", algorithm, bits, row->word, least);
        return false;
    }
    if (rsa && bits < row->warn_rsa) {
        snprintf(warning, warnsize,
                 "the RSA key has %d bits only: messages pass only under a policy with a dated exception (legacy "
                 "rsa-1024 until DATE)",
                 bits);
    }
    return true;
}

bool ks_key_fits(enum ks_role role, const struct ks_certificate *c, EVP_PKEY *key, char *text, size_t size,
                 char *warning, size_t warnsize)
{
    const struct ks_role_row *row = ks_role_row(role);
    text[0] = '\0';
    warning[0] = '\0';
    if (row->own_key && key == NULL) {
        snprintf(text, size, "role %s needs the private key too: --private-key FILE", row->word);
        return false;
    }
    if (!row->own_key && key != NULL) {
        snprintf(text, size, "role %s keeps no private key; leave --private-key out", row->word);
        return false;
    }
    if (!size_fits(role, c, text, size, warning, warnsize)) {
        return false;
    }
    char usage[320];
    if (!usage_fits(role, c, usage, sizeof usage)) {
        /* of a partner's certificate the engine judges it at every message, and names its reason there */
        if (role != KS_VERIFIER) {
            cs_copy(text, size, usage);
            return false;
        }
        cs_copy(warning, warnsize, usage);
    }
    if (key != NULL && !key_pair(key, c->key) &&
        (role != KS_DECRYPT || !(decrypts(key, c->key) || agrees(key, c->key)))) {
        snprintf(text, size,
                 "the private key does not belong to the certificate (what it signs, the certificate does not verify)");
        return false;
    }
    return true;
}
