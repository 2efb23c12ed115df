/* SPDX-License-Identifier: Apache-2.0 */
/* sizes.h: how many octets the files of a run have, found beside the run by a thread of its own: for a bar that knows
 * how far it is. */
#ifndef ARCHIVE_SIZES_H
#define ARCHIVE_SIZES_H

#include "archive/archive.h"

struct archive_sizes;

/** Begin to walk. order: borrowed until the end. What cannot be walked is never known. @return owned, NULL: what
 * is read once only (standard input, a list in a pipe) is among them, no memory, no thread */
struct archive_sizes *archive_sizes_begin(const struct archive_order *order);
/** Octets of all files; 0: not known yet, or never. Any thread. s may be NULL */
uint64_t archive_sizes_octets(const struct archive_sizes *s);
/** Stop, wait for the thread, free. */
void archive_sizes_end(struct archive_sizes *s);

#endif
