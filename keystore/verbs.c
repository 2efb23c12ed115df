/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verbs.c: what a person, or the keeper, does with an entry: one transaction each, over every slot that it reaches,
 * with the consent of a second person where that is asked for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/canary.h"
#include "keystore/consent.h"
#include "keystore/samekey.h"
#include "keystore/schedule.h"

int ks_work_unknown(struct ks_work *w, const char *alias, unsigned n, cs_error *e)
{
    return w->slot.slot_id == 0 ? ks_alias_unknown(w->s, alias, e)
                                : cs_error_set(e, CS_EXIT_USAGE, "entry-unknown",
                                               "%s holds no entry #%u; see: countersign keystore list", alias, n);
}

/* ---- notes ------------------------------------------------------------------------------------------------------ */

static void note_activated(const struct ks_work *w, const ks_request *r, ks_outcome *out)
{
    char when[CS_TIME_TEXT];
    const struct ks_view_entry *mine = ks_view_get(&w->after, r->n);
    for (size_t k = 0; mine != NULL && k < w->after.n; k++) {
        const struct ks_view_entry *v = &w->after.entry[k];
        if (v->state == KS_ACTIVE && v->n != r->n && v->not_after > mine->not_after) {
            ks_note(out, "it ends %s, before the active %s#%u", cs_time_format(mine->not_after, when), r->alias, v->n);
            break;
        }
    }
}

static void note_trash(const ks_request *r, ks_outcome *out)
{
    char when[CS_TIME_TEXT];
    if (out->info.trash_until != 0) {
        ks_note(out, "in the trash until %s; to have it back: countersign keystore trash restore %s#%u",
                cs_time_format(out->info.trash_until, when), r->alias, r->n);
    }
}

static void verb_notes(struct ks_work *w, const ks_request *r, ks_outcome *out)
{
    char when[CS_TIME_TEXT];
    char text[384];
    const ks_info *i = &out->info;
    if (out->has_other) {
        ks_note(out, "%s#%u is deactivated in the same moment; to roll back: countersign keystore activate %s#%u",
                r->alias, out->other.n, r->alias, out->other.n);
    }
    switch (r->verb) {
    case KS_DO_DEACTIVATE:
        if (i->process_stop > w->now) {
            ks_note(out, "still accepted until %s; from then on: countersign keystore remove %s#%u",
                    cs_time_format(i->process_stop, when), r->alias, r->n);
        }
        break;
    case KS_DO_SUSPEND:
        ks_note(out, "refused for everything until: countersign keystore resume %s#%u", r->alias, r->n);
        break;
    case KS_DO_ACTIVATE:
        if (ks_role_row(w->slot.role)->max_active != 1) {
            note_activated(w, r, out);
        }
        break;
    case KS_DO_REMOVE: note_trash(r, out); break;
    case KS_DO_COMPROMISE:
        ks_note(out, "in archives it is accepted before its date only with proof of the time of receipt");
        if (ks_alarm(&w->before, &w->after, &w->plan, w->now, text, sizeof text)) {
            ks_note(out, "ALARM: %s", text);
        }
        break;
    default: break;
    }
}

/** The entry that the plan exchanges, if there is one. */
static void name_other(struct ks_work *w, unsigned n, ks_outcome *out)
{
    for (size_t i = 0; i < w->plan.n; i++) {
        if (w->plan.step[i].t == KS_T3_DEACTIVATE && w->plan.step[i].n != n) {
            ks_work_info(w, w->plan.step[i].n, &out->other);
            out->has_other = true;
        }
    }
}

/** A rehearsal tells its steps, and the guards that were asked and are content. */
static void note_steps(const struct ks_work *w, ks_outcome *out)
{
    for (size_t i = 0; i < w->plan.n; i++) {
        const struct ks_step *step = &w->plan.step[i];
        const struct ks_transition_row *row = ks_transition_row(step);
        char guards[96] = "G1 G2 G3";
        for (int g = KS_G4_OVERLAP; row != NULL && g <= KS_G14_BACKUP; g++) {
            size_t used = strlen(guards);
            if ((row->guards & (1U << g)) != 0) {
                snprintf(guards + used, sizeof guards - used, " G%d", g);
            }
        }
        ks_note(out, "T%d %s %s#%u: content are %s", (int)step->t, row != NULL ? row->word : "?", w->slot.alias,
                step->n, guards);
    }
}

