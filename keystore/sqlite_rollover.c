/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_rollover.c: roll-overs, their steps and links, as rows. */
#include <string.h>

#include "keystore/rollover_store.h"
#include "keystore/sqlite_rollover.h"
#include "keystore/sqlite_rows.h"

static int add(struct ks_backend *b, struct ks_roll_row *row, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "insert into rollover(slot_id, runbook, runbook_text, runbook_hash, state, old_entry, new_entry,"
           " window_from, window_to, started_at, actor, settings) values(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)");
    ks_query_int(&q, row->slot_id);
    ks_query_text(&q, row->runbook);
    ks_query_text(&q, row->text);
    ks_query_blob(&q, row->hash, sizeof row->hash);
    ks_query_text(&q, row->state);
    ks_query_int(&q, row->old_entry);
    ks_query_int(&q, row->new_entry);
    ks_query_int(&q, row->window_from);
    ks_query_int(&q, row->window_to);
    ks_query_int(&q, row->started_at);
    ks_query_text(&q, row->actor);
    ks_query_text(&q, row->settings);
    if (ks_query_run(&q, e) != 0) {
        return -1;
    }
    row->roll_id = sqlite3_last_insert_rowid(b->db);
    return 0;
}

static int update(struct ks_backend *b, const struct ks_roll_row *row, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "update rollover set state=?2, old_entry=?3, new_entry=?4, window_from=?5,"
                                         " window_to=?6, ended_at=?7, settings=?8 where roll_id=?1");
    ks_query_int(&q, row->roll_id);
    ks_query_text(&q, row->state);
    ks_query_int(&q, row->old_entry);
    ks_query_int(&q, row->new_entry);
    ks_query_int(&q, row->window_from);
    ks_query_int(&q, row->window_to);
    ks_query_int(&q, row->ended_at);
    ks_query_text(&q, row->settings);
    return ks_query_run(&q, e);
}

static int each(struct ks_backend *b, int64_t roll_id, bool open, ks_visit_roll *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b,
        "select r.roll_id, r.slot_id, s.alias, s.partner, s.role, r.runbook, r.runbook_text, r.runbook_hash, r.state,"
        " r.old_entry, r.new_entry, r.window_from, r.window_to, r.started_at, r.ended_at, r.actor, r.settings"
        " from rollover r join slot s using(slot_id) where (?1=0 or r.roll_id=?1) and (?2=0 or r.state='open')"
        " order by r.roll_id");
    int rc = 0;
    ks_query_int(&q, roll_id);
    ks_query_int(&q, open);
    while (ks_query_next(&q, &rc, e)) {
        struct ks_roll_row row;
        char role[32];
        memset(&row, 0, sizeof row);
        row.roll_id = sqlite3_column_int64(q.stmt, 0);
        row.slot_id = sqlite3_column_int64(q.stmt, 1);
        row.text = (const char *)sqlite3_column_text(q.stmt, 6);
        row.old_entry = sqlite3_column_int64(q.stmt, 9);
        row.new_entry = sqlite3_column_int64(q.stmt, 10);
        row.window_from = sqlite3_column_int64(q.stmt, 11);
        row.window_to = sqlite3_column_int64(q.stmt, 12);
        row.started_at = sqlite3_column_int64(q.stmt, 13);
        row.ended_at = sqlite3_column_int64(q.stmt, 14);
        bool good = ks_column_text(&q, 2, row.alias, sizeof row.alias) == 0 &&
                    ks_column_text(&q, 3, row.partner, sizeof row.partner) == 0 &&
                    ks_column_text(&q, 4, role, sizeof role) == 0 && ks_role_parse(role, &row.role) == 0 &&
                    ks_column_text(&q, 5, row.runbook, sizeof row.runbook) == 0 && row.text != NULL &&
                    ks_column_octets(&q, 7, row.hash, sizeof row.hash) == 0 &&
                    ks_column_text(&q, 8, row.state, sizeof row.state) == 0 &&
                    ks_column_text(&q, 15, row.actor, sizeof row.actor) == 0 &&
                    ks_column_text(&q, 16, row.settings, sizeof row.settings) == 0;
        rc = good ? visit(ctx, &row, e) : ks_query_damaged(&q, "rollover", e);
    }
    return rc;
}

