/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_approval.c: the SQLite driver's rows of proposals and agreements. */
#include <string.h>

#include "keystore/sqlite_rows.h"

int ks_sqlite_approval_add(struct ks_backend *b, ks_proposal *a, const char *plan, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "insert into approval(plan_hash, plan, verb, object, proposer, reason, "
                                         "proposed_at, expires_at) values(?1,?2,?3,?4,?5,nullif(?6,''),?7,?8)");
    ks_query_blob(&q, a->plan_hash, sizeof a->plan_hash);
    ks_query_text(&q, plan);
    ks_query_text(&q, a->verb);
    ks_query_text(&q, a->object);
    ks_query_text(&q, a->proposer);
    ks_query_text(&q, a->reason);
    ks_query_int(&q, a->proposed_at);
    ks_query_int(&q, a->expires_at);
    if (ks_query_run(&q, e) != 0) {
        return -1;
    }
    a->id = sqlite3_last_insert_rowid(b->db);
    return 0;
}

int ks_sqlite_approval_update(struct ks_backend *b, const ks_proposal *a, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "update approval set approver=nullif(?2,''), approved_at=?3, used_at=?4 where approval_id=?1");
    ks_query_int(&q, a->id);
    ks_query_text(&q, a->approver);
    ks_query_int(&q, a->approved_at);
    ks_query_int(&q, a->used_at);
    return ks_query_run(&q, e);
}

static int read_approval(struct ks_query *q, ks_proposal *a)
{
    memset(a, 0, sizeof *a);
    a->id = sqlite3_column_int64(q->stmt, 0);
    a->proposed_at = sqlite3_column_int64(q->stmt, 7);
    a->expires_at = sqlite3_column_int64(q->stmt, 8);
    a->approved_at = sqlite3_column_int64(q->stmt, 9);
    a->used_at = sqlite3_column_int64(q->stmt, 10);
    return ks_column_octets(q, 1, a->plan_hash, sizeof a->plan_hash) | ks_column_text(q, 2, a->verb, sizeof a->verb) |
           ks_column_text(q, 3, a->object, sizeof a->object) | ks_column_text(q, 4, a->proposer, sizeof a->proposer) |
           ks_column_text(q, 5, a->approver, sizeof a->approver) | ks_column_text(q, 6, a->reason, sizeof a->reason);
}

int ks_sqlite_approvals(struct ks_backend *b, int64_t id, const uint8_t *plan_hash, ks_visit_proposal *visit, void *ctx,
                        cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "select approval_id, plan_hash, verb, object, proposer, approver, reason, proposed_at, "
                         "expires_at, approved_at, used_at, plan from approval where (?1 = 0 or approval_id = ?1) and "
                         "(?2 is null or plan_hash = ?2) order by approval_id");
    ks_query_int(&q, id);
    ks_query_blob(&q, plan_hash, 32);
    int rc = 0;
    while (ks_query_next(&q, &rc, e)) {
        ks_proposal a;
        const char *plan = (const char *)sqlite3_column_text(q.stmt, 11);
        if (read_approval(&q, &a) != 0 || plan == NULL) {
            rc = ks_query_damaged(&q, "approval", e);
        } else {
            rc = visit(ctx, &a, plan, e);
        }
    }
    return rc;
}
