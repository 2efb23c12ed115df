/* SPDX-License-Identifier: Apache-2.0 */
/*
 * issuing.c: open requests are taken to their issuers. A request is claimed in one transaction, its issuer talked to
 * with none open, and what came of it written in another: whoever is killed in between leaves a claim that runs out,
 * and the next round asks again with the same key.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/making.h"
#include "keystore/seal.h"
#include "keystore/talk.h"

#define MARGIN      30 /* seconds that a claim outlives the time limit of its talk */
#define WAIT_FIRST  3600
#define WAIT_MOST   CS_DAY
#define AGAIN_LEAST 5

static const ks_actor keeper = {"keeper", "keeper", NULL};

/* The issuer of that name, or NULL. */
static const ks_issuer *issuer_find(const ks_issuers *all, const char *name)
{
    for (size_t i = 0; i < all->n; i++) {
        if (strcmp(all->issuer[i]->name, name) == 0) {
            return all->issuer[i];
        }
    }
    return NULL;
}

/* ---- asked for ----------------------------------------------------------------------------------------------------
 */

static int not_kept(const ks_store *s, cs_error *e)
{
    return cs_error_set(e, CS_EXIT_USAGE, "issuer", "a keystore of the kind %s asks no issuer", s->driver->scheme);
}

int ks_issuer_of(ks_store *s, const char *alias, char out[KS_WORD], cs_error *e)
{
    struct ks_slot slot;
    out[0] = '\0';
    if (s->driver->issuing == NULL) {
        return 0;
    }
    if (s->driver->begin(s->b, KS_READ, e) != 0) {
        return -1;
    }
    int rc = s->driver->slot_get(s->b, alias, &slot, e);
    rc = rc == 1 ? s->driver->issuing->issuer_get(s->b, slot.slot_id, out, e) : rc;
    s->driver->rollback(s->b);
    return rc;
}

/** Named, and with what its way needs. */
static int check_issuer(const ks_issuers *all, const char *name, cs_error *e)
{
    char known[384] = "";
    const ks_issuer *i = issuer_find(all, name);
    if (i == NULL) {
        for (size_t k = 0; k < all->n; k++) {
            size_t n = strlen(known);
            snprintf(known + n, sizeof known - n, " %s", all->issuer[k]->name);
        }
        return cs_error_set(e, CS_EXIT_USAGE, "issuer-unknown",
                            "the configuration has no issuer %.64s; there are: own csr-only%s", name, known);
    }
    return i->kind != KS_ISSUER_NONE ? 0
                                     : cs_error_set(e, CS_EXIT_CONFIG, "issuer-way",
                                                    "issuer %s tells no way: write cmp, est or exec into it", name);
}

int ks_issue_ask(ks_store *s, const ks_issuers *all, const ks_ask *ask, bool dry_run, const ks_actor *who, cs_time now,
                 ks_csr *out, ks_outcome *refused, cs_error *e)
{
    struct ks_issue_wish wish = {.issuer = ask->issuer, .replace = ask->replace};
    char held[KS_WORD];
    memset(out, 0, sizeof *out);
    memset(refused, 0, sizeof *refused);
    if (s->driver->issuing == NULL) {
        return not_kept(s, e);
    }
    if (wish.issuer == NULL) {
        if (ks_issuer_of(s, ask->new->alias, held, e) != 0) {
            return -1;
        }
        wish.issuer = held;
    }
    return check_issuer(all, wish.issuer, e) == 0
               ? ks_csr_make_for(s, ask->new, &wish, dry_run, who, now, out, refused, e)
               : -1;
}

/* ---- one request ----------------------------------------------------------------------------------------------------
 */

/** A request under way, with all that its talk needs. */
struct errand {
    struct ks_issuing_row row;
    const ks_issuer *issuer; /**< borrowed */
    struct ks_talk t;        /**< what it points to is owned here */
    unsigned n;              /**< number that the entry will have */
    char key_id[KS_ID];
    char old_sha256[65];
    cs_buf reply;
};

static void errand_clear(struct errand *r)
{
    X509_REQ_free(r->t.request);
    EVP_PKEY_free(r->t.key);
    X509_free(r->t.old);
    sk_X509_pop_free(r->t.old_chain, X509_free);
    EVP_PKEY_free(r->t.old_key);
    cs_buf_free(&r->reply);
}

static int keep_request(void *ctx, const struct ks_request_row *row, cs_error *e)
{
    struct errand *r = ctx;
    const uint8_t *p = row->csr;
    r->n = row->n;
    r->t.role = row->role;
    cs_copy(r->key_id, sizeof r->key_id, row->key_id);
    r->t.request = d2i_X509_REQ(NULL, &p, (long)row->csr_len);
    return r->t.request != NULL ? 0
                                : cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt",
                                               "the request of %s#%u cannot be read", row->alias, row->n);
}

static int keep_old(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct errand *r = ctx;
    const uint8_t *p = row->der;
    r->t.old = d2i_X509(NULL, &p, (long)row->der_len);
    cs_hex(row->info.sha256, 32, r->old_sha256);
    return r->t.old != NULL && ks_issuers_read(row->chain, row->chain_len, &r->t.old_chain) == 0
               ? 0
               : cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "the certificate of %s#%u cannot be read",
                              row->info.alias, row->info.n);
}

