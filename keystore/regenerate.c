/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regenerate.c: certificates that are succeeded before they end, without a hand. What is to be done follows from the
 * slot alone, so any node may do it, and a restart changes nothing: the row "renewal" of an entry is written in the
 * transaction that brings its successor, and there is one for each entry.
 */
#include "keystore/regenerate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/making.h"
#include "keystore/notice_store.h"
#include "keystore/probe.h"
#include "keystore/renewal.h"
#include "keystore/talk.h"

#define PREPARED_LASTS (30 * CS_DAY) /* what somebody prepared is taken when it lasts so long */
#define DAYS_LEAST     30
#define RETRY_FIRST    3600
#define RETRY_MOST     CS_DAY
#define ESCALATES      (3 * CS_DAY) /* before the end; from then on it is also tried every hour */
#define PROBES_AGAIN   900          /* the other side may have changed */
#define SETTLES        60           /* nodes follow within a second; what waits for them longer is told */

static const ks_actor keeper = {"keeper", "keeper", NULL};

enum act {
    NOTHING,
    GENERATE,        /**< a successor that waits */
    GENERATE_ACTIVE, /**< the active one expired: its successor takes its place at once */
    REQUEST,         /**< an outside authority makes it: its key and request */
    ACTIVATE,        /**< the successor that waits */
};

/** What the slot asks for now. */
struct decision {
    enum act act;
    unsigned n;       /**< predecessor; ACTIVATE: the successor */
    bool replace_any; /**< the inactive entry goes, whether there is room or not */
    int64_t days;
    cs_time made_at; /**< ACTIVATE: of what was made by the keeper */
    int64_t old_id;  /**< the entry that ends, and when */
    cs_time old_end;
    bool waits; /**< what is made is activated by a hand */
    struct ks_renewal_row renewal;
    char issuer[KS_WORD]; /**< of others, that the slot has; "" none */
    char text[384];       /**< why nothing can be done; "" it can */
};

/* ---- what is to be done ------------------------------------------------------------------------------------------ */

/** The active entry with a key that ends first. */
static const struct ks_row *ending(const struct ks_work *w)
{
    const struct ks_row *found = NULL;
    for (size_t i = 0; i < w->n_row; i++) {
        const struct ks_row *row = &w->row[i];
        if (row->info.state == KS_ACTIVE && row->key_id[0] != '\0' &&
            (found == NULL || row->info.not_after < found->info.not_after)) {
            found = row;
        }
    }
    return found;
}

/** The newest entry that waits and could take its place. */
static const struct ks_row *waiting(const struct ks_work *w, const struct ks_row *old)
{
    const struct ks_row *found = NULL;
    for (size_t i = 0; i < w->n_row; i++) {
        const struct ks_row *row = &w->row[i];
        const struct ks_view_entry *v = ks_view_get(&w->before, row->info.n);
        bool type =
            !ks_role_row(w->slot.role)->per_key_type || strcmp(row->info.key_algorithm, old->info.key_algorithm) == 0;
        if (row->info.state == KS_PRE_ACTIVE && row->key_id[0] != '\0' && type && v != NULL && !v->in_trash &&
            (found == NULL || row->info.n > found->info.n)) {
            found = row;
        }
    }
    return found;
}

/** As long as the one before, rounded up. */
static int64_t days_of(const ks_info *i)
{
    int64_t days = (i->not_after - i->not_before) / CS_DAY;
    return days < DAYS_LEAST ? DAYS_LEAST : days > KS_NEW_DAYS_MAX ? KS_NEW_DAYS_MAX : days;
}

static void decide_with(const struct ks_auto *a, const struct ks_row *old, const struct ks_row *next, cs_time now,
                        struct decision *d)
{
    bool expired = now > old->info.not_after;
    bool ours = d->renewal.successor == next->info.n;
    if (a->fingerprint) {
        return;
    }
    if (expired && !ours) {
        d->act = GENERATE_ACTIVE;
        d->replace_any = true;
    } else if (now <= next->info.not_after && (ours || next->info.not_after - now >= PREPARED_LASTS)) {
        d->act = ACTIVATE;
        d->n = next->info.n;
        d->made_at = next->info.created_at;
    } else {
        d->act = GENERATE;
        d->replace_any = true;
    }
}

/** The outside issuer of the slot. @return 1 it is asked for an open request, 0 it is not, or there is none; -1 */
static int find_issuer(struct ks_work *w, struct decision *d, cs_error *e)
{
    struct ks_issuing_row row;
    const struct ks_issuing_driver *k = w->s->driver->issuing;
    return k == NULL || k->issuer_get(w->s->b, w->slot.slot_id, d->issuer, e) != 0
               ? (k == NULL ? 0 : -1)
               : ks_issuing_find(w->s, w->slot.slot_id, &row, e);
}

