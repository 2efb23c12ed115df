/* SPDX-License-Identifier: Apache-2.0 */
/* export.c: see export.h. The journal is read once, then the archive itself, for the octets of what was selected. */
#include "archive/export.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/export_private.h"
#include "archive/feed.h"
#include "archive/run.h"
#include "base/json.h"
#include "base/text.h"

#define IN_MEMORY ((size_t)1 << 20)

struct chosen {
    char *loc;  /* owned */
    char *line; /* owned; without line feed */
    uint64_t seq, leaf;
    uint8_t sha256[32];
    bool has_payload, found;
    uint8_t (*path)[32]; /* owned */
    size_t n_path;
    uint64_t at; /* of its node, on the level in work */
};

struct work {
    const struct archive_evidence *in;
    const struct archive_select *select;
    uint8_t (*leaf)[32]; /* owned */
    uint64_t n_leaf, cap_leaf;
    struct chosen *chosen; /* owned; by loc */
    size_t n;
    struct archive *zip;
    const char *file;
    cs_buf sums;
};

static int no_memory(cs_error *e)
{
    return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the evidence");
}

/* ---- records ----------------------------------------------------------------------------------------------------- */

static int choose(struct work *w, const struct archive_record *r, const char *line, size_t n, cs_error *e)
{
    struct chosen *more = reallocarray(w->chosen, w->n + 1, sizeof *more);
    if (more == NULL) {
        return no_memory(e);
    }
    w->chosen = more;
    struct chosen *c = &more[w->n];
    *c = (struct chosen){.loc = strdup(r->loc),
                         .line = strndup(line, n),
                         .seq = r->seq,
                         .leaf = w->n_leaf,
                         .at = w->n_leaf,
                         .has_payload = r->has_payload,
                         .path = calloc(ARCHIVE_MERKLE_LEVELS, sizeof *c->path)};
    memcpy(c->sha256, r->payload_sha256, sizeof c->sha256);
    w->n++;
    return c->loc != NULL && c->line != NULL && c->path != NULL ? 0 : no_memory(e);
}

static int take_line(struct work *w, const char *line, size_t n, cs_error *e)
{
    struct archive_record r;
    int rc = archive_record_read(&r, line, n, e);
    if (rc == 0 && archive_selected(w->select, &r)) {
        rc = choose(w, &r, line, n, e);
    }
    archive_record_clear(&r);
    if (rc == 0 && w->n_leaf == w->cap_leaf) {
        uint64_t cap = w->cap_leaf == 0 ? 1024 : w->cap_leaf * 2;
        uint8_t(*more)[32] = reallocarray(w->leaf, cap, sizeof *more);
        if (more == NULL) {
            return no_memory(e);
        }
        w->leaf = more;
        w->cap_leaf = cap;
    }
    if (rc == 0) {
        archive_merkle_leaf(line, n, w->leaf[w->n_leaf++]);
    }
    return rc;
}

static int read_records(struct work *w, cs_error *e)
{
    struct archive_reader *reader = NULL;
    const char *line = NULL;
    size_t n = 0;
    int rc = archive_reader_fd(&reader, w->in->fd, e) == 0 ? 1 : -1;
    while (rc == 1 && (rc = archive_reader_line(reader, &line, &n, e)) == 1) {
        rc = take_line(w, line, n - 1, e) == 0 ? 1 : -1;
    }
    archive_reader_close(reader);
    return rc;
}

/* All proofs at once, level by level; the last node is the root. */
static void prove(struct work *w, uint8_t root[32])
{
    if (w->n_leaf == 0) {
        SHA256(NULL, 0, root);
        return;
    }
    for (uint64_t n = w->n_leaf; n > 1; n = archive_merkle_up(w->leaf, n)) {
        for (size_t i = 0; i < w->n; i++) {
            struct chosen *c = &w->chosen[i];
            if ((c->at ^ 1) < n) {
                memcpy(c->path[c->n_path++], w->leaf[c->at ^ 1], 32);
            }
            c->at /= 2;
        }
    }
    memcpy(root, w->leaf[0], 32);
}

