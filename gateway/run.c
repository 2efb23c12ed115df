/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c: the gateway process: start-up order, signals, drain, end. The main thread only waits for signals and for the
 * loops; start: configuration, keystore, listeners, threads, then the ready line. End: loops, workers, watch, keystore.
 */
#include "gateway/gateway.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "gateway/admin.h"
#include "gateway/client.h"
#include "gateway/exchange.h"
#include "gateway/gateway_private.h"
#include "gateway/listener.h"
#include "gateway/upstream.h"
#include "gateway/watch.h"

#define QUEUE_PER_WORKER 256
/* Addresses and certificates whose connections and rates are remembered. */
#define LIMITED_PEERS 65536

/* ---- the runtime in force -------------------------------------------------------------------------------------- */

struct runtime *gateway_runtime(struct gateway *gw)
{
    pthread_mutex_lock(&gw->runtime_lock);
    struct runtime *rt = runtime_ref(gw->runtime);
    pthread_mutex_unlock(&gw->runtime_lock);
    return rt;
}

static void listeners_changed(struct loop *loop, struct mail *m)
{
    struct runtime *rt = gateway_runtime(loop->gateway);
    if (!loop->draining && listener_sync(loop, rt) != 0) {
        cs_log(CS_LOG_ERROR, "listen", "a loop cannot watch a new listener", CS_INT("loop", loop->index));
    }
    runtime_unref(rt);
    free(m);
}

static void post_all(struct gateway *gw, void (*deliver)(struct loop *loop, struct mail *m))
{
    for (unsigned i = 0; i < gw->n_loop; i++) {
        struct mail *m = calloc(1, sizeof *m);
        if (m == NULL) {
            cs_log(CS_LOG_ERROR, "out-of-memory", "a loop cannot be told", CS_INT("loop", i));
            continue;
        }
        m->deliver = deliver;
        loop_post(&gw->loop[i], m);
    }
}

static void tls_changed(struct loop *loop, struct mail *m)
{
    upstream_retire(loop);
    client_retire(loop);
    free(m);
}

void gateway_publish(struct gateway *gw, struct runtime *rt)
{
    pthread_mutex_lock(&gw->runtime_lock);
    struct runtime *old = gw->runtime;
    gw->runtime = rt;
    pthread_mutex_unlock(&gw->runtime_lock);
    if (old != NULL && old->plan != rt->plan) {
        post_all(gw, listeners_changed);
    }
    unsigned retired = old != NULL ? tls_set_retire(old->tls, rt->tls) : 0;
    if (retired > 0) {
        cs_log(CS_LOG_NOTICE, "tls-changed", "certificates, keys or anchors of TLS changed: new ones are in force",
               CS_INT("changed", retired), CS_INT("generation", rt->generation));
        post_all(gw, tls_changed);
    }
    struct runtime *now = gateway_runtime(gw);
    hold_apply(gw, now);
    runtime_unref(now);
    runtime_unref(old);
}

/* ---- end of loops ---------------------------------------------------------------------------------------------- */

