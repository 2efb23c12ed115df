/* SPDX-License-Identifier: Apache-2.0 */
/* cover.h: which elements a signature covers, and whether these are the ones that the policy demands (step 12, 13). */
#ifndef WSSEC_COVER_H
#define WSSEC_COVER_H

#include "wssec/dom.h"

struct wssec_cover { /** What one trusted signature covers; never united with another one's. */
    const struct wssec_siginfo *siginfo;
    const struct wssec_signer *signer;
    const struct wssec_source *source; /**< siginfo->n_reference rows */
};

/** The signature covers this very node. */
bool wssec_covers(const struct wssec_cover *c, const xmlNode *node);
/** The signature covers this part of the package: by a reference, or as what an Include in a signed element stands for.
 */
bool wssec_covers_part(const struct wssec_cover *c, const struct wssec_package *k, size_t part);
/** Demand that one of n cover sets meets the whole policy. *decisive: which. @return 0, or -1 with j->why filled */
int wssec_cover_judge(struct wssec_judge *j, const struct wssec_security *s, const struct wssec_cover *cover,
                      unsigned n, unsigned *decisive) WSSEC_MUST_CHECK;
/** Names of what c covers, and the signed wsa values, into the verdict. */
void wssec_cover_report(struct wssec_judge *j, const struct wssec_cover *c);
/** How many elements stand at the part's position in m; Body, tokens and attachments count as one. */
unsigned wssec_part_count(const struct wssec_message *m, const struct wssec_part *p);
/** Position of a node for people: "/Envelope/Header/Security/Timestamp". @return out */
const char *wssec_path(const xmlNode *node, char *out, size_t size);

#endif