/** @return the instant of the next look; 0: none is known */
static int decide(struct ks_work *w, const struct ks_auto *a, cs_time now, cs_time *next_look, struct decision *d,
                  cs_error *e)
{
    memset(d, 0, sizeof *d);
    const struct ks_row *old = ending(w);
    if (old == NULL) {
        return 0;
    }
    cs_time at = ks_regenerate_at(a, old->info.sha256, old->info.not_after);
    if (now < at) {
        *next_look = at;
        return 0;
    }
    if (w->s->driver->renewal_get(w->s->b, old->entry_id, &d->renewal, e) < 0) {
        return -1;
    }
    d->renewal.predecessor = old->entry_id;
    d->renewal.slot_id = w->slot.slot_id;
    d->n = old->info.n;
    d->old_id = old->entry_id;
    d->old_end = old->info.not_after;
    d->waits = a->fingerprint;
    d->days = days_of(&old->info);
    const struct ks_row *next = waiting(w, old);
    if (next != NULL) {
        decide_with(a, old, next, now, d);
    } else if (d->renewal.successor == 0) {
        d->act = now > old->info.not_after && !a->fingerprint ? GENERATE_ACTIVE : GENERATE;
    }
    if (d->act == GENERATE || d->act == GENERATE_ACTIVE) {
        bool own = false;
        if (ks_own_ca_named(w, old->info.issuer, &own, e) != 0) {
            return -1;
        }
        int asked = find_issuer(w, d, e);
        if (asked < 0) {
            return -1;
        }
        if (now < d->renewal.next_at) {
            *next_look = d->renewal.next_at;
            d->act = NOTHING;
        } else if (d->issuer[0] != '\0') {
            d->act = asked == 1 ? NOTHING : REQUEST; /* asked already: what comes of it is told by who asks */
        } else if (!own) {
            snprintf(
                d->text, sizeof d->text,
                "anchor-changed: %.96s issued it, which is not this keystore; next: countersign keystore csr --alias "
                "%s -o FILE",
                old->info.issuer, w->slot.alias);
        }
    }
    return 0;
}

/* ---- doing it ---------------------------------------------------------------------------------------------------- */

