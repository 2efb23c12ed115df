/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.c: certificates of outside authorities: the key is sealed and committed before its request leaves, so that
 * no crash and no lost file parts a certificate from its key; the reply ends the request in the transaction that brings
 * the entry.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/dn.h"
#include "base/text.h"
#include "keystore/add.h"
#include "keystore/config.h"
#include "keystore/making.h"
#include "keystore/renewal.h"
#include "keystore/seal.h"
#include "keystore/talk.h"

#define REPLY_LASTS (30 * CS_DAY) /* a shorter one is told */

/* ---- the open request of a slot ---------------------------------------------------------------------------------- */

struct open_request {
    bool there;
    struct ks_request_row row; /**< its csr is the copy below */
    uint8_t *csr;              /**< owned */
};

static int keep(void *ctx, const struct ks_request_row *row, cs_error *e)
{
    struct open_request *o = ctx;
    o->row = *row;
    o->there = true;
    o->csr = malloc(row->csr_len);
    if (o->csr == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    memcpy(o->csr, row->csr, row->csr_len);
    o->row.csr = o->csr;
    return 0;
}

static int find(struct ks_work *w, struct open_request *o, cs_error *e)
{
    free(o->csr);
    memset(o, 0, sizeof *o);
    return w->slot.slot_id != 0 ? w->s->driver->requests(w->s->b, w->slot.slot_id, keep, o, e) : 0;
}

static X509_REQ *read_csr(const struct ks_request_row *row, cs_error *e)
{
    const uint8_t *p = row->csr;
    X509_REQ *r = d2i_X509_REQ(NULL, &p, (long)row->csr_len);
    if (r == NULL) {
        ERR_clear_error();
        cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "the request of %s#%u cannot be read", row->alias, row->n);
    }
    return r;
}

void ks_csr_free(ks_csr *r)
{
    free((char *)(uintptr_t)r->pem);
    r->pem = NULL;
    r->pem_len = 0;
}

/** out->pem is owned by who gets it. */
static int give(const struct ks_request_row *row, ks_csr *out, cs_error *e)
{
    char *data = NULL;
    char *pem = NULL;
    long n = 0;
    X509_REQ *r = read_csr(row, e);
    if (r == NULL) {
        return -1;
    }
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio != NULL && PEM_write_bio_X509_REQ(bio, r) == 1) {
        n = BIO_get_mem_data(bio, &data);
        pem = malloc((size_t)n + 1);
    }
    if (pem != NULL) {
        memcpy(pem, data, (size_t)n);
        pem[n] = '\0';
        out->pem = pem;
        out->pem_len = (size_t)n;
        cs_copy(out->alias, sizeof out->alias, row->alias);
        cs_copy(out->subject, sizeof out->subject, row->subject);
        cs_copy(out->actor, sizeof out->actor, row->actor);
        out->n = row->n;
        out->role = row->role;
        out->created_at = row->created_at;
    }
    BIO_free(bio);
    X509_REQ_free(r);
    return pem != NULL ? 0 : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
}

/* ---- a new request ----------------------------------------------------------------------------------------------- */

static int add_extension(STACK_OF(X509_EXTENSION) * *all, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, NULL, NULL, NULL, NULL, 0);
    X509_EXTENSION *one = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    int rc = one != NULL && X509v3_add_ext(all, one, -1) != NULL ? 0 : -1;
    X509_EXTENSION_free(one);
    return rc;
}

/** What the key is for, and the hosts of a TLS server: an authority may take them over. */
static int extend(X509_REQ *r, const struct ks_making *m, EVP_PKEY *key)
{
    STACK_OF(X509_EXTENSION) *all = NULL;
    const char *usage = NULL;
    const char *extended = NULL;
    int rc = ks_usage_of(m->role, key, &usage, &extended) && add_extension(&all, NID_key_usage, usage) == 0 &&
                     (extended == NULL || add_extension(&all, NID_ext_key_usage, extended) == 0) &&
                     (m->hosts == NULL ||
                      X509V3_add1_i2d(&all, NID_subject_alt_name, m->hosts, 0, X509V3_ADD_DEFAULT) == 1) &&
                     X509_REQ_add_extensions(r, all) == 1
                 ? 0
                 : -1;
    sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
    return rc;
}

