/* SPDX-License-Identifier: Apache-2.0 */
/*
 * issuer.h: certificates made here: names as asked for on a command line, kinds of keys, and the keystore's own
 * certification authority. Only the change of a slot (generate.c) asks for them.
 */
#ifndef KS_ISSUER_H
#define KS_ISSUER_H

#include <openssl/x509v3.h>

#include "keystore/change.h"

#define KS_OWN_CA "own-ca" /* alias of the own certification authority: a trust anchor with a sealed key */

/* ---- names ------------------------------------------------------------------------------------------------------ */

/** A subject written as RFC 4514 ("CN=acme,O=Acme AG", most specific first), for a certificate to be made: one
 *  attribute per RDN, known types, values of 1 to 64 characters (C: two letters) without control characters. What comes
 *  out is read again and must be the name that was asked for. @return 0 with *out owned by the caller; -1: exit 64 */
int ks_subject_parse(const char *text, X509_NAME **out, cs_error *e) CS_MUST_CHECK;
/** Add a host to the names of a TLS server: "gw.example" or an IP address. *names is made when it is NULL.
 *  @return 0, or -1: exit 64 */
int ks_host_add(GENERAL_NAMES **names, const char *host, cs_error *e) CS_MUST_CHECK;

/* ---- keys ------------------------------------------------------------------------------------------------------- */

struct ks_key_kind {
    const char *word;      /**< "rsa:3072" */
    const char *algorithm; /**< as in ks_info: "RSA", "EC", "Ed25519" */
    int bits;
    const char *curve; /**< EC: OpenSSL's name */
};
/** The kind of that word, or NULL. Static. */
const struct ks_key_kind *ks_key_kind_find(const char *word);
/** The kind that an entry has, or NULL: none that is made here. Static. */
const struct ks_key_kind *ks_key_kind_of(const char *algorithm, int bits);
/** A new key; RSA takes up to seconds of CPU. @return owned by the caller, or NULL */
EVP_PKEY *ks_key_make(const struct ks_key_kind *kind, cs_error *e);

/* ---- own authority ---------------------------------------------------------------------------------------------- */

struct ks_own_ca {
    X509 *certificate; /**< owned */
    EVP_PKEY *key;     /**< owned */
    unsigned n;        /**< own-ca#n */
    bool made;         /**< new, with this change */
};

/** The own authority that is in force and lasts until that instant; where there is none it is made, within the change
 * w.
 *  @return 0, *ca to be given to ks_own_ca_free, or -1 */
int ks_own_ca_get(const struct ks_work *w, cs_time until, struct ks_own_ca *ca, cs_error *e) CS_MUST_CHECK;
void ks_own_ca_free(struct ks_own_ca *ca);

/** What a new certificate shall say. Everything is borrowed. */
struct ks_wanted {
    enum ks_role role;
    const X509_NAME *subject;
    const GENERAL_NAMES *hosts; /**< NULL: none */
    EVP_PKEY *key;
    cs_time from, until;
};
/** What a key of that role is for, in OpenSSL's words: key usage, extended key usage (NULL: none). Static.
 *  @return whether such certificates are made here */
bool ks_usage_of(enum ks_role role, EVP_PKEY *key, const char **usage, const char **extended);
/** A certificate signed by the own authority, random serial. @return owned by the caller, or NULL with e filled (70) */
X509 *ks_own_issue(const struct ks_own_ca *ca, const struct ks_wanted *wanted, cs_error *e);

#endif
