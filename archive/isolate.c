/* SPDX-License-Identifier: Apache-2.0 */
/* isolate.c: see isolate.h. What a judge answers is a line of the journal, and is read as one from a stranger. */
#include "archive/isolate.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "archive/confine.h"
#include "archive/journal.h"
#include "archive/timestamp.h"
#include "base/clock.h"
#include "base/text.h"

#define FIELDS_MAX ((size_t)16 << 20)
#define LOC_MAX    ((size_t)1 << 20)

struct archive_template {
    pthread_mutex_t lock; /* one question at a time */
    int socket;           /* owned */
};

/* What goes to a judge, in front of loc, fields, token and payload. */
struct question {
    uint64_t seq, size;
    int64_t mtime, proven, captured;
    uint32_t loc, fields, token;
    bool has_token;
    bool file; /* the payload is a descriptor, not in here */
};

/* ---- octets and descriptors
 * ------------------------------------------------------------------------------------------- */

/* Up to two descriptors ride on the first octet. @return 0, or -1 */
static int send_with(int socket, const void *p, size_t n, const int *fd, size_t n_fd)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(2 * sizeof(int))];
    } control;
    const char *at = p;
    while (n > 0) {
        struct iovec part = {(void *)(uintptr_t)at, n};
        struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
        if (n_fd > 0) {
            memset(&control, 0, sizeof control);
            m.msg_control = &control;
            m.msg_controllen = CMSG_SPACE(n_fd * sizeof *fd);
            struct cmsghdr *head = CMSG_FIRSTHDR(&m);
            head->cmsg_level = SOL_SOCKET;
            head->cmsg_type = SCM_RIGHTS;
            head->cmsg_len = CMSG_LEN(n_fd * sizeof *fd);
            memcpy(CMSG_DATA(head), fd, n_fd * sizeof *fd);
        }
        ssize_t done = sendmsg(socket, &m, MSG_NOSIGNAL);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return -1;
        }
        at += done;
        n -= (size_t)done;
        n_fd = 0;
    }
    return 0;
}

/* until: monotonic, 0: no end. @return 1: there is something (or its end); 0: too late */
static int wait_for(int socket, short what, int64_t until)
{
    while (until != 0) {
        int64_t left = (until - cs_clock_mono_us()) / 1000;
        struct pollfd p = {.fd = socket, .events = what};
        int rc = left > 0 ? poll(&p, 1, left < 60000 ? (int)left : 60000) : 0;
        if (rc > 0) {
            return 1;
        }
        if (left <= 0) {
            return 0;
        }
    }
    return 1;
}

/* @return 0; -1: the other side is gone; 1: too late. Descriptors that came go to fd (-1 where none did). */
static int receive_with(int socket, void *p, size_t n, int *fd, size_t n_fd, int64_t until)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(2 * sizeof(int))];
    } control;
    char *at = p;
    for (size_t i = 0; i < n_fd; i++) {
        fd[i] = -1;
    }
    while (n > 0) {
        struct iovec part = {at, n};
        struct msghdr m = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = n_fd > 0 ? &control : NULL,
                           .msg_controllen = n_fd > 0 ? sizeof control : 0};
        if (wait_for(socket, POLLIN, until) == 0) {
            return 1;
        }
        ssize_t got = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return -1;
        }
        struct cmsghdr *head = n_fd > 0 ? CMSG_FIRSTHDR(&m) : NULL;
        if (head != NULL && head->cmsg_type == SCM_RIGHTS && head->cmsg_len <= CMSG_LEN(n_fd * sizeof *fd)) {
            memcpy(fd, CMSG_DATA(head), head->cmsg_len - CMSG_LEN(0));
        }
        at += got;
        n -= (size_t)got;
    }
    return 0;
}

/* ---- the judge
 * ---------------------------------------------------------------------------------------------------------- */

static int read_text(int socket, size_t n, size_t most, char **out)
{
    *out = n <= most ? malloc(n + 1) : NULL;
    if (*out == NULL || receive_with(socket, *out, n, NULL, 0, 0) != 0) {
        return -1;
    }
    (*out)[n] = '\0';
    return 0;
}

