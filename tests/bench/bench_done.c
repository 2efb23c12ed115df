/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_done.c: what a run that goes on needs to know of the journal before it: which items are done, and the newest
 * payloads. From a synthetic journal in an unnamed file, with what archive/done.c reads of a record.
 *
 * bench_done ITEMS      prints "items cpu_us_per_item peak_kb"
 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "archive/done.h"
#include "tests/bench/clock.h"

#define PAYLOADS 1000000

static int fail(const char *what)
{
    fprintf(stderr, "bench_done: %s\n", what);
    return 70;
}

static int write_journal(int fd, uint64_t items)
{
    FILE *out = fdopen(dup(fd), "w");
    int rc = out != NULL ? 0 : -1;
    for (uint64_t i = 1; rc == 0 && i <= items; i++) {
        rc = fprintf(out,
                     "{\"v\":1,\"seq\":%" PRIu64 ",\"size\":4096,\"loc\":\"2026/08/%08" PRIu64
                     ".xml\",\"payload_sha256\":\"%016" PRIx64 "%048x\",\"verdict\":\"pass\",\"time_source\":"
                     "\"received\",\"dup_of\":null}\n",
                     i, i, i * UINT64_C(0x9e3779b97f4a7c15), 0) > 0
                 ? 0
                 : -1;
    }
    return out != NULL && fclose(out) == 0 ? rc : -1;
}

int main(int argc, char **argv)
{
    uint64_t items = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
    const char *place = getenv("TMPDIR");
    int fd = open(place != NULL ? place : "/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    struct archive_reader *reader = NULL;
    struct archive_done *done = NULL;
    struct archive_counts counts = {.items = 0};
    uint64_t last = 0;
    uint64_t found = 0;
    char loc[64];
    cs_error e = {0};
    if (items == 0 || fd < 0 || write_journal(fd, items) != 0) {
        return fail("usage: bench_done ITEMS (and room below TMPDIR)");
    }
    struct archive_payloads *payloads = archive_payloads_new(PAYLOADS);
    struct bench_clock clock = bench_start(0);
    if (payloads == NULL || archive_reader_fd(&reader, fd, &e) != 0 ||
        archive_done_read(&done, reader, payloads, &counts, &last, &e) != 0) {
        return fail(e.text);
    }
    clock.messages = (unsigned long)counts.items;
    bench_print_with_memory(&clock, 0);
    for (uint64_t i = 1; i <= items + 1000; i++) {
        snprintf(loc, sizeof loc, "2026/08/%08" PRIu64 ".xml", i);
        found += archive_done_has(done, loc) ? 1 : 0;
    }
    archive_reader_close(reader);
    archive_done_free(done);
    archive_payloads_free(payloads);
    close(fd);
    return found == items && last == items ? 0 : fail("items are not told apart");
}
