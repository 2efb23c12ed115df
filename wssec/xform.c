/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xform.c: what a reference digests. With the STR-Transform it is not the SecurityTokenReference but its token; a token
 * that is not in the message (thumbprint, issuer and serial, SKI) is written as a BinarySecurityToken would have stood.
 * Stacks differ in whether that token has an EncodingType, and a hint may fit more than one stored certificate, so the
 * forms are tried against the digest that was signed: a form that fits is proof.
 */
#include <openssl/crypto.h>
#include <string.h>

#include "base/text.h"
#include "wssec/dom.h"
#include "wssec/worker.h"

#define VT_X509V3 WSSEC_X509_PROFILE "#X509v3"
#define ET_BASE64 WSSEC_SMS10 "#Base64Binary"

int wssec_source_write(const struct wssec_source *source, wssec_canon_sink sink, void *ctx)
{
    struct wssec_judge *j = source->judge;
    if (source->attachment != 0) {
        return wssec_attachment_write(j->worker, j->policy, source->attachment, source->form, sink, ctx, j->why);
    }
    if (source->canon.node != NULL) {
        return wssec_xop_canon(j->worker, &source->canon, sink, ctx, j->why);
    }
    return source->built.n > 0 && sink(ctx, source->built.p, source->built.n) == 0 ? WSSEC_RC_OK : WSSEC_RC_INTERNAL;
}

static int to_digest(void *ctx, const void *p, size_t n)
{
    return EVP_DigestUpdate(ctx, p, n) == 1 ? 0 : -1;
}

int wssec_source_digest(struct wssec_worker *w, const struct wssec_source *source, const struct wssec_digest_alg *alg,
                        uint8_t out[EVP_MAX_MD_SIZE])
{
    if (EVP_DigestInit_ex(w->md, wssec_md(alg->evp), NULL) != 1) {
        return WSSEC_RC_NOMEM;
    }
    int rc = wssec_source_write(source, to_digest, w->md);
    unsigned n = 0;
    if (rc == WSSEC_RC_OK && (EVP_DigestFinal_ex(w->md, out, &n) != 1 || n != alg->octets)) {
        rc = WSSEC_RC_NOMEM;
    }
    return rc;
}

/* The list of the Transform and #default: the token's default namespace is to be written when it has one. */
static int with_default(struct wssec_judge *j, xmlChar **prefix, xmlChar ***out)
{
    size_t n = 0;
    while (prefix != NULL && prefix[n] != NULL) {
        n++;
    }
    xmlChar **more = wssec_arena_take(&j->worker->arena, (n + 2) * sizeof *more);
    if (more == NULL) {
        return WSSEC_RC_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        more[i] = prefix[i];
    }
    more[n] = (xmlChar *)wssec_arena_text(&j->worker->arena, "#default", 8);
    *out = more;
    return more[n] != NULL ? WSSEC_RC_OK : WSSEC_RC_NOMEM;
}

/* Canonical octets of a BinarySecurityToken that is not in the message. */
static int build(struct wssec_judge *j, const xmlNode *str, struct wssec_slice der, bool encoding,
                 struct wssec_slice *out)
{
    const char *prefix = str->ns != NULL && str->ns->prefix != NULL ? (const char *)str->ns->prefix : "";
    const char *colon = prefix[0] != '\0' ? ":" : "";
    char *text = wssec_arena_take(&j->worker->arena, 4 * ((der.n + 2) / 3) + 1);
    if (text == NULL) {
        return WSSEC_RC_NOMEM;
    }
    (void)cs_base64_encode(der.p, der.n, text);
    cs_buf b = CS_BUF_INIT;
    int bad = cs_buf_addf(&b, "<%s%sBinarySecurityToken", prefix, colon);
    bad |= prefix[0] != '\0' ? cs_buf_addf(&b, " xmlns=\"\" xmlns:%s=\"%s\"", prefix, WSSEC_NS_WSSE)
                             : cs_buf_addf(&b, " xmlns=\"%s\"", WSSEC_NS_WSSE);
    bad |= cs_buf_addf(&b, "%s%s%s ValueType=\"%s\">%s</%s%sBinarySecurityToken>", encoding ? " EncodingType=\"" : "",
                       encoding ? ET_BASE64 : "", encoding ? "\"" : "", VT_X509V3, text, prefix, colon);
    char *copy = bad == 0 ? wssec_arena_text(&j->worker->arena, b.data, b.len) : NULL;
    out->p = (const uint8_t *)copy;
    out->n = b.len;
    cs_buf_free(&b);
    return copy != NULL ? WSSEC_RC_OK : WSSEC_RC_NOMEM;
}

