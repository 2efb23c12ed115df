/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addressee.h: who is told because of what he does: operators with a role and an address, and a partner's contacts.
 * The configuration names them; the store keeps the list, so that whoever raises a fact knows whom it concerns.
 */
#ifndef KS_ADDRESSEE_H
#define KS_ADDRESSEE_H

#include "keystore/notice.h"
#include "keystore/operators.h"

/** One line of the list. */
typedef struct ks_addressee {
    char role[24];         /**< tenant-admin, receiver-admin, sender-admin, lb-admin, integration-developer, auditor */
    char partner[KS_WORD]; /**< whose contact; "": an operator */
    char name[KS_FULL_NAME], mail[KS_MAIL];
} ks_addressee;

/** Row `contact ROLE NAME ADDRESS` of a partner. */
ks_setter ks_set_contact;
/** Free what it made. */
void ks_contacts_free(struct ks_partner_config *p);
/** The list that the file tells; malloc'ed, "" nobody. NULL: no memory */
char *ks_config_addressees(const struct ks_config *c);
/** The store's list becomes that one, audited; the same again changes nothing. *changed: it did. A store that keeps no
 *  notices keeps no list. */
int ks_set_addressees(ks_store *s, const char *list, const ks_actor *who, cs_time now, bool *changed,
                      cs_error *e) CS_MUST_CHECK;
typedef int ks_visit_addressee(void *ctx, const ks_addressee *a, cs_error *e);
#define KS_EVERY_PARTNER "*" /* is no name of one */
/** Those of the store's list with the role (NULL: any): operators, and contacts of the partner (NULL: of none). Within
 *  the caller's transaction. */
int ks_addressees_each(ks_store *s, const char *role, const char *partner, ks_visit_addressee *visit, void *ctx,
                       cs_error *e) CS_MUST_CHECK;

#endif
