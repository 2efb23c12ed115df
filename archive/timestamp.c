/* SPDX-License-Identifier: Apache-2.0 */
/* timestamp.c: see timestamp.h. Cheap questions first: a token over other octets costs no signature. */
#include "archive/timestamp.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ts.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#define LEVEL        2     /* 112 bits: keys and digests of the authority's certificates */
#define DEPTH        8     /* certificates between the signer and its anchor */
#define CLOCK_APART  300   /* seconds that an authority's clock may be ahead of ours */
#define ACCURACY_MAX 86400 /* seconds; an authority that knows the time no better proves no instant */

struct checking {
    const struct archive_court *court;
    TS_RESP *response;      /* owned */
    PKCS7 *token;           /* of the response, or owned */
    TS_TST_INFO *info;      /* owned */
    X509_STORE *store;      /* owned */
    STACK_OF(X509) * known; /* owned: the anchors */
    cs_time proven;
    bool revoked;
};

const char *archive_timestamp_note(enum archive_stamp s)
{
    static const char *const note[] = {
        [ARCHIVE_STAMP_GOOD] = NULL,
        [ARCHIVE_STAMP_UNREADABLE] = "timestamp-unreadable",
        [ARCHIVE_STAMP_MALFORMED] = "timestamp-malformed",
        [ARCHIVE_STAMP_WEAK] = "timestamp-weak-digest",
        [ARCHIVE_STAMP_OTHER] = "timestamp-of-other-octets",
        [ARCHIVE_STAMP_AHEAD] = "timestamp-ahead",
        [ARCHIVE_STAMP_UNTRUSTED] = "timestamp-untrusted",
        [ARCHIVE_STAMP_REVOKED] = "timestamp-revoked",
        [ARCHIVE_STAMP_UNASKED] = "timestamp-not-checked",
        [ARCHIVE_STAMP_MEMORY] = "timestamp-no-memory",
    };
    return note[s];
}

bool archive_token_begins(const uint8_t *p, size_t n)
{
    return n >= 2 && p[0] == 0x30 && (p[1] < 0x20 || p[1] >= 0x80);
}

/* ---- what it says ---------------------------------------------------------------------------------------------------
 */

/* All of der is a response that grants a token, or a token. */
static enum archive_stamp read_token(struct checking *k, const uint8_t *der, size_t n)
{
    const uint8_t *p = der;
    k->response = d2i_TS_RESP(NULL, &p, (long)n);
    if (k->response != NULL) {
        const TS_STATUS_INFO *status = TS_RESP_get_status_info(k->response);
        long granted = ASN1_INTEGER_get(TS_STATUS_INFO_get0_status(status));
        k->token = TS_RESP_get_token(k->response);
        if ((granted != TS_STATUS_GRANTED && granted != TS_STATUS_GRANTED_WITH_MODS) || k->token == NULL) {
            return ARCHIVE_STAMP_MALFORMED;
        }
    } else {
        p = der;
        k->token = d2i_PKCS7(NULL, &p, (long)n);
    }
    if (k->token == NULL || p != der + n || !PKCS7_type_is_signed(k->token)) {
        return ARCHIVE_STAMP_MALFORMED;
    }
    k->info = PKCS7_to_TS_TST_INFO(k->token);
    return k->info != NULL && TS_TST_INFO_get_version(k->info) == 1 ? ARCHIVE_STAMP_GOOD : ARCHIVE_STAMP_MALFORMED;
}

static const EVP_MD *digest_of(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *name = NULL;
    X509_ALGOR_get0(&name, NULL, NULL, algorithm);
    switch (OBJ_obj2nid(name)) {
    case NID_sha256: return EVP_sha256();
    case NID_sha384: return EVP_sha384();
    case NID_sha512: return EVP_sha512();
    default: return NULL;
    }
}

