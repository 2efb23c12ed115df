/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sandbox.c: a process that has confined itself, seen from inside: what it can still do and what not. Each case
 * runs in a child of its own, because nothing leaves a sandbox again.
 */
#include "gateway/sandbox.h"
#include "tests/unit/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

const char *const harness_suite = "sandbox";

static char own[256], readable[256], closed[256];

static bool put(const char *directory, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    bool good = fd >= 0 && write(fd, "x", 1) == 1;
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

int harness_setup(void)
{
    const char *word[] = {"own", "readable", "closed"};
    char *place[] = {own, readable, closed};
    /* Not below $TMPDIR: a build with sanitizers writes its reports there, and may. */
    char base[] = "/var/tmp/countersign-sandbox-XXXXXX";
    if (mkdtemp(base) == NULL) {
        return -1;
    }
    for (int i = 0; i < 3; i++) {
        snprintf(place[i], sizeof own, "%s/%s", base, word[i]);
        if (mkdir(place[i], 0700) != 0 || !put(place[i], "there")) {
            return -1;
        }
    }
    cs_log_setup(CS_LOG_HUMAN, CS_LOG_ERROR, STDERR_FILENO);
    return 0;
}

int harness_teardown(void)
{
    char base[256];
    char path[512];
    char *place[] = {own, readable, closed};
    static const char *const name[] = {"there", "made", "moved", "socket"};
    for (int i = 0; i < 3; i++) {
        for (size_t k = 0; k < sizeof name / sizeof name[0]; k++) {
            snprintf(path, sizeof path, "%s/%s", place[i], name[k]);
            (void)unlink(path);
        }
        (void)rmdir(place[i]);
    }
    snprintf(base, sizeof base, "%s", own);
    *strrchr(base, '/') = '\0';
    return rmdir(base);
}

/* ---- the child --------------------------------------------------------------------------------------------------- */

struct trial {
    enum sandbox_kind kind;
    bool own_ports;
    enum sandbox_reach reach; /* of own */
    int (*run)(const struct sandbox *s);
};

#define NO_KERNEL 200 /* this kernel or build lacks what the case is about */

static int confined(const struct trial *t)
{
    struct sandbox s = {.wanted = true};
    struct sandbox_rules rules = {t->kind, t->own_ports, 0};
    cs_error e = {0};
    sandbox_let(&s.paths, own, t->reach);
    sandbox_let(&s.paths, readable, SANDBOX_READ);
    sandbox_let(&s.paths, "/etc", SANDBOX_READ);
    sandbox_let(&s.paths, "/usr", SANDBOX_READ);
    sandbox_let(&s.paths, "/proc", SANDBOX_READ);
    sandbox_let(&s.paths, "/dev/null", SANDBOX_DEVICE);
    if (sandbox_confine(&s, &rules, &e) != 0) {
        fprintf(stderr, "%s\n", e.text);
        return 201;
    }
    int rc = t->run(&s);
    sandbox_free(&s);
    return rc;
}

/* @return exit status, or 1000 + signal */
static int in_child(const struct trial *t)
{
    int status = -1;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(confined(t));
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int gateway_does(int (*run)(const struct sandbox *s))
{
    const struct trial t = {SANDBOX_GATEWAY, false, SANDBOX_SOCKET, run};
    return in_child(&t);
}

static int keys_do(int (*run)(const struct sandbox *s))
{
    const struct trial t = {SANDBOX_KEYS, false, SANDBOX_WRITE, run};
    return in_child(&t);
}

static bool skipped(int rc, const char *what)
{
    if (rc == NO_KERNEL) {
        printf("  # %s is not to be had here: only the build without sanitizers, on a kernel that has it, shows this\n",
               what);
    }
    return rc == NO_KERNEL;
}

#define CHECK_CHILD(run_it, expected, what)                                                                            \
    do {                                                                                                               \
        int rc_ = (run_it);                                                                                            \
        if (!skipped(rc_, what)) {                                                                                     \
            CU_ASSERT_EQUAL(rc_, expected);                                                                            \
            if (rc_ != (expected)) {                                                                                   \
                fprintf(stderr, "%s:%d: %d instead of %d\n", __FILE__, __LINE__, rc_, (expected));                     \
            }                                                                                                          \
        }                                                                                                              \
    } while (0)

/* A step of a case that must hold; its number is the exit status. */
#define STEP(n, holds)                                                                                                 \
    do {                                                                                                               \
        if (!(holds)) {                                                                                                \
            return (n);                                                                                                \
        }                                                                                                              \
    } while (0)

/* ---- files ------------------------------------------------------------------------------------------------------- */

static int try_open(const char *directory, const char *name, int flags)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    int rc = fd < 0 ? errno : 0;
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

static int use_files(const struct sandbox *s)
{
    char a[512];
    char b[512];
    if (s->landlock == 0) {
        return NO_KERNEL;
    }
    STEP(1, try_open(own, "made", O_RDWR | O_CREAT) == 0);
    STEP(2, try_open(own, "there", O_RDWR | O_TRUNC) == 0);
    snprintf(a, sizeof a, "%s/made", own);
    snprintf(b, sizeof b, "%s/moved", own);
    STEP(3, rename(a, b) == 0 && unlink(b) == 0);
    STEP(4, try_open(readable, "there", O_RDONLY) == 0);
    STEP(5, try_open("/etc", "passwd", O_RDONLY) == 0);
    STEP(6, try_open("/proc/self", "statm", O_RDONLY) == 0);
    STEP(7, try_open("/dev", "null", O_RDWR) == 0);
    STEP(8, sandbox_allows(s, b, SANDBOX_WRITE) && sandbox_allows(s, "/etc/passwd", SANDBOX_READ));
    STEP(9, sandbox_refused() == 0);
    return 0;
}

static int miss_files(const struct sandbox *s)
{
    char path[512];
    if (s->landlock == 0) {
        return NO_KERNEL;
    }
    STEP(1, try_open(closed, "there", O_RDONLY) == EACCES);
    STEP(2, try_open(closed, "made", O_WRONLY | O_CREAT) == EACCES);
    STEP(3, try_open(closed, ".", O_RDONLY | O_DIRECTORY) == EACCES);
    STEP(4, try_open(readable, "there", O_WRONLY) == EACCES);
    STEP(5, try_open(readable, "made", O_WRONLY | O_CREAT) == EACCES);
    STEP(6, try_open("/etc", "countersign-test", O_WRONLY | O_CREAT) == EACCES);
    STEP(7, try_open("/etc", "passwd", O_WRONLY) == EACCES);
    STEP(8, try_open("/root", ".", O_RDONLY | O_DIRECTORY) == EACCES);
    snprintf(path, sizeof path, "%s/there", readable);
    STEP(9, unlink(path) != 0 && errno == EACCES);
    STEP(10, try_open("/dev", "made", O_WRONLY | O_CREAT) == EACCES);
    snprintf(path, sizeof path, "%s/..", own);
    STEP(11, try_open(path, "closed/there", O_RDONLY) == EACCES);
    snprintf(path, sizeof path, "%s/there", closed);
    STEP(12, !sandbox_allows(s, path, SANDBOX_READ) && !sandbox_allows(s, "/etc/new", SANDBOX_WRITE));
    return 0;
}

static void files_outside_are_out_of_reach(void)
{
    CHECK_CHILD(gateway_does(use_files), 0, "Landlock");
    CHECK_CHILD(gateway_does(miss_files), 0, "Landlock");
    CHECK_CHILD(keys_do(miss_files), 0, "Landlock");
}

static void a_link_does_not_lead_out(void)
{
    struct sandbox_paths p = {0};
    char path[512];
    snprintf(path, sizeof path, "%s/moved", readable);
    CU_ASSERT_EQUAL_FATAL(symlink(closed, path), 0);
    sandbox_let(&p, path, SANDBOX_READ); /* what a link of the configuration means is where it leads */
    CU_ASSERT_EQUAL_FATAL(p.n, 1);
    CU_ASSERT_STRING_EQUAL(p.item[0].path, closed);
    sandbox_let(&p, "/nowhere/at/all", SANDBOX_WRITE);
    CU_ASSERT_EQUAL(p.n, 1);
    sandbox_paths_free(&p);
    CU_ASSERT_EQUAL(unlink(path), 0);
}

/* ---- sockets ----------------------------------------------------------------------------------------------------- */

static int bind_unix(const char *directory)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(a.sun_path, sizeof a.sun_path, "%s/socket", directory);
    int rc = fd < 0 || bind(fd, (const struct sockaddr *)&a, sizeof a) != 0 ? errno : 0;
    (void)unlink(a.sun_path);
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

static int bind_tcp(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = fd < 0 || bind(fd, (const struct sockaddr *)&a, sizeof a) != 0 ? errno : 0;
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

static int use_sockets(const struct sandbox *s)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    (void)s;
    STEP(1, bind_unix(own) == 0);
    STEP(2, getaddrinfo("localhost", "80", &hints, &list) == 0);
    freeaddrinfo(list);
    STEP(3, sandbox_refused() == 0);
    return 0;
}

static int ports_are_the_masters(const struct sandbox *s)
{
    return s->landlock < 4 ? NO_KERNEL : bind_tcp();
}

static int bind_elsewhere(const struct sandbox *s)
{
    return s->landlock == 0 ? NO_KERNEL : bind_unix(readable);
}

static int socket_fails(int family, int type, int protocol)
{
    uint64_t before = sandbox_refused();
    int fd = socket(family, type, protocol);
    return fd < 0 && errno == EPERM && sandbox_refused() == before + 1;
}

static int odd_sockets(const struct sandbox *s)
{
    if (!s->seccomp) {
        return NO_KERNEL;
    }
    STEP(1, socket_fails(AF_PACKET, SOCK_RAW, 0));
    STEP(2, socket_fails(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    STEP(3, socket_fails(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
    STEP(4, socket_fails(AF_VSOCK, SOCK_STREAM, 0));
    STEP(5, socket_fails(AF_NETLINK, SOCK_RAW, 9)); /* audit */
    STEP(6, socket_fails(AF_ALG, SOCK_SEQPACKET, 0));
    return 0;
}

static void sockets_are_those_of_a_proxy(void)
{
    const struct trial alone = {SANDBOX_GATEWAY, true, SANDBOX_SOCKET, ports_are_the_masters};
    CHECK_CHILD(gateway_does(use_sockets), 0, "seccomp");
    CHECK_CHILD(gateway_does(ports_are_the_masters), EACCES, "Landlock 4");
    CHECK_CHILD(in_child(&alone), 0, "Landlock 4");
    CHECK_CHILD(gateway_does(bind_elsewhere), EACCES, "Landlock");
    CHECK_CHILD(gateway_does(odd_sockets), 0, "seccomp");
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

static void *thread(void *ctx)
{
    (void)pthread_setname_np(pthread_self(), "named");
    *(bool *)ctx = true;
    return NULL;
}

static int refused_one(long rc, uint64_t before)
{
    return rc == -1 && errno == EPERM && sandbox_refused() == before + 1;
}

static int calls_left(const struct sandbox *s)
{
    pthread_t t;
    bool ran = false;
    if (!s->seccomp) {
        return NO_KERNEL;
    }
    STEP(1, pthread_create(&t, NULL, thread, &ran) == 0 && pthread_join(t, NULL) == 0 && ran);
    STEP(2, malloc((size_t)8 << 20) != NULL);
    STEP(3, mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    STEP(4, sandbox_refused() == 0);
    STEP(5, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == -1 && errno == EPERM); /* it cannot even ask */
    return 0;
}

static int calls_gone(const struct sandbox *s)
{
    uint64_t n = sandbox_refused();
    if (!s->seccomp) {
        return NO_KERNEL;
    }
    STEP(1, refused_one(fork(), n++));
    STEP(2, refused_one(kill(getppid(), 0), n++));
    STEP(3, refused_one(setuid(0), n++));
    STEP(4, refused_one(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), n++));
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    STEP(5, p == MAP_FAILED && refused_one(-1, n++));
    p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    STEP(6, p != MAP_FAILED && refused_one(mprotect(p, 4096, PROT_READ | PROT_EXEC), n++));
    STEP(7, refused_one(chdir("/"), n++));
    STEP(8,
         refused_one(clone((int (*)(void *))(uintptr_t)thread, (char *)p + 4096, CLONE_NEWUSER | SIGCHLD, NULL), n++));
    return 0;
}

static int run_program(const struct sandbox *s)
{
    if (!s->seccomp) {
        return NO_KERNEL;
    }
    execl("/bin/true", "true", (char *)NULL);
    return 1;
}

static int trace(const struct sandbox *s)
{
    return s->seccomp ? ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 : NO_KERNEL;
}

static int mount_something(const struct sandbox *s)
{
    return s->seccomp ? mount("none", own, "tmpfs", 0, NULL) == 0 : NO_KERNEL;
}

static int leave_namespace(const struct sandbox *s)
{
    return s->seccomp ? unshare(CLONE_NEWUSER) == 0 : NO_KERNEL;
}

static int open_socket(const struct sandbox *s)
{
    return s->seccomp ? socket(AF_INET, SOCK_STREAM, 0) >= 0 : NO_KERNEL;
}

static void calls_are_those_of_a_proxy(void)
{
    CHECK_CHILD(gateway_does(calls_left), 0, "seccomp");
    CHECK_CHILD(gateway_does(calls_gone), 0, "seccomp");
    CHECK_CHILD(keys_do(calls_left), 0, "seccomp");
    CHECK_CHILD(keys_do(calls_gone), 0, "seccomp");
}

static void what_only_an_intruder_does_ends_the_process(void)
{
    CHECK_CHILD(gateway_does(run_program), 1000 + SIGSYS, "seccomp");
    CHECK_CHILD(gateway_does(trace), 1000 + SIGSYS, "seccomp");
    CHECK_CHILD(gateway_does(mount_something), 1000 + SIGSYS, "seccomp");
    CHECK_CHILD(gateway_does(leave_namespace), 1000 + SIGSYS, "seccomp");
    CHECK_CHILD(keys_do(run_program), 1000 + SIGSYS, "seccomp");
    CHECK_CHILD(keys_do(open_socket), 1000 + SIGSYS, "seccomp");
}

const struct harness_test harness_tests[] = {
    {"files_outside_are_out_of_reach", files_outside_are_out_of_reach},
    {"a_link_does_not_lead_out", a_link_does_not_lead_out},
    {"sockets_are_those_of_a_proxy", sockets_are_those_of_a_proxy},
    {"calls_are_those_of_a_proxy", calls_are_those_of_a_proxy},
    {"what_only_an_intruder_does_ends_the_process", what_only_an_intruder_does_ends_the_process},
    {NULL, NULL},
};
