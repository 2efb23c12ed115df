/* SPDX-License-Identifier: Apache-2.0 */
/* test_body.c: bodies in memory and in the spool: content, account, quota, and what happens when there is no room. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/body.h"
#include "tests/unit/harness.h"

const char *const harness_suite = "body";

#define MB ((uint64_t)1 << 20)

static char place[256];
static struct chunk_pool pool;

int harness_setup(void)
{
    snprintf(place, sizeof place, "%s/spool", harness_dir());
    return mkdir(place, 0700);
}

int harness_teardown(void)
{
    chunk_pool_clear(&pool);
    return rmdir(place); /* fails when a file with a name was left */
}

static char octet(uint64_t i)
{
    return (char)(i * 2654435761U >> 13);
}

static enum body_room fill(struct body *b, struct memory *m, uint64_t from, uint64_t octets, size_t cut)
{
    char piece[100000];
    enum body_room room = BODY_ROOM;
    for (uint64_t at = from; room == BODY_ROOM && at < from + octets;) {
        size_t n = from + octets - at < cut ? (size_t)(from + octets - at) : cut;
        for (size_t i = 0; i < n; i++) {
            piece[i] = octet(at + i);
        }
        room = body_append(b, &pool, m, piece, n);
        at += n;
    }
    return room;
}

static void assert_content(const struct body *b, uint64_t octets)
{
    struct wssec_slice slice[512];
    uint64_t at = 0;
    bool same = true;
    CU_ASSERT_TRUE_FATAL(b->n_chunk <= 512);
    size_t n = body_slices(b, slice);
    for (size_t k = 0; k < n; k++) {
        for (size_t i = 0; i < slice[k].n; i++) {
            same = same && slice[k].p[i] == (uint8_t)octet(at++);
        }
    }
    CU_ASSERT_TRUE(same);
    CU_ASSERT_EQUAL(at, octets);
    CU_ASSERT_EQUAL(b->octets, octets);
}

static void open_spool(struct memory *m, uint64_t quota)
{
    cs_error e = {0};
    CU_ASSERT_EQUAL_FATAL(spool_open(&m->spool, place, quota, &e), 0);
}

static void a_body_beyond_its_share_of_memory_goes_to_the_spool(void)
{
    struct memory m = {.ceiling = 2 * MB, .per_body = 256 * 1024};
    struct body b = {0};
    open_spool(&m, 64 * MB);
    CU_ASSERT_EQUAL(fill(&b, &m, 0, 5 * MB + 17, 60001), BODY_ROOM);
    CU_ASSERT_TRUE(b.capacity <= m.per_body);
    CU_ASSERT_TRUE(b.mapped >= 4 * MB);
    CU_ASSERT_EQUAL(m.reserved, b.reserved);
    CU_ASSERT_EQUAL(m.spool.used, b.spool_reserved);
    assert_content(&b, 5 * MB + 17);
    struct body moved = {0};
    body_move(&moved, &b);
    assert_content(&moved, 5 * MB + 17);
    CU_ASSERT_PTR_NULL(b.file);
    body_clear(&moved, &pool, &m);
    CU_ASSERT_EQUAL(m.reserved, 0);
    CU_ASSERT_EQUAL(m.spool.used, 0);
    spool_close(&m.spool);
}

static void a_declared_length_is_promised_before_the_first_octet(void)
{
    struct memory m = {.ceiling = 2 * MB, .per_body = 256 * 1024};
    struct body b = {0};
    struct body c = {0};
    open_spool(&m, 10 * MB);
    CU_ASSERT_EQUAL(body_reserve(&b, &m, 8 * MB), BODY_ROOM);
    uint64_t promised = m.spool.used;
    CU_ASSERT_TRUE(promised >= 8 * MB - m.per_body);
    CU_ASSERT_EQUAL(body_reserve(&c, &m, 8 * MB), BODY_NO_SPOOL);
    CU_ASSERT_EQUAL(m.spool.used, promised);
    CU_ASSERT_EQUAL(m.reserved, b.reserved); /* the refused one holds nothing */
    CU_ASSERT_EQUAL(fill(&b, &m, 0, 8 * MB, 65536), BODY_ROOM);
    CU_ASSERT_EQUAL(m.spool.used, promised);
    assert_content(&b, 8 * MB);
    body_clear(&b, &pool, &m);
    CU_ASSERT_EQUAL(body_reserve(&c, &m, 8 * MB), BODY_ROOM);
    body_clear(&c, &pool, &m);
    CU_ASSERT_EQUAL(m.spool.used, 0);
    spool_close(&m.spool);
}

/* The last window was a page larger than the promise, so a body that had been accepted could still be refused. */
static void a_promise_of_any_length_is_kept_to_the_last_octet(void)
{
    static const uint64_t lengths[] = {256 * 1024 + 1, MB + 1, MB + 4095, 2 * MB - 1, 3 * MB + 17};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct memory m = {.ceiling = 2 * MB, .per_body = 256 * 1024};
        struct body b = {0};
        open_spool(&m, 64 * MB);
        CU_ASSERT_EQUAL(body_reserve(&b, &m, lengths[i]), BODY_ROOM);
        m.spool.quota = m.spool.used; /* nothing more is left */
        CU_ASSERT_EQUAL(fill(&b, &m, 0, lengths[i], 60001), BODY_ROOM);
        assert_content(&b, lengths[i]);
        body_clear(&b, &pool, &m);
        CU_ASSERT_EQUAL(m.spool.used, 0);
        spool_close(&m.spool);
    }
}

