/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys.h: the keys of several partners at once, for wssec, without a word about time: every stored certificate of
 * theirs that fits is a candidate, whatever its state. Whether it counted at an instant is judged afterwards (judge.h).
 */
#ifndef ARCHIVE_KEYS_H
#define ARCHIVE_KEYS_H

#include "archive/archive.h"
#include "resolver/resolver.h"

#define ARCHIVE_FITTING 64 /* candidates of one message that are remembered */

/** A candidate that was given out. */
struct archive_candidate {
    uint8_t sha256[32];
    size_t partner; /**< place in the court */
    bool chain;     /**< it counts by its chain, not as a stored certificate: wssec has judged it */
};

/** Of one worker. */
struct archive_keys {
    struct wssec_resolver resolver; /**< for wssec */
    const struct archive_court *court;
    struct resolver *partner;    /**< owned: one per partner of the court */
    struct wssec_resolver *face; /**< owned: of each */
    const size_t *group;         /**< whom it asks: places in the court; borrowed */
    size_t n_group;
    struct archive_candidate given[ARCHIVE_FITTING];
    size_t n_given;
    bool overflow; /**< there were more candidates than can be asked for at a time */
};

/** @return 0, or -1: no memory. archive_keys_free in either case */
int archive_keys_make(struct archive_keys *k, const struct archive_court *court) CS_MUST_CHECK;
void archive_keys_free(struct archive_keys *k);
/** Ask these partners from here on; what was given out before is forgotten. */
void archive_keys_ask(struct archive_keys *k, const size_t *group, size_t n);
/** Candidate with that certificate, NULL: none was given out. */
const struct archive_candidate *archive_keys_given(const struct archive_keys *k, const uint8_t sha256[32]);

#endif
