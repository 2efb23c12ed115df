/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper.c: what is due in the keystore is done while the gateway runs: verbs set for an instant, windows that are
 * over, the end of the trash. On a thread of its own, with a handle of its own, so that following the store never waits
 * for it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/fetch.h"
#include "gateway/gateway_private.h"
#include "gateway/keeper.h"
#include "keystore/keystore.h"
#include "keystore/lease.h"
#include "keystore/live.h"

#define LOOK_S  60 /* something new may be due at any time; what is known to come is met to the second */
#define LEASE_S 20 /* of several gateways one does it: so long after its last word another takes over */
#define RENEW_S 5

#define STOP_BUSY_MS 500 /* an end waits no longer for a keystore that is busy */

struct keeper {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop, again;    /* under lock */
    struct gateway *gw;  /* borrowed */
    char *uri;           /* owned */
    ks_store *store;     /* owned, of the thread until it ended; kept open, NULL after trouble */
    struct fetch *fetch; /* borrowed */
    bool suspect;        /* told once */
    bool mine;           /* this node does it */
    cs_time next;        /* when something is due */
};

static void tell(const ks_report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const ks_due *d = &r->due[i];
        if (d->done) {
            cs_log(CS_LOG_NOTICE, "keeper-done", "what was due in the keystore is done", CS_STR("verb", d->word),
                   CS_STR("alias", d->alias), CS_INT("n", d->n));
        } else {
            cs_log(CS_LOG_WARN, "keeper-refused", "what is due in the keystore cannot be done yet",
                   CS_STR("verb", d->word), CS_STR("alias", d->alias), CS_INT("n", d->n), CS_STR("why", d->text));
        }
    }
}

static bool has_request(const ks_report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->due[i].done && strcmp(r->due[i].word, "request") == 0) {
            return true;
        }
    }
    return false;
}

/* @return whether it is there; else the watch thread tells that it is away */
static bool open_store(struct keeper *k, int busy_ms)
{
    ks_options options;
    cs_error e = {0};
    struct runtime *rt = gateway_runtime(k->gw);
    gateway_key_options(rt->plan->settings, &options);
    options.busy_ms = busy_ms;
    int rc = ks_keep_open(&k->store, k->uri, &options, &e);
    runtime_unref(rt);
    return rc == 0;
}

/* What went wrong may be of the handle: the next look has a new one. */
static void give_up(struct keeper *k, const cs_error *why)
{
    cs_log(CS_LOG_WARN, "keeper", "what is due in the keystore was not looked at", CS_STR("why", why->text));
    ks_close(k->store);
    k->store = NULL;
}

/* Are we the node that does it? @return 0, else when to ask again: it may be given back before it is over */
static cs_time take_lease(struct keeper *k, cs_time now)
{
    ks_lease lease;
    cs_error e = {0};
    const char *node = ks_live_node(k->gw->live);
    int mine = ks_lease_take(k->store, KS_LEASE_KEEPER, node, LEASE_S, now, &lease, &e);
    if (mine < 0) {
        give_up(k, &e);
    }
    if (mine > 0 && !k->mine) {
        cs_log(CS_LOG_NOTICE, "keeper-begins", "from now on this node does what is due in the keystore",
               CS_STR("node", node));
        k->next = now;
    }
    k->mine = mine > 0;
    return mine > 0 ? 0 : now + (mine < 0 ? LOOK_S : RENEW_S);
}

/* Do what is due. @return instant of the next look */
static cs_time work(struct keeper *k, cs_time now)
{
    ks_report report;
    cs_error e = {0};
    cs_uptime ran;
    cs_clock_uptime(&ran);
    const ks_uptime up = {ran.boot, ran.s};
    cs_time next = now + LOOK_S;
    if (ks_tick(k->store, false, &up, now, &report, &e) != 0) {
        give_up(k, &e);
        return next;
    }
    if (report.clock.suspect && !k->suspect) {
        cs_log(CS_LOG_WARN, "clock-suspect",
               "nothing is done in the keystore by itself; if the clock is right: countersign keystore clock accept",
               CS_STR("why", report.clock.text));
    }
    k->suspect = report.clock.suspect;
    if (report.notices > 0 || has_request(&report)) {
        fetch_wake(k->fetch);
    }
    if (!report.clock.suspect) {
        tell(&report);
    }
    next = report.next > now && report.next < next ? report.next : next;
    ks_report_free(&report);
    return next;
}

/* asked: something changed. @return seconds until the next look */
static int64_t look(struct keeper *k, bool asked, cs_time now)
{
    cs_time next = now + LOOK_S;
    if (open_store(k, 0) && (next = take_lease(k, now)) == 0) {
        if (asked || now >= k->next || k->next - now > LOOK_S) {
            k->next = work(k, now);
        }
        next = k->next < now + RENEW_S ? k->next : now + RENEW_S;
    }
    return next > now ? next - now : 1;
}

static void *keeper_run(void *ctx)
{
    struct keeper *k = ctx;
    bool asked = true;
    pthread_setname_np(pthread_self(), "keeper");
    pthread_mutex_lock(&k->lock);
    while (!k->stop) {
        pthread_mutex_unlock(&k->lock);
        int64_t wait = look(k, asked, cs_clock_now());
        struct timespec until;
        pthread_mutex_lock(&k->lock);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += wait;
        while (!k->stop && !k->again && pthread_cond_timedwait(&k->wake, &k->lock, &until) != ETIMEDOUT) {
        }
        asked = k->again;
        k->again = false;
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

struct keeper *keeper_start(struct gateway *gw, const char *uri, struct fetch *fetch)
{
    struct keeper *k = calloc(1, sizeof *k);
    pthread_condattr_t attr;
    if (k == NULL || (k->uri = strdup(uri)) == NULL || pthread_condattr_init(&attr) != 0) {
        goto fail;
    }
    k->gw = gw;
    k->fetch = fetch;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&k->thread, NULL, keeper_run, k) == 0) {
        return k;
    }
    pthread_cond_destroy(&k->wake);
    pthread_mutex_destroy(&k->lock);
fail:
    if (k != NULL) {
        free(k->uri);
    }
    free(k);
    return NULL;
}

void keeper_wake(struct keeper *k)
{
    pthread_mutex_lock(&k->lock);
    k->again = true;
    pthread_cond_signal(&k->wake);
    pthread_mutex_unlock(&k->lock);
}

void keeper_stop(struct keeper *k)
{
    if (k == NULL) {
        return;
    }
    pthread_mutex_lock(&k->lock);
    k->stop = true;
    pthread_cond_signal(&k->wake);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    if (k->mine && open_store(k, STOP_BUSY_MS)) { /* else it lapses by itself */
        cs_error ignored = {0};
        (void)!ks_lease_drop(k->store, KS_LEASE_KEEPER, ks_live_node(k->gw->live), cs_clock_now(), &ignored);
    }
    ks_close(k->store);
    pthread_cond_destroy(&k->wake);
    pthread_mutex_destroy(&k->lock);
    free(k->uri);
    free(k);
}
