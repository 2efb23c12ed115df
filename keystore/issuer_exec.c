/* SPDX-License-Identifier: Apache-2.0 */
/*
 * issuer_exec.c: a program of the site is asked: the request on its stdin, certificate and chain on its stdout. No
 * shell, no descriptor and no variable of ours beyond what it needs; a process group of its own, which ends with its
 * time.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "keystore/entry.h"
#include "keystore/talk.h"

#define EXIT_LATER 75 /* EX_TEMPFAIL */
#define LOOK_MS    100
#define GRACE_MS   2000 /* between being asked to end and being ended */
#define COMPLAINT  256  /* of what it says on stderr, the end counts */

enum { IN, OUT, ERR, PIPES };

struct child {
    pid_t pid;
    int fd[PIPES]; /* our ends; -1: closed */
    const char *request;
    size_t left; /* of the request */
    cs_buf *reply;
    char complaint[COMPLAINT];
    size_t n_complaint;
    bool too_much;
};

/* ---- start --------------------------------------------------------------------------------------------------------
 */

static void close_all(int fd[2 * PIPES])
{
    for (int i = 0; i < 2 * PIPES; i++) {
        if (fd[i] >= 0) {
            close(fd[i]);
        }
    }
}

/** What it may know: a path to find tools in, and what it is asked for. */
static int environment(const struct ks_talk *t, char text[5][160], char *env[6])
{
    const char *const value[5][2] = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                                     {"COUNTERSIGN_ALIAS", t->alias},
                                     {"COUNTERSIGN_ROLE", ks_role_word(t->role)},
                                     {"COUNTERSIGN_ISSUER", t->issuer->name},
                                     {"COUNTERSIGN_OLD_SHA256", t->old_sha256}};
    for (int i = 0; i < 5; i++) {
        int n = snprintf(text[i], 160, "%s=%s", value[i][0], value[i][1]);
        if (n < 0 || n >= 160) {
            return -1;
        }
        env[i] = text[i];
    }
    env[5] = NULL;
    return 0;
}

static int spawn(const struct ks_talk *t, const int fd[2 * PIPES], pid_t *pid)
{
    char text[5][160];
    char *env[6];
    char *argv[KS_ISSUER_ARGS + 1] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    if (environment(t, text, env) != 0) {
        return E2BIG;
    }
    for (size_t i = 0; i < t->issuer->n_arg; i++) {
        argv[i] = (char *)(uintptr_t)t->issuer->arg[i];
    }
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    int rc = posix_spawn_file_actions_adddup2(&actions, fd[0], 0);
    rc = rc == 0 ? posix_spawn_file_actions_adddup2(&actions, fd[3], 1) : rc;
    rc = rc == 0 ? posix_spawn_file_actions_adddup2(&actions, fd[5], 2) : rc;
    rc = rc == 0 ? posix_spawn_file_actions_addclosefrom_np(&actions, 3) : rc;
    rc = rc == 0 ? posix_spawn_file_actions_addchdir_np(&actions, "/") : rc;
    rc = rc == 0 ? posix_spawnattr_setpgroup(&attr, 0) : rc;
    rc = rc == 0 ? posix_spawnattr_setsigmask(&attr, &none) : rc;
    rc = rc == 0 ? posix_spawnattr_setsigdefault(&attr, &all) : rc;
    rc = rc == 0
             ? posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)
             : rc;
    rc = rc == 0 ? posix_spawn(pid, argv[0], &actions, &attr, argv, env) : rc;
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static int start(struct ks_talk *t, struct child *c)
{
    int fd[2 * PIPES] = {-1, -1, -1, -1, -1, -1};
    int rc = 0;
    for (int i = 0; i < PIPES && rc == 0; i++) {
        rc = pipe2(&fd[2 * (size_t)i], O_CLOEXEC) != 0 ? errno : 0;
    }
    rc = rc == 0 ? spawn(t, fd, &c->pid) : rc;
    if (rc != 0) {
        close_all(fd);
        snprintf(t->text, sizeof t->text, "%.200s cannot be started: %s", t->issuer->arg[0], strerrordesc_np(rc));
        return -1;
    }
    close(fd[0]);
    close(fd[3]);
    close(fd[5]);
    c->fd[IN] = fd[1];
    c->fd[OUT] = fd[2];
    c->fd[ERR] = fd[4];
    for (int i = 0; i < PIPES; i++) {
        (void)fcntl(c->fd[i], F_SETFL, O_NONBLOCK);
    }
    return 0;
}

/* ---- talk ---------------------------------------------------------------------------------------------------------
 */

static void shut(struct child *c, int which)
{
    if (c->fd[which] >= 0) {
        close(c->fd[which]);
        c->fd[which] = -1;
    }
}

static void give(struct child *c)
{
    ssize_t n = write(c->fd[IN], c->request, c->left);
    if (n > 0) {
        c->request += n;
        c->left -= (size_t)n;
    }
    if (c->left == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        shut(c, IN);
    }
}

