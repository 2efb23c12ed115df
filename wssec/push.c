/* SPDX-License-Identifier: Apache-2.0 */
/*
 * push.c: a message that is judged while it comes. Its octets go through the one-pass engine and are forgotten; what
 * that engine cannot answer for is judged from the beginning, over the whole message, when it is there.
 */
#include "wssec/push.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wssec/open.h"
#include "wssec/pass.h"

#define LOOK_FIRST ((size_t)2 << 10)   /* octets that are there when the front is looked for, then twice as many */
#define LOOK_LAST  ((size_t)640 << 10) /* a front that has not ended here is none (early.c) */

enum push_state {
    PUSH_NONE,    /* begin was not called, or finish was */
    PUSH_FRONT,   /* octets are gathered until the content of Body begins */
    PUSH_BODY,    /* the content of Body goes by */
    PUSH_DECIDED, /* refused whatever comes */
    PUSH_WHOLE    /* for the whole message only */
};

struct wssec_push {
    enum push_state state;
    struct wssec_input input; /* as begun, without octets */
    struct wssec_when when;
    struct wssec_resolver resolver;
    struct wssec_judge judge;
    struct wssec_refusal why;
    struct wssec_pass pass;
    cs_buf front;
    size_t look_at;  /* octets of front at which it is looked at next */
    size_t octets;   /* of the message so far */
    uint64_t resets; /* of the arena when begun: another call on the worker takes everything away */
    bool too_large;
};

void wssec_push_free(struct wssec_push *s)
{
    if (s != NULL) {
        cs_buf_free(&s->front);
        free(s);
    }
}

/* Every call may come from another thread than the one before: what libxml2 notes per thread is looked at each time. */
static int call_end(struct wssec_push *s, int rc)
{
    if (rc == WSSEC_RC_OK && wssec_library_failed()) {
        rc = WSSEC_RC_NOMEM;
    }
    if (rc != WSSEC_RC_OK && s->pass.rc == WSSEC_RC_OK) {
        s->pass.rc = rc;
    }
    ERR_clear_error();
    return rc;
}

int wssec_verify_begin(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                       const struct wssec_when *t, const struct wssec_resolver *r, struct wssec_verdict *v,
                       struct wssec_explain *x)
{
    if (w->push == NULL && (w->push = calloc(1, sizeof *w->push)) == NULL) {
        return WSSEC_RC_NOMEM;
    }
    struct wssec_push *s = w->push;
    wssec_verdict_begin(v, p, t, r);
    wssec_library_reset();
    wssec_arena_reset(&w->arena);
    wssec_package_none(&w->package);
    cs_buf_reset(&s->front);
    s->input = *in;
    s->input.slice = NULL;
    s->input.n_slice = 0;
    s->when = *t;
    s->resolver = *r;
    s->why = (struct wssec_refusal){WSSEC_OK, ""};
    s->judge = (struct wssec_judge){.worker = w,
                                    .input = &s->input,
                                    .policy = p,
                                    .when = &s->when,
                                    .resolver = &s->resolver,
                                    .why = &s->why,
                                    .verdict = v,
                                    .explain = x};
    s->look_at = LOOK_FIRST;
    s->octets = 0;
    s->resets = w->arena.resets;
    s->too_large = false;
    wssec_pass_begin(&s->pass, &s->judge);
    s->state =
        wssec_engine_of(p) == WSSEC_ENGINE_DOM || wssec_mime_is_multipart(in->content_type) ? PUSH_WHOLE : PUSH_FRONT;
    return call_end(s, s->pass.rc);
}

/* ---- octets --------------------------------------------------------------------------------------------------- */

/* What the pass says about going on. */
static void look_at_pass(struct wssec_push *s)
{
    if (wssec_pass_decided(&s->pass, s->octets)) {
        s->state = PUSH_DECIDED;
    } else if (s->pass.reads) {
        s->state = PUSH_BODY;
    } else {
        s->state = PUSH_WHOLE;
    }
}