/* ---- the ZIP ------------------------------------------------------------------------------------------------------
 */

static int zip_error(const struct work *w, cs_error *e)
{
    const char *why = archive_error_string(w->zip);
    return cs_error_set(e, CS_EXIT_UNAVAILABLE, "export", "%.300s cannot be written: %s", w->file,
                        why != NULL ? why : strerror(errno));
}

static int put(struct work *w, const char *name, const void *p, size_t n, cs_error *e)
{
    uint8_t hash[32];
    char hex[65];
    struct archive_entry *entry = archive_entry_new();
    if (entry == NULL) {
        return no_memory(e);
    }
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)n);
    archive_entry_set_mtime(entry, (time_t)w->in->run->started, 0);
    bool good = archive_write_header(w->zip, entry) == ARCHIVE_OK &&
                (n == 0 || archive_write_data(w->zip, p, n) == (la_ssize_t)n);
    archive_entry_free(entry);
    SHA256(p, n, hash);
    cs_buf_addf(&w->sums, "%s  %s\n", cs_hex(hash, sizeof hash, hex), name);
    return good ? 0 : zip_error(w, e);
}

static int put_buffer(struct work *w, const char *name, cs_buf *b, cs_error *e)
{
    int rc = b->failed ? no_memory(e) : put(w, name, b->data, b->len, e);
    cs_buf_free(b);
    return rc;
}

