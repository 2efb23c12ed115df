/* SPDX-License-Identifier: Apache-2.0 */
/* cipher.c: see cipher.h. */
#include "wssec/cipher.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <string.h>

#include "wssec/worker.h"

#define E   "http://www.w3.org/2001/04/xmlenc#"
#define E11 "http://www.w3.org/2009/xmlenc11#"

static const struct wssec_cipher_alg ciphers[] = {
    {"aes256-gcm", E11 "aes256-gcm", "AES-256-GCM", 32, 12, 16, WSSEC_LEGACY_NONE},
    {"aes192-gcm", E11 "aes192-gcm", "AES-192-GCM", 24, 12, 16, WSSEC_LEGACY_NONE},
    {"aes128-gcm", E11 "aes128-gcm", "AES-128-GCM", 16, 12, 16, WSSEC_LEGACY_NONE},
    {"aes256-cbc", E "aes256-cbc", "AES-256-CBC", 32, 16, 0, WSSEC_LEGACY_CBC},
    {"aes192-cbc", E "aes192-cbc", "AES-192-CBC", 24, 16, 0, WSSEC_LEGACY_CBC},
    {"aes128-cbc", E "aes128-cbc", "AES-128-CBC", 16, 16, 0, WSSEC_LEGACY_CBC},
    {"tripledes-cbc", E "tripledes-cbc", "DES-EDE3-CBC", 24, 8, 0, WSSEC_LEGACY_TRIPLEDES},
};

static const struct wssec_transport_alg transports[] = {
    {"rsa-oaep", E11 "rsa-oaep", true, true, WSSEC_LEGACY_NONE, 0},
    {"rsa-oaep-mgf1p", E "rsa-oaep-mgf1p", true, false, WSSEC_LEGACY_NONE, 0},
    {"rsa-1_5", E "rsa-1_5", false, false, WSSEC_LEGACY_RSA_1_5, 0},
    {"kw-aes256", E "kw-aes256", false, false, WSSEC_LEGACY_NONE, 32},
    {"kw-aes192", E "kw-aes192", false, false, WSSEC_LEGACY_NONE, 24},
    {"kw-aes128", E "kw-aes128", false, false, WSSEC_LEGACY_NONE, 16},
};

static const struct {
    const char *uri, *evp;
} mgfs[] = {
    {E11 "mgf1sha1", "SHA1"}, {E11 "mgf1sha256", "SHA256"}, {E11 "mgf1sha384", "SHA384"}, {E11 "mgf1sha512", "SHA512"}};

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

const struct wssec_cipher_alg *wssec_cipher_by_uri(const char *uri)
{
    for (size_t i = 0; i < ROWS(ciphers); i++) {
        if (strcmp(ciphers[i].uri, uri) == 0) {
            return &ciphers[i];
        }
    }
    return NULL;
}

const struct wssec_cipher_alg *wssec_cipher_by_word(const char *word)
{
    for (size_t i = 0; i < ROWS(ciphers); i++) {
        if (strcmp(ciphers[i].word, word) == 0) {
            return &ciphers[i];
        }
    }
    return NULL;
}

const struct wssec_transport_alg *wssec_transport_by_uri(const char *uri)
{
    for (size_t i = 0; i < ROWS(transports); i++) {
        if (strcmp(transports[i].uri, uri) == 0) {
            return &transports[i];
        }
    }
    return NULL;
}

const struct wssec_transport_alg *wssec_transport_by_word(const char *word)
{
    for (size_t i = 0; i < ROWS(transports); i++) {
        if (strcmp(transports[i].word, word) == 0) {
            return &transports[i];
        }
    }
    return NULL;
}

const struct wssec_transport_alg *wssec_transport_wrap(size_t octets)
{
    size_t i = 0;
    while (i < ROWS(transports) && transports[i].wrap != octets) {
        i++;
    }
    return i < ROWS(transports) ? &transports[i] : NULL;
}

/* What we write ourselves: no row that needs an exception. */
const char *const *wssec_cipher_words(void)
{
    static const char *const words[] = {"aes256-gcm", "aes192-gcm", "aes128-gcm", NULL};
    return words;
}

const char *const *wssec_transport_words(void)
{
    static const char *const words[] = {"rsa-oaep", "rsa-oaep-mgf1p", NULL};
    return words;
}

const char *wssec_mgf_digest(const char *uri)
{
    for (size_t i = 0; i < ROWS(mgfs); i++) {
        if (strcmp(mgfs[i].uri, uri) == 0) {
            return mgfs[i].evp;
        }
    }
    return NULL;
}

