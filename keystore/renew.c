/* SPDX-License-Identifier: Apache-2.0 */
/* renew.c: a successor by hand, and whether a slot makes its successors without one. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "keystore/config.h"
#include "keystore/consent.h"
#include "keystore/making.h"
#include "keystore/regenerate.h"
#include "keystore/renewal.h"
#include "keystore/talk.h"

#define DAYS_LEAST 30

/** What is made here follows what was made here; outside: an issuer of the configuration may make it, too. */
static int check_issuer(struct ks_work *w, const ks_info *before, bool outside, cs_error *e)
{
    bool own = false;
    char issuer[KS_WORD] = "";
    const struct ks_issuing_driver *d = w->s->driver->issuing;
    if (ks_own_ca_named(w, before->issuer, &own, e) != 0 ||
        (outside && d != NULL && d->issuer_get(w->s->b, w->slot.slot_id, issuer, e) != 0)) {
        return -1;
    }
    return own || issuer[0] != '\0'
               ? 0
               : cs_error_set(
                     e, CS_EXIT_USAGE, "issuer-outside",
                     "%s#%u was issued by %.160s, not by this keystore; next: countersign keystore csr --alias %s "
                     "-o FILE, and with the answer countersign keystore import-reply --alias %s FILE",
                     before->alias, before->n, before->issuer, before->alias, before->alias);
}

/* ---- renew ------------------------------------------------------------------------------------------------------- */

/** Who goes needs a second person where that rule is in force: that is a change of its own. */
static int check_consent(struct ks_work *w, unsigned goes, cs_error *e)
{
    struct ks_consent consent = {0};
    struct ks_plan plan;
    const struct ks_view_entry *v = goes != 0 ? ks_view_get(&w->before, goes) : NULL;
    char object[KS_WORD + 12];
    if (v == NULL || v->state == KS_PRE_ACTIVE) {
        return 0;
    }
    snprintf(object, sizeof object, "%s#%u", w->slot.alias, goes);
    ks_plan_begin(&plan, ks_verb_word(KS_DO_REMOVE), object);
    if (ks_consent_ask(w->s, &plan, w->who, w->now, &consent, e) != 0) {
        return -1;
    }
    return !consent.asked
               ? 0
               : cs_error_set(e, CS_EXIT_APPROVAL, "two-persons",
                              "%s would make room, and a second person must agree to that; first: countersign "
                              "keystore remove %s",
                              object, object);
}

/** @return 0 with m ready, or -1 */
static int prepare(ks_store *s, struct ks_making *m, ks_new *new, const ks_actor *who, cs_time now, cs_error *e)
{
    int rc = -1;
    struct ks_work *w = ks_work_begin(s, new->alias, "renew", true, who, now, e);
    const ks_info *before = w != NULL ? ks_making_before(w) : NULL;
    if (w == NULL) {
        return -1;
    }
    if (w->slot.slot_id == 0) {
        ks_work_unknown(w, new->alias, 0, e);
    } else if (before == NULL) {
        cs_error_set(e, CS_EXIT_USAGE, "nothing-to-renew",
                     "%s has no entry that could be succeeded; next: countersign "
                     "keystore generate --alias %s",
                     new->alias, new->alias);
    } else if (ks_making_ask(new, m, now, e) == 0 && ks_making_resolve(w, m, e) == 0 &&
               check_issuer(w, before, false, e) == 0) {
        int64_t days = (before->not_after - before->not_before) / CS_DAY;
        m->until = now + (days < DAYS_LEAST ? DAYS_LEAST : days > KS_NEW_DAYS_MAX ? KS_NEW_DAYS_MAX : days) * CS_DAY;
        rc = check_consent(w, m->replaces, e);
    }
    ks_work_free(w);
    return rc;
}

int ks_renew(ks_store *s, const char *alias, bool dry_run, const ks_actor *who, cs_time now, ks_outcome *out,
             cs_error *e)
{
    ks_new new = {.alias = alias};
    struct ks_making m = {.replace = true, .tell = KS_TELL_WAITS};
    memset(out, 0, sizeof *out);
    int rc = prepare(s, &m, &new, who, now, e) == 0 ? ks_generate_made(s, &m, "renew", dry_run, who, now, out, e) : -1;
    ks_making_free(&m);
    return rc;
}

/* ---- auto -------------------------------------------------------------------------------------------------------- */

struct finding {
    struct ks_auto_row row;
    bool found;
    ks_store *s;
    cs_time now;
    ks_visit_auto_info *visit;
    void *ctx;
};

static int keep(void *ctx, const struct ks_auto_row *row, cs_error *e)
{
    (void)e;
    struct finding *f = ctx;
    f->row = *row;
    f->found = true;
    return 0;
}

/** Partners of these roles know the certificate itself. */
static bool known_by_certificate(enum ks_role role)
{
    return role == KS_SIGN || role == KS_DECRYPT;
}