static void gateway_wake(struct gateway *gw)
{
    uint64_t one = 1;
    while (write(gw->wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

void gateway_end(struct gateway *gw, bool at_once)
{
    atomic_store(&gw->draining, true);
    atomic_store(at_once ? &gw->cut_wanted : &gw->end_wanted, true);
    gateway_wake(gw);
}

void gateway_loop_drained(struct gateway *gw, struct loop *loop)
{
    if (!loop->stopping) {
        loop->stopping = true;
        atomic_fetch_add(&gw->drained, 1);
        gateway_wake(gw);
    }
}

static void loop_drain(struct loop *loop, struct mail *m)
{
    free(m);
    listener_stop(loop);
    loop->draining = true;
    loop->keeps_held = atomic_load(&loop->gateway->retired);
    if (!loop->keeps_held) {
        hold_refuse_all(loop);
    }
    upstream_close_idle(loop);
    loop_check_drained(loop);
}

static void loop_refuse_held(struct loop *loop, struct mail *m)
{
    free(m);
    loop->keeps_held = false;
    hold_refuse_all(loop);
}

static void loop_end(struct loop *loop, struct mail *m)
{
    free(m);
    loop->draining = true;
    event_base_loopbreak(loop->base);
}

/* ---- start ----------------------------------------------------------------------------------------------------- */

static unsigned cores(unsigned wanted)
{
    long n = wanted != 0 ? (long)wanted : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

static void print_report(const struct cs_conf_report *report, const cs_error *e)
{
    for (size_t i = 0; i < report->n; i++) {
        fprintf(stderr, "%s\n", report->line[i]);
    }
    if (e->exit_code != 0) {
        fprintf(stderr, "countersign gateway: %s\n", e->text);
    }
}

/* First pass and second pass; prints all that was found. @return settings, or NULL with e filled */
static struct gw_settings *load(const struct gw_run_options *opt,
                                const ks_snapshot *(*snapshot_of)(void *ctx, const struct gw_settings *s, cs_error *e),
                                void *ctx, cs_error *e)
{
    struct cs_conf_report report = {0};
    const ks_snapshot *snapshot = NULL;
    struct gw_settings *s = opt->load(opt->load_ctx, &report, e);
    if (s == NULL) {
        goto out;
    }
    snapshot = snapshot_of(ctx, s, e);
    if (gw_config_check(s->config, s, snapshot, &report) > 0) {
        cs_error_set(e, CS_EXIT_CONFIG, "configuration", "the configuration has errors");
    }
out:
    print_report(&report, e);
    if (snapshot != NULL) {
        ks_snapshot_release(snapshot);
    }
    if (e->exit_code != 0 && s != NULL) {
        s->free(s);
        s = NULL;
    }
    if (s == NULL && e->exit_code == 0) {
        cs_error_set(e, CS_EXIT_CONFIG, "configuration", "the configuration has errors");
    }
    cs_conf_report_free(&report);
    return s;
}

static const ks_snapshot *snapshot_read(void *ctx, const struct gw_settings *s, cs_error *e)
{
    (void)ctx;
    ks_options options = s->keystore;
    options.read_only = true;
    ks_store *store = NULL;
    const ks_snapshot *snapshot = NULL;
    if (ks_open(&store, s->keystore_uri, &options, e) == 0 &&
        ks_snapshot_read(store, cs_clock_now(), &snapshot, e) != 0) {
        snapshot = NULL;
    }
    ks_close(store);
    return snapshot;
}

static const ks_snapshot *snapshot_follow(void *ctx, const struct gw_settings *s, cs_error *e)
{
    struct gateway *gw = ctx;
    if (sandbox_become(s->config, e) != 0) {
        return NULL;
    }
    ks_options options = s->keystore;
    /* What the process before and after this one has in common, so that an upgrade keeps the name of the node. */
    options.place = gw_admin_socket(s->config);
    if (options.place == NULL && gw->link.fd >= 0) {
        snprintf(gw->place, sizeof gw->place, "master %ld", (long)getppid());
        options.place = gw->place;
    }
    if (s->config->keys_process) {
        gw->keys = keyop_start(s, e);
        if (gw->keys == NULL) {
            return NULL;
        }
        options.lend = keyop_lend;
        options.lend_ctx = gw->keys;
    }
    if (ks_live_open(&gw->live, s->keystore_uri, &options, cs_clock_now(), e) != 0) {
        return NULL;
    }
    gw->tls.live = gw->live;
    return ks_live_get(gw->live);
}

static int start_replay(struct gateway *gw, const struct gw_config *c, cs_error *e)
{
    uint64_t live = 0;
    if (c->replay_file == NULL) {
        gw->replay = replay_local_new(&c->replay);
        return gw->replay != NULL
                   ? 0
                   : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the replay store");
    }
    gw->replay = replay_local_open(c->replay_file, &c->replay, &live, e);
    if (gw->replay == NULL) {
        return -1;
    }
    cs_log(CS_LOG_INFO, "replay-store", "signatures seen are kept in a file", CS_STR("file", c->replay_file),
           CS_INT("remembered", live));
    return 0;
}

/* What the process itself and some upstream connections need beside one for each client. */
#define DESCRIPTORS_OWN 128

/* The soft limit is for programs that use select(); ours is the hard one. */
static void raise_descriptors(const struct gw_config *c)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur < (rlim_t)c->connections + DESCRIPTORS_OWN) {
        cs_log(CS_LOG_WARN, "descriptors", "fewer descriptors than limits { connections } needs; raise LimitNOFILE",
               CS_INT("descriptors", (int64_t)limit.rlim_cur), CS_INT("connections", c->connections));
    }
}

static int start_shared(struct gateway *gw, const struct gw_settings *settings, cs_error *e)
{
    const struct gw_config *c = settings->config;
    raise_descriptors(c);
    gw->memory.ceiling = c->memory;
    gw->memory.per_body = c->body_memory;
    if (c->spool_directory != NULL && spool_open(&gw->memory.spool, c->spool_directory, c->spool_quota, e) != 0) {
        return -1;
    }
    unsigned workers = cores(c->workers);
    gw->log = accesslog_new(c->access_log, c->ring, e);
    if (gw->log == NULL || start_replay(gw, c, e) != 0) {
        return -1;
    }
    if (c->capture.directory != NULL) {
        gw->capture = capture_new(&c->capture, ks_live_node(gw->live), settings->keystore_uri, e);
        if (gw->capture == NULL) {
            return -1;
        }
    }
    gw->legacy = legacy_new();
    gw->limiter = limiter_new(LIMITED_PEERS);
    if (gw->legacy == NULL || gw->limiter == NULL || resolver_start(&gw->resolver) != 0 ||
        check_start(&gw->checks, gw, &gw->resolver) != 0) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory or thread at start");
    }
    if (queue_init(&gw->queue, (size_t)workers * QUEUE_PER_WORKER) != 0 || workers_start(gw, workers) != 0) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "start", "the workers cannot start");
    }
    return 0;
}

