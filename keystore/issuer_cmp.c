/* SPDX-License-Identifier: Apache-2.0 */
/*
 * issuer_cmp.c: CMP (RFC 4210) by OpenSSL's client: a first certificate by ir under a shared secret, a successor by kur
 * signed with the key before. Its messages travel by http.c, so that time limits and TLS are those of the other ways.
 */
#include <openssl/cmp.h>
#include <openssl/cmp_util.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "keystore/talk.h"

/** Where a message goes; hangs on the context. */
struct wire {
    struct ks_talk *t;
    int64_t until_us;
    char text[256]; /**< trouble on the way; "" none */
};

/* ---- transport ------------------------------------------------------------------------------------------------------
 */

static OSSL_CMP_MSG *decode(const cs_buf *b)
{
    const uint8_t *p = (const uint8_t *)b->data;
    return b->failed || b->len == 0 ? NULL : d2i_OSSL_CMP_MSG(NULL, &p, (long)b->len);
}

static OSSL_CMP_MSG *transfer(OSSL_CMP_CTX *ctx, const OSSL_CMP_MSG *msg)
{
    struct wire *w = OSSL_CMP_CTX_get_transfer_cb_arg(ctx);
    const ks_issuer *i = w->t->issuer;
    unsigned char *der = NULL;
    OSSL_CMP_MSG *out = NULL;
    cs_buf reply = CS_BUF_INIT;
    int n = i2d_OSSL_CMP_MSG((OSSL_CMP_MSG *)(uintptr_t)msg, &der);
    int64_t left_ms = (w->until_us - cs_clock_mono_us()) / 1000;
    struct ks_http h = {.url = i->server,
                        .post_type = "application/pkixcmp",
                        .accept = "application/pkixcmp",
                        .body = der,
                        .body_len = n > 0 ? (size_t)n : 0,
                        .ca_file = i->ca_file,
                        .timeout_ms = left_ms > 1 ? left_ms : 1,
                        .stop = w->t->stop,
                        .reply = &reply};
    if (n <= 0) {
        snprintf(w->text, sizeof w->text, "out of memory");
    } else if (ks_http_do(&h) != 0) {
        snprintf(w->text, sizeof w->text, "%s", h.text);
    } else if ((out = decode(&reply)) == NULL) {
        snprintf(w->text, sizeof w->text, "the server answered %ld with what is no CMP message", h.status);
    }
    if (out == NULL) {
        ERR_raise_data(ERR_LIB_CMP, CMP_R_TRANSFER_ERROR, "%s", w->text);
    }
    OPENSSL_free(der);
    cs_buf_free(&reply);
    return out;
}

/* ---- context --------------------------------------------------------------------------------------------------------
 */

/** Errors are asked for afterwards; nothing is written anywhere. */
static int silent(const char *func, const char *file, int line, OSSL_CMP_severity level, const char *msg)
{
    (void)func;
    (void)file;
    (void)line;
    (void)level;
    (void)msg;
    return 1;
}

/** Whom signed answers are checked by. */
static bool set_trust(OSSL_CMP_CTX *ctx, const struct ks_talk *t)
{
    const char *file = t->issuer->ca_file;
    X509_STORE *store = X509_STORE_new();
    bool good = store != NULL &&
                (file[0] == '\0' ? X509_STORE_set_default_paths(store) : X509_STORE_load_file(store, file)) == 1 &&
                X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1;
    if (!good || OSSL_CMP_CTX_set0_trustedStore(ctx, store) != 1) {
        X509_STORE_free(store);
        return false;
    }
    return true;
}

/** Under the certificate before, or under the secret. */
static bool set_identity(OSSL_CMP_CTX *ctx, const struct ks_talk *t, const char *secret)
{
    const unsigned char *user = (const unsigned char *)t->issuer->user;
    if (t->old != NULL) {
        return OSSL_CMP_CTX_set1_cert(ctx, t->old) == 1 && OSSL_CMP_CTX_set1_pkey(ctx, t->old_key) == 1 &&
               OSSL_CMP_CTX_set1_oldCert(ctx, t->old) == 1 &&
               (t->old_chain == NULL || OSSL_CMP_CTX_set1_untrusted(ctx, t->old_chain) == 1);
    }
    return OSSL_CMP_CTX_set1_referenceValue(ctx, user, (int)strlen(t->issuer->user)) == 1 &&
           OSSL_CMP_CTX_set1_secretValue(ctx, (const unsigned char *)secret, (int)strlen(secret)) == 1;
}

/** Name, extensions and key of the request. */
static bool set_wish(OSSL_CMP_CTX *ctx, const struct ks_talk *t)
{
    X509_EXTENSIONS *wanted = X509_REQ_get_extensions(t->request);
    if (wanted != NULL && OSSL_CMP_CTX_set0_reqExtensions(ctx, wanted) != 1) {
        sk_X509_EXTENSION_pop_free(wanted, X509_EXTENSION_free);
        return false;
    }
    if (OSSL_CMP_CTX_set1_subjectName(ctx, X509_REQ_get_subject_name(t->request)) != 1 ||
        EVP_PKEY_up_ref(t->key) != 1) {
        return false;
    }
    if (OSSL_CMP_CTX_set0_newPkey(ctx, 1, t->key) != 1) {
        EVP_PKEY_free(t->key);
        return false;
    }
    return true;
}