static enum archive_stamp check_imprint(const struct checking *k, const uint8_t *payload, size_t size)
{
    TS_MSG_IMPRINT *imprint = TS_TST_INFO_get_msg_imprint(k->info);
    const ASN1_OCTET_STRING *said = TS_MSG_IMPRINT_get_msg(imprint);
    const EVP_MD *digest = digest_of(TS_MSG_IMPRINT_get_algo(imprint));
    STACK_OF(PKCS7_SIGNER_INFO) *signers = PKCS7_get_signer_info(k->token);
    X509_ALGOR *signed_with = NULL;
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (sk_PKCS7_SIGNER_INFO_num(signers) != 1) {
        return ARCHIVE_STAMP_MALFORMED;
    }
    PKCS7_SIGNER_INFO_get0_algs(sk_PKCS7_SIGNER_INFO_value(signers, 0), NULL, &signed_with, NULL);
    if (digest == NULL || digest_of(signed_with) == NULL) {
        return ARCHIVE_STAMP_WEAK;
    }
    if (EVP_Digest(payload, size, hash, &n, digest, NULL) != 1) {
        return ARCHIVE_STAMP_MEMORY;
    }
    return ASN1_STRING_length(said) == (int)n && memcmp(ASN1_STRING_get0_data(said), hash, n) == 0
               ? ARCHIVE_STAMP_GOOD
               : ARCHIVE_STAMP_OTHER;
}

/* A part of the accuracy; absent: 0. @return -1: no such part */
static long part_of(const ASN1_INTEGER *part, long most)
{
    long value = part != NULL ? ASN1_INTEGER_get(part) : 0;
    return value >= 0 && value <= most ? value : -1;
}

