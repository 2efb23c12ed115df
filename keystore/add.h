/* SPDX-License-Identifier: Apache-2.0 */
/*
 * add.h: a certificate into a slot, within a change that somebody else began and commits: for certificates that come in
 * as files (add.c) and such that are made here (generate.c, issuer_own.c).
 */
#ifndef KS_ADD_H
#define KS_ADD_H

#include "keystore/change.h"
#include "keystore/entry.h"

/** A certificate, with its key or without, that was read before the store is touched. */
struct ks_incoming {
    struct ks_certificate certificate;
    EVP_PKEY *key;          /**< owned by who fills it; NULL: none */
    const char *pkcs11_uri; /**< borrowed; where a token has the key, which is not sealed here then; NULL: no token */
    bool authority;         /**< the keystore's own certification authority: the one trust anchor that has a key */
    const char *key_id; /**< borrowed; of a key that the store holds already, for this slot; NULL: it is stored now */
    unsigned n;         /**< number of the entry; 0: the next one */
    int64_t entry_id;   /**< out: of the row that was written; 0: none */
    bool first;         /**< out: the slot never held an entry before */
    char warning[320];
    cs_time since, until; /**< 0: none */
};

/** Judge the new entry and write its rows, unless w is a dry run; does not commit. Refused by a guard: -1, exit 10. */
int ks_take_in(struct ks_work *w, const ks_add *a, struct ks_incoming *in, ks_outcome *out, cs_error *e) CS_MUST_CHECK;

#endif
