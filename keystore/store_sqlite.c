/* SPDX-License-Identifier: Apache-2.0 */
/* store_sqlite.c: the SQLite driver: meta data, generations, audit rows, partners, nodes, use; and the table of all. */
#include <string.h>

#include "keystore/notice_store.h"
#include "keystore/rollover_store.h"
#include "keystore/sqlite_rows.h"
#include "keystore/talk.h"

static int one_number(struct ks_query *q, uint64_t *out, cs_error *e)
{
    int rc = ks_query_row(q, e);
    *out = rc == 1 ? (uint64_t)sqlite3_column_int64(q->stmt, 0) : 0;
    ks_query_done(q);
    return rc < 0 ? -1 : 0;
}

static int meta_get(struct ks_backend *b, const char *key, char *out, size_t size, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select value from meta where key=?1");
    ks_query_text(&q, key);
    int rc = ks_query_row(&q, e);
    if (rc == 1 && ks_column_text(&q, 0, out, size) != 0) {
        rc = cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "keystore %s is damaged: meta %s", b->path, key);
    }
    ks_query_done(&q);
    return rc;
}

static int meta_set(struct ks_backend *b, const char *key, const char *value, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "insert into meta(key, value) values(?1,?2) on conflict(key) do update set value=excluded.value");
    ks_query_text(&q, key);
    ks_query_text(&q, value);
    return ks_query_run(&q, e);
}

static int generation(struct ks_backend *b, uint64_t *gen, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select max(gen) from generation");
    return one_number(&q, gen, e);
}

static int generation_add(struct ks_backend *b, uint64_t gen, cs_time at, const char *kind, const char *actor,
                          const char *reason, uint64_t audit_seq, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "insert into generation(gen, at, kind, actor, reason, audit_seq) values(?1,?2,?3,?4,?5,?6)");
    ks_query_int(&q, (int64_t)gen);
    ks_query_int(&q, at);
    ks_query_text(&q, kind);
    ks_query_text(&q, actor);
    ks_query_text(&q, reason);
    ks_query_int(&q, (int64_t)audit_seq);
    return ks_query_run(&q, e);
}

static int generation_at(struct ks_backend *b, cs_time at, uint64_t *gen, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select max(gen) from generation where at<=?1");
    ks_query_int(&q, at);
    return one_number(&q, gen, e);
}

static int generation_seq(struct ks_backend *b, uint64_t gen, uint64_t *audit_seq, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select audit_seq from generation where gen<=?1 order by gen desc limit 1");
    ks_query_int(&q, (int64_t)gen);
    return one_number(&q, audit_seq, e);
}

static int audit_head(struct ks_backend *b, uint64_t *seq, uint8_t hash[32], cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select seq, hash from audit order by seq desc limit 1");
    memset(hash, 0, 32);
    *seq = 0;
    int rc = ks_query_row(&q, e);
    if (rc == 1) {
        *seq = (uint64_t)sqlite3_column_int64(q.stmt, 0);
        if (ks_column_octets(&q, 1, hash, 32) != 0) {
            rc = cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "keystore %s is damaged: audit row %llu", b->path,
                              (unsigned long long)*seq);
        }
    }
    ks_query_done(&q);
    return rc < 0 ? -1 : 0;
}

static int audit_hash(struct ks_backend *b, uint64_t seq, uint8_t hash[32], cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select hash from audit where seq=?1");
    ks_query_int(&q, (int64_t)seq);
    int rc = ks_query_row(&q, e);
    if (rc == 1 && ks_column_octets(&q, 0, hash, 32) != 0) {
        memset(hash, 0, 32); /* of another length: it fits nothing */
    }
    ks_query_done(&q);
    return rc;
}

