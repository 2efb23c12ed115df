/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content.h: the content of stored rows in the audit: every change leaves, behind its own audit rows, one row of verb
 * "row" per stored row that it touched, with the whole content afterwards and the hash of the content before. So the
 * log alone tells what every row must be, and a row altered behind it shows, even when a later change wrote over it.
 */
#ifndef KS_CONTENT_H
#define KS_CONTENT_H

#include "keystore/store.h"

#define KS_CONTENT_VERB "row"

/** Append the content of all rows that this transaction touched. *last: number of the last audit row, 0: none. */
int ks_content_log(ks_store *s, const ks_actor *who, cs_time now, uint64_t *last, cs_error *e) CS_MUST_CHECK;
/** Append the content of all audited rows as they are: where a log without contents ends (upgrade). */
int ks_content_log_all(ks_store *s, const ks_actor *who, cs_time now, cs_error *e) CS_MUST_CHECK;

/** What the log says of contents, gathered row by row. */
struct ks_contents;
struct ks_contents *ks_contents_new(void); /**< NULL: no memory */
void ks_contents_free(struct ks_contents *c);
/** Take an audit row of KS_CONTENT_VERB. */
int ks_contents_take(struct ks_contents *c, const struct ks_audit_row *row, cs_error *e) CS_MUST_CHECK;
/** Compare with the rows as they are stored, within the caller's transaction. @return 0 alike, or the log holds no
 * contents (a store of before); 1 text names the first row that differs; -1 */
int ks_contents_check(struct ks_contents *c, ks_store *s, char *text, size_t size, cs_error *e) CS_MUST_CHECK;

#endif
