/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.h: traceparent (W3C Trace Context) and X-Request-Id. What a client sends passes unchanged; with trace { create
 * yes; } what is absent is made, so that a receiver's log and ours can be laid side by side.
 */
#ifndef GW_TRACE_H
#define GW_TRACE_H

#include <stddef.h>

#include "gateway/http1.h"

struct exchange;

#define TRACE_PARENT 56 /* octets with the NUL */
#define TRACE_EXTRA  2  /* fields at most */

/** Fields to add to the request of ex; their values are the exchange's. @return how many */
size_t trace_fields(struct exchange *ex, struct http1_extra out[TRACE_EXTRA]);
/** What went to the upstream, or would have: as received, or as made. NULL: nothing. Borrowed from ex. */
const char *trace_parent(const struct exchange *ex);
const char *trace_request_id(const struct exchange *ex);

#endif
