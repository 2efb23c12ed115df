/* SPDX-License-Identifier: Apache-2.0 */
/* feed.c: see feed.h. */
#include "archive/feed.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/asic.h"
#include "archive/container.h"
#include "archive/done.h"
#include "archive/lines.h"
#include "archive/linking.h"
#include "archive/timestamp.h"
#include "archive/walk.h"

#include "base/capture.h"

#define NESTING_MAX 8
#define NAMES_MOST  ((uint64_t)1 << 30)

/** What is being read through: an archive or lines. */
struct source {
    char *loc; /* owned */
    struct archive_container *container;
    struct archive_lines *lines;
    int spool; /* owned; a copy that can be sought in, -1: none */
};

struct archive_feed {
    const struct archive_order *order;
    const struct archive_done *done;
    uint64_t next;
    struct archive_room room;
    struct archive_walk *walk;
    struct source source[NESTING_MAX + 1];
    size_t depth;
    struct archive_item held;     /* owned: the next one, looked at for a token; loc NULL: none */
    struct archive_item *waiting; /* a member behind which its token may lie, while that is looked for; NULL: none */
    char *last;                   /* owned: loc of the last member, whether it was given out or not */
    /* the file that is open */
    int fd;
    struct stat st;
    struct archive_bytes file;
    bool seeks;             /* a zip or 7z: its reader goes where it likes */
    uint64_t before, place; /* octets of the files before, of this one so far */
    uint64_t octets;        /* of both, for who looks from another thread */
};

static void went_to(struct archive_feed *f, uint64_t place)
{
    f->place = place > f->place ? place : f->place;
    __atomic_store_n(&f->octets, f->before + f->place, __ATOMIC_RELAXED);
}

static ssize_t read_file(void *ctx, uint8_t *p, size_t n, struct archive_item *item)
{
    struct archive_feed *f = ctx;
    ssize_t got = 0;
    do {
        got = read(f->fd, p, n);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "it cannot be read: %s", strerror(errno));
    } else {
        went_to(f, f->place + (uint64_t)got);
    }
    return got;
}

/* Somebody wrote to it meanwhile: what was read is neither what was nor what is. */
static bool changed(const struct archive_feed *f)
{
    struct stat now;
    return S_ISREG(f->st.st_mode) &&
           (fstat(f->fd, &now) != 0 || now.st_size != f->st.st_size || now.st_mtim.tv_sec != f->st.st_mtim.tv_sec ||
            now.st_mtim.tv_nsec != f->st.st_mtim.tv_nsec || now.st_ctim.tv_sec != f->st.st_ctim.tv_sec ||
            now.st_ctim.tv_nsec != f->st.st_ctim.tv_nsec);
}

static void close_file(struct archive_feed *f)
{
    if (f->fd >= 0) {
        went_to(f, S_ISREG(f->st.st_mode) ? (uint64_t)f->st.st_size : f->place);
        f->before += f->place;
        f->place = 0;
        f->seeks = false;
        close(f->fd);
        f->fd = -1;
    }
    archive_bytes_reset(&f->file);
}

/* ---- which items ----------------------------------------------------------------------------------------------------
 */

static bool wanted(const struct archive_feed *f, const struct archive_item *item)
{
    uint8_t hash[32];
    uint64_t shard = 0;
    if (f->order->shards > 1) {
        if (EVP_Digest(item->loc, strlen(item->loc), hash, NULL, EVP_sha256(), NULL) != 1) {
            return true; /* no memory: rather twice than never */
        }
        for (int i = 0; i < 8; i++) {
            shard = shard << 8 | hash[i];
        }
        if (shard % f->order->shards != f->order->shard) {
            return false;
        }
    }
    return f->done == NULL || !archive_done_has(f->done, item->loc);
}

/* @return 1: item is given out; 0: it is passed over, and empty again */
static int give(struct archive_feed *f, struct archive_item *item)
{
    if (item->loc == NULL || !wanted(f, item)) {
        archive_item_clear(item);
        return 0;
    }
    item->seq = f->next++;
    return 1;
}

