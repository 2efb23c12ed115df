/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_replay_file.c: the store of signatures seen in a file: restarts, several processes, killed processes, other
 * sizes, and files that must not be worked with.
 */
#include "tests/unit/harness.h"

#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "gateway/replay_file.h"
#include "gateway/replay_local.h"

const char *const harness_suite = "replay file";

#define ENTRIES 4096
#define LATER   INT64_C(4000000000)

static char path[512];

/* How many racers must be ready before one of them begins; in memory that all share. */
static struct race {
    _Atomic unsigned opening, open;
} * race;

int harness_setup(void)
{
    (void)snprintf(path, sizeof path, "%s/replay", harness_dir());
    race = mmap(NULL, sizeof *race, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return race != MAP_FAILED ? 0 : -1;
}

int harness_teardown(void)
{
    return munmap(race, sizeof *race);
}

static void key_of(uint64_t n, uint8_t key[32])
{
    uint64_t x = n * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (int i = 0; i < 32; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        key[i] = (uint8_t)(x >> 24);
    }
}

static int claim(struct replay_local *r, uint64_t n, const char *partner, cs_time until, cs_time now)
{
    uint8_t key[32];
    key_of(n, key);
    return replay_local_claim(r, &(struct replay_claim){key, partner, until, now});
}

static struct replay_local *open_with(uint64_t entries, unsigned share, uint64_t *live, cs_error *e)
{
    return replay_local_open(path, &(struct replay_limits){entries, share}, live, e);
}

static struct replay_local *open_good(uint64_t *live)
{
    cs_error e = {0};
    struct replay_local *r = open_with(ENTRIES, 100, live, &e);
    if (r == NULL) {
        printf("  # %s\n", e.text);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    return r;
}

static void remembered_over_a_restart(void)
{
    uint64_t live = 9;
    (void)unlink(path);
    struct replay_local *r = open_good(&live);
    CU_ASSERT_EQUAL(live, 0);
    CU_ASSERT_EQUAL(claim(r, 1, "acme", LATER, 100), 1);
    CU_ASSERT_EQUAL(claim(r, 1, "acme", LATER, 100), 0);
    CU_ASSERT_EQUAL(claim(r, 2, "acme", 1000, 100), 1); /* long over by the wall clock */
    replay_local_free(r);
    r = open_good(&live);
    CU_ASSERT_EQUAL(live, 1);
    CU_ASSERT_EQUAL(claim(r, 1, "other", LATER, 100), 0);
    CU_ASSERT_EQUAL(claim(r, 2, "acme", LATER, 999), 0);
    CU_ASSERT_EQUAL(claim(r, 2, "acme", LATER, 1000), 1); /* due: forgotten */
    replay_local_free(r);
    struct stat st;
    CU_ASSERT_EQUAL_FATAL(stat(path, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
    CU_ASSERT_TRUE((uint64_t)st.st_blocks * 512 >=
                   (uint64_t)st.st_size); /* its room is taken: no signal on a full disk */
}

static void two_mappings_see_each_other(void)
{
    uint64_t live = 0;
    (void)unlink(path);
    struct replay_local *a = open_good(NULL);
    struct replay_local *b = open_good(&live);
    CU_ASSERT_EQUAL(claim(a, 1, "acme", LATER, 100), 1);
    CU_ASSERT_EQUAL(claim(b, 1, "acme", LATER, 100), 0);
    CU_ASSERT_EQUAL(claim(b, 2, "acme", LATER, 100), 1);
    CU_ASSERT_EQUAL(claim(a, 2, "acme", LATER, 100), 0);
    replay_local_free(a);
    CU_ASSERT_EQUAL(claim(b, 1, "acme", LATER, 100), 0);
    replay_local_free(b);
}

/* ---- processes ------------------------------------------------------------------------------------------------- */

#define RACERS 2 /* more than there are cores would only take turns */
#define ROUNDS 20
#define RACED  1500

static void wait_for_all(_Atomic unsigned *here, unsigned racers)
{
    atomic_fetch_add(here, 1);
    while (atomic_load(here) < racers) {
    }
}

/* Claims the same keys as its siblings; tells each key that it was told is new. Never returns. */
static void racer(int out, uint64_t first, uint64_t n, unsigned racers)
{
    wait_for_all(&race->opening, racers);
    struct replay_local *r = open_with(ENTRIES, 100, NULL, NULL);
    wait_for_all(&race->open, racers);
    for (uint64_t i = first; r != NULL && i < first + n; i++) {
        int rc = claim(r, i, "acme", LATER, 100);
        if (rc < 0 || (rc == 1 && write(out, &i, sizeof i) != (ssize_t)sizeof i)) {
            _exit(2);
        }
    }
    _exit(r == NULL);
}

static pid_t start_racer(int out, uint64_t first, uint64_t n, unsigned racers)
{
    pid_t pid = fork();
    if (pid == 0) {
        racer(out, first, n, racers);
    }
    return pid;
}

/* Reads the keys that were told to be new until all writers are gone. @return how many; told[k] counts each */
static unsigned read_told(int in, unsigned *told, uint64_t n)
{
    uint64_t key;
    unsigned count = 0;
    while (read(in, &key, sizeof key) == (ssize_t)sizeof key) {
        CU_ASSERT_TRUE_FATAL(key < n);
        told[key]++;
        count++;
    }
    return count;
}

static void race_once(void)
{
    static unsigned told[RACED];
    int fds[2];
    pid_t pid[RACERS];
    memset(told, 0, sizeof told);
    memset((void *)race, 0, sizeof *race);
    (void)unlink(path);
    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    for (int i = 0; i < RACERS; i++) { /* none is there yet: they also race to make the file */
        pid[i] = start_racer(fds[1], 0, RACED, RACERS);
        CU_ASSERT_TRUE_FATAL(pid[i] > 0);
    }
    close(fds[1]);
    CU_ASSERT_EQUAL(read_told(fds[0], told, RACED), RACED);
    close(fds[0]);
    for (int i = 0; i < RACERS; i++) {
        int status = -1;
        waitpid(pid[i], &status, 0);
        CU_ASSERT_EQUAL(status, 0);
    }
    for (int i = 0; i < RACED; i++) {
        CU_ASSERT_EQUAL(told[i], 1);
    }
}

static void of_many_processes_one_wins(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        race_once();
    }
}

#define KILLS     60
#define PER_ROUND 60

/* A process is killed somewhere among its claims while another one claims the same keys and lives. */
static void a_killed_process_loses_no_claim(void)
{
    static unsigned told[(size_t)KILLS * PER_ROUND];
    int fds[2];
    unsigned cut = 0;
    memset(told, 0, sizeof told);
    (void)unlink(path);
    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    struct replay_local *keep = open_good(NULL); /* somebody is always there: locks are not made anew */
    for (unsigned i = 0; i < KILLS; i++) {
        uint64_t first = (uint64_t)i * PER_ROUND;
        pid_t victim = start_racer(fds[1], first, PER_ROUND, 1);
        struct pollfd first_told = {.fd = fds[0], .events = POLLIN};
        CU_ASSERT_TRUE_FATAL(victim > 0);
        CU_ASSERT_EQUAL(poll(&first_told, 1, 20000), 1);
        for (volatile unsigned spin = 0; spin < i * 400; spin++) {
        }
        kill(victim, SIGKILL);
        int status = 0;
        waitpid(victim, &status, 0);
        cut += WIFSIGNALED(status);
        pid_t heir = start_racer(fds[1], first, PER_ROUND, 1);
        waitpid(heir, &status, 0);
        CU_ASSERT_EQUAL(status, 0);
        uint64_t key;
        while (poll(&first_told, 1, 0) == 1 && read(fds[0], &key, sizeof key) == (ssize_t)sizeof key) {
            told[key]++;
        }
    }
    close(fds[0]);
    close(fds[1]);
    replay_local_free(keep);
    CU_ASSERT_TRUE(cut > 0);
    uint64_t live = 0;
    struct replay_local *r = open_good(&live); /* reads every row */
    unsigned missing = 0;
    for (uint64_t i = 0; i < (uint64_t)KILLS * PER_ROUND; i++) {
        CU_ASSERT_TRUE(told[i] <= 1); /* never accepted twice */
        missing += told[i] == 0;
        CU_ASSERT_EQUAL(claim(r, i, "acme", LATER, 100), 0);
    }
    CU_ASSERT_TRUE(missing <= KILLS); /* killed between the claim and its answer: remembered, which is the safe side */
    CU_ASSERT_EQUAL(live, (uint64_t)KILLS * PER_ROUND);
    replay_local_free(r);
}

/* ---- bounds ---------------------------------------------------------------------------------------------------- */

static void full_refuses_and_a_share_ends_before(void)
{
    cs_error e = {0};
    unsigned taken = 0;
    cs_time now = cs_clock_now();
    (void)unlink(path);
    struct replay_local *r = open_with(ENTRIES, 25, NULL, &e);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    for (uint64_t i = 0; i < ENTRIES; i++) {
        taken += claim(r, i, "greedy", now + 1000, now) == 1;
    }
    CU_ASSERT_EQUAL(taken, ENTRIES / 4);
    CU_ASSERT_EQUAL(claim(r, 0, "greedy", now + 1000, now), 0); /* a replay is told, room or not */
    CU_ASSERT_EQUAL(claim(r, ENTRIES, "modest", now + 1000, now), 1);
    replay_local_free(r);
    r = open_with(ENTRIES, 25, NULL, &e); /* shares are counted anew, and come out the same */
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_EQUAL(claim(r, ENTRIES + 1, "greedy", now + 1000, now), -1);
    CU_ASSERT_EQUAL(claim(r, ENTRIES + 1, "modest", now + 1000, now), 1);
    CU_ASSERT_EQUAL(claim(r, ENTRIES + 2, "greedy", now + 9000, now + 1000), 1); /* what has left is in no share */
    replay_local_free(r);
}

static void another_size_keeps_what_is_remembered(void)
{
    uint64_t live = 0;
    cs_error e = {0};
    (void)unlink(path);
    struct replay_local *r = open_good(NULL);
    for (uint64_t i = 0; i < 3000; i++) {
        CU_ASSERT_EQUAL(claim(r, i, "acme", LATER, 100), 1);
    }
    CU_ASSERT_PTR_NULL(open_with(ENTRIES * 2, 100, NULL, &e)); /* not while somebody uses it */
    CU_ASSERT_EQUAL(e.exit_code, CS_EXIT_CONFIG);
    replay_local_free(r);
    r = open_with(ENTRIES * 2, 100, &live, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_EQUAL(live, 3000);
    for (uint64_t i = 0; i < 3000; i++) {
        CU_ASSERT_EQUAL(claim(r, i, "acme", LATER, 100), 0);
    }
    for (uint64_t i = 3000; i < ENTRIES * 2; i++) {
        CU_ASSERT_EQUAL(claim(r, i, "acme", LATER, 100), 1);
    }
    replay_local_free(r);
    cs_error_clear(&e);
    CU_ASSERT_PTR_NULL(open_with(ENTRIES, 100, NULL, &e)); /* would forget */
    CU_ASSERT_EQUAL(e.exit_code, CS_EXIT_CONFIG);
    r = open_with(ENTRIES * 2, 100, &live, NULL); /* and left all as it was */
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_EQUAL(live, ENTRIES * 2);
    replay_local_free(r);
    char pattern[600];
    glob_t litter;
    (void)snprintf(pattern, sizeof pattern, "%s.*", path);
    CU_ASSERT_EQUAL(glob(pattern, 0, NULL, &litter), GLOB_NOMATCH);
}

/* ---- files that are refused ------------------------------------------------------------------------------------ */

static void refused(int exit_code, const char *says)
{
    cs_error e = {0};
    cs_error look = {0};
    CU_ASSERT_PTR_NULL(open_with(ENTRIES, 100, NULL, &e));
    CU_ASSERT_EQUAL(e.exit_code, exit_code);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, says));
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, path));
    if (strstr(e.text, says) == NULL) {
        printf("  # \"%s\", not: %s\n", e.text, says);
    }
    if (strcmp(says, "row") != 0) { /* rows are read at the start only */
        CU_ASSERT_EQUAL(replay_file_look(path, &look), -1);
        CU_ASSERT_STRING_EQUAL(look.text, e.text);
    }
}

