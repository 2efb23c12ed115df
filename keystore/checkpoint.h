/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint.h: signed statements "after this row the log had this hash", outside of the store: a log that was cut, and
 * an old copy that was put back, are whole in themselves, and only what was noted elsewhere tells. Each change appends
 * one line to PATH.checkpoints; the key that signs is PATH.audit.key, its public half stands in the store. Lines may be
 * kept anywhere else, too: audit verify takes them.
 *
 *   cs-checkpoint-1 STORE-ID SEQ HASH GENERATION TIME SIGNATURE
 */
#ifndef KS_CHECKPOINT_H
#define KS_CHECKPOINT_H

#include "keystore/store.h"

#define KS_CHECKPOINT_TEXT 384 /* octets of one line, with its end */
#define KS_CHECKPOINT_KEY  "audit_key"

/** Make the signing key where there is none, and tell the store its public half; within the transaction that begins a
 * log. Stores without a place of their own have none. */
int ks_checkpoint_begin(ks_store *s, cs_error *e) CS_MUST_CHECK;
/** Commit, and note the end of the log. A line that cannot be written is logged: the change stands. */
int ks_commit(ks_store *s, cs_error *e);
/** The line about the log as it is, without being appended anywhere, and the number of the last row. Within a
 *  transaction of the caller. @return 1; 0 there is no log, or no key that signs; -1 */
int ks_checkpoint_now(ks_store *s, cs_time now, char out[KS_CHECKPOINT_TEXT], uint64_t *seq, cs_error *e) CS_MUST_CHECK;
#define KS_SIGNATURE_TEXT 89 /* octets of a signature in base64, with its NUL */
/** Sign another text with the same key; it begins with a word of its own kind, so that no signature stands for two
 * things. @return true; false: there is no key here that signs, or this account cannot read it */
bool ks_checkpoint_sign(ks_store *s, const char *text, size_t n, char out[KS_SIGNATURE_TEXT]);
/** Is it the signature of text by that key? */
bool ks_checkpoint_signed(const uint8_t key[32], const char *text, size_t n, const char *signature);
/** Close what the store keeps open for this. */
void ks_checkpoint_end(ks_store *s);

/** Hashes of the rows of a log, in their order, and what the store says of itself. */
struct ks_log_seen {
    const uint8_t (*hash)[32]; /**< of row 1, 2 … */
    uint64_t n;
    char store_id[KS_ID];
    uint8_t key[32];
    bool has_key;
};
/** Compare a log with checkpoints: lines of text. @return 0 all fit; 1 text names the first that does not; -1: none of
 * the lines is a checkpoint of this store */
int ks_checkpoint_compare(const struct ks_log_seen *log, const char *lines, const char *source, char *text, size_t size,
                          cs_error *e);
/** The lines beside the store, malloc'ed; NULL: there are none. */
char *ks_checkpoint_lines(const ks_store *s);

#endif