static int read_question(int socket, struct archive_item *item)
{
    struct question q;
    char *fields = NULL;
    if (receive_with(socket, &q, sizeof q, &item->fd, 1, 0) != 0) {
        return -1;
    }
    item->seq = q.seq;
    item->size = q.size;
    item->mtime = q.mtime;
    item->proven = q.proven;
    item->captured = q.captured;
    int rc = read_text(socket, q.loc, LOC_MAX, &item->loc);
    if (rc == 0 && q.fields > 0) {
        rc = read_text(socket, q.fields, FIELDS_MAX, &fields);
        item->fields = rc == 0 ? json_loadb(fields, q.fields, JSON_ALLOW_NUL, NULL) : NULL;
        free(fields);
    }
    if (rc == 0 && q.has_token) {
        char *token = NULL;
        rc = read_text(socket, q.token, ARCHIVE_TOKEN_MAX, &token);
        item->token = (uint8_t *)token;
        item->token_n = q.token;
    }
    if (rc == 0 && !q.file) {
        item->data = malloc(q.size > 0 ? (size_t)q.size : 1);
        rc = item->data != NULL ? receive_with(socket, item->data, (size_t)q.size, NULL, 0, 0) : -1;
    }
    return rc;
}

static int answer(struct archive_bench *b, int socket)
{
    struct archive_item item = ARCHIVE_ITEM_INIT;
    struct archive_record r;
    cs_buf text = CS_BUF_INIT;
    int rc = read_question(socket, &item);
    if (rc == 0) {
        archive_bench_judge(b, &item, &r);
        archive_record_write(&r, &text);
        uint64_t n = text.len;
        rc = text.failed || send_with(socket, &n, sizeof n, NULL, 0) != 0 ||
                     send_with(socket, text.data, text.len, NULL, 0) != 0
                 ? -1
                 : 0;
        archive_record_clear(&r);
    }
    cs_buf_free(&text);
    archive_item_clear(&item);
    return rc;
}

static void be_judge(const struct archive_bench *with, int socket)
{
    struct archive_bench b;
    archive_confine_close(socket);
    if (archive_bench_make(&b, with->court, with->order, with->groups, with->times) != 0 ||
        archive_confine(with->order->max_member) != 0) {
        _exit(CS_EXIT_INTERNAL);
    }
    while (answer(&b, socket) == 0) {
    }
    _exit(0);
}

/* ---- the template
 * -------------------------------------------------------------------------------------------------------- */

static int make_judge(const struct archive_bench *with, int socket)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        be_judge(with, pair[1]);
    }
    close(pair[1]);
    int out[2] = {pair[0], pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1};
    char mark = pid > 0 && out[1] >= 0 ? 'y' : 'n';
    int rc = send_with(socket, &mark, 1, out, mark == 'y' ? 2 : 0);
    close(pair[0]);
    if (out[1] >= 0) {
        close(out[1]);
    }
    return rc;
}

static void be_template(const struct archive_bench *with, int socket)
{
    char mark = 0;
    (void)signal(SIGINT, SIG_IGN); /* a terminal sends it to all; the run decides */
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGCHLD, SIG_IGN); /* judges are not waited for */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (receive_with(socket, &mark, 1, NULL, 0, 0) == 0 && make_judge(with, socket) == 0) {
    }
    _exit(0);
}

int archive_template_start(struct archive_template **out, const struct archive_court *court,
                           const struct archive_order *order, const struct archive_groups *groups,
                           const struct archive_times *times, cs_error *e)
{
    const struct archive_bench with = {.court = court, .order = order, .groups = groups, .times = times};
    int pair[2] = {-1, -1};
    struct archive_template *t = calloc(1, sizeof *t);
    *out = NULL;
    if (t == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        free(t);
        return cs_error_set(e, CS_EXIT_INTERNAL, "internal", "no process for judges: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid == 0) {
        archive_confine_close(pair[1]);
        be_template(&with, pair[1]);
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        free(t);
        return cs_error_set(e, CS_EXIT_INTERNAL, "internal", "no process for judges: %s", strerror(errno));
    }
    (void)pthread_mutex_init(&t->lock, NULL);
    t->socket = pair[0];
    *out = t;
    return 0;
}

void archive_template_end(struct archive_template *t)
{
    if (t != NULL) {
        close(t->socket);
        (void)pthread_mutex_destroy(&t->lock);
        free(t);
    }
}

/* ---- the side of the run
 * --------------------------------------------------------------------------------------------------- */

void archive_child_end(struct archive_child *c)
{
    if (c->pid >= 0) {
        (void)syscall(SYS_pidfd_send_signal, c->pid, SIGKILL, NULL, 0);
        close(c->pid);
    }
    if (c->socket >= 0) {
        close(c->socket);
    }
    *c = (struct archive_child)ARCHIVE_CHILD_INIT;
}

static int child_new(struct archive_template *t, struct archive_child *c, cs_error *e)
{
    char mark = 'j';
    int fd[2] = {-1, -1};
    (void)pthread_mutex_lock(&t->lock);
    int rc = send_with(t->socket, &mark, 1, NULL, 0);
    rc = rc == 0 ? receive_with(t->socket, &mark, 1, fd, 2, 0) : rc;
    (void)pthread_mutex_unlock(&t->lock);
    if (rc != 0 || mark != 'y' || fd[0] < 0 || fd[1] < 0) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "internal", "no process for a judge can be made");
    }
    *c = (struct archive_child){.socket = fd[0], .pid = fd[1]};
    return 0;
}

