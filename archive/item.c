/* SPDX-License-Identifier: Apache-2.0 */
/* item.c: see item.h. */
#include "archive/item.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"

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

/* What ends a line or turns the direction of text somewhere: C0 and C1 controls, U+2028, U+2029, U+202A to U+202E,
 * U+2066 to U+2069. */
static bool deceptive(const uint8_t *p, size_t length)
{
    if (length == 1) {
        return p[0] < 0x20 || p[0] == 0x7f;
    }
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
        size_t length = cs_utf8_length(p + i, n - i);
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

void archive_item_passed(const struct archive_item *i, const uint8_t *p, size_t from, size_t to)
{
    const size_t page = 65536; /* a multiple of any page that there is */
    from = (from + page - 1) / page * page;
    to = to / page * page;
    if (i->data == NULL && p != NULL && from < to) {
        (void)madvise((void *)(uintptr_t)(p + from), to - from, MADV_DONTNEED);
    }
}

void archive_item_unmap(const struct archive_item *i, const uint8_t *p, size_t n)
{
    if (p != NULL && i->data == NULL) {
        (void)munmap((void *)(uintptr_t)p, n);
    }
}