static int start_loops(struct gateway *gw, cs_error *e)
{
    unsigned n = cores(gw->runtime->plan->config->loops);
    gw->loop = calloc(n, sizeof *gw->loop);
    if (gw->loop == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the I/O loops");
    }
    for (unsigned i = 0; i < n; i++) {
        if (loop_init(&gw->loop[i], gw, i) != 0) {
            return cs_error_set(e, CS_EXIT_INTERNAL, "start", "an I/O loop cannot start");
        }
        gw->n_loop++;
        if (listener_sync(&gw->loop[i], gw->runtime) != 0) {
            return cs_error_set(e, CS_EXIT_INTERNAL, "start", "an I/O loop cannot watch the listeners");
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (loop_start(&gw->loop[i]) != 0) {
            return cs_error_set(e, CS_EXIT_INTERNAL, "start", "an I/O loop cannot start");
        }
    }
    return 0;
}

static int start(struct gateway *gw, struct gw_settings *settings, cs_error *e)
{
    struct plan *plan = NULL;
    struct runtime *rt = NULL;
    if (start_shared(gw, settings, e) != 0) {
        settings->free(settings);
        return -1;
    }
    plan = plan_new(gw, settings, NULL, e);
    if (plan == NULL) {
        return -1;
    }
    rt = runtime_new(plan, ks_live_get(gw->live), NULL, cs_clock_now(), e);
    plan_unref(plan);
    if (rt == NULL) {
        return -1;
    }
    gateway_publish(gw, rt);
    watch_report(gw, rt);
    if (start_loops(gw, e) != 0 || watch_start(gw) != 0) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "start", "a thread cannot start");
    }
    return admin_start(gw, e);
}

/* ---- running ---------------------------------------------------------------------------------------------------- */

