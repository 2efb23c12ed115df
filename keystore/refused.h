/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refused.h: whose handshakes end because our certificate is not trusted. A client says so before it shows a
 * certificate of its own, so all that is known of it is its address; who that is, earlier uses from there tell:
 * messages that a partner signed, a client certificate that was let in.
 */
#ifndef KS_REFUSED_H
#define KS_REFUSED_H

#include "keystore/counts.h"
#include "keystore/store.h"

struct ks_denial {
    char sender[KS_SENDER]; /**< its address; "" beyond the bound */
    char who[KS_WORD];      /**< partner, or alias of the client certificate; "" nobody is known there */
    uint64_t n;             /**< handshakes, on all nodes */
};
#define KS_DENIALS 320

struct ks_denials {
    struct ks_denial row[KS_DENIALS]; /**< those with a name first, then by number */
    size_t n;
    uint64_t all; /**< handshakes of senders beyond the rows, too */
};

/** Count the refusals of one row by its sender. Of an entry that no listener shows: nothing. Within the caller's
 *  transaction (KS_UPKEEP). */
int ks_refused_add(ks_store *s, const ks_snapshot *snapshot, const char *node, const struct ks_count *row, cs_time now,
                   cs_error *e) CS_MUST_CHECK;
/** Who refuses an entry. Within the caller's transaction. */
int ks_refused_read(ks_store *s, int64_t entry_id, cs_time now, struct ks_denials *out, cs_error *e) CS_MUST_CHECK;
/** "3 refused: acme (10.2.0.7) 2, 10.9.9.9 1", as far as there is room. */
void ks_refused_text(const struct ks_denials *all, char *text, size_t size);

#endif
