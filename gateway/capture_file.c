/* SPDX-License-Identifier: Apache-2.0 */
/* capture_file.c: see capture_file.h. */
#include "gateway/capture_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "gateway/capture_tar.h"

#define STREAMS   16 /* processes of one node that write at the same time */
#define PIECES    64 /* of one writev */
#define NAME_MOST (CS_CAPTURE_WORD + 40)
#define STATE     CS_CAPTURE_STATE

static const uint8_t zeros[2 * CAPTURE_BLOCK];

static int refuse(cs_error *e, const char *directory, const char *what)
{
    return cs_error_set(e, CS_EXIT_CONFIG, "capture", "capture %s: %s: %s", directory, what, strerror(errno));
}

static void segment_name(const struct capture_file *f, uint64_t segment, const char *suffix, char out[NAME_MOST])
{
    snprintf(out, NAME_MOST, "%s-%08llu.%s", f->stream, (unsigned long long)segment, suffix);
}

/* The segment in work ends here. */
static void close_here(struct capture_file *f)
{
    f->closed.segment = f->segment;
    f->closed.record = f->record;
    memcpy(f->closed.hash, f->head, sizeof f->closed.hash);
}

/* ---- state: what was closed and what the keystore knows --------------------------------------------------------- */

static int state_write(const struct capture_file *f)
{
    char text[512];
    char name[NAME_MOST];
    char fresh[NAME_MOST];
    char hex[65];
    snprintf(name, sizeof name, "%s.state", f->stream);
    snprintf(fresh, sizeof fresh, "%s.state.new", f->stream);
    int n = snprintf(text, sizeof text, STATE " segment=%llu record=%llu hash=%s noted=%llu\n",
                     (unsigned long long)f->closed.segment, (unsigned long long)f->closed.record,
                     cs_hex(f->closed.hash, 32, hex), (unsigned long long)f->noted);
    int fd = openat(f->directory, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool good = fd >= 0 && write(fd, text, (size_t)n) == n && fsync(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return good && renameat(f->directory, fresh, f->directory, name) == 0 && fsync(f->directory) == 0 ? 0 : -1;
}

/* What cannot be read is found out from the segments again. */
static void state_read(struct capture_file *f)
{
    char text[512] = "";
    char name[NAME_MOST];
    char hex[65];
    unsigned long long segment;
    unsigned long long record;
    unsigned long long noted;
    snprintf(name, sizeof name, "%s.state", f->stream);
    int fd = openat(f->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0) {
        close(fd);
    }
    if (n <= 0 ||
        sscanf(text, STATE " segment=%llu record=%llu hash=%64[0-9a-f] noted=%llu", &segment, &record, hex, &noted) !=
            4 ||
        cs_unhex(hex, f->head, 32) != 0) {
        memset(f->head, 0, sizeof f->head);
        return;
    }
    f->segment = segment;
    f->record = record;
    f->noted = noted;
    close_here(f);
}

/* ---- directory --------------------------------------------------------------------------------------------------- */

/* Segments of all streams count; *newest: number of the newest closed one of ours. */
static void look_around(struct capture_file *f, uint64_t *newest)
{
    int fd = openat(f->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    size_t n = strlen(f->stream);
    char own[NAME_MOST];
    segment_name(f, f->segment, "open", own);
    f->others = 0;
    *newest = 0;
    while (d != NULL && (entry = readdir(d)) != NULL) {
        const char *dot = strrchr(entry->d_name, '.');
        struct stat st;
        if (dot == NULL || (strcmp(dot, ".tar") != 0 && strcmp(dot, ".open") != 0) ||
            fstatat(f->directory, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        f->others += strcmp(entry->d_name, own) != 0 ? (uint64_t)st.st_size : 0;
        unsigned long long number;
        if (strncmp(entry->d_name, f->stream, n) == 0 && strcmp(dot, ".tar") == 0 &&
            sscanf(entry->d_name + n, "-%8llu.tar", &number) == 1 && number > *newest) {
            *newest = number;
        }
    }
    if (d != NULL) {
        closedir(d);
    } else if (fd >= 0) {
        close(fd);
    }
}

void capture_file_count(struct capture_file *f)
{
    uint64_t newest;
    look_around(f, &newest);
}

/* The first stream that no other process holds. */
static int take_stream(struct capture_file *f, const char *node)
{
    for (unsigned i = 0; i < STREAMS; i++) {
        char name[NAME_MOST];
        snprintf(f->stream, sizeof f->stream, "%.60s.%u", node, i);
        for (char *c = f->stream; *c != '\0'; c++) {
            *c = *c > ' ' && *c < 0x7f && *c != '/' && *c != '=' ? *c : '_';
        }
        snprintf(name, sizeof name, "%s.lock", f->stream);
        int fd = openat(f->directory, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) {
            return -1;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            static const char text[] = STATE " lock\n";
            f->lock = fd;
            return pwrite(fd, text, sizeof text - 1, 0) == (ssize_t)(sizeof text - 1) ? 0 : -1;
        }
        int err = errno;
        close(fd);
        if (err != EWOULDBLOCK) {
            errno = err;
            return -1;
        }
    }
    errno = EBUSY;
    return -1;
}

/* Behind its end record: the segment gets its name. */
static int finish(struct capture_file *f)
{
    char from[NAME_MOST];
    char to[NAME_MOST];
    segment_name(f, f->segment, "open", from);
    segment_name(f, f->segment, "tar", to);
    if (cs_write_all(f->fd, zeros, sizeof zeros) != 0 || fsync(f->fd) != 0 ||
        renameat(f->directory, from, f->directory, to) != 0) {
        return -1;
    }
    close(f->fd);
    f->fd = -1;
    close_here(f);
    return state_write(f);
}

/* A segment that was closed, but of which no state was written. */
static int adopt(struct capture_file *f, uint64_t segment)
{
    char name[NAME_MOST];
    struct capture_walk w;
    segment_name(f, segment, "tar", name);
    int fd = openat(f->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return -1;
    }
    int rc = capture_tar_walk(fd, &w);
    close(fd);
    if (rc == 0 && w.records > 0) {
        f->segment = segment;
        f->record = w.last.record;
        memcpy(f->head, w.last.hash, sizeof f->head);
        close_here(f);
    }
    return rc;
}

/* A segment in which another process stopped writing: what is whole stays, and it is closed. What has no whole record
 * is put aside for people. */
static int recover(struct capture_file *f, const char *name, int64_t now_ms)
{
    char aside[NAME_MOST];
    struct capture_walk w;
    struct stat st;
    int fd = openat(f->directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? 0 : -1;
    }
    if (capture_tar_walk(fd, &w) != 0 || fstat(fd, &st) != 0) {
        close(fd);
        return -1;
    }
    cs_log(CS_LOG_WARN, "capture-recovered", "a segment that was left open is closed behind its last whole record",
           CS_STR("segment", name), CS_INT("messages", w.messages), CS_INT("cut", (uint64_t)st.st_size - w.octets));
    if (w.records == 0) {
        close(fd);
        segment_name(f, f->segment + 1, "damaged", aside);
        return renameat(f->directory, name, f->directory, aside);
    }
    f->fd = fd;
    f->segment++;
    f->record = w.last.record;
    memcpy(f->head, w.last.hash, sizeof f->head);
    f->octets = w.octets;
    f->messages = w.messages;
    if (ftruncate(fd, (off_t)w.octets) != 0 || lseek(fd, 0, SEEK_END) < 0) {
        return -1;
    }
    return w.ended ? finish(f) : capture_file_end(f, now_ms);
}

int capture_file_open(struct capture_file *f, const char *directory, const char *node, int64_t now_ms, cs_error *e)
{
    char name[NAME_MOST];
    uint64_t newest;
    *f = (struct capture_file){.directory = -1, .lock = -1, .fd = -1};
    f->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->directory < 0) {
        return refuse(e, directory, "it cannot be opened");
    }
    if (take_stream(f, node) != 0) {
        return refuse(e, directory, "no stream can be taken in it");
    }
    state_read(f);
    look_around(f, &newest);
    if (newest > f->segment && adopt(f, newest) != 0) {
        return refuse(e, directory, "its newest segment cannot be read");
    }
    segment_name(f, f->segment + 1, "open", name);
    if (recover(f, name, now_ms) != 0) {
        return refuse(e, directory, "the segment that was left open cannot be closed");
    }
    return 0;
}

/* ---- records ----------------------------------------------------------------------------------------------------- */

static int hash_slices(const struct wssec_slice *slice, size_t n, uint8_t out[32])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool good = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; good && i < n; i++) {
        good = EVP_DigestUpdate(md, slice[i].p, slice[i].n) == 1;
    }
    good = good && EVP_DigestFinal_ex(md, out, NULL) == 1;
    EVP_MD_CTX_free(md);
    if (!good) {
        errno = ENOMEM;
    }
    return good ? 0 : -1;
}

/* The common record has few pieces and is one call. */
static int write_slices(int fd, const struct wssec_slice *slice, size_t n)
{
    struct iovec v[PIECES];
    size_t at = 0;
    while (at < n) {
        size_t k = n - at < PIECES ? n - at : PIECES;
        size_t all = 0;
        for (size_t i = 0; i < k; i++) {
            v[i] = (struct iovec){(void *)(uintptr_t)slice[at + i].p, slice[at + i].n};
            all += slice[at + i].n;
        }
        ssize_t done = writev(fd, v, (int)k);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return -1;
        }
        size_t rest = (size_t)done;
        for (size_t i = 0; i < k && rest < all; i++) {
            size_t skip = rest < slice[at + i].n ? rest : slice[at + i].n;
            if (cs_write_all(fd, slice[at + i].p + skip, slice[at + i].n - skip) != 0) {
                return -1;
            }
            rest -= skip;
            all -= slice[at + i].n;
        }
        at += k;
    }
    return 0;
}

static void take_back(const struct capture_file *f)
{
    if (ftruncate(f->fd, (off_t)f->octets) != 0 || lseek(f->fd, (off_t)f->octets, SEEK_SET) < 0) {
        cs_log(CS_LOG_ERROR, "capture", "a record that was cut cannot be taken back", CS_STR("why", strerror(errno)));
    }
}

/* One record as it is; on an error the file is what it was. */
static int append(struct capture_file *f, struct cs_capture_record *r, const struct wssec_slice *slice, size_t n_slice,
                  uint64_t quota)
{
    char text[CS_CAPTURE_TEXT];
    uint8_t head[CAPTURE_HEAD_MOST];
    memcpy(r->stream, f->stream, sizeof r->stream);
    r->segment = f->segment;
    r->record = f->record + 1;
    memcpy(r->prev, f->head, sizeof r->prev);
    size_t n = cs_capture_write(r, text);
    size_t head_n = capture_tar_head(r, text, n, head);
    uint64_t size = r->kind == CS_CAPTURE_MESSAGE ? r->size : 0;
    size_t padding = capture_tar_padding(size);
    uint64_t all = head_n + size + padding;
    if (quota != 0 && r->kind != CS_CAPTURE_END && f->others + f->octets + all + sizeof zeros > quota) {
        errno = EDQUOT;
        return -1;
    }
    if (cs_write_all(f->fd, head, head_n) != 0 || write_slices(f->fd, slice, n_slice) != 0 ||
        cs_write_all(f->fd, zeros, padding) != 0) {
        int err = errno;
        take_back(f);
        errno = err;
        return -1;
    }
    f->octets += all;
    f->record = r->record;
    memcpy(f->head, r->hash, sizeof f->head);
    return 0;
}

static int begin(struct capture_file *f, int64_t now_ms, uint64_t quota)
{
    char name[NAME_MOST];
    struct cs_capture_record r = {.kind = CS_CAPTURE_BEGIN, .at_ms = now_ms};
    const struct capture_file before = *f;
    segment_name(f, f->segment + 1, "open", name);
    int fd = openat(f->directory, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -1;
    }
    f->fd = fd;
    f->segment++;
    f->octets = 0;
    f->messages = 0;
    f->opened_ms = now_ms;
    capture_file_count(f);
    if (append(f, &r, NULL, 0, quota) == 0 && fsync(f->directory) == 0) {
        return 0;
    }
    int err = errno;
    close(fd);
    *f = before;
    (void)unlinkat(f->directory, name, 0);
    errno = err;
    return -1;
}

int capture_file_add(struct capture_file *f, struct cs_capture_record *r, const struct wssec_slice *slice,
                     size_t n_slice, uint64_t quota)
{
    r->size = 0;
    for (size_t i = 0; i < n_slice; i++) {
        r->size += slice[i].n;
    }
    if ((f->fd < 0 && begin(f, r->at_ms, quota) != 0) || hash_slices(slice, n_slice, r->sha256) != 0 ||
        append(f, r, slice, n_slice, quota) != 0) {
        return -1;
    }
    f->messages += r->kind == CS_CAPTURE_MESSAGE;
    return 0;
}

int capture_file_sync(struct capture_file *f)
{
    return f->fd < 0 ? 0 : fdatasync(f->fd);
}

int capture_file_end(struct capture_file *f, int64_t now_ms)
{
    struct cs_capture_record r = {.kind = CS_CAPTURE_END, .at_ms = now_ms, .count = f->messages};
    const struct capture_file before = *f;
    if (f->fd < 0) {
        return 0;
    }
    if (append(f, &r, NULL, 0, 0) != 0) {
        return -1;
    }
    if (finish(f) == 0) {
        return 0;
    }
    int err = errno;
    if (f->fd >= 0) {
        *f = before;
        take_back(f);
    }
    errno = err;
    return -1;
}

void capture_file_noted(struct capture_file *f, uint64_t segment)
{
    f->noted = segment;
    if (state_write(f) != 0) {
        cs_log(CS_LOG_WARN, "capture", "the state of the capture cannot be written", CS_STR("why", strerror(errno)));
    }
}

void capture_file_close(struct capture_file *f)
{
    int *const fd[] = {&f->fd, &f->lock, &f->directory};
    for (size_t i = 0; i < sizeof fd / sizeof fd[0]; i++) {
        if (*fd[i] >= 0) {
            close(*fd[i]);
        }
        *fd[i] = -1;
    }
}
