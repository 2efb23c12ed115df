/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain.c: a certificate that only the message brings, judged by a partner's rule: a chain to one of the named anchors
 * as of the instant, both names, no compromised key, CRLs that the keystore holds. Everything here but the anchors and
 * the rule is in the hand of whoever sent the message.
 */
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "keystore/crl.h"
#include "keystore/entry.h"

#define LEAF_MAX     (64 * 1024) /* octets of a certificate */
#define LEAF_RSA_MAX 8192        /* bits */
/* No MD5 and SHA-1 within the chain; key sizes are the policy's matter. */
#define CHAIN_LEVEL 1

struct judging {
    const ks_snapshot *s;
    const ks_chain_rule *rule;
    cs_time when;
    X509 *leaf;              /**< owned */
    STACK_OF(X509) * others; /**< owned with its certificates */
    STACK_OF(X509) * chain;  /**< owned: leaf first, anchor last; NULL: none was built */
    ks_chain_verdict *out;
};

static int outcome(struct judging *j, enum ks_chain how, const char *fmt, ...) CS_PRINTF(3, 4);
static int outcome(struct judging *j, enum ks_chain how, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(j->out->text, sizeof j->out->text, fmt, ap);
    va_end(ap);
    j->out->outcome = how;
    return 0;
}

static X509 *certificate(ks_octets der)
{
    const uint8_t *p = der.p;
    X509 *x = der.n > 0 && der.n <= LEAF_MAX ? d2i_X509(NULL, &p, (long)der.n) : NULL;
    if (x != NULL && p != der.p + der.n) {
        X509_free(x);
        x = NULL;
    }
    return x;
}

/** @return 0; 1: no question to judge; -1 no memory */
static int read_leaf(struct judging *j, ks_octets der)
{
    ks_chain_verdict *o = j->out;
    j->leaf = certificate(der);
    /* version 1 has no basicConstraints; what says of itself that it is an authority signs no messages */
    if (j->leaf == NULL || X509_check_ca(j->leaf) == 1) {
        return 1;
    }
    o->key = X509_get_pubkey(j->leaf);
    if (o->key == NULL || (EVP_PKEY_get_base_id(o->key) == EVP_PKEY_RSA && EVP_PKEY_get_bits(o->key) > LEAF_RSA_MAX)) {
        return 1;
    }
    if (ks_time_of_asn1(X509_get0_notBefore(j->leaf), &o->not_before) != 0 ||
        ks_time_of_asn1(X509_get0_notAfter(j->leaf), &o->not_after) != 0) {
        return 1;
    }
    return SHA256(der.p, der.n, o->sha256) != NULL && ks_spki_of(j->leaf, o->spki_sha256) == 0 ? 0 : -1;
}

static int read_others(struct judging *j, const ks_octets *path, size_t n)
{
    j->others = sk_X509_new_null();
    if (j->others == NULL) {
        return -1;
    }
    for (size_t i = 0; i < n && i < KS_CHAIN_MAX; i++) {
        X509 *x = certificate(path[i]);
        if (x != NULL && sk_X509_push(j->others, x) <= 0) {
            X509_free(x);
            return -1;
        }
    }
    return 0;
}

/** The dates of the signer's certificate have rules of their own (grace, signing time), which are not asked here. */
static int pass_leaf_dates(int ok, X509_STORE_CTX *ctx)
{
    int error = X509_STORE_CTX_get_error(ctx);
    if (ok == 0 && X509_STORE_CTX_get_error_depth(ctx) == 0 &&
        (error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID)) {
        X509_STORE_CTX_set_error(ctx, X509_V_OK);
        return 1;
    }
    return ok;
}

/** To this one anchor, which is trusted even when it is no root. @return 1 chain built, 0 *error says why not, -1 no
 * memory */
static int try_anchor(struct judging *j, X509 *anchor, int *error, int *depth)
{
    int rc = -1;
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *trusted = sk_X509_new_null();
    if (ctx == NULL || trusted == NULL || sk_X509_push(trusted, anchor) <= 0 ||
        X509_STORE_CTX_init(ctx, NULL, j->leaf, j->others) != 1) {
        goto out;
    }
    X509_STORE_CTX_set0_trusted_stack(ctx, trusted);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, (time_t)j->when);
    X509_VERIFY_PARAM_set_depth(param, KS_CHAIN_MAX);
    X509_VERIFY_PARAM_set_auth_level(param, CHAIN_LEVEL);
    if (X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST) != 1) {
        goto out;
    }
    X509_STORE_CTX_set_verify_cb(ctx, pass_leaf_dates);
    rc = X509_verify_cert(ctx) == 1 ? 1 : 0;
    *error = X509_STORE_CTX_get_error(ctx);
    *depth = X509_STORE_CTX_get_error_depth(ctx);
    if (*error == X509_V_ERR_OUT_OF_MEM) {
        rc = -1;
    } else if (rc == 1 && (j->chain = X509_STORE_CTX_get1_chain(ctx)) == NULL) {
        rc = -1;
    }
out:
    X509_STORE_CTX_free(ctx);
    sk_X509_free(trusted);
    ERR_clear_error();
    return rc;
}

static bool may_anchor(const ks_entry *e, cs_time when)
{
    enum ks_state state = e->m->role == KS_TRUST_ANCHOR ? ks_entry_state(e, KS_CAN_ANCHOR, when) : KS_DESTROYED;
    return state == KS_ACTIVE || state == KS_DEACTIVATED;
}

