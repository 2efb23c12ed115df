/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_local.h: signatures seen by this node, behind wssec's replay interface: in the memory of this process, or in a
 * file that outlives it and that several processes of the node may use at once. A claim is one atomic step.
 */
#ifndef GW_REPLAY_LOCAL_H
#define GW_REPLAY_LOCAL_H

#include "base/error.h"
#include "base/time.h"
#include "gateway/replay_table.h"
#include "wssec/wssec.h"

struct replay_local;

struct replay_limits {
    uint64_t entries; /**< room for so many keys */
    unsigned share;   /**< hundredths of them that one partner may hold; 100: all */
};

/** In memory: forgotten at the end of the process. @return owned by the caller, NULL: no memory, or too many entries */
struct replay_local *replay_local_new(const struct replay_limits *limits);
/** In a file, which is made when it is not there. @param live where to put how many keys it remembers, or NULL
 *  @return owned by the caller, NULL: e says why (replay_file_open()) */
struct replay_local *replay_local_open(const char *path, const struct replay_limits *limits, uint64_t *live,
                                       cs_error *e);
void replay_local_free(struct replay_local *r);
/** Any thread. @return 1 new, 0 seen before, -1 full, or the file cannot be locked */
int replay_local_claim(struct replay_local *r, const struct replay_claim *c);

/** Claims since the start: new, seen before, not answered. Any thread. */
struct replay_counts {
    uint64_t fresh, seen, failed;
    bool up; /**< the last claim was answered */
};
struct replay_counts replay_local_counts(const struct replay_local *r);

/** Whose messages are judged: borrowed as long as the interface made of it is used. */
struct replay_asker {
    struct replay_local *store;
    const char *partner;
};
/** The same as wssec wants it, with the wall clock. */
struct wssec_replay replay_local_interface(struct replay_asker *asker);

#endif
