/* SPDX-License-Identifier: Apache-2.0 */
/* admin_line.h: one line of the admin socket taken apart: a command and its arguments, words separated by blanks; one
 * in double quotes may hold blanks. */
#ifndef GW_ADMIN_LINE_H
#define GW_ADMIN_LINE_H

#include <stddef.h>

#define ADMIN_LINE_MAX ((size_t)1024)
#define ADMIN_WORDS    4

/** Words of one line, NUL-terminated. */
struct admin_words {
    unsigned n;
    char *word[ADMIN_WORDS];
    char text[ADMIN_LINE_MAX + 1];
};

/** A word is visible ASCII without quotes; a quoted one may hold blanks and octets from 0x80, too, and be empty.
 *  @return 0; -1: too long, too many words, a quote without its end, or another octet */
int admin_words_parse(const char *line, size_t n, struct admin_words *out);

#endif
