/* SPDX-License-Identifier: Apache-2.0 */
/* facts.c: what the rules must know besides the entries of a slot; see facts.h. Only what its role can need is asked.
 */
#include "keystore/facts.h"

#include <openssl/bn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/backup.h"
#include "keystore/canary.h"
#include "keystore/probe.h"

/* ---- trash ------------------------------------------------------------------------------------------------------ */

static int keep_trash(void *ctx, const struct ks_trash_row *row, cs_error *e)
{
    struct ks_trash *t = ctx;
    if (t->n == t->cap) {
        size_t cap = t->cap == 0 ? 8 : t->cap * 2;
        struct ks_trash_row *grown = reallocarray(t->row, cap, sizeof *grown);
        if (grown == NULL) {
            return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
        }
        t->row = grown;
        t->cap = cap;
    }
    t->row[t->n++] = *row;
    return 0;
}

int ks_trash_read(ks_store *s, int64_t slot_id, struct ks_trash *out, cs_error *e)
{
    memset(out, 0, sizeof *out);
    if (s->driver->trash(s->b, slot_id, keep_trash, out, e) != 0) {
        free(out->row);
        out->row = NULL;
        return -1;
    }
    return 0;
}

cs_time ks_trash_until(const struct ks_trash *t, int64_t entry_id)
{
    for (size_t i = 0; t != NULL && i < t->n; i++) {
        if (t->row[i].entry_id == entry_id) {
            return t->row[i].until;
        }
    }
    return 0;
}

static int mark_trash(void *ctx, const struct ks_trash_row *row, cs_error *e)
{
    (void)e;
    struct ks_view_entry *v = ks_view_find(ctx, row->n);
    if (v != NULL) {
        v->in_trash = true;
    }
    return 0;
}

/* ---- messages that wait ----------------------------------------------------------------------------------------- */

static int mark_open(void *ctx, const struct ks_open_row *row, cs_error *e)
{
    (void)e;
    struct ks_view_entry *v = row->open ? ks_view_find(ctx, row->n) : NULL;
    if (v != NULL) {
        v->open_messages++;
        v->open_since = row->since > v->open_since ? row->since : v->open_since;
    }
    return 0;
}

struct open_of {
    int64_t entry_id;
    cs_time *since;
    unsigned *n;
};

static int count_open(void *ctx, const struct ks_open_row *row, cs_error *e)
{
    (void)e;
    struct open_of *o = ctx;
    if (row->open && row->entry_id == o->entry_id) {
        *o->since = row->since > *o->since ? row->since : *o->since;
        (*o->n)++;
    }
    return 0;
}

int ks_open_of(ks_store *s, int64_t slot_id, int64_t entry_id, cs_time *since, unsigned *n, cs_error *e)
{
    struct open_of o = {entry_id, since, n};
    *since = 0;
    *n = 0;
    return s->driver->open_messages(s->b, slot_id, count_open, &o, e);
}

/* ---- partners, nodes, users ------------------------------------------------------------------------------------- */

static int count_elsewhere(void *ctx, const struct ks_row *row, cs_error *e)
{
    (void)e;
    struct ks_work *w = ctx;
    struct ks_view_entry one;
    ks_view_of_row(row, &one);
    if (strcmp(row->info.alias, w->slot.alias) != 0) {
        w->before.acceptable_elsewhere += ks_acceptable_at(row->info.role, &w->before.terms, &one, w->now);
    }
    return 0;
}

/** What G3 must know of a verifier: does a route name the partner, and what else is acceptable from it? */
static int partner_facts(struct ks_work *w, cs_error *e)
{
    struct ks_row_filter f = {.partner = w->slot.partner, .has_role = true, .role = KS_VERIFIER};
    if (w->slot.partner[0] == '\0') {
        return 0;
    }
    if (w->s->driver->partner_routed(w->s->b, w->slot.partner, &w->before.partner_routed, e) != 0) {
        return -1;
    }
    return w->before.partner_routed ? w->s->driver->rows(w->s->b, &f, count_elsewhere, w, e) : 0;
}

static int keep_node(void *ctx, const struct ks_node_row *row, cs_error *e)
{
    struct ks_work *w = ctx;
    if (w->before.n_node == KS_VIEW_NODES) {
        return cs_error_set(e, CS_EXIT_CONFIG, "too-many-nodes",
                            "more than %d nodes follow this keystore; those that are gone: countersign keystore nodes "
                            "forget NODE",
                            KS_VIEW_NODES);
    }
    struct ks_view_node *node = &w->before.node[w->before.n_node++];
    cs_copy(node->name, sizeof node->name, row->node);
    node->applied = row->applied;
    node->silent_since = w->now - row->clock_at > KS_NODE_ALIVE ? row->clock_at : 0;
    return 0;
}

