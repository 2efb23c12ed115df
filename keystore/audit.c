/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.c: the log of changes as a hash chain. Every row is hashed with its predecessor's hash in the change's own
 * transaction, fields with their lengths in front, so that no octet can move from one field to the next.
 */
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "keystore/checkpoint.h"
#include "keystore/content.h"

static void add_number(cs_buf *b, uint64_t v)
{
    uint8_t be[8];
    for (int i = 0; i < 8; i++) {
        be[i] = (uint8_t)(v >> (56 - 8 * i));
    }
    cs_buf_add(b, be, sizeof be);
}

/** Null and empty differ: null has a length that no text reaches. */
static void add_field(cs_buf *b, const char *s)
{
    add_number(b, s != NULL ? strlen(s) : UINT64_MAX);
    if (s != NULL) {
        cs_buf_adds(b, s);
    }
}

static int row_hash(const struct ks_audit_row *r, uint8_t out[32])
{
    cs_buf b = CS_BUF_INIT;
    const char *const field[] = {r->actor, r->actor_kind, r->verb, r->object, r->before, r->after, r->reason};
    cs_buf_adds(&b, "cs-audit-1");
    add_number(&b, r->seq);
    add_number(&b, (uint64_t)r->at);
    for (size_t i = 0; i < sizeof field / sizeof field[0]; i++) {
        add_field(&b, field[i]);
    }
    if (r->peer != NULL || r->approver != NULL) { /* rows of before had neither, and their hashes hold */
        add_field(&b, r->peer);
        add_field(&b, r->approver);
    }
    cs_buf_add(&b, r->prev_hash, sizeof r->prev_hash);
    int rc = b.failed ? -1 : 0;
    if (rc == 0) {
        SHA256((const uint8_t *)b.data, b.len, out);
    }
    cs_buf_free(&b);
    return rc;
}

int ks_audit_append(ks_store *s, struct ks_audit_row *row, cs_error *e)
{
    uint64_t last = 0;
    if (s->driver->audit_head(s->b, &last, row->prev_hash, e) != 0) {
        return -1;
    }
    row->seq = last + 1;
    if (row_hash(row, row->hash) != 0) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    return s->driver->audit_add(s->b, row, e);
}

struct check {
    uint64_t rows;
    uint8_t last[32];
    bool broken;
    struct ks_contents *contents; /**< borrowed */
    const char *from;             /**< checkpoints from elsewhere; NULL: none */
    uint8_t (*hash)[32];          /**< owned: of each row */
    size_t cap;
    char *text;
    size_t size;
};

static int keep_hash(struct check *c, const struct ks_audit_row *r, cs_error *e)
{
    if (r->seq > c->cap) {
        size_t cap = c->cap == 0 ? 1024 : c->cap * 2;
        uint8_t(*grown)[32] = reallocarray(c->hash, cap, sizeof *grown);
        if (grown == NULL) {
            return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
        }
        c->hash = grown;
        c->cap = cap;
    }
    memcpy(c->hash[r->seq - 1], r->hash, sizeof r->hash);
    return 0;
}

static int check_row(void *ctx, const struct ks_audit_row *r, cs_error *e)
{
    struct check *c = ctx;
    uint8_t hash[32];
    if (c->broken) {
        return 0;
    }
    if (r->seq != c->rows + 1) {
        snprintf(c->text, c->size, "row %llu is missing", (unsigned long long)(c->rows + 1));
        c->broken = true;
    } else if (memcmp(r->prev_hash, c->last, sizeof c->last) != 0) {
        snprintf(c->text, c->size, "row %llu does not follow row %llu", (unsigned long long)r->seq,
                 (unsigned long long)c->rows);
        c->broken = true;
    } else if (row_hash(r, hash) != 0) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    } else if (memcmp(hash, r->hash, sizeof hash) != 0) {
        snprintf(c->text, c->size, "row %llu was changed (%s %s)", (unsigned long long)r->seq,
                 r->verb != NULL ? r->verb : "?", r->object != NULL ? r->object : "?");
        c->broken = true;
    }
    memcpy(c->last, r->hash, sizeof c->last);
    c->rows = r->seq;
    return c->broken ? 0 : keep_hash(c, r, e) == 0 ? ks_contents_take(c->contents, r, e) : -1;
}

