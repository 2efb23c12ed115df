/* SPDX-License-Identifier: Apache-2.0 */
/* action.c: see action.h. */
#include "gateway/action.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "gateway/answer.h"
#include "gateway/gateway_private.h"
#include "gateway/keep.h"
#include "gateway/plain.h"
#include "resolver/resolver.h"

struct job *job_new(struct loop *home, struct exchange *ex, bool response)
{
    struct job *j = calloc(1, sizeof *j);
    if (j == NULL) {
        return NULL;
    }
    j->gateway = home->gateway;
    j->room.memory = &home->gateway->memory;
    j->home = home;
    j->exchange = ex;
    j->response = response;
    j->reason = WSSEC_INTERNAL;
    return j;
}

void job_release_message(struct job *j)
{
    if (j != NULL) {
        body_clear(&j->body, &j->home->chunks, &j->gateway->memory);
        room_clear(&j->room);
        free(j->output.piece);
        j->output = (struct output){0};
    }
}

void job_sign_again(struct job *j)
{
    cs_copy(j->refused_with, sizeof j->refused_with, j->signed_with);
    room_clear(&j->room); /* output points there; the action begins with what was received */
    j->output.n_piece = 0;
    j->output.octets = 0;
    j->signed_trial = false;
    j->signed_n = 0;
    j->reason = WSSEC_INTERNAL;
    ks_snapshot_release(j->newest);
    j->newest = NULL;
}

void job_free(struct job *j)
{
    if (j == NULL) {
        return;
    }
    job_release_message(j);
    if (j->newest != NULL) {
        ks_snapshot_release(j->newest);
    }
    inflow_free(j->flow);
    runtime_unref(j->runtime);
    cs_buf_free(&j->dump_head);
    free(j->content_type);
    free(j->confirm);
    free(j);
}

/* ---- output --------------------------------------------------------------------------------------------------- */

static bool is_own(const struct job *j, const uint8_t *p)
{
    for (const struct chunk *c = j->body.first; c != NULL; c = c->next) {
        if (p >= (const uint8_t *)c->data && p < (const uint8_t *)c->data + c->n) {
            return true;
        }
    }
    return room_holds(&j->room, p);
}

/* A piece that the worker lends only until its next call becomes the job's own. */
static const uint8_t *piece_own(struct job *j, const struct wssec_slice *s)
{
    uint8_t *copy = room_take(&j->room, s->n);
    if (copy != NULL) {
        memcpy(copy, s->p, s->n);
    }
    return copy;
}

/* Replace the message of the job by what an action made of it. The room stays until the end: pieces may point there. */
static int output_take(struct job *j, const struct wssec_output *made)
{
    struct wssec_slice *piece = calloc(made->n_piece > 0 ? made->n_piece : 1, sizeof *piece);
    if (piece == NULL) {
        return -1;
    }
    uint64_t octets = 0;
    size_t n = 0;
    for (size_t i = 0; i < made->n_piece; i++) {
        if (made->piece[i].n == 0) {
            continue;
        }
        piece[n] = made->piece[i];
        if (!is_own(j, piece[n].p) && (piece[n].p = piece_own(j, &made->piece[i])) == NULL) {
            free(piece);
            return -1;
        }
        octets += piece[n++].n;
    }
    free(j->output.piece);
    j->output.piece = piece;
    j->output.n_piece = n;
    j->output.octets = octets;
    return 0;
}

/* The message as received. */
static int output_received(struct job *j)
{
    struct wssec_slice *piece = calloc(j->body.n_chunk > 0 ? j->body.n_chunk : 1, sizeof *piece);
    if (piece == NULL) {
        return -1;
    }
    free(j->output.piece);
    j->output.piece = piece;
    j->output.n_piece = body_slices(&j->body, piece);
    j->output.octets = j->body.octets;
    return 0;
}

