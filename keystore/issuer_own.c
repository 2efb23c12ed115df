/* SPDX-License-Identifier: Apache-2.0 */
/*
 * issuer_own.c: the keystore's own certification authority: for receivers that take a certificate as it is, or its
 * issuer as an anchor. Made on first use, its key sealed like all others and opened only while something is issued.
 */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/add.h"
#include "keystore/making.h"
#include "keystore/seal.h"

#define CA_DAYS     3651 /* a day beyond the longest certificate that is made here */
#define SERIAL_BITS 128

static int no_certificate(cs_error *e)
{
    char why[256] = "out of memory";
    unsigned long code = ERR_peek_last_error();
    if (code != 0) {
        ERR_error_string_n(code, why, sizeof why);
    }
    ERR_clear_error();
    return cs_error_set(e, CS_EXIT_INTERNAL, "certificate-not-made", "the certificate cannot be made: %s", why);
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

static const struct ks_key_kind key_kind[] = {
    {"rsa:2048", "RSA", 2048, NULL},   {"rsa:3072", "RSA", 3072, NULL},  {"rsa:4096", "RSA", 4096, NULL},
    {"ec:P-256", "EC", 256, "P-256"},  {"ec:P-384", "EC", 384, "P-384"}, {"ec:P-521", "EC", 521, "P-521"},
    {"ed25519", "Ed25519", 256, NULL},
};

const struct ks_key_kind *ks_key_kind_find(const char *word)
{
    for (size_t i = 0; i < sizeof key_kind / sizeof key_kind[0]; i++) {
        if (strcmp(key_kind[i].word, word) == 0) {
            return &key_kind[i];
        }
    }
    return NULL;
}

const struct ks_key_kind *ks_key_kind_of(const char *algorithm, int bits)
{
    for (size_t i = 0; i < sizeof key_kind / sizeof key_kind[0]; i++) {
        if (strcmp(key_kind[i].algorithm, algorithm) == 0 && key_kind[i].bits == bits) {
            return &key_kind[i];
        }
    }
    return NULL;
}

EVP_PKEY *ks_key_make(const struct ks_key_kind *kind, cs_error *e)
{
    EVP_PKEY *key = NULL;
    if (kind->curve != NULL) {
        key = EVP_EC_gen(kind->curve);
    } else if (strcmp(kind->algorithm, "RSA") == 0) {
        key = EVP_RSA_gen((unsigned)kind->bits);
    } else {
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    }
    if (key == NULL) {
        ERR_clear_error();
        cs_error_set(e, CS_EXIT_INTERNAL, "key-not-made", "no key of kind %s can be made", kind->word);
    }
    return key;
}

/* ---- certificates ----------------------------------------------------------------------------------------------- */

/** Extension by OpenSSL's own words; value is always one of this file, never of a caller. */
static int extend(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    int rc = extension != NULL && X509_add_ext(x, extension, -1) == 1 ? 0 : -1;
    X509_EXTENSION_free(extension);
    return rc;
}

static int random_serial(X509 *x)
{
    BIGNUM *number = BN_new();
    int rc = number != NULL && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
                     BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != NULL
                 ? 0
                 : -1;
    BN_free(number);
    return rc;
}

/** All that certificates have in common; still unsigned. @return owned by the caller, or NULL */
static X509 *begin(const X509_NAME *subject, const X509_NAME *issuer, EVP_PKEY *key, cs_time from, cs_time until)
{
    X509 *x = X509_new();
    if (x != NULL && X509_set_version(x, X509_VERSION_3) == 1 && random_serial(x) == 0 &&
        X509_set_subject_name(x, subject) == 1 && X509_set_issuer_name(x, issuer) == 1 &&
        ASN1_TIME_set(X509_getm_notBefore(x), from) != NULL && ASN1_TIME_set(X509_getm_notAfter(x), until) != NULL &&
        X509_set_pubkey(x, key) == 1 && extend(x, x, NID_subject_key_identifier, "hash") == 0) {
        return x;
    }
    X509_free(x);
    return NULL;
}

/** What a certificate of that role may be used for; RSA keys encipher, EC keys agree. */
static const struct usage {
    enum ks_role role;
    const char *rsa, *other, *extended;
} usage[] = {
    {KS_SIGN, "critical,digitalSignature", "critical,digitalSignature", NULL},
    {KS_DECRYPT, "critical,keyEncipherment,dataEncipherment", "critical,keyAgreement", NULL},
    {KS_TLS_CLIENT, "critical,digitalSignature", "critical,digitalSignature", "clientAuth"},
    {KS_TLS_SERVER, "critical,digitalSignature,keyEncipherment", "critical,digitalSignature", "serverAuth"},
};

bool ks_usage_of(enum ks_role role, EVP_PKEY *key, const char **key_usage, const char **extended)
{
    bool rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
    for (size_t i = 0; i < sizeof usage / sizeof usage[0]; i++) {
        if (usage[i].role == role) {
            *key_usage = rsa ? usage[i].rsa : usage[i].other;
            *extended = usage[i].extended;
            return true;
        }
    }
    return false;
}

static int extend_for_role(X509 *x, const struct ks_wanted *wanted)
{
    const char *key_usage = NULL;
    const char *extended = NULL;
    return ks_usage_of(wanted->role, wanted->key, &key_usage, &extended) &&
                   extend(x, x, NID_key_usage, key_usage) == 0 &&
                   (extended == NULL || extend(x, x, NID_ext_key_usage, extended) == 0)
               ? 0
               : -1;
}

static int extend_with_hosts(X509 *x, const GENERAL_NAMES *hosts)
{
    GENERAL_NAMES *names = hosts != NULL ? sk_GENERAL_NAME_dup(hosts) : NULL;
    int rc = hosts == NULL ||
                     (names != NULL && X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1)
                 ? 0
                 : -1;
    sk_GENERAL_NAME_free(names);
    return rc;
}

X509 *ks_own_issue(const struct ks_own_ca *ca, const struct ks_wanted *wanted, cs_error *e)
{
    X509 *x = begin(wanted->subject, X509_get_subject_name(ca->certificate), wanted->key, wanted->from, wanted->until);
    if (x != NULL && extend(x, ca->certificate, NID_authority_key_identifier, "keyid:always") == 0 &&
        extend(x, x, NID_basic_constraints, "critical,CA:FALSE") == 0 && extend_for_role(x, wanted) == 0 &&
        extend_with_hosts(x, wanted->hosts) == 0 && X509_sign(x, ca->key, EVP_sha384()) > 0) {
        return x;
    }
    X509_free(x);
    no_certificate(e);
    return NULL;
}

/* ---- the authority ---------------------------------------------------------------------------------------------- */

void ks_own_ca_free(struct ks_own_ca *ca)
{
    X509_free(ca->certificate);
    EVP_PKEY_free(ca->key);
    memset(ca, 0, sizeof *ca);
}

static int read_certificate(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct ks_own_ca *ca = ctx;
    const uint8_t *p = row->der;
    ca->certificate = d2i_X509(NULL, &p, (long)row->der_len);
    ca->n = row->info.n;
    return ca->certificate != NULL ? 0 : no_certificate(e);
}

/** The newest entry in force that has its key and lasts long enough; 0: none. */
static const struct ks_row *in_force(const struct ks_work *w, cs_time until)
{
    const struct ks_row *found = NULL;
    for (size_t i = 0; i < w->n_row; i++) {
        const ks_info *info = &w->row[i].info;
        if (info->state == KS_ACTIVE && w->row[i].key_id[0] != '\0' && info->not_before <= w->now &&
            info->not_after >= until && (found == NULL || info->n > found->info.n)) {
            found = &w->row[i];
        }
    }
    return found;
}

/** The name of the authority before, else one that no other keystore has. @return owned by the caller, or NULL */
static X509_NAME *own_name(const struct ks_work *w, cs_error *e)
{
    char store_id[KS_ID];
    char text[64];
    X509_NAME *name = NULL;
    for (size_t i = w->n_row; i > 0; i--) {
        if (w->row[i - 1].key_id[0] != '\0') {
            return ks_subject_parse(w->row[i - 1].info.subject, &name, e) == 0 ? name : NULL;
        }
    }
    if (w->s->driver->meta_get(w->s->b, "store_id", store_id, sizeof store_id, e) != 1) {
        return NULL;
    }
    snprintf(text, sizeof text, "CN=countersign %.8s own CA", store_id);
    return ks_subject_parse(text, &name, e) == 0 ? name : NULL;
}

/** A self-signed certificate for ca->key. */
static int self_sign(const struct ks_work *w, struct ks_own_ca *ca, cs_error *e)
{
    X509_NAME *name = own_name(w, e);
    if (name == NULL) {
        return -1;
    }
    ca->certificate = begin(name, name, ca->key, w->now - CS_DAY, w->now + CA_DAYS * CS_DAY);
    X509_NAME_free(name);
    if (ca->certificate == NULL ||
        extend(ca->certificate, ca->certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") != 0 ||
        extend(ca->certificate, ca->certificate, NID_key_usage, "critical,keyCertSign,cRLSign") != 0 ||
        X509_sign(ca->certificate, ca->key, EVP_sha384()) <= 0) {
        return no_certificate(e);
    }
    return 0;
}

static int make(struct ks_work *w, struct ks_own_ca *ca, cs_error *e)
{
    const ks_add add = {.role = KS_TRUST_ANCHOR, .alias = KS_OWN_CA, .activate = true};
    struct ks_incoming in = {.authority = true};
    unsigned char *der = NULL;
    int rc = -1;
    ks_outcome *told = calloc(1, sizeof *told);
    if (told == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    ca->key = ks_key_make(ks_key_kind_find("ec:P-384"), e);
    if (ca->key == NULL || self_sign(w, ca, e) != 0) {
        goto out;
    }
    in.key = ca->key;
    int n = i2d_X509(ca->certificate, &der);
    if (n <= 0) {
        no_certificate(e);
    } else if (ks_certificate_read((const char *)der, (size_t)n, &in.certificate, e) == 0) {
        rc = ks_take_in(w, &add, &in, told, e);
        ca->n = told->info.n;
        ca->made = true;
    }
out:
    OPENSSL_free(der);
    ks_certificate_free(&in.certificate);
    free(told);
    return rc;
}

int ks_own_ca_get(const struct ks_work *outer, cs_time until, struct ks_own_ca *ca, cs_error *e)
{
    memset(ca, 0, sizeof *ca);
    int rc = -1;
    struct ks_work *w = ks_work_within(outer, KS_OWN_CA, e);
    if (w == NULL) {
        return -1;
    }
    const struct ks_row *row = in_force(w, until);
    if (w->slot.slot_id != 0 && w->slot.role != KS_TRUST_ANCHOR) {
        cs_error_set(e, CS_EXIT_USAGE, "role-differs",
                     "alias %s has role %s; the own certification authority needs that alias", KS_OWN_CA,
                     ks_role_word(w->slot.role));
    } else if (row == NULL) {
        rc = make(w, ca, e);
    } else {
        struct ks_row_filter f = {.alias = KS_OWN_CA, .n = row->info.n, .with_der = true};
        rc = w->s->driver->rows(w->s->b, &f, read_certificate, ca, e) == 0
                 ? ks_key_open(w->s, NULL, &w->slot, row->key_id, &ca->key, e)
                 : -1;
    }
    ks_work_free(w);
    if (rc != 0) {
        ks_own_ca_free(ca);
    }
    return rc;
}

int ks_own_ca_named(const struct ks_work *outer, const char *issuer, bool *own, cs_error *e)
{
    struct ks_work *w = ks_work_within(outer, KS_OWN_CA, e);
    *own = false;
    for (size_t i = 0; w != NULL && i < w->n_row; i++) {
        *own = *own || (w->row[i].key_id[0] != '\0' && strcmp(w->row[i].info.subject, issuer) == 0);
    }
    int rc = w != NULL ? 0 : -1;
    ks_work_free(w);
    return rc;
}
