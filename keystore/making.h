/* SPDX-License-Identifier: Apache-2.0 */
/*
 * making.h: what a new key and its certificate shall be, as the request and the slot together tell: role, kind of key,
 * name, hosts, validity. For certificates made here (generate.c) and such that an outside authority makes (request.c).
 */
#ifndef KS_MAKING_H
#define KS_MAKING_H

#include "keystore/issuer.h"

/** A certificate to be made, as far as the slot and the request tell. */
struct ks_making {
    const ks_new *asked;
    enum ks_role role;
    const struct ks_key_kind *kind;
    unsigned before;      /**< entry that it follows; 0: the slot has none in use */
    X509 *predecessor;    /**< owned; NULL: none */
    X509_NAME *subject;   /**< owned */
    GENERAL_NAMES *hosts; /**< owned; NULL: none */
    cs_time from, until;
};

void ks_making_free(struct ks_making *m);
/** Check what is asked for, before the slot is looked at. g is borrowed by m. @return 0, or -1: exit 64 */
int ks_making_ask(const ks_new *g, struct ks_making *m, cs_time now, cs_error *e) CS_MUST_CHECK;
/** The entry that a new one follows: the active one, else the newest that is in use or may be again. NULL: none. */
const ks_info *ks_making_before(const struct ks_work *w);
/** Complete m by what the slot of w tells; again at will. @return 0, or -1 */
int ks_making_resolve(const struct ks_work *w, struct ks_making *m, cs_error *e) CS_MUST_CHECK;
/** Would the guards let it in? Asked before the key is made. Refused: -1, exit 10, out filled. */
int ks_making_rehearse(struct ks_work *w, const struct ks_making *m, ks_outcome *out, cs_error *e) CS_MUST_CHECK;

#endif
