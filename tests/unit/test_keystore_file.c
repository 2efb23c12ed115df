/* SPDX-License-Identifier: Apache-2.0 */
/* test_keystore_file.c: files that are missing, damaged, foreign, read-only or locked; sealed keys; the audit chain;
 * the schema's own guards. */
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "keystore/rollover.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "keystore_file";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static void write_file(const char *path, const void *data, size_t n)
{
    FILE *out = fopen(path, "wb");
    MADE(out != NULL && fwrite(data, 1, n, out) == n && fclose(out) == 0);
}

static size_t read_file(const char *path, char *buf, size_t size)
{
    FILE *in = fopen(path, "rb");
    MADE(in != NULL);
    size_t n = fread(buf, 1, size, in);
    fclose(in);
    return n;
}

static bool file_holds(const char *path, const void *needle, size_t n)
{
    static char buf[4 * 1024 * 1024];
    return access(path, F_OK) == 0 && memmem(buf, read_file(path, buf, sizeof buf), needle, n) != NULL;
}

static int open_code(struct fixture *f)
{
    ks_store *s = NULL;
    int rc = EXIT_OF(f, ks_open(&s, f->uri, &(ks_options){.busy_ms = 50}, &f->e));
    ks_close(s);
    return rc;
}

/** Neither open nor init take the file; its octets and its time stay. */
static void refused_unchanged(struct fixture *f, int exit_code, const char *reason)
{
    static char before[1024 * 1024];
    static char after[1024 * 1024];
    struct stat old;
    struct stat new;
    bool created = true;
    size_t n = read_file(f->path, before, sizeof before);
    MADE(stat(f->path, &old) == 0);
    CU_ASSERT_EQUAL(open_code(f), exit_code);
    CU_ASSERT_STRING_EQUAL(f->e.reason, reason);
    CU_ASSERT_EQUAL(EXIT_OF(f, ks_init(f->uri, NULL, NOW, &created, &f->e)), exit_code);
    CU_ASSERT_FALSE(created);
    MADE(stat(f->path, &new) == 0);
    CU_ASSERT_EQUAL(read_file(f->path, after, sizeof after), n);
    CU_ASSERT_EQUAL(memcmp(before, after, n), 0);
    CU_ASSERT_EQUAL(old.st_mtim.tv_sec, new.st_mtim.tv_sec);
    CU_ASSERT_EQUAL(old.st_mtim.tv_nsec, new.st_mtim.tv_nsec);
}

static void test_missing_or_empty_file_says_init(void)
{
    struct fixture f;
    fixture_path(&f);
    CU_ASSERT_EQUAL(open_code(&f), CS_EXIT_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.e.text, "keystore init"));
    CU_ASSERT_EQUAL(access(f.path, F_OK), -1); /* looking does not make it */
    write_file(f.path, "", 0);
    CU_ASSERT_EQUAL(open_code(&f), CS_EXIT_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.e.text, "keystore init"));
    bool created = false;
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_init(f.uri, NULL, NOW, &created, &f.e)), 0); /* as after a crash within init */
    CU_ASSERT_TRUE(created);
    CU_ASSERT_EQUAL(open_code(&f), 0);
}

static void test_init_twice_changes_nothing(void)
{
    struct fixture f;
    fixture_open(&f);
    fixture_close(&f);
    char before[256];
    char after[256];
    char kek[4500];
    bool created = true;
    snprintf(kek, sizeof kek, "%s.kek", f.path);
    size_t n = read_file(kek, before, sizeof before);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_init(f.uri, NULL, NOW, &created, &f.e)), 0);
    CU_ASSERT_FALSE(created);
    CU_ASSERT_EQUAL(read_file(kek, after, sizeof after), n);
    CU_ASSERT_EQUAL(memcmp(before, after, n), 0);
    struct stat st;
    CU_ASSERT(stat(kek, &st) == 0 && (st.st_mode & 0777) == 0600);
    CU_ASSERT(stat(f.path, &st) == 0 && (st.st_mode & 0777) == 0600);
}

