/* SPDX-License-Identifier: Apache-2.0 */
/* journal.c: the directory of a run as its writer sees it. The file never holds half a record longer than a crash. */
#include "archive/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/run.h"
#include "base/file.h"

#define WRITE_OUT ((size_t)256 * 1024)

struct archive_journal {
    int fd;
    off_t end; /* of the last whole record that is in the file */
    cs_buf waiting;
    uint64_t pending;
    bool failed;
    char place[256]; /* for people */
};

/* A full disk is nothing that the run did wrong: it can go on from here. */
static int write_failed(struct archive_journal *j, cs_error *e)
{
    int why = errno;
    bool full = why == ENOSPC || why == EDQUOT || why == EFBIG;
    j->failed = true;
    return cs_error_set(e, full ? CS_EXIT_STOPPED : CS_EXIT_UNAVAILABLE, full ? "disk-full" : "not-written",
                        "%s cannot be written: %s%s", j->place, strerror(why),
                        full ? "; what stands there is whole; make room, then go on with --resume" : "");
}

static int write_waiting(struct archive_journal *j, cs_error *e)
{
    if (j->failed) {
        return cs_error_set(e, CS_EXIT_STOPPED, "not-written", "%s could not be written before", j->place);
    }
    if (j->waiting.len > 0 && cs_write_all(j->fd, j->waiting.data, j->waiting.len) != 0) {
        int rc = write_failed(j, e);
        bool back = ftruncate(j->fd, j->end) == 0; /* also a full disk gives back what it took */
        (void)back;                                /* else who goes on cuts the torn line */
        return rc;
    }
    j->end += (off_t)j->waiting.len;
    cs_buf_reset(&j->waiting);
    return 0;
}

static int taken_in(struct archive_journal *j, uint64_t n, cs_error *e)
{
    if (j->waiting.failed) {
        j->failed = true;
        return cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    }
    j->pending += n;
    return j->waiting.len >= WRITE_OUT ? write_waiting(j, e) : 0;
}

int archive_journal_add(struct archive_journal *j, const struct archive_record *r, cs_error *e)
{
    archive_record_write(r, &j->waiting);
    return taken_in(j, 1, e);
}

int archive_journal_lines(struct archive_journal *j, const char *text, size_t octets, uint64_t n, cs_error *e)
{
    (void)cs_buf_add(&j->waiting, text, octets);
    return taken_in(j, n, e);
}

int archive_journal_flush(struct archive_journal *j, bool sync, cs_error *e)
{
    if (write_waiting(j, e) != 0) {
        return -1;
    }
    j->pending = 0;
    return sync ? archive_journal_sync(j, e) : 0;
}

int archive_journal_sync(struct archive_journal *j, cs_error *e)
{
    return fdatasync(j->fd) == 0 || errno == EINVAL ? 0 : write_failed(j, e);
}

uint64_t archive_journal_pending(const struct archive_journal *j)
{
    return j->pending;
}

int archive_journal_fd(const struct archive_journal *j)
{
    return j->fd;
}

void archive_journal_close(struct archive_journal *j)
{
    if (j != NULL) {
        if (j->fd >= 0) {
            close(j->fd);
        }
        cs_buf_free(&j->waiting);
        free(j);
    }
}

/* ---- opening ------------------------------------------------------------------------------------------------------
 */

static struct archive_journal *journal_new(const char *directory, cs_error *e)
{
    struct archive_journal *j = calloc(1, sizeof *j);
    if (j == NULL) {
        cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "out of memory");
        return NULL;
    }
    j->fd = -1;
    (void)snprintf(j->place, sizeof j->place, "%.200s/" ARCHIVE_RESULTS_FILE,
                   directory != NULL ? directory : "(no name)");
    return j;
}

static int unavailable(const char *what, const char *where, cs_error *e)
{
    return cs_error_set(e, errno == ENOSPC ? CS_EXIT_STOPPED : CS_EXIT_UNAVAILABLE, "not-written", "%s %.300s: %s",
                        what, where, strerror(errno));
}

/* One writer at a time. @return a descriptor, or -1 with e filled */
static int results_open(int at, int flags, const char *directory, cs_error *e)
{
    int fd = openat(at, ARCHIVE_RESULTS_FILE, O_RDWR | O_CLOEXEC | O_NOCTTY | flags, 0644);
    if (fd < 0) {
        return unavailable("the results cannot be opened in", directory, e);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return cs_error_set(e, CS_EXIT_UNAVAILABLE, "journal-busy", "another process writes to %.300s", directory);
    }
    return fd;
}