static int check_auto(struct ks_work *w, const ks_auto_request *r, const struct ks_auto *a, cs_error *e)
{
    struct ks_hours hours;
    if (r->days < 0 || r->days > KS_AUTO_DAYS) {
        return cs_error_set(e, CS_EXIT_USAGE, "days", "a successor is made 1 to %d days before the end", KS_AUTO_DAYS);
    }
    if (r->pinning != NULL && strcmp(r->pinning, "dn") != 0 && strcmp(r->pinning, "fingerprint") != 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "pinning", "\"%.32s\" is none of: dn, fingerprint", r->pinning);
    }
    int window = a->window[0] != '\0' ? ks_hours_parse(a->window, &hours) : 0;
    if (a->window[0] != '\0') {
        ks_hours_free(&hours);
    }
    if (window != 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "window",
                            "\"%.60s\" is no window, as \"Mon-Thu 09:00-12:00\" with UTC, local or a time zone as "
                            "Europe/Berlin behind it%s",
                            a->window, window == 1 ? "; this machine does not know that zone (package tzdata)" : "");
    }
    if (w->slot.slot_id == 0) {
        return ks_work_unknown(w, r->alias, 0, e);
    }
    if (!a->on) {
        return 0;
    }
    if (!ks_role_row(w->slot.role)->own_key || strcmp(r->alias, KS_OWN_CA) == 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "role", "%s has role %s: its certificates are not made here", r->alias,
                            ks_role_word(w->slot.role));
    }
    if (known_by_certificate(w->slot.role) && !a->fingerprint) {
        return cs_error_set(
            e, CS_EXIT_USAGE, "pinning",
            "partners know a certificate of role %s itself: --pinning fingerprint makes the successor and "
            "leaves its activation to you",
            ks_role_word(w->slot.role));
    }
    const ks_info *before = ks_making_before(w);
    return before == NULL ? 0 : check_issuer(w, before, true, e);
}

static int write_auto(struct ks_work *w, const struct ks_auto_row *row, cs_error *e)
{
    char object[KS_WORD];
    char after[192];
    struct ks_audit_row audit = {.at = w->now,
                                 .actor = w->who->name,
                                 .actor_kind = w->who->kind,
                                 .verb = w->verb,
                                 .object = object,
                                 .reason = w->who->reason};
    cs_copy(object, sizeof object, w->slot.alias);
    snprintf(after, sizeof after, "{\"auto\":\"%s\",\"pinning\":\"%s\"}", row->settings, row->pinning);
    audit.after = after;
    if (w->s->driver->auto_set(w->s->b, row, w->generation, e) != 0 || ks_audit_append(w->s, &audit, e) != 0) {
        return -1;
    }
    w->seq = audit.seq;
    return ks_work_commit(w, e);
}

/** Which entry it is about, and when. */
static void describe(const struct ks_work *w, const struct ks_auto *a, ks_auto_info *out, struct ks_renewal_row *r)
{
    const struct ks_row *old = NULL;
    for (size_t i = 0; i < w->n_row; i++) {
        const struct ks_row *row = &w->row[i];
        bool sooner = old == NULL || row->info.not_after < old->info.not_after;
        old = row->info.state == KS_ACTIVE && row->key_id[0] != '\0' && sooner ? row : old;
    }
    cs_copy(out->alias, sizeof out->alias, w->slot.alias);
    out->on = a->on;
    out->days = a->days;
    out->fingerprint = a->fingerprint;
    cs_copy(out->window, sizeof out->window, a->window);
    if (old != NULL) {
        out->n = old->info.n;
        out->not_after = old->info.not_after;
        out->at = ks_regenerate_at(a, old->info.sha256, old->info.not_after);
        if (w->s->driver->renewal_get(w->s->b, old->entry_id, r, NULL) == 1) {
            out->successor = r->successor;
            cs_copy(out->error, sizeof out->error, r->error);
        }
    }
}

int ks_auto_set(ks_store *s, const ks_auto_request *r, bool dry_run, const ks_actor *who, cs_time now,
                ks_auto_info *out, cs_error *e)
{
    struct finding f = {.found = false};
    struct ks_auto a = {.days = KS_AUTO_DAYS};
    struct ks_renewal_row renewal;
    int rc = -1;
    memset(out, 0, sizeof *out);
    struct ks_work *w = ks_work_begin(s, r->alias, r->on ? "auto-on" : "auto-off", dry_run, who, now, e);
    if (w == NULL || s->driver->autos(s->b, r->alias, keep, &f, e) != 0) {
        goto out;
    }
    if (f.found) {
        ks_auto_read(&f.row, &a);
    }
    a.on = r->on;
    a.days = r->days > 0 && r->days <= KS_AUTO_DAYS ? (int)r->days : a.days;
    a.fingerprint = r->pinning != NULL ? strcmp(r->pinning, "fingerprint") == 0 : a.fingerprint;
    if (r->window != NULL && !cs_copy(a.window, sizeof a.window, r->window)) {
        cs_error_set(e, CS_EXIT_USAGE, "window", "the window is too long");
        goto out;
    }
    if (check_auto(w, r, &a, e) != 0) {
        goto out;
    }
    f.row.slot_id = w->slot.slot_id;
    ks_auto_write(&a, &f.row);
    out->generation = w->generation;
    rc = dry_run ? 0 : write_auto(w, &f.row, e);
    describe(w, &a, out, &renewal);
out:
    ks_work_free(w);
    return rc;
}

static int visit_one(void *ctx, const struct ks_auto_row *row, cs_error *e)
{
    static const ks_actor nobody = {"list", "query", NULL};
    struct finding *f = ctx;
    struct ks_auto a;
    struct ks_renewal_row renewal;
    ks_auto_info info = {.on = false};
    struct ks_work *w = ks_work_begin(f->s, row->alias, "list", true, &nobody, f->now, e);
    if (w == NULL) {
        return -1;
    }
    ks_auto_read(row, &a);
    describe(w, &a, &info, &renewal);
    ks_work_free(w);
    return f->visit(f->ctx, &info, e);
}

int ks_auto_each(ks_store *s, const char *alias, cs_time now, ks_visit_auto_info *visit, void *ctx, cs_error *e)
{
    struct finding f = {.s = s, .now = now, .visit = visit, .ctx = ctx};
    return s->driver->autos(s->b, alias, visit_one, &f, e);
}
