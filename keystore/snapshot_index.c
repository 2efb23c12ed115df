/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot_index.c: how entries of a snapshot are found: by partner, by certificate, by their number in the store. */
#include <stdlib.h>
#include <string.h>

#include "keystore/snapshot.h"

static int no_memory(cs_error *e)
{
    return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "memory ran out while the keystore was read");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/** Names of the partner table and of the entries, sorted, once each. */
static int index_partners(ks_snapshot *s, const struct ks_partner_row *partner, size_t n, cs_error *e)
{
    const char *last = NULL;
    size_t known = 0;
    s->name = calloc(n + 1, sizeof *s->name);
    s->partner = calloc(n + s->n + 1, sizeof *s->partner);
    if (s->name == NULL || s->partner == NULL) {
        return no_memory(e);
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(s->name[i], partner[i].name, sizeof s->name[i]);
        s->partner[known++] = s->name[i];
    }
    for (size_t i = 0; i < s->n; i++) {
        const char *name = s->entry[i].m->partner;
        if (name[0] != '\0' && (last == NULL || strcmp(last, name) != 0)) {
            s->partner[known++] = name; /* entries of a slot stand together: most repetitions end here */
            last = name;
        }
    }
    if (known > 0) {
        qsort(s->partner, known, sizeof *s->partner, by_name);
    }
    for (size_t i = 0; i < known; i++) {
        if (s->n_partner == 0 || strcmp(s->partner[s->n_partner - 1], s->partner[i]) != 0) {
            s->partner[s->n_partner++] = s->partner[i];
        }
    }
    s->partner[s->n_partner] = NULL;
    return 0;
}

ptrdiff_t ks_snapshot_partner(const ks_snapshot *s, const char *partner)
{
    const char *const *found =
        s->n_partner > 0 ? bsearch(&partner, s->partner, s->n_partner, sizeof *s->partner, by_name) : NULL;
    return found == NULL ? -1 : found - (const char *const *)s->partner;
}

static void hash_add(ks_snapshot *s, uint32_t index)
{
    uint32_t slot = 0;
    memcpy(&slot, s->entry[index].m->sha256, sizeof slot);
    for (slot &= s->hash_size - 1; s->hash[slot] != 0; slot = (slot + 1) & (s->hash_size - 1)) {
    }
    s->hash[slot] = index + 1;
}

static uint32_t size_for(size_t n)
{
    uint32_t size = 16;
    while (size < 2 * n) {
        size *= 2;
    }
    return size;
}

/** Place of each verifier's partner, -1: another role. */
static void find_partners(const ks_snapshot *s, ptrdiff_t *at)
{
    const char *name = NULL;
    ptrdiff_t place = -1;
    for (size_t i = 0; i < s->n; i++) {
        const struct ks_material *m = s->entry[i].m;
        if (m->role != KS_VERIFIER) {
            at[i] = -1;
            continue;
        }
        if (name == NULL || strcmp(name, m->partner) != 0) {
            name = m->partner;
            place = ks_snapshot_partner(s, name);
        }
        at[i] = place;
    }
}

static int index_verifiers(ks_snapshot *s, cs_error *e)
{
    int rc = -1;
    size_t n = 0;
    ptrdiff_t *at = calloc(s->n + 1, sizeof *at);
    uint32_t *next = calloc(s->n_partner + 1, sizeof *next);
    if (at == NULL || next == NULL) {
        no_memory(e);
        goto out;
    }
    find_partners(s, at);
    for (size_t i = 0; i < s->n; i++) {
        n += at[i] >= 0;
    }
    s->hash_size = size_for(n);
    s->verifier = calloc(n + 1, sizeof *s->verifier);
    s->first = calloc(s->n_partner + 2, sizeof *s->first);
    s->hash = calloc(s->hash_size, sizeof *s->hash);
    if (s->verifier == NULL || s->first == NULL || s->hash == NULL) {
        no_memory(e);
        goto out;
    }
    /* counting sort by partner: first[p + 1] counts, then runs along as the place of the next one */
    for (size_t i = 0; i < s->n; i++) {
        s->first[at[i] + 1] += at[i] >= 0;
    }
    for (size_t p = 0; p < s->n_partner; p++) {
        s->first[p + 1] += s->first[p];
    }
    memcpy(next, s->first, s->n_partner * sizeof *next);
    for (size_t i = 0; i < s->n; i++) {
        if (at[i] >= 0) {
            s->verifier[next[at[i]]++] = (uint32_t)i;
            hash_add(s, (uint32_t)i);
        }
    }
    rc = 0;
out:
    free(at);
    free(next);
    return rc;
}

/** Numbers of the store are given one after the other: any few of their bits spread well. */
static uint32_t id_slot(const ks_snapshot *s, int64_t entry_id)
{
    return (uint32_t)((uint64_t)entry_id & (s->by_id_size - 1));
}

static int index_ids(ks_snapshot *s, cs_error *e)
{
    s->by_id_size = size_for(s->n);
    s->by_id = calloc(s->by_id_size, sizeof *s->by_id);
    if (s->by_id == NULL) {
        return no_memory(e);
    }
    for (size_t i = 0; i < s->n; i++) {
        uint32_t slot = id_slot(s, s->entry[i].m->entry_id);
        while (s->by_id[slot] != 0) {
            slot = (slot + 1) & (s->by_id_size - 1);
        }
        s->by_id[slot] = (uint32_t)i + 1;
    }
    return 0;
}

/** The few entries that encryption asks for, among many verifiers. */
static int index_crypt(ks_snapshot *s, cs_error *e)
{
    s->crypt = calloc(s->n + 1, sizeof *s->crypt);
    if (s->crypt == NULL) {
        return no_memory(e);
    }
    for (size_t i = 0; i < s->n; i++) {
        if (s->entry[i].m->role == KS_DECRYPT || s->entry[i].m->role == KS_ENCRYPT_TO) {
            s->crypt[s->n_crypt++] = (uint32_t)i;
        }
    }
    return 0;
}

const ks_entry *ks_snapshot_entry(const ks_snapshot *s, int64_t entry_id)
{
    for (uint32_t slot = id_slot(s, entry_id); s->by_id[slot] != 0; slot = (slot + 1) & (s->by_id_size - 1)) {
        const ks_entry *e = &s->entry[s->by_id[slot] - 1];
        if (e->m->entry_id == entry_id) {
            return e;
        }
    }
    return NULL;
}

int ks_snapshot_index(ks_snapshot *s, const struct ks_partner_row *partner, size_t n, cs_error *e)
{
    return index_partners(s, partner, n, e) != 0 || index_verifiers(s, e) != 0 || index_ids(s, e) != 0 ||
                   index_crypt(s, e) != 0
               ? -1
               : 0;
}

void ks_snapshot_index_free(ks_snapshot *s)
{
    free(s->partner);
    free(s->name);
    free(s->verifier);
    free(s->first);
    free(s->hash);
    free(s->by_id);
    free(s->crypt);
}
