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
    /* how it comes in; what ks_new does not tell */
    bool replace;     /**< the inactive entry of a full slot goes in the same change */
    bool replace_any; /**< the inactive entry goes even where there is room for both */
    bool activate;    /**< it takes the place of the active one at once */
    bool automatic;   /**< by the keeper */
    unsigned follows; /**< only while that entry is active, and once; 0: not asked */
    int64_t follows_id;
    const char *tell;  /**< people are told that it was made and waits: the sentence; NULL: they are not */
    unsigned replaces; /**< out: who goes, 0: nobody */
};

#define KS_TELL_WAITS "It is not in use yet: first the other side needs it, then somebody activates it."

void ks_making_free(struct ks_making *m);
/** Check what is asked for, before the slot is looked at. g is borrowed by m. @return 0, or -1: exit 64 */
int ks_making_ask(const ks_new *g, struct ks_making *m, cs_time now, cs_error *e) CS_MUST_CHECK;
/** The entry that a new one follows: the active one, else the newest that is in use or may be again. NULL: none. */
const ks_info *ks_making_before(const struct ks_work *w);
/** Complete m by what the slot of w tells; again at will. @return 0, or -1 */
int ks_making_resolve(const struct ks_work *w, struct ks_making *m, cs_error *e) CS_MUST_CHECK;
/** What m says of the change, into the plan of w. */
void ks_making_plan(struct ks_work *w, const struct ks_making *m);
/** Would the guards let it in? Asked before the key is made. Refused: -1, exit 10, out filled. */
int ks_making_rehearse(struct ks_work *w, const struct ks_making *m, ks_outcome *out, cs_error *e) CS_MUST_CHECK;

/** As ks_generate, for a request that stands in m (ks_making_ask). */
int ks_generate_made(ks_store *s, struct ks_making *m, const char *verb, bool dry_run, const ks_actor *who, cs_time now,
                     ks_outcome *out, cs_error *e) CS_MUST_CHECK;
/** Has the keystore's own certification authority that name? */
int ks_own_ca_named(const struct ks_work *outer, const char *issuer, bool *own, cs_error *e) CS_MUST_CHECK;

#endif