static int sign(const struct ks_making *m, EVP_PKEY *key, uint8_t **der, size_t *n, cs_error *e)
{
    const EVP_MD *md = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
    X509_REQ *r = X509_REQ_new();
    int length = -1;
    *der = NULL;
    if (r != NULL && X509_REQ_set_version(r, X509_REQ_VERSION_1) == 1 &&
        X509_REQ_set_subject_name(r, m->subject) == 1 && X509_REQ_set_pubkey(r, key) == 1 && extend(r, m, key) == 0 &&
        X509_REQ_sign(r, key, md) > 0) {
        length = i2d_X509_REQ(r, der);
    }
    X509_REQ_free(r);
    ERR_clear_error();
    *n = length > 0 ? (size_t)length : 0;
    return length > 0 ? 0 : cs_error_set(e, CS_EXIT_INTERNAL, "csr-not-made", "the request cannot be made");
}

/** Whose the request is. */
static int write_wish(struct ks_work *w, const struct ks_issue_wish *wish, int64_t follows, cs_error *e)
{
    const struct ks_issuing_driver *d = w->s->driver->issuing;
    struct ks_issuing_row row = {.slot_id = w->slot.slot_id,
                                 .follows = wish->follows != 0 ? follows : 0,
                                 .replace = wish->replace,
                                 .next_at = w->now};
    cs_copy(row.issuer, sizeof row.issuer, wish->issuer);
    return d->issuer_set(w->s->b, w->slot.slot_id, wish->issuer, w->generation, e) == 0 ? d->set(w->s->b, &row, e) : -1;
}

/** The rows: slot, sealed key, request. */
static int store(struct ks_work *w, const struct ks_making *m, const struct ks_issue_wish *wish, EVP_PKEY *key,
                 struct ks_request_row *row, cs_error *e)
{
    const struct ks_driver *d = w->s->driver;
    struct ks_key_row k = {.created_at = w->now};
    struct ks_view_entry v = {.n = row->n, .state = KS_PRE_ACTIVE, .has_key = true};
    uint8_t *spki = NULL;
    int n = i2d_PUBKEY(key, &spki);
    bool known = n > 0 && EVP_Digest(spki, (size_t)n, k.spki_sha256, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(spki);
    if (!known) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "csr-not-made", "the public key cannot be written");
    }
    memcpy(v.spki_sha256, k.spki_sha256, sizeof v.spki_sha256);
    if (w->slot.slot_id == 0) {
        cs_copy(w->slot.alias, sizeof w->slot.alias, m->asked->alias);
        w->slot.role = m->role;
        if (d->slot_add(w->s->b, &w->slot, w->generation, e) != 0) {
            return -1;
        }
    }
    row->slot_id = w->slot.slot_id;
    if (ks_key_store(w->s, &w->slot, key, NULL, &k, e) != 0) {
        return -1;
    }
    cs_copy(row->key_id, sizeof row->key_id, k.key_id);
    if (wish != NULL && write_wish(w, wish, m->follows_id, e) != 0) {
        return -1;
    }
    return d->request_add(w->s->b, row, e) == 0 && ks_work_audit(w, row->n, "csr", NULL, &v, e) == 0
               ? ks_work_commit(w, e)
               : -1;
}

