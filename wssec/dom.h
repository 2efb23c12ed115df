/* SPDX-License-Identifier: Apache-2.0 */
/* dom.h: the tree engine: judges the references of one signature (step 11), and the signature a second time by xmlsec.
 */
#ifndef WSSEC_DOM_H
#define WSSEC_DOM_H

#include "wssec/canon.h"
#include "wssec/key.h"

/** Where the octets of one reference come from: a subtree, an attachment, or a token that is not in the message,
 * written out. */
struct wssec_source {
    struct wssec_judge *judge;
    size_t attachment; /**< part of the package; 0: none */
    enum wssec_attachment_form form;
    struct wssec_canon canon; /**< canon.node NULL: built, or an attachment */
    struct wssec_slice built; /**< canonical octets, of the arena */
    bool judged, ok;
};

/**
 * Digest every reference of s with the matched key of signer and compare; fills ok and judged of the verdict's
 * reference rows [first, first + n). source[i].canon.node tells afterwards which node a reference really covers.
 * @return WSSEC_RC_OK, see j->why (digest-mismatch, engine-disagreement, …); else an error of ours
 */
int wssec_dom_references(struct wssec_judge *j, const struct wssec_siginfo *s, const struct wssec_signer *signer,
                         struct wssec_source *source) WSSEC_MUST_CHECK;

/** Register our transforms with xmlsec and take down what must not be there. Once, from wssec_init. @return 0, or -1 */
int wssec_dom_init(void) WSSEC_MUST_CHECK;

/* xform.c */
/** Find out what each reference of s digests: its target, or for the STR-Transform the token that the target stands
 * for.
 *  @return WSSEC_RC_OK, see j->why; WSSEC_RC_NOMEM, WSSEC_RC_INTERNAL */
int wssec_sources(struct wssec_judge *j, const struct wssec_siginfo *s, const struct wssec_signer *signer,
                  struct wssec_source *source) WSSEC_MUST_CHECK;
/** Give the octets of a source. @return as wssec_canon; see the judge's why too where the message is a package */
int wssec_source_write(const struct wssec_source *source, wssec_canon_sink sink, void *ctx) WSSEC_MUST_CHECK;
/** Refuse because the digest of ref does not fit. */
void wssec_source_refuse(struct wssec_judge *j, const struct wssec_reference *ref);
/** Digest of a source. @return WSSEC_RC_OK; as wssec_canon */
int wssec_source_digest(struct wssec_worker *w, const struct wssec_source *source, const struct wssec_digest_alg *alg,
                        uint8_t out[EVP_MAX_MD_SIZE]) WSSEC_MUST_CHECK;

/* xop.c */
/** In an XOP package: put something in the place of every xop:Include of j->message, which is a tree.
 *  @return WSSEC_RC_OK, see j->why; else an error of ours */
int wssec_xop_expand(struct wssec_judge *j) WSSEC_MUST_CHECK;
/** As wssec_canon, with the base64 of their parts in the place of Includes. why: the message's.
 *  @return as wssec_canon, see why too */
int wssec_xop_canon(struct wssec_worker *worker, const struct wssec_canon *c, wssec_canon_sink sink, void *ctx,
                    struct wssec_refusal *why) WSSEC_MUST_CHECK;

#endif
