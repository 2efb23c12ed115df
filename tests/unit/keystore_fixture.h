/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_fixture.h: a new keystore per test, and the calls of the keystore in the short form that tests need. */
#ifndef TESTS_KEYSTORE_FIXTURE_H
#define TESTS_KEYSTORE_FIXTURE_H

#include <sqlite3.h>

#include "keystore/keystore.h"
#include "keystore/live.h"
#include "tests/unit/certificates.h"
#include "tests/unit/harness.h"

#define NOW ((cs_time)1780272000) /* 2026-06-01T00:00:00Z */

struct fixture {
    char path[4400];
    char uri[4500];
    ks_store *s;
    ks_outcome out;
    cs_error e;
};

static const ks_actor actor = {"tester", "uid", "a test"};

/** Where the keystores of fixtures are made. A suite that is about no file runs on each driver: IN_MEMORY(NAME) makes
 * of test_NAME a second test, NAME_in_memory. */
static const char *fixture_scheme = "sqlite";
#define IN_MEMORY(name)                                                                                                \
    static void test_##name##_in_memory(void)                                                                          \
    {                                                                                                                  \
        fixture_scheme = "memory";                                                                                     \
        test_##name();                                                                                                 \
        fixture_scheme = "sqlite";                                                                                     \
    }

static inline void fixture_path(struct fixture *f)
{
    static int count;
    memset(f, 0, sizeof *f);
    snprintf(f->path, sizeof f->path, "%s/ks%d.db", harness_dir(), ++count);
    snprintf(f->uri, sizeof f->uri, "%s:%s", fixture_scheme, f->path);
}

static inline void fixture_open(struct fixture *f)
{
    bool created = false;
    fixture_path(f);
    MADE(ks_init(f->uri, NULL, NOW, &created, &f->e) == 0 && created);
    MADE(ks_open(&f->s, f->uri, NULL, &f->e) == 0);
}

static inline void fixture_close(struct fixture *f)
{
    ks_close(f->s);
    f->s = NULL;
}

/** The exit code of a call that fills f->e; 0: it succeeded. */
#define EXIT_OF(f, call) (cs_error_clear(&(f)->e), (call) == 0 ? 0 : (f)->e.exit_code)

static inline ks_add adding(enum ks_role role, const char *partner, const char *alias, const struct made *m,
                            bool activate)
{
    ks_add a = {.role = role,
                .partner = partner,
                .alias = alias,
                .certificate_pem = m->pem,
                .certificate_len = strlen(m->pem),
                .activate = activate};
    if (role == KS_SIGN || role == KS_DECRYPT || role == KS_TLS_CLIENT || role == KS_TLS_SERVER) {
        a.key_pem = m->key_pem;
        a.key_len = strlen(m->key_pem);
    }
    return a;
}

static inline int add_at(struct fixture *f, const ks_add *a, cs_time now)
{
    return EXIT_OF(f, ks_add_entry(f->s, a, false, &actor, now, &f->out, &f->e));
}

static inline int act_at(struct fixture *f, enum ks_verb verb, const char *alias, unsigned n, cs_time now)
{
    return EXIT_OF(f,
                   ks_change(f->s, &(ks_request){.verb = verb, .alias = alias, .n = n}, &actor, now, &f->out, &f->e));
}

/** A new verifier of partner acme, active. */
static inline struct made add_verifier(struct fixture *f, const char *alias, cs_time now)
{
    struct made m = make_certificate(&(struct recipe){0});
    ks_add a = adding(KS_VERIFIER, "acme", alias, &m, true);
    MADE(add_at(f, &a, now) == 0);
    return m;
}

/** A use of alias#n by the sender 10.2.0.7, as the newest snapshot holds it. */
static inline void use_at(ks_live *l, const char *alias, unsigned n, bool ok, cs_time now)
{
    const ks_snapshot *s = ks_live_get(l);
    ks_use(l, s, alias, n, "10.2.0.7", ok, now);
    ks_snapshot_release(s);
}

static inline int export_pem(ks_store *s, const char *alias, unsigned n, bool with_chain, char **pem, cs_error *e)
{
    const ks_export_request q = {alias, n, with_chain ? KS_EXPORT_CHAIN : KS_EXPORT_CERTIFICATE, KS_EXPORT_PEM};
    size_t length = 0;
    return ks_export(s, &q, pem, &length, e);
}

static inline size_t acceptable_at(struct fixture *f, cs_time at, uint64_t known_at)
{
    ks_list l;
    MADE(ks_acceptable(f->s, "acme", KS_CAN_VERIFY, at, known_at, &l, &f->e) == 0);
    size_t n = l.n;
    ks_list_free(&l);
    return n;
}

/** Run SQL on the file behind the keystore's back. @return SQLite's code */
static inline int sql(const struct fixture *f, const char *text)
{
    sqlite3 *db = NULL;
    MADE(sqlite3_open(f->path, &db) == SQLITE_OK);
    int rc = sqlite3_exec(db, text, NULL, NULL, NULL);
    sqlite3_close(db);
    return rc;
}

/** The number that a query gives, asked behind the keystore's back. */
static inline int sql_number(const struct fixture *f, const char *text)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    MADE(sqlite3_open(f->path, &db) == SQLITE_OK);
    MADE(sqlite3_prepare_v2(db, text, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW);
    int n = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}

#endif
