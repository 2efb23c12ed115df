/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h: the only place that reads clocks. Decisions take an instant as parameter; only cli/ and loops call this. */
#ifndef CS_BASE_CLOCK_H
#define CS_BASE_CLOCK_H

#include "base/time.h"

/** Wall clock in UTC seconds. Any thread. */
cs_time cs_clock_now(void);
/** Wall clock in UTC milliseconds (access log). Any thread. */
int64_t cs_clock_now_ms(void);
/** Monotonic clock in microseconds (durations, timers). Any thread. */
int64_t cs_clock_mono_us(void);

#endif