static void hear(struct child *c, int which)
{
    char data[4096];
    ssize_t n = read(c->fd[which], data, sizeof data);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        shut(c, which);
    } else if (n > 0 && which == OUT) {
        c->too_much =
            c->too_much || c->reply->len + (size_t)n > KS_INPUT_MAX || cs_buf_add(c->reply, data, (size_t)n) != 0;
    } else if (n > 0) {
        size_t take = (size_t)n < COMPLAINT - 1 ? (size_t)n : COMPLAINT - 1;
        size_t keep = c->n_complaint + take < COMPLAINT - 1 ? c->n_complaint : COMPLAINT - 1 - take;
        memmove(c->complaint, c->complaint + c->n_complaint - keep, keep);
        memcpy(c->complaint + keep, data + n - take, take);
        c->n_complaint = keep + take;
        c->complaint[c->n_complaint] = '\0';
    }
}

/** @return the child ended, and how stands in *status */
static bool ended(const struct child *c, int *status)
{
    return waitpid(c->pid, status, WNOHANG) == c->pid;
}

/** End the whole group. */
static void finish(const struct child *c, int *status)
{
    int64_t until = cs_clock_mono_us() + GRACE_MS * 1000;
    kill(-c->pid, SIGTERM);
    while (!ended(c, status)) {
        if (cs_clock_mono_us() > until) {
            kill(-c->pid, SIGKILL);
            (void)waitpid(c->pid, status, 0);
            break;
        }
        poll(NULL, 0, LOOK_MS);
    }
    kill(-c->pid, SIGKILL);
}

/** Until it closed what it says and ended, its time is over, or we are to stop. @return it ended by itself */
static bool talk(const struct ks_talk *t, struct child *c, int *status)
{
    int64_t until = cs_clock_mono_us() + t->issuer->timeout_ms * 1000;
    bool over = false;
    while (!over && !c->too_much && cs_clock_mono_us() < until &&
           (t->stop.asked == NULL || !t->stop.asked(t->stop.ctx))) {
        struct pollfd p[PIPES] = {{c->fd[IN], POLLOUT, 0}, {c->fd[OUT], POLLIN, 0}, {c->fd[ERR], POLLIN, 0}};
        poll(p, PIPES, LOOK_MS);
        for (int i = OUT; i < PIPES; i++) {
            if (p[i].revents != 0) {
                hear(c, i);
            }
        }
        if (p[IN].revents != 0) {
            give(c);
        }
        over = c->fd[OUT] < 0 && ended(c, status);
    }
    if (over) {
        for (bool more = c->fd[ERR] >= 0; more;) { /* its last words */
            size_t before = c->n_complaint;
            hear(c, ERR);
            more = c->fd[ERR] >= 0 && c->n_complaint != before && c->n_complaint < COMPLAINT - 1;
        }
    }
    return over;
}

static enum ks_talked judge(struct ks_talk *t, struct child *c, bool by_itself, int status)
{
    const char *program = t->issuer->arg[0];
    while (c->n_complaint > 0 && (unsigned char)c->complaint[c->n_complaint - 1] <= ' ') {
        c->complaint[--c->n_complaint] = '\0';
    }
    ks_printable(c->complaint);
    const char *mark = c->n_complaint > 0 ? ": " : "";
    if (c->too_much) {
        snprintf(t->text, sizeof t->text, "%.100s wrote more than a certificate with its chain can have", program);
        return KS_TALK_NEVER;
    }
    if (!by_itself) {
        snprintf(t->text, sizeof t->text, "%.60s did not end in %lld s%s%s", program,
                 (long long)(t->issuer->timeout_ms / 1000), mark, c->complaint);
        return KS_TALK_LATER;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return KS_TALK_DONE;
    }
    bool later = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_LATER;
    snprintf(t->text, sizeof t->text, "%.60s ended with %s %d%s%s", program, WIFEXITED(status) ? "exit" : "signal",
             WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), mark, c->complaint);
    t->again_s = later ? 60 : 0;
    return later ? KS_TALK_LATER : KS_TALK_NEVER;
}

enum ks_talked ks_talk_exec(struct ks_talk *t)
{
    struct child c = {.pid = -1, .fd = {-1, -1, -1}, .reply = t->reply};
    enum ks_talked said = KS_TALK_LATER;
    int status = 0;
    char *data = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* it may end without having read */
    if (bio == NULL || PEM_write_bio_X509_REQ(bio, t->request) != 1) {
        snprintf(t->text, sizeof t->text, "out of memory");
        goto out;
    }
    c.left = (size_t)BIO_get_mem_data(bio, &data);
    c.request = data;
    if (start(t, &c) == 0) {
        bool by_itself = talk(t, &c, &status);
        if (!by_itself) {
            finish(&c, &status);
        }
        said = judge(t, &c, by_itself, status);
    }
out:
    for (int i = 0; i < PIPES; i++) {
        shut(&c, i);
    }
    (void)signal(SIGPIPE, before);
    BIO_free(bio);
    return said;
}
