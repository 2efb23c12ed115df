/* SPDX-License-Identifier: Apache-2.0 */
/* replay_file.c: see replay_file.h. */
#include "gateway/replay_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC           "CS\x01REPL\n"
#define VERSION         1
#define BYTE_ORDER_MARK UINT64_C(0x0102030405060708)

/* Octets of the header that stand for locks. */
#define LOCK_PRESENT 0 /* shared by everyone who has the file open; exclusive: nobody else has */
#define LOCK_OPENING 1 /* exclusive while one process finds out whether it is alone */
#define LOCK_SHARD   2

/* A file that is replaced while it is opened is opened again; so often, then something is wrong. */
#define ATTEMPTS 16

struct header {
    char magic[8];
    uint64_t byte_order;
    uint32_t version;
    uint32_t slot_octets;
    uint32_t shards;
    uint32_t bucket;
    uint64_t entries;
    uint64_t octets; /* of the whole file */
    uint64_t sum;    /* of all before */
};

struct replay_file {
    int fd;
    char *map;
    size_t octets;
};

static size_t file_octets(uint64_t entries)
{
    return REPLAY_FILE_HEADER + replay_table_octets(entries);
}

static struct header header_of(uint64_t entries)
{
    struct header h = {.byte_order = BYTE_ORDER_MARK,
                       .version = VERSION,
                       .slot_octets = sizeof(struct replay_slot),
                       .shards = REPLAY_SHARDS,
                       .bucket = REPLAY_BUCKET,
                       .entries = entries,
                       .octets = file_octets(entries)};
    memcpy(h.magic, MAGIC, sizeof h.magic);
    h.sum = replay_table_sum(&h, offsetof(struct header, sum));
    return h;
}

const char *replay_file_judge(const void *header, size_t n, uint64_t size, uint64_t *entries)
{
    struct header h;
    if (n < sizeof h) {
        return "is too short to be a replay store";
    }
    memcpy(&h, header, sizeof h);
    if (memcmp(h.magic, MAGIC, sizeof h.magic) != 0) {
        return "is not a replay store";
    }
    if (h.byte_order != BYTE_ORDER_MARK) {
        return "was written by a machine of another byte order";
    }
    if (h.version != VERSION) {
        return "is a replay store of another version of countersign";
    }
    if (h.entries == 0 || h.entries > REPLAY_ENTRIES_MAX) {
        return "is damaged: its header says an impossible size";
    }
    struct header expected = header_of(h.entries);
    if (memcmp(&h, &expected, sizeof h) != 0) {
        return "is damaged: its header contradicts itself";
    }
    if (size != h.octets) {
        return "is damaged: it was cut, or something was added";
    }
    *entries = h.entries;
    return NULL;
}

/* ---- locks ----------------------------------------------------------------------------------------------------- */

static int lock_octet(int fd, int command, short type, off_t octet)
{
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = octet, .l_len = 1};
    int rc;
    do {
        rc = fcntl(fd, command, &l);
    } while (rc != 0 && errno == EINTR);
    return rc;
}

int replay_file_lock(const struct replay_file *f, unsigned shard)
{
    return lock_octet(f->fd, F_OFD_SETLKW, F_WRLCK, LOCK_SHARD + (off_t)shard);
}

void replay_file_unlock(const struct replay_file *f, unsigned shard)
{
    (void)lock_octet(f->fd, F_OFD_SETLK, F_UNLCK, LOCK_SHARD + (off_t)shard);
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

#define REMEDY "; stop every gateway that uses it and remove it: what it remembers is then forgotten"

static int cannot(cs_error *e, const char *what, const char *path, int why)
{
    return cs_error_set(e, CS_EXIT_UNAVAILABLE, "replay-store", "the replay store %s cannot be %s: %s", path, what,
                        strerror(why));
}

static int wrong(cs_error *e, const char *path, const char *what)
{
    return cs_error_set(e, CS_EXIT_CONFIG, "replay-store", "the replay store %s %s%s", path, what, REMEDY);
}

static void file_close(struct replay_file *f)
{
    if (f->map != NULL) {
        munmap(f->map, f->octets);
    }
    if (f->fd >= 0) {
        close(f->fd);
    }
    *f = (struct replay_file){.fd = -1};
}

static int file_map(struct replay_file *f, size_t octets)
{
    void *map = mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
    if (map == MAP_FAILED) {
        return -1;
    }
    f->map = map;
    f->octets = octets;
    return 0;
}

static void sync_folder(const char *path)
{
    char *folder = strdup(path);
    char *slash = folder != NULL ? strrchr(folder, '/') : NULL;
    if (slash != NULL) {
        slash[slash == folder ? 1 : 0] = '\0';
    }
    int fd = folder != NULL ? open(slash != NULL ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)fsync(fd); /* a name that a power failure takes back means an empty store, as after the failure anyway */
        close(fd);
    }
    free(folder);
}

