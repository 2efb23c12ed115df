/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inflow.h: a large message is judged while its body arrives. Its job travels to a worker and back with every piece
 * that is there, the octets stay where they lie (memory or spool), and nothing goes on before the verdict on all of
 * them. A forged message is refused at its front. What can only be judged in one piece waits until it is there, as all
 * messages do when every judge is taken.
 */
#ifndef GW_INFLOW_H
#define GW_INFLOW_H

#include <pthread.h>

#include "gateway/body.h"
#include "resolver/resolver.h"

struct gateway;
struct job;

#define INFLOW_PIECE ((uint64_t)65536) /* octets that are worth a way to a worker */
#define INFLOW_MOST  64                /* messages at a time; the others are judged when they are complete */
#define INFLOW_IDLE  8                 /* judges kept for the next one */

/** Judges of messages that are under way: each is taken by one message, whatever thread it is on. */
struct inflow_pool {
    pthread_mutex_t lock;
    struct wssec_worker *idle[INFLOW_IDLE];
    unsigned n_idle, taken;
};

/** What a job holds for it. */
struct inflow {
    struct inflow_pool *pool;
    struct wssec_worker *wssec; /**< taken from the pool; NULL: given back */
    const ks_snapshot *keys_of; /**< reference: with which it was begun */
    struct wssec_resolver keys;
    struct resolver source;
    struct wssec_slice confirm;
    struct wssec_verdict verdict;
    bool begun;
    bool cut;               /**< refused at its front: the rest of the body is not there */
    enum wssec_need need;   /**< after the piece before */
    int64_t spent_us;       /**< workers had it, before it was complete */
    const struct chunk *at; /**< what was handed out ends in it; NULL: nothing was */
    size_t at_n;
    uint64_t octets;           /**< handed out */
    struct wssec_slice *slice; /**< owned: what is handed out now */
    size_t n_slice, cap_slice;
};

/** Every judge was given back. A zeroed pool with its lock is ready. */
void inflow_pool_destroy(struct inflow_pool *p);

/** Home's thread; keys_of is set by the caller. @return NULL: every judge is taken, or no memory */
struct inflow *inflow_new(struct inflow_pool *p);
/** Home's thread; NULL is allowed. */
void inflow_free(struct inflow *f);
/** What of b was not handed out yet is the next piece. @return false: it is smaller than least, or no memory */
bool inflow_take(struct inflow *f, const struct body *b, uint64_t least);
/** Worker thread: judge the piece; see f->need afterwards. */
void inflow_run(struct job *j);
/** Worker thread, in place of wssec_verify: the message is complete (or cut), j->verdict is filled. @return as
 * wssec_verify */
int inflow_finish(struct job *j, const struct wssec_input *in, const struct wssec_when *t,
                  const struct wssec_resolver *r, const struct wssec_replay *c) __attribute__((warn_unused_result));

#endif
