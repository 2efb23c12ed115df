/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox_calls.c: seccomp: the system calls that are left. What is not in the table fails with EPERM, is counted and
 * told in the log, and the process goes on: a library that tries something new must not stop the service. What only an
 * intruder would try ends the process at once; the master tells of it (signal 31, SIGSYS) and starts another one.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway/sandbox.h"

#define FROM_SECCOMP 1 /* SYS_SECCOMP of the kernel, which the C library does not name */

#define G SANDBOX_GATEWAY
#define K SANDBOX_KEYS

struct calls {
    unsigned kinds; /* of enum sandbox_kind */
    const char *names;
};

/* Whatever the arguments. Which files are meant is Landlock's part. Names that an architecture lacks are passed over.
 */
static const struct calls allowed[] = {
    {G | K, "read write readv writev pread64 pwrite64 preadv pwritev lseek close"},
    {G | K, "open openat stat lstat fstat newfstatat statx statfs fstatfs access faccessat faccessat2"},
    {G | K, "readlink readlinkat getcwd getdents getdents64 fcntl fcntl64 flock fadvise64"},
    {G | K, "fsync fdatasync ftruncate fallocate unlink unlinkat fchmod fchown umask"},
    {G, "mkdir mkdirat rename renameat renameat2 link linkat chmod fchmodat utimensat sendfile"},
    {G | K, "munmap mremap madvise brk mlock mlock2 munlock msync"},
    {G | K, "futex futex_time64 set_robust_list get_robust_list rseq sched_yield sched_getaffinity getcpu membarrier"},
    {G | K, "exit exit_group restart_syscall rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack"},
    {G | K, "nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time"},
    {G | K, "getpid gettid getppid getuid geteuid getgid getegid getresuid getresgid getgroups"},
    {G | K, "getrandom uname sysinfo getrusage poll ppoll select pselect6 dup dup2 dup3"},
    {G | K, "accept accept4 recvfrom recvmsg sendto sendmsg shutdown getsockopt"},
    {G, "connect bind listen setsockopt getsockname getpeername recvmmsg sendmmsg"},
    {G, "epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2"},
    {G, "eventfd2 pipe2 timerfd_create timerfd_settime timerfd_gettime signalfd4 getrlimit"},
};

/* Nothing honest in this process does these. */
static const struct calls deadly[] = {
    {G | K, "execve execveat ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd"},
    {G | K, "mount umount2 pivot_root chroot fsopen fsconfig fsmount move_mount open_tree mount_setattr"},
    {G | K, "unshare setns init_module finit_module delete_module kexec_load kexec_file_load bpf"},
    {G | K, "perf_event_open userfaultfd keyctl add_key request_key swapon swapoff reboot"},
    {K, "socket connect bind listen"},
};

#define EQ(n, value)         SCMP_CMP64(n, SCMP_CMP_EQ, (uint64_t)(value), 0)
#define MASK(n, mask, value) SCMP_CMP64(n, SCMP_CMP_MASKED_EQ, (uint64_t)(mask), (uint64_t)(value))

/* Only with these arguments; several rows of one call: any of them. */
static const struct narrowed {
    unsigned kinds;
    const char *name;
    unsigned n;
    struct scmp_arg_cmp arg[2];
} narrowed[] = {
    /* threads, and neither processes nor namespaces; what clone3 is asked for cannot be seen, so it is not there */
    {G | K,
     "clone",
     1,
     {MASK(0,
           CLONE_THREAD | CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
               CLONE_NEWCGROUP | CLONE_PTRACE,
           CLONE_THREAD)}},
    /* memory that can be written or run, never both, and none that becomes runnable later */
    {G | K, "mmap", 1, {MASK(2, PROT_WRITE | PROT_EXEC, 0)}},
    {G | K, "mmap", 1, {MASK(2, PROT_WRITE | PROT_EXEC, PROT_WRITE)}},
    {G | K, "mmap", 1, {MASK(2, PROT_WRITE | PROT_EXEC, PROT_EXEC)}},
    {G | K, "mprotect", 1, {MASK(2, PROT_EXEC, 0)}},
    {G, "socket", 1, {EQ(0, AF_UNIX)}},
    {G, "socketpair", 1, {EQ(0, AF_UNIX)}}, /* libcurl waits for its resolver with one */
    {G, "socket", 2, {EQ(0, AF_INET), MASK(1, 0xf, SOCK_STREAM)}},
    {G, "socket", 2, {EQ(0, AF_INET), MASK(1, 0xf, SOCK_DGRAM)}},
    {G, "socket", 2, {EQ(0, AF_INET6), MASK(1, 0xf, SOCK_STREAM)}},
    {G, "socket", 2, {EQ(0, AF_INET6), MASK(1, 0xf, SOCK_DGRAM)}},
    {G, "socket", 2, {EQ(0, AF_NETLINK), EQ(2, 0)}}, /* the resolver asks which families have an address */
    {G | K, "ioctl", 1, {EQ(1, FIONREAD)}},
    {G | K, "ioctl", 1, {EQ(1, FIONBIO)}},
    {G | K, "ioctl", 1, {EQ(1, SIOCOUTQ)}},
    {G | K, "ioctl", 1, {EQ(1, TCGETS)}}, /* "is it a terminal?" */
    {G | K, "prctl", 1, {EQ(0, PR_SET_NAME)}},
    {G | K, "prctl", 1, {EQ(0, PR_GET_NAME)}},
    {G | K, "prctl", 1, {EQ(0, PR_SET_VMA)}},
    {G | K, "prctl", 1, {EQ(0, PR_GET_DUMPABLE)}},
    {G | K, "prlimit64", 1, {EQ(0, 0)}},
};

