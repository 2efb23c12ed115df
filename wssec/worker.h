/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.h: what one thread keeps between messages, so that a message costs no set-up: parser, digest and key contexts,
 * buffers. Nothing of a message's content survives into the next one's judgement.
 */
#ifndef WSSEC_WORKER_H
#define WSSEC_WORKER_H

#include <libxml/parser.h>
#include <openssl/evp.h>

#include "base/buffer.h"
#include "wssec/arena.h"
#include "wssec/message.h"
#include "wssec/package.h"
#include "wssec/token.h"

/** Facts of a stored certificate that would need an X509 decode, kept by the SHA-256 of its DER. */
struct wssec_cert_facts {
    bool used;
    uint8_t sha256[32];
    bool can_sign;
};
#define WSSEC_FACTS 64 /* direct-mapped by the first octets of the hash */

struct wssec_signature_alg;
/** A public key made ready for one algorithm: OpenSSL looks up names and allocates for it each time. */
struct wssec_ready_key {
    const struct wssec_signature_alg *alg;
    EVP_PKEY *key;     /**< the ctx holds a reference, so no other key comes to lie at this address */
    EVP_PKEY_CTX *ctx; /**< owned; NULL: free */
    uint64_t used;     /**< the oldest gives way */
};
#define WSSEC_READY_KEYS 16

struct wssec_stream;
struct wssec_push;

struct wssec_worker {
    xmlParserCtxtPtr parser;      /**< owned; made anew when its dictionary has grown (message.c) */
    const void *uri_ok[32];       /**< namespace names of the parser's dictionary that were judged good */
    struct wssec_message message; /**< the input */
    struct wssec_message second;  /**< what sign.c made of it, read again */
    struct wssec_package package; /**< what the message came in */
    struct wssec_arena arena;     /**< whatever lives as long as one call */
    struct wssec_stream *stream;  /**< owned; NULL: not needed yet */
    struct wssec_push *push;      /**< owned; NULL: not needed yet */
    EVP_MD_CTX *md;               /**< owned; for any digest */
    cs_buf signed_info;           /**< canonical SignedInfo of the signature at hand */
    cs_buf scratch;               /**< any step, never across calls */
    struct wssec_cert_facts facts[WSSEC_FACTS];
    struct wssec_ready_key ready[WSSEC_READY_KEYS];
    uint64_t ready_clock;
    struct wssec_tokens tokens;
    uint32_t cross_ppm; /**< what has come together of the share that both engines judge */
    /* output side, used by sign.c, splice.c, remove.c */
    cs_buf out;                /**< octets that the pieces of the last answer point to */
    struct wssec_slice *piece; /**< owned; pieces of the last answer */
    size_t n_piece, cap_piece;
    cs_buf signature_value; /**< of the last wssec_sign */
    cs_buf opened[2];       /**< texts of wssec_open, in turn */
    struct wssec_slice opened_piece;
};

/** Set by wssec_init, read-only afterwards. */
extern enum wssec_engine wssec_forced_engine;
/** Since the last reset on this thread libxml2 reported an error outside of a parser: mostly memory that it did
 * without. */
bool wssec_library_failed(void);
void wssec_library_reset(void);
/** The digest of that OpenSSL name (SHA1, SHA256, SHA384, SHA512), fetched at start. NULL: not one of them. */
const EVP_MD *wssec_md(const char *name);

#endif
