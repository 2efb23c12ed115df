/* SPDX-License-Identifier: Apache-2.0 */
/* life.h: slots as the rules see them, made of states, and a verb tried on one. */
#ifndef TESTS_LIFE_H
#define TESTS_LIFE_H

#include <stdio.h>
#include <string.h>

#include "keystore/rules.h"
#include "tests/unit/harness.h"

#define NOW ((cs_time)1780272000) /* 2026-06-01T00:00:00Z */

/** A slot with entries 1..n in the given states, exchanged an hour ago where that fits. */
static inline struct ks_view slot(enum ks_role role, size_t n, const enum ks_state states[])
{
    struct ks_view v = {.role = role, .terms = {.retention = KS_RETENTION_FLOOR, .guaranteed_delivery = 14 * CS_DAY}};
    memcpy(v.alias, "slot", sizeof "slot");
    memcpy(v.partner, "acme", sizeof "acme");
    for (size_t i = 0; i < n; i++) {
        struct ks_view_entry *e = &v.entry[v.n++];
        e->n = (unsigned)i + 1;
        e->state = states[i];
        e->has_key = ks_role_row(role)->own_key;
        memcpy(e->key_algorithm, "EC", sizeof "EC");
        e->not_before = NOW - 100 * CS_DAY;
        e->not_after = NOW + 300 * CS_DAY;
        if (states[i] != KS_PRE_ACTIVE) {
            e->activated_at = NOW - 50 * CS_DAY;
        }
        if (states[i] == KS_DEACTIVATED || states[i] == KS_ARCHIVED) {
            e->exchanged_at = states[i] == KS_ARCHIVED ? NOW - 95 * CS_DAY : NOW - 3600;
            e->process_stop = ks_process_stop(role, &v.terms, e->exchanged_at, e->not_after, 0, 0);
        }
        if (states[i] == KS_SUSPENDED) {
            e->resume_state = KS_ACTIVE;
        }
        e->compromised_since = states[i] == KS_COMPROMISED ? NOW - 60 : 0;
        e->spki_sha256[0] = (uint8_t)(i + 1);
    }
    return v;
}

/** Plan, apply and judge a verb. @return the first guard that refuses, 0: allowed, -1: the verb does not meet the
 * state, -2: nothing to do */
static inline int try_verb(const struct ks_view *v, enum ks_verb verb, unsigned n, cs_time now, bool shorter_ok,
                           struct ks_view *after, ks_refusal *why)
{
    static struct ks_view scratch;
    struct ks_rule_plan p = {.until = now + CS_DAY};
    ks_refusal refusal[1];
    refusal[0].guard = 0;
    char text[256];
    after = after != NULL ? after : &scratch;
    ks_view_copy(after, v);
    switch (ks_plan_verb(v, verb, n, now, &p, text, sizeof text)) {
    case KS_MEET_NEVER: return -1;
    case KS_MEET_ALREADY: return -2;
    case KS_MEET_STEPS: break;
    }
    p.shorter_ok = shorter_ok;
    bool applied = ks_plan_apply(after, &p, now, text, sizeof text) == 0;
    size_t refused = ks_judge(v, applied ? after : NULL, &p, now, refusal, 1);
    if (why != NULL) {
        *why = refusal[0];
    }
    if (refused == 0) {
        CU_ASSERT(applied); /* what no guard refuses must be a legal transition */
    }
    return refused > 0 ? (int)refusal[0].guard : 0;
}

#endif
