/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_keystore_crash.c: writers that are killed at any moment, and several writers at once. What is left is looked at
 * with plain SQL, not with the code that wrote it.
 */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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
static void invariants(struct fixture *f)
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
    char text[256];
    uint64_t rows = 0;
    ks_store *s = NULL;
    MADE(EXIT_OF(f, ks_open(&s, f->uri, NULL, &f->e)) == 0);
    CU_ASSERT_EQUAL(ks_audit_verify(s, &rows, text, sizeof text, &f->e), 0);
    ks_close(s);
}

/** A living entry of the slot, picked by dice; 0: there is none. */
static unsigned living(struct fixture *f, const char *alias, unsigned dice)
{
    ks_list l;
    if (EXIT_OF(f, ks_list_entries(f->s, &(ks_filter){.alias = alias}, NOW, &l, &f->e)) != 0) {
        return 0;
    }
    unsigned n = l.n > 0 ? l.info[dice % l.n].n : 0;
    ks_list_free(&l);
    return n;
}

/** Change the store without end, in an order that seed decides; refusals are part of life. */
static void busy_writer(const struct fixture *shared, unsigned seed, int rounds)
{
    struct fixture f = *shared;
    if (ks_open(&f.s, f.uri, NULL, &f.e) != 0) {
        _exit(70);
    }
    for (int i = 0; rounds == 0 || i < rounds; i++) {
        seed = seed * 1103515245U + 12345U;
        unsigned dice = seed >> 16;
        cs_time now = NOW + i;
        int rc = 0;
        if (dice % 3 == 0) {
            const struct made *m = &made[dice / 3 % CERTIFICATES];
            bool sign = dice / 32 % 2 == 0;
            ks_add a =
                adding(sign ? KS_SIGN : KS_VERIFIER, sign ? NULL : "acme", sign ? "own-sign" : "acme-sign", m, true);
            rc = add_at(&f, &a, now);
        } else {
            enum ks_verb verb = (enum ks_verb)(dice / 3 % KS_VERBS);
            const char *alias = dice / 64 % 2 == 0 ? "own-sign" : "acme-sign";
            cs_time at = verb == KS_DO_REMOVE && dice % 2 == 0 ? now + 100 * CS_DAY : now;
            rc = act_at(&f, verb, alias, living(&f, alias, dice / 128), at);
        }
        if (rc != 0 && rc != CS_EXIT_GUARD && rc != CS_EXIT_CONFLICT && rc != CS_EXIT_USAGE) {
            fprintf(stderr, "writer: %d %s %s\n", rc, f.e.reason, f.e.text);
            _exit(rc);
        }
    }
    ks_close(f.s);
    _exit(0);
}

static void test_killed_writer_leaves_whole_changes_only(void)
{
    struct fixture f;
    fixture_open(&f);
    fixture_close(&f);
    const char *wanted = getenv("KS_KILLS");
    long kills = wanted != NULL ? strtol(wanted, NULL, 10) : 25;
    for (long i = 0; i < kills; i++) {
        pid_t child = fork();
        MADE(child >= 0);
        if (child == 0) {
            busy_writer(&f, (unsigned)i * 7919U + 1, 0);
        }
        nanosleep(&(struct timespec){0, 5000000L + (i * 7717 % 60) * 1000000L}, NULL);
        int status = 0;
        kill(child, SIGKILL);
        MADE(waitpid(child, &status, 0) == child);
        CU_ASSERT(WIFSIGNALED(status));
        invariants(&f);
    }
    int64_t changes = count(&f, "select max(gen) from generation");
    printf("  # %ld kills, %lld changes\n", kills, (long long)changes);
    CU_ASSERT(changes > kills);
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
            busy_writer(&f, i * 104729U + 3, ROUNDS);
        }
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        int status = 0;
        MADE(waitpid(child[i], &status, 0) == child[i]);
        CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    invariants(&f);
    CU_ASSERT_EQUAL(count(&f, "select max(gen) - count(*) from generation"), 0); /* no number is left out */
}

const struct harness_test harness_tests[] = {
    {"killed_writer_leaves_whole_changes_only", test_killed_writer_leaves_whole_changes_only},
    {"writers_at_once_lose_nothing_and_break_nothing", test_writers_at_once_lose_nothing_and_break_nothing},
    {NULL, NULL},
};
