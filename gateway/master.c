/* SPDX-License-Identifier: Apache-2.0 */
/* master.c: see master.h. One thread: signals, what the children say, and a deadline. */
#include "gateway/master.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "gateway/master_private.h"
#include "gateway/notify.h"

#define READY_US         INT64_C(60000000) /* a process that is not ready by then is given up */
#define BACKOFF_FIRST_US INT64_C(100000)
#define BACKOFF_MOST_US  INT64_C(10000000)
#define STABLE_US        INT64_C(60000000) /* who lived so long has earned a restart at once */
#define CHILDREN_ENV     "COUNTERSIGN_CHILDREN"

struct child {
    pid_t pid; /* 0: free */
    int channel;
    bool ready, ending; /* ending: it drains, by our word or an operator's */
    int64_t started_us;
};

struct master {
    struct shared_list shared;
    struct child child[CHILDREN_MAX];
    struct child *current, *next; /* who serves; who is to take over. NULL: none */
    sigset_t before;
    int signals;
    int ready_fd;
    char program[4096];   /* where an upgrade finds the new one */
    char arguments[8192]; /* of this process, each ended by NUL */
    size_t arguments_n;
    bool was_ready;     /* a process has once been ready: from now on the service goes on */
    int terms;          /* how often the end was asked for */
    int64_t restart_us; /* when to start a process; 0: no need */
    int64_t backoff_us;
    int exit_code;
};

/* ---- starting a process ------------------------------------------------------------------------------------------ */

static int read_self(struct master *m)
{
    ssize_t n = readlink("/proc/self/exe", m->program, sizeof m->program - 1);
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, m->arguments, sizeof m->arguments) : -1;
    if (fd >= 0) {
        close(fd);
    }
    if (n <= 0 || got <= 0 || (size_t)got == sizeof m->arguments || m->arguments[got - 1] != '\0') {
        return -1;
    }
    m->program[n] = '\0';
    m->arguments_n = (size_t)got;
    return 0;
}

/* Our own arguments, and more behind them. @return array owned by the caller, NULL: no memory */
static char **arguments(struct master *m, const char *const *more)
{
    size_t n = 0;
    for (size_t i = 0; i < m->arguments_n; i++) {
        n += m->arguments[i] == '\0';
    }
    char **argv = calloc(n + 8, sizeof *argv);
    if (argv == NULL) {
        return NULL;
    }
    n = 0;
    for (char *p = m->arguments; p < m->arguments + m->arguments_n; p += strlen(p) + 1) {
        argv[n++] = p;
    }
    for (size_t i = 0; more != NULL && more[i] != NULL && i < 6; i++) {
        argv[n++] = (char *)(uintptr_t)more[i];
    }
    return argv;
}

/* In the child: nothing but exec. */
static void child_exec(struct master *m, int channel, char **argv)
{
    sigprocmask(SIG_SETMASK, &m->before, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (fcntl(channel, F_SETFD, 0) == 0) {
        execv("/proc/self/exe", argv);
    }
    _exit(CS_EXIT_INTERNAL);
}

static struct child *child_free(struct master *m)
{
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        if (m->child[i].pid == 0) {
            return &m->child[i];
        }
    }
    return NULL;
}

static int child_start(struct master *m)
{
    struct child *c = child_free(m);
    int pair[2] = {-1, -1};
    char number[16];
    const char *more[] = {"--master-fd", number, m->was_ready ? "--again" : NULL, NULL};
    char **argv = NULL;
    if (c == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        goto fail;
    }
    pair[0] = master_high(pair[0]);
    pair[1] = master_high(pair[1]);
    snprintf(number, sizeof number, "%d", pair[1]);
    argv = arguments(m, more);
    if (pair[0] < 0 || pair[1] < 0 || argv == NULL) {
        goto fail;
    }
    *c = (struct child){.channel = pair[0], .started_us = cs_clock_mono_us()};
    c->pid = fork();
    if (c->pid == 0) {
        child_exec(m, pair[1], argv);
    }
    if (c->pid < 0) {
        c->pid = 0;
        goto fail;
    }
    close(pair[1]);
    free(argv);
    m->next = c;
    return 0;
fail:
    cs_log(CS_LOG_ERROR, "master-start", "a gateway process cannot be started", CS_STR("why", strerror(errno)));
    for (int i = 0; i < 2; i++) {
        if (pair[i] >= 0) {
            close(pair[i]);
        }
    }
    free(argv);
    return -1;
}

static void child_say(struct child *c, const char *text)
{
    if (send(c->channel, text, strlen(text), MSG_NOSIGNAL) < 0) {
        cs_log(CS_LOG_WARN, "master", "a gateway process does not listen", CS_INT("pid", c->pid),
               CS_STR("why", strerror(errno)));
    }
}

