/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.h: certificates in tokens as messages bring them, decoded. A sender says the same token with each message, so a
 * worker remembers the latest texts with what they decode to: nothing but a function of the text, whoever sent it.
 */
#ifndef WSSEC_TOKEN_H
#define WSSEC_TOKEN_H

#include <libxml/tree.h>
#include <openssl/evp.h>

#include "base/buffer.h"
#include "wssec/arena.h"
#include "wssec/wssec.h"

#define WSSEC_TOKENS 8

struct wssec_token {
    cs_buf text; /**< as in the message, blanks too */
    cs_buf octets;
    uint8_t sha256[32]; /**< of octets */
};
struct wssec_tokens {
    struct wssec_token seen[WSSEC_TOKENS];
    size_t next; /**< gives way to the next new one */
};

/** The base64 text of node, and the SHA-256 of its octets. tokens NULL: nothing is remembered.
 *  @return in the arena; p NULL: not base64, empty, or more than max octets, or *rc is no longer WSSEC_RC_OK */
struct wssec_slice wssec_token_octets(struct wssec_tokens *tokens, struct wssec_arena *arena, const xmlNode *node,
                                      size_t max, uint8_t sha256[32], int *rc);
void wssec_tokens_free(struct wssec_tokens *t);

#endif
