/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool.h: where bodies lie that are too large for memory: files without a name in one directory of mode 0700, under a
 * quota for all of them together. A file is filled, judged and sent through windows mapped from it; its blocks are
 * allocated before a window is handed out, so a full disk is told here and never by a signal in the middle of a copy.
 */
#ifndef GW_SPOOL_H
#define GW_SPOOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/** Shared by all loops; zeroed: there is none, and nothing is ever promised. */
struct spool {
    bool open;
    int directory;
    uint64_t quota;
    _Atomic uint64_t used; /**< octets promised to files */
};

/** Look whether directory can be used: nothing is made. A directory that is missing is good when its parent is there.
 *  @return 0, or -1 with e filled */
int spool_look(const char *directory, cs_error *e) CS_MUST_CHECK;
/** Make the directory (0700) if it is missing, and try it. @return 0, or -1 with e filled */
int spool_open(struct spool *s, const char *directory, uint64_t quota, cs_error *e) CS_MUST_CHECK;
void spool_close(struct spool *s);

/** Promise octets. Any thread. @return 0, or -1: above the quota, or no spool */
int spool_take(struct spool *s, uint64_t octets) CS_MUST_CHECK;
void spool_give(struct spool *s, uint64_t octets);
/** A new file without a name. @return descriptor owned by the caller, -1 (errno) */
int spool_file(struct spool *s) CS_MUST_CHECK;
/** Octets [at, at + size) of the file, allocated and mapped for reading and writing. @return to be unmapped by the
 * caller (munmap), NULL (errno) */
char *spool_window(int file, uint64_t at, size_t size) CS_MUST_CHECK;

#endif
