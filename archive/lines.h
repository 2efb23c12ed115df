/* SPDX-License-Identifier: Apache-2.0 */
/* lines.h: JSON lines: one message per line, in a member of its object. */
#ifndef ARCHIVE_LINES_H
#define ARCHIVE_LINES_H

#include "archive/bytes.h"

struct archive_lines;

struct archive_lines_how {
    const char *field; /**< NULL: "payload" */
    bool text;         /**< it holds the message itself, else base64 */
    uint64_t most;     /**< octets of a payload */
};

/** b, loc, how: borrowed until the close. NULL: no memory */
struct archive_lines *archive_lines_open(struct archive_bytes *b, const char *loc, const struct archive_lines_how *how);
/** The next line that is not empty. @return 1: an item, maybe with trouble; 0: no more; -1: trouble of what they come
 * from */
int archive_lines_next(struct archive_lines *l, struct archive_item *item);
void archive_lines_close(struct archive_lines *l);

#endif