int ks_report_add(ks_report *out, const char *alias, unsigned n, const char *word, const char *text, ks_due **row,
                  cs_error *e)
{
    ks_due *due = reallocarray(out->due, out->n + 1, sizeof *due);
    if (due == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    out->due = due;
    *row = &due[out->n++];
    memset(*row, 0, sizeof **row);
    (*row)->verb = KS_DO_ACTIVATE;
    (*row)->word = word;
    (*row)->n = n;
    cs_copy((*row)->alias, sizeof(*row)->alias, alias);
    snprintf((*row)->text, sizeof(*row)->text, "%s", text);
    return 0;
}

/** People are told once a day; towards the end the administrators, too. */
static int tell_failure(ks_store *s, const struct decision *d, const char *why, cs_time now, cs_error *e)
{
    char text[KS_NOTICE_TEXT];
    snprintf(text, sizeof text, "%.*s", (int)sizeof text - 1, why);
    for (char *p = text; *p != '\0'; p++) {
        *p = (unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p;
    }
    const ks_tell t = {.kind = KS_NOTICE_RENEWAL_FAILED,
                       .entry_id = d->old_id,
                       .occasion = now / CS_DAY,
                       .text = text,
                       .role = d->old_end - now <= ESCALATES ? "tenant-admin" : NULL};
    return ks_notice_tell(s, &t, now, e) < 0 ? -1 : 0;
}

/** A successor that is there and cannot be activated: nothing is written but that people are told. */
static int tell_refused(ks_store *s, const struct decision *d, const char *why, cs_time now, cs_error *e)
{
    int rc = s->driver->begin(s->b, KS_UPKEEP, e);
    if (rc == 0) {
        rc = tell_failure(s, d, why, now, e) == 0 ? s->driver->commit(s->b, e) : -1;
    }
    s->driver->rollback(s->b);
    return rc;
}

int ks_renewal_failed(ks_store *s, const char *alias, int64_t predecessor, const char *why, cs_time now,
                      cs_time *next_at, cs_error *e)
{
    ks_actor who = {keeper.name, keeper.kind, why};
    struct ks_renewal_row r = {.predecessor = predecessor};
    unsigned n = 0;
    struct ks_work *w = ks_work_begin(s, alias, "renew-failed", false, &who, now, e);
    struct decision d = {.old_id = predecessor};
    for (size_t i = 0; w != NULL && i < w->n_row; i++) {
        if (w->row[i].entry_id == predecessor) {
            n = w->row[i].info.n;
            d.old_end = w->row[i].info.not_after;
        }
    }
    int rc = w != NULL && s->driver->renewal_get(s->b, predecessor, &r, e) >= 0 ? 0 : -1;
    if (rc == 0) {
        int64_t wait = RETRY_FIRST << (r.attempts < 5 ? r.attempts : 5);
        int64_t most = d.old_end - now <= ESCALATES ? RETRY_FIRST : RETRY_MOST;
        r.predecessor = predecessor;
        r.slot_id = w->slot.slot_id;
        r.attempts++;
        r.next_at = now + (wait < most ? wait : most);
        snprintf(r.error, sizeof r.error, "%.*s", (int)sizeof r.error - 1, why);
        const struct ks_view_entry *v = ks_view_get(&w->before, n);
        rc = s->driver->renewal_set(s->b, &r, e) == 0 && ks_work_audit(w, n, w->verb, v, v, e) == 0 &&
                     tell_failure(s, &d, why, now, e) == 0
                 ? ks_work_commit(w, e)
                 : -1;
    }
    ks_work_free(w);
    if (rc == 0 && next_at != NULL) {
        *next_at = r.next_at;
    }
    return rc;
}

/** Trouble of the store itself stops the tick; all else is told and tried again. */
static bool is_refusal(const cs_error *why)
{
    return why->exit_code == CS_EXIT_GUARD || why->exit_code == CS_EXIT_USAGE || why->exit_code == CS_EXIT_CONFLICT;
}

static int generate(ks_store *s, const char *alias, const struct decision *d, bool dry_run, cs_time now,
                    ks_outcome *out, cs_error *e)
{
    const ks_new new = {.alias = alias, .days = d->days};
    struct ks_making m = {.replace = true,
                          .replace_any = d->replace_any,
                          .activate = d->act == GENERATE_ACTIVE,
                          .automatic = true,
                          .tell = d->waits ? KS_TELL_WAITS : NULL,
                          .follows = d->n};
    int rc = ks_making_ask(&new, &m, now, e) == 0 ? ks_generate_made(s, &m, "regenerate", dry_run, &keeper, now, out, e)
                                                  : -1;
    ks_making_free(&m);
    return rc;
}

/** A key and its request; the talk with the issuer follows without the lock of the store. */
static int request(ks_store *s, const char *alias, const struct decision *d, bool dry_run, cs_time now, ks_outcome *out,
                   cs_error *e)
{
    const ks_new new = {.alias = alias};
    const struct ks_issue_wish wish = {.issuer = d->issuer, .follows = d->n, .replace = true};
    ks_csr csr;
    int rc = ks_csr_make_for(s, &new, &wish, dry_run, &keeper, now, &csr, out, e);
    out->info.n = csr.n;
    out->generation = csr.generation;
    ks_csr_free(&csr);
    return rc;
}

static int activate(ks_store *s, const char *alias, const struct decision *d, bool dry_run, cs_time now,
                    ks_outcome *out, cs_error *e)
{
    const ks_request r = {.verb = KS_DO_ACTIVATE, .alias = alias, .n = d->n, .dry_run = dry_run, .automatic = true};
    return ks_change(s, &r, &keeper, now, out, e);
}

/** The last day of the one in use has come: a successor that may be refused is better than one that ends for sure. */
static int insist(ks_store *s, const char *alias, const struct decision *d, const cs_error *refused, cs_time now,
                  ks_outcome *out, cs_error *e)
{
    char why[256];
    snprintf(why, sizeof why, "the one before ends within a day; %.200s", refused->text);
    const ks_actor last = {keeper.name, keeper.kind, why};
    const ks_request r = {.verb = KS_DO_ACTIVATE, .alias = alias, .n = d->n, .automatic = true, .probe_later = true};
    return ks_change(s, &r, &last, now, out, e);
}

/** Only what nodes do within a moment: follow (G6), probe (G11). *probe: the latter, too. */
static bool only_nodes(const ks_outcome *out, bool *probe)
{
    *probe = false;
    for (size_t i = 0; i < out->n_refusal; i++) {
        if (out->refusal[i].guard != KS_G6_DISTRIBUTION && out->refusal[i].guard != KS_G11_PROBE) {
            return false;
        }
        *probe = *probe || out->refusal[i].guard == KS_G11_PROBE;
    }
    return out->n_refusal > 0;
}

/** Nodes are to probe with the successor; again after a while, since the other side may have changed.
 *  @return 1 they are at it, 0 they had their time, -1 */
static int have_probed(ks_store *s, const char *alias, unsigned n, cs_time now, cs_error *e)
{
    cs_time asked = 0;
    uint64_t generation = 0;
    if (ks_probe_asked_at(s, alias, n, now, &asked, e) != 0) {
        return -1;
    }
    if (asked == 0 || now - asked >= PROBES_AGAIN) {
        return ks_probe_ask(s, alias, n, &keeper, now, &generation, e) == 0 ? 1 : -1;
    }
    ks_probe_said said;
    if (ks_probe_summary(s, alias, n, asked, now, &said, e) != 0) {
        return -1;
    }
    return said.unheard > 0 && now - asked < SETTLES;
}

static void soon(ks_report *r, cs_time at)
{
    r->next = r->next == 0 || at < r->next ? at : r->next;
}

/** @return 1 done, 0 not, -1 the store cannot be worked with */
static int act(ks_store *s, const char *alias, struct decision *d, bool dry_run, cs_time now, ks_report *out,
               cs_error *e)
{
    cs_error why = {0};
    ks_due *row = NULL;
    ks_outcome *told = calloc(1, sizeof *told);
    bool made = d->act != ACTIVATE;
    const char *word = d->act == REQUEST ? "request" : made ? "regenerate" : "activate";
    bool probe = false;
    int waits = 0;
    int rc = -1;
    if (told == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    if (d->text[0] != '\0') {
        cs_error_set(&why, CS_EXIT_USAGE, "anchor-changed", "%s", d->text);
    } else if (d->act == REQUEST) {
        rc = request(s, alias, d, dry_run, now, told, &why);
    } else {
        rc = made ? generate(s, alias, d, dry_run, now, told, &why) : activate(s, alias, d, dry_run, now, told, &why);
    }
    if (rc != 0 && !made && !dry_run && d->old_end - now <= CS_DAY && only_nodes(told, &probe) && probe &&
        (waits = have_probed(s, alias, d->n, now, e)) == 0) {
        cs_error refused = why;
        word = "activate without a probe that passed";
        cs_error_clear(&why);
        rc = insist(s, alias, d, &refused, now, told, &why);
    }
    if (rc == 0) {
        rc = ks_report_add(out, alias, told->info.n, word, "", &row, e) == 0 ? 1 : -1;
        if (rc == 1) {
            row->done = !dry_run;
            row->generation = told->generation;
        }
    } else if (!is_refusal(&why)) {
        *e = why;
    } else if (made && why.exit_code == CS_EXIT_CONFLICT) {
        soon(out, now + 1); /* another node was first, or somebody works on the slot */
        rc = 0;
    } else if (!made && !dry_run && only_nodes(told, &probe) &&
               (waits = probe ? have_probed(s, alias, d->n, now, e) : now - d->made_at < SETTLES) != 0) {
        soon(out, now + 1);
        rc = waits > 0 ? 0 : -1;
    } else {
        rc = ks_report_add(out, alias, d->n, word, why.text, &row, e);
        if (rc == 0 && !dry_run) {
            rc = made ? ks_renewal_failed(s, alias, d->old_id, why.text, now, NULL, e)
                      : tell_refused(s, d, why.text, now, e);
        }
    }
    free(told);
    return rc;
}

static int look(ks_store *s, const char *alias, const struct ks_auto *a, cs_time now, cs_time *next, struct decision *d,
                cs_error *e)
{
    struct ks_work *w = ks_work_begin(s, alias, "regenerate", true, &keeper, now, e);
    int rc = w != NULL ? decide(w, a, now, next, d, e) : -1;
    ks_work_free(w);
    return rc;
}

struct slots {
    struct ks_auto_row *row; /**< owned */
    size_t n;
};

static int keep(void *ctx, const struct ks_auto_row *row, cs_error *e)
{
    struct slots *all = ctx;
    struct ks_auto_row *grown = reallocarray(all->row, all->n + 1, sizeof *grown);
    if (grown == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    all->row = grown;
    all->row[all->n++] = *row;
    return 0;
}

/** What is made is activated as soon as all nodes have it: at once, where no node serves. */
static int slot_due(ks_store *s, const struct ks_auto_row *row, bool dry_run, cs_time now, ks_report *out, cs_error *e)
{
    struct ks_auto a;
    int done = 1;
    ks_auto_read(row, &a);
    for (int step = 0; a.on && done == 1 && step < 2; step++) {
        struct decision d;
        cs_time next = 0;
        if (look(s, row->alias, &a, now, &next, &d, e) != 0) {
            return -1;
        }
        if (next > now) {
            soon(out, next);
        }
        done = d.act != NOTHING ? act(s, row->alias, &d, dry_run, now, out, e) : 0;
        if (dry_run) {
            break;
        }
    }
    return done < 0 ? -1 : 0;
}

int ks_regenerate_due(ks_store *s, bool dry_run, cs_time now, ks_report *out, cs_error *e)
{
    struct slots all = {NULL, 0};
    int rc = s->driver->autos(s->b, NULL, keep, &all, e);
    for (size_t i = 0; rc == 0 && i < all.n; i++) {
        rc = slot_due(s, &all.row[i], dry_run, now, out, e);
    }
    free(all.row);
    return rc;
}
