/* SPDX-License-Identifier: Apache-2.0 */
/* coverage.c: see coverage.h. */
#include "archive/coverage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define MANIFEST_MAX ((size_t)4 << 30)

struct line {
    uint8_t hash[32];
    const char *name; /* in the text */
    bool seen, different;
};

struct manifest {
    char *text; /* owned */
    size_t n_text;
    struct line *line;     /* owned, sorted by hash */
    struct line **by_name; /* owned */
    size_t n;
};

void archive_coverage_clear(struct archive_coverage *c)
{
    archive_texts_free(&c->missing_name);
    archive_texts_free(&c->extra_name);
    archive_texts_free(&c->different_name);
}

void archive_coverage_count(struct archive_coverage *out, uint64_t expected, uint64_t found)
{
    *out = (struct archive_coverage){.complete = expected == found, .expected = expected, .found = found};
    (void)snprintf(out->text, sizeof out->text, "%llu items, expected were %llu", (unsigned long long)found,
                   (unsigned long long)expected);
}

/* ---- the list -------------------------------------------------------------------------------------------------------
 */

static int read_text(struct manifest *m, const char *directory, const char *file, cs_error *e)
{
    struct stat st;
    int at = directory != NULL && file[0] != '/' ? open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC) : AT_FDCWD;
    int fd = at >= 0 || at == AT_FDCWD ? openat(at, file, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
    int rc = -1;
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > MANIFEST_MAX) {
        cs_error_set(e, CS_EXIT_USAGE, "manifest-unreadable", "the manifest %.300s cannot be read: %s", file,
                     fd < 0 ? strerror(errno) : "no file, or too large");
        goto out;
    }
    m->text = malloc((size_t)st.st_size + 1);
    while (m->text != NULL && m->n_text < (size_t)st.st_size) {
        ssize_t got = read(fd, m->text + m->n_text, (size_t)st.st_size - m->n_text);
        if (got <= 0 && errno != EINTR) {
            break;
        }
        m->n_text += got > 0 ? (size_t)got : 0;
    }
    rc = m->text != NULL && m->n_text == (size_t)st.st_size
             ? 0
             : cs_error_set(e, CS_EXIT_USAGE, "manifest-unreadable", "the manifest %.300s cannot be read to its end",
                            file);
    if (rc == 0) {
        m->text[m->n_text] = '\0';
    }
out:
    if (fd >= 0) {
        close(fd);
    }
    if (at >= 0) {
        close(at);
    }
    return rc;
}

/* "\\n" and "\\\\" of an escaped name, in place. */
static void unescape(char *name)
{
    char *out = name;
    for (const char *p = name; *p != '\0'; p++) {
        if (*p == '\\' && p[1] != '\0') {
            p++;
            *out++ = *p == 'n' ? '\n' : *p == 'r' ? '\r' : *p;
        } else {
            *out++ = *p;
        }
    }
    *out = '\0';
}

static bool read_line(char *text, struct line *l)
{
    bool escaped = text[0] == '\\';
    text += escaped ? 1 : 0;
    if (strlen(text) < 67 || text[64] != ' ' || (text[65] != ' ' && text[65] != '*')) {
        return false;
    }
    text[64] = '\0';
    if (cs_unhex(text, l->hash, 32) != 0) {
        return false;
    }
    char *name = text + 66;
    if (escaped) {
        unescape(name);
    }
    while (name[0] == '.' && name[1] == '/') {
        name += 2;
    }
    l->name = name;
    return true;
}

static int by_hash(const void *a, const void *b)
{
    return memcmp(a, b, 32); /* the hash stands first; one of the two may be a hash alone */
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct line *const *)a)->name, (*(struct line *const *)b)->name);
}

static int read_manifest(struct manifest *m, const char *directory, const char *file, cs_error *e)
{
    size_t lines = 1;
    size_t number = 0;
    if (read_text(m, directory, file, e) != 0) {
        return -1;
    }
    for (size_t i = 0; i < m->n_text; i++) {
        lines += m->text[i] == '\n' ? 1 : 0;
    }
    m->line = calloc(lines, sizeof *m->line);
    m->by_name = calloc(lines, sizeof *m->by_name);
    if (m->line == NULL || m->by_name == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "no memory for the manifest");
    }
    for (char *p = m->text; *p != '\0';) {
        char *end = strchrnul(p, '\n');
        char *next = *end != '\0' ? end + 1 : end;
        *end = '\0';
        number++;
        if (end > p && !read_line(p, &m->line[m->n++])) {
            return cs_error_set(e, CS_EXIT_USAGE, "manifest-unreadable",
                                "%.300s:%zu: not a SHA-256 in hexadecimal, two blanks and a name", file, number);
        }
        p = next;
    }
    qsort(m->line, m->n, sizeof *m->line, by_hash);
    for (size_t i = 0; i < m->n; i++) {
        m->by_name[i] = &m->line[i];
    }
    qsort(m->by_name, m->n, sizeof *m->by_name, by_name);
    return 0;
}

