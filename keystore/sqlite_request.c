/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_request.c: keys that wait for their certificate, as rows. */
#include <string.h>

#include "keystore/sqlite_rows.h"
#include "keystore/words.h"

int ks_sqlite_request_add(struct ks_backend *b, const struct ks_request_row *row, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "insert into key_request(slot_id, n, key_id, subject_dn, csr, created_at, "
                                         "actor) values(?1,?2,?3,?4,?5,?6,?7)");
    ks_query_int(&q, row->slot_id);
    ks_query_int(&q, row->n);
    ks_query_text(&q, row->key_id);
    ks_query_text(&q, row->subject);
    ks_query_blob(&q, row->csr, row->csr_len);
    ks_query_int(&q, row->created_at);
    ks_query_text(&q, row->actor);
    return ks_query_run(&q, e);
}

int ks_sqlite_request_remove(struct ks_backend *b, int64_t slot_id, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "delete from key_request where slot_id=?1");
    ks_query_int(&q, slot_id);
    return ks_query_run(&q, e);
}

static int take(struct ks_query *q, struct ks_request_row *row)
{
    char role[32];
    memset(row, 0, sizeof *row);
    row->slot_id = sqlite3_column_int64(q->stmt, 0);
    row->n = (unsigned)sqlite3_column_int64(q->stmt, 3);
    row->csr_len = (size_t)sqlite3_column_bytes(q->stmt, 6);
    row->csr = sqlite3_column_blob(q->stmt, 6);
    row->created_at = sqlite3_column_int64(q->stmt, 7);
    return ks_column_text(q, 1, row->alias, sizeof row->alias) == 0 && ks_column_text(q, 2, role, sizeof role) == 0 &&
                   ks_role_parse(role, &row->role) == 0 && ks_column_text(q, 4, row->key_id, sizeof row->key_id) == 0 &&
                   ks_column_text(q, 5, row->subject, sizeof row->subject) == 0 &&
                   ks_column_text(q, 8, row->actor, sizeof row->actor) == 0 && row->csr != NULL
               ? 0
               : -1;
}

int ks_sqlite_requests(struct ks_backend *b, int64_t slot_id, ks_visit_request *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select r.slot_id, s.alias, s.role, r.n, r.key_id, r.subject_dn, r.csr, "
                                         "r.created_at, r.actor from key_request r join slot s on s.slot_id=r.slot_id "
                                         "where ?1=0 or r.slot_id=?1 order by s.alias");
    int rc = 0;
    ks_query_int(&q, slot_id);
    while (ks_query_next(&q, &rc, e)) {
        struct ks_request_row row;
        rc = take(&q, &row) != 0 ? ks_query_damaged(&q, "key_request", e) : visit(ctx, &row, e);
    }
    return rc;
}
