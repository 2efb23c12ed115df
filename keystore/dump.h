/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump.h: the rows of a store as text, and back. A line begins with its kind, fields stand between tabulators:
 *
 *     B countersign-backup 1      what it is, and its version
 *     H name value                a fact of the store (store_id, kek_id, generation, schema, at)
 *     T table column column …     a table begins
 *     R value value …             one of its rows: n null, i number, t text (\t \n \\ escaped), x octets in hexadecimal
 *     E rows seal                 the end: how many rows, and HMAC-SHA-256 over all before it
 *
 * Private keys are in it as they are in the store, sealed; the key-encryption key is not. The seal's key comes from the
 * key-encryption key, so that nobody else can make a backup that restores.
 */
#ifndef KS_DUMP_H
#define KS_DUMP_H

#include "base/buffer.h"
#include "keystore/kek.h"

#define KS_DUMP_FIELDS 48 /* columns of a table, at most */

struct ks_dump_head {
    char store_id[KS_ID], kek_id[KS_KEK_ID];
    uint64_t generation;
    int schema;
    cs_time at;
};

/** Everything of the store but what its nodes say of themselves, without the last line. Within a read transaction. */
int ks_dump_write(ks_store *s, const struct ks_dump_head *head, cs_buf *out, uint64_t *rows, cs_error *e) CS_MUST_CHECK;
/** The last line, sealed. */
int ks_dump_seal(cs_buf *out, uint64_t rows, const struct ks_kek *kek, cs_error *e) CS_MUST_CHECK;

/** Read a dump row by row into a store whose tables stand open (load_begin). text is altered. Its seal is not checked
 *  here, but that it is whole: *sealed is the length of what the seal covers, seal its value. @return 0, or -1: exit 64
 */
int ks_dump_read(char *text, size_t n, struct ks_backend *b, const struct ks_driver *driver, struct ks_dump_head *head,
                 size_t *sealed, uint8_t seal[32], cs_error *e) CS_MUST_CHECK;
/** Only the first lines. */
int ks_dump_head_read(const char *text, size_t n, struct ks_dump_head *head, cs_error *e) CS_MUST_CHECK;
/** Is it sealed by this key? text as it was before ks_dump_read. */
bool ks_dump_sealed_by(const char *text, size_t sealed, const uint8_t seal[32], const struct ks_kek *kek);

#endif
