/* SPDX-License-Identifier: Apache-2.0 */
/* test_audit.c: whatever is altered behind the keystore's back, the log tells, and names the row. */
#include <unistd.h>

#include "keystore/schema.h"
#include <sys/stat.h>

#include "keystore/audit.h"
#include "keystore/live.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "audit";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

#define UNLOCK "drop trigger audit_fixed; drop trigger audit_kept; "

/** A store in which every audited table that a plain change writes has rows. */
static void fixture_lived_in(struct fixture *f)
{
    bool changed = false;
    fixture_open(f);
    struct made m = add_verifier(f, "acme-sign", NOW);
    struct made key = make_certificate(&(struct recipe){0});
    ks_add own = adding(KS_SIGN, NULL, "own-sign", &key, true);
    ks_hold_outcome hold;
    MADE(add_at(f, &own, NOW) == 0);
    MADE(act_at(f, KS_DO_SUSPEND, "acme-sign", 1, NOW + 1) == 0);
    MADE(act_at(f, KS_DO_RESUME, "acme-sign", 1, NOW + 2) == 0);
    MADE(act_at(f, KS_DO_DEACTIVATE, "acme-sign", 1, NOW + 3) == 0);
    MADE(ks_set_partner(f->s, "acme", 100 * CS_DAY, NOW + 4, &f->e) == 0);
    MADE(ks_hold(f->s, "orders", false, &actor, NOW + 5, &hold, &f->e) == 0);
    MADE(ks_set_persons(f->s, "approvers anna ben\n", &actor, NOW + 6, &changed, &f->e) == 0);
    made_free(&m);
    made_free(&key);
}

/** @return what verify says, "" where all is good; static */
static const char *verdict(struct fixture *f)
{
    static char text[512];
    uint64_t rows = 0;
    text[0] = '\0';
    int rc = EXIT_OF(f, ks_audit_verify(f->s, &rows, text, sizeof text, &f->e) < 0 ? -1 : 0);
    if (rc != 0) {
        snprintf(text, sizeof text, "error: %.400s", f->e.text);
    }
    return text;
}

static const char *verdict_after(const char *tampering)
{
    struct fixture f;
    char all[1024];
    fixture_lived_in(&f);
    snprintf(all, sizeof all, UNLOCK "%s", tampering);
    MADE(sql(&f, all) == SQLITE_OK);
    const char *said = verdict(&f);
    fixture_close(&f);
    return said;
}

static void test_altered_log_is_named_by_its_first_broken_row(void)
{
    static const struct {
        const char *tampering, *said;
    } row[] = {
        {"select 1", ""},
        {"update audit set actor='nobody' where seq=2", "row 2 was changed"},
        {"update audit set reason='nothing' where seq=6", "row 6 was changed"},
        {"update audit set approver='ben' where seq=6", "row 6 was changed"},
        {"update audit set peer='127.0.0.1' where seq=6", "row 6 was changed"},
        {"update audit set at=at+1 where seq=4", "row 4 was changed"},
        {"update audit set after_json='{}', before_json=null where seq=3", "row 3 was changed"},
        {"update audit set hash=zeroblob(32) where seq=2", "row 2 was changed"},
        {"update audit set hash=x'00' where seq=2", "row 2 was changed"},
        {"update audit set prev_hash=zeroblob(32) where seq=3", "row 3 does not follow row 2"},
        {"delete from audit where seq=2", "row 2 is missing"},
        {"delete from audit where seq=1", "row 1 is missing"},
        {"delete from audit where seq=(select max(seq) from audit)", " is missing: generation "},
        {"delete from audit where seq>10", "row 11 is missing"},
        {"delete from generation where gen=3", "row generation/3 is missing"},
        /* the tail cut from both: rows that it wrote tell */
        {"delete from audit where seq>(select audit_seq from generation where gen=7); delete from generation where "
         "gen>7",
         "row "},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        const char *said = verdict_after(row[i].tampering);
        bool good = row[i].said[0] == '\0' ? said[0] == '\0' : strstr(said, row[i].said) != NULL;
        if (!good) {
            printf("  # %s: \"%s\"\n", row[i].tampering, said);
        }
        CU_ASSERT_TRUE(good);
    }
}

