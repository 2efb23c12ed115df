/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_renewal.c: which slots renew themselves, and what was done for an entry that was about to end, as rows. */
#include <string.h>

#include "keystore/sqlite_rows.h"
#include "keystore/words.h"

int ks_sqlite_auto_set(struct ks_backend *b, const struct ks_auto_row *row, uint64_t version, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "update slot set auto=?2, pinning=?3, version=?4 where slot_id=?1");
    ks_query_int(&q, row->slot_id);
    ks_query_text(&q, row->settings);
    ks_query_text(&q, row->pinning);
    ks_query_int(&q, (int64_t)version);
    return ks_query_run(&q, e);
}

int ks_sqlite_autos(struct ks_backend *b, const char *alias, ks_visit_auto *visit, void *ctx, cs_error *e)
{
#define AUTOS "select slot_id, alias, role, auto, pinning from slot where auto is not null"
    struct ks_query q =
        ks_query_open(b, alias == NULL ? AUTOS " order by alias" : AUTOS " and alias=?1"); /* by its index */
    if (alias != NULL) {
        ks_query_text(&q, alias);
    }
    int rc = 0;
    while (ks_query_next(&q, &rc, e)) {
        struct ks_auto_row row = {.slot_id = sqlite3_column_int64(q.stmt, 0)};
        char role[32];
        rc = ks_column_text(&q, 1, row.alias, sizeof row.alias) != 0 || ks_column_text(&q, 2, role, sizeof role) != 0 ||
                     ks_role_parse(role, &row.role) != 0 ||
                     ks_column_text(&q, 3, row.settings, sizeof row.settings) != 0 ||
                     ks_column_text(&q, 4, row.pinning, sizeof row.pinning) != 0
                 ? ks_query_damaged(&q, "slot", e)
                 : visit(ctx, &row, e);
    }
    return rc;
}

int ks_sqlite_renewal_get(struct ks_backend *b, int64_t predecessor, struct ks_renewal_row *out, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "select slot_id, successor, made_at, attempts, next_at, last_error from renewal "
                         "where predecessor=?1");
    memset(out, 0, sizeof *out);
    ks_query_int(&q, predecessor);
    int rc = ks_query_row(&q, e);
    if (rc == 1) {
        out->predecessor = predecessor;
        out->slot_id = sqlite3_column_int64(q.stmt, 0);
        out->successor = (unsigned)sqlite3_column_int64(q.stmt, 1);
        out->at = sqlite3_column_int64(q.stmt, 2);
        out->attempts = sqlite3_column_int64(q.stmt, 3);
        out->next_at = sqlite3_column_int64(q.stmt, 4);
        rc = ks_column_text(&q, 5, out->error, sizeof out->error) == 0 ? 1 : ks_query_damaged(&q, "renewal", e);
    }
    ks_query_done(&q);
    return rc;
}

int ks_sqlite_renewal_set(struct ks_backend *b, const struct ks_renewal_row *row, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "insert into renewal(predecessor, slot_id, successor, made_at, attempts, next_at, last_error) "
           "values(?1,?2,?3,?4,?5,?6,?7) on conflict(predecessor) do update set successor=?3, made_at=?4, "
           "attempts=?5, next_at=?6, last_error=?7 where successor is null or successor=0");
    ks_query_int(&q, row->predecessor);
    ks_query_int(&q, row->slot_id);
    ks_query_int(&q, row->successor);
    ks_query_int(&q, row->at);
    ks_query_int(&q, row->attempts);
    ks_query_int(&q, row->next_at);
    ks_query_text(&q, row->error[0] != '\0' ? row->error : NULL);
    return ks_query_run(&q, e);
}
