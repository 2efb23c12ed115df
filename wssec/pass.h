/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pass.h: one message through the one-pass engine: its front (all up to the content of Body) is judged, the rest is fed
 * as it comes, the end brings the judgement. Nothing is kept of what was fed.
 */
#ifndef WSSEC_PASS_H
#define WSSEC_PASS_H

#include "wssec/steps.h"
#include "wssec/stream.h"

struct wssec_pass {                  /** Of one call, or of the calls of one push (push.c). */
    const struct wssec_judge *judge; /**< borrowed; its input may be without octets until the end */
    struct wssec_stream *stream;     /**< the worker's */
    struct wssec_work *work;         /**< in the arena; NULL: the front was not judged */
    size_t behind;                   /**< octets of the message in front of Body's content */
    size_t explained;
    bool reads; /**< the content of Body is wanted, and may be fed */
    int rc;     /**< first error of ours */
};

/** Begin. judge lives until the end. */
void wssec_pass_begin(struct wssec_pass *p, const struct wssec_judge *judge);
/** Judge the front of in, which holds the message or its first octets. @return false: nothing was done, in does not
 *  show a front (yet); else see p->reads and p->rc */
bool wssec_pass_front(struct wssec_pass *p, const struct wssec_input *in) WSSEC_MUST_CHECK;
/** The octets that follow: the first time those behind p->behind of the message. Nothing unless p->reads. */
void wssec_pass_feed(struct wssec_pass *p, const uint8_t *octets, size_t n);
/** ... all that in holds of them. */
void wssec_pass_rest(struct wssec_pass *p, const struct wssec_input *in);
/** What can still come does not change the judgement: no key fits, or no tree could be made of it. @param octets of the
 *  message so far */
bool wssec_pass_decided(const struct wssec_pass *p, size_t octets);
/** All was fed; judge->input is the whole message, for a check by the other engine, or without octets: none is made.
 *  @param octets of the message @return the judgement, for wssec_work_finish with p->rc; NULL: the message is for the
 * tree engine, *cause says why, and everything found so far is forgotten */
struct wssec_work *wssec_pass_end(struct wssec_pass *p, size_t octets, const struct wssec_replay *c,
                                  const char **cause) WSSEC_MUST_CHECK;

#endif