/** The certificate before identifies us while it is valid and was issued by others. */
static int read_old(struct ks_work *w, struct errand *r, cs_error *e)
{
    const ks_info *before = ks_making_before(w);
    const struct ks_row *row = before != NULL ? ks_work_row(w, before->n) : NULL;
    bool own = false;
    if (row == NULL || row->key_id[0] == '\0' || before->not_after <= w->now) {
        return 0;
    }
    if (ks_own_ca_named(w, before->issuer, &own, e) != 0) {
        return -1;
    }
    const struct ks_row_filter f = {.alias = w->slot.alias, .n = before->n, .with_der = true};
    return own ? 0
           : w->s->driver->rows(w->s->b, &f, keep_old, r, e) == 0
               ? ks_key_open(w->s, NULL, &w->slot, row->key_id, &r->t.old_key, e)
               : -1;
}

/** @return 1 ready, 0 the request is gone, -1 */
static int gather(ks_store *s, struct errand *r, cs_time now, cs_error *e)
{
    struct ks_work *w = ks_work_begin(s, r->row.alias, "issue", true, &keeper, now, e);
    int rc = w != NULL ? s->driver->requests(s->b, r->row.slot_id, keep_request, r, e) : -1;
    if (rc == 0 && r->t.request != NULL) {
        rc = read_old(w, r, e) == 0 && ks_key_open(s, NULL, &w->slot, r->key_id, &r->t.key, e) == 0 ? 1 : -1;
    }
    ks_work_free(w);
    r->t.issuer = r->issuer;
    r->t.alias = r->row.alias;
    r->t.old_sha256 = r->old_sha256;
    r->t.now = now;
    r->t.reply = &r->reply;
    return rc;
}

static enum ks_talked talk_once(struct errand *r)
{
    static ks_talk_way *const way[] = {
        [KS_ISSUER_CMP] = ks_talk_cmp, [KS_ISSUER_EST] = ks_talk_est, [KS_ISSUER_EXEC] = ks_talk_exec};
    cs_buf_reset(&r->reply);
    r->t.text[0] = '\0';
    r->t.again_s = 0;
    return way[r->issuer->kind](&r->t);
}

/** Under the certificate before; where that is refused, under name and password. */
static enum ks_talked talk(struct errand *r)
{
    enum ks_talked said = talk_once(r);
    if (said != KS_TALK_NEVER || r->t.old == NULL || r->issuer->kind == KS_ISSUER_EXEC || r->issuer->user[0] == '\0') {
        return said;
    }
    X509_free(r->t.old);
    EVP_PKEY_free(r->t.old_key);
    r->t.old = NULL;
    r->t.old_key = NULL;
    return talk_once(r);
}

/* ---- what came of it
 * -------------------------------------------------------------------------------------------------- */

static int write_row(ks_store *s, const struct ks_issuing_row *row, cs_error *e)
{
    int rc = s->driver->begin(s->b, KS_UPKEEP, e);
    if (rc == 0) {
        struct ks_issuing_row held;
        int found = ks_issuing_find(s, row->slot_id, &held, e);
        rc = found == 1 ? s->driver->issuing->set(s->b, row, e) : found;
        rc = rc == 0 ? s->driver->commit(s->b, e) : -1;
        s->driver->rollback(s->b);
    }
    return rc;
}

/** Pending is no failure; all else is tried again later and later, and told. */
static int put_off(ks_store *s, struct errand *r, const char *why, cs_time now, ks_issued *out, cs_error *e)
{
    struct ks_issuing_row *row = &r->row;
    int64_t wait = WAIT_FIRST << (row->attempts < 5 ? row->attempts : 5);
    bool pending = r->t.again_s > 0;
    wait = wait < WAIT_MOST ? wait : WAIT_MOST;
    if (pending) {
        wait = r->t.again_s < AGAIN_LEAST ? AGAIN_LEAST : r->t.again_s < WAIT_MOST ? r->t.again_s : WAIT_MOST;
    } else {
        row->attempts++;
    }
    row->next_at = now + wait;
    if (!pending && row->follows != 0 &&
        ks_renewal_failed(s, row->alias, row->follows, why, now, &row->next_at, e) != 0) {
        return -1;
    }
    snprintf(row->error, sizeof row->error, "%.*s", (int)sizeof row->error - 1, why);
    out->waits = pending;
    out->next_at = row->next_at;
    snprintf(out->text, sizeof out->text, "%.*s", (int)sizeof out->text - 1, why);
    return write_row(s, row, e);
}

