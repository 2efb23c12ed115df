/* SPDX-License-Identifier: Apache-2.0 */
/*
 * samekey.h: a compromise is about a key, not about an entry: every other entry that holds it, in whatever slot, goes
 * the same way in the same change; destroyed ones keep their state, and their past is cut all the same.
 */
#ifndef KS_SAMEKEY_H
#define KS_SAMEKEY_H

#include "keystore/change.h"

struct ks_same_key {
    struct ks_work **other; /**< owned: works of the other slots */
    size_t n, cap;
    struct ks_row *gone; /**< owned: destroyed entries with the key */
    size_t n_gone, cap_gone;
    cs_time since;
};

/** For plans of T8 on entry n (others: nothing to do): find the others and judge them. */
int ks_same_key_judge(struct ks_work *w, unsigned n, struct ks_same_key *out, ks_outcome *outcome,
                      cs_error *e) CS_MUST_CHECK;
/** Within w's transaction; w commits. */
int ks_same_key_write(struct ks_work *w, struct ks_same_key *same, cs_error *e) CS_MUST_CHECK;
void ks_same_key_notes(const struct ks_same_key *same, ks_outcome *out);
void ks_same_key_free(struct ks_same_key *same);

#endif
