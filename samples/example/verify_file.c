/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify_file.c: libwssec in one page. Is this SOAP message signed by the owner of this certificate, unchanged?
 *
 *     verify_file CERTIFICATE.pem MESSAGE.xml
 *
 * Prints the result as one JSON object. Status: 0 pass, 1 anything else, 2 trouble before the judgement.
 * Against an installed libwssec, shared:
 *
 *     cc -o verify_file verify_file.c $(pkg-config --cflags --libs wssec)
 *
 * and with libwssec itself inside the program (its own libraries stay shared):
 *
 *     cc -o verify_file verify_file.c $(pkg-config --cflags wssec) \
 *         $(pkg-config --variable=libdir wssec)/libwssec.a $(pkg-config --libs libxml-2.0 xmlsec1-openssl openssl)
 */
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wssec/wssec.h>

#define MESSAGE_MAX ((size_t)64 << 20)

/* The whole keystore of this program: one certificate, pinned. */
struct signer {
    EVP_PKEY *key; /* owned */
    uint8_t *der;  /* owned */
    size_t der_n;
    int64_t not_before;
    int64_t not_after;
    uint8_t sha256[32];
    uint8_t spki_sha256[32];
};

static int instant(const ASN1_TIME *t, int64_t *seconds)
{
    struct tm tm = {0};
    if (ASN1_TIME_to_tm(t, &tm) != 1) {
        return -1;
    }
    *seconds = timegm(&tm);
    return 0;
}

static int signer_read(struct signer *s, const char *file)
{
    X509 *certificate = NULL;
    uint8_t *spki = NULL;
    int rc = -1;
    FILE *in = fopen(file, "re");
    if (in == NULL || (certificate = PEM_read_X509(in, NULL, NULL, NULL)) == NULL) {
        goto out;
    }
    int der_n = i2d_X509(certificate, &s->der);
    int spki_n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);
    s->key = X509_get_pubkey(certificate);
    if (der_n <= 0 || spki_n <= 0 || s->key == NULL || instant(X509_get0_notBefore(certificate), &s->not_before) != 0 ||
        instant(X509_get0_notAfter(certificate), &s->not_after) != 0 ||
        EVP_Digest(s->der, (size_t)der_n, s->sha256, NULL, EVP_sha256(), NULL) != 1 ||
        EVP_Digest(spki, (size_t)spki_n, s->spki_sha256, NULL, EVP_sha256(), NULL) != 1) {
        goto out;
    }
    s->der_n = (size_t)der_n;
    rc = 0;
out:
    if (rc != 0) {
        fprintf(stderr, "verify_file: %s: not a readable PEM certificate\n", file);
    }
    if (in != NULL) {
        fclose(in);
    }
    OPENSSL_free(spki);
    X509_free(certificate);
    return rc;
}

/* Which keys may have signed? A program with many certificates looks at the hint and gives those that fit; here there
 * is one, and the engine itself tells whether the message was signed by it. */
static int candidates(void *ctx, enum wssec_use use, const struct wssec_hint *hint, int64_t at, struct wssec_entry *out,
                      int max)
{
    const struct signer *s = ctx;
    (void)at;
    if (use != WSSEC_USE_VERIFY || max < 1 ||
        (hint != NULL && hint->has_cert && memcmp(hint->cert_sha256, s->sha256, sizeof s->sha256) != 0)) {
        return 0;
    }
    *out = (struct wssec_entry){
        .alias = "signer",
        .ordinal = 1,
        .state = WSSEC_ACTIVE,
        .not_before = s->not_before,
        .not_after = s->not_after,
        .trust = WSSEC_TRUST_PINNED,
        .key = s->key,
        .der = {s->der, s->der_n},
    };
    memcpy(out->sha256, s->sha256, sizeof out->sha256);
    memcpy(out->spki_sha256, s->spki_sha256, sizeof out->spki_sha256);
    return 1;
}

/* @return the octets of a file, to be freed, or NULL after a sentence */
static uint8_t *read_message(const char *file, size_t *n)
{
    uint8_t *octets = NULL;
    uint8_t *fit = NULL;
    FILE *in = fopen(file, "re");
    *n = 0;
    if (in != NULL && (octets = malloc(MESSAGE_MAX + 1)) != NULL) {
        *n = fread(octets, 1, MESSAGE_MAX + 1, in);
        fit = ferror(in) == 0 && *n > 0 && *n <= MESSAGE_MAX ? realloc(octets, *n) : NULL;
    }
    if (fit == NULL) {
        fprintf(stderr, "verify_file: %s cannot be read\n", file);
        free(octets);
    }
    if (in != NULL) {
        fclose(in);
    }
    return fit;
}

static int judge(struct wssec_worker *w, struct wssec_policy *policy, struct signer *s, const char *file)
{
    size_t n;
    uint8_t *octets = read_message(file, &n);
    if (octets == NULL) {
        return 2;
    }
    struct wssec_slice slice = {octets, n};
    struct wssec_input in = {.slice = &slice, .n_slice = 1};
    int64_t now = (int64_t)time(NULL);
    struct wssec_when when = {.now = now, .at = now, .source = WSSEC_TIME_NOW, .freshness = true};
    struct wssec_resolver resolver = {.ctx = s, .candidates = candidates};
    struct wssec_verdict verdict;
    int status = 2;
    /* the last two: no store of signatures seen before, no explanation step by step */
    if (wssec_verify(w, &in, policy, &when, &resolver, NULL, &verdict, NULL) != WSSEC_RC_OK) {
        fprintf(stderr, "verify_file: %s\n", wssec_reason_meaning(verdict.reason));
    } else {
        char *record = wssec_verdict_json(&verdict);
        printf("{%s}\n", record != NULL ? record : "");
        free(record);
        status = verdict.verdict == WSSEC_PASS ? 0 : 1;
    }
    free(octets);
    return status;
}

int main(int argc, char *argv[])
{
    char why[256] = "";
    struct signer signer = {0};
    struct wssec_policy *policy = NULL;
    struct wssec_worker *worker = NULL;
    int status = 2;
    if (argc != 3) {
        fprintf(stderr, "usage: verify_file CERTIFICATE.pem MESSAGE.xml\n");
        return 2;
    }
    if (wssec_init(NULL, why, sizeof why) != 0) {
        fprintf(stderr, "verify_file: %s\n", why);
        return 2;
    }
    /* the built-in policy, made stricter in one word: a message without a signed Timestamp does not pass */
    static const char *const yes[] = {"yes"};
    policy = wssec_policy_new("example");
    worker = wssec_worker_new();
    if (policy == NULL || worker == NULL ||
        wssec_policy_set(policy, "timestamp.required", 1, yes, why, sizeof why) != 0 ||
        wssec_policy_freeze(policy, why, sizeof why) < 0) {
        fprintf(stderr, "verify_file: %s\n", why[0] != '\0' ? why : "out of memory");
    } else if (signer_read(&signer, argv[1]) == 0) {
        status = judge(worker, policy, &signer, argv[2]);
    }
    EVP_PKEY_free(signer.key);
    OPENSSL_free(signer.der);
    wssec_worker_free(worker);
    wssec_policy_unref(policy);
    wssec_shutdown();
    return status;
}
