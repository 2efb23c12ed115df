/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture_head.c: the head of a captured message. What would let a reader of the archive act as the sender is blanked;
 * the body behind it is the content, so a transfer coding is left out and the length is told.
 */
#include <strings.h>

#include "gateway/capture.h"
#include "gateway/http1.h"

static bool named(const struct http1_field *f, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcasecmp(f->name, *names) == 0) {
            return true;
        }
    }
    return false;
}

int capture_head(cs_buf *out, const struct http1_head *h, bool response, uint64_t octets)
{
    static const char *const secret[] = {"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", NULL};
    static const char *const framing[] = {"Transfer-Encoding", "Content-Length", "Trailer", NULL};
    if (response) {
        cs_buf_addf(out, "HTTP/1.%d %d %s\r\n", h->minor, h->status, http1_status_text(h->status));
    } else {
        cs_buf_addf(out, "%s %s HTTP/1.%d\r\n", h->method, h->target, h->minor);
    }
    for (size_t i = 0; i < h->n_field; i++) {
        const struct http1_field *f = &h->field[i];
        if (!named(f, framing)) {
            cs_buf_addf(out, "%s: %s\r\n", f->name, named(f, secret) ? "" : f->value);
        }
    }
    cs_buf_addf(out, "Content-Length: %llu\r\n\r\n", (unsigned long long)octets);
    return out->failed ? -1 : 0;
}
