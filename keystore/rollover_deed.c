/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollover_deed.c: the commands that runbooks may name, carried out. Each is the change that the command of that name
 * makes, in transactions of its own and with all its guards; done already is done.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/rollover.h"
#include "keystore/rollover_act.h"

struct doing {
    ks_store *s;
    const struct ks_rollover *r;
    bool dry_run;
    const ks_actor *who;
    cs_time now;
    ks_outcome *out;
};

/* ---- entries --------------------------------------------------------------------------------------------------- */

static int change(const struct doing *d, const ks_info *i, bool there, ks_request q, cs_error *e)
{
    if (!there) {
        return cs_error_set(e, CS_EXIT_USAGE, "rollover-entry",
                            "%s has no certificate yet that this could be done with; how it gets one: countersign "
                            "rollover status %s",
                            d->r->row.alias, d->r->name);
    }
    q.alias = d->r->row.alias;
    q.n = i->n;
    q.dry_run = d->dry_run;
    return ks_change(d->s, &q, d->who, d->now, d->out, e);
}

static int verb_new(const struct doing *d, enum ks_verb verb, cs_error *e)
{
    return change(d, &d->r->new_info, d->r->has_new, (ks_request){.verb = verb, .probe_later = d->r->runbook->window},
                  e);
}

static int verb_old(const struct doing *d, enum ks_verb verb, cs_error *e)
{
    /* the way back may lead to one that ends earlier, and needs no probe: it worked */
    return change(d, &d->r->old_info, d->r->has_old,
                  (ks_request){.verb = verb, .shorter_ok = true, .probe_later = true}, e);
}

static int generate(const struct doing *d, cs_error *e)
{
    const ks_new what = {.alias = d->r->row.alias};
    if (d->r->has_new && d->r->new_info.has_key) {
        return 0;
    }
    return ks_generate(d->s, &what, d->dry_run, d->who, d->now, d->out, e);
}

static int activate_new(const struct doing *d, cs_error *e)
{
    return verb_new(d, KS_DO_ACTIVATE, e);
}

static int activate_at(const struct doing *d, cs_error *e)
{
    if (d->r->row.window_from == 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "rollover-window",
                            "no instant is set; first: countersign rollover window %s FROM TO", d->r->name);
    }
    cs_time at = d->r->row.window_from > d->now ? d->r->row.window_from : 0;
    if (ks_rollover_setting(d->r, "require-all") && d->r->row.window_from - d->now <= KS_ROLL_READY_S) {
        char names[160];
        if (ks_rollover_unready(d->r, names, sizeof names) > 0) {
            return cs_error_set(e, CS_EXIT_GUARD, "rollover-senders",
                                "not every sender is ready, as %s requires; not yet: %s. Agree on another instant: "
                                "countersign rollover window %s FROM TO",
                                d->r->name, names, d->r->name);
        }
    }
    return change(d, &d->r->new_info, d->r->has_new, (ks_request){.verb = KS_DO_ACTIVATE, .at = at}, e);
}

static int activate_cancel(const struct doing *d, cs_error *e)
{
    if (!d->r->planned || d->r->new_info.state == KS_ACTIVE) {
        return 0;
    }
    return change(d, &d->r->new_info, d->r->has_new, (ks_request){.verb = KS_DO_ACTIVATE, .cancel = true}, e);
}

static int activate_old(const struct doing *d, cs_error *e)
{
    return verb_old(d, KS_DO_ACTIVATE, e);
}

static int deactivate_old(const struct doing *d, cs_error *e)
{
    return verb_old(d, KS_DO_DEACTIVATE, e);
}

static int deactivate_new(const struct doing *d, cs_error *e)
{
    return verb_new(d, KS_DO_DEACTIVATE, e);
}

static int suspend_new(const struct doing *d, cs_error *e)
{
    return verb_new(d, KS_DO_SUSPEND, e);
}

static int remove_old(const struct doing *d, cs_error *e)
{
    return verb_old(d, KS_DO_REMOVE, e);
}

static int remove_new(const struct doing *d, cs_error *e)
{
    return d->r->has_new ? verb_new(d, KS_DO_REMOVE, e) : 0;
}

/* ---- routes ---------------------------------------------------------------------------------------------------- */

