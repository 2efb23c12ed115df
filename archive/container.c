/* SPDX-License-Identifier: Apache-2.0 */
/* container.c: see container.h. */
#include "archive/container.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/capture.h"

#define BLOCK      ((size_t)128 * 1024)
#define RATIO_FROM ((uint64_t)1 << 20) /* unpacked octets from which on the ratio is looked at */
#define NAMES_MAX                                                                                                      \
    ((size_t)1 << 20) /* names that are told apart by their number, beyond: by the number of the member                \
                       */

struct archive_container {
    struct archive *a;
    struct archive_bytes *from;
    struct archive_item *told; /* where trouble of the octets themselves goes, for the time of a call */
    uint8_t *block;            /* owned: what libarchive reads */
    char *loc;
    struct archive_limits limits;
    uint64_t members, unpacked;
    bool single;    /* one compressed file: no members */
    uint64_t *name; /* owned: hashes of names so far, open addressing */
    size_t n_name, cap_name;
    struct archive_bytes content;
};

/* ---- octets in ------------------------------------------------------------------------------------------------------
 */

static la_ssize_t on_read(struct archive *a, void *ctx, const void **out)
{
    struct archive_container *c = ctx;
    ssize_t n = archive_bytes_read(c->from, c->block, BLOCK, c->told);
    *out = c->block;
    if (n < 0) {
        archive_set_error(a, EIO, "%s", c->told->detail);
        return ARCHIVE_FATAL;
    }
    return n;
}

/* zip and 7z are read from their end; the descriptor is ours alone, so its place is no one else's */
static int open_source(struct archive_container *c, int fd)
{
    if (fd < 0) {
        return archive_read_open(c->a, c, NULL, on_read, NULL);
    }
    return lseek(fd, 0, SEEK_SET) == 0 ? archive_read_open_fd(c->a, fd, BLOCK) : ARCHIVE_FATAL;
}

/* A filter or format for which libarchive would start a program is left out: it says so with a warning. */
static void allow(struct archive *a)
{
    static int (*const filters[])(struct archive *) = {archive_read_support_filter_gzip,
                                                       archive_read_support_filter_zstd, archive_read_support_filter_xz,
                                                       archive_read_support_filter_bzip2};
    static int (*const formats[])(struct archive *) = {
        archive_read_support_format_tar,  archive_read_support_format_gnutar, archive_read_support_format_zip,
        archive_read_support_format_7zip, archive_read_support_format_cpio,   archive_read_support_format_raw};
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        (void)filters[i](a);
    }
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        (void)formats[i](a);
    }
}

static const char *cause(struct archive *a)
{
    const char *text = archive_error_string(a);
    return text != NULL ? text : "damaged";
}

static ssize_t read_content(void *ctx, uint8_t *p, size_t n, struct archive_item *item);

struct archive_container *archive_container_open(struct archive_bytes *b, int fd, const char *loc,
                                                 const struct archive_limits *limits, struct archive_item *item)
{
    struct archive_container *c = calloc(1, sizeof *c);
    if (c == NULL) {
        goto memory;
    }
    c->from = b;
    c->told = item;
    c->limits = *limits;
    c->loc = strdup(loc);
    c->block = malloc(BLOCK);
    c->a = archive_read_new();
    c->content = (struct archive_bytes){.ctx = c, .read = read_content};
    if (c->loc == NULL || c->block == NULL || c->a == NULL) {
        goto memory;
    }
    allow(c->a);
    if (open_source(c, fd) != ARCHIVE_OK) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "the archive cannot be opened: %.150s", cause(c->a));
        archive_container_close(c);
        return NULL;
    }
    return c;
memory:
    archive_item_trouble(item, WSSEC_OUT_OF_MEMORY, "no memory to open the archive");
    archive_container_close(c);
    return NULL;
}

void archive_container_close(struct archive_container *c)
{
    if (c != NULL) {
        if (c->a != NULL) {
            (void)archive_read_free(c->a);
        }
        archive_bytes_free(&c->content);
        free(c->block);
        free(c->name);
        free(c->loc);
        free(c);
    }
}

/* ---- names ----------------------------------------------------------------------------------------------------------
 */

static uint64_t hash_of(const char *name)
{
    uint64_t h = 1469598103934665603U;
    for (; *name != '\0'; name++) {
        h = (h ^ (uint8_t)*name) * 1099511628211U;
    }
    return h != 0 ? h : 1;
}

static bool names_grow(struct archive_container *c)
{
    size_t cap = c->cap_name == 0 ? 1024 : c->cap_name * 2;
    uint64_t *grown = calloc(cap, sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    for (size_t i = 0; i < c->cap_name; i++) {
        size_t at = (size_t)c->name[i] & (cap - 1);
        while (c->name[i] != 0 && grown[at] != 0) {
            at = (at + 1) & (cap - 1);
        }
        grown[at] = c->name[i] != 0 ? c->name[i] : grown[at];
    }
    free(c->name);
    c->name = grown;
    c->cap_name = cap;
    return true;
}

/* A name that comes a second time gets the number of the member: a loc is one member's alone. Two names of the same
 * hash are taken for one, which costs nothing but a number. @return 0: the first of its name */
static uint64_t number_of(struct archive_container *c, const char *name)
{
    uint64_t h = hash_of(name);
    if (c->n_name >= NAMES_MAX || ((c->n_name + 1) * 2 > c->cap_name && !names_grow(c))) {
        return c->members;
    }
    size_t at = (size_t)h & (c->cap_name - 1);
    for (; c->name[at] != 0; at = (at + 1) & (c->cap_name - 1)) {
        if (c->name[at] == h) {
            return c->members;
        }
    }
    c->name[at] = h;
    c->n_name++;
    return 0;
}

/* When a gateway received what it kept (docs/capture.md): its record says so, and nobody who sent the message. */
static cs_time captured_at(struct archive_entry *entry)
{
    struct cs_capture_record r;
    const char *name = NULL;
    const void *value = NULL;
    size_t n = 0;
    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &n) == ARCHIVE_OK) {
        if (name != NULL && strcmp(name, CS_CAPTURE_XATTR) == 0 && cs_capture_read(value, n, &r) == 0) {
            return r.at_ms / 1000;
        }
    }
    return 0;
}

