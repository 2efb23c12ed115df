/* SPDX-License-Identifier: Apache-2.0 */
/* run.h: run.json: what a run was asked for and what it began with, as text and back. */
#ifndef ARCHIVE_RUN_H
#define ARCHIVE_RUN_H

#include "archive/archive.h"

/** JSON of r, one object and a line feed, into out (cs_buf). */
void archive_run_write(const struct archive_run *r, cs_buf *out);
/** Read it back. r is to be cleared in either case. @return 0, or -1 with e filled (exit 78) */
int archive_run_read(struct archive_run *r, const char *text, size_t n, cs_error *e) CS_MUST_CHECK;

#endif
