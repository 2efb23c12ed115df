/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch.c: what waits for servers of others has a thread and a handle of the keystore of its own: neither a loop nor
 * the keeper waits for a mail server, and no transaction is open while one is talked to.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/fetch.h"
#include "gateway/gateway_private.h"
#include "keystore/mail.h"

#define LOOK_S 60

struct fetch {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool again; /* under lock */
    atomic_bool stop;
    struct gateway *gw; /* borrowed */
    char *uri;          /* owned */
};

static bool asked_to_stop(void *ctx)
{
    const struct fetch *f = ctx;
    return atomic_load(&f->stop);
}

static void tell(const ks_delivered *d)
{
    if (d->sent > 0) {
        cs_log(CS_LOG_NOTICE, "notice-sent", "notices were sent", CS_INT("mails", (int64_t)d->sent));
    }
    if (d->failed > 0) {
        cs_log(CS_LOG_ERROR, "notice-failed",
               "a notice was refused for good; the next goes elsewhere by: keystore subscribe",
               CS_INT("mails", (int64_t)d->failed), CS_STR("why", d->text));
    }
    if (d->put_off > 0) {
        cs_log(CS_LOG_WARN, "notice-waits", "a notice could not be sent yet and is tried again",
               CS_INT("mails", (int64_t)d->put_off), CS_STR("why", d->text));
    }
}

/* @return seconds until the next look */
static int64_t look(struct fetch *f, cs_time now)
{
    static const ks_options as_told = {.retention = 0};
    struct runtime *rt = gateway_runtime(f->gw);
    ks_mail mail = rt->plan->settings->mail != NULL ? *rt->plan->settings->mail : (ks_mail){.given = false};
    runtime_unref(rt);
    ks_store *store = NULL;
    ks_delivered done;
    cs_error e = {0};
    int64_t wait = LOOK_S;
    mail.stop = asked_to_stop;
    mail.stop_ctx = f;
    if (!mail.given || ks_open(&store, f->uri, &as_told, &e) != 0) {
        return wait; /* the watch thread tells that the keystore is away */
    }
    if (ks_deliver(store, &mail, now, &done, &e) != 0) {
        cs_log(CS_LOG_WARN, "notice-waits", "notices were not looked at", CS_STR("why", e.text));
    } else {
        tell(&done);
        if (done.next != 0 && done.next - now < wait) {
            wait = done.next > now ? done.next - now : 1;
        }
    }
    ks_close(store);
    return wait;
}

static void *fetch_run(void *ctx)
{
    struct fetch *f = ctx;
    pthread_setname_np(pthread_self(), "fetch");
    while (!atomic_load(&f->stop)) {
        int64_t wait = look(f, cs_clock_now());
        struct timespec until;
        pthread_mutex_lock(&f->lock);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += wait;
        while (!atomic_load(&f->stop) && !f->again && pthread_cond_timedwait(&f->wake, &f->lock, &until) != ETIMEDOUT) {
        }
        f->again = false;
        pthread_mutex_unlock(&f->lock);
    }
    return NULL;
}

struct fetch *fetch_start(struct gateway *gw, const char *uri)
{
    struct fetch *f = calloc(1, sizeof *f);
    pthread_condattr_t attr;
    if (f == NULL || (f->uri = strdup(uri)) == NULL || pthread_condattr_init(&attr) != 0) {
        goto fail;
    }
    f->gw = gw;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&f->thread, NULL, fetch_run, f) == 0) {
        return f;
    }
    pthread_cond_destroy(&f->wake);
    pthread_mutex_destroy(&f->lock);
fail:
    if (f != NULL) {
        free(f->uri);
    }
    free(f);
    return NULL;
}

void fetch_wake(struct fetch *f)
{
    pthread_mutex_lock(&f->lock);
    f->again = true;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
}

void fetch_stop(struct fetch *f)
{
    if (f == NULL) {
        return;
    }
    pthread_mutex_lock(&f->lock);
    atomic_store(&f->stop, true);
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    pthread_cond_destroy(&f->wake);
    pthread_mutex_destroy(&f->lock);
    free(f->uri);
    free(f);
}
