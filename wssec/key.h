/* SPDX-License-Identifier: Apache-2.0 */
/* key.h: which stored certificate made a signature, and whether it may: steps 8 to 10. */
#ifndef WSSEC_KEY_H
#define WSSEC_KEY_H

#include "wssec/siginfo.h"

#define WSSEC_ENTRIES 64 /* asked of the resolver at most */

struct wssec_signer { /** The outcome of the candidates for one signature. */
    struct wssec_key_name name;
    struct wssec_entry *entry; /**< candidates in the arena; what they point to is borrowed from the resolver */
    int n;
    const struct wssec_entry *matched; /**< the one whose key fits the signature */
    bool unknown_successor; /**< the signature fits an unknown certificate with subject and issuer of a known one */
};

struct wssec_walk;
struct wssec_opening;

/** Everything a signature is judged with. */
struct wssec_judge {
    struct wssec_worker *worker;
    const struct wssec_input *input;
    const struct wssec_policy *policy;
    const struct wssec_when *when;
    const struct wssec_resolver *resolver;
    struct wssec_message *message;
    struct wssec_package *package; /**< what the message came in, with attachments; NULL: a plain message */
    struct wssec_refusal *why;
    struct wssec_verdict *verdict;
    struct wssec_explain *explain; /**< NULL: nobody asked */
    struct wssec_walk *walk;       /**< canonicalises in place of libxml2; NULL: libxml2 does */
    struct wssec_opening *opening; /**< the message is decrypted as well; NULL: it is not */
    unsigned legacy;               /**< bit set of dated exceptions that were used */
    struct wssec_key_reader reader;
};

/** Canonicalise SignedInfo into worker->signed_info, ask for candidates and try their keys. @return WSSEC_RC_OK, see
 *  why; else an error of ours */
int wssec_signer_find(struct wssec_judge *j, const struct wssec_siginfo *s, struct wssec_signer *out) WSSEC_MUST_CHECK;

/** State, dates, key usage and key length of the matched entry. created: signing time covered by the signature, 0:
 * none.
 *  @return WSSEC_RC_OK, see why; WSSEC_RC_NOMEM */
int wssec_signer_judge(struct wssec_judge *j, const struct wssec_signer *s, int64_t created) WSSEC_MUST_CHECK;

/** State, dates and trust of an entry alone, without a message: may it have signed at t? created: signing time that the
 *  signature covers, 0: none. Fills v->detail and adds notes. @return WSSEC_OK, or why not. Any thread */
enum wssec_reason wssec_entry_judge(const struct wssec_policy *p, const struct wssec_entry *e,
                                    const struct wssec_when *t, int64_t created, struct wssec_verdict *v);

/** OpenSSL's queue of errors (emptied) tells of memory that was not to be had. */
bool wssec_openssl_no_memory(void);
/** Copy what the result record shows of an entry. */
void wssec_certificate_fill(struct wssec_certificate *c, const struct wssec_entry *e);
/** Add a note to the verdict (dropped when full, or there already). */
void wssec_note(struct wssec_verdict *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
