/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease.h: who of several processes does what one of them is to do. What is done under a lease is judged in its own
 * transaction none the less: a lease spares work and noise, and is no lock. As keystore.h: a ks_store belongs to one
 * thread, every decision takes now, 0 or -1 with the error filled.
 */
#ifndef KS_LEASE_H
#define KS_LEASE_H

#include "keystore/keystore.h"

#define KS_LEASE_KEEPER "keeper" /* of the work that is due in a keystore: ks_tick in a running gateway */

typedef struct ks_lease {
    char holder[KS_WORD];
    uint64_t fence; /**< grows with each change of the holder */
    cs_time until;  /**< it is anybody's from then on, unless renewed */
} ks_lease;

/** Take it, or renew it, for so many seconds. It is the holder's who has it, after an end of its process, too; nobody's
 *  when it is over. A store of the version before keeps none: everybody has it.
 *  @return 1 it is ours, 0 another one's (out), -1 */
int ks_lease_take(ks_store *s, const char *name, const char *holder, int64_t seconds, cs_time now, ks_lease *out,
                  cs_error *e) CS_MUST_CHECK;
/** Give it back, if it is ours. */
int ks_lease_drop(ks_store *s, const char *name, const char *holder, cs_time now, cs_error *e) CS_MUST_CHECK;

#endif
