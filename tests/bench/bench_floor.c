/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_floor.c: what no verification on libxml2 can do without: its SAX parser with handlers that do nothing, SHA-256
 * over the octets, one public-key operation. No canonicalization, no policy, no judgement.
 *
 * bench_floor CERTIFICATE MESSAGE SECONDS      prints "messages cpu_us_per_message peak_kb_beyond_the_message"
 */
#include <libxml/parser.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/clock.h"

struct operation { /* a signature that holds, by a key of the kind and length of the certificate's */
    EVP_PKEY *key;
    unsigned char value[1024];
    size_t value_n;
};

static const unsigned char text[] = "signed";

static int operation_make(struct operation *o, const char *certificate)
{
    FILE *in = fopen(certificate, "r");
    X509 *x = in != NULL ? PEM_read_X509(in, NULL, NULL, NULL) : NULL;
    EVP_PKEY *like = x != NULL ? X509_get0_pubkey(x) : NULL;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int rc = -1;
    if (like == NULL || md == NULL) {
        goto out;
    }
    o->key = EVP_PKEY_get_base_id(like) == EVP_PKEY_RSA ? EVP_RSA_gen((unsigned)EVP_PKEY_get_bits(like))
                                                        : EVP_EC_gen("P-256");
    o->value_n = sizeof o->value;
    rc = o->key != NULL && EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, o->key) == 1 &&
                 EVP_DigestSign(md, o->value, &o->value_n, text, sizeof text) == 1
             ? 0
             : -1;
out:
    EVP_MD_CTX_free(md);
    X509_free(x);
    if (in != NULL) {
        fclose(in);
    }
    return rc;
}

static int once(const struct operation *o, const char *message, size_t n)
{
    static xmlSAXHandler nothing = {.initialized = XML_SAX2_MAGIC};
    unsigned char digest[32];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int rc = md != NULL && xmlSAXUserParseMemory(&nothing, NULL, message, (int)n) == 0 &&
                     EVP_Digest(message, n, digest, NULL, EVP_sha256(), NULL) == 1 &&
                     EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, o->key) == 1 &&
                     EVP_DigestVerify(md, o->value, o->value_n, text, sizeof text) == 1
                 ? 0
                 : -1;
    EVP_MD_CTX_free(md);
    return rc;
}

int main(int argc, char **argv)
{
    struct operation o = {0};
    size_t n = 0;
    if (argc != 4) {
        fprintf(stderr, "usage: bench_floor CERTIFICATE MESSAGE SECONDS\n");
        return 64;
    }
    char *message = bench_read(argv[2], &n);
    xmlInitParser();
    if (message == NULL || operation_make(&o, argv[1]) != 0) {
        fprintf(stderr, "bench_floor: cannot start\n");
        return 70;
    }
    struct bench_clock clock = bench_start(strtod(argv[3], NULL));
    do {
        if (once(&o, message, n) != 0) {
            fprintf(stderr, "bench_floor: the message is not well-formed\n");
            return 1;
        }
    } while (bench_more(&clock));
    bench_print_with_memory(&clock, n);
    EVP_PKEY_free(o.key);
    xmlCleanupParser();
    free(message);
    return 0;
}
