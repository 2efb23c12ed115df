/* SPDX-License-Identifier: Apache-2.0 */
/* gauge.c: see gauge.h. Nothing is written while no roll-over is under way. */
#include "gateway/gauge.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "gateway/gateway_private.h"
#include "gateway/hold.h"
#include "gateway/keeper.h"
#include "keystore/probe.h"

#define AGAIN_US 30000000 /* a number that is older than 90 s says nothing */
#define PAUSE_US 500000   /* between two that differ */

static bool add(struct gauges *g, size_t *n, const char *kind, const char *object, int64_t value)
{
    if (*n == g->cap) {
        size_t cap = g->cap == 0 ? 16 : g->cap * 2;
        struct ks_gauge *grown = reallocarray(g->row, cap, sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        g->row = grown;
        g->cap = cap;
    }
    g->row[(*n)++] = (ks_gauge){kind, object, value};
    return true;
}

static uint64_t mix(uint64_t sum, const ks_gauge *row)
{
    sum = cs_fnv1a(sum, &row->n, sizeof row->n);
    return cs_fnv1a(sum, row->object, strlen(row->object));
}

/** What a route that is not held has under way is nobody's concern, and changes all the time. */
static size_t collect(struct gateway *gw, const struct runtime *rt, struct gauges *g)
{
    size_t n = 0;
    unsigned front = 0;
    unsigned back = 0;
    for (unsigned i = 0; i < rt->plan->n_route; i++) {
        const struct hold_route *h = rt->plan->route[i].hold;
        bool good = h == NULL || !atomic_load(&h->held) ||
                    add(g, &n, "under-way", h->name, (int64_t)atomic_load(&h->under_way));
        if (!good || (h != NULL && !add(g, &n, "waiting", h->name, (int64_t)atomic_load(&h->waiting)))) {
            return 0;
        }
    }
    tls_old_connections(&gw->tls, &front, &back);
    return add(g, &n, "old-connections", "front", front) && add(g, &n, "old-connections", "back", back) ? n : 0;
}

void gauges_report(struct gateway *gw, struct gauges *g, bool changed)
{
    int64_t now_us = cs_clock_mono_us();
    bool again = now_us - g->told_us >= AGAIN_US;
    if (!changed && !again && (!g->wanted || now_us - g->told_us < PAUSE_US)) {
        return;
    }
    struct runtime *rt = gateway_runtime(gw);
    const struct gw_settings *s = rt->plan->settings;
    ks_store *store = NULL;
    cs_error e = {0};
    uint64_t sum = CS_FNV1A_BASIS;
    size_t n = collect(gw, rt, g);
    for (size_t i = 0; i < n; i++) {
        sum = mix(sum, &g->row[i]);
    }
    if (n == 0 || (!changed && !again && sum == g->told)) {
        goto out;
    }
    bool differs = sum != g->told;
    if (ks_open(&store, s->keystore_uri, &s->keystore, &e) != 0 || ks_gauges_wanted(store, &g->wanted, &e) != 0 ||
        (g->wanted && ks_gauges_put(store, ks_live_node(gw->live), g->row, n, cs_clock_now(), &e) != 0)) {
        cs_log(CS_LOG_WARN, "gauges", "the keystore was not told what is under way here", CS_STR("why", e.text));
        goto out;
    }
    g->told = sum;
    g->told_us = now_us;
    if (g->wanted && differs && gw->keeper != NULL) {
        keeper_wake(gw->keeper); /* it may be what a step waits for */
    }
out:
    ks_close(store);
    runtime_unref(rt);
}

void gauges_free(struct gauges *g)
{
    free(g->row);
    g->row = NULL;
}
