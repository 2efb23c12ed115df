/* SPDX-License-Identifier: Apache-2.0 */
/* stack.h: whose software wrote a message, as the habits of its Security header tell. A guess for people, never for a
 * verdict. */
#ifndef WSSEC_STACK_H
#define WSSEC_STACK_H

#include "wssec/message.h"

/** Fill stack and evidence of d; both stay empty when no habit is known. m->security is there. */
void wssec_stack_guess(const struct wssec_message *m, struct wssec_diagnosis *d);
/** The first element of that name below top (top included), in document order. NULL: none */
xmlNodePtr wssec_find(xmlNodePtr top, const char *ns, const char *local);

#endif
