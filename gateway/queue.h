/* SPDX-License-Identifier: Apache-2.0 */
/* queue.h: the one bounded queue in front of the workers; an item knows since when it waits. */
#ifndef GW_QUEUE_H
#define GW_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Embedded in what waits; belongs to the queue between push and pop. */
struct queue_item {
    struct queue_item *next;
    int64_t queued_us; /**< monotonic instant of the push */
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct queue_item *first;
    struct queue_item **last;
    size_t length;
    size_t limit;
    bool closed;
    _Atomic int64_t oldest_us; /**< queued_us of the first item, 0: empty */
};

enum queue_result { QUEUE_TAKEN, QUEUE_FULL, QUEUE_CLOSED };

/** @param limit items that may wait @return 0, or -1 (errno) */
int queue_init(struct queue *q, size_t limit) __attribute__((warn_unused_result));
/** The queue is empty and nobody waits in it. */
void queue_destroy(struct queue *q);
/** Any thread; takes item only with QUEUE_TAKEN. always: beyond the limit too (the number of such items is bounded
 * elsewhere). */
enum queue_result queue_push(struct queue *q, struct queue_item *item, bool always, int64_t now_us)
    __attribute__((warn_unused_result));
/** Worker thread: waits for an item, first in first out. @return owned by the caller; NULL: closed and empty */
struct queue_item *queue_pop(struct queue *q);
/** Since when the first item waits; 0: none does. Any thread, without waiting. */
int64_t queue_oldest(const struct queue *q);
/** Items that wait. Any thread. */
size_t queue_length(struct queue *q);
/** No more pushes; pops drain what is left. */
void queue_close(struct queue *q);
#endif
