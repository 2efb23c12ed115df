/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_follow.c: what it costs to follow a keystore of many entries: the next snapshot after one change, the list of
 * all, what was acceptable to one partner at an instant, one use counted, and the time until a change is in force in a
 * following process.
 *
 * bench_follow DIRECTORY ENTRIES      prints "rebuild_cpu_ms list_cpu_ms acceptable_us use_cpu_ns visible_p50_ms
 * visible_p99_ms"; acceptable is the time of the wall clock, at its 99th percentile
 */
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "keystore/snapshot.h"
#include "keystore/use.h"
#include "tests/bench/clock.h"
#include "tests/unit/certificates.h"

#define CHANGES   100
#define USES      2000000
#define QUESTIONS 1000

static const ks_actor actor = {"bench", "uid", "a measurement"};

/* One certificate through the front door; its row multiplied behind it, with a slot and partner of its own each,
 * because so many commits would measure the disk. */
static ks_store *keystore(const char *uri, const char *path, long entries, cs_time now)
{
    cs_error e = {0};
    bool created = false;
    ks_store *s = NULL;
    ks_outcome out;
    char sql[2000];
    sqlite3 *db = NULL;
    struct made m = make_certificate(&(struct recipe){.cn = "acme"});
    ks_add a = {.role = KS_VERIFIER, .partner = "p0", .alias = "a0", .certificate_pem = m.pem, .activate = true};
    a.certificate_len = strlen(m.pem);
    MADE(ks_init(uri, NULL, now, &created, &e) == 0 && ks_open(&s, uri, NULL, &e) == 0);
    MADE(ks_add_entry(s, &a, false, &actor, now, &out, &e) == 0);
    snprintf(sql, sizeof sql,
             "begin; drop trigger if exists entry_kept;"
             "with recursive c(i) as (select 1 union all select i+1 from c where i<%ld) insert into slot(alias, role, "
             "partner,"
             " max_keyed, max_active, version) select 'a'||i, role, 'p'||(i/2), max_keyed, max_active, version from c, "
             "slot where slot_id=1;"
             "insert into entry(slot_id, n, state, resume_state, one_key, sha256, sha1, ski, spki_sha256, subject_dn, "
             "issuer_dn, serial,"
             " key_alg, key_bits, not_before, not_after, der, created_at, activated_at, changed_at, version)"
             " select s.slot_id, 1, state, resume_state, one_key, randomblob(32), sha1, ski, randomblob(32), "
             "subject_dn, issuer_dn,"
             " serial||s.slot_id, key_alg, key_bits, not_before, not_after, der, created_at, activated_at, changed_at, "
             "e.version"
             " from slot s, entry e where e.entry_id=1 and s.slot_id>1;"
             "insert into interval(entry_id, capability, from_ts, cause_seq) select e.entry_id, capability, from_ts, "
             "cause_seq from entry e,"
             " interval i where i.entry_id=1 and e.entry_id>1; commit;",
             entries - 1);
    MADE(sqlite3_open(path, &db) == SQLITE_OK);
    MADE(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
    made_free(&m);
    return s;
}

static double rebuild_ms(ks_store *s, cs_time now)
{
    cs_error e = {0};
    ks_outcome out;
    const ks_snapshot *old = NULL;
    double spent = 0;
    int rounds = 20;
    MADE(ks_snapshot_read(s, now, &old, &e) == 0);
    for (int i = 0; i < rounds; i++) {
        const ks_snapshot *next = NULL;
        MADE(ks_change(s, &(ks_request){.verb = i % 2 == 0 ? KS_DO_SUSPEND : KS_DO_RESUME, .alias = "a7", .n = 1},
                       &actor, now + i, &out, &e) == 0);
        double from = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
        MADE(ks_snapshot_build(s, old, &next, &e) == 0);
        spent += bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - from;
        ks_snapshot_release(old);
        old = next;
    }
    ks_snapshot_release(old);
    return spent * 1e3 / rounds;
}

static double list_ms(ks_store *s, cs_time now)
{
    double spent = 0;
    for (int i = 0; i < 5; i++) {
        ks_list list;
        cs_error e = {0};
        double from = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
        MADE(ks_list_entries(s, &(ks_filter){.alias = NULL}, now, &list, &e) == 0);
        spent += bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - from;
        ks_list_free(&list);
    }
    return spent * 1e3 / 5;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Two slots of one partner among all; each time another partner and another instant. */
static double acceptable_us(ks_store *s, long entries, cs_time now)
{
    double took[QUESTIONS];
    for (int i = 0; i < QUESTIONS; i++) {
        char partner[32];
        ks_list list;
        cs_error e = {0};
        snprintf(partner, sizeof partner, "p%ld", (long)i * 7919 % (entries / 2));
        int64_t from = cs_clock_mono_us();
        MADE(ks_acceptable(s, partner, KS_CAN_VERIFY, now + i, 0, &list, &e) == 0 && list.n > 0);
        took[i] = (double)(cs_clock_mono_us() - from);
        ks_list_free(&list);
    }
    qsort(took, QUESTIONS, sizeof took[0], by_size);
    return took[QUESTIONS - 1 - QUESTIONS / 100];
}

static double use_ns(ks_store *s, cs_time now)
{
    cs_error e = {0};
    const ks_snapshot *snapshot = NULL;
    struct ks_counts *counts = ks_counts_new();
    MADE(counts != NULL && ks_snapshot_read(s, now, &snapshot, &e) == 0);
    double from = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < USES; i++) {
        ks_use_count(counts, snapshot, i % 2 == 0 ? "a7" : "a4711", 1, "10.2.0.7", true, now + i / 100000);
    }
    double spent = bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - from;
    ks_snapshot_release(snapshot);
    ks_counts_free(counts);
    return spent * 1e9 / USES;
}

struct follower {
    ks_live *live;
    atomic_bool stop;
    atomic_ullong generation;
};

static void *follow(void *ctx)
{
    struct follower *f = ctx;
    while (!atomic_load(&f->stop)) {
        cs_error e = {0};
        if (ks_live_step(f->live, 500, cs_clock_now(), &e) == 1) {
            const ks_snapshot *s = ks_live_get(f->live);
            atomic_store(&f->generation, ks_snapshot_generation(s));
            ks_snapshot_release(s);
        }
    }
    return NULL;
}

/* From the end of the command's commit until another thread of another connection serves the change. */
static void visible(ks_store *s, const char *uri, cs_time now, double *p50, double *p99)
{
    struct follower f = {.live = NULL};
    pthread_t thread;
    cs_error e = {0};
    ks_outcome out;
    double took[CHANGES];
    MADE(ks_live_open(&f.live, uri, NULL, cs_clock_now(), &e) == 0 && pthread_create(&thread, NULL, follow, &f) == 0);
    for (int i = 0; i < CHANGES; i++) {
        MADE(ks_change(s, &(ks_request){.verb = i % 2 == 0 ? KS_DO_SUSPEND : KS_DO_RESUME, .alias = "a7", .n = 1},
                       &actor, now + 100 + i, &out, &e) == 0);
        int64_t from = cs_clock_mono_us();
        while (atomic_load(&f.generation) < out.generation && cs_clock_mono_us() - from < 5000000) {
            nanosleep(&(struct timespec){0, 500000}, NULL);
        }
        took[i] = (double)(cs_clock_mono_us() - from) / 1e3;
        nanosleep(&(struct timespec){0, (long)(i * 7919 % 50) * 1000000}, NULL); /* not in step with the poll */
    }
    atomic_store(&f.stop, true);
    ks_live_wake(f.live);
    pthread_join(thread, NULL);
    ks_live_close(f.live);
    qsort(took, CHANGES, sizeof took[0], by_size);
    *p50 = took[CHANGES / 2];
    *p99 = took[CHANGES - 1 - CHANGES / 100];
}

int main(int argc, char **argv)
{
    char path[4300];
    char uri[4400];
    double p50 = 0;
    double p99 = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: bench_follow DIRECTORY ENTRIES\n");
        return 64;
    }
    const cs_time now = time(NULL);
    snprintf(path, sizeof path, "%s/follow.db", argv[1]);
    snprintf(uri, sizeof uri, "sqlite:%s", path);
    const long entries = strtol(argv[2], NULL, 10);
    ks_store *s = keystore(uri, path, entries, now);
    double rebuild = rebuild_ms(s, now);
    double list = list_ms(s, now);
    double acceptable = acceptable_us(s, entries, now);
    double use = use_ns(s, now);
    visible(s, uri, now, &p50, &p99);
    printf("%.2f %.2f %.1f %.1f %.1f %.1f\n", rebuild, list, acceptable, use, p50, p99);
    ks_close(s);
    return 0;
}
