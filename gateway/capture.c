/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture.c: see capture.h. Workers add to a list bounded in octets; the thread takes all of it, writes, syncs and
 * tells those who wait, so that many messages share one sync.
 */
#include "gateway/capture.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "gateway/action.h"
#include "gateway/capture_file.h"
#include "gateway/gateway_private.h"
#include "keystore/capture.h"

#define AGAIN_US      INT64_C(1000000) /* a full disk is tried again so often */
#define NOTE_US       INT64_C(1000000) /* between two notes; each makes a generation of the keystore */
#define NOTE_AGAIN_US INT64_C(30000000)
#define SYNC_US       INT64_C(1000000)

struct capture_item {
    struct capture_item *next;
    struct cs_capture_record record;
    struct wssec_slice *slice; /* owned array: the head, then the body */
    size_t n_slice;
    char *copy;              /* owned: head, or head and body */
    uint64_t octets;         /* of copy */
    bool waited, done, good; /* under lock; a waited item belongs to its worker */
};

struct capture {
    struct gw_capture conf; /* its directory is owned */
    pthread_mutex_t lock;
    pthread_cond_t filled, written;
    pthread_t thread;
    bool stop;
    struct capture_item *first, **last;
    uint64_t waiting; /* octets of copies in the list */
    uint64_t lost;    /* messages that no record tells of yet */
    _Atomic bool full;
    _Atomic int64_t full_us; /* when it was found to be so the last time */
    _Atomic uint64_t messages, lost_all, segments, octets;
    /* the thread's own */
    struct capture_file file;
    char *keystore_uri;
    char node[CS_CAPTURE_WORD];
    bool dirty;
    int64_t synced_us;
    int64_t note_us; /* not before */
};

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void full_set(struct capture *c, int err)
{
    atomic_store(&c->full_us, cs_clock_mono_us());
    if (!atomic_exchange(&c->full, true)) {
        cs_log(CS_LOG_ERROR, "capture-full",
               c->conf.refuse ? "messages cannot be kept and are refused" : "messages cannot be kept and are lost",
               CS_STR("directory", c->conf.directory), CS_STR("why", strerror(err)));
    }
    capture_file_count(&c->file); /* somebody may be making room */
}

static void full_clear(struct capture *c)
{
    if (atomic_exchange(&c->full, false)) {
        cs_log(CS_LOG_NOTICE, "capture-again", "messages are kept again", CS_INT("lost", atomic_load(&c->lost_all)));
    }
}

static bool full_now(struct capture *c)
{
    return atomic_load(&c->full) && cs_clock_mono_us() - atomic_load(&c->full_us) < AGAIN_US;
}

/* What was lost is told before what is kept behind it. @return 0, -1 errno */
static int write_lost(struct capture *c)
{
    pthread_mutex_lock(&c->lock);
    uint64_t lost = c->lost;
    pthread_mutex_unlock(&c->lock);
    if (lost == 0) {
        return 0;
    }
    struct cs_capture_record r = {.kind = CS_CAPTURE_LOST, .at_ms = cs_clock_now_ms(), .count = lost};
    if (capture_file_add(&c->file, &r, NULL, 0, c->conf.quota) != 0) {
        return -1;
    }
    pthread_mutex_lock(&c->lock);
    c->lost -= lost;
    pthread_mutex_unlock(&c->lock);
    return 0;
}

static void count_lost(struct capture *c)
{
    pthread_mutex_lock(&c->lock);
    c->lost++;
    pthread_mutex_unlock(&c->lock);
    atomic_fetch_add(&c->lost_all, 1);
}

static void write_item(struct capture *c, struct capture_item *i)
{
    if (full_now(c)) {
        i->good = false;
    } else if (write_lost(c) == 0 && capture_file_add(&c->file, &i->record, i->slice, i->n_slice, c->conf.quota) == 0) {
        full_clear(c);
        c->dirty = true;
        i->good = true;
        atomic_fetch_add(&c->messages, 1);
        atomic_fetch_add(&c->octets, i->record.size);
    } else {
        full_set(c, errno);
        i->good = false;
    }
}

/* @return 0, -1: what was written may not be on the disk */
static int sync_due(struct capture *c, bool wrote)
{
    int64_t now_us = cs_clock_mono_us();
    bool due = (c->conf.sync == GW_SYNC_EACH && wrote) ||
               (c->conf.sync == GW_SYNC_SECOND && c->dirty && now_us - c->synced_us >= SYNC_US);
    if (!due) {
        return 0;
    }
    c->synced_us = now_us;
    c->dirty = false;
    if (capture_file_sync(&c->file) != 0) {
        full_set(c, errno);
        return -1;
    }
    return 0;
}

