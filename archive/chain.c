/* SPDX-License-Identifier: Apache-2.0 */
/* chain.c: see chain.h. Each file becomes one row (where it begins, where it ends); rows of a stream must join. */
#include "archive/chain.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fts.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK ((size_t)256 * 1024)

struct file {
    char *path; /* owned */
    struct cs_capture_record first, last;
    uint64_t records, messages, lost;
    bool ended;
};

struct work {
    struct archive_chain *out;
    struct file *file; /* owned */
    size_t n;
};

int archive_chain_gap(struct archive_chain *c, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return archive_texts_add(&c->gap, text);
}

static unsigned long long number(uint64_t n)
{
    return (unsigned long long)n;
}

/* ---- one file ---------------------------------------------------------------------------------------------------- */

/* @return true: the member has a record, and it is one */
static bool record_of(struct archive_entry *entry, struct cs_capture_record *r, bool *damaged)
{
    const char *name = NULL;
    const void *value = NULL;
    size_t n = 0;
    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &n) == ARCHIVE_OK) {
        if (name != NULL && strcmp(name, CS_CAPTURE_XATTR) == 0) {
            *damaged = cs_capture_read(value, n, r) != 0;
            return !*damaged;
        }
    }
    return false;
}

/* @return 1 the octets are those of the record, 0 not, -1 no memory */
static int content_good(struct archive *in, const struct cs_capture_record *r)
{
    const void *p = NULL;
    size_t n = 0;
    la_int64_t at = 0;
    uint64_t size = 0;
    uint8_t hash[32];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int rc = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 ? ARCHIVE_OK : ARCHIVE_FATAL;
    if (rc != ARCHIVE_OK) {
        EVP_MD_CTX_free(md);
        return -1;
    }
    while ((rc = archive_read_data_block(in, &p, &n, &at)) == ARCHIVE_OK && EVP_DigestUpdate(md, p, n) == 1) {
        size += n;
    }
    bool good = rc == ARCHIVE_EOF && size == r->size && EVP_DigestFinal_ex(md, hash, NULL) == 1 &&
                memcmp(hash, r->sha256, sizeof hash) == 0;
    EVP_MD_CTX_free(md);
    return good;
}

/* The next record of a file against those before. @return 0, -1 no memory */
static int take_record(struct work *w, struct file *f, struct archive *in, const struct cs_capture_record *r)
{
    if (f->records > 0 &&
        (strcmp(r->stream, f->last.stream) != 0 || r->record != f->last.record + 1 ||
         memcmp(r->prev, f->last.hash, sizeof r->prev) != 0) &&
        archive_chain_gap(w->out, "%s: record %llu does not follow record %llu", f->path, number(r->record),
                          number(f->last.record)) != 0) {
        return -1;
    }
    if (r->kind == CS_CAPTURE_MESSAGE) {
        int good = content_good(in, r);
        if (good < 0 || (good == 0 && archive_chain_gap(w->out, "%s: the message of record %llu was changed", f->path,
                                                        number(r->record)) != 0)) {
            return -1;
        }
        f->messages++;
    }
    f->lost += r->kind == CS_CAPTURE_LOST ? r->count : 0;
    f->ended = r->kind == CS_CAPTURE_END;
    if (f->ended && r->count != f->messages &&
        archive_chain_gap(w->out, "%s: %llu messages are there, its end tells of %llu", f->path, number(f->messages),
                          number(r->count)) != 0) {
        return -1;
    }
    f->first = f->records++ == 0 ? *r : f->first;
    f->last = *r;
    return 0;
}

/* Members without record are none of ours, unless they stand among those that have one. */
static int read_members(struct work *w, struct file *f, struct archive *in)
{
    struct archive_entry *entry = NULL;
    int rc;
    while ((rc = archive_read_next_header(in, &entry)) == ARCHIVE_OK || rc == ARCHIVE_WARN) {
        struct cs_capture_record r;
        bool damaged = false;
        if (record_of(entry, &r, &damaged)) {
            if (take_record(w, f, in, &r) != 0) {
                return -1;
            }
        } else if (damaged || f->records > 0) {
            return archive_chain_gap(w->out, "%s: what stands behind record %llu has no record, or a changed one",
                                     f->path, number(f->last.record));
        } else {
            return 0;
        }
    }
    return rc == ARCHIVE_EOF || f->records == 0
               ? 0
               : archive_chain_gap(w->out, "%s: it cannot be read behind record %llu: %s", f->path,
                                   number(f->last.record), archive_error_string(in));
}

