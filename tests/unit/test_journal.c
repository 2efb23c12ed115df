/* SPDX-License-Identifier: Apache-2.0 */
/* test_journal.c: what a run writes is what is read of it; a torn line costs that line alone. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/journal.h"
#include "archive/run.h"
#include "base/text.h"
#include "tests/unit/harness.h"

const char *const harness_suite = "journal";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

/* ---- material ------------------------------------------------------------------------------------------------------
 */

static struct archive_run a_run(void)
{
    struct archive_run run = {.started = 1790000000, .generation = 57, .order = ARCHIVE_ORDER_INIT};
    CU_ASSERT_EQUAL_FATAL(archive_run_id(run.started, run.id), 0);
    (void)cs_copy(run.version, sizeof run.version, "1.2.3");
    (void)cs_copy(run.policy_sha256, sizeof run.policy_sha256, "3b1f");
    CU_ASSERT_EQUAL_FATAL(archive_texts_add(&run.order.path, "in/2026"), 0);
    CU_ASSERT_EQUAL_FATAL(archive_texts_add(&run.order.path, "odd \"name\"\\"), 0);
    CU_ASSERT_EQUAL_FATAL(archive_texts_add(&run.order.received, "name:([0-9]{8}T[0-9]{6}Z)"), 0);
    run.order.directory = strdup("/srv");
    run.order.partner = strdup("acme");
    run.order.as_of = 1700000000;
    run.order.trust_claimed = true;
    run.order.shard = 3;
    run.order.shards = 4;
    return run;
}

/* The record of item seq; every member is another than its default. */
static struct archive_record a_record(uint64_t seq)
{
    struct archive_record r = {.seq = seq, .size = 4000 + seq, .has_payload = true, .us = 742, .has_state = true};
    struct wssec_verdict *v = &r.v;
    CU_ASSERT_TRUE_FATAL(asprintf(&r.loc, "2026/\"a\\%%21\".tar.zst!m/%08llu.as4in#0", (unsigned long long)seq) > 0);
    memset(r.payload_sha256, (int)seq, sizeof r.payload_sha256);
    (void)cs_copy(r.run, sizeof r.run, "01JD8Z0000000000000000000A");
    (void)cs_copy(r.partner, sizeof r.partner, "acme");
    v->verdict = WSSEC_FAIL;
    v->reason = WSSEC_CERTIFICATE_ARCHIVED;
    (void)cs_copy(v->detail, sizeof v->detail, "it was archived");
    v->t = 1785710410;
    v->time_source = WSSEC_TIME_RECEIVED;
    v->claimed = 1785710408;
    v->has_certificate = true;
    (void)cs_copy(v->certificate.alias, sizeof v->certificate.alias, "acme-sign");
    v->certificate.ordinal = 2;
    memset(v->certificate.sha256, 0x51, 32);
    memset(v->certificate.spki_sha256, 0x77, 32);
    v->certificate.state = WSSEC_ARCHIVED;
    v->certificate.not_after = 1800000000;
    v->certificate.process_stop = 1790000000;
    v->n_also = 1;
    v->also_matches[0] = v->certificate;
    v->also_matches[0].ordinal = 1;
    (void)cs_copy(v->algorithm, sizeof v->algorithm, "rsa-sha256");
    (void)cs_copy(v->canonicalization, sizeof v->canonicalization, "exclusive");
    v->key_reference = WSSEC_KEYREF_THUMBPRINT;
    v->n_reference = 2;
    (void)cs_copy(v->reference[0].uri, sizeof v->reference[0].uri, "#Body");
    (void)cs_copy(v->reference[0].digest, sizeof v->reference[0].digest, "sha256");
    v->reference[0].ok = v->reference[0].judged = true;
    (void)cs_copy(v->reference[1].uri, sizeof v->reference[1].uri, "#TS");
    (void)cs_copy(v->reference[1].digest, sizeof v->reference[1].digest, "sha512");
    v->n_covers = 2;
    (void)cs_copy(v->covers[0], sizeof v->covers[0], "Body");
    (void)cs_copy(v->covers[1], sizeof v->covers[1], "Timestamp");
    v->generation = 57;
    (void)cs_copy(v->policy, sizeof v->policy, "response-default");
    v->n_notes = 1;
    (void)cs_copy(v->notes[0], sizeof v->notes[0], "expired-since 2026-12-04");
    v->has_decrypted_with = true;
    (void)cs_copy(v->decrypted_with.alias, sizeof v->decrypted_with.alias, "own-crypt");
    v->decrypted_with.ordinal = 3;
    r.facts = WSSEC_OK;
    r.verdict_now = WSSEC_INDETERMINATE;
    r.reason_now = WSSEC_TIME_UNKNOWN;
    r.state_at_t = WSSEC_DEACTIVATED;
    (void)cs_copy(r.sub_indication, sizeof r.sub_indication, "NO_POE");
    r.dup_of = 7;
    return r;
}