/* @return 0; -1: it broke off; 1: there was nobody to take it */
static int ask(const struct archive_child *c, const struct archive_item *item)
{
    char *fields = item->fields != NULL ? json_dumps(item->fields, JSON_COMPACT) : NULL;
    struct question q = {
        .seq = item->seq, .size = item->size, .mtime = item->mtime, .proven = item->proven, .captured = item->captured};
    q.loc = (uint32_t)strlen(item->loc);
    q.fields = fields != NULL ? (uint32_t)strlen(fields) : 0;
    q.has_token = item->token != NULL;
    q.token = (uint32_t)item->token_n;
    q.file = item->data == NULL && item->fd >= 0;
    int rc = send_with(c->socket, &q, sizeof q, &item->fd, q.file ? 1 : 0) == 0 ? 0 : 1;
    rc = rc == 0 ? send_with(c->socket, item->loc, q.loc, NULL, 0) : rc;
    rc = rc == 0 && q.fields > 0 ? send_with(c->socket, fields, q.fields, NULL, 0) : rc;
    rc = rc == 0 && q.token > 0 ? send_with(c->socket, item->token, q.token, NULL, 0) : rc;
    rc = rc == 0 && !q.file ? send_with(c->socket, item->data, (size_t)item->size, NULL, 0) : rc;
    free(fields);
    return rc;
}

/* @return 0: r is filled; -1: crashed, or no record; 1: too late */
static int hear(const struct archive_child *c, int64_t until, struct archive_record *r)
{
    uint64_t n = 0;
    cs_error e = {0};
    int rc = receive_with(c->socket, &n, sizeof n, NULL, 0, until);
    char *text = rc == 0 && n <= ARCHIVE_LINE_MAX ? malloc((size_t)n + 1) : NULL;
    if (text == NULL) {
        return rc != 0 ? rc : -1;
    }
    rc = receive_with(c->socket, text, (size_t)n, NULL, 0, until);
    if (rc == 0) {
        rc = archive_record_read(r, text, (size_t)n, &e);
    }
    free(text);
    return rc;
}

int archive_child_judge(struct archive_template *t, struct archive_child *c, const struct archive_item *item,
                        int64_t ms, struct archive_record *r, cs_error *e)
{
    memset(r, 0, sizeof *r);
    if (c->socket < 0 && child_new(t, c, e) != 0) {
        return -1;
    }
    int64_t until = cs_clock_mono_us() + ms * 1000;
    int rc = ask(c, item);
    if (rc > 0) { /* it ended before it had the item, which is not to blame */
        archive_child_end(c);
        if (child_new(t, c, e) != 0) {
            return -1;
        }
        rc = ask(c, item);
    }
    rc = rc == 0 ? hear(c, until, r) : -1;
    if (rc != 0) {
        archive_child_end(c);
        archive_record_clear(r);
        archive_record_error(r, rc > 0 ? WSSEC_ITEM_TIMEOUT : WSSEC_WORKER_CRASH);
    }
    /* what the run knows itself is not the judge's to say */
    free(r->loc);
    r->loc = strdup(item->loc);
    r->seq = item->seq;
    r->size = rc == 0 && r->has_payload ? item->size : 0;
    return 0;
}
