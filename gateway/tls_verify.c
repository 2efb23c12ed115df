/* SPDX-License-Identifier: Apache-2.0 */
/* tls_verify.c: see tls_verify.h. Certificates of the peer are in the hand of whoever connects. */
#include "gateway/tls_verify.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#define DEPTH_MAX 8
/* 112 bits within the chain: RSA and DSA from 2048, SHA-224 and longer. */
#define LEVEL 2

struct tls_anchors {
    STACK_OF(X509) * certificate; /* owned with its certificates */
    bool crl_require;
};

static int take_set(struct tls_anchors *a, ks_anchor_set *set)
{
    while (sk_X509_num(set->certificate) > 0) {
        X509 *x = sk_X509_pop(set->certificate);
        if (sk_X509_push(a->certificate, x) <= 0) {
            X509_free(x);
            return -1;
        }
    }
    return 0;
}

struct tls_anchors *tls_anchors_new(const ks_snapshot *s, const struct gw_words *alias, bool crl_require, cs_time now)
{
    struct tls_anchors *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return NULL;
    }
    a->crl_require = crl_require;
    a->certificate = sk_X509_new_null();
    bool good = a->certificate != NULL;
    for (size_t i = 0; good && i < alias->n; i++) {
        ks_anchor_set set;
        good = ks_anchors(s, alias->word[i], now, &set) == 0;
        if (good) {
            good = take_set(a, &set) == 0;
            ks_anchors_clear(&set);
        }
    }
    if (!good) {
        tls_anchors_free(a);
        return NULL;
    }
    return a;
}

void tls_anchors_free(struct tls_anchors *a)
{
    if (a != NULL) {
        sk_X509_pop_free(a->certificate, X509_free);
        free(a);
    }
}

STACK_OF(X509_NAME) * tls_anchors_names(const struct tls_anchors *a)
{
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    bool good = names != NULL;
    for (int i = 0; good && i < sk_X509_num(a->certificate); i++) {
        X509_NAME *name = X509_NAME_dup(X509_get_subject_name(sk_X509_value(a->certificate, i)));
        good = name != NULL && sk_X509_NAME_push(names, name) > 0;
        if (!good) {
            X509_NAME_free(name);
        }
    }
    if (!good) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return NULL;
    }
    return names;
}

/* ---- judging ---------------------------------------------------------------------------------------------------- */

/* ASN.1 time as seconds; a time that cannot be read is one that nothing outlasts. */
static cs_time seconds_of(const ASN1_TIME *t)
{
    int days = 0;
    int seconds = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    cs_time out = INT64_MIN;
    if (epoch != NULL && t != NULL && ASN1_TIME_diff(&days, &seconds, epoch, t) == 1) {
        out = (cs_time)days * 86400 + seconds;
    }
    ASN1_TIME_free(epoch);
    return out;
}

static void not_after_min(struct tls_verdict *out, cs_time t)
{
    if (t < out->until) {
        out->until = t;
    }
}

/* To this one anchor, which is trusted even when it is no root. @return 1: *chain is the caller's; 0: *error; -1 no
 * memory */
static int try_anchor(X509 *anchor, X509 *leaf, STACK_OF(X509) * others, int purpose, cs_time now, int *error,
                      STACK_OF(X509) * *chain)
{
    int rc = -1;
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *trusted = sk_X509_new_null();
    if (ctx == NULL || trusted == NULL || sk_X509_push(trusted, anchor) <= 0 ||
        X509_STORE_CTX_init(ctx, NULL, leaf, others) != 1) {
        goto out;
    }
    X509_STORE_CTX_set0_trusted_stack(ctx, trusted);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, (time_t)now);
    X509_VERIFY_PARAM_set_depth(param, DEPTH_MAX);
    X509_VERIFY_PARAM_set_auth_level(param, LEVEL);
    if (X509_VERIFY_PARAM_set_purpose(param, purpose) != 1 ||
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST) != 1) {
        goto out;
    }
    rc = X509_verify_cert(ctx) == 1 ? 1 : 0;
    *error = X509_STORE_CTX_get_error(ctx);
    if (*error == X509_V_ERR_OUT_OF_MEM) {
        rc = -1;
    } else if (rc == 1 && (*chain = X509_STORE_CTX_get1_chain(ctx)) == NULL) {
        rc = -1;
    }
out:
    X509_STORE_CTX_free(ctx);
    sk_X509_free(trusted);
    ERR_clear_error();
    return rc;
}

static int print_of_key(const X509 *x, uint8_t out[32])
{
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    int rc = n > 0 && SHA256(der, (size_t)n, out) != NULL ? 0 : -1;
    OPENSSL_free(der);
    return rc;
}

/* What the lists say of x. @return X509_V_OK, or why not */
static int ask_lists(const struct tls_anchors *a, const ks_snapshot *s, X509 *x, const X509 *issuer, cs_time now,
                     struct tls_verdict *out)
{
    uint8_t spki[32];
    cs_time revoked = 0;
    if (print_of_key(issuer, spki) != 0) {
        return X509_V_ERR_OUT_OF_MEM;
    }
    bool current = ks_revocation(s, x, spki, now, &revoked);
    if (a->crl_require) {
        not_after_min(out, now + 1); /* a list ends without a sign */
    }
    if (revoked != 0) {
        return X509_V_ERR_CERT_REVOKED;
    }
    return current || !a->crl_require ? X509_V_OK : X509_V_ERR_UNABLE_TO_GET_CRL;
}

static int judge_chain(const struct tls_anchors *a, const ks_snapshot *s, STACK_OF(X509) * chain, cs_time now,
                       struct tls_verdict *out)
{
    int error = X509_V_OK;
    int n = sk_X509_num(chain);
    for (int i = 0; i < n; i++) {
        not_after_min(out, seconds_of(X509_get0_notAfter(sk_X509_value(chain, i))));
    }
    for (int i = 0; i + 1 < n && error == X509_V_OK; i++) {
        error = ask_lists(a, s, sk_X509_value(chain, i), sk_X509_value(chain, i + 1), now, out);
    }
    return error;
}

/* Every anchor by itself: of two authorities with one name OpenSSL would take the first that it finds, and give up. */
int tls_judge(const struct tls_anchors *a, const ks_snapshot *s, X509 *leaf, STACK_OF(X509) * others, int purpose,
              cs_time now, struct tls_verdict *out)
{
    *out = (struct tls_verdict){X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, INT64_MAX};
    for (int i = 0; i < sk_X509_num(a->certificate); i++) {
        STACK_OF(X509) *chain = NULL;
        int error = X509_V_OK;
        int rc = try_anchor(sk_X509_value(a->certificate, i), leaf, others, purpose, now, &error, &chain);
        if (rc < 0) {
            *out = (struct tls_verdict){X509_V_ERR_OUT_OF_MEM, now};
            return -1;
        }
        if (rc == 1) {
            out->error = judge_chain(a, s, chain, now, out);
            sk_X509_pop_free(chain, X509_free);
            return 0;
        }
        if (error != X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY && error != X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN &&
            error != X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT && error != X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE) {
            out->error = error;
        }
    }
    out->until = now + 1;
    return 0;
}
