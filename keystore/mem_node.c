/* SPDX-License-Identifier: Apache-2.0 */
/* mem_node.c: the processes that serve the store and what their routes use, in memory. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/mem.h"

#define COPY(out, s, column) cs_copy((out), sizeof(out), ks_mem_text((s), (column)))

/** Delete the rows of a node. */
static int forget(struct ks_backend *b, const char *table, const char *node, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, table);
    while (ks_mem_next(&s)) {
        if (ks_mem_is(&s, "node_id", node) && ks_mem_delete(b, &s, e) != 0) {
            ks_mem_done(&s);
            return -1;
        }
    }
    return 0;
}

static int node_uses(struct ks_backend *b, const char *node, const ks_node_use *use, size_t n, cs_error *e)
{
    int rc = forget(b, "node_uses", node, e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const struct ks_mem_set set[] = {MEM_TEXT("node_id", node),
                                         MEM_TEXT("route", use[i].route != NULL ? use[i].route : ""),
                                         MEM_TEXT("alias", use[i].alias != NULL ? use[i].alias : ""),
                                         MEM_TEXT("partner", use[i].partner != NULL ? use[i].partner : "")};
        rc = ks_mem_insert(b, "node_uses", set, MEM_COUNT(set), NULL, e);
    }
    return rc;
}

struct use_of {
    const char *node;
    ks_node_use use;
};

static int by_route(const void *a, const void *b)
{
    const struct use_of *x = a;
    const struct use_of *y = b;
    int order = strcmp(x->use.route, y->use.route);
    return order != 0 ? order : strcmp(x->node, y->node);
}

static int node_uses_each(struct ks_backend *b, ks_visit_node_use *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "node_uses");
    struct ks_mem_scan hold = ks_mem_scan(b, "node_uses"); /* keeps what the rows borrow */
    struct use_of *row = calloc(ks_mem_count(&s) + 1, sizeof *row);
    size_t n = 0;
    int rc = row != NULL ? 0 : ks_mem_no_memory(e);
    while (ks_mem_next(&s)) {
        if (rc == 0) {
            row[n++] =
                (struct use_of){ks_mem_text(&s, "node_id"),
                                {ks_mem_text(&s, "route"), ks_mem_text(&s, "alias"), ks_mem_text(&s, "partner")}};
        }
    }
    if (rc == 0) {
        qsort(row, n, sizeof *row, by_route);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = visit(ctx, row[i].node, &row[i].use, e) != 0 ? -1 : 0;
    }
    ks_mem_done(&hold);
    free(row);
    return rc;
}

/** Does a route of some node name it? */
static bool named(struct ks_backend *b, const char *column, const char *word)
{
    struct ks_mem_scan s;
    if (!ks_mem_find(b, &s, "node_uses", column, ks_mem_of_text(word))) {
        return false;
    }
    ks_mem_done(&s);
    return true;
}

static int partner_routed(struct ks_backend *b, const char *partner, bool *routed, cs_error *e)
{
    (void)e;
    *routed = named(b, "partner", partner);
    return 0;
}

static int alias_used(struct ks_backend *b, const char *alias, bool *used, cs_error *e)
{
    (void)e;
    *used = named(b, "alias", alias);
    return 0;
}

static int place_set(struct ks_backend *b, const struct ks_node_row *row, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_TEXT("node_id", row->node), MEM_TEXT("place", row->place)};
    struct ks_mem_scan s;
    if (!ks_mem_find(b, &s, "node_place", "node_id", ks_mem_of_text(row->node))) {
        return ks_mem_insert(b, "node_place", set, MEM_COUNT(set), NULL, e);
    }
    int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
    ks_mem_done(&s);
    return rc;
}

