/* SPDX-License-Identifier: Apache-2.0 */
/* test_kek.c: where key-encryption keys come from, and the way from one to the next. */
#include <sys/stat.h>
#include <unistd.h>

#include "keystore/kek.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "kek";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    MADE(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0 && chmod(path, 0600) == 0);
}

/** A file of the test's directory, with a key made of one digit when digit is not 0. @return its path */
static const char *secret(char path[4400], const char *name, char digit)
{
    char text[66];
    snprintf(path, 4400, "%s/%s", harness_dir(), name);
    if (digit != 0) {
        memset(text, digit, 64);
        memcpy(text + 64, "\n", 2);
        put(path, text);
    }
    return path;
}

/** A new store under these sources, with an active sign entry own#1. */
static void begin(struct fixture *f, const ks_options *opt)
{
    bool created = false;
    fixture_path(f);
    MADE(ks_init(f->uri, opt, NOW, &created, &f->e) == 0 && created && ks_open(&f->s, f->uri, opt, &f->e) == 0);
    struct made m = make_certificate(&(struct recipe){0});
    ks_add a = adding(KS_SIGN, NULL, "own", &m, true);
    MADE(add_at(f, &a, NOW) == 0);
    made_free(&m);
}

/** Does the key of own#1 open with these sources? On failure f->e says why. */
static bool opens(struct fixture *f, const ks_options *opt)
{
    ks_store *s = NULL;
    const ks_snapshot *snapshot = NULL;
    ks_options need = opt != NULL ? *opt : (ks_options){0};
    need.keys = KS_KEYS_NEED;
    cs_error_clear(&f->e);
    bool good = ks_open(&s, f->uri, &need, &f->e) == 0 && ks_snapshot_read(s, NOW, &snapshot, &f->e) == 0 &&
                ks_entry_private_key(ks_active(snapshot, "own")) != NULL;
    ks_snapshot_release(snapshot);
    ks_close(s);
    return good;
}

static int rekey(struct fixture *f, const ks_options *opt, bool dry_run, ks_rekeyed *out)
{
    ks_store *s = NULL;
    cs_error_clear(&f->e);
    MADE(ks_open(&s, f->uri, opt, &f->e) == 0);
    int rc = EXIT_OF(f, ks_rekey(s, dry_run, &actor, NOW, out, &f->e));
    ks_close(s);
    return rc;
}

static bool key_lies_beside(const struct fixture *f)
{
    char path[4500];
    snprintf(path, sizeof path, "%.4399s.kek", f->path);
    return access(path, F_OK) == 0;
}

static void test_file_credential_and_passphrase_open_what_they_sealed(void)
{
    char path[3][4400];
    setenv("CREDENTIALS_DIRECTORY", harness_dir(), 1);
    secret(path[1], "credential-a", 'b');
    put(secret(path[2], "passphrase", 0), "correct horse battery staple\n");
    const ks_options opt[] = {
        {.kek = {{KS_KEK_FILE, secret(path[0], "made-by-init", 0)}}, .n_kek = 1},
        {.kek = {{KS_KEK_CREDENTIAL, "credential-a"}}, .n_kek = 1},
        {.kek = {{KS_KEK_PASSPHRASE, path[2]}}, .n_kek = 1},
    };
    struct fixture f[3];
    for (size_t i = 0; i < 3; i++) {
        begin(&f[i], &opt[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 3; k++) {
            CU_ASSERT_EQUAL(opens(&f[i], &opt[k]), i == k);
        }
        CU_ASSERT_FALSE(opens(&f[i], NULL));
        CU_ASSERT_STRING_EQUAL(f[i].e.reason, "kek-unavailable");
        CU_ASSERT_EQUAL(f[i].e.exit_code, CS_EXIT_CONFIG);
        CU_ASSERT_FALSE(key_lies_beside(&f[i])); /* a configured key leaves none there */
        fixture_close(&f[i]);
    }
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void test_secrets_of_others_are_refused(void)
{
    char path[4400];
    struct ks_kek k;
    cs_error e = {0};
    secret(path, "exposed", 'a');
    CU_ASSERT_EQUAL(ks_kek_read(path, &k, &e), 0);
    MADE(chmod(path, 0640) == 0);
    CU_ASSERT_NOT_EQUAL(ks_kek_read(path, &k, &e), 0);
    CU_ASSERT_STRING_EQUAL(e.reason, "kek-exposed");
    MADE(chmod(path, 0600) == 0);
    if (geteuid() == 0) {
        MADE(chown(path, 12345, (gid_t)-1) == 0);
        CU_ASSERT_NOT_EQUAL(ks_kek_read(path, &k, &e), 0);
        CU_ASSERT_STRING_EQUAL(e.reason, "kek-exposed");
        MADE(chown(path, 0, (gid_t)-1) == 0);
    }
    put(path, "0123");
    CU_ASSERT_NOT_EQUAL(ks_kek_read(path, &k, &e), 0);
    char longer[80];
    memset(longer, 'a', 70);
    longer[70] = '\0';
    put(path, longer);
    CU_ASSERT_NOT_EQUAL(ks_kek_read(path, &k, &e), 0);
}

static void test_a_short_passphrase_is_refused(void)
{
    char path[4400];
    struct fixture f;
    bool created = false;
    put(secret(path, "short", 0), "eleven char\n");
    fixture_path(&f);
    ks_options opt = {.kek = {{KS_KEK_PASSPHRASE, path}}, .n_kek = 1};
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_init(f.uri, &opt, NOW, &created, &f.e)), CS_EXIT_CONFIG);
    CU_ASSERT_FALSE(created);
}

