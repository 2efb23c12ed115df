/* SPDX-License-Identifier: Apache-2.0 */
/* gauge.c: numbers that nodes report for roll-overs; see probe.h. */
#include "keystore/rollover_store.h"

int ks_gauges_put(ks_store *s, const char *node, const ks_gauge *g, size_t n, cs_time now, cs_error *e)
{
    int rc = s->driver->begin(s->b, KS_UPKEEP, e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = s->driver->rollovers->gauge_set(s->b, node, g[i].kind, g[i].object, g[i].n, now, e);
    }
    rc = rc == 0 ? s->driver->commit(s->b, e) : rc;
    s->driver->rollback(s->b);
    return rc;
}

static int count_open(void *ctx, const struct ks_roll_row *row, cs_error *e)
{
    (void)row;
    (void)e;
    *(bool *)ctx = true;
    return 0;
}

int ks_gauges_wanted(ks_store *s, bool *wanted, cs_error *e)
{
    *wanted = false;
    return s->driver->rollovers->each(s->b, 0, true, count_open, wanted, e);
}