static int by_seq(const void *a, const void *b)
{
    const struct chosen *x = a;
    const struct chosen *y = b;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int by_loc(const void *a, const void *b)
{
    return strcmp(((const struct chosen *)a)->loc, ((const struct chosen *)b)->loc);
}

static void sort(struct work *w, int (*compare)(const void *, const void *))
{
    if (w->n > 1) {
        qsort(w->chosen, w->n, sizeof *w->chosen, compare);
    }
}

static void write_proof(cs_buf *b, const struct work *w, const struct chosen *c)
{
    cs_json j;
    cs_json_begin(&j, b);
    cs_json_object(&j, NULL);
    cs_json_int(&j, "seq", (int64_t)c->seq);
    cs_json_int(&j, "leaf", (int64_t)c->leaf);
    cs_json_int(&j, "leaves", (int64_t)w->n_leaf);
    cs_json_array(&j, "path");
    for (size_t i = 0; i < c->n_path; i++) {
        cs_json_hex(&j, NULL, c->path[i], 32);
    }
    cs_json_array_end(&j);
    cs_json_object_end(&j);
    cs_buf_addc(b, '\n');
}

static int put_records(struct work *w, const uint8_t root[32], cs_error *e)
{
    cs_buf records = CS_BUF_INIT;
    cs_buf proofs = CS_BUF_INIT;
    cs_buf run = CS_BUF_INIT;
    char hex[66];
    sort(w, by_seq);
    for (size_t i = 0; i < w->n; i++) {
        cs_buf_addf(&records, "%s\n", w->chosen[i].line);
        write_proof(&proofs, w, &w->chosen[i]);
    }
    archive_run_write(w->in->run, &run);
    cs_hex(root, 32, hex);
    hex[64] = '\n';
    int rc = put_buffer(w, "run.json", &run, e);
    rc = rc == 0 ? put_buffer(w, "records.ndjson", &records, e) : rc;
    rc = rc == 0 ? put_buffer(w, "proofs.ndjson", &proofs, e) : rc;
    rc = rc == 0 ? put(w, "merkle-root", hex, 65, e) : rc;
    rc = rc == 0 && w->in->bundle != NULL ? put(w, "bundle.json", w->in->bundle, w->in->bundle_n, e) : rc;
    rc = rc == 0 && w->in->token != NULL ? put(w, "merkle-root.tsr", w->in->token, w->in->token_n, e) : rc;
    cs_buf_free(&records);
    cs_buf_free(&proofs);
    cs_buf_free(&run);
    return rc;
}

/* ---- payloads ---------------------------------------------------------------------------------------------------- */

static int put_item(struct work *w, struct chosen *c, const struct archive_item *item, cs_error *e)
{
    char name[64];
    uint8_t hash[32];
    const uint8_t *p = NULL;
    size_t n = 0;
    if (item->trouble != WSSEC_OK || archive_item_map(item, &p, &n) != 0) {
        return cs_error_set(e, CS_EXIT_GAP, "payload", "%.300s cannot be read any more: %.200s", c->loc, item->detail);
    }
    SHA256(p, n, hash);
    snprintf(name, sizeof name, "payload/%012llu", (unsigned long long)c->seq);
    int rc = memcmp(hash, c->sha256, sizeof hash) == 0
                 ? put(w, name, p, n, e)
                 : cs_error_set(e, CS_EXIT_GAP, "payload", "%.300s was changed since it was judged", c->loc);
    archive_item_unmap(item, p, n);
    c->found = rc == 0;
    return rc;
}

static int put_payloads(struct work *w, struct archive_exported *out, cs_error *e)
{
    struct archive_feed *feed = NULL;
    int rc = archive_feed_new(&feed, &w->in->run->order, NULL, 1, IN_MEMORY, e);
    sort(w, by_loc);
    while (rc == 0) {
        struct archive_item item = ARCHIVE_ITEM_INIT;
        if (archive_feed_next(feed, &item) == 0) {
            break;
        }
        struct chosen wanted = {.loc = item.loc};
        struct chosen *c = w->n > 0 ? bsearch(&wanted, w->chosen, w->n, sizeof wanted, by_loc) : NULL;
        if (c != NULL && c->has_payload && !c->found) {
            rc = put_item(w, c, &item, e);
            out->payloads += rc == 0;
        }
        archive_item_clear(&item);
    }
    archive_feed_free(feed);
    for (size_t i = 0; rc == 0 && i < w->n; i++) {
        if (w->chosen[i].has_payload && !w->chosen[i].found) {
            rc = cs_error_set(e, CS_EXIT_GAP, "payload", "%.300s is not there any more", w->chosen[i].loc);
        }
    }
    return rc;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static int write_zip(struct work *w, struct archive_exported *out, cs_error *e)
{
    prove(w, out->root);
    int rc = put_records(w, out->root, e);
    rc = rc == 0 ? put_payloads(w, out, e) : rc;
    cs_buf sums = w->sums;
    w->sums = (cs_buf)CS_BUF_INIT;
    rc = rc == 0 ? put_buffer(w, "SHA256SUMS", &sums, e) : rc;
    cs_buf_free(&sums);
    cs_buf_free(&w->sums);
    return rc;
}

int archive_export(const struct archive_evidence *in, const struct archive_select *select, const char *file,
                   struct archive_exported *out, cs_error *e)
{
    struct work w = {.in = in, .select = select, .file = file, .zip = archive_write_new(), .sums = CS_BUF_INIT};
    memset(out, 0, sizeof *out);
    int rc = w.zip != NULL ? read_records(&w, e) : no_memory(e);
    bool opened = false;
    if (rc == 0) {
        opened =
            archive_write_set_format_zip(w.zip) == ARCHIVE_OK && archive_write_open_filename(w.zip, file) == ARCHIVE_OK;
        rc = opened ? write_zip(&w, out, e) : zip_error(&w, e);
    }
    out->records = w.n;
    if (rc == 0 && archive_write_close(w.zip) != ARCHIVE_OK) {
        rc = zip_error(&w, e);
    }
    if (rc != 0 && opened) {
        (void)archive_write_close(w.zip); /* archive_write_fail() would leak the compressor */
        (void)unlink(file);
    }
    (void)archive_write_free(w.zip);
    for (size_t i = 0; i < w.n; i++) {
        free(w.chosen[i].loc);
        free(w.chosen[i].line);
        free(w.chosen[i].path);
    }
    free(w.chosen);
    free(w.leaf);
    return rc;
}
