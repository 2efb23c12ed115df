/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_keystore_crash.c: writers that are killed at any moment, and several writers at once. What is left is looked at
 * with plain SQL, not with the code that wrote it.
 */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "keystore/audit.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "keystore_crash";

enum { CERTIFICATES = 6 };
static struct made made[CERTIFICATES];

int harness_setup(void)
{
    for (size_t i = 0; i < CERTIFICATES; i++) {
        made[i] = make_certificate(&(struct recipe){0});
    }
    return 0;
}

int harness_teardown(void)
{
    for (size_t i = 0; i < CERTIFICATES; i++) {
        made_free(&made[i]);
    }
    return 0;
}

/* On a machine with other work 500 kills take minutes: so long, then it is enough; all with KS_KILLS=500 KS_RACES=1000.
 */
#define KILLING_US 25000000
#define RACING_US  10000000

static int64_t count(const struct fixture *f, const char *query)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    MADE(sqlite3_open(f->path, &db) == SQLITE_OK && sqlite3_prepare_v2(db, query, -1, &q, NULL) == SQLITE_OK);
    MADE(sqlite3_step(q) == SQLITE_ROW);
    int64_t n = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return n;
}

/** What must hold of every store that anybody ever opens. */
static void invariants(struct fixture *f, bool with_audit)
{
    static const struct {
        const char *what, *query;
    } none[] = {
        {"two active in a one-active slot",
         "select count(*) from (select 1 from entry join slot using(slot_id) where state='active' and max_active=1 "
         "group by slot_id having count(*) > 1)"},
        {"a change without its generation",
         "select count(*) from audit where seq > (select max(audit_seq) from generation)"},
        {"a version of the future", "select count(*) from entry where version > (select max(gen) from generation)"},
        {"an active entry without its interval",
         "select count(*) from entry e where state='active' and not exists(select 1 from interval i where "
         "i.entry_id=e.entry_id and i.to_ts is null and i.end_seq is null)"},
        {"a suspended or new entry with an open interval",
         "select count(*) from entry e join interval i using(entry_id) where state in ('suspended','pre-active') and "
         "i.to_ts is null and i.end_seq is null"},
        {"a deactivated entry whose interval does not end at its process stop",
         "select count(*) from entry e where state='deactivated' and not exists(select 1 from interval i where "
         "i.entry_id=e.entry_id and i.to_ts=e.process_stop and i.end_seq is null)"},
        {"a living entry without its key",
         "select count(*) from entry e join slot using(slot_id) where role='sign' and state<>'destroyed' and "
         "not exists(select 1 from private_key k where k.key_id=e.key_id and ct is not null)"},
        {"a key without an entry",
         "select count(*) from private_key k where destroyed_at is null and not exists(select 1 from entry e where "
         "e.key_id=k.key_id)"},
    };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        int64_t n = count(f, none[i].query);
        if (n != 0) {
            printf("  # %s: %lld\n", none[i].what, (long long)n);
        }
        CU_ASSERT_EQUAL(n, 0);
    }
    char text[256] = "";
    uint64_t rows = 0;
    ks_store *s = NULL;
    MADE(EXIT_OF(f, ks_open(&s, f->uri, NULL, &f->e)) == 0);
    int rc = with_audit ? ks_audit_verify(s, &rows, text, sizeof text, &f->e) : 0;
    if (rc != 0) {
        printf("  # audit: %s\n", text);
    }
    CU_ASSERT_EQUAL(rc, 0);
    ks_close(s);
}

/** A living entry of the slot, picked by dice; 0: there is none. */
static unsigned living(struct fixture *f, const char *alias, unsigned dice)
{
    ks_list l;
    if (EXIT_OF(f, ks_list_entries(f->s, &(ks_filter){.alias = alias, .with_destroyed = true}, NOW, &l, &f->e)) != 0) {
        return 0;
    }
    size_t alive = 0;
    for (size_t i = 0; i < l.n; i++) { /* what is in the trash lives, too */
        if (l.info[i].state != KS_DESTROYED) {
            l.info[alive++] = l.info[i];
        }
    }
    unsigned n = alive > 0 ? l.info[dice % alive].n : 0;
    ks_list_free(&l);
    return n;
}

