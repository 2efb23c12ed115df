/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_replay.c: the header of a replay store as it may lie on a disk, and a table of which octets were overwritten:
 * a header that is taken is the one that is written for its size, and over whatever rows lie there, a key that was told
 * to be new is told to be seen from then on.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/replay_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENTRIES 1
#define NOW     INT64_C(1800000000)
#define PATCH   12

static void must(bool holds)
{
    if (!holds) {
        __builtin_trap();
    }
}

static void read_header(const uint8_t *data, size_t size)
{
    const uint64_t sizes[] = {0, REPLAY_FILE_HEADER, REPLAY_FILE_HEADER + replay_table_octets(ENTRIES), UINT64_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t entries = 0;
        if (replay_file_judge(data, size, sizes[i], &entries) == NULL) {
            must(entries > 0 && entries <= REPLAY_ENTRIES_MAX);
            must(REPLAY_FILE_HEADER + replay_table_octets(entries) == sizes[i]);
        }
    }
}

/* Each patch: three octets of place, one of length, eight of content. */
static void claim_over_damage(const uint8_t *data, size_t size)
{
    static char *memory;
    size_t octets = replay_table_octets(ENTRIES);
    struct replay_table t;
    uint8_t key[32];
    uint64_t live = 0;
    memory = memory != NULL ? memory : calloc(1, octets);
    if (memory == NULL) {
        return;
    }
    replay_table_place(&t, memory, ENTRIES, 100);
    for (size_t at = 0; at + PATCH <= size; at += PATCH) {
        size_t place = ((size_t)data[at] << 16 | (size_t)data[at + 1] << 8 | data[at + 2]) % (octets - 8);
        memcpy(memory + place, data + at + 4, data[at + 3] % 9);
    }
    memset(key, size > 0 ? data[0] : 0, sizeof key);
    struct replay_claim c = {key, "acme", NOW + 300, NOW};
    bool whole = replay_table_review(&t, NOW, &live);
    int first = replay_table_claim(&t, &c);
    if (first == 1) {
        must(replay_table_claim(&t, &c) == 0);
        must(!whole || replay_table_review(&t, NOW, &live));
    }
    for (size_t at = 0; at + PATCH <= size; at += PATCH) {
        size_t place = ((size_t)data[at] << 16 | (size_t)data[at + 1] << 8 | data[at + 2]) % (octets - 8);
        memset(memory + place, 0, 8);
    }
    memset((void *)t.slot, 0, (size_t)t.per_shard * REPLAY_SHARDS * sizeof *t.slot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096) {
        return 0;
    }
    read_header(data, size);
    claim_over_damage(data, size);
    return 0;
}
