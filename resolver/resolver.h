/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver.h: the one adapter between a keystore snapshot and wssec's key resolver. Copies fields, decides nothing.
 */
#ifndef CS_RESOLVER_H
#define CS_RESOLVER_H

#include "keystore/users.h"
#include "wssec/wssec.h"

/** Filled by resolver_init; lives as long as the wssec_resolver that points to it. */
struct resolver_judged;
struct resolver {
    const ks_snapshot *snapshot; /**< borrowed: the caller holds the reference until the verdict is used */
    const char *partner;         /**< whose messages are verified; NULL for signing */
    const char *sign_alias;      /**< slot of role sign; NULL for verification */
    const ks_entry *signer;      /**< signs in place of the active entry of sign_alias; NULL: that one does */
    const char *const *decrypt;  /**< slots of role decrypt; n_decrypt 0: every one */
    size_t n_decrypt;
    const struct ks_partner_config *users; /**< borrowed; whose user names are judged by their passwords */
    int64_t now; /**< whose retention is over by then opens nothing, whatever instant is asked for; 0: no matter */
    const ks_chain_rule *chain; /**< borrowed; NULL: only stored certificates count */
    uint8_t *unknown;
    size_t unknown_n; /**< owned (resolver_clear): the certificate of the message that nobody stored; NULL: none */
    struct resolver_judged *judged; /**< owned (resolver_clear): certificates of the message, judged by chain */
};

/** Point out at ctx: verification asks for partner's verifier entries, signing for the active entry of sign_alias. */
void resolver_init(struct wssec_resolver *out, struct resolver *ctx, const ks_snapshot *snapshot, const char *partner,
                   const char *sign_alias);
/** Open with the entries of these slots only (none: of every decrypt slot); borrowed. Encryption takes partner's. */
void resolver_decrypt(struct resolver *ctx, const char *const *alias, size_t n);
/** The instant at which the judgement is made, where it asks for an earlier one: a private key that is past its process
 *  stop now is closed, whether the keystore was told so already or not. */
void resolver_now(struct resolver *ctx, int64_t now);
/** Judge a UsernameToken by the passwords of users (ks_config_users; NULL: it is not looked at). */
void resolver_users(struct wssec_resolver *out, struct resolver *ctx, const struct ks_partner_config *users);
/** Let certificates that the message brings count by rule (NULL: they do not). To be followed by resolver_clear. */
void resolver_trust(struct resolver *ctx, const ks_chain_rule *rule);
/** Give back what was judged. Entries that ctx has given out end here; the verdict owns nothing of them. */
void resolver_clear(struct resolver *ctx);

#endif