static void test_row_put_there_or_taken_away_is_named(void)
{
    static const struct {
        const char *tampering, *said;
    } row[] = {
        {"drop trigger interval_kept; delete from interval where rowid=1", "row interval/1/verify/"},
        {"delete from private_key", "row private_key/"},
        {"delete from hold", "row hold/orders is missing: audit row "},
        {"insert into hold values('payments',1,'x',null)", "row hold/payments is not in the log"},
        {"insert into partner(partner) values('mallory')", "row partner/mallory is not in the log"},
        {"insert into interval values(1,'verify',1,null,1,null)", "is not in the log"},
        {"delete from meta where key='persons'", "row meta/persons is missing"},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        const char *said = verdict_after(row[i].tampering);
        if (strstr(said, row[i].said) == NULL) {
            printf("  # %s: \"%s\"\n", row[i].tampering, said);
        }
        CU_ASSERT_PTR_NOT_NULL(strstr(said, row[i].said));
    }
}

/** A value one octet or one unit away. */
static void flip(struct fixture *f, const char *table, const char *column, int64_t rowid, const char *by)
{
    char text[1024];
    snprintf(text, sizeof text,
             "update %s set %s = case typeof(%s) when 'integer' then %s+1 when 'text' then '~' || substr(%s,2) "
             "when 'blob' then x'7e' || substr(%s,2) else 1 end where %s=%lld",
             table, column, column, column, column, column, by, (long long)rowid);
    MADE(sql(f, text) == SQLITE_OK);
}

/** Every column of every audited table, one after the other, each in a store of its own copy. */
static void test_one_changed_value_in_any_column_is_named(void)
{
    struct fixture f;
    size_t n = 0;
    size_t tried = 0;
    const struct ks_schema_audit *a = ks_schema_audited(&n);
    fixture_lived_in(&f);
    CU_ASSERT_STRING_EQUAL(verdict(&f), "");
    sqlite3 *db = NULL;
    MADE(sqlite3_open(f.path, &db) == SQLITE_OK);
    /* no guard of the schema shall save us; foreign keys are off on this connection */
    sqlite3_stmt *q = NULL;
    MADE(sqlite3_prepare_v2(db, "select name from sqlite_master where type='trigger'", -1, &q, NULL) == SQLITE_OK);
    char drops[4096] = "";
    while (sqlite3_step(q) == SQLITE_ROW) {
        size_t used = strlen(drops);
        snprintf(drops + used, sizeof drops - used, "drop trigger %s;", (const char *)sqlite3_column_text(q, 0));
    }
    sqlite3_finalize(q);
    MADE(sqlite3_exec(db, drops, NULL, NULL, NULL) == SQLITE_OK &&
         sqlite3_exec(db, "drop index one_active; drop index one_certificate; pragma ignore_check_constraints=on", NULL,
                      NULL, NULL) == SQLITE_OK);
    for (size_t i = 0; i < n; i++) {
        char text[256];
        snprintf(text, sizeof text, "select * from %s%s%s limit 1", a[i].table,
                 a[i].except != NULL ? " where not " : "", a[i].except != NULL ? a[i].except : "");
        MADE(sqlite3_prepare_v2(db, text, -1, &q, NULL) == SQLITE_OK);
        bool any = sqlite3_step(q) == SQLITE_ROW;
        int columns = any ? sqlite3_column_count(q) : 0;
        char name[64][64];
        columns = columns < 64 ? columns : 64;
        for (int k = 0; k < columns; k++) {
            snprintf(name[k], sizeof name[k], "%s", sqlite3_column_name(q, k));
        }
        sqlite3_finalize(q);
        for (int k = 0; k < columns; k++) {
            char member[80];
            char *change = sqlite3_mprintf(
                "update %s set %s = case typeof(%s) when 'integer' then %s+1000003 when 'text' then '~' || "
                "substr(%s,2) when 'blob' then x'7e' || substr(%s,2) else 1 end where %s = (select %s from %s%s%s "
                "limit 1)",
                a[i].table, name[k], name[k], name[k], name[k], name[k], name[0], name[0], a[i].table,
                a[i].except != NULL ? " where not " : "", a[i].except != NULL ? a[i].except : "");
            snprintf(text, sizeof text, "create temp table kept as select * from main.%s", a[i].table);
            MADE(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK);
            int rc = sqlite3_exec(db, change, NULL, NULL, NULL);
            if (rc != SQLITE_OK) {
                printf("  # %s: %s\n", change, sqlite3_errmsg(db));
            }
            CU_ASSERT_EQUAL(rc, SQLITE_OK);
            sqlite3_free(change);
            const char *said = verdict(&f);
            snprintf(member, sizeof member, "%s/", a[i].table);
            bool good = strstr(said, member) != NULL || strstr(said, "generation") != NULL;
            if (!good) {
                printf("  # %s.%s: \"%s\"\n", a[i].table, name[k], said);
            }
            CU_ASSERT_TRUE(good);
            tried++;
            snprintf(text, sizeof text,
                     "delete from main.%s; insert into main.%s select * from temp.kept; drop table temp.kept",
                     a[i].table, a[i].table);
            MADE(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK);
        }
    }
    CU_ASSERT_STRING_EQUAL(verdict(&f), "");
    sqlite3_close(db);
    CU_ASSERT(tried > 60);
    fixture_close(&f);
}