static void test_file_of_another_kind_is_refused_unchanged(void)
{
    struct fixture f;
    fixture_path(&f);
    char text[4096];
    memset(text, 'x', sizeof text);
    write_file(f.path, text, sizeof text);
    refused_unchanged(&f, CS_EXIT_CONFIG, "store-corrupt");
    write_file(f.path, "SQLite format 3", 16);
    refused_unchanged(&f, CS_EXIT_CONFIG, "store-corrupt");
}

static void test_database_of_another_program_is_refused_unchanged(void)
{
    struct fixture f;
    fixture_path(&f);
    MADE(sql(&f, "create table t(x); pragma user_version=1; pragma application_id=77;") == SQLITE_OK);
    refused_unchanged(&f, CS_EXIT_CONFIG, "store-foreign");
}

static void test_other_schema_version_is_refused_unchanged(void)
{
    struct fixture f;
    fixture_open(&f);
    fixture_close(&f);
    MADE(sql(&f, "pragma user_version=3; pragma wal_checkpoint(truncate);") == SQLITE_OK);
    refused_unchanged(&f, CS_EXIT_CONFIG, "store-version");
}

static void test_damaged_pages_are_told(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    fixture_close(&f);
    int fd = open(f.path, O_WRONLY);
    char noise[4096];
    memset(noise, 0xa5, sizeof noise);
    struct stat st;
    MADE(fd >= 0 && fstat(fd, &st) == 0);
    for (off_t at = 4096; at < st.st_size; at += 4096) {
        MADE(pwrite(fd, noise, sizeof noise, at) == sizeof noise);
    }
    close(fd);
    ks_list l = {0};
    ks_store *s = NULL;
    int rc = EXIT_OF(&f, ks_open(&s, f.uri, NULL, &f.e));
    if (rc == 0) {
        rc = EXIT_OF(&f, ks_list_entries(s, &(ks_filter){0}, NOW, &l, &f.e));
        ks_list_free(&l);
    }
    ks_close(s);
    CU_ASSERT_EQUAL(rc, CS_EXIT_CONFIG);
    CU_ASSERT_STRING_EQUAL(f.e.reason, "store-corrupt");
    made_free(&m);
}

static void test_read_only_file_or_directory_is_not_written(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = make_certificate(&(struct recipe){0});
    ks_add a = adding(KS_VERIFIER, "acme", "acme-sign", &m, true);
    MADE(chmod(f.path, 0400) == 0);
    CU_ASSERT_EQUAL(add_at(&f, &a, NOW), CS_EXIT_UNAVAILABLE);
    CU_ASSERT_STRING_EQUAL(f.e.reason, "store-read-only");
    CU_ASSERT_PTR_NOT_NULL(strstr(f.e.text, "chmod u+w"));
    CU_ASSERT_EQUAL(ks_generation(f.s), 1); /* reading goes on */
    MADE(chmod(f.path, 0600) == 0 && chmod(harness_dir(), 0500) == 0);
    CU_ASSERT_EQUAL(add_at(&f, &a, NOW), CS_EXIT_UNAVAILABLE);
    MADE(chmod(harness_dir(), 0700) == 0);
    CU_ASSERT_EQUAL(add_at(&f, &a, NOW), 0);
    made_free(&m);
    fixture_close(&f);
}

static void test_locked_store_gives_up_in_time(void)
{
    struct fixture f;
    fixture_open(&f);
    fixture_close(&f);
    MADE(ks_open(&f.s, f.uri, &(ks_options){.busy_ms = 50}, &f.e) == 0);
    sqlite3 *db = NULL;
    MADE(sqlite3_open(f.path, &db) == SQLITE_OK && sqlite3_exec(db, "begin immediate", NULL, NULL, NULL) == SQLITE_OK);
    struct made m = make_certificate(&(struct recipe){0});
    ks_add a = adding(KS_VERIFIER, "acme", "acme-sign", &m, true);
    CU_ASSERT_EQUAL(add_at(&f, &a, NOW), CS_EXIT_UNAVAILABLE);
    CU_ASSERT_STRING_EQUAL(f.e.reason, "store-locked");
    sqlite3_exec(db, "rollback", NULL, NULL, NULL);
    sqlite3_close(db);
    CU_ASSERT_EQUAL(add_at(&f, &a, NOW), 0);
    made_free(&m);
    fixture_close(&f);
}

