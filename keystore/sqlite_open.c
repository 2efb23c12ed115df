/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_open.c: opening, making and following a keystore in one SQLite file. The file's own header is read before the
 * first statement, so that a file of another kind or version is refused without a byte of it changed. It is read
 * through SQLite's descriptor: closing one of our own would drop all POSIX locks of this process on the file, and the
 * next command that closes the store would take the log away from under a gateway that still follows it.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "keystore/sqlite.h"

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/** Locks and shared memory do not work over these; a store there would break silently. */
static int on_network(const char *path, cs_error *e)
{
    static const unsigned long kinds[] = {0x6969UL /* NFS */,      0x517bUL /* SMB */,     0xff534d42UL /* CIFS */,
                                          0xfe534d42UL /* SMB2 */, 0x5346414fUL /* AFS */, 0x00c36400UL /* Ceph */};
    struct statfs fs;
    if (statfs(path, &fs) != 0) {
        return 0;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (((unsigned long)fs.f_type & 0xffffffffUL) == kinds[i]) {
            return cs_error_set(
                e, CS_EXIT_CONFIG, "store-on-network",
                "keystore %s lies on a network file system, where SQLite's locks do not hold; put it on a local disk",
                path);
        }
    }
    return 0;
}

enum header { HEADER_ERROR = -1, HEADER_OURS = 0, HEADER_EMPTY = 1 };

/** Is there a regular file to open? @return 0 or -1 */
static int check_file(const char *path, cs_error *e)
{
    struct stat st;
    if (stat(path, &st) != 0 && errno == ENOENT) {
        return cs_error_set(e, CS_EXIT_CONFIG, "store-missing",
                            "there is no keystore %s; make one with: countersign --keystore sqlite:%s keystore init",
                            path, path);
    }
    if (stat(path, &st) != 0) {
        return cs_error_set(e, CS_EXIT_UNAVAILABLE, "store-unavailable", "keystore %s cannot be opened: %s", path,
                            strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "%s is no keystore: it is not a file", path);
    }
    return 0;
}

/** Read the first octets as they lie in the file, whatever a log beside it says. */
static enum header check_header(sqlite3 *db, const char *path, cs_error *e)
{
    uint8_t h[100] = {0};
    sqlite3_int64 n = -1;
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || file == NULL ||
        file->pMethods == NULL || file->pMethods->xFileSize(file, &n) != SQLITE_OK) {
        cs_error_set(e, CS_EXIT_UNAVAILABLE, "store-unavailable", "keystore %s cannot be read", path);
        return HEADER_ERROR;
    }
    if (n == 0) {
        return HEADER_EMPTY;
    }
    if (n < (sqlite3_int64)sizeof h || file->pMethods->xRead(file, h, sizeof h, 0) != SQLITE_OK ||
        memcmp(h, "SQLite format 3", 16) != 0) {
        cs_error_set(
            e, CS_EXIT_CONFIG, "store-corrupt",
            "%s is no keystore, or is damaged: it is not an SQLite file. Restore it from a backup, or name another",
            path);
        return HEADER_ERROR;
    }
    uint32_t version = be32(h + 60);
    uint32_t application = be32(h + 68);
    if (application == 0 && version == 0) {
        return HEADER_EMPTY;
    }
    if (application != KS_SQLITE_APPLICATION) {
        cs_error_set(e, CS_EXIT_CONFIG, "store-foreign", "%s is an SQLite database of another program, no keystore",
                     path);
        return HEADER_ERROR;
    }
    if (version > KS_SCHEMA_VERSION || version < KS_SCHEMA_VERSION - 1) {
        ks_sqlite_version_error(path, version <= INT32_MAX ? (int)version : INT32_MAX, e);
        return HEADER_ERROR;
    }
    return HEADER_OURS;
}

/** Root may write what its owner marked read-only; the mark is honoured all the same. */
static int check_writable(const struct ks_backend *b, cs_error *e)
{
    struct stat st;
    char dir[4096];
    int n = snprintf(dir, sizeof dir, "%s", b->path);
    if (n < 0 || (size_t)n >= sizeof dir) {
        return cs_error_set(e, CS_EXIT_USAGE, "path-too-long", "the path of the keystore is too long");
    }
    if (stat(b->path, &st) == 0 && (st.st_mode & S_IWUSR) == 0) {
        return cs_error_set(e, CS_EXIT_UNAVAILABLE, "store-read-only",
                            "keystore %s is marked read-only (mode %03o); to change it: chmod u+w %s", b->path,
                            (unsigned)st.st_mode & 0777U, b->path);
    }
    const char *parent = dirname(dir);
    if (stat(parent, &st) == 0 && (st.st_mode & S_IWUSR) == 0) {
        return cs_error_set(
            e, CS_EXIT_UNAVAILABLE, "store-read-only",
            "keystore %s: its directory is marked read-only (mode %03o), and SQLite writes beside the file", b->path,
            (unsigned)st.st_mode & 0777U);
    }
    return 0;
}

