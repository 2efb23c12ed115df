/* SPDX-License-Identifier: Apache-2.0 */
/* collect.c: see collect.h. */
#include "archive/collect.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/conclusion.h"
#include "archive/run.h"
#include "base/text.h"

/* ---- is it the whole? -------------------------------------------------------------------------------------------- */

/* Two orders that differ in their shard only, judged by the same. */
static bool same_order(struct archive_run *a, struct archive_run *b)
{
    cs_buf x = CS_BUF_INIT;
    cs_buf y = CS_BUF_INIT;
    struct archive_run one = *a;
    struct archive_run other = *b;
    (void)cs_copy(one.id, sizeof one.id, b->id);
    one.started = b->started;
    one.generation = b->generation; /* what it says of certificates is in keystore_sha256 */
    one.order.shard = b->order.shard;
    archive_run_write(&one, &x);
    archive_run_write(&other, &y);
    bool same = !x.failed && !y.failed && x.len == y.len && memcmp(x.data, y.data, x.len) == 0;
    cs_buf_free(&x);
    cs_buf_free(&y);
    return same;
}

static int look_at(const char *directory, struct archive_run *run, cs_error *e)
{
    struct archive_reader *reader = NULL;
    struct archive_conclusion end;
    int rc = archive_reader_open(&reader, directory, run, e);
    archive_reader_close(reader);
    if (rc != 0) {
        return -1;
    }
    if (run->order.shards < 1) {
        return cs_error_set(e, CS_EXIT_USAGE, "shard", "%.300s is no shard: its run was begun without --shard",
                            directory);
    }
    rc = archive_conclusion_read(&end, directory, e);
    return rc != 0 ? (rc > 0 ? 0 : -1)
                   : cs_error_set(e, CS_EXIT_GAP, "shard-unfinished",
                                  "shard %u/%u in %.300s is not finished; go on with: countersign archive verify "
                                  "--journal %.300s --resume",
                                  run->order.shard, run->order.shards, directory, directory);
}

/* The first number of 0 … n-1 that is not marked. */
static int name_missing(const bool *there, unsigned n, cs_error *e)
{
    cs_buf names = CS_BUF_INIT;
    unsigned missing = 0;
    for (unsigned i = 0; i < n; i++) {
        if (!there[i] && missing++ < 20) {
            cs_buf_addf(&names, " %u/%u", i, n);
        }
    }
    int rc = missing == 0
                 ? 0
                 : cs_error_set(e, CS_EXIT_GAP, "shard-missing", "%u of %u shards %s missing:%s%s", missing, n,
                                missing == 1 ? "is" : "are", names.failed ? "" : names.data, missing > 20 ? " …" : "");
    cs_buf_free(&names);
    return rc;
}

/* One more of n journals, beside the first. */
static int look_next(const char *directory, struct archive_run *first, bool **there, cs_error *e)
{
    struct archive_run one = {.order = ARCHIVE_ORDER_INIT};
    int rc = look_at(directory, &one, e);
    if (rc == 0 && *there == NULL && (*there = calloc(one.order.shards, sizeof **there)) == NULL) {
        rc = cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the list of shards");
    } else if (rc == 0 && first->id[0] != '\0' && !same_order(first, &one)) {
        rc =
            cs_error_set(e, CS_EXIT_USAGE, "shard",
                         "%.300s belongs to another order, or was judged by other certificates or policies", directory);
    } else if (rc == 0 && (one.order.shard >= one.order.shards || (*there)[one.order.shard])) {
        rc = cs_error_set(e, CS_EXIT_USAGE, "shard", "shard %u/%u is given twice, the second time as %.300s",
                          one.order.shard, one.order.shards, directory);
    }
    if (rc == 0) {
        (*there)[one.order.shard] = true;
    }
    if (rc == 0 && first->id[0] == '\0') {
        *first = one;
    } else {
        archive_run_clear(&one);
    }
    return rc;
}

int archive_collect_look(const char *const *directory, size_t n, cs_time now, struct archive_run *run, cs_error *e)
{
    bool *there = NULL;
    int rc = 0;
    *run = (struct archive_run){.order = ARCHIVE_ORDER_INIT};
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = look_next(directory[i], run, &there, e);
    }
    rc = rc == 0 && there != NULL ? name_missing(there, run->order.shards, e) : rc;
    free(there);
    if (rc == 0 && archive_run_id(now, run->id) != 0) {
        rc = cs_error_set(e, CS_EXIT_INTERNAL, "internal", "no random numbers");
    }
    return rc;
}

/* ---- the records ------------------------------------------------------------------------------------------------- */

struct key {
    uint8_t half[16];
    uint64_t seq;
};

struct keys {
    struct key *key; /* owned */
    size_t n, cap;
};

static int keep(struct keys *all, const uint8_t hash[32], uint64_t seq)
{
    if (all->n == all->cap) {
        size_t cap = all->cap == 0 ? 1024 : all->cap * 2;
        struct key *more = reallocarray(all->key, cap, sizeof *more);
        if (more == NULL) {
            return -1;
        }
        all->key = more;
        all->cap = cap;
    }
    memcpy(all->key[all->n].half, hash, sizeof all->key->half);
    all->key[all->n++].seq = seq;
    return 0;
}

