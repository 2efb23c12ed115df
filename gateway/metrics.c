/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c: see metrics.h; counting. */
#include "gateway/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "gateway/exchange.h"
#include "gateway/meter.h"

static const struct bounds none = {0, {0}};
static const struct bounds work_bounds = {9, {.0002, .0005, .001, .002, .005, .01, .05, .25, 1}};
static const struct bounds time_bounds = {12, {.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}};
static const struct bounds size_bounds = {9, {1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}};

const struct bounds *series_bounds(enum series_kind kind)
{
    static const struct bounds *const of[SERIES_KINDS] = {
        [SERIES_CLIENT_TIME] = &time_bounds, [SERIES_UPSTREAM_TIME] = &time_bounds, [SERIES_WORK_TIME] = &work_bounds,
        [SERIES_QUEUE_TIME] = &work_bounds,  [SERIES_SIZE] = &size_bounds,
    };
    return of[kind] != NULL ? of[kind] : &none;
}

struct meter *meter_new(void)
{
    struct meter *m = calloc(1, sizeof *m);
    if (m != NULL && pthread_mutex_init(&m->lock, NULL) != 0) {
        free(m);
        return NULL;
    }
    return m;
}

void meter_free(struct meter *m)
{
    for (unsigned i = 0; m != NULL && i < METER_BUCKETS; i++) {
        while (m->bucket[i] != NULL) {
            struct series *s = m->bucket[i];
            m->bucket[i] = s->next;
            free(s);
        }
    }
    if (m != NULL) {
        pthread_mutex_destroy(&m->lock);
        free(m);
    }
}

static unsigned series_hash(const struct series *s)
{
    uint32_t h = 2166136261U ^ (uint32_t)s->kind ^ (uint32_t)s->response << 8 ^ (uint32_t)s->verdict << 9 ^
                 (uint32_t)s->reason << 12;
    for (const char *p = s->a; *p != '\0'; p++) {
        h = (h ^ (unsigned char)*p) * 16777619U;
    }
    for (const char *p = s->b; *p != '\0'; p++) {
        h = (h ^ (unsigned char)*p) * 16777619U;
    }
    return (h ^ h >> 16) % METER_BUCKETS;
}

static bool series_same(const struct series *x, const struct series *y)
{
    return x->kind == y->kind && x->response == y->response && x->verdict == y->verdict && x->reason == y->reason &&
           strcmp(x->a, y->a) == 0 && strcmp(x->b, y->b) == 0;
}

struct series *meter_series(struct meter *m, const struct series *like)
{
    struct series other = {.kind = like->kind, .a = "other", .b = "other"};
    unsigned at = series_hash(like);
    struct series *s = m->bucket[at];
    while (s != NULL && !series_same(s, like)) {
        s = s->next;
    }
    if (s != NULL) {
        return s;
    }
    if (m->n >= METER_SERIES && !series_same(like, &other)) {
        return meter_series(m, &other);
    }
    s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->kind = like->kind;
    s->response = like->response;
    s->verdict = like->verdict;
    s->reason = like->reason;
    memcpy(s->a, like->a, sizeof s->a);
    memcpy(s->b, like->b, sizeof s->b);
    s->next = m->bucket[at];
    m->bucket[at] = s;
    m->n++;
    return s;
}

void meter_merge(struct meter *m, struct meter *from, const char *(*map)(void *ctx, const char *partner), void *ctx)
{
    pthread_mutex_lock(&from->lock);
    for (unsigned i = 0; i < METER_BUCKETS; i++) {
        for (const struct series *s = from->bucket[i]; s != NULL; s = s->next) {
            struct series like = *s;
            if (s->kind == SERIES_MESSAGES || s->kind == SERIES_CERTIFICATE || s->kind == SERIES_CERTIFICATE_REFUSED) {
                const char *label = map(ctx, s->a);
                if (label != s->a && s->kind != SERIES_MESSAGES) {
                    cs_copy(like.b, sizeof like.b, "other");
                }
                cs_copy(like.a, sizeof like.a, label);
            }
            struct series *to = meter_series(m, &like);
            if (to != NULL) {
                to->count += s->count;
                to->sum += s->sum;
                for (unsigned k = 0; k < BOUNDS_MAX; k++) {
                    to->bucket[k] += s->bucket[k];
                }
            }
        }
    }
    pthread_mutex_unlock(&from->lock);
}

