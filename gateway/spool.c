/* SPDX-License-Identifier: Apache-2.0 */
/* spool.c: see spool.h. */
#include "gateway/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names that are taken already are tried again so often. */
#define NAME_TRIES 16

static int refuse(cs_error *e, const char *directory, const char *why)
{
    return cs_error_set(e, CS_EXIT_CONFIG, "spool", "spool directory %s: %s", directory, why);
}

/* Who could look into the directory could read messages before and after they were judged. */
static int directory_fit(const char *directory, const struct stat *st, cs_error *e)
{
    if (!S_ISDIR(st->st_mode)) {
        return refuse(e, directory, "it is no directory");
    }
    if (st->st_uid != geteuid() && geteuid() != 0) {
        return refuse(e, directory, "it belongs to another account: chown it to the one that the gateway runs as");
    }
    if ((st->st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return refuse(e, directory, "others may enter it: chmod 0700");
    }
    return 0;
}

int spool_look(const char *directory, cs_error *e)
{
    struct stat st;
    char parent[4096];
    if (stat(directory, &st) == 0) {
        return directory_fit(directory, &st, e);
    }
    if (errno != ENOENT) {
        return refuse(e, directory, strerror(errno));
    }
    int n = snprintf(parent, sizeof parent, "%s", directory);
    if (n < 0 || (size_t)n >= sizeof parent) {
        return refuse(e, directory, "its name is too long");
    }
    while (n > 1 && parent[n - 1] == '/') {
        parent[--n] = '\0';
    }
    char *slash = strrchr(parent, '/');
    if (slash == NULL) {
        return 0;
    }
    slash[slash == parent ? 1 : 0] = '\0';
    return stat(parent, &st) == 0 && S_ISDIR(st.st_mode) ? 0
                                                         : refuse(e, directory, "the directory above it is missing");
}

int spool_open(struct spool *s, const char *directory, uint64_t quota, cs_error *e)
{
    struct stat st;
    *s = (struct spool){0};
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        return refuse(e, directory, strerror(errno));
    }
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return refuse(e, directory, strerror(errno));
    }
    if (fstat(fd, &st) != 0) {
        refuse(e, directory, strerror(errno));
        goto fail;
    }
    if (directory_fit(directory, &st, e) != 0) {
        goto fail;
    }
    s->directory = fd;
    s->open = true;
    s->quota = quota;
    int file = spool_file(s);
    if (file < 0) {
        refuse(e, directory, strerror(errno));
        goto fail;
    }
    close(file);
    return 0;
fail:
    s->open = false;
    close(fd);
    return -1;
}

void spool_close(struct spool *s)
{
    if (s->open) {
        close(s->directory);
        s->open = false;
    }
}

int spool_take(struct spool *s, uint64_t octets)
{
    if (!s->open) {
        return -1;
    }
    uint64_t before = atomic_fetch_add_explicit(&s->used, octets, memory_order_relaxed);
    if (before + octets < before || before + octets > s->quota) {
        atomic_fetch_sub_explicit(&s->used, octets, memory_order_relaxed);
        return -1;
    }
    return 0;
}

void spool_give(struct spool *s, uint64_t octets)
{
    atomic_fetch_sub_explicit(&s->used, octets, memory_order_relaxed);
}

/* File systems without O_TMPFILE: a name that nobody can guess, for the moment between open and unlink. */
static int file_unlinked(int directory)
{
    for (int i = 0; i < NAME_TRIES; i++) {
        uint64_t random[2];
        char name[40];
        if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
            return -1;
        }
        snprintf(name, sizeof name, "%016llx%016llx", (unsigned long long)random[0], (unsigned long long)random[1]);
        int fd = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 && errno == EEXIST) {
            continue;
        }
        if (fd >= 0 && unlinkat(directory, name, 0) != 0) {
            int err = errno;
            close(fd);
            errno = err;
            return -1;
        }
        return fd;
    }
    errno = EEXIST;
    return -1;
}

int spool_file(struct spool *s)
{
    if (!s->open) {
        errno = ENOENT;
        return -1;
    }
    int fd = openat(s->directory, ".", O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
        fd = file_unlinked(s->directory);
    }
    return fd;
}

char *spool_window(int file, uint64_t at, size_t size)
{
    int err = posix_fallocate(file, (off_t)at, (off_t)size);
    if (err != 0) {
        errno = err;
        return NULL;
    }
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, (off_t)at);
    return p != MAP_FAILED ? p : NULL;
}