static void end_segment(struct capture *c)
{
    if (c->file.fd < 0) {
        return;
    }
    if (capture_file_end(&c->file, cs_clock_now_ms()) == 0) {
        atomic_fetch_add(&c->segments, 1);
        c->dirty = false;
    } else {
        full_set(c, errno);
    }
}

static bool segment_over(const struct capture *c)
{
    const struct capture_file *f = &c->file;
    return f->fd >= 0 && (f->octets >= c->conf.segment_octets ||
                          (f->messages > 0 && cs_clock_now_ms() - f->opened_ms >= c->conf.segment_ms));
}

static void item_free(struct capture_item *i)
{
    free(i->slice);
    free(i->copy);
    free(i);
}

static void write_items(struct capture *c, struct capture_item *first)
{
    bool wrote = false;
    for (struct capture_item *i = first; i != NULL; i = i->next) {
        write_item(c, i);
        wrote |= i->good;
        if (segment_over(c)) {
            end_segment(c); /* much may have waited */
        }
    }
    bool synced = sync_due(c, wrote) == 0;
    for (struct capture_item *i = first, *next; i != NULL; i = next) {
        next = i->next;
        bool good = i->good && (synced || c->conf.sync != GW_SYNC_EACH);
        if (!good && !c->conf.refuse) {
            count_lost(c);
        }
        pthread_mutex_lock(&c->lock);
        c->waiting -= i->octets;
        bool waited = i->waited;
        if (waited) {
            i->good = good;
            i->done = true;
            pthread_cond_broadcast(&c->written);
        }
        pthread_mutex_unlock(&c->lock);
        if (!waited) {
            item_free(i);
        }
    }
}

/* ---- segments ---------------------------------------------------------------------------------------------------- */

/* The head of the newest segment holds for all before it: the chain goes on from file to file. */
static void note(struct capture *c, bool at_once)
{
    static const ks_options as_told = {.busy_ms = 2000};
    int64_t now_us = cs_clock_mono_us();
    ks_store *store = NULL;
    cs_error e = {0};
    const struct capture_end *end = &c->file.closed;
    if (c->file.noted >= end->segment || (!at_once && now_us < c->note_us)) {
        return;
    }
    const ks_actor who = {c->node, "node", NULL};
    ks_capture_head head = {.segment = end->segment, .record = end->record};
    cs_copy(head.stream, sizeof head.stream, c->file.stream);
    memcpy(head.hash, end->hash, sizeof head.hash);
    if (ks_open(&store, c->keystore_uri, &as_told, &e) == 0 &&
        ks_capture_note(store, &head, &who, cs_clock_now(), &e) == 0) {
        capture_file_noted(&c->file, end->segment);
        c->note_us = now_us + NOTE_US;
    } else {
        c->note_us = now_us + NOTE_AGAIN_US;
        cs_log(CS_LOG_WARN, "capture-note", "the keystore does not know of a closed segment yet",
               CS_STR("stream", c->file.stream), CS_INT("segment", end->segment), CS_STR("why", e.text));
    }
    ks_close(store);
}

static void *capture_run(void *ctx)
{
    struct capture *c = ctx;
    pthread_setname_np(pthread_self(), "capture");
    pthread_mutex_lock(&c->lock);
    for (;;) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += 1;
        while (c->first == NULL && !c->stop && pthread_cond_timedwait(&c->filled, &c->lock, &until) != ETIMEDOUT) {
        }
        struct capture_item *first = c->first;
        bool stop = c->stop && first == NULL;
        c->first = NULL;
        c->last = &c->first;
        pthread_mutex_unlock(&c->lock);
        write_items(c, first);
        if (stop && write_lost(c) != 0) {
            cs_log(CS_LOG_ERROR, "capture-full", "the number of lost messages cannot be kept either",
                   CS_INT("lost", c->lost));
        }
        if (stop || segment_over(c)) {
            end_segment(c);
        }
        note(c, stop);
        if (stop) {
            return NULL;
        }
        pthread_mutex_lock(&c->lock);
    }
}

/* ---- handing over ------------------------------------------------------------------------------------------------ */

static void record_of(const struct job *j, struct cs_capture_record *r)
{
    const struct gw_actions *a = j->response ? &j->route->conf->response : &j->route->conf->request;
    const struct wssec_verdict *v = &j->verdict;
    r->kind = CS_CAPTURE_MESSAGE;
    r->at_ms = j->received_ms;
    r->response = j->response;
    cs_copy(r->exchange, sizeof r->exchange, j->exchange_id);
    cs_copy(r->route, sizeof r->route, j->route->conf->name);
    cs_copy(r->partner, sizeof r->partner, a->partner != NULL ? a->partner : "-");
    cs_copy(r->verdict, sizeof r->verdict, wssec_result_word(v->verdict));
    cs_copy(r->reason, sizeof r->reason, wssec_reason_code(v->reason));
}

