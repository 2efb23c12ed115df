/* SPDX-License-Identifier: Apache-2.0 */
/* exchange_log.c: the fields of an access line: who, which route, what was judged and how, how long each step took. */
#include "gateway/exchange_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "gateway/gateway_private.h"
#include "gateway/tls_peer.h"

/* Content of a peer is cut: a line stays a line. */
#define SHOWN 256

static void add_cut(cs_json *j, const char *key, const char *value)
{
    if (value == NULL) {
        cs_json_null(j, key);
    } else {
        cs_json_strn(j, key, value, strnlen(value, SHOWN));
    }
}

/* What was found out about one message. */
static void add_verdict(cs_json *j, const struct job *job)
{
    const struct wssec_verdict *v = &job->verdict;
    char entry[KS_WORD + 12];
    const struct gw_actions *a = job->response ? &job->route->conf->response : &job->route->conf->request;
    cs_json_str(j, "verdict", wssec_result_word(v->verdict));
    cs_json_str(j, "reason", wssec_reason_code(v->reason));
    if (v->detail[0] != '\0') {
        cs_json_str(j, "detail", v->detail);
    }
    cs_json_str(j, "partner", a->partner);
    if (v->has_certificate) {
        snprintf(entry, sizeof entry, "%s#%u", v->certificate.alias, v->certificate.ordinal);
        cs_json_str(j, "entry", entry);
        cs_json_str(j, "state", wssec_state_word(v->certificate.state));
    } else {
        cs_json_null(j, "entry");
        cs_json_null(j, "state");
    }
    cs_json_array(j, "covers");
    for (unsigned i = 0; i < v->n_covers && i < WSSEC_MAX_REFERENCES; i++) {
        cs_json_str(j, NULL, v->covers[i]);
    }
    cs_json_array_end(j);
    cs_json_int(j, "generation", (int64_t)v->generation);
    cs_json_str(j, "policy", v->policy);
}

static void add_message(cs_json *j, const char *key, const struct job *job, bool there, uint64_t octets)
{
    if (!there) {
        cs_json_null(j, key);
        return;
    }
    cs_json_object(j, key);
    if (job != NULL && job->judged) {
        add_verdict(j, job);
    }
    cs_json_int(j, "bytes", (int64_t)octets);
    if (job != NULL && job->signed_with[0] != '\0') {
        cs_json_str(j, "signed_with", job->signed_with);
        if (job->refused_with[0] != '\0') {
            cs_json_str(j, "refused_with", job->refused_with);
        }
    }
    if (job != NULL && job->encrypted_to[0] != '\0') {
        cs_json_str(j, "encrypted_to", job->encrypted_to);
    }
    if (job != NULL && job->verdict.user[0] != '\0') {
        cs_json_str(j, "user", job->verdict.user);
    }
    if (job != NULL && job->verdict.has_decrypted_with) {
        char entry[KS_WORD + 12];
        snprintf(entry, sizeof entry, "%s#%u", job->verdict.decrypted_with.alias, job->verdict.decrypted_with.ordinal);
        cs_json_str(j, "decrypted_with", entry);
    }
    cs_json_object_end(j);
}

static int64_t between(int64_t from, int64_t to)
{
    return from != 0 && to > from ? to - from : 0;
}

static int64_t job_begun(const struct job *job)
{
    return job != NULL ? atomic_load(&job->begun_us) : 0;
}

static void add_times(cs_json *j, const struct exchange *ex)
{
    const struct exchange_marks *m = &ex->mark;
    const struct job *in = ex->request_job;
    const struct job *back = ex->reply_job;
    cs_json_object(j, "us");
    cs_json_int(j, "body", between(m->head, m->complete));
    cs_json_int(j, "hold", between(m->hold, m->released));
    cs_json_int(j, "queue", in != NULL ? between(in->item.queued_us, job_begun(in)) : 0);
    cs_json_int(j, "work", in != NULL ? between(job_begun(in), in->ended_us) + in->ahead_us : 0);
    cs_json_int(j, "connect", between(m->connect, m->connected));
    cs_json_int(j, "upstream", between(m->connected, m->reply));
    cs_json_int(j, "reply_queue", back != NULL ? between(back->item.queued_us, job_begun(back)) : 0);
    cs_json_int(j, "reply_work", back != NULL ? between(job_begun(back), back->ended_us) + back->ahead_us : 0);
    cs_json_int(j, "send", between(m->send, m->end));
    cs_json_int(j, "total", between(m->start, m->end));
    cs_json_object_end(j);
}

static const char *message_id(const struct exchange *ex)
{
    return ex->request_job != NULL && ex->request_job->request_id[0] != '\0' ? ex->request_job->request_id : NULL;
}

static void add_notes(cs_json *j, const struct exchange *ex)
{
    const struct job *job[] = {ex->request_job, ex->reply_job};
    cs_json_array(j, "notes");
    for (size_t i = 0; i < 2; i++) {
        for (unsigned k = 0; job[i] != NULL && k < job[i]->verdict.n_notes && k < WSSEC_MAX_NOTES; k++) {
            cs_json_str(j, NULL, job[i]->verdict.notes[k]);
        }
    }
    cs_json_array_end(j);
}

