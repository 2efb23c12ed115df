/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.h: one I/O loop: a thread with an event_base of its own, its mailbox, its chunk and parser pools, and everything
 * that is destroyed at the end of a turn. What belongs to a loop is touched by its thread only; others post mail.
 */
#ifndef GW_LOOP_H
#define GW_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

#include "gateway/body.h"
#include "gateway/http1.h"
#include "gateway/mailbox.h"
#include "gateway/tls.h"

struct gateway;
struct client;
struct exchange;
struct meter;
struct listener_watch;
struct upstream_conn;

/** Something to do when the callback that runs now has returned; embedded in its object. */
struct task {
    struct task *next;
    void (*run)(struct task *t);
    bool waiting;
};

/** A deadline that may be moved cheaply: the event fires at the earliest instant it was ever set to and looks again. */
struct timer {
    struct event event;
    int64_t due_us;   /**< monotonic; 0: off */
    int64_t armed_us; /**< when the event fires; 0: not added */
    void (*fire)(void *ctx);
    void *ctx;
};

#define PARSERS_KEPT 32
#define TLS_RECORD   ((size_t)16384) /* octets that one TLS record carries */

struct parser_pool {
    struct http1_limits limits; /**< of the parsers in it */
    struct http1 *request[PARSERS_KEPT], *response[PARSERS_KEPT];
    unsigned n_request, n_response;
};

/** What became of a message of which pieces were judged while it arrived. */
enum arrival {
    ARRIVAL_JUDGED, /**< nothing was left to do but the last piece */
    ARRIVAL_CUT,    /**< refused before it was complete */
    ARRIVAL_WHOLE,  /**< judged once more, in one piece */
    ARRIVALS
};

/** Counters of one loop, written by its thread only, read by any. */
struct counters {
    _Atomic uint64_t connections;
    _Atomic uint64_t exchanges; /**< ended */
    _Atomic uint64_t begun;     /**< exchanges; those in flight are begun - exchanges */
    _Atomic uint64_t upstream_retries;
    _Atomic uint64_t upstream_connects;
    _Atomic uint64_t upstream_open; /**< connections now, idle ones included */
    _Atomic uint64_t upstream_idle;
    _Atomic uint64_t handshakes[2][HANDSHAKES][TLS_VERSIONS]; /**< as server, as client */
    _Atomic uint64_t arrival[ARRIVALS];                       /**< messages that were begun before they were complete */
    _Atomic uint64_t verdict[2][4];                           /**< request, response by enum wssec_result */
    _Atomic uint64_t refused[WSSEC_REASONS];                  /**< by reason */
};

/** A sign of life: the admin thread posts it, the loop answers by the instant. */
struct pulse {
    struct mail mail;
    _Atomic bool under_way;
    _Atomic int64_t seen_us; /**< monotonic; 0: never */
};

struct loop {
    struct gateway *gateway;
    unsigned index;
    pthread_t thread;
    bool started;
    struct event_base *base;
    struct mailbox mailbox;
    struct event mail_event;
    struct event turn_event;
    struct task *later, **later_last;
    char *scratch; /**< CHUNK_LARGE octets: one read */
    char *record;  /**< TLS_RECORD octets: small pieces joined for one write */
    struct chunk_pool chunks;
    struct parser_pool parsers;
    struct counters counters;
    struct meter *meter; /**< owned */
    struct pulse pulse;
    struct listener_watch *watch; /**< listening descriptors that this loop accepts from */
    struct timer accept_again;    /**< after a pause: too many connections or descriptors */
    int reserve_fd;               /**< given up for a moment to close a peer politely when descriptors ran out */
    int64_t limit_told_us;        /**< when the last connection above the limit of an address was logged */
    struct client *client;        /**< all client connections */
    unsigned n_client;
    struct upstream_conn *idle; /**< newest first */
    struct upstream_conn *busy;
    struct exchange *held, **held_last; /**< exchanges on hold, in their order */
    bool keeps_held;                    /**< while draining, too: another process took over the listeners */
    bool draining;                      /**< replies carry Connection: close, nothing is accepted */
    bool stopping;                      /**< everything open is cut */
    int64_t refused_second;             /**< monotonic; in which refused_logged lines were written */
    unsigned refused_logged;
    uint8_t random[512]; /**< for identifiers */
    size_t random_left;
};

/** @return 0, or -1 with a sentence logged */
int loop_init(struct loop *loop, struct gateway *gateway, unsigned index) __attribute__((warn_unused_result));
/** After the thread has ended. */
void loop_destroy(struct loop *loop);
/** @return 0, or -1 */
int loop_start(struct loop *loop) __attribute__((warn_unused_result));
/** Any thread. */
void loop_post(struct loop *loop, struct mail *m);

/** Run t when the callback that runs now is over; a task that waits already is not queued twice. */
void loop_later(struct loop *loop, struct task *t);
/** Tell the process when a draining loop has nothing left to do. */
void loop_check_drained(struct loop *loop);

void timer_init(struct timer *t, struct loop *loop, void (*fire)(void *ctx), void *ctx);
void timer_set(struct timer *t, int64_t in_ms);
void timer_off(struct timer *t);
/** Before the memory of t goes. */
void timer_destroy(struct timer *t);

/** A fresh parser. @return owned by the caller until loop_parser_put, NULL: no memory */
struct http1 *loop_parser_get(struct loop *loop, enum http1_kind kind, const struct http1_limits *limits);
/** reusable: its message ended as it should; else the parser is freed. p NULL: nothing. */
void loop_parser_put(struct loop *loop, enum http1_kind kind, struct http1 *p, bool reusable);

/** Log what a peer of its own accord can bring about: at most ten lines a second, so that no peer fills a disk. */
void loop_log_refused(struct loop *loop, const char *event, const char *sentence, const char *peer, const char *why);

/** A random UUID (version 4) as text. @return 0, or -1: no random numbers */
int loop_uuid(struct loop *loop, char out[37]) __attribute__((warn_unused_result));

#endif
