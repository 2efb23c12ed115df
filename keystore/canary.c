/* SPDX-License-Identifier: Apache-2.0 */
/* canary.c: see canary.h. */
#include "keystore/canary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/text.h"
#include "keystore/checkpoint.h"
#include "keystore/notice.h"
#include "keystore/regenerate.h"
#include "keystore/rollover_store.h"

#define FEW     3 /* refusals below which nothing is said about a key */
#define SIGMA_2 9 /* square of how many deviations lie between bad luck and a rise */
#define LOOK_S  2 /* while a share is set */

static const char *const kind[2][2] = {{"share-old", "share-old-refused"}, {"share-new", "share-new-refused"}};

/* ---- the decision ------------------------------------------------------------------------------------------------ */

bool ks_canary_turn(uint64_t turn, unsigned share)
{
    turn %= 100;
    return (turn + 1) * share / 100 > turn * share / 100;
}

bool ks_canary_refused(const struct ks_canary_tally *t)
{
    if (t->refused[1] < FEW) {
        return false;
    }
    /* one refusal and one success more than seen: a key that was never refused is not one that never will be */
    double rate = ((double)t->refused[0] + 1) / ((double)t->answered[0] + 2);
    double expected = rate * (double)t->answered[1];
    double excess = (double)t->refused[1] - expected;
    return excess > 0 && excess * excess > SIGMA_2 * expected;
}

/* ---- in a running process ---------------------------------------------------------------------------------------- */

static void tally_of(const struct ks_material *m, struct ks_canary_tally *out)
{
    for (int i = 0; i < 2; i++) {
        out->answered[i] = atomic_load_explicit(&m->canary.answered[i], memory_order_relaxed);
        out->refused[i] = atomic_load_explicit(&m->canary.refused[i], memory_order_relaxed);
    }
}

static const ks_entry *canary_of(const ks_snapshot *s, const char *alias)
{
    const ks_entry *e = s->n_canary > 0 ? ks_snapshot_slot(s, alias) : NULL;
    for (; e != NULL && e < s->entry + s->n && strcmp(e->m->alias, alias) == 0; e++) {
        if (e->share > 0) {
            return e;
        }
    }
    return NULL;
}

const ks_entry *ks_signer(const ks_snapshot *s, const char *alias)
{
    const ks_entry *c = canary_of(s, alias);
    struct ks_canary_tally t;
    if (c != NULL && ks_entry_private_key(c) != NULL) {
        uint64_t turn = atomic_fetch_add_explicit(&c->m->canary.turn, 1, memory_order_relaxed);
        tally_of(c->m, &t);
        if (ks_canary_turn(turn, c->share) && !ks_canary_refused(&t)) {
            return c;
        }
    }
    return ks_active(s, alias);
}

bool ks_share_set(const ks_snapshot *s, const char *alias)
{
    return canary_of(s, alias) != NULL;
}

void ks_signed_answer(const ks_snapshot *s, const char *alias, unsigned n, bool refused)
{
    const ks_entry *c = canary_of(s, alias);
    if (c != NULL) {
        int which = c->m->n == n;
        atomic_fetch_add_explicit(&c->m->canary.answered[which], 1, memory_order_relaxed);
        if (refused) {
            atomic_fetch_add_explicit(&c->m->canary.refused[which], 1, memory_order_relaxed);
        }
    }
}

struct read {
    ks_snapshot *s;
};

static int read_one(void *ctx, const struct ks_canary_row *row, cs_error *e)
{
    (void)e;
    ks_snapshot *s = ((struct read *)ctx)->s;
    const struct ks_entry *found = ks_snapshot_entry(s, row->entry_id);
    if (found == NULL || found->state != KS_PRE_ACTIVE) {
        return 0;
    }
    struct ks_entry *entry = &s->entry[found - s->entry];
    struct ks_canary_count *c = &entry->m->canary;
    entry->share = row->share;
    entry->share_since = row->since;
    s->n_canary++;
    if (atomic_exchange_explicit(&c->since, row->since, memory_order_relaxed) != row->since) {
        for (int i = 0; i < 2; i++) {
            atomic_store_explicit(&c->answered[i], 0, memory_order_relaxed);
            atomic_store_explicit(&c->refused[i], 0, memory_order_relaxed);
        }
        c->told = UINT64_MAX;
    }
    return 0;
}

int ks_canaries_read(ks_store *store, ks_snapshot *s, cs_error *e)
{
    struct read r = {s};
    for (size_t i = 0; i < s->n; i++) {
        s->entry[i].share = 0;
        s->entry[i].share_since = 0;
    }
    int rc = store->driver->canaries(store->b, 0, read_one, &r, e);
    for (size_t i = 0; rc == 0 && i < s->n; i++) {
        if (s->entry[i].share == 0) { /* the next one begins anew, were it in the same second */
            atomic_store_explicit(&s->entry[i].m->canary.since, 0, memory_order_relaxed);
        }
    }
    return rc;
}

static void object_of(int64_t entry_id, cs_time since, char out[64])
{
    snprintf(out, 64, "%lld@%lld", (long long)entry_id, (long long)since);
}

