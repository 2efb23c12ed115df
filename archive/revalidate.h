/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revalidate.h: a journal under other certificates, intervals or policies than its run began with. What it says of a
 * message apart from time and certificates' lives is decided upon once more, without the message; what that does not
 * answer is left out, and judged as any item when the run goes on. The journal as it was stays beside, in
 * before-RUN/.
 */
#ifndef ARCHIVE_REVALIDATE_H
#define ARCHIVE_REVALIDATE_H

#include "archive/journal.h"
#include "archive/judge.h"

#define ARCHIVE_BEFORE "before-" /* and the id of the run */

struct archive_revalidated {
    uint64_t items; /**< records there were */
    uint64_t stand; /**< of them, decided from what they say */
    char before[sizeof ARCHIVE_BEFORE + ARCHIVE_RUN_ID];
};

/** Replace the journal in directory, which j (of old) has open and locked, by one of fresh that holds what stands: *j
 * is that one then. Killed at any moment, directory holds the one or the other. Same order in both runs.
 *  @return 0, or -1 with e filled (69, 75, 78), j as it was */
int archive_revalidate(const char *directory, struct archive_journal **j, const struct archive_run *old,
                       const struct archive_run *fresh, const struct archive_court *court,
                       struct archive_revalidated *out, cs_error *e) CS_MUST_CHECK;

/** Of a run that is complete: what a journal that stays beside has a record of, and this one has not, is not where it
 * was: an error for each, behind the last record. Nothing is beside: nothing to do. counts: all records of j, kept so.
 *  @return 0, or -1 with e filled */
int archive_revalidate_end(const char *directory, struct archive_journal *j, const struct archive_run *run,
                           const struct archive_court *court, struct archive_counts *counts, cs_error *e) CS_MUST_CHECK;

#endif
