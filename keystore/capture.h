/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture.h: the keystore as a witness of captures. Each closed segment of a node's capture leaves its last hash in the
 * audit, so that a chain whose tail was cut, or a whole stream that is missing, is seen by whoever has the keystore.
 */
#ifndef KS_CAPTURE_H
#define KS_CAPTURE_H

#include "base/capture.h"
#include "keystore/keystore.h"

#define KS_CAPTURE_VERB "capture segment"

typedef struct ks_capture_head {
    char stream[CS_CAPTURE_WORD];
    uint64_t segment; /**< closed */
    uint64_t record;  /**< number of its last record */
    uint8_t hash[32]; /**< of that */
} ks_capture_head;

/** Note the end of a segment in the audit. */
int ks_capture_note(ks_store *s, const ks_capture_head *head, const ks_actor *who, cs_time now,
                    cs_error *e) CS_MUST_CHECK;

/** @return 0 to go on */
typedef int ks_visit_capture(void *ctx, const ks_capture_head *head, cs_error *e);
/** All that were noted, oldest first. */
int ks_captures(ks_store *s, ks_visit_capture *visit, void *ctx, cs_error *e) CS_MUST_CHECK;

#endif
