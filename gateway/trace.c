/* SPDX-License-Identifier: Apache-2.0 */
/* trace.c: see trace.h. */
#include "gateway/trace.h"

#include <string.h>

#include "gateway/exchange.h"
#include "gateway/gateway_private.h"

static const char *received(const struct exchange *ex, const char *name)
{
    return http1_field_value(http1_head(ex->parser), name);
}

/* The trace is named as the exchange is in our log; the parent is this hop. Flag 01: backends that follow the flag of
 * the parent would keep nothing otherwise. */
static int make_parent(struct exchange *ex)
{
    char hop[37];
    char *p = ex->traceparent;
    if (loop_uuid(ex->loop, hop) != 0) {
        return -1;
    }
    memcpy(p, "00-", 3);
    p += 3;
    for (const char *id = ex->id; *id != '\0'; id++) {
        if (*id != '-') {
            *p++ = *id;
        }
    }
    *p++ = '-';
    memcpy(p, hop, 8); /* groups of the identifier without version and variant bits: random all through */
    memcpy(p + 8, hop + 28, 8);
    memcpy(p + 16, "-01", 4);
    return 0;
}

size_t trace_fields(struct exchange *ex, struct http1_extra out[TRACE_EXTRA])
{
    size_t n = 0;
    if (!exchange_config(ex)->trace_create) {
        return 0;
    }
    if (received(ex, "traceparent") == NULL && (ex->traceparent[0] != '\0' || make_parent(ex) == 0)) {
        out[n++] = (struct http1_extra){"traceparent", ex->traceparent};
    }
    if (received(ex, "X-Request-Id") == NULL) {
        ex->request_id_made = true;
        out[n++] = (struct http1_extra){"X-Request-Id", ex->id};
    }
    return n;
}

const char *trace_parent(const struct exchange *ex)
{
    return ex->traceparent[0] != '\0' ? ex->traceparent : received(ex, "traceparent");
}

const char *trace_request_id(const struct exchange *ex)
{
    return ex->request_id_made ? ex->id : received(ex, "X-Request-Id");
}
