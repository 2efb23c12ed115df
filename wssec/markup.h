/* SPDX-License-Identifier: Apache-2.0 */
/*
 * markup.h: where tags, comments, sections and instructions of a text begin and end. No judgement of well-formedness:
 * that is the parser's. Used to find the octets of an element of the tree, and to tell whether a decrypted text is
 * balanced by itself.
 */
#ifndef WSSEC_MARKUP_H
#define WSSEC_MARKUP_H

#include <libxml/tree.h>
#include <stdbool.h>
#include <stddef.h>

#include "wssec/message.h"

/** Octets of one element in a text. */
struct wssec_place {
    const xmlNode *node; /**< asked for */
    size_t from, open_end, close_from, to;
    bool empty; /**< <a/>: open_end, close_from and to are equal */
};

/** Find n elements of m's tree in its text (n octets at text, as the scanner handed it to the parser). place[i].node is
 *  filled by the caller. @return 0, or -1: the text and the tree do not belong together */
int wssec_markup_locate(const struct wssec_message *m, const char *text, size_t size, struct wssec_place *place,
                        size_t n) __attribute__((warn_unused_result));

struct wssec_fragment {
    unsigned elements; /**< not inside of another */
    bool text;         /**< something but white space and comments stands outside of them */
};
/** Is the text balanced by itself, without declarations? @return 0 with *out filled, or -1 */
int wssec_markup_fragment(const char *text, size_t n, struct wssec_fragment *out) __attribute__((warn_unused_result));

#endif
