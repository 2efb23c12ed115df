/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream_check.c: see upstream_check.h. All receivers that are due are asked at once, each by a probe; what has not
 * answered when its time is over is not well.
 */
#include "gateway/upstream_check.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/tls.h"
#include "gateway/upstream_probe.h"

/* Asked at the same time; others have their turn right behind. */
#define PROBES 64
/* The end of the thread is looked for so often while answers are awaited. */
#define LOOK_MS 200

static void probes_run(struct check_thread *t, struct probe *probe, size_t n)
{
    struct pollfd fds[PROBES];
    for (;;) {
        int64_t now = cs_clock_mono_us();
        int64_t next = INT64_MAX;
        for (size_t i = 0; i < n; i++) {
            if (!probe[i].over && (now >= probe[i].deadline_us || atomic_load(&t->stop))) {
                probe_end(&probe[i], false);
            }
            fds[i] = (struct pollfd){.fd = probe[i].over ? -1 : probe[i].fd, .events = probe[i].wants};
            next = !probe[i].over && probe[i].deadline_us < next ? probe[i].deadline_us : next;
        }
        if (next == INT64_MAX) {
            return;
        }
        int64_t wait_ms = (next - now) / 1000 + 1;
        if (poll(fds, n, (int)(wait_ms < LOOK_MS ? wait_ms : LOOK_MS)) < 0) {
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            if (fds[i].fd >= 0 && fds[i].revents != 0) {
                probe[i].step(&probe[i]);
            }
        }
    }
}

/* ---- the thread ------------------------------------------------------------------------------------------------ */

static void receiver_free(struct check_thread *t, struct receiver *r)
{
    resolve_unref(t->resolver, r->name);
    free(r->authority);
    free(r->path);
    free(r->tls);
    free(r);
}

void receiver_unref(struct check_thread *t, struct receiver *r)
{
    if (r == NULL) {
        return;
    }
    pthread_mutex_lock(&t->lock);
    bool last = --r->refs == 0;
    if (last) {
        struct receiver **place = &t->receivers;
        while (*place != r) {
            place = &(*place)->next;
        }
        *place = r->next;
    }
    pthread_mutex_unlock(&t->lock);
    if (last) {
        receiver_free(t, r);
    }
}

static void told(const struct probe *p)
{
    struct receiver *r = p->receiver;
    if (!health_checked(&r->health, p->good)) {
        return;
    }
    if (p->good) {
        cs_log(CS_LOG_NOTICE, "upstream-up", "an upstream answers its check again", CS_STR("upstream", r->authority));
    } else {
        cs_log(CS_LOG_WARN, "upstream-down", "an upstream does not answer its check and gets no requests",
               CS_STR("upstream", r->authority));
    }
}

/* With the lock. @return receivers that are due, references; *next_us: when the next one is */
static size_t take_due(struct check_thread *t, struct probe *probe, int64_t now_us, int64_t *next_us)
{
    size_t n = 0;
    *next_us = now_us + INT64_C(60000000);
    for (struct receiver *r = t->receivers; r != NULL; r = r->next) {
        if (r->check == GW_CHECK_OFF) {
            continue;
        }
        if (r->due_us <= now_us && n < PROBES) {
            r->refs++;
            r->due_us = now_us + r->interval_ms * 1000;
            probe[n++] = (struct probe){.receiver = r};
        }
        *next_us = r->due_us < *next_us ? r->due_us : *next_us;
    }
    return n;
}

static void wait_until(struct check_thread *t, int64_t wait_us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    wait_us = wait_us > 0 ? wait_us : 0;
    until.tv_sec += (time_t)(wait_us / 1000000);
    until.tv_nsec += (long)(wait_us % 1000000) * 1000;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_cond_timedwait(&t->wake, &t->lock, &until);
}

