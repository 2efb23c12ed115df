/* SPDX-License-Identifier: Apache-2.0 */
/* runtime.c: see runtime.h. */
#include "gateway/runtime.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/gateway_private.h"
#include "gateway/listener.h"

/* What the built-in policy allows where no verification names one. */
#define BODY_LIMIT_DEFAULT (UINT64_C(64) << 20)

static struct listening *listening_of(const struct plan *p, const struct gw_listener *l)
{
    for (unsigned i = 0; p != NULL && i < p->n_listening; i++) {
        if (listening_is(p->listening[i], l)) {
            return p->listening[i];
        }
    }
    return NULL;
}

static int plan_listen(struct plan *p, const struct plan *old, cs_error *e)
{
    unsigned n = 0;
    for (const struct gw_listener *l = p->config->listener; l != NULL; l = l->next) {
        n++;
    }
    p->listening = calloc(n, sizeof(struct listening *));
    if (p->listening == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for %u listeners", n);
    }
    for (const struct gw_listener *l = p->config->listener; l != NULL; l = l->next) {
        struct listening *known = listening_of(old, l);
        struct listening *made = known != NULL ? listening_ref(known) : listening_open(p->gateway, l, e);
        if (made == NULL) {
            return -1;
        }
        p->listening[p->n_listening++] = made;
    }
    return 0;
}

static uint64_t body_limit(const struct wssec_policy *policy)
{
    return policy != NULL ? wssec_policy_body_limit(policy) : BODY_LIMIT_DEFAULT;
}

/* A route that verifies the same partner both ways counts an exchange once. */
static void route_shares(const struct plan *p, struct plan_route *r)
{
    const char *partner[2] = {r->conf->request.partner, r->conf->response.partner};
    if (partner[0] != NULL && partner[1] != NULL && strcmp(partner[0], partner[1]) == 0) {
        partner[1] = NULL;
    }
    for (size_t i = 0; i < 2; i++) {
        unsigned most = partner[i] != NULL ? p->settings->partner_concurrency(p->settings, partner[i]) : 0;
        r->share[i] = (struct partner_share){most != 0 ? partner[i] : NULL, most};
    }
}

static int route_build(struct plan *p, struct plan_route *r, const struct gw_route *conf, cs_error *e)
{
    r->conf = conf;
    unsigned i = 0;
    for (const struct gw_listener *l = p->config->listener; l != NULL; l = l->next, i++) {
        if (strcmp(l->name, conf->listener) == 0) {
            r->listening = p->listening[i];
        }
    }
    unsigned n = 0;
    for (const struct gw_upstream *u = conf->upstream; u != NULL; u = u->next) {
        n++;
    }
    r->target = calloc(n, sizeof *r->target);
    r->load = calloc(1, sizeof *r->load);
    r->hold = hold_get(&p->gateway->holds, conf->name);
    if (r->target == NULL || r->load == NULL || r->hold == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for route %s", conf->name);
    }
    for (const struct gw_upstream *u = conf->upstream; u != NULL; u = u->next) {
        struct target *t = &r->target[r->n_target];
        t->conf = u;
        t->tls = u->tls ? (int)p->n_tls++ : -1;
        t->receiver = receiver_get(&p->gateway->checks, u);
        if (t->receiver == NULL) {
            return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for upstream %s", u->url);
        }
        t->name = t->receiver->name;
        r->n_target++;
    }
    if (conf->request.partner != NULL) {
        r->request_policy = p->settings->policy(p->settings, NULL, conf->request.partner);
    }
    if (conf->response.partner != NULL) {
        r->response_policy = p->settings->policy(p->settings, NULL, conf->response.partner);
    }
    route_shares(p, r);
    r->names_policy = r->response_policy != NULL  ? r->response_policy
                      : r->request_policy != NULL ? r->request_policy
                                                  : p->settings->policy(p->settings, NULL, NULL);
    if (r->names_policy == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "policy", "route %s has no policy", conf->name);
    }
    r->request_limit = body_limit(r->request_policy);
    r->response_limit = body_limit(r->response_policy);
    return 0;
}

