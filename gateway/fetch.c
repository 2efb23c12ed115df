/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch.c: what waits for servers of others has a thread and a handle of the keystore of its own: neither a loop nor
 * the keeper waits for a mail server or an issuer of certificates, and no transaction is open while one is talked to.
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
#include "gateway/prober.h"
#include "gateway/publish.h"
#include "keystore/issuers.h"
#include "keystore/link.h"
#include "keystore/mail.h"
#include "keystore/rollover.h"

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

static int count_unreached(void *ctx, const ks_unreached *u, cs_error *e)
{
    (void)u;
    (void)e;
    ++*(uint64_t *)ctx;
    return 0;
}

static void count(struct notice_stats *n, const ks_delivered *d, uint64_t unreached)
{
    atomic_fetch_add(&n->sent, d->sent);
    atomic_fetch_add(&n->failed, d->failed);
    atomic_fetch_add(&n->put_off, d->put_off);
    atomic_fetch_add(&n->dropped, d->dropped);
    atomic_store(&n->waiting, d->waiting + d->stuck);
    if (unreached > atomic_exchange(&n->unreached, unreached)) {
        cs_log(CS_LOG_ERROR, "notice-undeliverable",
               "a certificate in use ends and nobody is told; which one: keystore list, and then keystore subscribe",
               CS_INT("certificates", (int64_t)unreached));
    }
}

static void tell(const ks_delivered *d)
{
    if (d->sent > 0) {
        cs_log(CS_LOG_NOTICE, "notice-sent", "notices were sent", CS_INT("notices", (int64_t)d->sent));
    }
    if (d->failed > 0) {
        cs_log(CS_LOG_ERROR, "notice-failed",
               "a notice was refused for good; the next goes elsewhere by: keystore subscribe",
               CS_INT("notices", (int64_t)d->failed), CS_STR("why", d->text));
    }
    if (d->put_off > 0) {
        cs_log(CS_LOG_WARN, "notice-waits", "a notice could not be sent yet and is tried again",
               CS_INT("notices", (int64_t)d->put_off), CS_STR("why", d->text));
    }
}

static void sooner(int64_t *wait, cs_time next, cs_time now)
{
    if (next != 0 && next - now < *wait) {
        *wait = next > now ? next - now : 1;
    }
}

static void deliver(struct fetch *f, const struct gw_settings *settings, ks_store *store, cs_time now, int64_t *wait)
{
    ks_mail mail = settings->mail != NULL ? *settings->mail : (ks_mail){.given = false};
    ks_delivered done;
    uint64_t unreached = 0;
    cs_error e = {0};
    mail.stop = asked_to_stop;
    mail.stop_ctx = f;
    if (settings->config->admin.links != NULL) {
        mail.link = ks_link_write;
        mail.link_base = settings->config->admin.links;
    }
    if (ks_deliver(store, &mail, now, &done, &e) != 0 ||
        ks_unreached_each(store, count_unreached, &unreached, &e) != 0) {
        cs_log(CS_LOG_WARN, "notice-waits", "notices were not looked at", CS_STR("why", e.text));
        return;
    }
    tell(&done);
    count(&f->gw->notices, &done, unreached);
    sooner(wait, done.next, now);
}

static int tell_issued(void *ctx, const ks_issued *i, cs_error *e)
{
    (void)ctx;
    (void)e;
    if (i->done) {
        cs_log(CS_LOG_NOTICE, "certificate-issued", "an issuer gave a certificate", CS_STR("alias", i->alias),
               CS_INT("entry", i->n), CS_STR("issuer", i->issuer));
    } else {
        cs_log(i->waits ? CS_LOG_NOTICE : CS_LOG_WARN, i->waits ? "issuer-waits" : "issuer-failed",
               "a certificate has not come yet; it is asked for again", CS_STR("alias", i->alias),
               CS_INT("entry", i->n), CS_STR("issuer", i->issuer), CS_STR("why", i->text));
    }
    return 0;
}

/* Certificates come in as a new generation, by which the keeper is woken. Where private keys are in a process of their
 * own, keystore tick asks: here no key can be opened to sign with. */
static void issue(struct fetch *f, const struct gw_settings *settings, ks_store *store, cs_time now, int64_t *wait)
{
    ks_issuers all = settings->issuers;
    cs_time next = 0;
    cs_error e = {0};
    all.stop = (ks_stop){asked_to_stop, f};
    if (all.n == 0 || f->gw->keys != NULL) {
        return;
    }
    if (ks_issue_due(store, &all, NULL, now, tell_issued, NULL, &next, &e) != 0) {
        cs_log(CS_LOG_WARN, "issuer-failed", "issuers were not asked", CS_STR("why", e.text));
    }
    sooner(wait, next, now);
}

static bool has_client_certificate(const struct plan *p)
{
    for (unsigned i = 0; i < p->n_route; i++) {
        for (const struct gw_upstream *u = p->route[i].conf->upstream; u != NULL; u = u->next) {
            if (u->client_certificate != NULL && u->tls) {
                return true;
            }
        }
    }
    return false;
}

/* @return seconds until the next look */
static int64_t look(struct fetch *f, cs_time now)
{
    struct runtime *rt = gateway_runtime(f->gw);
    const struct gw_settings *settings = rt->plan->settings;
    ks_options options;
    ks_store *store = NULL;
    cs_error e = {0};
    int64_t wait = LOOK_S;
    gateway_key_options(settings, &options);
    if (ks_open(&store, f->uri, &options, &e) == 0) { /* else the watch thread tells that it is away */
        if (has_client_certificate(rt->plan)) {
            if (prober_round(rt, store, ks_live_node(f->gw->live), (ks_stop){asked_to_stop, f}, now)) {
                atomic_store(&f->gw->evidence, true);
            }
        }
        publish_note(&f->gw->publish, rt, store, ks_live_node(f->gw->live), now);
        issue(f, settings, store, now, &wait);
        deliver(f, settings, store, now, &wait);
    }
    ks_close(store);
    runtime_unref(rt);
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