/* ---- one verb --------------------------------------------------------------------------------------------------- */

/** What a verb may be told, into the plan. */
static int take_options(struct ks_work *w, const ks_request *r, cs_error *e)
{
    struct ks_rule_plan *p = &w->plan;
    p->reasoned = w->who->reason != NULL && w->who->reason[0] != '\0';
    p->shorter_ok = r->shorter_ok;
    p->forced = r->force;
    p->no_backup_ok = r->no_backup_ok;
    p->automatic = r->automatic;
    p->probe_later = r->probe_later || r->has_share; /* a share is that probe */
    p->since = r->since;
    p->until = r->until;
    w->before.revocation_required = r->crl_required;
    snprintf(p->without_node, sizeof p->without_node, "%s", r->without_node != NULL ? r->without_node : "");
    if (r->verb == KS_DO_COMPROMISE && r->since > w->now) {
        return cs_error_set(e, CS_EXIT_USAGE, "usage", "--since names an instant of the past");
    }
    if (r->verb == KS_DO_REOPEN && r->until <= w->now) {
        return cs_error_set(e, CS_EXIT_USAGE, "usage",
                            "--until names the instant until which it is accepted, later than now");
    }
    if (r->verb == KS_DO_REOPEN && !p->reasoned) {
        return cs_error_set(e, CS_EXIT_USAGE, "usage",
                            "to accept it again is an exception: say why with --reason TEXT");
    }
    return 0;
}

/** The change as data, for who has to agree to it. */
static void describe(const struct ks_work *w, const ks_request *r, const ks_info *info, struct ks_plan *out)
{
    char object[KS_WORD + 12];
    snprintf(object, sizeof object, "%s#%u", r->alias, r->n);
    ks_plan_begin(out, ks_verb_word(r->verb), object);
    ks_plan_put(out, KS_PLAN_ASKED, "force", r->force ? "yes" : NULL);
    ks_plan_put(out, KS_PLAN_ASKED, "no-backup-ok", r->no_backup_ok ? "yes" : NULL);
    ks_plan_put(out, KS_PLAN_ASKED, "shorter-ok", r->shorter_ok ? "yes" : NULL);
    if (r->has_share) {
        char share[8];
        snprintf(share, sizeof share, "%u", r->share);
        ks_plan_put(out, KS_PLAN_ASKED, "share", share);
    }
    ks_plan_put(out, KS_PLAN_ASKED, "without-node", r->without_node);
    ks_plan_put_time(out, KS_PLAN_ASKED, "since", r->since);
    ks_plan_put_time(out, KS_PLAN_ASKED, "until", r->until);
    ks_plan_put_time(out, KS_PLAN_ASKED, "at", r->at);
    ks_plan_put_entry(out, info);
    ks_plan_put_steps(out, r->alias, &w->plan);
}

/** G10: is a second person asked for, and did he agree? */
static int consent(struct ks_verb_work *v, const ks_info *info, cs_error *e)
{
    struct ks_work *w = v->w;
    v->consent = (struct ks_consent){0};
    if (!ks_plan_asks_consent(&w->plan)) {
        return 0;
    }
    describe(w, v->r, info, &v->plan);
    if (ks_consent_ask(w->s, &v->plan, w->who, w->now, &v->consent, e) != 0) {
        return -1;
    }
    w->approver = ks_consent_approver(&v->consent);
    if (v->consent.asked) {
        w->plan.approval = v->consent.given ? KS_APPROVAL_GIVEN : KS_APPROVAL_MISSING;
    }
    return 0;
}