static int read_file(void *ctx, const char *path)
{
    struct work *w = ctx;
    struct file f = {.path = strdup(path)};
    struct archive *in = archive_read_new();
    int rc = f.path != NULL && in != NULL ? 0 : -1;
    if (rc == 0 && archive_read_support_format_tar(in) == ARCHIVE_OK &&
        archive_read_support_filter_gzip(in) == ARCHIVE_OK && archive_read_support_filter_zstd(in) == ARCHIVE_OK &&
        archive_read_support_filter_xz(in) == ARCHIVE_OK && archive_read_support_filter_bzip2(in) == ARCHIVE_OK &&
        archive_read_open_filename(in, path, BLOCK) == ARCHIVE_OK) {
        rc = read_members(w, &f, in);
    }
    archive_read_free(in);
    struct file *more = rc == 0 && f.records > 0 ? reallocarray(w->file, w->n + 1, sizeof *more) : NULL;
    if (more == NULL) {
        free(f.path);
        return rc == 0 && f.records > 0 ? -1 : rc;
    }
    w->file = more;
    w->file[w->n++] = f;
    w->out->files++;
    w->out->messages += f.messages;
    w->out->lost += f.lost;
    w->out->open += !f.ended;
    return 0;
}

static bool is_segment(const char *name)
{
    const char *tar = strstr(name, ".tar");
    const char *open = strstr(name, ".open");
    return tar != NULL || (open != NULL && open[5] == '\0');
}

