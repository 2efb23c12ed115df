/* SPDX-License-Identifier: Apache-2.0 */
/* gauge.h: what a roll-over must know of this node, told to the keystore: what is under way and waits on held routes,
 * and connections that are older than a certificate. */
#ifndef GW_GAUGE_H
#define GW_GAUGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gateway;

struct gauges {
    bool wanted;     /**< a roll-over is under way, as far as was seen last */
    int64_t told_us; /**< when the numbers went out last */
    uint64_t told;   /**< what they were */
    struct ks_gauge *row;
    size_t cap;
};

/** Tell the numbers where they changed, where the keystore did, and now and then. Watch thread, behind the publication
 * of a new generation and before it is acknowledged. */
void gauges_report(struct gateway *gw, struct gauges *g, bool changed);
void gauges_free(struct gauges *g);

#endif
