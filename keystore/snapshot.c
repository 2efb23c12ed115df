/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.c: the immutable view of the keystore that a process works with. Certificates and keys are parsed once and
 * handed from generation to generation; a rebuild reads only the rows that changed.
 */
#include "keystore/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "keystore/crl.h"
#include "keystore/hold.h"
#include "keystore/kek.h"
#include "keystore/mapping.h"

static int no_memory(cs_error *e)
{
    return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "memory ran out while the keystore was read");
}

/* ---- building -------------------------------------------------------------------------------------------------- */

struct build {
    ks_store *store;
    struct ks_keyring *ring; /**< key-encryption keys are read once per build, and wiped at its end */
    const ks_snapshot *old;
    struct ks_entry *entry; /**< changed or new ones; sorted by entry_id when intervals come */
    size_t n, cap;
    int64_t *gone; /**< destroyed: not taken over */
    size_t n_gone, cap_gone;
};

static const struct ks_entry *old_entry(const ks_snapshot *old, int64_t entry_id)
{
    for (size_t i = 0; old != NULL && i < old->n; i++) {
        if (old->entry[i].m->entry_id == entry_id) {
            return &old->entry[i];
        }
    }
    return NULL;
}

static int room(void **array, size_t *cap, size_t n, size_t size)
{
    if (n < *cap) {
        return 0;
    }
    size_t more = *cap == 0 ? 16 : *cap * 2;
    void *bigger = reallocarray(*array, more, size);
    if (bigger == NULL) {
        return -1;
    }
    *array = bigger;
    *cap = more;
    return 0;
}

static int take_row(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct build *b = ctx;
    if (row->info.state == KS_DESTROYED) {
        if (room((void **)&b->gone, &b->cap_gone, b->n_gone, sizeof *b->gone) != 0) {
            return no_memory(e);
        }
        b->gone[b->n_gone++] = row->entry_id;
        return 0;
    }
    if (room((void **)&b->entry, &b->cap, b->n, sizeof *b->entry) != 0) {
        return no_memory(e);
    }
    const struct ks_entry *known = old_entry(b->old, row->entry_id);
    struct ks_material *m = NULL;
    bool keyless = known != NULL && known->m->private_key == NULL && ks_material_opens(row); /* resumed */
    if (known != NULL && !keyless && strcmp(known->m->key_id, row->key_id) == 0) {
        m = known->m;
        atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    } else {
        m = ks_material_new(b->store, b->ring, row, e);
        if (m == NULL) {
            return -1;
        }
    }
    b->entry[b->n++] = (struct ks_entry){.m = m,
                                         .state = row->info.state,
                                         .not_before = row->info.not_before,
                                         .not_after = row->info.not_after,
                                         .activated_at = row->info.activated_at,
                                         .exchanged_at = row->info.exchanged_at,
                                         .process_stop = row->info.process_stop,
                                         .last_use = row->info.last_use,
                                         .compromised_since = row->compromised_since};
    return 0;
}

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const struct ks_entry *)a)->m->entry_id;
    int64_t y = ((const struct ks_entry *)b)->m->entry_id;
    return (x > y) - (x < y);
}

static int take_interval(void *ctx, const struct ks_interval *i, cs_error *e)
{
    struct build *b = ctx;
    struct ks_material m = {.entry_id = i->entry_id};
    struct ks_entry key = {.m = &m};
    struct ks_entry *found = b->n > 0 ? bsearch(&key, b->entry, b->n, sizeof *b->entry, by_id) : NULL;
    if (found == NULL) {
        return 0; /* of a destroyed entry */
    }
    struct ks_span *more = reallocarray(found->span, found->n_span + 1, sizeof *more);
    if (more == NULL) {
        return no_memory(e);
    }
    found->span = more;
    found->span[found->n_span++] = (struct ks_span){i->capability, i->from, i->to};
    return 0;
}

static void entry_clear(struct ks_entry *entry)
{
    ks_material_release(entry->m);
    free(entry->span);
}

