/* SPDX-License-Identifier: Apache-2.0 */
/* ziptable.c: see ziptable.h. The format is that of APPNOTE.TXT: little-endian, the table before its end record. */
#include "archive/ziptable.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define END          22 /* octets of the end record, without its comment */
#define END_LOCATOR  20
#define END_64       56
#define ENTRY        46
#define HEAD         30
#define COMMENT_MAX  65535
#define DESCRIPTOR   0x08 /* flag: sizes stand behind the content, too */
#define TAG_64       1    /* of an extra field with sizes of 64 bits */
#define IN_EXTRA     UINT32_MAX
#define SIGNATURE(n) (0x4b50U | (uint32_t)(n) << 16)

static const char missing[] =
    "its table is damaged, missing, or another one than that of its members, or something stands behind it";
static const char outside[] =
    "its table leaves out what stands there: another zip before it, or members without an entry";

struct table {
    int fd;
    uint64_t entries, from, to; /* where it stands */
    uint64_t taken;             /* octets of members by their entries */
    uint64_t described;         /* members with sizes behind them: 12 to 24 octets each */
};

static uint32_t le16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t le32(const uint8_t *p)
{
    return le16(p) | le16(p + 2) << 16;
}

static uint64_t le64(const uint8_t *p)
{
    return le32(p) | (uint64_t)le32(p + 4) << 32;
}

static bool read_at(const struct table *t, uint64_t at, uint8_t *p, size_t n)
{
    return at <= INT64_MAX - n && pread(t->fd, p, n, (off_t)at) == (ssize_t)n;
}

/* The record of 64 bits, where there is one: then the table ends before it. */
static bool find_64(struct table *t, uint64_t end, uint64_t *octets)
{
    uint8_t locator[END_LOCATOR];
    uint8_t record[END_64];
    if (end < END_LOCATOR || !read_at(t, end - END_LOCATOR, locator, END_LOCATOR) ||
        le32(locator) != SIGNATURE(0x0706)) {
        return true;
    }
    t->to = le64(locator + 8);
    if (!read_at(t, t->to, record, END_64) || le32(record) != SIGNATURE(0x0606)) {
        return false;
    }
    t->entries = le64(record + 32);
    t->from = le64(record + 48);
    *octets = le64(record + 40);
    return true;
}

/* @return as archive_zip_oddity */
static const char *find_end(struct table *t)
{
    uint8_t tail[END + COMMENT_MAX];
    struct stat st;
    if (fstat(t->fd, &st) != 0 || st.st_size < END) {
        return missing;
    }
    size_t n = st.st_size < (off_t)sizeof tail ? (size_t)st.st_size : sizeof tail;
    uint64_t begin = (uint64_t)st.st_size - n;
    size_t at = n - END;
    if (!read_at(t, begin, tail, n)) {
        return missing;
    }
    while (le32(tail + at) != SIGNATURE(0x0605) || at + END + le16(tail + at + 20) != n) {
        if (at-- == 0) {
            return missing;
        }
    }
    t->entries = le16(tail + at + 10);
    t->from = le32(tail + at + 16);
    t->to = begin + at;
    uint64_t octets = le32(tail + at + 12);
    return find_64(t, begin + at, &octets) && t->to >= octets && t->to - octets == t->from ? NULL : outside;
}

/* Sizes that need 64 bits stand in an extra field, those that do not are left out of it. */
static bool wide(const uint8_t *extra, size_t n, const uint8_t *entry, uint64_t *size, uint64_t *at)
{
    for (size_t i = 0; i + 4 <= n;) {
        size_t field = le16(extra + i + 2);
        const uint8_t *p = extra + i + 4;
        if (field > n - i - 4) {
            return false;
        }
        if (le16(extra + i) == TAG_64) {
            size_t skip = le32(entry + 24) == IN_EXTRA ? 8 : 0;
            size_t wanted = skip + (*size == IN_EXTRA ? 8 : 0) + (*at == IN_EXTRA ? 8 : 0);
            if (field < wanted) {
                return false;
            }
            p += skip;
            if (*size == IN_EXTRA) {
                *size = le64(p);
                p += 8;
            }
            *at = *at == IN_EXTRA ? le64(p) : *at;
            return true;
        }
        i += 4 + field;
    }
    return true;
}

static bool same_name(const struct table *t, uint64_t one, size_t n, uint64_t other, size_t m)
{
    uint8_t a[UINT16_MAX];
    uint8_t b[UINT16_MAX];
    return n == m && read_at(t, one, a, n) && read_at(t, other, b, n) && memcmp(a, b, n) == 0;
}

/* @return octets of the entry, 0: it is damaged, or its member is not where it says, or has another name */
static uint64_t take_entry(struct table *t, uint64_t place)
{
    uint8_t entry[ENTRY];
    uint8_t head[HEAD];
    uint8_t extra[UINT16_MAX];
    if (!read_at(t, place, entry, ENTRY) || le32(entry) != SIGNATURE(0x0201)) {
        return 0;
    }
    size_t name = le16(entry + 28);
    size_t more = le16(entry + 30);
    uint64_t size = le32(entry + 20);
    uint64_t at = le32(entry + 42);
    if ((size == IN_EXTRA || at == IN_EXTRA) &&
        (!read_at(t, place + ENTRY + name, extra, more) || !wide(extra, more, entry, &size, &at))) {
        return 0;
    }
    if (!read_at(t, at, head, HEAD) || le32(head) != SIGNATURE(0x0403) || size > t->from) {
        return 0;
    }
    if (!same_name(t, place + ENTRY, name, at + HEAD, le16(head + 26))) {
        return 0;
    }
    t->taken += HEAD + le16(head + 26) + le16(head + 28) + size;
    t->described += (le16(head + 6) & DESCRIPTOR) != 0 ? 1 : 0;
    return ENTRY + name + more + le16(entry + 32);
}

/* Between the members there is nothing but the sizes behind some of them, which have one of four lengths. */
static bool without_gap(const struct table *t)
{
    bool good = false;
    for (uint64_t length = 12; length <= 24; length += 4) {
        good = good || t->taken + t->described * length == t->from;
    }
    return good;
}

const char *archive_zip_oddity(int fd, uint64_t headers)
{
    struct table t = {.fd = fd};
    const char *odd = find_end(&t);
    if (odd != NULL) {
        return odd;
    }
    if (t.entries != headers) {
        return "its table names more or other members than are there";
    }
    uint64_t place = t.from;
    for (uint64_t i = 0; i < t.entries; i++) {
        uint64_t octets = take_entry(&t, place);
        if (octets == 0 || t.taken > t.from) {
            return octets == 0 ? missing : "members that its table names lie in each other";
        }
        place += octets;
    }
    return place != t.to ? missing : without_gap(&t) ? NULL : outside;
}
