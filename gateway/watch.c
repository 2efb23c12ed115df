/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c: see watch.h. */
#include "gateway/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/fetch.h"
#include "gateway/gateway_private.h"
#include "gateway/gauge.h"
#include "gateway/keeper.h"
#include "gateway/prober.h"
#include "keystore/addressee.h"
#include "keystore/audit.h"
#include "keystore/live.h"

#define STEP_MS 500
/* A keystore that is away is asked again so often. */
#define AWAY_MS 200

static void log_report(const struct cs_conf_report *report, enum cs_log_level level, const char *event)
{
    for (size_t i = 0; i < report->n; i++) {
        cs_log(level, event, report->line[i]);
    }
}

/* Room for all rows of a plan. */
static size_t uses_most(const struct plan *p)
{
    size_t n = 1;
    for (unsigned i = 0; i < p->n_route; i++) {
        n += 6 + 2 * KS_ANCHORS_MAX + p->route[i].conf->request.crypt.decrypt_alias.n +
             p->route[i].conf->response.crypt.decrypt_alias.n;
        for (const struct gw_upstream *u = p->route[i].conf->upstream; u != NULL; u = u->next) {
            n += 1 + u->anchors.n;
        }
    }
    for (const struct gw_tls *t = p->config->tls; t != NULL; t = t->next) { /* of each route's listener, and of admin */
        n += (t->certificate.n + t->anchors.n) * (p->n_route + 1);
    }
    return n;
}

static void uses_words(ks_node_use *use, size_t *n, const char *route, const struct gw_words *alias)
{
    for (size_t i = 0; i < alias->n; i++) {
        if (strchr(alias->word[i], '#') == NULL) { /* a single entry on trial depends on nobody's life cycle */
            use[(*n)++] = (ks_node_use){route, alias->word[i], NULL};
        }
    }
}

/* What a route needs of the keystore for TLS on both of its sides. */
static void uses_of_tls(const struct plan *p, const struct gw_route *r, ks_node_use *use, size_t *n)
{
    const struct gw_listener *l = gw_config_listener(p->config, r->listener);
    const struct gw_tls *t = l != NULL && l->tls != NULL ? gw_config_tls(p->config, l->tls) : NULL;
    if (t != NULL) {
        uses_words(use, n, r->name, &t->certificate);
        uses_words(use, n, r->name, &t->anchors);
    }
    for (const struct gw_upstream *u = r->upstream; u != NULL; u = u->next) {
        if (u->client_certificate != NULL) {
            use[(*n)++] = (ks_node_use){r->name, u->client_certificate, NULL};
        }
        uses_words(use, n, r->name, &u->anchors);
    }
}

/** The slot to whose active entry a block encrypts, NULL: none. Borrowed from the snapshot. */
static const char *encrypt_slot(const ks_snapshot *s, const struct gw_actions *a)
{
    const ks_entry *e = a->crypt.encrypt_to != NULL ? ks_encrypter(s, a->crypt.encrypt_to) : NULL;
    return e != NULL ? ks_entry_alias(e) : NULL;
}

static void uses_of_actions(const struct gw_settings *s, const ks_snapshot *snapshot, const char *route,
                            const struct gw_actions *a, ks_node_use *use, size_t *n)
{
    const char *encrypts = encrypt_slot(snapshot, a);
    const ks_chain_rule *rule = a->partner != NULL ? s->chain(s, a->partner) : NULL;
    if (a->partner != NULL) {
        use[(*n)++] = (ks_node_use){route, NULL, a->partner};
    }
    for (size_t i = 0; rule != NULL && i < rule->n_anchor; i++) { /* its certificates count only while these do */
        use[(*n)++] = (ks_node_use){route, rule->anchor[i], NULL};
    }
    if (a->sign_alias != NULL) {
        use[(*n)++] = (ks_node_use){route, a->sign_alias, NULL};
    }
    if (encrypts != NULL) {
        use[(*n)++] = (ks_node_use){route, encrypts, NULL};
    }
    uses_words(use, n, route, &a->crypt.decrypt_alias);
}

