/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_dump.c: all rows of the store as values, and back into empty tables. What guards the tables against ordinary
 * statements (append-only, retention) is set up again at the end of a load, in the same transaction.
 */
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "keystore/dump.h"
#include "keystore/schema.h"
#include "keystore/sqlite_rows.h"

/** What nodes say of themselves belongs to those nodes. */
static bool of_nodes(const char *table)
{
    static const char *const own[] = {"node", "node_uses", "observation", "lease", "probe", "probe_ask"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (strcmp(own[i], table) == 0) {
            return true;
        }
    }
    return false;
}

static void take_value(sqlite3_stmt *q, int column, struct ks_value *v)
{
    *v = (struct ks_value){.kind = KS_VALUE_NULL};
    switch (sqlite3_column_type(q, column)) {
    case SQLITE_INTEGER:
        v->kind = KS_VALUE_NUMBER;
        v->number = sqlite3_column_int64(q, column);
        return;
    case SQLITE_NULL: return;
    case SQLITE_BLOB:
        v->kind = KS_VALUE_OCTETS;
        v->p = sqlite3_column_blob(q, column);
        break;
    default:
        v->kind = KS_VALUE_TEXT;
        v->p = sqlite3_column_text(q, column);
        break;
    }
    v->n = (size_t)sqlite3_column_bytes(q, column);
}

static int dump_table(struct ks_backend *b, const char *table, ks_visit_dump *visit, void *ctx, cs_error *e)
{
    char sql[128];
    sqlite3_stmt *q = NULL;
    const char *column[KS_DUMP_FIELDS];
    struct ks_value value[KS_DUMP_FIELDS];
    snprintf(sql, sizeof sql, "select * from main.%s order by 1, 2", table);
    int rc = sqlite3_prepare_v2(b->db, sql, -1, &q, NULL);
    if (rc != SQLITE_OK) {
        return ks_sqlite_error(b, rc, e);
    }
    int n = sqlite3_column_count(q);
    for (int i = 0; i < n && i < KS_DUMP_FIELDS; i++) {
        column[i] = sqlite3_column_name(q, i);
    }
    int visited = n <= KS_DUMP_FIELDS ? visit(ctx, table, column, NULL, (size_t)n, e) : -1;
    while (visited == 0 && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        for (int i = 0; i < n; i++) {
            take_value(q, i, &value[i]);
        }
        visited = visit(ctx, table, column, value, (size_t)n, e);
    }
    sqlite3_finalize(q);
    return visited != 0 ? -1 : rc == SQLITE_DONE ? 0 : ks_sqlite_error(b, rc, e);
}

int ks_sqlite_dump(struct ks_backend *b, ks_visit_dump *visit, void *ctx, cs_error *e)
{
    size_t n = 0;
    const struct ks_schema_row *row = ks_schema_rows(&n);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (row[i].table != NULL && row[i].version <= b->version && !of_nodes(row[i].table)) {
            rc = dump_table(b, row[i].table, visit, ctx, e);
        }
    }
    return rc;
}

int ks_sqlite_load_begin(struct ks_backend *b, cs_error *e)
{
    size_t n = 0;
    const struct ks_schema_row *row = ks_schema_rows(&n);
    cs_buf sql = CS_BUF_INIT;
    /* who refers goes before whom it refers to */
    for (size_t i = n; i > 0; i--) {
        if (row[i - 1].table != NULL) {
            cs_buf_addf(&sql, "drop table main.%s;\n", row[i - 1].table);
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (row[i].table != NULL) {
            cs_buf_addf(&sql, "create table %s(%s)%s;\n", row[i].table, row[i].columns,
                        row[i].keyed ? " without rowid" : "");
        }
    }
    int rc = sql.failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory")
                        : ks_sqlite_exec(b, sql.data, e);
    cs_buf_free(&sql);
    return rc;
}

static bool is_word(const char *s)
{
    size_t n = strlen(s);
    return n > 0 && n <= 40 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

static bool is_ours(const char *table)
{
    size_t n = 0;
    const struct ks_schema_row *row = ks_schema_rows(&n);
    for (size_t i = 0; i < n; i++) {
        if (row[i].table != NULL && strcmp(row[i].table, table) == 0) {
            return !of_nodes(table);
        }
    }
    return false;
}

static int bind_value(sqlite3_stmt *q, int at, const struct ks_value *v)
{
    switch (v->kind) {
    case KS_VALUE_NULL: return sqlite3_bind_null(q, at);
    case KS_VALUE_NUMBER: return sqlite3_bind_int64(q, at, v->number);
    case KS_VALUE_TEXT: return sqlite3_bind_text64(q, at, (const char *)v->p, v->n, SQLITE_STATIC, SQLITE_UTF8);
    case KS_VALUE_OCTETS: return sqlite3_bind_blob64(q, at, v->n > 0 ? v->p : (const uint8_t *)"", v->n, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

int ks_sqlite_load(struct ks_backend *b, const char *table, const char *const *column, const struct ks_value *value,
                   size_t n, cs_error *e)
{
    cs_buf sql = CS_BUF_INIT;
    sqlite3_stmt *q = NULL;
    bool known = is_ours(table);
    cs_buf_addf(&sql, "insert into main.%s(", known ? table : "");
    for (size_t i = 0; i < n; i++) {
        known = known && is_word(column[i]);
        cs_buf_addf(&sql, "%s%s", i > 0 ? "," : "", known ? column[i] : "");
    }
    cs_buf_adds(&sql, ") values(");
    for (size_t i = 0; i < n; i++) {
        cs_buf_addf(&sql, "%s?%zu", i > 0 ? "," : "", i + 1);
    }
    cs_buf_adds(&sql, ")");
    int rc = known && !sql.failed ? sqlite3_prepare_v2(b->db, sql.data, -1, &q, NULL) : SQLITE_ERROR;
    for (size_t i = 0; rc == SQLITE_OK && i < n; i++) {
        rc = bind_value(q, (int)i + 1, &value[i]);
    }
    rc = rc == SQLITE_OK ? sqlite3_step(q) : rc;
    sqlite3_finalize(q);
    cs_buf_free(&sql);
    return rc == SQLITE_DONE ? 0
                             : cs_error_set(e, CS_EXIT_USAGE, "backup-damaged",
                                            "the backup holds a row of %.40s that this keystore does not take", table);
}

int ks_sqlite_load_end(struct ks_backend *b, cs_error *e)
{
    size_t n = 0;
    const struct ks_schema_row *row = ks_schema_rows(&n);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = row[i].extra != NULL ? ks_sqlite_exec(b, row[i].extra, e) : 0;
    }
    return rc;
}
