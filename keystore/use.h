/* SPDX-License-Identifier: Apache-2.0 */
/* use.h: uses of a running process: counted at its messages, written by its watch thread. */
#ifndef KS_USE_H
#define KS_USE_H

#include "keystore/counts.h"
#include "keystore/store.h"

/** Count a use of alias#n as snapshot s holds it; of an entry that it does not hold: nothing. Any thread, no lock, no
 * I/O. */
void ks_use_count(struct ks_counts *c, const ks_snapshot *s, const char *alias, unsigned n, const char *sender, bool ok,
                  cs_time now);
/** Write what was counted into the store. Watch thread.
 *  @return 0; 1: a generation of later ends was made too; -1 (nothing lost: written with the next one) */
int ks_use_flush(ks_store *s, struct ks_counts *counts, const ks_snapshot *snapshot, const char *node, cs_time now,
                 cs_error *e) CS_MUST_CHECK;

#endif