static int node_set(struct ks_backend *b, const struct ks_node_row *row, cs_error *e)
{
    struct ks_mem_scan s;
    bool found = ks_mem_find(b, &s, "node", "node_id", ks_mem_of_text(row->node));
    bool same = found && (uint64_t)ks_mem_num(&s, "applied_gen") == row->applied;
    const struct ks_mem_set set[] = {MEM_TEXT("node_id", row->node),
                                     MEM_NUM("applied_gen", row->applied),
                                     MEM_NUM("applied_at", same ? ks_mem_num(&s, "applied_at") : row->applied_at),
                                     MEM_NUM("clock_at", row->clock_at),
                                     MEM_TEXT("build", row->build[0] != '\0' ? row->build : NULL),
                                     MEM_TEXT("conf_sha256", row->conf[0] != '\0' ? row->conf : NULL)};
    int rc =
        found ? ks_mem_update(b, &s, set, MEM_COUNT(set), e) : ks_mem_insert(b, "node", set, MEM_COUNT(set), NULL, e);
    if (found) {
        ks_mem_done(&s);
    }
    return rc == 0 ? place_set(b, row, e) : -1;
}

static int node_forget(struct ks_backend *b, const char *node, cs_error *e)
{
    return forget(b, "node", node, e) == 0 ? forget(b, "node_place", node, e) : -1;
}

static int by_node(const void *a, const void *b)
{
    return strcmp(((const struct ks_node_row *)a)->node, ((const struct ks_node_row *)b)->node);
}

static int nodes(struct ks_backend *b, ks_visit_node *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "node");
    struct ks_node_row *row = calloc(ks_mem_count(&s) + 1, sizeof *row);
    size_t n = 0;
    int rc = row != NULL ? 0 : ks_mem_no_memory(e);
    while (ks_mem_next(&s)) {
        struct ks_mem_scan place;
        if (rc != 0) {
            continue;
        }
        row[n].applied = (uint64_t)ks_mem_num(&s, "applied_gen");
        row[n].applied_at = ks_mem_num(&s, "applied_at");
        row[n].clock_at = ks_mem_num(&s, "clock_at");
        COPY(row[n].node, &s, "node_id");
        COPY(row[n].build, &s, "build");
        COPY(row[n].conf, &s, "conf_sha256");
        if (ks_mem_find(b, &place, "node_place", "node_id", *ks_mem_value(&s, "node_id"))) {
            COPY(row[n].place, &place, "place");
            ks_mem_done(&place);
        }
        n++;
    }
    if (rc == 0) {
        qsort(row, n, sizeof *row, by_node);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = visit(ctx, &row[i], e) != 0 ? -1 : 0;
    }
    free(row);
    return rc;
}

static int lease_get(struct ks_backend *b, const char *name, ks_lease *out, cs_error *e)
{
    struct ks_mem_scan s;
    (void)e;
    if (!ks_mem_find(b, &s, "lease", "name", ks_mem_of_text(name))) {
        return 0;
    }
    COPY(out->holder, &s, "holder");
    out->fence = (uint64_t)ks_mem_num(&s, "fence");
    out->until = ks_mem_num(&s, "until");
    ks_mem_done(&s);
    return 1;
}

static int lease_set(struct ks_backend *b, const char *name, const ks_lease *row, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_TEXT("name", name), MEM_TEXT("holder", row->holder),
                                     MEM_NUM("fence", row->fence), MEM_NUM("until", row->until)};
    struct ks_mem_scan s;
    if (!ks_mem_find(b, &s, "lease", "name", ks_mem_of_text(name))) {
        return ks_mem_insert(b, "lease", set, MEM_COUNT(set), NULL, e);
    }
    int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
    ks_mem_done(&s);
    return rc;
}

void ks_mem_node_functions(struct ks_driver *d)
{
    d->node_uses = node_uses;
    d->node_uses_each = node_uses_each;
    d->partner_routed = partner_routed;
    d->alias_used = alias_used;
    d->node_set = node_set;
    d->node_forget = node_forget;
    d->nodes = nodes;
    d->lease_get = lease_get;
    d->lease_set = lease_set;
}