const char *wssec_mgf_uri(const char *evp)
{
    for (size_t i = 0; i < ROWS(mgfs); i++) {
        if (strcmp(mgfs[i].evp, evp) == 0) {
            return mgfs[i].uri;
        }
    }
    return NULL;
}

/* ---- content keys ---------------------------------------------------------------------------------------------- */

#define RSA_OCTETS_MAX 2048 /* RSA-16384 */

static int padding(const struct wssec_transport *t, EVP_PKEY_CTX *ctx)
{
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_oaep_md(ctx, wssec_md(t->digest)) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, wssec_md(t->mgf_digest)) != 1) { /* by name fails for keys of tokens */
        return -1;
    }
    if (t->label.n == 0) {
        return 0;
    }
    void *label = OPENSSL_memdup(t->label.p, t->label.n);
    if (label == NULL || t->label.n > INT_MAX ||
        EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, label, (int)t->label.n) != 1) { /* takes it */
        OPENSSL_free(label);
        return -1;
    }
    return 0;
}

/* 0xff when a is zero, else 0. */
static uint8_t zero_mask(unsigned a)
{
    return (uint8_t)(((a | (0U - a)) >> (sizeof a * 8 - 1)) - 1U);
}

/*
 * 00 02, octets that are not zero, 00, key: the length that the key must have says where each stands, so nothing
 * depends on the octets but the mask. What does not fit gives fill.
 */
static unsigned unpad(const uint8_t *block, size_t n, const uint8_t *fill, size_t want, uint8_t *out)
{
    uint8_t good = zero_mask(block[0]) & zero_mask(block[1] ^ 2U) & zero_mask(block[n - want - 1]);
    for (size_t i = 2; i < n - want - 1; i++) {
        good &= (uint8_t)~zero_mask(block[i]);
    }
    for (size_t i = 0; i < want; i++) {
        out[i] = (uint8_t)((block[n - want + i] & good) | (fill[i] & (uint8_t)~good));
    }
    return good & 1U;
}

static int open_pkcs1(EVP_PKEY *key, struct wssec_slice wrapped, size_t want, uint8_t *out)
{
    uint8_t block[RSA_OCTETS_MAX];
    uint8_t fill[WSSEC_CONTENT_KEY_MAX];
    size_t n = sizeof block;
    int rc = -1;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    if (ctx == NULL || RAND_bytes(fill, sizeof fill) != 1) {
        goto out;
    }
    rc = 0;
    if (EVP_PKEY_decrypt_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1 &&
        EVP_PKEY_decrypt(ctx, block, &n, wrapped.p, wrapped.n) == 1 && n >= want + 11) {
        rc = (int)unpad(block, n, fill, want, out);
    }
out:
    OPENSSL_cleanse(block, sizeof block);
    OPENSSL_cleanse(fill, sizeof fill);
    EVP_PKEY_CTX_free(ctx);
    return rc;
}

/* What was wrapped for another key is a number above the modulus of this one every second time, and OpenSSL then
 * refuses it without any work. A smaller number takes its place, so that the operation is paid for; its outcome does
 * not count.
 * @return whether wrapped is a number of this key */
static bool of_this_modulus(EVP_PKEY *key, struct wssec_slice wrapped, uint8_t number[RSA_OCTETS_MAX])
{
    BIGNUM *modulus = NULL;
    BIGNUM *said = BN_bin2bn(wrapped.p, (int)wrapped.n, NULL);
    bool below = said == NULL ||
                 EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &modulus) != 1 || /* OpenSSL decides */
                 BN_cmp(said, modulus) < 0;
    memcpy(number, wrapped.p, wrapped.n);
    if (!below) {
        number[0] = 0; /* the modulus has as many octets, the first one not zero */
    }
    BN_free(said);
    BN_free(modulus);
    return below;
}

