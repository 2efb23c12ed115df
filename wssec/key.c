/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key.c: steps 8 and 9: from a key reference to the stored key that made the signature over SignedInfo. The certificate
 * that a message carries counts only when it is, octet for octet, a stored one; nothing of an unauthenticated message
 * is digested before a stored key has matched here.
 */
#include "wssec/key.h"

#include <libxml/c14n.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/dn.h"
#include "wssec/canon.h"
#include "wssec/emit.h"
#include "wssec/worker.h"

#define SUCCESSOR_RSA_MAX 4096

void wssec_note(struct wssec_verdict *v, const char *fmt, ...)
{
    if (v->n_notes == WSSEC_MAX_NOTES) {
        return;
    }
    char *note = v->notes[v->n_notes];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(note, sizeof v->notes[0], fmt, ap);
    va_end(ap);
    for (unsigned i = 0; i < v->n_notes; i++) {
        if (strcmp(v->notes[i], note) == 0) {
            return;
        }
    }
    v->n_notes++;
}

static int prepare(const struct wssec_signature_alg *alg, EVP_PKEY_CTX *ctx)
{
    if (EVP_PKEY_verify_init(ctx) != 1 || wssec_signature_padding(alg, ctx) != 0) {
        return -1;
    }
    return EVP_PKEY_CTX_set_signature_md(ctx, wssec_md(alg->evp)) == 1 ? 0 : -1;
}

/* An operation that found no memory must not read as "does not fit". Empties OpenSSL's queue of errors. */
bool wssec_openssl_no_memory(void)
{
    bool found = false;
    for (unsigned long e = ERR_get_error(); e != 0; e = ERR_get_error()) {
        found = found || ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
    }
    return found;
}

static void forget_key(struct wssec_ready_key *k)
{
    EVP_PKEY_CTX_free(k->ctx);
    *k = (struct wssec_ready_key){0};
}

/* The key ready for the algorithm, from the last messages or made. *outcome: 0 when the algorithm does not take the
 * key, -1 for want of memory. @return row of w; NULL: see outcome */
static struct wssec_ready_key *ready_key(struct wssec_worker *w, const struct wssec_signature_alg *alg, EVP_PKEY *key,
                                         int *outcome)
{
    struct wssec_ready_key *oldest = &w->ready[0];
    for (size_t i = 0; i < WSSEC_READY_KEYS; i++) {
        struct wssec_ready_key *k = &w->ready[i];
        if (k->ctx != NULL && k->key == key && k->alg == alg) {
            k->used = ++w->ready_clock;
            return k;
        }
        oldest = k->used < oldest->used ? k : oldest;
    }
    forget_key(oldest);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    if (ctx == NULL || prepare(alg, ctx) != 0) {
        *outcome = ctx == NULL ? -1 : 0;
        EVP_PKEY_CTX_free(ctx);
        return NULL;
    }
    *oldest = (struct wssec_ready_key){alg, key, ctx, ++w->ready_clock};
    return oldest;
}

static int verify_digest(struct wssec_worker *w, const struct wssec_signature_alg *alg, EVP_PKEY *key, const void *data,
                         size_t n, struct wssec_slice value)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    const EVP_MD *md = wssec_md(alg->evp);
    int outcome = -1;
    if (md == NULL || EVP_DigestInit_ex(w->md, md, NULL) != 1 || EVP_DigestUpdate(w->md, data, n) != 1 ||
        EVP_DigestFinal_ex(w->md, digest, &len) != 1) {
        return -1;
    }
    struct wssec_ready_key *ready = ready_key(w, alg, key, &outcome);
    if (ready == NULL) {
        return outcome;
    }
    outcome = EVP_PKEY_verify(ready->ctx, value.p, value.n, digest, len) == 1;
    if (outcome != 1) { /* what a failure leaves in a context is not to matter to the next message */
        forget_key(ready);
    }
    return outcome;
}

static int verify_whole(struct wssec_worker *w, EVP_PKEY *key, const void *data, size_t n, struct wssec_slice value)
{
    if (EVP_MD_CTX_reset(w->md) != 1 || EVP_DigestVerifyInit(w->md, NULL, NULL, NULL, key) != 1) {
        return -1;
    }
    int ok = EVP_DigestVerify(w->md, value.p, value.n, data, n);
    return EVP_MD_CTX_reset(w->md) == 1 ? ok == 1 : -1;
}

/* One public-key operation. @return 1: fits, 0: does not, -1: no memory or an error of OpenSSL that is no answer */
static int evp_verify(struct wssec_worker *w, const struct wssec_signature_alg *alg, EVP_PKEY *key, const void *data,
                      size_t n, struct wssec_slice value)
{
    uint8_t der[2 * 66 + 16];
    if (alg->key_type == EVP_PKEY_EC) {
        size_t len = wssec_ecdsa_to_der(value.p, value.n, wssec_ecdsa_octets(key), der, sizeof der);
        if (len == 0) {
            return 0;
        }
        value = (struct wssec_slice){der, len};
    }
    int outcome = alg->evp != NULL ? verify_digest(w, alg, key, data, n, value) : verify_whole(w, key, data, n, value);
    return outcome != 1 && wssec_openssl_no_memory() ? -1 : outcome;
}

