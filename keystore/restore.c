/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore.c: a backup against the store: what differs, and what the store lacks comes back. Nothing that the store has
 * is replaced: an empty store takes the whole backup with its identity and audit, any other one the missing entries,
 * their keys sealed anew.
 */
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/backup.h"
#include "keystore/checkpoint.h"
#include "keystore/consent.h"
#include "keystore/record.h"
#include "keystore/seal.h"
#include "keystore/words.h"

struct restore {
    ks_store *s;
    struct ks_scratch x;
    const ks_restore_request *q;
    struct ks_keyring *ring; /**< opens keys of the backup */
    struct ks_record r;
    ks_restored *out;
    size_t cap;
    char checkpoint_key[128]; /**< public half of this machine's, "" none */
    struct ks_consent consent;
};

static int no_memory(cs_error *e)
{
    return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
}

/* ---- what differs ------------------------------------------------------------------------------------------------ */

static int note(struct restore *w, enum ks_difference_kind kind, const ks_info *info, enum ks_state here, cs_error *e)
{
    if (w->out->n == w->cap) {
        size_t cap = w->cap == 0 ? 16 : w->cap * 2;
        ks_difference *more = reallocarray(w->out->difference, cap, sizeof *more);
        if (more == NULL) {
            return no_memory(e);
        }
        w->out->difference = more;
        w->cap = cap;
    }
    w->out->difference[w->out->n++] = (ks_difference){.kind = kind, .info = *info, .here = here};
    return 0;
}

struct list {
    struct ks_row *row;
    size_t n, cap;
};

static int keep(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct list *l = ctx;
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 64 : l->cap * 2;
        struct ks_row *more = reallocarray(l->row, cap, sizeof *more);
        if (more == NULL) {
            return no_memory(e);
        }
        l->row = more;
        l->cap = cap;
    }
    l->row[l->n++] = *row;
    return 0;
}

static int by_certificate(const void *a, const void *b)
{
    const ks_info *x = &((const struct ks_row *)a)->info;
    const ks_info *y = &((const struct ks_row *)b)->info;
    int order = strcmp(x->alias, y->alias);
    return order != 0 ? order : memcmp(x->sha256, y->sha256, sizeof x->sha256);
}

static int read_list(ks_store *s, const char *only, struct list *l, cs_error *e)
{
    struct ks_row_filter f = {.alias = only};
    if (s->driver->rows(s->b, &f, keep, l, e) != 0) {
        return -1;
    }
    if (l->n > 0) {
        qsort(l->row, l->n, sizeof *l->row, by_certificate);
    }
    return 0;
}

/** Two sorted lists side by side. Within transactions on both. */
static int compare(struct restore *w, cs_error *e)
{
    struct list here = {0};
    struct list there = {0};
    size_t i = 0;
    size_t k = 0;
    int rc = read_list(w->s, w->q->only, &here, e) == 0 && read_list(w->x.s, w->q->only, &there, e) == 0 ? 0 : -1;
    while (rc == 0 && (i < here.n || k < there.n)) {
        int order = i == here.n ? 1 : k == there.n ? -1 : by_certificate(&here.row[i], &there.row[k]);
        if (order < 0) {
            rc = note(w, KS_ONLY_HERE, &here.row[i].info, here.row[i].info.state, e);
            i++;
        } else if (order > 0) {
            rc = note(w, KS_ONLY_BACKUP, &there.row[k].info, KS_STATES, e);
            k++;
        } else {
            if (here.row[i].info.state != there.row[k].info.state) {
                rc = note(w, KS_DIFFERS, &there.row[k].info, here.row[i].info.state, e);
            }
            i++;
            k++;
        }
    }
    free(here.row);
    free(there.row);
    return rc;
}

/* ---- one entry --------------------------------------------------------------------------------------------------- */

struct counted {
    const char *algorithm;
    bool per_key_type;
    unsigned active, keyed;
};

static int count(void *ctx, const struct ks_row *row, cs_error *e)
{
    (void)e;
    struct counted *c = ctx;
    const ks_info *i = &row->info;
    c->active += i->state == KS_ACTIVE && (!c->per_key_type || strcmp(i->key_algorithm, c->algorithm) == 0);
    c->keyed += i->has_key && (i->state == KS_PRE_ACTIVE || i->state == KS_ACTIVE || i->state == KS_DEACTIVATED);
    return 0;
}

