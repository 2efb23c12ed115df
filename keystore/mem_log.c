/* SPDX-License-Identifier: Apache-2.0 */
/* mem_log.c: meta data, generations, the audit log and partners in memory. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/mem.h"

static int meta_get(struct ks_backend *b, const char *key, char *out, size_t size, cs_error *e)
{
    struct ks_mem_scan s;
    if (!ks_mem_find(b, &s, "meta", "key", ks_mem_of_text(key))) {
        return 0;
    }
    bool fits = cs_copy(out, size, ks_mem_text(&s, "value"));
    ks_mem_done(&s);
    return fits ? 1 : cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "the keystore is damaged: meta %s", key);
}

static int meta_set(struct ks_backend *b, const char *key, const char *value, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_TEXT("key", key), MEM_TEXT("value", value)};
    struct ks_mem_scan s;
    if (!ks_mem_find(b, &s, "meta", "key", ks_mem_of_text(key))) {
        return ks_mem_insert(b, "meta", set, MEM_COUNT(set), NULL, e);
    }
    int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
    ks_mem_done(&s);
    return rc;
}

/* ---- generations: numbered, one behind the other ----------------------------------------------------------------- */

static int generation(struct ks_backend *b, uint64_t *gen, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "generation");
    (void)e;
    *gen = 0;
    while (ks_mem_next(&s)) {
        uint64_t n = (uint64_t)ks_mem_num(&s, "gen");
        *gen = n > *gen ? n : *gen;
    }
    return 0;
}

static int generation_add(struct ks_backend *b, uint64_t gen, cs_time at, const char *kind, const char *actor,
                          const char *reason, uint64_t audit_seq, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_NUM("gen", gen),        MEM_NUM("at", at),
                                     MEM_TEXT("kind", kind),     MEM_TEXT("actor", actor),
                                     MEM_TEXT("reason", reason), MEM_NUM("audit_seq", audit_seq)};
    return ks_mem_insert(b, "generation", set, MEM_COUNT(set), NULL, e);
}

static int generation_at(struct ks_backend *b, cs_time at, uint64_t *gen, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "generation");
    (void)e;
    *gen = 0;
    while (ks_mem_next(&s)) {
        uint64_t n = (uint64_t)ks_mem_num(&s, "gen");
        *gen = ks_mem_num(&s, "at") <= at && n > *gen ? n : *gen;
    }
    return 0;
}

static int generation_seq(struct ks_backend *b, uint64_t gen, uint64_t *audit_seq, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "generation");
    uint64_t best = 0;
    (void)e;
    *audit_seq = 0;
    while (ks_mem_next(&s)) {
        uint64_t n = (uint64_t)ks_mem_num(&s, "gen");
        if (n <= gen && n >= best) {
            best = n;
            *audit_seq = (uint64_t)ks_mem_num(&s, "audit_seq");
        }
    }
    return 0;
}

/* ---- the audit log ------------------------------------------------------------------------------------------------
 */

static int audit_head(struct ks_backend *b, uint64_t *seq, uint8_t hash[32], cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "audit");
    (void)e;
    *seq = 0;
    memset(hash, 0, 32);
    s.at = ks_mem_count(&s) > 0 ? ks_mem_count(&s) - 1 : 0; /* it only grows: the last row is the newest */
    while (ks_mem_next(&s)) {
        *seq = (uint64_t)ks_mem_num(&s, "seq");
        ks_mem_octets(&s, "hash", hash, 32);
    }
    return 0;
}

static int audit_hash(struct ks_backend *b, uint64_t seq, uint8_t hash[32], cs_error *e)
{
    struct ks_mem_scan s;
    (void)e;
    if (!ks_mem_find(b, &s, "audit", "seq", (struct ks_value){.kind = KS_VALUE_NUMBER, .number = (int64_t)seq})) {
        return 0;
    }
    ks_mem_octets(&s, "hash", hash, 32);
    ks_mem_done(&s);
    return 1;
}