static int make_within(struct ks_work *w, struct ks_making *m, const struct ks_issue_wish *wish, EVP_PKEY *key,
                       ks_csr *out, cs_error *e)
{
    struct ks_request_row row = {.created_at = w->now, .role = m->role};
    struct open_request other = {0};
    uint8_t *der = NULL;
    unsigned last = 0;
    int rc = -1;
    const struct ks_key_kind *expected = m->kind;
    if (ks_making_resolve(w, m, e) != 0 || find(w, &other, e) != 0) {
        goto out;
    }
    if (m->kind != expected || other.there) {
        cs_error_set(e, CS_EXIT_CONFLICT, "conflict", "%s was changed by somebody else: try again", m->asked->alias);
        goto out;
    }
    if ((w->slot.slot_id != 0 && w->s->driver->last_n(w->s->b, w->slot.slot_id, &last, e) != 0) ||
        sign(m, key, &der, &row.csr_len, e) != 0) {
        goto out;
    }
    row.csr = der;
    row.n = last + 1;
    cs_copy(row.alias, sizeof row.alias, m->asked->alias);
    cs_copy(row.actor, sizeof row.actor, w->who->name);
    cs_dn_text(m->subject, row.subject, sizeof row.subject);
    out->generation = w->generation;
    rc = w->dry_run || store(w, m, wish, key, &row, e) == 0 ? give(&row, out, e) : -1;
out:
    OPENSSL_free(der);
    free(other.csr);
    return rc;
}

/** The request that is open already, when it is what is asked for. */
static int again(struct ks_work *w, const struct ks_making *m, const struct open_request *o, ks_csr *out, cs_error *e)
{
    char algorithm[16] = "";
    int bits = 0;
    X509_REQ *r = read_csr(&o->row, e);
    EVP_PKEY *key = r != NULL ? X509_REQ_get0_pubkey(r) : NULL;
    int rc = -1;
    if (r == NULL) {
        return -1;
    }
    bool same_name = m->asked->subject == NULL || X509_NAME_cmp(X509_REQ_get_subject_name(r), m->subject) == 0;
    bool same_kind = m->asked->key == NULL || (key != NULL && ks_key_kind(key, algorithm, &bits) == 0 &&
                                               ks_key_kind_of(algorithm, bits) == m->kind);
    if (same_kind && same_name) {
        out->again = true;
        out->generation = w->generation - 1;
        rc = give(&o->row, out, e);
    } else {
        cs_error_set(e, CS_EXIT_CONFLICT, "request-open",
                     "%s#%u waits for a certificate of %.200s with another %s; to give that request up: countersign "
                     "keystore csr --alias %s --discard",
                     o->row.alias, o->row.n, o->row.subject, same_name ? "kind of key" : "name", o->row.alias);
    }
    X509_REQ_free(r);
    return rc;
}

/** A request that is open already becomes the issuer's. */
static int hand_over(ks_store *s, const char *alias, const struct ks_issue_wish *wish, const ks_actor *who, cs_time now,
                     cs_error *e)
{
    struct ks_work *w = ks_work_begin(s, alias, "csr", false, who, now, e);
    const ks_info *before = w != NULL ? ks_making_before(w) : NULL;
    const struct ks_row *row = before != NULL ? ks_work_row(w, before->n) : NULL;
    struct ks_issuing_row held;
    int found = w != NULL ? ks_issuing_find(s, w->slot.slot_id, &held, e) : -1;
    if (found < 0 || (found == 1 && strcmp(held.issuer, wish->issuer) == 0)) {
        ks_work_free(w);
        return found < 0 ? -1 : 0;
    }
    int rc =
        write_wish(w, wish, row != NULL ? row->entry_id : 0, e) == 0 && ks_work_audit(w, 0, "csr", NULL, NULL, e) == 0
            ? ks_work_commit(w, e)
            : -1;
    ks_work_free(w);
    return rc;
}

int ks_csr_make(ks_store *s, const ks_new *g, bool dry_run, const ks_actor *who, cs_time now, ks_csr *out,
                ks_outcome *refused, cs_error *e)
{
    return ks_csr_make_for(s, g, NULL, dry_run, who, now, out, refused, e);
}

