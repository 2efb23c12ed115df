/* SPDX-License-Identifier: Apache-2.0 */
/* action_judge.c: verification and decryption of one message, and what is told to whom because of the verdict. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "gateway/action_private.h"
#include "gateway/gateway_private.h"
#include "gateway/keep.h"
#include "resolver/resolver.h"

struct wssec_policy *action_policy(const struct job *j)
{
    return j->response ? j->route->response_policy : j->route->request_policy;
}

void action_keys(const struct job *j, const ks_snapshot *snapshot, struct wssec_resolver *keys, struct resolver *source)
{
    const struct gw_actions *a = j->response ? &j->route->conf->response : &j->route->conf->request;
    const struct gw_settings *settings = j->runtime->plan->settings;
    resolver_init(keys, source, snapshot, a->partner, NULL);
    resolver_trust(source, settings->chain(settings, a->partner));
    resolver_users(keys, source, settings->users(settings, a->partner));
    resolver_decrypt(source, (const char *const *)a->crypt.decrypt_alias.word, a->crypt.decrypt_alias.n);
}

/* What only the exchange knows of a message that is in order by itself: the reply belongs to its request, the request
 * is what HTTP calls it. */
static void judge_beside(struct job *j, struct wssec_worker *w)
{
    struct wssec_verdict *v = &j->verdict;
    if (!j->response) {
        char detail[384];
        bool good;
        int rc = action_names_judge(j, w, &good, detail);
        if (rc != WSSEC_RC_OK || !good) {
            v->verdict = rc != WSSEC_RC_OK ? WSSEC_ERROR : WSSEC_FAIL;
            v->reason = rc != WSSEC_RC_OK ? action_reason(rc) : WSSEC_SOAP_ACTION_MISMATCH;
            cs_copy(v->detail, sizeof v->detail, rc != WSSEC_RC_OK ? "the message cannot be named" : detail);
        }
    } else if (j->request_id[0] != '\0' && v->relates_to[0] != '\0' && strcmp(v->relates_to, j->request_id) != 0) {
        v->verdict = WSSEC_FAIL;
        v->reason = WSSEC_RELATES_TO_MISMATCH;
        snprintf(v->detail, sizeof v->detail, "the signed wsa:RelatesTo names another request");
    }
}

/* What was opened goes on in place of what came; who opened it was used. @return 0, or -1 with the verdict an error */
static int opened_take(struct job *j, const struct wssec_output *opened, cs_time now)
{
    struct wssec_verdict *v = &j->verdict;
    if (v->has_decrypted_with) {
        ks_use(j->gateway->live, j->newest, v->decrypted_with.alias, v->decrypted_with.ordinal, j->sender, true, now);
    }
    if (!v->opening || job_output_take(j, opened) == 0) {
        return 0;
    }
    v->verdict = WSSEC_ERROR;
    v->reason = WSSEC_OUT_OF_MEMORY;
    return -1;
}

/* Nobody is asked who sent the message. */
bool action_decrypt(struct job *j, struct wssec_worker *w, const struct gw_actions *a, cs_time now)
{
    struct wssec_when when = {now, now, WSSEC_TIME_NOW, true, true};
    struct wssec_resolver keys;
    struct resolver source;
    struct wssec_output opened;
    struct wssec_slice confirm;
    struct wssec_input in = action_input(j, &confirm);
    struct wssec_verdict *v = &j->verdict;
    resolver_init(&keys, &source, j->newest, NULL, NULL);
    resolver_decrypt(&source, (const char *const *)a->crypt.decrypt_alias.word, a->crypt.decrypt_alias.n);
    (void)keyop_failed();
    int rc = wssec_open(w, &in, j->route->names_policy, &when, &keys, NULL, false, v, NULL, &opened);
    if (keyop_failed()) {
        job_fail(j, WSSEC_KEY_UNAVAILABLE, "the keys process does not answer");
        return false;
    }
    if (rc == WSSEC_RC_OK && v->verdict == WSSEC_PASS && opened_take(j, &opened, now) == 0) {
        return true;
    }
    j->judged = true;
    v->reason = v->reason != WSSEC_OK ? v->reason : action_reason(rc);
    job_fail(j, v->reason, v->detail);
    return false;
}

/* The signature fits a certificate that is not stored, with the names of one that is: perhaps the partner's next. */
static bool successor(const struct wssec_verdict *v)
{
    bool noted = false;
    for (unsigned i = 0; i < v->n_notes; i++) {
        noted = noted || strcmp(v->notes[i], "unknown-successor") == 0;
    }
    return noted && v->verdict == WSSEC_FAIL && v->reason == WSSEC_CERTIFICATE_UNKNOWN;
}