static int take_in(ks_store *s, struct errand *r, cs_time now, ks_issued *out, cs_error *e)
{
    const struct ks_reply_terms terms = {.follows = r->row.follows, .replace = r->row.replace};
    char said[64];
    snprintf(said, sizeof said, "issuer %.50s", r->issuer->name);
    const ks_actor who = {keeper.name, keeper.kind, said};
    cs_error why = {0};
    ks_outcome *told = calloc(1, sizeof *told);
    if (told == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    int rc = ks_reply_issued(s, r->row.alias, r->reply.data, r->reply.len, &terms, &who, now, told, &why);
    if (rc == 0) {
        out->done = true;
        out->n = told->info.n;
        out->generation = told->generation;
    } else if (why.exit_code == CS_EXIT_GUARD || why.exit_code == CS_EXIT_USAGE || why.exit_code == CS_EXIT_CONFLICT) {
        r->t.again_s = 0;
        rc = put_off(s, r, why.text, now, out, e);
    } else {
        *e = why;
    }
    free(told);
    return rc;
}

/** @return 1 it is ours, 0 it is not, -1 */
static int claim(ks_store *s, struct ks_issuing_row *row, cs_time until, cs_error *e)
{
    int rc = s->driver->begin(s->b, KS_UPKEEP, e);
    if (rc != 0) {
        return -1;
    }
    rc = s->driver->issuing->claim(s->b, row, until, e);
    if (rc == 1 && s->driver->commit(s->b, e) != 0) {
        rc = -1;
    }
    s->driver->rollback(s->b);
    row->next_at = until;
    return rc;
}

static int run(ks_store *s, const ks_issuers *all, struct errand *r, cs_time now, ks_issued *out, cs_error *e)
{
    cs_error why = {0};
    int rc = claim(s, &r->row, now + r->issuer->timeout_ms / 1000 + MARGIN, e);
    if (rc <= 0) {
        out->waits = true;
        snprintf(out->text, sizeof out->text, "another process talks to issuer %s about it", r->issuer->name);
        return rc;
    }
    r->t.stop = all->stop;
    rc = gather(s, r, now, &why);
    out->n = r->n;
    if (rc < 0) {
        return put_off(s, r, why.text, now, out, e);
    }
    if (rc == 0) {
        return 0;
    }
    return talk(r) == KS_TALK_DONE ? take_in(s, r, now, out, e) : put_off(s, r, r->t.text, now, out, e);
}

/* ---- all that are due
 * -------------------------------------------------------------------------------------------------- */

struct rows {
    struct ks_issuing_row *row; /**< owned */
    size_t n;
};

static int collect(void *ctx, const struct ks_issuing_row *row, cs_error *e)
{
    struct rows *all = ctx;
    struct ks_issuing_row *grown = reallocarray(all->row, all->n + 1, sizeof *grown);
    if (grown == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    all->row = grown;
    all->row[all->n++] = *row;
    return 0;
}

static int read_rows(ks_store *s, struct rows *out, cs_error *e)
{
    int rc = s->driver->begin(s->b, KS_READ, e);
    if (rc == 0) {
        rc = s->driver->issuing->each(s->b, collect, out, e);
        s->driver->rollback(s->b);
    }
    return rc;
}

static void soon(cs_time *next, cs_time at)
{
    *next = *next == 0 || at < *next ? at : *next;
}

/** @return 0, or -1: the store cannot be worked with, or visit stopped */
static int one(ks_store *s, const ks_issuers *all, const struct ks_issuing_row *row, cs_time now,
               ks_visit_issued *visit, void *ctx, cs_time *next, cs_error *e)
{
    struct errand r = {.row = *row, .issuer = issuer_find(all, row->issuer), .reply = CS_BUF_INIT};
    ks_issued told = {.next_at = row->next_at};
    cs_copy(told.alias, sizeof told.alias, row->alias);
    cs_copy(told.issuer, sizeof told.issuer, row->issuer);
    int rc = 0;
    if (r.issuer == NULL || r.issuer->kind == KS_ISSUER_NONE) {
        snprintf(told.text, sizeof told.text, "the configuration tells no way to issuer %s", row->issuer);
    } else {
        rc = run(s, all, &r, now, &told, e);
    }
    errand_clear(&r);
    if (rc == 0 && !told.done && told.next_at > now) {
        soon(next, told.next_at);
    }
    return rc == 0 && (told.done || told.text[0] != '\0') ? visit(ctx, &told, e) : rc;
}

int ks_issue_due(ks_store *s, const ks_issuers *all, const char *alias, cs_time now, ks_visit_issued *visit, void *ctx,
                 cs_time *next, cs_error *e)
{
    struct rows rows = {NULL, 0};
    *next = 0;
    if (s->driver->issuing == NULL || ks_schema_version(s) != KS_SCHEMA_VERSION) {
        return 0;
    }
    int rc = read_rows(s, &rows, e);
    for (size_t i = 0; rc == 0 && i < rows.n; i++) {
        const struct ks_issuing_row *row = &rows.row[i];
        const ks_issuer *issuer = issuer_find(all, row->issuer);
        if ((alias != NULL && strcmp(alias, row->alias) != 0) ||
            (issuer != NULL && issuer->kind == KS_ISSUER_EXEC && !all->commands) ||
            (all->stop.asked != NULL && all->stop.asked(all->stop.ctx))) {
            continue;
        }
        if (alias == NULL && row->next_at > now) {
            soon(next, row->next_at);
            continue;
        }
        rc = one(s, all, row, now, visit, ctx, next, e);
    }
    free(rows.row);
    return rc;
}
