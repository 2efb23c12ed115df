/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_issuing.c: which issuer a slot has, and which requests an issuer is asked for, as rows. */
#include <string.h>

#include "keystore/sqlite_rows.h"
#include "keystore/talk.h"

static int issuer_set(struct ks_backend *b, int64_t slot_id, const char *name, uint64_t version, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "update slot set issuer=?2, version=?3 where slot_id=?1 and issuer is not ?2");
    ks_query_int(&q, slot_id);
    ks_query_text(&q, name != NULL && name[0] != '\0' ? name : NULL);
    ks_query_int(&q, (int64_t)version);
    return ks_query_run(&q, e);
}

static int issuer_get(struct ks_backend *b, int64_t slot_id, char out[KS_WORD], cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select coalesce(issuer, '') from slot where slot_id=?1");
    ks_query_int(&q, slot_id);
    out[0] = '\0';
    int rc = ks_query_row(&q, e);
    if (rc == 1 && ks_column_text(&q, 0, out, KS_WORD) != 0) {
        rc = ks_query_damaged(&q, "slot", e);
    }
    ks_query_done(&q);
    return rc < 0 ? -1 : 0;
}

static int set(struct ks_backend *b, const struct ks_issuing_row *row, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "insert into issuing(slot_id, issuer, follows, replaces, attempts, next_at, last_error) "
           "values(?1,?2,?3,?4,?5,?6,?7) on conflict(slot_id) do update set issuer=?2, follows=?3, replaces=?4, "
           "attempts=?5, next_at=?6, last_error=?7");
    ks_query_int(&q, row->slot_id);
    ks_query_text(&q, row->issuer);
    ks_query_int(&q, row->follows);
    ks_query_int(&q, row->replace);
    ks_query_int(&q, row->attempts);
    ks_query_int(&q, row->next_at);
    ks_query_text(&q, row->error[0] != '\0' ? row->error : NULL);
    return ks_query_run(&q, e);
}

static int remove_row(struct ks_backend *b, int64_t slot_id, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "delete from issuing where slot_id=?1");
    ks_query_int(&q, slot_id);
    return ks_query_run(&q, e);
}

static int claim(struct ks_backend *b, const struct ks_issuing_row *row, cs_time until, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "update issuing set next_at=?3 where slot_id=?1 and next_at=?2 returning 1");
    ks_query_int(&q, row->slot_id);
    ks_query_int(&q, row->next_at);
    ks_query_int(&q, until);
    int rc = ks_query_row(&q, e);
    ks_query_done(&q);
    return rc;
}

static int each(struct ks_backend *b, ks_visit_issuing *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select i.slot_id, s.alias, i.issuer, i.follows, i.replaces, i.attempts, "
                                         "i.next_at, i.last_error from issuing i join slot s on s.slot_id=i.slot_id "
                                         "order by s.alias");
    int rc = 0;
    while (ks_query_next(&q, &rc, e)) {
        struct ks_issuing_row row = {.slot_id = sqlite3_column_int64(q.stmt, 0),
                                     .follows = sqlite3_column_int64(q.stmt, 3),
                                     .replace = sqlite3_column_int64(q.stmt, 4) != 0,
                                     .attempts = sqlite3_column_int64(q.stmt, 5),
                                     .next_at = sqlite3_column_int64(q.stmt, 6)};
        rc = ks_column_text(&q, 1, row.alias, sizeof row.alias) != 0 ||
                     ks_column_text(&q, 2, row.issuer, sizeof row.issuer) != 0 ||
                     ks_column_text(&q, 7, row.error, sizeof row.error) != 0
                 ? ks_query_damaged(&q, "issuing", e)
                 : visit(ctx, &row, e);
    }
    return rc;
}

const struct ks_issuing_driver ks_sqlite_issuing = {
    .issuer_set = issuer_set,
    .issuer_get = issuer_get,
    .set = set,
    .remove = remove_row,
    .claim = claim,
    .each = each,
};
