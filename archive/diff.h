/* SPDX-License-Identifier: Apache-2.0 */
/* diff.h: what changed between two runs over the same archive: another policy, another set of certificates, a later
 * day. */
#ifndef ARCHIVE_DIFF_H
#define ARCHIVE_DIFF_H

#include "archive/archive.h"

/** A verdict of a record, without the record. */
struct archive_outcome {
    enum wssec_result verdict;
    enum wssec_reason reason;
};

struct archive_change {
    const char *loc; /**< borrowed for the call */
    struct archive_outcome before, after;
};

struct archive_difference {
    uint64_t both;     /**< items of both runs */
    uint64_t changed;  /**< of them, with another verdict or reason */
    uint64_t lost;     /**< of them, that passed and do not any more */
    uint64_t gained;   /**< of them, that pass now only */
    uint64_t only_old; /**< items that the new run does not have: another selection, or not finished */
    uint64_t only_new;
};

/** @return 0 to go on */
typedef int archive_visit_change(void *ctx, const struct archive_change *c, cs_error *e);
/** Compare the records of two open journals, item by item (loc and payload), in the order of the new one. Needs 32
 * octets of memory for each item of the old one. */
int archive_diff(int old_fd, int new_fd, archive_visit_change *visit, void *ctx, struct archive_difference *out,
                 cs_error *e) CS_MUST_CHECK;

#endif
