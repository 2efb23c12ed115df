/* SPDX-License-Identifier: Apache-2.0 */
/* walk.c: see walk.h. Directories are held open by descriptor, so that no path grows too long and none is swapped below
 * us. */
#include "archive/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "archive/timestamp.h"

#define DEPTH_MAX 64
#define TOKEN     ".tsr"
#define LIST_MAX  ((size_t)1 << 30) /* octets of a list of names */

/** Names of one directory, sorted; or of a list, as they stand. */
struct level {
    int fd;       /* owned: the directory; that where the run began for lists */
    char *text;   /* owned: names, each with its NUL */
    uint32_t *at; /* owned: where they begin */
    size_t n, next;
    size_t loc;  /* octets of the loc that stand for the directory */
    bool listed; /* names of a person: links are followed */
    bool plain;  /* "-" and "@" mean nothing special: names that came out of a list */
};

struct archive_walk {
    int start; /* owned: where relative operands begin */
    struct level level[DEPTH_MAX];
    size_t depth;
    cs_buf loc;
};

/* ---- names ----------------------------------------------------------------------------------------------------------
 */

struct names {
    cs_buf text;
    uint32_t *at;
    size_t n, cap;
};

static int names_add(struct names *k, const char *name, size_t n)
{
    if (k->n == k->cap) {
        size_t cap = k->cap == 0 ? 64 : k->cap * 2;
        uint32_t *grown = reallocarray(k->at, cap, sizeof *grown);
        if (grown == NULL) {
            return -1;
        }
        k->at = grown;
        k->cap = cap;
    }
    if (k->text.len + n + 1 > UINT32_MAX) {
        return -1;
    }
    k->at[k->n++] = (uint32_t)k->text.len;
    return cs_buf_add(&k->text, name, n) == 0 ? cs_buf_addc(&k->text, '\0') : -1;
}

static void names_free(struct names *k)
{
    cs_buf_free(&k->text);
    free(k->at);
}

static int by_octets(const void *a, const void *b, void *text)
{
    return strcmp((const char *)text + *(const uint32_t *)a, (const char *)text + *(const uint32_t *)b);
}

static struct level *push(struct archive_walk *w, int fd, struct names *k)
{
    struct level *l = &w->level[w->depth++];
    *l = (struct level){.fd = fd, .text = k->text.data, .at = k->at, .n = k->n, .loc = w->loc.len};
    *k = (struct names){.text = CS_BUF_INIT};
    return l;
}

static void pop(struct archive_walk *w)
{
    struct level *l = &w->level[--w->depth];
    if (l->fd >= 0) {
        close(l->fd);
    }
    free(l->text);
    free(l->at);
}

/* ---- directories ----------------------------------------------------------------------------------------------------
 */

/* @return 0: the directory is the next level; -1 with trouble told (fd is closed) */
static int enter(struct archive_walk *w, int fd, struct archive_item *item)
{
    struct names k = {.text = CS_BUF_INIT};
    struct dirent *entry = NULL;
    int own = dup(fd);
    DIR *directory = own >= 0 ? fdopendir(own) : NULL;
    int rc = -1;
    if (directory == NULL) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "the directory cannot be read: %s", strerror(errno));
        goto out;
    }
    if (w->depth == DEPTH_MAX) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "directories lie more than %d deep", DEPTH_MAX);
        goto out;
    }
    for (errno = 0; (entry = readdir(directory)) != NULL; errno = 0) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            names_add(&k, entry->d_name, strlen(entry->d_name)) != 0) {
            archive_item_trouble(item, WSSEC_OUT_OF_MEMORY, "no memory for the names of the directory");
            goto out;
        }
    }
    if (errno != 0) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "the directory cannot be read: %s", strerror(errno));
        goto out;
    }
    if (k.n > 0) {
        qsort_r(k.at, k.n, sizeof *k.at, by_octets, k.text.data);
    }
    (void)push(w, fd, &k);
    fd = -1;
    rc = 0;
out:
    if (directory != NULL) {
        (void)closedir(directory);
    } else if (own >= 0) {
        close(own);
    }
    if (fd >= 0) {
        close(fd);
    }
    names_free(&k);
    return rc;
}

/* ---- lists ----------------------------------------------------------------------------------------------------------
 */