static void test_column_is_named(void)
{
    struct fixture f;
    fixture_lived_in(&f);
    flip(&f, "entry", "not_after", 1, "entry_id");
    CU_ASSERT_PTR_NOT_NULL(strstr(verdict(&f), "row entry/1, column not_after is not as audit row "));
    fixture_close(&f);
    fixture_lived_in(&f);
    flip(&f, "entry", "der", 2, "entry_id");
    CU_ASSERT_PTR_NOT_NULL(strstr(verdict(&f), "row entry/2, column der is not as audit row "));
    fixture_close(&f);
}

/** The next change of the same row writes it anew, with what was altered: that must not make it true. */
static void test_alteration_is_not_washed_by_the_next_change(void)
{
    struct fixture f;
    fixture_lived_in(&f);
    MADE(sql(&f, "update entry set not_after=not_after+1 where entry_id=1") == SQLITE_OK);
    MADE(act_at(&f, KS_DO_SUSPEND, "acme-sign", 1, NOW + 10) == 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(verdict(&f), "row entry/1 was not as audit row "));
    fixture_close(&f);
}

static void test_counters_and_nodes_are_no_decisions(void)
{
    struct fixture f;
    ks_live *live = NULL;
    fixture_lived_in(&f);
    MADE(ks_report_node(f.s, "n1", NULL, 0, NOW, &f.e) == 0);
    MADE(ks_live_open(&live, f.uri, NULL, NOW, &f.e) == 0);
    const ks_snapshot *snapshot = ks_live_get(live);
    ks_use(live, snapshot, "acme-sign", 1, "10.2.0.7", true, NOW + 5);
    ks_snapshot_release(snapshot);
    MADE(ks_live_step(live, 0, NOW + 5, &f.e) >= 0);
    ks_live_close(live);
    CU_ASSERT_STRING_EQUAL(verdict(&f), "");
    fixture_close(&f);
}

static void copy_file(const char *from, const char *to)
{
    static char buf[4 * 1024 * 1024];
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    MADE(in != NULL && out != NULL);
    size_t n = fread(buf, 1, sizeof buf, in);
    MADE(fwrite(buf, 1, n, out) == n && fclose(out) == 0);
    fclose(in);
}

/** Cut the log and all that it wrote after a generation, so that the rest is whole in itself: an older copy put back.
 */