static void test_rekey_beside_the_store_keeps_the_old_file(void)
{
    struct fixture f;
    ks_rekeyed done;
    char now_file[4500];
    char old_file[4500];
    char new_file[4500];
    struct ks_kek first;
    struct ks_kek kept;
    begin(&f, NULL);
    fixture_close(&f);
    snprintf(now_file, sizeof now_file, "%s.kek", f.path);
    snprintf(old_file, sizeof old_file, "%s.kek.old", f.path);
    snprintf(new_file, sizeof new_file, "%s.kek.new", f.path);
    MADE(ks_kek_read(now_file, &first, &f.e) == 0);
    CU_ASSERT_EQUAL(rekey(&f, NULL, true, &done), 0);
    CU_ASSERT(!done.done && done.keys == 1 && access(new_file, F_OK) != 0);
    CU_ASSERT_EQUAL(rekey(&f, NULL, false, &done), 0);
    CU_ASSERT(done.done && done.keys == 1);
    CU_ASSERT_STRING_EQUAL(done.from, first.id);
    CU_ASSERT(ks_kek_read(old_file, &kept, &f.e) == 0 && strcmp(kept.id, first.id) == 0);
    CU_ASSERT(ks_kek_read(now_file, &kept, &f.e) == 0 && strcmp(kept.id, done.to) == 0);
    CU_ASSERT_NOT_EQUAL(access(new_file, F_OK), 0);
    MADE(unlink(old_file) == 0);
    CU_ASSERT_TRUE(opens(&f, NULL));
}

static void test_rekey_that_ended_before_its_last_step_is_finished(void)
{
    struct fixture f;
    ks_rekeyed done;
    char now_file[4500];
    char old_file[4500];
    char new_file[4500];
    begin(&f, NULL);
    fixture_close(&f);
    MADE(rekey(&f, NULL, false, &done) == 0);
    snprintf(now_file, sizeof now_file, "%s.kek", f.path);
    snprintf(old_file, sizeof old_file, "%s.kek.old", f.path);
    snprintf(new_file, sizeof new_file, "%s.kek.new", f.path);
    MADE(rename(now_file, new_file) == 0); /* as a kill between the two renames leaves it, and before them: */
    CU_ASSERT_TRUE(opens(&f, NULL));
    MADE(rename(old_file, now_file) == 0);
    CU_ASSERT_TRUE(opens(&f, NULL));
    CU_ASSERT_EQUAL(rekey(&f, NULL, false, &done), 0);
    CU_ASSERT_TRUE(opens(&f, NULL));
    CU_ASSERT_NOT_EQUAL(access(new_file, F_OK), 0);
}

static void test_rekey_leads_from_one_configured_source_to_the_next(void)
{
    struct fixture f;
    ks_rekeyed done;
    char path[2][4400];
    secret(path[0], "first", 'c');
    secret(path[1], "second", 'd');
    const ks_options first = {.kek = {{KS_KEK_FILE, path[0]}}, .n_kek = 1};
    const ks_options second = {.kek = {{KS_KEK_FILE, path[1]}}, .n_kek = 1};
    const ks_options both = {.kek = {{KS_KEK_FILE, path[1]}, {KS_KEK_FILE, path[0]}}, .n_kek = 2};
    begin(&f, &first);
    CU_ASSERT_EQUAL(rekey(&f, &first, false, &done), CS_EXIT_USAGE);
    CU_ASSERT_STRING_EQUAL(f.e.reason, "kek-same");
    CU_ASSERT_EQUAL(rekey(&f, &second, false, &done), CS_EXIT_CONFIG);
    CU_ASSERT_TRUE(opens(&f, &first));
    CU_ASSERT_TRUE(opens(&f, &both));
    /* until rekey what comes in is sealed under the old one, which every node has */
    struct made m = make_certificate(&(struct recipe){0});
    ks_store *s = NULL;
    ks_add a = adding(KS_SIGN, NULL, "own", &m, true);
    MADE(ks_open(&s, f.uri, &both, &f.e) == 0);
    CU_ASSERT_EQUAL(ks_add_entry(s, &a, false, &actor, NOW, &f.out, &f.e), 0);
    ks_close(s);
    made_free(&m);
    CU_ASSERT_TRUE(opens(&f, &first));
    CU_ASSERT_EQUAL(rekey(&f, &both, false, &done), 0);
    CU_ASSERT_EQUAL(done.keys, 2);
    CU_ASSERT(opens(&f, &second) && opens(&f, &both) && !opens(&f, &first));
    uint64_t rows = 0;
    char text[256];
    CU_ASSERT_EQUAL(ks_audit_verify(f.s, &rows, text, sizeof text, &f.e), 0);
    fixture_close(&f);
}

