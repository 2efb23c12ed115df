/* SPDX-License-Identifier: Apache-2.0 */
/* journal_read.c: the records of a journal one by one, in memory for one of them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/journal.h"
#include "archive/run.h"

#define RUN_MAX ((size_t)16 << 20) /* octets of run.json: lists of paths may be long */
#define CHUNK   ((size_t)256 * 1024)

struct archive_reader {
    int fd;
    off_t at; /* where to read on */
    cs_buf text;
    size_t from; /* what of text was given out */
    bool over, torn;
};

static int corrupt(const char *directory, const char *what, cs_error *e)
{
    return cs_error_set(e, CS_EXIT_CONFIG, "journal-unreadable", "%.300s is no journal: %s", directory, what);
}

static int read_on(struct archive_reader *r, cs_error *e)
{
    if (r->from > 0) {
        memmove(r->text.data, r->text.data + r->from, r->text.len - r->from);
        r->text.len -= r->from;
        r->from = 0;
    }
    if (r->text.len > ARCHIVE_LINE_MAX) {
        return cs_error_set(e, CS_EXIT_CONFIG, "journal-corrupt",
                            "a line of the journal is longer than a record can be");
    }
    if (cs_buf_reserve(&r->text, CHUNK) != 0) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    }
    ssize_t n = 0;
    do {
        n = pread(r->fd, r->text.data + r->text.len, CHUNK, r->at);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return cs_error_set(e, CS_EXIT_CONFIG, "journal-unreadable", "the journal cannot be read: %s", strerror(errno));
    }
    r->over = n == 0;
    r->at += n;
    r->text.len += (size_t)n;
    return 0;
}

int archive_reader_line(struct archive_reader *r, const char **line, size_t *n, cs_error *e)
{
    for (size_t seen = 0;;) {
        size_t left = r->text.len - r->from;
        const char *from = left > 0 ? r->text.data + r->from : NULL;
        const char *feed = left > seen ? memchr(from + seen, '\n', left - seen) : NULL;
        if (feed != NULL) {
            *line = from;
            *n = (size_t)(feed - from) + 1;
            r->from += *n;
            return 1;
        }
        if (r->over) {
            r->torn = left > 0;
            return 0;
        }
        seen = left;
        if (read_on(r, e) != 0) {
            return -1;
        }
    }
}

int archive_reader_next(struct archive_reader *r, struct archive_record *out, cs_error *e)
{
    const char *line = NULL;
    size_t n = 0;
    memset(out, 0, sizeof *out);
    int rc = archive_reader_line(r, &line, &n, e);
    return rc == 1 && archive_record_read(out, line, n, e) != 0 ? -1 : rc;
}

bool archive_reader_torn(const struct archive_reader *r)
{
    return r->torn;
}

static int take_run(int at, const char *directory, struct archive_run *run, cs_error *e)
{
    cs_buf text = CS_BUF_INIT;
    int rc = -1;
    int fd = openat(at, ARCHIVE_RUN_FILE, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return corrupt(directory, "it has no run.json", e);
    }
    ssize_t n = 1;
    while (n > 0 && text.len <= RUN_MAX) {
        if (cs_buf_reserve(&text, CHUNK) != 0) {
            cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "out of memory");
            goto out;
        }
        n = read(fd, text.data + text.len, CHUNK);
        text.len += n > 0 ? (size_t)n : 0;
    }
    rc = n < 0 ? corrupt(directory, strerror(errno), e) : archive_run_read(run, text.data, text.len, e);
out:
    cs_buf_free(&text);
    close(fd);
    return rc;
}

int archive_reader_fd(struct archive_reader **out, int fd, cs_error *e)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    }
    (*out)->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if ((*out)->fd < 0) {
        free(*out);
        *out = NULL;
        return cs_error_set(e, CS_EXIT_INTERNAL, "internal", "a descriptor cannot be duplicated: %s", strerror(errno));
    }
    return 0;
}

int archive_reader_open(struct archive_reader **out, const char *directory, struct archive_run *run, cs_error *e)
{
    int rc = -1;
    int fd = -1;
    *out = NULL;
    if (run != NULL) {
        memset(run, 0, sizeof *run);
    }
    int at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0) {
        return corrupt(directory, strerror(errno), e);
    }
    if (run != NULL && take_run(at, directory, run, e) != 0) {
        goto out;
    }
    fd = openat(at, ARCHIVE_RESULTS_FILE, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        corrupt(directory, "it has no " ARCHIVE_RESULTS_FILE, e);
        goto out;
    }
    rc = archive_reader_fd(out, fd, e);
    close(fd);
out:
    close(at);
    return rc;
}

void archive_reader_close(struct archive_reader *r)
{
    if (r != NULL) {
        close(r->fd);
        cs_buf_free(&r->text);
        free(r);
    }
}
