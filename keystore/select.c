/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select.c: which entries come into question for a message, best first. Selection only: whoever asked judges them.
 * A hint narrows and never widens; trust is the stored certificate, never issuer and serial alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/snapshot.h"

#define RANK_ACTIVE      0
#define RANK_DEACTIVATED 1
#define RANK_REFUSED     2
/* Two nodes' clocks differ by seconds: who activates is not to be ahead of who verifies. */
#define CLOCK_SLACK 5

cs_time ks_entry_stop(const ks_entry *e)
{
    if (e->exchanged_at == 0) {
        return e->process_stop;
    }
    cs_time last = e->last_use;
    cs_time seen = atomic_load_explicit(&e->m->last_use, memory_order_relaxed);
    cs_time stop = ks_process_stop(e->m->role, &e->terms, e->exchanged_at, e->not_after, seen > last ? seen : last, 0);
    return stop > e->process_stop ? stop : e->process_stop;
}

/** The stored word, with process stop compared. */
static enum ks_state state_now(const ks_entry *e, cs_time when)
{
    /* a late use moves the end beyond the interval that the store holds */
    return e->state == KS_DEACTIVATED && when >= ks_entry_stop(e) ? KS_ARCHIVED : e->state;
}

enum ks_state ks_entry_state(const ks_entry *e, enum ks_capability cap, cs_time when)
{
    cs_time first = INT64_MAX;
    cs_time last = INT64_MIN;
    for (size_t i = 0; i < e->n_span; i++) {
        const struct ks_span *span = &e->span[i];
        if (span->capability != cap) {
            continue;
        }
        if (span->from <= when && when < span->to) {
            return e->exchanged_at != 0 && when >= e->exchanged_at ? KS_DEACTIVATED : KS_ACTIVE;
        }
        first = span->from < first ? span->from : first;
        last = span->from > last ? span->from : last;
    }
    if (e->state == KS_ARCHIVED && first <= last && when < first) {
        return KS_PRE_ACTIVE; /* whatever became of it later */
    }
    if ((e->state != KS_ACTIVE && e->state != KS_DEACTIVATED) || first > last) {
        return e->state;
    }
    if (when >= last - CLOCK_SLACK) {
        return state_now(e, when);
    }
    return when < first ? KS_PRE_ACTIVE : KS_SUSPENDED; /* a gap between two intervals */
}

static bool same_number(const char *a, const char *b)
{
    while (*a == '0' && a[1] != '\0') {
        a++;
    }
    while (*b == '0' && b[1] != '\0') {
        b++;
    }
    return strcmp(a, b) == 0;
}

struct question {
    const ks_hint *hint;
    cs_dn *issuer; /**< of the hint, parsed once */
    enum ks_capability cap;
    cs_time when;
};

static bool fits(const struct question *q, const ks_entry *e)
{
    const ks_hint *h = q->hint;
    const struct ks_material *m = e->m;
    if (h == NULL) {
        return true;
    }
    if (h->has_sha256) {
        return memcmp(m->sha256, h->sha256, sizeof m->sha256) == 0;
    }
    if (h->has_sha1) {
        return memcmp(m->sha1, h->sha1, sizeof m->sha1) == 0;
    }
    if (h->ski_len > 0) {
        return m->ski_len == h->ski_len && memcmp(m->ski, h->ski, h->ski_len) == 0;
    }
    if (h->serial != NULL) {
        return same_number(m->serial, h->serial) &&
               (h->issuer == NULL || (q->issuer != NULL && cs_dn_equal(m->issuer, q->issuer, true)));
    }
    return true;
}

static int rank(enum ks_state s)
{
    return s == KS_ACTIVE ? RANK_ACTIVE : s == KS_DEACTIVATED ? RANK_DEACTIVATED : RANK_REFUSED;
}

static cs_time newest_use(const ks_entry *e)
{
    cs_time seen = atomic_load_explicit(&e->m->last_use, memory_order_relaxed);
    return seen > e->last_use ? seen : e->last_use;
}

/** a goes before b. Newest use first; of unused ones the newest activation. */
static bool before(const ks_candidate *a, const ks_candidate *b)
{
    if (rank(a->state) != rank(b->state)) {
        return rank(a->state) < rank(b->state);
    }
    cs_time used_a = newest_use(a->entry);
    cs_time used_b = newest_use(b->entry);
    return used_a != used_b ? used_a > used_b : a->entry->activated_at > b->entry->activated_at;
}

/** Keep the best max of them, in order; at most 8 stand here, so a shift is cheap. */
static size_t insert(ks_candidate *out, size_t n, size_t max, ks_candidate c)
{
    size_t at = n;
    while (at > 0 && before(&c, &out[at - 1])) {
        at--;
    }
    if (at >= max) {
        return n;
    }
    size_t tail = (n < max ? n : max - 1) - at;
    memmove(&out[at + 1], &out[at], tail * sizeof *out);
    out[at] = c;
    return n < max ? n + 1 : n;
}

/** By the table of certificates: independent of how many entries the partner has. */
static size_t exact(const ks_snapshot *s, const char *partner, const struct question *q, ks_candidate *out, size_t max)
{
    size_t n = 0;
    uint32_t slot = 0;
    memcpy(&slot, q->hint->sha256, sizeof slot);
    for (slot &= s->hash_size - 1; s->hash[slot] != 0; slot = (slot + 1) & (s->hash_size - 1)) {
        const ks_entry *e = &s->entry[s->hash[slot] - 1];
        if (fits(q, e) && strcmp(e->m->partner, partner) == 0) {
            n = insert(out, n, max, (ks_candidate){e, ks_entry_state(e, q->cap, q->when)});
        }
    }
    return n;
}

