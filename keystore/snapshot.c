/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.c: the immutable view of the keystore that a process works with. Certificates and keys are parsed once and
 * handed from generation to generation; a rebuild reads only the rows that changed.
 */
#include "keystore/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "keystore/canary.h"
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
    struct ks_partner_row *partner; /**< sorted by name */
    size_t n_partner, cap_partner;
};

static const struct ks_entry *old_entry(const ks_snapshot *old, int64_t entry_id)
{
    return old != NULL ? ks_snapshot_entry(old, entry_id) : NULL;
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
        if (known != NULL) {
            atomic_store_explicit(&m->last_use, atomic_load_explicit(&known->m->last_use, memory_order_relaxed),
                                  memory_order_relaxed);
        }
    }
    b->entry[b->n++] = (struct ks_entry){.m = m,
                                         .state = row->info.state,
                                         .stored = row->info.state,
                                         .stored_since = row->compromised_since,
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
    struct ks_spans *more = realloc(found->spans, sizeof *more + (found->n_span + 1) * sizeof more->span[0]);
    if (more == NULL) {
        return no_memory(e);
    }
    atomic_init(&more->refs, 1); /* of an entry that is new here */
    found->spans = more;
    found->span = more->span;
    more->span[found->n_span++] = (struct ks_span){i->capability, i->from, i->to};
    return 0;
}

static void entry_clear(struct ks_entry *entry)
{
    ks_material_release(entry->m);
    if (entry->spans != NULL && atomic_fetch_sub_explicit(&entry->spans->refs, 1, memory_order_acq_rel) == 1) {
        free(entry->spans);
    }
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

static int by_alias(const void *a, const void *b)
{
    const struct ks_material *x = ((const struct ks_entry *)a)->m;
    const struct ks_material *y = ((const struct ks_entry *)b)->m;
    int order = strcmp(x->alias, y->alias);
    return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

/** The same entry in the next snapshot, as it was stored. */
static struct ks_entry share(const struct ks_entry *old)
{
    struct ks_entry copy = *old;
    copy.state = old->stored;
    copy.compromised_since = old->stored_since;
    atomic_fetch_add_explicit(&copy.m->refs, 1, memory_order_relaxed);
    if (copy.spans != NULL) {
        atomic_fetch_add_explicit(&copy.spans->refs, 1, memory_order_relaxed);
    }
    return copy;
}

/** Put what old holds and the store did not report as changed between the changed ones: all in order of alias then.
 *  Called with b->entry sorted by id. */
static int take_over(struct build *b, cs_error *e)
{
    size_t n_old = b->old != NULL ? b->old->n : 0;
    size_t n = 0;
    size_t next = 0;
    struct ks_entry *all = calloc(b->n + n_old + 1, sizeof *all);
    struct ks_entry *changed = calloc(b->n + 1, sizeof *changed);
    if (all == NULL || changed == NULL) {
        free(all);
        free(changed);
        return no_memory(e);
    }
    if (b->n > 0) {
        memcpy(changed, b->entry, b->n * sizeof *changed);
        qsort(changed, b->n, sizeof *changed, by_alias);
    }
    for (size_t i = 0; i < n_old; i++) {
        const struct ks_entry *o = &b->old->entry[i];
        if (is_gone(b, o->m->entry_id) || (b->n > 0 && bsearch(o, b->entry, b->n, sizeof *b->entry, by_id) != NULL)) {
            continue;
        }
        while (next < b->n && by_alias(&changed[next], o) < 0) {
            all[n++] = changed[next++];
        }
        all[n++] = share(o);
    }
    while (next < b->n) {
        all[n++] = changed[next++];
    }
    free(changed);
    free(b->entry);
    b->entry = all;
    b->n = n;
    return 0;
}

static int take_partner(void *ctx, const struct ks_partner_row *row, cs_error *e)
{
    struct build *b = ctx;
    if (room((void **)&b->partner, &b->cap_partner, b->n_partner, sizeof *b->partner) != 0) {
        return no_memory(e);
    }
    b->partner[b->n_partner++] = *row;
    return 0;
}

static int by_partner(const void *a, const void *b)
{
    return strcmp(((const struct ks_partner_row *)a)->name, ((const struct ks_partner_row *)b)->name);
}

/** Terms may have changed without a change of any entry (a partner's delivery period), so they are read for all. */
static int set_terms(struct build *b, cs_error *e)
{
    struct ks_terms terms = {0};
    const char *partner = NULL;
    struct ks_partner_row key = {.guaranteed_delivery = 0};
    if (ks_terms_read(b->store, NULL, &terms, e) != 0) {
        return -1;
    }
    for (size_t i = 0; i < b->n; i++) {
        if (partner == NULL || strcmp(partner, b->entry[i].m->partner) != 0) {
            partner = b->entry[i].m->partner;
            memcpy(key.name, partner, sizeof key.name);
            const struct ks_partner_row *row =
                b->n_partner > 0 ? bsearch(&key, b->partner, b->n_partner, sizeof key, by_partner) : NULL;
            terms.partner_delivery = row != NULL ? row->guaranteed_delivery : 0;
        }
        b->entry[i].terms = terms;
    }
    return 0;
}

static int by_key(const void *a, const void *b)
{
    return memcmp((*(struct ks_entry *const *)a)->m->spki_sha256, (*(struct ks_entry *const *)b)->m->spki_sha256, 32);
}

/** The key is what was compromised: every entry that holds it is. */
static int spread_compromise(struct build *b, cs_error *e)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        n += b->entry[i].state == KS_COMPROMISED;
    }
    struct ks_entry **bad = n > 0 ? calloc(n, sizeof(struct ks_entry *)) : NULL;
    if (n > 0 && bad == NULL) {
        return no_memory(e);
    }
    n = 0;
    for (size_t i = 0; bad != NULL && i < b->n; i++) {
        if (b->entry[i].state == KS_COMPROMISED) {
            bad[n++] = &b->entry[i];
        }
    }
    if (bad != NULL) {
        qsort(bad, n, sizeof(struct ks_entry *), by_key);
    }
    for (size_t i = 0; bad != NULL && i < b->n; i++) {
        struct ks_entry *one = &b->entry[i];
        struct ks_entry **found = bsearch(&one, bad, n, sizeof(struct ks_entry *), by_key);
        if (found != NULL && one->stored != KS_COMPROMISED && one->compromised_since == 0) {
            one->compromised_since = (*found)->stored_since;
            one->state = KS_COMPROMISED;
        }
    }
    free(bad);
    return 0;
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
    if (d->intervals(b->store->b, 0, above, take_interval, b, e) != 0 || take_over(b, e) != 0 ||
        d->partners(b->store->b, take_partner, b, e) != 0) {
        return -1;
    }
    if (b->n_partner > 0) {
        qsort(b->partner, b->n_partner, sizeof *b->partner, by_partner);
    }
    return set_terms(b, e) != 0 ? -1 : spread_compromise(b, e);
}

