/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confirm.h: wsse11:SignatureConfirmation (WSS 1.1 section 8.5): a reply repeats the SignatureValues of its request and
 * signs them, so that a reply to another request cannot be put in its place.
 */
#ifndef WSSEC_CONFIRM_H
#define WSSEC_CONFIRM_H

#include "wssec/cover.h"

#define WSSEC_CONFIRMATIONS 8 /* in one header */

/** Demand that the confirmations of our header name each SignatureValue of the request exactly once and are covered by
 * c. Nothing is asked of a message that answers no request of ours; none at all passes unless the policy demands them.
 *  *confirmed: how many were found good. @return 0, or -1 with j->why filled */
int wssec_confirm_judge(struct wssec_judge *j, const struct wssec_cover *c, size_t *confirmed) WSSEC_MUST_CHECK;
/** Append the element that confirms value under id to a header that is being written. */
void wssec_confirm_write(struct wssec_slice value, const char *id, cs_buf *out);

#endif