static int flush_one(ks_store *store, const struct ks_entry *entry, const char *node, cs_time now, cs_error *e)
{
    struct ks_canary_tally t;
    char object[64];
    tally_of(entry->m, &t);
    uint64_t sum = t.answered[0] + t.answered[1] + t.refused[0] + t.refused[1];
    if (sum == entry->m->canary.told) {
        return 0;
    }
    object_of(entry->m->entry_id, entry->share_since, object);
    ks_gauge g[4];
    for (int i = 0; i < 2; i++) {
        g[2 * i] = (ks_gauge){kind[i][0], object, (int64_t)t.answered[i]};
        g[2 * i + 1] = (ks_gauge){kind[i][1], object, (int64_t)t.refused[i]};
    }
    if (ks_gauges_put(store, node, g, 4, now, e) != 0) {
        return -1;
    }
    entry->m->canary.told = sum;
    return 0;
}

int ks_canaries_flush(ks_store *store, const ks_snapshot *s, const char *node, cs_time now, cs_error *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && s->n_canary > 0 && i < s->n; i++) {
        rc = s->entry[i].share > 0 ? flush_one(store, &s->entry[i], node, now, e) : 0;
    }
    return rc;
}

/* ---- setting it and taking it back ------------------------------------------------------------------------------- */

static int write_share(struct ks_verb_work *v, const struct ks_canary_row *row, cs_error *e)
{
    struct ks_work *w = v->w;
    const struct ks_driver *d = w->s->driver;
    char object[KS_WORD + 12];
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_int(&j, "share", row->share);
    cs_json_object_end(&j);
    snprintf(object, sizeof object, "%s#%u", v->r->alias, v->r->n);
    int rc = b.failed         ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory")
             : row->share > 0 ? d->canary_set(w->s->b, row, e)
                              : d->canary_remove(w->s->b, row->entry_id, e);
    if (rc == 0 && v->r->automatic) {
        rc = ks_notice_add(w->s, KS_NOTICE_SHARE_ENDED, row->entry_id, w->now,
                           w->who->reason != NULL ? w->who->reason : "", w->now, e) < 0
                 ? -1
                 : 0;
    }
    if (rc == 0 && v->consent.given) {
        rc = ks_consent_use(w->s, &v->consent, w->now, e);
    }
    rc = rc == 0 ? ks_verb_record(w, "share", object, b.data, e) : rc;
    cs_buf_free(&b);
    return rc;
}

struct sum {
    const char *object;
    uint64_t *n;
};

static int add_up(void *ctx, const char *node, const char *object, int64_t n, cs_time at, cs_error *e)
{
    (void)node;
    (void)at;
    (void)e;
    struct sum *s = ctx;
    *s->n += strcmp(object, s->object) == 0 && n > 0 ? (uint64_t)n : 0;
    return 0;
}

static int tally_read(ks_store *s, const struct ks_canary_row *row, struct ks_canary_tally *t, cs_error *e)
{
    char object[64];
    int rc = 0;
    memset(t, 0, sizeof *t);
    object_of(row->entry_id, row->since, object);
    for (int i = 0; rc == 0 && i < 4; i++) {
        struct sum sum = {object, i % 2 == 0 ? &t->answered[i / 2] : &t->refused[i / 2]};
        rc = s->driver->rollovers->gauges(s->b, kind[i / 2][i % 2], add_up, &sum, e);
    }
    return rc;
}

/** Numbers are kept under the second in which the share was set: one that has none yet. */
static int fresh_since(ks_store *s, struct ks_canary_row *row, cs_error *e)
{
    struct ks_canary_tally t;
    int rc = tally_read(s, row, &t, e);
    while (rc == 0 && t.answered[0] + t.answered[1] > 0) {
        row->since++;
        rc = tally_read(s, row, &t, e);
    }
    return rc;
}

struct find {
    int64_t entry_id;
    unsigned share;
};

static int find_one(void *ctx, const struct ks_canary_row *row, cs_error *e)
{
    (void)e;
    struct find *f = ctx;
    f->share = row->entry_id == f->entry_id ? row->share : f->share;
    return 0;
}

/** May this entry have a share at all? */
static int may_share(const struct ks_verb_work *v, const struct ks_row *row, cs_error *e)
{
    const struct ks_work *w = v->w;
    bool active = false;
    for (size_t i = 0; i < w->before.n; i++) {
        active = active || w->before.entry[i].state == KS_ACTIVE;
    }
    if (w->slot.role != KS_SIGN || row->info.state != KS_PRE_ACTIVE) {
        return cs_error_set(e, CS_EXIT_USAGE, "usage",
                            "a share of messages is signed with a pre-active entry of role sign; %s#%u is %s and %s",
                            v->r->alias, v->r->n, ks_role_word(w->slot.role), ks_state_word(row->info.state));
    }
    return active ? 0
                  : cs_error_set(e, CS_EXIT_USAGE, "usage",
                                 "no entry of %s is active, that the others could be signed with; leave --canary out",
                                 v->r->alias);
}