static int audit_add(struct ks_backend *b, const struct ks_audit_row *r, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b,
        "insert into audit(seq, at, actor, actor_kind, verb, object, before_json, after_json, reason, peer, approver,"
        " prev_hash, hash) values(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)");
    ks_query_int(&q, (int64_t)r->seq);
    ks_query_int(&q, r->at);
    ks_query_text(&q, r->actor);
    ks_query_text(&q, r->actor_kind);
    ks_query_text(&q, r->verb);
    ks_query_text(&q, r->object);
    ks_query_text(&q, r->before);
    ks_query_text(&q, r->after);
    ks_query_text(&q, r->reason);
    ks_query_text(&q, r->peer);
    ks_query_text(&q, r->approver);
    ks_query_blob(&q, r->prev_hash, 32);
    ks_query_blob(&q, r->hash, 32);
    return ks_query_run(&q, e);
}

static int audit_each(struct ks_backend *b, ks_visit_audit *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select seq, at, actor, actor_kind, verb, object, before_json, after_json, "
                                         "reason, peer, approver, prev_hash, hash from audit order by seq");
    int rc = 0;
    while (ks_query_next(&q, &rc, e)) {
        struct ks_audit_row r = {.seq = (uint64_t)sqlite3_column_int64(q.stmt, 0),
                                 .at = sqlite3_column_int64(q.stmt, 1)};
        const char **field[] = {&r.actor, &r.actor_kind, &r.verb, &r.object,  &r.before,
                                &r.after, &r.reason,     &r.peer, &r.approver};
        for (int i = 0; i < 9; i++) {
            *field[i] = (const char *)sqlite3_column_text(q.stmt, 2 + i);
        }
        /* a hash of another length stays zero, so that it does not fit */
        if (ks_column_octets(&q, 11, r.prev_hash, 32) != 0 || ks_column_octets(&q, 12, r.hash, 32) != 0) {
            memset(r.hash, 0, sizeof r.hash);
        }
        rc = visit(ctx, &r, e);
    }
    return rc;
}

static int partner_get(struct ks_backend *b, const char *partner, struct ks_partner_row *out, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select partner, guaranteed_delivery from partner where partner=?1");
    ks_query_text(&q, partner);
    int rc = ks_query_row(&q, e);
    if (rc == 1) {
        ks_column_text(&q, 0, out->name, sizeof out->name);
        out->guaranteed_delivery = sqlite3_column_int64(q.stmt, 1);
    }
    ks_query_done(&q);
    return rc;
}

static int partner_set(struct ks_backend *b, const struct ks_partner_row *row, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "insert into partner(partner, guaranteed_delivery) values(?1,?2)"
                         " on conflict(partner) do update set guaranteed_delivery=excluded.guaranteed_delivery");
    ks_query_text(&q, row->name);
    ks_query_int(&q, row->guaranteed_delivery);
    return ks_query_run(&q, e);
}

static int partners(struct ks_backend *b, ks_visit_partner *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select partner, guaranteed_delivery from partner order by partner");
    int rc = 0;
    while (ks_query_next(&q, &rc, e)) {
        struct ks_partner_row row = {.guaranteed_delivery = sqlite3_column_int64(q.stmt, 1)};
        ks_column_text(&q, 0, row.name, sizeof row.name);
        rc = visit(ctx, &row, e);
    }
    return rc;
}

static int partner_routed(struct ks_backend *b, const char *partner, bool *routed, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select exists(select 1 from node_uses where partner=?1)");
    ks_query_text(&q, partner);
    uint64_t n = 0;
    int rc = one_number(&q, &n, e);
    *routed = n != 0;
    return rc;
}

