/* SPDX-License-Identifier: Apache-2.0 */
/*
 * asic.h: signed containers (ASiC-E) as X-Road's message log keeps them: one message, its attachments and a detached
 * signature in a ZIP. Each one is an item; it is taken apart in memory, and nothing of it is named twice.
 */
#ifndef ARCHIVE_ASIC_H
#define ARCHIVE_ASIC_H

#include "archive/item.h"

/** What octets begin with and where they lay: a signed container, to be judged as a whole, or any other ZIP? */
bool archive_asic_is(const uint8_t *p, size_t n, const char *loc);

struct archive_asic {
    struct wssec_container container; /**< points into what follows */
    struct wssec_file *part;          /**< owned */
    struct archive_asic_member {
        char *name;    /**< owned */
        uint8_t *data; /**< owned; NULL: empty */
        size_t n;
    } * member; /**< owned: everything, in its order */
    size_t n_member, cap_member;
};

/** Take the container p apart. Limits are those of the order; most: octets of all members together.
 *  @return WSSEC_OK, or why not, with a sentence in why; archive_asic_clear in either case. Any thread */
enum wssec_reason archive_asic_read(struct archive_asic *a, const uint8_t *p, size_t n, const struct archive_order *o,
                                    char *why, size_t size);
void archive_asic_clear(struct archive_asic *a);

#endif