static void *check_run(void *ctx)
{
    struct check_thread *t = ctx;
    struct probe probe[PROBES];
    pthread_setname_np(pthread_self(), "check");
    pthread_mutex_lock(&t->lock);
    while (!atomic_load(&t->stop)) {
        int64_t next_us;
        int64_t now = cs_clock_mono_us();
        size_t n = take_due(t, probe, now, &next_us);
        if (n == 0) {
            wait_until(t, next_us - now);
            continue;
        }
        pthread_mutex_unlock(&t->lock);
        for (size_t i = 0; i < n; i++) {
            probe_begin(&probe[i], t->gateway, now);
        }
        probes_run(t, probe, n);
        for (size_t i = 0; i < n; i++) {
            if (probe[i].unasked) {
                probe[i].receiver->due_us = now + LOOK_MS * 1000;
            } else if (!atomic_load(&t->stop)) {
                told(&probe[i]);
            }
            receiver_unref(t, probe[i].receiver);
        }
        pthread_mutex_lock(&t->lock);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

int check_start(struct check_thread *t, struct gateway *gw, struct resolver_thread *resolver)
{
    pthread_condattr_t monotonic;
    memset(t, 0, sizeof *t);
    t->gateway = gw;
    t->resolver = resolver;
    if (pthread_mutex_init(&t->lock, NULL) != 0) {
        return -1;
    }
    bool cond = pthread_condattr_init(&monotonic) == 0 && pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&t->wake, &monotonic) == 0;
    if (cond && pthread_create(&t->thread, NULL, check_run, t) == 0) {
        t->started = true;
        return 0;
    }
    if (cond) {
        pthread_cond_destroy(&t->wake);
    }
    pthread_mutex_destroy(&t->lock);
    return -1;
}

void check_stop(struct check_thread *t)
{
    if (!t->started) {
        return;
    }
    pthread_mutex_lock(&t->lock);
    atomic_store(&t->stop, true);
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
}

void check_destroy(struct check_thread *t)
{
    if (t->started) {
        pthread_cond_destroy(&t->wake);
        pthread_mutex_destroy(&t->lock);
        t->started = false;
    }
}

/* ---- receivers ------------------------------------------------------------------------------------------------ */

/* Words that may be absent. */
static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool fits(const struct receiver *r, const struct gw_upstream *u, const char *tls)
{
    return strcmp(r->name->host, u->host) == 0 && strcmp(r->name->port, u->port) == 0 && r->check == u->check &&
           strcmp(r->authority, u->authority) == 0 && same(r->path, u->check_path) && same(r->tls, tls) &&
           r->interval_ms == u->check_interval_ms && r->timeout_ms == u->connect_ms;
}

static struct receiver *receiver_new(struct check_thread *t, const struct gw_upstream *u, const char *tls)
{
    struct receiver *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    r->refs = 1;
    r->check = u->check;
    r->interval_ms = u->check_interval_ms;
    r->timeout_ms = u->connect_ms;
    r->authority = strdup(u->authority);
    r->path = u->check_path != NULL ? strdup(u->check_path) : NULL;
    r->tls = tls != NULL ? strdup(tls) : NULL;
    r->name = resolve_get(t->resolver, u->host, u->port, u->resolve_ms);
    if ((tls != NULL && r->tls == NULL) || r->authority == NULL || (u->check_path != NULL && r->path == NULL) ||
        r->name == NULL) {
        receiver_free(t, r);
        return NULL;
    }
    return r;
}

/* tls NULL: it is not asked under TLS. */
static struct receiver *receiver_of(struct check_thread *t, const struct gw_upstream *u, const char *tls)
{
    pthread_mutex_lock(&t->lock);
    struct receiver *r = t->receivers;
    while (r != NULL && !fits(r, u, tls)) {
        r = r->next;
    }
    if (r != NULL) {
        r->refs++;
    }
    pthread_mutex_unlock(&t->lock);
    if (r != NULL || (r = receiver_new(t, u, tls)) == NULL) {
        return r;
    }
    pthread_mutex_lock(&t->lock);
    r->next = t->receivers;
    t->receivers = r;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
    return r;
}

struct receiver *receiver_get(struct check_thread *t, const struct gw_upstream *u)
{
    if (!u->tls || u->check != GW_CHECK_HTTP) {
        return receiver_of(t, u, NULL);
    }
    char *tls = tls_back_key(u);
    struct receiver *r = tls != NULL ? receiver_of(t, u, tls) : NULL;
    free(tls);
    return r;
}
