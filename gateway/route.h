/* SPDX-License-Identifier: Apache-2.0 */
/* route.h: which route serves a request: listener, normalised path, method; the longest path wins. */
#ifndef GW_ROUTE_H
#define GW_ROUTE_H

#include "base/buffer.h"
#include "gateway/runtime.h"

/** @param path_known set when a path fits; with no route found the method does not (405), and allow names those that
 * would
 *  @return borrowed from p, NULL: none */
const struct plan_route *route_find(const struct plan *p, const struct listening *l, const char *path,
                                    const char *method, bool *path_known, char allow[256]);
/** The target to ask the upstream for: its own path where it has one (with what lies below ours), else the path as
 * judged. query NULL: none. @return 0, or -1: no memory */
int route_target(cs_buf *out, const struct gw_route *r, const struct gw_upstream *u, const char *path,
                 const char *query);

#endif