int ks_csr_make_for(ks_store *s, const ks_new *g, const struct ks_issue_wish *wish, bool dry_run, const ks_actor *who,
                    cs_time now, ks_csr *out, ks_outcome *refused, cs_error *e)
{
    struct ks_making m = {.replace = wish != NULL && wish->replace,
                          .automatic = wish != NULL && wish->follows != 0,
                          .follows = wish != NULL ? wish->follows : 0};
    struct open_request open = {0};
    EVP_PKEY *key = NULL;
    int rc = -1;
    memset(out, 0, sizeof *out);
    memset(refused, 0, sizeof *refused);
    if (ks_making_ask(g, &m, now, e) != 0) {
        return -1;
    }
    struct ks_work *w = ks_work_begin(s, g->alias, "csr", true, who, now, e);
    if (w == NULL || ks_making_resolve(w, &m, e) != 0 || find(w, &open, e) != 0) {
        goto out;
    }
    if (open.there) {
        rc = again(w, &m, &open, out, e);
        ks_work_free(w);
        w = NULL;
        if (rc == 0 && wish != NULL && !dry_run) {
            rc = hand_over(s, g->alias, wish, who, now, e);
        }
        goto out;
    }
    if (ks_making_rehearse(w, &m, refused, e) != 0) {
        goto out;
    }
    ks_work_free(w);
    w = NULL;
    key = ks_key_make(m.kind, e);
    if (key != NULL) {
        w = ks_work_begin(s, g->alias, "csr", dry_run, who, now, e);
        rc = w != NULL ? make_within(w, &m, wish, key, out, e) : -1;
    }
out:
    ks_work_free(w);
    ks_making_free(&m);
    EVP_PKEY_free(key);
    free(open.csr);
    return rc;
}

/* ---- given up ---------------------------------------------------------------------------------------------------- */

static int none_open(const char *alias, cs_error *e)
{
    return cs_error_set(e, CS_EXIT_USAGE, "no-request",
                        "%s waits for no certificate; to request one: countersign keystore csr --alias %s -o FILE",
                        alias, alias);
}

int ks_csr_discard(ks_store *s, const char *alias, bool dry_run, const ks_actor *who, cs_time now, ks_csr *out,
                   cs_error *e)
{
    struct open_request open = {0};
    int rc = -1;
    memset(out, 0, sizeof *out);
    struct ks_work *w = ks_work_begin(s, alias, "csr-discard", dry_run, who, now, e);
    if (w == NULL || find(w, &open, e) != 0) {
        goto out;
    }
    if (!open.there) {
        w->slot.slot_id == 0 ? ks_work_unknown(w, alias, 0, e) : none_open(alias, e);
        goto out;
    }
    struct ks_view_entry v = {.n = open.row.n, .state = KS_PRE_ACTIVE, .has_key = true};
    out->generation = w->generation;
    rc = give(&open.row, out, e);
    if (rc == 0 && !dry_run) {
        rc = s->driver->key_destroy(s->b, open.row.key_id, now, e) == 0 &&
                     s->driver->request_remove(s->b, w->slot.slot_id, e) == 0 &&
                     (s->driver->issuing == NULL || s->driver->issuing->remove(s->b, w->slot.slot_id, e) == 0) &&
                     ks_work_audit(w, open.row.n, w->verb, &v, NULL, e) == 0 && ks_work_commit(w, e) == 0
                 ? 0
                 : -1;
    }
    if (rc == 0 && !dry_run) {
        s->driver->scrub(s->b);
    }
out:
    ks_work_free(w);
    free(open.csr);
    return rc;
}

/* ---- all that are open --------------------------------------------------------------------------------------------
 */

struct visiting {
    const char *alias;
    ks_visit_csr *visit;
    void *ctx;
};

static int visit_one(void *ctx, const struct ks_request_row *row, cs_error *e)
{
    const struct visiting *v = ctx;
    ks_csr r = {0};
    if (v->alias != NULL && strcmp(v->alias, row->alias) != 0) {
        return 0;
    }
    int rc = give(row, &r, e) == 0 ? v->visit(v->ctx, &r, e) : -1;
    ks_csr_free(&r);
    return rc;
}

