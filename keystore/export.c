/* SPDX-License-Identifier: Apache-2.0 */
/* export.c: certificates out of the store in the forms that others read; a private key only encrypted, and audited. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/consent.h"
#include "keystore/record.h"
#include "keystore/seal.h"

#define PBKDF2_ROUNDS 600000

static int no_memory(cs_error *e)
{
    return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
}

/* ---- certificates ------------------------------------------------------------------------------------------------ */

struct found {
    STACK_OF(X509) * all; /**< owned: the certificate, its issuers behind it */
    struct ks_row row;
    bool there;
};

static int take_row(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct found *f = ctx;
    const uint8_t *p = row->der;
    const uint8_t *end = row->der + row->der_len;
    f->there = true;
    f->row = *row;
    for (int part = 0; part < 2; part++) {
        while (p != NULL && p < end) {
            X509 *x = d2i_X509(NULL, &p, (long)(end - p));
            if (x == NULL || sk_X509_push(f->all, x) <= 0) {
                X509_free(x);
                ERR_clear_error();
                return cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "the certificate of %s#%u cannot be read",
                                    row->info.alias, row->info.n);
            }
        }
        p = row->chain;
        end = row->chain != NULL ? row->chain + row->chain_len : NULL;
    }
    return 0;
}

static int find(ks_store *s, const char *alias, unsigned n, struct found *f, cs_error *e)
{
    struct ks_row_filter filter = {.alias = alias, .n = n, .with_destroyed = true, .with_der = true};
    *f = (struct found){.all = sk_X509_new_null()};
    if (f->all == NULL) {
        return no_memory(e);
    }
    if (s->driver->rows(s->b, &filter, take_row, f, e) != 0) {
        return -1;
    }
    return f->there ? 0 : cs_error_set(e, CS_EXIT_USAGE, "entry-unknown", "no entry %s#%u", alias, n);
}

static bool issued(X509 *issuer, X509 *x)
{
    bool yes = X509_check_issued(issuer, x) == X509_V_OK && X509_verify(x, X509_get0_pubkey(issuer)) == 1;
    ERR_clear_error();
    return yes;
}

struct anchors {
    X509 *of;   /**< borrowed: the last certificate that is known */
    X509 *root; /**< owned: who issued it; NULL: not found */
};

static int look_at_anchor(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct anchors *a = ctx;
    const uint8_t *p = row->der;
    (void)e;
    X509 *x = a->root == NULL ? d2i_X509(NULL, &p, (long)row->der_len) : NULL;
    if (x != NULL && issued(x, a->of)) {
        a->root = x;
        return 0;
    }
    X509_free(x);
    ERR_clear_error();
    return 0;
}

/** Where the chain ends: at itself, or at a trust anchor of the store. Only the root stays in f. */
static int keep_root(ks_store *s, struct found *f, cs_error *e)
{
    struct anchors a = {.of = sk_X509_value(f->all, sk_X509_num(f->all) - 1)};
    struct ks_row_filter filter = {.has_role = true, .role = KS_TRUST_ANCHOR, .with_der = true};
    if (issued(a.of, a.of)) {
        a.root = a.of;
        X509_up_ref(a.root);
    } else if (s->driver->rows(s->b, &filter, look_at_anchor, &a, e) != 0) {
        return -1;
    }
    if (a.root == NULL) {
        return cs_error_set(
            e, CS_EXIT_USAGE, "root-unknown",
            "the root of %s#%u is not in the keystore: neither came it with the certificate, nor is it a "
            "trust-anchor here",
            f->row.info.alias, f->row.info.n);
    }
    while (sk_X509_num(f->all) > 0) {
        X509_free(sk_X509_pop(f->all));
    }
    if (sk_X509_push(f->all, a.root) <= 0) {
        X509_free(a.root);
        return no_memory(e);
    }
    return 0;
}