/* A certificate that nobody stored, met by this judgement or while the body arrived. */
static void tell_unknown(struct job *j, const struct resolver *source, const char *partner, cs_time now)
{
    if (source->unknown == NULL && j->flow != NULL) {
        source = &j->flow->source;
    }
    if (source->unknown != NULL) {
        ks_seen(j->gateway->live, partner, source->unknown, source->unknown_n, now);
    }
}

/* The worker's verdict of the message, or of the part of it that came last. opened: what was decrypted */
static int judge(struct job *j, struct wssec_worker *w, const struct gw_actions *a, cs_time now,
                 struct wssec_output *opened)
{
    struct wssec_policy *policy = action_policy(j);
    struct wssec_when when = {now, now, WSSEC_TIME_NOW, true, true};
    struct wssec_resolver keys;
    struct resolver source;
    struct replay_asker asker = {j->gateway->replay, a->partner};
    struct wssec_replay replay = replay_local_interface(&asker);
    struct wssec_slice confirm;
    struct wssec_input in = action_input(j, &confirm);
    struct wssec_verdict *v = &j->verdict;
    action_keys(j, j->newest, &keys, &source);
    int rc = j->flow != NULL    ? inflow_finish(j, &in, &when, &keys, &replay)
             : a->crypt.decrypt ? wssec_open(w, &in, policy, &when, &keys, &replay, true, v, NULL, opened)
                                : wssec_verify(w, &in, policy, &when, &keys, &replay, v, NULL);
    if (rc == WSSEC_RC_OK && successor(v)) {
        tell_unknown(j, &source, a->partner, now);
    }
    if (j->flow != NULL && j->flow->cut && v->verdict == WSSEC_PASS) {
        rc = WSSEC_RC_INTERNAL; /* nothing passes of which a part is missing */
    }
    resolver_clear(&source);
    return rc;
}

/* The engines differ: the message is kept for who looks into it, and the operator hears where. */
static void tell_disagreement(struct job *j, cs_time now)
{
    const struct wssec_verdict *v = &j->verdict;
    const char *route = j->route->conf->name;
    char name[64];
    char text[sizeof v->detail + sizeof name + 32];
    bool kept = keep_message(&j->gateway->memory.spool, j->output.piece, j->output.n_piece, route, v->detail, name,
                             sizeof name);
    snprintf(text, sizeof text, "%.200s; %s%s", v->detail, kept ? "kept in the spool directory as " : "not kept", name);
    ks_disagreement(j->gateway->live, route, text, now);
}

static void tell_legacy(const struct job *j, const char *partner, cs_time now)
{
    const struct wssec_verdict *v = &j->verdict;
    for (unsigned i = 0; i < v->n_legacy; i++) {
        cs_time until = wssec_policy_legacy_end(action_policy(j), v->legacy[i]);
        if (legacy_use(j->gateway->legacy, partner, v->legacy[i], until, now)) {
            ks_legacy_used(j->gateway->live, partner, v->legacy[i], until, now);
        }
    }
}

bool action_verify(struct job *j, struct wssec_worker *w, const struct gw_actions *a, cs_time now)
{
    struct wssec_output opened = {NULL, 0, 0};
    struct wssec_verdict *v = &j->verdict;
    (void)keyop_failed();
    int rc = judge(j, w, a, now, &opened);
    if (keyop_failed()) {
        job_fail(j, WSSEC_KEY_UNAVAILABLE, "the keys process does not answer");
        return false;
    }
    j->judged = true;
    if (rc != WSSEC_RC_OK) {
        v->verdict = WSSEC_ERROR;
        v->reason = v->reason != WSSEC_OK ? v->reason : action_reason(rc);
    } else if (v->verdict == WSSEC_PASS && opened_take(j, &opened, now) == 0) {
        judge_beside(j, w);
    }
    if (v->reason == WSSEC_ENGINE_DISAGREEMENT) {
        tell_disagreement(j, now);
    }
    bool pass = v->verdict == WSSEC_PASS;
    if (pass) {
        tell_legacy(j, a->partner, now);
    }
    if (v->has_certificate) {
        ks_use(j->gateway->live, j->newest, v->certificate.alias, v->certificate.ordinal, j->sender, pass, now);
    }
    if (!pass) {
        job_fail(j, v->reason != WSSEC_OK ? v->reason : WSSEC_INTERNAL, v->detail);
        j->monitored = v->verdict == WSSEC_FAIL && gw_actions_monitor(a, now);
    }
    return pass;
}
