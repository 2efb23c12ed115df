/* SPDX-License-Identifier: Apache-2.0 */
/* worker.h: the threads that verify and sign, one wssec_worker each, fed by the one queue. */
#ifndef GW_WORKER_H
#define GW_WORKER_H

#include <pthread.h>
#include <stdbool.h>

struct gateway;

struct worker_pool {
    struct worker_thread *worker;
    unsigned n;
};

/** @return 0, or -1 with a sentence logged */
int workers_start(struct gateway *gw, unsigned n) __attribute__((warn_unused_result));
/** The queue is closed: wait for the threads. */
void workers_join(struct gateway *gw);

#endif
