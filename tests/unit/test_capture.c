/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_capture.c: records of a capture to text and back, and segments on disk: whatever octet a crash cuts at, whatever
 * size a full disk stops at, the chain goes on behind the last whole record.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway/capture_file.h"
#include "gateway/capture_tar.h"
#include "tests/unit/harness.h"

const char *const harness_suite = "capture";

int harness_setup(void)
{
    cs_log_setup(CS_LOG_HUMAN, CS_LOG_ERROR, STDERR_FILENO);
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

#define NOW INT64_C(1785710410123)

static struct cs_capture_record sample(void)
{
    struct cs_capture_record r = {.kind = CS_CAPTURE_MESSAGE, .segment = 3, .record = 17, .at_ms = NOW, .size = 7};
    snprintf(r.stream, sizeof r.stream, "n1.0");
    snprintf(r.exchange, sizeof r.exchange, "6e0f");
    snprintf(r.route, sizeof r.route, "orders");
    snprintf(r.partner, sizeof r.partner, "acme");
    snprintf(r.verdict, sizeof r.verdict, "pass");
    snprintf(r.reason, sizeof r.reason, "ok");
    memset(r.prev, 0xab, sizeof r.prev);
    return r;
}

static void a_record_comes_back_as_it_was_written(void)
{
    for (int kind = 0; kind < CS_CAPTURE_KINDS; kind++) {
        struct cs_capture_record r = sample();
        struct cs_capture_record back;
        char text[CS_CAPTURE_TEXT];
        r.kind = (enum cs_capture_kind)kind;
        r.count = 4;
        size_t n = cs_capture_write(&r, text);
        CU_ASSERT_EQUAL_FATAL(cs_capture_read(text, n, &back), 0);
        CU_ASSERT_EQUAL((int)back.kind, kind);
        CU_ASSERT_EQUAL(back.record, 17);
        CU_ASSERT_EQUAL(back.at_ms, NOW);
        CU_ASSERT_EQUAL(memcmp(back.hash, r.hash, sizeof r.hash), 0);
        if (kind == CS_CAPTURE_MESSAGE) {
            CU_ASSERT_STRING_EQUAL(back.partner, "acme");
            CU_ASSERT_EQUAL(back.size, 7);
        }
    }
}

static void a_record_with_any_octet_changed_is_none(void)
{
    struct cs_capture_record r = sample();
    struct cs_capture_record back;
    char text[CS_CAPTURE_TEXT];
    size_t n = cs_capture_write(&r, text);
    for (size_t i = 0; i < n; i++) {
        text[i] ^= 1;
        CU_ASSERT_EQUAL(cs_capture_read(text, n, &back), -1);
        text[i] ^= 1;
        CU_ASSERT_EQUAL(cs_capture_read(text, i, &back), -1);
    }
    CU_ASSERT_EQUAL(cs_capture_read(text, n, &back), 0);
}

static void a_word_cannot_make_a_field(void)
{
    struct cs_capture_record r = sample();
    struct cs_capture_record back;
    char text[CS_CAPTURE_TEXT];
    snprintf(r.route, sizeof r.route, "a verdict=fail\n");
    r.partner[0] = '\0';
    size_t n = cs_capture_write(&r, text);
    CU_ASSERT_EQUAL_FATAL(cs_capture_read(text, n, &back), 0);
    CU_ASSERT_STRING_EQUAL(back.route, "a_verdict_fail_");
    CU_ASSERT_STRING_EQUAL(back.partner, "-");
    CU_ASSERT_STRING_EQUAL(back.verdict, "pass");
}

/* ---- segments ---------------------------------------------------------------------------------------------------- */

static const char *new_place(void)
{
    static unsigned number;
    static char path[256];
    snprintf(path, sizeof path, "%s/c%u", harness_dir(), number++);
    CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
    return path;
}

static int add(struct capture_file *f, const char *content)
{
    struct cs_capture_record r = sample();
    struct wssec_slice s[2] = {{(const uint8_t *)content, 3}, {(const uint8_t *)content + 3, strlen(content) - 3}};
    return capture_file_add(f, &r, s, 2, 0);
}

/* Follows all closed segments by number. @return messages, -1: the chain is broken */
static int count_messages(const char *place)
{
    int n = 0;
    for (unsigned segment = 1;; segment++) {
        char path[320];
        struct capture_walk w;
        struct stat st;
        snprintf(path, sizeof path, "%s/n1.0-%08u.tar", place, segment);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            return n;
        }
        bool good = capture_tar_walk(fd, &w) == 0 && w.ended && fstat(fd, &st) == 0 &&
                    w.octets + 2 * CAPTURE_BLOCK == (uint64_t)st.st_size && w.last.count == w.messages;
        close(fd);
        if (!good || (segment == 1 && w.last.record != w.records)) {
            return -1;
        }
        n += (int)w.messages;
    }
}

static void segments_go_on_where_the_last_process_ended(void)
{
    const char *place = new_place();
    struct capture_file f;
    cs_error e = {0};
    uint64_t record = 0;
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL_FATAL(capture_file_open(&f, place, "n1", NOW, &e), 0);
        CU_ASSERT_EQUAL(f.record, record);
        CU_ASSERT_EQUAL(add(&f, "one message"), 0);
        CU_ASSERT_EQUAL(add(&f, "another message"), 0);
        CU_ASSERT_EQUAL(capture_file_end(&f, NOW), 0);
        record = f.record;
        capture_file_close(&f);
    }
    CU_ASSERT_EQUAL(record, 12);
    CU_ASSERT_EQUAL(count_messages(place), 6);
}