/* ---- archives -------------------------------------------------------------------------------------------------------
 */

static void pop(struct archive_feed *f)
{
    struct source *s = &f->source[--f->depth];
    archive_container_close(s->container);
    archive_lines_close(s->lines);
    if (s->spool >= 0) {
        close(s->spool);
    }
    free(s->loc);
}

/* A copy of what can be read once only, for zip and 7z. @return a descriptor, or -1 with trouble told */
static int spool(struct archive_feed *f, struct archive_bytes *b, struct archive_item *item)
{
    struct archive_item copy = ARCHIVE_ITEM_INIT;
    struct archive_room room = {.most = f->depth == 0 ? UINT64_MAX / 2 : f->room.most, .in_memory = 0};
    archive_bytes_take(b, &room, &copy);
    int fd = copy.fd;
    copy.fd = -1;
    archive_item_trouble(item, copy.trouble, "%.200s", copy.detail);
    if (fd < 0 && copy.trouble == WSSEC_OK) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "the archive is empty");
    }
    archive_item_clear(&copy);
    return fd;
}

/* item becomes a source of items. @return 0: read on there; 1: trouble is told */
static int open_source(struct archive_feed *f, enum archive_form form, struct archive_bytes *b,
                       struct archive_item *item)
{
    struct source *s = &f->source[f->depth];
    const struct archive_limits limits = {f->order->max_ratio, f->order->max_members, f->order->max_member};
    const struct archive_lines_how how = {f->order->ndjson_field, f->order->ndjson_text, f->order->max_member};
    int fd = -1;
    *s = (struct source){.loc = strdup(item->loc), .spool = -1};
    if (s->loc == NULL) {
        archive_item_trouble(item, WSSEC_OUT_OF_MEMORY, "no memory");
        return 1;
    }
    if (form == ARCHIVE_LINES) {
        s->lines = archive_lines_open(b, s->loc, &how);
    } else {
        if (form == ARCHIVE_SEEK_CONTAINER && f->depth == 0 && S_ISREG(f->st.st_mode)) {
            fd = f->fd;
            f->seeks = true;
        } else if (form == ARCHIVE_SEEK_CONTAINER) {
            fd = s->spool = spool(f, b, item);
        }
        if (item->trouble == WSSEC_OK) {
            s->container = archive_container_open(b, fd, s->loc, &limits, item);
        }
    }
    f->depth++;
    if (s->lines == NULL && s->container == NULL) {
        archive_item_trouble(item, WSSEC_OUT_OF_MEMORY, "no memory");
        pop(f);
        return 1;
    }
    archive_item_clear(item);
    return 0;
}

/* ---- one file or member
 * ---------------------------------------------------------------------------------------------- */

/* Names came by standard input: operands from here on. */
static int take_names(struct archive_feed *f, struct archive_bytes *b, struct archive_item *item)
{
    const struct archive_room room = {.most = NAMES_MOST, .in_memory = (size_t)NAMES_MOST};
    struct archive_item names = ARCHIVE_ITEM_INIT;
    archive_bytes_take(b, &room, &names);
    archive_item_trouble(item, names.trouble, "%.200s", names.detail);
    if (names.trouble == WSSEC_OK) {
        char *text = (char *)names.data;
        names.data = NULL;
        if (archive_walk_names(f->walk, text, (size_t)names.size) != 0) {
            archive_item_trouble(item, WSSEC_OUT_OF_MEMORY, "no memory for the names");
        }
    }
    archive_item_clear(&names);
    if (item->trouble == WSSEC_OK) {
        archive_item_clear(item);
        return 0;
    }
    return give(f, item);
}

/* ---- time-stamp tokens ----------------------------------------------------------------------------------------------
 */

