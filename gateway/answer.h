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
/** ... an HTTP status without a fault? */
bool answer_status_refuses(int status);
/** A key is being tried on the route, and the reply, which is there, may say something about it: a worker is to look.
 *  Loop's thread. */
bool answer_matters(const struct exchange *ex);
/** At the end of an exchange: count its answer for the key that signed the request. An answer is believed that came
 *  over TLS or was verified; where the route asks for neither, as the client believes it. Loop's thread. */
void answer_count(const struct exchange *ex);

#endif