/* ./a/b/ is a/b: one file has one loc. @return octets of what is left of *name */
static size_t plain_name(const char **name)
{
    const char *p = *name;
    size_t n = strlen(p);
    while (n > 1 && p[n - 1] == '/') {
        n--;
    }
    while (n > 2 && p[0] == '.' && p[1] == '/') {
        p += 2;
        n -= 2;
        while (n > 1 && p[0] == '/') {
            p++;
            n--;
        }
    }
    *name = p;
    return n;
}

/* Whether name is other, or lies below it: each item of it would come twice. */
static bool within(const char *name, const char *other)
{
    size_t n = plain_name(&name);
    size_t m = plain_name(&other);
    return n >= m && memcmp(name, other, m) == 0 &&
           (n == m || ((name[m] == '/' || other[m - 1] == '/') && name[0] != '@'));
}

/* '/' comes first: what lies below a directory stands right behind it. Equal ones by their places. */
static int by_plain_name(const void *a, const void *b, void *text)
{
    const uint32_t at = *(const uint32_t *)a;
    const uint32_t bt = *(const uint32_t *)b;
    const char *p = (const char *)text + at;
    const char *q = (const char *)text + bt;
    size_t n = plain_name(&p);
    size_t m = plain_name(&q);
    size_t i = 0;
    while (i < n && i < m && p[i] == q[i]) {
        i++;
    }
    int left = i == n ? -1 : p[i] == '/' ? 0 : (uint8_t)p[i];
    int right = i == m ? -1 : q[i] == '/' ? 0 : (uint8_t)q[i];
    return left != right ? left - right : at < bt ? -1 : at > bt;
}

static int by_place(const void *a, const void *b)
{
    const uint32_t at = *(const uint32_t *)a;
    const uint32_t bt = *(const uint32_t *)b;
    return at < bt ? -1 : at > bt;
}

/* What is named again, itself or with its directory, is the same item. The rest keeps its order. @return whether there
 * was such a name; *one, *other: the last one and that which has it; borrowed from k */
static bool drop_repeated(struct names *k, const char **one, const char **other)
{
    size_t left = 0;
    size_t all = k->n;
    if (all < 2) {
        return false;
    }
    qsort_r(k->at, k->n, sizeof *k->at, by_plain_name, k->text.data);
    for (size_t i = 0; i < k->n; i++) {
        const char *name = k->text.data + k->at[i];
        const char *before = left > 0 ? k->text.data + k->at[left - 1] : NULL;
        if (before != NULL && within(name, before)) {
            *one = name;
            *other = before;
        } else {
            k->at[left++] = k->at[i];
        }
    }
    k->n = left;
    qsort(k->at, k->n, sizeof *k->at, by_place);
    return left < all;
}

/* Names of text become a level. NUL ends names where there is one, so that names may hold line feeds. */
static int push_names(struct archive_walk *w, const char *text, size_t n)
{
    struct names k = {.text = CS_BUF_INIT};
    char end = memchr(text, '\0', n) != NULL ? '\0' : '\n';
    int rc = w->depth < DEPTH_MAX ? 0 : -1;
    for (size_t from = 0; rc == 0 && from < n;) {
        const char *stop = memchr(text + from, end, n - from);
        size_t length = stop != NULL ? (size_t)(stop - text) - from : n - from;
        if (length > 0) {
            rc = names_add(&k, text + from, length);
        }
        from += length + 1;
    }
    int fd = rc == 0 ? dup(w->start) : -1;
    if (fd >= 0) {
        const char *one = NULL;
        const char *other = NULL;
        (void)drop_repeated(&k, &one, &other);
        struct level *l = push(w, fd, &k);
        l->loc = 0;
        l->listed = l->plain = true;
    }
    names_free(&k);
    return fd >= 0 ? 0 : -1;
}

int archive_walk_names(struct archive_walk *w, char *text, size_t n)
{
    int rc = push_names(w, text, n);
    free(text);
    return rc;
}

