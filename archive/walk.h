/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk.h: files, directory trees, lists of names and standard input, in a fixed order: operands as given, names of a
 * directory by their octets. A tree is left by no link; whatever is no file that can be read is told, and passed over.
 * FILE.tsr beside FILE goes with it as its time-stamp token, and is no item itself.
 */
#ifndef ARCHIVE_WALK_H
#define ARCHIVE_WALK_H

#include <sys/stat.h>

#include "archive/item.h"

struct archive_walk;

/** operand, directory: borrowed. Relative operands begin at directory. "-" is standard input; "@FILE" a list of names,
 *  each ended by a line feed or (where the list holds one) a NUL; what comes in it again is the same. Operands that
 *  are in each other are refused (64). @return 0 with *out owned, or -1 with e filled */
int archive_walk_new(struct archive_walk **out, const struct archive_texts *operand, const char *directory,
                     cs_error *e) CS_MUST_CHECK;
/** The next file, opened: *fd is the caller's, item has loc and mtime, st what the system says of it. *fd -1: trouble
 * is told to item. @return 1, or 0: no more */
int archive_walk_next(struct archive_walk *w, int *fd, struct stat *st, struct archive_item *item);
/** Standard input turned out to hold names: they are operands from here on. text is taken over. */
int archive_walk_names(struct archive_walk *w, char *text, size_t n);
void archive_walk_free(struct archive_walk *w);

#endif