/** The log against the checkpoints beside the store, and those given. @return 0, 1, -1 */
static int check_points(ks_store *s, struct check *c, cs_error *e)
{
    struct ks_log_seen log = {.hash = (const uint8_t(*)[32])c->hash, .n = c->rows};
    char key[65] = "";
    if (s->driver->meta_get(s->b, "store_id", log.store_id, sizeof log.store_id, e) < 0 ||
        s->driver->meta_get(s->b, KS_CHECKPOINT_KEY, key, sizeof key, e) < 0) {
        return -1;
    }
    log.has_key = cs_unhex(key, log.key, sizeof log.key) == 0;
    char *beside = ks_checkpoint_lines(s);
    int rc = beside != NULL
                 ? ks_checkpoint_compare(&log, beside, "the file .checkpoints beside the store", c->text, c->size, e)
                 : 0;
    free(beside);
    return rc == 0 && c->from != NULL ? ks_checkpoint_compare(&log, c->from, NULL, c->text, c->size, e) : rc;
}

/** Chain, generations, contents and checkpoints, within one read. @return 0 good, 1 broken, -1 */
static int verify_within(ks_store *s, struct check *c, cs_error *e)
{
    uint64_t generation = 0;
    uint64_t seq = 0;
    if (s->driver->audit_each(s->b, check_row, c, e) != 0 || s->driver->generation(s->b, &generation, e) != 0 ||
        s->driver->generation_seq(s->b, generation, &seq, e) != 0) {
        return -1;
    }
    if (!c->broken && seq != c->rows) {
        snprintf(c->text, c->size, "row %llu is missing: generation %llu was made by it",
                 (unsigned long long)(c->rows + 1), (unsigned long long)generation);
        c->broken = true;
    }
    int rc = c->broken ? 1 : ks_contents_check(c->contents, s, c->text, c->size, e);
    return rc == 0 ? check_points(s, c, e) : rc;
}

int ks_audit_verify(ks_store *s, uint64_t *rows, char *text, size_t textsize, cs_error *e)
{
    return ks_audit_verify_from(s, NULL, rows, text, textsize, e);
}

int ks_audit_verify_from(ks_store *s, const char *from, uint64_t *rows, char *text, size_t textsize, cs_error *e)
{
    struct check c = {.text = text, .size = textsize, .contents = ks_contents_new(), .from = from};
    text[0] = '\0';
    int rc = c.contents != NULL ? s->driver->begin(s->b, KS_READ, e)
                                : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    if (rc == 0) {
        rc = verify_within(s, &c, e);
        s->driver->rollback(s->b);
    }
    ks_contents_free(c.contents);
    free(c.hash);
    *rows = c.rows;
    return rc;
}

/** What listing needs of a row. */
struct listing {
    ks_visit_change *visit;
    void *ctx;
    bool contents;
};

static int list_row(void *ctx, const struct ks_audit_row *r, cs_error *e)
{
    const struct listing *l = ctx;
    if (!l->contents && r->verb != NULL && strcmp(r->verb, KS_CONTENT_VERB) == 0) {
        return 0;
    }
    ks_logged row = {.seq = r->seq,
                     .at = r->at,
                     .actor = r->actor,
                     .actor_kind = r->actor_kind,
                     .verb = r->verb,
                     .object = r->object,
                     .before = r->before,
                     .after = r->after,
                     .reason = r->reason,
                     .approver = r->approver,
                     .peer = r->peer,
                     .hash = r->hash};
    return l->visit(l->ctx, &row, e);
}

int ks_audit_list(ks_store *s, bool contents, ks_visit_change *visit, void *ctx, cs_error *e)
{
    struct listing l = {visit, ctx, contents};
    if (s->driver->begin(s->b, KS_READ, e) != 0) {
        return -1;
    }
    int rc = s->driver->audit_each(s->b, list_row, &l, e);
    s->driver->rollback(s->b);
    return rc;
}
