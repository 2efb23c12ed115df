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

void archive_merkle_node(const uint8_t left[32], const uint8_t right[32], uint8_t out[32])
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
        archive_merkle_node(m->node[level], node, node);
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
            archive_merkle_node(m->node[level], out, out);
        } else {
            memcpy(out, m->node[level], 32);
        }
        there = true;
    }
    if (!there) {
        SHA256(NULL, 0, out);
    }
}

static void root_of(const uint8_t (*leaf)[32], uint64_t n, uint8_t out[32])
{
    struct archive_merkle m = {.n = 0};
    for (uint64_t i = 0; i < n; i++) {
        archive_merkle_add(&m, leaf[i]);
    }
    archive_merkle_root(&m, out);
}

/* From above: at each step the half without the leaf is the sibling. */
size_t archive_merkle_path(const uint8_t (*leaf)[32], uint64_t n, uint64_t at, uint8_t (*path)[32])
{
    uint8_t down[ARCHIVE_MERKLE_LEVELS][32];
    size_t steps = 0;
    while (n > 1) {
        uint64_t k = 1;
        while (k < n - k) {
            k *= 2;
        }
        if (at < k) {
            root_of(leaf + k, n - k, down[steps++]);
            n = k;
        } else {
            root_of(leaf, k, down[steps++]);
            leaf += k;
            at -= k;
            n -= k;
        }
    }
    for (size_t i = 0; i < steps; i++) {
        memcpy(path[i], down[steps - 1 - i], 32);
    }
    return steps;
}
