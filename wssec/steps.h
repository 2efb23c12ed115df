/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps.h: the judgement of one message, step by step in a fixed order; the first cause decides. The calls (verify.c)
 * and the one-pass engine (pass.c) choose what is read when; what is asked of a message, and in which order, is here.
 */
#ifndef WSSEC_STEPS_H
#define WSSEC_STEPS_H

#include "wssec/cover.h"
#include "wssec/times.h"
#include "wssec/usertoken.h"
#include "wssec/worker.h"

struct wssec_signed { /** One ds:Signature of our header on its way. */
    struct wssec_siginfo info;
    struct wssec_signer signer;
    struct wssec_source source[WSSEC_MAX_REFERENCES];
    uint8_t replay_key[32];
};

struct wssec_work { /** One call; in the arena. */
    struct wssec_judge judge;
    const struct wssec_input *whole; /**< judge.input may be its header alone for a while */
    struct wssec_security security;
    struct wssec_timestamp timestamp;
    struct wssec_user_token user;
    struct wssec_signed *signature[WSSEC_SIGNATURES];
    struct wssec_cover cover[WSSEC_SIGNATURES];
    unsigned n;
    unsigned decisive;
    bool passed; /**< every step was taken and none refused */
};

static inline bool wssec_work_stopped(const struct wssec_work *k)
{
    return k->judge.why->reason != WSSEC_OK;
}

/** An empty verdict of that call. */
void wssec_verdict_begin(struct wssec_verdict *v, const struct wssec_policy *p, const struct wssec_when *t,
                         const struct wssec_resolver *r);
/** A call's state over a message that is yet to be read into m. NULL: no memory */
struct wssec_work *wssec_work_new(const struct wssec_judge *as, struct wssec_message *m) WSSEC_MUST_CHECK;
/** Forget what was found so far: the message is judged once more. explained: steps that stay. */
void wssec_work_again(const struct wssec_judge *as, size_t explained);
/** Which engine is asked first under p. */
enum wssec_engine wssec_engine_of(const struct wssec_policy *p);
/** Octets of all slices, SIZE_MAX: more. */
size_t wssec_input_octets(const struct wssec_input *in);
/** No stored key fits: what the rest of the message cannot change. */
bool wssec_nobody_signed(const struct wssec_refusal *why);
/** What Body holds is not known yet: it may be the fault that needs no signature. */
bool wssec_may_be_unsigned_fault(const struct wssec_work *k);

/* Each step: @return WSSEC_RC_OK, see judge.why; else an error of ours. */
int wssec_step_message(struct wssec_work *k) WSSEC_MUST_CHECK;
int wssec_step_security(struct wssec_work *k) WSSEC_MUST_CHECK;
/** Shape and algorithms of every signature, before any cryptography. */
int wssec_step_shape(struct wssec_work *k) WSSEC_MUST_CHECK;
int wssec_step_signer(struct wssec_work *k, struct wssec_signed *s) WSSEC_MUST_CHECK;
/** The references of s were compared: into the record and the explanation. */
void wssec_step_compared(struct wssec_work *k, const struct wssec_signed *s);
/** What is judged once every signature and its references are known to be good; the replay store is asked behind it. */
int wssec_steps_last(struct wssec_work *k) WSSEC_MUST_CHECK;
/** Last, so that only a message that passed everything else takes room in the cache. Sets k->passed. c NULL: off */
void wssec_step_replay(struct wssec_work *k, const struct wssec_replay *c);
/** All of them, over the whole message as a tree. */
int wssec_steps_all(struct wssec_work *k, const struct wssec_replay *c) WSSEC_MUST_CHECK;

/** The end of a call: verdict and reason from why and rc, for whoever judged. This function alone turns the absence of
 *  a refusal into a pass. @return rc, or an error of ours that showed */
int wssec_work_finish(struct wssec_work *k, int rc, struct wssec_refusal *why) WSSEC_MUST_CHECK;

#endif
