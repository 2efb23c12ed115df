/* SPDX-License-Identifier: Apache-2.0 */
/*
 * change.h: one change of one slot: a transaction, the slot as it stands, a plan, the judgement, and the rows that
 * differ afterwards. All or nothing; a dry run goes the same way without writing.
 */
#ifndef KS_CHANGE_H
#define KS_CHANGE_H

#include "keystore/store.h"

struct ks_work {
    ks_store *s;          /**< borrowed */
    const ks_actor *who;  /**< borrowed */
    const char *verb;     /**< word for audit and generation; borrowed */
    const char *approver; /**< who agreed to it (G10), for the audit; borrowed; NULL: nobody was asked */
    cs_time now;
    bool dry_run;
    bool inner;          /**< works in the transaction of another one, which commits or rolls back */
    struct ks_slot slot; /**< slot_id 0: not there yet */
    struct ks_view before, after;
    struct ks_rule_plan plan;
    struct ks_row *row; /**< owned: the slot's entries as stored, without certificates */
    size_t n_row, cap_row;
    uint64_t generation;                     /**< that this change makes */
    uint64_t seq;                            /**< last audit row written */
    const char *carried;                     /**< verb that this change carries out, scheduled or not; NULL: none */
    const char *fresh_issuer, *fresh_serial; /**< T1: of the certificate that comes in; borrowed */
};

#define KS_TRASH_DELAY (30 * CS_DAY) /* from removal to the end of the key */

/** Begin the transaction and read the slot. @return a work to be freed with ks_work_free (which rolls back), or NULL */
struct ks_work *ks_work_begin(ks_store *s, const char *alias, const char *verb, bool dry_run, const ks_actor *who,
                              cs_time now, cs_error *e);
/** A second slot in the transaction and generation of outer, which alone commits. @return to be freed before outer */
struct ks_work *ks_work_within(const struct ks_work *outer, const char *alias, cs_error *e);
/** Carry the plan out on the view and ask all guards. Refused: out->refusal filled, -1 with exit 10. */
int ks_work_judge(struct ks_work *w, ks_outcome *out, cs_error *e) CS_MUST_CHECK;
/** Write the entries that differ, with their audit rows and intervals. */
int ks_work_write(struct ks_work *w, cs_error *e) CS_MUST_CHECK;
/** Number the change and commit. */
int ks_work_commit(struct ks_work *w, cs_error *e) CS_MUST_CHECK;
/** Entry n as it will be, for the outcome. */
void ks_work_info(const struct ks_work *w, unsigned n, ks_info *out);
struct ks_row *ks_work_row(struct ks_work *w, unsigned n);
void ks_work_free(struct ks_work *w);

/** Audit one entry: before and after (NULL: none) as JSON. Fills w->seq. */
int ks_work_audit(struct ks_work *w, unsigned n, const char *verb, const struct ks_view_entry *before,
                  const struct ks_view_entry *after, cs_error *e) CS_MUST_CHECK;
/** Bring the interval rows of an entry in line with its state after; cause is w->seq.
 *  @param stop_before its process stop before: a row that ended there is one and the same window, even when it is past
 */
int ks_work_intervals(struct ks_work *w, int64_t entry_id, cs_time stop_before, const struct ks_view_entry *after,
                      cs_error *e) CS_MUST_CHECK;
/** T8 since an instant: no interval row of the entry reaches beyond it any more. */
int ks_work_cut(struct ks_work *w, int64_t entry_id, cs_time since, cs_error *e) CS_MUST_CHECK;
/** T8 taken back: the interval rows as they were before it, up to the moment when it was made. */
int ks_work_uncut(struct ks_work *w, int64_t entry_id, unsigned n, cs_error *e) CS_MUST_CHECK;
/** That there is no such alias, with the nearest name. @return -1 always */
int ks_alias_unknown(ks_store *s, const char *alias, cs_error *e);
/** The same, or that the slot at hand has no such entry. @return -1 always */
int ks_work_unknown(struct ks_work *w, const char *alias, unsigned n, cs_error *e);
/** Deactivated entries (of partner; NULL: all) whose end moved, by longer terms or by use: write the later end, with
 *  audit and interval rows of that generation. Within a write transaction. *seq: the last audit row, untouched if none.
 */
int ks_extend_waiting(ks_store *s, const char *partner, uint64_t generation, const ks_actor *who, cs_time now,
                      uint64_t *seq, cs_error *e) CS_MUST_CHECK;
/** Append a note (warning or next command) to an outcome; what does not fit is dropped. */
void ks_note(ks_outcome *out, const char *fmt, ...) CS_PRINTF(2, 3);

#endif
