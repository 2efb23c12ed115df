/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h: the frame of a change that is about no entry (holds, mappings, nodes): a transaction, audit rows, a
 * generation that every node follows, commit. A dry run goes the same way and writes nothing.
 */
#ifndef KS_RECORD_H
#define KS_RECORD_H

#include "keystore/store.h"

struct ks_record {
    ks_store *s;          /**< borrowed */
    const ks_actor *who;  /**< borrowed */
    const char *approver; /**< who agreed to it (G10), for the audit; borrowed; NULL: nobody was asked */
    cs_time now;
    bool dry_run;
    uint64_t generation; /**< that this change makes */
    uint64_t seq;        /**< last audit row written; 0: none */
};

/** Begin the transaction (to be ended with ks_record_end). */
int ks_record_begin(struct ks_record *r, ks_store *s, const ks_actor *who, bool dry_run, cs_time now,
                    cs_error *e) CS_MUST_CHECK;
/** What was done to which object; before and after as JSON, NULL: none. */
int ks_record_audit(struct ks_record *r, const char *verb, const char *object, const char *before, const char *after,
                    cs_error *e) CS_MUST_CHECK;
/** Number the change as kind and commit. */
int ks_record_commit(struct ks_record *r, const char *kind, cs_error *e) CS_MUST_CHECK;
/** Roll back what was not committed. Harmless on a record that never began (all zero). */
void ks_record_end(struct ks_record *r);

#endif
