/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c: the calls that judge a message: which engine is asked first, and which one after it. */
#include <openssl/err.h>
#include <string.h>

#include "base/text.h"
#include "wssec/early.h"
#include "wssec/open.h"
#include "wssec/pass.h"
#include "wssec/steps.h"

/*
 * A large message is asked for its signature before its Body is read. Only what the Body cannot change is taken for an
 * answer: that no stored key fits. Anything else, and every pass, comes from the whole message.
 * @return the refusal's work; NULL: judge the whole message
 */
static struct wssec_work *run_early(const struct wssec_judge *as, int *rc)
{
    struct wssec_worker *w = as->worker;
    size_t explained = as->explain != NULL ? as->explain->n : 0;
    size_t behind = 0;
    if (!wssec_early_large(as->input) || !wssec_early_text(as->input, &w->scratch, &behind)) {
        return NULL;
    }
    const struct wssec_slice head = {(const uint8_t *)w->scratch.data, w->scratch.len};
    struct wssec_input in = *as->input;
    in.slice = &head;
    in.n_slice = 1;
    struct wssec_judge with_head = *as;
    with_head.input = &in;
    struct wssec_work *k = wssec_work_new(&with_head, &w->second);
    if (k == NULL) {
        return NULL;
    }
    k->whole = as->input;
    static int (*const steps[])(struct wssec_work *) = {wssec_step_message, wssec_step_security, wssec_step_shape};
    *rc = WSSEC_RC_OK;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && *rc == WSSEC_RC_OK && !wssec_work_stopped(k); i++) {
        *rc = steps[i](k);
    }
    for (unsigned i = 0; i < k->n && *rc == WSSEC_RC_OK && !wssec_work_stopped(k); i++) {
        *rc = wssec_step_signer(k, k->signature[i]);
    }
    k->judge.input = as->input;
    if (*rc == WSSEC_RC_OK && wssec_nobody_signed(as->why)) {
        return k;
    }
    wssec_work_again(as, explained);
    return NULL;
}

/* @return the judgement; NULL: the message is for the tree engine, and *cause says why */
static struct wssec_work *run_stream(const struct wssec_judge *as, const struct wssec_replay *c, int *rc,
                                     const char **cause)
{
    const struct wssec_input *in = as->input;
    size_t octets = wssec_input_octets(in);
    struct wssec_pass p;
    wssec_pass_begin(&p, as);
    *cause = "head";
    if (octets > as->policy->limits.body || !wssec_pass_front(&p, in)) {
        return NULL;
    }
    wssec_pass_rest(&p, in);
    struct wssec_work *k = wssec_pass_end(&p, octets, c, cause);
    *rc = p.rc;
    return k;
}

enum wssec_engine wssec_engine_of(const struct wssec_policy *p)
{
    if (wssec_forced_engine != WSSEC_ENGINE_AUTO) {
        return wssec_forced_engine;
    }
    return p->engine == WSSEC_POLICY_XMLSEC ? WSSEC_ENGINE_DOM : WSSEC_ENGINE_STREAM;
}

int wssec_verify(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                 const struct wssec_when *t, const struct wssec_resolver *r, const struct wssec_replay *c,
                 struct wssec_verdict *v, struct wssec_explain *x)
{
    struct wssec_refusal why = {WSSEC_OK, ""};
    wssec_arena_reset(&w->arena);
    int rc = wssec_package_open(&w->package, in, &p->limits, &why);
    if (rc == WSSEC_RC_OK && why.reason == WSSEC_OK) {
        rc = wssec_verify_opening(w, &w->package.root, p, t, r, c, v, x, NULL);
        wssec_package_show(&w->package, v, SIZE_MAX);
        return rc;
    }
    return wssec_refused(w, in, p, t, r, rc, &why, v, x);
}

int wssec_refused(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                  const struct wssec_when *t, const struct wssec_resolver *r, int rc, struct wssec_refusal *why,
                  struct wssec_verdict *v, struct wssec_explain *x)
{
    const struct wssec_judge judge = {
        .worker = w, .input = in, .policy = p, .when = t, .resolver = r, .why = why, .verdict = v, .explain = x};
    wssec_verdict_begin(v, p, t, r);
    wssec_library_reset();
    struct wssec_work *k = rc == WSSEC_RC_OK ? wssec_work_new(&judge, &w->message) : NULL;
    if (k == NULL) {
        v->verdict = WSSEC_ERROR;
        v->reason = WSSEC_OUT_OF_MEMORY;
        return WSSEC_RC_NOMEM;
    }
    return wssec_work_finish(k, rc, why);
}

int wssec_verify_opening(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                         const struct wssec_when *t, const struct wssec_resolver *r, const struct wssec_replay *c,
                         struct wssec_verdict *v, struct wssec_explain *x, struct wssec_opening *opening)
{
    struct wssec_refusal why = {WSSEC_OK, ""};
    wssec_verdict_begin(v, p, t, r);
    wssec_library_reset();
    wssec_arena_reset(&w->arena);
    const struct wssec_judge judge = {.worker = w,
                                      .input = in,
                                      .policy = p,
                                      .when = t,
                                      .resolver = r,
                                      .package = w->package.mime.n_part > 0 ? &w->package : NULL,
                                      .why = &why,
                                      .verdict = v,
                                      .explain = x,
                                      .opening = opening};
    int rc = WSSEC_RC_OK;
    const char *cause = NULL;
    /* what is opened is cut out of the tree */
    struct wssec_work *k = opening != NULL || wssec_engine_of(p) == WSSEC_ENGINE_DOM
                               ? run_early(&judge, &rc)
                               : run_stream(&judge, c, &rc, &cause);
    if (k == NULL) {
        (void)cs_copy(v->fallback, sizeof v->fallback, cause != NULL ? cause : "");
        k = wssec_work_new(&judge, &w->message);
        if (k == NULL) {
            v->verdict = WSSEC_ERROR;
            v->reason = WSSEC_OUT_OF_MEMORY;
            return WSSEC_RC_NOMEM;
        }
        rc = wssec_steps_all(k, c);
    }
    rc = wssec_work_finish(k, rc, &why);
    wssec_message_reset(&w->second);
    wssec_message_reset(&w->message);
    ERR_clear_error(); /* what candidates left behind is nobody's business, TLS of the caller reads the same queue */
    return rc;
}