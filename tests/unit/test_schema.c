/* SPDX-License-Identifier: Apache-2.0 */
/* test_schema.c: the tables by version: an upgraded store is as one made new; one of the version before is served, but
 * not changed; any other version is refused. */
#include "keystore/audit.h"
#include "keystore/live.h"
#include "keystore/schema.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "schema";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

/** A store with one verifier in it, as the version before had it. */
static void fixture_old(struct fixture *f)
{
    fixture_open(f);
    struct made m = add_verifier(f, "acme-sign", NOW);
    fixture_close(f);
    made_free(&m);
    size_t n = 0;
    const struct ks_schema_row *row = ks_schema_rows(&n);
    char text[256];
    MADE(sql(f, "pragma foreign_keys=off") == SQLITE_OK);
    for (size_t i = n; i-- > 0;) {
        if (row[i].version == KS_SCHEMA_VERSION && row[i].table != NULL) {
            snprintf(text, sizeof text, "drop table %s", row[i].table);
            MADE(sql(f, text) == SQLITE_OK);
        }
    }
    snprintf(text, sizeof text, "pragma user_version=%d; pragma wal_checkpoint(truncate);", KS_SCHEMA_VERSION - 1);
    MADE(sql(f, text) == SQLITE_OK);
    MADE(ks_open(&f->s, f->uri, NULL, &f->e) == 0);
}

static size_t listed(struct fixture *f)
{
    ks_list l;
    MADE(ks_list_entries(f->s, &(ks_filter){0}, NOW, &l, &f->e) == 0);
    size_t n = l.n;
    ks_list_free(&l);
    return n;
}

static int64_t number_of(const struct fixture *f, const char *query)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    MADE(sqlite3_open(f->path, &db) == SQLITE_OK && sqlite3_prepare_v2(db, query, -1, &q, NULL) == SQLITE_OK &&
         sqlite3_step(q) == SQLITE_ROW);
    int64_t n = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return n;
}

/** Tables, indexes and triggers that one of two stores has otherwise or not at all. */
static int64_t differences(const struct fixture *a, const struct fixture *b)
{
    static const char query[] = "with a as (select type, name, sql from main.sqlite_master), b as (select type, name, "
                                "sql from other.sqlite_master) select (select count(*) from (select * from a except "
                                "select * from b)) + (select count(*) from (select * from b except select * from a))";
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    char attach[4500];
    snprintf(attach, sizeof attach, "attach '%s' as other", b->path);
    MADE(sqlite3_open(a->path, &db) == SQLITE_OK && sqlite3_exec(db, attach, NULL, NULL, NULL) == SQLITE_OK &&
         sqlite3_prepare_v2(db, query, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW);
    int64_t n = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return n;
}

static void test_store_of_the_version_before_is_served_but_not_changed(void)
{
    struct fixture f;
    fixture_old(&f);
    CU_ASSERT_EQUAL(ks_schema_version(f.s), KS_SCHEMA_VERSION - 1);
    CU_ASSERT_EQUAL(listed(&f), 1);
    CU_ASSERT_EQUAL(acceptable_at(&f, NOW, 0), 1);
    uint64_t generation = ks_generation(f.s);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_DEACTIVATE, "acme-sign", 1, NOW), CS_EXIT_CONFIG);
    CU_ASSERT_STRING_EQUAL(f.e.reason, "store-version");
    CU_ASSERT_PTR_NOT_NULL(strstr(f.e.text, "keystore init --upgrade"));
    CU_ASSERT_EQUAL(ks_generation(f.s), generation);
    /* a dry run tells what the change would do, as ever */
    CU_ASSERT_EQUAL(
        EXIT_OF(&f,
                ks_change(f.s, &(ks_request){.verb = KS_DO_DEACTIVATE, .alias = "acme-sign", .n = 1, .dry_run = true},
                          &actor, NOW, &f.out, &f.e)),
        0);
    /* a gateway follows it, counts into it, and reports itself */
    ks_live *live = NULL;
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_live_open(&live, f.uri, NULL, NOW, &f.e)), 0);
    use_at(live, "acme-sign", 1, true, NOW + 5);
    ks_live_close(live);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_report_node(f.s, "n1", NULL, 0, NOW, &f.e)), 0);
    CU_ASSERT_EQUAL(number_of(&f, "pragma user_version"), KS_SCHEMA_VERSION - 1);
    bool created = true;
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_init(f.uri, NULL, NOW, &created, &f.e)), 0);
    CU_ASSERT_FALSE(created);
    CU_ASSERT_EQUAL(number_of(&f, "pragma user_version"), KS_SCHEMA_VERSION - 1);
    fixture_close(&f);
}

static void test_upgraded_store_is_as_one_made_new(void)
{
    struct fixture f;
    struct fixture fresh;
    int from = 0;
    fixture_old(&f);
    fixture_open(&fresh);
    ks_store *other = NULL; /* opened before the upgrade, used after it */
    MADE(EXIT_OF(&f, ks_open(&other, f.uri, NULL, &f.e)) == 0);
    uint64_t generation = ks_generation(f.s);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_upgrade(f.s, &actor, NOW, &from, &f.e)), 0);
    CU_ASSERT_EQUAL(from, KS_SCHEMA_VERSION - 1);
    CU_ASSERT_EQUAL(ks_generation(f.s), generation + 1);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_upgrade(f.s, &actor, NOW, &from, &f.e)), 0); /* again: nothing to do */
    CU_ASSERT_EQUAL(from, KS_SCHEMA_VERSION);
    CU_ASSERT_EQUAL(ks_generation(f.s), generation + 1);
    CU_ASSERT_EQUAL(differences(&f, &fresh), 0);
    MADE(EXIT_OF(&f, ks_change(other, &(ks_request){.verb = KS_DO_DEACTIVATE, .alias = "acme-sign", .n = 1}, &actor,
                               NOW, &f.out, &f.e)) == 0);
    ks_close(other);
    uint64_t rows = 0;
    char text[256];
    CU_ASSERT_EQUAL(ks_audit_verify(f.s, &rows, text, sizeof text, &f.e), 0);
    fixture_close(&f);
    fixture_close(&fresh);
}

