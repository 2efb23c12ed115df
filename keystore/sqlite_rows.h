/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_rows.h: the SQLite driver's functions by noun; their contract stands in store.h. */
#ifndef KS_SQLITE_ROWS_H
#define KS_SQLITE_ROWS_H

#include "keystore/sqlite.h"

/* sqlite_entry.c */
int ks_sqlite_rows(struct ks_backend *b, const struct ks_row_filter *f, ks_visit_row *visit, void *ctx, cs_error *e);
int ks_sqlite_acceptable(struct ks_backend *b, const char *partner, enum ks_capability c, cs_time at,
                         uint64_t known_seq, ks_visit_row *visit, void *ctx, cs_error *e);
int ks_sqlite_slot_get(struct ks_backend *b, const char *alias, struct ks_slot *out, cs_error *e);
int ks_sqlite_slot_add(struct ks_backend *b, struct ks_slot *slot, uint64_t version, cs_error *e);
int ks_sqlite_nearest(struct ks_backend *b, const char *kind, const char *name, char out[KS_WORD], cs_error *e);
int ks_sqlite_last_n(struct ks_backend *b, int64_t slot_id, unsigned *n, cs_error *e);
int ks_sqlite_row_add(struct ks_backend *b, struct ks_row *row, cs_error *e);
int ks_sqlite_row_update(struct ks_backend *b, const struct ks_row *row, cs_error *e);
int ks_sqlite_interval_add(struct ks_backend *b, const struct ks_interval *i, cs_error *e);
int ks_sqlite_interval_end(struct ks_backend *b, const struct ks_interval *i, cs_error *e);
int ks_sqlite_intervals(struct ks_backend *b, int64_t entry_id, uint64_t version_above, ks_visit_interval *visit,
                        void *ctx, cs_error *e);

/* visits what a query gives: entry_id, capability, from_ts, to_ts, cause_seq, end_seq; the query is done then */
int ks_sqlite_intervals_visit(struct ks_query *q, ks_visit_interval *visit, void *ctx, cs_error *e);

/* sqlite_life.c */
int ks_sqlite_trash_set(struct ks_backend *b, const struct ks_trash_row *row, cs_error *e);
int ks_sqlite_trash_remove(struct ks_backend *b, int64_t entry_id, cs_error *e);
int ks_sqlite_trash(struct ks_backend *b, int64_t slot_id, ks_visit_trash *visit, void *ctx, cs_error *e);
int ks_sqlite_canary_set(struct ks_backend *b, const struct ks_canary_row *row, cs_error *e);
int ks_sqlite_canary_remove(struct ks_backend *b, int64_t entry_id, cs_error *e);
int ks_sqlite_canaries(struct ks_backend *b, int64_t slot_id, ks_visit_canary *visit, void *ctx, cs_error *e);
int ks_sqlite_schedule_set(struct ks_backend *b, const struct ks_schedule_row *row, cs_error *e);
int ks_sqlite_schedule_remove(struct ks_backend *b, int64_t entry_id, const char *verb, cs_error *e);
int ks_sqlite_schedules(struct ks_backend *b, int64_t slot_id, ks_visit_schedule *visit, void *ctx, cs_error *e);
int ks_sqlite_open_message_set(struct ks_backend *b, const struct ks_open_row *row, cs_error *e);
int ks_sqlite_open_messages(struct ks_backend *b, int64_t slot_id, ks_visit_open *visit, void *ctx, cs_error *e);
int ks_sqlite_intervals_known(struct ks_backend *b, int64_t entry_id, uint64_t known_seq, ks_visit_interval *visit,
                              void *ctx, cs_error *e);
int ks_sqlite_alias_used(struct ks_backend *b, const char *alias, bool *used, cs_error *e);
int ks_sqlite_rollover_open(struct ks_backend *b, int64_t slot_id, int64_t *roll_id, cs_error *e);

/* sqlite_dump.c */
int ks_sqlite_dump(struct ks_backend *b, ks_visit_dump *visit, void *ctx, cs_error *e);
int ks_sqlite_load_begin(struct ks_backend *b, cs_error *e);
int ks_sqlite_load(struct ks_backend *b, const char *table, const char *const *column, const struct ks_value *value,
                   size_t n, cs_error *e);
int ks_sqlite_load_end(struct ks_backend *b, cs_error *e);

/* sqlite_key.c */
int ks_sqlite_key_add(struct ks_backend *b, const struct ks_key_row *k, cs_error *e);
int ks_sqlite_key_get(struct ks_backend *b, const char *key_id, struct ks_key_row *out, uint8_t **ct, cs_error *e);
int ks_sqlite_key_destroy(struct ks_backend *b, const char *key_id, cs_time now, cs_error *e);
int ks_sqlite_keys(struct ks_backend *b, ks_visit_key *visit, void *ctx, cs_error *e);
int ks_sqlite_key_reseal(struct ks_backend *b, const struct ks_key_row *k, cs_error *e);
int ks_sqlite_node_keys_set(struct ks_backend *b, const char *node, const char *names, cs_time now, cs_error *e);
int ks_sqlite_node_keys(struct ks_backend *b, ks_visit_node_keys *visit, void *ctx, cs_error *e);

