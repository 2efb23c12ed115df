/* SPDX-License-Identifier: Apache-2.0 */
/* identity.c: PEM files as a key resolver. */
#include "samples/common/identity.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static X509 *read_certificate(const char *file)
{
    FILE *in = fopen(file, "re");
    if (in == NULL) {
        return NULL;
    }
    X509 *certificate = PEM_read_X509(in, NULL, NULL, NULL);
    fclose(in);
    return certificate;
}

static EVP_PKEY *read_key(const char *file)
{
    FILE *in = fopen(file, "re");
    if (in == NULL) {
        return NULL;
    }
    EVP_PKEY *key = PEM_read_PrivateKey(in, NULL, NULL, NULL);
    fclose(in);
    return key;
}

static int instant(const ASN1_TIME *t, int64_t *seconds)
{
    struct tm tm = {0};
    if (ASN1_TIME_to_tm(t, &tm) != 1) {
        return -1;
    }
    *seconds = timegm(&tm);
    return 0;
}

static int read_facts(struct identity *id, X509 *certificate)
{
    uint8_t *spki = NULL;
    int der_n = i2d_X509(certificate, &id->der);
    int spki_n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);
    int rc = -1;
    if (der_n <= 0 || spki_n <= 0 || instant(X509_get0_notBefore(certificate), &id->not_before) != 0 ||
        instant(X509_get0_notAfter(certificate), &id->not_after) != 0) {
        goto out;
    }
    id->der_n = (size_t)der_n;
    if (EVP_Digest(id->der, id->der_n, id->sha256, NULL, EVP_sha256(), NULL) != 1 ||
        EVP_Digest(spki, (size_t)spki_n, id->spki_sha256, NULL, EVP_sha256(), NULL) != 1) {
        goto out;
    }
    rc = 0;
out:
    OPENSSL_free(spki);
    return rc;
}

int identity_read(struct identity *id, const char *certificate_file, const char *key_file)
{
    *id = (struct identity){.name = certificate_file};
    int rc = -1;
    X509 *certificate = read_certificate(certificate_file);
    if (certificate == NULL || read_facts(id, certificate) != 0) {
        fprintf(stderr, "%s: not a readable PEM certificate\n", certificate_file);
        goto out;
    }
    id->key = key_file != NULL ? read_key(key_file) : X509_get_pubkey(certificate);
    if (id->key == NULL) {
        fprintf(stderr, "%s: no readable PEM key\n", key_file != NULL ? key_file : certificate_file);
        goto out;
    }
    if (X509_check_private_key(certificate, id->key) != 1 && key_file != NULL) {
        fprintf(stderr, "%s: not the key of %s\n", key_file, certificate_file);
        goto out;
    }
    rc = 0;
out:
    X509_free(certificate);
    return rc;
}

void identity_clear(struct identity *id)
{
    EVP_PKEY_free(id->key);
    OPENSSL_free(id->der);
    *id = (struct identity){0};
}

static int candidates(void *ctx, enum wssec_use use, const struct wssec_hint *hint, int64_t at, struct wssec_entry *out,
                      int max)
{
    const struct identity *id = ctx;
    (void)at;
    if (max < 1 || (use == WSSEC_USE_VERIFY && hint != NULL && hint->has_cert &&
                    memcmp(hint->cert_sha256, id->sha256, sizeof id->sha256) != 0)) {
        return 0;
    }
    *out = (struct wssec_entry){
        .alias = "sample",
        .ordinal = 1,
        .state = WSSEC_ACTIVE,
        .not_before = id->not_before,
        .not_after = id->not_after,
        .trust = WSSEC_TRUST_PINNED,
        .key = id->key,
        .der = {id->der, id->der_n},
    };
    memcpy(out->sha256, id->sha256, sizeof out->sha256);
    memcpy(out->spki_sha256, id->spki_sha256, sizeof out->spki_sha256);
    return 1;
}

void identity_resolver(const struct identity *id, struct wssec_resolver *r)
{
    /* the callback only reads; its context is not const because other resolvers keep state there */
    *r = (struct wssec_resolver){.ctx = (void *)(uintptr_t)id, .candidates = candidates};
}