static void add_outcome(cs_json *j, const struct exchange *ex)
{
    bool refused = ex->reason != WSSEC_OK;
    if (ex->status != 0) {
        cs_json_int(j, "status", ex->status);
    } else {
        cs_json_null(j, "status");
    }
    cs_json_str(j, "last_state", refused ? exchange_state_word(ex->last_state) : exchange_state_word(EX_DONE));
    cs_json_str(j, "reason", wssec_reason_code(ex->reason));
    if (refused) {
        add_cut(j, "detail", ex->detail);
    } else {
        cs_json_null(j, "detail");
    }
}

static void add_upstream(cs_json *j, const struct exchange *ex)
{
    if (ex->mark.connect == 0) {
        cs_json_null(j, "upstream");
        return;
    }
    cs_json_object(j, "upstream");
    if (ex->upstream_status != 0) {
        cs_json_int(j, "status", ex->upstream_status);
    } else {
        cs_json_null(j, "status");
    }
    cs_json_bool(j, "reused", ex->upstream_reused);
    cs_json_bool(j, "retried", ex->retried);
    cs_json_object_end(j);
}

/* Who was on the other side of the connection, and by which TLS. */
static void add_client(cs_json *j, const struct exchange *ex)
{
    const struct client *c = ex->client;
    char hex[65];
    cs_json_str(j, "client", c->address);
    add_cut(j, "user", ex->user);
    if (c->peer != NULL) {
        cs_json_object(j, "client_certificate");
        cs_json_str(j, "sha256", cs_hex(c->peer->sha256, sizeof c->peer->sha256, hex));
        add_cut(j, "subject", c->peer->subject);
        add_cut(j, "issuer", c->peer->issuer);
        cs_json_object_end(j);
    } else {
        cs_json_null(j, "client_certificate");
    }
    if (c->conn.ssl != NULL) {
        cs_json_object(j, "tls");
        cs_json_str(j, "version", SSL_get_version(c->conn.ssl));
        cs_json_bool(j, "resumed", SSL_session_reused(c->conn.ssl) == 1);
        add_cut(j, "name", SSL_get_servername(c->conn.ssl, TLSEXT_NAMETYPE_host_name));
        cs_json_object_end(j);
    } else {
        cs_json_null(j, "tls");
    }
}

void exchange_log(const struct exchange *ex)
{
    struct accesslog *log = ex->loop->gateway->log;
    if (accesslog_off(log)) {
        return;
    }
    const struct http1_head *h = http1_head(ex->parser);
    const struct job *reply = ex->reply_job;
    const struct job *request = ex->request_job;
    cs_buf out = CS_BUF_INIT;
    cs_json j;
    cs_buf_reserve(&out, 1024);
    cs_json_begin(&j, &out);
    cs_json_object(&j, NULL);
    cs_json_int(&j, "v", 1);
    cs_json_time_ms(&j, "t", ex->start_ms);
    cs_json_str(&j, "exchange", ex->id);
    cs_json_str(&j, "route", ex->route != NULL ? ex->route->conf->name : NULL);
    add_client(&j, ex);
    add_cut(&j, "method", h->method[0] != '\0' ? h->method : NULL);
    add_cut(&j, "path", h->path);
    add_outcome(&j, ex);
    add_message(&j, "request", request, ex->mark.head != 0,
                ex->mark.complete != 0 ? ex->request_octets : ex->body.octets);
    add_message(&j, "response", reply, ex->upstream_status != 0,
                ex->mark.reply != 0 ? ex->reply_octets : ex->reply_body.octets);
    add_upstream(&j, ex);
    cs_json_int(&j, "sent", (int64_t)ex->sent_octets);
    add_times(&j, ex);
    cs_json_str(&j, "fault", ex->fault_sent ? ex->id : NULL);
    add_cut(&j, "message_id", message_id(ex));
    add_cut(&j, "request_id", ex->route != NULL ? trace_request_id(ex) : NULL);
    add_cut(&j, "traceparent", ex->route != NULL ? trace_parent(ex) : NULL);
    cs_json_int(&j, "generation", (int64_t)ex->runtime->generation);
    cs_json_bool(&j, "client_gone", ex->client_gone);
    cs_json_bool(&j, "monitored", (request != NULL && request->monitored) || (reply != NULL && reply->monitored));
    add_notes(&j, ex);
    cs_json_object_end(&j);
    if (out.failed) {
        cs_buf_free(&out);
        return;
    }
    bool judged = (request != NULL && request->judged) || (reply != NULL && reply->judged);
    struct accesslog_key key = {ex->client->limited_as, wssec_reason_code(ex->reason), ex->start_ms};
    accesslog_add(log, cs_buf_take(&out, NULL), judged ? NULL : &key);
}