/** The limits of its slot hold for an entry that comes back, too: where another is active, it waits. */
static int fit(struct restore *w, struct ks_row *row, cs_error *e)
{
    const struct ks_role_row *role = ks_role_row(row->info.role);
    struct counted c = {.algorithm = row->info.key_algorithm, .per_key_type = role->per_key_type};
    struct ks_row_filter f = {.alias = row->info.alias};
    if (w->s->driver->rows(w->s->b, &f, count, &c, e) != 0) {
        return -1;
    }
    if (role->max_keyed != 0 && row->info.has_key && c.keyed >= role->max_keyed) {
        return cs_error_set(e, CS_EXIT_GUARD, "limit-two",
                            "refused G2 limit-two: %s holds %u entries with keys already; remove one first, or restore "
                            "others with --only",
                            row->info.alias, c.keyed);
    }
    if (row->info.state == KS_ACTIVE && c.active >= role->max_active) {
        row->info.state = KS_PRE_ACTIVE;
        row->info.activated_at = 0;
    }
    return 0;
}

static int slot_of(struct restore *w, const ks_info *info, struct ks_slot *slot, cs_error *e)
{
    int found = w->s->driver->slot_get(w->s->b, info->alias, slot, e);
    if (found < 0) {
        return -1;
    }
    if (found == 1) {
        return slot->role == info->role && strcmp(slot->partner, info->partner) == 0
                   ? 0
                   : cs_error_set(e, CS_EXIT_USAGE, "role-differs",
                                  "%s is a slot for something else here (%s %s; in the backup %s %s)", info->alias,
                                  ks_role_word(slot->role), slot->partner, ks_role_word(info->role), info->partner);
    }
    *slot = (struct ks_slot){.role = info->role};
    cs_copy(slot->alias, sizeof slot->alias, info->alias);
    cs_copy(slot->partner, sizeof slot->partner, info->partner);
    return w->s->driver->slot_add(w->s->b, slot, w->r.generation, e);
}

/** Out of the backup's sealing, into the store's: other identity, and perhaps another key-encryption key. */
static int take_key(struct restore *w, const struct ks_slot *slot, struct ks_row *row, cs_error *e)
{
    struct ks_slot before = {.role = row->info.role};
    struct ks_key_row old = {0};
    struct ks_key_row key = {.created_at = w->r.now};
    uint8_t *ct = NULL;
    EVP_PKEY *opened = NULL;
    if (row->key_id[0] == '\0') {
        return 0;
    }
    cs_copy(before.alias, sizeof before.alias, row->info.alias);
    memcpy(key.spki_sha256, row->info.spki_sha256, sizeof key.spki_sha256);
    int rc = w->x.s->driver->key_get(w->x.s->b, row->key_id, &old, &ct, e) == 1 ? 0 : -1;
    free(ct);
    if (rc == 0 && old.pkcs11_uri[0] == '\0') {
        rc = ks_key_open(w->x.s, w->ring, &before, row->key_id, &opened, e);
    }
    if (rc == 0) {
        rc = ks_key_store(w->s, slot, opened, old.pkcs11_uri[0] != '\0' ? old.pkcs11_uri : NULL, &key, e);
        cs_copy(row->key_id, sizeof row->key_id, key.key_id);
    }
    EVP_PKEY_free(opened);
    return rc;
}

struct spans {
    struct restore *w;
    int64_t entry_id;
    bool waits; /**< it came in pre-active: nothing that is open holds */
};

static int take_span(void *ctx, const struct ks_interval *i, cs_error *e)
{
    struct spans *t = ctx;
    struct ks_interval mine = *i;
    mine.entry_id = t->entry_id;
    mine.cause_seq = t->w->r.seq;
    mine.end_seq = 0;
    return t->waits && i->to == KS_FOREVER ? 0 : t->w->s->driver->interval_add(t->w->s->b, &mine, e);
}

/** Visited on the scratch store, with the certificate's octets. */
static int take_entry(void *ctx, const struct ks_row *found, cs_error *e)
{
    struct restore *w = ctx;
    struct ks_row row = *found;
    struct ks_slot slot;
    char object[KS_WORD + 12];
    char after[128];
    unsigned n = 0;
    if (slot_of(w, &row.info, &slot, e) != 0 || w->s->driver->last_n(w->s->b, slot.slot_id, &n, e) != 0 ||
        fit(w, &row, e) != 0 || take_key(w, &slot, &row, e) != 0) {
        return -1;
    }
    row.slot_id = slot.slot_id;
    row.info.n = n + 1;
    row.info.version = w->r.generation;
    row.changed_at = w->r.now;
    snprintf(object, sizeof object, "%s#%u", row.info.alias, row.info.n);
    snprintf(after, sizeof after, "{\"state\":\"%s\",\"from\":\"%s\"}", ks_state_word(row.info.state),
             w->x.head.store_id);
    if (ks_record_audit(&w->r, "restore", object, NULL, after, e) != 0 ||
        w->s->driver->row_add(w->s->b, &row, e) != 0) {
        return -1;
    }
    struct spans t = {w, row.entry_id, row.info.state == KS_PRE_ACTIVE};
    w->out->taken++;
    return w->x.s->driver->intervals(w->x.s->b, found->entry_id, 0, take_span, &t, e);
}

