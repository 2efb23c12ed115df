/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shed.h: refusal under overload, by waiting time and not by length: when for a whole interval nothing left the queue
 * that had waited less than the target, new requests are refused before their body is read, until something has.
 */
#ifndef GW_SHED_H
#define GW_SHED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** Zeroed: nothing was observed. */
struct shed {
    _Atomic int64_t above_since_us; /**< since when every wait was too long; 0: it is not */
};

struct shed_limits {
    int64_t wait_ms;     /**< 0: never shed */
    int64_t interval_ms; /**< so long in a row */
};

/** An item has left the queue after wait_us. Any thread. */
void shed_observe(struct shed *s, const struct shed_limits *l, int64_t wait_us, int64_t now_us);
/** Is a new request to be refused? oldest_us: since when the first item waits, 0: none does. Any thread. */
bool shed_now(struct shed *s, const struct shed_limits *l, int64_t oldest_us, int64_t now_us);

#endif