/* sqlite_crl.c */
int ks_sqlite_crl_add(struct ks_backend *b, const struct ks_crl_row *row, const uint8_t *der, size_t n, cs_error *e);
int ks_sqlite_crl_remove(struct ks_backend *b, const uint8_t sha256[32], cs_error *e);
int ks_sqlite_crls(struct ks_backend *b, ks_visit_crl *visit, void *ctx, cs_error *e);
int ks_sqlite_crl_get(struct ks_backend *b, const uint8_t sha256[32], uint8_t **der, size_t *n, cs_error *e);

/* sqlite_mapping.c */
int ks_sqlite_mapping_add(struct ks_backend *b, struct ks_mapping_row *row, cs_error *e);
int ks_sqlite_mapping_end(struct ks_backend *b, int64_t map_id, cs_time to, cs_error *e);
int ks_sqlite_mappings(struct ks_backend *b, ks_visit_mapping *visit, void *ctx, cs_error *e);

/* sqlite_request.c */
int ks_sqlite_request_add(struct ks_backend *b, const struct ks_request_row *row, cs_error *e);
int ks_sqlite_request_remove(struct ks_backend *b, int64_t slot_id, cs_error *e);
int ks_sqlite_requests(struct ks_backend *b, int64_t slot_id, ks_visit_request *visit, void *ctx, cs_error *e);

/* sqlite_renewal.c */
int ks_sqlite_auto_set(struct ks_backend *b, const struct ks_auto_row *row, uint64_t version, cs_error *e);
int ks_sqlite_autos(struct ks_backend *b, const char *alias, ks_visit_auto *visit, void *ctx, cs_error *e);
int ks_sqlite_renewal_get(struct ks_backend *b, int64_t predecessor, struct ks_renewal_row *out, cs_error *e);
int ks_sqlite_renewal_set(struct ks_backend *b, const struct ks_renewal_row *row, cs_error *e);

/* sqlite_hold.c */
int ks_sqlite_hold_add(struct ks_backend *b, const ks_hold_info *row, cs_error *e);
int ks_sqlite_hold_remove(struct ks_backend *b, const char *route, cs_error *e);
int ks_sqlite_holds(struct ks_backend *b, ks_visit_hold *visit, void *ctx, cs_error *e);

/* sqlite_approval.c */
int ks_sqlite_approval_add(struct ks_backend *b, ks_proposal *a, const char *plan, cs_error *e);
int ks_sqlite_approval_update(struct ks_backend *b, const ks_proposal *a, cs_error *e);
int ks_sqlite_approvals(struct ks_backend *b, int64_t id, const uint8_t *plan_hash, ks_visit_proposal *visit, void *ctx,
                        cs_error *e);
/* sqlite_node.c */
int ks_sqlite_node_uses(struct ks_backend *b, const char *node, const ks_node_use *use, size_t n, cs_error *e);
int ks_sqlite_lease_get(struct ks_backend *b, const char *name, ks_lease *out, cs_error *e);
int ks_sqlite_lease_set(struct ks_backend *b, const char *name, const ks_lease *row, cs_error *e);
int ks_sqlite_node_uses_each(struct ks_backend *b, ks_visit_node_use *visit, void *ctx, cs_error *e);
int ks_sqlite_node_set(struct ks_backend *b, const struct ks_node_row *row, cs_error *e);
int ks_sqlite_node_forget(struct ks_backend *b, const char *node, cs_error *e);
int ks_sqlite_nodes(struct ks_backend *b, ks_visit_node *visit, void *ctx, cs_error *e);

/* sqlite_seen.c */
int ks_sqlite_seen_add(struct ks_backend *b, const struct ks_seen_row *row, unsigned most, cs_error *e);
int ks_sqlite_seen(struct ks_backend *b, const char *partner, ks_visit_seen *visit, void *ctx, cs_error *e);
int ks_sqlite_observe(struct ks_backend *b, const char *node, const char *kind, const char *object, uint64_t n,
                      cs_time at, cs_error *e);

/* sqlite_use.c */
int ks_sqlite_use_add(struct ks_backend *b, const char *node, const struct ks_count *c, cs_error *e);
int ks_sqlite_uses(struct ks_backend *b, int64_t entry_id, int64_t from_day, ks_visit_use *visit, void *ctx,
                   cs_error *e);
int ks_sqlite_use_prune(struct ks_backend *b, cs_time now, cs_error *e);

#endif
