/* SPDX-License-Identifier: Apache-2.0 */
/* meter.h: series of counters and histograms by label values, for metrics.c and metrics_text.c. */
#ifndef GW_METER_H
#define GW_METER_H

#include <pthread.h>

#include "base/time.h"
#include "gateway/metrics.h"
#include "keystore/keystore.h"

enum series_kind {
    SERIES_MESSAGES,            /**< a partner, b reason; direction, verdict */
    SERIES_CERTIFICATE,         /**< a partner, b entry */
    SERIES_CERTIFICATE_REFUSED, /**< a partner, b entry; reason */
    SERIES_HTTP_REFUSED,        /**< a reason */
    SERIES_FALLBACK,            /**< a reason */
    SERIES_CLIENT_TIME,         /**< histogram, seconds */
    SERIES_UPSTREAM_TIME,       /**< a upstream; histogram, seconds */
    SERIES_WORK_TIME,           /**< histogram, seconds */
    SERIES_QUEUE_TIME,          /**< histogram, seconds */
    SERIES_SIZE,                /**< histogram, octets; direction */
    SERIES_KINDS
};

#define BOUNDS_MAX 12
struct bounds {
    unsigned n;
    double bound[BOUNDS_MAX];
};
/** Upper bounds of a kind; n 0: it is a counter. */
const struct bounds *series_bounds(enum series_kind kind);

struct series {
    struct series *next; /**< of the bucket */
    enum series_kind kind;
    bool response;
    uint8_t verdict;
    uint16_t reason;
    char a[128], b[KS_WORD + 12];
    uint64_t count;
    double sum;
    uint64_t bucket[BOUNDS_MAX]; /**< not cumulative; above the last bound: only in count */
};

#define METER_BUCKETS 256
#define METER_SERIES  8192 /* what comes beyond is counted in a series with the labels "other" */

struct meter {
    pthread_mutex_t lock;
    struct series *bucket[METER_BUCKETS];
    unsigned n;
};

/** The series with these labels, made when it is not there; the lock is held. @return NULL: no memory */
struct series *meter_series(struct meter *m, const struct series *like);
/** Add what from has counted to m, partner labels as map says. from is locked here. */
void meter_merge(struct meter *m, struct meter *from, const char *(*map)(void *ctx, const char *partner), void *ctx);

#endif