/** What a partner was promised, where the store knows nothing of that partner. */
static int take_partner(void *ctx, const struct ks_partner_row *row, cs_error *e)
{
    struct restore *w = ctx;
    struct ks_partner_row held;
    int found = w->s->driver->partner_get(w->s->b, row->name, &held, e);
    return found < 0 ? -1 : found == 1 ? 0 : w->s->driver->partner_set(w->s->b, row, e);
}

struct newer {
    const struct ks_crl_row *than;
    bool found;
};

static int is_newer(void *ctx, const struct ks_crl_row *row, cs_error *e)
{
    (void)e;
    struct newer *n = ctx;
    n->found = n->found || memcmp(row->sha256, n->than->sha256, sizeof row->sha256) == 0 ||
               (strcmp(row->issuer, n->than->issuer) == 0 && row->this_update > n->than->this_update);
    return 0;
}

/** A revocation list that the store lacks, and has none newer of that issuer: without it, what was revoked would be
 * accepted again. */
static int take_crl(void *ctx, const struct ks_crl_row *row, cs_error *e)
{
    struct restore *w = ctx;
    const struct ks_store *here = w->s;
    struct ks_crl_row mine = *row;
    char name[2 * sizeof mine.sha256 + 1];
    struct newer held = {.than = row};
    uint8_t *der = NULL;
    size_t n = 0;
    if (here->driver->crls(here->b, is_newer, &held, e) != 0) {
        return -1;
    }
    if (held.found) {
        return 0;
    }
    mine.added_at = w->r.now;
    cs_hex(mine.sha256, sizeof mine.sha256, name);
    int rc = w->x.s->driver->crl_get(w->x.s->b, row->sha256, &der, &n, e) == 1 &&
                     ks_record_audit(&w->r, "restore", name, NULL, "{\"kind\":\"crl\"}", e) == 0 &&
                     here->driver->crl_add(here->b, &mine, der, n, e) == 0
                 ? 0
                 : -1;
    free(der);
    w->out->crls += rc == 0;
    return rc;
}