/** One change that the dice decide; refusals are part of life. @return exit code */
static int change_by(struct fixture *f, unsigned dice, cs_time now)
{
    bool sign = dice / 32 % 2 == 0;
    const char *alias = sign ? "own-sign" : "acme-sign";
    if (dice % 16 == 15) {
        ks_rekeyed rekeyed;
        return EXIT_OF(f, ks_rekey(f->s, false, &actor, now, &rekeyed, &f->e));
    }
    if (dice % 3 == 0) {
        const struct made *m = &made[dice / 3 % CERTIFICATES];
        ks_add a = adding(sign ? KS_SIGN : KS_VERIFIER, sign ? NULL : "acme", alias, m, true);
        return add_at(f, &a, now);
    }
    /* what opens the way for others comes more often than what closes it */
    static const enum ks_verb verbs[] = {KS_DO_ACTIVATE, KS_DO_DEACTIVATE, KS_DO_ACTIVATE, KS_DO_RESUME,
                                         KS_DO_SUSPEND,  KS_DO_RESUME,     KS_DO_REMOVE,   KS_DO_DISCARD,
                                         KS_DO_RESTORE,  KS_DO_CLEAR,      KS_DO_CLEAR,    KS_DO_COMPROMISE};
    enum ks_verb verb = verbs[dice / 3 % (sizeof verbs / sizeof verbs[0])];
    cs_time at = verb == KS_DO_REMOVE && dice % 2 == 0 ? now + 100 * CS_DAY : now;
    return act_at(f, verb, alias, living(f, alias, dice / 128), at);
}

/** Change the store, without end for rounds 0, in an order that seed decides. A byte into done after each change. */
static void busy_writer(const struct fixture *shared, unsigned seed, int rounds, int done)
{
    struct fixture f = *shared;
    if (ks_open(&f.s, f.uri, NULL, &f.e) != 0) {
        fprintf(stderr, "writer: %s %s\n", f.e.reason, f.e.text);
        _exit(70);
    }
    for (int i = 0; rounds == 0 || i < rounds; i++) {
        seed = seed * 1103515245U + 12345U;
        int rc = change_by(&f, seed >> 16, NOW + i);
        if (rc != 0 && rc != CS_EXIT_GUARD && rc != CS_EXIT_CONFLICT && rc != CS_EXIT_USAGE) {
            fprintf(stderr, "writer: %d %s %s\n", rc, f.e.reason, f.e.text);
            _exit(rc);
        }
        if (rc == 0 && done >= 0 && write(done, "", 1) != 1) {
            _exit(70);
        }
    }
    ks_close(f.s);
    _exit(0);
}

/** Let a writer work until it has made some changes, then end it wherever it is. */
static void kill_one(struct fixture *f, unsigned seed)
{
    int ends[2];
    char made_by_it;
    MADE(pipe(ends) == 0);
    pid_t child = fork();
    MADE(child >= 0);
    if (child == 0) {
        close(ends[0]);
        busy_writer(f, seed, 0, ends[1]);
    }
    close(ends[1]);
    for (unsigned i = 0; i <= seed / 7 % 2; i++) {
        MADE(read(ends[0], &made_by_it, 1) == 1);
    }
    nanosleep(&(struct timespec){0, (long)(seed % 97) * 100000L}, NULL);
    int status = 0;
    kill(child, SIGKILL);
    MADE(waitpid(child, &status, 0) == child);
    close(ends[0]);
    CU_ASSERT(WIFSIGNALED(status));
}

static void test_killed_writer_leaves_whole_changes_only(void)
{
    enum { KILLS_PER_STORE = 25, KILLS_LEAST = 50 };
    const char *wanted = getenv("KS_KILLS");
    long kills = wanted != NULL ? strtol(wanted, NULL, 10) : 500;
    long done = 0;
    int64_t end = wanted != NULL ? INT64_MAX : cs_clock_mono_us() + KILLING_US;
    int64_t changes = 0;
    struct fixture f;
    for (long i = 0; i < kills && (i < KILLS_LEAST || cs_clock_mono_us() < end); i++) {
        done++;
        if (i % KILLS_PER_STORE == 0) {
            fixture_open(&f);
            fixture_close(&f);
        }
        kill_one(&f, (unsigned)i * 7919U + 1);
        bool last = (i + 1) % KILLS_PER_STORE == 0;
        invariants(&f, i % 5 == 0 || last);
        changes += last ? count(&f, "select max(gen) from generation") : 0;
    }
    changes += done % KILLS_PER_STORE != 0 ? count(&f, "select max(gen) from generation") : 0;
    printf("  # %ld kills, %lld changes\n", done, (long long)changes);
    CU_ASSERT(changes > done);
}

