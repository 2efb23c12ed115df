/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accesslog_merge.h: what is told of requests whose lines find no room: how many there were per address and reason. A
 * table of fixed size, so a flood from many addresses costs no memory.
 */
#ifndef GW_ACCESSLOG_MERGE_H
#define GW_ACCESSLOG_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/limit.h"

#define MERGE_ROWS 64

/** By what lines are merged. */
struct accesslog_key {
    const char *address; /**< as limit_address() writes it */
    const char *reason;  /**< static: a code of the table of reasons */
    int64_t at_ms;       /**< wall clock, of the request */
};

struct merge_row {
    char address[LIMIT_ADDRESS];
    const char *reason;
    uint64_t n;
    int64_t first_ms, last_ms;
};

/** Zeroed: empty. */
struct merge {
    struct merge_row row[MERGE_ROWS];
    unsigned n;
    int64_t since_ms; /**< the first of all, while n > 0 */
};

/** One more of key. @return false: every row belongs to somebody else */
bool merge_add(struct merge *m, const struct accesslog_key *key);
/** Is it time to tell? At the latest when a request of now comes a second behind the first one that was merged. */
bool merge_due(const struct merge *m, int64_t now_ms);
/** The line of a row, without newline. @return owned by the caller, NULL: no memory */
char *merge_line(const struct merge_row *row);

#endif
