/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.c: see bytes.h. */
#include "archive/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define CHUNK ((size_t)256 * 1024)

int archive_bytes_peek(struct archive_bytes *b, const uint8_t **p, size_t *n, struct archive_item *item)
{
    if (b->head == NULL) {
        b->head = malloc(ARCHIVE_HEAD);
        if (b->head == NULL) {
            archive_item_trouble(item, WSSEC_OUT_OF_MEMORY, "no memory to read it");
            return -1;
        }
    }
    while (!b->over && b->to < ARCHIVE_HEAD && b->from == 0) {
        ssize_t got = b->read(b->ctx, b->head + b->to, ARCHIVE_HEAD - b->to, item);
        if (got < 0) {
            return -1;
        }
        b->over = got == 0;
        b->to += (size_t)got;
    }
    *p = b->head + b->from;
    *n = b->to - b->from;
    return 0;
}

ssize_t archive_bytes_read(struct archive_bytes *b, uint8_t *p, size_t n, struct archive_item *item)
{
    size_t left = b->to - b->from;
    if (left > 0) {
        n = n < left ? n : left;
        memcpy(p, b->head + b->from, n);
        b->from += n;
        return (ssize_t)n;
    }
    if (b->over) {
        return 0;
    }
    ssize_t got = b->read(b->ctx, p, n, item);
    b->over = got == 0;
    return got;
}

void archive_bytes_reset(struct archive_bytes *b)
{
    b->from = b->to = 0;
    b->over = false;
}

void archive_bytes_free(struct archive_bytes *b)
{
    free(b->head);
    b->head = NULL;
    archive_bytes_reset(b);
}

/* ---- taking a payload -----------------------------------------------------------------------------------------------
 */

/* A new unnamed file for payloads, or -1. */
static int unnamed_file(void)
{
    const char *directory = getenv("TMPDIR");
    return open(directory != NULL && directory[0] != '\0' ? directory : "/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
}

/* From memory to an unnamed file, when it becomes too much. @return 0, or -1 with trouble told */
static int spill(struct archive_item *item, size_t n)
{
    item->fd = unnamed_file();
    if (item->fd < 0 || cs_write_all(item->fd, item->data, n) != 0) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "no room for a large item below TMPDIR: %s", strerror(errno));
        return -1;
    }
    return 0;
}

static int grow(struct archive_item *item, size_t *cap)
{
    size_t more = *cap < CHUNK ? CHUNK : *cap * 2;
    uint8_t *grown = realloc(item->data, more);
    if (grown == NULL) {
        archive_item_trouble(item, WSSEC_OUT_OF_MEMORY, "no memory for %zu octets", more);
        return -1;
    }
    item->data = grown;
    *cap = more;
    return 0;
}

/* The first octets beyond in_memory move all of them to a file; data is then the buffer that the rest goes through. */
static void take(struct archive_bytes *b, const struct archive_room *room, struct archive_item *item)
{
    size_t cap = b->over ? b->to - b->from : 0;
    cap = cap > 0 ? cap : ARCHIVE_HEAD;
    size_t at = 0;
    item->data = malloc(cap);
    if (item->data == NULL) {
        archive_item_trouble(item, WSSEC_OUT_OF_MEMORY, "no memory to read it");
        return;
    }
    for (;;) {
        if (at == cap && !(b->over && b->from == b->to) && (item->fd >= 0 || grow(item, &cap) != 0)) {
            return;
        }
        ssize_t got = at < cap ? archive_bytes_read(b, item->data + at, cap - at, item) : 0;
        if (got <= 0) {
            return;
        }
        item->size += (uint64_t)got;
        if (item->size > room->most) {
            archive_item_trouble(item, WSSEC_LIMIT_MEMBER, "larger than %llu octets", (unsigned long long)room->most);
            return;
        }
        if (item->fd >= 0) {
            if (cs_write_all(item->fd, item->data, (size_t)got) != 0) {
                archive_item_trouble(item, WSSEC_IO_ERROR, "no room for a large item below TMPDIR: %s",
                                     strerror(errno));
                return;
            }
            continue;
        }
        at += (size_t)got;
        if (at > room->in_memory) {
            if (spill(item, at) != 0) {
                return;
            }
            at = 0;
        }
    }
}

void archive_bytes_take(struct archive_bytes *b, const struct archive_room *room, struct archive_item *item)
{
    item->size = 0;
    take(b, room, item);
    if (item->fd >= 0 || item->trouble != WSSEC_OK) {
        free(item->data);
        item->data = NULL;
    }
    if (item->trouble != WSSEC_OK && item->fd >= 0) {
        close(item->fd);
        item->fd = -1;
    }
}

