/* SPDX-License-Identifier: Apache-2.0 */
/* status.c: see status.h. */
#include "gateway/status.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "gateway/gateway_private.h"
#include "gateway/listener.h"
#include "gateway/upstream.h"

/* A loop that has not turned for so long is stuck. */
#define ALIVE_US INT64_C(10000000)

int64_t status_in_flight(struct gateway *gw)
{
    int64_t n = 0;
    for (unsigned i = 0; i < gw->n_loop; i++) {
        const struct counters *c = &gw->loop[i].counters;
        uint64_t ended = atomic_load(&c->exchanges);
        n += (int64_t)(atomic_load(&c->begun) - ended);
    }
    return n;
}

bool status_alive(struct gateway *gw)
{
    int64_t now = cs_clock_mono_us();
    for (unsigned i = 0; i < gw->n_loop; i++) {
        int64_t seen = atomic_load(&gw->loop[i].pulse.seen_us);
        if (now - (seen != 0 ? seen : gw->started_us) > ALIVE_US) {
            return false;
        }
    }
    return true;
}

/* ---- routes ------------------------------------------------------------------------------------------------------ */

/* Why a route cannot serve now; NULL: it can. Static text, the name it is about in *about (borrowed from r). */
static const char *route_trouble(const struct runtime *rt, const struct plan_route *r, const char **about)
{
    const char *trouble = "no upstream has an address and is up";
    const char *alias = r->conf->request.sign_alias;
    *about = alias;
    if (alias != NULL) {
        const ks_entry *entry = ks_active(rt->snapshot, alias);
        if (entry == NULL) {
            return "the slot has no active entry";
        }
        if (ks_entry_private_key(entry) == NULL) {
            return "the active entry of the slot has no usable key";
        }
    }
    *about = r->n_target > 0 ? r->target[0].conf->authority : NULL;
    for (unsigned i = 0; i < r->n_target; i++) {
        const struct target *t = &r->target[i];
        if (t->tls >= 0 && rt->tls->back[t->tls]->why[0] != '\0') {
            *about = t->conf->client_certificate;
            trouble = "the client certificate for the upstream has no active entry with a usable key";
        } else if (upstream_usable(r, t, cs_clock_mono_us())) {
            return NULL;
        }
    }
    return trouble;
}

static bool any_usable(const struct runtime *rt)
{
    const char *about;
    for (unsigned i = 0; i < rt->plan->n_route; i++) {
        if (route_trouble(rt, &rt->plan->route[i], &about) == NULL) {
            return true;
        }
    }
    return rt->plan->n_route == 0;
}

static void add_trouble(cs_json *j, const struct runtime *rt, const struct plan_route *r)
{
    const char *about;
    const char *trouble = route_trouble(rt, r, &about);
    cs_json_bool(j, "usable", trouble == NULL);
    if (trouble != NULL) {
        cs_json_str(j, "trouble", trouble);
        cs_json_str(j, "about", about);
    }
}

