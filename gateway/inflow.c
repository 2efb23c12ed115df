/* SPDX-License-Identifier: Apache-2.0 */
/* inflow.c: see inflow.h. */
#include "gateway/inflow.h"

#include <stdlib.h>

#include "base/clock.h"
#include "gateway/action.h"
#include "gateway/gateway_private.h"

/* ---- judges --------------------------------------------------------------------------------------------------- */

void inflow_pool_destroy(struct inflow_pool *p)
{
    while (p->n_idle > 0) {
        wssec_worker_free(p->idle[--p->n_idle]);
    }
    pthread_mutex_destroy(&p->lock);
}

static struct wssec_worker *judge_take(struct inflow_pool *p)
{
    struct wssec_worker *w = NULL;
    pthread_mutex_lock(&p->lock);
    bool room = p->taken < INFLOW_MOST;
    if (room) {
        p->taken++;
        w = p->n_idle > 0 ? p->idle[--p->n_idle] : NULL;
    }
    pthread_mutex_unlock(&p->lock);
    if (room && w == NULL && (w = wssec_worker_new()) == NULL) {
        pthread_mutex_lock(&p->lock);
        p->taken--;
        pthread_mutex_unlock(&p->lock);
    }
    return w;
}

static void judge_give(struct inflow_pool *p, struct wssec_worker *w)
{
    if (w == NULL) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->taken--;
    if (p->n_idle < INFLOW_IDLE) {
        p->idle[p->n_idle++] = w;
        w = NULL;
    }
    pthread_mutex_unlock(&p->lock);
    wssec_worker_free(w);
}

/* ---- home ------------------------------------------------------------------------------------------------------ */

struct inflow *inflow_new(struct inflow_pool *p)
{
    struct inflow *f = calloc(1, sizeof *f);
    if (f != NULL && (f->wssec = judge_take(p)) == NULL) {
        free(f);
        f = NULL;
    }
    if (f != NULL) {
        f->pool = p;
        f->need = WSSEC_NEED_MORE;
    }
    return f;
}

void inflow_free(struct inflow *f)
{
    if (f == NULL) {
        return;
    }
    judge_give(f->pool, f->wssec);
    resolver_clear(&f->source);
    if (f->keys_of != NULL) {
        ks_snapshot_release(f->keys_of);
    }
    free(f->slice);
    free(f);
}

bool inflow_take(struct inflow *f, const struct body *b, uint64_t least)
{
    if (b->octets - f->octets < least) {
        return false;
    }
    const struct chunk *c = f->at != NULL ? f->at : b->first;
    size_t from = f->at != NULL ? f->at_n : 0;
    for (; c != NULL; c = c->next, from = 0) {
        if (c->n == from) {
            continue;
        }
        if (f->n_slice == f->cap_slice) {
            size_t cap = f->cap_slice == 0 ? 4 : f->cap_slice * 2;
            struct wssec_slice *more = reallocarray(f->slice, cap, sizeof *more);
            if (more == NULL) {
                return false; /* what was noted of it comes again with the next piece */
            }
            f->slice = more;
            f->cap_slice = cap;
        }
        f->slice[f->n_slice++] = (struct wssec_slice){(const uint8_t *)c->data + from, c->n - from};
        f->at = c;
        f->at_n = c->n;
        f->octets += c->n - from;
    }
    return true;
}

/* ---- worker ---------------------------------------------------------------------------------------------------- */

static int begin(struct job *j)
{
    struct inflow *f = j->flow;
    cs_time now = cs_clock_now();
    const struct wssec_when when = {now, now, WSSEC_TIME_NOW, true, true};
    struct wssec_input in = action_input(j, &f->confirm);
    f->begun = true;
    action_keys(j, f->keys_of, &f->keys, &f->source);
    return wssec_verify_begin(f->wssec, &in, action_policy(j), &when, &f->keys, &f->verdict, NULL);
}

/* An error of ours is not looked at here: it comes again at the end. */
static void feed(struct inflow *f)
{
    for (size_t i = 0; i < f->n_slice && f->need == WSSEC_NEED_MORE; i++) {
        if (wssec_verify_feed(f->wssec, f->slice[i].p, f->slice[i].n, &f->need) != WSSEC_RC_OK) {
            f->need = WSSEC_NEED_WHOLE;
        }
    }
    f->n_slice = 0;
}

void inflow_run(struct job *j)
{
    struct inflow *f = j->flow;
    int64_t begun_us = cs_clock_mono_us();
    if (!f->begun && begin(j) != WSSEC_RC_OK) {
        f->need = WSSEC_NEED_WHOLE;
    }
    feed(f);
    f->spent_us += cs_clock_mono_us() - begun_us;
}

int inflow_finish(struct job *j, const struct wssec_input *in, const struct wssec_when *t,
                  const struct wssec_resolver *r, const struct wssec_replay *c)
{
    struct inflow *f = j->flow;
    if (!f->cut) {
        (void)inflow_take(f, &j->body, 0);
        feed(f);
    }
    /* what was refused at its front was refused by the keys of that moment */
    int rc = wssec_verify_finish(f->wssec, f->cut ? NULL : in, t, f->cut ? &f->keys : r, c);
    j->verdict = f->verdict;
    judge_give(f->pool, f->wssec);
    f->wssec = NULL;
    return rc;
}