/* r||s has one of three lengths and no half is zero; anything else cannot be right for any key. */
static int judge_value(struct wssec_judge *j, const struct wssec_siginfo *s)
{
    uint8_t der[2 * 66 + 16];
    size_t n = s->value.n;
    if (s->algorithm->key_type != EVP_PKEY_EC) {
        return 0;
    }
    if ((n == 64 || n == 96 || n == 132) && wssec_ecdsa_to_der(s->value.p, n, n, der, sizeof der) > 0) {
        return 0;
    }
    return wssec_refuse(j->why, WSSEC_SIGNATURE_MALFORMED, "the ECDSA value of %zu octets is not r||s%s", n,
                        n > 0 && s->value.p[0] == 0x30 ? "; it is DER-encoded, as gSOAP writes it" : "");
}

/* Candidates for the hint; those that the resolver widened beyond a named certificate are dropped. */
static int ask(struct wssec_judge *j, const struct wssec_hint *hint, struct wssec_entry *out, int max)
{
    int n = j->resolver->candidates(j->resolver->ctx, WSSEC_USE_VERIFY, hint, j->when->at, out, max);
    if (n > max || hint == NULL || !hint->has_cert) {
        return n > max ? max : n;
    }
    int kept = 0;
    for (int i = 0; i < n; i++) {
        if (memcmp(out[i].sha256, hint->cert_sha256, sizeof hint->cert_sha256) == 0) {
            out[kept++] = out[i];
        }
    }
    return n < 0 ? n : kept;
}

static int find_candidates(struct wssec_judge *j, struct wssec_signer *out)
{
    int max = (int)(j->policy->limits.candidates < WSSEC_ENTRIES ? j->policy->limits.candidates : WSSEC_ENTRIES);
    struct wssec_key_name *k = &out->name;
    out->entry = wssec_arena_take(&j->worker->arena, (size_t)max * sizeof *out->entry);
    if (out->entry == NULL) {
        return WSSEC_RC_NOMEM;
    }
    struct wssec_hint hint = k->hint;
    out->n = ask(j, hint.kind == WSSEC_KEYREF_NONE ? NULL : &hint, out->entry, max);
    /* bare X509Data has no order: any of its certificates may be the signer's */
    for (size_t i = 1; out->n == 0 && hint.kind == WSSEC_KEYREF_X509_DATA && i < k->n_certificate; i++) {
        hint.cert = k->certificate[i].p;
        hint.cert_len = k->certificate[i].n;
        hint.path = k->certificate;
        hint.n_path = k->n_certificate;
        if (EVP_Digest(hint.cert, hint.cert_len, hint.cert_sha256, NULL, wssec_md("SHA256"), NULL) != 1) {
            return WSSEC_RC_NOMEM;
        }
        out->n = ask(j, &hint, out->entry, max);
    }
    return out->n < 0 ? WSSEC_RC_INTERNAL : WSSEC_RC_OK;
}

/* Does the signature fit an unknown certificate that looks like the next one of a known signer? One operation, bounded.
 */
static bool fits_successor(struct wssec_judge *j, const struct wssec_siginfo *s, X509 *x, const struct wssec_entry *e,
                           int n)
{
    EVP_PKEY *key = X509_get0_pubkey(x);
    if (key == NULL || !wssec_signature_fits_key(s->algorithm, key) ||
        (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) > SUCCESSOR_RSA_MAX)) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        const unsigned char *p = e[i].der.p;
        X509 *known = e[i].der.n <= LONG_MAX ? d2i_X509(NULL, &p, (long)e[i].der.n) : NULL;
        bool alike = known != NULL && X509_NAME_cmp(X509_get_subject_name(known), X509_get_subject_name(x)) == 0 &&
                     X509_NAME_cmp(X509_get_issuer_name(known), X509_get_issuer_name(x)) == 0;
        X509_free(known);
        if (alike) {
            return evp_verify(j->worker, s->algorithm, key, j->worker->signed_info.data, j->worker->signed_info.len,
                              s->value) == 1;
        }
    }
    return false;
}

