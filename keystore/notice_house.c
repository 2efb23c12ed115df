/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notice_house.c: facts about the house itself, raised by the keeper's round: a gateway that is silent or does not
 * follow, and how far the audit has come. Both follow from rows that are there anyway, so a round that did not run is
 * made up for by the next.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "keystore/checkpoint.h"
#include "keystore/notice_store.h"
#include "keystore/operators.h"

#define STALE_S    (5 * 60) /* a node that is started anew is back long before */
#define EACH_S     3600     /* checkpoints of a log that grows */
#define EACH_ROWS  1000
#define KEEP_S     (90 * CS_DAY) /* of checkpoints that were told */
#define ADMIN_ROLE "tenant-admin"

/* ---- nodes ------------------------------------------------------------------------------------------------------ */

struct stale {
    char node[KS_WORD];
    int64_t occasion; /**< its last word, or the generation that it lacks: the instant */
    char text[KS_NOTICE_TEXT];
};

struct nodes {
    ks_store *s;
    cs_time now, next;
    struct stale *row; /**< owned */
    size_t n;
};

static void later(cs_time *next, cs_time at, cs_time now)
{
    if (at > now && (*next == 0 || at < *next)) {
        *next = at;
    }
}

static int add_stale(struct nodes *all, const struct ks_node_row *row, cs_time since, cs_error *e)
{
    char at[CS_TIME_TEXT];
    struct stale *more = reallocarray(all->row, all->n + 1, sizeof *more);
    if (more == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    all->row = more;
    struct stale *one = &more[all->n++];
    *one = (struct stale){.occasion = since};
    cs_copy(one->node, sizeof one->node, row->node);
    snprintf(one->text, sizeof one->text,
             since == row->clock_at ? "Its last word came at %s, with generation %llu of the keystore."
                                    : "It speaks, but does not follow: a change of %s is not in force there, it works "
                                      "with generation %llu of the keystore. Why stands in its log.",
             cs_time_format(since, at), (unsigned long long)row->applied);
    return 0;
}

static int look_node(void *ctx, const struct ks_node_row *row, cs_error *e)
{
    struct nodes *all = ctx;
    cs_time missed = 0;
    if (all->now - row->clock_at >= STALE_S) {
        return add_stale(all, row, row->clock_at, e);
    }
    if (all->now - row->clock_at > KS_NODE_ALIVE) {
        later(&all->next, row->clock_at + STALE_S, all->now);
        return 0;
    }
    if (all->s->driver->notices->missed_since(all->s->b, row->applied, &missed, e) != 0) {
        return -1;
    }
    if (missed == 0 || all->now - missed < STALE_S) {
        later(&all->next, missed != 0 ? missed + STALE_S : 0, all->now);
        return 0;
    }
    return add_stale(all, row, missed, e);
}

static int raise_nodes(struct nodes *all, size_t *made, cs_error *e)
{
    ks_store *s = all->s;
    int rc = s->driver->begin(s->b, KS_UPKEEP, e);
    for (size_t i = 0; rc == 0 && i < all->n; i++) {
        const ks_tell t = {.kind = KS_NOTICE_NODE_STALE,
                           .about = all->row[i].node,
                           .occasion = all->row[i].occasion,
                           .text = all->row[i].text,
                           .role = ADMIN_ROLE};
        int added = ks_notice_tell(s, &t, all->now, e);
        rc = added < 0 ? -1 : 0;
        *made += added == 1;
    }
    rc = rc == 0 ? s->driver->commit(s->b, e) : rc;
    s->driver->rollback(s->b);
    return rc;
}

int ks_notice_nodes(ks_store *s, bool dry_run, cs_time now, size_t *made, cs_time *next, cs_error *e)
{
    struct nodes all = {.s = s, .now = now};
    if (!ks_keeps_notices(s)) {
        return 0;
    }
    if (s->driver->begin(s->b, KS_READ, e) != 0) {
        return -1;
    }
    int rc = s->driver->nodes(s->b, look_node, &all, e);
    s->driver->rollback(s->b);
    if (rc == 0 && all.n > 0 && !dry_run) {
        rc = raise_nodes(&all, made, e);
    }
    *next = all.next;
    free(all.row);
    return rc;
}

/* ---- the audit -------------------------------------------------------------------------------------------------- */

/** Is one due? @return 1 line is it, 0 not yet, -1 */
static int look_log(ks_store *s, cs_time now, char line[KS_CHECKPOINT_TEXT], uint64_t *seq, cs_time *next, cs_error *e)
{
    int64_t told = 0;
    cs_time at = 0;
    int rc = s->driver->notices->fact_last(s->b, KS_NOTICE_AUDIT_CHECKPOINT, &told, &at, e) == 0
                 ? ks_checkpoint_now(s, now, line, seq, e)
                 : -1;
    if (rc != 1 || *seq <= (uint64_t)told) {
        return rc < 0 ? -1 : 0;
    }
    if (now - at < EACH_S && *seq - (uint64_t)told < EACH_ROWS) {
        later(next, at + EACH_S, now);
        return 0;
    }
    return 1;
}

int ks_notice_checkpoint(ks_store *s, bool dry_run, cs_time now, size_t *made, cs_time *next, cs_error *e)
{
    char line[KS_CHECKPOINT_TEXT] = "";
    char about[KS_ABOUT];
    uint64_t seq = 0;
    int rc = 0;
    if (!ks_keeps_notices(s) || s->options.time_given) {
        return 0; /* a rehearsal of another day makes no statement about this one */
    }
    rc = s->driver->begin(s->b, KS_READ, e) == 0 ? look_log(s, now, line, &seq, next, e) : -1;
    s->driver->rollback(s->b);
    if (rc != 1 || dry_run) {
        return rc < 0 ? -1 : 0;
    }
    snprintf(about, sizeof about, "row %llu", (unsigned long long)seq);
    const ks_tell t = {.kind = KS_NOTICE_AUDIT_CHECKPOINT,
                       .about = about,
                       .occasion = (int64_t)seq,
                       .text = line,
                       .role = KS_AUDITOR_ROLE};
    if (s->driver->begin(s->b, KS_UPKEEP, e) != 0) {
        return -1;
    }
    rc = ks_notice_tell(s, &t, now, e);
    bool is_new = rc == 1;
    *made += is_new;
    rc = rc >= 0 && s->driver->notices->facts_forget(s->b, KS_NOTICE_AUDIT_CHECKPOINT, now - KEEP_S, e) == 0 &&
                 s->driver->commit(s->b, e) == 0
             ? 0
             : -1;
    s->driver->rollback(s->b);
    if (rc == 0 && is_new) {
        cs_log(CS_LOG_NOTICE, "audit-checkpoint",
               "the audit has come so far; keep this where the keystore cannot be reached", CS_STR("checkpoint", line));
    }
    return rc;
}