static int name_item(struct archive_container *c, struct archive_entry *entry, struct archive_item *item)
{
    cs_buf loc = CS_BUF_INIT;
    const char *name = archive_entry_pathname(entry); /* octets: the C locale is in force, nothing is converted */
    name = name != NULL ? name : archive_entry_pathname_utf8(entry);
    name = name != NULL ? name : "";
    (void)cs_buf_adds(&loc, c->loc);
    if (!c->single) {
        (void)cs_buf_addc(&loc, '!');
        archive_loc_add(&loc, name, strlen(name));
        (void)cs_buf_addf(&loc, "#%llu", (unsigned long long)number_of(c, name));
    }
    free(item->loc);
    item->loc = cs_buf_take(&loc, NULL);
    item->mtime = archive_entry_mtime_is_set(entry) ? (cs_time)archive_entry_mtime(entry) : 0;
    item->captured = captured_at(entry);
    return item->loc != NULL ? 0 : -1;
}

/* ---- members --------------------------------------------------------------------------------------------------------
 */

/* Much out of little. What libarchive has taken in counts, and at least a block of it. */
static bool too_much(const struct archive_container *c)
{
    la_int64_t packed = archive_filter_bytes(c->a, -1);
    uint64_t in = packed > 0 ? (uint64_t)packed : 1;
    return c->unpacked > RATIO_FROM && c->limits.ratio != 0 && c->unpacked / c->limits.ratio > in;
}

static ssize_t read_content(void *ctx, uint8_t *p, size_t n, struct archive_item *item)
{
    struct archive_container *c = ctx;
    la_ssize_t got = 0;
    c->told = item;
    do {
        got = archive_read_data(c->a, p, n); /* holes of sparse files as zeros */
    } while (got == ARCHIVE_RETRY);
    if (got < 0) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "the archive is damaged here: %.150s", cause(c->a));
        return -1;
    }
    c->unpacked += (uint64_t)got;
    if (too_much(c)) {
        archive_item_trouble(item, WSSEC_LIMIT_RATIO, "%llu octets out of %lld, allowed are %llu to 1",
                             (unsigned long long)c->unpacked, (long long)archive_filter_bytes(c->a, -1),
                             (unsigned long long)c->limits.ratio);
        return -1;
    }
    return got;
}

static int broken(struct archive_container *c, struct archive_item *item, enum wssec_reason reason, const char *text)
{
    free(item->loc);
    item->loc = strdup(c->loc);
    archive_item_trouble(item, reason, "after %llu members: %.150s", (unsigned long long)c->members, text);
    return -1;
}

static void judge_kind(struct archive_entry *entry, struct archive_item *item)
{
    if (archive_entry_hardlink(entry) != NULL || archive_entry_filetype(entry) == AE_IFLNK) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "a link in an archive is not followed");
    } else if (archive_entry_filetype(entry) != AE_IFREG && archive_entry_filetype(entry) != 0) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "neither a file nor a directory");
    } else if (archive_entry_is_encrypted(entry) != 0) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "the archive has it encrypted");
    }
}

/* What is left of the member before is skipped, and counts: a bomb need not be looked at to go off. */
static bool skip(struct archive_container *c, struct archive_item *item)
{
    uint8_t rest[4096];
    ssize_t n = 1;
    while (n > 0 && c->members > 0) {
        n = archive_bytes_read(&c->content, rest, sizeof rest, item);
    }
    archive_bytes_reset(&c->content);
    return n >= 0;
}

int archive_container_next(struct archive_container *c, struct archive_item *item, struct archive_bytes **content)
{
    struct archive_entry *entry = NULL;
    c->told = item;
    if (c->single) {
        return 0;
    }
    if (c->members > 0 && !skip(c, item)) {
        free(item->loc);
        item->loc = strdup(c->loc);
        return -1;
    }
    for (;;) {
        int rc = archive_read_next_header(c->a, &entry);
        if (rc == ARCHIVE_EOF) {
            return 0;
        }
        if (rc == ARCHIVE_RETRY) {
            continue;
        }
        if (rc < ARCHIVE_WARN) {
            return broken(c, item, WSSEC_IO_ERROR, cause(c->a));
        }
        if (archive_entry_filetype(entry) != AE_IFDIR) {
            break;
        }
    }
    c->single = archive_format(c->a) == ARCHIVE_FORMAT_RAW;
    if (c->limits.members != 0 && c->members >= c->limits.members) {
        return broken(c, item, WSSEC_LIMIT_MEMBERS, "it has more than are allowed");
    }
    c->members++;
    if (name_item(c, entry, item) != 0) {
        return broken(c, item, WSSEC_OUT_OF_MEMORY, "no memory");
    }
    if (!c->single) {
        judge_kind(entry, item);
    }
    *content = &c->content;
    return 1;
}