/* ---- records against it
 * ---------------------------------------------------------------------------------------------- */

/* A line of that hash that no item has taken yet, NULL: there is none. */
static struct line *line_of(const struct manifest *m, const uint8_t hash[32])
{
    size_t low = 0;
    size_t high = m->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(m->line[middle].hash, hash, 32) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < m->n && memcmp(m->line[low].hash, hash, 32) == 0; low++) {
        if (!m->line[low].seen) {
            return &m->line[low];
        }
    }
    return NULL;
}

static struct line *line_named(const struct manifest *m, const char *name)
{
    struct line wanted = {.name = name};
    struct line *key = &wanted;
    struct line **found = m->n > 0 ? bsearch(&key, m->by_name, m->n, sizeof key, by_name) : NULL;
    return found != NULL ? *found : NULL;
}

/* By its loc, or the end of it: who made the list stood somewhere else. */
static struct line *line_like(const struct manifest *m, const char *loc)
{
    const char *member = strrchr(loc, '!');
    char *name = strdup(member != NULL ? member + 1 : loc);
    char *number = name != NULL && member != NULL ? strrchr(name, '#') : NULL;
    if (number != NULL) {
        *number = '\0';
    }
    struct line *found = line_named(m, loc);
    for (const char *p = name; found == NULL && p != NULL; p = strchr(p, '/')) {
        p += *p == '/' ? 1 : 0;
        found = line_named(m, p);
    }
    free(name);
    return found;
}

/* For people: without memory there is one name less. */
static void name_it(struct archive_texts *list, const char *name)
{
    int rc = list->n < ARCHIVE_NAMED ? archive_texts_add(list, name) : 0;
    (void)rc;
}

static void take_record(struct archive_coverage *out, const struct manifest *m, const struct archive_record *r,
                        bool names)
{
    struct line *l = r->has_payload ? line_of(m, r->payload_sha256) : NULL;
    if (!names) {
        if (l != NULL) {
            l->seen = true;
            out->found++;
        }
        return;
    }
    struct line *same = line_like(m, r->loc);
    if (same != NULL && !same->seen && !same->different) {
        same->different = true;
        out->different++;
        name_it(&out->different_name, r->loc);
    } else {
        out->extra++;
        name_it(&out->extra_name, r->loc);
    }
}

/* Twice through the records: which hashes are there at all, then what those are that have no line. Which of equal ones
 * is the extra one does not matter. */
static int compare(struct archive_coverage *out, struct manifest *m, int fd, cs_error *e)
{
    struct archive_record record;
    for (int pass = 0; pass < 2; pass++) {
        struct archive_reader *r = NULL;
        int rc = archive_reader_fd(&r, fd, e);
        while (rc == 0 && (rc = archive_reader_next(r, &record, e)) == 1) {
            bool there = record.has_payload && pass == 1 &&
                         bsearch(record.payload_sha256, m->line, m->n, sizeof *m->line, by_hash) != NULL;
            if (pass == 0 || !there) {
                take_record(out, m, &record, pass == 1);
            }
            archive_record_clear(&record);
            rc = 0;
        }
        archive_record_clear(&record);
        archive_reader_close(r);
        if (rc != 0) {
            return -1;
        }
    }
    return 0;
}

int archive_coverage_manifest(struct archive_coverage *out, const char *directory, const char *file, int fd,
                              cs_error *e)
{
    struct manifest m = {.text = NULL};
    *out = (struct archive_coverage){.complete = false};
    int rc = read_manifest(&m, directory, file, e);
    if (rc == 0) {
        rc = compare(out, &m, fd, e);
    }
    for (size_t i = 0; rc == 0 && i < m.n; i++) {
        if (!m.line[i].seen && !m.line[i].different) {
            out->missing++;
            name_it(&out->missing_name, m.line[i].name);
        }
    }
    if (rc == 0) {
        out->expected = m.n;
        out->complete = out->missing == 0 && out->extra == 0 && out->different == 0;
        (void)snprintf(out->text, sizeof out->text, "%llu of %llu, %llu missing, %llu different, %llu extra",
                       (unsigned long long)out->found, (unsigned long long)out->expected,
                       (unsigned long long)out->missing, (unsigned long long)out->different,
                       (unsigned long long)out->extra);
    }
    free(m.text);
    free(m.line);
    free(m.by_name);
    return rc;
}
