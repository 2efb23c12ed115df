/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timestamp.h: time-stamp tokens (RFC 3161) over a payload: proof that it existed at an instant, given by an authority
 * that the operator named. A token that does not hold proves nothing, and is told as a note; it is never against the
 * message, for whoever could break it could have taken it away as well.
 */
#ifndef ARCHIVE_TIMESTAMP_H
#define ARCHIVE_TIMESTAMP_H

#include "archive/archive.h"

#define ARCHIVE_TOKEN_MAX 65536 /* octets of a token with its certificates */

/** Do octets begin as a token does, and as no message can? */
bool archive_token_begins(const uint8_t *p, size_t n);

enum archive_stamp {
    ARCHIVE_STAMP_GOOD,
    ARCHIVE_STAMP_UNREADABLE, /**< empty, too long, or not to be opened */
    ARCHIVE_STAMP_MALFORMED,  /**< neither a response that grants one nor a token */
    ARCHIVE_STAMP_WEAK,       /**< made with a digest other than SHA-256, SHA-384, SHA-512 */
    ARCHIVE_STAMP_OTHER,      /**< it is over other octets */
    ARCHIVE_STAMP_AHEAD,      /**< its instant is yet to come */
    ARCHIVE_STAMP_UNTRUSTED,  /**< signature, chain, dates or purpose of its certificate do not hold */
    ARCHIVE_STAMP_REVOKED,    /**< a certificate of its chain is revoked, or its key in wrong hands */
    ARCHIVE_STAMP_UNASKED,    /**< nobody named whose tokens count */
    ARCHIVE_STAMP_MEMORY,
};

/** token[n] is a TimeStampResp or a TimeStampToken in DER; anchors: slots of role trust-anchor whose authorities count.
 *  Anchors count that count now or did at the token's instant; revocation by stored lists and compromise count for all
 *  instants, since a stolen key dates back. *proven: the latest instant that the token leaves open, in seconds. Any
 *  thread; no I/O. */
enum archive_stamp archive_timestamp_check(const struct archive_court *court, const struct archive_texts *anchors,
                                           const uint8_t *token, size_t n, const uint8_t *payload, size_t size,
                                           cs_time *proven);
/** What a record notes; NULL: nothing. */
const char *archive_timestamp_note(enum archive_stamp s);

#endif