bool status_ready(struct gateway *gw, cs_buf *out)
{
    struct runtime *rt = gateway_runtime(gw);
    bool draining = atomic_load(&gw->draining);
    bool ready = !draining && any_usable(rt);
    cs_json j;
    if (out != NULL) {
        cs_json_begin(&j, out);
        cs_json_object(&j, NULL);
        cs_json_bool(&j, "ready", ready);
        cs_json_bool(&j, "draining", draining);
        cs_json_bool(&j, "degraded", atomic_load(&gw->stale_since_us) != 0);
        cs_json_array(&j, "not_usable");
        for (unsigned i = 0; i < rt->plan->n_route; i++) {
            const char *about;
            if (route_trouble(rt, &rt->plan->route[i], &about) != NULL) {
                cs_json_str(&j, NULL, rt->plan->route[i].conf->name);
            }
        }
        cs_json_array_end(&j);
        cs_json_object_end(&j);
    }
    runtime_unref(rt);
    return ready;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static void add_process(cs_json *j, struct gateway *gw, const struct runtime *rt)
{
    int64_t stale = atomic_load(&gw->stale_since_us);
    int64_t now = cs_clock_mono_us();
    cs_json_int(j, "v", 1);
    cs_json_bool(j, "ok", true);
    cs_json_str(j, "version", CS_VERSION);
    cs_json_int(j, "pid", getpid());
    cs_json_int(j, "master", gw->link.fd >= 0 ? getppid() : 0);
    cs_json_str(j, "node", ks_live_node(gw->live));
    cs_json_time(j, "started", gw->started);
    cs_json_str(j, "state", atomic_load(&gw->draining) ? "draining" : "running");
    cs_json_bool(j, "ready", status_ready(gw, NULL));
    cs_json_bool(j, "alive", status_alive(gw));
    cs_json_int(j, "generation", (int64_t)rt->generation);
    cs_json_int(j, "keystore_stale_s", stale != 0 ? (now - stale) / 1000000 : 0);
    cs_json_object(j, "sandbox");
    cs_json_bool(j, "on", gw->sandbox.wanted);
    cs_json_bool(j, "seccomp", gw->sandbox.seccomp);
    cs_json_int(j, "landlock", gw->sandbox.landlock);
    cs_json_int(j, "refused", (int64_t)sandbox_refused());
    cs_json_int(j, "uid", geteuid());
    cs_json_object_end(j);
    cs_json_array(j, "listeners");
    for (unsigned i = 0; i < rt->plan->n_listening; i++) {
        cs_json_str(j, NULL, listening_address(rt->plan->listening[i]));
    }
    cs_json_array_end(j);
}

static void add_load(cs_json *j, struct gateway *gw, const struct runtime *rt)
{
    uint64_t exchanges = 0;
    uint64_t refused = 0;
    uint64_t upstream = 0;
    for (unsigned i = 0; i < gw->n_loop; i++) {
        const struct counters *c = &gw->loop[i].counters;
        exchanges += atomic_load(&c->exchanges);
        upstream += atomic_load(&c->upstream_open);
        for (int k = 1; k < WSSEC_REASONS; k++) {
            refused += atomic_load(&c->refused[k]);
        }
    }
    cs_json_object(j, "connections");
    unsigned old[2];
    tls_old_connections(&gw->tls, &old[0], &old[1]);
    cs_json_int(j, "clients", atomic_load(&gw->clients));
    cs_json_int(j, "old_clients", old[0]);
    cs_json_int(j, "old_upstream", old[1]);
    cs_json_int(j, "upstream", (int64_t)upstream);
    cs_json_int(j, "limit", rt->plan->config->connections);
    cs_json_object_end(j);
    cs_json_object(j, "exchanges");
    cs_json_int(j, "in_flight", status_in_flight(gw));
    cs_json_int(j, "ended", (int64_t)exchanges);
    cs_json_int(j, "refused", (int64_t)refused);
    cs_json_object_end(j);
    cs_json_object(j, "workers");
    cs_json_int(j, "threads", gw->workers.n);
    cs_json_int(j, "queue", (int64_t)queue_length(&gw->queue));
    cs_json_object_end(j);
    cs_json_object(j, "memory");
    cs_json_int(j, "reserved", (int64_t)atomic_load(&gw->memory.reserved));
    cs_json_int(j, "ceiling", (int64_t)gw->memory.ceiling);
    cs_json_object_end(j);
    cs_json_int(j, "log_dropped", (int64_t)accesslog_dropped(gw->log));
}

static void add_reloads(cs_json *j, struct gateway *gw)
{
    const struct reload_stats *r = &gw->reloads;
    cs_json_object(j, "reload");
    cs_json_int(j, "done", (int64_t)atomic_load(&r->done));
    cs_json_int(j, "refused", (int64_t)atomic_load(&r->refused));
    cs_json_time(j, "last", atomic_load(&r->at));
    cs_json_bool(j, "last_good", atomic_load(&r->last_good));
    cs_json_object_end(j);
}

static void add_notices(cs_json *j, struct gateway *gw)
{
    const struct notice_stats *n = &gw->notices;
    cs_json_object(j, "notices");
    cs_json_int(j, "sent", (int64_t)atomic_load(&n->sent));
    cs_json_int(j, "failed", (int64_t)atomic_load(&n->failed));
    cs_json_int(j, "waiting", (int64_t)atomic_load(&n->waiting));
    cs_json_int(j, "unreached", (int64_t)atomic_load(&n->unreached));
    cs_json_object_end(j);
}

/* Held, with nothing under way and no connection left: the downtime window of the receiver may begin. */
static void add_hold(cs_json *j, const struct runtime *rt, const struct plan_route *r)
{
    const ks_hold_info *hold = ks_held(rt->snapshot, r->conf->name);
    unsigned connections = 0;
    for (unsigned i = 0; i < r->n_target; i++) {
        bool twin = false;
        for (unsigned k = 0; k < i && !twin; k++) {
            twin = r->target[k].name == r->target[i].name;
        }
        connections += twin ? 0 : atomic_load(&r->target[i].name->connections);
    }
    /* Read before the count: see hold_must_wait(). */
    bool held = atomic_load(&r->hold->held);
    cs_json_bool(j, "held", held);
    cs_json_time(j, "held_since", held && hold != NULL ? hold->since : 0);
    cs_json_str(j, "held_by", held && hold != NULL ? hold->actor : NULL);
    cs_json_int(j, "waiting", atomic_load(&r->hold->waiting));
    cs_json_int(j, "in_flight", atomic_load(&r->hold->under_way));
    cs_json_int(j, "connections", connections);
}

static void add_route(cs_json *j, const struct runtime *rt, const struct plan_route *r, cs_time now)
{
    cs_json_object(j, NULL);
    cs_json_str(j, "route", r->conf->name);
    add_trouble(j, rt, r);
    cs_json_bool(j, "monitored",
                 gw_actions_monitor(&r->conf->request, now) || gw_actions_monitor(&r->conf->response, now));
    add_hold(j, rt, r);
    cs_json_array(j, "upstreams");
    for (unsigned i = 0; i < r->n_target; i++) {
        cs_json_object(j, NULL);
        cs_json_str(j, "url", r->target[i].conf->url);
        cs_json_bool(j, "up", upstream_usable(r, &r->target[i], cs_clock_mono_us()));
        cs_json_int(j, "in_flight", atomic_load(&r->target[i].in_flight));
        cs_json_object_end(j);
    }
    cs_json_array_end(j);
    cs_json_object_end(j);
}

void status_write(struct gateway *gw, cs_buf *out)
{
    struct runtime *rt = gateway_runtime(gw);
    cs_time now = cs_clock_now();
    cs_json j;
    cs_json_begin(&j, out);
    cs_json_object(&j, NULL);
    add_process(&j, gw, rt);
    add_load(&j, gw, rt);
    add_reloads(&j, gw);
    add_notices(&j, gw);
    cs_json_array(&j, "routes");
    for (unsigned i = 0; i < rt->plan->n_route; i++) {
        add_route(&j, rt, &rt->plan->route[i], now);
    }
    cs_json_array_end(&j);
    cs_json_object_end(&j);
    runtime_unref(rt);
}
