/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_touch.c: which rows a change touches, and what they say as JSON: for the audit, which holds the content of
 * every row that decides about certificates. Temporary triggers of this connection write it down, so that no statement
 * can be forgotten, and none of another program's is taken for one of ours.
 */
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "keystore/schema.h"
#include "keystore/sqlite.h"

#define BLOB_IN_FULL 32 /* octets; of a longer one the SHA-256 */

/* ---- a row as JSON ---------------------------------------------------------------------------------------------- */

static void add_blob(cs_json *j, const char *name, const uint8_t *p, size_t n)
{
    uint8_t hash[32];
    cs_json_array(j, name);
    if (n <= BLOB_IN_FULL) {
        cs_json_hex(j, NULL, p, n);
    } else {
        SHA256(p, n, hash);
        cs_json_str(j, NULL, "sha256");
        cs_json_hex(j, NULL, hash, sizeof hash);
    }
    cs_json_array_end(j);
}

static void add_value(cs_json *j, const char *name, sqlite3_value *v)
{
    switch (sqlite3_value_type(v)) {
    case SQLITE_INTEGER: cs_json_int(j, name, sqlite3_value_int64(v)); break;
    case SQLITE_NULL: cs_json_null(j, name); break;
    case SQLITE_BLOB:
        add_blob(j, name, sqlite3_value_blob(v) != NULL ? sqlite3_value_blob(v) : (const void *)"",
                 (size_t)sqlite3_value_bytes(v));
        break;
    case SQLITE_TEXT: {
        const char *text = (const char *)sqlite3_value_text(v);
        cs_json_strn(j, name, text != NULL ? text : "", (size_t)sqlite3_value_bytes(v));
        break;
    }
    default: /* no column of ours holds another kind */
        cs_json_array(j, name);
        cs_json_str(j, NULL, (const char *)sqlite3_value_text(v));
        cs_json_array_end(j);
        break;
    }
}

/** cs_row('a b c', a, b, c): the row as a JSON object. */
static void row_json(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    char name[64];
    const char *at = (const char *)sqlite3_value_text(argv[0]);
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    for (int i = 1; i < argc && at != NULL; i++) {
        size_t n = strcspn(at, " ");
        snprintf(name, sizeof name, "%.*s", (int)n, at);
        add_value(&j, name, argv[i]);
        at += n + strspn(at + n, " ");
    }
    cs_json_object_end(&j);
    if (b.failed) {
        sqlite3_result_error_nomem(context);
    } else {
        sqlite3_result_text64(context, b.data, b.len, SQLITE_TRANSIENT, SQLITE_UTF8);
    }
    cs_buf_free(&b);
}

int ks_sqlite_row_function(struct ks_backend *b, cs_error *e)
{
    return sqlite3_create_function_v2(b->db, "cs_row", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
                                      row_json, NULL, NULL, NULL) == SQLITE_OK
               ? 0
               : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
}

/* ---- the text of statements ------------------------------------------------------------------------------------- */

/** The words of a list, each behind a prefix and in front of a separator. */
static void add_words(cs_buf *sql, const char *words, const char *before, const char *after)
{
    const char *separator = "";
    for (const char *at = words; *at != '\0'; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        cs_buf_addf(sql, "%s%s%.*s%s", separator, before, (int)n, at, after);
        separator = ",";
        at += n;
    }
}

/** "'entry'||'/'||new.entry_id": how the audit calls the row; prefix "new.", "old." or "". */
static void add_object(cs_buf *sql, const struct ks_schema_audit *a, const char *prefix)
{
    cs_buf_addf(sql, "'%s'", a->table);
    for (const char *at = a->key; *at != '\0'; at += strspn(at, " ")) {
        int n = (int)strcspn(at, " ");
        cs_buf_addf(sql, "||'/'||iif(typeof(%s%.*s)='blob',lower(hex(%s%.*s)),%s%.*s)", prefix, n, at, prefix, n, at,
                    prefix, n, at);
        at += n;
    }
}

static void add_row(cs_buf *sql, const char *columns, const char *prefix)
{
    cs_buf_addf(sql, "cs_row('%s',", columns);
    add_words(sql, columns, prefix, "");
    cs_buf_adds(sql, ")");
}

/** Names of a table's columns, blanks between. @return 1, 0: there is no such table, -1 */
static int columns_of(struct ks_backend *b, const char *table, cs_buf *out, cs_error *e)
{
    char text[128];
    sqlite3_stmt *s = NULL;
    cs_buf_reset(out);
    snprintf(text, sizeof text, "select * from main.%s limit 0", table);
    int rc = sqlite3_prepare_v2(b->db, text, -1, &s, NULL);
    for (int i = 0; rc == SQLITE_OK && i < sqlite3_column_count(s); i++) {
        cs_buf_addf(out, "%s%s", i > 0 ? " " : "", sqlite3_column_name(s, i));
    }
    sqlite3_finalize(s);
    if (out->failed) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    return rc == SQLITE_OK ? 1 : rc == SQLITE_ERROR ? 0 : ks_sqlite_error(b, rc, e);
}

/* ---- watching --------------------------------------------------------------------------------------------------- */

