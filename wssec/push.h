/* SPDX-License-Identifier: Apache-2.0 */
/* push.h: what a worker holds of a message that is judged while it comes; the calls stand in wssec.h. */
#ifndef WSSEC_PUSH_H
#define WSSEC_PUSH_H

#include "wssec/worker.h"

void wssec_push_free(struct wssec_push *s);

#endif
