/* SPDX-License-Identifier: Apache-2.0 */
/* test_queue.c: the bounded queue, the mailbox of a loop, and bodies under the memory ceiling. */
#include "tests/unit/harness.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/body.h"
#include "gateway/mailbox.h"
#include "gateway/queue.h"

const char *const harness_suite = "queue";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static void order_limit_and_wait(void)
{
    struct queue q;
    struct queue_item item[4];
    CU_ASSERT_EQUAL_FATAL(queue_init(&q, 2), 0);
    CU_ASSERT_EQUAL(queue_push(&q, &item[0], false, 100), QUEUE_TAKEN);
    CU_ASSERT_EQUAL(queue_push(&q, &item[1], false, 200), QUEUE_TAKEN);
    CU_ASSERT_EQUAL(queue_push(&q, &item[2], false, 300), QUEUE_FULL);
    CU_ASSERT_EQUAL(queue_push(&q, &item[3], true, 400), QUEUE_TAKEN);
    CU_ASSERT_PTR_EQUAL(queue_pop(&q), &item[0]);
    CU_ASSERT_PTR_EQUAL(queue_pop(&q), &item[1]);
    CU_ASSERT_PTR_EQUAL(queue_pop(&q), &item[3]);
    CU_ASSERT_EQUAL(item[3].queued_us, 400);
    CU_ASSERT_EQUAL(queue_push(&q, &item[0], false, 500), QUEUE_TAKEN);
    queue_close(&q);
    CU_ASSERT_EQUAL(queue_push(&q, &item[1], true, 600), QUEUE_CLOSED);
    CU_ASSERT_PTR_EQUAL(queue_pop(&q), &item[0]);
    CU_ASSERT_PTR_NULL(queue_pop(&q));
    queue_destroy(&q);
}

static void *drain(void *ctx)
{
    uintptr_t n = 0;
    while (queue_pop(ctx) != NULL) {
        n++;
    }
    return (void *)n;
}

static void threads_take_each_item_once(void)
{
    enum { ITEMS = 5000 };
    struct queue q;
    struct queue_item *item = calloc(ITEMS, sizeof *item);
    pthread_t thread[3];
    uintptr_t sum = 0;
    CU_ASSERT_EQUAL_FATAL(queue_init(&q, ITEMS), 0);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&thread[i], NULL, drain, &q), 0);
    }
    for (int i = 0; i < ITEMS; i++) {
        CU_ASSERT_EQUAL(queue_push(&q, &item[i], false, i), QUEUE_TAKEN);
    }
    queue_close(&q);
    for (int i = 0; i < 3; i++) {
        void *n;
        pthread_join(thread[i], &n);
        sum += (uintptr_t)n;
    }
    CU_ASSERT_EQUAL(sum, ITEMS);
    queue_destroy(&q);
    free(item);
}

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void mailbox_keeps_order_and_wakes_once(void)
{
    struct mailbox b;
    struct mail m[3];
    CU_ASSERT_EQUAL_FATAL(mailbox_init(&b), 0);
    CU_ASSERT_FALSE(readable(b.fd));
    CU_ASSERT_PTR_NULL(mailbox_take(&b));
    for (int i = 0; i < 3; i++) {
        mailbox_post(&b, &m[i]);
    }
    CU_ASSERT_TRUE(readable(b.fd));
    struct mail *first = mailbox_take(&b);
    CU_ASSERT_PTR_EQUAL(first, &m[0]);
    CU_ASSERT_PTR_EQUAL(first->next, &m[1]);
    CU_ASSERT_PTR_EQUAL(first->next->next, &m[2]);
    CU_ASSERT_PTR_NULL(first->next->next->next);
    CU_ASSERT_FALSE(readable(b.fd));
    mailbox_post(&b, &m[0]);
    CU_ASSERT_TRUE(readable(b.fd));
    mailbox_take(&b);
    mailbox_destroy(&b);
}

/* ---- bodies ---------------------------------------------------------------------------------------------------- */