static void a_small_body_never_touches_the_spool(void)
{
    struct memory m = {.ceiling = 2 * MB, .per_body = 256 * 1024};
    struct body b = {0};
    open_spool(&m, MB);
    CU_ASSERT_EQUAL(body_reserve(&b, &m, 256 * 1024), BODY_ROOM);
    CU_ASSERT_EQUAL(fill(&b, &m, 0, 256 * 1024, 65536), BODY_ROOM);
    CU_ASSERT_PTR_NULL(b.file);
    CU_ASSERT_EQUAL(m.spool.used, 0);
    body_clear(&b, &pool, &m);
    spool_close(&m.spool);
}

static void without_a_spool_the_ceiling_ends_a_body(void)
{
    struct memory m = {.ceiling = MB, .per_body = 64 * 1024};
    struct body b = {0};
    CU_ASSERT_EQUAL(body_reserve(&b, &m, MB + 1), BODY_NO_MEMORY);
    CU_ASSERT_EQUAL(fill(&b, &m, 0, 2 * MB, 65536), BODY_NO_MEMORY);
    CU_ASSERT_TRUE(b.octets <= MB && b.octets > MB / 2);
    assert_content(&b, b.octets);
    body_clear(&b, &pool, &m);
    CU_ASSERT_EQUAL(m.reserved, 0);
}

static void the_quota_ends_a_body_that_declared_nothing(void)
{
    struct memory m = {.ceiling = MB, .per_body = 64 * 1024};
    struct body b = {0};
    open_spool(&m, 3 * MB);
    CU_ASSERT_EQUAL(fill(&b, &m, 0, 20 * MB, 65536), BODY_NO_SPOOL);
    CU_ASSERT_TRUE(m.spool.used <= 3 * MB);
    assert_content(&b, b.octets);
    body_clear(&b, &pool, &m);
    CU_ASSERT_EQUAL(m.spool.used, 0);
    spool_close(&m.spool);
}

static void a_disk_that_is_full_refuses_and_kills_nobody(void)
{
    struct memory m = {.ceiling = MB, .per_body = 64 * 1024};
    struct body b = {0};
    struct rlimit before;
    open_spool(&m, 64 * MB);
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit small = {2 * MB, before.rlim_max};
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &small), 0);
    CU_ASSERT_EQUAL(fill(&b, &m, 0, 20 * MB, 65536), BODY_NO_SPOOL);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_DFL);
    assert_content(&b, b.octets);
    body_clear(&b, &pool, &m);
    CU_ASSERT_EQUAL(m.spool.used, 0);
    spool_close(&m.spool);
}

static void a_directory_that_others_may_enter_is_refused(void)
{
    struct spool s = {0};
    cs_error e = {0};
    char path[300];
    snprintf(path, sizeof path, "%s/open", place);
    CU_ASSERT_EQUAL(spool_look(path, &e), 0); /* is made at the start */
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
    CU_ASSERT_EQUAL(chmod(path, 0750), 0);
    CU_ASSERT_NOT_EQUAL(spool_look(path, &e), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "chmod 0700"));
    CU_ASSERT_NOT_EQUAL(spool_open(&s, path, MB, &e), 0);
    CU_ASSERT_EQUAL(spool_take(&s, 1), -1);
    CU_ASSERT_EQUAL(rmdir(path), 0);
    snprintf(path, sizeof path, "%s/none/deeper", place);
    CU_ASSERT_NOT_EQUAL(spool_look(path, &e), 0);
    CU_ASSERT_NOT_EQUAL(spool_open(&s, path, MB, &e), 0);
}

static void a_missing_directory_is_made_for_us_alone(void)
{
    struct spool s = {0};
    struct stat st;
    cs_error e = {0};
    char path[300];
    snprintf(path, sizeof path, "%s/new", place);
    CU_ASSERT_EQUAL_FATAL(spool_open(&s, path, MB, &e), 0);
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0700);
    int fd = spool_file(&s);
    CU_ASSERT_TRUE(fd >= 0);
    CU_ASSERT_EQUAL(fstat(fd, &st), 0);
    CU_ASSERT_EQUAL(st.st_nlink, 0);
    close(fd);
    spool_close(&s);
    CU_ASSERT_EQUAL(rmdir(path), 0);
}

const struct harness_test harness_tests[] = {
    {"a body beyond its share of memory goes to the spool", a_body_beyond_its_share_of_memory_goes_to_the_spool},
    {"a declared length is promised before the first octet", a_declared_length_is_promised_before_the_first_octet},
    {"a promise of any length is kept to the last octet", a_promise_of_any_length_is_kept_to_the_last_octet},
    {"a small body never touches the spool", a_small_body_never_touches_the_spool},
    {"without a spool the ceiling ends a body", without_a_spool_the_ceiling_ends_a_body},
    {"the quota ends a body that declared nothing", the_quota_ends_a_body_that_declared_nothing},
    {"a disk that is full refuses and kills nobody", a_disk_that_is_full_refuses_and_kills_nobody},
    {"a directory that others may enter is refused", a_directory_that_others_may_enter_is_refused},
    {"a missing directory is made for us alone", a_missing_directory_is_made_for_us_alone},
    {NULL, NULL},
};
