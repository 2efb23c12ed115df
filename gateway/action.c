/* SPDX-License-Identifier: Apache-2.0 */
/* action.c: a job and its message; the order of actions. What each does: action_judge.c, action_make.c. */
#include "gateway/action_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "gateway/answer.h"
#include "gateway/gateway_private.h"
#include "gateway/plain.h"

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

/* The room stays until the end: pieces may point there. */
int job_output_take(struct job *j, const struct wssec_output *made)
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

void job_fail(struct job *j, enum wssec_reason reason, const char *detail)
{
    j->reason = reason;
    snprintf(j->detail, sizeof j->detail, "%s", detail);
}

enum wssec_reason action_reason(int rc)
{
    return rc == WSSEC_RC_NOMEM ? WSSEC_OUT_OF_MEMORY : WSSEC_INTERNAL;
}

/* What HTTP calls the request and what the message calls itself may not differ: receivers dispatch by either. */
int action_names_judge(struct job *j, struct wssec_worker *w, bool *good, char detail[384])
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

/* The names of a request that nobody verified. */
static bool act_soap_action(struct job *j, struct wssec_worker *w)
{
    char detail[384];
    bool good;
    int rc = action_names_judge(j, w, &good, detail);
    if (rc != WSSEC_RC_OK) {
        job_fail(j, action_reason(rc), "the message cannot be named");
    } else if (!good) {
        job_fail(j, WSSEC_SOAP_ACTION_MISMATCH, detail);
    }
    return rc == WSSEC_RC_OK && good;
}

/* The answer to the question for a service description: its root decides. */
static void act_describe(struct job *j, struct wssec_worker *w)
{
    struct wssec_names names;
    struct wssec_slice confirm;
    struct wssec_input in = action_input(j, &confirm);
    int rc = wssec_names(w, &in, j->route->names_policy, &names);
    if (rc != WSSEC_RC_OK) {
        job_fail(j, action_reason(rc), "the reply cannot be named");
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
    if (a->partner != NULL && !action_verify(j, w, a, now)) {
        return;
    }
    if (a->partner == NULL && a->crypt.decrypt && !action_decrypt(j, w, a, now)) {
        return;
    }
    if (a->partner == NULL && !j->response && !act_soap_action(j, w)) {
        return;
    }
    if (a->partner != NULL && !j->response) {
        cs_copy(j->request_id, sizeof j->request_id, j->verdict.message_id);
    }
    if (a->remove_header && !action_remove(j, w)) {
        return;
    }
    if (!action_make(j, w, a, now)) {
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
