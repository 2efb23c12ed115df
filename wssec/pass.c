/* SPDX-License-Identifier: Apache-2.0 */
/* pass.c: see pass.h. */
#include "wssec/pass.h"

#include "wssec/cross.h"
#include "wssec/early.h"

/* The header, from the text in front of Body's content alone. Refusals wait for what the rest of the message shows,
 * but for those of wssec_nobody_signed(). @return 0, or -1: it is not to be read on (refused, passed on or *rc) */
static int stream_header(struct wssec_work *k, struct wssec_stream *s, int *rc)
{
    struct wssec_judge *j = &k->judge;
    *rc = wssec_step_message(k);
    if (*rc != WSSEC_RC_OK || wssec_work_stopped(k)) {
        /* comments and the like can deceive who cuts the header out */
        enum wssec_reason reason = j->why->reason != WSSEC_XML_MALFORMED ? j->why->reason : WSSEC_OK;
        *rc = *rc == WSSEC_RC_OK ? wssec_stream_pass_on(s, reason, "head") : *rc;
        return -1;
    }
    if (j->message->scan.coding != WSSEC_CODING_UTF8 || wssec_may_be_unsigned_fault(k)) {
        *rc = wssec_stream_pass_on(s, WSSEC_OK, "head");
        return -1;
    }
    j->message->ids.asked = &s->asked;
    static int (*const steps[])(struct wssec_work *) = {wssec_step_security, wssec_step_shape};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && *rc == WSSEC_RC_OK && !wssec_work_stopped(k); i++) {
        *rc = steps[i](k);
    }
    if (k->security.encrypted != NULL) {
        (void)wssec_stream_pass_on(s, WSSEC_OK, "encrypted");
    }
    for (unsigned i = 0; i < k->n && *rc == WSSEC_RC_OK && !wssec_work_stopped(k); i++) {
        *rc = wssec_step_signer(k, k->signature[i]);
    }
    for (unsigned i = 0; i < k->n && *rc == WSSEC_RC_OK && !wssec_work_stopped(k) && s->cause == NULL; i++) {
        struct wssec_signed *x = k->signature[i];
        *rc = wssec_stream_references(j, s, &x->info, &x->signer, x->source);
        k->cover[i] = (struct wssec_cover){&x->info, &x->signer, x->source};
    }
    j->message->ids.asked = NULL;
    if (s->asked.missing) {
        (void)wssec_stream_pass_on(s, WSSEC_OK, "reference-in-body");
    }
    return *rc != WSSEC_RC_OK || s->cause != NULL || wssec_nobody_signed(j->why) ? -1 : 0;
}

static void stream_compare(struct wssec_work *k, const struct wssec_stream *s)
{
    for (unsigned i = 0; i < k->n && !wssec_work_stopped(k); i++) {
        struct wssec_signed *x = k->signature[i];
        wssec_stream_compare(&k->judge, s, &x->info, x->source);
        wssec_step_compared(k, x);
    }
}

/* The tree engine's opinion of the same message. Before the replay store is asked, so that a message refused here can
 * be sent again. */
static int cross_check(const struct wssec_judge *as, bool passes)
{
    struct wssec_verdict *other = wssec_arena_take(&as->worker->arena, sizeof *other);
    struct wssec_refusal why = {WSSEC_OK, ""};
    struct wssec_judge judge = *as;
    judge.verdict = other;
    judge.why = &why;
    judge.explain = NULL;
    struct wssec_work *k = other != NULL ? wssec_work_new(&judge, &as->worker->message) : NULL;
    if (k == NULL) {
        return WSSEC_RC_NOMEM;
    }
    wssec_verdict_begin(other, as->policy, as->when, as->resolver);
    int rc = wssec_steps_all(k, NULL);
    if (rc == WSSEC_RC_OK && why.reason != WSSEC_LIMIT_DOM &&
        !wssec_cross_agree(as->verdict, passes, other, k->passed)) {
        const char *own = wssec_reason_code(as->why->reason);
        *as->why = (struct wssec_refusal){WSSEC_OK, ""};
        (void)wssec_refuse(as->why, WSSEC_ENGINE_DISAGREEMENT, "the stream engine says %s, the tree engine %s", own,
                           wssec_reason_code(why.reason));
    }
    return rc;
}