static void test_rekey_waits_for_nodes_that_lack_the_new_key(void)
{
    struct fixture f;
    ks_rekeyed done;
    ks_live *live = NULL;
    char path[2][4400];
    secret(path[0], "node-first", '1');
    secret(path[1], "node-second", '2');
    const ks_options first = {.kek = {{KS_KEK_FILE, path[0]}}, .n_kek = 1, .keys = KS_KEYS_NEED};
    const ks_options both = {.kek = {{KS_KEK_FILE, path[1]}, {KS_KEK_FILE, path[0]}}, .n_kek = 2, .keys = KS_KEYS_NEED};
    begin(&f, &first);
    MADE(ks_live_open(&live, f.uri, &first, NOW, &f.e) == 0);
    CU_ASSERT_EQUAL(rekey(&f, &both, false, &done), CS_EXIT_LAG);
    CU_ASSERT_STRING_EQUAL(f.e.reason, "kek-not-everywhere");
    CU_ASSERT_TRUE(opens(&f, &first));
    CU_ASSERT_EQUAL(ks_live_sources(live, &both, &f.e), 0);
    CU_ASSERT(ks_live_step(live, 0, NOW, &f.e) >= 0);
    CU_ASSERT_EQUAL(rekey(&f, &both, false, &done), 0);
    /* keys of the snapshot stay as they are, and one that comes later opens */
    const ks_snapshot *before = ks_live_get(live);
    CU_ASSERT_EQUAL(ks_live_step(live, 0, NOW, &f.e), 1);
    const ks_snapshot *after = ks_live_get(live);
    CU_ASSERT_PTR_EQUAL(ks_entry_private_key(ks_active(before, "own")), ks_entry_private_key(ks_active(after, "own")));
    ks_snapshot_release(before);
    ks_snapshot_release(after);
    struct made m = make_certificate(&(struct recipe){0});
    ks_store *s = NULL;
    ks_add a = adding(KS_SIGN, NULL, "own", &m, true);
    MADE(ks_open(&s, f.uri, &both, &f.e) == 0 && ks_add_entry(s, &a, false, &actor, NOW, &f.out, &f.e) == 0);
    ks_close(s);
    made_free(&m);
    CU_ASSERT_EQUAL(ks_live_step(live, 0, NOW, &f.e), 1);
    after = ks_live_get(live);
    CU_ASSERT(ks_entry_n(ks_active(after, "own")) == 2 && ks_entry_private_key(ks_active(after, "own")) != NULL);
    ks_snapshot_release(after);
    ks_live_close(live);
    fixture_close(&f);
}

static void test_without_its_key_encryption_key_no_process_with_traffic_starts(void)
{
    struct fixture f;
    ks_live *live = NULL;
    char kek[4500];
    begin(&f, NULL);
    snprintf(kek, sizeof kek, "%s.kek", f.path);
    MADE(unlink(kek) == 0);
    const ks_options need = {.keys = KS_KEYS_NEED};
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_live_open(&live, f.uri, &need, NOW, &f.e)), CS_EXIT_CONFIG);
    CU_ASSERT_STRING_EQUAL(f.e.reason, "kek-unavailable");
    CU_ASSERT_PTR_NOT_NULL(strstr(f.e.text, "own#1"));
    /* who may need no key is served: verification of an auditor's copy */
    const ks_snapshot *snapshot = NULL;
    CU_ASSERT_EQUAL(ks_snapshot_read(f.s, NOW, &snapshot, &f.e), 0);
    CU_ASSERT_PTR_NULL(ks_entry_private_key(ks_active(snapshot, "own")));
    ks_snapshot_release(snapshot);
    fixture_close(&f);
}

