/* SPDX-License-Identifier: Apache-2.0 */
/* admin_line.h: one line of the admin socket taken apart: a command and its arguments, words separated by blanks. */
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

/** Words are visible ASCII. @return 0; -1: too long, too many words, or an octet that is none of a word */
int admin_words_parse(const char *line, size_t n, struct admin_words *out);

#endif