/* ---- the pass -------------------------------------------------------------------------------------------------- */

void wssec_pass_begin(struct wssec_pass *p, const struct wssec_judge *judge)
{
    *p = (struct wssec_pass){.judge = judge, .explained = judge->explain != NULL ? judge->explain->n : 0};
    p->stream = wssec_stream_begin(judge->worker);
    if (p->stream == NULL) {
        p->rc = WSSEC_RC_NOMEM;
    }
}

bool wssec_pass_front(struct wssec_pass *p, const struct wssec_input *in)
{
    struct wssec_worker *w = p->judge->worker;
    if (p->rc != WSSEC_RC_OK || !wssec_early_text(in, &w->scratch, &p->behind)) {
        return false;
    }
    const struct wssec_slice head = {(const uint8_t *)w->scratch.data, w->scratch.len};
    struct wssec_input front = *p->judge->input;
    front.slice = &head;
    front.n_slice = 1;
    struct wssec_judge with_front = *p->judge;
    with_front.input = &front;
    with_front.walk = &p->stream->walk;
    p->work = wssec_work_new(&with_front, &w->second);
    if (p->work == NULL) {
        p->rc = WSSEC_RC_NOMEM;
        return true;
    }
    p->work->whole = p->judge->input;
    p->reads = stream_header(p->work, p->stream, &p->rc) == 0;
    p->work->judge.input = p->judge->input;
    if (p->reads) {
        p->rc = wssec_stream_body_begin(&p->work->judge, p->stream, !wssec_work_stopped(p->work));
        p->reads = p->rc == WSSEC_RC_OK;
    }
    return true;
}

static void fed(struct wssec_pass *p, int rc)
{
    p->rc = rc;
    p->reads = rc == WSSEC_RC_OK && p->stream->cause == NULL;
}

void wssec_pass_feed(struct wssec_pass *p, const uint8_t *octets, size_t n)
{
    if (p->reads) {
        fed(p, wssec_stream_body_feed(p->stream, octets, n));
    }
}

void wssec_pass_rest(struct wssec_pass *p, const struct wssec_input *in)
{
    if (p->reads) {
        fed(p, wssec_stream_body_rest(p->stream, in, p->behind));
    }
}

/* The tree engine would have to word what this one found, and has no room for it. */
static bool no_second_look(const struct wssec_pass *p, size_t octets)
{
    return p->stream->cause != NULL && p->stream->reason != WSSEC_OK && octets > p->judge->policy->limits.dom;
}

bool wssec_pass_decided(const struct wssec_pass *p, size_t octets)
{
    return p->rc != WSSEC_RC_OK ||
           (p->work != NULL && !p->reads &&
            (p->stream->cause == NULL ? wssec_nobody_signed(p->judge->why) : no_second_look(p, octets)));
}

struct wssec_work *wssec_pass_end(struct wssec_pass *p, size_t octets, const struct wssec_replay *c, const char **cause)
{
    const struct wssec_judge *as = p->judge;
    struct wssec_work *k = p->work;
    struct wssec_stream *s = p->stream;
    *cause = "head";
    if (k == NULL) {
        return NULL;
    }
    if (p->reads) {
        p->rc = wssec_stream_body_end(&k->judge, s, p->behind);
    }
    if (p->rc == WSSEC_RC_OK && s->cause == NULL && p->reads && !wssec_work_stopped(k)) {
        stream_compare(k, s);
        if (!wssec_work_stopped(k)) {
            p->rc = wssec_steps_last(k);
        }
    }
    if (p->rc == WSSEC_RC_OK && s->cause != NULL) {
        *cause = s->cause;
        wssec_work_again(as, p->explained);
        if (!no_second_look(p, octets)) {
            return NULL;
        }
        (void)wssec_refuse(as->why, s->reason, "%s; the message is too large for a second look", s->cause);
    }
    as->verdict->engine = WSSEC_ENGINE_STREAM;
    as->verdict->is_fault = k->judge.message->is_fault;
    if (p->rc == WSSEC_RC_OK && as->input->n_slice != 0 && wssec_cross_due(as->worker, as->policy, as->when)) {
        p->rc = cross_check(as, !wssec_work_stopped(k));
    }
    if (p->rc == WSSEC_RC_OK && !wssec_work_stopped(k)) {
        wssec_step_replay(k, c);
    }
    return k;
}
