/* SPDX-License-Identifier: Apache-2.0 */
/* metrics_process.c: gauges and counters of the process: connections, queue, memory, reloads, replay store, itself. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "gateway/gateway_private.h"
#include "gateway/metrics_private.h"
#include "gateway/status.h"
#include "gateway/upstream.h"

struct sums {
    uint64_t connections, retries, connects, open, idle, shed, disagreements;
};

static struct sums loops_sum(struct gateway *gw)
{
    struct sums s = {0};
    for (unsigned i = 0; i < gw->n_loop; i++) {
        const struct counters *c = &gw->loop[i].counters;
        s.connections += atomic_load(&c->connections);
        s.retries += atomic_load(&c->upstream_retries);
        s.connects += atomic_load(&c->upstream_connects);
        s.idle += atomic_load(&c->upstream_idle);
        s.open += atomic_load(&c->upstream_open);
        s.shed += atomic_load(&c->refused[WSSEC_SHED]);
        s.disagreements += atomic_load(&c->refused[WSSEC_ENGINE_DISAGREEMENT]);
    }
    return s;
}

static void connection(cs_buf *out, const char *side, const char *state, uint64_t n)
{
    cs_buf_adds(out, "countersign_connections{");
    prom_label(out, "side", side);
    prom_label(out, "state", state);
    prom_value(out, (double)n);
}

static void write_capture(const struct gateway *gw, cs_buf *out)
{
    struct capture_counts n;
    if (gw->capture == NULL) {
        return;
    }
    capture_count(gw->capture, &n);
    prom_one(out, "countersign_capture_messages_total", "counter", "Messages kept for archives.", (double)n.messages);
    prom_one(out, "countersign_capture_bytes_total", "counter", "Octets of them.", (double)n.octets);
    prom_one(out, "countersign_capture_lost_total", "counter", "Messages that went on without being kept.",
             (double)n.lost);
    prom_one(out, "countersign_capture_segments_total", "counter", "Files that were closed.", (double)n.segments);
    prom_one(out, "countersign_capture_full", "gauge", "1: the last message could not be kept.", n.full);
}

static void write_arrivals(const struct gateway *gw, cs_buf *out)
{
    static const char *const words[ARRIVALS] = {
        [ARRIVAL_JUDGED] = "judged", [ARRIVAL_CUT] = "refused-early", [ARRIVAL_WHOLE] = "judged-again"};
    prom_family(out, "countersign_arriving_messages_total", "counter",
                "Large messages that were begun to be judged while they arrived, by what became of them.");
    for (unsigned k = 0; k < ARRIVALS; k++) {
        uint64_t n = 0;
        for (unsigned i = 0; i < gw->n_loop; i++) {
            n += atomic_load(&gw->loop[i].counters.arrival[k]);
        }
        cs_buf_adds(out, "countersign_arriving_messages_total{");
        prom_label(out, "outcome", words[k]);
        prom_value(out, (double)n);
    }
}

static void write_notices(const struct gateway *gw, cs_buf *out)
{
    const struct notice_stats *n = &gw->notices;
    const struct {
        const char *result;
        uint64_t n;
    } row[] = {{"sent", atomic_load(&n->sent)},
               {"failed", atomic_load(&n->failed)},
               {"put-off", atomic_load(&n->put_off)},
               {"dropped", atomic_load(&n->dropped)}};
    prom_family(out, "countersign_notices_total", "counter",
                "Attempts to tell people and programs, by what became of them.");
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        cs_buf_adds(out, "countersign_notices_total{");
        prom_label(out, "result", row[i].result);
        prom_value(out, (double)row[i].n);
    }
    prom_one(out, "countersign_notices_waiting", "gauge", "Notices in the queue.", (double)atomic_load(&n->waiting));
    prom_one(out, "countersign_notices_unreached", "gauge",
             "Certificates in use that near their end, and nobody is told.", (double)atomic_load(&n->unreached));
}

static void write_traffic(struct gateway *gw, cs_buf *out)
{
    struct sums s = loops_sum(gw);
    uint64_t in_flight = (uint64_t)status_in_flight(gw);
    uint64_t clients = atomic_load(&gw->clients);
    uint64_t busy = in_flight < clients ? in_flight : clients;
    prom_family(out, "countersign_connections", "gauge", "Open connections.");
    connection(out, "client", "busy", busy);
    connection(out, "client", "idle", clients - busy);
    connection(out, "upstream", "busy", s.open > s.idle ? s.open - s.idle : 0);
    connection(out, "upstream", "idle", s.idle);
    prom_one(out, "countersign_client_connections_total", "counter", "Connections accepted.", (double)s.connections);
    prom_one(out, "countersign_upstream_connects_total", "counter", "Connections begun to upstreams.",
             (double)s.connects);
    prom_one(out, "countersign_upstream_retries_total", "counter", "Requests tried once more elsewhere.",
             (double)s.retries);
    prom_one(out, "countersign_inflight_exchanges", "gauge", "Exchanges that have begun and not ended.",
             (double)in_flight);
    prom_one(out, "countersign_shed_total", "counter", "Exchanges refused under overload.", (double)s.shed);
    prom_one(out, "countersign_engine_disagreements_total", "counter",
             "Messages refused because two judges of the same octets disagree.", (double)s.disagreements);
    prom_one(out, "countersign_worker_queue_length", "gauge", "Messages that wait for a worker.",
             (double)queue_length(&gw->queue));
    prom_one(out, "countersign_memory_reserved_bytes", "gauge", "Octets promised to bodies in memory.",
             (double)atomic_load(&gw->memory.reserved));
    prom_one(out, "countersign_spool_bytes", "gauge", "Octets promised to bodies in the spool.",
             (double)atomic_load(&gw->memory.spool.used));
    prom_one(out, "countersign_log_dropped_total", "counter", "Access log lines for which there was no room.",
             (double)accesslog_dropped(gw->log));
    write_arrivals(gw, out);
    write_capture(gw, out);
    write_notices(gw, out);
}

static void write_routes(const struct runtime *rt, cs_buf *out)
{
    cs_time now = cs_clock_now();
    int64_t now_us = cs_clock_mono_us();
    prom_family(out, "countersign_route_monitored", "gauge", "1: the route verifies without refusing.");
    for (unsigned i = 0; i < rt->plan->n_route; i++) {
        const struct gw_route *r = rt->plan->route[i].conf;
        cs_buf_adds(out, "countersign_route_monitored{");
        prom_label(out, "route", r->name);
        prom_value(out, gw_actions_monitor(&r->request, now) || gw_actions_monitor(&r->response, now));
    }
    prom_family(out, "countersign_held_exchanges", "gauge", "Exchanges that wait because their route is on hold.");
    for (unsigned i = 0; i < rt->plan->n_route; i++) {
        cs_buf_adds(out, "countersign_held_exchanges{");
        prom_label(out, "route", rt->plan->route[i].conf->name);
        prom_value(out, atomic_load(&rt->plan->route[i].hold->waiting));
    }
    prom_family(out, "countersign_upstream_up", "gauge", "1: the upstream may be asked.");
    for (unsigned i = 0; i < rt->plan->n_route; i++) {
        const struct plan_route *r = &rt->plan->route[i];
        for (unsigned k = 0; k < r->n_target; k++) {
            cs_buf_adds(out, "countersign_upstream_up{");
            prom_label(out, "route", r->conf->name);
            prom_label(out, "upstream", r->target[k].conf->url);
            prom_value(out, upstream_usable(r, &r->target[k], now_us));
        }
    }
}

static void labelled(cs_buf *out, const char *name, const char *key, const char *value, double n)
{
    cs_buf_addf(out, "%s{", name);
    prom_label(out, key, value);
    prom_value(out, n);
}

static void add_legacy(void *ctx, const char *partner, const char *exception, uint64_t count)
{
    cs_buf *out = ctx;
    cs_buf_adds(out, "countersign_legacy_messages_total{");
    prom_label(out, "partner", partner);
    prom_label(out, "exception", exception);
    prom_value(out, (double)count);
}

static void write_stores(struct gateway *gw, cs_buf *out)
{
    int64_t stale = atomic_load(&gw->stale_since_us);
    struct replay_counts replay = replay_local_counts(gw->replay);
    prom_one(out, "countersign_keystore_stale_seconds", "gauge", "Since when the keystore is away; 0: it is there.",
             stale != 0 ? (double)(cs_clock_mono_us() - stale) / 1e6 : 0);
    prom_family(out, "countersign_replay_checks_total", "counter", "Signatures looked up in the replay store.");
    labelled(out, "countersign_replay_checks_total", "result", "new", (double)replay.fresh);
    labelled(out, "countersign_replay_checks_total", "result", "replayed", (double)replay.seen);
    labelled(out, "countersign_replay_checks_total", "result", "unavailable", (double)replay.failed);
    prom_one(out, "countersign_replay_store_up", "gauge", "1: the replay store answers.", replay.up);
    prom_family(out, "countersign_legacy_messages_total", "counter", "Messages that passed by a dated exception only.");
    legacy_each(gw->legacy, add_legacy, out);
    prom_family(out, "countersign_reload_total", "counter", "Configurations read anew.");
    labelled(out, "countersign_reload_total", "result", "done", (double)atomic_load(&gw->reloads.done));
    labelled(out, "countersign_reload_total", "result", "refused", (double)atomic_load(&gw->reloads.refused));
    prom_one(out, "countersign_reload_timestamp_seconds", "gauge", "When the configuration was read anew last.",
             (double)atomic_load(&gw->reloads.at));
}

/* ---- the process itself, with the names that every exporter has ---------------------------------------------------
 */

