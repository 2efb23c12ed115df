/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c: see verify.h: workers that take, judge and hand over; one of them at a time writes what is complete in
 * order. */
#include "archive/verify.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "archive/done.h"
#include "archive/feed.h"
#include "archive/isolate.h"
#include "base/clock.h"
#include "base/text.h"

#define WINDOW       1024 /* items taken and not yet written, at most */
#define PAYLOADS     1000000
#define LINE_USUAL   1500 /* octets of a record */
#define SYNC_RECORDS 4096
#define SYNC_US      1000000
#define WAIT_US      50000
#define CHILD_US     60000000 /* on top, for a worker whose item another process judges */
#define JOBS_MAX     256
#define LOST_MAX     64 /* workers that did not come back from an item, at most */

/** An item that was judged and waits for those before it. */
struct judged {
    bool there;
    char *text; /* owned: its line */
    size_t n;
    struct archive_mark mark;
    bool has_payload;
    uint8_t payload_sha256[32];
};

struct pool;

struct slot {
    struct pool *pool;
    pthread_t thread;
    bool started, over;
    bool lost;     /* the watchdog has answered for it */
    int64_t since; /* beginning of work on the item, 0: none */
    uint64_t seq;
    char *loc; /* owned copy, for the watchdog */
    uint64_t computed;
};

struct pool {
    const struct archive_run *run;
    const struct archive_court *court;
    const struct archive_watch *watch;
    struct archive_groups groups;
    struct archive_times *times;
    struct archive_template *template; /* owned; NULL: items are judged by the workers themselves */
    struct archive_journal *journal;
    struct archive_payloads *payloads;
    pthread_mutex_t taking; /* the feed; taken before `lock` */
    struct archive_feed *feed;
    bool feed_over;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t space, news;
    struct judged window[WINDOW];
    uint64_t taken, written; /* numbers: next to be taken, next to be written */
    struct archive_counts counts;
    struct archive_tally *tally; /* NULL: the records are counted later */
    bool failed;
    cs_error error;
    struct slot *slot; /* owned: JOBS_MAX + LOST_MAX */
    size_t n_slot, working, lost;
};

/* ---- handing over ---------------------------------------------------------------------------------------------------
 */

/* The line was made before it was known whether its payload came before: "dup_of":null becomes a number. */
static int mark_duplicate(struct judged *j, uint64_t first)
{
    static const char none[] = "\"dup_of\":null";
    char *at = NULL;
    for (char *p = j->text; (p = memmem(p, j->n - (size_t)(p - j->text), none, sizeof none - 1)) != NULL; p++) {
        at = p; /* the last one is the member */
    }
    char *text = NULL;
    if (at == NULL) {
        return -1;
    }
    int n = asprintf(&text, "%.*s\"dup_of\":%llu%s", (int)(at - j->text), j->text, (unsigned long long)first,
                     at + sizeof none - 1);
    if (n < 0) {
        return -1;
    }
    free(j->text);
    j->text = text;
    j->n = (size_t)n;
    return 0;
}

static void fail(struct pool *p, const cs_error *e)
{
    if (!p->failed) {
        p->failed = true;
        p->error = *e;
    }
    (void)pthread_cond_broadcast(&p->space);
    (void)pthread_cond_signal(&p->news);
}

