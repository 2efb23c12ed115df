/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle.c: what an auditor needs to judge signatures of the past without the store: certificates, from when to when
 * each was accepted for what, revocation lists. Public data alone, one JSON object; docs/bundle.md tells its members.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "keystore/checkpoint.h"
#include "keystore/store.h"

struct bundle {
    ks_store *s;
    cs_json *j;
    cs_time as_of;
    ks_bundle_head *head;
};

/** @return PEM of concatenated DER certificates, malloc'ed; NULL: they cannot be read */
static char *pem_of(const uint8_t *der, size_t n)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const uint8_t *p = der;
    bool good = bio != NULL;
    char *data = NULL;
    char *text = NULL;
    while (good && p != NULL && p < der + n) {
        X509 *x = d2i_X509(NULL, &p, (long)(der + n - p));
        good = x != NULL && PEM_write_bio_X509(bio, x) == 1;
        X509_free(x);
    }
    if (good) {
        long length = BIO_get_mem_data(bio, &data);
        text = strndup(length > 0 ? data : "", (size_t)length);
    }
    BIO_free(bio);
    ERR_clear_error();
    return text;
}

struct spans {
    cs_json *j;
    cs_time as_of;
    size_t n;
    bool write;
};

static int take_span(void *ctx, const struct ks_interval *i, cs_error *e)
{
    struct spans *t = ctx;
    (void)e;
    if (i->from > t->as_of) {
        return 0;
    }
    t->n++;
    if (t->write) {
        cs_json_object(t->j, NULL);
        cs_json_str(t->j, "capability", ks_capability_word(i->capability));
        cs_json_time(t->j, "from", i->from);
        cs_json_time(t->j, "to", i->to == KS_FOREVER ? 0 : i->to);
        cs_json_object_end(t->j);
    }
    return 0;
}

static int write_entry(struct bundle *b, const struct ks_row *row, const char *pem, const char *chain, cs_error *e)
{
    char name[KS_WORD + 12];
    const ks_info *i = &row->info;
    struct spans t = {b->j, b->as_of, 0, true};
    snprintf(name, sizeof name, "%s#%u", i->alias, i->n);
    cs_json_object(b->j, NULL);
    cs_json_str(b->j, "entry", name);
    cs_json_str(b->j, "alias", i->alias);
    cs_json_str(b->j, "role", ks_role_word(i->role));
    cs_json_str(b->j, "partner", i->partner[0] != '\0' ? i->partner : NULL);
    cs_json_str(b->j, "state", ks_state_word(i->state));
    cs_json_hex(b->j, "sha256", i->sha256, sizeof i->sha256);
    cs_json_hex(b->j, "spki_sha256", i->spki_sha256, sizeof i->spki_sha256);
    cs_json_str(b->j, "subject", i->subject);
    cs_json_str(b->j, "issuer", i->issuer);
    cs_json_str(b->j, "serial", i->serial);
    cs_json_time(b->j, "not_before", i->not_before);
    cs_json_time(b->j, "not_after", i->not_after);
    cs_json_time(b->j, "activated_at", i->activated_at);
    cs_json_time(b->j, "exchanged_at", i->exchanged_at);
    cs_json_time(b->j, "process_stop", i->process_stop);
    cs_json_time(b->j, "compromised_since", row->compromised_since);
    cs_json_array(b->j, "accepted");
    int rc = b->s->driver->intervals(b->s->b, row->entry_id, 0, take_span, &t, e);
    cs_json_array_end(b->j);
    cs_json_str(b->j, "certificate", pem);
    cs_json_str(b->j, "issuers", chain);
    cs_json_object_end(b->j);
    b->head->entries++;
    return rc;
}

/** Entries that were accepted for something up to the instant, whatever became of them. */
static int take_entry(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct bundle *b = ctx;
    struct spans t = {b->j, b->as_of, 0, false};
    if (b->s->driver->intervals(b->s->b, row->entry_id, 0, take_span, &t, e) != 0) {
        return -1;
    }
    if (t.n == 0) {
        return 0;
    }
    char *pem = pem_of(row->der, row->der_len);
    char *chain = pem_of(row->chain, row->chain_len);
    int rc = pem != NULL && chain != NULL
                 ? write_entry(b, row, pem, chain, e)
                 : cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "the certificate of %s#%u cannot be read",
                                row->info.alias, row->info.n);
    free(pem);
    free(chain);
    return rc;
}

