/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.c: a running process follows the store. One thread calls ks_live_step; it polls for commits of others, builds
 * the next snapshot beside the one in force and swaps. A build that fails leaves the old one in force.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "keystore/alarm.h"
#include "keystore/canary.h"
#include "keystore/kek.h"
#include "keystore/node.h"
#include "keystore/seen.h"
#include "keystore/snapshot.h"
#include "keystore/use.h"

#define POLL_MS       50
#define FLUSH_US      1000000
#define FLUSH_BUSY_MS 200 /* counters can wait; a watch thread that waits for a writer is late with news */
#define HEARTBEAT_S   20  /* a node is taken for alive for KS_NODE_ALIVE seconds */

struct ks_live {
    ks_store *store;      /**< owned; watch thread only */
    pthread_mutex_t lock; /**< around `current`: a bare pointer would race with the last release */
    const ks_snapshot *current;
    int wake_fd;
    struct ks_identity me;
    char build[32], conf[65];   /**< under lock */
    atomic_bool described;      /**< they changed since the store was told */
    struct ks_counts *counts;   /**< owned */
    struct ks_seen_queue *seen; /**< owned */
    struct ks_alarms alarms;    /**< under lock */
    int64_t flushed_us;
    int64_t pruned_day;
    bool again;    /**< the last build failed, or this process changed the store itself: look again */
    uint64_t told; /**< generation that the store knows this node to serve; 0: none */
    cs_time told_at;
    char kek_names[KS_NODE_KEYS]; /**< key-encryption keys that this node can open: rekey asks */
    cs_time now;                  /**< of the last step: closing has no other */
};

/** What waits to be told; what cannot be written waits on. This thread alone takes from the front. */
static void tell_alarms(ks_live *l)
{
    cs_error ignored = {0};
    for (size_t i = 0; i < KS_ALARMS; i++) {
        pthread_mutex_lock(&l->lock);
        bool waits = l->alarms.n > 0;
        const struct ks_alarm alarm = l->alarms.row[0];
        pthread_mutex_unlock(&l->lock);
        if (!waits || ks_alarm_write(l->store, &alarm, &ignored) != 0) {
            return;
        }
        pthread_mutex_lock(&l->lock);
        ks_alarm_drop(&l->alarms);
        pthread_mutex_unlock(&l->lock);
    }
}

/** What was counted into the store. @return 0, or -1: it waits for the next time */
static int flush(ks_live *l, cs_time now)
{
    cs_error ignored = {0};
    l->store->driver->set_busy(l->store->b, FLUSH_BUSY_MS);
    int rc = ks_use_flush(l->store, l->counts, l->current, l->me.node, now, &ignored);
    if (rc >= 0 && now / CS_DAY != l->pruned_day && l->store->driver->use_prune(l->store->b, now, &ignored) == 0) {
        l->pruned_day = now / CS_DAY;
    }
    (void)ks_seen_flush(l->store, l->seen, l->current, l->me.node, &ignored);
    (void)ks_canaries_flush(l->store, l->current, l->me.node, now, &ignored);
    tell_alarms(l);
    l->flushed_us = cs_clock_mono_us();
    l->again = l->again || rc == 1;
    return rc < 0 ? -1 : 0;
}

/** Tell the store which generation is in force here, with all uses that were counted before: who waits for this
 *  acknowledgement finds them. What cannot be written is told at the next step. */
static void tell(ks_live *l, cs_time now)
{
    uint64_t generation = l->current->generation;
    bool described = atomic_load(&l->described);
    if (l->store->options.read_only ||
        (generation == l->told && !described && now - l->told_at < HEARTBEAT_S && now >= l->told_at)) {
        return;
    }
    char build[sizeof l->build];
    char conf[sizeof l->conf];
    pthread_mutex_lock(&l->lock);
    memcpy(build, l->build, sizeof build);
    memcpy(conf, l->conf, sizeof conf);
    atomic_store(&l->described, false);
    pthread_mutex_unlock(&l->lock);
    if ((generation == l->told || flush(l, now) == 0) &&
        ks_node_tell(l->store, &l->me, generation, build, conf, l->kek_names, now) == 0) {
        l->told = generation;
    } else if (described) {
        atomic_store(&l->described, true);
    }
    l->told_at = now;
}

