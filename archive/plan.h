/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h: what lies there and what a run over it would meet, before hours are spent: files by their form, and a sample
 * of items looked at as a run would do. Nothing is concluded about the archive.
 */
#ifndef ARCHIVE_PLAN_H
#define ARCHIVE_PLAN_H

#include "archive/bytes.h"
#include "archive/judge.h"
#include "base/json.h"

#define ARCHIVE_PLAN_ITEMS    100 /* of a sample */
#define ARCHIVE_PLAN_HINTS    4
#define ARCHIVE_PLAN_PATTERNS 2  /* of names that look like instants */
#define ARCHIVE_PLAN_NAMES    16 /* partners and entries that are told apart */

/** How many of a sample had a name; the rest beyond ARCHIVE_PLAN_NAMES are counted as others. */
struct archive_plan_names {
    char name[ARCHIVE_PLAN_NAMES][80];
    uint64_t n[ARCHIVE_PLAN_NAMES], others;
    size_t used;
};

/** Files of one form. */
struct archive_plan_form {
    uint64_t files, octets;
    uint64_t seen, read; /**< of the sample: items found, octets of files read for them */
    int64_t us;          /**< work on those that were looked at */
    uint64_t judged;
};

struct archive_plan {
    struct archive_plan_form form[ARCHIVE_UNKNOWN + 1];
    uint64_t files, octets, unreadable;
    char *largest; /**< owned: loc of the largest archive; NULL: there is none */
    uint64_t largest_octets;
    char *drawn[ARCHIVE_PLAN_ITEMS]; /**< owned: locs of files that the sample is taken from */
    enum archive_form drawn_form[ARCHIVE_PLAN_ITEMS];
    uint64_t draws; /**< files that could have been drawn so far */
    /* the sample */
    uint64_t items;
    struct archive_plan_names partner, entry;
    uint64_t source[WSSEC_TIME_MTIME + 1];
    uint64_t facts[WSSEC_REASONS]; /**< what does not depend on time, by reason */
    uint64_t named[ARCHIVE_PLAN_PATTERNS];
    char hint[ARCHIVE_PLAN_HINTS][256];
    size_t n_hint;
};
void archive_plan_clear(struct archive_plan *p);

/** Walk all that order names: counts and sizes, and which files the sample is taken from: always the same ones of the
 * same archive. Standard input cannot be planned: exit 64. @return 0, or -1 */
int archive_plan_walk(struct archive_plan *p, const struct archive_order *order, cs_error *e) CS_MUST_CHECK;
/** Look at the sample. */
int archive_plan_sample(struct archive_plan *p, const struct archive_order *order, const struct archive_court *court,
                        cs_error *e) CS_MUST_CHECK;

/** What to expect: items (those in archives by what the sample found in them), CPU seconds of one worker. */
uint64_t archive_plan_items(const struct archive_plan *p);
double archive_plan_seconds(const struct archive_plan *p);
/** As one JSON object and a line feed. */
void archive_plan_write(const struct archive_plan *p, const struct archive_order *order,
                        const struct archive_court *court, cs_buf *out);
const char *archive_form_word(enum archive_form f);

#endif
