/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite.h: what the files of the SQLite driver share: the handle, and a query that is filled in order. */
#ifndef KS_SQLITE_H
#define KS_SQLITE_H

#include <sqlite3.h>
#include <sys/stat.h>

#include "keystore/store.h"

#define KS_SQLITE_CACHE       192
#define KS_SQLITE_APPLICATION 1129532243 /* "CSKS" in the header of the file */

struct ks_backend {
    sqlite3 *db; /**< owned */
    char *path;  /**< owned */
    bool read_only;
    int version;  /**< of the schema in the file; 0: not looked at yet */
    dev_t device; /**< of the file that was opened: a file renamed over it is another store */
    ino_t inode;
    int64_t data_version;
    int busy_ms; /**< how long to wait for another writer */
    int64_t waits_since_us;
    bool watched;  /**< the triggers of sqlite_touch.c are in place */
    uint64_t told; /**< touched rows that were handed out within this transaction */
    struct {
        const char *sql;
        sqlite3_stmt *stmt;
    } cache[KS_SQLITE_CACHE]; /**< by address of the text */
    size_t n_cache;
};

/** A statement being filled and stepped. The text is a literal: its address is the key of the cache. */
struct ks_query {
    struct ks_backend *b;
    sqlite3_stmt *stmt;
    int rc;
    int at; /**< parameters filled so far */
};

struct ks_query ks_query_open(struct ks_backend *b, const char *sql);
void ks_query_int(struct ks_query *q, int64_t v);
void ks_query_text(struct ks_query *q, const char *s);           /**< NULL: null; borrowed until done */
void ks_query_blob(struct ks_query *q, const void *p, size_t n); /**< NULL: null; borrowed until done */
/** @return 1 a row stands, 0 no more, -1 error */
int ks_query_row(struct ks_query *q, cs_error *e);
/** For a loop over the rows: rc starts as 0 and takes what became of each row. @return true a row stands; false no
 * more, or rc was not 0, or an error: rc is then 0 or -1 and the query is done. */
bool ks_query_next(struct ks_query *q, int *rc, cs_error *e);
/** store-corrupt: a row that does not have the shape of its table. @return -1 */
int ks_query_damaged(const struct ks_query *q, const char *table, cs_error *e);
void ks_query_done(struct ks_query *q);
/** Run to its end without looking at rows. @return 0 or -1 */
int ks_query_run(struct ks_query *q, cs_error *e);
/** Column as text into a fixed field ("" for null); as octets of exactly n. @return 0, or -1: not of that shape */
int ks_column_text(struct ks_query *q, int column, char *out, size_t size);
int ks_column_octets(struct ks_query *q, int column, uint8_t *out, size_t n);

/** Say what went wrong in words, with the exit code that fits. @return -1 */
int ks_sqlite_error(const struct ks_backend *b, int rc, cs_error *e);
/** Text that is run as it is (no parameters). */
int ks_sqlite_exec(struct ks_backend *b, const char *sql, cs_error *e);

/* sqlite_open.c */
int ks_sqlite_init(const char *where, cs_time now, bool *created, cs_error *e);
int ks_sqlite_open(struct ks_backend **out, const char *where, bool read_only, int busy_ms, cs_error *e);
void ks_sqlite_close(struct ks_backend *b);
int ks_sqlite_begin(struct ks_backend *b, enum ks_access access, cs_error *e);
int ks_sqlite_commit(struct ks_backend *b, cs_error *e);
void ks_sqlite_rollback(struct ks_backend *b);
int ks_sqlite_changed(struct ks_backend *b, cs_error *e);
void ks_sqlite_set_busy(struct ks_backend *b, int ms);
void ks_sqlite_scrub(struct ks_backend *b);

/* sqlite_schema.c */
/** Make all tables above a version (0: all), within the caller's transaction. */
int ks_sqlite_make(struct ks_backend *b, int above, cs_error *e);
int ks_sqlite_version(const struct ks_backend *b);
/** Bring the store to this version within the caller's transaction. *from: the version that it had */
int ks_sqlite_upgrade(struct ks_backend *b, int *from, cs_error *e);
/** Look whether the file was upgraded meanwhile; in a store of the version before, missing tables get stand-ins. */
int ks_sqlite_follow_version(struct ks_backend *b, cs_error *e);
/** The store is of a version that this release does not know; it must be upgraded before it is changed. @return -1 */
int ks_sqlite_version_error(const char *path, int version, cs_error *e);
int ks_sqlite_old_error(const struct ks_backend *b, cs_error *e);

/* sqlite_touch.c */
/** The function of SQL that the files below need; once per connection. */
int ks_sqlite_row_function(struct ks_backend *b, cs_error *e);
/** Write down from now on which rows this connection touches; again after an upgrade, for tables that are new. */
int ks_sqlite_watch_rows(struct ks_backend *b, cs_error *e);
int ks_sqlite_touched_count(struct ks_backend *b, uint64_t *n, cs_error *e);
int ks_sqlite_touched(struct ks_backend *b, ks_visit_content *visit, void *ctx, cs_error *e);
int ks_sqlite_contents(struct ks_backend *b, ks_visit_content *visit, void *ctx, cs_error *e);

#endif
