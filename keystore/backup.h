/* SPDX-License-Identifier: Apache-2.0 */
/* backup.h: what backups leave in the store, and the scratch store that one is read into. */
#ifndef KS_BACKUP_H
#define KS_BACKUP_H

#include "keystore/dump.h"

#define KS_BACKUP_AT "backup_at" /* meta: seconds of the last backup */

/** A store in a directory of its own, filled from a backup; it opens keys by the sources of the store it is for. */
struct ks_scratch {
    ks_store *s; /**< owned */
    char directory[64];
    struct ks_dump_head head;
};

/** Read a backup, and check that it is whole and sealed by a key-encryption key of s. @return to be closed also after
 * -1 */
int ks_scratch_open(struct ks_scratch *x, ks_store *s, const char *text, size_t n, cs_time now,
                    cs_error *e) CS_MUST_CHECK;
void ks_scratch_close(struct ks_scratch *x);

#endif
