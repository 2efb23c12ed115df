/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merkle.h: one hash over all records of a run, and the proof that one of them is among them: the tree of RFC 6962
 * (leaf: SHA-256 of 0x00 and the record's line without its line feed; node: SHA-256 of 0x01, left, right). A time stamp
 * over the root proves that every record was there at that instant.
 */
#ifndef ARCHIVE_MERKLE_H
#define ARCHIVE_MERKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARCHIVE_MERKLE_LEVELS 64

/** Zeroed: an empty tree. Holds one node per level, whatever the number of leaves. */
struct archive_merkle {
    uint64_t n;
    uint8_t node[ARCHIVE_MERKLE_LEVELS][32]; /**< of level i where bit i of n is set */
};

void archive_merkle_leaf(const char *line, size_t n, uint8_t out[32]);
void archive_merkle_add(struct archive_merkle *m, const uint8_t leaf[32]);
/** The root; of an empty tree the SHA-256 of nothing. */
void archive_merkle_root(const struct archive_merkle *m, uint8_t out[32]);
/** One level up: n nodes become (n + 1) / 2, in place; the last one of an odd number goes up as it is. The sibling of
 * node i is node i ^ 1, where there is one: these are the steps of its audit path, from below. @return how many are
 * left */
uint64_t archive_merkle_up(uint8_t (*node)[32], uint64_t n);

#endif