static bool set_terms(OSSL_CMP_CTX *ctx, struct wire *w)
{
    int seconds = (int)((w->t->issuer->timeout_ms + 999) / 1000);
    return OSSL_CMP_CTX_set_log_cb(ctx, silent) == 1 && OSSL_CMP_CTX_set_transfer_cb(ctx, transfer) == 1 &&
           OSSL_CMP_CTX_set_transfer_cb_arg(ctx, w) == 1 &&
           OSSL_CMP_CTX_set_option(ctx, OSSL_CMP_OPT_TOTAL_TIMEOUT, seconds) == 1 &&
           OSSL_CMP_CTX_set_option(ctx, OSSL_CMP_OPT_DIGEST_ALGNID, NID_sha256) == 1 &&
           OSSL_CMP_CTX_set_option(ctx, OSSL_CMP_OPT_OWF_ALGNID, NID_sha256) == 1 &&
           /* the library's own default is HMAC with SHA-1 */
           OSSL_CMP_CTX_set_option(ctx, OSSL_CMP_OPT_MAC_ALGNID, NID_hmacWithSHA256) == 1;
}

/* ---- what came of it
 * -------------------------------------------------------------------------------------------------- */

/** The first error that says why, behind what the server said. */
static void tell(struct ks_talk *t, const OSSL_CMP_CTX *ctx, const struct wire *w)
{
    char said[200] = "";
    char why[160] = "";
    const char *data = NULL;
    const char *deepest = NULL;
    unsigned long code = 0;
    int flags = 0;
    if (OSSL_CMP_CTX_get_status(ctx) >= 0 && OSSL_CMP_CTX_snprint_PKIStatus(ctx, said, sizeof said) == NULL) {
        said[0] = '\0';
    }
    while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        deepest = ERR_reason_error_string(code);
        bool more = (flags & ERR_TXT_STRING) != 0 && data != NULL && data[0] != '\0';
        if (why[0] == '\0' && deepest != NULL) {
            snprintf(why, sizeof why, "%s%s%.120s", deepest, more ? ": " : "", more ? data : "");
        }
    }
    const char *cause = w->text[0] != '\0' ? w->text : why;
    snprintf(t->text, sizeof t->text, "%.120s: %.160s%s%.96s", t->issuer->server, cause[0] != '\0' ? cause : said,
             cause[0] != '\0' && said[0] != '\0' ? "; " : "", cause[0] != '\0' ? said : "");
    ks_printable(t->text);
}

/** Certificate first, issuers behind it. */
static bool write_reply(struct ks_talk *t, const OSSL_CMP_CTX *ctx, const X509 *x)
{
    STACK_OF(X509) *chain = OSSL_CMP_CTX_get1_newChain(ctx);
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    bool good = bio != NULL && PEM_write_bio_X509(bio, (X509 *)(uintptr_t)x) == 1;
    for (int i = 0; good && i < sk_X509_num(chain); i++) {
        X509 *issuer = sk_X509_value(chain, i);
        good = X509_cmp(issuer, x) == 0 || PEM_write_bio_X509(bio, issuer) == 1;
    }
    long n = good ? BIO_get_mem_data(bio, &data) : 0;
    good = good && cs_buf_add(t->reply, data, (size_t)n) == 0;
    BIO_free(bio);
    sk_X509_pop_free(chain, X509_free);
    return good;
}

static enum ks_talked ask(struct ks_talk *t, OSSL_CMP_CTX *ctx, struct wire *w)
{
    const X509 *x = t->old != NULL ? OSSL_CMP_exec_KUR_ses(ctx) : OSSL_CMP_exec_IR_ses(ctx);
    if (x != NULL) {
        ERR_clear_error(); /* of an RSA key that an EC key follows it complains, and goes on */
        if (write_reply(t, ctx, x)) {
            return KS_TALK_DONE;
        }
        snprintf(t->text, sizeof t->text, "out of memory");
        return KS_TALK_LATER;
    }
    int status = OSSL_CMP_CTX_get_status(ctx);
    tell(t, ctx, w);
    if (status == OSSL_CMP_PKISTATUS_waiting) {
        t->again_s = 60;
    }
    return status == OSSL_CMP_PKISTATUS_rejection ? KS_TALK_NEVER : KS_TALK_LATER;
}

enum ks_talked ks_talk_cmp(struct ks_talk *t)
{
    char secret[KS_SECRET_MAX] = "";
    struct wire w = {.t = t, .until_us = cs_clock_mono_us() + t->issuer->timeout_ms * 1000};
    enum ks_talked said = KS_TALK_LATER;
    OSSL_CMP_CTX *ctx = NULL;
    if (t->old == NULL && t->issuer->user[0] == '\0') {
        snprintf(t->text, sizeof t->text,
                 "a first certificate is asked for under a shared secret: issuer %s has no user and password",
                 t->issuer->name);
        return KS_TALK_NEVER;
    }
    if (t->old == NULL && ks_secret_read(t->issuer->password_file, secret) != 0) {
        snprintf(t->text, sizeof t->text, "the password file \"%.200s\" cannot be read", t->issuer->password_file);
        return KS_TALK_LATER;
    }
    ERR_clear_error();
    ctx = OSSL_CMP_CTX_new(NULL, NULL);
    if (ctx != NULL && set_terms(ctx, &w) && set_trust(ctx, t) && set_identity(ctx, t, secret) && set_wish(ctx, t)) {
        said = ask(t, ctx, &w);
    } else {
        tell(t, ctx, &w);
    }
    ERR_clear_error();
    OSSL_CMP_CTX_free(ctx);
    OPENSSL_cleanse(secret, sizeof secret);
    return said;
}
