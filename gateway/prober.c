/* SPDX-License-Identifier: Apache-2.0 */
/* prober.c: see prober.h. */
#include "gateway/prober.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#define ASKS_MAX    16
#define PROBE_MS    15000
#define TARGETS_MAX 64

/* ---- one probe ------------------------------------------------------------------------------------------------------
 */

static bool is_expected(const struct gw_probe *words, long status)
{
    static const int usual[] = {200, 405, 500};
    const int *expect = words->n_expect > 0 ? words->expect : usual;
    unsigned n = words->n_expect > 0 ? words->n_expect : sizeof usual / sizeof usual[0];
    for (unsigned i = 0; i < n; i++) {
        if (expect[i] == status) {
            return true;
        }
    }
    return false;
}

/* What a reply, or none, is evidence of; fills outcome, status, asked, tls and detail of r. */
static void judge(const struct ks_http *h, const struct gw_probe *words, ks_probe_result *r)
{
    r->asked = h->asked;
    r->status = (int)h->status;
    cs_copy(r->tls, sizeof r->tls, h->tls_spoken);
    if (h->status == 0) {
        r->outcome = h->tls_refused && h->asked ? KS_PROBE_REFUSED : KS_PROBE_SILENT;
        snprintf(r->detail, sizeof r->detail, "%.199s", h->text);
    } else if (!h->asked) {
        r->outcome = KS_PROBE_SILENT;
        snprintf(r->detail, sizeof r->detail, "answered %ld, but asked for no certificate", h->status);
    } else if (is_expected(words, h->status)) {
        r->outcome = KS_PROBE_ACCEPTED;
        snprintf(r->detail, sizeof r->detail, "answered %ld", h->status);
    } else {
        bool refused = h->status == 400 || h->status == 401 || h->status == 403;
        r->outcome = refused ? KS_PROBE_REFUSED : KS_PROBE_SILENT;
        snprintf(r->detail, sizeof r->detail, "answered %ld%s", h->status,
                 refused ? "" : ", which probe { expect } does not name");
    }
}

/** Authorities that the server's certificate must lead to. @return owned, or NULL: no memory */
static STACK_OF(X509) * anchors_of(const struct gw_upstream *u, const ks_snapshot *s, cs_time now)
{
    STACK_OF(X509) *all = sk_X509_new_null();
    for (size_t i = 0; all != NULL && i < u->anchors.n; i++) {
        ks_anchor_set set;
        bool good = ks_anchors(s, u->anchors.word[i], now, &set) == 0;
        for (int k = 0; good && k < sk_X509_num(set.certificate); k++) {
            X509 *x = sk_X509_value(set.certificate, k);
            good = X509_up_ref(x) == 1 && sk_X509_push(all, x) > 0;
        }
        if (!good) {
            sk_X509_pop_free(all, X509_free);
            return NULL;
        }
        ks_anchors_clear(&set);
    }
    return all;
}

static void probe(const struct gw_route *route, const struct gw_upstream *u, const ks_snapshot *s,
                  const ks_entry *entry, ks_stop stop, cs_time now, ks_probe_result *r)
{
    char url[2300];
    STACK_OF(X509) *anchors = anchors_of(u, s, now);
    const char *query = route->probe.query != NULL ? route->probe.query : "wsdl";
    int n = snprintf(url, sizeof url, "https://%s%s%s%s", u->authority, u->path[0] != '\0' ? u->path : "/",
                     query[0] != '\0' ? "?" : "", query);
    struct ks_http h = {.url = url,
                        .head = strcmp(route->probe.method, "HEAD") == 0,
                        .anchors = anchors,
                        .certificate = ks_entry_certificate(entry),
                        .chain = ks_entry_issuers(entry),
                        .key = ks_entry_private_key(entry),
                        .timeout_ms =
                            u->connect_ms + u->response_ms < PROBE_MS ? u->connect_ms + u->response_ms : PROBE_MS,
                        .stop = stop};
    if (n < 0 || (size_t)n >= sizeof url || anchors == NULL || h.certificate == NULL || h.key == NULL) {
        r->outcome = KS_PROBE_SILENT;
        snprintf(r->detail, sizeof r->detail, "%s",
                 h.key == NULL ? "the key cannot be opened on this node" : "the probe could not be prepared");
    } else {
        (void)!ks_http_do(&h);
        judge(&h, &route->probe, r);
    }
    sk_X509_pop_free(anchors, X509_free);
}

/* ---- what is asked for
 * ------------------------------------------------------------------------------------------------ */

struct asks {
    ks_probe_asked row[ASKS_MAX];
    size_t n;
};

static int keep_ask(void *ctx, const ks_probe_asked *a, cs_error *e)
{
    (void)e;
    struct asks *all = ctx;
    if (all->n < ASKS_MAX) {
        all->row[all->n++] = *a;
    }
    return 0;
}

/** Targets of an ask that this node has answered. */
struct answered {
    const char *node;
    cs_time since;
    char target[TARGETS_MAX][KS_TARGET];
    size_t n;
};

