/* SPDX-License-Identifier: Apache-2.0 */
/* test_done.c: what a journal holds is found again, and nothing else; the newest payloads are told apart. */
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/done.h"
#include "tests/unit/harness.h"

#define ITEMS 70000 /* more than one in most buckets */

const char *const harness_suite = "done";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

/* @return a journal of the first n items in an unnamed file; extra: one more line */
static int journal_of(unsigned n, const char *extra)
{
    int fd = open(harness_dir(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    FILE *out = fdopen(dup(fd), "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    for (unsigned i = 1; i <= n; i++) {
        fprintf(out,
                "{\"v\":1,\"seq\":%u,\"size\":10,\"loc\":\"in/%u.xml\",\"verdict\":\"%s\",\"time_source\":\"now\"}\n",
                i, i, i % 10 == 0 ? "fail" : "pass");
    }
    fputs(extra, out);
    CU_ASSERT_EQUAL_FATAL(fclose(out), 0);
    return fd;
}

static int read_journal(int fd, struct archive_done **done, struct archive_counts *counts, uint64_t *last)
{
    struct archive_reader *reader = NULL;
    cs_error e = {0};
    memset(counts, 0, sizeof *counts);
    CU_ASSERT_EQUAL_FATAL(archive_reader_fd(&reader, fd, &e), 0);
    int rc = archive_done_read(done, reader, NULL, counts, last, &e);
    CU_ASSERT_EQUAL(e.exit_code, rc == 0 ? 0 : CS_EXIT_CONFIG);
    archive_reader_close(reader);
    cs_error_clear(&e);
    close(fd);
    return rc;
}

static void every_item_is_found_and_no_other(void)
{
    struct archive_done *done = NULL;
    struct archive_counts counts;
    uint64_t last = 0;
    char loc[64];
    unsigned missing = 0;
    unsigned invented = 0;
    CU_ASSERT_EQUAL_FATAL(read_journal(journal_of(ITEMS, ""), &done, &counts, &last), 0);
    CU_ASSERT_EQUAL(last, ITEMS);
    CU_ASSERT_EQUAL(counts.items, ITEMS);
    CU_ASSERT_EQUAL(counts.verdict[WSSEC_FAIL], ITEMS / 10);
    for (unsigned i = 1; i <= 2 * ITEMS; i++) {
        snprintf(loc, sizeof loc, "in/%u.xml", i);
        bool has = archive_done_has(done, loc);
        missing += i <= ITEMS && !has;
        invented += i > ITEMS && has;
    }
    CU_ASSERT_EQUAL(missing, 0);
    CU_ASSERT_EQUAL(invented, 0);
    CU_ASSERT_TRUE(archive_done_octets(done) < (uint64_t)ITEMS * 16 * 2);
    archive_done_free(done);
}

static void an_empty_journal_has_nothing(void)
{
    struct archive_done *done = NULL;
    struct archive_counts counts;
    uint64_t last = 7;
    CU_ASSERT_EQUAL_FATAL(read_journal(journal_of(0, ""), &done, &counts, &last), 0);
    CU_ASSERT_EQUAL(last, 0);
    CU_ASSERT_FALSE(archive_done_has(done, ""));
    archive_done_free(done);
}

static void a_line_that_is_no_record_is_told(void)
{
    struct archive_done *done = NULL;
    struct archive_counts counts;
    uint64_t last = 0;
    CU_ASSERT_EQUAL(read_journal(journal_of(3, "{\"v\":1,\"loc\":\"in/4.xml\"}\n"), &done, &counts, &last), -1);
    CU_ASSERT_EQUAL(read_journal(journal_of(3, "{\"v\":1,\"seq\":4,\"size\":1,\"loc\":\"in/4"), &done, &counts, &last),
                    0);
    CU_ASSERT_EQUAL(last, 3); /* torn: no record */
    archive_done_free(done);
}

static void hash_of(unsigned i, uint8_t out[32])
{
    CU_ASSERT_EQUAL_FATAL(EVP_Digest(&i, sizeof i, out, NULL, EVP_sha256(), NULL), 1);
}

static void the_oldest_payload_gives_way(void)
{
    struct archive_payloads *p = archive_payloads_new(1000);
    uint8_t hash[32];
    unsigned wrong = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    for (unsigned i = 1; i <= 5000; i++) {
        hash_of(i, hash);
        wrong += archive_payloads_seen(p, hash, i) != 0;
        wrong += archive_payloads_seen(p, hash, i + 100000) != i;
        if (i > 999) {
            hash_of(i - 999, hash);
            wrong += archive_payloads_seen(p, hash, i + 100000) != i - 999;
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    hash_of(4000, hash);
    CU_ASSERT_EQUAL(archive_payloads_seen(p, hash, 9000), 0);
    archive_payloads_free(p);
}

const struct harness_test harness_tests[] = {
    {"every_item_is_found_and_no_other", every_item_is_found_and_no_other},
    {"an_empty_journal_has_nothing", an_empty_journal_has_nothing},
    {"a_line_that_is_no_record_is_told", a_line_that_is_no_record_is_told},
    {"the_oldest_payload_gives_way", the_oldest_payload_gives_way},
    {NULL, NULL},
};