const struct ks_driver ks_driver_sqlite = {
    .scheme = "sqlite",
    .init = ks_sqlite_init,
    .open = ks_sqlite_open,
    .close = ks_sqlite_close,
    .begin = ks_sqlite_begin,
    .version = ks_sqlite_version,
    .upgrade = ks_sqlite_upgrade,
    .commit = ks_sqlite_commit,
    .rollback = ks_sqlite_rollback,
    .changed = ks_sqlite_changed,
    .set_busy = ks_sqlite_set_busy,
    .scrub = ks_sqlite_scrub,
    .meta_get = meta_get,
    .meta_set = meta_set,
    .generation = generation,
    .generation_add = generation_add,
    .generation_at = generation_at,
    .generation_seq = generation_seq,
    .slot_get = ks_sqlite_slot_get,
    .slot_add = ks_sqlite_slot_add,
    .nearest = ks_sqlite_nearest,
    .last_n = ks_sqlite_last_n,
    .rows = ks_sqlite_rows,
    .row_add = ks_sqlite_row_add,
    .row_update = ks_sqlite_row_update,
    .interval_add = ks_sqlite_interval_add,
    .interval_end = ks_sqlite_interval_end,
    .intervals = ks_sqlite_intervals,
    .acceptable = ks_sqlite_acceptable,
    .intervals_known = ks_sqlite_intervals_known,
    .trash_set = ks_sqlite_trash_set,
    .trash_remove = ks_sqlite_trash_remove,
    .trash = ks_sqlite_trash,
    .canary_set = ks_sqlite_canary_set,
    .canary_remove = ks_sqlite_canary_remove,
    .canaries = ks_sqlite_canaries,
    .schedule_set = ks_sqlite_schedule_set,
    .schedule_remove = ks_sqlite_schedule_remove,
    .schedules = ks_sqlite_schedules,
    .open_message_set = ks_sqlite_open_message_set,
    .open_messages = ks_sqlite_open_messages,
    .alias_used = ks_sqlite_alias_used,
    .rollover_open = ks_sqlite_rollover_open,
    .key_add = ks_sqlite_key_add,
    .key_get = ks_sqlite_key_get,
    .key_destroy = ks_sqlite_key_destroy,
    .keys = ks_sqlite_keys,
    .key_reseal = ks_sqlite_key_reseal,
    .node_keys_set = ks_sqlite_node_keys_set,
    .node_keys = ks_sqlite_node_keys,
    .dump = ks_sqlite_dump,
    .load_begin = ks_sqlite_load_begin,
    .load = ks_sqlite_load,
    .load_end = ks_sqlite_load_end,
    .crl_add = ks_sqlite_crl_add,
    .crl_remove = ks_sqlite_crl_remove,
    .crls = ks_sqlite_crls,
    .crl_get = ks_sqlite_crl_get,
    .approval_add = ks_sqlite_approval_add,
    .approval_update = ks_sqlite_approval_update,
    .approvals = ks_sqlite_approvals,
    .touched_count = ks_sqlite_touched_count,
    .touched = ks_sqlite_touched,
    .contents = ks_sqlite_contents,
    .audit_head = audit_head,
    .audit_hash = audit_hash,
    .audit_add = audit_add,
    .audit_each = audit_each,
    .partner_get = partner_get,
    .partner_set = partner_set,
    .partners = partners,
    .partner_routed = partner_routed,
    .node_uses = ks_sqlite_node_uses,
    .node_uses_each = ks_sqlite_node_uses_each,
    .lease_get = ks_sqlite_lease_get,
    .lease_set = ks_sqlite_lease_set,
    .node_set = ks_sqlite_node_set,
    .node_forget = ks_sqlite_node_forget,
    .nodes = ks_sqlite_nodes,
    .seen_add = ks_sqlite_seen_add,
    .seen = ks_sqlite_seen,
    .observe = ks_sqlite_observe,
    .use_add = ks_sqlite_use_add,
    .uses = ks_sqlite_uses,
    .use_prune = ks_sqlite_use_prune,
    .mapping_add = ks_sqlite_mapping_add,
    .mapping_end = ks_sqlite_mapping_end,
    .mappings = ks_sqlite_mappings,
    .request_add = ks_sqlite_request_add,
    .request_remove = ks_sqlite_request_remove,
    .requests = ks_sqlite_requests,
    .auto_set = ks_sqlite_auto_set,
    .autos = ks_sqlite_autos,
    .renewal_get = ks_sqlite_renewal_get,
    .renewal_set = ks_sqlite_renewal_set,
    .hold_add = ks_sqlite_hold_add,
    .hold_remove = ks_sqlite_hold_remove,
    .holds = ks_sqlite_holds,
    .notices = &ks_sqlite_notices,
    .rollovers = &ks_sqlite_rollovers,
    .issuing = &ks_sqlite_issuing,
};