/* Routes, aliases and partners of a plan, one row each. @return rows; owned by the caller */
static ks_node_use *uses_of(const struct plan *p, const ks_snapshot *snapshot, size_t *n)
{
    ks_node_use *use = calloc(uses_most(p), sizeof *use);
    *n = 0;
    for (unsigned i = 0; use != NULL && i < p->n_route; i++) {
        const struct gw_route *r = p->route[i].conf;
        uses_of_actions(p->settings, snapshot, r->name, &r->request, use, n);
        uses_of_actions(p->settings, snapshot, r->name, &r->response, use, n);
        uses_of_tls(p, r, use, n);
    }
    const struct gw_tls *admin = p->config->admin.tls != NULL ? gw_config_tls(p->config, p->config->admin.tls) : NULL;
    if (use != NULL && admin != NULL) {
        uses_words(use, n, "admin", &admin->certificate);
        uses_words(use, n, "admin", &admin->anchors);
    }
    return use;
}

void watch_report(struct gateway *gw, const struct runtime *rt)
{
    const struct gw_settings *s = rt->plan->settings;
    cs_error e = {0};
    ks_store *store = NULL;
    size_t n = 0;
    ks_node_use *use = uses_of(rt->plan, rt->snapshot, &n);
    cs_time now = cs_clock_now();
    int rc = use != NULL ? ks_open(&store, s->keystore_uri, &s->keystore, &e) : -1;
    if (rc == 0) {
        rc = ks_report_node(store, ks_live_node(gw->live), use, n, now, &e);
    }
    if (rc == 0) {
        rc = prober_report(rt->plan, store, ks_live_node(gw->live), now, &e);
    }
    static const ks_actor who = {"gateway", "node", NULL};
    bool changed = false;
    if (rc == 0 && s->addressees != NULL) {
        rc = ks_set_addressees(store, s->addressees, &who, now, &changed, &e);
    }
    if (rc == 0 && s->persons != NULL && s->persons[0] != '\0') {
        rc = ks_set_persons(store, s->persons, &who, now, &changed, &e);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        int64_t delivery = use[i].partner != NULL ? s->partner_delivery(s, use[i].partner) : 0;
        if (delivery > 0) {
            rc = ks_set_partner(store, use[i].partner, delivery, now, &e);
        }
    }
    if (rc != 0) {
        cs_log(CS_LOG_WARN, "node-report", "the keystore was not told what this node uses", CS_STR("why", e.text));
    }
    ks_live_describe(gw->live, CS_VERSION, s->conf_hash);
    ks_close(store);
    free(use);
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static bool replay_changed(const struct gw_config *old, const struct gw_config *new)
{
    return old->replay.entries != new->replay.entries || old->replay.share != new->replay.share ||
           !same_text(old->replay_file, new->replay_file);
}

static bool same_words(const struct gw_words *a, const struct gw_words *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++) {
        same = strcmp(a->word[i], b->word[i]) == 0;
    }
    return same;
}

static bool process_changed(const struct gw_config *old, const struct gw_config *new)
{
    return old->sandbox != new->sandbox || !same_text(old->user, new->user) ||
           !same_words(&old->sandbox_read, &new->sandbox_read) || !same_words(&old->sandbox_write, &new->sandbox_write);
}

static bool capture_changed(const struct gw_capture *old, const struct gw_capture *new)
{
    return !same_text(old->directory, new->directory) || old->segment_ms != new->segment_ms ||
           old->segment_octets != new->segment_octets || old->quota != new->quota || old->buffer != new->buffer ||
           old->refuse != new->refuse || old->sync != new->sync;
}

