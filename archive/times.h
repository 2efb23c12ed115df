/* SPDX-License-Identifier: Apache-2.0 */
/*
 * times.h: when a message arrived, by what is known from outside of it: its name, a header field, a member of its line,
 * an index beside it, the time of its file. What the message says of itself is not among them.
 */
#ifndef ARCHIVE_TIMES_H
#define ARCHIVE_TIMES_H

#include "archive/item.h"

struct archive_times;

/** Read the order's --received-from and what they name. Not such a SPEC, no such file: exit 64. */
int archive_times_make(struct archive_times **out, const struct archive_order *o, cs_error *e) CS_MUST_CHECK;
void archive_times_free(struct archive_times *t);

/** Value of a header field outside of the message, NULL: none; for SPEC header:NAME. Borrowed. */
typedef const char *archive_header_of(void *ctx, const char *name, char *out, size_t size);

struct archive_instant {
    cs_time t;
    enum wssec_time_source source;
    bool missed; /**< a SPEC was given and did not fit */
};
/** The best instant that is known from outside; source WSSEC_TIME_NOW: none. Any thread. */
struct archive_instant archive_times_of(const struct archive_times *t, const struct archive_item *item,
                                        archive_header_of *header, void *ctx);
/** Is the source one that nobody but its keeper could have written? */
bool archive_time_certain(enum wssec_time_source s);

#endif
