/* SPDX-License-Identifier: Apache-2.0 */
/* buffer.c: growing octet buffer; memory doubles, a failure sticks until the buffer is freed or reset. */
#include "base/buffer.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cs_buf_free(cs_buf *b)
{
    free(b->data);
    *b = (cs_buf)CS_BUF_INIT;
}

void cs_buf_wipe(cs_buf *b)
{
    if (b->data != NULL) {
        OPENSSL_cleanse(b->data, b->cap);
    }
    cs_buf_free(b);
}

void cs_buf_reset(cs_buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data != NULL) {
        b->data[0] = '\0';
    }
}

int cs_buf_reserve(cs_buf *b, size_t more)
{
    if (b->failed || more > SIZE_MAX / 2 - 1 - b->len) {
        b->failed = true;
        return -1;
    }
    size_t need = b->len + more + 1;
    if (need <= b->cap) {
        return 0;
    }
    size_t cap = b->cap < 64 ? 64 : b->cap;
    while (cap < need) {
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    }
    /* not realloc(): it would leave a copy of the old content behind that cs_buf_wipe() cannot reach */
    char *data = malloc(cap);
    if (data == NULL) {
        b->failed = true;
        return -1;
    }
    if (b->len != 0) {
        memcpy(data, b->data, b->len);
        OPENSSL_cleanse(b->data, b->len);
    }
    data[b->len] = '\0';
    free(b->data);
    b->data = data;
    b->cap = cap;
    return 0;
}

int cs_buf_add(cs_buf *b, const void *p, size_t n)
{
    bool fits = !b->failed && b->cap > b->len && n < b->cap - b->len;
    if (!fits && cs_buf_reserve(b, n) != 0) {
        return -1;
    }
    if (n != 0) {
        memcpy(b->data + b->len, p, n);
    }
    b->len += n;
    b->data[b->len] = '\0';
    return 0;
}

int cs_buf_adds(cs_buf *b, const char *s)
{
    return cs_buf_add(b, s, strlen(s));
}

int cs_buf_addc(cs_buf *b, char c)
{
    return cs_buf_add(b, &c, 1);
}

int cs_buf_addf(cs_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || cs_buf_reserve(b, (size_t)n) != 0) {
        b->failed = true;
        return -1;
    }
    va_start(ap, fmt);
    n = vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= b->cap - b->len) {
        b->data[b->len] = '\0';
        b->failed = true;
        return -1;
    }
    b->len += (size_t)n;
    return 0;
}

char *cs_buf_take(cs_buf *b, size_t *len)
{
    if (len != NULL) {
        *len = 0;
    }
    if (b->failed || cs_buf_reserve(b, 0) != 0) {
        cs_buf_free(b);
        return NULL;
    }
    char *data = b->data;
    if (len != NULL) {
        *len = b->len;
    }
    *b = (cs_buf)CS_BUF_INIT;
    return data;
}