static int write_p7(BIO *bio, const STACK_OF(X509) * all)
{
    PKCS7 *p7 = PKCS7_new();
    bool good = p7 != NULL && PKCS7_set_type(p7, NID_pkcs7_signed) == 1 && PKCS7_content_new(p7, NID_pkcs7_data) == 1;
    for (int i = 0; good && i < sk_X509_num(all); i++) {
        good = PKCS7_add_certificate(p7, sk_X509_value(all, i)) == 1;
    }
    good = good && i2d_PKCS7_bio(bio, p7) == 1;
    PKCS7_free(p7);
    return good ? 0 : -1;
}

static int write_form(BIO *bio, const STACK_OF(X509) * all, const ks_export_request *q, cs_error *e)
{
    int rc = 0;
    if (q->form == KS_EXPORT_DER && sk_X509_num(all) > 1) {
        return cs_error_set(e, CS_EXIT_USAGE, "usage", "DER holds one certificate; a chain goes into PEM or PKCS#7");
    }
    switch (q->form) {
    case KS_EXPORT_PEM:
        for (int i = 0; rc == 0 && i < sk_X509_num(all); i++) {
            rc = PEM_write_bio_X509(bio, sk_X509_value(all, i)) == 1 ? 0 : -1;
        }
        break;
    case KS_EXPORT_DER: rc = i2d_X509_bio(bio, sk_X509_value(all, 0)) == 1 ? 0 : -1; break;
    case KS_EXPORT_PKCS7: rc = write_p7(bio, all); break;
    }
    return rc == 0 ? 0 : no_memory(e);
}

static int give(BIO *bio, char **out, size_t *n, cs_error *e)
{
    char *data = NULL;
    long length = BIO_get_mem_data(bio, &data);
    *out = length > 0 ? malloc((size_t)length + 1) : NULL;
    if (*out == NULL) {
        return no_memory(e);
    }
    memcpy(*out, data, (size_t)length);
    (*out)[length] = '\0';
    *n = (size_t)length;
    return 0;
}

int ks_export(ks_store *s, const ks_export_request *q, char **out, size_t *n, cs_error *e)
{
    struct found f;
    BIO *bio = BIO_new(BIO_s_mem());
    *out = NULL;
    int rc = find(s, q->alias, q->n, &f, e);
    if (rc == 0 && bio == NULL) {
        rc = no_memory(e);
    }
    if (rc == 0 && q->what == KS_EXPORT_ROOT) {
        rc = keep_root(s, &f, e);
    }
    while (rc == 0 && q->what == KS_EXPORT_CERTIFICATE && sk_X509_num(f.all) > 1) {
        X509_free(sk_X509_pop(f.all));
    }
    if (rc == 0) {
        rc = write_form(bio, f.all, q, e) == 0 ? give(bio, out, n, e) : -1;
    }
    sk_X509_pop_free(f.all, X509_free);
    BIO_free(bio);
    return rc;
}

int ks_signature_algorithm(ks_store *s, const char *alias, unsigned n, char out[KS_ALGORITHM], cs_error *e)
{
    struct found f;
    int rc = find(s, alias, n, &f, e);
    int nid = rc == 0 ? X509_get_signature_nid(sk_X509_value(f.all, 0)) : NID_undef;
    cs_copy(out, KS_ALGORITHM, nid != NID_undef ? OBJ_nid2sn(nid) : "unknown");
    sk_X509_pop_free(f.all, X509_free);
    return rc;
}

/* ---- private keys ------------------------------------------------------------------------------------------------ */

/** PKCS#8 under the passphrase: AES-256, and enough rounds to make guessing dear. */
static int encrypt(EVP_PKEY *key, const char *passphrase, char **out, size_t *n, cs_error *e)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    X509_SIG *sealed = info != NULL ? PKCS8_encrypt(-1, EVP_aes_256_cbc(), passphrase, (int)strlen(passphrase), NULL, 0,
                                                    PBKDF2_ROUNDS, info)
                                    : NULL;
    int rc = bio != NULL && sealed != NULL && PEM_write_bio_PKCS8(bio, sealed) == 1
                 ? give(bio, out, n, e)
                 : cs_error_set(e, CS_EXIT_INTERNAL, "export-failed", "the private key cannot be encrypted");
    X509_SIG_free(sealed);
    PKCS8_PRIV_KEY_INFO_free(info);
    BIO_free(bio);
    ERR_clear_error();
    return rc;
}

