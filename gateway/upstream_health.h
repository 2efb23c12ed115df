/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream_health.h: is a receiver fit to be chosen? Two witnesses: exchanges (so many failures in a row eject it for a
 * while, longer each time; then one exchange tries) and, where configured, an active check. Any thread, no lock.
 */
#ifndef GW_UPSTREAM_HEALTH_H
#define GW_UPSTREAM_HEALTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** Zeroed: healthy. Times are monotonic microseconds. */
struct health {
    _Atomic unsigned failures;       /**< in a row */
    _Atomic unsigned ejections;      /**< since the last success */
    _Atomic int64_t ejected_until;   /**< 0: not ejected */
    _Atomic unsigned check_failures; /**< in a row */
    _Atomic bool down;               /**< the active check says so */
};

enum health_state {
    HEALTH_UP,
    HEALTH_TRY, /**< its time is over: health_try() lets one exchange in */
    HEALTH_OUT
};

#define HEALTH_BACKOFF_FIRST_US INT64_C(1000000)
#define HEALTH_BACKOFF_MOST_US  INT64_C(60000000)
/* Checks that fail in a row until the receiver counts as down: one lost packet is none. */
#define HEALTH_CHECKS 2

enum health_state health_state(const struct health *h, int64_t now_us);
/** Claim the one try. @return false: another one has it */
bool health_try(struct health *h, int64_t now_us);
/** An exchange failed: not reached, closed or silent without a whole reply. tried: it had the one try, so the time
 *  doubles. Else eject_after failures in a row eject (0: never); those of exchanges that began before say nothing new.
 *  @return true: ejected by this one */
bool health_failed(struct health *h, bool tried, unsigned eject_after, int64_t now_us);
/** A final status was received, whatever it says. @return true: it had been ejected */
bool health_good(struct health *h);
/** The active check's word. @return true: down or up since now */
bool health_checked(struct health *h, bool good);
/** Time until an ejected one is tried, 0: it is not ejected. */
int64_t health_wait_us(const struct health *h, int64_t now_us);

#endif
