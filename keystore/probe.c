/* SPDX-License-Identifier: Apache-2.0 */
/* probe.c: see probe.h. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "keystore/checkpoint.h"
#include "keystore/rollover_store.h"
#include "keystore/words.h"

static const char *const outcome_word[] = {"silent", "accepted", "refused"};

const char *ks_probe_outcome_word(enum ks_probe_outcome o)
{
    return outcome_word[o];
}

/* ---- which entry ----------------------------------------------------------------------------------------------- */

struct of_entry {
    int64_t entry_id;
    bool key;
};

static int take_entry(void *ctx, const struct ks_row *row, cs_error *e)
{
    (void)e;
    struct of_entry *o = ctx;
    o->entry_id = row->entry_id;
    o->key = row->key_id[0] != '\0';
    return 0;
}

/** n 0: the slot alone, entry_id stays 0. @return 0, or -1: not there (64) */
static int find(ks_store *s, const char *alias, unsigned n, struct ks_slot *slot, struct of_entry *o, cs_error *e)
{
    struct ks_row_filter f = {.alias = alias, .n = n};
    memset(o, 0, sizeof *o);
    int rc = s->driver->slot_get(s->b, alias, slot, e);
    if (rc == 1 && n != 0) {
        rc = s->driver->rows(s->b, &f, take_entry, o, e) == 0 ? o->entry_id != 0 : -1;
    }
    return rc == 0 ? cs_error_set(e, CS_EXIT_USAGE, "entry-unknown", "the keystore has no entry %.64s#%u", alias, n)
                   : (rc < 0 ? -1 : 0);
}

/* ---- results --------------------------------------------------------------------------------------------------- */

int ks_probe_put_all(ks_store *s, const ks_probe_result *r, size_t n, cs_error *e)
{
    struct ks_slot slot;
    struct of_entry o;
    int rc = s->driver->begin(s->b, KS_UPKEEP, e);
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = find(s, r[i].alias, r[i].n, &slot, &o, e) == 0
                 ? s->driver->rollovers->probe_put(s->b, o.entry_id, &r[i], e)
                 : -1;
    }
    rc = rc == 0 ? s->driver->commit(s->b, e) : -1;
    s->driver->rollback(s->b);
    return rc;
}

int ks_probe_put(ks_store *s, const ks_probe_result *r, cs_error *e)
{
    return ks_probe_put_all(s, r, 1, e);
}

int ks_probe_each(ks_store *s, const char *alias, unsigned n, ks_visit_probe *visit, void *ctx, cs_error *e)
{
    struct ks_slot slot;
    struct of_entry o;
    return find(s, alias, n, &slot, &o, e) == 0
               ? s->driver->rollovers->probes(s->b, slot.slot_id, o.entry_id, visit, ctx, e)
               : -1;
}

/* ---- asking ---------------------------------------------------------------------------------------------------- */

static int take_newest(void *ctx, const ks_probe_result *r, cs_error *e)
{
    (void)e;
    cs_time *newest = ctx;
    *newest = r->at > *newest ? r->at : *newest;
    return 0;
}

int ks_probe_ask(ks_store *s, const char *alias, unsigned n, const ks_actor *who, cs_time now, uint64_t *generation,
                 cs_error *e)
{
    struct ks_slot slot;
    struct of_entry o;
    uint64_t seq = 0;
    cs_time newest = 0;
    int rc = -1;
    if (s->driver->begin(s->b, KS_UPKEEP, e) != 0 || find(s, alias, n, &slot, &o, e) != 0) {
        goto out;
    }
    if (!o.key || slot.role != KS_TLS_CLIENT) {
        cs_error_set(e, CS_EXIT_USAGE, "probe-key",
                     "%s#%u cannot be presented: a probe needs an entry of role %s with a key", alias, n,
                     ks_role_word(KS_TLS_CLIENT));
        goto out;
    }
    if (s->driver->generation(s->b, generation, e) != 0 || s->driver->generation_seq(s->b, *generation, &seq, e) != 0 ||
        s->driver->rollovers->probes(s->b, slot.slot_id, o.entry_id, take_newest, &newest, e) != 0) {
        goto out;
    }
    /* an answer of this very second was to an earlier question: the new one counts from the next on; a node whose clock
     * is far ahead does not put it off */
    cs_time at = newest >= now && newest - now < KS_NODE_ALIVE ? newest + 1 : now;
    if (s->driver->rollovers->probe_ask(s->b, o.entry_id, at, e) != 0) {
        goto out;
    }
    *generation += 1;
    if (ks_generation_next(s, now, "probe", who, seq, *generation, e) == 0) {
        rc = ks_commit(s, e);
    }
out:
    s->driver->rollback(s->b);
    return rc;
}

int ks_probe_asks(ks_store *s, cs_time now, ks_visit_asked *visit, void *ctx, cs_error *e)
{
    return s->driver->rollovers->probe_asks(s->b, now - KS_PROBE_FRESH, visit, ctx, e);
}

struct asking {
    const char *alias;
    unsigned n;
    cs_time *at;
};

static int find_ask(void *ctx, const ks_probe_asked *a, cs_error *e)
{
    (void)e;
    struct asking *f = ctx;
    *f->at = a->n == f->n && strcmp(a->alias, f->alias) == 0 && a->at > *f->at ? a->at : *f->at;
    return 0;
}

int ks_probe_asked_at(ks_store *s, const char *alias, unsigned n, cs_time now, cs_time *at, cs_error *e)
{
    struct asking f = {alias, n, at};
    *at = 0;
    return ks_probe_asks(s, now, find_ask, &f, e);
}

/* ---- what they say together ------------------------------------------------------------------------------------ */