static int audit_add(struct ks_backend *b, const struct ks_audit_row *r, cs_error *e)
{
    const struct ks_mem_set set[] = {
        MEM_NUM("seq", r->seq),
        MEM_NUM("at", r->at),
        MEM_TEXT("actor", r->actor),
        MEM_TEXT("actor_kind", r->actor_kind),
        MEM_TEXT("verb", r->verb),
        MEM_TEXT("object", r->object),
        MEM_TEXT("before_json", r->before),
        MEM_TEXT("after_json", r->after),
        MEM_TEXT("reason", r->reason),
        MEM_TEXT("peer", r->peer),
        MEM_TEXT("approver", r->approver),
        MEM_OCT("prev_hash", r->prev_hash, 32),
        MEM_OCT("hash", r->hash, 32),
    };
    return ks_mem_insert(b, "audit", set, MEM_COUNT(set), NULL, e);
}

static const char *text_or_null(const struct ks_mem_scan *s, const char *column)
{
    return ks_mem_is_null(s, column) ? NULL : ks_mem_text(s, column);
}

static int audit_each(struct ks_backend *b, ks_visit_audit *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "audit");
    while (ks_mem_next(&s)) {
        struct ks_audit_row r = {.seq = (uint64_t)ks_mem_num(&s, "seq"),
                                 .at = ks_mem_num(&s, "at"),
                                 .actor = text_or_null(&s, "actor"),
                                 .actor_kind = text_or_null(&s, "actor_kind"),
                                 .verb = text_or_null(&s, "verb"),
                                 .object = text_or_null(&s, "object"),
                                 .before = text_or_null(&s, "before_json"),
                                 .after = text_or_null(&s, "after_json"),
                                 .reason = text_or_null(&s, "reason"),
                                 .peer = text_or_null(&s, "peer"),
                                 .approver = text_or_null(&s, "approver")};
        ks_mem_octets(&s, "prev_hash", r.prev_hash, 32);
        ks_mem_octets(&s, "hash", r.hash, 32);
        if (visit(ctx, &r, e) != 0) {
            ks_mem_done(&s);
            return -1;
        }
    }
    return 0;
}

/* ---- partners -----------------------------------------------------------------------------------------------------
 */

static int partner_get(struct ks_backend *b, const char *partner, struct ks_partner_row *out, cs_error *e)
{
    struct ks_mem_scan s;
    (void)e;
    if (!ks_mem_find(b, &s, "partner", "partner", ks_mem_of_text(partner))) {
        return 0;
    }
    cs_copy(out->name, sizeof out->name, ks_mem_text(&s, "partner"));
    out->guaranteed_delivery = ks_mem_num(&s, "guaranteed_delivery");
    ks_mem_done(&s);
    return 1;
}

static int partner_set(struct ks_backend *b, const struct ks_partner_row *row, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_TEXT("partner", row->name),
                                     MEM_NUM("guaranteed_delivery", row->guaranteed_delivery)};
    struct ks_mem_scan s;
    if (!ks_mem_find(b, &s, "partner", "partner", ks_mem_of_text(row->name))) {
        return ks_mem_insert(b, "partner", set, MEM_COUNT(set), NULL, e);
    }
    int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
    ks_mem_done(&s);
    return rc;
}

static int by_partner(const void *a, const void *b)
{
    return strcmp(((const struct ks_partner_row *)a)->name, ((const struct ks_partner_row *)b)->name);
}

static int partners(struct ks_backend *b, ks_visit_partner *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "partner");
    struct ks_partner_row *row = calloc(ks_mem_count(&s) + 1, sizeof *row);
    size_t n = 0;
    int rc = row != NULL ? 0 : ks_mem_no_memory(e);
    while (ks_mem_next(&s)) {
        if (rc == 0) {
            cs_copy(row[n].name, sizeof row[n].name, ks_mem_text(&s, "partner"));
            row[n++].guaranteed_delivery = ks_mem_num(&s, "guaranteed_delivery");
        }
    }
    if (rc == 0) {
        qsort(row, n, sizeof *row, by_partner);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = visit(ctx, &row[i], e) != 0 ? -1 : 0;
    }
    free(row);
    return rc;
}

void ks_mem_log_functions(struct ks_driver *d)
{
    d->meta_get = meta_get;
    d->meta_set = meta_set;
    d->generation = generation;
    d->generation_add = generation_add;
    d->generation_at = generation_at;
    d->generation_seq = generation_seq;
    d->audit_head = audit_head;
    d->audit_hash = audit_hash;
    d->audit_add = audit_add;
    d->audit_each = audit_each;
    d->partner_get = partner_get;
    d->partner_set = partner_set;
    d->partners = partners;
}