/** A source that does not open now is left out; a snapshot that needs it says why. */
static void name_sources(ks_live *l)
{
    size_t used = 0;
    l->kek_names[0] = '\0';
    for (size_t i = 0; i < l->store->n_kek; i++) {
        char name[KS_KEK_ID];
        cs_error ignored = {0};
        if (ks_kek_name(l->store, &l->store->kek[i], name, &ignored) == 0) {
            used +=
                (size_t)snprintf(l->kek_names + used, sizeof l->kek_names - used, "%s%s", used > 0 ? " " : "", name);
        }
    }
}

int ks_live_sources(ks_live *l, const ks_options *opt, cs_error *e)
{
    if (ks_store_sources(l->store, opt) != 0) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    name_sources(l);
    l->told = 0; /* and say so at the next step */
    return 0;
}

void ks_live_describe(ks_live *l, const char *build, const char *conf)
{
    pthread_mutex_lock(&l->lock);
    cs_copy(l->build, sizeof l->build, build);
    cs_copy(l->conf, sizeof l->conf, conf);
    pthread_mutex_unlock(&l->lock);
    atomic_store(&l->described, true);
    ks_live_wake(l);
}

const char *ks_live_node(const ks_live *l)
{
    return l->me.node;
}

int ks_live_open(ks_live **out, const char *uri, const ks_options *opt, cs_time now, cs_error *e)
{
    *out = NULL;
    ks_live *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "memory ran out while the keystore was opened");
    }
    l->wake_fd = -1;
    if (pthread_mutex_init(&l->lock, NULL) != 0) {
        free(l);
        return cs_error_set(e, CS_EXIT_INTERNAL, "internal", "no mutex could be made");
    }
    l->counts = ks_counts_new();
    l->seen = ks_seen_new();
    if (l->counts == NULL || l->seen == NULL) {
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "memory ran out while the keystore was opened");
        goto fail;
    }
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->wake_fd < 0) {
        cs_error_set(e, CS_EXIT_INTERNAL, "internal", "no eventfd could be made: %s", strerror(errno));
        goto fail;
    }
    if (ks_open(&l->store, uri, opt, e) != 0) {
        goto fail;
    }
    /* before the build: a commit between the two is then seen as a change, never missed */
    if (l->store->driver->changed(l->store->b, e) < 0 || ks_snapshot_build(l->store, NULL, &l->current, e) != 0) {
        goto fail;
    }
    l->now = now;
    name_sources(l);
    ks_node_claim(l->store, l->current->generation, now, &l->me);
    l->store->options.node = NULL; /* borrowed until here */
    l->store->options.place = NULL;
    tell(l, now);
    l->flushed_us = cs_clock_mono_us();
    *out = l;
    return 0;
fail:
    ks_live_close(l);
    return -1;
}

/** Look once. @return as ks_live_step */
static int look(ks_live *l, cs_error *e)
{
    int changed = l->store->driver->changed(l->store->b, e);
    if (changed < 0) {
        return -1;
    }
    if (changed == 0 && !l->again) {
        return 0;
    }
    uint64_t generation = 0;
    l->again = true;
    if (l->store->driver->generation(l->store->b, &generation, e) != 0) {
        return -1;
    }
    if (generation < l->current->generation) {
        return cs_error_set(
            e, CS_EXIT_UNAVAILABLE, "store-behind",
            "the keystore is at generation %llu, this process already served %llu; the old snapshot stays in force",
            (unsigned long long)generation, (unsigned long long)l->current->generation);
    }
    if (generation == l->current->generation) {
        l->again = false; /* counters of another process, no change */
        return 0;
    }
    const ks_snapshot *next = NULL;
    if (ks_snapshot_build(l->store, l->current, &next, e) != 0) {
        return -1;
    }
    l->again = false;
    pthread_mutex_lock(&l->lock);
    const ks_snapshot *old = l->current;
    l->current = next;
    pthread_mutex_unlock(&l->lock);
    ks_snapshot_release(old);
    return 1;
}

