/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollover_abort.c: a roll-over taken back: the undo of each closed step, the last one first. Behind a step of no
 * return nothing before it is undone; routes are let go in any case. Each undo is a change of its own: an abort that is
 * refused in between, or killed, goes on where it stopped when it is given again.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "keystore/change.h"
#include "keystore/record.h"
#include "keystore/rollover.h"
#include "keystore/rollover_act.h"

/** The last closed step of no return; r->runbook->n: there is none. */
static size_t last_no_return(const struct ks_rollover *r)
{
    size_t last = r->runbook->n;
    for (size_t i = 0; i < r->runbook->n; i++) {
        if (r->runbook->step[i].no_return && r->judged[i].state == KS_STEP_DONE) {
            last = i;
        }
    }
    return last;
}

static bool lets_go(const char *command)
{
    const struct ks_deed_row *row = ks_deed_of(command);
    return row != NULL && row->deed == KS_DEED_RELEASE;
}

/** A step of which something may be left: closed, or its turn (a command may have been carried out by half). */
static bool touched(const struct ks_step_judged *j)
{
    return j->state == KS_STEP_DONE || j->state == KS_STEP_READY;
}

/** What the other side uses already is not taken from it: its messages would be refused. */
static bool would_refuse(const struct ks_rollover *r, const char *command)
{
    const struct ks_deed_row *row = ks_deed_of(command);
    return row != NULL && (row->deed == KS_DEED_SUSPEND_NEW || row->deed == KS_DEED_UNMAP_NEW) && r->has_new &&
           r->new_info.last_use != 0;
}

struct undoing {
    ks_store *s;
    const struct ks_rollover *r;
    bool dry_run;
    const ks_actor *who;
    cs_time now;
    uint32_t undone; /**< set of 1 << place */
    bool spared;     /**< the new one stays accepted */
};

static int undo_step(struct undoing *u, size_t i, bool only_release, ks_outcome *out, cs_error *e)
{
    const struct ks_runbook_step *step = &u->r->runbook->step[i];
    bool whole = !only_release && step->n_undo > 0;
    for (size_t k = 0; k < step->n_undo; k++) {
        const struct ks_deed_row *row = ks_deed_of(step->undo[k]);
        cs_error why = {0};
        bool spared = would_refuse(u->r, step->undo[k]);
        u->spared = u->spared || (spared && !only_release);
        if (spared || (only_release && !lets_go(step->undo[k]))) {
            whole = false;
            continue;
        }
        int rc = ks_rollover_deed(u->s, u->r, step->undo[k], u->dry_run, u->who, u->now, out, &why);
        /* a new certificate that was in use is kept as long as any: it is out of use, and that is all that is asked */
        bool kept =
            row != NULL && (row->deed == KS_DEED_REMOVE_NEW || row->deed == KS_DEED_SUSPEND_NEW) &&
            (why.exit_code == CS_EXIT_GUARD || why.exit_code == CS_EXIT_CONFLICT || why.exit_code == CS_EXIT_USAGE);
        if (rc != 0 && !kept) {
            if (e != NULL) {
                *e = why;
            }
            return -1;
        }
    }
    u->undone |= whole ? 1U << i : 0;
    return 0;
}

static int write_end(ks_store *s, int64_t id, uint32_t undone, const ks_actor *who, cs_time now, cs_error *e)
{
    struct ks_record rec = {0};
    struct ks_rollover *r = NULL;
    int rc = ks_record_begin(&rec, s, who, false, now, e) == 0 ? ks_rollover_load(s, id, now, &r, e) : -1;
    for (size_t i = 0; rc == 0 && i < r->runbook->n; i++) {
        struct ks_step_row *row = &r->step[i].row;
        if ((undone & (1U << i)) != 0 && r->judged[i].state == KS_STEP_DONE) {
            row->roll_id = id;
            cs_copy(row->n, sizeof row->n, r->runbook->step[i].n);
            cs_copy(row->state, sizeof row->state, ks_step_state_word(KS_STEP_UNDONE));
            row->evidence = r->step[i].evidence;
            rc = s->driver->rollovers->step_set(s->b, row, e);
        }
    }
    if (rc == 0) {
        cs_copy(r->row.state, sizeof r->row.state, "aborted");
        r->row.ended_at = now;
        rc = s->driver->rollovers->update(s->b, &r->row, e) == 0 &&
                     ks_record_audit(&rec, "rollover-abort", r->name, NULL, NULL, e) == 0
                 ? ks_record_commit(&rec, "rollover", e)
                 : -1;
    }
    ks_record_end(&rec);
    ks_rollover_free(r);
    return rc;
}

int ks_rollover_abort(ks_store *s, int64_t id, bool dry_run, const ks_actor *who, cs_time now, char kept[KS_STEP_NAME],
                      ks_outcome *out, cs_error *e)
{
    struct ks_rollover *r = NULL;
    kept[0] = '\0';
    memset(out, 0, sizeof *out);
    if (ks_rollover_read(s, id, now, &r, e) != 0) {
        return -1;
    }
    int rc = strcmp(r->row.state, "open") == 0
                 ? 0
                 : cs_error_set(e, CS_EXIT_CONFLICT, "rollover-over", "%s is %s already", r->name, r->row.state);
    size_t no_return = last_no_return(r);
    if (no_return < r->runbook->n) {
        cs_copy(kept, KS_STEP_NAME, r->runbook->step[no_return].n);
    }
    struct undoing u = {.s = s, .r = r, .dry_run = dry_run, .who = who, .now = now};
    for (size_t i = r->runbook->n; rc == 0 && i-- > 0;) {
        bool behind = no_return == r->runbook->n || i > no_return;
        if (touched(&r->judged[i])) {
            rc = undo_step(&u, i, !behind, out, e);
        }
    }
    if (rc == 0 && !dry_run) {
        rc = write_end(s, id, u.undone, who, now, e);
    }
    if (rc == 0 && u.spared) {
        char at[CS_TIME_TEXT];
        ks_note(out,
                "%s#%u was used, last %s: it stays accepted, since messages of who uses it would be refused. When "
                "nobody does any more: countersign keystore suspend %s#%u",
                r->row.alias, r->new_info.n, cs_time_format(r->new_info.last_use, at), r->row.alias, r->new_info.n);
    }
    ks_rollover_free(r);
    return rc;
}