static void test_kept_handle_stays_until_another_file_takes_its_place(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = make_certificate(&(struct recipe){0});
    ks_add a = adding(KS_VERIFIER, "acme", "acme-sign", &m, true);
    MADE(add_at(&f, &a, NOW) == 0);
    const ks_options options = {.busy_ms = 50};
    ks_store *kept = NULL;
    CU_ASSERT_EQUAL(ks_keep_open(&kept, f.uri, &options, &f.e), 0);
    const ks_store *first = kept;
    MADE(act_at(&f, KS_DO_DEACTIVATE, "acme-sign", 1, NOW) == 0); /* changes of others are no other file */
    CU_ASSERT_EQUAL(ks_keep_open(&kept, f.uri, &options, &f.e), 0);
    CU_ASSERT_PTR_EQUAL(kept, first);
    CU_ASSERT_EQUAL(ks_generation(kept), ks_generation(f.s));
    fixture_close(&f);
    char away[4500];
    bool created = false;
    snprintf(away, sizeof away, "%s.away", f.path);
    MADE(rename(f.path, away) == 0 && ks_init(f.uri, NULL, NOW, &created, &f.e) == 0 && created);
    CU_ASSERT_EQUAL(ks_keep_open(&kept, f.uri, &options, &f.e), 0);
    CU_ASSERT_EQUAL(ks_generation(kept), 1);
    MADE(unlink(f.path) == 0);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_keep_open(&kept, f.uri, &options, &f.e)), CS_EXIT_CONFIG);
    CU_ASSERT_STRING_EQUAL(f.e.reason, "store-missing");
    CU_ASSERT_PTR_NULL(kept);
    made_free(&m);
}

static void test_schema_refuses_what_no_bug_may_do(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made a = make_certificate(&(struct recipe){0});
    struct made b = make_certificate(&(struct recipe){0});
    ks_add first = adding(KS_SIGN, NULL, "own-sign", &a, true);
    ks_add second = adding(KS_SIGN, NULL, "own-sign", &b, true);
    MADE(add_at(&f, &first, NOW) == 0 && add_at(&f, &second, NOW) == 0);
    static const char *const forbidden[] = {
        "update entry set state='active'",
        "update entry set state='archived', changed_at=process_stop-1 where n=1",
        "update entry set state='destroyed', changed_at=process_stop-1 where n=1",
        "update entry set process_stop=process_stop-1 where n=1",
        "update entry set state='asleep' where n=1",
        "delete from entry",
        "delete from interval",
        "update interval set to_ts=5",
        "update interval set end_seq=5 where end_seq is not null",
        "update audit set actor='nobody'",
        "delete from audit",
    };
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
        int rc = sql(&f, forbidden[i]);
        if (rc != SQLITE_CONSTRAINT) {
            printf("  # %s: %d\n", forbidden[i], rc);
        }
        CU_ASSERT_EQUAL(rc, SQLITE_CONSTRAINT);
    }
    CU_ASSERT_EQUAL(sql(&f, "update entry set state='archived', changed_at=process_stop where n=1"), SQLITE_OK);
    made_free(&a);
    made_free(&b);
    fixture_close(&f);
}

/* The statement stayed in the middle of its row: the next link, whosever it was, could not be looked up. */
static void test_damaged_link_does_not_spoil_the_next_look(void)
{
    static const char token[KS_LINK_TOKEN] = "00112233445566778899aabbccddeeff";
    struct fixture f;
    struct ks_rollover *r = NULL;
    char row[256];
    char hex[65];
    uint8_t hash[32];
    size_t place = 0;
    fixture_open(&f);
    MADE(EVP_Digest(token, sizeof token - 1, hash, NULL, EVP_sha256(), NULL) == 1);
    snprintf(row, sizeof row, "insert into link values(x'%s',1,hex(zeroblob(%d)),'tenant-admin',9999999999,0)",
             cs_hex(hash, sizeof hash, hex), KS_STEP_NUMBER); /* as a step's number it is too long */
    MADE(sql(&f, row) == SQLITE_OK);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_link_look(f.s, token, NOW, &r, &place, &f.e)), CS_EXIT_CONFIG);
    CU_ASSERT_STRING_EQUAL(f.e.reason, "store-corrupt");
    MADE(sql(&f, "delete from link") == SQLITE_OK);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_link_look(f.s, token, NOW, &r, &place, &f.e)), CS_EXIT_USAGE);
    CU_ASSERT_STRING_EQUAL(f.e.reason, "link-unknown");
    fixture_close(&f);
}

