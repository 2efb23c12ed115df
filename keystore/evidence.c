/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evidence.c: what is known of the use of an entry: by whom, where, when; where its alias, partner and key are used;
 * and whether it may be removed. It decides nothing itself: the guards of a rehearsed removal are asked.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/store.h"

static int no_memory(cs_error *e)
{
    return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
}

void ks_evidence_free(ks_evidence *v)
{
    free(v->sender);
    free(v->where);
    free(v->twin);
    free(v->silent);
    v->sender = NULL;
    v->where = NULL;
    v->twin = NULL;
    v->silent = NULL;
    v->n_sender = v->n_where = v->n_twin = v->n_silent = 0;
}

/* ---- where ------------------------------------------------------------------------------------------------------- */

static int take_use(void *ctx, const char *node, const ks_node_use *use, cs_error *e)
{
    ks_evidence *v = ctx;
    (void)node;
    bool mine = (use->alias[0] != '\0' && strcmp(use->alias, v->info.alias) == 0) ||
                (use->partner[0] != '\0' && strcmp(use->partner, v->info.partner) == 0);
    if (!mine) {
        return 0;
    }
    for (size_t i = 0; i < v->n_where; i++) {
        ks_where *w = &v->where[i];
        if (strcmp(w->route, use->route) == 0 && strcmp(w->alias, use->alias) == 0 &&
            strcmp(w->partner, use->partner) == 0) {
            w->nodes++;
            return 0;
        }
    }
    ks_where *more = reallocarray(v->where, v->n_where + 1, sizeof *more);
    if (more == NULL) {
        return no_memory(e);
    }
    v->where = more;
    ks_where *w = &more[v->n_where++];
    cs_copy(w->route, sizeof w->route, use->route);
    cs_copy(w->alias, sizeof w->alias, use->alias);
    cs_copy(w->partner, sizeof w->partner, use->partner);
    w->nodes = 1;
    return 0;
}

static int take_twin(void *ctx, const struct ks_row *row, cs_error *e)
{
    ks_evidence *v = ctx;
    if (row->info.n == v->info.n && strcmp(row->info.alias, v->info.alias) == 0) {
        return 0;
    }
    ks_twin *more = reallocarray(v->twin, v->n_twin + 1, sizeof *more);
    if (more == NULL) {
        return no_memory(e);
    }
    v->twin = more;
    ks_twin *t = &more[v->n_twin++];
    cs_copy(t->alias, sizeof t->alias, row->info.alias);
    t->n = row->info.n;
    t->role = row->info.role;
    t->state = row->info.state;
    return 0;
}

int ks_where_used(ks_store *s, const ks_info *info, ks_evidence *out, cs_error *e)
{
    memset(out, 0, sizeof *out);
    out->info = *info;
    struct ks_row_filter same_key = {.spki = info->spki_sha256};
    if (s->driver->node_uses_each(s->b, take_use, out, e) != 0 ||
        s->driver->rows(s->b, &same_key, take_twin, out, e) != 0) {
        return -1;
    }
    return 0;
}

/* ---- uses -------------------------------------------------------------------------------------------------------- */

static int add_sender(ks_evidence *v, const struct ks_use_row *row, cs_error *e)
{
    for (size_t i = 0; i < v->n_sender; i++) {
        ks_sender_use *u = &v->sender[i];
        if (strcmp(u->node, row->node) == 0 && strcmp(u->sender, row->c.sender) == 0) {
            u->n += row->c.ok;
            u->last = row->c.last > u->last ? row->c.last : u->last;
            return 0;
        }
    }
    ks_sender_use *more = reallocarray(v->sender, v->n_sender + 1, sizeof *more);
    if (more == NULL) {
        return no_memory(e);
    }
    v->sender = more;
    ks_sender_use *u = &more[v->n_sender++];
    cs_copy(u->node, sizeof u->node, row->node);
    cs_copy(u->sender, sizeof u->sender, row->c.sender);
    u->n = row->c.ok;
    u->last = row->c.last;
    return 0;
}

struct uses {
    ks_evidence *v;
    int64_t recent_from; /**< day */
    cs_time newest;
};

static int take_day(void *ctx, const struct ks_use_row *row, cs_error *e)
{
    struct uses *u = ctx;
    bool recent = row->c.day >= u->recent_from;
    if (row->by_sender) {
        return recent ? add_sender(u->v, row, e) : 0;
    }
    u->v->recent_ok += recent ? row->c.ok : 0;
    u->v->recent_bad += recent ? row->c.bad : 0;
    if (row->c.ok > 0 && row->c.last > u->newest) {
        u->newest = row->c.last;
        cs_copy(u->v->last_node, sizeof u->v->last_node, row->node);
    }
    return 0;
}