/* Under another name first, so that a journal has a whole run.json or none. */
static int run_create(int at, const struct archive_run *run, const char *directory, cs_error *e)
{
    cs_buf text = CS_BUF_INIT;
    archive_run_write(run, &text);
    int fd = openat(at, ARCHIVE_RUN_FILE ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int rc = -1;
    if (text.failed) {
        cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    } else if (fd < 0 || cs_write_all(fd, text.data, text.len) != 0 || fsync(fd) != 0 ||
               renameat(at, ARCHIVE_RUN_FILE ".new", at, ARCHIVE_RUN_FILE) != 0 || fsync(at) != 0) {
        unavailable("run.json cannot be written in", directory, e);
    } else {
        rc = 0;
    }
    if (fd >= 0) {
        close(fd);
    }
    cs_buf_free(&text);
    return rc;
}

static int create_in(struct archive_journal *j, const char *directory, const struct archive_run *run, cs_error *e)
{
    struct stat st;
    int rc = -1;
    if (mkdir(directory, 0755) != 0 && errno != EEXIST) {
        return unavailable("the journal cannot be made:", directory, e);
    }
    int at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0) {
        return unavailable("the journal cannot be made:", directory, e);
    }
    if (fstatat(at, ARCHIVE_RUN_FILE, &st, 0) == 0) {
        cs_error_set(e, CS_EXIT_USAGE, "journal-exists",
                     "%.300s holds a run already; go on with it (--resume), or name another directory", directory);
        goto out;
    }
    j->fd = results_open(at, O_CREAT, directory, e);
    if (j->fd < 0) {
        goto out;
    }
    /* begun and killed before run.json stood: nothing in it counts */
    if (ftruncate(j->fd, 0) != 0) {
        unavailable("the results cannot be written in", directory, e);
        goto out;
    }
    rc = run_create(at, run, directory, e);
out:
    close(at);
    return rc;
}

static int create_unnamed(struct archive_journal *j, cs_error *e)
{
    const char *directory = getenv("TMPDIR");
    directory = directory != NULL && directory[0] != '\0' ? directory : "/tmp";
    j->fd = open(directory, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    return j->fd >= 0 ? 0 : unavailable("no unnamed file can be made in", directory, e);
}

int archive_journal_create(struct archive_journal **out, const char *directory, const struct archive_run *run,
                           cs_error *e)
{
    *out = journal_new(directory, e);
    if (*out == NULL) {
        return -1;
    }
    if ((directory != NULL ? create_in(*out, directory, run, e) : create_unnamed(*out, e)) != 0) {
        archive_journal_close(*out);
        *out = NULL;
        return -1;
    }
    return 0;
}

/* @return end of the last whole line, or -1 */
static off_t whole_end(int fd)
{
    char tail[65536];
    off_t end = lseek(fd, 0, SEEK_END);
    while (end > 0) {
        size_t n = end < (off_t)sizeof tail ? (size_t)end : sizeof tail;
        ssize_t got = pread(fd, tail, n, end - (off_t)n);
        if (got != (ssize_t)n) {
            return -1;
        }
        const char *feed = memrchr(tail, '\n', n);
        if (feed != NULL) {
            return end - (off_t)n + (feed - tail) + 1;
        }
        end -= (off_t)n;
    }
    return end;
}

static int read_run(const char *directory, struct archive_run *run, cs_error *e)
{
    struct archive_reader *r = NULL;
    int rc = archive_reader_open(&r, directory, run, e);
    archive_reader_close(r);
    return rc;
}

int archive_journal_resume(struct archive_journal **out, const char *directory, struct archive_run *run, cs_error *e)
{
    *out = NULL;
    struct archive_journal *j = journal_new(directory, e);
    int at = -1;
    if (j == NULL || read_run(directory, run, e) != 0) {
        goto failed;
    }
    at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    j->fd = at >= 0 ? results_open(at, 0, directory, e) : unavailable("the journal cannot be opened:", directory, e);
    if (j->fd < 0) {
        goto failed;
    }
    j->end = whole_end(j->fd);
    if (j->end < 0 || ftruncate(j->fd, j->end) != 0 || lseek(j->fd, j->end, SEEK_SET) != j->end) {
        unavailable("the results cannot be gone on with in", directory, e);
        goto failed;
    }
    close(at);
    *out = j;
    return 0;
failed:
    if (at >= 0) {
        close(at);
    }
    archive_journal_close(j);
    return -1;
}
