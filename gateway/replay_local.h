/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_local.h: signatures seen by this process, behind wssec's replay interface. A claim is one atomic step.
 * Bounded: a key has a window of slots; entries leave at their keep-until; when the window is full the claim is
 * refused, never an older entry forgotten.
 */
#ifndef GW_REPLAY_LOCAL_H
#define GW_REPLAY_LOCAL_H

#include "base/time.h"
#include "wssec/wssec.h"

struct replay_local;

/** @param entries room for so many keys @return owned by the caller, NULL: no memory */
struct replay_local *replay_local_new(uint64_t entries);
void replay_local_free(struct replay_local *r);
/** Any thread. @return 1 new, 0 seen before, -1 full */
int replay_local_claim(struct replay_local *r, const uint8_t key[32], cs_time keep_until, cs_time now);
/** The same as wssec wants it, with the wall clock; r is borrowed as long as the result is used. */
struct wssec_replay replay_local_interface(struct replay_local *r);

#endif
