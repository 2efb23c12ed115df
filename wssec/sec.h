/* SPDX-License-Identifier: Apache-2.0 */
/* sec.h: our wsse:Security header as plain structs: its children by kind, and how a key reference names a key. */
#ifndef WSSEC_SEC_H
#define WSSEC_SEC_H

#include "wssec/arena.h"
#include "wssec/message.h"
#include "wssec/package.h"

#define WSSEC_SIGNATURES 16 /* ceiling of limits { signatures } */

struct wssec_security { /** Children of our Security header; nodes borrowed from the tree. */
    xmlNodePtr signature[WSSEC_SIGNATURES];
    unsigned n_signature;
    xmlNodePtr timestamp;
    unsigned n_timestamp;
    xmlNodePtr username; /**< first UsernameToken */
    unsigned n_username;
    xmlNodePtr encrypted; /**< first EncryptedKey, ReferenceList or EncryptedData */
    bool encrypted_first; /**< one that lists EncryptedData stands before the first Signature: to be opened before the
                             signature can be judged */
};

/** Refuse a message whose references may name what is sealed still, whatever else was found. s->encrypted_first holds.
 */
void wssec_security_sealed(const struct wssec_security *s, struct wssec_refusal *why);
/** Sort the children of m->security. @return 0, or -1 with why filled */
int wssec_security_read(const struct wssec_message *m, unsigned max_signatures, struct wssec_security *s,
                        struct wssec_refusal *why) WSSEC_MUST_CHECK;

#define WSSEC_CERTIFICATES 8 /* in one key reference */

struct wssec_key_name {     /** What a KeyInfo or SecurityTokenReference says about the key; memory of the arena or the
                               tree. */
    struct wssec_hint hint; /**< cert fields describe certificate[0] */
    struct wssec_slice certificate[WSSEC_CERTIFICATES]; /**< DER; leaf first where the kind has an order */
    size_t n_certificate;
    xmlNodePtr token; /**< the BinarySecurityToken in the message, NULL: none */
    xmlNodePtr str;   /**< the SecurityTokenReference, NULL: bare X509Data or nothing */
};

/** Who reads and under which rules. */
struct wssec_key_reader {
    struct wssec_arena *arena;
    const struct wssec_message *message;
    const struct wssec_package *package; /**< NULL: a plain message */
    const struct wssec_policy *policy;
    int64_t at;       /**< for dated exceptions */
    unsigned *legacy; /**< bit set of exceptions that were used, added to */
    struct wssec_refusal *why;
    const struct wssec_container *files; /**< what a detached signature may be over; NULL: one of a SOAP message */
    struct wssec_tokens *tokens;         /**< of the worker; NULL: nothing is remembered */
};

/** Read a wsse:SecurityTokenReference. @return WSSEC_RC_OK, see r->why; WSSEC_RC_NOMEM */
int wssec_str_read(const struct wssec_key_reader *r, xmlNodePtr str, struct wssec_key_name *out) WSSEC_MUST_CHECK;
/** Read ds:KeyInfo of a signature; NULL: there is none. @return as wssec_str_read */
int wssec_key_info_read(const struct wssec_key_reader *r, xmlNodePtr key_info,
                        struct wssec_key_name *out) WSSEC_MUST_CHECK;

/** Strict base64 text content of node. @return octets in the arena; p NULL: not base64, empty, longer than max, or no
 * memory (then *rc is WSSEC_RC_NOMEM) */
struct wssec_slice wssec_base64_content(struct wssec_arena *arena, const xmlNode *node, size_t max, int *rc);

#endif