static int open_key(ks_store *s, const struct ks_row *row, EVP_PKEY **key, cs_error *e)
{
    struct ks_slot slot;
    struct ks_key_row held;
    uint8_t *ct = NULL;
    const ks_info *i = &row->info;
    if (row->key_id[0] == '\0') {
        return cs_error_set(e, CS_EXIT_USAGE, "no-key", "%s#%u has no private key here", i->alias, i->n);
    }
    int rc =
        s->driver->slot_get(s->b, i->alias, &slot, e) == 1 ? s->driver->key_get(s->b, row->key_id, &held, &ct, e) : -1;
    free(ct);
    if (rc < 0) {
        return -1;
    }
    if (rc == 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "no-key", "the private key of %s#%u was destroyed", i->alias, i->n);
    }
    return held.pkcs11_uri[0] != '\0' ? cs_error_set(e, CS_EXIT_USAGE, "key-in-token",
                                                     "the private key of %s#%u stays in its token", i->alias, i->n)
                                      : ks_key_open(s, NULL, &slot, row->key_id, key, e);
}

static void plan_of(const ks_info *info, const ks_actor *who, struct ks_plan *p)
{
    char object[KS_WORD + 12];
    snprintf(object, sizeof object, "%s#%u", info->alias, info->n);
    ks_plan_begin(p, "export", object);
    ks_plan_put(p, KS_PLAN_ASKED, "what", "private");
    ks_plan_put(p, KS_PLAN_ASKED, "reason", who->reason);
    ks_plan_put_entry(p, info);
}

/** @return 0; 1: a second person must agree first; -1 */
static int private_within(struct ks_record *r, const struct found *f, const char *passphrase, struct ks_plan *p,
                          char **out, size_t *n, cs_error *e)
{
    struct ks_consent c;
    EVP_PKEY *key = NULL;
    plan_of(&f->row.info, r->who, p);
    if (ks_consent_ask(r->s, p, r->who, r->now, &c, e) != 0) {
        return -1;
    }
    if (c.asked && !c.given) {
        return 1;
    }
    r->approver = ks_consent_approver(&c);
    int rc = open_key(r->s, &f->row, &key, e) == 0 && encrypt(key, passphrase, out, n, e) == 0 &&
                     ks_record_audit(r, "export-private", p->object, NULL, NULL, e) == 0 &&
                     (!c.given || ks_consent_use(r->s, &c, r->now, e) == 0) &&
                     ks_record_commit(r, "export-private", e) == 0
                 ? 0
                 : -1;
    EVP_PKEY_free(key);
    return rc;
}

int ks_export_private(ks_store *s, const char *alias, unsigned entry, const char *passphrase, const ks_actor *who,
                      cs_time now, char **out, size_t *n, cs_error *e)
{
    struct ks_record r = {0};
    struct ks_plan plan;
    struct found f = {0};
    *out = NULL;
    if (passphrase == NULL || strlen(passphrase) < KS_PASSPHRASE_MIN) {
        return cs_error_set(e, CS_EXIT_USAGE, "passphrase",
                            "a private key leaves only encrypted: give a passphrase of at least %d characters with "
                            "--passphrase-file FILE or --askpass",
                            KS_PASSPHRASE_MIN);
    }
    int rc = ks_record_begin(&r, s, who, false, now, e) == 0 && find(s, alias, entry, &f, e) == 0
                 ? private_within(&r, &f, passphrase, &plan, out, n, e)
                 : -1;
    ks_record_end(&r);
    sk_X509_pop_free(f.all, X509_free);
    if (rc == 1) {
        rc = ks_consent_propose(s, &plan, who, now, e);
    }
    if (rc != 0) {
        free(*out);
        *out = NULL;
    }
    return rc;
}
