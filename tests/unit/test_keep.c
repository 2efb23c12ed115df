/* SPDX-License-Identifier: Apache-2.0 */
/* test_keep.c: a message on which the engines disagree lies in the spool directory, whole and for its owner alone. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/keep.h"
#include "tests/unit/harness.h"

const char *const harness_suite = "keep";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static const struct wssec_slice message[] = {
    {(const uint8_t *)"<a>", 3}, {(const uint8_t *)"", 0}, {(const uint8_t *)"</a>", 4}};

static void without_a_spool_nothing_is_written(void)
{
    struct spool none = {.open = false};
    char name[64] = "x";
    CU_ASSERT_FALSE(keep_message(&none, message, 3, "orders", "detail", name, sizeof name));
    CU_ASSERT_STRING_EQUAL(name, "");
}

static void a_message_is_kept_and_only_so_many(void)
{
    char directory[4200];
    char path[4400];
    char name[64];
    char text[16] = "";
    struct spool s = {.open = false};
    struct stat st;
    cs_error e = {0};
    snprintf(directory, sizeof directory, "%s/spool", harness_dir());
    CU_ASSERT_EQUAL_FATAL(spool_open(&s, directory, UINT64_C(1) << 20, &e), 0);
    CU_ASSERT_TRUE(keep_message(&s, message, 3, "orders", "stream says ok", name, sizeof name));
    snprintf(path, sizeof path, "%.4100s/%s", directory, name);
    CU_ASSERT_EQUAL_FATAL(stat(path, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
    int file = open(path, O_RDONLY);
    CU_ASSERT_EQUAL(read(file, text, sizeof text), 7);
    CU_ASSERT_EQUAL(memcmp(text, "<a></a>", 7), 0);
    close(file);
    unsigned written = 1;
    for (unsigned i = 0; i < 3 * KEEP_FILES; i++) {
        written += keep_message(&s, message, 3, "orders", "again", name, sizeof name);
    }
    CU_ASSERT_EQUAL(written, KEEP_FILES);
    spool_close(&s);
}

const struct harness_test harness_tests[] = {
    {"without a spool nothing is written", without_a_spool_nothing_is_written},
    {"a message is kept, and only so many", a_message_is_kept_and_only_so_many},
    {NULL, NULL},
};