/* What lives as long as the process is not changed by a reload: said, not done by half. */
static void warn_restart(const struct gw_config *old, const struct gw_config *new)
{
    const struct {
        const char *word;
        bool changed;
    } fixed[] = {
        {"body-memory", old->body_memory != new->body_memory},
        {"spool", old->spool_quota != new->spool_quota || !same_text(old->spool_directory, new->spool_directory)},
        {"loops", old->loops != new->loops},
        {"workers", old->workers != new->workers},
        {"memory", old->memory != new->memory},
        {"replay", replay_changed(old, new)},
        {"process", process_changed(old, new)},
        {"capture", capture_changed(&old->capture, &new->capture)},
        {"log { ring }", old->ring != new->ring},
        {"admin { socket }", !same_text(old->admin.socket, new->admin.socket)},
        {"admin { http }", !same_text(old->admin.http.text, new->admin.http.text)},
        {"admin { health }", !same_text(old->admin.health.text, new->admin.health.text)},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        if (fixed[i].changed) {
            cs_log(CS_LOG_WARN, "reload-restart", "a changed directive needs a restart",
                   CS_STR("directive", fixed[i].word));
        }
    }
}

/* What may not be opened may stand where the old configuration did not lead, and the sandbox does not: then this is the
 * error, and the lines of the report say which place. */
static void closed_doors(const struct gateway *gw, const struct cs_conf_report *report, cs_error *e)
{
    bool closed = false;
    for (size_t i = 0; gw->sandbox.landlock > 0 && i < report->n; i++) {
        closed |= strstr(report->line[i], strerrordesc_np(EACCES)) != NULL;
    }
    if (closed) {
        cs_error_clear(e);
        cs_error_set(e, CS_EXIT_CONFIG, "sandbox",
                     "the sandbox of this process reaches the places that its configuration named when it started; for "
                     "others restart, or upgrade in place with SIGUSR2 to the master");
    }
}

static int reload(struct gateway *gw, struct cs_conf_report *report, cs_error *e)
{
    struct runtime *old = gateway_runtime(gw);
    struct runtime *made = NULL;
    struct plan *plan = NULL;
    const ks_snapshot *snapshot = NULL;
    int rc = -1;
    struct gw_settings *settings = gw->options->load(gw->options->load_ctx, report, e);
    if (settings == NULL) {
        closed_doors(gw, report, e);
        goto out;
    }
    if (!same_text(settings->keystore_uri, old->plan->settings->keystore_uri)) {
        settings->free(settings);
        cs_error_set(e, CS_EXIT_CONFIG, "reload", "another keystore needs a restart");
        goto out;
    }
    snapshot = ks_live_get(gw->live);
    if (gw_config_check(settings->config, settings, snapshot, report) > 0) {
        settings->free(settings);
        cs_error_set(e, CS_EXIT_CONFIG, "reload", "the configuration has errors");
        closed_doors(gw, report, e);
        goto out;
    }
    if (sandbox_judge(&gw->sandbox, settings, e) != 0) {
        settings->free(settings);
        goto out;
    }
    plan = plan_new(gw, settings, old->plan, e);
    if (plan == NULL || ks_live_sources(gw->live, &plan->settings->keystore, e) != 0 ||
        accesslog_reopen(gw->log, plan->config->access_log, e) != 0) {
        goto out;
    }
    made = runtime_new(plan, snapshot, old, cs_clock_now(), e);
    snapshot = NULL;
    if (made == NULL) {
        goto out;
    }
    warn_restart(old->plan->config, plan->config);
    watch_report(gw, made);
    gateway_publish(gw, made);
    rc = 0;
out:
    if (snapshot != NULL) {
        ks_snapshot_release(snapshot);
    }
    plan_unref(plan);
    runtime_unref(old);
    return rc;
}

static struct watch_wish *wishes_take(struct gateway *gw)
{
    pthread_mutex_lock(&gw->runtime_lock);
    struct watch_wish *first = gw->wishes;
    gw->wishes = NULL;
    pthread_mutex_unlock(&gw->runtime_lock);
    return first;
}