/* It existed when the authority's clock stood there, which may have been late by the accuracy it tells. */
static enum archive_stamp read_instant(struct checking *k)
{
    const ASN1_GENERALIZEDTIME *said = TS_TST_INFO_get_time(k->info);
    const TS_ACCURACY *accuracy = TS_TST_INFO_get_accuracy(k->info);
    struct tm tm;
    if (said == NULL || ASN1_TIME_to_tm(said, &tm) != 1) {
        return ARCHIVE_STAMP_MALFORMED;
    }
    k->proven = cs_time_civil(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    bool more = memchr(ASN1_STRING_get0_data(said), '.', (size_t)ASN1_STRING_length(said)) != NULL;
    if (accuracy != NULL) {
        long seconds = part_of(TS_ACCURACY_get_seconds(accuracy), ACCURACY_MAX);
        long millis = part_of(TS_ACCURACY_get_millis(accuracy), 999);
        long micros = part_of(TS_ACCURACY_get_micros(accuracy), 999);
        if (seconds < 0 || millis < 0 || micros < 0) {
            return ARCHIVE_STAMP_MALFORMED;
        }
        k->proven += seconds + (more && millis + micros > 0 ? 1 : 0);
        more = more || millis + micros > 0;
    }
    k->proven += more ? 1 : 0;
    return k->proven <= k->court->now + CLOCK_APART ? ARCHIVE_STAMP_GOOD : ARCHIVE_STAMP_AHEAD;
}

/* ---- who says it ----------------------------------------------------------------------------------------------------
 */

static bool spki_of(X509 *x, uint8_t out[32])
{
    uint8_t *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    bool good = n > 0 && EVP_Digest(der, (size_t)n, out, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    return good;
}

/* Of each certificate of the chain: nothing may be known against it, whenever it came to be known. */
static int look_at(int ok, X509_STORE_CTX *ctx)
{
    struct checking *k = X509_STORE_get_ex_data(X509_STORE_CTX_get0_store(ctx), 0);
    X509 *x = X509_STORE_CTX_get_current_cert(ctx);
    X509 *issuer = X509_STORE_CTX_get0_current_issuer(ctx);
    uint8_t own[32];
    uint8_t above[32];
    cs_time since = 0;
    if (ok != 1 || x == NULL) {
        return ok;
    }
    if (!spki_of(x, own) || (issuer != NULL && !spki_of(issuer, above))) {
        X509_STORE_CTX_set_error(ctx, X509_V_ERR_OUT_OF_MEM);
        return 0;
    }
    if (issuer != NULL) {
        (void)ks_revocation(k->court->snapshot, x, above, k->court->now, &since);
    }
    if (since == 0 && !ks_key_compromised(k->court->snapshot, own, NULL)) {
        return 1;
    }
    k->revoked = true;
    X509_STORE_CTX_set_error(ctx, X509_V_ERR_CERT_REVOKED);
    return 0;
}

static int add_anchors(struct checking *k, const char *alias, cs_time when)
{
    ks_anchor_set set;
    if (ks_anchors(k->court->snapshot, alias, when, &set) != 0) {
        return -1;
    }
    int rc = 0;
    for (int i = 0; rc == 0 && i < sk_X509_num(set.certificate); i++) {
        X509 *x = sk_X509_value(set.certificate, i);
        rc = X509_STORE_add_cert(k->store, x) == 1 &&
                     X509_add_cert(k->known, x, X509_ADD_FLAG_UP_REF | X509_ADD_FLAG_NO_DUP) == 1
                 ? 0
                 : -1;
    }
    ks_anchors_clear(&set);
    return rc;
}

static enum archive_stamp check_signer(struct checking *k, const struct archive_texts *anchors)
{
    X509 *signer = NULL;
    k->store = X509_STORE_new();
    k->known = sk_X509_new_null();
    if (k->store == NULL || k->known == NULL || X509_STORE_set_ex_data(k->store, 0, k) != 1) {
        return ARCHIVE_STAMP_MEMORY;
    }
    for (size_t i = 0; i < anchors->n; i++) {
        if (add_anchors(k, anchors->text[i], k->proven) != 0 || add_anchors(k, anchors->text[i], k->court->now) != 0) {
            return ARCHIVE_STAMP_MEMORY;
        }
    }
    X509_VERIFY_PARAM *param = X509_STORE_get0_param(k->store);
    X509_VERIFY_PARAM_set_time(param, (time_t)k->proven);
    X509_VERIFY_PARAM_set_depth(param, DEPTH);
    X509_VERIFY_PARAM_set_auth_level(param, LEVEL);
    if (X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST) != 1) {
        return ARCHIVE_STAMP_MEMORY;
    }
    X509_STORE_set_verify_cb(k->store, look_at);
    int good = TS_RESP_verify_signature(k->token, k->known, k->store, &signer);
    X509_free(signer);
    return k->revoked ? ARCHIVE_STAMP_REVOKED : good == 1 ? ARCHIVE_STAMP_GOOD : ARCHIVE_STAMP_UNTRUSTED;
}

enum archive_stamp archive_timestamp_check(const struct archive_court *court, const struct archive_texts *anchors,
                                           const uint8_t *token, size_t n, const uint8_t *payload, size_t size,
                                           cs_time *proven)
{
    struct checking k = {.court = court};
    *proven = 0;
    if (anchors->n == 0) {
        return ARCHIVE_STAMP_UNASKED;
    }
    if (n == 0 || n > ARCHIVE_TOKEN_MAX) {
        return ARCHIVE_STAMP_UNREADABLE;
    }
    enum archive_stamp s = read_token(&k, token, n);
    s = s == ARCHIVE_STAMP_GOOD ? check_imprint(&k, payload, size) : s;
    s = s == ARCHIVE_STAMP_GOOD ? read_instant(&k) : s;
    s = s == ARCHIVE_STAMP_GOOD ? check_signer(&k, anchors) : s;
    if (s == ARCHIVE_STAMP_GOOD) {
        *proven = k.proven;
    }
    sk_X509_pop_free(k.known, X509_free);
    X509_STORE_free(k.store);
    TS_TST_INFO_free(k.info);
    if (k.response == NULL) {
        PKCS7_free(k.token);
    }
    TS_RESP_free(k.response);
    ERR_clear_error(); /* what OpenSSL says of a stranger's octets is of no use later */
    return s;
}
