/* SPDX-License-Identifier: Apache-2.0 */
/* tls_words.c: see tls_words.h. */
#include "gateway/tls_words.h"

#include <string.h>

int tls_certificate_word(const char *word, char alias[KS_WORD], unsigned *n)
{
    const char *mark = strchr(word, '#');
    size_t length = mark != NULL ? (size_t)(mark - word) : strlen(word);
    *n = 0;
    if (length == 0 || length >= KS_WORD) {
        return -1;
    }
    memcpy(alias, word, length);
    alias[length] = '\0';
    if (mark == NULL) {
        return 0;
    }
    const char *p = mark + 1;
    if (*p == '\0' || strlen(p) > 6) {
        return -1;
    }
    for (; *p >= '0' && *p <= '9'; p++) {
        *n = *n * 10 + (unsigned)(*p - '0');
    }
    return *p == '\0' && *n > 0 ? 0 : -1;
}

bool gw_tls_asks(const struct gw_tls *t)
{
    return t->client_certificate == GW_CLIENT_UNSET ? t->anchors.n > 0 : t->client_certificate != GW_CLIENT_NONE;
}

bool gw_tls_requires(const struct gw_tls *t)
{
    return gw_tls_asks(t) && t->client_certificate != GW_CLIENT_OPTIONAL;
}