/** Mappings of certificates of this slot as users; those of other slots count for them. */
struct users {
    struct ks_work *w;
    bool others; /**< second pass */
    bool acceptable;
};

static int look_elsewhere(void *ctx, const struct ks_row *row, cs_error *e)
{
    (void)e;
    struct users *u = ctx;
    struct ks_view_entry one;
    ks_view_of_row(row, &one);
    u->acceptable = ks_acceptable_at(row->info.role, &u->w->before.terms, &one, u->w->now);
    return 0;
}

static int keep_user(void *ctx, const struct ks_mapping_row *row, cs_error *e)
{
    struct users *u = ctx;
    struct ks_view *v = &u->w->before;
    bool here = strcmp(row->alias, u->w->slot.alias) == 0;
    if (row->entry_id == 0 || row->to <= u->w->now || u->others == here) {
        return 0;
    }
    if (here) { /* beyond that many users the others still stand guard */
        if (v->n_user < KS_VIEW_USERS) {
            cs_copy(v->user[v->n_user].name, sizeof v->user[0].name, row->user);
            v->user[v->n_user++].n = row->n;
        }
        return 0;
    }
    struct ks_row_filter f = {.alias = row->alias, .n = row->n};
    u->acceptable = false;
    if (u->w->s->driver->rows(u->w->s->b, &f, look_elsewhere, u, e) != 0) {
        return -1;
    }
    for (size_t i = 0; u->acceptable && i < v->n_user; i++) {
        v->user[i].elsewhere += strcmp(v->user[i].name, row->user) == 0;
    }
    return 0;
}

static int user_facts(struct ks_work *w, cs_error *e)
{
    struct users u = {.w = w};
    if (w->s->driver->mappings(w->s->b, keep_user, &u, e) != 0) {
        return -1;
    }
    u.others = true;
    return w->before.n_user > 0 ? w->s->driver->mappings(w->s->b, keep_user, &u, e) : 0;
}

static int backup_facts(struct ks_work *w, cs_error *e)
{
    char text[32] = "";
    int found = w->s->driver->meta_get(w->s->b, KS_BACKUP_AT, text, sizeof text, e);
    w->before.backup_at = found == 1 ? strtoll(text, NULL, 10) : 0;
    return found < 0 ? -1 : 0;
}

int ks_facts_read(struct ks_work *w, cs_error *e)
{
    const struct ks_driver *d = w->s->driver;
    if (w->slot.slot_id != 0 && (d->trash(w->s->b, w->slot.slot_id, mark_trash, &w->before, e) != 0 ||
                                 d->open_messages(w->s->b, w->slot.slot_id, mark_open, &w->before, e) != 0)) {
        return -1;
    }
    if (ks_protects(w->slot.role) && d->nodes(w->s->b, keep_node, w, e) != 0) {
        return -1;
    }
    switch (w->slot.role) {
    case KS_VERIFIER: return partner_facts(w, e);
    case KS_TRUST_ANCHOR: return d->alias_used(w->s->b, w->slot.alias, &w->before.anchors_traffic, e);
    case KS_AUTHZ_CLIENT: return user_facts(w, e);
    case KS_DECRYPT: return backup_facts(w, e);
    default: return 0;
    }
}

/* ---- revocation ------------------------------------------------------------------------------------------------- */

struct revocation {
    struct ks_work *w;
    const char *issuer, *serial;
    enum ks_revocation said;
};

/** Serial numbers are decimal in the store. */
static int look_in_list(struct revocation *r, const struct ks_crl_row *row, cs_error *e)
{
    uint8_t *der = NULL;
    size_t n = 0;
    if (r->w->s->driver->crl_get(r->w->s->b, row->sha256, &der, &n, e) != 1) {
        return -1;
    }
    const uint8_t *p = der;
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)n);
    BIGNUM *number = NULL;
    ASN1_INTEGER *serial = BN_dec2bn(&number, r->serial) > 0 ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
    X509_REVOKED *entry = NULL;
    int rc = crl != NULL && serial != NULL ? 0
                                           : cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt",
                                                          "a revocation list of %s cannot be read", row->issuer);
    if (rc == 0 && X509_CRL_get0_by_serial(crl, &entry, serial) == 1) {
        r->said = KS_REVOCATION_REVOKED;
    } else if (rc == 0 && r->said == KS_REVOCATION_UNKNOWN &&
               (row->next_update == 0 || r->w->now <= row->next_update)) {
        r->said = KS_REVOCATION_GOOD;
    }
    ASN1_INTEGER_free(serial);
    BN_free(number);
    X509_CRL_free(crl);
    free(der);
    return rc;
}

