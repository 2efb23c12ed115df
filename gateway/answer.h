/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer.h: what the receiver's answer to a request that we signed says about the signature. Only that counts against a
 * key that is being tried (keystore/canary.h): faults of the business, and servers that are down, are no fault of it.
 */
#ifndef GW_ANSWER_H
#define GW_ANSWER_H

#include <stdbool.h>

#include "wssec/wssec.h"

struct exchange;

#define ANSWER_MAX ((uint64_t)65536) /* octets of a reply that is looked at; faults are small */

/** Is the code of a fault one that says: this signature, or the key that made it, is not accepted? */
bool answer_fault_refuses(const struct wssec_name *fault);
/** A key is being tried on the route, and the reply, which is there, may say something about it: a worker is to look.
 *  Loop's thread. */
bool answer_matters(const struct exchange *ex);
/** Would a refusal of the signature be answered by signing again with the active key? Once, where the first key was one
 *  that is being tried, and the request can be made again (it was not verified here: its nonce is used up). */
bool answer_may_repeat(const struct exchange *ex);
/** ... and it is one: a fault that came over TLS or was verified. Such a fault is made before the request is looked at
 *  any further; a status alone may mean something else, and what anybody may have said proves nothing. The reply's job
 *  is back. Loop's thread. */
bool answer_repeats(const struct exchange *ex);
/** At the end of an exchange, or before it is signed again: count its answer for the key that signed the request. An
 * answer is believed that came over TLS or was verified; where the route asks for neither, as the client believes it.
 * Loop's thread. */
void answer_count(const struct exchange *ex);

#endif