int ks_csr_each(ks_store *s, const char *alias, ks_visit_csr *visit, void *ctx, cs_error *e)
{
    struct visiting v = {alias, visit, ctx};
    return s->driver->requests(s->b, 0, visit_one, &v, e);
}

/* ---- the reply ----------------------------------------------------------------------------------------------------
 */

static int unfit(struct ks_work *w, ks_outcome *out, const char *text, cs_error *e)
{
    out->refusal[0].guard = KS_G5_KEY_MATCH;
    out->n_refusal = 1;
    out->generation = w->generation;
    cs_copy(out->refusal[0].text, sizeof out->refusal[0].text, text);
    return cs_error_set(e, CS_EXIT_GUARD, ks_guard_word(KS_G5_KEY_MATCH), "refused G5 key-match: %s", text);
}

/** Is it the certificate that was requested: this key, this name, and in time? */
static int check_reply(struct ks_work *w, const struct open_request *o, const struct ks_certificate *c, ks_outcome *out,
                       cs_error *e)
{
    char text[384];
    char when[CS_TIME_TEXT];
    uint8_t spki[32] = {0};
    uint8_t *der = NULL;
    X509_REQ *r = read_csr(&o->row, e);
    if (r == NULL) {
        return -1;
    }
    const uint8_t *p = c->der;
    X509 *x = d2i_X509(NULL, &p, (long)c->der_len);
    int n = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(r), &der);
    bool known = x != NULL && n > 0 && EVP_Digest(der, (size_t)n, spki, NULL, EVP_sha256(), NULL) == 1;
    bool same_name = known && X509_NAME_cmp(X509_get_subject_name(x), X509_REQ_get_subject_name(r)) == 0;
    OPENSSL_free(der);
    X509_free(x);
    X509_REQ_free(r);
    if (!known || memcmp(spki, c->spki_sha256, sizeof spki) != 0) {
        snprintf(text, sizeof text,
                 "the certificate (%.120s) has not the key of the request of %s#%u; is it the reply to "
                 "another one?",
                 c->subject, o->row.alias, o->row.n);
        return unfit(w, out, text, e);
    }
    if (!same_name) {
        snprintf(text, sizeof text,
                 "the certificate is named %.140s, requested was %.140s: ask the authority for that "
                 "name",
                 c->subject, o->row.subject);
        return unfit(w, out, text, e);
    }
    return c->not_after >= w->now
               ? 0
               : cs_error_set(e, CS_EXIT_USAGE, "certificate-expired", "the certificate ended %s already",
                              cs_time_format(c->not_after, when));
}

static int not_open(struct ks_work *w, const char *alias, const struct ks_certificate *c, cs_error *e)
{
    for (size_t i = 0; i < w->n_row; i++) {
        if (memcmp(w->row[i].info.sha256, c->sha256, sizeof c->sha256) == 0) {
            return cs_error_set(e, CS_EXIT_CONFLICT, "held-already", "%s#%u holds this certificate already", alias,
                                w->row[i].info.n);
        }
    }
    return w->slot.slot_id == 0 ? ks_work_unknown(w, alias, 0, e) : none_open(alias, e);
}

static void reply_notes(const struct ks_work *w, const struct ks_certificate *c, unsigned before, ks_outcome *out)
{
    const ks_info *i = &out->info;
    char when[CS_TIME_TEXT];
    for (size_t k = 0; k < w->n_row; k++) {
        if (w->row[k].info.n == before && strcmp(w->row[k].info.issuer, c->issuer) != 0) {
            ks_note(out, "%s#%u has another issuer: a partner that checks the issuer must be told", i->alias, before);
        }
    }
    if (c->not_after - w->now < REPLY_LASTS) {
        ks_note(out, "it lasts only until %s", cs_time_format(c->not_after, when));
    }
    ks_note(out, "for the other side: countersign keystore export %s#%u --chain", i->alias, i->n);
    if (i->state == KS_PRE_ACTIVE) {
        ks_note(out, "not in use yet; when the other side has it: countersign keystore activate %s#%u", i->alias, i->n);
    }
}

