/* SPDX-License-Identifier: Apache-2.0 */
/* rollover_store.h: the part of a driver that keeps roll-overs, their steps and links, and what nodes report for them:
 * probes and gauges. Calls as in store.h. */
#ifndef KS_ROLLOVER_STORE_H
#define KS_ROLLOVER_STORE_H

#include "keystore/probe.h"
#include "keystore/store.h"

#define KS_ROLL_SETTINGS 128
#define KS_STEP_NUMBER   (8 + KS_WORD) /* "4a", or of one sender "4a/acme" */

struct ks_roll_row {
    int64_t roll_id, slot_id;
    char alias[KS_WORD], partner[KS_WORD]; /**< when read */
    enum ks_role role;                     /**< when read */
    char runbook[KS_WORD];
    const char *text; /**< of the runbook; borrowed */
    uint8_t hash[32];
    char state[16];               /**< "open", "done", "aborted" */
    int64_t old_entry, new_entry; /**< 0: none (yet) */
    cs_time window_from, window_to, started_at, ended_at;
    char actor[64];
    char settings[KS_ROLL_SETTINGS];
};

/** A step that something is known of. */
struct ks_step_row {
    int64_t roll_id;
    char n[KS_STEP_NUMBER];
    char state[16];
    char said[128]; /**< roles that confirmed it, blanks between */
    char done_by[64];
    cs_time done_at, told_at;
    const char *evidence; /**< a sentence; borrowed; NULL: none */
};

/** A link by which somebody outside closes a step. */
struct ks_link_row {
    uint8_t token_hash[32];
    int64_t roll_id;
    char n[KS_STEP_NUMBER], role[32];
    cs_time expires, used_at;
};

typedef int ks_visit_roll(void *ctx, const struct ks_roll_row *row, cs_error *e);
typedef int ks_visit_step(void *ctx, const struct ks_step_row *row, cs_error *e);
/** A number that a node reported last. */
typedef int ks_visit_gauge(void *ctx, const char *node, const char *object, int64_t n, cs_time at, cs_error *e);

struct ks_rollover_driver {
    int (*add)(struct ks_backend *b, struct ks_roll_row *row, cs_error *e); /**< fills roll_id */
    /** State, entries, span, end, settings. */
    int (*update)(struct ks_backend *b, const struct ks_roll_row *row, cs_error *e);
    /** By number; roll_id 0: all; open: only those under way. */
    int (*each)(struct ks_backend *b, int64_t roll_id, bool open, ks_visit_roll *visit, void *ctx, cs_error *e);
    int (*step_set)(struct ks_backend *b, const struct ks_step_row *row, cs_error *e);
    int (*steps)(struct ks_backend *b, int64_t roll_id, ks_visit_step *visit, void *ctx, cs_error *e);
    /** Mails about "R-17/3": queued in all, and gone out. */
    int (*mails)(struct ks_backend *b, const char *about, size_t *told, size_t *sent, cs_error *e);
    int (*link_add)(struct ks_backend *b, const struct ks_link_row *row, cs_error *e);
    /** @return 1 found, 0 none, -1 */
    int (*link_get)(struct ks_backend *b, const uint8_t token_hash[32], struct ks_link_row *out, cs_error *e);
    int (*link_use)(struct ks_backend *b, const uint8_t token_hash[32], cs_time now, cs_error *e);
    int (*probe_put)(struct ks_backend *b, int64_t entry_id, const ks_probe_result *r, cs_error *e);
    /** entry_id 0: of all entries of the slot. */
    int (*probes)(struct ks_backend *b, int64_t slot_id, int64_t entry_id, ks_visit_probe *visit, void *ctx,
                  cs_error *e);
    int (*probe_ask)(struct ks_backend *b, int64_t entry_id, cs_time at, cs_error *e);
    int (*probe_asks)(struct ks_backend *b, cs_time since, ks_visit_asked *visit, void *ctx, cs_error *e);
    /** A number of a node, in the place of the one before. */
    int (*gauge_set)(struct ks_backend *b, const char *node, const char *kind, const char *object, int64_t n,
                     cs_time at, cs_error *e);
    int (*gauges)(struct ks_backend *b, const char *kind, ks_visit_gauge *visit, void *ctx, cs_error *e);
};

extern const struct ks_rollover_driver ks_sqlite_rollovers;
extern const struct ks_rollover_driver ks_mem_rollovers;

#endif