/* "a.tar!x.xml.tsr#0" right behind "a.tar!x.xml#0", and not what a message begins with. */
static bool is_token(const struct archive_feed *f, const char *loc, const uint8_t *p, size_t n)
{
    static const char tail[] = ".tsr#0";
    size_t size = strlen(loc);
    size_t base = f->last != NULL ? strlen(f->last) : 0;
    return base > 2 && strcmp(f->last + base - 2, "#0") == 0 && size == base - 2 + sizeof tail - 1 &&
           memcmp(loc, f->last, base - 2) == 0 && strcmp(loc + base - 2, tail) == 0 && archive_token_begins(p, n);
}

/* It goes with the member that waits for it; one whose member is done already is passed over with it. */
static void take_token(struct archive_feed *f, struct archive_bytes *b, struct archive_item *item)
{
    const struct archive_room room = {.most = ARCHIVE_TOKEN_MAX, .in_memory = ARCHIVE_TOKEN_MAX};
    struct archive_item token = ARCHIVE_ITEM_INIT;
    archive_bytes_take(b, &room, &token);
    if (f->waiting != NULL && f->waiting->token == NULL && strcmp(f->waiting->loc, f->last) == 0) {
        bool good = token.trouble == WSSEC_OK;
        f->waiting->token = good ? token.data : malloc(1);
        f->waiting->token_n = good ? (size_t)token.size : 0; /* too long: there was one, and it cannot be read */
        token.data = good ? NULL : token.data;
    }
    archive_item_clear(&token);
    archive_item_clear(item);
}

/* @return 1: item is given out; 0: it was a source, or is passed over */
static int consider(struct archive_feed *f, struct archive_bytes *b, struct archive_item *item)
{
    const uint8_t *p = NULL;
    size_t n = 0;
    if (archive_bytes_peek(b, &p, &n, item) != 0) {
        return give(f, item);
    }
    if (n >= sizeof CS_CAPTURE_STATE - 1 && memcmp(p, CS_CAPTURE_STATE, sizeof CS_CAPTURE_STATE - 1) == 0) {
        archive_item_clear(item); /* lies beside captures, and no message begins so */
        return 0;
    }
    bool member = f->depth > 0 && f->source[f->depth - 1].container != NULL;
    if (member && is_token(f, item->loc, p, n)) {
        take_token(f, b, item);
        return 0;
    }
    if (member) {
        free(f->last);
        f->last = strdup(item->loc); /* no memory: a token behind it is an item, which says so */
    }
    if (f->depth > 0 && archive_linking_is(p, n, item->loc)) {
        archive_item_clear(item); /* lies beside signed containers */
        return 0;
    }
    enum archive_form form = archive_sniff(p, n);
    if (form == ARCHIVE_SEEK_CONTAINER && archive_asic_is(p, n, item->loc)) {
        form = ARCHIVE_MESSAGE;
    }
    if (form == ARCHIVE_UNKNOWN && f->depth == 0 && strcmp(item->loc, "-") == 0) {
        return take_names(f, b, item);
    }
    if (form == ARCHIVE_PACKED || form == ARCHIVE_CONTAINER || form == ARCHIVE_SEEK_CONTAINER ||
        form == ARCHIVE_LINES) {
        if (f->depth >= f->order->max_nesting || f->depth >= NESTING_MAX) {
            archive_item_trouble(item, WSSEC_LIMIT_NESTING, "it lies in %zu archives, and is one itself", f->depth);
            return give(f, item);
        }
        return open_source(f, form, b, item) == 0 ? 0 : give(f, item);
    }
    if (!wanted(f, item)) {
        archive_item_clear(item);
        return 0;
    }
    archive_bytes_take(b, &f->room, item);
    if (f->depth == 0 && item->trouble == WSSEC_OK &&
        (changed(f) || (S_ISREG(f->st.st_mode) && item->size != (uint64_t)f->st.st_size))) {
        archive_item_trouble(item, WSSEC_IO_ERROR, "the file was changed while it was read");
        free(item->data);
        item->data = NULL;
    }
    return give(f, item);
}