int wssec_transport_open(const struct wssec_transport *t, EVP_PKEY *key, struct wssec_slice wrapped, size_t want,
                         uint8_t out[WSSEC_CONTENT_KEY_MAX])
{
    uint8_t plain[RSA_OCTETS_MAX];
    uint8_t number[RSA_OCTETS_MAX];
    size_t n = sizeof plain;
    if (t->alg->wrap != 0) {
        return wssec_agree_open(t->agreement, key, t->alg->wrap, wrapped, want, out);
    }
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_size(key) > RSA_OCTETS_MAX ||
        wrapped.n != (size_t)EVP_PKEY_get_size(key)) {
        return 0;
    }
    bool counts = of_this_modulus(key, wrapped, number);
    if (!t->alg->oaep) {
        int fits = open_pkcs1(key, (struct wssec_slice){number, wrapped.n}, want, out);
        return counts || fits < 0 ? fits : 0;
    }
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    int rc = -1;
    if (ctx != NULL && EVP_PKEY_decrypt_init(ctx) == 1 && padding(t, ctx) == 0) {
        rc = EVP_PKEY_decrypt(ctx, plain, &n, number, wrapped.n) == 1 && n == want && counts;
    }
    if (rc == 1) {
        memcpy(out, plain, want);
    }
    OPENSSL_cleanse(plain, sizeof plain);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return rc;
}

int wssec_transport_close(const struct wssec_transport *t, EVP_PKEY *key, const uint8_t *content_key, size_t n,
                          cs_buf *out)
{
    uint8_t wrapped[RSA_OCTETS_MAX];
    size_t len = sizeof wrapped;
    int rc = -1;
    cs_buf_reset(out);
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_size(key) > RSA_OCTETS_MAX || !t->alg->oaep) {
        return -1;
    }
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    if (ctx != NULL && EVP_PKEY_encrypt_init(ctx) == 1 && padding(t, ctx) == 0 &&
        EVP_PKEY_encrypt(ctx, wrapped, &len, content_key, n) == 1) {
        rc = cs_buf_add(out, wrapped, len);
    }
    EVP_PKEY_CTX_free(ctx);
    return rc;
}

/* ---- data ------------------------------------------------------------------------------------------------------ */

/* XML Encryption's padding: the last octet says how many octets go, the others may be anything. */
static int unpad_block(struct wssec_flow *f)
{
    size_t pad = f->n > 0 ? f->out[f->n - 1] : 0;
    if (pad == 0 || pad > f->alg->iv || pad > f->n) {
        return 0;
    }
    f->n -= pad;
    return 1;
}

/* EVP takes int lengths. A cipher may give a block more than it is fed now, never more than it was fed in all. */
static int feed(struct wssec_flow *f, const uint8_t *p, size_t n)
{
    while (n > 0) {
        int take = n > (1 << 20) ? 1 << 20 : (int)n;
        int made = 0;
        if ((size_t)take + EVP_MAX_BLOCK_LENGTH > f->room - f->n ||
            EVP_CipherUpdate(f->ctx, f->out + f->n, &made, p, take) != 1) {
            return -1;
        }
        f->n += (size_t)made;
        p += take;
        n -= (size_t)take;
    }
    return 0;
}

static int flow_begin(struct wssec_flow *f, const struct wssec_cipher_alg *a, uint8_t *out, size_t room, bool sealing)
{
    *f = (struct wssec_flow){.alg = a, .out = out, .room = room, .sealing = sealing};
    f->cipher = EVP_CIPHER_fetch(NULL, a->evp, NULL);
    f->ctx = EVP_CIPHER_CTX_new();
    return f->cipher != NULL && f->ctx != NULL ? 0 : -1;
}

static void flow_free(struct wssec_flow *f)
{
    EVP_CIPHER_CTX_free(f->ctx);
    EVP_CIPHER_free(f->cipher);
    f->ctx = NULL;
    f->cipher = NULL;
    OPENSSL_cleanse(f->key, sizeof f->key);
}

int wssec_flow_open(struct wssec_flow *f, const struct wssec_cipher_alg *a, const uint8_t *key, uint8_t *out,
                    size_t room)
{
    int rc = flow_begin(f, a, out, room, false);
    memcpy(f->key, key, a->key);
    return rc;
}

int wssec_flow_close(struct wssec_flow *f, const struct wssec_cipher_alg *a, const uint8_t *key, uint8_t *out,
                     size_t room)
{
    if (flow_begin(f, a, out, room, true) != 0 || a->tag == 0 || room < WSSEC_FLOW_MORE ||
        RAND_bytes(out, (int)a->iv) != 1 || EVP_CipherInit_ex2(f->ctx, f->cipher, key, out, 1, NULL) != 1) {
        return -1;
    }
    f->n = a->iv;
    return 0;
}