/**
 * Every anchor by itself: of two authorities with one name OpenSSL would take the first that it finds, and give up.
 * @return 0: j->chain and out->anchor are set, or the outcome is broken; -1 no memory
 */
static int build_chain(struct judging *j)
{
    const ks_snapshot *s = j->s;
    int error = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    int depth = 0;
    unsigned asked = 0;
    for (size_t i = 0; i < j->rule->n_anchor; i++) {
        const char *alias = j->rule->anchor[i];
        const ks_entry *e = ks_snapshot_slot(s, alias);
        for (; e != NULL && e < s->entry + s->n && strcmp(e->m->alias, alias) == 0; e++) {
            int now_error = 0;
            int now_depth = 0;
            if (!may_anchor(e, j->when)) {
                continue;
            }
            asked++;
            int rc = try_anchor(j, e->m->certificate, &now_error, &now_depth);
            if (rc != 0) {
                j->out->anchor = rc > 0 ? e : NULL;
                return rc > 0 ? 0 : -1;
            }
            if (now_error != X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY) {
                error = now_error;
                depth = now_depth;
            }
        }
    }
    if (asked == 0) {
        return outcome(j, KS_CHAIN_BROKEN, "none of the partner's anchors is active");
    }
    return outcome(j, KS_CHAIN_BROKEN, "no chain to the partner's anchors: %s, at depth %d",
                   X509_verify_cert_error_string(error), depth);
}

/** @return 0: outcome good or denied; -1 no memory */
static int judge_names(struct judging *j)
{
    const struct {
        const cs_dn *rule;
        const X509_NAME *name;
        const char *word;
    } both[] = {{j->rule->subject, X509_get_subject_name(j->leaf), "subject"},
                {j->rule->issuer, X509_get_issuer_name(j->leaf), "issuer"}};
    for (size_t i = 0; i < 2; i++) {
        char text[160] = "";
        cs_dn *name = cs_dn_from_name(both[i].name);
        bool fits = name != NULL && both[i].rule != NULL && cs_dn_fits(both[i].rule, name);
        cs_dn_free(name);
        if (!fits) {
            if (cs_dn_text(both[i].name, text, sizeof text) == 0) {
                cs_copy(text, sizeof text, "(too long to show)");
            }
            return outcome(j, KS_CHAIN_SUBJECT_DENIED, "the %s %s does not fit the partner's rule", both[i].word, text);
        }
    }
    return 0;
}

/** A key is as good as its worst entry, in whatever slot that stands. */
static void judge_key(struct judging *j)
{
    for (size_t i = 0; i < j->s->n; i++) {
        const ks_entry *e = &j->s->entry[i];
        if (e->state == KS_COMPROMISED && memcmp(e->m->spki_sha256, j->out->spki_sha256, 32) == 0) {
            j->out->state = KS_COMPROMISED;
            j->out->compromised_since = e->compromised_since;
        }
    }
}

/** @return 0; -1 no memory */
static int judge_revocation(struct judging *j)
{
    for (int i = 0; i + 1 < sk_X509_num(j->chain); i++) {
        uint8_t spki[32];
        char text[160] = "";
        cs_time revoked = 0;
        X509 *x = sk_X509_value(j->chain, i);
        if (ks_spki_of(sk_X509_value(j->chain, i + 1), spki) != 0) {
            return -1;
        }
        bool current = ks_crl_ask(j->s, x, spki, j->when, &revoked);
        if (revoked != 0 && (j->out->revoked_at == 0 || revoked < j->out->revoked_at)) {
            j->out->revoked_at = revoked;
        }
        if (!current && j->rule->crl_require && j->out->outcome == KS_CHAIN_GOOD) {
            if (cs_dn_text(X509_get_issuer_name(x), text, sizeof text) == 0) {
                cs_copy(text, sizeof text, "an issuer");
            }
            (void)outcome(j, KS_CHAIN_CRL_MISSING, "the keystore holds no current CRL of %s", text);
        }
    }
    return 0;
}

int ks_chain_judge(const ks_snapshot *s, const ks_chain_rule *rule, ks_octets leaf, const ks_octets *path,
                   size_t n_path, cs_time when, ks_chain_verdict *out)
{
    struct judging j = {.s = s, .rule = rule, .when = when, .out = out};
    *out = (ks_chain_verdict){.outcome = KS_CHAIN_BROKEN, .state = KS_ACTIVE};
    int rc = read_leaf(&j, leaf);
    if (rc == 0) {
        rc = read_others(&j, path, n_path);
    }
    if (rc == 0) {
        judge_key(&j);
        rc = build_chain(&j);
    }
    if (rc == 0 && j.chain != NULL) {
        (void)outcome(&j, KS_CHAIN_GOOD, "chain to %s#%u", out->anchor->m->alias, out->anchor->m->n);
        rc = judge_names(&j);
    }
    if (rc == 0 && j.chain != NULL) {
        rc = judge_revocation(&j);
    }
    X509_free(j.leaf);
    sk_X509_pop_free(j.others, X509_free);
    sk_X509_pop_free(j.chain, X509_free);
    ERR_clear_error();
    if (rc != 0) {
        ks_chain_clear(out);
    }
    return rc;
}

void ks_chain_clear(ks_chain_verdict *v)
{
    EVP_PKEY_free(v->key);
    *v = (ks_chain_verdict){.outcome = KS_CHAIN_BROKEN};
}
