/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mapping.c: see mapping.h. A row is trusted as it stands in the store; one that no longer parses lets nobody in and
 * stops the snapshot, as every damaged row does.
 */
#include "keystore/mapping.h"

#include <stdlib.h>
#include <string.h>

static int no_memory(cs_error *e)
{
    return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "memory ran out while mappings were read");
}

static void mappings_free(struct ks_mappings *m)
{
    for (size_t i = 0; i < m->n_rule; i++) {
        cs_dn_free(m->rule[i].subject);
        cs_dn_free(m->rule[i].issuer);
    }
    free(m->rule);
    free(m->certificate);
    free(m);
}

void ks_mappings_release(ks_snapshot *s)
{
    struct ks_mappings *m = s->mappings;
    s->mappings = NULL;
    if (m != NULL && atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1) {
        mappings_free(m);
    }
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

static int take_certificate(struct ks_mappings *m, const struct ks_mapping_row *row, cs_error *e)
{
    struct ks_map_certificate *more = reallocarray(m->certificate, m->n_certificate + 1, sizeof *more);
    if (more == NULL) {
        return no_memory(e);
    }
    m->certificate = more;
    struct ks_map_certificate *c = &more[m->n_certificate++];
    memset(c, 0, sizeof *c);
    memcpy(c->sha256, row->sha256, sizeof c->sha256);
    memcpy(c->user, row->user, sizeof c->user);
    c->map_id = row->map_id;
    c->entry_id = row->entry_id;
    return 0;
}

static int take_rule(struct ks_mappings *m, const struct ks_mapping_row *row, cs_error *e)
{
    struct ks_map_rule *more = reallocarray(m->rule, m->n_rule + 1, sizeof *more);
    if (more == NULL) {
        return no_memory(e);
    }
    m->rule = more;
    struct ks_map_rule *r = &more[m->n_rule++];
    memset(r, 0, sizeof *r);
    memcpy(r->route, row->route, sizeof r->route);
    r->map_id = row->map_id;
    r->subject = cs_dn_rule_parse(row->subject);
    r->issuer = cs_dn_rule_parse(row->issuer);
    if (r->subject == NULL || r->issuer == NULL) {
        return cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt",
                            "the names of mapping %lld cannot be parsed; retire it: keystore mapping retire %lld",
                            (long long)row->map_id, (long long)row->map_id);
    }
    return 0;
}

static int take_row(void *ctx, const struct ks_mapping_row *row, cs_error *e)
{
    if (row->to != KS_FOREVER) {
        return 0; /* retired: kept as a record */
    }
    return row->entry_id != 0 ? take_certificate(ctx, row, e) : take_rule(ctx, row, e);
}

static int by_certificate(const void *a, const void *b)
{
    const struct ks_map_certificate *x = a;
    const struct ks_map_certificate *y = b;
    int order = memcmp(x->sha256, y->sha256, sizeof x->sha256);
    return order != 0 ? order : strcmp(x->user, y->user);
}

static int by_route(const void *a, const void *b)
{
    const struct ks_map_rule *x = a;
    const struct ks_map_rule *y = b;
    int order = strcmp(x->route, y->route);
    return order != 0 ? order : (x->map_id > y->map_id) - (x->map_id < y->map_id);
}

int ks_mappings_read(ks_store *store, const ks_snapshot *old, ks_snapshot *s, cs_error *e)
{
    char text[24] = "";
    if (store->driver->meta_get(store->b, KS_META_MAPPINGS, text, sizeof text, e) < 0) {
        return -1;
    }
    uint64_t changed = strtoull(text, NULL, 10);
    if (old != NULL && old->mappings != NULL && old->mappings->changed == changed) {
        s->mappings = old->mappings;
        atomic_fetch_add_explicit(&s->mappings->refs, 1, memory_order_relaxed);
        return 0;
    }
    struct ks_mappings *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return no_memory(e);
    }
    atomic_init(&m->refs, 1);
    m->changed = changed;
    if (store->driver->mappings(store->b, take_row, m, e) != 0) {
        mappings_free(m);
        return -1;
    }
    if (m->n_certificate > 0) {
        qsort(m->certificate, m->n_certificate, sizeof *m->certificate, by_certificate);
    }
    if (m->n_rule > 0) {
        qsort(m->rule, m->n_rule, sizeof *m->rule, by_route);
    }
    s->mappings = m;
    return 0;
}

/* ---- looks ----------------------------------------------------------------------------------------------------- */

/** The first row not below, by fingerprint. */
static size_t first_certificate(const struct ks_mappings *m, const uint8_t sha256[32])
{
    size_t low = 0;
    size_t high = m->n_certificate;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(m->certificate[middle].sha256, sha256, 32) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool ks_mapping(const ks_snapshot *s, const uint8_t sha256[32], const char *user, ks_client *out)
{
    const struct ks_mappings *m = s->mappings;
    *out = (ks_client){.state = KS_DESTROYED};
    for (size_t i = m != NULL ? first_certificate(m, sha256) : 0; m != NULL && i < m->n_certificate; i++) {
        const struct ks_map_certificate *c = &m->certificate[i];
        if (memcmp(c->sha256, sha256, 32) != 0) {
            break;
        }
        const ks_entry *e = user == NULL || strcmp(c->user, user) == 0 ? ks_snapshot_entry(s, c->entry_id) : NULL;
        if (e == NULL) {
            continue;
        }
        /* the state as stored: the role has no window, a deactivated one is accepted until it is removed or unmapped */
        *out = (ks_client){c->map_id, c->user, e, e->state, e->state == KS_ACTIVE || e->state == KS_DEACTIVATED};
        return true;
    }
    return false;
}

int64_t ks_mapping_rule(const ks_snapshot *s, const char *route, const X509 *leaf)
{
    const struct ks_mappings *m = s->mappings;
    int64_t found = 0;
    if (m == NULL || m->n_rule == 0) {
        return 0;
    }
    cs_dn *subject = cs_dn_from_name(X509_get_subject_name(leaf));
    cs_dn *issuer = cs_dn_from_name(X509_get_issuer_name(leaf));
    if (subject == NULL || issuer == NULL) {
        found = -1;
    }
    for (size_t i = 0; found == 0 && i < m->n_rule; i++) {
        const struct ks_map_rule *r = &m->rule[i];
        if (strcmp(r->route, route) == 0 && cs_dn_fits(r->subject, subject) && cs_dn_fits(r->issuer, issuer)) {
            found = r->map_id;
        }
    }
    cs_dn_free(subject);
    cs_dn_free(issuer);
    return found;
}
