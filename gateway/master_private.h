/* SPDX-License-Identifier: Apache-2.0 */
/* master_private.h: what the files of the master share: its children and its listening descriptors. */
#ifndef GW_MASTER_PRIVATE_H
#define GW_MASTER_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gateway/config.h"
#include "gateway/link.h"

#define SHARED_MAX   128
#define CHILDREN_MAX 16

/** A listening descriptor that outlives the processes that use it. */
struct shared {
    char name[KS_WORD]; /**< of the listener, or as the service manager calls it */
    char wanted[64];    /**< address as configured; "" nobody has asked for it yet */
    char bound[64];     /**< address as bound */
    int fd;
    pid_t asker; /**< the process that asked last; 0: nobody yet */
};

struct shared_list {
    struct shared item[SHARED_MAX];
    unsigned n;
};

/** Take over what was handed to this process by $LISTEN_FDS. */
void shared_inherit(struct shared_list *s);
/** The descriptor for a listener: known, handed over, or bound now. @return borrowed, -1 with a sentence in why */
int shared_get(struct shared_list *s, pid_t asker, const char *name, const char *address, char *why, size_t size);
/** No configuration has it any more. */
void shared_forget(struct shared_list *s, const char *name, const char *address);
/** asker serves now: what only earlier ones have asked for is closed. */
void shared_sweep(struct shared_list *s, pid_t asker);
void shared_close(struct shared_list *s);
/** Descriptors of the master lie above the places of $LISTEN_FDS. Moves fd there. @return -1 (errno): fd is closed */
int master_high(int fd);
/** Put copies to the places where exec leaves them, with $LISTEN_FDS. @return 0, -1: not all (errno) */
int shared_hand_over(const struct shared_list *s);
/** The exec failed: all is as before. */
void shared_take_back(const struct shared_list *s);

#endif