static void wishes_answer(struct gateway *gw, struct watch_wish *w, const struct cs_conf_report *report,
                          const cs_error *e)
{
    struct runtime *rt = gateway_runtime(gw);
    while (w != NULL) {
        struct watch_wish *next = w->next;
        w->error = *e;
        w->generation = rt->generation;
        if (cs_conf_report_copy(&w->report, report) != 0) {
            cs_error_set(&w->error, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the answer");
        }
        loop_post(w->reply_to, &w->mail);
        w = next;
    }
    runtime_unref(rt);
}

static void watch_reload_now(struct gateway *gw)
{
    struct cs_conf_report report = {0};
    cs_error e = {0};
    int64_t begin = cs_clock_mono_us();
    struct watch_wish *wishes = wishes_take(gw);
    link_tell(&gw->link, "reloading");
    bool good = reload(gw, &report, &e) == 0;
    link_tell(&gw->link, "reloaded");
    if (good) {
        log_report(&report, CS_LOG_WARN, "configuration");
        cs_log(CS_LOG_NOTICE, "reloaded", "the configuration was read anew and is in force",
               CS_INT("us", cs_clock_mono_us() - begin));
        cs_error_clear(&e);
    } else {
        log_report(&report, CS_LOG_ERROR, "reload-failed");
        cs_log(CS_LOG_ERROR, "reload-failed", "the reload is refused, the old configuration stays in force",
               CS_STR("why", e.text));
        cs_error_set(&e, CS_EXIT_CONFIG, "reload", "the reload is refused");
    }
    atomic_fetch_add(good ? &gw->reloads.done : &gw->reloads.refused, 1);
    atomic_store(&gw->reloads.last_good, good);
    atomic_store(&gw->reloads.at, cs_clock_now());
    wishes_answer(gw, wishes, &report, &e);
    cs_conf_report_free(&report);
}

static bool differs(const ks_snapshot *old, const ks_snapshot *new, const struct gw_actions *a)
{
    const char *before = encrypt_slot(old, a);
    const char *after = encrypt_slot(new, a);
    return (before == NULL) != (after == NULL) || (before != NULL && strcmp(before, after) != 0);
}

/** Does a route encrypt to a slot now to which it did not before? Only that a configuration does not say. */
static bool encrypts_elsewhere(const struct plan *p, const ks_snapshot *old, const ks_snapshot *new)
{
    bool other = false;
    for (unsigned i = 0; !other && i < p->n_route; i++) {
        const struct gw_route *r = p->route[i].conf;
        other = differs(old, new, &r->request) || differs(old, new, &r->response);
    }
    return other;
}

static void watch_keystore_changed(struct gateway *gw)
{
    struct runtime *old = gateway_runtime(gw);
    cs_error e = {0};
    struct runtime *made = runtime_new(old->plan, ks_live_get(gw->live), old, cs_clock_now(), &e);
    if (made == NULL) {
        cs_log(CS_LOG_ERROR, "runtime-kept",
               "a new generation of the keystore cannot be used; the old one stays in force", CS_STR("why", e.text));
    } else {
        cs_log(CS_LOG_INFO, "keystore-changed", "a new generation of the keystore is in force",
               CS_INT("generation", made->generation));
        bool elsewhere = encrypts_elsewhere(made->plan, old->snapshot, made->snapshot);
        gateway_publish(gw, made);
        if (elsewhere) {
            struct runtime *now = gateway_runtime(gw);
            watch_report(gw, now);
            runtime_unref(now);
        }
    }
    runtime_unref(old);
}

/* What the passing of time alone changes about TLS: an anchor whose window is over. */
static void watch_time(struct gateway *gw)
{
    struct runtime *rt = gateway_runtime(gw);
    bool stale = tls_set_stale(rt->plan, rt->tls, rt->snapshot, cs_clock_now());
    runtime_unref(rt);
    if (stale) {
        watch_keystore_changed(gw);
    }
}

static void *watch_run(void *ctx)
{
    struct gateway *gw = ctx;
    bool away = false;
    struct gauges gauges = {.wanted = false};
    pthread_setname_np(pthread_self(), "watch");
    while (!atomic_load(&gw->watch_stop)) {
        cs_error e = {0};
        int rc = ks_live_step(gw->live, STEP_MS, cs_clock_now(), &e);
        if (rc > 0) {
            watch_keystore_changed(gw);
            if (gw->keeper != NULL) {
                keeper_wake(gw->keeper);
                fetch_wake(gw->fetch);
            }
        } else {
            watch_time(gw);
        }
        if (atomic_exchange(&gw->evidence, false) && gw->keeper != NULL) {
            keeper_wake(gw->keeper);
        }
        if (rc < 0 && !away) {
            cs_log(CS_LOG_WARN, "keystore-stale", "the keystore cannot be read; the last snapshot stays in force",
                   CS_STR("why", e.text));
        } else if (rc >= 0 && away) {
            cs_log(CS_LOG_NOTICE, "keystore-back", "the keystore can be read again");
        }
        if (rc >= 0) { /* before this generation is acknowledged, so that who waits for that finds its numbers */
            gauges_report(gw, &gauges, rc > 0);
        }
        if (away != (rc < 0)) {
            atomic_store(&gw->stale_since_us, rc < 0 ? cs_clock_mono_us() : 0);
        }
        away = rc < 0;
        if (atomic_exchange(&gw->reload_wanted, false)) {
            watch_reload_now(gw);
        }
        if (away && !atomic_load(&gw->watch_stop)) {
            nanosleep(&(struct timespec){0, AWAY_MS * 1000000L}, NULL);
        }
    }
    /* Uses counted since the last step. */
    ks_live_step(gw->live, 0, cs_clock_now(), NULL);
    gauges_free(&gauges);
    return NULL;
}

static void stop_keeper(struct gateway *gw)
{
    keeper_stop(gw->keeper);
    gw->keeper = NULL;
    fetch_stop(gw->fetch);
    gw->fetch = NULL;
}

void gateway_key_options(const struct gw_settings *settings, ks_options *out)
{
    memset(out, 0, sizeof *out);
    out->n_kek = settings->keystore.n_kek;
    memcpy(out->kek, settings->keystore.kek, sizeof out->kek);
}

int watch_start(struct gateway *gw)
{
    struct runtime *rt = gateway_runtime(gw);
    gw->fetch = fetch_start(gw, rt->plan->settings->keystore_uri);
    gw->keeper = gw->fetch != NULL ? keeper_start(gw, rt->plan->settings->keystore_uri, gw->fetch) : NULL;
    runtime_unref(rt);
    if (gw->keeper == NULL) {
        cs_log(CS_LOG_ERROR, "keeper-start", "the keeper or the fetch thread cannot start");
        return -1;
    }
    int rc = pthread_create(&gw->watch_thread, NULL, watch_run, gw);
    if (rc != 0) {
        cs_log(CS_LOG_ERROR, "watch-start", "the watch thread cannot start", CS_STR("why", strerror(rc)));
        return -1;
    }
    gw->watch_started = true;
    return 0;
}

void watch_stop(struct gateway *gw)
{
    if (!gw->watch_started) {
        stop_keeper(gw);
        return;
    }
    atomic_store(&gw->watch_stop, true);
    ks_live_wake(gw->live);
    pthread_join(gw->watch_thread, NULL);
    gw->watch_started = false;
    stop_keeper(gw);
    struct cs_conf_report none = {0};
    cs_error e = {0};
    cs_error_set(&e, CS_EXIT_UNAVAILABLE, "stopped", "the gateway ends");
    wishes_answer(gw, wishes_take(gw), &none, &e);
}

void watch_reload(struct gateway *gw)
{
    atomic_store(&gw->reload_wanted, true);
    ks_live_wake(gw->live);
}

void watch_reload_wish(struct gateway *gw, struct watch_wish *w)
{
    pthread_mutex_lock(&gw->runtime_lock);
    w->next = gw->wishes;
    gw->wishes = w;
    pthread_mutex_unlock(&gw->runtime_lock);
    watch_reload(gw);
}
