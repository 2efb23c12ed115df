/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gunzip.h: octets out of gzip, with its checksums and its end looked at. libarchive 3.6 unpacks gzip without that: a
 * damaged archive would give messages that nobody wrote, and what was damaged would be taken for forged.
 */
#ifndef ARCHIVE_GUNZIP_H
#define ARCHIVE_GUNZIP_H

#include "archive/bytes.h"

struct archive_gunzip;

/** Whether octets begin as gzip does. */
bool archive_gunzip_is(const uint8_t *p, size_t n);
/** from is borrowed until the close. @return owned, or NULL: no memory */
struct archive_gunzip *archive_gunzip_open(struct archive_bytes *from);
/** Fill at most n octets. Files packed one behind the other are one; zeros behind them are none. What is damaged, cut
 * or followed by something else is told to item, after the octets before it. @return octets, 0: the end, -1: trouble */
ssize_t archive_gunzip_read(struct archive_gunzip *g, uint8_t *p, size_t n, struct archive_item *item);
/** Packed octets that were taken so far. */
uint64_t archive_gunzip_taken(const struct archive_gunzip *g);
void archive_gunzip_close(struct archive_gunzip *g);

#endif
