/* SPDX-License-Identifier: Apache-2.0 */
/* done.c: see done.h. */
#include "archive/done.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define BUCKETS ((size_t)1 << 16)

struct key {
    uint64_t a, b;
};

struct archive_done {
    struct key *key; /* owned, sorted */
    size_t n, cap;
};

static bool key_of(const char *loc, struct key *k)
{
    uint8_t hash[32];
    if (EVP_Digest(loc, strlen(loc), hash, NULL, EVP_sha256(), NULL) != 1) {
        return false;
    }
    memcpy(k, hash, sizeof *k);
    return true;
}

static int by_key(const void *x, const void *y)
{
    const struct key *p = x;
    const struct key *q = y;
    return p->a != q->a ? (p->a < q->a ? -1 : 1) : p->b != q->b ? (p->b < q->b ? -1 : 1) : 0;
}

/* The bucket that it is sorted into: by its first 16 bits, of which every value is as likely, since keys are hashes. */
static size_t bucket_of(const struct key *k)
{
    return (size_t)(k->a >> 48);
}

/* In place: qsort() would take as much memory again. @return 0, or -1: no memory */
static int sort(struct archive_done *d)
{
    size_t *begin = calloc(2 * (BUCKETS + 1), sizeof *begin); /* where each begins, and how far it is filled */
    if (begin == NULL) {
        return -1;
    }
    size_t *filled = begin + BUCKETS + 1;
    for (size_t i = 0; i < d->n; i++) {
        begin[bucket_of(&d->key[i]) + 1]++;
    }
    for (size_t b = 0; b < BUCKETS; b++) {
        begin[b + 1] += begin[b];
        filled[b] = begin[b];
    }
    for (size_t b = 0; b < BUCKETS; b++) {
        while (filled[b] < begin[b + 1]) {
            struct key *at = &d->key[filled[b]];
            size_t home = bucket_of(at);
            struct key moved = *at;
            *at = d->key[filled[home]];
            d->key[filled[home]++] = moved;
        }
        qsort(d->key + begin[b], begin[b + 1] - begin[b], sizeof *d->key, by_key);
    }
    free(begin);
    return 0;
}

static int done_add(struct archive_done *d, const char *loc)
{
    if (d->n == d->cap) {
        size_t cap = d->cap == 0 ? 4096 : d->cap + d->cap / 2;
        struct key *grown = reallocarray(d->key, cap, sizeof *grown);
        if (grown == NULL) {
            return -1;
        }
        d->key = grown;
        d->cap = cap;
    }
    return key_of(loc, &d->key[d->n]) ? (d->n++, 0) : -1;
}

/* ---- counting again
 * -------------------------------------------------------------------------------------------------- */

/* Text behind a member of ours; a quotation mark inside of any text is escaped, so nothing else looks like it. */
static const char *behind(const char *line, size_t n, const char *member)
{
    const char *at = memmem(line, n, member, strlen(member));
    return at != NULL ? at + strlen(member) : line + n;
}

static bool is_word(const char *at, const char *end, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(end - at) > n && memcmp(at, word, n) == 0 && at[n] == '"';
}

static void count(struct archive_counts *c, const char *line, size_t n, uint64_t size)
{
    const char *end = line + n;
    const char *verdict = behind(line, n, "\"verdict\":\"");
    const char *source = behind(line, n, "\"time_source\":\"");
    const char *dup = behind(line, n, "\"dup_of\":");
    c->items++;
    c->octets += size;
    c->duplicates += dup < end && *dup != 'n' ? 1 : 0;
    for (int i = 0; i <= WSSEC_ERROR; i++) {
        c->verdict[i] += is_word(verdict, end, wssec_result_word((enum wssec_result)i)) ? 1 : 0;
    }
    for (int i = 0; i <= WSSEC_TIME_MTIME; i++) {
        c->source[i] += is_word(source, end, wssec_time_source_word((enum wssec_time_source)i)) ? 1 : 0;
    }
}

static void remember_payload(struct archive_payloads *p, const char *line, size_t n, uint64_t seq)
{
    uint8_t hash[32];
    char text[65];
    const char *at = behind(line, n, "\"payload_sha256\":\"");
    if (p != NULL && (size_t)(line + n - at) > 64) {
        memcpy(text, at, 64);
        text[64] = '\0';
        if (cs_unhex(text, hash, sizeof hash) == 0) {
            (void)archive_payloads_seen(p, hash, seq);
        }
    }
}