static bool is_gone(const struct build *b, int64_t entry_id)
{
    for (size_t i = 0; i < b->n_gone; i++) {
        if (b->gone[i] == entry_id) {
            return true;
        }
    }
    return false;
}

/** Take over what old holds and the store did not report as changed. Called with b->entry sorted by id. */
static int take_over(struct build *b, cs_error *e)
{
    size_t changed = b->n;
    for (size_t i = 0; b->old != NULL && i < b->old->n; i++) {
        const struct ks_entry *o = &b->old->entry[i];
        if (is_gone(b, o->m->entry_id) ||
            (changed > 0 && bsearch(o, b->entry, changed, sizeof *b->entry, by_id) != NULL)) {
            continue;
        }
        if (room((void **)&b->entry, &b->cap, b->n, sizeof *b->entry) != 0) {
            return no_memory(e);
        }
        struct ks_entry copy = *o;
        copy.span = NULL;
        copy.n_span = 0;
        if (o->n_span > 0) {
            copy.span = calloc(o->n_span, sizeof *copy.span);
            if (copy.span == NULL) {
                return no_memory(e);
            }
            memcpy(copy.span, o->span, o->n_span * sizeof *copy.span);
            copy.n_span = o->n_span;
        }
        atomic_fetch_add_explicit(&copy.m->refs, 1, memory_order_relaxed);
        b->entry[b->n++] = copy;
    }
    return 0;
}

static int by_alias(const void *a, const void *b)
{
    const struct ks_material *x = ((const struct ks_entry *)a)->m;
    const struct ks_material *y = ((const struct ks_entry *)b)->m;
    int order = strcmp(x->alias, y->alias);
    return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

/** Terms may have changed without a change of any entry (a partner's delivery period), so they are read for all. */
static int set_terms(struct build *b, cs_error *e)
{
    const char *partner = NULL;
    struct ks_terms terms = {0};
    for (size_t i = 0; i < b->n; i++) {
        if (partner == NULL || strcmp(partner, b->entry[i].m->partner) != 0) {
            partner = b->entry[i].m->partner;
            if (ks_terms_read(b->store, partner, &terms, e) != 0) {
                return -1;
            }
        }
        b->entry[i].terms = terms;
    }
    return 0;
}

/** The key is what was compromised: every entry that holds it is. */
static void spread_compromise(struct build *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->entry[i].state != KS_COMPROMISED) {
            continue;
        }
        for (size_t j = 0; j < b->n; j++) {
            struct ks_entry *o = &b->entry[j];
            if (j != i && memcmp(o->m->spki_sha256, b->entry[i].m->spki_sha256, 32) == 0 && o->compromised_since == 0) {
                o->compromised_since = b->entry[i].compromised_since;
                o->state = KS_COMPROMISED;
            }
        }
    }
}

/* ---- indexes --------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int take_partner(void *ctx, const struct ks_partner_row *row, cs_error *e)
{
    ks_snapshot *s = ctx;
    char(*more)[KS_WORD] = reallocarray(s->name, s->n_partner + 1, sizeof *more);
    if (more == NULL) {
        return no_memory(e);
    }
    s->name = more;
    memcpy(s->name[s->n_partner++], row->name, KS_WORD);
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/** Names of the partner table and of the entries, sorted, once each. */
static int index_partners(ks_store *store, ks_snapshot *s, cs_error *e)
{
    if (store->driver->partners(store->b, take_partner, s, e) != 0) {
        return -1;
    }
    size_t known = s->n_partner;
    char(*all)[KS_WORD] = reallocarray(s->name, known + s->n + 1, sizeof *all);
    if (all == NULL) {
        return no_memory(e);
    }
    s->name = all;
    for (size_t i = 0; i < s->n; i++) {
        if (s->entry[i].m->partner[0] != '\0') {
            memcpy(all[known++], s->entry[i].m->partner, KS_WORD);
        }
    }
    qsort(all, known, sizeof *all, compare_names);
    s->n_partner = 0;
    for (size_t i = 0; i < known; i++) {
        if (s->n_partner == 0 || strcmp(all[s->n_partner - 1], all[i]) != 0) {
            memmove(all[s->n_partner++], all[i], KS_WORD);
        }
    }
    s->partner = calloc(s->n_partner + 1, sizeof *s->partner);
    if (s->partner == NULL) {
        return no_memory(e);
    }
    for (size_t i = 0; i < s->n_partner; i++) {
        s->partner[i] = all[i];
    }
    return 0;
}

