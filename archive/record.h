/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h: the result of one item: a line of the journal. The contract's record (docs/result.schema.json) with what an
 * archive adds. Members that decide whether an item is done stand in front, so that they can be read without the rest.
 */
#ifndef ARCHIVE_RECORD_H
#define ARCHIVE_RECORD_H

#include "base/buffer.h"
#include "base/error.h"
#include "wssec/wssec.h"

#define ARCHIVE_RUN_ID 27 /* ULID with its NUL */
#define ARCHIVE_NAME   65 /* partner, policy */

struct archive_record {
    uint64_t seq;     /**< place in the walk, from 1; the journal is in this order */
    char *loc;        /**< owned (archive_record_clear); escaped, see item.h */
    uint64_t size;    /**< octets of the payload, 0 where it could not be read */
    bool has_payload; /**< the payload was read to its end */
    uint8_t payload_sha256[32];
    char run[ARCHIVE_RUN_ID];
    char partner[ARCHIVE_NAME]; /**< "": none */
    struct wssec_verdict v;     /**< verdict, reason and the rest as of v.t. From a journal: without replay_key, ranges,
                                     engine, action and ids */
    enum wssec_reason facts; /**< what does not depend on time: OK where digests, signature value and parts are right,
                                  else v.reason */
    enum wssec_result verdict_now; /**< as if the item arrived when the run began */
    enum wssec_reason reason_now;
    bool has_state;
    enum wssec_state state_at_t; /**< of v.certificate at v.t; v.certificate.state is that of the run's beginning */
    char sub_indication[40];     /**< ETSI TS 119 102-2, "" where it passes */
    uint64_t dup_of;             /**< seq of the first item with this payload, 0: it is the first itself */
    int64_t us;                  /**< microseconds of work */
};

/** Append r as one JSON object and a line feed. A failure stays in out (cs_buf). Any thread. */
void archive_record_write(const struct archive_record *r, cs_buf *out);
/** Make r the verdict error of that reason, but for seq, loc and size. */
void archive_record_error(struct archive_record *r, enum wssec_reason reason);
/** Read a line of the journal. r is to be cleared in either case. @return 0, or -1 with a sentence in e (exit 78) */
int archive_record_read(struct archive_record *r, const char *line, size_t n, cs_error *e) CS_MUST_CHECK;
/** Only seq, loc and size of a line, without reading the rest of it. loc is unescaped into out (cs_buf, reset first).
 *  @return 0, or -1: not a line of a journal */
int archive_record_key(const char *line, size_t n, uint64_t *seq, uint64_t *size, cs_buf *loc) CS_MUST_CHECK;
void archive_record_clear(struct archive_record *r);

#endif
