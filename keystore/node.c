/* SPDX-License-Identifier: Apache-2.0 */
/* node.c: see node.h. */
#include "keystore/node.h"
#include "keystore/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "keystore/config.h"
#include "keystore/record.h"

#define BUSY_MS    200 /* a lease can wait; a watch thread that waits for a writer is late with news */
#define SUFFIX_MAX 99

static bool lives(const struct ks_node_row *row, cs_time now)
{
    return now - row->clock_at <= KS_NODE_ALIVE;
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

/** Same host and same admin socket: the process before this one, or after it (an upgrade). */
static bool same_place(const char *a, const char *b)
{
    const char *end_a = strrchr(a, '|');
    const char *end_b = strrchr(b, '|');
    size_t n = end_a != NULL ? (size_t)(end_a - a) : 0;
    return n > 0 && end_b != NULL && n == (size_t)(end_b - b) && a[n - 1] != '|' && memcmp(a, b, n) == 0;
}

struct names {
    const struct ks_identity *me;
    const char *wanted;
    cs_time now;
    bool taken[SUFFIX_MAX + 1]; /**< 1: the name itself */
};

static int find_taken(void *ctx, const struct ks_node_row *row, cs_error *e)
{
    struct names *n = ctx;
    size_t len = strlen(n->wanted);
    (void)e;
    if (strncmp(row->node, n->wanted, len) != 0 || !lives(row, n->now) || same_place(row->place, n->me->place)) {
        return 0;
    }
    unsigned long at = row->node[len] == '\0' ? 1 : row->node[len] == '~' ? strtoul(row->node + len + 1, NULL, 10) : 0;
    if (at >= 1 && at <= SUFFIX_MAX) {
        n->taken[at] = true;
    }
    return 0;
}

static void name_of(const char *wanted, unsigned suffix, char out[KS_WORD])
{
    if (suffix <= 1) {
        cs_copy(out, KS_WORD, wanted);
    } else {
        snprintf(out, KS_WORD, "%.60s~%u", wanted, suffix);
    }
}

static int row_set(ks_store *s, const struct ks_identity *me, uint64_t generation, const char *build, const char *conf,
                   cs_time now, cs_error *e)
{
    struct ks_node_row row = {.applied = generation, .applied_at = now, .clock_at = now};
    cs_copy(row.node, sizeof row.node, me->node);
    cs_copy(row.place, sizeof row.place, me->place);
    cs_copy(row.build, sizeof row.build, build);
    cs_copy(row.conf, sizeof row.conf, conf);
    return s->driver->node_set(s->b, &row, e);
}

void ks_node_claim(ks_store *s, uint64_t generation, cs_time now, struct ks_identity *out)
{
    char host[61] = "";
    cs_error e = {0};
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') {
        cs_copy(host, sizeof host, "localhost");
    }
    const char *socket = s->options.place != NULL ? s->options.place : "";
    struct names n = {.me = out, .wanted = s->options.node != NULL ? s->options.node : host, .now = now};
    unsigned suffix = 1;
    snprintf(out->place, sizeof out->place, "%s|%.160s|%ld", host, socket, (long)getpid());
    name_of(n.wanted, 1, out->node);
    if (s->options.read_only) {
        return;
    }
    if (s->driver->begin(s->b, KS_UPKEEP, &e) != 0 || s->driver->nodes(s->b, find_taken, &n, &e) != 0) {
        goto out;
    }
    while (suffix < SUFFIX_MAX && n.taken[suffix]) {
        suffix++;
    }
    name_of(n.wanted, suffix, out->node);
    if (row_set(s, out, generation, "", "", now, &e) == 0) {
        (void)ks_commit(s, &e); /* else the first beat writes it */
    }
    if (suffix > 1) {
        cs_log(CS_LOG_WARN, "node-name", "another living node has this name; give each its own: node NAME;",
               CS_STR("wanted", n.wanted), CS_STR("node", out->node));
    }
out:
    s->driver->rollback(s->b);
}

int ks_node_tell(ks_store *s, const struct ks_identity *me, uint64_t generation, const char *build, const char *conf,
                 const char *kek_names, cs_time now)
{
    cs_error ignored = {0};
    s->driver->set_busy(s->b, BUSY_MS);
    int rc = s->driver->begin(s->b, KS_UPKEEP, &ignored);
    if (rc == 0) {
        rc = row_set(s, me, generation, build, conf, now, &ignored);
    }
    if (rc == 0) {
        rc = s->driver->node_keys_set(s->b, me->node, kek_names, now, &ignored);
    }
    if (rc == 0) {
        rc = ks_commit(s, &ignored);
    }
    s->driver->rollback(s->b);
    return rc;
}

struct search {
    const char *node;
    struct ks_node_row row;
    bool found;
};

static int find_node(void *ctx, const struct ks_node_row *row, cs_error *e)
{
    struct search *search = ctx;
    (void)e;
    if (strcmp(row->node, search->node) == 0) {
        search->row = *row;
        search->found = true;
    }
    return 0;
}

