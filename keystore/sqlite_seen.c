/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_seen.c: certificates that only messages bring, and what nodes observed, as rows. */
#include <string.h>

#include "keystore/sqlite_rows.h"

int ks_sqlite_seen_add(struct ks_backend *b, const struct ks_seen_row *row, unsigned most, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "update seen_certificate set n=n+?3, last_at=max(last_at,?4)"
                                         " where partner=?1 and sha256=?2");
    ks_query_text(&q, row->partner);
    ks_query_blob(&q, row->sha256, sizeof row->sha256);
    ks_query_int(&q, (int64_t)row->n);
    ks_query_int(&q, row->last_at);
    if (ks_query_run(&q, e) != 0) {
        return -1;
    }
    if (sqlite3_changes(b->db) > 0) {
        return 0;
    }
    q = ks_query_open(b,
                      "insert into seen_certificate(partner, sha256, der, first_at, last_at, n)"
                      " select ?1,?2,?3,?4,?5,?6 where (select count(*) from seen_certificate where partner=?1) < ?7");
    ks_query_text(&q, row->partner);
    ks_query_blob(&q, row->sha256, sizeof row->sha256);
    ks_query_blob(&q, row->der, row->der_len);
    ks_query_int(&q, row->first_at);
    ks_query_int(&q, row->last_at);
    ks_query_int(&q, (int64_t)row->n);
    ks_query_int(&q, most);
    if (ks_query_run(&q, e) != 0) {
        return -1;
    }
    return sqlite3_changes(b->db) > 0 ? 1 : 0;
}

int ks_sqlite_seen(struct ks_backend *b, const char *partner, ks_visit_seen *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select partner, sha256, der, first_at, last_at, n from seen_certificate"
                                         " where partner=?1 order by first_at, sha256");
    ks_query_text(&q, partner);
    int rc = 0;
    while (ks_query_next(&q, &rc, e)) {
        struct ks_seen_row row;
        memset(&row, 0, sizeof row);
        row.der = sqlite3_column_blob(q.stmt, 2);
        row.der_len = (size_t)sqlite3_column_bytes(q.stmt, 2);
        row.first_at = sqlite3_column_int64(q.stmt, 3);
        row.last_at = sqlite3_column_int64(q.stmt, 4);
        row.n = (uint64_t)sqlite3_column_int64(q.stmt, 5);
        if (ks_column_text(&q, 0, row.partner, sizeof row.partner) != 0 ||
            ks_column_octets(&q, 1, row.sha256, sizeof row.sha256) != 0 || row.der_len == 0) {
            rc = ks_query_damaged(&q, "seen_certificate", e);
        } else {
            rc = visit(ctx, &row, e);
        }
    }
    return rc;
}

int ks_sqlite_observe(struct ks_backend *b, const char *node, const char *kind, const char *object, uint64_t n,
                      cs_time at, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "insert into observation(node_id, kind, object, gen, n, last_at) values(?1,?2,?3,0,?4,?5)"
                         " on conflict do update set n=n+excluded.n, last_at=max(last_at,excluded.last_at)");
    ks_query_text(&q, node);
    ks_query_text(&q, kind);
    ks_query_text(&q, object);
    ks_query_int(&q, (int64_t)n);
    ks_query_int(&q, at);
    return ks_query_run(&q, e);
}