static void fail_memory(struct pool *p)
{
    cs_error e = {0};
    (void)cs_error_set(&e, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    fail(p, &e);
}

static void write_one(struct pool *p, struct judged *j)
{
    cs_error e = {0};
    uint64_t first = j->has_payload ? archive_payloads_seen(p->payloads, j->payload_sha256, p->written) : 0;
    j->mark.duplicate = first != 0;
    if ((first != 0 && mark_duplicate(j, first) != 0) ||
        (p->tally != NULL && archive_tally_add(p->tally, &j->mark, j->text, j->n - 1) != 0)) {
        fail_memory(p);
    } else if (archive_journal_lines(p->journal, j->text, j->n, 1, &e) != 0) {
        fail(p, &e);
    } else {
        p->counts.items++;
        p->counts.verdict[j->mark.verdict]++;
        p->counts.source[j->mark.source]++;
        p->counts.octets += j->mark.size;
        p->counts.duplicates += first != 0 ? 1 : 0;
    }
    free(j->text);
    *j = (struct judged){.there = false};
    p->written++;
}

/* With p->lock. */
static void hand_over(struct pool *p, uint64_t seq, const struct judged *j)
{
    p->window[seq % WINDOW] = *j;
    while (!p->failed && p->window[p->written % WINDOW].there) {
        write_one(p, &p->window[p->written % WINDOW]);
    }
    (void)pthread_cond_broadcast(&p->space);
    if (archive_journal_pending(p->journal) >= SYNC_RECORDS) {
        (void)pthread_cond_signal(&p->news);
    }
}

static int describe(const struct pool *p, struct archive_record *r, struct judged *out)
{
    cs_buf text = CS_BUF_INIT;
    (void)cs_copy(r->run, sizeof r->run, p->run->id);
    (void)cs_buf_reserve(&text, LINE_USUAL);
    archive_record_write(r, &text);
    *out = (struct judged){.there = true, .has_payload = r->has_payload};
    archive_mark_of(r, &out->mark);
    memcpy(out->payload_sha256, r->payload_sha256, sizeof out->payload_sha256);
    out->text = cs_buf_take(&text, &out->n);
    return out->text != NULL ? 0 : -1;
}

/* ---- a worker -------------------------------------------------------------------------------------------------------
 */

/* @return 1: item is this worker's; 0: there are no more, or the run ends */
static int take(struct slot *s, struct archive_item *item)
{
    struct pool *p = s->pool;
    int rc = 0;
    (void)pthread_mutex_lock(&p->taking);
    (void)pthread_mutex_lock(&p->lock);
    while (!p->failed && *p->watch->stop == 0 && p->taken - p->written >= WINDOW) {
        (void)pthread_cond_wait(&p->space, &p->lock);
    }
    bool go = !p->failed && *p->watch->stop == 0 && !p->feed_over;
    (void)pthread_mutex_unlock(&p->lock);
    if (go) {
        rc = archive_feed_next(p->feed, item);
        (void)pthread_mutex_lock(&p->lock);
        p->feed_over = rc == 0;
        if (rc == 1) {
            p->taken = item->seq + 1;
            s->seq = item->seq;
            s->since = cs_clock_mono_us();
            free(s->loc);
            s->loc = strdup(item->loc);
        }
        (void)pthread_mutex_unlock(&p->lock);
    }
    (void)pthread_mutex_unlock(&p->taking);
    return rc;
}

/* @return false: the watchdog was faster; this worker is not waited for any more */
static bool deliver(struct slot *s, struct archive_record *r)
{
    struct pool *p = s->pool;
    struct judged j;
    (void)pthread_mutex_lock(&p->lock);
    bool lost = s->lost;
    s->since = 0; /* from here on the watchdog lets it be */
    (void)pthread_mutex_unlock(&p->lock);
    if (lost) {
        return false;
    }
    int rc = describe(p, r, &j);
    (void)pthread_mutex_lock(&p->lock);
    if (rc != 0) {
        fail_memory(p);
    } else {
        hand_over(p, r->seq, &j);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return true;
}

/* An error that is none of wssec's: what a record needs besides it. */
static void error_record(const struct pool *p, struct archive_record *r, enum wssec_reason reason)
{
    archive_record_error(r, reason);
    r->v.t = p->court->now;
    r->v.time_source = WSSEC_TIME_NOW;
    r->v.generation = ks_snapshot_generation(p->court->snapshot);
    (void)cs_copy(r->v.policy, sizeof r->v.policy, wssec_policy_name(p->groups.group[0].policy));
}

/* In a process of its own, or here. @return 0, or -1: the run fails */
static int judge(struct slot *s, struct archive_bench *b, struct archive_child *child, const struct archive_item *item,
                 struct archive_record *r)
{
    struct pool *p = s->pool;
    cs_error e = {0};
    if (p->template == NULL || item->trouble != WSSEC_OK) {
        archive_bench_judge(b, item, r);
        return 0;
    }
    if (archive_child_judge(p->template, child, item, p->run->order.item_ms, r, &e) != 0) {
        (void)pthread_mutex_lock(&p->lock);
        fail(p, &e);
        (void)pthread_mutex_unlock(&p->lock);
        return -1;
    }
    if (r->v.reason == WSSEC_WORKER_CRASH || r->v.reason == WSSEC_ITEM_TIMEOUT) {
        error_record(p, r, r->v.reason);
    }
    return 0;
}

static void work(struct slot *s, struct archive_bench *b, struct archive_child *child)
{
    struct archive_item item = ARCHIVE_ITEM_INIT;
    struct archive_record r;
    bool on = true;
    while (on && take(s, &item) == 1) {
        int64_t from = cs_clock_mono_us();
        on = judge(s, b, child, &item, &r) == 0;
        r.us = cs_clock_mono_us() - from;
        on = on && deliver(s, &r);
        archive_record_clear(&r);
        archive_item_clear(&item);
    }
}

static void *run_worker(void *ctx)
{
    struct slot *s = ctx;
    struct pool *p = s->pool;
    struct archive_bench b;
    struct archive_child child = ARCHIVE_CHILD_INIT;
    int rc = archive_bench_make(&b, p->court, &p->run->order, &p->groups, p->times);
    if (rc == 0) {
        work(s, &b, &child);
    }
    (void)pthread_mutex_lock(&p->lock);
    if (rc != 0) {
        fail_memory(p);
    }
    s->computed = b.computed;
    s->over = true;
    p->working -= s->lost ? 0 : 1;
    (void)pthread_cond_signal(&p->news);
    (void)pthread_mutex_unlock(&p->lock);
    archive_child_end(&child);
    archive_bench_free(&b);
    return NULL;
}

/* With p->lock. */
static int start_worker(struct pool *p)
{
    struct slot *s = &p->slot[p->n_slot];
    *s = (struct slot){.pool = p};
    if (pthread_create(&s->thread, NULL, run_worker, s) != 0) {
        return -1;
    }
    s->started = true;
    p->n_slot++;
    p->working++;
    return 0;
}

/* ---- the watch
 * ------------------------------------------------------------------------------------------------------- */

/* An item that takes too long becomes an error; its worker is left behind, and another one takes its place. */
static void give_up(struct pool *p, struct slot *s)
{
    struct archive_record r = {.seq = s->seq, .us = p->run->order.item_ms * 1000};
    struct judged j;
    r.loc = s->loc != NULL ? strdup(s->loc) : NULL;
    error_record(p, &r, WSSEC_ITEM_TIMEOUT);
    s->lost = true;
    s->since = 0;
    p->lost++;
    p->working--;
    if (r.loc == NULL || describe(p, &r, &j) != 0 || p->lost >= LOST_MAX || start_worker(p) != 0) {
        cs_error e = {0};
        (void)cs_error_set(&e, CS_EXIT_STOPPED, "items-hang",
                           "%zu items took longer than %lld ms each; the run goes on with --resume and --isolate",
                           p->lost, (long long)p->run->order.item_ms);
        fail(p, &e);
    } else {
        hand_over(p, r.seq, &j);
    }
    archive_record_clear(&r);
}

static void watch_items(struct pool *p, int64_t now)
{
    /* processes are watched by their workers */
    int64_t most = p->run->order.item_ms * 1000 + (p->template != NULL ? CHILD_US : 0);
    for (size_t i = 0; i < p->n_slot && !p->failed; i++) {
        struct slot *s = &p->slot[i];
        if (!s->lost && s->since != 0 && now - s->since > most) {
            give_up(p, s);
        }
    }
}

static void tell(struct pool *p, uint64_t before, int64_t from, bool over)
{
    if (p->watch->tick == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&p->lock);
    struct archive_progress now = {.counts = p->counts, .before = before, .over = over};
    (void)pthread_mutex_unlock(&p->lock);
    now.octets = archive_feed_octets(p->feed);
    now.us = cs_clock_mono_us() - from;
    p->watch->tick(p->watch->ctx, &now);
}

/* Every second, or when much came together, what is written is made to last. */
static void sync_journal(struct pool *p, bool last)
{
    cs_error e = {0};
    (void)pthread_mutex_lock(&p->lock);
    int rc = p->failed ? 0 : archive_journal_flush(p->journal, false, &e);
    (void)pthread_mutex_unlock(&p->lock);
    if (rc == 0 && (!p->failed || last)) {
        rc = archive_journal_sync(p->journal, &e);
    }
    if (rc != 0) {
        (void)pthread_mutex_lock(&p->lock);
        fail(p, &e);
        (void)pthread_mutex_unlock(&p->lock);
    }
}

/* Until no worker is left. */
static void watch_run(struct pool *p, uint64_t before, int64_t from)
{
    int64_t synced = from;
    int64_t told = from;
    for (bool on = true; on;) {
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += WAIT_US * 1000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_mutex_lock(&p->lock);
        if (p->working > 0 && archive_journal_pending(p->journal) < SYNC_RECORDS) {
            (void)pthread_cond_timedwait(&p->news, &p->lock, &until);
        }
        int64_t now = cs_clock_mono_us();
        watch_items(p, now);
        bool much = archive_journal_pending(p->journal) >= SYNC_RECORDS;
        on = p->working > 0;
        if (*p->watch->stop != 0) {
            (void)pthread_cond_broadcast(&p->space);
        }
        (void)pthread_mutex_unlock(&p->lock);
        if (on && (much || now - synced >= SYNC_US)) {
            sync_journal(p, false);
            synced = now;
        }
        if (on && p->watch->every_us > 0 && now - told >= p->watch->every_us) {
            tell(p, before, from, false);
            told = now;
        }
    }
}

/* ---- a run
 * ----------------------------------------------------------------------------------------------------------- */

static unsigned jobs_of(const struct archive_means *m)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned jobs = m->jobs != 0 ? m->jobs : cores > 0 ? (unsigned)cores : 1;
    return jobs < JOBS_MAX ? jobs : JOBS_MAX;
}

static int read_back(struct pool *p, struct archive_done **done, uint64_t *last, cs_error *e)
{
    struct archive_reader *r = NULL;
    int rc = archive_reader_fd(&r, archive_journal_fd(p->journal), e);
    if (rc == 0) {
        rc = archive_done_read(done, r, p->payloads, &p->counts, last, e);
    }
    archive_reader_close(r);
    return rc;
}

static struct pool *pool_new(const struct archive_work *work)
{
    pthread_condattr_t monotonic;
    struct pool *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    p->run = work->run;
    p->court = work->court;
    p->journal = work->journal;
    p->watch = work->watch;
    (void)pthread_mutex_init(&p->taking, NULL);
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&p->space, NULL);
    (void)pthread_cond_init(&p->news, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    p->payloads = archive_payloads_new(PAYLOADS);
    p->slot = calloc(JOBS_MAX + LOST_MAX, sizeof *p->slot);
    return p;
}

/* Workers that were left behind may come back yet: then what they look at stays. */
static void pool_free(struct pool *p)
{
    bool left = false;
    for (size_t i = 0; p->slot != NULL && i < p->n_slot; i++) {
        struct slot *s = &p->slot[i];
        (void)pthread_mutex_lock(&p->lock);
        bool gone = s->over;
        (void)pthread_mutex_unlock(&p->lock);
        if (s->lost && !gone) {
            (void)pthread_detach(s->thread);
            left = true;
            continue;
        }
        (void)pthread_join(s->thread, NULL);
        free(s->loc);
    }
    for (size_t i = 0; i < WINDOW; i++) {
        free(p->window[i].text);
        p->window[i].text = NULL;
    }
    archive_template_end(p->template);
    archive_feed_free(p->feed);
    archive_payloads_free(p->payloads);
    if (left) {
        return;
    }
    archive_times_free(p->times);
    archive_groups_free(&p->groups);
    (void)pthread_mutex_destroy(&p->taking);
    (void)pthread_mutex_destroy(&p->lock);
    (void)pthread_cond_destroy(&p->space);
    (void)pthread_cond_destroy(&p->news);
    free(p->slot);
    free(p);
}

/* What a payload may take of --mem, beside what is done already, the hashes and the judges' own. */
static size_t in_memory(const struct archive_means *m, unsigned jobs, const struct archive_done *done)
{
    uint64_t all = m->memory != 0 ? m->memory : (uint64_t)256 << 20;
    uint64_t taken = archive_done_octets(done);
    uint64_t share = (all > taken ? all - taken : 0) / 4 / jobs;
    return share < ((uint64_t)1 << 20) ? (size_t)1 << 20 : (size_t)share;
}

static int run_pool(struct pool *p, const struct archive_means *means, bool resume, cs_error *e)
{
    struct archive_done *done = NULL;
    uint64_t last = 0;
    unsigned jobs = jobs_of(means);
    int64_t from = cs_clock_mono_us();
    int rc = -1;
    if (p->payloads == NULL || p->slot == NULL || archive_groups_make(&p->groups, p->court) != 0) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    }
    if (archive_times_make(&p->times, &p->run->order, e) != 0 ||
        (means->isolate &&
         archive_template_start(&p->template, p->court, &p->run->order, &p->groups, p->times, e) != 0) ||
        (resume && read_back(p, &done, &last, e) != 0) ||
        archive_feed_new(&p->feed, &p->run->order, done, last + 1, in_memory(means, jobs, done), e) != 0) {
        goto out;
    }
    uint64_t before = p->counts.items;
    p->taken = p->written = last + 1;
    (void)pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < jobs && (i == 0 || !p->failed); i++) {
        if (start_worker(p) != 0 && p->working == 0) {
            fail_memory(p);
        }
    }
    (void)pthread_mutex_unlock(&p->lock);
    watch_run(p, before, from);
    sync_journal(p, true);
    tell(p, before, from, true);
    if (p->failed) {
        cs_error_clear(e);
        *e = p->error;
    } else {
        rc = p->feed_over ? ARCHIVE_COMPLETE : ARCHIVE_STOPPED;
    }
out:
    archive_done_free(done);
    return rc;
}

int archive_verify(const struct archive_work *work, struct archive_counts *out, struct archive_tally *tally,
                   cs_error *e)
{
    struct pool *p = pool_new(work);
    memset(out, 0, sizeof *out);
    if (p == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    }
    p->tally = work->resume ? NULL : tally;
    int rc = run_pool(p, work->means, work->resume, e);
    *out = p->counts;
    for (size_t i = 0; p->slot != NULL && i < p->n_slot; i++) {
        out->judged_by_signature += p->slot[i].over ? p->slot[i].computed : 0;
    }
    out->left_behind = p->lost;
    pool_free(p);
    return rc;
}

int archive_exit_code(const struct archive_counts *c, bool gap)
{
    return c->verdict[WSSEC_FAIL] != 0            ? CS_EXIT_FAIL
           : c->verdict[WSSEC_ERROR] != 0         ? CS_EXIT_UNREADABLE
           : gap                                  ? CS_EXIT_GAP
           : c->verdict[WSSEC_INDETERMINATE] != 0 ? CS_EXIT_INDETERMINATE
           : c->items == 0                        ? CS_EXIT_NOTHING
                                                  : CS_EXIT_OK;
}
