/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c: wall clock and monotonic clock of the system; nothing else in the product asks it. */
#include "base/clock.h"

#include <time.h>

/* Both clocks exist on every Linux; clock_gettime() fails only for an unknown clock or a bad address. */
static int64_t read_us(clockid_t id)
{
    struct timespec ts = {0};
    if (clock_gettime(id, &ts) != 0) {
        return 0;
    }
    return (int64_t)ts.tv_sec * 1000000 + (int64_t)ts.tv_nsec / 1000;
}

cs_time cs_clock_now(void)
{
    return read_us(CLOCK_REALTIME) / 1000000;
}

int64_t cs_clock_now_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

int64_t cs_clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}