/* Nobody fits the key reference: say as much as an operator needs to act. */
static int unknown(struct wssec_judge *j, const struct wssec_siginfo *s, struct wssec_signer *out)
{
    const struct wssec_hint *h = &out->name.hint;
    const char *word = wssec_keyref_word(h->kind);
    if (!h->has_cert || h->cert_len > LONG_MAX) {
        (void)wssec_refuse(j->why, WSSEC_CERTIFICATE_UNKNOWN, "no stored certificate fits the key reference (%s)",
                           word);
        return WSSEC_RC_OK;
    }
    const unsigned char *p = h->cert;
    X509 *x = d2i_X509(NULL, &p, (long)h->cert_len);
    if (x == NULL || p != h->cert + h->cert_len) {
        X509_free(x);
        (void)wssec_refuse(j->why, WSSEC_TOKEN_MALFORMED, "the token (%s) is not a certificate", word);
        return WSSEC_RC_OK;
    }
    uint8_t spki[32];
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    bool digested = len > 0 && EVP_Digest(der, (size_t)len, spki, NULL, wssec_md("SHA256"), NULL) == 1;
    OPENSSL_free(der);
    out->entry = wssec_arena_take(&j->worker->arena, WSSEC_ENTRIES * sizeof *out->entry);
    if (out->entry == NULL) {
        X509_free(x);
        return WSSEC_RC_NOMEM;
    }
    out->n = ask(j, NULL, out->entry, WSSEC_ENTRIES);
    for (int i = 0; i < out->n && digested; i++) {
        if (memcmp(out->entry[i].spki_sha256, spki, sizeof spki) == 0) {
            (void)wssec_refuse(
                j->why, WSSEC_CERTIFICATE_UNKNOWN,
                "the certificate (%s) is not stored, but its key is that of %.64s#%u: renewed with the same key", word,
                out->entry[i].alias, out->entry[i].ordinal);
        }
    }
    char subject[200];
    if (cs_dn_text(X509_get_subject_name(x), subject, sizeof subject) == 0) {
        subject[0] = '\0';
    }
    out->unknown_successor = j->why->reason == WSSEC_OK && fits_successor(j, s, x, out->entry, out->n);
    (void)wssec_refuse(j->why, WSSEC_CERTIFICATE_UNKNOWN, "the certificate (%s) of %s is not stored for this partner",
                       word, subject);
    X509_free(x);
    return WSSEC_RC_OK;
}

static int canonical_signed_info(struct wssec_judge *j, const struct wssec_siginfo *s)
{
    struct wssec_canon c = {.node = s->signed_info, .mode = s->c14n->libxml2_mode, .prefix = s->prefix};
    cs_buf *out = &j->worker->signed_info;
    cs_buf_reset(out);
    if (j->walk == NULL || c.mode != XML_C14N_EXCLUSIVE_1_0) {
        return wssec_canon_text(&c, out);
    }
    int rc = wssec_emit_tree(j->walk, &c, wssec_to_buffer, out);
    return out->failed ? WSSEC_RC_NOMEM : rc;
}

static void mismatch(struct wssec_judge *j, const struct wssec_siginfo *s, const struct wssec_signer *out, int tried)
{
    char list[160] = "";
    size_t at = 0;
    for (int i = 0; i < out->n && at < sizeof list - 1; i++) {
        int put = snprintf(list + at, sizeof list - at, "%s%.40s#%u", i > 0 ? ", " : "", out->entry[i].alias,
                           out->entry[i].ordinal);
        at += put > 0 ? (size_t)put : 0;
    }
    (void)wssec_refuse(j->why, WSSEC_SIGNATURE_MISMATCH, "%s fits none of: %s%s", s->algorithm->word, list,
                       tried == 0 ? " (no key of the algorithm's type)" : "");
}

int wssec_signer_find(struct wssec_judge *j, const struct wssec_siginfo *s, struct wssec_signer *out)
{
    memset(out, 0, sizeof *out);
    int rc = s->str != NULL ? wssec_str_read(&j->reader, s->str, &out->name)
                            : wssec_key_info_read(&j->reader, s->key_info, &out->name);
    if (rc != WSSEC_RC_OK || j->why->reason != WSSEC_OK || judge_value(j, s) != 0) {
        return rc;
    }
    rc = canonical_signed_info(j, s);
    if (rc == WSSEC_RC_OK) {
        rc = find_candidates(j, out);
    }
    if (rc != WSSEC_RC_OK) {
        return rc;
    }
    if (out->n == 0) {
        return unknown(j, s, out);
    }
    int tried = 0;
    const cs_buf *text = &j->worker->signed_info;
    for (int i = 0; i < out->n && out->matched == NULL; i++) {
        if (out->entry[i].key == NULL || !wssec_signature_fits_key(s->algorithm, out->entry[i].key)) {
            continue;
        }
        tried++;
        int fits = evp_verify(j->worker, s->algorithm, out->entry[i].key, text->data, text->len, s->value);
        if (fits < 0) {
            return WSSEC_RC_NOMEM;
        }
        if (fits == 1) {
            out->matched = &out->entry[i];
        }
    }
    if (out->matched == NULL) {
        mismatch(j, s, out, tried);
    }
    return WSSEC_RC_OK;
}