static bool opens(struct fixture *f, const char *alias)
{
    const ks_snapshot *s = NULL;
    MADE(ks_snapshot_read(f->s, NOW, &s, &f->e) == 0);
    const ks_entry *e = ks_active(s, alias);
    bool has = e != NULL && ks_entry_private_key(e) != NULL;
    ks_snapshot_release(s);
    return has;
}

static void test_private_keys_are_sealed(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made a = make_certificate(&(struct recipe){0});
    struct made b = make_certificate(&(struct recipe){0});
    ks_add first = adding(KS_SIGN, NULL, "own-a", &a, true);
    ks_add second = adding(KS_SIGN, NULL, "own-b", &b, true);
    MADE(add_at(&f, &first, NOW) == 0 && add_at(&f, &second, NOW) == 0);
    BIGNUM *scalar = NULL;
    uint8_t octets[32];
    char wal[4500];
    snprintf(wal, sizeof wal, "%s-wal", f.path);
    MADE(EVP_PKEY_get_bn_param(a.key, "priv", &scalar) == 1 && BN_bn2binpad(scalar, octets, 32) == 32);
    CU_ASSERT_FALSE(file_holds(f.path, octets, 16));
    CU_ASSERT_FALSE(file_holds(wal, octets, 16));
    CU_ASSERT(opens(&f, "own-a") && opens(&f, "own-b"));
    BN_free(scalar);
    fixture_close(&f);
    made_free(&a);
    made_free(&b);
}

/** Sealed octets of two rows change places: between two slots, or within one. Neither opens. */
static void sealed_rows_swapped(const char *alias_a, const char *alias_b)
{
    struct fixture f;
    fixture_open(&f);
    struct made a = make_certificate(&(struct recipe){0});
    struct made b = make_certificate(&(struct recipe){0});
    ks_add first = adding(KS_SIGN, NULL, alias_a, &a, true);
    ks_add second = adding(KS_SIGN, NULL, alias_b, &b, true);
    MADE(add_at(&f, &first, NOW) == 0 && add_at(&f, &second, NOW) == 0);
    CU_ASSERT(opens(&f, alias_a) && opens(&f, alias_b));
    MADE(sql(&f, "create temp table t as select * from private_key; update private_key set (nonce, ct, tag) = "
                 "(select nonce, ct, tag from t where t.key_id <> private_key.key_id)") == SQLITE_OK);
    CU_ASSERT(!opens(&f, alias_a) && !opens(&f, alias_b));
    made_free(&a);
    made_free(&b);
    fixture_close(&f);
}

static void test_sealed_rows_that_change_places_do_not_open(void)
{
    sealed_rows_swapped("own-a", "own-b");
    sealed_rows_swapped("own-a", "own-a");
}