static int by_path_length(const void *a, const void *b)
{
    const struct plan_route *x = a;
    const struct plan_route *y = b;
    return x->conf->path_n < y->conf->path_n ? 1 : x->conf->path_n > y->conf->path_n ? -1 : 0;
}

static int plan_routes(struct plan *p, cs_error *e)
{
    unsigned n = 0;
    for (const struct gw_route *r = p->config->route; r != NULL; r = r->next) {
        n++;
    }
    p->route = calloc(n > 0 ? n : 1, sizeof *p->route);
    if (p->route == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for %u routes", n);
    }
    for (const struct gw_route *r = p->config->route; r != NULL; r = r->next) {
        p->n_route++;
        if (route_build(p, &p->route[p->n_route - 1], r, e) != 0) {
            return -1;
        }
    }
    qsort(p->route, p->n_route, sizeof *p->route, by_path_length);
    return 0;
}

struct plan *plan_new(struct gateway *gw, struct gw_settings *settings, const struct plan *old, cs_error *e)
{
    struct plan *p = calloc(1, sizeof *p);
    if (p == NULL) {
        settings->free(settings);
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the configuration");
        return NULL;
    }
    atomic_store(&p->refs, 1);
    p->gateway = gw;
    p->settings = settings;
    p->config = settings->config;
    if (plan_listen(p, old, e) != 0 || plan_routes(p, e) != 0) {
        plan_unref(p);
        return NULL;
    }
    return p;
}

void plan_unref(struct plan *p)
{
    if (p == NULL || atomic_fetch_sub(&p->refs, 1) != 1) {
        return;
    }
    for (unsigned i = 0; i < p->n_route; i++) {
        for (unsigned j = 0; j < p->route[i].n_target; j++) {
            receiver_unref(&p->gateway->checks, p->route[i].target[j].receiver);
        }
        free(p->route[i].target);
        free(p->route[i].load);
        hold_unref(&p->gateway->holds, p->route[i].hold);
    }
    free(p->route);
    for (unsigned i = 0; i < p->n_listening; i++) {
        listening_unref(p->listening[i]);
    }
    free(p->listening);
    p->settings->free(p->settings);
    free(p);
}

struct runtime *runtime_new(struct plan *plan, const ks_snapshot *snapshot, const struct runtime *old, cs_time now,
                            cs_error *e)
{
    struct runtime *rt = calloc(1, sizeof *rt);
    struct tls_set *tls = rt != NULL ? tls_set_new(plan, snapshot, old != NULL ? old->tls : NULL, now, e) : NULL;
    if (tls == NULL) {
        if (rt == NULL) {
            cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for a runtime");
        }
        free(rt);
        ks_snapshot_release(snapshot);
        return NULL;
    }
    rt->tls = tls;
    atomic_store(&rt->refs, 1);
    atomic_fetch_add(&plan->refs, 1);
    rt->plan = plan;
    rt->snapshot = snapshot;
    rt->generation = ks_snapshot_generation(snapshot);
    return rt;
}

struct runtime *runtime_ref(struct runtime *rt)
{
    if (rt != NULL) {
        atomic_fetch_add_explicit(&rt->refs, 1, memory_order_relaxed);
    }
    return rt;
}

void runtime_unref(struct runtime *rt)
{
    if (rt == NULL || atomic_fetch_sub(&rt->refs, 1) != 1) {
        return;
    }
    tls_set_free(rt->tls);
    ks_snapshot_release(rt->snapshot);
    plan_unref(rt->plan);
    free(rt);
}

struct tls_front *runtime_admin_front(const struct runtime *rt)
{
    return rt->tls->front[rt->plan->n_listening];
}

struct tls_front *runtime_front(const struct runtime *rt, const struct listening *l)
{
    for (unsigned i = 0; i < rt->plan->n_listening; i++) {
        if (rt->plan->listening[i] == l) {
            return rt->tls->front[i];
        }
    }
    return NULL;
}
