/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_use.c: uses per entry, node and day, and by sender, as rows. */
#include <string.h>

#include "keystore/sqlite_rows.h"

/* Rows of the days before count without the senders' names. */
#define SENDER_DAYS "180"

static int add_sender(struct ks_backend *b, const char *node, const struct ks_count *c, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "insert into use_sender(entry_id, node_id, day, sender, n, last_at) select ?1,?2,?3,"
           " case when exists(select 1 from use_sender where entry_id=?1 and node_id=?2 and day=?3 and sender=?4)"
           " or (select count(*) from use_sender where entry_id=?1 and node_id=?2 and day=?3) < ?7"
           " then ?4 else '' end, ?5, ?6"
           " where exists(select 1 from entry where entry_id=?1)"
           " on conflict do update set n=n+excluded.n, last_at=max(last_at, excluded.last_at)");
    ks_query_int(&q, c->entry_id);
    ks_query_text(&q, node);
    ks_query_int(&q, c->day);
    ks_query_text(&q, c->sender);
    ks_query_int(&q, (int64_t)c->ok);
    ks_query_int(&q, c->last);
    ks_query_int(&q, KS_SENDERS_MAX);
    return ks_query_run(&q, e);
}

int ks_sqlite_use_add(struct ks_backend *b, const char *node, const struct ks_count *c, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "insert into use_day(entry_id, node_id, day, ok, bad, first_at, last_at)"
                         " select ?1,?2,?3,?4,?5,?6,?7 where exists(select 1 from entry where entry_id=?1)"
                         " on conflict(entry_id, node_id, day) do update set ok=ok+excluded.ok, bad=bad+excluded.bad,"
                         " first_at=min(first_at, excluded.first_at), last_at=max(last_at, excluded.last_at)");
    ks_query_int(&q, c->entry_id);
    ks_query_text(&q, node);
    ks_query_int(&q, c->day);
    ks_query_int(&q, (int64_t)c->ok);
    ks_query_int(&q, (int64_t)c->bad);
    ks_query_int(&q, c->first);
    ks_query_int(&q, c->last);
    if (ks_query_run(&q, e) != 0) {
        return -1;
    }
    return c->ok > 0 ? add_sender(b, node, c, e) : 0;
}

int ks_sqlite_uses(struct ks_backend *b, int64_t entry_id, int64_t from_day, ks_visit_use *visit, void *ctx,
                   cs_error *e)
{
    static const char days[] = "select node_id, day, '', ok, bad, first_at, last_at, 0 from use_day"
                               " where entry_id=?1 and day>=?2 order by day, node_id";
    static const char senders[] = "select node_id, day, sender, n, 0, 0, last_at, 1 from use_sender"
                                  " where entry_id=?1 and day>=?2 order by day, node_id, sender";
    int rc = 0;
    for (int i = 0; rc == 0 && i < 2; i++) {
        struct ks_query q = ks_query_open(b, i == 0 ? days : senders);
        ks_query_int(&q, entry_id);
        ks_query_int(&q, from_day);
        while (ks_query_next(&q, &rc, e)) {
            struct ks_use_row row;
            memset(&row, 0, sizeof row);
            row.c.entry_id = entry_id;
            row.c.day = sqlite3_column_int64(q.stmt, 1);
            row.c.ok = (uint64_t)sqlite3_column_int64(q.stmt, 3);
            row.c.bad = (uint64_t)sqlite3_column_int64(q.stmt, 4);
            row.c.first = sqlite3_column_int64(q.stmt, 5);
            row.c.last = sqlite3_column_int64(q.stmt, 6);
            row.by_sender = sqlite3_column_int(q.stmt, 7) != 0;
            if (ks_column_text(&q, 0, row.node, sizeof row.node) != 0 ||
                ks_column_text(&q, 2, row.c.sender, sizeof row.c.sender) != 0) {
                rc = ks_query_damaged(&q, "use", e);
            } else {
                rc = visit(ctx, &row, e);
            }
        }
    }
    return rc;
}

int ks_sqlite_use_prune(struct ks_backend *b, cs_time now, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "delete from use_sender where day < ?1 / 86400 - " SENDER_DAYS);
    ks_query_int(&q, now);
    if (ks_query_run(&q, e) != 0) {
        return -1;
    }
    q = ks_query_open(b, "delete from observation where kind='refused' and last_at < ?1 - 86400 * " SENDER_DAYS);
    ks_query_int(&q, now);
    return ks_query_run(&q, e);
}
