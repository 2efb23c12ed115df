/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export.h: evidence about some messages of a run, in one ZIP: their octets, their records, what they were judged with,
 * and for each record the proof that it is one of the run's. `sha256sum -c SHA256SUMS` checks it, without this program.
 */
#ifndef ARCHIVE_EXPORT_H
#define ARCHIVE_EXPORT_H

#include "archive/archive.h"

/** Which records: all that is set must fit. Owned: archive_select_clear. */
struct archive_select {
    bool has_verdict, has_reason;
    enum wssec_result verdict;
    enum wssec_reason reason;
    char *partner, *entry; /**< as shown; NULL: any */
    char *loc;             /**< part of it; NULL: any */
    cs_time from, to;      /**< t at or behind from, and before to; 0: any */
};
/** Read "verdict=fail,partner=acme,from=TIME". Unknown word or value: exit 64. */
int archive_select_parse(struct archive_select *s, const char *text, cs_error *e) CS_MUST_CHECK;
void archive_select_clear(struct archive_select *s);

/** What goes in besides; borrowed. */
struct archive_evidence {
    const struct archive_run *run;
    int fd;             /**< of the records */
    const char *bundle; /**< certificates and their times (docs/bundle.md); NULL: none */
    size_t bundle_n;
    const uint8_t *token; /**< RFC 3161, over the Merkle root; NULL: none */
    size_t token_n;
};

struct archive_exported {
    uint64_t records, payloads;
    uint8_t root[32]; /**< Merkle root of the whole run */
};
/** Write file. A payload that is not where it was, or was changed since: exit 5. The same input gives the same octets.
 *  @return 0, or -1 with e filled; no file is left then */
int archive_export(const struct archive_evidence *in, const struct archive_select *select, const char *file,
                   struct archive_exported *out, cs_error *e) CS_MUST_CHECK;

#endif