/* Try both forms of one certificate. *fits: source holds the form that was signed. */
static int try_certificate(struct wssec_judge *j, const struct wssec_reference *ref, struct wssec_slice der,
                           struct wssec_source *source, bool *fits)
{
    for (int encoding = 0; encoding < 2 && !*fits; encoding++) {
        uint8_t digest[EVP_MAX_MD_SIZE];
        int rc = build(j, ref->target, der, encoding == 1, &source->built);
        if (rc == WSSEC_RC_OK) {
            rc = wssec_source_digest(j->worker, source, ref->digest, digest);
        }
        if (rc != WSSEC_RC_OK) {
            return rc;
        }
        *fits = CRYPTO_memcmp(digest, ref->value, ref->digest->octets) == 0;
    }
    return WSSEC_RC_OK;
}

static int absent_token(struct wssec_judge *j, const struct wssec_reference *ref, const struct wssec_key_name *name,
                        const struct wssec_signer *signer, struct wssec_source *source)
{
    bool fits = false;
    if (name->n_certificate > 0) {
        return try_certificate(j, ref, name->certificate[0], source, &fits);
    }
    struct wssec_entry *e = wssec_arena_take(&j->worker->arena, WSSEC_MAX_CANDIDATES * sizeof *e);
    if (e == NULL) {
        return WSSEC_RC_NOMEM;
    }
    int n =
        j->resolver->candidates(j->resolver->ctx, WSSEC_USE_VERIFY, &name->hint, j->when->at, e, WSSEC_MAX_CANDIDATES);
    int rc = try_certificate(j, ref, signer->matched->der, source, &fits);
    for (int i = 0; i < n && i < WSSEC_MAX_CANDIDATES && rc == WSSEC_RC_OK && !fits; i++) {
        rc = try_certificate(j, ref, e[i].der, source, &fits);
    }
    return n < 0 ? WSSEC_RC_INTERNAL : rc;
}

static int str_source(struct wssec_judge *j, const struct wssec_reference *ref, const struct wssec_signer *signer,
                      struct wssec_source *source)
{
    struct wssec_key_name name;
    int rc = wssec_str_read(&j->reader, ref->target, &name);
    if (rc != WSSEC_RC_OK || j->why->reason != WSSEC_OK) {
        return rc;
    }
    if (name.token == NULL) {
        return absent_token(j, ref, &name, signer, source);
    }
    source->canon = (struct wssec_canon){
        .node = name.token, .mode = ref->c14n->libxml2_mode, .prefix = ref->prefix, .empty_default = true};
    return with_default(j, ref->prefix, &source->canon.prefix);
}

/* Stacks differ in whether an empty line stands between header and content: the form that was signed is taken. */
static int complete_source(struct wssec_judge *j, const struct wssec_reference *ref, struct wssec_source *source)
{
    static const enum wssec_attachment_form forms[] = {WSSEC_ATTACHMENT_COMPLETE, WSSEC_ATTACHMENT_COMPLETE_SPACED};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        uint8_t digest[EVP_MAX_MD_SIZE];
        source->form = forms[i];
        int rc = wssec_source_digest(j->worker, source, ref->digest, digest);
        if (rc != WSSEC_RC_OK || j->why->reason != WSSEC_OK ||
            CRYPTO_memcmp(digest, ref->value, ref->digest->octets) == 0) {
            return rc;
        }
    }
    return WSSEC_RC_OK;
}

void wssec_source_refuse(struct wssec_judge *j, const struct wssec_reference *ref)
{
    (void)wssec_refuse(j->why, WSSEC_DIGEST_MISMATCH, "%.32s (%.64s) does not have its %s digest%s",
                       ref->target != NULL ? (const char *)ref->target->name : "an attachment", ref->uri,
                       ref->digest->word,
                       ref->str_transform ? "; it was to be taken over the token, not the reference" : "");
}

int wssec_sources(struct wssec_judge *j, const struct wssec_siginfo *s, const struct wssec_signer *signer,
                  struct wssec_source *source)
{
    for (unsigned i = 0; i < s->n_reference; i++) {
        const struct wssec_reference *ref = &s->reference[i];
        int rc = WSSEC_RC_OK;
        source[i] = (struct wssec_source){.judge = j, .attachment = ref->attachment, .form = ref->form};
        if (ref->attachment != 0) {
            rc = ref->form == WSSEC_ATTACHMENT_COMPLETE ? complete_source(j, ref, &source[i]) : WSSEC_RC_OK;
        } else if (ref->str_transform) {
            rc = str_source(j, ref, signer, &source[i]);
        } else {
            source[i].canon =
                (struct wssec_canon){.node = ref->target, .mode = ref->c14n->libxml2_mode, .prefix = ref->prefix};
        }
        if (rc != WSSEC_RC_OK || j->why->reason != WSSEC_OK) {
            return rc;
        }
    }
    return WSSEC_RC_OK;
}