void ks_node_leave(ks_store *s, const struct ks_identity *me)
{
    struct search search = {.node = me->node};
    cs_error ignored = {0};
    if (s->driver->begin(s->b, KS_UPKEEP, &ignored) == 0 && s->driver->nodes(s->b, find_node, &search, &ignored) == 0 &&
        search.found && strcmp(search.row.place, me->place) == 0 &&
        s->driver->node_forget(s->b, me->node, &ignored) == 0) {
        (void)ks_commit(s, &ignored); /* else its lease runs out */
    }
    s->driver->rollback(s->b);
}

/* ---- looks ------------------------------------------------------------------------------------------------------ */

struct collect {
    ks_node_list *list;
    cs_time now;
};

static int take_node(void *ctx, const struct ks_node_row *row, cs_error *e)
{
    struct collect *c = ctx;
    ks_node_info *more = reallocarray(c->list->info, c->list->n + 1, sizeof *more);
    if (more == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    c->list->info = more;
    ks_node_info *i = &more[c->list->n++];
    memset(i, 0, sizeof *i);
    memcpy(i->node, row->node, sizeof i->node);
    memcpy(i->build, row->build, sizeof i->build);
    memcpy(i->conf, row->conf, sizeof i->conf);
    i->applied = row->applied;
    i->applied_at = row->applied_at;
    i->seen_at = row->clock_at;
    i->live = lives(row, c->now);
    return 0;
}

int ks_nodes(ks_store *s, cs_time now, ks_node_list *out, cs_error *e)
{
    struct collect c = {out, now};
    ks_lease keeper = {.until = 0};
    *out = (ks_node_list){NULL, 0};
    int rc = s->driver->nodes(s->b, take_node, &c, e);
    if (rc == 0 && ks_schema_version(s) == KS_SCHEMA_VERSION) {
        rc = s->driver->lease_get(s->b, KS_LEASE_KEEPER, &keeper, e) < 0 ? -1 : 0;
    }
    for (size_t i = 0; i < out->n; i++) {
        out->info[i].keeper = keeper.until > now && strcmp(keeper.holder, out->info[i].node) == 0;
    }
    if (rc != 0) {
        ks_node_list_free(out);
    }
    return rc;
}

void ks_node_list_free(ks_node_list *l)
{
    free(l->info);
    *l = (ks_node_list){NULL, 0};
}

int ks_node_forget(ks_store *s, const char *node, bool dry_run, const ks_actor *who, cs_time now, uint64_t *generation,
                   cs_error *e)
{
    struct ks_record r = {0};
    struct search search = {.node = node};
    int rc = -1;
    if (ks_record_begin(&r, s, who, dry_run, now, e) != 0 || s->driver->nodes(s->b, find_node, &search, e) != 0) {
        goto out;
    }
    if (!search.found) {
        cs_error_set(e, CS_EXIT_USAGE, "node-unknown", "no node %.64s; see: countersign keystore nodes", node);
        goto out;
    }
    if (lives(&search.row, now)) {
        char until[CS_TIME_TEXT];
        cs_error_set(
            e, CS_EXIT_CONFLICT, "node-alive",
            "node %s is alive: its lease holds until %s. Stop its gateway first, or wait until then if its host "
            "is gone",
            node, cs_time_format(search.row.clock_at + KS_NODE_ALIVE, until));
        goto out;
    }
    *generation = r.generation;
    if (!dry_run && (s->driver->node_forget(s->b, node, e) != 0 || s->driver->node_uses(s->b, node, NULL, 0, e) != 0)) {
        goto out;
    }
    rc = ks_record_audit(&r, "forget-node", node, NULL, NULL, e) != 0 ? -1 : ks_record_commit(&r, "node", e);
out:
    ks_record_end(&r);
    return rc;
}

struct lag {
    uint64_t generation;
    cs_time now;
    char *names;
    size_t size;
    int n;
};

static int find_lag(void *ctx, const struct ks_node_row *row, cs_error *e)
{
    (void)e;
    struct lag *lag = ctx;
    if (row->applied < lag->generation && lives(row, lag->now)) {
        size_t used = strlen(lag->names);
        snprintf(lag->names + used, lag->size - used, "%s%s", used > 0 ? " " : "", row->node);
        lag->n++;
    }
    return 0;
}

int ks_lagging(ks_store *s, uint64_t generation, cs_time now, char *names, size_t size, cs_error *e)
{
    struct lag lag = {generation, now, names, size, 0};
    names[0] = '\0';
    return s->driver->nodes(s->b, find_lag, &lag, e) == 0 ? lag.n : -1;
}

int ks_flush(ks_store *s, cs_time now, uint64_t *generation, cs_error *e)
{
    static const ks_actor who = {"flush", "command", NULL};
    uint64_t seq = 0;
    int rc = -1;
    if (s->driver->begin(s->b, KS_UPKEEP, e) != 0 || s->driver->generation(s->b, generation, e) != 0 ||
        s->driver->generation_seq(s->b, *generation, &seq, e) != 0) {
        goto out;
    }
    *generation += 1;
    if (ks_generation_next(s, now, "flush", &who, seq, *generation, e) == 0) {
        rc = ks_commit(s, e);
    }
out:
    s->driver->rollback(s->b);
    return rc;
}