static void tell_ready(struct gateway *gw)
{
    /* The watch thread runs: another runtime may take this one's place at any moment. */
    struct runtime *rt = gateway_runtime(gw);
    cs_buf line = CS_BUF_INIT;
    cs_buf_adds(&line, "ready");
    for (unsigned i = 0; i < rt->plan->n_listening; i++) {
        cs_buf_addf(&line, " %s", listening_address(rt->plan->listening[i]));
    }
    cs_log(CS_LOG_NOTICE, "ready", "the gateway accepts connections",
           CS_STR("listeners", line.failed ? "?" : line.data + sizeof "ready"), CS_INT("loops", gw->n_loop),
           CS_INT("workers", gw->workers.n), CS_INT("generation", rt->generation));
    link_tell(&gw->link, "ready");
    cs_buf_addc(&line, '\n');
    if (gw->options->ready_fd >= 0 && !line.failed) {
        const char *p = line.data;
        size_t left = line.len;
        while (left > 0) {
            ssize_t n = write(gw->options->ready_fd, p, left);
            if (n < 0 && errno != EINTR) {
                cs_log(CS_LOG_WARN, "ready", "nobody reads the ready line", CS_STR("why", strerror(errno)));
                break;
            }
            p += n > 0 ? n : 0;
            left -= n > 0 ? (size_t)n : 0;
        }
    }
    cs_buf_free(&line);
    runtime_unref(rt);
}

struct running {
    struct gateway *gw;
    int signals;
    bool draining;       /* asked to end */
    int terms;           /* SIGTERM, so many times */
    int64_t drain_at_us; /* when accepting ends; 0: not asked, or done */
    int64_t cut_at_us;   /* when what is left is cut */
    bool cut;
    bool master_gone;
};

static void begin_drain(struct running *r)
{
    struct runtime *rt = gateway_runtime(r->gw);
    const struct gw_timeouts *t = &rt->plan->config->timeouts;
    int64_t now = cs_clock_mono_us();
    r->draining = true;
    atomic_store(&r->gw->draining, true);
    /* A successor serves already: nobody has to be sent elsewhere first. */
    r->drain_at_us = now + (atomic_load(&r->gw->retired) ? 0 : t->drain_delay * 1000);
    r->cut_at_us = r->drain_at_us + t->drain * 1000;
    runtime_unref(rt);
    if (!atomic_load(&r->gw->retired)) {
        link_tell(&r->gw->link, "stopping");
    }
    cs_log(CS_LOG_NOTICE, "drain", "the gateway drains: exchanges in flight are finished");
}

static void take_signal(struct running *r)
{
    struct signalfd_siginfo info;
    if (read(r->signals, &info, sizeof info) != (ssize_t)sizeof info) {
        return;
    }
    int number = (int)info.ssi_signo;
    if (r->gw->link.fd >= 0 && ((pid_t)info.ssi_pid != getppid() || number < SIGRTMIN)) {
        cs_log(CS_LOG_INFO, "signal", "a signal that is not the master's is left to the master",
               CS_INT("signal", number), CS_INT("master", getppid()));
    } else if (number == SIGHUP || number == LINK_SIGNAL_RELOAD) {
        watch_reload(r->gw);
    } else if (!r->draining) {
        r->terms++;
        begin_drain(r);
    } else if (r->terms++ == 0 && atomic_exchange(&r->gw->retired, false)) {
        post_all(r->gw, loop_refuse_held);
    } else {
        r->cut = true;
    }
}

static void take_link(struct running *r)
{
    enum link_event e = link_look(&r->gw->link);
    if (e == LINK_RETIRE && !r->draining) {
        atomic_store(&r->gw->retired, true);
        admin_retire(r->gw);
        begin_drain(r);
    } else if (e == LINK_GONE) {
        r->master_gone = true;
        cs_log(CS_LOG_ERROR, "master-gone", "the master has died; the gateway drains and ends");
        if (!r->draining) {
            begin_drain(r);
        }
    }
}

static int wait_ms(const struct running *r)
{
    int64_t next = r->drain_at_us != 0 ? r->drain_at_us : r->cut_at_us;
    if (!r->draining) {
        return -1;
    }
    int64_t ms = (next - cs_clock_mono_us()) / 1000 + 1;
    return ms < 0 ? 0 : ms > 60000 ? 60000 : (int)ms;
}

