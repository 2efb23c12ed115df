/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule.h: a verb that waits for its instant: judged when it is set, as far as that can be known, and again when it
 * is carried out. And the verb in work that both share.
 */
#ifndef KS_SCHEDULE_H
#define KS_SCHEDULE_H

#include "keystore/change.h"
#include "keystore/consent.h"

/** A verb, its transaction, and the consent that it needs. */
struct ks_verb_work {
    const ks_request *r; /**< borrowed */
    struct ks_work *w;
    struct ks_consent consent;
    struct ks_plan plan; /**< filled where consent is asked for */
};

/** Plan the verb at v->w->now and ask all guards. @return 0 allowed; 1 nothing to do, told as a note; -1 */
int ks_verb_judge(struct ks_verb_work *v, ks_outcome *out, cs_error *e) CS_MUST_CHECK;
/** The audit row with what it is afterwards, the generation, the end of the transaction. */
int ks_verb_record(struct ks_work *w, const char *verb, const char *object, const char *after,
                   cs_error *e) CS_MUST_CHECK;
/** Set the verb for its instant, or take that back; commits. */
int ks_schedule_within(struct ks_verb_work *v, ks_outcome *out, cs_error *e) CS_MUST_CHECK;

#endif