static int hold_all(const struct doing *d, bool hold, cs_error *e)
{
    for (size_t i = 0; i < d->r->n_route; i++) {
        ks_hold_outcome out;
        const char *route = d->r->route[i];
        if ((hold ? ks_hold(d->s, route, d->dry_run, d->who, d->now, &out, e)
                  : ks_release(d->s, route, d->dry_run, d->who, d->now, &out, e)) != 0) {
            return -1;
        }
        d->out->generation = out.generation;
    }
    return 0;
}

static int hold_routes(const struct doing *d, cs_error *e)
{
    return hold_all(d, true, e);
}

static int release_routes(const struct doing *d, cs_error *e)
{
    return hold_all(d, false, e);
}

/* ---- mappings -------------------------------------------------------------------------------------------------- */

static int retire(const struct doing *d, int64_t map_id, cs_error *e)
{
    ks_mapping_outcome out;
    return ks_mapping_retire(d->s, map_id, d->dry_run, d->who, d->now, &out, e);
}

static int add(const struct doing *d, const struct ks_roll_mapping *old, cs_error *e)
{
    ks_mapping_outcome out;
    const ks_info *i = &d->r->new_info;
    ks_mapping_new what = {.route = old->info.route, .subject = i->subject, .issuer = i->issuer};
    if (old->user_old) {
        what = (ks_mapping_new){.alias = d->r->row.alias, .n = i->n, .user = old->info.user};
    }
    return ks_mapping_add(d->s, &what, d->dry_run, d->who, d->now, &out, e);
}

/** What is to be done with one mapping: add its twin, retire it, or nothing. */
enum fate { FATE_NONE, FATE_ADD, FATE_RETIRE };

static enum fate fate_of(enum ks_deed deed, const struct ks_roll_mapping *m, bool dn_unchanged)
{
    switch (deed) {
    case KS_DEED_MAP_NAMES: return m->names_old && !m->answered ? FATE_ADD : FATE_NONE;
    case KS_DEED_MAP_USERS: return m->user_old && !m->answered ? FATE_ADD : FATE_NONE;
    case KS_DEED_UNMAP_NEW: return m->user_new || (m->names_new && !m->names_old) ? FATE_RETIRE : FATE_NONE;
    case KS_DEED_UNMAP_OLD_USERS: return m->user_old ? FATE_RETIRE : FATE_NONE;
    /* a rule that lets in both stays: the new one needs it */
    case KS_DEED_UNMAP_OLD_NAMES: return m->names_old && !m->names_new && !dn_unchanged ? FATE_RETIRE : FATE_NONE;
    default: return FATE_NONE;
    }
}

static int mappings(const struct doing *d, enum ks_deed deed, cs_error *e)
{
    struct ks_roll_mappings all;
    bool unchanged = (d->r->facts.hold & KS_BIT(KS_FACT_DN_UNCHANGED)) != 0;
    bool old_seen = (d->r->facts.hold & KS_BIT(KS_FACT_QUIET_OLD)) == 0;
    if (deed == KS_DEED_UNMAP_OLD_USERS && old_seen && d->r->old_info.last_use != 0 &&
        d->now - d->r->old_info.last_use < CS_DAY) {
        return cs_error_set(e, CS_EXIT_GUARD, "rollover-old-seen",
                            "%s#%u is still seen: %s; its user stays mapped until it is quiet for 24 h",
                            d->r->row.alias, d->r->old_info.n, d->r->facts.text[KS_FACT_QUIET_OLD]);
    }
    int rc = ks_rollover_mappings(d->s, d->r, &all, e);
    for (size_t i = 0; rc == 0 && i < all.n; i++) {
        enum fate fate = all.row[i].info.to == 0 ? fate_of(deed, &all.row[i], unchanged) : FATE_NONE;
        if (fate == FATE_ADD && !d->r->has_new) {
            rc = cs_error_set(e, CS_EXIT_USAGE, "rollover-entry",
                              "%s has no new certificate yet; how it gets one: countersign rollover status %s",
                              d->r->row.alias, d->r->name);
        } else if (fate != FATE_NONE) {
            rc = fate == FATE_ADD ? add(d, &all.row[i], e) : retire(d, all.row[i].info.map_id, e);
        }
    }
    free(all.row);
    return rc;
}

static int map_names(const struct doing *d, cs_error *e)
{
    return mappings(d, KS_DEED_MAP_NAMES, e);
}