/* A good file with one key in it, and its first octets. */
static int fresh(void)
{
    (void)unlink(path);
    struct replay_local *r = open_good(NULL);
    CU_ASSERT_EQUAL(claim(r, 1, "acme", LATER, 100), 1);
    replay_local_free(r);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    return fd;
}

/* What stands at each octet of the header, and what a flipped bit there is called. */
static void a_damaged_header_stops_the_start(void)
{
    static const struct {
        off_t at;
        const char *says;
    } rows[] = {
        {0, "is not a replay store"}, {7, "is not a replay store"}, {8, "byte order"},
        {16, "another version"},      {20, "contradicts itself"},   {24, "contradicts itself"},
        {28, "contradicts itself"},   {32, "contradicts itself"},   {39, "impossible size"},
        {40, "contradicts itself"},   {55, "contradicts itself"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int fd = fresh();
        uint8_t octet = 0;
        CU_ASSERT_EQUAL(pread(fd, &octet, 1, rows[i].at), 1);
        octet ^= 0x40;
        CU_ASSERT_EQUAL(pwrite(fd, &octet, 1, rows[i].at), 1);
        close(fd);
        refused(CS_EXIT_CONFIG, rows[i].says);
    }
}

static void a_damaged_row_stops_the_start(void)
{
    uint8_t key[32];
    key_of(1, key);
    for (size_t flip = 0; flip < 50; flip++) { /* key, keep-until, check, partner */
        int fd = fresh();
        struct stat st;
        CU_ASSERT_EQUAL_FATAL(fstat(fd, &st), 0);
        struct replay_slot row;
        off_t at = REPLAY_FILE_HEADER;
        while (pread(fd, &row, sizeof row, at) == (ssize_t)sizeof row && memcmp(row.key, key, sizeof key) != 0) {
            at += (off_t)sizeof row;
        }
        CU_ASSERT_TRUE_FATAL(at < st.st_size);
        ((uint8_t *)&row)[flip] ^= 0x10;
        CU_ASSERT_EQUAL(pwrite(fd, &row, sizeof row, at), (ssize_t)sizeof row);
        close(fd);
        refused(CS_EXIT_CONFIG, "row");
    }
}

static void a_cut_or_foreign_file_stops_the_start(void)
{
    struct stat st;
    int fd = fresh();
    CU_ASSERT_EQUAL_FATAL(fstat(fd, &st), 0);
    static const off_t cuts[] = {0, 1, 55, 56, REPLAY_FILE_HEADER};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        CU_ASSERT_EQUAL(ftruncate(fd, cuts[i]), 0);
        refused(CS_EXIT_CONFIG, cuts[i] < 56 ? "too short" : "was cut");
        close(fd);
        fd = fresh();
    }
    CU_ASSERT_EQUAL(ftruncate(fd, st.st_size - 1), 0);
    refused(CS_EXIT_CONFIG, "was cut");
    CU_ASSERT_EQUAL(ftruncate(fd, st.st_size + 1), 0);
    refused(CS_EXIT_CONFIG, "something was added");
    CU_ASSERT_EQUAL(ftruncate(fd, st.st_size), 0);
    CU_ASSERT_EQUAL(fchmod(fd, 0620), 0);
    refused(CS_EXIT_CONFIG, "written by others");
    close(fd);
    (void)unlink(path);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    refused(CS_EXIT_CONFIG, "is not a file");
    (void)unlink(path);
    CU_ASSERT_EQUAL(symlink("/nowhere", path), 0);
    refused(CS_EXIT_UNAVAILABLE, "cannot be opened");
    (void)unlink(path);
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
    refused(CS_EXIT_UNAVAILABLE, "cannot be opened");
    CU_ASSERT_EQUAL(rmdir(path), 0);
}