static int by_count(const void *a, const void *b)
{
    const ks_sender_use *x = a;
    const ks_sender_use *y = b;
    return x->n != y->n ? (x->n < y->n ? 1 : -1) : strcmp(x->sender, y->sender);
}

static int read_uses(ks_store *s, int64_t entry_id, cs_time now, ks_evidence *v, cs_error *e)
{
    struct uses u = {v, now / CS_DAY - 1, 0};
    int64_t last_day = v->info.last_use / CS_DAY;
    int64_t from = v->info.last_use != 0 && last_day < u.recent_from ? last_day : u.recent_from;
    if (s->driver->uses(s->b, entry_id, from, take_day, &u, e) != 0) {
        return -1;
    }
    if (v->n_sender > 0) {
        qsort(v->sender, v->n_sender, sizeof *v->sender, by_count);
    }
    return 0;
}

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

struct silence {
    ks_evidence *v;
    cs_time now;
};

static int take_silent(void *ctx, const struct ks_node_row *row, cs_error *e)
{
    struct silence *q = ctx;
    if (q->now - row->clock_at <= KS_NODE_ALIVE) {
        return 0;
    }
    char(*more)[KS_WORD] = reallocarray(q->v->silent, q->v->n_silent + 1, sizeof *more);
    if (more == NULL) {
        return no_memory(e);
    }
    q->v->silent = more;
    memcpy(more[q->v->n_silent++], row->node, KS_WORD);
    return 0;
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

struct found {
    int64_t entry_id;
};

static int take_id(void *ctx, const struct ks_row *row, cs_error *e)
{
    (void)e;
    ((struct found *)ctx)->entry_id = row->entry_id;
    return 0;
}

/** Rehearse the removal: who refuses it. Two persons may still be asked; that says nothing of use. */
static int ask_guards(ks_store *s, const ks_actor *who, cs_time now, ks_evidence *v, cs_error *e)
{
    const ks_request r = {.verb = KS_DO_REMOVE, .alias = v->info.alias, .n = v->info.n, .dry_run = true};
    cs_error why = {0};
    ks_outcome *out = calloc(1, sizeof *out);
    if (out == NULL) {
        return no_memory(e);
    }
    int rc = ks_change(s, &r, who, now, out, &why);
    bool by_time = true;
    for (size_t i = 0; i < out->n_refusal && v->n_refusal < sizeof v->refusal / sizeof v->refusal[0]; i++) {
        const ks_refusal *f = &out->refusal[i];
        if (f->guard == KS_G10_TWO_PERSONS) {
            continue;
        }
        v->refusal[v->n_refusal++] = *f;
        by_time = by_time && f->allowed_from != 0;
        v->earliest = f->allowed_from > v->earliest ? f->allowed_from : v->earliest;
    }
    v->earliest = by_time ? v->earliest : 0;
    bool judged = rc == 0 || why.exit_code == CS_EXIT_GUARD || why.exit_code == CS_EXIT_APPROVAL;
    if (!judged) {
        *e = why;
    }
    free(out);
    return judged ? 0 : -1;
}

int ks_evidence_read(ks_store *s, const char *alias, unsigned n, const ks_actor *who, cs_time now, ks_evidence *out,
                     cs_error *e)
{
    ks_list list = {NULL, 0};
    const ks_filter filter = {.alias = alias, .n = n, .with_destroyed = true};
    struct ks_row_filter one = {.alias = alias, .n = n, .with_destroyed = true};
    struct found found = {0};
    struct silence silence = {out, now};
    int rc = -1;
    memset(out, 0, sizeof *out);
    if (ks_list_entries(s, &filter, now, &list, e) != 0) {
        return -1;
    }
    if (list.n == 0) {
        cs_error_set(e, CS_EXIT_USAGE, "entry-unknown", "no entry %s#%u; see: countersign keystore show %s", alias, n,
                     alias);
        goto out;
    }
    if (ks_where_used(s, &list.info[0], out, e) != 0 || s->driver->rows(s->b, &one, take_id, &found, e) != 0 ||
        read_uses(s, found.entry_id, now, out, e) != 0 || s->driver->nodes(s->b, take_silent, &silence, e) != 0 ||
        ask_guards(s, who, now, out, e) != 0) {
        goto out;
    }
    out->safe = out->n_refusal == 0 && out->n_silent == 0;
    rc = 0;
out:
    ks_list_free(&list);
    return rc;
}
