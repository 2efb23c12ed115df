/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_schema.c: the tables of an SQLite keystore: made, upgraded, and, where the store is of the version before,
 * stood in for: a table that it lacks is an empty temporary one, so that every question has an answer. What is written
 * into such a table does not last, which is why only upkeep (counters, nodes) may write before the upgrade.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "keystore/schema.h"
#include "keystore/sqlite.h"

#define STRING_OF(x) #x
#define STRING(x)    STRING_OF(x)

/** The columns as in the schema, without references: a temporary table cannot refer to one of the file. */
static void add_columns(cs_buf *sql, const char *columns, bool temporary)
{
    static const char word[] = " references ";
    const char *at = columns;
    const char *found = NULL;
    while (temporary && (found = strstr(at, word)) != NULL) {
        cs_buf_add(sql, at, (size_t)(found - at));
        at = found + sizeof word - 1;
        at += strspn(at, "abcdefghijklmnopqrstuvwxyz_");
    }
    cs_buf_adds(sql, at);
}

static void add_table(cs_buf *sql, const struct ks_schema_row *row, bool temporary)
{
    cs_buf_addf(sql, "create %s %s(", temporary ? "temp table if not exists" : "table", row->table);
    add_columns(sql, row->columns, temporary);
    cs_buf_addf(sql, ")%s;\n", row->keyed ? " without rowid" : "");
}

static int run_taken(struct ks_backend *b, cs_buf *sql, cs_error *e)
{
    int rc = sql->failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory")
                         : ks_sqlite_exec(b, sql->data != NULL ? sql->data : "", e);
    cs_buf_free(sql);
    return rc;
}

int ks_sqlite_make(struct ks_backend *b, int above, cs_error *e)
{
    cs_buf sql = CS_BUF_INIT;
    size_t n = 0;
    const struct ks_schema_row *row = ks_schema_rows(&n);
    for (size_t i = 0; i < n; i++) {
        if (row[i].version > above && row[i].table != NULL) {
            add_table(&sql, &row[i], false);
        }
        if (row[i].version > above && row[i].extra != NULL) {
            cs_buf_adds(&sql, row[i].extra);
        }
    }
    cs_buf_adds(&sql, "pragma application_id=" STRING(KS_SQLITE_APPLICATION) ";"
                                                                             "pragma user_version=" STRING(
                                                                                 KS_SCHEMA_VERSION) ";");
    return run_taken(b, &sql, e);
}

static int version_of(struct ks_backend *b, int *version, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "pragma user_version");
    int rc = ks_query_row(&q, e);
    *version = rc == 1 ? sqlite3_column_int(q.stmt, 0) : 0;
    ks_query_done(&q);
    return rc == 1 ? 0 : -1;
}

/** Put the stand-ins of all tables above the version in place, or with none take them away. */
static int stand_ins(struct ks_backend *b, int above, bool there, cs_error *e)
{
    cs_buf sql = CS_BUF_INIT;
    size_t n = 0;
    const struct ks_schema_row *row = ks_schema_rows(&n);
    for (size_t i = 0; i < n; i++) {
        if (row[i].version <= above || row[i].table == NULL) {
            continue;
        }
        if (there) {
            add_table(&sql, &row[i], true);
        } else {
            cs_buf_addf(&sql, "drop table if exists temp.%s;", row[i].table);
        }
    }
    return run_taken(b, &sql, e);
}

int ks_sqlite_version_error(const char *path, int version, cs_error *e)
{
    return cs_error_set(e, CS_EXIT_CONFIG, "store-version",
                        "keystore %s has schema version %d, this release works with versions %d and %d; use %s", path,
                        version, KS_SCHEMA_VERSION - 1, KS_SCHEMA_VERSION,
                        version > KS_SCHEMA_VERSION ? "the newer release that made it, or a backup of before"
                                                    : "a release in between to upgrade it first");
}

int ks_sqlite_follow_version(struct ks_backend *b, cs_error *e)
{
    int version = 0;
    if (b->version == KS_SCHEMA_VERSION) {
        return 0;
    }
    if (version_of(b, &version, e) != 0) {
        return -1;
    }
    if (version > KS_SCHEMA_VERSION || version < KS_SCHEMA_VERSION - 1) {
        return ks_sqlite_version_error(b->path, version, e);
    }
    if (version != b->version && stand_ins(b, KS_SCHEMA_VERSION - 1, version != KS_SCHEMA_VERSION, e) != 0) {
        return -1;
    }
    b->watched = b->watched && version == b->version; /* tables came, or went: a handle that stays open watches anew */
    b->version = version;
    return 0;
}

int ks_sqlite_old_error(const struct ks_backend *b, cs_error *e)
{
    return cs_error_set(e, CS_EXIT_CONFIG, "store-version",
                        "keystore %s has schema version %d: a release of version %d serves it, but changes it only "
                        "after: countersign --keystore sqlite:%s keystore init --upgrade",
                        b->path, b->version, KS_SCHEMA_VERSION, b->path);
}

int ks_sqlite_version(const struct ks_backend *b)
{
    return b->version;
}

int ks_sqlite_upgrade(struct ks_backend *b, int *from, cs_error *e)
{
    if (ks_sqlite_follow_version(b, e) != 0) {
        return -1;
    }
    *from = b->version;
    if (b->version == KS_SCHEMA_VERSION) {
        return 0;
    }
    if (stand_ins(b, b->version, false, e) != 0 || ks_sqlite_make(b, b->version, e) != 0) {
        return -1;
    }
    b->version = KS_SCHEMA_VERSION;
    return ks_sqlite_watch_rows(b, e);
}
