/* SPDX-License-Identifier: Apache-2.0 */
/*
 * facts.h: what the rules must know besides the entries of a slot, gathered in the transaction that judges: the trash,
 * messages that wait, nodes, users, backups, revocation lists, roll-overs.
 */
#ifndef KS_FACTS_H
#define KS_FACTS_H

#include "keystore/change.h"

/** What is in the trash of a slot, or of all. */
struct ks_trash {
    struct ks_trash_row *row; /**< owned */
    size_t n, cap;
};

/** slot_id 0: all. @return 0 with row to be freed, or -1 */
int ks_trash_read(ks_store *s, int64_t slot_id, struct ks_trash *out, cs_error *e) CS_MUST_CHECK;
/** Until when an entry can be restored; 0: it is not in the trash. t may be NULL. */
cs_time ks_trash_until(const struct ks_trash *t, int64_t entry_id);
/** What is scheduled, of a slot or of all. */
struct ks_calendar {
    struct ks_calendar_row {
        int64_t entry_id;
        struct ks_planned planned;
    } * row; /**< owned; by entry, then by instant */
    size_t n, cap;
    struct ks_canary_row *share; /**< owned; by alias and number */
    size_t n_share;
};

/** slot_id 0: all. @return 0 (to be freed), or -1 */
int ks_calendar_read(ks_store *s, int64_t slot_id, struct ks_calendar *out, cs_error *e) CS_MUST_CHECK;
void ks_calendar_free(struct ks_calendar *c);
/** Into info what is scheduled for it. */
void ks_calendar_tell(const struct ks_calendar *c, int64_t entry_id, ks_info *info);
/** The newest message that waits and needs the entry (0: none), and how many do. */
int ks_open_of(ks_store *s, int64_t slot_id, int64_t entry_id, cs_time *since, unsigned *n, cs_error *e) CS_MUST_CHECK;

/** Complete w->before, which has its entries. */
int ks_facts_read(struct ks_work *w, cs_error *e) CS_MUST_CHECK;
/** What only the steps of w->plan ask for: revocation, an open roll-over. */
int ks_facts_of_plan(struct ks_work *w, cs_error *e) CS_MUST_CHECK;

#endif
