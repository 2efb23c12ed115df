/* SPDX-License-Identifier: Apache-2.0 */
/* diff.c: see diff.h. Items of the old run become rows of one size, sorted; the new run is read once beside them. */
#include "archive/diff.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "archive/journal.h"

struct row {
    uint8_t key[16]; /* of loc and payload */
    uint16_t verdict, reason;
    bool seen;
};

struct rows {
    struct row *row;
    size_t n, cap;
};

/* A changed payload under the same name is another item. */
static void key_of(const struct archive_record *r, uint8_t out[16])
{
    uint8_t hash[32];
    uint8_t both[64] = {0};
    SHA256((const uint8_t *)r->loc, strlen(r->loc), both);
    if (r->has_payload) {
        memcpy(both + 32, r->payload_sha256, 32);
    }
    SHA256(both, sizeof both, hash);
    memcpy(out, hash, 16);
}

static int compare(const void *a, const void *b)
{
    return memcmp(((const struct row *)a)->key, ((const struct row *)b)->key, sizeof((const struct row *)a)->key);
}

static int add(struct rows *all, const struct archive_record *r, cs_error *e)
{
    if (all->n == all->cap) {
        size_t cap = all->cap == 0 ? 1024 : all->cap * 2;
        struct row *more = reallocarray(all->row, cap, sizeof *more);
        if (more == NULL) {
            return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the items of the old run");
        }
        all->row = more;
        all->cap = cap;
    }
    struct row *row = &all->row[all->n++];
    *row = (struct row){.verdict = (uint16_t)r->v.verdict, .reason = (uint16_t)r->v.reason};
    key_of(r, row->key);
    return 0;
}

static int read_old(int fd, struct rows *all, cs_error *e)
{
    struct archive_reader *reader = NULL;
    int rc = archive_reader_fd(&reader, fd, e) == 0 ? 1 : -1;
    while (rc == 1) {
        struct archive_record r = {.seq = 0};
        rc = archive_reader_next(reader, &r, e);
        if (rc == 1 && add(all, &r, e) != 0) {
            rc = -1;
        }
        archive_record_clear(&r);
    }
    archive_reader_close(reader);
    if (rc == 0 && all->n > 1) {
        qsort(all->row, all->n, sizeof *all->row, compare);
    }
    return rc;
}

static int look(struct rows *all, const struct archive_record *r, archive_visit_change *visit, void *ctx,
                struct archive_difference *out, cs_error *e)
{
    struct row wanted;
    key_of(r, wanted.key);
    struct row *row = all->n > 0 ? bsearch(&wanted, all->row, all->n, sizeof wanted, compare) : NULL;
    if (row == NULL) {
        out->only_new++;
        return 0;
    }
    if (!row->seen) {
        row->seen = true;
        out->both++;
    }
    struct archive_change c = {.loc = r->loc,
                               .before = {(enum wssec_result)row->verdict, (enum wssec_reason)row->reason},
                               .after = {r->v.verdict, r->v.reason}};
    if (c.before.verdict == c.after.verdict && c.before.reason == c.after.reason) {
        return 0;
    }
    out->changed++;
    out->lost += c.before.verdict == WSSEC_PASS && c.after.verdict != WSSEC_PASS;
    out->gained += c.before.verdict != WSSEC_PASS && c.after.verdict == WSSEC_PASS;
    return visit(ctx, &c, e);
}

int archive_diff(int old_fd, int new_fd, archive_visit_change *visit, void *ctx, struct archive_difference *out,
                 cs_error *e)
{
    struct rows all = {NULL, 0, 0};
    struct archive_reader *reader = NULL;
    memset(out, 0, sizeof *out);
    int rc = read_old(old_fd, &all, e) == 0 && archive_reader_fd(&reader, new_fd, e) == 0 ? 1 : -1;
    while (rc == 1) {
        struct archive_record r = {.seq = 0};
        rc = archive_reader_next(reader, &r, e);
        if (rc == 1 && look(&all, &r, visit, ctx, out, e) != 0) {
            rc = -1;
        }
        archive_record_clear(&r);
    }
    out->only_old = all.n - out->both;
    archive_reader_close(reader);
    free(all.row);
    return rc;
}
