/* SPDX-License-Identifier: Apache-2.0 */
/* hold.h: routes that are held during a downtime window, as snapshots carry them. */
#ifndef KS_HOLD_H
#define KS_HOLD_H

#include "keystore/snapshot.h"

/** Fill s->hold from the store. */
int ks_holds_read(ks_store *store, ks_snapshot *s, cs_error *e) CS_MUST_CHECK;

#endif
