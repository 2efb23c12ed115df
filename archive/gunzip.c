/* SPDX-License-Identifier: Apache-2.0 */
/* gunzip.c: see gunzip.h. */
#include "archive/gunzip.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define BLOCK     ((size_t)64 * 1024)
#define WITH_HEAD 16 /* to window bits: gzip, its head and checksum read by zlib */

struct archive_gunzip {
    struct archive_bytes *from;
    z_stream z;
    bool between;    /* two packed files, or at the end of the last one */
    bool over;       /* from is */
    const char *bad; /* what is wrong behind the octets that were given */
    uint64_t taken;
    uint8_t block[BLOCK];
};

bool archive_gunzip_is(const uint8_t *p, size_t n)
{
    return n >= 2 && p[0] == 0x1f && p[1] == 0x8b;
}

struct archive_gunzip *archive_gunzip_open(struct archive_bytes *from)
{
    struct archive_gunzip *g = calloc(1, sizeof *g);
    if (g != NULL && inflateInit2(&g->z, MAX_WBITS + WITH_HEAD) != Z_OK) {
        free(g);
        return NULL;
    }
    if (g != NULL) {
        g->from = from;
    }
    return g;
}

void archive_gunzip_close(struct archive_gunzip *g)
{
    if (g != NULL) {
        (void)inflateEnd(&g->z);
        free(g);
    }
}

uint64_t archive_gunzip_taken(const struct archive_gunzip *g)
{
    return g->taken - g->z.avail_in;
}

/* @return 0, also at the end; -1 with trouble told */
static int fill(struct archive_gunzip *g, struct archive_item *item)
{
    if (g->z.avail_in > 0 || g->over) {
        return 0;
    }
    ssize_t got = archive_bytes_read(g->from, g->block, sizeof g->block, item);
    if (got < 0) {
        return -1;
    }
    g->over = got == 0;
    g->taken += (uint64_t)got;
    g->z.next_in = g->block;
    g->z.avail_in = (unsigned)got;
    return 0;
}

/* Behind a packed file: another one, zeros up to the end of a tape, or nothing. */
static void look_behind(struct archive_gunzip *g)
{
    while (g->z.avail_in > 0 && *g->z.next_in == 0) {
        g->z.next_in++;
        g->z.avail_in--;
    }
    if (g->z.avail_in > 0) {
        g->between = false;
        g->bad = inflateReset(&g->z) == Z_OK ? NULL : "no memory";
    }
}

static void step(struct archive_gunzip *g)
{
    switch (inflate(&g->z, Z_NO_FLUSH)) {
    case Z_OK: break;
    case Z_STREAM_END: g->between = true; break;
    case Z_BUF_ERROR: g->bad = g->over ? "it is cut" : NULL; break;
    case Z_MEM_ERROR: g->bad = "no memory"; break;
    default: g->bad = g->z.msg != NULL ? g->z.msg : "damaged"; break;
    }
}

ssize_t archive_gunzip_read(struct archive_gunzip *g, uint8_t *p, size_t n, struct archive_item *item)
{
    g->z.next_out = p;
    g->z.avail_out = n < UINT_MAX ? (unsigned)n : UINT_MAX;
    const unsigned room = g->z.avail_out;
    while (g->z.avail_out == room && g->bad == NULL) {
        if (fill(g, item) != 0) {
            return -1;
        }
        if (g->between) {
            look_behind(g);
        }
        if (g->between && g->over) {
            return 0;
        }
        if (!g->between && g->bad == NULL) {
            step(g);
        }
    }
    if (g->z.avail_out < room) {
        return (ssize_t)(room - g->z.avail_out);
    }
    archive_item_trouble(item, WSSEC_IO_ERROR, "the gzip file is damaged: %.100s", g->bad);
    return -1;
}