/** What ends with the reply. */
static int end_request(struct ks_work *w, const struct ks_reply_terms *terms, unsigned n, int64_t entry_id, cs_error *e)
{
    return w->s->driver->request_remove(w->s->b, w->slot.slot_id, e) == 0 &&
                   ks_reply_note(w, terms, n, entry_id, e) == 0
               ? ks_work_commit(w, e)
               : -1;
}

static int reply_within(struct ks_work *w, const char *alias, const struct ks_reply_terms *terms,
                        struct ks_incoming *in, ks_outcome *out, cs_error *e)
{
    struct open_request open = {0};
    const ks_info *before = ks_making_before(w);
    ks_add add = {.role = w->slot.role, .alias = alias, .activate = before == NULL};
    int rc = -1;
    if (find(w, &open, e) != 0) {
        goto out;
    }
    if (!open.there) {
        not_open(w, alias, &in->certificate, e);
        goto out;
    }
    in->key_id = open.row.key_id;
    in->n = open.row.n;
    if (check_reply(w, &open, &in->certificate, out, e) != 0 ||
        (terms != NULL && ks_reply_judge(w, terms, &in->certificate, &add, out, e) != 0) ||
        ks_key_open(w->s, NULL, &w->slot, open.row.key_id, &in->key, e) != 0 || ks_take_in(w, &add, in, out, e) != 0) {
        goto out;
    }
    if (!w->dry_run && end_request(w, terms, out->info.n, in->entry_id, e) != 0) {
        goto out;
    }
    out->done = !w->dry_run;
    if (in->warning[0] != '\0') {
        ks_note(out, "%s", in->warning);
    }
    reply_notes(w, &in->certificate, before != NULL ? before->n : 0, out);
    rc = 0;
out:
    free(open.csr);
    return rc;
}

struct reply {
    const char *alias;
    const char *data;
    size_t n;
    const struct ks_reply_terms *terms; /**< NULL: a person looked at it */
};

static int import_reply(ks_store *s, const struct reply *reply, bool dry_run, const ks_actor *who, cs_time now,
                        ks_outcome *out, cs_error *e)
{
    struct ks_incoming in = {0};
    ks_imported read = {0};
    struct ks_work *w = NULL;
    int rc = -1;
    memset(out, 0, sizeof *out);
    if (ks_import_read(reply->data, reply->n, NULL, &read, e) != 0) {
        return -1;
    }
    if (read.key != NULL) {
        cs_error_set(e, CS_EXIT_USAGE, "not-a-reply",
                     "the file holds a private key: it is no reply to a request; to take both: countersign keystore "
                     "import");
    } else if (ks_certificate_read(read.certificate, read.certificate_len, &in.certificate, e) == 0) {
        w = ks_work_begin(s, reply->alias, "import-reply", dry_run, who, now, e);
        rc = w != NULL ? reply_within(w, reply->alias, reply->terms, &in, out, e) : -1;
    }
    ks_work_free(w);
    ks_certificate_free(&in.certificate);
    EVP_PKEY_free(in.key);
    ks_imported_free(&read);
    return rc;
}

int ks_import_reply(ks_store *s, const char *alias, const char *data, size_t n, bool dry_run, const ks_actor *who,
                    cs_time now, ks_outcome *out, cs_error *e)
{
    return import_reply(s, &(struct reply){alias, data, n, NULL}, dry_run, who, now, out, e);
}

int ks_reply_issued(ks_store *s, const char *alias, const char *data, size_t n, const struct ks_reply_terms *terms,
                    const ks_actor *who, cs_time now, ks_outcome *out, cs_error *e)
{
    return import_reply(s, &(struct reply){alias, data, n, terms}, false, who, now, out, e);
}