int archive_chain_files(const char *path, bool (*wanted)(const char *name), int (*read)(void *ctx, const char *path),
                        void *ctx, cs_error *e)
{
    char *const roots[] = {(char *)(uintptr_t)path, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
    FTSENT *entry = NULL;
    int rc = tree != NULL ? 0 : -1;
    while (rc == 0 && (entry = fts_read(tree)) != NULL) {
        if (entry->fts_info == FTS_NS || entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR) {
            rc = cs_error_set(e, CS_EXIT_UNAVAILABLE, "io-error", "%.300s cannot be read: %s", entry->fts_path,
                              strerror(entry->fts_errno));
            break;
        }
        bool file = entry->fts_info == FTS_F || entry->fts_info == FTS_NSOK;
        if (file && wanted(entry->fts_name)) {
            rc = read(ctx, entry->fts_path);
        }
    }
    if (tree != NULL) {
        fts_close(tree);
    }
    return rc;
}

/* ---- all files --------------------------------------------------------------------------------------------------- */

static int compare(const void *x, const void *y)
{
    const struct file *a = x;
    const struct file *b = y;
    int c = strcmp(a->first.stream, b->first.stream);
    return c != 0                               ? c
           : a->first.record != b->first.record ? (a->first.record < b->first.record ? -1 : 1)
                                                : strcmp(a->path, b->path);
}

static const ks_capture_head *known_end(const ks_capture_head *known, size_t n, const char *stream, uint64_t record)
{
    for (size_t i = 0; i < n; i++) {
        if (known[i].record == record && strcmp(known[i].stream, stream) == 0) {
            return &known[i];
        }
    }
    return NULL;
}

/* Where a stream begins: with its first record, or behind an end that the keystore knows. */
static int check_begin(struct work *w, const struct file *f, const ks_capture_head *known, size_t n)
{
    static const uint8_t none[32];
    const struct cs_capture_record *r = &f->first;
    const ks_capture_head *before = known_end(known, n, r->stream, r->record - 1);
    bool good = r->record == 1 ? memcmp(r->prev, none, sizeof none) == 0
                               : before != NULL && memcmp(before->hash, r->prev, sizeof r->prev) == 0;
    return good ? 0
                : archive_chain_gap(w->out, "stream %s begins with record %llu in %s: what was before is missing",
                                    r->stream, number(r->record), f->path);
}

static bool same_file(const struct file *a, const struct file *b)
{
    return strcmp(a->first.stream, b->first.stream) == 0 && memcmp(a->first.hash, b->first.hash, 32) == 0 &&
           memcmp(a->last.hash, b->last.hash, 32) == 0;
}

static int check_join(struct work *w, const struct file *before, const struct file *f)
{
    if (same_file(before, f)) {
        return 0; /* given twice */
    }
    if (f->first.record != before->last.record + 1) {
        return archive_chain_gap(w->out, "stream %s: records %llu to %llu are missing (between %s and %s)",
                                 f->first.stream, number(before->last.record + 1), number(f->first.record - 1),
                                 before->path, f->path);
    }
    return memcmp(f->first.prev, before->last.hash, 32) == 0
               ? 0
               : archive_chain_gap(w->out, "stream %s: %s does not follow %s", f->first.stream, f->path, before->path);
}

/* Is this end among the files? What lies before all that was given is not asked for. */
static int check_known(struct work *w, const ks_capture_head *k)
{
    const struct file *first = NULL;
    for (size_t i = 0; i < w->n; i++) {
        const struct file *f = &w->file[i];
        if (strcmp(f->first.stream, k->stream) != 0) {
            continue;
        }
        first = first == NULL ? f : first;
        if (f->last.record == k->record && memcmp(f->last.hash, k->hash, sizeof k->hash) == 0) {
            return 0;
        }
    }
    if (first == NULL) {
        return archive_chain_gap(w->out, "stream %s is missing: the keystore knows %llu records of it", k->stream,
                                 number(k->record));
    }
    return k->record < first->first.record
               ? 0
               : archive_chain_gap(w->out,
                                   "stream %s: the keystore knows that segment %llu ends with record "
                                   "%llu, which is missing or another one",
                                   k->stream, number(k->segment), number(k->record));
}

static int check_all(struct work *w, const ks_capture_head *known, size_t n_known)
{
    int rc = 0;
    if (w->n > 1) {
        qsort(w->file, w->n, sizeof *w->file, compare);
    }
    for (size_t i = 0; rc == 0 && i < w->n; i++) {
        const struct file *before = i > 0 ? &w->file[i - 1] : NULL;
        if (before == NULL || strcmp(before->first.stream, w->file[i].first.stream) != 0) {
            w->out->streams++;
            rc = check_begin(w, &w->file[i], known, n_known);
        } else {
            rc = check_join(w, before, &w->file[i]);
        }
    }
    for (size_t i = 0; rc == 0 && i < n_known; i++) {
        rc = check_known(w, &known[i]);
    }
    return rc;
}

int archive_chain_follow(const struct archive_texts *path, const ks_capture_head *known, size_t n_known,
                         struct archive_chain *out, cs_error *e)
{
    struct work w = {.out = out};
    int rc = 0;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; rc == 0 && i < path->n; i++) {
        rc = archive_chain_files(path->text[i], is_segment, read_file, &w, e);
    }
    rc = rc == 0 ? check_all(&w, known, n_known) : rc;
    for (size_t i = 0; i < w.n; i++) {
        free(w.file[i].path);
    }
    free(w.file);
    if (rc != 0 && e->exit_code == CS_EXIT_OK) {
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory to follow the chain");
    }
    return rc;
}

bool archive_chain_complete(const struct archive_chain *c)
{
    return c->gap.n == 0 && c->lost == 0;
}

void archive_chain_text(const struct archive_chain *c, char *out, size_t size)
{
    int n = snprintf(out, size, "%llu files in %llu streams, %llu messages%s; %zu gaps", number(c->files),
                     number(c->streams), number(c->messages), c->open > 0 ? " (the last files are not closed yet)" : "",
                     c->gap.n);
    if (!c->logs && n > 0 && (size_t)n < size) {
        snprintf(out + n, size - (size_t)n, ", %llu messages lost for want of room", number(c->lost));
    }
}

void archive_chain_clear(struct archive_chain *c)
{
    archive_texts_free(&c->gap);
}
