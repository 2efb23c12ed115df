/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime.h: what an exchange works with: one configuration (the plan: routes, targets, listeners) and one keystore
 * snapshot, immutable and reference-counted. A reload makes a new plan, a keystore change only a new snapshot beside
 * the same plan; both are published by one pointer, and the last reference frees.
 */
#ifndef GW_RUNTIME_H
#define GW_RUNTIME_H

#include <stdatomic.h>

#include "gateway/config.h"
#include "gateway/resolve.h"
#include "gateway/tls.h"
#include "gateway/upstream_check.h"

struct gateway;
struct listening;

/** Where requests of a route go; the counter is the one thing that moves. */
struct target {
    const struct gw_upstream *conf;
    struct receiver *receiver; /**< reference: its health, shared by all plans */
    struct resolve_name *name; /**< of the receiver */
    int tls;                   /**< index into the runtime's back objects; -1: plain */
    _Atomic unsigned in_flight;
};

/** What is under way on a route. */
struct route_load {
    _Atomic unsigned in_flight; /**< exchanges from the acceptance of their head to their end */
    _Atomic unsigned turn;      /**< among targets with as much to do, the next one */
};

/** How many exchanges of one partner may be under way over all routes. */
struct partner_share {
    const char *partner; /**< of the configuration; NULL: no limit applies */
    unsigned most;
};

struct plan_route {
    const struct gw_route *conf;
    const struct listening *listening; /**< of the plan */
    struct target *target;
    unsigned n_target;
    struct route_load *load;
    struct hold_route *hold;             /**< reference */
    struct wssec_policy *request_policy; /**< borrowed from the settings; NULL: no verification */
    struct wssec_policy *response_policy;
    struct partner_share share[2];     /**< of the partners that requests and replies are verified as */
    struct wssec_policy *names_policy; /**< limits for what is only named; never NULL */
    uint64_t request_limit;            /**< octets of a body */
    uint64_t response_limit;
};

struct plan {
    _Atomic unsigned refs;
    struct gateway *gateway;
    struct gw_settings *settings;
    const struct gw_config *config;
    struct plan_route *route; /**< longest path first */
    unsigned n_route;
    struct listening **listening; /**< in the order of the configuration; references */
    unsigned n_listening;
    unsigned n_tls; /**< targets under TLS */
};

struct runtime {
    _Atomic unsigned refs;
    struct plan *plan;
    const ks_snapshot *snapshot;
    struct tls_set *tls;
    uint64_t generation;
};

/** Build the plan of a checked configuration: opens listeners (those of old are taken over), resolves names.
 *  @param old NULL at start @return a reference, takes settings in any case; NULL with e filled */
struct plan *plan_new(struct gateway *gw, struct gw_settings *settings, const struct plan *old, cs_error *e);
void plan_unref(struct plan *p);
/** @param old lends TLS objects that did not change; NULL at start
 *  @return a reference, takes snapshot and a new reference of plan; NULL with e filled */
struct runtime *runtime_new(struct plan *plan, const ks_snapshot *snapshot, const struct runtime *old, cs_time now,
                            cs_error *e);
/** How clients of the listening are served by this runtime; borrowed. NULL: plain, or not served any more. */
struct tls_front *runtime_front(const struct runtime *rt, const struct listening *l);
/** How admin http is served by this runtime; borrowed. NULL: plain. */
struct tls_front *runtime_admin_front(const struct runtime *rt);
struct runtime *runtime_ref(struct runtime *rt); /**< NULL is allowed */
void runtime_unref(struct runtime *rt);          /**< any thread; NULL is allowed */

#endif