/* The file that all open sources lie in ends. @return as give */
static int end_of_sources(struct archive_feed *f, struct archive_item *item)
{
    char *loc = f->source[0].loc;
    f->source[0].loc = NULL;
    pop(f);
    bool bad = changed(f);
    close_file(f);
    if (!bad) {
        free(loc);
        return 0;
    }
    item->loc = loc;
    archive_item_trouble(item, WSSEC_IO_ERROR, "the file was changed while it was read");
    return give(f, item);
}

static int from_source(struct archive_feed *f, struct archive_item *item)
{
    struct source *s = &f->source[f->depth - 1];
    struct archive_bytes *content = NULL;
    int rc =
        s->lines != NULL ? archive_lines_next(s->lines, item) : archive_container_next(s->container, item, &content);
    off_t at = f->seeks ? lseek(f->fd, 0, SEEK_CUR) : 0;
    if (at > 0 && at < f->st.st_size) { /* at its end lies the list of what is in it, which is read first */
        went_to(f, (uint64_t)at);
    }
    if (rc == 1) {
        return s->lines != NULL || item->trouble != WSSEC_OK ? give(f, item) : consider(f, content, item);
    }
    if (rc == 0) {
        archive_item_clear(item);
        if (f->depth == 1) {
            return end_of_sources(f, item);
        }
        pop(f);
        return 0;
    }
    pop(f);
    if (f->depth == 0) {
        close_file(f);
    }
    return give(f, item);
}

static int from_walk(struct archive_feed *f, struct archive_item *item)
{
    close_file(f);
    if (archive_walk_next(f->walk, &f->fd, &f->st, item) == 0) {
        return -1;
    }
    return f->fd < 0 ? give(f, item) : consider(f, &f->file, item);
}

static int next(struct archive_feed *f, struct archive_item *item)
{
    int rc = 0;
    while (rc == 0) {
        rc = f->depth > 0 ? from_source(f, item) : from_walk(f, item);
    }
    if (rc < 0) {
        archive_item_clear(item); /* the walk may have named a directory last */
    }
    return rc > 0;
}

int archive_feed_next(struct archive_feed *f, struct archive_item *item)
{
    if (f->held.loc != NULL) {
        *item = f->held;
        f->held = (struct archive_item)ARCHIVE_ITEM_INIT;
    } else if (next(f, item) == 0) {
        return 0;
    }
    bool member = f->depth > 0 && f->last != NULL && strcmp(item->loc, f->last) == 0;
    if (member && item->trouble == WSSEC_OK) {
        f->waiting = item;
        (void)next(f, &f->held);
        f->waiting = NULL;
    }
    return 1;
}

uint64_t archive_feed_octets(const struct archive_feed *f)
{
    return __atomic_load_n(&f->octets, __ATOMIC_RELAXED);
}

int archive_feed_new(struct archive_feed **out, const struct archive_order *order, const struct archive_done *done,
                     uint64_t first, size_t in_memory, cs_error *e)
{
    struct archive_feed *f = calloc(1, sizeof *f);
    *out = NULL;
    if (f == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    }
    f->order = order;
    f->done = done;
    f->next = first;
    f->room = (struct archive_room){order->max_member, in_memory};
    f->fd = -1;
    f->held = (struct archive_item)ARCHIVE_ITEM_INIT;
    f->file = (struct archive_bytes){.ctx = f, .read = read_file};
    if (archive_walk_new(&f->walk, &order->path, order->directory, e) != 0) {
        free(f);
        return -1;
    }
    *out = f;
    return 0;
}

void archive_feed_free(struct archive_feed *f)
{
    if (f != NULL) {
        while (f->depth > 0) {
            pop(f);
        }
        close_file(f);
        archive_item_clear(&f->held);
        free(f->last);
        archive_bytes_free(&f->file);
        archive_walk_free(f->walk);
        free(f);
    }
}
