/* SPDX-License-Identifier: Apache-2.0 */
/* hold.c: see hold.h. */
#include "gateway/hold.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/exchange.h"
#include "gateway/gateway_private.h"

/* ---- names ------------------------------------------------------------------------------------------------------- */

struct hold_route *hold_get(struct hold_table *t, const char *name)
{
    pthread_mutex_lock(&t->lock);
    struct hold_route *h = t->first;
    while (h != NULL && strcmp(h->name, name) != 0) {
        h = h->next;
    }
    if (h == NULL && (h = calloc(1, sizeof *h)) != NULL) {
        h->name = strdup(name);
        if (h->name == NULL) {
            free(h);
            h = NULL;
        } else {
            h->next = t->first;
            t->first = h;
        }
    }
    if (h != NULL) {
        h->refs++;
    }
    pthread_mutex_unlock(&t->lock);
    return h;
}

void hold_unref(struct hold_table *t, struct hold_route *h)
{
    if (h == NULL) {
        return;
    }
    pthread_mutex_lock(&t->lock);
    bool last = --h->refs == 0;
    if (last) {
        struct hold_route **place = &t->first;
        while (*place != h) {
            place = &(*place)->next;
        }
        *place = h->next;
    }
    pthread_mutex_unlock(&t->lock);
    if (last) {
        free(h->name);
        free(h);
    }
}

/* ---- what the keystore says -------------------------------------------------------------------------------------- */

/* A route that the configuration has no more is let go: its exchanges then learn that there is no such route. */
static bool wanted(const struct runtime *rt, const char *name)
{
    for (unsigned i = 0; i < rt->plan->n_route; i++) {
        if (strcmp(rt->plan->route[i].conf->name, name) == 0) {
            return ks_held(rt->snapshot, name) != NULL;
        }
    }
    return false;
}

static void look_again(struct loop *loop, struct mail *m);

void hold_apply(struct gateway *gw, const struct runtime *rt)
{
    bool changed = false;
    pthread_mutex_lock(&gw->holds.lock);
    for (struct hold_route *h = gw->holds.first; h != NULL; h = h->next) {
        bool now = wanted(rt, h->name);
        if (atomic_exchange(&h->held, now) != now) {
            changed = true;
            cs_log(CS_LOG_NOTICE, now ? "route-held" : "route-released",
                   now ? "a route is on hold: its requests wait" : "a route goes on: what waits is let go",
                   CS_STR("route", h->name), CS_INT("waiting", atomic_load(&h->waiting)),
                   CS_INT("under_way", atomic_load(&h->under_way)));
        }
    }
    pthread_mutex_unlock(&gw->holds.lock);
    for (unsigned i = 0; changed && i < gw->n_loop; i++) {
        struct mail *m = calloc(1, sizeof *m);
        if (m == NULL) {
            cs_log(CS_LOG_ERROR, "out-of-memory", "a loop cannot be told of a hold", CS_INT("loop", i));
            continue;
        }
        m->deliver = look_again;
        loop_post(&gw->loop[i], m);
    }
}

/* ---- exchanges of a loop ----------------------------------------------------------------------------------------- */

bool hold_must_wait(struct exchange *ex)
{
    struct hold_route *h = ex->route->hold;
    /* Counted first, looked second: who sets held and then reads the count cannot miss this exchange. */
    atomic_fetch_add(&h->under_way, 1);
    if (atomic_load(&h->held)) {
        atomic_fetch_sub(&h->under_way, 1);
        return true;
    }
    ex->under_way = true;
    return false;
}

void exchange_hold(struct exchange *ex)
{
    struct loop *loop = ex->loop;
    const struct gw_route *r = ex->route->conf;
    unsigned before = atomic_fetch_add(&ex->route->hold->waiting, 1);
    exchange_release(ex); /* what waits is bounded by the queue; it must not use up what is for those under way */
    ex->hold = ex->route->hold;
    ex->mark.hold = cs_clock_mono_us();
    ex->held_next = NULL;
    ex->held_place = loop->held_last;
    *loop->held_last = ex;
    loop->held_last = &ex->held_next;
    if (before >= r->hold_queue) {
        exchange_fail(ex, WSSEC_ROUTE_HELD, "%u requests wait already for route %s", before, r->name);
    } else if (loop->draining && !loop->keeps_held) {
        exchange_fail(ex, WSSEC_ROUTE_HELD, "route %s is on hold, and the gateway ends", r->name);
    } else {
        timer_set(&ex->client->conn.timer, r->hold_wait_ms);
    }
}

static void leave_queue(struct exchange *ex)
{
    struct loop *loop = ex->loop;
    if (ex->hold == NULL) {
        return;
    }
    *ex->held_place = ex->held_next;
    if (ex->held_next != NULL) {
        ex->held_next->held_place = ex->held_place;
    } else {
        loop->held_last = ex->held_place;
    }
    atomic_fetch_sub(&ex->hold->waiting, 1);
    ex->hold = NULL;
    ex->mark.released = cs_clock_mono_us();
}

void hold_leave(struct exchange *ex)
{
    leave_queue(ex);
    if (ex->under_way) {
        ex->under_way = false;
        atomic_fetch_sub(&ex->route->hold->under_way, 1);
    }
}

bool hold_closes(const struct exchange *ex)
{
    return ex->route != NULL && atomic_load_explicit(&ex->route->hold->held, memory_order_relaxed);
}

/* It goes on with the configuration and the keys of now, as if its head had just come. */
static void let_go(struct exchange *ex)
{
    struct gateway *gw = ex->loop->gateway;
    timer_off(&ex->client->conn.timer);
    leave_queue(ex);
    struct runtime *before = ex->runtime;
    ex->runtime = gateway_runtime(gw);
    ex->route = NULL;
    bool good = exchange_request_accept(ex) && exchange_authorize(ex);
    runtime_unref(before);
    if (!good) {
        return;
    }
    exchange_count(ex);
    if (ex->request_octets > ex->route->request_limit) {
        exchange_fail(ex, WSSEC_LIMIT_BODY, "%llu octets", (unsigned long long)ex->request_octets);
    } else {
        exchange_request_go_on(ex);
    }
}

static void look_again(struct loop *loop, struct mail *m)
{
    free(m);
    struct runtime *rt = gateway_runtime(loop->gateway);
    for (unsigned i = 0; i < rt->plan->n_route; i++) {
        const struct plan_route *r = &rt->plan->route[i];
        for (unsigned k = 0; atomic_load(&r->hold->held) && k < r->n_target; k++) {
            upstream_close_idle_to(loop, r->target[k].name);
        }
    }
    runtime_unref(rt);
    /* Only the exchange that is let go leaves the list meanwhile: others end in turns of their own. */
    for (struct exchange *ex = loop->held; ex != NULL;) {
        struct exchange *next = ex->held_next;
        if (ex->state == EX_HELD && !atomic_load(&ex->hold->held)) {
            let_go(ex);
        }
        ex = next;
    }
}

void hold_refuse_all(struct loop *loop)
{
    for (struct exchange *ex = loop->held; ex != NULL;) {
        struct exchange *next = ex->held_next;
        if (ex->state == EX_HELD) {
            exchange_fail(ex, WSSEC_ROUTE_HELD, "route %s is on hold, and the gateway ends", ex->route->conf->name);
        }
        ex = next;
    }
}
