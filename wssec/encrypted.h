/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encrypted.h: xenc:EncryptedKey and xenc:EncryptedData as plain structs, with every check that needs no key: shape,
 * algorithms, key lengths, places. No private key is touched before all of them hold.
 */
#ifndef WSSEC_ENCRYPTED_H
#define WSSEC_ENCRYPTED_H

#include "wssec/cipher.h"
#include "wssec/sec.h"

#define WSSEC_NS_XENC11 "http://www.w3.org/2009/xmlenc11#"
#define WSSEC_ENCRYPTED 64 /* ceiling of limits { encrypted } */

struct wssec_encrypted_key {
    xmlNodePtr node;
    struct wssec_transport transport;
    struct wssec_key_name name; /**< whose key it is wrapped for; hint kind NONE: not said */
    struct wssec_slice wrapped; /**< arena */
    uint8_t sha1[20];           /**< of the wrapped key: how EncryptedKeySHA1 names it */
    xmlNodePtr references;      /**< its ReferenceList, NULL: none */
    /* filled when it is opened */
    size_t length; /**< octets that its data's algorithm needs; 0: not asked yet */
    uint8_t key[WSSEC_CONTENT_KEY_MAX];
    const struct wssec_entry *entry; /**< whose private key opened it; NULL: none did, key holds random octets */
};

struct wssec_encrypted_data {
    xmlNodePtr node;       /**< EncryptedData */
    xmlNodePtr replaced;   /**< what the plaintext takes the place of: node, or its EncryptedHeader */
    bool content;          /**< Type Content; else Element, or an attachment */
    size_t attachment;     /**< part of the package that is opened; 0: none, the data itself is */
    bool complete;         /**< the header of the attachment is sealed with it */
    const char *mime_type; /**< of the attachment; NULL: not said */
    const struct wssec_cipher_alg *cipher;
    struct wssec_encrypted_key *key;
    struct wssec_slice sealed; /**< arena; of an attachment: not filled */
};

struct wssec_encrypted {             /** What one header leads to. */
    struct wssec_encrypted_key *key; /**< arena; limits { encrypted } and one more */
    unsigned n_key;
    struct wssec_encrypted_data *data; /**< arena */
    unsigned n_data;
    unsigned limit;
};

/** Which children of the Security header are worked on. */
enum wssec_stage {
    WSSEC_STAGE_BEFORE, /**< what stands before the first Signature */
    WSSEC_STAGE_BEHIND, /**< what stands behind it */
    WSSEC_STAGE_ALL
};

/** Collect what is to be opened at a stage. cbc: ciphers without a tag may be used here (their dated exceptions hold).
 *  @return WSSEC_RC_OK, see r->why; WSSEC_RC_NOMEM */
int wssec_encrypted_collect(const struct wssec_key_reader *r, enum wssec_stage stage, bool authenticated,
                            struct wssec_encrypted *out) WSSEC_MUST_CHECK;

#endif