int archive_done_read(struct archive_done **out, struct archive_reader *r, struct archive_payloads *payloads,
                      struct archive_counts *counts, uint64_t *last, cs_error *e)
{
    struct archive_done *d = calloc(1, sizeof *d);
    cs_buf loc = CS_BUF_INIT;
    const char *line = NULL;
    size_t n = 0;
    int rc = d != NULL ? 1 : -1;
    *last = 0;
    while (rc == 1 && (rc = archive_reader_line(r, &line, &n, e)) == 1) {
        uint64_t seq = 0;
        uint64_t size = 0;
        if (archive_record_key(line, n, &seq, &size, &loc) != 0) {
            rc = cs_error_set(e, CS_EXIT_CONFIG, "journal-corrupt", "record %llu of the journal is damaged",
                              (unsigned long long)counts->items + 1);
        } else if (done_add(d, loc.data) != 0) {
            rc = -1;
        } else {
            *last = seq > *last ? seq : *last;
            count(counts, line, n, size);
            remember_payload(payloads, line, n, seq);
        }
    }
    cs_buf_free(&loc);
    if (rc != 0) {
        archive_done_free(d);
        return cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "no memory for what is done already");
    }
    if (d->n > 0 && sort(d) != 0) {
        archive_done_free(d);
        return cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "no memory for what is done already");
    }
    *out = d;
    return 0;
}

bool archive_done_has(const struct archive_done *d, const char *loc)
{
    struct key k;
    return d->n > 0 && key_of(loc, &k) && bsearch(&k, d->key, d->n, sizeof k, by_key) != NULL;
}

uint64_t archive_done_octets(const struct archive_done *d)
{
    return d != NULL ? (uint64_t)d->n * sizeof *d->key : 0;
}

void archive_done_free(struct archive_done *d)
{
    if (d != NULL) {
        free(d->key);
        free(d);
    }
}

/* ---- payloads
 * -------------------------------------------------------------------------------------------------------- */

struct payload {
    struct key key;
    uint64_t seq; /* 0: free */
};

/* A ring in the order of arrival and a table over it: the oldest gives way. */
struct archive_payloads {
    struct payload *ring; /* owned */
    uint32_t *table;      /* owned: place in the ring + 1, 0: free */
    size_t most, next, mask;
};

struct archive_payloads *archive_payloads_new(size_t most)
{
    struct archive_payloads *p = calloc(1, sizeof *p);
    size_t size = 1024;
    while (size < most * 2) {
        size *= 2;
    }
    if (p != NULL) {
        p->most = most;
        p->mask = size - 1;
        p->ring = calloc(most, sizeof *p->ring);
        p->table = calloc(size, sizeof *p->table);
    }
    if (p == NULL || p->ring == NULL || p->table == NULL) {
        archive_payloads_free(p);
        return NULL;
    }
    return p;
}

void archive_payloads_free(struct archive_payloads *p)
{
    if (p != NULL) {
        free(p->ring);
        free(p->table);
        free(p);
    }
}

static size_t place_of(const struct archive_payloads *p, const struct key *k)
{
    size_t at = (size_t)k->a & p->mask;
    while (p->table[at] != 0 && by_key(&p->ring[p->table[at] - 1].key, k) != 0) {
        at = (at + 1) & p->mask;
    }
    return at;
}

/* What stood behind the freed place moves up, so that every search finds it still. */
static void forget(struct archive_payloads *p, const struct key *k)
{
    size_t hole = place_of(p, k);
    p->table[hole] = 0;
    for (size_t at = (hole + 1) & p->mask; p->table[at] != 0; at = (at + 1) & p->mask) {
        size_t home = (size_t)p->ring[p->table[at] - 1].key.a & p->mask;
        if (((at - home) & p->mask) >= ((at - hole) & p->mask)) {
            p->table[hole] = p->table[at];
            p->table[at] = 0;
            hole = at;
        }
    }
}

uint64_t archive_payloads_seen(struct archive_payloads *p, const uint8_t sha256[32], uint64_t seq)
{
    struct key k;
    memcpy(&k, sha256, sizeof k);
    size_t at = place_of(p, &k);
    if (p->table[at] != 0) {
        return p->ring[p->table[at] - 1].seq;
    }
    struct payload *slot = &p->ring[p->next];
    if (slot->seq != 0) {
        forget(p, &slot->key);
        at = place_of(p, &k);
    }
    *slot = (struct payload){k, seq};
    p->table[at] = (uint32_t)p->next + 1;
    p->next = (p->next + 1) % p->most;
    return 0;
}
