/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ziptable.h: whether the table at the end of a zip tells of everything that lies in it. Members are read by the table
 * alone: what it leaves out, or names twice, would be passed over without a word.
 */
#ifndef ARCHIVE_ZIPTABLE_H
#define ARCHIVE_ZIPTABLE_H

#include <stdint.h>

/** headers: members and directories that were read by the table of the zip in fd. @return what is odd in words for
 * people, static; NULL: nothing is */
const char *archive_zip_oddity(int fd, uint64_t headers);

#endif