static void test_wrong_or_exposed_key_encryption_key_opens_nothing(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made a = make_certificate(&(struct recipe){0});
    ks_add add = adding(KS_SIGN, NULL, "own-a", &a, true);
    MADE(add_at(&f, &add, NOW) == 0);
    char kek[4500];
    char kept[65];
    snprintf(kek, sizeof kek, "%s.kek", f.path);
    MADE(read_file(kek, kept, sizeof kept) == sizeof kept);
    MADE(chmod(kek, 0644) == 0);
    CU_ASSERT_FALSE(opens(&f, "own-a"));
    MADE(chmod(kek, 0600) == 0);
    CU_ASSERT_TRUE(opens(&f, "own-a"));
    char wrong[65];
    memcpy(wrong, kept, sizeof wrong);
    wrong[0] = wrong[0] == '0' ? '1' : '0';
    write_file(kek, wrong, sizeof wrong);
    CU_ASSERT_FALSE(opens(&f, "own-a"));
    write_file(kek, kept, 10);
    CU_ASSERT_FALSE(opens(&f, "own-a"));
    MADE(unlink(kek) == 0);
    CU_ASSERT_FALSE(opens(&f, "own-a"));
    struct made b = make_certificate(&(struct recipe){0});
    ks_add more = adding(KS_SIGN, NULL, "own-a", &b, true);
    CU_ASSERT_EQUAL(add_at(&f, &more, NOW), CS_EXIT_CONFIG);
    CU_ASSERT_STRING_EQUAL(f.e.reason, "kek-unavailable");
    made_free(&a);
    made_free(&b);
    fixture_close(&f);
}

static void test_key_bytes_go_with_the_entry(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made a = make_certificate(&(struct recipe){0});
    ks_add add = adding(KS_SIGN, NULL, "own-a", &a, true);
    MADE(add_at(&f, &add, NOW) == 0 && act_at(&f, KS_DO_DEACTIVATE, "own-a", 1, NOW) == 0);
    uint8_t ct[48];
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    MADE(sqlite3_open(f.path, &db) == SQLITE_OK &&
         sqlite3_prepare_v2(db, "select ct from private_key", -1, &q, NULL) == SQLITE_OK &&
         sqlite3_step(q) == SQLITE_ROW && sqlite3_column_bytes(q, 0) >= (int)sizeof ct);
    memcpy(ct, sqlite3_column_blob(q, 0), sizeof ct);
    sqlite3_finalize(q);
    sqlite3_close(db);
    char wal[4500];
    snprintf(wal, sizeof wal, "%s-wal", f.path);
    CU_ASSERT(file_holds(f.path, ct, sizeof ct) || file_holds(wal, ct, sizeof ct));
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_REMOVE, "own-a", 1, NOW + 90 * CS_DAY), 0);
    CU_ASSERT(file_holds(f.path, ct, sizeof ct) || file_holds(wal, ct, sizeof ct)); /* it can be restored still */
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_DISCARD, "own-a", 1, NOW + 90 * CS_DAY), 0);
    CU_ASSERT_FALSE(file_holds(f.path, ct, sizeof ct));
    CU_ASSERT_FALSE(file_holds(wal, ct, sizeof ct));
    made_free(&a);
    fixture_close(&f);
}

const struct harness_test harness_tests[] = {
    {"missing_or_empty_file_says_init", test_missing_or_empty_file_says_init},
    {"init_twice_changes_nothing", test_init_twice_changes_nothing},
    {"file_of_another_kind_is_refused_unchanged", test_file_of_another_kind_is_refused_unchanged},
    {"database_of_another_program_is_refused_unchanged", test_database_of_another_program_is_refused_unchanged},
    {"other_schema_version_is_refused_unchanged", test_other_schema_version_is_refused_unchanged},
    {"damaged_pages_are_told", test_damaged_pages_are_told},
    {"read_only_file_or_directory_is_not_written", test_read_only_file_or_directory_is_not_written},
    {"locked_store_gives_up_in_time", test_locked_store_gives_up_in_time},
    {"kept_handle_stays_until_another_file_takes_its_place", test_kept_handle_stays_until_another_file_takes_its_place},
    {"schema_refuses_what_no_bug_may_do", test_schema_refuses_what_no_bug_may_do},
    {"damaged_link_does_not_spoil_the_next_look", test_damaged_link_does_not_spoil_the_next_look},
    {"private_keys_are_sealed", test_private_keys_are_sealed},
    {"sealed_rows_that_change_places_do_not_open", test_sealed_rows_that_change_places_do_not_open},
    {"wrong_or_exposed_key_encryption_key_opens_nothing", test_wrong_or_exposed_key_encryption_key_opens_nothing},
    {"key_bytes_go_with_the_entry", test_key_bytes_go_with_the_entry},
    {NULL, NULL},
};