static int step_set(struct ks_backend *b, const struct ks_step_row *row, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "insert into rollover_step(roll_id, n, state, said, done_by, done_at, told_at, evidence)"
           " values(?1,?2,?3,?4,?5,?6,?7,?8) on conflict(roll_id, n) do update set state=?3, said=?4, done_by=?5,"
           " done_at=?6, told_at=?7, evidence=?8");
    ks_query_int(&q, row->roll_id);
    ks_query_text(&q, row->n);
    ks_query_text(&q, row->state);
    ks_query_text(&q, row->said);
    ks_query_text(&q, row->done_by);
    ks_query_int(&q, row->done_at);
    ks_query_int(&q, row->told_at);
    ks_query_text(&q, row->evidence);
    return ks_query_run(&q, e);
}

static int steps(struct ks_backend *b, int64_t roll_id, ks_visit_step *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select n, state, said, done_by, done_at, told_at, evidence from rollover_step"
                                         " where roll_id=?1 order by done_at, n");
    int rc = 0;
    ks_query_int(&q, roll_id);
    while (ks_query_next(&q, &rc, e)) {
        struct ks_step_row row;
        memset(&row, 0, sizeof row);
        row.roll_id = roll_id;
        row.done_at = sqlite3_column_int64(q.stmt, 4);
        row.told_at = sqlite3_column_int64(q.stmt, 5);
        row.evidence = (const char *)sqlite3_column_text(q.stmt, 6);
        bool good = ks_column_text(&q, 0, row.n, sizeof row.n) == 0 &&
                    ks_column_text(&q, 1, row.state, sizeof row.state) == 0 &&
                    ks_column_text(&q, 2, row.said, sizeof row.said) == 0 &&
                    ks_column_text(&q, 3, row.done_by, sizeof row.done_by) == 0;
        rc = good ? visit(ctx, &row, e) : ks_query_damaged(&q, "rollover_step", e);
    }
    return rc;
}

static int mails(struct ks_backend *b, const char *about, size_t *told, size_t *sent, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "select count(*), coalesce(sum(d.state='sent'), 0) from delivery d"
                         " join notification f using(dedup_key) where f.kind='step-due' and f.about=?1 and d.mail<>''");
    ks_query_text(&q, about);
    int rc = ks_query_row(&q, e);
    *told = rc == 1 ? (size_t)sqlite3_column_int64(q.stmt, 0) : 0;
    *sent = rc == 1 ? (size_t)sqlite3_column_int64(q.stmt, 1) : 0;
    ks_query_done(&q);
    return rc == 1 ? 0 : -1;
}

/* ---- links ----------------------------------------------------------------------------------------------------- */

static int link_add(struct ks_backend *b, const struct ks_link_row *row, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "insert into link(token_hash, roll_id, n, role, expires) values(?1,?2,?3,?4,?5)");
    ks_query_blob(&q, row->token_hash, sizeof row->token_hash);
    ks_query_int(&q, row->roll_id);
    ks_query_text(&q, row->n);
    ks_query_text(&q, row->role);
    ks_query_int(&q, row->expires);
    return ks_query_run(&q, e);
}

static int link_get(struct ks_backend *b, const uint8_t token_hash[32], struct ks_link_row *out, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select roll_id, n, role, expires, used_at from link where token_hash=?1");
    memset(out, 0, sizeof *out);
    ks_query_blob(&q, token_hash, 32);
    int rc = ks_query_row(&q, e);
    if (rc == 1) {
        memcpy(out->token_hash, token_hash, sizeof out->token_hash);
        out->roll_id = sqlite3_column_int64(q.stmt, 0);
        out->expires = sqlite3_column_int64(q.stmt, 3);
        out->used_at = sqlite3_column_int64(q.stmt, 4);
        if (ks_column_text(&q, 1, out->n, sizeof out->n) != 0 ||
            ks_column_text(&q, 2, out->role, sizeof out->role) != 0) {
            rc = ks_query_damaged(&q, "link", e);
        }
    }
    ks_query_done(&q);
    return rc;
}

static int link_use(struct ks_backend *b, const uint8_t token_hash[32], cs_time now, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "update link set used_at=?2 where token_hash=?1 and used_at=0");
    ks_query_blob(&q, token_hash, 32);
    ks_query_int(&q, now);
    return ks_query_run(&q, e);
}

const struct ks_rollover_driver ks_sqlite_rollovers = {
    .add = add,
    .update = update,
    .each = each,
    .step_set = step_set,
    .steps = steps,
    .mails = mails,
    .link_add = link_add,
    .link_get = link_get,
    .link_use = link_use,
    .probe_put = ks_sqlite_probe_put,
    .probes = ks_sqlite_probes,
    .probe_ask = ks_sqlite_probe_ask,
    .probe_asks = ks_sqlite_probe_asks,
    .gauge_set = ks_sqlite_gauge_set,
    .gauges = ks_sqlite_gauges,
};