/** Who may send (mappings) and what is on hold are decisions of this installation: they do not come in with keys. */
static int merge(struct restore *w, cs_error *e)
{
    const struct ks_driver *there = w->x.s->driver;
    int rc = w->q->only == NULL && (there->partners(w->x.s->b, take_partner, w, e) != 0 ||
                                    there->crls(w->x.s->b, take_crl, w, e) != 0)
                 ? -1
                 : 0;
    for (size_t i = 0; rc == 0 && i < w->out->n; i++) {
        ks_difference *d = &w->out->difference[i];
        struct ks_row_filter f = {.alias = d->info.alias, .n = d->info.n, .with_der = true};
        if (d->kind == KS_ONLY_BACKUP) {
            rc = w->x.s->driver->rows(w->x.s->b, &f, take_entry, w, e);
        }
    }
    return rc;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static int see_row(void *ctx, const struct ks_row *row, cs_error *e)
{
    (void)row;
    (void)e;
    *(bool *)ctx = false;
    return 0;
}

/** A store that never held an entry: only then may another's identity and audit come in. */
static int is_empty(ks_store *s, bool *empty, cs_error *e)
{
    struct ks_row_filter f = {.with_destroyed = true};
    *empty = true;
    return s->driver->rows(s->b, &f, see_row, empty, e);
}

/**
 * The machine that took everything goes on with its own checkpoints: the log says who came back, and by which key its
 * end is signed from here on. By a handle of its own: under the first one all tables were made anew.
 */
static int begin_again(ks_store *s, const struct restore *w, const ks_actor *who, cs_time now, cs_error *e)
{
    struct ks_record r = {0};
    ks_restored *out = w->out;
    const char *key = w->checkpoint_key;
    ks_store *fresh = NULL;
    ks_options opt = s->options;
    opt.n_kek = s->n_kek;
    memcpy(opt.kek, s->kek, sizeof opt.kek);
    int rc = ks_open(&fresh, s->uri, &opt, e) == 0 && ks_record_begin(&r, fresh, who, false, now, e) == 0 ? 0 : -1;
    r.approver = ks_consent_approver(&w->consent);
    rc = rc == 0 && (key[0] == '\0' || fresh->driver->meta_set(fresh->b, KS_CHECKPOINT_KEY, key, e) == 0) &&
                 ks_record_audit(&r, "restore", out->store_id, NULL, NULL, e) == 0 &&
                 ks_record_commit(&r, "restore", e) == 0
             ? 0
             : -1;
    out->generation = r.generation;
    ks_record_end(&r);
    ks_close(fresh);
    return rc;
}

static int take_all(struct restore *w, const char *text, size_t n, cs_error *e)
{
    const struct ks_driver *d = w->s->driver;
    struct ks_dump_head head;
    size_t sealed = 0;
    uint8_t seal[32];
    char *copy = malloc(n + 1);
    if (copy == NULL) {
        return no_memory(e);
    }
    memcpy(copy, text, n);
    int rc = d->meta_get(w->s->b, KS_CHECKPOINT_KEY, w->checkpoint_key, sizeof w->checkpoint_key, e) >= 0 &&
                     d->load_begin(w->s->b, e) == 0 &&
                     ks_dump_read(copy, n, w->s->b, d, &head, &sealed, seal, e) == 0 && d->load_end(w->s->b, e) == 0
                 ? 0
                 : -1;
    free(copy);
    w->out->whole = true;
    w->out->taken = w->out->n;
    w->out->generation = head.generation;
    return rc;
}

static int ask(struct restore *w, const char *text, size_t n, struct ks_plan *p, struct ks_consent *c, cs_error *e)
{
    uint8_t hash[32];
    SHA256((const uint8_t *)text, n, hash);
    ks_plan_begin(p, "restore", w->q->only != NULL ? w->q->only : "");
    ks_plan_put(p, KS_PLAN_ASKED, "merge", w->q->merge ? "yes" : NULL);
    ks_plan_put_hex(p, KS_PLAN_ASKED, "backup", hash, sizeof hash);
    ks_plan_put(p, KS_PLAN_ASKED, "reason", w->r.who->reason);
    return ks_consent_ask(w->s, p, w->r.who, w->r.now, c, e);
}

/** Within the transaction. @return 0; 1: a second person must agree; -1 */
static int within(struct restore *w, const char *text, size_t n, struct ks_plan *p, cs_error *e)
{
    struct ks_consent *c = &w->consent;
    bool empty = false;
    bool changes = w->q->merge || w->q->only != NULL;
    if (compare(w, e) != 0 || is_empty(w->s, &empty, e) != 0 || ask(w, text, n, p, c, e) != 0) {
        return -1;
    }
    w->r.approver = ks_consent_approver(c);
    w->out->generation = w->r.generation - 1;
    if (!changes) {
        return 0;
    }
    if (c->asked && !c->given && !w->q->dry_run) {
        return 1;
    }
    if (empty && w->q->merge) {
        int rc = take_all(w, text, n, e);
        return rc == 0 && !w->q->dry_run ? ks_commit(w->s, e) : rc;
    }
    if (merge(w, e) != 0) {
        return -1;
    }
    if (w->out->taken == 0 && w->out->crls == 0) {
        return 0;
    }
    w->out->generation = w->r.generation;
    if (w->q->dry_run) {
        return 0;
    }
    return (c->given && ks_consent_use(w->s, c, w->r.now, e) != 0) || ks_record_commit(&w->r, "restore", e) != 0 ? -1
                                                                                                                 : 0;
}

int ks_restore(ks_store *s, const char *text, size_t n, const ks_restore_request *q, const ks_actor *who, cs_time now,
               ks_restored *out, cs_error *e)
{
    struct restore w = {.s = s, .q = q, .out = out};
    struct ks_plan plan;
    int rc = -1;
    memset(out, 0, sizeof *out);
    if (ks_scratch_open(&w.x, s, text, n, now, e) != 0) {
        goto out;
    }
    cs_copy(out->store_id, sizeof out->store_id, w.x.head.store_id);
    out->at = w.x.head.at;
    w.ring = ks_keyring_new(w.x.s);
    if (w.ring == NULL) {
        no_memory(e);
        goto out;
    }
    /* a rehearsal writes, too, and is rolled back: what it would take in is judged beside what it took before */
    if (ks_record_begin(&w.r, s, who, false, now, e) == 0 && w.x.s->driver->begin(w.x.s->b, KS_READ, e) == 0) {
        rc = within(&w, text, n, &plan, e);
        w.x.s->driver->rollback(w.x.s->b);
    }
    ks_record_end(&w.r);
    if (rc == 0 && out->whole && !q->dry_run) {
        rc = begin_again(s, &w, who, now, e);
    }
    if (rc == 1) {
        rc = ks_consent_propose(s, &plan, who, now, e);
    }
    out->done = rc == 0 && !q->dry_run && out->taken + out->crls > 0;
out:
    ks_keyring_free(w.ring);
    ks_scratch_close(&w.x);
    if (rc != 0) {
        ks_restored_free(out);
    }
    return rc;
}

void ks_restored_free(ks_restored *r)
{
    free(r->difference);
    r->difference = NULL;
    r->n = 0;
}