/* Octets of the worker's own: they stay where they are until it may go on. */
static int lend(struct capture_item *i, const struct job *j)
{
    i->slice = calloc(1 + j->body.n_chunk, sizeof *i->slice);
    i->copy = malloc(j->dump_head.len);
    if (i->slice == NULL || i->copy == NULL) {
        return -1;
    }
    memcpy(i->copy, j->dump_head.data, j->dump_head.len);
    i->octets = j->dump_head.len;
    i->slice[0] = (struct wssec_slice){(const uint8_t *)i->copy, j->dump_head.len};
    i->n_slice = 1 + body_slices(&j->body, i->slice + 1);
    return 0;
}

static int copy(struct capture_item *i, const struct job *j)
{
    size_t at = j->dump_head.len;
    i->octets = at + j->body.octets;
    i->slice = calloc(1, sizeof *i->slice);
    i->copy = malloc(i->octets);
    if (i->slice == NULL || i->copy == NULL) {
        return -1;
    }
    memcpy(i->copy, j->dump_head.data, at);
    for (const struct chunk *k = j->body.first; k != NULL; k = k->next) {
        memcpy(i->copy + at, k->data, k->n);
        at += k->n;
    }
    i->slice[0] = (struct wssec_slice){(const uint8_t *)i->copy, at};
    i->n_slice = 1;
    return 0;
}

/* With the lock held. */
static void push(struct capture *c, struct capture_item *i)
{
    *c->last = i;
    c->last = &i->next;
    c->waiting += i->octets;
    pthread_cond_signal(&c->filled);
}

bool capture_refuses(struct capture *c)
{
    return c->conf.refuse && full_now(c);
}

bool capture_message(struct capture *c, const struct job *j)
{
    uint64_t octets = j->dump_head.len + j->body.octets;
    struct capture_item *i = calloc(1, sizeof *i);
    /* One that alone would fill the buffer is not copied; its worker waits, too. */
    bool waits = c->conf.refuse || octets > c->conf.buffer / 4;
    if (i == NULL || j->dump_head.len == 0 || (waits ? lend(i, j) : 0) != 0) {
        goto fail;
    }
    record_of(j, &i->record);
    i->waited = waits;
    pthread_mutex_lock(&c->lock);
    bool room = waits || c->waiting + octets <= c->conf.buffer;
    pthread_mutex_unlock(&c->lock);
    if (!room || (!waits && copy(i, j) != 0)) {
        goto fail;
    }
    pthread_mutex_lock(&c->lock);
    push(c, i);
    while (waits && !i->done) {
        pthread_cond_wait(&c->written, &c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    bool good = !waits || i->good;
    if (waits) {
        item_free(i);
    }
    return good || !c->conf.refuse;
fail:
    if (i != NULL) {
        item_free(i);
    }
    if (!c->conf.refuse) {
        count_lost(c);
    }
    return !c->conf.refuse;
}

void capture_count(const struct capture *c, struct capture_counts *out)
{
    *out = (struct capture_counts){atomic_load(&c->messages), atomic_load(&c->lost_all), atomic_load(&c->segments),
                                   atomic_load(&c->octets), atomic_load(&c->full)};
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

struct capture *capture_new(const struct gw_capture *conf, const char *node, const char *keystore_uri, cs_error *e)
{
    struct capture *c = calloc(1, sizeof *c);
    pthread_condattr_t attr;
    if (c != NULL) {
        c->conf = *conf;
        c->conf.directory = strdup(conf->directory);
        c->keystore_uri = strdup(keystore_uri);
    }
    if (c == NULL || c->conf.directory == NULL || c->keystore_uri == NULL || pthread_condattr_init(&attr) != 0) {
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the capture");
        goto fail;
    }
    c->last = &c->first;
    cs_copy(c->node, sizeof c->node, node);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->filled, &attr);
    pthread_cond_init(&c->written, NULL);
    pthread_condattr_destroy(&attr);
    if (capture_file_open(&c->file, c->conf.directory, node, cs_clock_now_ms(), e) == 0) {
        if (pthread_create(&c->thread, NULL, capture_run, c) == 0) {
            return c;
        }
        cs_error_set(e, CS_EXIT_INTERNAL, "start", "no thread for the capture");
    }
    capture_file_close(&c->file);
    pthread_cond_destroy(&c->written);
    pthread_cond_destroy(&c->filled);
    pthread_mutex_destroy(&c->lock);
fail:
    if (c != NULL) {
        free(c->keystore_uri);
        free(c->conf.directory);
    }
    free(c);
    return NULL;
}

void capture_free(struct capture *c)
{
    if (c == NULL) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_signal(&c->filled);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    capture_file_close(&c->file);
    pthread_cond_destroy(&c->written);
    pthread_cond_destroy(&c->filled);
    pthread_mutex_destroy(&c->lock);
    free(c->keystore_uri);
    free(c->conf.directory);
    free(c);
}
