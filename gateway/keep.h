/* SPDX-License-Identifier: Apache-2.0 */
/* keep.h: a message on which our two engines do not agree is kept for whoever looks into it. */
#ifndef GW_KEEP_H
#define GW_KEEP_H

#include <stddef.h>

#include "gateway/spool.h"
#include "wssec/wssec.h"

#define KEEP_FILES 16 /* of one process: a peer that found the way to this must not fill the disk */

/**
 * Write the pieces of a message into a file of its own (mode 0600) in the directory of the spool, and tell the log its
 * name, route and detail. Without a spool, or when enough are kept, only the log is told. Any thread.
 * @return whether a file was written; name (of size octets) then holds its name
 */
bool keep_message(struct spool *s, const struct wssec_slice *piece, size_t n, const char *route, const char *detail,
                  char *name, size_t size);

#endif