/* The octets in front are the vector. @return how many of p were taken, or -1 */
static int take_vector(struct wssec_flow *f, const uint8_t *p, size_t n)
{
    size_t take = f->alg->iv - f->n_iv < n ? f->alg->iv - f->n_iv : n;
    memcpy(f->iv + f->n_iv, p, take);
    f->n_iv += take;
    if (take > 0 && f->n_iv == f->alg->iv &&
        (EVP_CipherInit_ex2(f->ctx, f->cipher, f->key, f->iv, 0, NULL) != 1 ||
         (f->alg->tag == 0 && EVP_CIPHER_CTX_set_padding(f->ctx, 0) != 1))) {
        return -1;
    }
    return (int)take;
}

int wssec_flow_add(void *flow, const void *octets, size_t n)
{
    struct wssec_flow *f = flow;
    const uint8_t *p = octets;
    if (f->sealing) {
        return feed(f, p, n);
    }
    f->fed += n;
    int vector = take_vector(f, p, n);
    if (vector < 0) {
        return -1;
    }
    p += vector;
    n -= (size_t)vector;
    /* the last octets so far may be the tag: they wait, the others go on */
    size_t on = f->n_tail + n > f->alg->tag ? f->n_tail + n - f->alg->tag : 0;
    size_t waited = on < f->n_tail ? on : f->n_tail;
    if (feed(f, f->tail, waited) != 0) {
        return -1;
    }
    memmove(f->tail, f->tail + waited, f->n_tail - waited);
    f->n_tail -= waited;
    on -= waited;
    if (feed(f, p, on) != 0) {
        return -1;
    }
    if (n > on) {
        memcpy(f->tail + f->n_tail, p + on, n - on);
        f->n_tail += n - on;
    }
    return 0;
}

static int end_sealing(struct wssec_flow *f)
{
    int made = 0;
    if (EVP_CipherFinal_ex(f->ctx, f->out + f->n, &made) != 1) {
        return -1;
    }
    f->n += (size_t)made;
    if (f->alg->tag > f->room - f->n ||
        EVP_CIPHER_CTX_ctrl(f->ctx, EVP_CTRL_AEAD_GET_TAG, (int)f->alg->tag, f->out + f->n) != 1) {
        return -1;
    }
    f->n += f->alg->tag;
    return 1;
}

static int end_opening(struct wssec_flow *f)
{
    const struct wssec_cipher_alg *a = f->alg;
    int made = 0;
    if (f->fed < a->iv + a->tag || (a->tag == 0 && (f->fed == a->iv || f->fed % a->iv != 0))) {
        return 0;
    }
    if (a->tag != 0 && EVP_CIPHER_CTX_ctrl(f->ctx, EVP_CTRL_AEAD_SET_TAG, (int)a->tag, f->tail) != 1) {
        return -1;
    }
    if (EVP_CipherFinal_ex(f->ctx, f->out + f->n, &made) != 1) {
        return 0;
    }
    f->n += (size_t)made;
    return a->tag != 0 ? 1 : unpad_block(f);
}

int wssec_flow_end(struct wssec_flow *f, bool good)
{
    int rc = !good || f->ctx == NULL ? -1 : f->sealing ? end_sealing(f) : end_opening(f);
    if (rc != 1 && (rc < 0 || f->alg->tag != 0)) {
        OPENSSL_cleanse(f->out, f->n); /* what did not hold is nobody's to read */
        f->n = 0;
    }
    flow_free(f);
    ERR_clear_error();
    return rc;
}

int wssec_cipher_open(const struct wssec_cipher_alg *a, const uint8_t *key, struct wssec_slice sealed, cs_buf *out)
{
    struct wssec_flow f;
    cs_buf_reset(out);
    if (cs_buf_reserve(out, sealed.n + WSSEC_FLOW_MORE) != 0) {
        return -1;
    }
    bool good =
        wssec_flow_open(&f, a, key, (uint8_t *)out->data, out->cap) == 0 && wssec_flow_add(&f, sealed.p, sealed.n) == 0;
    int rc = wssec_flow_end(&f, good);
    out->len = f.n;
    out->data[out->len] = '\0';
    return rc;
}

int wssec_cipher_close(const struct wssec_cipher_alg *a, const uint8_t *key, struct wssec_slice data, cs_buf *out)
{
    struct wssec_flow f;
    if (cs_buf_reserve(out, data.n + WSSEC_FLOW_MORE) != 0) {
        return -1;
    }
    bool good = wssec_flow_close(&f, a, key, (uint8_t *)out->data + out->len, out->cap - out->len) == 0 &&
                wssec_flow_add(&f, data.p, data.n) == 0;
    int rc = wssec_flow_end(&f, good);
    out->len += f.n;
    return rc == 1 ? 0 : -1;
}
