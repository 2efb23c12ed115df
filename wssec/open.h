/* SPDX-License-Identifier: Apache-2.0 */
/* open.h: decryption beside the judgement of signatures: what verify.c asks of open.c, and the other way round. */
#ifndef WSSEC_OPEN_H
#define WSSEC_OPEN_H

#include "wssec/cover.h"

struct wssec_opening { /** One wssec_open. */
    bool began;        /**< something was decrypted, or tried to be */
    bool has_entry;
    struct wssec_certificate entry; /**< whose private key opened something */
    unsigned legacy;                /**< bit set of dated exceptions that opening used */
    cs_buf *text;                   /**< the newest text, of the worker; NULL: the input as it came */
    /** Open what stands behind the Signature, where decisive covers it. The message was verified as it came.
     *  @return WSSEC_RC_OK, see j->why; else an error of ours */
    int (*behind)(struct wssec_opening *o, struct wssec_judge *j, const struct wssec_cover *decisive);
};

/** Into the record. */
void wssec_opening_show(const struct wssec_opening *o, struct wssec_verdict *v);

/* verify.c */
/** Dated exceptions (a bit set) into the record: words, and a note with the end of each. */
void wssec_exceptions_show(struct wssec_verdict *v, const struct wssec_policy *p, unsigned legacy);
/** The end of a call whose message was refused (why), or that failed (rc), before anything of it was judged.
 *  @return rc, or an error of ours */
int wssec_refused(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                  const struct wssec_when *t, const struct wssec_resolver *r, int rc, struct wssec_refusal *why,
                  struct wssec_verdict *v, struct wssec_explain *x) WSSEC_MUST_CHECK;
/** The SOAP part of the worker's package judged: wssec_verify, as a part of wssec_open when opening is not NULL. */
int wssec_verify_opening(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                         const struct wssec_when *t, const struct wssec_resolver *r, const struct wssec_replay *c,
                         struct wssec_verdict *v, struct wssec_explain *x,
                         struct wssec_opening *opening) WSSEC_MUST_CHECK;

#endif
