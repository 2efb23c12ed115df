/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.h: the thread that follows the keystore and rebuilds the runtime: a keystore change makes a new one over the
 * same configuration, a reload reads the configuration anew. On any error the old one stays in force.
 */
#ifndef GW_WATCH_H
#define GW_WATCH_H

#include "base/error.h"

struct gateway;
struct runtime;

/** @return 0, or -1 with a sentence logged */
int watch_start(struct gateway *gw) CS_MUST_CHECK;
void watch_stop(struct gateway *gw);
/** Any thread: read the configuration anew. */
void watch_reload(struct gateway *gw);
/** Tell the keystore what this node uses; a failure is only logged. Watch thread, or before it starts. */
void watch_report(struct gateway *gw, const struct runtime *rt);

#endif
