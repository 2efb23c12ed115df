/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.h: what happened, by partner, reason and entry: each loop counts for itself under a lock that only a scrape
 * contends for; a scrape adds the loops up and writes Prometheus text.
 */
#ifndef GW_METRICS_H
#define GW_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

struct exchange;
struct gateway;
struct meter;

/** Counters of one loop. @return owned by the caller (meter_free), NULL: no memory */
struct meter *meter_new(void);
void meter_free(struct meter *m);
/** Count an exchange that is over. Thread of its loop. */
void meter_exchange(struct meter *m, const struct exchange *ex);

/** What a scraper keeps between scrapes: labels of partners in use, and what the keystore said last. One thread. */
struct metrics;
struct metrics *metrics_new(struct gateway *gw);
void metrics_free(struct metrics *m);
/** All metrics as Prometheus text 0.0.4. The loops run. Reads the keystore at most every 10 s. */
void metrics_write(struct metrics *m, cs_buf *out);

#endif
