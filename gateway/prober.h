/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prober.h: whether receivers accept one of our certificates: each node calls them with it, beside all traffic, as the
 * keystore asks for it (ks_probe_ask), and stores what came of it.
 */
#ifndef GW_PROBER_H
#define GW_PROBER_H

#include "gateway/runtime.h"
#include "keystore/http.h"
#include "keystore/probe.h"

/** Run what is asked for and not yet answered by this node, one probe after the other; each blocks up to 15 s.
 * @return whether a result was stored */
bool prober_round(const struct runtime *rt, ks_store *store, const char *node, ks_stop stop, cs_time now);
/** Tell the store for which slots of the plan a probe { } stands at a route (guard G11). @return 0, or -1 */
int prober_report(const struct plan *plan, ks_store *store, const char *node, cs_time now, cs_error *e) CS_MUST_CHECK;

#endif