/* Is the front in what was gathered? */
static void look_for_front(struct wssec_push *s)
{
    const struct wssec_slice slice = {(const uint8_t *)s->front.data, s->front.len};
    struct wssec_input in = s->input;
    in.slice = &slice;
    in.n_slice = 1;
    if (!wssec_pass_front(&s->pass, &in)) {
        s->state = s->pass.rc != WSSEC_RC_OK || s->front.len >= LOOK_LAST ? PUSH_WHOLE : PUSH_FRONT;
        s->look_at = s->front.len * 2;
        return;
    }
    wssec_pass_rest(&s->pass, &in);
    look_at_pass(s);
}

/* @return octets taken, of n */
static size_t gather(struct wssec_push *s, const uint8_t *p, size_t n)
{
    size_t wanted = s->look_at > s->front.len ? s->look_at - s->front.len : 0;
    size_t taken = n < wanted ? n : wanted;
    if (cs_buf_add(&s->front, p, taken) != 0) {
        s->pass.rc = WSSEC_RC_NOMEM;
        s->state = PUSH_DECIDED;
    } else if (s->front.len >= s->look_at) {
        look_for_front(s);
    }
    return taken;
}

static bool is_open(const struct wssec_worker *w)
{
    return w->push != NULL && w->push->state != PUSH_NONE && w->push->resets == w->arena.resets;
}

int wssec_verify_feed(struct wssec_worker *w, const void *octets, size_t n, enum wssec_need *need)
{
    struct wssec_push *s = w->push;
    const uint8_t *p = octets;
    *need = WSSEC_NEED_NOTHING;
    if (!is_open(w)) {
        return WSSEC_RC_USAGE;
    }
    wssec_library_reset();
    if (__builtin_add_overflow(s->octets, n, &s->octets)) {
        s->octets = SIZE_MAX;
    }
    if (s->octets > s->judge.policy->limits.body) {
        s->too_large = true;
        s->state = PUSH_DECIDED;
    }
    while (n != 0 && s->state == PUSH_FRONT) {
        size_t taken = gather(s, p, n);
        p += taken;
        n -= taken;
    }
    if (n != 0 && s->state == PUSH_BODY) {
        wssec_pass_feed(&s->pass, p, n);
        look_at_pass(s);
    }
    int rc = call_end(s, s->pass.rc);
    *need = s->state == PUSH_DECIDED || rc != WSSEC_RC_OK ? WSSEC_NEED_NOTHING
            : s->state == PUSH_WHOLE                      ? WSSEC_NEED_WHOLE
                                                          : WSSEC_NEED_MORE;
    return rc;
}

/* ---- the end -------------------------------------------------------------------------------------------------- */

/* A dated exception that the message needed is over by now. */
static bool exception_ended(const struct wssec_push *s)
{
    const struct wssec_policy *p = s->judge.policy;
    for (unsigned l = 0; l < WSSEC_LEGACIES; l++) {
        if ((s->pass.work->judge.legacy & 1u << l) != 0 && p->legacy_end[l] <= s->when.at) {
            return true;
        }
    }
    return false;
}

/* Time has passed since the front was judged: the keys' states are asked for once more. @return false: another key
 * answers now, so the message is judged from the beginning */
static bool signers_anew(struct wssec_push *s)
{
    struct wssec_work *k = s->pass.work;
    if (k == NULL || wssec_work_stopped(k)) {
        return true;
    }
    if (exception_ended(s)) {
        return false;
    }
    k->judge.reader.at = s->when.at;
    k->judge.explain = NULL; /* was told */
    for (unsigned i = 0; i < k->n && s->pass.rc == WSSEC_RC_OK && !wssec_work_stopped(k); i++) {
        const struct wssec_entry *before = k->signature[i]->signer.matched;
        s->pass.rc = wssec_step_signer(k, k->signature[i]);
        const struct wssec_entry *now = k->signature[i]->signer.matched;
        if (before != NULL && now != NULL && memcmp(before->sha256, now->sha256, sizeof now->sha256) != 0) {
            return false;
        }
    }
    k->judge.explain = s->judge.explain;
    return true;
}