static const char *place(const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", harness_dir(), name);
    return path;
}

/* A journal of n records. */
static void write_journal(const char *directory, uint64_t n)
{
    struct archive_journal *j = NULL;
    cs_error e = {0};
    struct archive_run run = a_run();
    CU_ASSERT_EQUAL_FATAL(archive_journal_create(&j, directory, &run, &e), 0);
    for (uint64_t i = 1; i <= n; i++) {
        struct archive_record r = a_record(i);
        CU_ASSERT_EQUAL_FATAL(archive_journal_add(j, &r, &e), 0);
        archive_record_clear(&r);
    }
    CU_ASSERT_EQUAL(archive_journal_pending(j), n);
    CU_ASSERT_EQUAL(archive_journal_flush(j, true, &e), 0);
    CU_ASSERT_EQUAL(archive_journal_pending(j), 0);
    archive_journal_close(j);
    archive_run_clear(&run);
}

/* @return records in it, which count from 1 without a gap */
static uint64_t count(const char *directory, bool *torn)
{
    struct archive_reader *reader = NULL;
    struct archive_record r;
    cs_error e = {0};
    uint64_t n = 0;
    CU_ASSERT_EQUAL_FATAL(archive_reader_open(&reader, directory, NULL, &e), 0);
    while (archive_reader_next(reader, &r, &e) == 1) {
        CU_ASSERT_EQUAL(r.seq, ++n);
        archive_record_clear(&r);
    }
    archive_record_clear(&r);
    CU_ASSERT_EQUAL(e.exit_code, 0);
    *torn = archive_reader_torn(reader);
    archive_reader_close(reader);
    return n;
}

