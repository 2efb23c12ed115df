/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linking.c: see linking.h. Linking information is text: "STEP NAME DIGEST" of the archive before ("-" "-" where a log
 * begins), then "STEP NAME" per container; a step is the digest, in hex, of the step before it followed by the digest
 * of the container in hex.
 */
#include "archive/linking.h"

#include <archive.h>
#include <archive_entry.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define MEMBER   "linkinginfo"
#define MOST     ((size_t)64 << 20) /* linking information of half a million containers */
#define BLOCK    ((size_t)256 * 1024)
#define STEP_MAX 128 /* hex digits of SHA-512 */

/* One archive: where it goes on from, and where it ends. */
struct linked {
    char *path; /* owned */
    char before[STEP_MAX + 1], last[STEP_MAX + 1], before_name[256];
};

struct member {
    char *name; /* owned */
    char digest[STEP_MAX + 1];
    bool used;
};

/* An archive while it is read. */
struct log {
    const char *path;
    struct archive_chain *out;
    char *text; /* owned: its linking information, NULL: it has none */
    size_t n;
    const EVP_MD *md;
    struct member *member; /* owned */
    size_t n_member;
    struct linked *row;
};

struct work {
    struct archive_chain *out;
    struct linked *row; /* owned */
    size_t n;
};

/* ---- text ------------------------------------------------------------------------------------------------------- */

static const EVP_MD *digest_named(const char *word, size_t n)
{
    static const struct {
        const char *word;
        const EVP_MD *(*md)(void);
    } rows[] = {{"SHA-256", EVP_sha256}, {"SHA-384", EVP_sha384}, {"SHA-512", EVP_sha512}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (n == 7 && memcmp(rows[i].word, word, 7) == 0) {
            return rows[i].md();
        }
    }
    return NULL;
}

static bool is_step(const char *p, size_t n)
{
    return (n == 64 || n == 96 || n == 128) && strspn(p, "0123456789abcdef") >= n;
}

/* "STEP NAME SHA-512" without its line feed. @return the digest, or NULL: not such a line */
static const EVP_MD *read_head(const char *p, size_t n, struct linked *out)
{
    const char *first = memchr(p, ' ', n);
    const char *last = memrchr(p, ' ', n);
    if (first == NULL || last == first || memchr(p, '\0', n) != NULL) {
        return NULL;
    }
    size_t step = (size_t)(first - p);
    size_t name = (size_t)(last - first) - 1;
    bool begins = step == 1 && p[0] == '-' && name == 1 && first[1] == '-';
    if (name == 0 || (!begins && !is_step(p, step)) || name >= sizeof out->before_name) {
        return NULL;
    }
    memcpy(out->before, p, begins ? 0 : step);
    memcpy(out->before_name, first + 1, name);
    return digest_named(last + 1, (size_t)(p + n - last) - 1);
}

bool archive_linking_is(const uint8_t *p, size_t n, const char *loc)
{
    struct linked scratch = {.path = NULL};
    const char *name = strrchr(loc, '!');
    const uint8_t *feed = n > 0 ? memchr(p, '\n', n) : NULL;
    return name != NULL && strncmp(name + 1, MEMBER "#", sizeof MEMBER) == 0 && feed != NULL && (feed - p) < 512 &&
           read_head((const char *)p, (size_t)(feed - p), &scratch) != NULL;
}

static int hex_digest(const EVP_MD *md, const void *p, size_t n, char out[STEP_MAX + 1])
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (EVP_Digest(p, n, hash, &len, md, NULL) != 1) {
        return -1;
    }
    cs_hex(hash, len, out);
    return 0;
}

/* ---- one archive ------------------------------------------------------------------------------------------------- */

static struct archive *open_zip(const char *path)
{
    struct archive *in = archive_read_new();
    if (in != NULL && (archive_read_support_format_zip_seekable(in) != ARCHIVE_OK ||
                       archive_read_open_filename(in, path, BLOCK) != ARCHIVE_OK)) {
        (void)archive_read_free(in);
        in = NULL;
    }
    return in;
}

static const char *name_of(struct archive_entry *entry)
{
    const char *name = archive_entry_pathname(entry);
    return name != NULL ? name : "";
}

/* @return 0, or -1: no memory */
static int take_text(struct log *l, struct archive *in)
{
    la_ssize_t got = 0;
    size_t cap = 0;
    do {
        if (l->n + 1 >= cap) {
            char *grown = realloc(l->text, cap = cap == 0 ? 65536 : cap * 2);
            if (grown == NULL) {
                return -1;
            }
            l->text = grown;
        }
        got = archive_read_data(in, l->text + l->n, cap - l->n - 1);
        l->n += got > 0 ? (size_t)got : 0;
    } while (got > 0 && l->n < MOST);
    l->text[l->n] = '\0';
    return got == 0 ? 0 : archive_chain_gap(l->out, "%s: its linking information cannot be read", l->path);
}