/* Every octet that goes on was fed, and nothing else was. */
static bool same_octets(const struct wssec_push *s, const struct wssec_input *in)
{
    return in == NULL || s->state == PUSH_DECIDED || wssec_input_octets(in) == s->octets;
}

/* @return the judgement of what was fed; NULL: the whole message is to be judged */
static struct wssec_work *end_pass(struct wssec_push *s, const struct wssec_input *in, const struct wssec_when *t,
                                   const struct wssec_replay *c)
{
    struct wssec_verdict *v = s->judge.verdict;
    const char *cause = NULL;
    bool later = t->at != s->when.at;
    s->when = *t;
    v->t = t->at;
    v->time_source = t->source;
    if (s->pass.rc != WSSEC_RC_OK || s->too_large) {
        struct wssec_work *k =
            s->pass.work != NULL ? s->pass.work : wssec_work_new(&s->judge, &s->judge.worker->second);
        if (s->too_large && k != NULL) {
            s->why = (struct wssec_refusal){WSSEC_OK, ""};
            (void)wssec_refuse(&s->why, WSSEC_LIMIT_BODY, "%zu octets so far, allowed are %llu", s->octets,
                               (unsigned long long)s->judge.policy->limits.body);
        }
        return k;
    }
    if (later && !signers_anew(s)) {
        return NULL;
    }
    if (in != NULL) {
        s->input.slice = in->slice;
        s->input.n_slice = s->state == PUSH_DECIDED ? 0 : in->n_slice;
    }
    return wssec_pass_end(&s->pass, s->octets, c, &cause);
}

static int end_whole(struct wssec_push *s, const struct wssec_input *in, const struct wssec_when *t,
                     const struct wssec_resolver *r, const struct wssec_replay *c)
{
    struct wssec_judge *j = &s->judge;
    if (j->explain != NULL) {
        j->explain->n = s->pass.explained;
    }
    if (in != NULL) {
        return wssec_verify(j->worker, in, j->policy, t, r, c, j->verdict, j->explain);
    }
    wssec_verdict_begin(j->verdict, j->policy, t, r);
    j->verdict->verdict = WSSEC_ERROR;
    j->verdict->reason = WSSEC_INTERNAL;
    return WSSEC_RC_WHOLE;
}

int wssec_verify_finish(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_when *t,
                        const struct wssec_resolver *r, const struct wssec_replay *c)
{
    struct wssec_push *s = w->push;
    struct wssec_work *k = NULL;
    if (!is_open(w)) {
        return WSSEC_RC_USAGE;
    }
    wssec_library_reset();
    if (s->state == PUSH_FRONT && r->generation == s->resolver.generation) {
        look_for_front(s);
    }
    bool whole = s->state == PUSH_FRONT || s->state == PUSH_WHOLE || r->generation != s->resolver.generation;
    if (!whole && !same_octets(s, in)) {
        s->pass.rc = WSSEC_RC_INTERNAL;
    }
    if (!whole || s->pass.rc != WSSEC_RC_OK || s->too_large) {
        k = end_pass(s, in, t, c);
    }
    s->state = PUSH_NONE;
    int rc = k != NULL ? wssec_work_finish(k, s->pass.rc, &s->why) : WSSEC_RC_OK;
    if (k == NULL && s->pass.rc == WSSEC_RC_NOMEM) {
        s->judge.verdict->verdict = WSSEC_ERROR;
        s->judge.verdict->reason = WSSEC_OUT_OF_MEMORY;
        rc = WSSEC_RC_NOMEM;
    } else if (k == NULL) {
        rc = end_whole(s, in, t, r, c);
    }
    wssec_message_reset(&w->second);
    wssec_message_reset(&w->message);
    cs_buf_free(&s->front);
    ERR_clear_error();
    return rc;
}
