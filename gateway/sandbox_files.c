/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox_files.c: Landlock: the files, directories and ports that the process can still reach. The numbers are the
 * kernel's interface; distributions' headers are older than the kernels that they run on, so they stand here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gateway/sandbox.h"

/* The same on every architecture. */
#define CALL_CREATE_RULESET 444
#define CALL_ADD_RULE       445
#define CALL_RESTRICT_SELF  446

#define ASK_VERSION 1U
#define RULE_PATH   1

#define BIT(n)      (UINT64_C(1) << (n))
#define FS_EXECUTE  BIT(0)
#define FS_WRITE    BIT(1)
#define FS_READ     BIT(2)
#define FS_LIST     BIT(3)
#define FS_RMDIR    BIT(4)
#define FS_REMOVE   BIT(5)
#define FS_MKDIR    BIT(7)
#define FS_MAKE     BIT(8)
#define FS_MKSOCK   BIT(9)
#define FS_TRUNCATE BIT(14)
#define FS_IOCTL    BIT(15)

#define NET_BIND        BIT(0)
#define NET_CONNECT     BIT(1)
#define SCOPE_ABSTRACT  BIT(0)
#define SCOPE_SIGNAL    BIT(1)
#define RIGHTS_OF_FILES (FS_EXECUTE | FS_WRITE | FS_READ | FS_TRUNCATE | FS_IOCTL)

struct ruleset {
    uint64_t fs, net, scoped;
};

struct __attribute__((packed)) rule_path {
    uint64_t allowed;
    int32_t parent_fd;
};

/* What each version of the interface can refuse: all that is here is refused unless a path allows it. */
static const struct {
    int version;
    uint64_t fs, net, scoped;
} versions[] = {
    {1, BIT(13) - 1, 0, 0}, {2, BIT(13), 0, 0},
    {3, FS_TRUNCATE, 0, 0}, {4, 0, NET_BIND | NET_CONNECT, 0},
    {5, FS_IOCTL, 0, 0},    {6, 0, 0, SCOPE_ABSTRACT | SCOPE_SIGNAL},
};

static uint64_t rights(enum sandbox_reach reach)
{
    static const uint64_t change = FS_WRITE | FS_TRUNCATE | FS_REMOVE | FS_RMDIR | FS_MAKE | FS_MKDIR;
    switch (reach) {
    case SANDBOX_READ: return FS_READ | FS_LIST;
    case SANDBOX_DEVICE: return FS_READ | FS_WRITE | FS_IOCTL;
    case SANDBOX_WRITE: return FS_READ | FS_LIST | change;
    case SANDBOX_SOCKET: return FS_READ | FS_LIST | change | FS_MKSOCK;
    }
    return 0;
}

static int add(int ruleset, const struct sandbox_path *p, uint64_t handled, cs_error *e)
{
    struct stat st;
    struct rule_path rule = {rights(p->reach) & handled, open(p->path, O_PATH | O_CLOEXEC)};
    int rc = 0;
    if (rule.parent_fd < 0 || fstat(rule.parent_fd, &st) != 0) {
        /* gone since it was looked at: then there is nothing to reach */
    } else {
        rule.allowed &= S_ISDIR(st.st_mode) ? rule.allowed : RIGHTS_OF_FILES;
        if (syscall(CALL_ADD_RULE, ruleset, RULE_PATH, &rule, 0) != 0 && errno != EBADFD) { /* a pipe is free anyway */
            rc = cs_error_set(e, CS_EXIT_INTERNAL, "sandbox", "the sandbox cannot let %s be reached: %s", p->path,
                              strerror(errno));
        }
    }
    if (rule.parent_fd >= 0) {
        close(rule.parent_fd);
    }
    return rc;
}

/* What this process never needs: all ports where the master binds, sockets without a file, signals to others. */
static void handle(struct ruleset *r, const struct sandbox_rules *rules, long version)
{
    for (size_t i = 0; i < sizeof versions / sizeof versions[0] && versions[i].version <= version; i++) {
        r->fs |= versions[i].fs;
        r->net |= versions[i].net;
        r->scoped |= versions[i].scoped;
    }
    r->net &= rules->kind == SANDBOX_KEYS ? NET_BIND | NET_CONNECT : rules->own_ports ? 0 : NET_BIND;
    /* Sockets without a file: the service manager's, where no master tells it, and that of the keys process. */
    r->scoped &= rules->own_ports || rules->may_end != 0 ? ~SCOPE_ABSTRACT : r->scoped;
    r->scoped &= rules->may_end != 0 ? ~SCOPE_SIGNAL : r->scoped;
}

int sandbox_files(const struct sandbox_paths *p, const struct sandbox_rules *rules, const char **why, cs_error *e)
{
    struct ruleset r = {0, 0, 0};
    long version = syscall(CALL_CREATE_RULESET, NULL, 0, ASK_VERSION);
    int rc = -1;
    if (version < 1) {
        *why = version < 0 ? strerrordesc_np(errno) : "its version is unknown";
        return 0;
    }
    handle(&r, rules, version);
    size_t size = version >= 6 ? sizeof r : version >= 4 ? offsetof(struct ruleset, scoped) : sizeof r.fs;
    int ruleset = (int)syscall(CALL_CREATE_RULESET, &r, size, 0);
    if (ruleset < 0) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "sandbox", "the sandbox cannot be made: %s", strerror(errno));
    }
    for (size_t i = 0; i < p->n; i++) {
        if (add(ruleset, &p->item[i], r.fs, e) != 0) {
            goto out;
        }
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(CALL_RESTRICT_SELF, ruleset, 0) != 0) {
        cs_error_set(e, CS_EXIT_INTERNAL, "sandbox", "the sandbox cannot be entered: %s", strerror(errno));
        goto out;
    }
    rc = (int)version;
out:
    close(ruleset);
    return rc;
}