/* @return 0: l->text is there, or the file is none of ours; -1: no memory */
static int find_text(struct log *l)
{
    struct archive_entry *entry = NULL;
    struct archive *in = open_zip(l->path);
    int rc = 0;
    while (in != NULL && rc == 0 && l->text == NULL && archive_read_next_header(in, &entry) >= ARCHIVE_WARN) {
        rc = strcmp(name_of(entry), MEMBER) == 0 ? take_text(l, in) : 0;
    }
    if (in != NULL) {
        (void)archive_read_free(in);
    }
    return rc;
}

static int hash_member(struct log *l, struct archive *in, struct archive_entry *entry)
{
    const void *p = NULL;
    size_t n = 0;
    la_int64_t at = 0;
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int rc = ARCHIVE_OK;
    struct member *grown = reallocarray(l->member, l->n_member + 1, sizeof *grown);
    EVP_MD_CTX *md = grown != NULL ? EVP_MD_CTX_new() : NULL;
    l->member = grown != NULL ? grown : l->member;
    if (md == NULL || EVP_DigestInit_ex(md, l->md, NULL) != 1) {
        EVP_MD_CTX_free(md);
        return -1;
    }
    struct member *m = &l->member[l->n_member++];
    *m = (struct member){.name = strdup(name_of(entry))};
    while ((rc = archive_read_data_block(in, &p, &n, &at)) == ARCHIVE_OK && EVP_DigestUpdate(md, p, n) == 1) {
    }
    if (rc == ARCHIVE_EOF && EVP_DigestFinal_ex(md, hash, &len) == 1) {
        cs_hex(hash, len, m->digest); /* else it stays empty, and fits nothing */
    }
    EVP_MD_CTX_free(md);
    return m->name != NULL ? 0 : -1;
}

static int by_name(const void *x, const void *y)
{
    return strcmp(((const struct member *)x)->name, ((const struct member *)y)->name);
}

static int hash_members(struct log *l)
{
    struct archive_entry *entry = NULL;
    struct archive *in = open_zip(l->path);
    int rc = 0;
    int read = in != NULL ? ARCHIVE_OK : ARCHIVE_FATAL;
    while (rc == 0 && read >= ARCHIVE_WARN && (read = archive_read_next_header(in, &entry)) >= ARCHIVE_WARN &&
           read != ARCHIVE_EOF) {
        bool other = strcmp(name_of(entry), MEMBER) == 0 || archive_entry_filetype(entry) == AE_IFDIR;
        rc = other ? 0 : hash_member(l, in, entry);
    }
    if (in != NULL) {
        (void)archive_read_free(in);
    }
    if (l->n_member > 1) {
        qsort(l->member, l->n_member, sizeof *l->member, by_name);
    }
    return rc == 0 && read != ARCHIVE_EOF ? archive_chain_gap(l->out, "%s cannot be read to its end", l->path) : rc;
}

/* "STEP NAME" without its line feed, behind the step before it. @return 0, -1: no memory */
static int take_line(struct log *l, char *line)
{
    char joined[2 * STEP_MAX + 1];
    char made[STEP_MAX + 1] = "";
    char *name = strchr(line, ' ');
    if (name == NULL || !is_step(line, (size_t)(name - line))) {
        return archive_chain_gap(l->out, "%s: a line of its linking information is none", l->path);
    }
    *name++ = '\0';
    const struct member wanted = {.name = name};
    struct member *m = l->n_member > 0 ? bsearch(&wanted, l->member, l->n_member, sizeof *l->member, by_name) : NULL;
    int rc = 0;
    if (m == NULL) {
        rc = archive_chain_gap(l->out, "%s: %.200s is missing", l->path, name);
    } else if (m->used) {
        rc = archive_chain_gap(l->out, "%s: its linking information names %.200s twice", l->path, name);
    } else {
        m->used = true;
        int n = snprintf(joined, sizeof joined, "%s%s", l->row->last, m->digest);
        if (hex_digest(l->md, joined, (size_t)n, made) != 0) {
            return -1;
        }
        rc = strcmp(made, line) == 0 ? 0 : archive_chain_gap(l->out, "%s: %.200s was changed", l->path, name);
        l->out->messages++;
    }
    (void)cs_copy(l->row->last, sizeof l->row->last, line);
    return rc;
}

