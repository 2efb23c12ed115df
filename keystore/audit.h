/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.h: who agreed to a change, and who made it: consent of two persons (guard G10), and the log of every change.
 * Errors, threads and time as in keystore.h.
 */
#ifndef KS_AUDIT_H
#define KS_AUDIT_H

#include "keystore/keystore.h"

/* ---- two persons ------------------------------------------------------------------------------------------------ */

/** A change that one person proposed (guard G10), and what became of it. */
typedef struct ks_proposal {
    int64_t id;
    uint8_t plan_hash[32];                                 /**< the agreement is bound to */
    char verb[24], object[KS_WORD + 12];                   /**< object "": the whole store */
    char proposer[KS_WORD], approver[KS_WORD];             /**< persons; approver "": nobody yet */
    char reason[256];                                      /**< of the proposal; "" none */
    cs_time proposed_at, expires_at, approved_at, used_at; /**< 0: not yet */
} ks_proposal;
/** plan: canonical text of the change, borrowed. @return 0 to go on */
typedef int ks_visit_proposal(void *ctx, const ks_proposal *a, const char *plan, cs_error *e);

/** Proposals by number; id 0: those that are neither used nor expired. */
int ks_proposals(ks_store *s, int64_t id, cs_time now, ks_visit_proposal *visit, void *ctx, cs_error *e) CS_MUST_CHECK;
/** Agree to a proposal as another person of the approvers. Not there 64; own proposal, not an approver 10; expired,
 * used 12. Agreed already by the same person: nothing changes, no error. */
int ks_approve(ks_store *s, int64_t id, const ks_actor *who, cs_time now, ks_proposal *out, cs_error *e) CS_MUST_CHECK;

/** Carry out what was agreed to, in the name of who proposed it. *carried false, 0: it needs files of its proposer, who
 * repeats the command. Refusals and conflicts as ks_change; when what it touches has changed since, it is proposed
 * anew: exit 11. */
int ks_carry_out(ks_store *s, int64_t id, cs_time now, bool *carried, ks_outcome *out, cs_error *e) CS_MUST_CHECK;

/** Who may agree, and which accounts are whose: lines "approvers anna ben", "operator anna LOGIN…", sorted. "" or NULL:
 * nobody. In force from two approvers on; while in force a change of the list itself needs the consent of two (exit
 * 11). *changed: told by the caller. */
int ks_set_persons(ks_store *s, const char *persons, const ks_actor *who, cs_time now, bool *changed,
                   cs_error *e) CS_MUST_CHECK;

/* ---- audit ---------------------------------------------------------------------------------------------------- */

/** Recompute the log's chain of hashes, compare every stored row that decides with what the log says of it, and the log
 * with the checkpoints beside the store. @return 0 good, 1 broken (the first row named in text), -1 error */
int ks_audit_verify(ks_store *s, uint64_t *rows, char *text, size_t textsize, cs_error *e) CS_MUST_CHECK;
/** The same, with checkpoints that were kept elsewhere: their lines. NULL: none. None of this keystore: exit 64. */
int ks_audit_verify_from(ks_store *s, const char *from, uint64_t *rows, char *text, size_t textsize,
                         cs_error *e) CS_MUST_CHECK;

/** A row of the log. All borrowed; NULL: none. before, after: JSON. */
typedef struct ks_logged {
    uint64_t seq;
    cs_time at;
    const char *actor, *actor_kind, *verb, *object, *before, *after, *reason, *approver, *peer;
    const uint8_t *hash;
} ks_logged;
typedef int ks_visit_change(void *ctx, const ks_logged *row, cs_error *e);
/** All rows, oldest first; contents: also those of verb "row" with the content of stored rows. */
int ks_audit_list(ks_store *s, bool contents, ks_visit_change *visit, void *ctx, cs_error *e) CS_MUST_CHECK;

#endif
