/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_private.h: the process as its own parts see it: what all loops, workers and the watch thread share. */
#ifndef GW_GATEWAY_PRIVATE_H
#define GW_GATEWAY_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "gateway/accesslog.h"
#include "gateway/body.h"
#include "gateway/config.h"
#include "gateway/hold.h"
#include "gateway/inflow.h"
#include "gateway/keyop.h"
#include "gateway/legacy.h"
#include "gateway/limit.h"
#include "gateway/link.h"
#include "gateway/loop.h"
#include "gateway/publish.h"
#include "gateway/queue.h"
#include "gateway/replay_local.h"
#include "gateway/resolve.h"
#include "gateway/runtime.h"
#include "gateway/sandbox.h"
#include "gateway/shed.h"
#include "gateway/worker.h"

struct admin;
struct watch_wish;

/** What came of reading the configuration anew. Written by the watch thread. */
struct reload_stats {
    _Atomic uint64_t done, refused;
    _Atomic int64_t at; /**< the last one, UTC seconds; 0: none */
    _Atomic bool last_good;
};

/** What became of notices to people and programs. Written by the fetch thread. */
struct notice_stats {
    _Atomic uint64_t sent, failed, put_off, dropped; /**< since the start */
    _Atomic uint64_t waiting;                        /**< in the queue, with a way or without */
    _Atomic uint64_t unreached;                      /**< certificates in use whose last notice reaches nobody */
};

struct gateway {
    const struct gw_run_options *options; /**< borrowed */
    ks_live *live;
    struct keyop *keys; /**< the keys process; NULL: keys are here */
    struct memory memory;
    struct queue queue;
    struct shed shed;
    struct limiter *limiter;
    struct worker_pool workers;
    struct inflow_pool inflows;
    struct legacy *legacy; /**< dated exceptions in use */
    struct replay_local *replay;
    struct hold_table holds;
    struct accesslog *log;
    struct capture *capture; /**< NULL: off */
    struct resolver_thread resolver;
    struct check_thread checks;
    struct loop *loop;
    unsigned n_loop;
    _Atomic unsigned clients; /**< over all loops */
    _Atomic unsigned drained; /**< loops that have nothing left */
    int wake_fd;              /**< eventfd: the main thread has something to look at */
    pthread_mutex_t runtime_lock;
    struct runtime *runtime; /**< the one in force; read with gateway_runtime() */
    struct tls_registry tls;
    struct publish publish;
    struct keeper *keeper; /* owned; NULL: not started */
    struct fetch *fetch;   /* likewise */
    pthread_t watch_thread;
    bool watch_started;
    _Atomic bool watch_stop, reload_wanted;
    _Atomic bool evidence;     /**< something was stored that a roll-over may wait for: the keeper is to look */
    struct watch_wish *wishes; /**< reloads that somebody waits for; under runtime_lock */
    struct reload_stats reloads;
    struct notice_stats notices;
    _Atomic int64_t stale_since_us; /**< monotonic: since when the keystore is away; 0: it is there */
    struct admin *admin;
    struct link link;
    char place[32];         /**< stands for the admin socket where there is none */
    struct sandbox sandbox; /**< immutable once the process has confined itself */
    cs_time started;
    int64_t started_us;                  /**< monotonic */
    _Atomic bool draining;               /**< asked to end: not ready for more */
    _Atomic bool retired;                /**< a successor serves: what is on hold may stay on hold */
    _Atomic bool end_wanted, cut_wanted; /**< for the main thread */
};

/** The runtime in force, a new reference (runtime_unref). Any thread. */
struct runtime *gateway_runtime(struct gateway *gw);
/** How the keystore is opened for work on keys: with the key-encryption keys of these settings, durations as the store
 * was told last. Any thread. */
void gateway_key_options(const struct gw_settings *settings, ks_options *out);
/** Publish rt (takes the reference); the loops are told to look at their listeners. Watch thread, or before the loops
 * start. */
void gateway_publish(struct gateway *gw, struct runtime *rt);
/** End the process: exchanges in flight are finished; at_once: they are cut. Any thread. */
void gateway_end(struct gateway *gw, bool at_once);
/** A draining loop has nothing left to do. */
void gateway_loop_drained(struct gateway *gw, struct loop *loop);

#endif
