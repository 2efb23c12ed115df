/* SPDX-License-Identifier: Apache-2.0 */
/* capture_tar.h: one record as members of a tar file, and the way back through a segment that was left. */
#ifndef GW_CAPTURE_TAR_H
#define GW_CAPTURE_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/capture.h"

#define CAPTURE_BLOCK ((size_t)512)
/** Extended header with its content, and the header of the member. */
#define CAPTURE_HEAD_MOST                                                                                              \
    (2 * CAPTURE_BLOCK + ((CS_CAPTURE_TEXT + 64 + CAPTURE_BLOCK - 1) / CAPTURE_BLOCK) * CAPTURE_BLOCK)

/** Octets in front of the content of the record with this text. @return how many */
size_t capture_tar_head(const struct cs_capture_record *r, const char *text, size_t n, uint8_t out[CAPTURE_HEAD_MOST]);
/** Octets that fill the last block of size octets. */
size_t capture_tar_padding(uint64_t size);

/** What a walk through a segment found. */
struct capture_walk {
    uint64_t octets;   /**< up to the end of the last whole record */
    uint64_t records;  /**< whole ones */
    uint64_t messages; /**< of them */
    bool ended;        /**< the last one is the end of the segment */
    struct cs_capture_record last;
};
/** Follow the chain in fd from its first record to the last one whose octets are all there and have its hash.
 *  @return 0; -1: errno */
int capture_tar_walk(int fd, struct capture_walk *out);

#endif
