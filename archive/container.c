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

#include "archive/gunzip.h"
#include "archive/ziptable.h"
#include "base/capture.h"
#include "base/text.h"

#define REOPENS    64 /* of a zip, behind members that are damaged */
#define TAR_BLOCK  512
#define BLOCK      ((size_t)128 * 1024)
#define PACKED     ((size_t)16 * 1024) /* given to a decompressor at a time: between two of these ratios are looked at */
#define RATIO_FROM ((uint64_t)1 << 20) /* unpacked octets from which on the ratio is looked at */
#define NAMES_MAX                                                                                                      \
    ((size_t)1 << 20) /* names that are told apart by their number, beyond: by the number of the member                \
                       */

struct archive_container {
    struct archive *a;
    struct archive_bytes *from;
    struct archive_gunzip *gunzip; /* owned: from is packed so; NULL: libarchive unpacks what there is to be unpacked */
    int fd;                        /* borrowed: the same in a file, -1: none */
    struct archive_item *told;     /* where trouble of the octets themselves goes, for the time of a call */
    uint8_t *block;                /* owned: what libarchive reads */
    char *loc;
    size_t block_n;
    struct archive_limits limits;
    uint64_t members, headers, unpacked;
    bool single;                   /* one compressed file: no members */
    bool captured;                 /* members have records of a gateway, whose chain tells what is missing */
    bool open;                     /* a member has content that was not read to its end yet */
    bool over;                     /* nothing may be asked of libarchive any more */
    unsigned opened;               /* times that it was opened again */
    struct archive_entry *waiting; /* borrowed: a header that was read, behind what is told before it */
    uint64_t *name;                /* owned: hashes of names so far, open addressing */
    size_t n_name, cap_name;
    struct archive_bytes content;
};

/* ---- octets in ------------------------------------------------------------------------------------------------------
 */

static bool too_much(const struct archive_container *c, struct archive_item *item);

static la_ssize_t on_read(struct archive *a, void *ctx, const void **out)
{
    struct archive_container *c = ctx;
    ssize_t n = -1;
    if (!too_much(c, c->told)) {
        n = c->gunzip != NULL ? archive_gunzip_read(c->gunzip, c->block, c->block_n, c->told)
                              : archive_bytes_read(c->from, c->block, c->block_n, c->told);
    }
    *out = c->block;
    if (n < 0) {
        archive_set_error(a, EIO, "%s", c->told->detail);
        return ARCHIVE_FATAL;
    }
    return n;
}

/* A filter or format for which libarchive would start a program is left out: it says so with a warning. Tar archives
 * one behind the other are one: what stands behind the first end is read, too. */