/* ---- what is refused --------------------------------------------------------------------------------------------- */

static _Atomic uint64_t refused;
static _Atomic int refused_last = -1;
static uint64_t told;

uint64_t sandbox_refused(void)
{
    return atomic_load(&refused);
}

void sandbox_tell(void)
{
    uint64_t now = atomic_load(&refused);
    if (now == told) {
        return;
    }
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, atomic_load(&refused_last));
    cs_log(CS_LOG_WARN, "sandbox-refused", "system calls were refused that this process has no business with",
           CS_STR("last", name != NULL ? name : "?"), CS_INT("number", atomic_load(&refused_last)),
           CS_INT("count", now - told));
    free(name);
    told = now;
}

/* The call has not been made: it returns as if the kernel had refused it. */
static void on_refused(int signal, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    (void)signal;
    if (info->si_code != FROM_SECCOMP) {
        return;
    }
    atomic_store(&refused_last, info->si_syscall);
    atomic_fetch_add(&refused, 1);
#if defined(__x86_64__)
    u->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
    u->uc_mcontext.regs[0] = (unsigned long long)-EPERM;
#else
    (void)u;
#endif
}

/* Where we cannot write the return value, the kernel does it, and nobody is told. */
static uint32_t action(void)
{
#if defined(__x86_64__) || defined(__aarch64__)
    return SCMP_ACT_TRAP;
#else
    return SCMP_ACT_ERRNO(EPERM);
#endif
}

/* ---- the filter -------------------------------------------------------------------------------------------------- */

static int add(scmp_filter_ctx ctx, uint32_t what, const char *name, unsigned n, const struct scmp_arg_cmp *arg)
{
    int number = seccomp_syscall_resolve_name(name);
    return number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add_array(ctx, what, number, n, arg);
}

static int add_names(scmp_filter_ctx ctx, uint32_t what, const struct calls *row, enum sandbox_kind kind)
{
    char names[256];
    char *save = NULL;
    if ((row->kinds & kind) == 0) {
        return 0;
    }
    strncpy(names, row->names, sizeof names - 1);
    names[sizeof names - 1] = '\0';
    for (char *name = strtok_r(names, " ", &save); name != NULL; name = strtok_r(NULL, " ", &save)) {
        int rc = add(ctx, what, name, 0, NULL);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int add_narrowed(scmp_filter_ctx ctx, enum sandbox_kind kind)
{
    int rc = 0;
    for (size_t i = 0; i < sizeof narrowed / sizeof narrowed[0] && rc == 0; i++) {
        const struct narrowed *row = &narrowed[i];
        if ((row->kinds & kind) != 0) {
            rc = add(ctx, SCMP_ACT_ALLOW, row->name, row->n, row->arg);
        }
    }
    return rc;
}

/* Signals: to ourselves (abort), and to the one process that is ours to end. */
static int add_signals(scmp_filter_ctx ctx, pid_t may_end)
{
    struct scmp_arg_cmp self = EQ(0, getpid());
    struct scmp_arg_cmp other = EQ(0, may_end);
    int rc = add(ctx, SCMP_ACT_ALLOW, "tgkill", 1, &self);
    if (rc == 0 && may_end > 0) {
        rc = add(ctx, SCMP_ACT_ALLOW, "kill", 1, &other);
    }
    if (rc == 0 && may_end > 0) {
        rc = add(ctx, SCMP_ACT_ALLOW, "wait4", 1, &other);
    }
    return rc;
}

static int fill(scmp_filter_ctx ctx, const struct sandbox_rules *rules)
{
    int rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0] && rc == 0; i++) {
        rc = add_names(ctx, SCMP_ACT_ALLOW, &allowed[i], rules->kind);
    }
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0] && rc == 0; i++) {
        rc = add_names(ctx, SCMP_ACT_KILL_PROCESS, &deadly[i], rules->kind);
    }
    rc = rc == 0 ? add_narrowed(ctx, rules->kind) : rc;
    rc = rc == 0 ? add_signals(ctx, rules->may_end) : rc;
    rc = rc == 0 ? add(ctx, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL) : rc;
    /* Fewer comparisons for calls with arguments; libraries before 2.5 do not know it. */
    (void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    return rc;
}

int sandbox_calls(const struct sandbox_rules *rules, const char **why, cs_error *e)
{
    if (SANDBOX_SANITIZED) {
        *why = "a build with sanitizers";
        return 0;
    }
    struct sigaction act = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO | SA_RESTART};
    scmp_filter_ctx ctx = seccomp_init(action());
    int rc = ctx == NULL ? -ENOMEM : fill(ctx, rules);
    if (rc == 0 && sigaction(SIGSYS, &act, NULL) != 0) {
        rc = -errno;
    }
    if (rc != 0) {
        cs_error_set(e, CS_EXIT_INTERNAL, "sandbox", "the filter of system calls cannot be made: %s", strerror(-rc));
        seccomp_release(ctx);
        return -1;
    }
    rc = seccomp_load(ctx);
    seccomp_release(ctx);
    if (rc != 0) {
        *why = strerrordesc_np(-rc);
    }
    return rc == 0;
}
