/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_crl.c: the SQLite driver's rows of certificate revocation lists. */
#include <stdlib.h>
#include <string.h>

#include "keystore/sqlite_rows.h"

int ks_sqlite_crl_add(struct ks_backend *b, const struct ks_crl_row *row, const uint8_t *der, size_t n, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "insert into crl(issuer_dn, sha256, der, this_update, next_update, added_at) values(?1,?2,?3,?4,?5,?6)");
    ks_query_text(&q, row->issuer);
    ks_query_blob(&q, row->sha256, sizeof row->sha256);
    ks_query_blob(&q, der, n);
    ks_query_int(&q, row->this_update);
    ks_query_int(&q, row->next_update);
    ks_query_int(&q, row->added_at);
    return ks_query_run(&q, e);
}

int ks_sqlite_crl_remove(struct ks_backend *b, const uint8_t sha256[32], cs_error *e)
{
    struct ks_query q = ks_query_open(b, "delete from crl where sha256=?1");
    ks_query_blob(&q, sha256, 32);
    return ks_query_run(&q, e);
}

int ks_sqlite_crls(struct ks_backend *b, ks_visit_crl *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "select sha256, issuer_dn, this_update, next_update, added_at from crl order by added_at, sha256");
    int rc = 0;
    while (ks_query_next(&q, &rc, e)) {
        struct ks_crl_row row = {.issuer = (const char *)sqlite3_column_text(q.stmt, 1),
                                 .this_update = sqlite3_column_int64(q.stmt, 2),
                                 .next_update = sqlite3_column_int64(q.stmt, 3),
                                 .added_at = sqlite3_column_int64(q.stmt, 4)};
        if (ks_column_octets(&q, 0, row.sha256, sizeof row.sha256) != 0 || row.issuer == NULL) {
            rc = ks_query_damaged(&q, "crl", e);
        } else {
            rc = visit(ctx, &row, e);
        }
    }
    return rc;
}

int ks_sqlite_crl_get(struct ks_backend *b, const uint8_t sha256[32], uint8_t **der, size_t *n, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select der from crl where sha256=?1");
    *der = NULL;
    *n = 0;
    ks_query_blob(&q, sha256, 32);
    int rc = ks_query_row(&q, e);
    if (rc == 1) {
        const void *p = sqlite3_column_blob(q.stmt, 0);
        int octets = sqlite3_column_bytes(q.stmt, 0);
        *der = p != NULL && octets > 0 ? malloc((size_t)octets) : NULL;
        if (*der != NULL) {
            memcpy(*der, p, (size_t)octets);
            *n = (size_t)octets;
        } else {
            rc = p == NULL ? ks_query_damaged(&q, "crl", e)
                           : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
        }
    }
    ks_query_done(&q);
    return rc;
}