struct together {
    const char *alias;
    cs_time since, now;
    struct heard {
        char node[KS_WORD];
        bool uses;
        unsigned accepted, refused, silent;
        int status;
    } node[KS_VIEW_NODES];
    size_t n;
};

static struct heard *heard_of(struct together *t, const char *node)
{
    for (size_t i = 0; i < t->n; i++) {
        if (strcmp(t->node[i].node, node) == 0) {
            return &t->node[i];
        }
    }
    return NULL;
}

static int take_node(void *ctx, const struct ks_node_row *row, cs_error *e)
{
    (void)e;
    struct together *t = ctx;
    if (t->now - row->clock_at <= KS_NODE_ALIVE && t->n < KS_VIEW_NODES) {
        cs_copy(t->node[t->n++].node, KS_WORD, row->node);
    }
    return 0;
}

static int take_use(void *ctx, const char *node, const ks_node_use *use, cs_error *e)
{
    (void)e;
    struct together *t = ctx;
    struct heard *h = heard_of(t, node);
    if (h != NULL && use->alias != NULL && strcmp(use->alias, t->alias) == 0) {
        h->uses = true;
    }
    return 0;
}

static int take_result(void *ctx, const ks_probe_result *r, cs_error *e)
{
    (void)e;
    struct together *t = ctx;
    struct heard *h = heard_of(t, r->node);
    if (h == NULL || r->at < t->since) {
        return 0;
    }
    if (r->outcome == KS_PROBE_ACCEPTED && r->asked) {
        h->accepted++;
    } else if (r->outcome == KS_PROBE_REFUSED) {
        h->refused++;
    } else {
        h->silent++;
    }
    h->status = r->status != 0 ? r->status : h->status;
    return 0;
}

static void tell(ks_probe_said *out, size_t *used, const struct heard *h, const char *word)
{
    int n = 0;
    if (*used >= sizeof out->text) {
        return;
    }
    n = h->status != 0
            ? snprintf(out->text + *used, sizeof out->text - *used, "%s%s %s (%d)", *used > 0 ? ", " : "", h->node,
                       word, h->status)
            : snprintf(out->text + *used, sizeof out->text - *used, "%s%s %s", *used > 0 ? ", " : "", h->node, word);
    *used += n > 0 ? (size_t)n : 0;
}

int ks_probe_summary(ks_store *s, const char *alias, unsigned n, cs_time since, cs_time now, ks_probe_said *out,
                     cs_error *e)
{
    struct together t = {.alias = alias, .since = since, .now = now};
    size_t used = 0;
    memset(out, 0, sizeof *out);
    if (now - KS_PROBE_FRESH > t.since) {
        t.since = now - KS_PROBE_FRESH;
    }
    if (s->driver->nodes(s->b, take_node, &t, e) != 0 || s->driver->node_uses_each(s->b, take_use, &t, e) != 0 ||
        ks_probe_each(s, alias, n, take_result, &t, e) != 0) {
        return -1;
    }
    for (size_t i = 0; i < t.n; i++) {
        const struct heard *h = &t.node[i];
        if (!h->uses) {
            continue;
        }
        bool accepted = h->accepted > 0 && h->refused == 0 && h->silent == 0;
        out->nodes++;
        out->refused += h->refused > 0;
        out->accepted += accepted;
        out->silent += h->refused == 0 && !accepted;
        out->unheard += h->accepted + h->refused + h->silent == 0;
        tell(out, &used, h,
             h->refused > 0  ? "refused"
             : accepted      ? "accepted"
             : h->silent > 0 ? "no evidence"
                             : "no result");
    }
    if (out->nodes == 0) {
        cs_copy(out->text, sizeof out->text, "no live node uses the slot");
    }
    return 0;
}

/* ---- guard G11 -------------------------------------------------------------------------------------------------- */

#define WANTED "probe-wanted" /* kind of the number that a node reports */

int ks_probe_wanted(ks_store *s, const char *node, const char *alias, unsigned wanted, cs_time now, cs_error *e)
{
    int rc = s->driver->begin(s->b, KS_UPKEEP, e);
    if (rc == 0) {
        rc = s->driver->rollovers->gauge_set(s->b, node, WANTED, alias, wanted, now, e) == 0 ? ks_commit(s, e) : -1;
    }
    s->driver->rollback(s->b);
    return rc;
}

struct wanting {
    const char *alias;
    const struct together *live;
    unsigned wanted;
};

static int take_wanted(void *ctx, const char *node, const char *object, int64_t n, cs_time at, cs_error *e)
{
    (void)at;
    (void)e;
    struct wanting *w = ctx;
    for (size_t i = 0; i < w->live->n; i++) {
        bool counts = n > w->wanted && n <= UINT_MAX && strcmp(object, w->alias) == 0;
        w->wanted = counts && strcmp(w->live->node[i].node, node) == 0 ? (unsigned)n : w->wanted;
    }
    return 0;
}

int ks_probe_wants(ks_store *s, const char *alias, cs_time now, unsigned *wanted, cs_error *e)
{
    struct together live = {.alias = alias, .now = now};
    struct wanting w = {alias, &live, 0};
    *wanted = 0;
    if (s->driver->nodes(s->b, take_node, &live, e) != 0 ||
        s->driver->rollovers->gauges(s->b, WANTED, take_wanted, &w, e) != 0) {
        return -1;
    }
    *wanted = w.wanted;
    return 0;
}

int ks_probe_state(ks_store *s, const char *alias, unsigned n, cs_time now, bool *wanted, ks_probe_said *out,
                   cs_error *e)
{
    unsigned most = 0;
    memset(out, 0, sizeof *out);
    if (ks_probe_wants(s, alias, now, &most, e) != 0) {
        return -1;
    }
    *wanted = most > 0;
    return *wanted ? ks_probe_summary(s, alias, n, 0, now, out, e) : 0;
}
