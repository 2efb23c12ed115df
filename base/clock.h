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

#define CS_BOOT 40 /* octets of the name of a boot, with its NUL */

/** How long this boot of the machine lasts, sleep included, by the clock that nobody can set. */
typedef struct cs_uptime {
    char boot[CS_BOOT]; /**< name of the boot; two values are comparable where it is the same. Where the system names
                           none: of this process */
    int64_t s;
} cs_uptime;

/** Any thread. The name is read once: call it before the process confines itself. */
void cs_clock_uptime(cs_uptime *out);

#endif
