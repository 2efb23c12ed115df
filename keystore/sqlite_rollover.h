/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_rollover.h: the half of the roll-over rows that nodes write; contract in rollover_store.h. */
#ifndef KS_SQLITE_ROLLOVER_H
#define KS_SQLITE_ROLLOVER_H

#include "keystore/rollover_store.h"

int ks_sqlite_probe_put(struct ks_backend *b, int64_t entry_id, const ks_probe_result *r, cs_error *e);
int ks_sqlite_probes(struct ks_backend *b, int64_t slot_id, int64_t entry_id, ks_visit_probe *visit, void *ctx,
                     cs_error *e);
int ks_sqlite_probe_ask(struct ks_backend *b, int64_t entry_id, cs_time at, cs_error *e);
int ks_sqlite_probe_asks(struct ks_backend *b, cs_time since, ks_visit_asked *visit, void *ctx, cs_error *e);
int ks_sqlite_gauge_set(struct ks_backend *b, const char *node, const char *kind, const char *object, int64_t n,
                        cs_time at, cs_error *e);
int ks_sqlite_gauges(struct ks_backend *b, const char *kind, ks_visit_gauge *visit, void *ctx, cs_error *e);

#endif
