/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_node.c: the processes that serve the store, what their routes use and which of them does what, as rows. */
#include <string.h>

#include "keystore/sqlite_rows.h"

int ks_sqlite_node_uses(struct ks_backend *b, const char *node, const ks_node_use *use, size_t n, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "delete from node_uses where node_id=?1");
    ks_query_text(&q, node);
    int rc = ks_query_run(&q, e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        q = ks_query_open(b, "insert into node_uses(node_id, route, alias, partner) values(?1,?2,?3,?4)");
        ks_query_text(&q, node);
        ks_query_text(&q, use[i].route != NULL ? use[i].route : "");
        ks_query_text(&q, use[i].alias != NULL ? use[i].alias : "");
        ks_query_text(&q, use[i].partner != NULL ? use[i].partner : "");
        rc = ks_query_run(&q, e);
    }
    return rc;
}

int ks_sqlite_node_uses_each(struct ks_backend *b, ks_visit_node_use *visit, void *ctx, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "select node_id, route, alias, partner from node_uses order by route, node_id");
    int rc = 0;
    while (ks_query_next(&q, &rc, e)) {
        const char *text[4];
        for (int i = 0; i < 4; i++) {
            text[i] = (const char *)sqlite3_column_text(q.stmt, i);
            text[i] = text[i] != NULL ? text[i] : "";
        }
        const ks_node_use use = {text[1], text[2], text[3]};
        rc = visit(ctx, text[0], &use, e);
    }
    return rc;
}

int ks_sqlite_node_set(struct ks_backend *b, const struct ks_node_row *row, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "insert into node(node_id, applied_gen, applied_at, clock_at, build, conf_sha256)"
           " values(?1,?2,?3,?4,nullif(?5,''),nullif(?6,'')) on conflict(node_id) do update set"
           " applied_at=case when applied_gen=excluded.applied_gen then applied_at else excluded.applied_at end,"
           " applied_gen=excluded.applied_gen, clock_at=excluded.clock_at,"
           " build=excluded.build, conf_sha256=excluded.conf_sha256");
    ks_query_text(&q, row->node);
    ks_query_int(&q, (int64_t)row->applied);
    ks_query_int(&q, row->applied_at);
    ks_query_int(&q, row->clock_at);
    ks_query_text(&q, row->build);
    ks_query_text(&q, row->conf);
    if (ks_query_run(&q, e) != 0) {
        return -1;
    }
    q = ks_query_open(b, "insert into node_place(node_id, place) values(?1,?2)"
                         " on conflict(node_id) do update set place=excluded.place where place<>excluded.place");
    ks_query_text(&q, row->node);
    ks_query_text(&q, row->place);
    return ks_query_run(&q, e);
}

int ks_sqlite_node_forget(struct ks_backend *b, const char *node, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "delete from node where node_id=?1");
    ks_query_text(&q, node);
    if (ks_query_run(&q, e) != 0) {
        return -1;
    }
    q = ks_query_open(b, "delete from node_place where node_id=?1");
    ks_query_text(&q, node);
    return ks_query_run(&q, e);
}

int ks_sqlite_nodes(struct ks_backend *b, ks_visit_node *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select n.node_id, n.applied_gen, n.applied_at, n.clock_at, n.build, "
                                         "n.conf_sha256, p.place from node n left join node_place p using(node_id) "
                                         "order by n.node_id");
    int rc = 0;
    while (ks_query_next(&q, &rc, e)) {
        struct ks_node_row row = {.applied = (uint64_t)sqlite3_column_int64(q.stmt, 1),
                                  .applied_at = sqlite3_column_int64(q.stmt, 2),
                                  .clock_at = sqlite3_column_int64(q.stmt, 3)};
        if (ks_column_text(&q, 0, row.node, sizeof row.node) != 0 ||
            ks_column_text(&q, 4, row.build, sizeof row.build) != 0 ||
            ks_column_text(&q, 5, row.conf, sizeof row.conf) != 0 ||
            ks_column_text(&q, 6, row.place, sizeof row.place) != 0) {
            rc = ks_query_damaged(&q, "node", e);
        } else {
            rc = visit(ctx, &row, e);
        }
    }
    return rc;
}

int ks_sqlite_lease_get(struct ks_backend *b, const char *name, ks_lease *out, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select holder, fence, until from lease where name=?1");
    int rc = 0;
    int found = 0;
    ks_query_text(&q, name);
    while (ks_query_next(&q, &rc, e)) {
        found = 1;
        out->fence = (uint64_t)sqlite3_column_int64(q.stmt, 1);
        out->until = sqlite3_column_int64(q.stmt, 2);
        if (ks_column_text(&q, 0, out->holder, sizeof out->holder) != 0) {
            rc = ks_query_damaged(&q, "lease", e);
        }
    }
    return rc == 0 ? found : -1;
}

int ks_sqlite_lease_set(struct ks_backend *b, const char *name, const ks_lease *row, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "insert into lease(name, holder, fence, until) values(?1,?2,?3,?4) on "
                                         "conflict(name) do update set holder=?2, fence=?3, until=?4");
    ks_query_text(&q, name);
    ks_query_text(&q, row->holder);
    ks_query_int(&q, (int64_t)row->fence);
    ks_query_int(&q, row->until);
    return ks_query_run(&q, e);
}