/** Before it stands for somebody it must be in use. */
static int map_users(const struct doing *d, cs_error *e)
{
    if (d->r->has_new && d->r->new_info.state == KS_PRE_ACTIVE && verb_new(d, KS_DO_ACTIVATE, e) != 0) {
        return -1;
    }
    return mappings(d, KS_DEED_MAP_USERS, e);
}

static int unmap_new(const struct doing *d, cs_error *e)
{
    return mappings(d, KS_DEED_UNMAP_NEW, e);
}

static int unmap_old_names(const struct doing *d, cs_error *e)
{
    return mappings(d, KS_DEED_UNMAP_OLD_NAMES, e);
}

static int unmap_old_users(const struct doing *d, cs_error *e)
{
    return mappings(d, KS_DEED_UNMAP_OLD_USERS, e);
}

/* ---- all ------------------------------------------------------------------------------------------------------- */

static int (*const doer[KS_DEEDS])(const struct doing *d, cs_error *e) = {
    [KS_DEED_GENERATE] = generate,
    [KS_DEED_ACTIVATE_NEW] = activate_new,
    [KS_DEED_ACTIVATE_AT] = activate_at,
    [KS_DEED_ACTIVATE_CANCEL] = activate_cancel,
    [KS_DEED_ACTIVATE_OLD] = activate_old,
    [KS_DEED_DEACTIVATE_OLD] = deactivate_old,
    [KS_DEED_DEACTIVATE_NEW] = deactivate_new,
    [KS_DEED_SUSPEND_NEW] = suspend_new,
    [KS_DEED_REMOVE_OLD] = remove_old,
    [KS_DEED_REMOVE_NEW] = remove_new,
    [KS_DEED_HOLD] = hold_routes,
    [KS_DEED_RELEASE] = release_routes,
    [KS_DEED_MAP_NAMES] = map_names,
    [KS_DEED_MAP_USERS] = map_users,
    [KS_DEED_UNMAP_NEW] = unmap_new,
    [KS_DEED_UNMAP_OLD_NAMES] = unmap_old_names,
    [KS_DEED_UNMAP_OLD_USERS] = unmap_old_users,
};

int ks_rollover_deed(ks_store *s, const struct ks_rollover *r, const char *command, bool dry_run, const ks_actor *who,
                     cs_time now, ks_outcome *out, cs_error *e)
{
    const struct ks_deed_row *row = ks_deed_of(command);
    const struct doing d = {s, r, dry_run, who, now, out};
    memset(out, 0, sizeof *out);
    return row != NULL ? doer[row->deed](&d, e)
                       : cs_error_set(e, CS_EXIT_CONFIG, "runbook", "\"%s\" is no command of a runbook", command);
}

int ks_rollover_run(ks_store *s, const struct ks_rollover *r, size_t place, bool dry_run, const ks_actor *who,
                    cs_time now, ks_outcome *out, cs_error *e)
{
    const struct ks_runbook_step *step = &r->runbook->step[place];
    for (size_t i = 0; i < step->n_run; i++) {
        if (ks_rollover_deed(s, r, step->run[i], dry_run, who, now, out, e) != 0) {
            return -1;
        }
    }
    return 0;
}

static bool names_deed(const struct ks_runbook_step *step, enum ks_deed deed)
{
    for (size_t i = 0; i < step->n_run; i++) {
        const struct ks_deed_row *row = ks_deed_of(step->run[i]);
        if (row != NULL && row->deed == deed) {
            return true;
        }
    }
    return false;
}

bool ks_rollover_holds(const struct ks_rollover *r)
{
    for (size_t i = 0; i < r->runbook->n; i++) {
        if (names_deed(&r->runbook->step[i], KS_DEED_HOLD)) {
            return true;
        }
    }
    return false;
}

bool ks_rollover_by_itself(const struct ks_rollover *r, size_t place)
{
    const struct ks_runbook_step *step = &r->runbook->step[place];
    return step->kind == KS_STEP_AUTO &&
           !(ks_rollover_setting(r, "release-by-hand") && names_deed(step, KS_DEED_RELEASE));
}

size_t ks_rollover_next(const struct ks_rollover *r, unsigned roles)
{
    for (size_t i = 0; i < r->runbook->n; i++) {
        if (r->judged[i].state == KS_STEP_READY && r->runbook->step[i].n_run > 0 &&
            (r->runbook->step[i].who & roles) != 0) {
            return i;
        }
    }
    return r->runbook->n;
}
