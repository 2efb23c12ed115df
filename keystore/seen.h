/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seen.h: certificates that messages bring and nobody stored, with the names of one that is stored: perhaps the
 * partner's next. Kept only when the stored certificate of their issuer signed them, so that nobody fills the store
 * with names.
 */
#ifndef KS_SEEN_H
#define KS_SEEN_H

#include "keystore/snapshot.h"

#define KS_SEEN_DER     (16u << 10) /* octets of one */
#define KS_SEEN_WAITING 16          /* between two writes of the watch thread; further ones are dropped */
#define KS_SEEN_PARTNER 16          /* stored per partner */

struct ks_seen_queue;

struct ks_seen_queue *ks_seen_new(void); /**< NULL: no memory */
void ks_seen_free(struct ks_seen_queue *q);
/** Take a copy. Any thread; waits for nobody longer than a copy takes. */
void ks_seen_take(struct ks_seen_queue *q, const char *partner, const uint8_t *der, size_t n, cs_time now);
/** Judge and store what waits. Watch thread. @return 0, or -1: not written, it waits on */
int ks_seen_flush(ks_store *s, struct ks_seen_queue *q, const ks_snapshot *snapshot, const char *node, cs_error *e);

#endif