int ks_verb_judge(struct ks_verb_work *v, ks_outcome *out, cs_error *e)
{
    struct ks_work *w = v->w;
    const ks_request *r = v->r;
    char text[256];
    struct ks_row *row = w->slot.slot_id != 0 ? ks_work_row(w, r->n) : NULL;
    if (row == NULL) {
        return ks_work_unknown(w, r->alias, r->n, e);
    }
    if (r->expect_version != 0 && row->info.version != r->expect_version) {
        return cs_error_set(e, CS_EXIT_CONFLICT, "conflict",
                            "%s#%u has version %llu by now, not %llu: look again, then decide", r->alias, r->n,
                            (unsigned long long)row->info.version, (unsigned long long)r->expect_version);
    }
    ks_view_copy(&w->after, &w->before);
    ks_work_info(w, r->n, &out->info);
    if (take_options(w, r, e) != 0) {
        return -1;
    }
    switch (ks_plan_verb(&w->before, r->verb, r->n, w->now, &w->plan, text, sizeof text)) {
    case KS_MEET_NEVER: return cs_error_set(e, CS_EXIT_USAGE, "no-transition", "%s", text);
    case KS_MEET_ALREADY:
        ks_note(out, "%s", text);
        out->generation = w->generation - 1;
        return 1;
    case KS_MEET_STEPS: break;
    }
    if (consent(v, &row->info, e) != 0 || ks_work_judge(w, out, e) != 0) {
        return -1;
    }
    name_other(w, r->n, out);
    return 0;
}

static int change_within(struct ks_verb_work *v, ks_outcome *out, cs_error *e)
{
    struct ks_work *w = v->w;
    const ks_request *r = v->r;
    int met = ks_verb_judge(v, out, e);
    if (met != 0) {
        out->done = met == 1 && !r->dry_run;
        return met == 1 ? 0 : -1;
    }
    struct ks_same_key same = {0};
    int rc = ks_same_key_judge(w, r->n, &same, out, e);
    if (rc == 0 && !w->dry_run) {
        w->carried = ks_verb_word(r->verb);
        rc = ks_work_write(w, e) == 0 && ks_same_key_write(w, &same, e) == 0 &&
                     (!v->consent.given || ks_consent_use(w->s, &v->consent, w->now, e) == 0) &&
                     ks_work_commit(w, e) == 0
                 ? 0
                 : -1;
    }
    if (rc == 0) {
        ks_work_info(w, r->n, &out->info);
        if (r->dry_run) {
            note_steps(w, out);
        }
        verb_notes(w, r, out);
        ks_same_key_notes(&same, out);
        out->done = !r->dry_run;
    }
    ks_same_key_free(&same);
    return rc;
}

int ks_change(ks_store *s, const ks_request *r, const ks_actor *who, cs_time now, ks_outcome *out, cs_error *e)
{
    memset(out, 0, sizeof *out);
    struct ks_verb_work *v = calloc(1, sizeof *v);
    if (v == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    v->r = r;
    int rc = -1;
    v->w = ks_work_begin(s, r->alias, ks_verb_word(r->verb), r->dry_run, who, now, e);
    if (v->w != NULL) {
        rc = r->has_share               ? ks_canary_within(v, out, e)
             : r->cancel || r->at > now ? ks_schedule_within(v, out, e)
                                        : change_within(v, out, e);
    }
    ks_work_free(v->w);
    bool waits = rc != 0 && out->n_refusal > 0 && out->refusal[0].guard == KS_G10_TWO_PERSONS;
    if (waits && !r->dry_run) {
        if (e != NULL) {
            cs_error_clear(e); /* the proposal says it better: who may agree, until when, by which command */
        }
        rc = ks_consent_propose(s, &v->plan, who, now, e);
        cs_copy(out->refusal[0].text, sizeof out->refusal[0].text, e != NULL ? e->text : "");
    }
    free(v);
    return rc;
}

int ks_actions(ks_store *s, const ks_info *info, cs_time now, ks_action out[KS_VERBS], cs_error *e)
{
    static const ks_actor nobody = {"list", "query", NULL};
    struct ks_work *w = ks_work_begin(s, info->alias, "list", true, &nobody, now, e);
    int n = 0;
    if (w == NULL) {
        return -1;
    }
    for (int v = 0; v < KS_VERBS; v++) {
        char text[256];
        if (ks_plan_verb(&w->before, (enum ks_verb)v, info->n, now, &w->plan, text, sizeof text) != KS_MEET_STEPS) {
            continue;
        }
        ks_outcome outcome = {0};
        cs_error refused = {0};
        out[n].verb = (enum ks_verb)v;
        out[n].possible = ks_work_judge(w, &outcome, &refused) == 0;
        out[n].refusal = outcome.refusal[0];
        n++;
    }
    ks_work_free(w);
    return n;
}
