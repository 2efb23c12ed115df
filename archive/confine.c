/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine.c: see confine.h. What is not in the table fails with EPERM, so that a library which looks for a file finds
 * none; what only an intruder would try ends the process.
 */
#include "archive/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Reports of sanitizers read files and need address space; such a build is bounded by its limits alone. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define ROOM ((uint64_t)1 << 30) /* for program, keys, parsers; beside the payload and what is made of it */

/* Of Landlock: the same on every architecture, and newer than many headers. */
#define CREATE_RULESET 444
#define RESTRICT_SELF  446
#define ASK_VERSION    1U

static const char *const allowed[] = {
    "read",         "write",          "readv",        "writev",        "recvmsg",      "sendmsg",    "recvfrom",
    "sendto",       "close",          "fstat",        "newfstatat",    "lseek",        "pread64",    "munmap",
    "mremap",       "madvise",        "brk",          "futex",         "exit",         "exit_group", "restart_syscall",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "clock_gettime", "gettimeofday", "time",       "getrandom",
    "getpid",       "gettid",         "tgkill",       "sched_yield",   "poll",         "ppoll",      "set_robust_list",
    "rseq",
};

static const char *const deadly[] = {
    "execve",
    "execveat",
    "ptrace",
    "fork",
    "vfork",
    "clone",
    "clone3",
    "socket",
    "connect",
    "bind",
    "listen",
    "process_vm_readv",
    "process_vm_writev",
    "mount",
    "unshare",
    "setns",
    "bpf",
    "keyctl",
};

void archive_confine_close(int keep)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDOUT_FILENO);
        if (null > STDERR_FILENO && null != keep) {
            close(null);
        }
    }
    if (keep > 3) {
        (void)syscall(SYS_close_range, 3, keep - 1, 0);
    }
    (void)syscall(SYS_close_range, keep + 1, ~0U, 0);
}

static int limit(int what, uint64_t most)
{
    const struct rlimit value = {most, most};
    return setrlimit((__rlimit_resource_t)what, &value);
}

static int add(scmp_filter_ctx ctx, uint32_t what, const char *name)
{
    int number = seccomp_syscall_resolve_name(name);
    return number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(ctx, what, number, 0);
}

/* Memory that can be written or run, never both. */
static int add_memory(scmp_filter_ctx ctx)
{
    int map = seccomp_syscall_resolve_name("mmap");
    int protect = seccomp_syscall_resolve_name("mprotect");
    int rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, map, 1, SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return rc != 0 ? rc
                   : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, protect, 1, SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

static int filter(void)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int rc = ctx != NULL ? add_memory(ctx) : -1;
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0] && rc == 0; i++) {
        rc = add(ctx, SCMP_ACT_ALLOW, allowed[i]);
    }
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0] && rc == 0; i++) {
        rc = add(ctx, SCMP_ACT_KILL_PROCESS, deadly[i]);
    }
    rc = rc == 0 ? seccomp_load(ctx) : rc;
    seccomp_release(ctx);
    return rc;
}

/* A second wall behind the filter: Landlock, told to refuse whatever it can, and to allow nothing. */
int archive_confine_files(void)
{
    static const struct {
        int version;
        uint64_t files, network;
    } rows[] = {{1, 0x1fff, 0}, {2, 0x2000, 0}, {3, 0x4000, 0}, {4, 0, 3}, {5, 0x8000, 0}};
    struct {
        uint64_t files, network;
    } all = {0, 0};
    long version = syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        all.files |= version >= rows[i].version ? rows[i].files : 0;
        all.network |= version >= rows[i].version ? rows[i].network : 0;
    }
    if (version < 1) {
        return 0; /* a kernel without it, or one that was told to do without */
    }
    long fd = syscall(CREATE_RULESET, &all, all.network != 0 ? sizeof all : sizeof all.files, 0);
    int rc = fd >= 0 && syscall(RESTRICT_SELF, fd, 0) == 0 ? 1 : -1;
    if (fd >= 0) {
        close((int)fd);
    }
    return rc;
}

int archive_confine(uint64_t largest)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
        limit(RLIMIT_CORE, 0) != 0 || limit(RLIMIT_FSIZE, 0) != 0) {
        return -1;
    }
    if (SANITIZED) {
        return 0;
    }
    if (archive_confine_files() < 0 || limit(RLIMIT_AS, ROOM + largest * 16) != 0) {
        return -1;
    }
    int rc = filter();
    return rc == 0 || rc == -EINVAL || rc == -ENOSYS ? 0 : -1; /* a kernel without seccomp */
}
