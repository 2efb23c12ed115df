/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal.h: the directory of a run. One process writes it at a time; any number read it, also while it is written.
 * A line that was torn by a crash, a kill or a full disk is cut off when the journal is opened to be written again.
 */
#ifndef ARCHIVE_JOURNAL_H
#define ARCHIVE_JOURNAL_H

#include "archive/archive.h"

#define ARCHIVE_RUN_FILE     "run.json"
#define ARCHIVE_RESULTS_FILE "results.ndjson"
#define ARCHIVE_LINE_MAX     ((size_t)1 << 20) /* octets of a record */

/* ---- writing ------------------------------------------------------------------------------------------------------
 */

struct archive_journal;

/** Make directory (its parent is there) and run.json in it. directory NULL: records are kept in an unnamed file that
 * goes with the process. There is one already: exit 64. @return 0 with *out owned, or -1 with e filled (64, 69, 75) */
int archive_journal_create(struct archive_journal **out, const char *directory, const struct archive_run *run,
                           cs_error *e) CS_MUST_CHECK;
/** Go on with a run: cut a torn last line. Written by another process right now: exit 69. *run is to be cleared. */
int archive_journal_resume(struct archive_journal **out, const char *directory, struct archive_run *run,
                           cs_error *e) CS_MUST_CHECK;
/** Add a record. Written out when enough came together. A full disk: exit 75, what stands there stays whole; every
 * later call fails likewise. @return 0, or -1 with e filled */
int archive_journal_add(struct archive_journal *j, const struct archive_record *r, cs_error *e) CS_MUST_CHECK;
/** The records in text (whole lines, n of them) as archive_journal_add does; for who wrote them elsewhere. */
int archive_journal_lines(struct archive_journal *j, const char *text, size_t octets, uint64_t n,
                          cs_error *e) CS_MUST_CHECK;
/** Write out what was added; sync: as archive_journal_sync, too. */
int archive_journal_flush(struct archive_journal *j, bool sync, cs_error *e) CS_MUST_CHECK;
/** Make what was written out survive a loss of power; may be called beside the thread that adds. */
int archive_journal_sync(struct archive_journal *j, cs_error *e) CS_MUST_CHECK;
/** Records added since the last flush. */
uint64_t archive_journal_pending(const struct archive_journal *j);
/** The file of records for archive_reader_fd; borrowed. What was not flushed is not in it. */
int archive_journal_fd(const struct archive_journal *j);
/** Closes without flush. */
void archive_journal_close(struct archive_journal *j);

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

struct archive_reader;

/** Read a run and its records from the beginning. run may be NULL, else it is to be cleared. Not a journal: exit 78 */
int archive_reader_open(struct archive_reader **out, const char *directory, struct archive_run *run,
                        cs_error *e) CS_MUST_CHECK;
/** The records of an open file (duplicated), from its beginning. */
int archive_reader_fd(struct archive_reader **out, int fd, cs_error *e) CS_MUST_CHECK;
/** The next record; to be cleared by the caller. A torn last line is no record.
 *  @return 1 a record, 0 no more, -1 with e filled */
int archive_reader_next(struct archive_reader *r, struct archive_record *out, cs_error *e) CS_MUST_CHECK;
/** The next line as it stands, with its line feed; borrowed until the next call. @return as archive_reader_next */
int archive_reader_line(struct archive_reader *r, const char **line, size_t *n, cs_error *e) CS_MUST_CHECK;
/** The file ends in a line without its end. Known after the last record. */
bool archive_reader_torn(const struct archive_reader *r);
void archive_reader_close(struct archive_reader *r);

#endif