/* "@FILE" */
static void read_list(struct archive_walk *w, const char *file, struct archive_item *item)
{
    cs_buf text = CS_BUF_INIT;
    ssize_t n = 1;
    int fd = openat(w->start, file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    while (fd >= 0 && n > 0 && text.len < LIST_MAX && cs_buf_reserve(&text, 65536) == 0) {
        n = read(fd, text.data + text.len, 65536);
        text.len += n > 0 ? (size_t)n : 0;
    }
    if (fd < 0 || n < 0) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "the list cannot be read: %s", strerror(errno));
    } else if (n > 0 || text.failed || (text.len > 0 && push_names(w, text.data, text.len) != 0)) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "the list is too long");
    }
    if (fd >= 0) {
        close(fd);
    }
    cs_buf_free(&text);
}

/* ---- files ----------------------------------------------------------------------------------------------------------
 */

/* Beneath at, links too; kernels before 5.6 follow none. Never blocks on a FIFO. */
static int open_beneath(int at, const char *name)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, at, name, &how, sizeof how);
    return fd < 0 && errno == ENOSYS ? openat(at, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW) : fd;
}

/* A link in a tree: its target counts where it is a file at or below the same place. */
static int open_link(const struct level *l, const char *name, struct archive_item *item)
{
    int fd = open_beneath(l->fd, name);
    if (fd < 0) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "a link %s: %s",
                             errno == EXDEV ? "that leaves its directory is not followed" : "leads nowhere",
                             strerror(errno));
    }
    struct stat st;
    if (fd >= 0 && (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode))) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "a link to a directory is not followed");
        close(fd);
        fd = -1;
    }
    return fd;
}

static int open_name(const struct level *l, const char *name, struct archive_item *item)
{
    struct stat st;
    int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    if (!l->listed) {
        if (fstatat(l->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode)) {
            return open_link(l, name, item);
        }
        flags |= O_NOFOLLOW;
    }
    int fd = openat(l->fd, name, flags);
    if (fd < 0) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "it cannot be opened: %s", strerror(errno));
    }
    return fd;
}

static void loc_of(struct archive_walk *w, const struct level *l, const char *name)
{
    size_t n = l->listed ? plain_name(&name) : strlen(name);
    w->loc.len = l->loc;
    archive_loc_add(&w->loc, name, n);
}

/* What was opened is a file to be read, or a directory to be entered. @return 1: *fd or trouble is for the caller; 0:
 * go on */
static int found(struct archive_walk *w, int *fd, struct stat *st, struct archive_item *item)
{
    if (fstat(*fd, st) != 0) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "it cannot be looked at: %s", strerror(errno));
    } else if (S_ISDIR(st->st_mode)) {
        if (w->loc.len == 0 || w->loc.data[w->loc.len - 1] != '/') {
            (void)cs_buf_addc(&w->loc, '/');
        }
        int directory = *fd;
        *fd = -1;
        return enter(w, directory, item) == 0 ? 0 : 1;
    } else if (!S_ISREG(st->st_mode)) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "neither a file nor a directory");
    } else {
        item->mtime = (cs_time)st->st_mtime;
        return 1;
    }
    close(*fd);
    *fd = -1;
    return 1;
}

static int standard_input(int *fd, struct stat *st, struct archive_item *item)
{
    *fd = dup(STDIN_FILENO);
    if (*fd < 0 || fstat(*fd, st) != 0) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "standard input cannot be read: %s", strerror(errno));
    }
    return 1;
}

/* ---- time-stamp tokens ---------------------------------------------------------------------------------------------
 */

/* "x.tsr" beside "x" is no item where it begins as a token does, and as no message can. @return whether it is one */
static bool is_token(const struct level *l, const char *name, int fd)
{
    uint8_t begin[2];
    struct stat st;
    size_t n = strlen(name);
    if (n <= sizeof TOKEN - 1 || strcmp(name + n - (sizeof TOKEN - 1), TOKEN) != 0 ||
        pread(fd, begin, sizeof begin, 0) != (ssize_t)sizeof begin || !archive_token_begins(begin, sizeof begin)) {
        return false;
    }
    char *base = strndup(name, n - (sizeof TOKEN - 1));
    bool beside = base != NULL && fstatat(l->fd, base, &st, 0) == 0 && S_ISREG(st.st_mode);
    free(base);
    return beside;
}