static int compare(const void *x, const void *y)
{
    const struct key *a = x;
    const struct key *b = y;
    int c = memcmp(a->half, b->half, sizeof a->half);
    return c != 0 ? c : a->seq < b->seq ? -1 : a->seq > b->seq;
}

struct collecting {
    const struct archive_run *run;
    struct keys loc, payload;
    uint64_t seq;
    int (*each)(struct collecting *k, struct archive_record *r, unsigned shard, cs_error *e);
    struct archive_journal *journal;
    struct archive_counts *out;
};

static unsigned shard_of(const uint8_t hash[32], unsigned n)
{
    uint64_t first = 0;
    for (int i = 0; i < 8; i++) {
        first = first << 8 | hash[i];
    }
    return (unsigned)(first % n);
}

/* First reading: where each item and each payload is. */
static int remember(struct collecting *k, struct archive_record *r, unsigned shard, cs_error *e)
{
    uint8_t hash[32];
    SHA256((const uint8_t *)r->loc, strlen(r->loc), hash);
    if (shard_of(hash, k->run->order.shards) != shard) {
        return cs_error_set(e, CS_EXIT_GAP, "shard-foreign", "%.300s stands in shard %u, where it does not belong",
                            r->loc, shard);
    }
    if (keep(&k->loc, hash, k->seq) != 0 || (r->has_payload && keep(&k->payload, r->payload_sha256, k->seq) != 0)) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the items of all shards");
    }
    return 0;
}

/* The number of the first record with that payload. */
static uint64_t first_with(const struct keys *all, const struct archive_record *r, uint64_t seq)
{
    size_t low = 0;
    size_t high = all->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(all->key[middle].half, r->payload_sha256, 16) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < all->n && memcmp(all->key[low].half, r->payload_sha256, 16) == 0 ? all->key[low].seq : seq;
}

/* Second reading: into the new journal. */
static int write_one(struct collecting *k, struct archive_record *r, unsigned shard, cs_error *e)
{
    struct archive_counts *c = k->out;
    uint64_t first = r->has_payload ? first_with(&k->payload, r, k->seq) : k->seq;
    (void)shard;
    r->seq = k->seq;
    r->dup_of = first != k->seq ? first : 0;
    (void)cs_copy(r->run, sizeof r->run, k->run->id);
    c->items++;
    c->verdict[r->v.verdict]++;
    c->duplicates += r->dup_of != 0;
    c->octets += r->size;
    c->source[r->v.time_source]++;
    return archive_journal_add(k->journal, r, e);
}

static int read_shard(struct collecting *k, const char *directory, cs_error *e)
{
    struct archive_reader *reader = NULL;
    struct archive_run run = {.order = ARCHIVE_ORDER_INIT};
    struct archive_conclusion end;
    uint64_t before = k->seq;
    int rc = archive_reader_open(&reader, directory, &run, e) == 0 && archive_conclusion_read(&end, directory, e) >= 0
                 ? 1
                 : -1;
    while (rc == 1) {
        struct archive_record r = {.seq = 0};
        rc = archive_reader_next(reader, &r, e);
        if (rc == 1) {
            k->seq++;
            rc = k->each(k, &r, run.order.shard, e) == 0 ? 1 : -1;
        }
        archive_record_clear(&r);
    }
    if (rc == 0 && (archive_reader_torn(reader) || k->seq - before != end.items)) {
        rc = cs_error_set(e, CS_EXIT_GAP, "shard-damaged", "%.300s has %llu records, its run ended with %llu",
                          directory, (unsigned long long)(k->seq - before), (unsigned long long)end.items);
    }
    archive_reader_close(reader);
    archive_run_clear(&run);
    return rc;
}

static int check_once(const struct keys *all, cs_error *e)
{
    for (size_t i = 1; i < all->n; i++) {
        if (memcmp(all->key[i - 1].half, all->key[i].half, sizeof all->key->half) == 0) {
            return cs_error_set(e, CS_EXIT_GAP, "shard-overlap",
                                "one item has two records, number %llu and %llu of all shards",
                                (unsigned long long)all->key[i - 1].seq, (unsigned long long)all->key[i].seq);
        }
    }
    return 0;
}

static void sort(struct keys *all)
{
    if (all->n > 1) {
        qsort(all->key, all->n, sizeof *all->key, compare);
    }
}

int archive_collect(const char *const *directory, size_t n, const struct archive_run *run,
                    struct archive_journal *journal, struct archive_counts *out, cs_error *e)
{
    struct collecting k = {.run = run, .journal = journal, .out = out, .each = remember};
    int rc = 0;
    *out = (struct archive_counts){.items = 0};
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = read_shard(&k, directory[i], e);
    }
    sort(&k.loc);
    sort(&k.payload);
    rc = rc == 0 ? check_once(&k.loc, e) : rc;
    k.seq = 0;
    k.each = write_one;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = read_shard(&k, directory[i], e);
    }
    free(k.loc.key);
    free(k.payload.key);
    return rc;
}
