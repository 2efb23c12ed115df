/* SPDX-License-Identifier: Apache-2.0 */
/* item.c: see item.h. */
#include "archive/item.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void archive_item_clear(struct archive_item *i)
{
    free(i->loc);
    free(i->data);
    if (i->fd >= 0) {
        close(i->fd);
    }
    json_decref(i->fields);
    free(i->token);
    *i = (struct archive_item)ARCHIVE_ITEM_INIT;
}

void archive_item_trouble(struct archive_item *i, enum wssec_reason reason, const char *fmt, ...)
{
    va_list ap;
    if (i->trouble != WSSEC_OK) {
        return;
    }
    i->trouble = reason;
    va_start(ap, fmt);
    (void)vsnprintf(i->detail, sizeof i->detail, fmt, ap);
    va_end(ap);
}

/* Octets of a well-formed UTF-8 sequence at p that may stand in a loc as they are; 0: the octet is to be escaped. */
static size_t plain(const uint8_t *p, size_t n)
{
    static const struct {
        uint8_t from, to, low, high, length;
    } form[] = {{0x20, 0x7e, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t i = 0; i < sizeof form / sizeof form[0]; i++) {
        if (p[0] < form[i].from || p[0] > form[i].to || form[i].length > n) {
            continue;
        }
        if (form[i].length > 1 && (p[1] < form[i].low || p[1] > form[i].high)) {
            return 0;
        }
        for (size_t k = 2; k < form[i].length; k++) {
            if ((p[k] & 0xc0) != 0x80) {
                return 0;
            }
        }
        return form[i].length;
    }
    return 0;
}

/* What ends a line or turns the direction of text somewhere: C1 controls, U+2028, U+2029, U+202A to U+202E, U+2066 to
 * U+2069. */
static bool deceptive(const uint8_t *p, size_t length)
{
    if (length == 2) {
        return p[0] == 0xc2 && p[1] < 0xa0;
    }
    return length == 3 && p[0] == 0xe2 &&
           ((p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae) || (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
}

void archive_loc_add(cs_buf *loc, const char *name, size_t n)
{
    const uint8_t *p = (const uint8_t *)name;
    for (size_t i = 0; i < n;) {
        size_t length = plain(p + i, n - i);
        if (length == 0 || deceptive(p + i, length) || p[i] == '%' || p[i] == '!' || p[i] == '#') {
            length = length == 0 ? 1 : length;
            for (size_t k = 0; k < length; k++) {
                (void)cs_buf_addf(loc, "%%%02X", p[i + k]);
            }
        } else {
            (void)cs_buf_add(loc, p + i, length);
        }
        i += length;
    }
}

int archive_item_map(const struct archive_item *i, const uint8_t **p, size_t *n)
{
    *p = i->data;
    *n = (size_t)i->size;
    if (i->data != NULL || i->size == 0) {
        return 0;
    }
    void *mapped = i->fd >= 0 ? mmap(NULL, *n, PROT_READ, MAP_PRIVATE, i->fd, 0) : MAP_FAILED;
    if (mapped == MAP_FAILED) {
        return -1;
    }
    (void)madvise(mapped, *n, MADV_SEQUENTIAL);
    *p = mapped;
    return 0;
}

void archive_item_unmap(const struct archive_item *i, const uint8_t *p, size_t n)
{
    if (p != NULL && i->data == NULL) {
        (void)munmap((void *)(uintptr_t)p, n);
    }
}
