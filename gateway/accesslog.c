/* SPDX-License-Identifier: Apache-2.0 */
/* accesslog.c: see accesslog.h. */
#include "gateway/accesslog.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define LINES_AT_ONCE 64
#define END_WAIT_S    2
#define MERGED_BELOW  8 /* merged lines are written when the ring is filled to this fraction only */

_Static_assert(MERGE_ROWS <= LINES_AT_ONCE, "merged lines go out in one piece");

struct accesslog {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    pthread_t thread;
    bool started, stop;
    char **line; /* ring */
    unsigned size, first, n;
    struct merge merged; /* requests whose lines found no room */
    int64_t now_ms;      /* of the newest request that was to be merged */
    _Atomic uint64_t dropped;
    _Atomic int fd; /* -1: off */
    int next_fd;    /* to be used from the next write on; -2: no change */
};

static int log_open(const char *path, cs_error *e)
{
    if (path == NULL) {
        return -1;
    }
    int fd = strcmp(path, "-") == 0 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                                    : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
    if (fd < 0) {
        cs_error_set(e, CS_EXIT_CONFIG, "access-log", "the access log %s cannot be opened: %s", path, strerror(errno));
        return -2;
    }
    return fd;
}

static void write_all(int fd, struct iovec *v, int n)
{
    while (n > 0) {
        ssize_t done = writev(fd, v, n);
        if (done < 0) {
            if (errno == EINTR) {
                continue;
            }
            cs_log(CS_LOG_ERROR, "access-log", "lines of the access log are lost", CS_STR("why", strerror(errno)));
            return;
        }
        size_t left = (size_t)done;
        while (n > 0 && left >= v->iov_len) {
            left -= v->iov_len;
            v++;
            n--;
        }
        if (n > 0) {
            v->iov_base = (char *)v->iov_base + left;
            v->iov_len -= left;
        }
    }
}

/* With the lock held: take up to max lines out of the ring. */
static unsigned take(struct accesslog *log, char **out, unsigned max)
{
    unsigned n = log->n < max ? log->n : max;
    for (unsigned i = 0; i < n; i++) {
        out[i] = log->line[log->first];
        log->first = (log->first + 1) % log->size;
    }
    log->n -= n;
    return n;
}

/* With the lock held: what was merged, once there is room again, or when it was kept back long enough. */
static unsigned take_merged(struct accesslog *log, struct merge_row *out)
{
    struct merge *m = &log->merged;
    if (m->n == 0 || (log->n > log->size / MERGED_BELOW && !merge_due(m, log->now_ms))) {
        return 0;
    }
    unsigned n = m->n;
    memcpy(out, m->row, n * sizeof *out);
    m->n = 0;
    return n;
}

static void write_lines(struct accesslog *log, char **line, unsigned n)
{
    struct iovec v[2 * LINES_AT_ONCE];
    int fd = atomic_load(&log->fd);
    for (unsigned i = 0; i < n; i++) {
        v[2 * i] = (struct iovec){line[i], strlen(line[i])};
        v[2 * i + 1] = (struct iovec){(void *)(uintptr_t) "\n", 1};
    }
    if (n > 0 && fd >= 0) {
        write_all(fd, v, (int)(2 * n));
    }
    for (unsigned i = 0; i < n; i++) {
        free(line[i]);
    }
}

static void write_merged(struct accesslog *log, const struct merge_row *row, unsigned n)
{
    char *line[MERGE_ROWS];
    unsigned made = 0;
    for (unsigned i = 0; i < n; i++) {
        line[made] = merge_line(&row[i]);
        if (line[made] != NULL) {
            made++;
        } else {
            atomic_fetch_add(&log->dropped, row[i].n);
        }
    }
    write_lines(log, line, made);
}

