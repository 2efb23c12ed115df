/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cipher.h: the algorithms of XML Encryption as tables, and the cryptographic steps alone: a block of octets opened or
 * closed with a content key, a content key unwrapped or wrapped with an RSA key. Knows no XML tree.
 */
#ifndef WSSEC_CIPHER_H
#define WSSEC_CIPHER_H

#include "base/buffer.h"
#include "wssec/agree.h"
#include "wssec/alg.h"
#include "wssec/wssec.h"

#define WSSEC_CONTENT_KEY_MAX 32

struct wssec_cipher_alg { /** Block encryption of data. */
    const char *word, *uri;
    const char *evp; /**< OpenSSL's name */
    size_t key, iv, tag;
    enum wssec_legacy legacy;
};

struct wssec_transport_alg { /** How a content key travels. */
    const char *word, *uri;
    bool oaep;      /**< false: PKCS #1 version 1.5 */
    bool mgf_named; /**< the mask generation function may be named (xmlenc11); else it is MGF1 with SHA-1 */
    enum wssec_legacy legacy;
    size_t wrap; /**< AES key wrap under an agreed key of so many octets; 0: RSA */
};

/** @return static row, NULL: not in the table */
const struct wssec_cipher_alg *wssec_cipher_by_uri(const char *uri);
const struct wssec_cipher_alg *wssec_cipher_by_word(const char *word);
const struct wssec_transport_alg *wssec_transport_by_uri(const char *uri);
const struct wssec_transport_alg *wssec_transport_by_word(const char *word);
/** Names of the rows, NULL-terminated (suggestions). */
const char *const *wssec_cipher_words(void);
const char *const *wssec_transport_words(void);
/** OpenSSL's name of the digest in a mask generation function's URI, NULL: unknown. */
const char *wssec_mgf_digest(const char *uri);
/** The other way: URI for OpenSSL's name of a digest. NULL: none */
const char *wssec_mgf_uri(const char *evp);

/** How one content key travels. */
struct wssec_transport {
    const struct wssec_transport_alg *alg;
    const char *digest, *mgf_digest;   /**< OAEP: OpenSSL's names */
    struct wssec_slice label;          /**< OAEP parameter, may be empty */
    struct wssec_agreement *agreement; /**< key wrap: how its key is agreed on; borrowed */
};

/** Unwrap with one private key. A padding that does not hold and a key of another length look alike, and PKCS #1 1.5
 *  is taken off in constant time. @return 1: key holds want octets; 0: it does not fit; -1: no memory */
int wssec_transport_open(const struct wssec_transport *t, EVP_PKEY *key, struct wssec_slice wrapped, size_t want,
                         uint8_t out[WSSEC_CONTENT_KEY_MAX]) WSSEC_MUST_CHECK;
/** The row of key wrap with a key of so many octets. */
const struct wssec_transport_alg *wssec_transport_wrap(size_t octets);
/** Wrap for the holder of a public key, into out (reset first). RSA alone. @return 0, or -1 */
int wssec_transport_close(const struct wssec_transport *t, EVP_PKEY *key, const uint8_t *content_key, size_t n,
                          cs_buf *out) WSSEC_MUST_CHECK;

/**
 * A block of octets that is opened or closed in pieces, into room that the caller has. What comes out of an opening is
 * not to be looked at before the end has said that it holds.
 */
struct wssec_flow {
    const struct wssec_cipher_alg *alg;
    bool sealing;
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *ctx;
    uint8_t key[WSSEC_CONTENT_KEY_MAX], iv[16], tail[16];
    size_t n_iv, n_tail, fed;
    uint8_t *out; /**< borrowed */
    size_t n, room;
};
#define WSSEC_FLOW_MORE 128 /**< room beyond the octets that are fed */

/** Begin; wssec_flow_end must follow, whatever this returns. Only ciphers with a tag are closed. @return 0, or -1 */
int wssec_flow_open(struct wssec_flow *f, const struct wssec_cipher_alg *a, const uint8_t *key, uint8_t *out,
                    size_t room) WSSEC_MUST_CHECK;
int wssec_flow_close(struct wssec_flow *f, const struct wssec_cipher_alg *a, const uint8_t *key, uint8_t *out,
                     size_t room) WSSEC_MUST_CHECK;
/** The next octets; flow: struct wssec_flow (a wssec_mime_sink). @return 0, or -1 */
int wssec_flow_add(void *flow, const void *octets, size_t n) WSSEC_MUST_CHECK;
/** The end. good: all went well so far. @return 1: f->n octets are in the room; 0: tag or padding do not hold; -1: no
 * memory. What did not hold is wiped, but of a cipher without a tag: see wssec_cipher_open */
int wssec_flow_end(struct wssec_flow *f, bool good) WSSEC_MUST_CHECK;

/** Open sealed (iv, data, tag) into out (reset first). @return 1: opened; 0: tag or padding do not hold; -1: no memory.
 *  With 0, out is empty for a cipher with a tag. For one without it holds what came out, padding and all: it is to be
 * looked at as a good one would be and then wiped, so that the time of the refusal does not tell whether the padding
 * held. */
int wssec_cipher_open(const struct wssec_cipher_alg *a, const uint8_t *key, struct wssec_slice sealed,
                      cs_buf *out) WSSEC_MUST_CHECK;
/** Seal data under a fresh random iv, behind what out holds. Only ciphers with a tag. @return 0, or -1 */
int wssec_cipher_close(const struct wssec_cipher_alg *a, const uint8_t *key, struct wssec_slice data,
                       cs_buf *out) WSSEC_MUST_CHECK;

#endif