int ks_canary_within(struct ks_verb_work *v, ks_outcome *out, cs_error *e)
{
    struct ks_work *w = v->w;
    const ks_request *r = v->r;
    const struct ks_row *row = w->slot.slot_id != 0 ? ks_work_row(w, r->n) : NULL;
    if (row == NULL) {
        return ks_work_unknown(w, r->alias, r->n, e);
    }
    struct find f = {.entry_id = row->entry_id};
    struct ks_canary_row new = {.entry_id = row->entry_id, .share = r->share, .since = w->now};
    snprintf(new.actor, sizeof new.actor, "%s", w->who->name);
    snprintf(new.reason, sizeof new.reason, "%s", w->who->reason != NULL ? w->who->reason : "");
    if (w->s->driver->canaries(w->s->b, w->slot.slot_id, find_one, &f, e) != 0 ||
        (r->share > 0 && (may_share(v, row, e) != 0 || ks_verb_judge(v, out, e) != 0))) {
        return -1;
    }
    ks_view_copy(&w->after, &w->before);
    ks_work_info(w, r->n, &out->info);
    out->has_other = false;
    out->info.share = r->share;
    out->generation = w->generation;
    if (f.share == r->share) {
        ks_note(out, "nothing to do: the share of %s#%u is %u %% already", r->alias, r->n, f.share);
        out->generation = w->generation - 1;
        out->done = !r->dry_run;
        return 0;
    }
    if (!w->dry_run && (fresh_since(w->s, &new, e) != 0 || write_share(v, &new, e) != 0)) {
        return -1;
    }
    if (r->share > 0) {
        ks_note(out,
                "%u %% of the requests are signed with it; taken back by itself when it is refused more often than the "
                "active one, or by: countersign keystore activate %s#%u --canary 0",
                r->share, r->alias, r->n);
    }
    out->done = !r->dry_run;
    return 0;
}

/* ---- the keeper -------------------------------------------------------------------------------------------------- */

struct due {
    ks_store *s;
    struct ks_canary_row *row; /**< owned */
    size_t n;
};

static int take(void *ctx, const struct ks_canary_row *row, cs_error *e)
{
    struct due *d = ctx;
    struct ks_canary_row *grown = reallocarray(d->row, d->n + 1, sizeof *grown);
    if (grown == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    d->row = grown;
    d->row[d->n++] = *row;
    return 0;
}

static int take_back(ks_store *s, const struct ks_canary_row *row, const struct ks_canary_tally *t, bool dry_run,
                     cs_time now, ks_report *report, cs_error *e)
{
    char why[160];
    ks_due *told = NULL;
    cs_error refused = {0};
    ks_outcome *out = calloc(1, sizeof *out);
    snprintf(why, sizeof why, "%llu of %llu requests refused with the new key, %llu of %llu with the active one",
             (unsigned long long)t->refused[1], (unsigned long long)t->answered[1], (unsigned long long)t->refused[0],
             (unsigned long long)t->answered[0]);
    const ks_actor who = {"keeper", "keeper", why};
    const ks_request r = {.verb = KS_DO_ACTIVATE,
                          .alias = row->alias,
                          .n = row->n,
                          .has_share = true,
                          .dry_run = dry_run,
                          .automatic = true};
    if (out == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    int rc = ks_change(s, &r, &who, now, out, &refused);
    if (ks_report_add(report, row->alias, row->n, "share", rc != 0 ? refused.text : "", &told, e) != 0) {
        free(out);
        return -1;
    }
    told->done = rc == 0 && !dry_run;
    told->generation = out->generation;
    report->notices += told->done;
    free(out);
    return 0;
}

struct counted {
    int64_t entry_id;
    struct ks_canary_row row;
    bool set;
};

static int count_one(void *ctx, const struct ks_canary_row *row, cs_error *e)
{
    (void)e;
    struct counted *c = ctx;
    if (row->entry_id == c->entry_id) {
        c->row = *row;
        c->set = true;
    }
    return 0;
}

int ks_canary_counted(ks_store *s, int64_t entry_id, struct ks_canary_tally *t, bool *set, cs_error *e)
{
    struct counted c = {.entry_id = entry_id};
    memset(t, 0, sizeof *t);
    int rc = s->driver->canaries(s->b, 0, count_one, &c, e);
    *set = c.set;
    return rc == 0 && c.set ? tally_read(s, &c.row, t, e) : rc;
}

int ks_canary_due(ks_store *s, bool dry_run, cs_time now, ks_report *out, cs_time *next, cs_error *e)
{
    struct due d = {.s = s};
    *next = 0;
    int rc = s->driver->canaries(s->b, 0, take, &d, e);
    for (size_t i = 0; rc == 0 && i < d.n; i++) {
        struct ks_canary_tally t;
        rc = tally_read(s, &d.row[i], &t, e);
        if (rc == 0 && ks_canary_refused(&t)) {
            rc = take_back(s, &d.row[i], &t, dry_run, now, out, e);
        }
        *next = now + LOOK_S;
    }
    free(d.row);
    return rc;
}