/* ---- what the children say --------------------------------------------------------------------------------------- */

static void say_descriptor(struct master *m, struct child *c, const char *name, const char *address)
{
    char text[LINK_TEXT] = "error ";
    char why[LINK_TEXT - 8];
    union {
        struct cmsghdr align;
        char octets[CMSG_SPACE(sizeof(int))];
    } control;
    int fd = shared_get(&m->shared, c->pid, name, address, why, sizeof why);
    if (fd < 0) {
        cs_copy(text + 6, sizeof text - 6, why);
        child_say(c, text);
        return;
    }
    struct iovec piece = {(void *)(uintptr_t) "ok", 2};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.octets, .msg_controllen = sizeof control.octets};
    memset(&control, 0, sizeof control);
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
    if (sendmsg(c->channel, &message, MSG_NOSIGNAL) < 0) {
        cs_log(CS_LOG_WARN, "master", "a descriptor cannot be handed on", CS_STR("why", strerror(errno)));
    }
}

static void child_ready(struct master *m, struct child *c)
{
    struct child *before = m->current;
    c->ready = true;
    m->current = c;
    m->next = m->next == c ? NULL : m->next;
    m->was_ready = true;
    m->restart_us = 0;
    if (m->ready_fd >= 0) {
        close(m->ready_fd);
        m->ready_fd = -1;
    }
    if (before != NULL && before != c && !before->ending) {
        before->ending = true;
        child_say(before, "retire");
        cs_log(CS_LOG_NOTICE, "upgraded", "a new gateway process serves, the old one drains", CS_INT("new", c->pid),
               CS_INT("old", before->pid));
    }
    shared_sweep(&m->shared, c->pid);
    if (m->terms > 0) {
        c->ending = true; /* the signal waits in it already */
    } else {
        notify_send("READY=1");
    }
}

static void child_said(struct master *m, struct child *c, char *text)
{
    char *save = NULL;
    const char *word = strtok_r(text, " ", &save);
    const char *name = strtok_r(NULL, " ", &save);
    const char *address = strtok_r(NULL, " ", &save);
    if (word == NULL) {
        return;
    }
    if (strcmp(word, "listen") == 0 && address != NULL) {
        say_descriptor(m, c, name, address);
    } else if (strcmp(word, "forget") == 0 && address != NULL && c == m->current) {
        shared_forget(&m->shared, name, address);
    } else if (strcmp(word, "ready") == 0) {
        child_ready(m, c);
    } else if (strcmp(word, "closing") == 0) {
        if (c == m->current) { /* else the sockets are its successor's; it waits for an answer all the same */
            shared_close(&m->shared);
        }
        child_say(c, "ok");
    } else if (c != m->current) {
        return;
    } else if (strcmp(word, "alive") == 0) {
        notify_send("WATCHDOG=1");
    } else if (strcmp(word, "reloading") == 0) {
        notify_reloading();
    } else if (strcmp(word, "reloaded") == 0) {
        notify_send("READY=1");
    } else if (strcmp(word, "stopping") == 0) {
        c->ending = true;
        notify_send("STOPPING=1");
    }
}

/* All that it said so far: a signal is looked at behind it, and must find what was said before it came. */
static void child_hear(struct master *m, struct child *c)
{
    char text[LINK_TEXT];
    while (c->channel >= 0) {
        ssize_t n = recv(c->channel, text, sizeof text - 1, MSG_DONTWAIT);
        if (n > 0) {
            text[n] = '\0';
            child_said(m, c, text);
        } else if (n == 0) {
            close(c->channel); /* its death is told by a signal */
            c->channel = -1;
        } else if (errno != EINTR) {
            break;
        }
    }
}

/* ---- deaths ------------------------------------------------------------------------------------------------------ */

static int status_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : CS_EXIT_INTERNAL;
}

static void log_death(const struct child *c, int status)
{
    bool killed = WIFSIGNALED(status);
    cs_log(CS_LOG_ERROR, "gateway-died",
           "a gateway process has died; its connections are closed, another one is started", CS_INT("pid", c->pid),
           CS_INT("signal", killed ? WTERMSIG(status) : 0), CS_INT("exit", killed ? -1 : WEXITSTATUS(status)));
}

static void plan_restart(struct master *m, const struct child *died)
{
    int64_t now = cs_clock_mono_us();
    bool stable = died->ready && now - died->started_us > STABLE_US;
    m->backoff_us = stable || m->backoff_us == 0 ? BACKOFF_FIRST_US : m->backoff_us * 2;
    m->backoff_us = m->backoff_us < BACKOFF_MOST_US ? m->backoff_us : BACKOFF_MOST_US;
    m->restart_us = now + m->backoff_us;
}

