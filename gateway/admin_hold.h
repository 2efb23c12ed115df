/* SPDX-License-Identifier: Apache-2.0 */
/* admin_hold.h: putting a route on hold, and letting it go, for an operator. Admin thread. */
#ifndef GW_ADMIN_HOLD_H
#define GW_ADMIN_HOLD_H

#include <stdbool.h>
#include <sys/types.h>

#include "keystore/keystore.h"

struct gateway;

/** The name of who speaks from a process, for the audit, into out. */
void admin_caller(pid_t pid, uid_t uid, char *out, size_t size);
/** Write the row; this node follows within a moment, the others within a second. @return 0, or -1 with e filled */
int admin_hold(struct gateway *gw, const char *route, bool hold, const ks_actor *who, ks_hold_outcome *out,
               cs_error *e) CS_MUST_CHECK;

#endif
