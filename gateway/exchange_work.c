/* SPDX-License-Identifier: Apache-2.0 */
/* exchange_work.c: the ways of a message to the workers: with pieces of it while it arrives, and once with all of it.
 */
#include "gateway/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "gateway/answer.h"
#include "gateway/gateway_private.h"
#include "gateway/plain.h"

void exchange_host(const char *address, char out[KS_SENDER])
{
    const char *colon = strrchr(address, ':');
    size_t n = colon != NULL ? (size_t)(colon - address) : strlen(address);
    if (n >= 2 && address[0] == '[' && address[n - 1] == ']') {
        address++;
        n -= 2;
    }
    snprintf(out, KS_SENDER, "%.*s", n < KS_SENDER ? (int)n : KS_SENDER - 1, address);
}

/* ---- jobs ------------------------------------------------------------------------------------------------------ */

static void take_back(struct exchange *ex, struct job *job);

static void job_back(struct loop *loop, struct mail *m)
{
    struct job *j = (struct job *)((char *)m - offsetof(struct job, mail));
    (void)loop;
    if (j->exchange != NULL) {
        take_back(j->exchange, j);
    } else {
        job_free(j);
    }
}

static void name_sender(struct job *j, const struct exchange *ex)
{
    if (j->response && ex->route->conf->upstream != NULL) {
        cs_copy(j->sender, sizeof j->sender, ex->route->conf->upstream->host);
    } else {
        exchange_host(ex->client->address, j->sender);
    }
}

/* What a capture needs of the message's head; without it, for want of memory, the message counts as one that cannot be
 * kept. */
static void name_dump(struct job *j, const struct exchange *ex, const struct http1_head *h)
{
    memcpy(j->exchange_id, ex->id, sizeof j->exchange_id);
    j->received_ms = cs_clock_now_ms();
    if (capture_head(&j->dump_head, h, j->response, j->body.octets) != 0) {
        cs_buf_reset(&j->dump_head);
    }
}

/* Make the job of a message whose head is there. @return NULL: no memory */
static struct job *job_make(struct exchange *ex, bool response)
{
    const struct http1_head *h = http1_head(response ? ex->reply_parser : ex->parser);
    const char *type = http1_field_value(h, "Content-Type");
    struct job *j = job_new(ex->loop, ex, response);
    if (j == NULL || (type != NULL && (j->content_type = strdup(type)) == NULL)) {
        job_free(j);
        return NULL;
    }
    j->mail.deliver = job_back;
    j->runtime = runtime_ref(ex->runtime);
    j->route = ex->route;
    name_sender(j, ex);
    j->over_tls = response ? ex->reply_over_tls : ex->client->conn.ssl != NULL;
    if (!response) {
        j->action_good = http1_field_count(h, "SOAPAction") <= 1 &&
                         plain_soap_action(http1_field_value(h, "SOAPAction"), type, j->action);
    } else {
        j->http_status = ex->upstream_status;
        j->describe = ex->passes_unsigned;
        if (ex->request_job != NULL) {
            memcpy(j->request_id, ex->request_job->request_id, sizeof j->request_id);
            j->confirm = ex->request_job->confirm;
            j->confirm_n = ex->request_job->confirm_n;
            ex->request_job->confirm = NULL;
        }
    }
    return j;
}

/* A job that is here goes to a worker with the whole message. What was judged so far under another configuration does
 * not count. @return 0, or -1: refused */
static int job_queue(struct exchange *ex, struct job *j)
{
    struct gateway *gw = ex->loop->gateway;
    if (j->runtime != ex->runtime) {
        inflow_free(j->flow);
        j->flow = NULL;
        runtime_unref(j->runtime);
        j->runtime = runtime_ref(ex->runtime);
        j->route = ex->route;
    }
    j->newest = ks_live_get(gw->live);
    atomic_store(&j->begun_us, 0);
    bool always =
        j->response || j->refused_with[0] != '\0'; /* the receiver has answered: it is not lost for want of room */
    enum queue_result result = queue_push(&gw->queue, &j->item, always, cs_clock_mono_us());
    if (result != QUEUE_TAKEN) {
        j->exchange = NULL;
        exchange_fail(ex, WSSEC_SHED, result == QUEUE_FULL ? "the queue is full" : "the gateway ends");
        return -1;
    }
    return 0;
}

/* The message is complete: it belongs to its job from now on. One that is on its way with a piece is awaited. */
static void submit(struct exchange *ex, struct job **place, bool response)
{
    struct job *j = ex->flow_job;
    ex->flow_job = NULL;
    if (j == NULL && (j = job_make(ex, response)) == NULL) {
        exchange_fail(ex, WSSEC_OUT_OF_MEMORY, "no memory for a job");
        return;
    }
    body_move(&j->body, response ? &ex->reply_body : &ex->body);
    if (response) {
        cs_copy(j->unfit, sizeof j->unfit, ex->unfit);
        j->weigh = answer_matters(ex);
    }
    if (ex->loop->gateway->capture != NULL && !j->describe) {
        name_dump(j, ex, http1_head(response ? ex->reply_parser : ex->parser));
    }
    timer_set(&ex->client->conn.timer, exchange_config(ex)->timeouts.work);
    *place = j;
    if (!j->feeding) {
        (void)job_queue(ex, j);
    }
}

void exchange_request_submit(struct exchange *ex)
{
    submit(ex, &ex->request_job, false);
}

void exchange_reply_submit(struct exchange *ex)
{
    submit(ex, &ex->reply_job, true);
}