static int ask_list(void *ctx, const struct ks_crl_row *row, cs_error *e)
{
    struct revocation *r = ctx;
    return strcmp(row->issuer, r->issuer) == 0 ? look_in_list(r, row, e) : 0;
}

static int ask_lists(struct ks_work *w, const char *issuer, const char *serial, enum ks_revocation *said, cs_error *e)
{
    struct revocation r = {.w = w, .issuer = issuer, .serial = serial};
    int rc = w->s->driver->crls(w->s->b, ask_list, &r, e);
    *said = r.said;
    return rc;
}

/** What became of the first requests that were signed with the key of who becomes active, where a node asks for them.
 */
static int ask_share(struct ks_work *w, const struct ks_row *row, cs_error *e)
{
    unsigned wanted = 0;
    struct ks_canary_tally t = {{0}, {0}};
    bool set = false;
    if (ks_probe_wants(w->s, w->slot.alias, w->now, &wanted, e) != 0 ||
        (wanted > 0 && ks_canary_counted(w->s, row->entry_id, &t, &set, e) != 0)) {
        return -1;
    }
    uint64_t accepted = t.answered[1] - (t.refused[1] < t.answered[1] ? t.refused[1] : t.answered[1]);
    w->plan.probe = wanted == 0             ? KS_PROBE_NONE
                    : ks_canary_refused(&t) ? KS_PROBE_FAILED
                    : accepted >= wanted    ? KS_PROBE_PASSED
                                            : KS_PROBE_DUE;
    snprintf(w->plan.probe_text, sizeof w->plan.probe_text,
             "%llu of %u requests signed with it were accepted, %llu refused%s%s#%u%s", (unsigned long long)accepted,
             wanted, (unsigned long long)t.refused[1], set ? "; of " : ". First: countersign keystore activate ",
             w->slot.alias, row->info.n, set ? " a share signs" : " --canary 5%");
    return 0;
}

/** What probes with the key of who becomes active found, where a node is told to make them. */
static int ask_probe(struct ks_work *w, cs_error *e)
{
    bool wanted = false;
    ks_probe_said said;
    for (size_t i = 0; i < w->plan.n; i++) {
        const struct ks_step *step = &w->plan.step[i];
        const struct ks_row *row = ks_work_row(w, step->n);
        bool asks = w->slot.role == KS_TLS_CLIENT || w->slot.role == KS_SIGN;
        if (step->t != KS_T2_ACTIVATE || !asks || w->plan.probe_later || row == NULL) {
            continue;
        }
        if (w->slot.role == KS_SIGN) {
            if (ask_share(w, row, e) != 0) {
                return -1;
            }
            continue;
        }
        if (ks_probe_state(w->s, w->slot.alias, step->n, w->now, &wanted, &said, e) != 0) {
            return -1;
        }
        w->plan.probe = !wanted                                         ? KS_PROBE_NONE
                        : said.refused > 0                              ? KS_PROBE_FAILED
                        : said.nodes > 0 && said.accepted == said.nodes ? KS_PROBE_PASSED
                        : said.nodes > 0                                ? KS_PROBE_DUE
                                                                        : KS_PROBE_NONE;
        cs_copy(w->plan.probe_text, sizeof w->plan.probe_text, said.text);
    }
    return 0;
}

int ks_facts_of_plan(struct ks_work *w, cs_error *e)
{
    int64_t rollover = 0;
    for (size_t i = 0; i < w->plan.n; i++) {
        const struct ks_step *step = &w->plan.step[i];
        const struct ks_transition_row *t = ks_transition_row(step);
        struct ks_view_entry *v = ks_view_find(&w->before, step->n);
        const struct ks_row *row = ks_work_row(w, step->n);
        if (t == NULL || (t->guards & (1U << KS_G12_REVOCATION)) == 0) {
            continue;
        }
        if (v != NULL && row != NULL && ask_lists(w, row->info.issuer, row->info.serial, &v->revocation, e) != 0) {
            return -1;
        }
        if (v == NULL && w->fresh_issuer != NULL &&
            ask_lists(w, w->fresh_issuer, w->fresh_serial, &w->plan.fresh.revocation, e) != 0) {
            return -1;
        }
    }
    if (ask_probe(w, e) != 0) {
        return -1;
    }
    if (w->plan.starts_rollover && w->slot.slot_id != 0) {
        if (w->s->driver->rollover_open(w->s->b, w->slot.slot_id, &rollover, e) != 0) {
            return -1;
        }
        if (rollover != 0) {
            snprintf(w->before.rollover, sizeof w->before.rollover, "R-%lld", (long long)rollover);
        }
    }
    return 0;
}
