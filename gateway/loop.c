/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c: see loop.h. */
#include "gateway/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "gateway/client.h"
#include "gateway/gateway_private.h"
#include "gateway/listener.h"
#include "gateway/metrics.h"
#include "gateway/upstream.h"

static void mail_ready(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    struct loop *loop = ctx;
    struct mail *m = mailbox_take(&loop->mailbox);
    while (m != NULL) {
        struct mail *next = m->next;
        m->deliver(loop, m);
        m = next;
    }
}

/* Runs behind the callbacks that were active when the first task was queued: their stack frames are gone. */
static void turn_over(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    struct loop *loop = ctx;
    while (loop->later != NULL) {
        struct task *t = loop->later;
        loop->later = t->next;
        if (loop->later == NULL) {
            loop->later_last = &loop->later;
        }
        t->waiting = false;
        t->run(t);
    }
    loop_check_drained(loop);
}

void loop_later(struct loop *loop, struct task *t)
{
    if (t->waiting) {
        return;
    }
    t->waiting = true;
    t->next = NULL;
    if (loop->later == NULL) {
        event_active(&loop->turn_event, EV_TIMEOUT, 0);
    }
    *loop->later_last = t;
    loop->later_last = &t->next;
}

void loop_check_drained(struct loop *loop)
{
    if (loop->draining && loop->n_client == 0 && loop->busy == NULL && loop->later == NULL) {
        upstream_close_idle(loop);
        gateway_loop_drained(loop->gateway, loop);
    }
}

int loop_init(struct loop *loop, struct gateway *gateway, unsigned index)
{
    memset(loop, 0, sizeof *loop);
    loop->gateway = gateway;
    loop->index = index;
    loop->later_last = &loop->later;
    loop->held_last = &loop->held;
    loop->reserve_fd = -1;
    if (mailbox_init(&loop->mailbox) != 0) {
        cs_log(CS_LOG_ERROR, "loop-start", "no mailbox for an I/O loop", CS_STR("why", strerror(errno)));
        return -1;
    }
    struct event_config *config = event_config_new();
    if (config != NULL && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_PRECISE_TIMER) == 0) {
        loop->base = event_base_new_with_config(config);
    }
    if (config != NULL) {
        event_config_free(config);
    }
    loop->scratch = malloc(CHUNK_LARGE);
    loop->record = malloc(TLS_RECORD);
    loop->meter = meter_new();
    loop->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (loop->base == NULL || loop->scratch == NULL || loop->record == NULL || loop->meter == NULL ||
        loop->reserve_fd < 0) {
        cs_log(CS_LOG_ERROR, "loop-start", "no memory or descriptor for an I/O loop", CS_INT("loop", index));
        goto fail;
    }
    event_assign(&loop->mail_event, loop->base, loop->mailbox.fd, EV_READ | EV_PERSIST, mail_ready, loop);
    event_assign(&loop->turn_event, loop->base, -1, 0, turn_over, loop);
    timer_init(&loop->accept_again, loop, listener_resume, loop);
    if (event_add(&loop->mail_event, NULL) != 0) {
        cs_log(CS_LOG_ERROR, "loop-start", "an I/O loop cannot watch its mailbox", CS_INT("loop", index));
        goto fail;
    }
    return 0;
fail:
    loop_destroy(loop);
    return -1;
}

void loop_destroy(struct loop *loop)
{
    if (loop->base != NULL) {
        upstream_close_idle(loop);
        turn_over(-1, 0, loop);
        listener_unwatch_all(loop);
        timer_destroy(&loop->accept_again);
        if (event_initialized(&loop->mail_event)) {
            event_del(&loop->mail_event);
        }
        event_base_free(loop->base);
        loop->base = NULL;
    }
    for (unsigned i = 0; i < loop->parsers.n_request; i++) {
        http1_free(loop->parsers.request[i]);
    }
    for (unsigned i = 0; i < loop->parsers.n_response; i++) {
        http1_free(loop->parsers.response[i]);
    }
    chunk_pool_clear(&loop->chunks);
    free(loop->scratch);
    meter_free(loop->meter);
    free(loop->record);
    if (loop->reserve_fd >= 0) {
        close(loop->reserve_fd);
    }
    mailbox_destroy(&loop->mailbox);
}

static void *loop_run(void *ctx)
{
    struct loop *loop = ctx;
    char name[16];
    snprintf(name, sizeof name, "loop-%u", loop->index);
    pthread_setname_np(pthread_self(), name);
    event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
    return NULL;
}

int loop_start(struct loop *loop)
{
    int rc = pthread_create(&loop->thread, NULL, loop_run, loop);
    if (rc != 0) {
        cs_log(CS_LOG_ERROR, "loop-start", "an I/O loop cannot start", CS_STR("why", strerror(rc)));
        return -1;
    }
    loop->started = true;
    return 0;
}

