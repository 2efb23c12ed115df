/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally.h: a run in numbers: verdicts, reasons, sources of time, what each certificate verified in which month. Made
 * from the records one by one, in memory for the certificates and their months, not for the records.
 */
#ifndef ARCHIVE_TALLY_H
#define ARCHIVE_TALLY_H

#include "archive/archive.h"
#include "archive/merkle.h"

#define ARCHIVE_VERDICTS (WSSEC_ERROR + 1)

struct archive_month {
    int month; /**< year * 12 + (month - 1), of the record's t */
    uint64_t n[ARCHIVE_VERDICTS];
};

struct archive_signer {
    bool there; /**< false: records without a certificate */
    char partner[ARCHIVE_NAME];
    struct wssec_certificate certificate; /**< state and process stop as when the run began */
    uint64_t n[ARCHIVE_VERDICTS];
    cs_time first, last;         /**< t of its records; 0: none */
    struct archive_month *month; /**< owned; in order */
    size_t n_month;
};

/* Items whose place a tally keeps, for a person who has the summary alone. */
#define ARCHIVE_SHOWN 5

struct archive_shown {
    enum wssec_result verdict;
    enum wssec_reason reason;
    char *loc; /**< owned; as in the record */
};

struct archive_tally {
    uint64_t items, verdict[ARCHIVE_VERDICTS], duplicates, octets;
    uint64_t source[WSSEC_TIME_MTIME + 1];
    uint64_t reason[ARCHIVE_VERDICTS][WSSEC_REASONS];
    struct archive_signer *signer; /**< owned; sorted by archive_tally_sort */
    size_t n_signer;
    struct archive_merkle merkle; /**< over the lines that were given */
    size_t *place;                /**< owned; hash table of signers */
    size_t places, hit;
    struct archive_shown shown[ARCHIVE_SHOWN]; /**< the first that did not pass, of those whose line was given */
    size_t n_shown;
};

/** What a tally takes of a record; owns nothing, so that it may wait until its line is written. */
struct archive_mark {
    enum wssec_result verdict;
    enum wssec_reason reason;
    enum wssec_time_source source;
    cs_time t;
    uint64_t size;
    bool duplicate, has_certificate;
    char partner[ARCHIVE_NAME];
    struct wssec_certificate certificate;
};
void archive_mark_of(const struct archive_record *r, struct archive_mark *out);
/** Count a record, and its line (without line feed; NULL: not for the Merkle root). @return 0, or -1: no memory */
int archive_tally_add(struct archive_tally *t, const struct archive_mark *m, const char *line, size_t n) CS_MUST_CHECK;
/** Count all records of an open journal. */
int archive_tally_read(struct archive_tally *t, int fd, cs_error *e) CS_MUST_CHECK;
/** Signers by partner and entry; those without certificate last. Nothing is added afterwards. */
void archive_tally_sort(struct archive_tally *t);
void archive_tally_free(struct archive_tally *t);
/** "2026-08" */
void archive_month_text(int month, char out[16]);

#endif
