/* SPDX-License-Identifier: Apache-2.0 */
/* splice.h: edits of a message by octet range. Nothing is serialised anew: what no edit touches is sent on as it came.
 */
#ifndef WSSEC_SPLICE_H
#define WSSEC_SPLICE_H

#include "wssec/coding.h"
#include "wssec/worker.h"

struct wssec_edit {
    size_t from, to;  /**< octets [from,to) of the input as received that go; equal: an insertion */
    const char *text; /**< what comes in their place, UTF-8; borrowed for the call */
    size_t n;
};

/** Apply edits, sorted by from and without overlap. The pieces of out point into in and into w->out and live until w's
 *  next call. @return WSSEC_RC_OK; WSSEC_RC_NOMEM; WSSEC_RC_INTERNAL: edits out of order, beyond the input, or a
 *  character that the coding lacks */
int wssec_splice(struct wssec_worker *w, const struct wssec_input *in, enum wssec_coding coding,
                 const struct wssec_edit *edit, size_t n_edit, struct wssec_output *out) WSSEC_MUST_CHECK;

#endif
