/* SPDX-License-Identifier: Apache-2.0 */
/* mem_use.c: uses per entry, node and day, by sender; certificates that only messages bring; observations, in memory.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/mem.h"

#define COPY(out, s, column) cs_copy((out), sizeof(out), ks_mem_text((s), (column)))
#define SENDER_DAYS          180 /* rows of the days before count without the senders' names */

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool of_day(const struct ks_mem_scan *s, const char *node, const struct ks_count *c)
{
    return ks_mem_num(s, "entry_id") == c->entry_id && ks_mem_num(s, "day") == c->day && ks_mem_is(s, "node_id", node);
}

static int add_day(struct ks_backend *b, const char *node, const struct ks_count *c, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "use_day");
    while (ks_mem_next(&s)) {
        if (of_day(&s, node, c)) {
            int64_t first = ks_mem_num(&s, "first_at");
            const struct ks_mem_set set[] = {MEM_NUM("ok", ks_mem_num(&s, "ok") + (int64_t)c->ok),
                                             MEM_NUM("bad", ks_mem_num(&s, "bad") + (int64_t)c->bad),
                                             MEM_NUM("first_at", first < c->first ? first : c->first),
                                             MEM_NUM("last_at", most(ks_mem_num(&s, "last_at"), c->last))};
            int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
            ks_mem_done(&s);
            return rc;
        }
    }
    const struct ks_mem_set set[] = {MEM_NUM("entry_id", c->entry_id), MEM_TEXT("node_id", node),
                                     MEM_NUM("day", c->day),           MEM_NUM("ok", c->ok),
                                     MEM_NUM("bad", c->bad),           MEM_NUM("first_at", c->first),
                                     MEM_NUM("last_at", c->last)};
    return ks_mem_insert(b, "use_day", set, MEM_COUNT(set), NULL, e);
}

static int add_sender(struct ks_backend *b, const char *node, const struct ks_count *c, const char *sender, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "use_sender");
    size_t names = 0;
    while (ks_mem_next(&s)) {
        names += of_day(&s, node, c);
        if (of_day(&s, node, c) && ks_mem_is(&s, "sender", sender)) {
            const struct ks_mem_set set[] = {MEM_NUM("n", ks_mem_num(&s, "n") + (int64_t)c->ok),
                                             MEM_NUM("last_at", most(ks_mem_num(&s, "last_at"), c->last))};
            int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
            ks_mem_done(&s);
            return rc;
        }
    }
    if (names >= KS_SENDERS_MAX && sender[0] != '\0') {
        return add_sender(b, node, c, "", e);
    }
    const struct ks_mem_set set[] = {
        MEM_NUM("entry_id", c->entry_id), MEM_TEXT("node_id", node), MEM_NUM("day", c->day),
        MEM_TEXT("sender", sender),       MEM_NUM("n", c->ok),       MEM_NUM("last_at", c->last)};
    return ks_mem_insert(b, "use_sender", set, MEM_COUNT(set), NULL, e);
}

static int use_add(struct ks_backend *b, const char *node, const struct ks_count *c, cs_error *e)
{
    struct ks_mem_scan s;
    const struct ks_value id = {.kind = KS_VALUE_NUMBER, .number = c->entry_id};
    if (!ks_mem_find(b, &s, "entry", "entry_id", id)) {
        return 0;
    }
    ks_mem_done(&s);
    return add_day(b, node, c, e) != 0 ? -1 : c->ok > 0 ? add_sender(b, node, c, c->sender, e) : 0;
}

static int by_day(const void *a, const void *b)
{
    const struct ks_use_row *x = a;
    const struct ks_use_row *y = b;
    int order = (x->c.day > y->c.day) - (x->c.day < y->c.day);
    order = order != 0 ? order : strcmp(x->node, y->node);
    return order != 0 ? order : strcmp(x->c.sender, y->c.sender);
}

static int uses_of(struct ks_backend *b, bool by_sender, int64_t entry_id, int64_t from_day, ks_visit_use *visit,
                   void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, by_sender ? "use_sender" : "use_day");
    struct ks_use_row *row = calloc(ks_mem_count(&s) + 1, sizeof *row);
    size_t n = 0;
    int rc = row != NULL ? 0 : ks_mem_no_memory(e);
    while (ks_mem_next(&s)) {
        if (rc != 0 || ks_mem_num(&s, "entry_id") != entry_id || ks_mem_num(&s, "day") < from_day) {
            continue;
        }
        struct ks_use_row *r = &row[n++];
        r->by_sender = by_sender;
        r->c.entry_id = entry_id;
        r->c.day = ks_mem_num(&s, "day");
        r->c.last = ks_mem_num(&s, "last_at");
        r->c.ok = (uint64_t)ks_mem_num(&s, by_sender ? "n" : "ok");
        COPY(r->node, &s, "node_id");
        if (by_sender) {
            COPY(r->c.sender, &s, "sender");
        } else {
            r->c.bad = (uint64_t)ks_mem_num(&s, "bad");
            r->c.first = ks_mem_num(&s, "first_at");
        }
    }
    if (rc == 0) {
        qsort(row, n, sizeof *row, by_day);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = visit(ctx, &row[i], e) != 0 ? -1 : 0;
    }
    free(row);
    return rc;
}