static void child_gone(struct master *m, struct child *c, int status)
{
    struct child died = *c;
    bool served = m->current == c;
    bool waited_for = m->next == c;
    m->current = served ? NULL : m->current;
    m->next = waited_for ? NULL : m->next;
    if (c->channel >= 0) {
        close(c->channel);
    }
    *c = (struct child){.channel = -1};
    if (served && died.ending) {
        m->exit_code = status_code(status);
        m->terms = m->terms > 0 ? m->terms : 1; /* an operator let it end: so does the service */
    } else if (m->terms > 0) {
        return;
    } else if (served) {
        log_death(&died, status);
        plan_restart(m, &died);
    } else if (waited_for && !m->was_ready) {
        m->exit_code = status_code(status); /* it never worked: the sentence that says why was printed */
        m->terms = 1;
    } else if (waited_for && m->current != NULL) {
        cs_log(CS_LOG_ERROR, "upgrade-failed",
               "the new gateway process has ended before it was ready; the old one goes on", CS_INT("pid", died.pid),
               CS_INT("exit", status_code(status)));
        notify_send("READY=1");
    } else if (waited_for) {
        log_death(&died, status);
        plan_restart(m, &died);
    }
}

static void reap(struct master *m)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (unsigned i = 0; i < CHILDREN_MAX; i++) {
            if (m->child[i].pid == pid) {
                if (m->child[i].channel >= 0) {
                    child_hear(m, &m->child[i]); /* its last word, e.g. that it was told to end */
                }
                child_gone(m, &m->child[i], status);
                break;
            }
        }
    }
}

/* ---- upgrade ----------------------------------------------------------------------------------------------------- */

/* A program that cannot even say its version must not take the place of this one. */
static bool program_works(struct master *m)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        sigprocmask(SIG_SETMASK, &m->before, NULL);
        if (null >= 0 && dup2(null, STDOUT_FILENO) >= 0 && dup2(null, STDERR_FILENO) >= 0) {
            alarm(20);
            execl(m->program, m->program, "--version", (char *)NULL);
        }
        _exit(CS_EXIT_INTERNAL);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int hand_over(struct master *m)
{
    char text[CHILDREN_MAX * 48] = "";
    size_t n = 0;
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        const struct child *c = &m->child[i];
        if (c->pid != 0 && c->channel >= 0) {
            n += (size_t)snprintf(text + n, sizeof text - n, "%ld:%d:%d ", (long)c->pid, c->channel, c == m->current);
        }
    }
    if (setenv(CHILDREN_ENV, text, 1) != 0 || shared_hand_over(&m->shared) != 0) {
        return -1;
    }
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        if (m->child[i].pid != 0 && m->child[i].channel >= 0) {
            (void)fcntl(m->child[i].channel, F_SETFD, 0);
        }
    }
    return 0;
}

static void upgrade(struct master *m)
{
    if (m->terms > 0 || m->current == NULL || m->next != NULL) {
        cs_log(CS_LOG_WARN, "upgrade", "not now: the gateway ends, or a process is being started");
        return;
    }
    if (!program_works(m)) {
        cs_log(CS_LOG_ERROR, "upgrade-failed", "the program does not run; the old one goes on",
               CS_STR("program", m->program));
        return;
    }
    cs_log(CS_LOG_NOTICE, "upgrade", "the program is read anew", CS_STR("program", m->program));
    notify_reloading();
    char **argv = arguments(m, NULL);
    if (argv != NULL && hand_over(m) == 0) {
        execv(m->program, argv);
    }
    cs_log(CS_LOG_ERROR, "upgrade-failed", "the program cannot be run; the old one goes on",
           CS_STR("program", m->program), CS_STR("why", strerror(errno)));
    free(argv);
    unsetenv(CHILDREN_ENV);
    shared_take_back(&m->shared);
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        if (m->child[i].pid != 0 && m->child[i].channel >= 0) {
            (void)fcntl(m->child[i].channel, F_SETFD, FD_CLOEXEC);
        }
    }
    notify_send("READY=1");
}

/* The processes of the program that this one has taken the place of. */
static void adopt(struct master *m)
{
    const char *p = getenv(CHILDREN_ENV);
    for (unsigned i = 0; p != NULL && *p != '\0' && i < CHILDREN_MAX; i++) {
        char *end;
        struct child *c = &m->child[i];
        c->pid = (pid_t)strtol(p, &end, 10);
        c->channel = *end == ':' ? (int)strtol(end + 1, &end, 10) : -1;
        bool serves = *end == ':' && strtol(end + 1, &end, 10) == 1;
        c->ready = true;
        c->ending = !serves;
        c->started_us = cs_clock_mono_us();
        m->current = serves ? c : m->current;
        m->was_ready = true;
        if (c->channel >= 0) {
            (void)fcntl(c->channel, F_SETFD, FD_CLOEXEC);
        }
        p = *end == ' ' ? end + 1 : "";
    }
    unsetenv(CHILDREN_ENV);
}

