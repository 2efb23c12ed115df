/* SPDX-License-Identifier: Apache-2.0 */
/* test_sizes.c: the octets of all files become known beside a run; what can be read once only is left to the run. */
#include "archive/sizes.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/harness.h"

const char *const harness_suite = "sizes";

static char place[512];

static int write_file(const char *name, const char *text)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", place, name);
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        return -1;
    }
    fputs(text, out);
    return fclose(out);
}

int harness_setup(void)
{
    char path[1024];
    snprintf(place, sizeof place, "%s", harness_dir());
    snprintf(path, sizeof path, "%s/in", place);
    if (mkdir(path, 0700) != 0) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/pipe", place);
    if (mkfifo(path, 0600) != 0) {
        return -1;
    }
    return write_file("in/a.xml", "12345") + write_file("in/b.tar", "1234567") + write_file("other.xml", "123") +
           write_file("list", "in/a.xml\nother.xml\n");
}

int harness_teardown(void)
{
    return 0;
}

static struct archive_sizes *begin(char **path, size_t n)
{
    static struct archive_order order;
    order = (struct archive_order){.directory = place, .path = {path, n}};
    return archive_sizes_begin(&order);
}

/* Waits for the thread at most a minute. */
static uint64_t known(struct archive_sizes *s)
{
    const struct timespec nap = {0, 1000000};
    for (int i = 0; i < 60000 && archive_sizes_octets(s) == 0; i++) {
        (void)nanosleep(&nap, NULL);
    }
    return archive_sizes_octets(s);
}

static void files_of_trees_and_lists_are_added_up(void)
{
    char *path[] = {"in", "@list", "nowhere"};
    struct archive_sizes *s = begin(path, 3);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    CU_ASSERT_EQUAL(known(s), 5 + 7 + 5 + 3);
    archive_sizes_end(s);
}

static void what_is_read_once_is_left_to_the_run(void)
{
    char *input[] = {"in", "-"};
    char *list[] = {"@pipe"};
    CU_ASSERT_PTR_NULL(begin(input, 2));
    CU_ASSERT_PTR_NULL(begin(list, 1));
    CU_ASSERT_EQUAL(archive_sizes_octets(NULL), 0);
    archive_sizes_end(NULL);
}

static void an_end_does_not_wait_for_the_walk(void)
{
    char *path[] = {"/usr"};
    struct archive_sizes *s = begin(path, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    archive_sizes_end(s);
}

const struct harness_test harness_tests[] = {
    {"files_of_trees_and_lists_are_added_up", files_of_trees_and_lists_are_added_up},
    {"what_is_read_once_is_left_to_the_run", what_is_read_once_is_left_to_the_run},
    {"an_end_does_not_wait_for_the_walk", an_end_does_not_wait_for_the_walk},
    {NULL, NULL},
};