static void hash_add(ks_snapshot *s, uint32_t index)
{
    uint32_t slot = 0;
    memcpy(&slot, s->entry[index].m->sha256, sizeof slot);
    for (slot &= s->hash_size - 1; s->hash[slot] != 0; slot = (slot + 1) & (s->hash_size - 1)) {
    }
    s->hash[slot] = index + 1;
}

static int index_verifiers(ks_snapshot *s, cs_error *e)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        n += s->entry[i].m->role == KS_VERIFIER;
    }
    s->hash_size = 16;
    while (s->hash_size < 2 * n) {
        s->hash_size *= 2;
    }
    s->verifier = calloc(n + 1, sizeof *s->verifier);
    s->first = calloc(s->n_partner + 2, sizeof *s->first);
    s->hash = calloc(s->hash_size, sizeof *s->hash);
    if (s->verifier == NULL || s->first == NULL || s->hash == NULL) {
        return no_memory(e);
    }
    /* counting sort by partner: first[p + 1] counts, then runs along as the place of the next one */
    for (size_t i = 0; i < s->n; i++) {
        ptrdiff_t p = s->entry[i].m->role == KS_VERIFIER ? ks_snapshot_partner(s, s->entry[i].m->partner) : -1;
        if (p >= 0) {
            s->first[p + 1]++;
        }
    }
    for (size_t p = 0; p < s->n_partner; p++) {
        s->first[p + 1] += s->first[p];
    }
    uint32_t *next = calloc(s->n_partner + 1, sizeof *next);
    if (next == NULL) {
        return no_memory(e);
    }
    memcpy(next, s->first, s->n_partner * sizeof *next);
    for (size_t i = 0; i < s->n; i++) {
        ptrdiff_t p = s->entry[i].m->role == KS_VERIFIER ? ks_snapshot_partner(s, s->entry[i].m->partner) : -1;
        if (p >= 0) {
            s->verifier[next[p]++] = (uint32_t)i;
            hash_add(s, (uint32_t)i);
        }
    }
    free(next);
    return 0;
}

ptrdiff_t ks_snapshot_partner(const ks_snapshot *s, const char *partner)
{
    const char *const *found =
        s->n_partner > 0 ? bsearch(&partner, s->partner, s->n_partner, sizeof *s->partner, by_name) : NULL;
    return found == NULL ? -1 : found - (const char *const *)s->partner;
}

static int collect(struct build *b, cs_error *e)
{
    const struct ks_driver *d = b->store->driver;
    uint64_t above = b->old != NULL ? b->old->generation : 0;
    struct ks_row_filter f = {.with_destroyed = b->old != NULL, .version_above = above, .with_der = true};
    if (d->rows(b->store->b, &f, take_row, b, e) != 0) {
        return -1;
    }
    if (b->n > 0) {
        qsort(b->entry, b->n, sizeof *b->entry, by_id);
    }
    if (d->intervals(b->store->b, 0, above, take_interval, b, e) != 0 || take_over(b, e) != 0 || set_terms(b, e) != 0) {
        return -1;
    }
    spread_compromise(b);
    if (b->n > 0) {
        qsort(b->entry, b->n, sizeof *b->entry, by_alias);
    }
    return 0;
}

