/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_hold.c: routes on hold, as rows. */
#include <string.h>

#include "keystore/sqlite_rows.h"

int ks_sqlite_hold_add(struct ks_backend *b, const ks_hold_info *row, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "insert into hold(route, since, actor, reason) values(?1,?2,?3,?4)");
    ks_query_text(&q, row->route);
    ks_query_int(&q, row->since);
    ks_query_text(&q, row->actor);
    ks_query_text(&q, row->reason);
    return ks_query_run(&q, e);
}

int ks_sqlite_hold_remove(struct ks_backend *b, const char *route, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "delete from hold where route=?1");
    ks_query_text(&q, route);
    return ks_query_run(&q, e);
}

int ks_sqlite_holds(struct ks_backend *b, ks_visit_hold *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select route, since, actor, reason from hold order by route");
    int rc = 0;
    while (ks_query_next(&q, &rc, e)) {
        ks_hold_info row;
        memset(&row, 0, sizeof row);
        row.since = sqlite3_column_int64(q.stmt, 1);
        if (ks_column_text(&q, 0, row.route, sizeof row.route) != 0 ||
            ks_column_text(&q, 2, row.actor, sizeof row.actor) != 0 ||
            ks_column_text(&q, 3, row.reason, sizeof row.reason) != 0) {
            rc = ks_query_damaged(&q, "hold", e);
        } else {
            rc = visit(ctx, &row, e);
        }
    }
    return rc;
}
