/* SPDX-License-Identifier: Apache-2.0 */
/* usertoken.h: wsse:UsernameToken (Username Token Profile 1.1): who says to be whom, and whether the password fits. */
#ifndef WSSEC_USERTOKEN_H
#define WSSEC_USERTOKEN_H

#include "base/buffer.h"
#include "wssec/key.h"

struct wssec_user_token {
    bool has_nonce;
    uint8_t nonce_key[32]; /**< of user and decoded nonce, for the replay store: another coding is the same nonce */
    int64_t nonce_until;   /**< until when a copy could be accepted */
};

/** Judge the UsernameToken of s by the resolver's passwords; without passwords it is not looked at.
 *  @return WSSEC_RC_OK, see j->why; else an error of ours */
int wssec_user_token_judge(struct wssec_judge *j, const struct wssec_security *s,
                           struct wssec_user_token *out) WSSEC_MUST_CHECK;

/** A UsernameToken with that wsu:Id: name, digest (or the password itself), Nonce, Created. Prefixes wsse and wsu are
 *  bound. @return WSSEC_RC_OK, see why; WSSEC_RC_NOMEM, WSSEC_RC_INTERNAL */
int wssec_user_token_write(const struct wssec_user *user, int64_t created, const char *id, cs_buf *out,
                           struct wssec_refusal *why) WSSEC_MUST_CHECK;

#endif