struct wssec_input action_input(const struct job *j, struct wssec_slice *confirm)
{
    struct wssec_input in = {.slice = j->output.piece,
                             .n_slice = j->output.n_piece,
                             .content_type = j->content_type,
                             .response = j->response,
                             .over_tls = j->over_tls,
                             .http_status = j->http_status};
    if (j->response && j->confirm != NULL) {
        *confirm = (struct wssec_slice){j->confirm, j->confirm_n};
        in.confirm = confirm;
        in.n_confirm = 1;
    }
    return in;
}

/* ---- actions -------------------------------------------------------------------------------------------------- */

static void job_fail(struct job *j, enum wssec_reason reason, const char *detail)
{
    j->reason = reason;
    snprintf(j->detail, sizeof j->detail, "%s", detail);
}

static enum wssec_reason reason_of_rc(int rc)
{
    return rc == WSSEC_RC_NOMEM ? WSSEC_OUT_OF_MEMORY : WSSEC_INTERNAL;
}

/* What HTTP calls the request and what the message calls itself may not differ: receivers dispatch by either.
 * @return WSSEC_RC_OK, see *good and detail; else an error of ours */
static int soap_action_judge(struct job *j, struct wssec_worker *w, bool *good, char detail[384])
{
    const char *action = j->verdict.action;
    struct wssec_names names = {0};
    struct wssec_slice confirm;
    struct wssec_input in = action_input(j, &confirm);
    *good = j->action_good && (action[0] == '\0' || j->action[0] == '\0' || strcmp(action, j->action) == 0);
    if (*good && j->route->conf->soap_action_match && (action[0] == '\0' || j->action[0] == '\0')) {
        int rc = wssec_names(w, &in, j->route->names_policy, &names);
        if (rc != WSSEC_RC_OK) {
            return rc;
        }
        *good = plain_action_names(j->action, names.payload.ns, names.payload.local);
    }
    if (!j->action_good) {
        snprintf(detail, 384, "SOAPAction is malformed or doubled");
    } else {
        snprintf(detail, 384, "HTTP names the action \"%.120s\", the message \"%.120s\"", j->action,
                 action[0] != '\0' ? action : names.payload.local);
    }
    return WSSEC_RC_OK;
}

/* The same for a request that nobody verified. */
static bool act_soap_action(struct job *j, struct wssec_worker *w)
{
    char detail[384];
    bool good;
    int rc = soap_action_judge(j, w, &good, detail);
    if (rc != WSSEC_RC_OK) {
        job_fail(j, reason_of_rc(rc), "the message cannot be named");
    } else if (!good) {
        job_fail(j, WSSEC_SOAP_ACTION_MISMATCH, detail);
    }
    return rc == WSSEC_RC_OK && good;
}

/* What only the exchange knows of a message that is in order by itself: the reply belongs to its request, the request
 * is what HTTP calls it. */
