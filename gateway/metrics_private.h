/* SPDX-License-Identifier: Apache-2.0 */
/* metrics_private.h: what the files that write metrics share. */
#ifndef GW_METRICS_PRIVATE_H
#define GW_METRICS_PRIVATE_H

#include "base/time.h"
#include "gateway/metrics.h"
#include "gateway/runtime.h"
#include "keystore/keystore.h"

struct metrics {
    struct gateway *gateway;
    char (*partner)[KS_WORD]; /* labels given out */
    unsigned n_partner, partner_max;
    ks_list list; /* entries as read last */
    ks_node_list nodes;
    uint64_t list_generation;
    cs_time list_at;
};

/** HELP and TYPE of a family; its samples must follow. */
void prom_family(cs_buf *out, const char *name, const char *type, const char *help);
/** One label behind NAME{; the value is escaped. */
void prom_label(cs_buf *out, const char *key, const char *value);
/** The end of a sample with labels. */
void prom_value(cs_buf *out, double value);
/** A family of one sample without labels. */
void prom_one(cs_buf *out, const char *name, const char *type, const char *help, double value);

/** The label of a partner: its name, or "other". */
const char *metrics_partner(struct metrics *m, const char *partner);
/** What the process does now. */
void metrics_process(struct metrics *m, const struct runtime *rt, cs_buf *out);
/** TLS on both sides. */
void metrics_tls(struct metrics *m, cs_buf *out);
/** Certificates: when they end, when they were used last. */
void metrics_keystore(struct metrics *m, const struct runtime *rt, cs_buf *out);

#endif
