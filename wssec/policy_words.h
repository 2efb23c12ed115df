/* SPDX-License-Identifier: Apache-2.0 */
/* policy_words.h: the words of a policy as a table, shared by wssec_policy_set and the directive rows. */
#ifndef WSSEC_POLICY_WORDS_H
#define WSSEC_POLICY_WORDS_H

#include "wssec/policy.h"

/** One word of a policy; inner blocks are written with a dot ("timestamp.ttl"). */
struct wssec_policy_word {
    const char *word;
    int least, most; /**< arguments; most -1: any number */
    /** Take the arguments. @return 0, or -1 with a sentence in err */
    int (*set)(struct wssec_policy *p, const struct wssec_policy_word *row, int argc, const char *const argv[],
               char *err, size_t errsize);
    size_t offset;    /**< of the member, for setters that serve several words */
    size_t size;      /**< of the member */
    uint64_t ceiling; /**< largest value, 0: none */
};

/** Walk of the table. @return NULL behind the last row */
const struct wssec_policy_word *wssec_policy_word_row(size_t index);

#endif