/* A whole new file under a name of its own, with what from remembers (NULL: empty), mapped as f. Its room is taken now:
 * a full disk is an error here and not a signal at some claim. */
static int file_make(struct replay_file *f, const char *name, uint64_t entries, const struct replay_table *from,
                     cs_time now, cs_error *e)
{
    struct header h = header_of(entries);
    size_t octets = file_octets(entries);
    int rc;
    (void)unlink(name); /* of a process of this number that was killed here */
    f->fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f->fd < 0) {
        return cannot(e, "made", name, errno);
    }
    while ((rc = posix_fallocate(f->fd, 0, (off_t)octets)) == EINTR) {
    }
    if (rc != 0) {
        return cannot(e, "made", name, rc);
    }
    if (file_map(f, octets) != 0) {
        return cannot(e, "mapped", name, errno);
    }
    if (from != NULL) {
        struct replay_table table;
        replay_table_place(&table, f->map + REPLAY_FILE_HEADER, entries, 100);
        if (!replay_table_copy(&table, from, now)) {
            return cs_error_set(
                e, CS_EXIT_CONFIG, "replay-store",
                "the replay store remembers more than %llu entries hold; ask for more, or wait until they leave",
                (unsigned long long)entries);
        }
    }
    memcpy(f->map, &h, sizeof h);
    if (fsync(f->fd) != 0) {
        return cannot(e, "written", name, errno);
    }
    return 0;
}

/* The file at path for the first time, or a new one of another size in its place. @return 0, also when another process
 * was quicker with the first */
static int file_put(const char *path, uint64_t entries, const struct replay_table *from, cs_time now, cs_error *e)
{
    struct replay_file made = {.fd = -1};
    char *name = NULL;
    int rc = -1;
    if (asprintf(&name, "%s.new.%ld", path, (long)getpid()) < 0) {
        name = NULL;
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the replay store");
        goto out;
    }
    if (file_make(&made, name, entries, from, now, e) != 0) {
        goto out;
    }
    if (from != NULL ? rename(name, path) != 0 : link(name, path) != 0 && errno != EEXIST) {
        cannot(e, "made", path, errno);
        goto out;
    }
    sync_folder(path);
    rc = 0;
out:
    if (made.fd >= 0) {
        (void)unlink(name);
    }
    file_close(&made);
    free(name);
    return rc;
}

/* @return 0 with the size, or -1: not a file of ours to write to */
static int file_size(const struct replay_file *f, const char *path, uint64_t *size, cs_error *e)
{
    struct stat st;
    if (fstat(f->fd, &st) != 0) {
        return cannot(e, "read", path, errno);
    }
    if (!S_ISREG(st.st_mode)) {
        return cs_error_set(e, CS_EXIT_CONFIG, "replay-store", "the replay store %s is not a file", path);
    }
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return cs_error_set(e, CS_EXIT_CONFIG, "replay-store",
                            "the replay store %s can be written by others: chmod 600", path);
    }
    *size = (uint64_t)st.st_size;
    return 0;
}

static bool still_there(const struct replay_file *f, const char *path)
{
    struct stat ours;
    struct stat now;
    return fstat(f->fd, &ours) == 0 && stat(path, &now) == 0 && ours.st_dev == now.st_dev && ours.st_ino == now.st_ino;
}

/* ---- open ------------------------------------------------------------------------------------------------------ */

enum opened { OPENED, AGAIN, FAILED };

static int file_read(struct replay_file *f, const char *path, uint64_t *entries, cs_error *e)
{
    uint64_t size = 0;
    char header[REPLAY_FILE_HEADER];
    if (file_size(f, path, &size, e) != 0) {
        return -1;
    }
    ssize_t n = pread(f->fd, header, sizeof header, 0);
    if (n < 0) {
        return cannot(e, "read", path, errno);
    }
    const char *bad = replay_file_judge(header, (size_t)n, size, entries);
    if (bad != NULL) {
        return wrong(e, path, bad);
    }
    return file_map(f, (size_t)size) == 0 ? 0 : cannot(e, "mapped", path, errno);
}