static void body_holds_its_octets_in_order(void)
{
    static const size_t sizes[] = {1,           CHUNK_SMALL - 1, CHUNK_SMALL, CHUNK_SMALL + 1,
                                   CHUNK_LARGE, CHUNK_LARGE + 1, 300001};
    struct chunk_pool pool = {0};
    struct memory m = {.ceiling = 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *text = malloc(sizes[i]);
        struct body b = {0};
        size_t at = 0;
        for (size_t k = 0; k < sizes[i]; k++) {
            text[k] = (char)(k * 31 >> 3);
        }
        for (size_t k = 0; k < sizes[i]; k += 977) {
            size_t n = sizes[i] - k < 977 ? sizes[i] - k : 977;
            CU_ASSERT_EQUAL_FATAL(body_append(&b, &pool, &m, text + k, n), 0);
        }
        CU_ASSERT_EQUAL(b.octets, sizes[i]);
        struct wssec_slice *s = calloc(b.n_chunk, sizeof *s);
        CU_ASSERT_EQUAL(body_slices(&b, s), b.n_chunk);
        for (size_t k = 0; k < b.n_chunk; k++) {
            CU_ASSERT_EQUAL(memcmp(s[k].p, text + at, s[k].n), 0);
            at += s[k].n;
        }
        CU_ASSERT_EQUAL(at, sizes[i]);
        CU_ASSERT_TRUE(atomic_load(&m.reserved) >= sizes[i]);
        body_clear(&b, &pool, &m);
        CU_ASSERT_EQUAL(atomic_load(&m.reserved), 0);
        free(s);
        free(text);
    }
    chunk_pool_clear(&pool);
}

static void small_messages_take_small_chunks(void)
{
    struct chunk_pool pool = {0};
    struct memory m = {.ceiling = 1 << 20};
    struct body b = {0};
    CU_ASSERT_EQUAL(body_append(&b, &pool, &m, "abc", 3), 0);
    CU_ASSERT_EQUAL(atomic_load(&m.reserved), CHUNK_SMALL);
    body_clear(&b, &pool, &m);
    CU_ASSERT_EQUAL(body_reserve(&b, &m, CHUNK_SMALL + 1), 0);
    CU_ASSERT_EQUAL(body_append(&b, &pool, &m, "abc", 3), 0);
    CU_ASSERT_EQUAL(atomic_load(&m.reserved), CHUNK_LARGE);
    body_clear(&b, &pool, &m);
    CU_ASSERT_EQUAL(pool.n_small, 1);
    CU_ASSERT_EQUAL(pool.n_large, 1);
    chunk_pool_clear(&pool);
}

static void ceiling_refuses_and_gives_back(void)
{
    struct chunk_pool pool = {0};
    struct memory m = {.ceiling = 100000};
    struct body a = {0};
    struct body b = {0};
    char *big = calloc(1, 100000);
    CU_ASSERT_EQUAL(body_reserve(&a, &m, 100001), -1);
    CU_ASSERT_EQUAL(body_reserve(&a, &m, UINT64_MAX), -1);
    CU_ASSERT_EQUAL(atomic_load(&m.reserved), 0);
    CU_ASSERT_EQUAL(body_reserve(&a, &m, 60000), 0);
    CU_ASSERT_EQUAL(body_reserve(&b, &m, 40001), -1);
    CU_ASSERT_EQUAL(body_reserve(&b, &m, 40000), 0);
    CU_ASSERT_EQUAL(atomic_load(&m.reserved), 100000);
    body_clear(&b, &pool, &m);
    CU_ASSERT_EQUAL(body_append(&a, &pool, &m, big, 65536), 0);
    CU_ASSERT_EQUAL(body_append(&a, &pool, &m, big, 65536), -1);
    body_move(&b, &a);
    CU_ASSERT_PTR_NULL(a.first);
    body_clear(&a, &pool, &m);
    body_clear(&b, &pool, &m);
    CU_ASSERT_EQUAL(atomic_load(&m.reserved), 0);
    chunk_pool_clear(&pool);
    free(big);
}

const struct harness_test harness_tests[] = {
    {"first in first out, at most the limit, replies beyond it, waiting measured", order_limit_and_wait},
    {"threads take each item once and end when it is closed", threads_take_each_item_once},
    {"a mailbox keeps the order and is silent when empty", mailbox_keeps_order_and_wakes_once},
    {"a body holds its octets in order, however they came", body_holds_its_octets_in_order},
    {"a small message takes a small chunk, an announced one a large one", small_messages_take_small_chunks},
    {"the ceiling refuses, and what is given back can be used", ceiling_refuses_and_gives_back},
    {NULL, NULL},
};