static void *log_run(void *ctx)
{
    struct accesslog *log = ctx;
    pthread_setname_np(pthread_self(), "access-log");
    pthread_mutex_lock(&log->lock);
    for (;;) {
        while (log->n == 0 && !log->stop && log->next_fd == -2) {
            pthread_cond_wait(&log->filled, &log->lock);
        }
        if (log->n == 0 && log->stop) {
            break;
        }
        char *line[LINES_AT_ONCE];
        unsigned n = take(log, line, LINES_AT_ONCE);
        struct merge_row merged[MERGE_ROWS];
        unsigned n_merged = take_merged(log, merged);
        int next_fd = log->next_fd;
        log->next_fd = -2;
        pthread_mutex_unlock(&log->lock);
        if (next_fd != -2) {
            int old = atomic_exchange(&log->fd, next_fd);
            if (old >= 0) {
                close(old);
            }
        }
        write_lines(log, line, n);
        write_merged(log, merged, n_merged);
        pthread_mutex_lock(&log->lock);
    }
    pthread_mutex_unlock(&log->lock);
    return NULL;
}

struct accesslog *accesslog_new(const char *path, unsigned ring, cs_error *e)
{
    int fd = log_open(path, e);
    if (fd == -2) {
        return NULL;
    }
    struct accesslog *log = calloc(1, sizeof *log);
    char **line = calloc(2 * (size_t)ring, sizeof *line);
    if (log == NULL || line == NULL || pthread_mutex_init(&log->lock, NULL) != 0) {
        goto fail;
    }
    log->line = line;
    log->size = 2 * ring;
    atomic_store(&log->fd, fd);
    log->next_fd = -2;
    if (pthread_cond_init(&log->filled, NULL) != 0) {
        pthread_mutex_destroy(&log->lock);
        goto fail;
    }
    if (pthread_create(&log->thread, NULL, log_run, log) != 0) {
        pthread_cond_destroy(&log->filled);
        pthread_mutex_destroy(&log->lock);
        goto fail;
    }
    log->started = true;
    return log;
fail:
    if (fd >= 0) {
        close(fd);
    }
    free(line);
    free(log);
    cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory or thread for the access log");
    return NULL;
}

void accesslog_free(struct accesslog *log)
{
    if (log == NULL) {
        return;
    }
    struct timespec until;
    pthread_mutex_lock(&log->lock);
    log->stop = true;
    pthread_cond_signal(&log->filled);
    pthread_mutex_unlock(&log->lock);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += END_WAIT_S;
    if (pthread_timedjoin_np(log->thread, NULL, &until) != 0) {
        /* A reader that does not read must not keep the process; the thread ends with it. */
        cs_log(CS_LOG_WARN, "access-log", "the access log does not take its last lines");
        return;
    }
    if (atomic_load(&log->fd) >= 0) {
        close(atomic_load(&log->fd));
    }
    pthread_cond_destroy(&log->filled);
    pthread_mutex_destroy(&log->lock);
    free(log->line);
    free(log);
}

void accesslog_add(struct accesslog *log, char *line, const struct accesslog_key *key)
{
    pthread_mutex_lock(&log->lock);
    bool room = log->n < (key == NULL ? log->size : log->size / 2);
    bool told = room;
    if (!room && key != NULL) {
        log->now_ms = key->at_ms;
        told = merge_add(&log->merged, key);
    }
    if (room) {
        log->line[(log->first + log->n) % log->size] = line;
        if (log->n++ == 0) {
            pthread_cond_signal(&log->filled);
        }
    }
    pthread_mutex_unlock(&log->lock);
    if (!told) {
        atomic_fetch_add(&log->dropped, 1);
    }
    if (!room) {
        free(line);
    }
}

bool accesslog_off(const struct accesslog *log)
{
    return atomic_load(&log->fd) < 0;
}

int accesslog_reopen(struct accesslog *log, const char *path, cs_error *e)
{
    int fd = log_open(path, e);
    if (fd == -2) {
        return -1;
    }
    pthread_mutex_lock(&log->lock);
    if (log->next_fd >= 0) {
        close(log->next_fd);
    }
    log->next_fd = fd;
    pthread_cond_signal(&log->filled);
    pthread_mutex_unlock(&log->lock);
    return 0;
}

uint64_t accesslog_dropped(const struct accesslog *log)
{
    return atomic_load(&log->dropped);
}
