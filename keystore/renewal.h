/* SPDX-License-Identifier: Apache-2.0 */
/*
 * renewal.h: successors of own certificates: such that an outside authority signs (a request leaves, a reply comes
 * back), and such that are made without a hand before the one in use ends.
 *
 * As keystore.h: a ks_store belongs to one thread, every decision takes now, 0 or -1 with the error filled.
 */
#ifndef KS_RENEWAL_H
#define KS_RENEWAL_H

#include "keystore/keystore.h"

/* ---- requests to outside authorities ----------------------------------------------------------------------------- */

/** A key that is in the store and waits for its certificate: what a list shows as "pre-active (no certificate)". */
typedef struct ks_csr {
    char alias[KS_WORD];
    unsigned n; /**< number that the entry will have */
    enum ks_role role;
    char subject[512]; /**< RFC 2253 */
    const char *pem;   /**< PKCS#10; borrowed within a visit, else owned (ks_csr_free) */
    size_t pem_len;
    cs_time created_at;
    char actor[64];
    bool again;          /**< the request was there before: nothing was changed */
    uint64_t generation; /**< after the change; for a dry run the next one */
} ks_csr;
void ks_csr_free(ks_csr *r);
/** A key is made and sealed, and only then its request is handed out; name and kind of key follow the entry before, as
 *  with ks_generate (g: days and host of other roles are not asked). A slot has one request: while it is open the same
 *  one is given again; asked for with another name or kind of key: exit 12. Refused by a guard (G2): exit 10. */
int ks_csr_make(ks_store *s, const ks_new *g, bool dry_run, const ks_actor *who, cs_time now, ks_csr *out,
                ks_outcome *refused, cs_error *e) CS_MUST_CHECK;
/** The request is given up, its key destroyed. None is open: exit 64. */
int ks_csr_discard(ks_store *s, const char *alias, bool dry_run, const ks_actor *who, cs_time now, ks_csr *out,
                   cs_error *e) CS_MUST_CHECK;
typedef int ks_visit_csr(void *ctx, const ks_csr *r, cs_error *e);
/** Open requests by alias; alias NULL: of all slots. */
int ks_csr_each(ks_store *s, const char *alias, ks_visit_csr *visit, void *ctx, cs_error *e) CS_MUST_CHECK;
/** What the authority answered (PEM with chain in any order, DER, PKCS#7): the certificate joins the key of the open
 *  request, in one transaction that ends it. In a slot without an active entry it is active at once. Another key,
 * another name, or not for the role: G5, exit 10. It came already: 12. No request is open, unreadable, expired: 64. */
int ks_import_reply(ks_store *s, const char *alias, const char *data, size_t n, bool dry_run, const ks_actor *who,
                    cs_time now, ks_outcome *out, cs_error *e) CS_MUST_CHECK;

/* ---- successors without a hand ------------------------------------------------------------------------------------
 */

/** As ks_generate, with the validity of the entry before; in a full slot the inactive entry goes in the same change,
 * after the use check (G9). A certificate of an outside authority: exit 64, with the command for a request. */
int ks_renew(ks_store *s, const char *alias, bool dry_run, const ks_actor *who, cs_time now, ks_outcome *out,
             cs_error *e) CS_MUST_CHECK;

/** How a slot renews itself. */
typedef struct ks_auto_info {
    char alias[KS_WORD];
    bool on;
    int days;            /**< it begins so long before the end, 14 at most */
    bool fingerprint;    /**< partners know the certificate itself: a successor is made, and activated by a hand */
    char window[64];     /**< "Mon-Thu 09:00-12:00 UTC"; "" at any time */
    unsigned n;          /**< the active entry that ends first; 0: none */
    cs_time not_after;   /**< its end */
    cs_time at;          /**< when its successor is made; 0: there is none in use */
    unsigned successor;  /**< made for it already; 0: not yet */
    char error[256];     /**< why the last attempt failed; "" none did */
    uint64_t generation; /**< of ks_auto_set: after the change; for a dry run the next one */
} ks_auto_info;
typedef struct ks_auto_request {
    const char *alias;
    bool on;
    int64_t days;        /**< 0: 14 */
    const char *window;  /**< NULL: as stored */
    const char *pinning; /**< "dn", "fingerprint"; NULL: as stored, else dn */
} ks_auto_request;
/** Turn it on or off. Unknown alias, a role or an issuer for which nothing is made here, a window that is none:
 * exit 64. */
int ks_auto_set(ks_store *s, const ks_auto_request *r, bool dry_run, const ks_actor *who, cs_time now,
                ks_auto_info *out, cs_error *e) CS_MUST_CHECK;
typedef int ks_visit_auto_info(void *ctx, const ks_auto_info *i, cs_error *e);
/** Slots for which it was ever said, by alias; alias NULL: all. */
int ks_auto_each(ks_store *s, const char *alias, cs_time now, ks_visit_auto_info *visit, void *ctx,
                 cs_error *e) CS_MUST_CHECK;

#endif