static void add_first(cs_buf *sql, const struct ks_schema_audit *a, const char *columns, const char *prefix,
                      bool was_there)
{
    cs_buf_adds(sql, "insert into touched(object, before) select ");
    add_object(sql, a, prefix);
    cs_buf_adds(sql, ",");
    if (was_there) {
        add_row(sql, columns, prefix);
    } else {
        cs_buf_adds(sql, "null");
    }
    cs_buf_adds(sql, " where not exists(select 1 from touched where object=");
    add_object(sql, a, prefix);
    cs_buf_adds(sql, ");");
}

static void add_after(cs_buf *sql, const struct ks_schema_audit *a, const char *columns, const char *prefix, bool stays)
{
    cs_buf_adds(sql, "update touched set after=");
    if (stays) {
        add_row(sql, columns, prefix);
    } else {
        cs_buf_adds(sql, "null");
    }
    cs_buf_adds(sql, " where object=");
    add_object(sql, a, prefix);
    cs_buf_adds(sql, ";");
}

static void add_trigger(cs_buf *sql, const struct ks_schema_audit *a, const char *columns, const char *event)
{
    bool insert = strcmp(event, "insert") == 0;
    const char *prefix = strcmp(event, "delete") == 0 ? "old." : "new.";
    cs_buf_addf(sql, "create temp trigger if not exists touch_%s_%s after %s on main.%s", a->table, event, event,
                a->table);
    if (a->except != NULL) {
        cs_buf_addf(sql, " when not (%s%s)", prefix, a->except);
    }
    cs_buf_adds(sql, " begin ");
    add_first(sql, a, columns, insert ? "new." : "old.", !insert);
    add_after(sql, a, columns, prefix, strcmp(event, "delete") != 0);
    cs_buf_adds(sql, " end;\n");
}

int ks_sqlite_watch_rows(struct ks_backend *b, cs_error *e)
{
    cs_buf sql = CS_BUF_INIT;
    cs_buf columns = CS_BUF_INIT;
    size_t n = 0;
    const struct ks_schema_audit *a = ks_schema_audited(&n);
    int rc = 0;
    cs_buf_adds(&sql, "create temp table if not exists touched(object text primary key, before text, after text)"
                      " without rowid;\n");
    for (size_t i = 0; rc == 0 && i < n; i++) {
        int found = columns_of(b, a[i].table, &columns, e);
        rc = found < 0 ? -1 : 0;
        if (found == 1) {
            add_trigger(&sql, &a[i], columns.data, "insert");
            add_trigger(&sql, &a[i], columns.data, "update");
            add_trigger(&sql, &a[i], columns.data, "delete");
        }
    }
    if (rc == 0) {
        rc = sql.failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory")
                        : ks_sqlite_exec(b, sql.data, e);
    }
    cs_buf_free(&sql);
    cs_buf_free(&columns);
    return rc;
}

int ks_sqlite_touched_count(struct ks_backend *b, uint64_t *n, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select count(*) from temp.touched");
    int rc = ks_query_row(&q, e);
    *n = rc == 1 ? (uint64_t)sqlite3_column_int64(q.stmt, 0) : 0;
    ks_query_done(&q);
    return rc == 1 ? 0 : -1;
}

int ks_sqlite_touched(struct ks_backend *b, ks_visit_content *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select object, before, after from temp.touched order by object");
    int rc = 0;
    b->told = 0;
    while (ks_query_next(&q, &rc, e)) {
        b->told++;
        rc = visit(ctx, (const char *)sqlite3_column_text(q.stmt, 0), (const char *)sqlite3_column_text(q.stmt, 1),
                   (const char *)sqlite3_column_text(q.stmt, 2), e);
    }
    return rc;
}

/** All rows of one table. */
static int contents_of(struct ks_backend *b, const struct ks_schema_audit *a, const char *columns,
                       ks_visit_content *visit, void *ctx, cs_error *e)
{
    cs_buf sql = CS_BUF_INIT;
    struct ks_query q = {b, NULL, SQLITE_OK, 0};
    cs_buf_adds(&sql, "select ");
    add_object(&sql, a, "");
    cs_buf_adds(&sql, ",");
    add_row(&sql, columns, "");
    cs_buf_addf(&sql, " from main.%s", a->table);
    if (a->except != NULL) {
        cs_buf_addf(&sql, " where not (%s)", a->except);
    }
    int rc = sql.failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory") : 0;
    if (rc == 0) {
        q.rc = sqlite3_prepare_v2(b->db, sql.data, -1, &q.stmt, NULL);
        while ((rc = ks_query_row(&q, e)) == 1) {
            if (visit(ctx, (const char *)sqlite3_column_text(q.stmt, 0), NULL,
                      (const char *)sqlite3_column_text(q.stmt, 1), e) != 0) {
                rc = -1;
                break;
            }
        }
        sqlite3_finalize(q.stmt);
    }
    cs_buf_free(&sql);
    return rc;
}

int ks_sqlite_contents(struct ks_backend *b, ks_visit_content *visit, void *ctx, cs_error *e)
{
    cs_buf columns = CS_BUF_INIT;
    size_t n = 0;
    const struct ks_schema_audit *a = ks_schema_audited(&n);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        int found = columns_of(b, a[i].table, &columns, e);
        rc = found == 1 ? contents_of(b, &a[i], columns.data, visit, ctx, e) : found;
    }
    cs_buf_free(&columns);
    return rc;
}