static void test_follower_opened_before_the_upgrade_goes_on(void)
{
    struct fixture f;
    int from = 0;
    fixture_old(&f);
    ks_live *live = NULL;
    MADE(EXIT_OF(&f, ks_live_open(&live, f.uri, NULL, NOW, &f.e)) == 0);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_upgrade(f.s, &actor, NOW, &from, &f.e)), 0);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_DEACTIVATE, "acme-sign", 1, NOW), 0);
    int rc = 0;
    for (int i = 0; i < 100 && rc == 0; i++) {
        rc = ks_live_step(live, 50, NOW, &f.e);
    }
    CU_ASSERT_EQUAL(rc, 1);
    const ks_snapshot *s = ks_live_get(live);
    CU_ASSERT_EQUAL(ks_snapshot_generation(s), ks_generation(f.s));
    ks_snapshot_release(s);
    ks_live_close(live);
    fixture_close(&f);
}

static void test_handle_that_wrote_before_the_upgrade_audits_the_tables_of_after_it(void)
{
    struct fixture f;
    const ks_request later = {.verb = KS_DO_DEACTIVATE, .alias = "acme-sign", .n = 1, .at = NOW + CS_DAY};
    int from = 0;
    fixture_old(&f);
    ks_store *other = NULL;
    MADE(EXIT_OF(&f, ks_open(&other, f.uri, NULL, &f.e)) == 0);
    MADE(EXIT_OF(&f, ks_report_node(other, "n1", NULL, 0, NOW, &f.e)) == 0);
    MADE(EXIT_OF(&f, ks_upgrade(f.s, &actor, NOW, &from, &f.e)) == 0);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_change(other, &later, &actor, NOW, &f.out, &f.e)), 0);
    uint64_t rows = 0;
    char text[256];
    CU_ASSERT_EQUAL(ks_audit_verify(other, &rows, text, sizeof text, &f.e), 0);
    ks_close(other);
    fixture_close(&f);
}

static void test_other_versions_are_refused_with_both_named(void)
{
    struct fixture f;
    fixture_open(&f);
    fixture_close(&f);
    static const struct {
        int version;
        const char *said;
    } row[] = {{KS_SCHEMA_VERSION + 1, "newer release"}, {999999, "newer release"}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        char text[128];
        char named[32];
        snprintf(text, sizeof text, "pragma user_version=%d; pragma wal_checkpoint(truncate);", row[i].version);
        MADE(sql(&f, text) == SQLITE_OK);
        snprintf(named, sizeof named, "version %d", row[i].version);
        CU_ASSERT_EQUAL(EXIT_OF(&f, ks_open(&f.s, f.uri, NULL, &f.e)), CS_EXIT_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(f.e.text, named));
        snprintf(named, sizeof named, "and %d", KS_SCHEMA_VERSION);
        CU_ASSERT_PTR_NOT_NULL(strstr(f.e.text, named));
        CU_ASSERT_PTR_NOT_NULL(strstr(f.e.text, row[i].said));
    }
}

/** Whoever has a store of that version has these tables: what they lack comes in new rows, of the next version. */
static void test_tables_of_a_version_in_use_stand_still(void)
{
    static const char version_1[] = "68ee0ea62bc26e206c9cd3b90a4e56acb7103df6439dc0c8820cee8be9cd852b";
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    uint8_t hash[32];
    char text[65] = "";
    size_t n = 0;
    const struct ks_schema_row *row = ks_schema_rows(&n);
    MADE(md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1);
    for (size_t i = 0; i < n; i++) {
        const char *const part[] = {row[i].table, row[i].columns, row[i].keyed ? "keyed" : "", row[i].extra};
        for (size_t k = 0; row[i].version == 1 && k < 4; k++) {
            MADE(EVP_DigestUpdate(md, part[k] != NULL ? part[k] : "", part[k] != NULL ? strlen(part[k]) : 0) == 1 &&
                 EVP_DigestUpdate(md, "", 1) == 1);
        }
    }
    MADE(EVP_DigestFinal_ex(md, hash, NULL) == 1);
    EVP_MD_CTX_free(md);
    for (int i = 0; i < 32; i++) {
        snprintf(text + (ptrdiff_t)2 * i, 3, "%02x", hash[i]);
    }
    CU_ASSERT_STRING_EQUAL(text, version_1);
    if (strcmp(text, version_1) != 0) {
        printf("  # version 1: %s\n", text);
    }
}

const struct harness_test harness_tests[] = {
    {"store_of_the_version_before_is_served_but_not_changed",
     test_store_of_the_version_before_is_served_but_not_changed},
    {"upgraded_store_is_as_one_made_new", test_upgraded_store_is_as_one_made_new},
    {"follower_opened_before_the_upgrade_goes_on", test_follower_opened_before_the_upgrade_goes_on},
    {"handle_that_wrote_before_the_upgrade_audits_the_tables_of_after_it",
     test_handle_that_wrote_before_the_upgrade_audits_the_tables_of_after_it},
    {"other_versions_are_refused_with_both_named", test_other_versions_are_refused_with_both_named},
    {"tables_of_a_version_in_use_stand_still", test_tables_of_a_version_in_use_stand_still},
    {NULL, NULL},
};
