/* SPDX-License-Identifier: Apache-2.0 */
/* queue.c: see queue.h. */
#include "gateway/queue.h"

#include <errno.h>

int queue_init(struct queue *q, size_t limit)
{
    q->first = NULL;
    q->last = &q->first;
    q->length = 0;
    q->limit = limit;
    q->closed = false;
    atomic_store(&q->oldest_us, 0);
    int rc = pthread_mutex_init(&q->lock, NULL);
    if (rc != 0) {
        errno = rc;
        return -1;
    }
    rc = pthread_cond_init(&q->filled, NULL);
    if (rc != 0) {
        pthread_mutex_destroy(&q->lock);
        errno = rc;
        return -1;
    }
    return 0;
}

void queue_destroy(struct queue *q)
{
    pthread_cond_destroy(&q->filled);
    pthread_mutex_destroy(&q->lock);
}

enum queue_result queue_push(struct queue *q, struct queue_item *item, bool always, int64_t now_us)
{
    enum queue_result result = QUEUE_TAKEN;
    pthread_mutex_lock(&q->lock);
    if (q->closed) {
        result = QUEUE_CLOSED;
    } else if (q->length >= q->limit && !always) {
        result = QUEUE_FULL;
    } else {
        item->next = NULL;
        item->queued_us = now_us;
        if (q->first == NULL) {
            atomic_store_explicit(&q->oldest_us, now_us, memory_order_relaxed);
        }
        *q->last = item;
        q->last = &item->next;
        q->length++;
        pthread_cond_signal(&q->filled);
    }
    pthread_mutex_unlock(&q->lock);
    return result;
}

struct queue_item *queue_pop(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    while (q->first == NULL && !q->closed) {
        pthread_cond_wait(&q->filled, &q->lock);
    }
    struct queue_item *item = q->first;
    if (item != NULL) {
        q->first = item->next;
        if (q->first == NULL) {
            q->last = &q->first;
        }
        q->length--;
        atomic_store_explicit(&q->oldest_us, q->first != NULL ? q->first->queued_us : 0, memory_order_relaxed);
    }
    pthread_mutex_unlock(&q->lock);
    return item;
}

int64_t queue_oldest(const struct queue *q)
{
    return atomic_load_explicit(&q->oldest_us, memory_order_relaxed);
}

size_t queue_length(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    size_t n = q->length;
    pthread_mutex_unlock(&q->lock);
    return n;
}

void queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->filled);
    pthread_mutex_unlock(&q->lock);
}