/* Names of a directory are here, sorted: no need to ask the system for each file. Of a list nothing is known. */
static bool may_have(const struct level *l, const char *name)
{
    size_t from = 0;
    for (size_t to = l->n; !l->listed && from < to;) {
        size_t middle = from + (to - from) / 2;
        int order = strcmp(name, l->text + l->at[middle]);
        if (order == 0) {
            return true;
        }
        from = order > 0 ? middle + 1 : from;
        to = order < 0 ? middle : to;
    }
    return l->listed;
}

/* What lies beside a file as its token, links to elsewhere not followed in trees; it is judged later. */
static void take_token(const struct level *l, const char *name, struct archive_item *item)
{
    char *path = NULL;
    struct stat st;
    if (asprintf(&path, "%s" TOKEN, name) < 0) {
        return;
    }
    int fd = -1;
    bool none = !may_have(l, path);
    if (!none) {
        fd = l->listed ? openat(l->fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : open_beneath(l->fd, path);
        none = fd < 0 && errno == ENOENT;
    }
    free(path);
    item->token = none ? NULL : malloc(ARCHIVE_TOKEN_MAX + 1);
    if (item->token != NULL && fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        ssize_t got = pread(fd, item->token, ARCHIVE_TOKEN_MAX + 1, 0);
        item->token_n = got > 0 && got <= ARCHIVE_TOKEN_MAX ? (size_t)got : 0;
    }
    if (fd >= 0) {
        close(fd);
    }
}

int archive_walk_next(struct archive_walk *w, int *fd, struct stat *st, struct archive_item *item)
{
    *fd = -1;
    while (w->depth > 0) {
        struct level *l = &w->level[w->depth - 1];
        if (l->next == l->n) {
            pop(w);
            continue;
        }
        const char *name = l->text + l->at[l->next++];
        loc_of(w, l, name);
        bool operand = l->listed && !l->plain;
        bool list = operand && name[0] == '@';
        free(item->loc);
        item->loc = w->loc.failed ? NULL : strndup(w->loc.data, w->loc.len);
        if (item->loc == NULL) {
            archive_item_trouble(item, WSSEC_OUT_OF_MEMORY, "no memory for its name");
            return 1;
        }
        if (operand && strcmp(name, "-") == 0) {
            return standard_input(fd, st, item);
        }
        if (list) {
            read_list(w, name + 1, item);
        } else {
            *fd = open_name(l, name, item);
        }
        if (item->trouble != WSSEC_OK) {
            return 1;
        }
        if (list || found(w, fd, st, item) == 0) {
            continue;
        }
        if (*fd >= 0 && is_token(l, name, *fd)) {
            close(*fd);
            *fd = -1;
            item->mtime = 0;
            continue;
        }
        if (*fd >= 0) {
            take_token(l, name, item);
        }
        return 1;
    }
    archive_item_clear(item); /* the name of a directory in which nothing was */
    return 0;
}

/* ---- life -----------------------------------------------------------------------------------------------------------
 */

int archive_walk_new(struct archive_walk **out, const struct archive_texts *operand, const char *directory, cs_error *e)
{
    struct names k = {.text = CS_BUF_INIT};
    struct archive_walk *w = calloc(1, sizeof *w);
    int rc = 0;
    *out = NULL;
    for (size_t i = 0; w != NULL && rc == 0 && i < operand->n; i++) {
        rc = names_add(&k, operand->text[i], strlen(operand->text[i]));
    }
    const char *one = NULL;
    const char *other = NULL;
    if (w == NULL || rc != 0) {
        cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    } else if (drop_repeated(&k, &one, &other)) {
        rc = cs_error_set(e, CS_EXIT_USAGE, "usage", "%.300s and %.300s: items would be judged twice", other, one);
    }
    if (w == NULL || rc != 0) {
        free(w);
        names_free(&k);
        return -1;
    }
    w->start = open(directory != NULL ? directory : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (w->start < 0) {
        cs_error_set(e, CS_EXIT_UNAVAILABLE, "not-read", "%.300s, where the run began: %s",
                     directory != NULL ? directory : ".", strerror(errno));
        free(w);
        names_free(&k);
        return -1;
    }
    struct level *l = push(w, dup(w->start), &k);
    l->listed = true;
    *out = w;
    return 0;
}

void archive_walk_free(struct archive_walk *w)
{
    if (w != NULL) {
        while (w->depth > 0) {
            pop(w);
        }
        close(w->start);
        cs_buf_free(&w->loc);
        free(w);
    }
}
