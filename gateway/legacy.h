/* SPDX-License-Identifier: Apache-2.0 */
/*
 * legacy.h: how often which partner's messages passed by a dated exception only (legacy NAME until DATE), and a word in
 * the log about it: at the first such message, then once a day, louder in the last 30 days.
 */
#ifndef GW_LEGACY_H
#define GW_LEGACY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

struct legacy;

/** @return owned by the caller (legacy_free), NULL: no memory */
struct legacy *legacy_new(void);
void legacy_free(struct legacy *l);
/** Count one message. until: first instant at which the exception is over. Any thread. @return true: the log was told
 */
bool legacy_use(struct legacy *l, const char *partner, const char *exception, cs_time until, cs_time now);
/** All counts, in the order of their first use. each is called under the lock. Any thread. */
void legacy_each(struct legacy *l, void (*each)(void *ctx, const char *partner, const char *exception, uint64_t count),
                 void *ctx);
/** Tell the log all counts (at the end of the process). */
void legacy_log(struct legacy *l);

#endif