int ks_live_step(ks_live *l, int timeout_ms, cs_time now, cs_error *e)
{
    int64_t end = cs_clock_mono_us() + (int64_t)timeout_ms * 1000;
    l->now = now;
    for (;;) {
        /* after a new snapshot the caller swaps first; the store hears of it at the next step */
        tell(l, now);
        int rc = look(l, e);
        if (rc != 0) {
            return rc;
        }
        int64_t at = cs_clock_mono_us();
        if (at - l->flushed_us >= FLUSH_US) {
            (void)flush(l, now);
        }
        int64_t left_ms = (end - at + 999) / 1000;
        if (left_ms <= 0) {
            return 0;
        }
        struct pollfd p = {.fd = l->wake_fd, .events = POLLIN};
        if (poll(&p, 1, left_ms < POLL_MS ? (int)left_ms : POLL_MS) > 0) {
            uint64_t ignored = 0;
            (void)!read(l->wake_fd, &ignored, sizeof ignored);
            return look(l, e);
        }
    }
}

void ks_live_wake(ks_live *l)
{
    uint64_t one = 1;
    (void)!write(l->wake_fd, &one, sizeof one); /* full means that a wake-up already waits */
}

void ks_live_close(ks_live *l)
{
    if (l == NULL) {
        return;
    }
    if (l->store != NULL && l->current != NULL) {
        (void)flush(l, l->now);
        ks_node_leave(l->store, &l->me);
    }
    ks_snapshot_release(l->current);
    ks_counts_free(l->counts);
    ks_seen_free(l->seen);
    ks_close(l->store);
    if (l->wake_fd >= 0) {
        close(l->wake_fd);
    }
    pthread_mutex_destroy(&l->lock);
    free(l);
}

const ks_snapshot *ks_live_get(ks_live *l)
{
    pthread_mutex_lock(&l->lock);
    const ks_snapshot *s = ks_snapshot_ref(l->current);
    pthread_mutex_unlock(&l->lock);
    return s;
}

void ks_use(ks_live *l, const ks_snapshot *s, const char *alias, unsigned n, const char *sender, bool ok, cs_time now)
{
    ks_use_count(l->counts, s, alias, n, sender, ok, now);
}

void ks_disagreement(ks_live *l, const char *route, const char *text, cs_time now)
{
    pthread_mutex_lock(&l->lock);
    ks_alarm_take(&l->alarms, KS_NOTICE_ENGINE_DISAGREEMENT, route, now / CS_DAY, text, now);
    pthread_mutex_unlock(&l->lock);
}

void ks_legacy_used(ks_live *l, const char *partner, const char *exception, cs_time until, cs_time now)
{
    int64_t days = ks_notice_threshold(until, now);
    char about[KS_ABOUT];
    char text[KS_NOTICE_TEXT];
    char last[CS_TIME_TEXT];
    char end[CS_TIME_TEXT];
    if (days == 0) {
        return;
    }
    snprintf(about, sizeof about, "%.64s %.16s until %.10s", partner, exception, cs_time_format(until - 1, last));
    snprintf(text, sizeof text, "Messages of %.64s pass by the exception %.16s alone; from %s on they are refused.",
             partner, exception, cs_time_format(until, end));
    pthread_mutex_lock(&l->lock);
    ks_alarm_take(&l->alarms, KS_NOTICE_LEGACY_ENDS, about, days, text, now);
    pthread_mutex_unlock(&l->lock);
}

void ks_seen(ks_live *l, const char *partner, const uint8_t *der, size_t n, cs_time now)
{
    ks_seen_take(l->seen, partner, der, n, now);
}