/* ---- one exchange ------------------------------------------------------------------------------------------------ */

static void count(struct meter *m, const struct series *like)
{
    struct series *s = meter_series(m, like);
    if (s != NULL) {
        s->count++;
    }
}

static void observe(struct meter *m, const struct series *like, double value)
{
    const struct bounds *b = series_bounds(like->kind);
    struct series *s = meter_series(m, like);
    if (s == NULL) {
        return;
    }
    s->count++;
    s->sum += value;
    for (unsigned i = 0; i < b->n; i++) {
        if (value <= b->bound[i]) {
            s->bucket[i]++;
            return;
        }
    }
}

static void observe_us(struct meter *m, enum series_kind kind, const char *label, int64_t us)
{
    struct series like = {.kind = kind};
    cs_copy(like.a, sizeof like.a, label);
    observe(m, &like, us > 0 ? (double)us / 1e6 : 0);
}

static void meter_job(struct meter *m, const struct job *j, uint64_t octets)
{
    int64_t begun = j != NULL ? atomic_load(&j->begun_us) : 0;
    if (j == NULL || begun == 0) {
        return;
    }
    struct series size = {.kind = SERIES_SIZE, .response = j->response};
    observe_us(m, SERIES_QUEUE_TIME, "", begun - j->item.queued_us);
    observe_us(m, SERIES_WORK_TIME, "", j->ended_us - begun + j->ahead_us);
    observe(m, &size, (double)octets);
    if (!j->judged) {
        return;
    }
    const struct wssec_verdict *v = &j->verdict;
    const char *partner = j->response ? j->route->conf->response.partner : j->route->conf->request.partner;
    struct series like = {.kind = SERIES_MESSAGES, .response = j->response, .verdict = (uint8_t)v->verdict};
    cs_copy(like.a, sizeof like.a, partner != NULL ? partner : "");
    cs_copy(like.b, sizeof like.b, wssec_reason_code(v->reason));
    count(m, &like);
    if (v->has_certificate) {
        struct series entry = {.kind = SERIES_CERTIFICATE};
        if (v->verdict != WSSEC_PASS) {
            entry.kind = SERIES_CERTIFICATE_REFUSED;
            entry.reason = (uint16_t)v->reason;
        }
        memcpy(entry.a, like.a, sizeof entry.a);
        snprintf(entry.b, sizeof entry.b, "%s#%u", v->certificate.alias, v->certificate.ordinal);
        count(m, &entry);
    }
    if (v->fallback[0] != '\0') {
        struct series fallback = {.kind = SERIES_FALLBACK};
        cs_copy(fallback.a, sizeof fallback.a, v->fallback);
        count(m, &fallback);
    }
}

static bool refused_by(const struct job *j, enum wssec_reason reason)
{
    return j != NULL && j->judged && j->verdict.reason == reason;
}

void meter_exchange(struct meter *m, const struct exchange *ex)
{
    pthread_mutex_lock(&m->lock);
    meter_job(m, ex->request_job, ex->request_octets);
    meter_job(m, ex->reply_job, ex->reply_octets);
    if (ex->reason != WSSEC_OK && !refused_by(ex->request_job, ex->reason) && !refused_by(ex->reply_job, ex->reason)) {
        struct series like = {.kind = SERIES_HTTP_REFUSED};
        cs_copy(like.a, sizeof like.a, wssec_reason_code(ex->reason));
        count(m, &like);
    }
    observe_us(m, SERIES_CLIENT_TIME, "", ex->mark.end - ex->mark.start);
    if (ex->mark.connected != 0 && ex->mark.reply != 0) {
        observe_us(m, SERIES_UPSTREAM_TIME, ex->upstream_name, ex->mark.reply - ex->mark.connected);
    }
    pthread_mutex_unlock(&m->lock);
}
