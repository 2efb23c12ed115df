/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c: see worker.h. */
#include "gateway/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "gateway/action.h"
#include "gateway/capture.h"
#include "gateway/gateway_private.h"

struct worker_thread {
    struct gateway *gateway;
    struct wssec_worker *wssec;
    pthread_t thread;
    unsigned index;
    bool started;
};

/* A judged message is kept whatever became of it. One that may not go on unless it is kept is not even judged when
 * nothing can be: the sender tries again, and its signature must not count as seen. */
static void work(struct job *j, struct wssec_worker *w)
{
    struct capture *capture = j->gateway->capture;
    const struct gw_actions *a = j->response ? &j->route->conf->response : &j->route->conf->request;
    bool kept = capture != NULL && a->partner != NULL && !j->describe;
    if (!kept || !capture_refuses(capture)) {
        action_run(j, w);
        kept = kept && j->judged;
        if (!kept || capture_message(capture, j) || (j->reason != WSSEC_OK && !j->monitored)) {
            return;
        }
    }
    j->monitored = false;
    j->reason = WSSEC_CAPTURE_FULL;
    cs_copy(j->detail, sizeof j->detail, "the message cannot be kept");
}

static void *worker_run(void *ctx)
{
    struct worker_thread *t = ctx;
    struct queue_item *item;
    char name[16];
    snprintf(name, sizeof name, "work-%u", t->index);
    pthread_setname_np(pthread_self(), name);
    while ((item = queue_pop(&t->gateway->queue)) != NULL) {
        struct job *j = (struct job *)((char *)item - offsetof(struct job, item));
        int64_t begun_us = cs_clock_mono_us();
        atomic_store(&j->begun_us, begun_us);
        shed_observe(&t->gateway->shed, &j->runtime->plan->config->shed, begun_us - item->queued_us, begun_us);
        if (!atomic_load(&j->unwanted)) {
            if (j->feeding) {
                inflow_run(j);
            } else {
                work(j, t->wssec);
            }
        }
        j->ended_us = cs_clock_mono_us();
        loop_post(j->home, &j->mail);
    }
    return NULL;
}

int workers_start(struct gateway *gw, unsigned n)
{
    gw->workers.worker = calloc(n, sizeof *gw->workers.worker);
    if (gw->workers.worker == NULL) {
        return -1;
    }
    for (unsigned i = 0; i < n; i++) {
        struct worker_thread *t = &gw->workers.worker[i];
        gw->workers.n = i + 1;
        t->gateway = gw;
        t->index = i;
        t->wssec = wssec_worker_new();
        if (t->wssec == NULL) {
            cs_log(CS_LOG_ERROR, "worker-start", "no memory for a worker");
            return -1;
        }
        int rc = pthread_create(&t->thread, NULL, worker_run, t);
        if (rc != 0) {
            cs_log(CS_LOG_ERROR, "worker-start", "a worker cannot start", CS_STR("why", strerror(rc)));
            return -1;
        }
        t->started = true;
    }
    return 0;
}

void workers_join(struct gateway *gw)
{
    for (unsigned i = 0; i < gw->workers.n; i++) {
        struct worker_thread *t = &gw->workers.worker[i];
        if (t->started) {
            pthread_join(t->thread, NULL);
        }
        wssec_worker_free(t->wssec);
    }
    free(gw->workers.worker);
    gw->workers = (struct worker_pool){0};
}
