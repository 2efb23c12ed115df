/* SPDX-License-Identifier: Apache-2.0 */
/* buffer.h: growing octet buffer with a sticky failure flag, so that a writer checks once at its end. */
#ifndef CS_BASE_BUFFER_H
#define CS_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct cs_buf {
    char *data; /**< owned; NUL behind len after any add */
    size_t len;
    size_t cap;
    bool failed; /**< an allocation failed or a size overflowed: content is not to be used */
} cs_buf;

#define CS_BUF_INIT                                                                                                    \
    {                                                                                                                  \
        NULL, 0, 0, false                                                                                              \
    }

/** Free the content; b is empty and usable again. */
void cs_buf_free(cs_buf *b);
/** As cs_buf_free, wiping the content first (secrets). */
void cs_buf_wipe(cs_buf *b);
/** Keep the memory, forget the content. */
void cs_buf_reset(cs_buf *b);
/** Make room for more octets. @return 0, or -1 with b->failed set */
int cs_buf_reserve(cs_buf *b, size_t more);
int cs_buf_add(cs_buf *b, const void *p, size_t n);
int cs_buf_adds(cs_buf *b, const char *s);
int cs_buf_addc(cs_buf *b, char c);
int cs_buf_addf(cs_buf *b, const char *fmt, ...) CS_PRINTF(2, 3);
/** Give the content away (caller frees with free()); NULL if b->failed. b is empty afterwards. */
char *cs_buf_take(cs_buf *b, size_t *len);

#endif