static void put_older_copy_back(struct fixture *f, char *kept)
{
    char copy[4500];
    snprintf(copy, sizeof copy, "%s.copy", f->path);
    MADE(sql(f, "pragma wal_checkpoint(truncate)") == SQLITE_OK);
    copy_file(f->path, copy);
    MADE(act_at(f, KS_DO_SUSPEND, "acme-sign", 1, NOW + 20) == 0);
    CU_ASSERT_STRING_EQUAL(verdict(f), "");
    if (kept != NULL) { /* the last line, noted elsewhere */
        snprintf(copy, sizeof copy, "%s.checkpoints", f->path);
        FILE *in = fopen(copy, "r");
        MADE(in != NULL);
        while (fgets(kept, 512, in) != NULL) {
        }
        fclose(in);
        snprintf(copy, sizeof copy, "%s.copy", f->path);
    }
    fixture_close(f);
    copy_file(copy, f->path);
    snprintf(copy, sizeof copy, "%s-wal", f->path);
    (void)unlink(copy);
    MADE(ks_open(&f->s, f->uri, NULL, &f->e) == 0);
}

static void test_older_copy_put_back_is_named(void)
{
    struct fixture f;
    char line[512] = "";
    char path[4500];
    char text[512] = "";
    uint64_t rows = 0;
    fixture_lived_in(&f);
    put_older_copy_back(&f, line);
    CU_ASSERT_PTR_NOT_NULL(strstr(verdict(&f), "The log was cut, or an older copy of the store was put back"));
    /* and when the work goes on from it */
    MADE(act_at(&f, KS_DO_SUSPEND, "acme-sign", 1, NOW + 30) == 0);
    MADE(act_at(&f, KS_DO_RESUME, "acme-sign", 1, NOW + 40) == 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(verdict(&f), "is another one than the checkpoint of 2026-06-01T00:00:20Z saw"));
    /* the checkpoints beside the store rolled back with it: what was noted elsewhere tells */
    snprintf(path, sizeof path, "%s.checkpoints", f.path);
    MADE(unlink(path) == 0);
    CU_ASSERT_STRING_EQUAL(verdict(&f), "");
    CU_ASSERT_EQUAL(ks_audit_verify_from(f.s, line, &rows, text, sizeof text, &f.e), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "is another one than the checkpoint"));
    fixture_close(&f);
}

/** Put back while a process follows, in the same file: what it serves stays. */
static void test_node_does_not_follow_a_store_that_was_rolled_back(void)
{
    struct fixture f;
    ks_live *live = NULL;
    fixture_lived_in(&f);
    uint64_t before = ks_generation(f.s);
    char rows[256];
    MADE(act_at(&f, KS_DO_SUSPEND, "acme-sign", 1, NOW + 20) == 0);
    MADE(ks_live_open(&live, f.uri, &(ks_options){.read_only = true}, NOW, &f.e) == 0);
    snprintf(rows, sizeof rows,
             UNLOCK "delete from audit where seq > (select audit_seq from generation where gen=%llu); "
                    "delete from generation where gen>%llu; update entry set version=%llu where version>%llu",
             (unsigned long long)before, (unsigned long long)before, (unsigned long long)before,
             (unsigned long long)before);
    MADE(sql(&f, rows) == SQLITE_OK);
    cs_error_clear(&f.e);
    CU_ASSERT_EQUAL(ks_live_step(live, 0, NOW + 21, &f.e), -1);
    CU_ASSERT_STRING_EQUAL(f.e.reason, "store-behind");
    MADE(act_at(&f, KS_DO_RESUME, "acme-sign", 1, NOW + 30) == 0);
    MADE(act_at(&f, KS_DO_SUSPEND, "acme-sign", 1, NOW + 40) == 0);
    cs_error_clear(&f.e);
    CU_ASSERT_EQUAL(ks_live_step(live, 0, NOW + 41, &f.e), -1);
    CU_ASSERT_STRING_EQUAL(f.e.reason, "store-differs");
    ks_live_close(live);
    fixture_close(&f);
}

static long checkpoints_size(const struct fixture *f)
{
    char path[4500];
    struct stat st;
    snprintf(path, sizeof path, "%s.checkpoints", f->path);
    MADE(stat(path, &st) == 0);
    return (long)st.st_size;
}

