/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.h: the processes that serve a store: their names, their leases, what they acknowledged. A row is renewed while
 * its process lives; one that is not for KS_NODE_ALIVE seconds is taken for gone.
 */
#ifndef KS_NODE_H
#define KS_NODE_H

#include "keystore/store.h"

/** Who this process is to the store. */
struct ks_identity {
    char node[KS_WORD];
    char place[KS_PLACE]; /**< host, admin socket and process: who has the same first two is the same node, started anew
                           */
};

/** Take a name: that of the options (else of the host), with a suffix ("gw1~2", warned of) where another living process
 *  of another place has it. The row that says so is written in the same transaction; a store that cannot be written now
 *  leaves the name unclaimed. */
void ks_node_claim(ks_store *s, uint64_t generation, cs_time now, struct ks_identity *out);
/** Renew the row: generation is in force here. build and conf "": not known; kek_names: key-encryption keys that this
 * node can open. @return 0, or -1: not written */
int ks_node_tell(ks_store *s, const struct ks_identity *me, uint64_t generation, const char *build, const char *conf,
                 const char *kek_names, cs_time now);
/** The process ends: take the row back, unless a successor in the same place renews it. What it used stays known. */
void ks_node_leave(ks_store *s, const struct ks_identity *me);

#endif