int ks_snapshot_build(ks_store *store, const ks_snapshot *old, const ks_snapshot **out, cs_error *e)
{
    int rc = -1;
    struct build b = {.store = store, .old = old, .ring = ks_keyring_new(store)};
    ks_snapshot *s = calloc(1, sizeof *s);
    *out = NULL;
    if (s == NULL || b.ring == NULL) {
        free(s);
        ks_keyring_free(b.ring);
        return no_memory(e);
    }
    atomic_init(&s->refs, 1);
    /* one read transaction: rows, intervals and generation of the same instant */
    if (store->driver->begin(store->b, KS_READ, e) != 0) {
        goto out;
    }
    if (store->driver->generation(store->b, &s->generation, e) != 0 || collect(&b, e) != 0) {
        goto out;
    }
    s->entry = b.entry;
    s->n = b.n;
    b.entry = NULL;
    b.n = 0;
    if (index_partners(store, s, e) != 0 || index_verifiers(s, e) != 0 || ks_crls_read(store, old, s, e) != 0 ||
        ks_mappings_read(store, old, s, e) != 0 || ks_holds_read(store, s, e) != 0) {
        goto out;
    }
    *out = s;
    s = NULL;
    rc = 0;
out:
    store->driver->rollback(store->b);
    for (size_t i = 0; i < b.n; i++) {
        entry_clear(&b.entry[i]);
    }
    free(b.entry);
    free(b.gone);
    ks_keyring_free(b.ring);
    ks_snapshot_release(s);
    return rc;
}

int ks_snapshot_read(ks_store *s, cs_time now, const ks_snapshot **out, cs_error *e)
{
    (void)now;
    return ks_snapshot_build(s, NULL, out, e);
}

/* ---- references and looks -------------------------------------------------------------------------------------- */

const ks_snapshot *ks_snapshot_ref(const ks_snapshot *s)
{
    /* the count is the only thing that changes in a published snapshot */
    atomic_fetch_add_explicit((atomic_uint *)&((ks_snapshot *)(uintptr_t)s)->refs, 1, memory_order_relaxed);
    return s;
}

void ks_snapshot_release(const ks_snapshot *s)
{
    ks_snapshot *mine = (ks_snapshot *)(uintptr_t)s;
    if (mine == NULL || atomic_fetch_sub_explicit(&mine->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < mine->n; i++) {
        entry_clear(&mine->entry[i]);
    }
    free(mine->entry);
    free(mine->partner);
    free(mine->name);
    free(mine->verifier);
    free(mine->first);
    free(mine->hash);
    free(mine->hold);
    ks_crls_release(mine);
    ks_mappings_release(mine);
    free(mine);
}

uint64_t ks_snapshot_generation(const ks_snapshot *s)
{
    return s->generation;
}

bool ks_snapshot_has_partner(const ks_snapshot *s, const char *partner)
{
    return ks_snapshot_partner(s, partner) >= 0;
}

const char *const *ks_snapshot_partners(const ks_snapshot *s)
{
    return s->partner;
}

const ks_entry *ks_snapshot_slot(const ks_snapshot *s, const char *alias)
{
    size_t low = 0;
    size_t high = s->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(s->entry[middle].m->alias, alias) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < s->n && strcmp(s->entry[low].m->alias, alias) == 0 ? &s->entry[low] : NULL;
}

const char *ks_entry_alias(const ks_entry *e)
{
    return e->m->alias;
}

unsigned ks_entry_n(const ks_entry *e)
{
    return e->m->n;
}

void ks_entry_times(const ks_entry *e, cs_time *not_before, cs_time *not_after, cs_time *process_stop,
                    cs_time *compromised_since)
{
    *not_before = e->not_before;
    *not_after = e->not_after;
    *process_stop = ks_entry_stop(e);
    *compromised_since = e->compromised_since;
}

const uint8_t *ks_entry_sha256(const ks_entry *e)
{
    return e->m->sha256;
}

const uint8_t *ks_entry_spki_sha256(const ks_entry *e)
{
    return e->m->spki_sha256;
}

EVP_PKEY *ks_entry_public_key(const ks_entry *e)
{
    return e->m->public_key;
}

EVP_PKEY *ks_entry_private_key(const ks_entry *e)
{
    return e->m->private_key;
}

const uint8_t *ks_entry_der(const ks_entry *e, size_t *n)
{
    *n = e->m->der_len;
    return e->m->der;
}

const uint8_t *ks_entry_chain(const ks_entry *e, size_t *n)
{
    *n = e->m->chain_len;
    return e->m->chain;
}