void exchange_request_again(struct exchange *ex)
{
    struct job *j = ex->request_job;
    answer_count(ex);
    job_free(ex->reply_job);
    ex->reply_job = NULL;
    loop_parser_put(ex->loop, HTTP1_RESPONSE, ex->reply_parser, ex->reply_done);
    ex->reply_parser = NULL;
    ex->reply_done = false;
    ex->reply_begun = false;
    ex->reply_early = false;
    ex->reply_octets = 0;
    ex->upstream_status = 0;
    ex->unfit[0] = '\0';
    ex->flow_tried[true] = false;
    ex->may_repeat = false;
    ex->address = 0;
    job_sign_again(j);
    j->exchange = ex;
    timer_set(&ex->client->conn.timer, exchange_config(ex)->timeouts.work);
    (void)job_queue(ex, j);
}

/* ---- while it arrives ------------------------------------------------------------------------------------------ */

/* Verification alone can go piece by piece: what is to be opened first is read as a whole. A rest that is smaller than
 * a piece is not worth the way. @return NULL: this message is judged when it is complete */
static struct job *flow_begin(struct exchange *ex, bool response, const struct body *b)
{
    struct gateway *gw = ex->loop->gateway;
    const struct gw_actions *a = response ? &ex->route->conf->response : &ex->route->conf->request;
    const struct http1_head *h = http1_head(response ? ex->reply_parser : ex->parser);
    if (a->partner == NULL || a->crypt.decrypt || ex->passes_unsigned ||
        (h->has_length && h->length - b->octets < INFLOW_PIECE)) {
        return NULL;
    }
    struct job *j = job_make(ex, response);
    if (j != NULL && (j->flow = inflow_new(&gw->inflows)) == NULL) {
        job_free(j);
        return NULL;
    }
    if (j != NULL) {
        j->flow->keys_of = ks_live_get(gw->live);
    }
    return j;
}

void exchange_arriving(struct exchange *ex, bool response)
{
    const struct body *b = response ? &ex->reply_body : &ex->body;
    if (b->octets < INFLOW_PIECE) {
        return;
    }
    if (!ex->flow_tried[response]) {
        ex->flow_tried[response] = true;
        ex->flow_job = flow_begin(ex, response, b);
    }
    struct job *j = ex->flow_job;
    if (j == NULL || j->feeding || j->flow->need != WSSEC_NEED_MORE || !inflow_take(j->flow, b, INFLOW_PIECE)) {
        return;
    }
    j->feeding = true; /* a worker may have it before the push returns */
    if (queue_push(&ex->loop->gateway->queue, &j->item, response, cs_clock_mono_us()) != QUEUE_TAKEN) {
        j->feeding = false; /* no room: the piece goes with the next one */
    }
}

/* A job is back from a worker that had a piece. */
static void flow_back(struct exchange *ex, struct job *j)
{
    const struct gw_actions *a = j->response ? &j->route->conf->response : &j->route->conf->request;
    if (j != ex->flow_job) {
        (void)job_queue(ex, j); /* complete meanwhile */
    } else if (j->flow->need == WSSEC_NEED_NOTHING && !gw_actions_monitor(a, cs_clock_now())) {
        j->flow->cut = true;
        (j->response ? exchange_reply_cut : exchange_request_cut)(ex);
    } else {
        exchange_arriving(ex, j->response);
    }
}

void exchange_leave_flow(struct exchange *ex)
{
    struct job *j = ex->flow_job;
    ex->flow_job = NULL;
    if (j == NULL || !j->feeding) {
        job_free(j);
        return;
    }
    j->exchange = NULL;
    atomic_store(&j->unwanted, true);
    body_move(&j->body, j->response ? &ex->reply_body : &ex->body); /* a worker may be reading it */
}

/* Which way a message took that was begun before it was complete. */
static enum arrival arrival_of(const struct job *j)
{
    return j->flow->cut                                            ? ARRIVAL_CUT
           : j->judged && j->verdict.engine == WSSEC_ENGINE_STREAM ? ARRIVAL_JUDGED
                                                                   : ARRIVAL_WHOLE;
}

/* A judged message is back. */
static void judged_back(struct exchange *ex, struct job *job)
{
    bool reply = job->response;
    enum exchange_state queued = reply ? EX_REPLY_QUEUED : EX_QUEUED;
    struct counters *counters = &ex->loop->counters;
    job->exchange = NULL;
    if (ex->state == queued) {
        exchange_event(ex, ON_BEGUN);
    }
    if (job->flow != NULL) {
        counters->arrival[arrival_of(job)]++;
        job->ahead_us = job->flow->spent_us;
        inflow_free(job->flow);
        job->flow = NULL;
    }
    if (job->judged) {
        counters->verdict[reply][job->verdict.verdict]++;
    }
    if (reply && answer_repeats(ex)) {
        exchange_event(ex, ON_WORK);
    } else if (job->reason == WSSEC_OK || job->monitored) {
        exchange_event(ex, ON_READY);
    } else if (job->judged && job->verdict.reason == job->reason) {
        exchange_fail_verdict(ex, &job->verdict, reply);
    } else {
        exchange_fail(ex, job->reason, "%s", job->detail);
    }
}

/* A job is back (loop's thread). */
static void take_back(struct exchange *ex, struct job *job)
{
    if (job->feeding) {
        job->feeding = false;
        flow_back(ex, job);
    } else {
        judged_back(ex, job);
    }
}