/* ---- signals ----------------------------------------------------------------------------------------------------- */

static void end_all(struct master *m)
{
    if (m->terms++ == 0) {
        notify_send("STOPPING=1");
        m->restart_us = 0;
    }
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        if (m->child[i].pid != 0) {
            m->child[i].ending = true;
            kill(m->child[i].pid, LINK_SIGNAL_END);
        }
    }
}

static void take_signal(struct master *m)
{
    struct signalfd_siginfo info;
    if (read(m->signals, &info, sizeof info) != (ssize_t)sizeof info) {
        return;
    }
    switch (info.ssi_signo) {
    case SIGCHLD: reap(m); break;
    case SIGHUP:
        for (struct child *c = m->current; c != NULL; c = c == m->next ? NULL : m->next) {
            kill(c->pid, LINK_SIGNAL_RELOAD);
        }
        break;
    case SIGUSR2: upgrade(m); break;
    default: end_all(m);
    }
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static bool any_child(const struct master *m)
{
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        if (m->child[i].pid != 0) {
            return true;
        }
    }
    return false;
}

static int wait_ms(const struct master *m, int64_t now)
{
    int64_t due = m->restart_us;
    if (m->next != NULL && (due == 0 || m->next->started_us + READY_US < due)) {
        due = m->next->started_us + READY_US;
    }
    int64_t ms = (due - now) / 1000 + 1;
    return due == 0 ? -1 : ms < 0 ? 0 : ms > 60000 ? 60000 : (int)ms;
}

static void look_at_time(struct master *m, int64_t now)
{
    if (m->restart_us != 0 && now >= m->restart_us && m->next == NULL && m->terms == 0) {
        m->restart_us = child_start(m) == 0 ? 0 : now + BACKOFF_MOST_US;
    }
    if (m->next != NULL && now - m->next->started_us >= READY_US) {
        cs_log(CS_LOG_ERROR, "not-ready", "a gateway process was not ready in time and is ended",
               CS_INT("pid", m->next->pid));
        m->next->started_us = now;
        kill(m->next->pid, SIGKILL);
    }
}

static void run(struct master *m)
{
    while (m->terms == 0 || any_child(m)) {
        struct pollfd fds[1 + CHILDREN_MAX] = {{.fd = m->signals, .events = POLLIN}};
        for (unsigned i = 0; i < CHILDREN_MAX; i++) {
            fds[1 + i] = (struct pollfd){.fd = m->child[i].pid != 0 ? m->child[i].channel : -1, .events = POLLIN};
        }
        if (poll(fds, 1 + CHILDREN_MAX, wait_ms(m, cs_clock_mono_us())) < 0 && errno != EINTR) {
            cs_log(CS_LOG_ERROR, "internal", "the master cannot wait", CS_STR("why", strerror(errno)));
            m->exit_code = CS_EXIT_INTERNAL;
            return;
        }
        for (unsigned i = 0; i < CHILDREN_MAX; i++) {
            if ((fds[1 + i].revents & (POLLIN | POLLHUP)) != 0 && m->child[i].channel == fds[1 + i].fd) {
                child_hear(m, &m->child[i]);
            }
        }
        if (fds[0].revents != 0) {
            take_signal(m);
        }
        look_at_time(m, cs_clock_mono_us());
    }
}

static int block_signals(struct master *m)
{
    static const int wanted[] = {SIGHUP, SIGTERM, SIGINT, SIGUSR2, SIGCHLD};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        sigaddset(&set, wanted[i]);
    }
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, &m->before) != 0) {
        return -1;
    }
    /* Behind an upgrade they are blocked already, and so would be the gateway's. */
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        sigdelset(&m->before, wanted[i]);
    }
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    m->signals = fd >= 0 ? master_high(fd) : -1;
    return m->signals < 0 ? -1 : 0;
}

bool gw_master_goes_on(void)
{
    return getenv(CHILDREN_ENV) != NULL;
}

int gw_master_run(int ready_fd)
{
    struct master m = {.signals = -1, .ready_fd = ready_fd};
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        m.child[i].channel = -1;
    }
    if (read_self(&m) != 0 || block_signals(&m) != 0) {
        fprintf(stderr, "countersign gateway: the master cannot start: %s\n", strerror(errno));
        return CS_EXIT_INTERNAL;
    }
    shared_inherit(&m.shared);
    adopt(&m);
    reap(&m); /* who died while the programs changed places */
    if (child_start(&m) != 0) {
        m.exit_code = CS_EXIT_INTERNAL;
        m.terms = m.current == NULL ? 1 : 0;
    }
    run(&m);
    shared_close(&m.shared);
    close(m.signals);
    return m.exit_code;
}