static int uses(struct ks_backend *b, int64_t entry_id, int64_t from_day, ks_visit_use *visit, void *ctx, cs_error *e)
{
    return uses_of(b, false, entry_id, from_day, visit, ctx, e) == 0
               ? uses_of(b, true, entry_id, from_day, visit, ctx, e)
               : -1;
}

static int use_prune(struct ks_backend *b, cs_time now, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "use_sender");
    while (ks_mem_next(&s)) {
        if (ks_mem_num(&s, "day") < now / CS_DAY - SENDER_DAYS && ks_mem_delete(b, &s, e) != 0) {
            ks_mem_done(&s);
            return -1;
        }
    }
    s = ks_mem_scan(b, "observation");
    while (ks_mem_next(&s)) {
        bool old = ks_mem_is(&s, "kind", "refused") && ks_mem_num(&s, "last_at") < now - SENDER_DAYS * CS_DAY;
        if (old && ks_mem_delete(b, &s, e) != 0) {
            ks_mem_done(&s);
            return -1;
        }
    }
    return 0;
}

/* ---- seen, observed -----------------------------------------------------------------------------------------------
 */

static int seen_add(struct ks_backend *b, const struct ks_seen_row *row, unsigned limit, cs_error *e)
{
    const struct ks_value hash = ks_mem_of_octets(row->sha256, sizeof row->sha256);
    struct ks_mem_scan s = ks_mem_scan(b, "seen_certificate");
    unsigned n = 0;
    while (ks_mem_next(&s)) {
        bool mine = ks_mem_is(&s, "partner", row->partner);
        n += mine;
        if (mine && ks_mem_order(ks_mem_value(&s, "sha256"), &hash) == 0) {
            const struct ks_mem_set set[] = {MEM_NUM("n", ks_mem_num(&s, "n") + (int64_t)row->n),
                                             MEM_NUM("last_at", most(ks_mem_num(&s, "last_at"), row->last_at))};
            int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
            ks_mem_done(&s);
            return rc;
        }
    }
    const struct ks_mem_set set[] = {MEM_TEXT("partner", row->partner),      {"sha256", hash},
                                     MEM_OCT("der", row->der, row->der_len), MEM_NUM("first_at", row->first_at),
                                     MEM_NUM("last_at", row->last_at),       MEM_NUM("n", row->n)};
    return n >= limit ? 0 : ks_mem_insert(b, "seen_certificate", set, MEM_COUNT(set), NULL, e) == 0 ? 1 : -1;
}

static int by_first(const void *a, const void *b)
{
    const struct ks_seen_row *x = a;
    const struct ks_seen_row *y = b;
    int order = (x->first_at > y->first_at) - (x->first_at < y->first_at);
    return order != 0 ? order : memcmp(x->sha256, y->sha256, sizeof x->sha256);
}

static int seen(struct ks_backend *b, const char *partner, ks_visit_seen *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "seen_certificate");
    struct ks_mem_scan hold = ks_mem_scan(b, "seen_certificate"); /* keeps the octets that the rows borrow */
    struct ks_seen_row *row = calloc(ks_mem_count(&s) + 1, sizeof *row);
    size_t n = 0;
    int rc = row != NULL ? 0 : ks_mem_no_memory(e);
    while (ks_mem_next(&s)) {
        if (rc == 0 && ks_mem_is(&s, "partner", partner)) {
            struct ks_seen_row *r = &row[n++];
            r->der = ks_mem_value(&s, "der")->p;
            r->der_len = ks_mem_value(&s, "der")->n;
            r->first_at = ks_mem_num(&s, "first_at");
            r->last_at = ks_mem_num(&s, "last_at");
            r->n = (uint64_t)ks_mem_num(&s, "n");
            COPY(r->partner, &s, "partner");
            ks_mem_octets(&s, "sha256", r->sha256, sizeof r->sha256);
        }
    }
    if (rc == 0) {
        qsort(row, n, sizeof *row, by_first);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = visit(ctx, &row[i], e) != 0 ? -1 : 0;
    }
    ks_mem_done(&hold);
    free(row);
    return rc;
}

static int observe(struct ks_backend *b, const char *node, const char *kind, const char *object, uint64_t n, cs_time at,
                   cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "observation");
    while (ks_mem_next(&s)) {
        if (ks_mem_is(&s, "node_id", node) && ks_mem_is(&s, "kind", kind) && ks_mem_is(&s, "object", object) &&
            ks_mem_num(&s, "gen") == 0) {
            const struct ks_mem_set set[] = {MEM_NUM("n", ks_mem_num(&s, "n") + (int64_t)n),
                                             MEM_NUM("last_at", most(ks_mem_num(&s, "last_at"), at))};
            int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
            ks_mem_done(&s);
            return rc;
        }
    }
    const struct ks_mem_set set[] = {MEM_TEXT("node_id", node), MEM_TEXT("kind", kind), MEM_TEXT("object", object),
                                     MEM_NUM("gen", 0),         MEM_NUM("n", n),        MEM_NUM("last_at", at)};
    return ks_mem_insert(b, "observation", set, MEM_COUNT(set), NULL, e);
}

void ks_mem_use_functions(struct ks_driver *d)
{
    d->use_add = use_add;
    d->uses = uses;
    d->use_prune = use_prune;
    d->seen_add = seen_add;
    d->seen = seen;
    d->observe = observe;
}