/* Until all loops are empty, or the end is wanted at once. */
static void run_until_end(struct running *r)
{
    struct pollfd fds[3] = {{.fd = r->signals, .events = POLLIN}, {.fd = r->gw->wake_fd, .events = POLLIN}};
    while (!r->cut && atomic_load(&r->gw->drained) < r->gw->n_loop) {
        fds[2] = (struct pollfd){.fd = r->master_gone ? -1 : r->gw->link.fd, .events = POLLIN};
        int n = poll(fds, 3, wait_ms(r));
        if (n < 0 && errno != EINTR) {
            cs_log(CS_LOG_ERROR, "internal", "the main thread cannot wait", CS_STR("why", strerror(errno)));
            return;
        }
        if (n > 0 && fds[0].revents != 0) {
            take_signal(r);
        }
        if (n > 0 && fds[2].revents != 0) {
            take_link(r);
        }
        uint64_t count;
        if (n > 0 && fds[1].revents != 0 && read(r->gw->wake_fd, &count, sizeof count) < 0) {
            cs_log(CS_LOG_DEBUG, "wake", "a wake-up was empty");
        }
        r->cut |= atomic_load(&r->gw->cut_wanted);
        if (atomic_load(&r->gw->end_wanted) && !r->draining) {
            begin_drain(r);
        }
        int64_t now = cs_clock_mono_us();
        if (r->drain_at_us != 0 && now >= r->drain_at_us) {
            r->drain_at_us = 0;
            if (!atomic_load(&r->gw->retired)) {
                link_closing(&r->gw->link);
            }
            post_all(r->gw, loop_drain);
        } else if (r->draining && now >= r->cut_at_us) {
            r->cut = true;
        }
    }
}

static void log_totals(const struct gateway *gw)
{
    struct counters sum = {0};
    uint64_t refused = 0;
    for (unsigned i = 0; i < gw->n_loop; i++) {
        const struct counters *c = &gw->loop[i].counters;
        sum.connections += c->connections;
        sum.exchanges += c->exchanges;
        sum.upstream_retries += c->upstream_retries;
        sum.upstream_connects += c->upstream_connects;
        for (int k = 0; k < 2; k++) {
            sum.verdict[k][WSSEC_PASS] += c->verdict[k][WSSEC_PASS];
            sum.verdict[k][WSSEC_FAIL] += c->verdict[k][WSSEC_FAIL] + c->verdict[k][WSSEC_ERROR];
        }
        for (int k = 1; k < WSSEC_REASONS; k++) {
            refused += c->refused[k];
        }
    }
    cs_log(CS_LOG_NOTICE, "stopped", "the gateway has ended", CS_INT("connections", sum.connections),
           CS_INT("exchanges", sum.exchanges), CS_INT("refused", refused),
           CS_INT("requests_passed", sum.verdict[0][WSSEC_PASS]), CS_INT("requests_failed", sum.verdict[0][WSSEC_FAIL]),
           CS_INT("replies_passed", sum.verdict[1][WSSEC_PASS]), CS_INT("replies_failed", sum.verdict[1][WSSEC_FAIL]),
           CS_INT("upstream_connects", sum.upstream_connects), CS_INT("upstream_retries", sum.upstream_retries),
           CS_INT("log_dropped", gw->log != NULL ? accesslog_dropped(gw->log) : 0));
}

/* ---- end ------------------------------------------------------------------------------------------------------- */

/* Clients whose exchanges are cut: each still gets its log line, and workers leave out what nobody waits for. */
static void loop_empty(struct loop *loop)
{
    while (loop->client != NULL) {
        struct client *c = loop->client;
        if (c->exchange != NULL) {
            exchange_abort(c->exchange, WSSEC_DRAINED);
        }
        client_close(c);
        struct task *t;
        while ((t = loop->later) != NULL) {
            loop->later = t->next;
            loop->later_last = loop->later == NULL ? &loop->later : loop->later_last;
            t->waiting = false;
            t->run(t);
        }
    }
}

static void loop_last_mails(struct loop *loop)
{
    struct mail *m = mailbox_take(&loop->mailbox);
    while (m != NULL) {
        struct mail *next = m->next;
        m->deliver(loop, m);
        m = next;
    }
}

