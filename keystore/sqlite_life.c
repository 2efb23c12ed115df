/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_life.c: the SQLite driver's rows beside an entry: the trash, what is scheduled, messages that wait, and how
 * its intervals were known before a change. */
#include <string.h>

#include "keystore/sqlite_rows.h"

int ks_sqlite_trash_set(struct ks_backend *b, const struct ks_trash_row *row, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "insert into trash(entry_id, at, until, actor) values(?1,?2,?3,?4)");
    ks_query_int(&q, row->entry_id);
    ks_query_int(&q, row->at);
    ks_query_int(&q, row->until);
    ks_query_text(&q, row->actor);
    return ks_query_run(&q, e);
}

int ks_sqlite_trash_remove(struct ks_backend *b, int64_t entry_id, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "delete from trash where entry_id=?1");
    ks_query_int(&q, entry_id);
    return ks_query_run(&q, e);
}

int ks_sqlite_trash(struct ks_backend *b, int64_t slot_id, ks_visit_trash *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, /* cross: in this order, since what is in the trash is little beside all entries */
        "select t.entry_id, s.alias, e.n, t.at, t.until, t.actor from trash t cross join entry e using(entry_id)"
        " join slot s using(slot_id) where (?1 = 0 or e.slot_id = ?1) order by t.until, s.alias, e.n");
    ks_query_int(&q, slot_id);
    int rc = 0;
    while (ks_query_next(&q, &rc, e)) {
        struct ks_trash_row row = {.entry_id = sqlite3_column_int64(q.stmt, 0),
                                   .n = (unsigned)sqlite3_column_int64(q.stmt, 2),
                                   .at = sqlite3_column_int64(q.stmt, 3),
                                   .until = sqlite3_column_int64(q.stmt, 4)};
        if (ks_column_text(&q, 1, row.alias, sizeof row.alias) != 0 ||
            ks_column_text(&q, 5, row.actor, sizeof row.actor) != 0) {
            rc = ks_query_damaged(&q, "trash", e);
        } else {
            rc = visit(ctx, &row, e);
        }
    }
    return rc;
}

int ks_sqlite_schedule_set(struct ks_backend *b, const struct ks_schedule_row *row, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "insert into schedule(entry_id, verb, due_at, set_at, actor, reason) values(?1,?2,?3,?4,?5,?6)"
                         " on conflict(entry_id, verb) do update set due_at=excluded.due_at, set_at=excluded.set_at,"
                         " actor=excluded.actor, reason=excluded.reason");
    ks_query_int(&q, row->entry_id);
    ks_query_text(&q, row->verb);
    ks_query_int(&q, row->due_at);
    ks_query_int(&q, row->set_at);
    ks_query_text(&q, row->actor);
    ks_query_text(&q, row->reason[0] != '\0' ? row->reason : NULL);
    return ks_query_run(&q, e);
}

int ks_sqlite_schedule_remove(struct ks_backend *b, int64_t entry_id, const char *verb, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "delete from schedule where entry_id=?1 and (?2 is null or verb=?2)");
    ks_query_int(&q, entry_id);
    ks_query_text(&q, verb);
    return ks_query_run(&q, e);
}

int ks_sqlite_schedules(struct ks_backend *b, int64_t slot_id, ks_visit_schedule *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "select c.entry_id, s.alias, e.n, c.verb, c.due_at, c.set_at, c.actor, c.reason from schedule c"
           " join entry e using(entry_id) join slot s using(slot_id) where (?1 = 0 or e.slot_id = ?1)"
           " order by c.due_at, s.alias, e.n, c.verb");
    ks_query_int(&q, slot_id);
    int rc = 0;
    while (ks_query_next(&q, &rc, e)) {
        struct ks_schedule_row row = {.entry_id = sqlite3_column_int64(q.stmt, 0),
                                      .n = (unsigned)sqlite3_column_int64(q.stmt, 2),
                                      .due_at = sqlite3_column_int64(q.stmt, 4),
                                      .set_at = sqlite3_column_int64(q.stmt, 5)};
        if (ks_column_text(&q, 1, row.alias, sizeof row.alias) != 0 ||
            ks_column_text(&q, 3, row.verb, sizeof row.verb) != 0 ||
            ks_column_text(&q, 6, row.actor, sizeof row.actor) != 0 ||
            ks_column_text(&q, 7, row.reason, sizeof row.reason) != 0) {
            rc = ks_query_damaged(&q, "schedule", e);
        } else {
            rc = visit(ctx, &row, e);
        }
    }
    return rc;
}

int ks_sqlite_open_message_set(struct ks_backend *b, const struct ks_open_row *row, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "insert into open_message(ref, entry_id, since, state) values(?1,?2,?3,?4)"
                         " on conflict(ref, entry_id) do update set since=excluded.since, state=excluded.state");
    ks_query_text(&q, row->ref);
    ks_query_int(&q, row->entry_id);
    ks_query_int(&q, row->since);
    ks_query_text(&q, row->open ? "open" : "closed");
    return ks_query_run(&q, e);
}

int ks_sqlite_open_messages(struct ks_backend *b, int64_t slot_id, ks_visit_open *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "select m.ref, m.entry_id, s.alias, e.n, m.since, m.state='open' from open_message m"
           " cross join entry e using(entry_id) join slot s using(slot_id) where (?1 = 0 or e.slot_id = ?1)"
           " order by m.since, m.ref, s.alias, e.n");
    ks_query_int(&q, slot_id);
    int rc = 0;
    while (ks_query_next(&q, &rc, e)) {
        struct ks_open_row row = {.entry_id = sqlite3_column_int64(q.stmt, 1),
                                  .n = (unsigned)sqlite3_column_int64(q.stmt, 3),
                                  .since = sqlite3_column_int64(q.stmt, 4),
                                  .open = sqlite3_column_int(q.stmt, 5) != 0};
        if (ks_column_text(&q, 0, row.ref, sizeof row.ref) != 0 ||
            ks_column_text(&q, 2, row.alias, sizeof row.alias) != 0) {
            rc = ks_query_damaged(&q, "open_message", e);
        } else {
            rc = visit(ctx, &row, e);
        }
    }
    return rc;
}

int ks_sqlite_intervals_known(struct ks_backend *b, int64_t entry_id, uint64_t known_seq, ks_visit_interval *visit,
                              void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "select entry_id, capability, from_ts, to_ts, cause_seq, end_seq from interval where entry_id=?1"
           " and cause_seq <= ?2 and (end_seq is null or end_seq > ?2) order by from_ts, capability");
    ks_query_int(&q, entry_id);
    ks_query_int(&q, (int64_t)known_seq);
    return ks_sqlite_intervals_visit(&q, visit, ctx, e);
}

int ks_sqlite_alias_used(struct ks_backend *b, const char *alias, bool *used, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select exists(select 1 from node_uses where alias=?1)");
    ks_query_text(&q, alias);
    int rc = ks_query_row(&q, e);
    *used = rc == 1 && sqlite3_column_int(q.stmt, 0) != 0;
    ks_query_done(&q);
    return rc < 0 ? -1 : 0;
}

int ks_sqlite_rollover_open(struct ks_backend *b, int64_t slot_id, int64_t *roll_id, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select roll_id from rollover where slot_id=?1 and state='open'");
    ks_query_int(&q, slot_id);
    int rc = ks_query_row(&q, e);
    *roll_id = rc == 1 ? sqlite3_column_int64(q.stmt, 0) : 0;
    ks_query_done(&q);
    return rc < 0 ? -1 : 0;
}
