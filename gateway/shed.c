/* SPDX-License-Identifier: Apache-2.0 */
/* shed.c: see shed.h. */
#include "gateway/shed.h"

void shed_observe(struct shed *s, const struct shed_limits *l, int64_t wait_us, int64_t now_us)
{
    if (wait_us <= l->wait_ms * 1000) {
        atomic_store_explicit(&s->above_since_us, 0, memory_order_relaxed);
        return;
    }
    int64_t never = 0;
    (void)atomic_compare_exchange_strong(&s->above_since_us, &never, now_us);
}

bool shed_now(struct shed *s, const struct shed_limits *l, int64_t oldest_us, int64_t now_us)
{
    if (l->wait_ms == 0 || oldest_us == 0) {
        return false;
    }
    if (now_us - oldest_us > l->wait_ms * 1000) {
        /* Workers that are stuck take nothing out: what waits is an observation, too. */
        shed_observe(s, l, now_us - oldest_us, now_us);
    }
    int64_t since = atomic_load_explicit(&s->above_since_us, memory_order_relaxed);
    return since != 0 && now_us - since >= l->interval_ms * 1000;
}
