/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_probe.c: what nodes found with a certificate, what they are asked to try, and numbers that they report. */
#include <string.h>

#include "keystore/sqlite_rollover.h"
#include "keystore/sqlite_rows.h"

int ks_sqlite_probe_put(struct ks_backend *b, int64_t entry_id, const ks_probe_result *r, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "insert into probe(node_id, entry_id, target, outcome, asked, status, tls, detail, at)"
           " values(?1,?2,?3,?4,?5,?6,?7,?8,?9) on conflict(node_id, entry_id, target) do update set outcome=?4,"
           " asked=?5, status=?6, tls=?7, detail=?8, at=?9");
    ks_query_text(&q, r->node);
    ks_query_int(&q, entry_id);
    ks_query_text(&q, r->target);
    ks_query_int(&q, r->outcome);
    ks_query_int(&q, r->asked);
    ks_query_int(&q, r->status);
    ks_query_text(&q, r->tls);
    ks_query_text(&q, r->detail);
    ks_query_int(&q, r->at);
    return ks_query_run(&q, e);
}

int ks_sqlite_probes(struct ks_backend *b, int64_t slot_id, int64_t entry_id, ks_visit_probe *visit, void *ctx,
                     cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "select p.node_id, s.alias, e.n, p.target, p.outcome, p.asked, p.status, p.tls, p.detail, p.at"
                         " from probe p join entry e using(entry_id) join slot s using(slot_id)"
                         " where e.slot_id=?1 and (?2=0 or p.entry_id=?2) order by e.n, p.target, p.node_id");
    int rc = 0;
    ks_query_int(&q, slot_id);
    ks_query_int(&q, entry_id);
    while (ks_query_next(&q, &rc, e)) {
        ks_probe_result r;
        int outcome = sqlite3_column_int(q.stmt, 4);
        memset(&r, 0, sizeof r);
        r.n = (unsigned)sqlite3_column_int64(q.stmt, 2);
        r.outcome = (enum ks_probe_outcome)outcome;
        r.asked = sqlite3_column_int(q.stmt, 5) != 0;
        r.status = sqlite3_column_int(q.stmt, 6);
        r.at = sqlite3_column_int64(q.stmt, 9);
        bool good =
            ks_column_text(&q, 0, r.node, sizeof r.node) == 0 && ks_column_text(&q, 1, r.alias, sizeof r.alias) == 0 &&
            ks_column_text(&q, 3, r.target, sizeof r.target) == 0 && ks_column_text(&q, 7, r.tls, sizeof r.tls) == 0 &&
            ks_column_text(&q, 8, r.detail, sizeof r.detail) == 0 && outcome >= KS_PROBE_SILENT &&
            outcome <= KS_PROBE_REFUSED;
        rc = good ? visit(ctx, &r, e) : ks_query_damaged(&q, "probe", e);
    }
    return rc;
}

int ks_sqlite_probe_ask(struct ks_backend *b, int64_t entry_id, cs_time at, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "insert into probe_ask(entry_id, at) values(?1,?2)"
                                         " on conflict(entry_id) do update set at=?2");
    ks_query_int(&q, entry_id);
    ks_query_int(&q, at);
    return ks_query_run(&q, e);
}

int ks_sqlite_probe_asks(struct ks_backend *b, cs_time since, ks_visit_asked *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select s.alias, e.n, p.at from probe_ask p join entry e using(entry_id)"
                                         " join slot s using(slot_id) where p.at>=?1 order by p.at desc, s.alias, e.n");
    int rc = 0;
    ks_query_int(&q, since);
    while (ks_query_next(&q, &rc, e)) {
        ks_probe_asked a;
        memset(&a, 0, sizeof a);
        a.n = (unsigned)sqlite3_column_int64(q.stmt, 1);
        a.at = sqlite3_column_int64(q.stmt, 2);
        rc = ks_column_text(&q, 0, a.alias, sizeof a.alias) == 0 ? visit(ctx, &a, e)
                                                                 : ks_query_damaged(&q, "probe_ask", e);
    }
    return rc;
}

/* ---- numbers of nodes: observations of generation 0 that are not added up -------------------------------------- */

int ks_sqlite_gauge_set(struct ks_backend *b, const char *node, const char *kind, const char *object, int64_t n,
                        cs_time at, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "insert into observation(node_id, kind, object, gen, n, last_at)"
                                         " values(?1,?2,?3,0,?4,?5) on conflict(node_id, kind, object, gen)"
                                         " do update set n=?4, last_at=?5");
    ks_query_text(&q, node);
    ks_query_text(&q, kind);
    ks_query_text(&q, object);
    ks_query_int(&q, n);
    ks_query_int(&q, at);
    return ks_query_run(&q, e);
}

int ks_sqlite_gauges(struct ks_backend *b, const char *kind, ks_visit_gauge *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select node_id, object, n, last_at from observation where kind=?1 and gen=0"
                                         " order by node_id, object");
    int rc = 0;
    ks_query_text(&q, kind);
    while (ks_query_next(&q, &rc, e)) {
        const char *node = (const char *)sqlite3_column_text(q.stmt, 0);
        const char *object = (const char *)sqlite3_column_text(q.stmt, 1);
        rc = node != NULL && object != NULL
                 ? visit(ctx, node, object, sqlite3_column_int64(q.stmt, 2), sqlite3_column_int64(q.stmt, 3), e)
                 : ks_query_damaged(&q, "observation", e);
    }
    return rc;
}
