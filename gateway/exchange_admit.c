/* SPDX-License-Identifier: Apache-2.0 */
/* exchange_admit.c: may this request begin? Its client's rate, what is under way on its route and
 * of its partners, and the load of all. */
#include "gateway/exchange.h"

#include <limits.h>

#include "base/clock.h"
#include "base/text.h"
#include "gateway/gateway_private.h"
#include "gateway/tls_peer.h"

static bool rate_good(struct exchange *ex, int64_t now_us)
{
    const struct gw_route *r = ex->route->conf;
    struct limiter *l = ex->loop->gateway->limiter;
    if (!limit_request(l, r->name, 'a', ex->client->limited_as, r->rate_address, now_us)) {
        exchange_fail(ex, WSSEC_RATE_LIMIT, "more than %u requests per second of %s", r->rate_address,
                      ex->client->limited_as);
        return false;
    }
    const struct tls_peer *peer = ex->client->peer;
    char hex[65];
    if (peer != NULL &&
        !limit_request(l, r->name, 'c', cs_hex(peer->sha256, sizeof peer->sha256, hex), r->rate_certificate, now_us)) {
        exchange_fail(ex, WSSEC_RATE_LIMIT, "more than %u requests per second with one certificate",
                      r->rate_certificate);
        return false;
    }
    return true;
}

static bool concurrency_good(struct exchange *ex)
{
    struct route_load *load = ex->route->load;
    unsigned most = ex->route->conf->concurrency;
    unsigned before = atomic_fetch_add_explicit(&load->in_flight, 1, memory_order_relaxed);
    ex->counted = true;
    if (most != 0 && before >= most) {
        exchange_fail(ex, WSSEC_CONCURRENCY_LIMIT, "%u requests of route %s are under way", before,
                      ex->route->conf->name);
        return false;
    }
    return true;
}

/* A reply is never refused for its number (the receiver has acted), so its place is taken before the request is read.
 */
static bool partners_good(struct exchange *ex)
{
    const struct partner_share *share = ex->route->share;
    for (size_t i = 0; i < 2 && !ex->passes_unsigned; i++) {
        if (share[i].partner == NULL) {
            continue;
        }
        ex->shared[i] = limit_partner(ex->loop->gateway->limiter, share[i].partner, share[i].most);
        if (!ex->shared[i]) {
            exchange_fail(ex, WSSEC_PARTNER_LIMIT, "%u requests of partner %s are under way", share[i].most,
                          share[i].partner);
            return false;
        }
    }
    return true;
}

/* Only what a worker would have to do is shed; what passes through costs no worker. */
static bool load_good(struct exchange *ex, int64_t now_us)
{
    struct gateway *gw = ex->loop->gateway;
    const struct gw_route *r = ex->route->conf;
    if (ex->passes_unsigned || (!gw_actions_any(&r->request) && !gw_actions_any(&r->response))) {
        return true;
    }
    int64_t oldest_us = queue_oldest(&gw->queue);
    if (!shed_now(&gw->shed, &exchange_config(ex)->shed, oldest_us, now_us)) {
        return true;
    }
    exchange_fail(ex, WSSEC_SHED, "messages wait for a worker since %lld ms", (long long)(now_us - oldest_us) / 1000);
    return false;
}

bool exchange_admit(struct exchange *ex)
{
    int64_t now_us = cs_clock_mono_us();
    return rate_good(ex, now_us) && concurrency_good(ex) && load_good(ex, now_us) && partners_good(ex);
}

void exchange_count(struct exchange *ex)
{
    atomic_fetch_add_explicit(&ex->route->load->in_flight, 1, memory_order_relaxed);
    ex->counted = true;
    const struct partner_share *share = ex->route->share;
    for (size_t i = 0; i < 2 && !ex->passes_unsigned; i++) {
        ex->shared[i] =
            share[i].partner != NULL && limit_partner(ex->loop->gateway->limiter, share[i].partner, UINT_MAX);
    }
}

void exchange_release(struct exchange *ex)
{
    for (size_t i = 0; i < 2; i++) {
        if (ex->shared[i]) {
            ex->shared[i] = false;
            limit_partner_release(ex->loop->gateway->limiter, ex->route->share[i].partner);
        }
    }
    if (ex->counted) {
        ex->counted = false;
        atomic_fetch_sub_explicit(&ex->route->load->in_flight, 1, memory_order_relaxed);
    }
}
