/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain.h: is an archive of captures (docs/capture.md) complete? Its records are followed from file to file, the octets
 * of each message are hashed, and the ends of closed files are compared with what the keystore was told of them.
 */
#ifndef ARCHIVE_CHAIN_H
#define ARCHIVE_CHAIN_H

#include "archive/archive.h"
#include "keystore/capture.h"

struct archive_chain {
    uint64_t files, streams, messages; /**< found */
    uint64_t lost;                     /**< messages of which the chain says that there was no room */
    uint64_t open;                     /**< files that are still in work */
    bool logs;                         /**< message logs of X-Road, which tell of no losses */
    struct archive_texts gap;          /**< owned; one sentence each */
};

/** Follow all captures below paths (files; directories with all below them, no link is followed). known: ends of files
 * that the keystore knows; none: only the chain itself speaks. Files that are no captures are passed over.
 *  @return 0, complete or not; -1 with e filled: not found, not readable. archive_chain_clear in either case */
int archive_chain_follow(const struct archive_texts *path, const ks_capture_head *known, size_t n_known,
                         struct archive_chain *out, cs_error *e) CS_MUST_CHECK;
/** One gap more. @return 0, -1: no memory */
int archive_chain_gap(struct archive_chain *c, const char *fmt, ...) CS_PRINTF(2, 3);
/** Each wanted file below path (a file, or a directory), links not followed. @return what read says first, or -1 with e
 * filled */
int archive_chain_files(const char *path, bool (*wanted)(const char *name), int (*read)(void *ctx, const char *path),
                        void *ctx, cs_error *e) CS_MUST_CHECK;
/** Nothing is missing, changed or lost. */
bool archive_chain_complete(const struct archive_chain *c);
/** A sentence with the numbers. */
void archive_chain_text(const struct archive_chain *c, char *out, size_t size);
void archive_chain_clear(struct archive_chain *c);

#endif