static void append(const char *directory, const char *text)
{
    char path[600];
    (void)snprintf(path, sizeof path, "%s/" ARCHIVE_RESULTS_FILE, directory);
    int fd = open(path, O_WRONLY | O_APPEND);
    CU_ASSERT_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* ---- tests ---------------------------------------------------------------------------------------------------------
 */

static void a_record_comes_back_as_it_was(void)
{
    cs_buf first = CS_BUF_INIT;
    cs_buf second = CS_BUF_INIT;
    cs_buf loc = CS_BUF_INIT;
    cs_error e = {0};
    struct archive_record r = a_record(9);
    struct archive_record back;
    uint64_t seq = 0;
    uint64_t size = 0;
    archive_record_write(&r, &first);
    CU_ASSERT_EQUAL_FATAL(archive_record_read(&back, first.data, first.len, &e), 0);
    archive_record_write(&back, &second);
    CU_ASSERT_STRING_EQUAL(first.data, second.data);
    CU_ASSERT_EQUAL(back.facts, WSSEC_OK);
    CU_ASSERT_EQUAL(back.v.reason, WSSEC_CERTIFICATE_ARCHIVED);
    CU_ASSERT_FALSE(back.v.reference[1].judged);
    CU_ASSERT_EQUAL(archive_record_key(first.data, first.len, &seq, &size, &loc), 0);
    CU_ASSERT_EQUAL(seq, 9);
    CU_ASSERT_EQUAL(size, 4009);
    CU_ASSERT_STRING_EQUAL(loc.data, r.loc);
    archive_record_clear(&r);
    archive_record_clear(&back);
    cs_buf_free(&first);
    cs_buf_free(&second);
    cs_buf_free(&loc);
}

static void damaged_records_are_refused(void)
{
    static const char *const bad[] = {
        "", "{}\n", "[]\n", "{\"v\":2,\"seq\":1,\"size\":1,\"loc\":\"a\"}\n", "{\"v\":1,\"seq\":-1}\n", "\xff\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cs_error e = {0};
        struct archive_record r;
        CU_ASSERT_EQUAL(archive_record_read(&r, bad[i], strlen(bad[i]), &e), -1);
        CU_ASSERT_EQUAL(e.exit_code, CS_EXIT_CONFIG);
        archive_record_clear(&r);
    }
}

static void an_order_comes_back_as_it_was(void)
{
    cs_buf first = CS_BUF_INIT;
    cs_buf second = CS_BUF_INIT;
    cs_error e = {0};
    struct archive_run run = a_run();
    struct archive_run back;
    archive_run_write(&run, &first);
    CU_ASSERT_EQUAL_FATAL(archive_run_read(&back, first.data, first.len, &e), 0);
    archive_run_write(&back, &second);
    CU_ASSERT_STRING_EQUAL(first.data, second.data);
    CU_ASSERT_EQUAL(back.order.shards, 4);
    CU_ASSERT_EQUAL(back.order.max_member, (uint64_t)64 << 20);
    archive_run_clear(&back);
    CU_ASSERT_EQUAL(archive_run_read(&back, "{\"v\":1}", 7, &e), -1);
    archive_run_clear(&back);
    archive_run_clear(&run);
    cs_buf_free(&first);
    cs_buf_free(&second);
}

static void a_torn_line_costs_itself_alone(void)
{
    const char *directory = place("torn");
    struct archive_journal *j = NULL;
    struct archive_run run;
    cs_error e = {0};
    bool torn = false;
    write_journal(directory, 20);
    append(directory, "{\"v\":1,\"seq\":21,\"si");
    CU_ASSERT_EQUAL(count(directory, &torn), 20);
    CU_ASSERT_TRUE(torn);
    CU_ASSERT_EQUAL_FATAL(archive_journal_resume(&j, directory, &run, &e), 0);
    CU_ASSERT_EQUAL(run.generation, 57);
    struct archive_record r = a_record(21);
    CU_ASSERT_EQUAL(archive_journal_add(j, &r, &e), 0);
    CU_ASSERT_EQUAL(archive_journal_flush(j, true, &e), 0);
    archive_record_clear(&r);
    archive_journal_close(j);
    archive_run_clear(&run);
    CU_ASSERT_EQUAL(count(directory, &torn), 21);
    CU_ASSERT_FALSE(torn);
}

static void a_file_without_any_line_end_is_empty(void)
{
    const char *directory = place("half");
    struct archive_journal *j = NULL;
    struct archive_run run;
    cs_error e = {0};
    bool torn = false;
    write_journal(directory, 0);
    append(directory, "{\"v\":1,");
    CU_ASSERT_EQUAL_FATAL(archive_journal_resume(&j, directory, &run, &e), 0);
    archive_journal_close(j);
    archive_run_clear(&run);
    CU_ASSERT_EQUAL(count(directory, &torn), 0);
    CU_ASSERT_FALSE(torn);
}

static void one_process_writes_at_a_time(void)
{
    const char *directory = place("busy");
    struct archive_journal *first = NULL;
    struct archive_journal *second = NULL;
    struct archive_run run;
    struct archive_run again;
    cs_error e = {0};
    write_journal(directory, 1);
    CU_ASSERT_EQUAL_FATAL(archive_journal_resume(&first, directory, &run, &e), 0);
    CU_ASSERT_EQUAL(archive_journal_resume(&second, directory, &again, &e), -1);
    CU_ASSERT_EQUAL(e.exit_code, CS_EXIT_UNAVAILABLE);
    CU_ASSERT_STRING_EQUAL(e.reason, "journal-busy");
    archive_journal_close(first);
    archive_run_clear(&run);
    archive_run_clear(&again);
}

static void a_run_is_not_begun_over_another(void)
{
    const char *directory = place("twice");
    struct archive_journal *j = NULL;
    cs_error e = {0};
    write_journal(directory, 1);
    struct archive_run run = a_run();
    CU_ASSERT_EQUAL(archive_journal_create(&j, directory, &run, &e), -1);
    CU_ASSERT_EQUAL(e.exit_code, CS_EXIT_USAGE);
    archive_run_clear(&run);
}

/* The limit on the size of files stands for a full disk: both give back what was written of a line. */
static void a_full_disk_leaves_whole_records(void)
{
    const char *directory = place("full");
    struct rlimit before;
    struct rlimit small;
    struct archive_journal *j = NULL;
    cs_error e = {0};
    bool torn = false;
    struct archive_run run = a_run();
    CU_ASSERT_EQUAL_FATAL(archive_journal_create(&j, directory, &run, &e), 0);
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 100000;
    (void)signal(SIGXFSZ, SIG_IGN);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = 0;
    for (uint64_t i = 1; rc == 0 && i < 1000; i++) {
        struct archive_record r = a_record(i);
        rc = archive_journal_add(j, &r, &e);
        rc = rc == 0 && i % 10 == 0 ? archive_journal_flush(j, false, &e) : rc;
        archive_record_clear(&r);
    }
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
    CU_ASSERT_EQUAL(rc, -1);
    CU_ASSERT_EQUAL(e.exit_code, CS_EXIT_STOPPED);
    CU_ASSERT_EQUAL(archive_journal_flush(j, true, &e), -1);
    archive_journal_close(j);
    archive_run_clear(&run);
    uint64_t n = count(directory, &torn);
    CU_ASSERT_TRUE(n > 0 && n % 10 == 0);
    CU_ASSERT_FALSE(torn);
}

static void an_unnamed_journal_is_read_back(void)
{
    struct archive_journal *j = NULL;
    struct archive_reader *reader = NULL;
    struct archive_record r = a_record(1);
    cs_error e = {0};
    struct archive_run run = a_run();
    CU_ASSERT_EQUAL_FATAL(archive_journal_create(&j, NULL, &run, &e), 0);
    CU_ASSERT_EQUAL(archive_journal_add(j, &r, &e), 0);
    CU_ASSERT_EQUAL(archive_journal_flush(j, true, &e), 0);
    archive_record_clear(&r);
    CU_ASSERT_EQUAL_FATAL(archive_reader_fd(&reader, archive_journal_fd(j), &e), 0);
    CU_ASSERT_EQUAL(archive_reader_next(reader, &r, &e), 1);
    CU_ASSERT_EQUAL(r.seq, 1);
    archive_record_clear(&r);
    CU_ASSERT_EQUAL(archive_reader_next(reader, &r, &e), 0);
    archive_reader_close(reader);
    archive_journal_close(j);
    archive_run_clear(&run);
}

const struct harness_test harness_tests[] = {
    {"a record comes back as it was", a_record_comes_back_as_it_was},
    {"damaged records are refused", damaged_records_are_refused},
    {"an order comes back as it was", an_order_comes_back_as_it_was},
    {"a torn line costs itself alone", a_torn_line_costs_itself_alone},
    {"a file without any line end is empty", a_file_without_any_line_end_is_empty},
    {"one process writes at a time", one_process_writes_at_a_time},
    {"a run is not begun over another", a_run_is_not_begun_over_another},
    {"a full disk leaves whole records", a_full_disk_leaves_whole_records},
    {"an unnamed journal is read back", an_unnamed_journal_is_read_back},
    {NULL, NULL},
};