void ks_sqlite_close(struct ks_backend *b)
{
    if (b == NULL) {
        return;
    }
    for (size_t i = 0; i < b->n_cache; i++) {
        sqlite3_finalize(b->cache[i].stmt);
    }
    sqlite3_close(b->db);
    free(b->path);
    free(b);
}

/** Wait for another writer. SQLite's own handler sleeps longer and longer, so that who waits already loses to who comes
 *  just now; short sleeps of changing length give each its turn. */
static int wait_for_writer(void *ctx, int tries)
{
    struct ks_backend *b = ctx;
    int64_t now = cs_clock_mono_us();
    if (tries == 0) {
        b->waits_since_us = now;
    }
    if (now - b->waits_since_us >= (int64_t)b->busy_ms * 1000) {
        return 0;
    }
    nanosleep(&(struct timespec){0, 500000L + (long)((unsigned)now * 2654435761U % 2500000U)}, NULL);
    return 1;
}

void ks_sqlite_set_busy(struct ks_backend *b, int ms)
{
    b->busy_ms = ms;
    sqlite3_busy_handler(b->db, wait_for_writer, b);
}

/** The connection itself, with what holds for each of ours. */
static int connect_file(struct ks_backend **out, const char *path, bool read_only, int busy_ms, enum header *header,
                        cs_error *e)
{
    *header = HEADER_ERROR;
    if (check_file(path, e) != 0) {
        return -1;
    }
    struct ks_backend *b = calloc(1, sizeof *b);
    if (b == NULL || (b->path = strdup(path)) == NULL) {
        free(b);
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    b->read_only = read_only;
    struct stat st;
    int flags =
        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    int rc = sqlite3_open_v2(path, &b->db, flags, NULL);
    if (rc != SQLITE_OK) {
        ks_sqlite_error(b, rc, e);
        ks_sqlite_close(b);
        return -1;
    }
    *header = check_header(b->db, path, e);
    if (*header == HEADER_ERROR) {
        ks_sqlite_close(b);
        return -1;
    }
    if (stat(path, &st) == 0) {
        b->device = st.st_dev;
        b->inode = st.st_ino;
    }
    ks_sqlite_set_busy(b, busy_ms);
    int off = 0;
    if (ks_sqlite_row_function(b, e) != 0 ||
        sqlite3_db_config(b->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &off) != SQLITE_OK ||
        ks_sqlite_exec(
            b,
            "pragma foreign_keys=on; pragma synchronous=full; pragma secure_delete=on; pragma cell_size_check=on;"
            " pragma temp_store=memory;",
            e) != 0) {
        cs_error_set(e, CS_EXIT_INTERNAL, "internal", "keystore %s: cannot set up the connection", path);
        ks_sqlite_close(b);
        return -1;
    }
    *out = b;
    return 0;
}

static int64_t number(struct ks_backend *b, const char *sql, cs_error *e)
{
    struct ks_query q = ks_query_open(b, sql);
    int64_t n = ks_query_row(&q, e) == 1 ? sqlite3_column_int64(q.stmt, 0) : -1;
    ks_query_done(&q);
    return n;
}

/** A header without numbers is an empty file's, or that of a program that never set them: its tables tell. */
static int check_empty(struct ks_backend *b, cs_error *e)
{
    int64_t tables = number(b, "select count(*) from sqlite_master", e);
    if (tables > 0 && number(b, "pragma application_id", e) == 0) {
        return cs_error_set(e, CS_EXIT_CONFIG, "store-foreign",
                            "%s is an SQLite database of another program, no keystore", b->path);
    }
    return tables < 0 ? -1 : 0;
}

int ks_sqlite_open(struct ks_backend **out, const char *where, bool read_only, int busy_ms, cs_error *e)
{
    *out = NULL;
    enum header header = HEADER_ERROR;
    struct ks_backend *b = NULL;
    if (connect_file(&b, where, read_only, busy_ms, &header, e) != 0) {
        return -1;
    }
    if (header == HEADER_EMPTY) {
        int rc = check_empty(b, e);
        ks_sqlite_close(b);
        return rc != 0 ? -1
                       : cs_error_set(
                             e, CS_EXIT_CONFIG, "store-missing",
                             "%s is empty; make a keystore of it with: countersign --keystore sqlite:%s keystore init",
                             where, where);
    }
    if (on_network(where, e) != 0) {
        ks_sqlite_close(b);
        return -1;
    }
    /* the first read opens the log beside the file: failures of directory and locks show here, not in the middle */
    struct ks_query q = ks_query_open(b, "pragma data_version");
    if (ks_query_row(&q, e) != 1) {
        ks_query_done(&q);
        ks_sqlite_close(b);
        return cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "keystore %s cannot be read", where);
    }
    b->data_version = sqlite3_column_int64(q.stmt, 0);
    ks_query_done(&q);
    if (ks_sqlite_follow_version(b, e) != 0) {
        ks_sqlite_close(b);
        return -1;
    }
    *out = b;
    return 0;
}