static int take_crl(void *ctx, const struct ks_crl_row *row, cs_error *e)
{
    struct bundle *b = ctx;
    uint8_t *der = NULL;
    size_t n = 0;
    char *data = NULL;
    if (b->s->driver->crl_get(b->s->b, row->sha256, &der, &n, e) != 1) {
        return -1;
    }
    const uint8_t *p = der;
    BIO *bio = BIO_new(BIO_s_mem());
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)n);
    int rc = bio != NULL && crl != NULL && PEM_write_bio_X509_CRL(bio, crl) == 1
                 ? 0
                 : cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "the CRL of %s cannot be read", row->issuer);
    if (rc == 0) {
        long length = BIO_get_mem_data(bio, &data);
        cs_json_object(b->j, NULL);
        cs_json_str(b->j, "issuer", row->issuer);
        cs_json_time(b->j, "this_update", row->this_update);
        cs_json_time(b->j, "next_update", row->next_update);
        cs_json_strn(b->j, "crl", data, (size_t)length);
        cs_json_object_end(b->j);
    }
    X509_CRL_free(crl);
    BIO_free(bio);
    free(der);
    ERR_clear_error();
    return rc;
}

static int write_head(struct bundle *b, uint64_t *generation, cs_error *e)
{
    char store_id[KS_ID] = "";
    uint8_t head[32];
    uint64_t seq = 0;
    const struct ks_driver *d = b->s->driver;
    if (d->meta_get(b->s->b, "store_id", store_id, sizeof store_id, e) != 1 ||
        d->generation(b->s->b, generation, e) != 0 || d->audit_head(b->s->b, &seq, head, e) != 0) {
        return -1;
    }
    cs_json_str(b->j, "format", "countersign-bundle");
    cs_json_int(b->j, "version", 1);
    cs_json_str(b->j, "store_id", store_id);
    cs_json_time(b->j, "as_of", b->as_of);
    cs_json_int(b->j, "generation", (int64_t)*generation);
    cs_json_int(b->j, "audit_seq", (int64_t)seq);
    cs_json_hex(b->j, "audit_hash", head, sizeof head);
    char *key = b->head->signer;
    (void)d->meta_get(b->s->b, KS_CHECKPOINT_KEY, key, sizeof b->head->signer, NULL);
    cs_json_str(b->j, "audit_key", key[0] != '\0' ? key : NULL);
    return 0;
}

int ks_bundle_statement(const char *data, size_t n, char out[KS_BUNDLE_STATEMENT])
{
    uint8_t digest[32];
    char hex[65];
    return EVP_Digest(data, n, digest, NULL, EVP_sha256(), NULL) == 1
               ? snprintf(out, KS_BUNDLE_STATEMENT, "cs-bundle-1 %s", cs_hex(digest, sizeof digest, hex))
               : -1;
}

/** The last two members: what stands before each, signed (where the key is here), and as a hash. */
static int seal(struct bundle *b, cs_buf *out, size_t begin)
{
    uint8_t digest[32];
    char statement[KS_BUNDLE_STATEMENT];
    char signature[KS_SIGNATURE_TEXT];
    cs_json *j = b->j;
    int n = out->failed ? -1 : ks_bundle_statement(out->data + begin, out->len - begin, statement);
    if (n > 0 && ks_checkpoint_sign(b->s, statement, (size_t)n, signature)) {
        cs_json_str(j, "signature", signature);
    } else {
        b->head->signer[0] = '\0';
    }
    if (n < 0 || out->failed ||
        EVP_Digest(out->data + begin, out->len - begin, digest, NULL, EVP_sha256(), NULL) != 1) {
        return -1;
    }
    cs_json_hex(j, "sha256", digest, sizeof digest);
    return 0;
}

int ks_bundle(ks_store *s, cs_time as_of, cs_buf *out, ks_bundle_head *head, cs_error *e)
{
    cs_json j;
    struct bundle b = {.s = s, .j = &j, .as_of = as_of, .head = head};
    struct ks_row_filter f = {.with_destroyed = true, .with_der = true};
    uint64_t generation = 0;
    size_t begin = out->len;
    *head = (ks_bundle_head){.as_of = as_of};
    if (s->driver->begin(s->b, KS_READ, e) != 0) {
        return -1;
    }
    cs_json_begin(&j, out);
    cs_json_object(&j, NULL);
    int rc = write_head(&b, &generation, e);
    cs_json_array(&j, "entries");
    rc = rc == 0 ? s->driver->rows(s->b, &f, take_entry, &b, e) : rc;
    cs_json_array_end(&j);
    cs_json_array(&j, "crls");
    rc = rc == 0 ? s->driver->crls(s->b, take_crl, &b, e) : rc;
    cs_json_array_end(&j);
    out->failed |= seal(&b, out, begin) != 0;
    cs_json_object_end(&j);
    s->driver->rollback(s->b);
    return rc == 0 && out->failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory") : rc;
}
