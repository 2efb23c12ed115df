/* SPDX-License-Identifier: Apache-2.0 */
/* done.h: which items a journal holds already, and which payloads came before: small keys, not the records themselves.
 */
#ifndef ARCHIVE_DONE_H
#define ARCHIVE_DONE_H

#include "archive/journal.h"

/** The locs of the items of a journal, 16 octets each. */
struct archive_done;
/** Read the journal. last: the highest number in it; payloads (may be NULL) takes the payloads in. @return 0, or -1
 * with e filled */
struct archive_payloads;
int archive_done_read(struct archive_done **out, struct archive_reader *r, struct archive_payloads *payloads,
                      struct archive_counts *counts, uint64_t *last, cs_error *e) CS_MUST_CHECK;
/** Any thread. */
bool archive_done_has(const struct archive_done *d, const char *loc);
/** Memory that it takes. */
uint64_t archive_done_octets(const struct archive_done *d);
void archive_done_free(struct archive_done *d);

/** Payload hashes, the newest million of them, with the number of the first item that had it. One thread at a time. */
struct archive_payloads *archive_payloads_new(size_t most);
/** @return number of the first item with this payload, 0: seq is the first, and is remembered */
uint64_t archive_payloads_seen(struct archive_payloads *p, const uint8_t sha256[32], uint64_t seq);
void archive_payloads_free(struct archive_payloads *p);

#endif
