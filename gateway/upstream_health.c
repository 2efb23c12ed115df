/* SPDX-License-Identifier: Apache-2.0 */
/* upstream_health.c: see upstream_health.h. */
#include "gateway/upstream_health.h"

static int64_t backoff_us(unsigned ejections)
{
    int64_t wait = HEALTH_BACKOFF_FIRST_US;
    while (ejections-- > 0 && wait < HEALTH_BACKOFF_MOST_US) {
        wait *= 2;
    }
    return wait < HEALTH_BACKOFF_MOST_US ? wait : HEALTH_BACKOFF_MOST_US;
}

enum health_state health_state(const struct health *h, int64_t now_us)
{
    if (atomic_load_explicit(&h->down, memory_order_relaxed)) {
        return HEALTH_OUT;
    }
    int64_t until = atomic_load_explicit(&h->ejected_until, memory_order_relaxed);
    return until == 0 ? HEALTH_UP : now_us >= until ? HEALTH_TRY : HEALTH_OUT;
}

bool health_try(struct health *h, int64_t now_us)
{
    int64_t until = atomic_load(&h->ejected_until);
    /* Who does not come back with an answer leaves the next try to another one after the same time. */
    return until != 0 && now_us >= until &&
           atomic_compare_exchange_strong(&h->ejected_until, &until,
                                          now_us + backoff_us(atomic_load(&h->ejections) - 1));
}

bool health_failed(struct health *h, bool tried, unsigned eject_after, int64_t now_us)
{
    if (tried) {
        atomic_store(&h->ejected_until, now_us + backoff_us(atomic_fetch_add(&h->ejections, 1)));
        return true;
    }
    unsigned failures = atomic_fetch_add(&h->failures, 1) + 1;
    int64_t not_ejected = 0;
    if (eject_after == 0 || failures < eject_after ||
        !atomic_compare_exchange_strong(&h->ejected_until, &not_ejected, now_us + backoff_us(0))) {
        return false;
    }
    atomic_store(&h->ejections, 1);
    return true;
}

bool health_good(struct health *h)
{
    if (atomic_load_explicit(&h->failures, memory_order_relaxed) != 0) {
        atomic_store(&h->failures, 0);
    }
    if (atomic_load_explicit(&h->ejected_until, memory_order_relaxed) == 0) {
        return false;
    }
    atomic_store(&h->ejections, 0);
    return atomic_exchange(&h->ejected_until, 0) != 0;
}

bool health_checked(struct health *h, bool good)
{
    if (good) {
        atomic_store(&h->check_failures, 0);
        return atomic_exchange(&h->down, false);
    }
    unsigned failures = atomic_fetch_add(&h->check_failures, 1) + 1;
    return failures >= HEALTH_CHECKS && !atomic_exchange(&h->down, true);
}

int64_t health_wait_us(const struct health *h, int64_t now_us)
{
    int64_t until = atomic_load_explicit(&h->ejected_until, memory_order_relaxed);
    return until > now_us ? until - now_us : 0;
}
