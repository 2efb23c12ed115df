/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.h: the payload of an item as a message: what is its envelope or package, and what an HTTP head in front of it
 * says. Bare XML and packages stand for themselves.
 */
#ifndef ARCHIVE_MESSAGE_H
#define ARCHIVE_MESSAGE_H

#include "archive/bytes.h"

struct archive_message {
    struct wssec_slice head; /**< fields in front of the content, borrowed; empty: none */
    struct wssec_slice content;
    char content_type[512]; /**< of the head, unfolded; "" not said */
};

/** Take apart. @return 0, or -1: it is none, with a sentence in why */
int archive_message_read(struct archive_message *m, const uint8_t *p, size_t n, char *why, size_t size) CS_MUST_CHECK;
/** A field of the head, unfolded, the first of its name; ctx: the message. NULL: none, or one that does not fit. */
const char *archive_message_field(void *ctx, const char *name, char *out, size_t size);

#endif