static int keep_answer(void *ctx, const ks_probe_result *r, cs_error *e)
{
    (void)e;
    struct answered *a = ctx;
    if (r->at >= a->since && strcmp(r->node, a->node) == 0 && a->n < TARGETS_MAX) {
        cs_copy(a->target[a->n++], KS_TARGET, r->target);
    }
    return 0;
}

static bool has_answered(struct answered *a, const char *target)
{
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->target[i], target) == 0) {
            return true;
        }
    }
    if (a->n < TARGETS_MAX) { /* several routes may lead there */
        cs_copy(a->target[a->n++], KS_TARGET, target);
    }
    return false;
}

static void log_result(const ks_probe_result *r)
{
    cs_log(r->outcome == KS_PROBE_ACCEPTED ? CS_LOG_NOTICE : CS_LOG_WARN, "probe",
           "a receiver was called with a certificate", CS_STR("alias", r->alias), CS_INT("entry", r->n),
           CS_STR("target", r->target), CS_STR("outcome", ks_probe_outcome_word(r->outcome)), CS_STR("why", r->detail));
}

/** @return 1 results were stored, 0 none were due, -1: the store is away, or it is time to stop */
static int answer(const struct runtime *rt, ks_store *store, const ks_probe_asked *ask, struct answered *known,
                  ks_stop stop, cs_time now)
{
    const ks_entry *entry = ks_entry_find(rt->snapshot, ask->alias, ask->n);
    ks_probe_result *found = calloc(TARGETS_MAX, sizeof *found);
    size_t n = 0;
    cs_error e = {0};
    bool stopped = found == NULL;
    for (unsigned i = 0; !stopped && entry != NULL && i < rt->plan->n_route; i++) {
        const struct gw_route *route = rt->plan->route[i].conf;
        for (const struct gw_upstream *u = route->upstream; u != NULL && n < TARGETS_MAX; u = u->next) {
            ks_probe_result r = {.n = ask->n, .at = now};
            if (!u->tls || u->client_certificate == NULL || strcmp(u->client_certificate, ask->alias) != 0 ||
                !cs_copy(r.target, sizeof r.target, u->url) || has_answered(known, r.target)) {
                continue;
            }
            cs_copy(r.node, sizeof r.node, known->node);
            cs_copy(r.alias, sizeof r.alias, ask->alias);
            probe(route, u, rt->snapshot, entry, stop, now, &r);
            stopped = stopped || (stop.asked != NULL && stop.asked(stop.ctx));
            found[n++] = r;
        }
    }
    int rc = stopped ? -1 : n == 0 ? 0 : ks_probe_put_all(store, found, n, &e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        log_result(&found[i]);
    }
    free(found);
    return rc == 0 && n > 0 ? 1 : rc;
}

bool prober_round(const struct runtime *rt, ks_store *store, const char *node, ks_stop stop, cs_time now)
{
    struct asks asks = {.n = 0};
    cs_error e = {0};
    struct answered *known = calloc(1, sizeof *known);
    bool stored = false;
    int rc = known != NULL ? ks_probe_asks(store, now, keep_ask, &asks, &e) : -1;
    for (size_t i = 0; rc >= 0 && i < asks.n; i++) {
        *known = (struct answered){.node = node, .since = asks.row[i].at};
        rc = ks_probe_each(store, asks.row[i].alias, asks.row[i].n, keep_answer, known, &e) == 0
                 ? answer(rt, store, &asks.row[i], known, stop, now)
                 : -1;
        stored = stored || rc > 0;
    }
    free(known);
    return stored;
}

/* ---- guard G11
 * -------------------------------------------------------------------------------------------------------- */

/* The most that a route which signs with the slot asks for. */
static unsigned accepted_first(const struct plan *plan, const char *alias)
{
    unsigned most = 0;
    for (unsigned i = 0; i < plan->n_route; i++) {
        const struct gw_route *r = plan->route[i].conf;
        bool signs = r->request.sign_alias != NULL && strcmp(r->request.sign_alias, alias) == 0;
        most = signs && r->probe.accepted > most ? r->probe.accepted : most;
    }
    return most;
}

int prober_report(const struct plan *plan, ks_store *store, const char *node, cs_time now, cs_error *e)
{
    int rc = 0;
    for (unsigned i = 0; i < plan->n_route && rc == 0; i++) {
        const char *signer = plan->route[i].conf->request.sign_alias;
        rc = signer != NULL ? ks_probe_wanted(store, node, signer, accepted_first(plan, signer), now, e) : 0;
        for (const struct gw_upstream *u = plan->route[i].conf->upstream; u != NULL && rc == 0; u = u->next) {
            bool wanted = false;
            for (unsigned k = 0; u->client_certificate != NULL && k < plan->n_route; k++) {
                const struct gw_route *other = plan->route[k].conf;
                for (const struct gw_upstream *v = other->upstream; v != NULL; v = v->next) {
                    wanted = wanted || (other->probe.there && v->tls && v->client_certificate != NULL &&
                                        strcmp(v->client_certificate, u->client_certificate) == 0);
                }
            }
            rc =
                u->client_certificate != NULL ? ks_probe_wanted(store, node, u->client_certificate, wanted, now, e) : 0;
        }
    }
    return rc;
}
