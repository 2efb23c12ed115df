/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture.h: judged messages are kept as they were received, for `archive verify`. Workers hand them over, a thread of
 * its own writes them; where the configuration says "refuse", a message waits until its record is written, and one
 * that cannot be written does not go on.
 */
#ifndef GW_CAPTURE_H
#define GW_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct job;
struct http1_head;

enum gw_capture_sync { GW_SYNC_SECOND, GW_SYNC_EACH, GW_SYNC_SEGMENT };

/** `capture "DIR" { }` of the configuration. */
struct gw_capture {
    char *directory;         /**< owned; NULL: off */
    int64_t segment_ms;      /**< longest time of one segment */
    uint64_t segment_octets; /**< largest one */
    uint64_t quota;          /**< octets of all segments, 0: any number */
    uint64_t buffer;         /**< octets that may wait for the disk */
    bool refuse;             /**< what cannot be kept does not go on */
    enum gw_capture_sync sync;
};

/** Counted since the start. */
struct capture_counts {
    uint64_t messages, lost, segments, octets;
    bool full; /**< the last record could not be written */
};

struct capture;

/** @param conf copied @param node this node's name @param keystore_uri copied
 *  @return owned by the caller, NULL with e filled */
struct capture *capture_new(const struct gw_capture *conf, const char *node, const char *keystore_uri, cs_error *e);
/** Write what waits, close the segment, tell the keystore; then free. No worker runs any more. NULL is allowed. */
void capture_free(struct capture *c);
/** Before a message is judged: nothing can be kept, so it would only be refused behind it. Any thread. */
bool capture_refuses(struct capture *c);
/** A judged message of the calling worker. @return false: it is not kept and therefore may not go on */
bool capture_message(struct capture *c, const struct job *j) CS_MUST_CHECK;
void capture_count(const struct capture *c, struct capture_counts *out);
/** The head of a message as the dump has it: fields as received, secrets blanked, the framing that of the dump. */
int capture_head(cs_buf *out, const struct http1_head *h, bool response, uint64_t octets) CS_MUST_CHECK;

#endif
