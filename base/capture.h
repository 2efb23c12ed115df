/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture.h: the record that stands beside each captured message: one line of text that carries the hash of the record
 * before it. The hash of a record is the SHA-256 of its own text up to the blank in front of "hash=", so that any tool
 * can follow the chain. docs/capture.md describes the archive around it. Pure: no file, no clock.
 */
#ifndef CS_BASE_CAPTURE_H
#define CS_BASE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CS_CAPTURE_TEXT  1024 /* octets of one record, with its NUL */
#define CS_CAPTURE_WORD  80   /* of one word in it */
#define CS_CAPTURE_XATTR "user.countersign"
#define CS_CAPTURE_STATE "cs-capture-state-1" /* begin of what a gateway notes beside its captures: no message */
#define CS_CAPTURE_PAX   "SCHILY.xattr." CS_CAPTURE_XATTR

enum cs_capture_kind {
    CS_CAPTURE_BEGIN,   /**< a segment begins */
    CS_CAPTURE_MESSAGE, /**< the octets of its member are a message */
    CS_CAPTURE_LOST,    /**< so many messages found no room */
    CS_CAPTURE_END,     /**< a segment ends */
    CS_CAPTURE_KINDS
};

struct cs_capture_record {
    enum cs_capture_kind kind;
    char stream[CS_CAPTURE_WORD]; /**< chain that it belongs to: node and number */
    uint64_t segment;             /**< file of the chain, from 1 */
    uint64_t record;              /**< number in the chain, over all segments, from 1 */
    int64_t at_ms;                /**< message: received; else written; UTC milliseconds */
    /* of a message */
    char exchange[CS_CAPTURE_WORD];
    bool response;
    char route[CS_CAPTURE_WORD], partner[CS_CAPTURE_WORD], verdict[CS_CAPTURE_WORD], reason[CS_CAPTURE_WORD];
    uint64_t size; /**< octets of the dump */
    uint8_t sha256[32];
    uint64_t count; /**< lost: messages; end: messages of the segment */
    uint8_t prev[32], hash[32];
};

const char *cs_capture_kind_word(enum cs_capture_kind k);
/** Write the text and fill r->hash. Characters that words may not have become '_'. @return its length */
size_t cs_capture_write(struct cs_capture_record *r, char out[CS_CAPTURE_TEXT]);
/** Read a record, only in the form that cs_capture_write() gives, and only with its own hash right.
 *  @return 0, or -1: it is none, or was changed */
int cs_capture_read(const char *text, size_t n, struct cs_capture_record *out);

#endif