static void no_folder_is_told(void)
{
    char whole[sizeof path];
    memcpy(whole, path, sizeof whole);
    (void)snprintf(path, sizeof path, "%s/missing/replay", harness_dir());
    cs_error e = {0};
    CU_ASSERT_PTR_NULL(open_with(ENTRIES, 100, NULL, &e));
    CU_ASSERT_EQUAL(e.exit_code, CS_EXIT_UNAVAILABLE);
    cs_error_clear(&e);
    CU_ASSERT_EQUAL(replay_file_look(path, &e), -1);
    CU_ASSERT_EQUAL(e.exit_code, CS_EXIT_UNAVAILABLE);
    memcpy(path, whole, sizeof path);
    CU_ASSERT_EQUAL(replay_file_look(path, NULL), 0); /* not there yet, its folder is */
}

const struct harness_test harness_tests[] = {
    {"a key is remembered over a restart, until it is due", remembered_over_a_restart},
    {"two mappings see each other's keys", two_mappings_see_each_other},
    {"of many processes that claim one key one wins", of_many_processes_one_wins},
    {"a process killed among its claims loses none and blocks nobody", a_killed_process_loses_no_claim},
    {"a partner's share ends before the store is full, over a restart too", full_refuses_and_a_share_ends_before},
    {"another size keeps what is remembered, or is refused", another_size_keeps_what_is_remembered},
    {"a damaged header stops the start", a_damaged_header_stops_the_start},
    {"a damaged row stops the start", a_damaged_row_stops_the_start},
    {"a cut or foreign file stops the start", a_cut_or_foreign_file_stops_the_start},
    {"a missing folder is told", no_folder_is_told},
    {NULL, NULL},
};