size_t ks_candidates(const ks_snapshot *s, const char *partner, const ks_hint *hint, enum ks_capability cap,
                     cs_time when, ks_candidate *out, size_t max)
{
    ptrdiff_t p = max > 0 ? ks_snapshot_partner(s, partner) : -1;
    if (p < 0) {
        return 0;
    }
    struct question q = {.hint = hint, .cap = cap, .when = when};
    if (hint != NULL && hint->has_sha256) {
        return exact(s, partner, &q, out, max);
    }
    if (hint != NULL && hint->issuer != NULL && !hint->has_sha1 && hint->ski_len == 0) {
        q.issuer = cs_dn_parse(hint->issuer);
    }
    size_t n = 0;
    for (uint32_t i = s->first[p]; i < s->first[p + 1]; i++) {
        const ks_entry *e = &s->entry[s->verifier[i]];
        if (fits(&q, e)) {
            n = insert(out, n, max, (ks_candidate){e, ks_entry_state(e, cap, when)});
        }
    }
    cs_dn_free(q.issuer);
    return n;
}

static bool named(const ks_entry *e, const char *const *alias, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(e->m->alias, alias[i]) == 0) {
            return true;
        }
    }
    return n == 0;
}

size_t ks_decrypters(const ks_snapshot *s, const char *const *alias, size_t n_alias, const ks_hint *hint, cs_time when,
                     ks_candidate *out, size_t max)
{
    struct question q = {.hint = hint, .cap = KS_CAN_DECRYPT, .when = when};
    size_t n = 0;
    if (hint != NULL && hint->issuer != NULL && !hint->has_sha256 && !hint->has_sha1 && hint->ski_len == 0) {
        q.issuer = cs_dn_parse(hint->issuer);
    }
    for (size_t i = 0; i < s->n_crypt && max > 0; i++) {
        const ks_entry *e = &s->entry[s->crypt[i]];
        if (e->m->role == KS_DECRYPT && named(e, alias, n_alias) && fits(&q, e)) {
            n = insert(out, n, max, (ks_candidate){e, ks_entry_state(e, KS_CAN_DECRYPT, when)});
        }
    }
    cs_dn_free(q.issuer);
    return n;
}

EVP_PKEY *ks_entry_opening_key(const ks_entry *e, cs_time now)
{
    enum ks_state state = ks_entry_state(e, KS_CAN_DECRYPT, now);
    return state == KS_ARCHIVED || state == KS_DESTROYED ? NULL : ks_entry_private_key(e);
}

const ks_entry *ks_encrypter(const ks_snapshot *s, const char *partner)
{
    const ks_entry *found = NULL;
    for (size_t i = 0; i < s->n_crypt; i++) {
        const ks_entry *e = &s->entry[s->crypt[i]];
        if (e->m->role == KS_ENCRYPT_TO && e->state == KS_ACTIVE && strcmp(e->m->partner, partner) == 0 &&
            (found == NULL || e->activated_at > found->activated_at)) {
            found = e;
        }
    }
    return found;
}

const ks_entry *ks_active(const ks_snapshot *s, const char *alias)
{
    const ks_entry *e = ks_snapshot_slot(s, alias);
    for (; e != NULL && e < s->entry + s->n && strcmp(e->m->alias, alias) == 0; e++) {
        if (e->state == KS_ACTIVE) {
            return e;
        }
    }
    return NULL;
}

const ks_entry *ks_entry_at(const ks_snapshot *s, const char *alias, unsigned n)
{
    const ks_entry *e = ks_snapshot_slot(s, alias);
    for (; e != NULL && e < s->entry + s->n && strcmp(e->m->alias, alias) == 0; e++) {
        if (e->m->n == n) {
            return e;
        }
    }
    return NULL;
}

const ks_entry *ks_entry_find(const ks_snapshot *s, const char *alias, unsigned n)
{
    const ks_entry *e = ks_snapshot_slot(s, alias);
    for (; e != NULL && e < s->entry + s->n && strcmp(e->m->alias, alias) == 0; e++) {
        if (e->m->n == n) {
            return e;
        }
    }
    return NULL;
}

bool ks_has_slot(const ks_snapshot *s, const char *alias, enum ks_role *role)
{
    const ks_entry *e = ks_snapshot_slot(s, alias);
    if (e != NULL && role != NULL) {
        *role = e->m->role;
    }
    return e != NULL;
}

/** The alias of that role which a word that is none may stand for, NULL: none is near. */
static const char *nearest_alias(const ks_snapshot *s, const char *word, enum ks_role role)
{
    const char **alias = calloc(s->n + 1, sizeof *alias);
    size_t n = 0;
    for (size_t i = 0; alias != NULL && i < s->n; i++) {
        if (s->entry[i].m->role == role) {
            alias[n++] = s->entry[i].m->alias;
        }
    }
    const char *near = alias != NULL ? cs_nearest(word, alias) : NULL;
    free((void *)alias);
    return near;
}

int ks_alias_fits(const ks_snapshot *s, const char *alias, enum ks_role wanted, char *text, size_t size)
{
    enum ks_role role = wanted;
    const char *near = NULL;
    if (!ks_has_slot(s, alias, &role) && (near = nearest_alias(s, alias, wanted)) != NULL) {
        snprintf(text, size, "the keystore has no alias %s; did you mean %s?", alias, near);
    } else if (!ks_has_slot(s, alias, NULL)) {
        snprintf(text, size, "the keystore has no alias %s; countersign keystore add --role %s --alias %s FILE", alias,
                 ks_role_word(wanted), alias);
    } else if (role != wanted) {
        snprintf(text, size, "alias %s has the role %s, one of role %s is needed here", alias, ks_role_word(role),
                 ks_role_word(wanted));
    } else {
        return 0;
    }
    return -1;
}
