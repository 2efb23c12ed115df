/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.h: a whole run: items are taken one after the other, judged by several workers at a time, and written in the
 * order in which they were taken, so that a run that was stopped is the beginning of one that was not.
 */
#ifndef ARCHIVE_VERIFY_H
#define ARCHIVE_VERIFY_H

#include <signal.h>

#include "archive/journal.h"
#include "archive/tally.h"

/** Where a run stands. */
struct archive_progress {
    struct archive_counts counts; /**< with those of the runs before, of which this one is the end */
    uint64_t before;              /**< items of those */
    uint64_t octets;              /**< of files (packed ones as they lie there) read by this call */
    int64_t us;                   /**< since the call */
    bool over;                    /**< the last one */
};

/** How a run is watched and stopped. Handlers of signals may set the flags. */
struct archive_watch {
    volatile sig_atomic_t *stop;                               /**< not 0: finish what is in work, then return */
    int64_t every_us;                                          /**< between two calls of tick; 0: none but the last */
    void (*tick)(void *ctx, const struct archive_progress *p); /**< on the calling thread; NULL: nobody looks */
    void *ctx;
};

enum archive_end { ARCHIVE_COMPLETE, ARCHIVE_STOPPED };

/** What a run works with. All borrowed until its end. */
struct archive_work {
    const struct archive_run *run;
    const struct archive_means *means;
    const struct archive_court *court;
    struct archive_journal *journal;
    bool resume; /**< the journal holds the beginning of this run already */
    const struct archive_watch *watch;
};

/** Judge all that the run names and its journal does not hold. Starts means->jobs threads and joins them. out: counts
 * of the whole journal. tally: empty; of a run from its beginning it has all records afterwards, of one that was
 * resumed none (archive_tally_read).
 *  @return an enum archive_end, or -1 with e filled; the journal stays whole in any case */
int archive_verify(const struct archive_work *work, struct archive_counts *out, struct archive_tally *tally,
                   cs_error *e) CS_MUST_CHECK;

/** The exit code of counts (1, 3, 2, 4, 0), gap: coverage is not complete (5). */
int archive_exit_code(const struct archive_counts *c, bool gap);

#endif