/** Who writes at the same time into one slot of a kind that has one active entry. */
static void racing_writer(const struct fixture *shared, unsigned seed, int rounds, int64_t end)
{
    struct fixture f = *shared;
    if (ks_open(&f.s, f.uri, NULL, &f.e) != 0) {
        _exit(70);
    }
    for (int i = 0; i < rounds && cs_clock_mono_us() < end; i++) {
        seed = seed * 1103515245U + 12345U;
        int rc = act_at(&f, KS_DO_ACTIVATE, "own-sign", 1 + (seed >> 16) % CERTIFICATES, NOW + 10);
        if (rc != 0 && rc != CS_EXIT_GUARD && rc != CS_EXIT_CONFLICT) {
            fprintf(stderr, "writer: %d %s %s\n", rc, f.e.reason, f.e.text);
            _exit(rc);
        }
        if (rc == 0 && f.out.done && f.out.info.state != KS_ACTIVE) {
            _exit(71);
        }
    }
    ks_close(f.s);
    _exit(0);
}

/** As many as 8 at once; all in one slot. Losers are refused (10) or told of the conflict (12), nothing else. */
static void test_writers_of_one_slot_never_leave_two_active(void)
{
    enum { WRITERS = 8 };
    const char *wanted = getenv("KS_RACES");
    int rounds = wanted != NULL ? (int)strtol(wanted, NULL, 10) : 1000;
    int64_t end = wanted != NULL ? INT64_MAX : cs_clock_mono_us() + RACING_US;
    struct fixture f;
    fixture_open(&f);
    for (unsigned i = 0; i < CERTIFICATES; i++) {
        ks_add a = adding(KS_SIGN, NULL, "own-sign", &made[i], false);
        MADE(add_at(&f, &a, NOW) == 0);
    }
    fixture_close(&f);
    pid_t child[WRITERS];
    for (unsigned i = 0; i < WRITERS; i++) {
        child[i] = fork();
        MADE(child[i] >= 0);
        if (child[i] == 0) {
            racing_writer(&f, i * 104729U + 3, rounds, end);
        }
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        int status = 0;
        MADE(waitpid(child[i], &status, 0) == child[i]);
        CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    invariants(&f, true);
    CU_ASSERT_EQUAL(count(&f, "select count(*) from entry where state='active'"), 1);
    printf("  # %lld exchanges by %d writers\n", (long long)count(&f, "select max(gen) from generation"), WRITERS);
}

static void test_writers_at_once_lose_nothing_and_break_nothing(void)
{
    enum { WRITERS = 4, ROUNDS = 60 };
    struct fixture f;
    fixture_open(&f);
    fixture_close(&f);
    pid_t child[WRITERS];
    for (unsigned i = 0; i < WRITERS; i++) {
        child[i] = fork();
        MADE(child[i] >= 0);
        if (child[i] == 0) {
            busy_writer(&f, i * 104729U + 3, ROUNDS, -1);
        }
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        int status = 0;
        MADE(waitpid(child[i], &status, 0) == child[i]);
        CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    invariants(&f, true);
    CU_ASSERT_EQUAL(count(&f, "select max(gen) - count(*) from generation"), 0); /* no number is left out */
}

const struct harness_test harness_tests[] = {
    {"killed_writer_leaves_whole_changes_only", test_killed_writer_leaves_whole_changes_only},
    {"writers_of_one_slot_never_leave_two_active", test_writers_of_one_slot_never_leave_two_active},
    {"writers_at_once_lose_nothing_and_break_nothing", test_writers_at_once_lose_nothing_and_break_nothing},
    {NULL, NULL},
};
