/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_mapping.c: who a TLS client is, as rows: a certificate and its user, or the names that a route lets in. */
#include <string.h>

#include "keystore/sqlite_rows.h"

int ks_sqlite_mapping_add(struct ks_backend *b, struct ks_mapping_row *row, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "insert into mapping(route, user, kind, subject_dn, issuer_dn, entry_id, from_ts)"
                         " values(?1,nullif(?2,''),?3,?4,?5,nullif(?6,0),?7)");
    ks_query_text(&q, row->route);
    ks_query_text(&q, row->user);
    ks_query_text(&q, row->entry_id != 0 ? "certificate" : "names");
    ks_query_text(&q, row->subject);
    ks_query_text(&q, row->issuer);
    ks_query_int(&q, row->entry_id);
    ks_query_int(&q, row->from);
    if (ks_query_run(&q, e) != 0) {
        return -1;
    }
    row->map_id = sqlite3_last_insert_rowid(b->db);
    return 0;
}

int ks_sqlite_mapping_end(struct ks_backend *b, int64_t map_id, cs_time to, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "update mapping set to_ts=?2 where map_id=?1 and to_ts is null");
    ks_query_int(&q, map_id);
    ks_query_int(&q, to);
    return ks_query_run(&q, e);
}

static int read_mapping(struct ks_query *q, struct ks_mapping_row *row)
{
    memset(row, 0, sizeof *row);
    row->map_id = sqlite3_column_int64(q->stmt, 0);
    row->subject = (const char *)sqlite3_column_text(q->stmt, 3);
    row->issuer = (const char *)sqlite3_column_text(q->stmt, 4);
    row->entry_id = sqlite3_column_int64(q->stmt, 5);
    row->from = sqlite3_column_int64(q->stmt, 6);
    row->to = sqlite3_column_type(q->stmt, 7) == SQLITE_NULL ? KS_FOREVER : sqlite3_column_int64(q->stmt, 7);
    row->n = (unsigned)sqlite3_column_int64(q->stmt, 9);
    return ks_column_text(q, 1, row->route, sizeof row->route) | ks_column_text(q, 2, row->user, sizeof row->user) |
           (row->entry_id != 0 ? ks_column_text(q, 8, row->alias, sizeof row->alias) |
                                     ks_column_octets(q, 10, row->sha256, sizeof row->sha256)
                               : -(row->subject == NULL || row->issuer == NULL));
}

int ks_sqlite_mappings(struct ks_backend *b, ks_visit_mapping *visit, void *ctx, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "select m.map_id, m.route, m.user, m.subject_dn, m.issuer_dn, m.entry_id, m.from_ts, m.to_ts,"
                         " s.alias, e.n, e.sha256 from mapping m left join entry e using(entry_id)"
                         " left join slot s using(slot_id) order by m.map_id");
    int rc = 0;
    while (ks_query_next(&q, &rc, e)) {
        struct ks_mapping_row row;
        if (read_mapping(&q, &row) != 0) {
            rc = ks_query_damaged(&q, "mapping", e);
        } else {
            rc = visit(ctx, &row, e);
        }
    }
    return rc;
}
