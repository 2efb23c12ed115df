/* SPDX-License-Identifier: Apache-2.0 */
/*
 * consent.h: two persons for what one alone must not do (guard G10). Whoever asks for such a change proposes its plan
 * (plan.h); another person of the approvers agrees to exactly that plan within a day; then the change is carried out
 * once. Persons are compared, not accounts: several accounts of one operator are one person.
 *
 * A change asks within its transaction (ks_consent_ask, the same plan as proposed), refuses by G10 where consent is
 * missing, rolls back, and proposes (ks_consent_propose, exit 11). Where it is given, the change marks it used in its
 * own transaction (ks_consent_use), so that no agreement counts twice.
 */
#ifndef KS_CONSENT_H
#define KS_CONSENT_H

#include "keystore/plan.h"
#include "keystore/store.h"

#define KS_CONSENT_LASTS CS_DAY /* seconds from the proposal */

struct ks_consent {
    bool asked;           /**< two approvers are named: guard G10 is in force */
    bool given;           /**< another person agreed to exactly this plan */
    ks_proposal proposal; /**< given: the agreement; else the open proposal of this plan, id 0: none */
    char names[320];      /**< who may agree, for sentences */
};

/** Is consent needed, and given? Reads only; within the caller's transaction. */
int ks_consent_ask(ks_store *s, const struct ks_plan *p, const ks_actor *who, cs_time now, struct ks_consent *out,
                   cs_error *e) CS_MUST_CHECK;
/** Write the proposal in a transaction of its own (the caller has ended its own); the same plan of the same person that
 *  is open already is not written again. @return -1 always: exit 11 with the command for the other person, or an error
 */
int ks_consent_propose(ks_store *s, const struct ks_plan *p, const ks_actor *who, cs_time now, cs_error *e);
/** The change is being made: the agreement counts no second time. Within the change's transaction, before its end. */
int ks_consent_use(ks_store *s, const struct ks_consent *c, cs_time now, cs_error *e) CS_MUST_CHECK;

/** Who agreed, for the audit; NULL: nobody was asked. Borrowed from c. */
const char *ks_consent_approver(const struct ks_consent *c);

#endif
