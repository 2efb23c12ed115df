/* SPDX-License-Identifier: Apache-2.0 */
/*
 * impact.h: what would not verify any more if certain entries were not there. Answered from the facts that a journal
 * keeps, without cryptography: who else has the key is known, and whether that one counted is asked again.
 */
#ifndef ARCHIVE_IMPACT_H
#define ARCHIVE_IMPACT_H

#include "archive/judge.h"

/** An entry that is thought away. */
struct archive_without {
    char alias[ARCHIVE_NAME];
    unsigned ordinal;
    uint64_t passed;        /**< out: messages that pass by it */
    uint64_t held;          /**< of them, that pass by another entry with the same key, too */
    uint64_t lost;          /**< of them, that do not */
    cs_time oldest, newest; /**< t of the lost ones */
};

struct archive_impact {
    uint64_t items, passed; /**< records, and those that pass */
    uint64_t lost;
    cs_time oldest, newest; /**< t of the lost ones; 0: none */
};

/** A message that would be lost, as it would be judged then. @return 0 to go on */
typedef int archive_visit_lost(void *ctx, const struct archive_record *before, const struct archive_record *after,
                               cs_error *e);
/** Read "alias#n" into out. @return 0, or -1: not such a text */
int archive_without_parse(const char *text, size_t n, struct archive_without *out);
/** from: only messages of that instant or later; 0 all. visit may be NULL. */
int archive_impact(int fd, const struct archive_court *court, struct archive_without *without, size_t n, cs_time from,
                   archive_visit_lost *visit, void *ctx, struct archive_impact *out, cs_error *e) CS_MUST_CHECK;

#endif
