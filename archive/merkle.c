/* SPDX-License-Identifier: Apache-2.0 */
/* merkle.c: see merkle.h. */
#include "archive/merkle.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

void archive_merkle_leaf(const char *line, size_t n, uint8_t out[32])
{
    /* Records are short; a long one goes through memory of its own. */
    uint8_t text[4096];
    uint8_t *all = n < sizeof text ? text : malloc(n + 1);
    if (all == NULL) {
        memset(out, 0, 32);
        return;
    }
    all[0] = 0;
    memcpy(all + 1, line, n);
    SHA256(all, n + 1, out);
    if (all != text) {
        free(all);
    }
}

static void parent_of(const uint8_t left[32], const uint8_t right[32], uint8_t out[32])
{
    uint8_t both[65] = {1};
    memcpy(both + 1, left, 32);
    memcpy(both + 33, right, 32);
    SHA256(both, sizeof both, out);
}

void archive_merkle_add(struct archive_merkle *m, const uint8_t leaf[32])
{
    uint8_t node[32];
    size_t level = 0;
    memcpy(node, leaf, sizeof node);
    for (; (m->n >> level & 1) != 0; level++) {
        parent_of(m->node[level], node, node);
    }
    memcpy(m->node[level], node, sizeof node);
    m->n++;
}

void archive_merkle_root(const struct archive_merkle *m, uint8_t out[32])
{
    bool there = false;
    for (size_t level = 0; level < ARCHIVE_MERKLE_LEVELS; level++) {
        if ((m->n >> level & 1) == 0) {
            continue;
        }
        if (there) {
            parent_of(m->node[level], out, out);
        } else {
            memcpy(out, m->node[level], 32);
        }
        there = true;
    }
    if (!there) {
        SHA256(NULL, 0, out);
    }
}

uint64_t archive_merkle_up(uint8_t (*node)[32], uint64_t n)
{
    for (uint64_t i = 0; i + 1 < n; i += 2) {
        parent_of(node[i], node[i + 1], node[i / 2]);
    }
    if (n % 2 == 1) {
        memmove(node[n / 2], node[n - 1], sizeof *node);
    }
    return (n + 1) / 2;
}
