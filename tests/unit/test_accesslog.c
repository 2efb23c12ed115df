/* SPDX-License-Identifier: Apache-2.0 */
/* test_accesslog.c: the bounded ring of access lines: order, what is dropped and counted, who has more room, reopening.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/accesslog.h"
#include "tests/unit/harness.h"

const char *const harness_suite = "accesslog";

static char path[4160];

int harness_setup(void)
{
    return (size_t)snprintf(path, sizeof path, "%s/log", harness_dir()) < sizeof path ? 0 : -1;
}

int harness_teardown(void)
{
    return 0;
}

static char *text_of(const char *file)
{
    static char text[65536];
    int fd = open(file, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    text[n > 0 ? n : 0] = '\0';
    close(fd);
    return text;
}

static unsigned lines_of(const char *text)
{
    unsigned n = 0;
    for (; *text != '\0'; text++) {
        n += *text == '\n';
    }
    return n;
}

static void add(struct accesslog *log, const char *word, unsigned i, bool judged)
{
    char line[64];
    char address[16];
    snprintf(line, sizeof line, "%s%u", word, i);
    snprintf(address, sizeof address, "192.0.2.%u", i % 2);
    const struct accesslog_key key = {address, "http-fold", INT64_C(1700000000000) + i};
    accesslog_add(log, strdup(line), judged ? NULL : &key);
}

static void lines_come_out_in_their_order(void)
{
    cs_error e = {0};
    unlink(path);
    struct accesslog *log = accesslog_new(path, 64, &e);
    CU_ASSERT_PTR_NOT_NULL_FATAL(log);
    for (unsigned i = 0; i < 5; i++) {
        add(log, "line", i, true);
    }
    CU_ASSERT_FALSE(accesslog_off(log));
    accesslog_free(log);
    CU_ASSERT_STRING_EQUAL(text_of(path), "line0\nline1\nline2\nline3\nline4\n");
}

/* A reader that does not read: the thread stands in its write, so nothing leaves the ring. */
static void a_flood_of_refusals_leaves_room_for_verdicts(void)
{
    cs_error e = {0};
    unlink(path);
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    struct accesslog *log = accesslog_new(path, 16, &e);
    CU_ASSERT_PTR_NOT_NULL_FATAL(log);
    char *large = malloc(4 << 20); /* more than the pipe takes */
    CU_ASSERT_PTR_NOT_NULL_FATAL(large);
    memset(large, 'x', (4 << 20) - 1);
    large[(4 << 20) - 1] = '\0';
    accesslog_add(log, large, NULL);
    char octet;
    while (read(reader, &octet, 1) != 1) { /* the thread has taken the large line out of the ring */
        usleep(1000);
    }
    for (unsigned i = 0; i < 40; i++) {
        add(log, "refused", i, false);
    }
    CU_ASSERT_EQUAL(accesslog_dropped(log), 0); /* 24 had no room: they are merged */
    for (unsigned i = 0; i < 16; i++) {
        add(log, "judged", i, true);
    }
    add(log, "judged", 16, true);
    CU_ASSERT_EQUAL(accesslog_dropped(log), 1);
    size_t left = (4 << 20) - 2; /* one octet was read above */
    static char part[65536];
    fcntl(reader, F_SETFL, 0);
    while (left > 0) {
        ssize_t n = read(reader, part, left < sizeof part ? left : sizeof part);
        CU_ASSERT_TRUE_FATAL(n > 0);
        left -= (size_t)n;
    }
    size_t have = 0;
    part[0] = '\0';
    while (lines_of(part) < 35 && /* the end of the large line is one */
           have < sizeof part - 1) {
        ssize_t n = read(reader, part + have, sizeof part - 1 - have);
        CU_ASSERT_TRUE_FATAL(n > 0);
        have += (size_t)n;
        part[have] = '\0';
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(part, "refused15\njudged0\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(part, "judged15\n{"));
    const char *const merged[] = {"{\"v\":1,\"t\":\"2023-11-14T22:13:20.016Z\",\"until\":\"2023-11-14T22:13:20.038Z\","
                                  "\"merged\":12,\"client\":\"192.0.2.0\",\"reason\":\"http-fold\"}\n",
                                  "\"merged\":12,\"client\":\"192.0.2.1\",\"reason\":\"http-fold\"}\n"};
    for (size_t i = 0; i < 2; i++) {
        CU_ASSERT_PTR_NOT_NULL(strstr(part, merged[i]));
    }
    accesslog_free(log);
    close(reader);
}

static void merging_is_bounded_and_tells_within_a_second(void)
{
    static struct merge m;
    char address[16];
    for (unsigned i = 0; i < MERGE_ROWS; i++) {
        snprintf(address, sizeof address, "192.0.2.%u", i);
        CU_ASSERT_TRUE(merge_add(&m, &(struct accesslog_key){address, "http-fold", 5000 + i}));
    }
    CU_ASSERT_FALSE(merge_add(&m, &(struct accesslog_key){"192.0.2.0", "http-field", 5100}));
    CU_ASSERT_FALSE(merge_add(&m, &(struct accesslog_key){"198.51.100.1", "http-fold", 5100}));
    CU_ASSERT_TRUE(merge_add(&m, &(struct accesslog_key){"192.0.2.0", "http-fold", 5100}));
    CU_ASSERT_EQUAL(m.row[0].n, 2);
    CU_ASSERT_EQUAL(m.row[1].n, 1);
    CU_ASSERT_FALSE(merge_due(&m, 5999));
    CU_ASSERT_TRUE(merge_due(&m, 6000));
    m.n = 0;
    CU_ASSERT_FALSE(merge_due(&m, 9000));
}

static void a_new_file_is_taken_and_a_wrong_one_changes_nothing(void)
{
    char moved[sizeof path + 2];
    cs_error e = {0};
    unlink(path);
    struct accesslog *log = accesslog_new(path, 16, &e);
    CU_ASSERT_PTR_NOT_NULL_FATAL(log);
    CU_ASSERT_EQUAL(accesslog_reopen(log, "/nowhere/at/all", &e), -1);
    add(log, "one", 0, true);
    snprintf(moved, sizeof moved, "%s.1", path);
    for (int i = 0; i < 10000 && lines_of(text_of(path)) < 1; i++) {
        usleep(1000);
    }
    CU_ASSERT_EQUAL(rename(path, moved), 0);
    cs_error_clear(&e);
    CU_ASSERT_EQUAL(accesslog_reopen(log, path, &e), 0);
    add(log, "two", 0, true);
    accesslog_free(log);
    CU_ASSERT_STRING_EQUAL(text_of(path), "two0\n");
    CU_ASSERT_STRING_EQUAL(text_of(moved), "one0\n");
    unlink(moved);
}

const struct harness_test harness_tests[] = {
    {"lines come out in their order", lines_come_out_in_their_order},
    {"a flood of refusals leaves room for verdicts; what finds none is merged by address and reason",
     a_flood_of_refusals_leaves_room_for_verdicts},
    {"merging is bounded and tells within a second", merging_is_bounded_and_tells_within_a_second},
    {"a new file is taken, a wrong one changes nothing", a_new_file_is_taken_and_a_wrong_one_changes_nothing},
    {NULL, NULL},
};