static void without_its_state_the_chain_is_found_in_the_newest_segment(void)
{
    const char *place = new_place();
    char state[300];
    struct capture_file f;
    cs_error e = {0};
    CU_ASSERT_EQUAL_FATAL(capture_file_open(&f, place, "n1", NOW, &e), 0);
    CU_ASSERT_EQUAL(add(&f, "one message"), 0);
    CU_ASSERT_EQUAL(capture_file_end(&f, NOW), 0);
    capture_file_close(&f);
    snprintf(state, sizeof state, "%s/n1.0.state", place);
    CU_ASSERT_EQUAL(unlink(state), 0);
    CU_ASSERT_EQUAL_FATAL(capture_file_open(&f, place, "n1", NOW, &e), 0);
    CU_ASSERT_EQUAL(f.segment, 1);
    CU_ASSERT_EQUAL(f.record, 3);
    capture_file_close(&f);
}

static void a_segment_cut_at_any_octet_keeps_its_whole_records(void)
{
    const char *place = new_place();
    char path[300];
    char whole[16384];
    struct capture_file f;
    cs_error e = {0};
    CU_ASSERT_EQUAL_FATAL(capture_file_open(&f, place, "n1", NOW, &e), 0);
    CU_ASSERT_EQUAL(add(&f, "one message"), 0);
    CU_ASSERT_EQUAL(add(&f, "another message"), 0);
    capture_file_close(&f);
    snprintf(path, sizeof path, "%s/n1.0-00000001.open", place);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, whole, sizeof whole);
    close(fd);
    CU_ASSERT_TRUE_FATAL(n > 4096 && n < (ssize_t)sizeof whole);
    for (ssize_t cut = 0; cut <= n; cut += 131) {
        struct capture_walk w;
        const char *other = new_place();
        snprintf(path, sizeof path, "%s/n1.0-00000001.open", other);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        CU_ASSERT_EQUAL_FATAL(write(fd, whole, (size_t)cut), cut);
        CU_ASSERT_EQUAL(capture_tar_walk(fd, &w), 0);
        close(fd);
        CU_ASSERT_EQUAL_FATAL(capture_file_open(&f, other, "n1", NOW, &e), 0);
        CU_ASSERT_EQUAL(add(&f, "a third message"), 0);
        CU_ASSERT_EQUAL(capture_file_end(&f, NOW), 0);
        capture_file_close(&f);
        CU_ASSERT_EQUAL(count_messages(other), (int)w.messages + 1);
    }
}

static int full_child(const char *place, rlim_t limit)
{
    struct capture_file f;
    cs_error e = {0};
    struct rlimit l = {limit, limit};
    if (capture_file_open(&f, place, "n1", NOW, &e) != 0 || setrlimit(RLIMIT_FSIZE, &l) != 0) {
        return 100;
    }
    int kept = 0;
    for (int i = 0; i < 4; i++) {
        kept += add(&f, "a message that may not fit") == 0;
    }
    return capture_file_end(&f, NOW) == 0 ? kept : kept + 50; /* no room for the end: the next process writes it */
}

static void a_disk_that_ends_at_any_octet_leaves_whole_records(void)
{
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = 512; limit < 12000; limit += 503) {
        const char *place = new_place();
        struct capture_file f;
        cs_error e = {0};
        int status = 0;
        pid_t child = fork();
        if (child == 0) {
            _exit(full_child(place, limit));
        }
        CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);
        CU_ASSERT_TRUE_FATAL(WIFEXITED(status) && WEXITSTATUS(status) < 100);
        CU_ASSERT_EQUAL_FATAL(capture_file_open(&f, place, "n1", NOW, &e), 0);
        CU_ASSERT_EQUAL(add(&f, "behind it"), 0);
        CU_ASSERT_EQUAL(capture_file_end(&f, NOW), 0);
        capture_file_close(&f);
        CU_ASSERT_EQUAL(count_messages(place), WEXITSTATUS(status) % 50 + 1);
    }
}

static void beyond_the_quota_nothing_is_written(void)
{
    const char *place = new_place();
    struct capture_file f;
    cs_error e = {0};
    struct cs_capture_record r = sample();
    static const uint8_t much[65536];
    struct wssec_slice s = {much, sizeof much};
    CU_ASSERT_EQUAL_FATAL(capture_file_open(&f, place, "n1", NOW, &e), 0);
    CU_ASSERT_EQUAL(capture_file_add(&f, &r, &s, 1, 80000), 0);
    uint64_t before = f.octets;
    CU_ASSERT_EQUAL(capture_file_add(&f, &r, &s, 1, 80000), -1);
    CU_ASSERT_EQUAL(errno, EDQUOT);
    CU_ASSERT_EQUAL(f.octets, before);
    CU_ASSERT_EQUAL(capture_file_end(&f, NOW), 0);
    capture_file_close(&f);
    CU_ASSERT_EQUAL(count_messages(place), 1);
}

const struct harness_test harness_tests[] = {
    {"a record comes back as it was written", a_record_comes_back_as_it_was_written},
    {"a record with any octet changed is none", a_record_with_any_octet_changed_is_none},
    {"a word cannot make a field", a_word_cannot_make_a_field},
    {"segments go on where the last process ended", segments_go_on_where_the_last_process_ended},
    {"without its state the chain is found in the newest segment",
     without_its_state_the_chain_is_found_in_the_newest_segment},
    {"a segment cut at any octet keeps its whole records", a_segment_cut_at_any_octet_keeps_its_whole_records},
    {"a disk that ends at any octet leaves whole records", a_disk_that_ends_at_any_octet_leaves_whole_records},
    {"beyond the quota nothing is written", beyond_the_quota_nothing_is_written},
    {NULL, NULL}};