/* Nobody else has it: every row is read, and the size is that which is asked for. */
static enum opened open_alone(struct replay_file *f, const char *path, uint64_t entries, uint64_t has, cs_time now,
                              uint64_t *live, cs_error *e)
{
    struct replay_table table;
    replay_table_place(&table, f->map + REPLAY_FILE_HEADER, has, 100);
    if (!replay_table_review(&table, now, live)) {
        wrong(e, path, "is damaged: a row is not what was written");
        return FAILED;
    }
    if (has != entries) {
        return file_put(path, entries, &table, now, e) == 0 ? AGAIN : FAILED;
    }
    /* In one step from exclusive to shared: nobody comes in between. */
    if (lock_octet(f->fd, F_OFD_SETLK, F_RDLCK, LOCK_PRESENT) != 0) {
        cannot(e, "locked", path, errno);
        return FAILED;
    }
    return OPENED;
}

static enum opened open_beside(const struct replay_file *f, const char *path, uint64_t entries, uint64_t has,
                               cs_error *e)
{
    if (lock_octet(f->fd, F_OFD_SETLK, F_RDLCK, LOCK_PRESENT) != 0) {
        cannot(e, "locked", path, errno);
        return FAILED;
    }
    if (has != entries) {
        cs_error_set(
            e, CS_EXIT_CONFIG, "replay-store",
            "the replay store %s has room for %llu entries, not %llu, and another process uses it: end that one first",
            path, (unsigned long long)has, (unsigned long long)entries);
        return FAILED;
    }
    return OPENED;
}

static enum opened open_once(struct replay_file *f, const char *path, uint64_t entries, cs_time now, uint64_t *live,
                             cs_error *e)
{
    uint64_t has = 0;
    f->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (f->fd < 0 && errno == ENOENT) {
        return file_put(path, entries, NULL, now, e) == 0 ? AGAIN : FAILED;
    }
    if (f->fd < 0) {
        cannot(e, "opened", path, errno);
        return FAILED;
    }
    if (lock_octet(f->fd, F_OFD_SETLKW, F_WRLCK, LOCK_OPENING) != 0) {
        cannot(e, "locked", path, errno);
        return FAILED;
    }
    if (!still_there(f, path)) {
        return AGAIN;
    }
    if (file_read(f, path, &has, e) != 0) {
        return FAILED;
    }
    bool alone = lock_octet(f->fd, F_OFD_SETLK, F_WRLCK, LOCK_PRESENT) == 0;
    enum opened how = alone ? open_alone(f, path, entries, has, now, live, e) : open_beside(f, path, entries, has, e);
    if (how == OPENED) {
        (void)lock_octet(f->fd, F_OFD_SETLK, F_UNLCK, LOCK_OPENING);
    }
    return how;
}

struct replay_file *replay_file_open(const char *path, uint64_t entries, cs_time now, uint64_t *live, cs_error *e)
{
    struct replay_file *f = calloc(1, sizeof *f);
    enum opened how = AGAIN;
    uint64_t unasked;
    live = live != NULL ? live : &unasked;
    *live = 0;
    if (f == NULL || entries == 0 || entries > REPLAY_ENTRIES_MAX) {
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the replay store");
        free(f);
        return NULL;
    }
    for (int i = 0; i < ATTEMPTS && how == AGAIN; i++) {
        *f = (struct replay_file){.fd = -1};
        how = open_once(f, path, entries, now, live, e);
        if (how != OPENED) {
            file_close(f);
        }
    }
    if (how != OPENED) {
        cs_error_set(e, CS_EXIT_UNAVAILABLE, "replay-store", "the replay store %s is replaced again and again", path);
        free(f);
        return NULL;
    }
    return f;
}

void *replay_file_memory(const struct replay_file *f)
{
    return f->map + REPLAY_FILE_HEADER;
}

void replay_file_close(struct replay_file *f)
{
    if (f != NULL) {
        file_close(f);
        free(f);
    }
}

int replay_file_look(const char *path, cs_error *e)
{
    struct replay_file f = {.fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
    uint64_t entries;
    int rc = 0;
    if (f.fd >= 0) {
        rc = file_read(&f, path, &entries, e);
    } else if (errno != ENOENT) {
        rc = cannot(e, "opened", path, errno);
    } else {
        const char *slash = strrchr(path, '/');
        char *folder = slash != NULL ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
        if (folder == NULL) {
            rc = cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the replay store");
        } else if (access(folder, W_OK | X_OK) != 0) {
            rc = cannot(e, "made", path, errno);
        }
        free(folder);
    }
    file_close(&f);
    return rc;
}