static void judge_beside(struct job *j, struct wssec_worker *w)
{
    struct wssec_verdict *v = &j->verdict;
    if (!j->response) {
        char detail[384];
        bool good;
        int rc = soap_action_judge(j, w, &good, detail);
        if (rc != WSSEC_RC_OK || !good) {
            v->verdict = rc != WSSEC_RC_OK ? WSSEC_ERROR : WSSEC_FAIL;
            v->reason = rc != WSSEC_RC_OK ? reason_of_rc(rc) : WSSEC_SOAP_ACTION_MISMATCH;
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
    if (!v->opening || output_take(j, opened) == 0) {
        return 0;
    }
    v->verdict = WSSEC_ERROR;
    v->reason = WSSEC_OUT_OF_MEMORY;
    return -1;
}

/* Decryption alone: nobody is asked who sent the message. */
static bool act_decrypt(struct job *j, struct wssec_worker *w, const struct gw_actions *a, cs_time now)
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
    v->reason = v->reason != WSSEC_OK ? v->reason : reason_of_rc(rc);
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

static bool act_verify(struct job *j, struct wssec_worker *w, const struct gw_actions *a, cs_time now)
{
    struct wssec_policy *policy = action_policy(j);
    struct wssec_when when = {now, now, WSSEC_TIME_NOW, true, true};
    struct wssec_resolver keys;
    struct resolver source;
    struct replay_asker asker = {j->gateway->replay, a->partner};
    struct wssec_replay replay = replay_local_interface(&asker);
    struct wssec_slice confirm;
    struct wssec_input in = action_input(j, &confirm);
    struct wssec_output opened = {NULL, 0, 0};
    action_keys(j, j->newest, &keys, &source);
    (void)keyop_failed();
    int rc = j->flow != NULL    ? inflow_finish(j, &in, &when, &keys, &replay)
             : a->crypt.decrypt ? wssec_open(w, &in, policy, &when, &keys, &replay, true, &j->verdict, NULL, &opened)
                                : wssec_verify(w, &in, policy, &when, &keys, &replay, &j->verdict, NULL);
    struct wssec_verdict *v = &j->verdict;
    if (rc == WSSEC_RC_OK && successor(v)) {
        tell_unknown(j, &source, a->partner, now);
    }
    if (j->flow != NULL && j->flow->cut && v->verdict == WSSEC_PASS) {
        rc = WSSEC_RC_INTERNAL; /* nothing passes of which a part is missing */
    }
    resolver_clear(&source);
    if (keyop_failed()) {
        job_fail(j, WSSEC_KEY_UNAVAILABLE, "the keys process does not answer");
        return false;
    }
    j->judged = true;
    if (rc != WSSEC_RC_OK) {
        v->verdict = WSSEC_ERROR;
        v->reason = v->reason != WSSEC_OK ? v->reason : reason_of_rc(rc);
    } else if (v->verdict == WSSEC_PASS && opened_take(j, &opened, now) == 0) {
        judge_beside(j, w);
    }
    if (v->reason == WSSEC_ENGINE_DISAGREEMENT) {
        char name[64];
        char text[sizeof v->detail + sizeof name + 32];
        bool kept = keep_message(&j->gateway->memory.spool, j->output.piece, j->output.n_piece, j->route->conf->name,
                                 v->detail, name, sizeof name);
        snprintf(text, sizeof text, "%.200s; %s%s", v->detail, kept ? "kept in the spool directory as " : "not kept",
                 name);
        ks_disagreement(j->gateway->live, j->route->conf->name, text, now);
    }
    bool pass = v->verdict == WSSEC_PASS;
    for (unsigned i = 0; pass && i < v->n_legacy; i++) {
        cs_time until = wssec_policy_legacy_end(policy, v->legacy[i]);
        if (legacy_use(j->gateway->legacy, a->partner, v->legacy[i], until, now)) {
            ks_legacy_used(j->gateway->live, a->partner, v->legacy[i], until, now);
        }
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

/* The answer to the question for a service description: its root decides. */
static void act_describe(struct job *j, struct wssec_worker *w)
{
    struct wssec_names names;
    struct wssec_slice confirm;
    struct wssec_input in = action_input(j, &confirm);
    int rc = wssec_names(w, &in, j->route->names_policy, &names);
    if (rc != WSSEC_RC_OK) {
        job_fail(j, reason_of_rc(rc), "the reply cannot be named");
    } else if (names.reason != WSSEC_OK) {
        job_fail(j, WSSEC_UPSTREAM_REPLY, "");
        snprintf(j->detail, sizeof j->detail, "no service description: %s, %.200s", wssec_reason_code(names.reason),
                 names.detail);
    } else if (!plain_root_allowed(names.root.ns, names.root.local)) {
        job_fail(j, WSSEC_UPSTREAM_REPLY, "the root of the reply is none of a service description");
    } else {
        j->reason = WSSEC_OK;
    }
}

/* What a fault says about the signature of our request. What cannot be read says nothing; it goes on as it came. */
static void act_weigh(struct job *j, struct wssec_worker *w)
{
    struct wssec_names names;
    struct wssec_slice confirm;
    struct wssec_input in = action_input(j, &confirm);
    j->refuses = wssec_names(w, &in, j->route->names_policy, &names) == WSSEC_RC_OK && names.reason == WSSEC_OK &&
                 answer_fault_refuses(&names.fault);
}

/* A monitored reply that would have been refused for its status or head. */
static void act_unfit(struct job *j)
{
    j->judged = true;
    j->monitored = true;
    j->verdict.verdict = WSSEC_FAIL;
    j->verdict.reason = WSSEC_UPSTREAM_REPLY;
    cs_copy(j->verdict.detail, sizeof j->verdict.detail, j->unfit);
    job_fail(j, WSSEC_UPSTREAM_REPLY, j->unfit);
}

static bool act_remove(struct job *j, struct wssec_worker *w)
{
    struct wssec_output made;
    struct wssec_slice confirm;
    struct wssec_input in = action_input(j, &confirm);
    int rc = wssec_remove_header(w, &in, &j->verdict, &made);
    if (rc != WSSEC_RC_OK) {
        job_fail(j, reason_of_rc(rc), "the Security header cannot be removed");
        return false;
    }
    if (output_take(j, &made) != 0) {
        job_fail(j, WSSEC_OUT_OF_MEMORY, "");
        return false;
    }
    return true;
}

/* What we were to make was not made. A message that was judged before keeps that verdict. */
static void made_fail(struct job *j, int rc, const struct wssec_verdict *v)
{
    job_fail(j, rc == WSSEC_RC_OK && v->reason != WSSEC_OK ? v->reason : reason_of_rc(rc), v->detail);
    if (!j->judged) {
        j->verdict = *v;
        j->judged = true;
    }
}

/* Who the message says to come from, NULL: nobody. */
static const struct wssec_user *user_of(const struct job *j, const struct gw_actions *a, struct wssec_user *out)
{
    const struct gw_settings *settings = j->runtime->plan->settings;
    const struct ks_user *u = a->user != NULL ? settings->user(settings, a->user) : NULL;
    if (a->user == NULL) {
        return NULL;
    }
    *out = (struct wssec_user){u != NULL ? u->said : NULL, u != NULL ? u->password : NULL, a->user_text};
    return out;
}

static bool act_sign(struct job *j, struct wssec_worker *w, const struct gw_actions *a, cs_time now)
{
    struct wssec_when when = {now, now, WSSEC_TIME_NOW, true, true};
    struct wssec_recipe recipe = {.part = (const char *const *)a->part,
                                  .n_part = a->n_part,
                                  .key_reference = a->key_reference,
                                  .ttl = a->ttl,
                                  .join = j->encrypted_to[0] != '\0'};
    struct wssec_resolver keys;
    struct resolver source;
    struct wssec_output made;
    struct wssec_verdict v;
    struct wssec_slice confirm;
    struct wssec_input in = action_input(j, &confirm);
    struct wssec_user user;
    memset(&v, 0, sizeof v);
    recipe.user = user_of(j, a, &user);
    resolver_init(&keys, &source, j->runtime->snapshot, NULL, a->sign_alias);
    /* what a client says to a reply is not seen: a successor is tried with requests */
    source.signer = !j->response && j->refused_with[0] == '\0' ? ks_signer(j->runtime->snapshot, a->sign_alias) : NULL;
    (void)keyop_failed();
    int rc = wssec_sign(w, &in, &recipe, &when, &keys, &made, &v);
    if (keyop_failed()) {
        job_fail(j, WSSEC_KEY_UNAVAILABLE, "the keys process does not answer");
        return false;
    }
    if (rc != WSSEC_RC_OK || v.verdict != WSSEC_PASS) {
        made_fail(j, rc, &v);
        return false;
    }
    struct wssec_slice value = wssec_signature_value(w);
    j->confirm = malloc(value.n > 0 ? value.n : 1);
    if (j->confirm == NULL || output_take(j, &made) != 0) {
        job_fail(j, WSSEC_OUT_OF_MEMORY, "");
        return false;
    }
    memcpy(j->confirm, value.p, value.n);
    j->confirm_n = value.n;
    snprintf(j->signed_with, sizeof j->signed_with, "%s#%u", v.certificate.alias, v.certificate.ordinal);
    j->signed_n = v.certificate.ordinal;
    j->signed_trial = source.signer != NULL && source.signer != ks_active(j->runtime->snapshot, a->sign_alias);
    ks_use(j->gateway->live, j->runtime->snapshot, v.certificate.alias, v.certificate.ordinal, j->sender, true, now);
    if (j->request_id[0] == '\0') {
        cs_copy(j->request_id, sizeof j->request_id, v.message_id);
    }
    return true;
}

static bool act_encrypt(struct job *j, struct wssec_worker *w, const struct gw_actions *a, cs_time now)
{
    const struct gw_crypt *c = &a->crypt;
    struct wssec_when when = {now, now, WSSEC_TIME_NOW, true, true};
    struct wssec_encryption how = {.part = (const char *const *)c->part.word,
                                   .n_part = c->part.n,
                                   .key_reference = c->key_reference,
                                   .cipher = c->cipher,
                                   .transport = c->transport};
    struct wssec_resolver keys;
    struct resolver source;
    struct wssec_output made;
    struct wssec_verdict v;
    struct wssec_slice confirm;
    struct wssec_input in = action_input(j, &confirm);
    resolver_init(&keys, &source, j->runtime->snapshot, c->encrypt_to, NULL);
    int rc = wssec_encrypt(w, &in, &how, &when, &keys, &made, &v);
    if (rc != WSSEC_RC_OK || v.verdict != WSSEC_PASS) {
        made_fail(j, rc, &v);
        return false;
    }
    if (output_take(j, &made) != 0) {
        job_fail(j, WSSEC_OUT_OF_MEMORY, "");
        return false;
    }
    snprintf(j->encrypted_to, sizeof j->encrypted_to, "%s#%u", v.certificate.alias, v.certificate.ordinal);
    ks_use(j->gateway->live, j->runtime->snapshot, v.certificate.alias, v.certificate.ordinal, j->sender, true, now);
    return true;
}

/* sign and encrypt as they are written: what stands first is inside. */
static bool act_make(struct job *j, struct wssec_worker *w, const struct gw_actions *a, cs_time now)
{
    for (unsigned i = 0; i < a->n_step; i++) {
        if (strcmp(a->step[i], "sign") == 0 && !act_sign(j, w, a, now)) {
            return false;
        }
        if (strcmp(a->step[i], "encrypt") == 0 && !act_encrypt(j, w, a, now)) {
            return false;
        }
    }
    return true;
}

static void run(struct job *j, struct wssec_worker *w)
{
    const struct gw_actions *a = j->response ? &j->route->conf->response : &j->route->conf->request;
    cs_time now = cs_clock_now();
    if (output_received(j) != 0) {
        job_fail(j, WSSEC_OUT_OF_MEMORY, "");
        return;
    }
    if (j->describe) {
        act_describe(j, w);
        return;
    }
    if (j->weigh) {
        act_weigh(j, w);
    }
    if (j->unfit[0] != '\0') {
        act_unfit(j);
        return;
    }
    if (a->partner != NULL && !act_verify(j, w, a, now)) {
        return;
    }
    if (a->partner == NULL && a->crypt.decrypt && !act_decrypt(j, w, a, now)) {
        return;
    }
    if (a->partner == NULL && !j->response && !act_soap_action(j, w)) {
        return;
    }
    if (a->partner != NULL && !j->response) {
        cs_copy(j->request_id, sizeof j->request_id, j->verdict.message_id);
    }
    if (a->remove_header && !act_remove(j, w)) {
        return;
    }
    if (!act_make(j, w, a, now)) {
        return;
    }
    j->reason = WSSEC_OK;
}

void action_run(struct job *j, struct wssec_worker *w)
{
    const struct wssec_room room = {&j->room, room_take};
    wssec_worker_room(w, &room);
    run(j, w);
    wssec_worker_room(w, NULL);
}
