/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conclusion.h: how a run ended: written into its directory when every item of its order has its record, with what was
 * found about the archive as a whole. A journal without it was stopped, and is to be resumed.
 */
#ifndef ARCHIVE_CONCLUSION_H
#define ARCHIVE_CONCLUSION_H

#include "archive/report.h"

#define ARCHIVE_CONCLUSION_FILE "conclusion.json"
#define ARCHIVE_FINDINGS        4

struct archive_conclusion {
    char run[ARCHIVE_RUN_ID];
    uint64_t items; /**< records of the journal */
    struct archive_conclusion_text {
        char word[16], text[320];
    } text[ARCHIVE_FINDINGS];
    struct archive_finding finding[ARCHIVE_FINDINGS]; /**< for reports; point into text */
    size_t n;
};

/** What was asked about the archive; more than there is room for is left out. */
void archive_conclusion_add(struct archive_conclusion *c, const char *word, bool complete, const char *text);
/** Put it into directory, as a whole. @return 0, or -1 with e filled (75) */
int archive_conclusion_write(const struct archive_conclusion *c, const char *directory, cs_error *e) CS_MUST_CHECK;
/** @return 1 it is there, 0 there is none, -1 with e filled (78) */
int archive_conclusion_read(struct archive_conclusion *c, const char *directory, cs_error *e) CS_MUST_CHECK;

#endif