/* ---- what it is
 * ------------------------------------------------------------------------------------------------------ */

struct magic {
    const char *octets;
    size_t n, at;
    enum archive_form form;
};

static const struct magic magics[] = {
    {"\x1f\x8b", 2, 0, ARCHIVE_PACKED},
    {"\x28\xb5\x2f\xfd", 4, 0, ARCHIVE_PACKED},
    {"\xfd"
     "7zXZ\0",
     6, 0, ARCHIVE_PACKED},
    {"BZh", 3, 0, ARCHIVE_PACKED},
    {"PK\x03\x04", 4, 0, ARCHIVE_SEEK_CONTAINER},
    {"PK\x05\x06", 4, 0, ARCHIVE_SEEK_CONTAINER},
    {"7z\xbc\xaf\x27\x1c", 6, 0, ARCHIVE_SEEK_CONTAINER},
    {"070701", 6, 0, ARCHIVE_CONTAINER},
    {"070702", 6, 0, ARCHIVE_CONTAINER},
    {"070707", 6, 0, ARCHIVE_CONTAINER},
    {"\xc7\x71", 2, 0, ARCHIVE_CONTAINER},
    {"\x71\xc7", 2, 0, ARCHIVE_CONTAINER},
    {"ustar", 5, 257, ARCHIVE_CONTAINER},
    {"\xff\xfe", 2, 0, ARCHIVE_MESSAGE}, /* UTF-16 */
    {"\xfe\xff", 2, 0, ARCHIVE_MESSAGE},
    {"<\0", 2, 0, ARCHIVE_MESSAGE},
    {"\0<", 2, 0, ARCHIVE_MESSAGE},
};

static bool octal(const uint8_t *p, size_t n, uint64_t *out)
{
    size_t i = 0;
    *out = 0;
    while (i < n && p[i] == ' ') {
        i++;
    }
    size_t from = i;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) {
        *out = *out * 8 + (uint64_t)(p[i] - '0');
    }
    return i > from;
}

/* A tar of the time before "ustar" is known by the sum over its first header alone. */
static bool old_tar(const uint8_t *p, size_t n)
{
    uint64_t told = 0;
    uint64_t sum = 8 * ' ';
    if (n < 512 || !octal(p + 148, 8, &told)) {
        return false;
    }
    for (size_t i = 0; i < 512; i++) {
        sum += i >= 148 && i < 156 ? 0 : p[i];
    }
    return sum == told;
}

/* "POST /x HTTP/1.1", "HTTP/1.1 200", "Content-Type: …": a name of field characters and a colon, or a request line. */
static bool has_head(const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (
        i < n && i < 64 &&
        ((p[i] >= 'A' && p[i] <= 'Z') || (p[i] >= 'a' && p[i] <= 'z') || (p[i] >= '0' && p[i] <= '9') || p[i] == '-')) {
        i++;
    }
    if (i > 0 && i < n && p[i] == ':') {
        return true;
    }
    return i > 2 && i < n &&
           ((p[i] == ' ' && i + 1 < n && (p[i + 1] == '/' || memcmp(p, "POST", 4) == 0 || memcmp(p, "PUT", 3) == 0)) ||
            (p[i] == '/' && memcmp(p, "HTTP", 4) == 0));
}

enum archive_form archive_sniff(const uint8_t *p, size_t n)
{
    if (n == 0) {
        return ARCHIVE_EMPTY;
    }
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        const struct magic *m = &magics[i];
        if (n >= m->at + m->n && memcmp(p + m->at, m->octets, m->n) == 0) {
            return m->form;
        }
    }
    size_t at = n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (at < n && (p[at] == ' ' || p[at] == '\t' || p[at] == '\r' || p[at] == '\n')) {
        at++;
    }
    if (at < n && p[at] == '<') {
        return ARCHIVE_MESSAGE;
    }
    if (at < n && p[at] == '{') {
        return ARCHIVE_LINES;
    }
    if (at + 1 < n && p[at] == '-' && p[at + 1] == '-') {
        return ARCHIVE_MESSAGE; /* a multipart that begins with its boundary */
    }
    if (has_head(p + at, n - at)) {
        return ARCHIVE_MESSAGE;
    }
    return old_tar(p, n) ? ARCHIVE_CONTAINER : ARCHIVE_UNKNOWN;
}
