/* SPDX-License-Identifier: Apache-2.0 */
/* tls_ticket.c: see tls_ticket.h. Any loop may ask, so the two keys stand behind a lock. */
#include "gateway/tls_ticket.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct ticket_key {
    unsigned char name[16];
    unsigned char aes[32];
    unsigned char hmac[32];
    int64_t made_us; /* monotonic; 0: there is none */
};

struct tls_tickets {
    pthread_mutex_t lock;
    struct ticket_key now, before;
};

static int key_new(struct ticket_key *k, int64_t now_us)
{
    if (RAND_bytes(k->name, sizeof k->name) != 1 || RAND_priv_bytes(k->aes, sizeof k->aes) != 1 ||
        RAND_priv_bytes(k->hmac, sizeof k->hmac) != 1) {
        return -1;
    }
    k->made_us = now_us > 0 ? now_us : 1;
    return 0;
}

struct tls_tickets *tls_tickets_new(int64_t now_us)
{
    struct tls_tickets *t = calloc(1, sizeof *t);
    if (t == NULL || key_new(&t->now, now_us) != 0 || pthread_mutex_init(&t->lock, NULL) != 0) {
        free(t);
        return NULL;
    }
    return t;
}

void tls_tickets_free(struct tls_tickets *t)
{
    if (t != NULL) {
        pthread_mutex_destroy(&t->lock);
        OPENSSL_cleanse(t, sizeof *t);
        free(t);
    }
}

/* The key for a new ticket. @return 0, or -1 */
static int key_to_make(struct tls_tickets *t, int64_t now_us, struct ticket_key *out)
{
    int rc = 0;
    pthread_mutex_lock(&t->lock);
    if (now_us - t->now.made_us >= TLS_TICKET_KEY_US) {
        struct ticket_key fresh;
        rc = key_new(&fresh, now_us);
        if (rc == 0) {
            t->before = t->now;
            t->now = fresh;
        }
        OPENSSL_cleanse(&fresh, sizeof fresh);
    }
    *out = t->now;
    pthread_mutex_unlock(&t->lock);
    return rc;
}

/* @return 1 the key in use, 2 the one before, 0 none of ours, or too old */
static int key_to_read(struct tls_tickets *t, const unsigned char name[16], int64_t now_us, struct ticket_key *out)
{
    int rc = 0;
    pthread_mutex_lock(&t->lock);
    if (CRYPTO_memcmp(name, t->now.name, 16) == 0) {
        *out = t->now;
        rc = now_us - t->now.made_us < TLS_TICKET_KEY_US ? 1 : 2;
    } else if (t->before.made_us != 0 && CRYPTO_memcmp(name, t->before.name, 16) == 0) {
        *out = t->before;
        rc = 2;
    }
    if (rc != 0 && now_us - out->made_us >= 2 * TLS_TICKET_KEY_US) {
        rc = 0;
    }
    pthread_mutex_unlock(&t->lock);
    return rc;
}

static bool mac_init(EVP_MAC_CTX *mac, struct ticket_key *k)
{
    char sha256[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, k->hmac, sizeof k->hmac),
                           OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
                           OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

int tls_tickets_key(struct tls_tickets *t, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher,
                    EVP_MAC_CTX *mac, int encrypt, int64_t now_us)
{
    struct ticket_key k;
    int rc = -1;
    if (encrypt) {
        if (key_to_make(t, now_us, &k) == 0 && RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
            EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, k.aes, iv) == 1 && mac_init(mac, &k)) {
            memcpy(name, k.name, sizeof k.name);
            rc = 1;
        }
    } else {
        rc = key_to_read(t, name, now_us, &k);
        if (rc > 0 && (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, k.aes, iv) != 1 || !mac_init(mac, &k))) {
            rc = -1;
        }
    }
    OPENSSL_cleanse(&k, sizeof k);
    return rc;
}