/** A store that is not the one of before with more in it was put in its place: nothing of it is taken. */
static int follows(ks_store *store, const ks_snapshot *old, ks_snapshot *s, cs_error *e)
{
    uint8_t hash[32];
    if (store->driver->audit_head(store->b, &s->log_seq, s->log_hash, e) != 0) {
        return -1;
    }
    int found = old != NULL ? store->driver->audit_hash(store->b, old->log_seq, hash, e) : 1;
    if (found < 0 || old == NULL || (found == 1 && memcmp(hash, old->log_hash, sizeof hash) == 0)) {
        return found < 0 ? -1 : 0;
    }
    return cs_error_set(
        e, CS_EXIT_UNAVAILABLE, "store-differs",
        "the log of the keystore is another one than this process followed up to generation %llu (row "
        "%llu): an older copy was put back and changed; the old snapshot stays in force. See: countersign "
        "keystore audit verify; to take it as it is, restart",
        (unsigned long long)old->generation, (unsigned long long)old->log_seq);
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
    if (store->driver->generation(store->b, &s->generation, e) != 0 || follows(store, old, s, e) != 0 ||
        collect(&b, e) != 0) {
        goto out;
    }
    s->entry = b.entry;
    s->n = b.n;
    b.entry = NULL;
    b.n = 0;
    if (ks_snapshot_index(s, b.partner, b.n_partner, e) != 0 || ks_crls_read(store, old, s, e) != 0 ||
        ks_mappings_read(store, old, s, e) != 0 || ks_holds_read(store, s, e) != 0 ||
        ks_canaries_read(store, s, e) != 0) {
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
    free(b.partner);
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
    ks_snapshot_index_free(mine);
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

const char *ks_entry_partner(const ks_entry *e)
{
    return e->m->partner;
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
