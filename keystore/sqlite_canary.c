/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_canary.c: the SQLite driver's rows of shares that are signed with a successor. */
#include "keystore/sqlite_rows.h"

int ks_sqlite_canary_set(struct ks_backend *b, const struct ks_canary_row *row, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "insert into canary(entry_id, share, since, actor, reason) values(?1,?2,?3,?4,?5)"
                         " on conflict(entry_id) do update set share=?2, since=?3, actor=?4, reason=?5");
    ks_query_int(&q, row->entry_id);
    ks_query_int(&q, row->share);
    ks_query_int(&q, row->since);
    ks_query_text(&q, row->actor);
    ks_query_text(&q, row->reason[0] != '\0' ? row->reason : NULL);
    return ks_query_run(&q, e);
}

int ks_sqlite_canary_remove(struct ks_backend *b, int64_t entry_id, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "delete from canary where entry_id=?1");
    ks_query_int(&q, entry_id);
    return ks_query_run(&q, e);
}

int ks_sqlite_canaries(struct ks_backend *b, int64_t slot_id, ks_visit_canary *visit, void *ctx, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "select c.entry_id, s.alias, e.n, c.share, c.since, c.actor, c.reason from canary c join "
                         "entry e using(entry_id)"
                         " join slot s using(slot_id) where (?1 = 0 or e.slot_id = ?1) order by s.alias, e.n");
    int rc = 0;
    ks_query_int(&q, slot_id);
    while (ks_query_next(&q, &rc, e)) {
        struct ks_canary_row row = {.entry_id = sqlite3_column_int64(q.stmt, 0),
                                    .n = (unsigned)sqlite3_column_int64(q.stmt, 2),
                                    .share = (unsigned)sqlite3_column_int64(q.stmt, 3),
                                    .since = sqlite3_column_int64(q.stmt, 4)};
        bool good = ks_column_text(&q, 1, row.alias, sizeof row.alias) == 0 &&
                    ks_column_text(&q, 5, row.actor, sizeof row.actor) == 0 &&
                    ks_column_text(&q, 6, row.reason, sizeof row.reason) == 0 && row.share > 0 && row.share < 100;
        rc = good ? visit(ctx, &row, e) : ks_query_damaged(&q, "canary", e);
    }
    return rc;
}