void loop_post(struct loop *loop, struct mail *m)
{
    mailbox_post(&loop->mailbox, m);
}

/* ---- timers --------------------------------------------------------------------------------------------------- */

static void timer_arm(struct timer *t, int64_t now_us)
{
    int64_t wait = t->due_us > now_us ? t->due_us - now_us : 0;
    struct timeval tv = {(time_t)(wait / 1000000), (suseconds_t)(wait % 1000000)};
    t->armed_us = event_add(&t->event, &tv) == 0 ? t->due_us : 0;
}

static void timer_ready(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    struct timer *t = ctx;
    t->armed_us = 0;
    if (t->due_us == 0) {
        return;
    }
    int64_t now = cs_clock_mono_us();
    if (t->due_us > now + 500) {
        timer_arm(t, now);
        return;
    }
    t->due_us = 0;
    t->fire(t->ctx);
}

void timer_init(struct timer *t, struct loop *loop, void (*fire)(void *ctx), void *ctx)
{
    event_assign(&t->event, loop->base, -1, 0, timer_ready, t);
    t->due_us = 0;
    t->armed_us = 0;
    t->fire = fire;
    t->ctx = ctx;
}

void timer_set(struct timer *t, int64_t in_ms)
{
    int64_t now = cs_clock_mono_us();
    t->due_us = now + (in_ms > 0 ? in_ms : 0) * 1000 + 1;
    if (t->armed_us == 0 || t->armed_us > t->due_us) {
        timer_arm(t, now);
    }
}

void timer_off(struct timer *t)
{
    t->due_us = 0;
}

void timer_destroy(struct timer *t)
{
    if (t->armed_us != 0) {
        event_del(&t->event);
    }
    t->due_us = 0;
    t->armed_us = 0;
}

/* ---- parsers -------------------------------------------------------------------------------------------------- */

static bool limits_same(const struct http1_limits *a, const struct http1_limits *b)
{
    return a->head == b->head && a->field == b->field && a->fields == b->fields && a->target == b->target &&
           a->chunk_extension == b->chunk_extension && a->body == b->body;
}

struct http1 *loop_parser_get(struct loop *loop, enum http1_kind kind, const struct http1_limits *limits)
{
    struct parser_pool *pool = &loop->parsers;
    if (!limits_same(&pool->limits, limits)) {
        while (pool->n_request > 0) {
            http1_free(pool->request[--pool->n_request]);
        }
        while (pool->n_response > 0) {
            http1_free(pool->response[--pool->n_response]);
        }
        pool->limits = *limits;
    }
    if (kind == HTTP1_REQUEST && pool->n_request > 0) {
        return pool->request[--pool->n_request];
    }
    if (kind == HTTP1_RESPONSE && pool->n_response > 0) {
        return pool->response[--pool->n_response];
    }
    return http1_new(kind, limits);
}

void loop_parser_put(struct loop *loop, enum http1_kind kind, struct http1 *p, bool reusable)
{
    if (p == NULL) {
        return;
    }
    struct parser_pool *pool = &loop->parsers;
    struct http1 **place = kind == HTTP1_REQUEST ? pool->request : pool->response;
    unsigned *n = kind == HTTP1_REQUEST ? &pool->n_request : &pool->n_response;
    if (!reusable || *n == PARSERS_KEPT) {
        http1_free(p);
        return;
    }
    http1_next(p);
    place[(*n)++] = p;
}

#define REFUSED_LINES 10

void loop_log_refused(struct loop *loop, const char *event, const char *sentence, const char *peer, const char *why)
{
    int64_t second = cs_clock_mono_us() / 1000000;
    if (loop->refused_second != second) {
        loop->refused_second = second;
        loop->refused_logged = 0;
    }
    if (loop->refused_logged++ < REFUSED_LINES) {
        cs_log(CS_LOG_NOTICE, event, sentence, CS_STR("peer", peer), CS_STR("why", why));
    }
}

/* ---- identifiers ---------------------------------------------------------------------------------------------- */

int loop_uuid(struct loop *loop, char out[37])
{
    if (loop->random_left < 16) {
        if (getrandom(loop->random, sizeof loop->random, 0) != (ssize_t)sizeof loop->random) {
            return -1;
        }
        loop->random_left = sizeof loop->random;
    }
    loop->random_left -= 16;
    uint8_t *r = loop->random + loop->random_left;
    r[6] = (uint8_t)((r[6] & 0x0f) | 0x40);
    r[8] = (uint8_t)((r[8] & 0x3f) | 0x80);
    static const char digits[] = "0123456789abcdef";
    char *p = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *p++ = '-';
        }
        *p++ = digits[r[i] >> 4];
        *p++ = digits[r[i] & 15];
    }
    *p = '\0';
    return 0;
}