/** Tables, in one transaction: who is killed here leaves an empty file that init takes up again. */
static int make_tables(struct ks_backend *b, bool *created, cs_error *e)
{
    if (ks_sqlite_exec(b, "pragma journal_mode=wal;", e) != 0 || ks_sqlite_exec(b, "begin immediate;", e) != 0) {
        return -1;
    }
    struct ks_query q = ks_query_open(b, "select count(*) from sqlite_master");
    int rc = ks_query_row(&q, e);
    int64_t tables = rc == 1 ? sqlite3_column_int64(q.stmt, 0) : -1;
    ks_query_done(&q);
    if (rc == 1 && tables > 0) { /* another init was faster */
        ks_sqlite_rollback(b);
        return 0;
    }
    if (rc != 1 || ks_sqlite_make(b, 0, e) != 0 || ks_sqlite_exec(b, "commit;", e) != 0) {
        ks_sqlite_rollback(b);
        return -1;
    }
    *created = true;
    /* the header must be in the file itself, where check_header reads it */
    return ks_sqlite_exec(b, "pragma wal_checkpoint(truncate);", e);
}

int ks_sqlite_init(const char *where, cs_time now, bool *created, cs_error *e)
{
    (void)now;
    *created = false;
    int fd = open(where, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST) {
        return cs_error_set(e, CS_EXIT_UNAVAILABLE, "store-unavailable", "keystore %s cannot be made: %s", where,
                            strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    enum header header = HEADER_ERROR;
    struct ks_backend *b = NULL;
    if (connect_file(&b, where, false, 10000, &header, e) != 0) {
        return -1;
    }
    if (header == HEADER_OURS) {
        ks_sqlite_close(b);
        return 0;
    }
    if (on_network(where, e) != 0) {
        ks_sqlite_close(b);
        return -1;
    }
    int rc = check_writable(b, e) == 0 && check_empty(b, e) == 0 ? make_tables(b, created, e) : -1;
    ks_sqlite_close(b);
    return rc;
}

int ks_sqlite_begin(struct ks_backend *b, enum ks_access access, cs_error *e)
{
    bool write = access != KS_READ;
    if (ks_sqlite_follow_version(b, e) != 0) {
        return -1;
    }
    if (access == KS_WRITE && b->version != KS_SCHEMA_VERSION) {
        return ks_sqlite_old_error(b, e);
    }
    if (write && b->read_only) {
        return cs_error_set(e, CS_EXIT_UNAVAILABLE, "store-read-only", "keystore %s was opened for reading only",
                            b->path);
    }
    if (write && check_writable(b, e) != 0) {
        return -1;
    }
    if (!write) {
        return ks_sqlite_exec(b, "begin;", e);
    }
    if (!b->watched && ks_sqlite_watch_rows(b, e) != 0) {
        return -1;
    }
    b->watched = true;
    b->told = 0;
    return ks_sqlite_exec(b, "begin immediate; delete from temp.touched;", e);
}

int ks_sqlite_commit(struct ks_backend *b, cs_error *e)
{
    uint64_t touched = 0;
    if (b->watched && ks_sqlite_touched_count(b, &touched, e) != 0) {
        return -1;
    }
    if (touched != b->told) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "internal", "keystore %s: a change of %llu rows, %llu of them audited",
                            b->path, (unsigned long long)touched, (unsigned long long)b->told);
    }
    return ks_sqlite_exec(b, "commit;", e);
}

void ks_sqlite_rollback(struct ks_backend *b)
{
    if (sqlite3_get_autocommit(b->db) == 0) {
        sqlite3_exec(b->db, "rollback;", NULL, NULL, NULL); /* nothing to do about a failure: closing rolls back too */
    }
}

int ks_sqlite_changed(struct ks_backend *b, cs_error *e)
{
    struct stat st;
    if (stat(b->path, &st) != 0) {
        return cs_error_set(e, CS_EXIT_UNAVAILABLE, "store-unavailable", "keystore %s is gone: %s", b->path,
                            strerror(errno));
    }
    if (st.st_dev != b->device || st.st_ino != b->inode) {
        return cs_error_set(e, CS_EXIT_UNAVAILABLE, "store-replaced", "keystore %s was replaced by another file",
                            b->path);
    }
    if (ks_sqlite_follow_version(b, e) != 0) {
        return -1;
    }
    struct ks_query q = ks_query_open(b, "pragma data_version");
    int rc = ks_query_row(&q, e);
    int64_t version = rc == 1 ? sqlite3_column_int64(q.stmt, 0) : 0;
    ks_query_done(&q);
    if (rc != 1) {
        return cs_error_set(e, CS_EXIT_UNAVAILABLE, "store-unavailable", "keystore %s cannot be read", b->path);
    }
    bool changed = version != b->data_version;
    b->data_version = version;
    return changed ? 1 : 0;
}

void ks_sqlite_scrub(struct ks_backend *b)
{
    /* best effort: a reader may hold the log; secure_delete has overwritten the pages, the next checkpoint does the
     * rest */
    sqlite3_exec(b->db, "pragma wal_checkpoint(truncate);", NULL, NULL, NULL);
}
