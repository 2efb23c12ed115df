/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture_file.h: the segments of a capture on disk. A segment is a tar file (POSIX, pax) that any tool unpacks: each
 * message is a member, and the chained record of base/capture.h stands in its extended header. The segment in work ends
 * in .open, a closed one in .tar; what a crash left is cut behind its last whole record and closed by the next process.
 * Two processes of a node (an upgrade in place) write to streams of their own. Belongs to one thread.
 */
#ifndef GW_CAPTURE_FILE_H
#define GW_CAPTURE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/capture.h"
#include "base/error.h"
#include "wssec/wssec.h"

struct capture_file {
    int directory; /**< descriptors, -1: none */
    int lock;
    int fd;
    char stream[CS_CAPTURE_WORD];
    uint64_t segment;  /**< in work, or the last one */
    uint64_t record;   /**< last record written */
    uint8_t head[32];  /**< its hash */
    uint64_t octets;   /**< of the segment in work */
    uint64_t messages; /**< in it */
    int64_t opened_ms; /**< when it was begun */
    struct capture_end {
        uint64_t segment, record;
        uint8_t hash[32];
    } closed;        /**< end of the last closed segment */
    uint64_t noted;  /**< last segment that the keystore knows */
    uint64_t others; /**< octets of other segments in the directory */
};

/** Take a stream of node in directory, which exists; recover what another process left. No segment is begun yet.
 *  @return 0, or -1 with e filled; capture_file_close() in either case */
int capture_file_open(struct capture_file *f, const char *directory, const char *node, int64_t now_ms,
                      cs_error *e) CS_MUST_CHECK;
/** Append a record; of r the caller fills kind, at_ms and what describes a message. A segment is begun where none is in
 *  work. quota: octets of all segments, 0 none. @return 0, or -1 with errno: nothing of it is in the file */
int capture_file_add(struct capture_file *f, struct cs_capture_record *r, const struct wssec_slice *slice,
                     size_t n_slice, uint64_t quota) CS_MUST_CHECK;
/** What was written is on the disk. @return 0, or -1 with errno */
int capture_file_sync(struct capture_file *f) CS_MUST_CHECK;
/** Close the segment in work, if there is one. @return 0, or -1 with errno: it stays in work */
int capture_file_end(struct capture_file *f, int64_t now_ms) CS_MUST_CHECK;
/** The keystore knows of the end of this segment. */
void capture_file_noted(struct capture_file *f, uint64_t segment);
/** Count anew what lies in the directory: somebody may have made room. */
void capture_file_count(struct capture_file *f);
void capture_file_close(struct capture_file *f);

#endif