static void allow(struct archive *a)
{
    static int (*const filters[])(struct archive *) = {archive_read_support_filter_zstd, archive_read_support_filter_xz,
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
    (void)archive_read_set_format_option(a, "tar", "read_concatenated_archives", "1");
}

/* zip and 7z are read from their end; the descriptor is ours alone, so its place is no one else's */
static int open_source(struct archive_container *c)
{
    c->a = archive_read_new();
    if (c->a == NULL) {
        return ARCHIVE_FATAL;
    }
    allow(c->a);
    if (c->fd < 0) {
        return archive_read_open(c->a, c, NULL, on_read, NULL);
    }
    return lseek(c->fd, 0, SEEK_SET) == 0 ? archive_read_open_fd(c->a, c->fd, BLOCK) : ARCHIVE_FATAL;
}

static bool is_format(const struct archive_container *c, int format)
{
    return (archive_format(c->a) & ARCHIVE_FORMAT_BASE_MASK) == format;
}

static const char *cause(struct archive *a)
{
    const char *text = a != NULL ? archive_error_string(a) : "no memory";
    return text != NULL ? text : "damaged";
}

static ssize_t read_content(void *ctx, uint8_t *p, size_t n, struct archive_item *item);

/* What libarchive 3.6 does not check is unpacked before it. @return 0, or -1 with trouble told */
static int unpack_first(struct archive_container *c, struct archive_bytes *b, struct archive_item *item)
{
    const uint8_t *p = NULL;
    size_t n = 0;
    if (c->fd >= 0) {
        return 0;
    }
    if (archive_bytes_peek(b, &p, &n, item) != 0) {
        return -1;
    }
    if (!archive_gunzip_is(p, n)) {
        c->block_n = archive_sniff(p, n) == ARCHIVE_PACKED ? PACKED : BLOCK;
        return 0;
    }
    c->gunzip = archive_gunzip_open(b);
    if (c->gunzip == NULL) {
        archive_item_trouble(item, WSSEC_OUT_OF_MEMORY, "no memory to unpack it");
    }
    return c->gunzip != NULL ? 0 : -1;
}

struct archive_container *archive_container_open(struct archive_bytes *b, int fd, const char *loc,
                                                 const struct archive_limits *limits, struct archive_item *item)
{
    struct archive_container *c = calloc(1, sizeof *c);
    if (c == NULL) {
        goto memory;
    }
    c->from = b;
    c->fd = fd;
    c->told = item;
    c->limits = *limits;
    c->block_n = BLOCK;
    c->loc = strdup(loc);
    c->block = malloc(BLOCK);
    c->content = (struct archive_bytes){.ctx = c, .read = read_content};
    if (c->loc == NULL || c->block == NULL) {
        goto memory;
    }
    if (unpack_first(c, b, item) != 0) {
        archive_container_close(c);
        return NULL;
    }
    if (open_source(c) != ARCHIVE_OK) {
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
        archive_gunzip_close(c->gunzip);
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
    uint64_t h = cs_fnv1a(CS_FNV1A_BASIS, name, strlen(name));
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
static cs_time captured_at(struct archive_container *c, struct archive_entry *entry)
{
    struct cs_capture_record r;
    const char *name = NULL;
    const void *value = NULL;
    size_t n = 0;
    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &n) == ARCHIVE_OK) {
        if (name != NULL && strcmp(name, CS_CAPTURE_XATTR) == 0 && cs_capture_read(value, n, &r) == 0) {
            c->captured = true;
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
    item->captured = captured_at(c, entry);
    return item->loc != NULL ? 0 : -1;
}

/* ---- members --------------------------------------------------------------------------------------------------------
 */

/* Much out of little: content of members, or what stands between them. */
static bool too_much(const struct archive_container *c, struct archive_item *item)
{
    la_int64_t packed =
        c->gunzip != NULL ? (la_int64_t)archive_gunzip_taken(c->gunzip) : archive_filter_bytes(c->a, -1);
    la_int64_t passed = archive_filter_bytes(c->a, 0);
    uint64_t in = packed > 0 ? (uint64_t)packed : 1;
    uint64_t out = passed > 0 && (uint64_t)passed > c->unpacked ? (uint64_t)passed : c->unpacked;
    if (c->limits.ratio == 0 || out <= RATIO_FROM || out / c->limits.ratio <= in) {
        return false;
    }
    archive_item_trouble(item, WSSEC_LIMIT_RATIO, "%llu octets out of %llu, allowed are %llu to 1",
                         (unsigned long long)out, (unsigned long long)in, (unsigned long long)c->limits.ratio);
    return true;
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
    if (too_much(c, item)) {
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

/* By what its header says, before anything is read: a sparse file may be large out of nothing. tar and zip go over it
 * without unpacking holes. */
static void judge_size(struct archive_container *c, struct archive_entry *entry, struct archive_item *item)
{
    if (c->limits.member != 0 && archive_entry_size_is_set(entry) &&
        archive_entry_size(entry) > (la_int64_t)c->limits.member) {
        archive_item_trouble(item, WSSEC_LIMIT_MEMBER, "%lld octets, allowed are %llu",
                             (long long)archive_entry_size(entry), (unsigned long long)c->limits.member);
        c->open = !is_format(c, ARCHIVE_FORMAT_TAR) && !is_format(c, ARCHIVE_FORMAT_ZIP);
    }
}

/* What is left of the member before is skipped, and counts: a bomb need not be looked at to go off. */
static bool skip(struct archive_container *c, struct archive_item *item)
{
    uint8_t rest[4096];
    ssize_t n = c->open ? 1 : 0;
    while (n > 0) {
        n = archive_bytes_read(&c->content, rest, sizeof rest, item);
    }
    c->open = false;
    archive_bytes_reset(&c->content);
    return n >= 0;
}

/* A zip has a table of what is in it: where a member is damaged, those behind it are not. @return whether the next
 * header is that of the next member */
static bool reopen(struct archive_container *c)
{
    struct archive_entry *entry = NULL;
    int rc = ARCHIVE_OK;
    if (c->fd < 0 || c->opened++ >= REOPENS || !is_format(c, ARCHIVE_FORMAT_ZIP)) {
        return false;
    }
    (void)archive_read_free(c->a);
    rc = open_source(c);
    for (uint64_t i = 0; rc >= ARCHIVE_WARN && i < c->headers; i++) {
        rc = archive_read_next_header(c->a, &entry);
    }
    return rc >= ARCHIVE_WARN && rc != ARCHIVE_EOF;
}

/* What could not be read up to here was passed over: libarchive looks for the next header that fits. It may have been
 * one member or many. @return 1: item tells it */
static int tell_hole(struct archive_container *c, struct archive_item *item, const char *why)
{
    c->members++;
    free(item->loc);
    if (asprintf(&item->loc, "%s!#%llu", c->loc, (unsigned long long)c->members) < 0) {
        item->loc = NULL;
        return broken(c, item, WSSEC_OUT_OF_MEMORY, "no memory");
    }
    archive_item_trouble(item, WSSEC_IO_ERROR, "the archive is damaged here, and what stood here is not judged: %.100s",
                         why);
    return 1;
}

/* The end of a tar archive is marked; without the mark it was cut, or is still being written. Captures say by their
 * chain where they end. A zip ends with a table of what is in it. */
static int end_of(struct archive_container *c, struct archive_item *item, la_int64_t passed)
{
    const char *odd = NULL;
    if (is_format(c, ARCHIVE_FORMAT_TAR) && !c->captured && passed < TAR_BLOCK) {
        odd = "the mark of its end is missing: it was cut, or is being written";
    } else if (is_format(c, ARCHIVE_FORMAT_ZIP) && c->fd >= 0) {
        odd = archive_zip_oddity(c->fd, c->headers);
    }
    return odd != NULL ? broken(c, item, WSSEC_IO_ERROR, odd) : 0;
}

/* The next header that is no directory's. @return 1 with *entry; else as archive_container_next */
static int next_header(struct archive_container *c, struct archive_item *item, struct archive_entry **entry)
{
    char why[128] = "";
    la_int64_t passed = 0;
    *entry = c->waiting;
    c->waiting = NULL;
    while (!c->over && (*entry == NULL || archive_entry_filetype(*entry) == AE_IFDIR)) {
        if (*entry != NULL) {
            (void)captured_at(c, *entry);
        }
        la_int64_t before = archive_filter_bytes(c->a, 0);
        int rc = archive_read_next_header(c->a, entry);
        /* cpio says so by a warning; other warnings are about names that are not UTF-8 */
        bool hole = rc == ARCHIVE_RETRY || (rc == ARCHIVE_WARN && strncmp(cause(c->a), "Skipped ", 8) == 0);
        c->headers += rc >= ARCHIVE_WARN && rc != ARCHIVE_EOF ? 1 : 0;
        if (hole && why[0] == '\0') {
            (void)snprintf(why, sizeof why, "%s", cause(c->a));
        }
        if (too_much(c, item)) {
            return broken(c, item, WSSEC_LIMIT_RATIO, "much out of little");
        }
        if (rc < ARCHIVE_WARN && rc != ARCHIVE_RETRY) {
            return broken(c, item, WSSEC_IO_ERROR, cause(c->a));
        }
        if (rc == ARCHIVE_EOF) {
            c->over = true;
            passed = archive_filter_bytes(c->a, 0) - before;
        }
        *entry = rc != ARCHIVE_RETRY && !c->over ? *entry : NULL;
    }
    if (why[0] != '\0') {
        c->waiting = *entry;
        *entry = NULL;
        return tell_hole(c, item, why);
    }
    return *entry != NULL ? 1 : end_of(c, item, passed);
}

int archive_container_next(struct archive_container *c, struct archive_item *item, struct archive_bytes **content)
{
    struct archive_entry *entry = NULL;
    if (c->single || c->over) {
        return 0;
    }
    struct archive_item rest = ARCHIVE_ITEM_INIT;
    if (!skip(c, &rest) && (rest.trouble != WSSEC_IO_ERROR || !reopen(c))) {
        return broken(c, item, rest.trouble, rest.detail);
    }
    c->told = item;
    int rc = next_header(c, item, &entry);
    if (rc != 1 || entry == NULL) {
        return rc;
    }
    c->single = archive_format(c->a) == ARCHIVE_FORMAT_RAW;
    if (c->single && c->gunzip == NULL && archive_filter_count(c->a) < 2) {
        return broken(c, item, WSSEC_IO_ERROR, "it begins as an archive or a compressed file does, and is none");
    }
    if (c->limits.members != 0 && c->members >= c->limits.members) {
        return broken(c, item, WSSEC_LIMIT_MEMBERS, "it has more than are allowed");
    }
    c->members++;
    c->open = true;
    if (name_item(c, entry, item) != 0) {
        return broken(c, item, WSSEC_OUT_OF_MEMORY, "no memory");
    }
    if (!c->single) {
        judge_kind(entry, item);
        judge_size(c, entry, item);
    }
    *content = &c->content;
    return 1;
}
