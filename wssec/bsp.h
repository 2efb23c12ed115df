/* SPDX-License-Identifier: Apache-2.0 */
/* bsp.h: WS-I Basic Security Profile 1.1: rules that narrow what WSS 1.1 allows, looked at where a policy asks for it.
 */
#ifndef WSSEC_BSP_H
#define WSSEC_BSP_H

#include "wssec/key.h"

struct wssec_bsp_rule {
    const char *number;     /**< "R3029" */
    bool must;              /**< false: SHOULD, which is noted and never refused */
    const char *ns, *local; /**< the element that it speaks of */
    const char *text;       /**< what it demands */
};

/** The rows in the order of the table. NULL: no more. */
const struct wssec_bsp_rule *wssec_bsp_rule(size_t index);

/** Look at our Security header and at the blocks beside it, as the policy says: rules that do not hold are a note, and
 *  under enforce the first one that must hold is the refusal. What was opened ahead of the Signature is seen opened. */
void wssec_bsp_judge(struct wssec_judge *j);

#endif
