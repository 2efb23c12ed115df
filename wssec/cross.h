/* SPDX-License-Identifier: Apache-2.0 */
/* cross.h: a share of live messages is judged by both engines; which ones, and what counts as one answer. */
#ifndef WSSEC_CROSS_H
#define WSSEC_CROSS_H

#include "wssec/worker.h"

/** Is it this message's turn? The worker counts: of each million messages as many as the policy says, evenly spread.
 *  Archives are never due. */
bool wssec_cross_due(struct wssec_worker *w, const struct wssec_policy *p, const struct wssec_when *t);
/** Both pass with the same parts, references and certificate, or neither passes. */
bool wssec_cross_agree(const struct wssec_verdict *a, bool a_passes, const struct wssec_verdict *b, bool b_passes);

#endif
