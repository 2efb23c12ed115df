/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_admin_line.c: lines of the admin socket: words lie inside the copy, and written with quotes around each read
 * as the same words again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/admin_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct admin_words words;
    struct admin_words again;
    char line[ADMIN_LINE_MAX + 3 * ADMIN_WORDS];
    size_t n = 0;
    if (admin_words_parse((const char *)data, size, &words) != 0) {
        return 0;
    }
    must(size <= ADMIN_LINE_MAX && words.n <= ADMIN_WORDS);
    for (unsigned i = 0; i < words.n; i++) {
        size_t length = strlen(words.word[i]);
        must(words.word[i] >= words.text && words.word[i] + length <= words.text + size);
        must(strpbrk(words.word[i], "\t\n\r\"") == NULL);
        line[n++] = '"';
        memcpy(line + n, words.word[i], length);
        n += length;
        line[n++] = '"';
        line[n++] = ' ';
    }
    if (n > ADMIN_LINE_MAX) {
        return 0;
    }
    must(admin_words_parse(line, n > 0 ? n - 1 : 0, &again) == 0 && again.n == words.n);
    for (unsigned i = 0; i < words.n; i++) {
        must(strcmp(words.word[i], again.word[i]) == 0);
    }
    return 0;
}
