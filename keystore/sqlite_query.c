/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_query.c: prepared statements, filled in order and kept; and the one place that puts SQLite's errors into
 * words. */
#include <string.h>

#include "base/text.h"
#include "keystore/sqlite.h"

int ks_sqlite_error(const struct ks_backend *b, int rc, cs_error *e)
{
    const char *path = b->path;
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return cs_error_set(e, CS_EXIT_UNAVAILABLE, "store-locked",
                            "keystore %s is locked by another process; try again when its change is done", path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return cs_error_set(e, CS_EXIT_UNAVAILABLE, "store-read-only",
                            "keystore %s cannot be written: check owner and mode of the file and its directory", path);
    case SQLITE_CANTOPEN:
        return cs_error_set(e, CS_EXIT_UNAVAILABLE, "store-unavailable",
                            "keystore %s cannot be opened: check owner and mode of the file "
                            "and its directory (SQLite keeps -wal and -shm files beside it)",
                            path);
    case SQLITE_FULL:
        return cs_error_set(e, CS_EXIT_UNAVAILABLE, "store-full", "keystore %s: the disk is full; nothing was changed",
                            path);
    case SQLITE_IOERR:
        return cs_error_set(e, CS_EXIT_UNAVAILABLE, "store-io",
                            "keystore %s: reading or writing failed (%s); nothing was changed", path,
                            sqlite3_errmsg(b->db));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "keystore %s is damaged (%s); restore it from a backup",
                            path, sqlite3_errstr(rc));
    case SQLITE_NOMEM: return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    case SQLITE_CONSTRAINT:
        if (strncmp(sqlite3_errmsg(b->db), "G8", 2) == 0) {
            return cs_error_set(e, CS_EXIT_GUARD, "retention", "refused G8 retention: the store itself refuses it");
        }
        return cs_error_set(e, CS_EXIT_CONFLICT, "conflict", "keystore %s: the change contradicts what is stored (%s)",
                            path, sqlite3_errmsg(b->db));
    default: return cs_error_set(e, CS_EXIT_INTERNAL, "internal", "keystore %s: %s", path, sqlite3_errmsg(b->db));
    }
}

int ks_sqlite_exec(struct ks_backend *b, const char *sql, cs_error *e)
{
    int rc = sqlite3_exec(b->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : ks_sqlite_error(b, rc, e);
}

struct ks_query ks_query_open(struct ks_backend *b, const char *sql)
{
    struct ks_query q = {b, NULL, SQLITE_OK, 0};
    for (size_t i = 0; i < b->n_cache; i++) {
        if (b->cache[i].sql == sql) {
            q.stmt = b->cache[i].stmt;
            return q;
        }
    }
    if (b->n_cache == KS_SQLITE_CACHE) {
        q.rc = SQLITE_INTERNAL;
        return q;
    }
    q.rc = sqlite3_prepare_v3(b->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &q.stmt, NULL);
    if (q.rc == SQLITE_OK) {
        b->cache[b->n_cache].sql = sql;
        b->cache[b->n_cache++].stmt = q.stmt;
    }
    return q;
}

void ks_query_int(struct ks_query *q, int64_t v)
{
    if (q->rc == SQLITE_OK) {
        q->rc = sqlite3_bind_int64(q->stmt, ++q->at, v);
    }
}

void ks_query_text(struct ks_query *q, const char *s)
{
    if (q->rc == SQLITE_OK) {
        q->rc = sqlite3_bind_text(q->stmt, ++q->at, s, -1, SQLITE_STATIC);
    }
}

void ks_query_blob(struct ks_query *q, const void *p, size_t n)
{
    if (q->rc == SQLITE_OK) {
        q->rc = p == NULL ? sqlite3_bind_null(q->stmt, ++q->at)
                          : sqlite3_bind_blob64(q->stmt, ++q->at, p, n, SQLITE_STATIC);
    }
}

int ks_query_row(struct ks_query *q, cs_error *e)
{
    if (q->rc == SQLITE_OK || q->rc == SQLITE_ROW) {
        q->rc = sqlite3_step(q->stmt);
    }
    if (q->rc == SQLITE_ROW) {
        return 1;
    }
    if (q->rc == SQLITE_DONE) {
        return 0;
    }
    return ks_sqlite_error(q->b, q->rc, e);
}

bool ks_query_next(struct ks_query *q, int *rc, cs_error *e)
{
    *rc = *rc == 0 ? ks_query_row(q, e) : -1;
    if (*rc == 1) {
        *rc = 0;
        return true;
    }
    ks_query_done(q);
    return false;
}

int ks_query_damaged(const struct ks_query *q, const char *table, cs_error *e)
{
    return cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt",
                        "keystore %s is damaged: a row of %s has not its shape; restore it from a backup", q->b->path,
                        table);
}

void ks_query_done(struct ks_query *q)
{
    if (q->stmt != NULL) {
        sqlite3_reset(q->stmt); /* repeats the error of the last step, which is told already */
        sqlite3_clear_bindings(q->stmt);
    }
    q->stmt = NULL;
}

int ks_query_run(struct ks_query *q, cs_error *e)
{
    int rc = 0;
    do {
        rc = ks_query_row(q, e);
    } while (rc == 1);
    ks_query_done(q);
    return rc;
}

int ks_column_text(struct ks_query *q, int column, char *out, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(q->stmt, column);
    return cs_copy(out, size, text != NULL ? text : "") ? 0 : -1;
}

int ks_column_octets(struct ks_query *q, int column, uint8_t *out, size_t n)
{
    const void *p = sqlite3_column_blob(q->stmt, column);
    if (p == NULL || (size_t)sqlite3_column_bytes(q->stmt, column) != n) {
        return -1;
    }
    memcpy(out, p, n);
    return 0;
}
