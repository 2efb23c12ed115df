/* SPDX-License-Identifier: Apache-2.0 */
/*
 * canary.h: a share of requests is signed with the successor before it is activated. The successor stays pre-active;
 * the share is a row beside it that ends with that state. Refusals by the other side are counted for both keys while a
 * share is set, and a rise takes it back: in the process at once, in the store by the keeper.
 */
#ifndef KS_CANARY_H
#define KS_CANARY_H

#include "keystore/change.h"
#include "keystore/schedule.h"
#include "keystore/snapshot.h"

#define KS_SHARE_MAX 99 /* per cent; all of them is what activate is for */

/** What became of the requests since the share was set. [0] signed with the active entry, [1] with the successor. */
struct ks_canary_tally {
    uint64_t answered[2], refused[2];
};

/** Is the successor refused so much more often than the active entry that chance does not explain it? Pure. */
bool ks_canary_refused(const struct ks_canary_tally *t);
/** Is the exchange number turn (from 0) one of the share? Exactly share of every 100, spread evenly. Pure. */
bool ks_canary_turn(uint64_t turn, unsigned share);

/** Fill share and share_since of the entries of s, whose indexes are built. */
int ks_canaries_read(ks_store *store, ks_snapshot *s, cs_error *e) CS_MUST_CHECK;
/** What this process counted, as numbers of the node. Watch thread; nothing is written where nothing changed. */
int ks_canaries_flush(ks_store *store, const ks_snapshot *s, const char *node, cs_time now, cs_error *e);
/** What the nodes counted together for an entry since its share was set; *set: it has one. */
int ks_canary_counted(ks_store *s, int64_t entry_id, struct ks_canary_tally *t, bool *set, cs_error *e) CS_MUST_CHECK;
/** Set the share of v's entry, or take it back (0); commits. */
int ks_canary_within(struct ks_verb_work *v, ks_outcome *out, cs_error *e) CS_MUST_CHECK;
/** Take back each share whose key is refused, by the numbers of all nodes; rows are appended to out. *next: instant at
 *  which to look again; 0: no share is set. */
int ks_canary_due(ks_store *s, bool dry_run, cs_time now, ks_report *out, cs_time *next, cs_error *e) CS_MUST_CHECK;

#endif