/** Scheduling and messages that wait were committed past the checkpoints: a log cut behind them went unnoticed. */
static void test_every_change_leaves_its_checkpoint(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    ks_request r = {.verb = KS_DO_DEACTIVATE, .alias = "acme-sign", .n = 1, .at = NOW + CS_DAY};
    long size = checkpoints_size(&f);
    MADE(ks_change(f.s, &r, &actor, NOW + 1, &f.out, &f.e) == 0);
    CU_ASSERT(checkpoints_size(&f) > size);
    size = checkpoints_size(&f);
    r.cancel = true;
    MADE(ks_change(f.s, &r, &actor, NOW + 2, &f.out, &f.e) == 0);
    CU_ASSERT(checkpoints_size(&f) > size);
    size = checkpoints_size(&f);
    MADE(ks_open_message(f.s, &(ks_waiting){"queue/7", "acme-sign", 1, true}, false, &actor, NOW + 3, &f.out, &f.e) ==
         0);
    CU_ASSERT(checkpoints_size(&f) > size);
    made_free(&m);
    fixture_close(&f);
}

static void test_checkpoint_of_nobody_is_not_believed(void)
{
    struct fixture f;
    char line[512] = "";
    char other[512];
    char text[512] = "";
    uint64_t rows = 0;
    fixture_lived_in(&f);
    char path[4500];
    snprintf(path, sizeof path, "%s.checkpoints", f.path);
    FILE *in = fopen(path, "r");
    MADE(in != NULL && fgets(line, sizeof line, in) != NULL);
    fclose(in);
    CU_ASSERT_EQUAL(ks_audit_verify_from(f.s, line, &rows, text, sizeof text, &f.e), 0);
    /* every octet of it is signed */
    size_t n = strlen(line) - 1;
    size_t refused = 0;
    for (size_t i = 0; i < n; i++) {
        memcpy(other, line, sizeof other);
        other[i] = other[i] == '5' ? '6' : '5';
        cs_error_clear(&f.e);
        refused += ks_audit_verify_from(f.s, other, &rows, text, sizeof text, &f.e) != 0;
        i += n / 40;
    }
    CU_ASSERT(refused >= 38);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_audit_verify_from(f.s, "nonsense", &rows, text, sizeof text, &f.e)), CS_EXIT_USAGE);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_audit_verify_from(f.s, "", &rows, text, sizeof text, &f.e)), CS_EXIT_USAGE);
    fixture_close(&f);
}

static void test_line_cut_by_a_crash_is_no_alarm(void)
{
    struct fixture f;
    char path[4500];
    fixture_lived_in(&f);
    snprintf(path, sizeof path, "%s.checkpoints", f.path);
    FILE *out = fopen(path, "a");
    MADE(out != NULL && fputs("cs-checkpoint-1 0123", out) >= 0 && fclose(out) == 0);
    CU_ASSERT_STRING_EQUAL(verdict(&f), "");
    fixture_close(&f);
}

const struct harness_test harness_tests[] = {
    {"altered_log_is_named_by_its_first_broken_row", test_altered_log_is_named_by_its_first_broken_row},
    {"row_put_there_or_taken_away_is_named", test_row_put_there_or_taken_away_is_named},
    {"one_changed_value_in_any_column_is_named", test_one_changed_value_in_any_column_is_named},
    {"column_is_named", test_column_is_named},
    {"alteration_is_not_washed_by_the_next_change", test_alteration_is_not_washed_by_the_next_change},
    {"counters_and_nodes_are_no_decisions", test_counters_and_nodes_are_no_decisions},
    {"older_copy_put_back_is_named", test_older_copy_put_back_is_named},
    {"node_does_not_follow_a_store_that_was_rolled_back", test_node_does_not_follow_a_store_that_was_rolled_back},
    {"every_change_leaves_its_checkpoint", test_every_change_leaves_its_checkpoint},
    {"checkpoint_of_nobody_is_not_believed", test_checkpoint_of_nobody_is_not_believed},
    {"line_cut_by_a_crash_is_no_alarm", test_line_cut_by_a_crash_is_no_alarm},
    {NULL, NULL},
};