static uint64_t resident_octets(void)
{
    unsigned long size = 0;
    unsigned long resident = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm == NULL) {
        return 0;
    }
    int n = fscanf(statm, "%lu %lu", &size, &resident);
    fclose(statm);
    return n == 2 ? (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static unsigned open_descriptors(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    if (d == NULL) {
        return 0;
    }
    while (readdir(d) != NULL) {
        n++;
    }
    closedir(d);
    return n > 3 ? n - 3 : 0; /* ".", "..", and the one that reads */
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void write_self(struct gateway *gw, cs_buf *out)
{
    struct rusage use = {0};
    struct rlimit files = {0, 0};
    getrusage(RUSAGE_SELF, &use);
    getrlimit(RLIMIT_NOFILE, &files);
    prom_one(out, "process_cpu_seconds_total", "counter", "CPU time used.",
             seconds_of(use.ru_utime) + seconds_of(use.ru_stime));
    prom_one(out, "process_resident_memory_bytes", "gauge", "Resident memory.", (double)resident_octets());
    prom_one(out, "process_open_fds", "gauge", "Open descriptors.", open_descriptors());
    prom_one(out, "process_max_fds", "gauge", "Descriptors that may be open.", (double)files.rlim_cur);
    prom_one(out, "process_start_time_seconds", "gauge", "When the process started.", (double)gw->started);
}

/* "libxml2 2.9.14 xmlsec 1.2.37 OpenSSL 3.0.11": the word behind name. */
static void version_label(cs_buf *out, const char *key, const char *name)
{
    char version[32] = "";
    const char *at = strstr(wssec_versions(), name);
    if (at != NULL) {
        snprintf(version, sizeof version, "%.*s", (int)strcspn(at + strlen(name), " "), at + strlen(name));
    }
    prom_label(out, key, version);
}

static void write_sandbox(struct gateway *gw, cs_buf *out)
{
    prom_family(out, "countersign_sandbox", "gauge", "1: this part of the sandbox is in force.");
    labelled(out, "countersign_sandbox", "part", "seccomp", gw->sandbox.seccomp);
    labelled(out, "countersign_sandbox", "part", "landlock", gw->sandbox.landlock > 0);
    prom_one(out, "countersign_sandbox_refused_total", "counter", "System calls that the sandbox refused.",
             (double)sandbox_refused());
}

static void write_build(cs_buf *out)
{
    prom_family(out, "countersign_build_info", "gauge", "What runs here; always 1.");
    cs_buf_adds(out, "countersign_build_info{");
    prom_label(out, "version", CS_VERSION);
    version_label(out, "openssl", "OpenSSL ");
    version_label(out, "libxml2", "libxml2 ");
    version_label(out, "xmlsec", "xmlsec ");
    prom_value(out, 1);
}

void metrics_process(struct metrics *m, const struct runtime *rt, cs_buf *out)
{
    struct gateway *gw = m->gateway;
    write_traffic(gw, out);
    metrics_tls(m, out);
    write_routes(rt, out);
    write_stores(gw, out);
    write_self(gw, out);
    write_sandbox(gw, out);
    write_build(out);
}