/** A key of an entry that was suspended when the process began is opened when it resumes. */
static void test_a_resumed_entry_has_its_key(void)
{
    struct fixture f;
    ks_live *live = NULL;
    begin(&f, NULL);
    MADE(act_at(&f, KS_DO_SUSPEND, "own", 1, NOW) == 0);
    MADE(ks_live_open(&live, f.uri, &(ks_options){.keys = KS_KEYS_NEED}, NOW, &f.e) == 0);
    MADE(act_at(&f, KS_DO_RESUME, "own", 1, NOW) == 0);
    CU_ASSERT_EQUAL(ks_live_step(live, 0, NOW, &f.e), 1);
    const ks_snapshot *s = ks_live_get(live);
    CU_ASSERT_PTR_NOT_NULL(ks_entry_private_key(ks_active(s, "own")));
    ks_snapshot_release(s);
    ks_live_close(live);
    fixture_close(&f);
}

static int rekey_by(struct fixture *f, const ks_actor *who)
{
    ks_rekeyed done;
    return EXIT_OF(f, ks_rekey(f->s, false, who, NOW, &done, &f->e));
}

static int export_by(struct fixture *f, const ks_actor *who)
{
    char *text = NULL;
    size_t n = 0;
    int rc = EXIT_OF(f, ks_export_private(f->s, "own", 1, "a long passphrase", who, NOW, &text, &n, &f->e));
    CU_ASSERT_EQUAL(rc == 0, text != NULL);
    free(text);
    return rc;
}

static int restore_by(struct fixture *f, const ks_actor *who)
{
    static char text[1 << 20];
    char path[4500];
    ks_backup_info info;
    ks_restored done = {0};
    snprintf(path, sizeof path, "%s.backup", f->path);
    if (access(path, F_OK) != 0) {
        MADE(ks_backup(f->s, path, &actor, NOW, &info, &f->e) == 0);
    }
    FILE *file = fopen(path, "r");
    MADE(file != NULL);
    size_t n = fread(text, 1, sizeof text, file);
    fclose(file);
    const ks_restore_request q = {.merge = true};
    int rc = EXIT_OF(f, ks_restore(f->s, text, n, &q, who, NOW, &done, &f->e));
    ks_restored_free(&done);
    return rc;
}

/** What one person alone must not do: each waits, is agreed to by another, and is then carried out once. */
static void test_rekey_private_export_and_restore_need_two_persons(void)
{
    static const ks_actor anna = {"anna", "uid", NULL};
    static const ks_actor ben = {"ben", "uid", NULL};
    static int (*const what[])(struct fixture * f, const ks_actor *who) = {restore_by, export_by, rekey_by};
    struct fixture f;
    bool changed = false;
    begin(&f, NULL);
    MADE(ks_set_persons(f.s, "approvers anna ben\n", &anna, NOW, &changed, &f.e) == 0 && changed);
    for (size_t i = 0; i < sizeof what / sizeof what[0]; i++) {
        ks_proposal p;
        CU_ASSERT_EQUAL(what[i](&f, &anna), CS_EXIT_APPROVAL);
        CU_ASSERT_EQUAL(EXIT_OF(&f, ks_approve(f.s, (int64_t)i + 1, &anna, NOW, &p, &f.e)), CS_EXIT_GUARD);
        CU_ASSERT_EQUAL(EXIT_OF(&f, ks_approve(f.s, (int64_t)i + 1, &ben, NOW, &p, &f.e)), 0);
        CU_ASSERT_EQUAL(what[i](&f, &anna), 0);
    }
    CU_ASSERT_EQUAL(export_by(&f, &anna), CS_EXIT_APPROVAL); /* once, not for ever */
    CU_ASSERT_TRUE(opens(&f, NULL));
    fixture_close(&f);
}

const struct harness_test harness_tests[] = {
    {"file_credential_and_passphrase_open_what_they_sealed", test_file_credential_and_passphrase_open_what_they_sealed},
    {"secrets_of_others_are_refused", test_secrets_of_others_are_refused},
    {"a_short_passphrase_is_refused", test_a_short_passphrase_is_refused},
    {"rekey_beside_the_store_keeps_the_old_file", test_rekey_beside_the_store_keeps_the_old_file},
    {"rekey_that_ended_before_its_last_step_is_finished", test_rekey_that_ended_before_its_last_step_is_finished},
    {"rekey_leads_from_one_configured_source_to_the_next", test_rekey_leads_from_one_configured_source_to_the_next},
    {"rekey_waits_for_nodes_that_lack_the_new_key", test_rekey_waits_for_nodes_that_lack_the_new_key},
    {"without_its_key_encryption_key_no_process_with_traffic_starts",
     test_without_its_key_encryption_key_no_process_with_traffic_starts},
    {"rekey_private_export_and_restore_need_two_persons", test_rekey_private_export_and_restore_need_two_persons},
    {"a_resumed_entry_has_its_key", test_a_resumed_entry_has_its_key},
    {NULL, NULL},
};