static int follow_lines(struct log *l)
{
    char *save = NULL;
    int rc = 0;
    char *line = strtok_r(l->text, "\n", &save);
    l->md = line != NULL ? read_head(line, strlen(line), l->row) : NULL;
    if (l->md == NULL) {
        return archive_chain_gap(l->out, "%s: its linking information does not begin as one", l->path);
    }
    (void)cs_copy(l->row->last, sizeof l->row->last, l->row->before);
    rc = hash_members(l);
    while (rc == 0 && (line = strtok_r(NULL, "\n", &save)) != NULL) {
        rc = take_line(l, line);
    }
    for (size_t i = 0; rc == 0 && i < l->n_member; i++) {
        rc = l->member[i].used ? 0 : archive_chain_gap(l->out, "%s: nothing links %.200s", l->path, l->member[i].name);
    }
    return rc;
}

static int read_log(void *ctx, const char *path)
{
    struct work *w = ctx;
    struct linked row = {.path = strdup(path)};
    struct log l = {.path = path, .out = w->out, .row = &row};
    int rc = row.path != NULL ? find_text(&l) : -1;
    bool ours = rc == 0 && l.text != NULL;
    struct linked *grown = ours ? reallocarray(w->row, w->n + 1, sizeof *grown) : NULL;
    if (grown != NULL) {
        w->row = grown;
        w->out->files++;
        rc = follow_lines(&l);
    }
    if (grown != NULL && rc == 0) {
        w->row[w->n++] = row;
    } else {
        rc = ours && grown == NULL ? -1 : rc;
        free(row.path);
    }
    for (size_t i = 0; i < l.n_member; i++) {
        free(l.member[i].name);
    }
    free(l.member);
    free(l.text);
    return rc;
}

/* ---- all archives ------------------------------------------------------------------------------------------------ */

static bool is_zip(const char *name)
{
    size_t n = strlen(name);
    return n > 4 && strcmp(name + n - 4, ".zip") == 0;
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool same(const struct linked *a, const struct linked *b)
{
    return same_text(a->before, b->before) && same_text(a->last, b->last);
}

static int by_before(const void *x, const void *y)
{
    const struct linked *a = x;
    const struct linked *b = y;
    int c = strcmp(a->before, b->before);
    c = c != 0 ? c : strcmp(a->last, b->last);
    return c != 0 ? c : strcmp(a->path, b->path);
}

static int by_text(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* Rows of one step before them stand together: two that differ have both taken the place of the next one. */
static int join(struct work *w)
{
    const char **last = calloc(w->n + 1, sizeof *last);
    int rc = last != NULL ? 0 : -1;
    if (rc == 0 && w->n > 0) {
        qsort(w->row, w->n, sizeof *w->row, by_before);
        for (size_t i = 0; i < w->n; i++) { /* one without containers is no step, and follows not itself */
            last[i] = same_text(w->row[i].before, w->row[i].last) ? "" : w->row[i].last;
        }
        qsort(last, w->n, sizeof *last, by_text);
    }
    for (size_t i = 0; rc == 0 && i < w->n; i++) {
        const struct linked *one = &w->row[i];
        const char *before = one->before;
        const struct linked *other = i > 0 ? &w->row[i - 1] : NULL;
        if (other != NULL && same(other, one)) {
            continue; /* given twice */
        }
        if (before[0] == '\0') {
            w->out->streams++;
        } else if (other != NULL && same_text(other->before, before)) {
            rc = archive_chain_gap(w->out, "%s and %s both go on from %s", other->path, one->path, one->before_name);
        } else if (bsearch(&before, last, w->n, sizeof *last, by_text) == NULL) {
            rc = archive_chain_gap(w->out, "%s goes on from %s, which is missing or another one", one->path,
                                   one->before_name);
        }
    }
    free(last);
    return rc;
}

int archive_linking_follow(const struct archive_texts *path, struct archive_chain *out, cs_error *e)
{
    struct work w = {.out = out};
    int rc = 0;
    memset(out, 0, sizeof *out);
    out->logs = true;
    for (size_t i = 0; rc == 0 && i < path->n; i++) {
        rc = archive_chain_files(path->text[i], is_zip, read_log, &w, e);
    }
    rc = rc == 0 ? join(&w) : rc;
    for (size_t i = 0; i < w.n; i++) {
        free(w.row[i].path);
    }
    free(w.row);
    if (rc != 0 && e->exit_code == CS_EXIT_OK) {
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory to follow the chain");
    }
    return rc;
}