static void finish(struct gateway *gw)
{
    check_stop(&gw->checks);
    watch_stop(gw);
    post_all(gw, loop_end);
    for (unsigned i = 0; i < gw->n_loop; i++) {
        if (gw->loop[i].started) {
            pthread_join(gw->loop[i].thread, NULL);
        }
    }
    for (unsigned i = 0; i < gw->n_loop; i++) {
        loop_empty(&gw->loop[i]);
    }
    if (gw->workers.worker != NULL) {
        queue_close(&gw->queue);
        workers_join(gw);
        queue_destroy(&gw->queue);
    }
    for (unsigned i = 0; i < gw->n_loop; i++) {
        loop_last_mails(&gw->loop[i]);
    }
    inflow_pool_destroy(&gw->inflows);
    if (gw->n_loop > 0) {
        log_totals(gw);
        legacy_log(gw->legacy);
    }
    admin_stop(gw);
    sandbox_tell();
    for (unsigned i = 0; i < gw->n_loop; i++) {
        loop_destroy(&gw->loop[i]);
    }
    free(gw->loop);
    runtime_unref(gw->runtime);
    check_destroy(&gw->checks);
    resolver_stop(&gw->resolver);
    capture_free(gw->capture);
    accesslog_free(gw->log);
    legacy_free(gw->legacy);
    limiter_free(gw->limiter);
    replay_local_free(gw->replay);
    spool_close(&gw->memory.spool);
    if (gw->live != NULL) {
        ks_live_close(gw->live);
    }
    keyop_stop(gw->keys);
    link_close(&gw->link);
    if (gw->wake_fd >= 0) {
        close(gw->wake_fd);
    }
    sandbox_free(&gw->sandbox);
    publish_free(&gw->publish);
    pthread_mutex_destroy(&gw->runtime_lock);
    tls_registry_destroy(&gw->tls);
}

/* All threads inherit the mask: signals are read by the main thread only. SIGPIPE: a peer that closed is an error code.
 */
static int block_signals(sigset_t *before)
{
    const int wanted[] = {SIGHUP, SIGTERM, SIGINT, LINK_SIGNAL_END, LINK_SIGNAL_RELOAD};
    sigset_t set;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR2, SIG_IGN); /* for the master; whoever sends it to all of us ends nothing */
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        sigaddset(&set, wanted[i]);
    }
    if (pthread_sigmask(SIG_BLOCK, &set, before) != 0) {
        return -1;
    }
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int check_only(const struct gw_run_options *opt)
{
    cs_error e = {0};
    struct gw_settings *s = load(opt, snapshot_read, NULL, &e);
    if (s == NULL) {
        return e.exit_code;
    }
    s->free(s);
    return CS_EXIT_OK;
}

int gw_run(const struct gw_run_options *opt)
{
    struct gateway gw = {.options = opt,
                         .wake_fd = -1,
                         .started = cs_clock_now(),
                         .started_us = cs_clock_mono_us(),
                         .holds = {.lock = PTHREAD_MUTEX_INITIALIZER},
                         .inflows = {.lock = PTHREAD_MUTEX_INITIALIZER}};
    struct running running = {.gw = &gw, .signals = -1};
    struct gw_settings *settings = NULL;
    cs_error e = {0};
    sigset_t before;
    if (opt->check_only) {
        return check_only(opt);
    }
    if (pthread_mutex_init(&gw.runtime_lock, NULL) != 0 || tls_registry_init(&gw.tls) != 0 ||
        publish_init(&gw.publish) != 0) {
        return CS_EXIT_INTERNAL;
    }
    link_init(&gw.link, opt->master_fd);
    running.signals = block_signals(&before);
    gw.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (running.signals < 0 || gw.wake_fd < 0) {
        cs_error_set(&e, CS_EXIT_INTERNAL, "start", "no descriptor for signals: %s", strerror(errno));
        goto out;
    }
    settings = load(opt, snapshot_follow, &gw, &e);
    if (settings == NULL) {
        goto out;
    }
    if (sandbox_gateway(&gw.sandbox, settings, opt->master_fd < 0, gw.keys != NULL ? keyop_pid(gw.keys) : 0, &e) != 0) {
        fprintf(stderr, "countersign gateway: %s\n", e.text);
        settings->free(settings);
        goto out;
    }
    if (start(&gw, settings, &e) != 0) {
        fprintf(stderr, "countersign gateway: %s\n", e.text);
        goto out;
    }
    tell_ready(&gw);
    run_until_end(&running);
out:
    finish(&gw);
    if (running.signals >= 0) {
        close(running.signals);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    return e.exit_code;
}
