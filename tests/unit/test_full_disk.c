/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_full_disk.c: the disk ends while the keystore writes. Each case runs in a process of its own: one whose files
 * may not grow beyond a limit, at every size where a write may meet it; and, for root, one with a small disk of its
 * own.
 */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keystore/audit.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "full_disk";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

/** In a child: what does not hold ends it with the line as its exit code's cause on stderr. */
#define HOLDS(f, condition)                                                                                            \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, (f)->e.text);                          \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

#define NO_DISK 77 /* exit code: no disk could be made here */

static int in_child(void (*run)(struct fixture *f, long n), struct fixture *f, long n)
{
    int status = 0;
    pid_t child = fork();
    MADE(child >= 0);
    if (child == 0) {
        run(f, n);
        _exit(0);
    }
    MADE(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void limit(long octets)
{
    struct rlimit l;
    MADE(getrlimit(RLIMIT_FSIZE, &l) == 0);
    l.rlim_cur = octets >= 0 ? (rlim_t)octets : l.rlim_max;
    MADE(setrlimit(RLIMIT_FSIZE, &l) == 0);
}

/** The log is whole, and everything that it says is stored. */
static void whole(struct fixture *f)
{
    uint64_t rows = 0;
    char text[256] = "";
    int rc = ks_audit_verify(f->s, &rows, text, sizeof text, &f->e);
    if (rc == 1) {
        fprintf(stderr, "audit verify: %s\n", text);
    }
    HOLDS(f, rc == 0);
}

static size_t entries(struct fixture *f)
{
    ks_list l;
    HOLDS(f, ks_list_entries(f->s, &(ks_filter){.with_destroyed = true}, NOW, &l, &f->e) == 0);
    size_t n = l.n;
    ks_list_free(&l);
    return n;
}

/* ---- a limit on the size of files ---------------------------------------------------------------------------------
 */

/** Changes with less and less room: each either stands or was refused and left nothing; then there is room again. */
static void change_with_limit(struct fixture *f, long octets)
{
    struct made m = make_certificate(&(struct recipe){0});
    struct made other = make_certificate(&(struct recipe){0});
    ks_add a = adding(KS_SIGN, NULL, "own-sign", &m, true);
    ks_add b = adding(KS_SIGN, NULL, "own-sign", &other, true);
    signal(SIGXFSZ, SIG_IGN);
    HOLDS(f, ks_open(&f->s, f->uri, NULL, &f->e) == 0);
    uint64_t generation = ks_generation(f->s);
    limit(octets);
    int rc = add_at(f, &a, NOW + 1);
    limit(-1);
    HOLDS(f, rc == 0 || rc == CS_EXIT_UNAVAILABLE);
    if (rc != 0) {
        HOLDS(f, strstr(f->e.text, "nothing was changed") != NULL);
        HOLDS(f, ks_generation(f->s) == generation && entries(f) == 1 && !f->out.done);
        whole(f);
        HOLDS(f, add_at(f, &a, NOW + 2) == 0); /* the same handle goes on */
    }
    HOLDS(f, ks_generation(f->s) == generation + 1);
    whole(f);
    fixture_close(f);
    HOLDS(f, ks_open(&f->s, f->uri, NULL, &f->e) == 0);
    HOLDS(f, add_at(f, &b, NOW + 3) == 0 && entries(f) == 3);
    whole(f);
    fixture_close(f);
    _exit(rc == 0 ? 0 : 2); /* 2: it was refused */
}

static void test_change_beyond_the_limit_of_files_leaves_nothing(void)
{
    unsigned refused = 0;
    unsigned done = 0;
    for (long octets = 0; octets <= 400 * 1024; octets = octets * 5 / 4 + 700) {
        struct fixture f;
        fixture_open(&f);
        struct made m = add_verifier(&f, "acme-sign", NOW);
        fixture_close(&f);
        int rc = in_child(change_with_limit, &f, octets);
        CU_ASSERT(rc == 0 || rc == 2);
        refused += rc == 2;
        done += rc == 0;
        made_free(&m);
    }
    CU_ASSERT(refused >= 5 && done >= 3);
}

static void init_with_limit(struct fixture *f, long octets)
{
    bool created = false;
    signal(SIGXFSZ, SIG_IGN);
    limit(octets);
    int rc = EXIT_OF(f, ks_init(f->uri, NULL, NOW, &created, &f->e));
    limit(-1);
    HOLDS(f, rc == 0 || rc == CS_EXIT_UNAVAILABLE);
    HOLDS(f, rc == 0 || (!created && f->e.text[0] != '\0'));
    if (rc != 0) {
        HOLDS(f, EXIT_OF(f, ks_init(f->uri, NULL, NOW, &created, &f->e)) == 0 && created);
    }
    HOLDS(f, ks_open(&f->s, f->uri, NULL, &f->e) == 0 && ks_generation(f->s) == 1);
    add_verifier(f, "acme-sign", NOW);
    whole(f);
    fixture_close(f);
    _exit(rc == 0 ? 0 : 2);
}

static void test_init_beyond_the_limit_of_files_can_be_repeated(void)
{
    unsigned refused = 0;
    unsigned done = 0;
    for (long octets = 0; octets <= 1024 * 1024; octets = octets * 3 / 2 + 30) {
        struct fixture f;
        fixture_path(&f);
        int rc = in_child(init_with_limit, &f, octets);
        CU_ASSERT(rc == 0 || rc == 2);
        refused += rc == 2;
        done += rc == 0;
    }
    CU_ASSERT(refused >= 5 && done >= 1);
}

/* ---- a small disk --------------------------------------------------------------------------------------------------
 */

/** Fill the disk but for about that much. */
static void fill(const char *path, long left)
{
    static const char block[1024];
    FILE *out = fopen(path, "w");
    MADE(out != NULL && setvbuf(out, NULL, _IONBF, 0) == 0);
    while (fwrite(block, 1, sizeof block, out) == sizeof block) {
        continue;
    }
    MADE(fclose(out) == 0);
    struct stat st;
    MADE(stat(path, &st) == 0 && truncate(path, st.st_size > left ? st.st_size - left : 0) == 0);
}

static void live_on_small_disk(struct fixture *f, long left)
{
    char dir[4096];
    char filler[4200];
    char backup[4200];
    bool created = false;
    snprintf(dir, sizeof dir, "%s/small", harness_dir());
    MADE(mkdir(dir, 0700) == 0 || access(dir, W_OK) == 0);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", dir, "tmpfs", 0, "size=1m") != 0) {
        _exit(NO_DISK);
    }
    snprintf(f->path, sizeof f->path, "%s/ks.db", dir);
    snprintf(f->uri, sizeof f->uri, "sqlite:%s", f->path);
    snprintf(filler, sizeof filler, "%s/filler", dir);
    snprintf(backup, sizeof backup, "%s/backup", dir);
    HOLDS(f, ks_init(f->uri, NULL, NOW, &created, &f->e) == 0 && ks_open(&f->s, f->uri, NULL, &f->e) == 0);
    fill(filler, left);
    int rc = 0;
    size_t n = 0;
    uint64_t generation = ks_generation(f->s);
    for (; rc == 0 && n < 200; n += rc == 0) {
        struct made m = make_certificate(&(struct recipe){0});
        char alias[16];
        snprintf(alias, sizeof alias, "a%zu", n);
        ks_add a = adding(KS_VERIFIER, "acme", alias, &m, true);
        rc = add_at(f, &a, NOW + (cs_time)n);
        made_free(&m);
    }
    HOLDS(f, rc == CS_EXIT_UNAVAILABLE && strstr(f->e.text, "the disk is full; nothing was changed") != NULL);
    HOLDS(f, ks_generation(f->s) == generation + n && entries(f) == n);
    ks_backup_info info;
    HOLDS(f, EXIT_OF(f, ks_backup(f->s, backup, &actor, NOW + 500, &info, &f->e)) == CS_EXIT_UNAVAILABLE);
    HOLDS(f, access(backup, F_OK) != 0);
    whole(f);
    MADE(unlink(filler) == 0);
    add_verifier(f, "room-again", NOW + 600);
    HOLDS(f, entries(f) == n + 1);
    whole(f);
    HOLDS(f, EXIT_OF(f, ks_backup(f->s, backup, &actor, NOW + 700, &info, &f->e)) == 0 && access(backup, F_OK) == 0);
    fixture_close(f);
}

static void test_full_disk_refuses_and_goes_on_when_there_is_room(void)
{
    static const long left[] = {0, 30000, 100000};
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
        struct fixture f = {.s = NULL};
        int rc = in_child(live_on_small_disk, &f, left[i]);
        if (rc == NO_DISK) {
            printf("# full_disk: no disk of its own without root; the limits above stand for it\n");
            return;
        }
        CU_ASSERT_EQUAL(rc, 0);
    }
}

const struct harness_test harness_tests[] = {
    {"change_beyond_the_limit_of_files_leaves_nothing", test_change_beyond_the_limit_of_files_leaves_nothing},
    {"init_beyond_the_limit_of_files_can_be_repeated", test_init_beyond_the_limit_of_files_can_be_repeated},
    {"full_disk_refuses_and_goes_on_when_there_is_room", test_full_disk_refuses_and_goes_on_when_there_is_room},
    {NULL, NULL},
};
