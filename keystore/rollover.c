/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollover.c: roll-overs begun, written on, ended. What changes a certificate is a change of its own (rollover_deed.c);
 * here only rows of the roll-over change, each with its audit row in the same transaction. So a kill between the two
 * leaves a step whose evidence is there: the next look closes it.
 */
#include "keystore/rollover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "keystore/record.h"
#include "keystore/rollover_act.h"

/* ---- rows ------------------------------------------------------------------------------------------------------ */

int ks_rollover_audit(struct ks_record *rec, const char *verb, const char *object, const char *member, const char *text,
                      cs_error *e)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, member, text);
    cs_json_object_end(&j);
    int rc = b.failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory")
                      : ks_record_audit(rec, verb, object, NULL, b.data, e);
    cs_buf_free(&b);
    return rc;
}

/** Write a step as it is in r->step, with its audit row. */
static int write_step(struct ks_record *rec, struct ks_rollover *r, size_t i, const char *verb, cs_error *e)
{
    struct ks_roll_step *s = &r->step[i];
    char object[KS_ROLL_NAME + KS_STEP_NAME + 2];
    snprintf(object, sizeof object, "%s/%s", r->name, r->runbook->step[i].n);
    s->row.roll_id = r->row.roll_id;
    cs_copy(s->row.n, sizeof s->row.n, r->runbook->step[i].n);
    s->row.evidence = s->evidence[0] != '\0' ? s->evidence : NULL;
    int rc = rec->dry_run ? 0 : rec->s->driver->rollovers->step_set(rec->s->b, &s->row, e);
    s->row.evidence = NULL;
    return rc == 0 ? ks_rollover_audit(rec, verb, object, "evidence", s->evidence, e) : -1;
}

/** Why a step closes: the checks and what they saw, or the step that it closes with. */
static void tell_evidence(struct ks_rollover *r, size_t i)
{
    const struct ks_step_judged *j = &r->judged[i];
    struct ks_roll_step *s = &r->step[i];
    size_t used = 0;
    if (j->with < r->runbook->n) {
        snprintf(s->evidence, sizeof s->evidence, "with step %s", r->runbook->step[j->with].n);
        return;
    }
    char said[sizeof s->evidence];
    cs_copy(said, sizeof said, s->evidence);
    s->evidence[0] = '\0';
    for (size_t f = 0; f < KS_FACTS && used < sizeof s->evidence; f++) {
        if ((j->by & KS_BIT(f)) == 0) {
            continue;
        }
        const char *text = f == KS_FACT_CONFIRMED ? said : r->facts.text[f];
        int n =
            snprintf(s->evidence + used, sizeof s->evidence - used, "%s%s%s%s%s", used > 0 ? ", " : "",
                     ks_fact_word((enum ks_fact_of)f), text[0] != '\0' ? " (" : "", text, text[0] != '\0' ? ")" : "");
        used += n > 0 ? (size_t)n : 0;
    }
}

/** What informs that the agreed span begins is told when it does. */
static bool is_early(const struct ks_rollover *r, size_t i)
{
    const struct ks_runbook_step *step = &r->runbook->step[i];
    bool begins = step->kind == KS_STEP_INFORM;
    for (size_t w = 0; w < step->n_way; w++) {
        begins = begins && (step->way[w] & KS_BIT(KS_FACT_WINDOW_BEGUN)) != 0;
    }
    return begins && (r->facts.hold & KS_BIT(KS_FACT_WINDOW_BEGUN)) == 0;
}

/** A step whose turn has come, or whose turn came and went at once: what informs is told all the same, unless somebody
 *  said that he told it, or it is needless. */
static bool to_be_told(const struct ks_rollover *r, size_t i)
{
    const struct ks_step_judged *j = &r->judged[i];
    bool informs = r->runbook->step[i].kind == KS_STEP_INFORM && j->closes_now && j->state == KS_STEP_DONE &&
                   (j->by & KS_BIT(KS_FACT_CONFIRMED)) == 0;
    return r->step[i].row.told_at == 0 && ((j->state == KS_STEP_READY && !is_early(r, i)) || informs);
}

/** What has come true since: steps that close, whose turn it is now, the end. *changed: something was written */
static int settle(struct ks_record *rec, struct ks_rollover *r, bool *changed, cs_error *e)
{
    bool bound = r->row.new_entry != r->stored_new;
    bool ends = r->complete;
    for (size_t i = 0; i < r->runbook->n; i++) {
        struct ks_roll_step *s = &r->step[i];
        const struct ks_step_judged *j = &r->judged[i];
        bool tell = to_be_told(r, i);
        if (!j->closes_now && !tell) {
            continue;
        }
        if (tell) {
            s->row.told_at = rec->now;
            if (!rec->dry_run && ks_rollover_tell(rec->s, r, i, rec->now, e) != 0) {
                return -1;
            }
        }
        if (j->closes_now) {
            tell_evidence(r, i);
            s->row.done_at = rec->now;
            cs_copy(s->row.done_by, sizeof s->row.done_by, rec->who->name);
        }
        cs_copy(s->row.state, sizeof s->row.state, ks_step_state_word(j->state));
        if (write_step(rec, r, i, j->closes_now ? "rollover-step" : "rollover-turn", e) != 0) {
            return -1;
        }
        *changed = true;
    }
    if (ends) {
        cs_copy(r->row.state, sizeof r->row.state, "done");
        r->row.ended_at = rec->now;
    }
    if (!bound && !ends) {
        return 0;
    }
    *changed = true;
    r->stored_new = r->row.new_entry;
    if (!rec->dry_run && rec->s->driver->rollovers->update(rec->s->b, &r->row, e) != 0) {
        return -1;
    }
    return ks_rollover_audit(rec, ends ? "rollover-done" : "rollover-bind", r->name, "alias", r->row.alias, e);
}

/** Until nothing follows any more: what is told to nobody counts as told. */
int ks_rollover_settle(struct ks_record *rec, struct ks_rollover *r, bool *changed, cs_error *e)
{
    for (size_t round = 0; round <= KS_STEPS_MAX; round++) {
        bool more = false;
        if (strcmp(r->row.state, "open") != 0) {
            return 0;
        }
        if (settle(rec, r, &more, e) != 0) {
            return -1;
        }
        *changed = *changed || more;
        if (!more) {
            return 0;
        }
        if (ks_rollover_look(rec->s, r, rec->now, e) != 0) {
            return -1;
        }
    }
    return 0;
}

/** After a change of r: what follows from it as far as it goes, all of it stored. */
static int follow(struct ks_record *rec, struct ks_rollover *r, cs_error *e)
{
    bool changed = false;
    return ks_rollover_look(rec->s, r, rec->now, e) == 0 && ks_rollover_settle(rec, r, &changed, e) == 0
               ? ks_record_commit(rec, "rollover", e)
               : -1;
}

int ks_rollover_advance(ks_store *s, int64_t id, const ks_actor *who, cs_time now, bool *changed, cs_error *e)
{
    struct ks_record rec = {0};
    struct ks_rollover *r = NULL;
    *changed = false;
    int rc = ks_record_begin(&rec, s, who, false, now, e) == 0 && ks_rollover_load(s, id, now, &r, e) == 0 &&
                     ks_rollover_settle(&rec, r, changed, e) == 0
                 ? 0
                 : -1;
    if (rc == 0 && *changed) {
        rc = ks_record_commit(&rec, "rollover", e);
    }
    ks_record_end(&rec);
    ks_rollover_free(r);
    return rc;
}

/* ---- a word ---------------------------------------------------------------------------------------------------- */

static int closed_error(const struct ks_rollover *r, size_t i, cs_error *e)
{
    const struct ks_roll_step *s = &r->step[i];
    char at[CS_TIME_TEXT];
    return cs_error_set(
        e, CS_EXIT_CONFLICT, "rollover-closed", "step %s of %s is %s already%s%s%s%s", r->runbook->step[i].n, r->name,
        ks_step_state_word(r->judged[i].state), s->row.done_at != 0 ? ", since " : "",
        s->row.done_at != 0 ? cs_time_format(s->row.done_at, at) : "", s->evidence[0] != '\0' ? ": " : "", s->evidence);
}

static int waits_error(const struct ks_rollover *r, size_t i, cs_error *e)
{
    char steps[80] = "";
    size_t used = 0;
    for (size_t k = 0; k < r->runbook->n && used < sizeof steps; k++) {
        if ((r->judged[i].waits_for & (1U << k)) != 0) {
            int n = snprintf(steps + used, sizeof steps - used, "%s%s", used > 0 ? ", " : "", r->runbook->step[k].n);
            used += n > 0 ? (size_t)n : 0;
        }
    }
    return cs_error_set(e, CS_EXIT_CONFLICT, "rollover-order",
                        "step %s of %s is not its turn: it waits for step %s. See: countersign rollover status %s",
                        r->runbook->step[i].n, r->name, steps, r->name);
}

/** Of a step that each sender closes: whose word it is. The only one need not be named. */
static int may_say(const struct ks_rollover *r, size_t i, const char **sender, cs_error *e)
{
    const char *n = r->runbook->step[i].n;
    const char *known = NULL;
    char names[160];
    if (!ks_rollover_by_sender(r, i)) {
        return (*sender)[0] == '\0'
                   ? 0
                   : cs_error_set(e, CS_EXIT_USAGE, "rollover-sender",
                                  "step %s of %s is not said by each sender: leave /%.64s out", n, r->name, *sender);
    }
    if ((*sender)[0] == '\0' && r->n_sender == 1) {
        *sender = r->sender[0];
    }
    for (size_t k = 0; k < r->n_sender; k++) {
        known = strcmp(r->sender[k], *sender) == 0 ? r->sender[k] : known;
    }
    ks_rollover_unsaid(r, i, names, sizeof names);
    if (known == NULL) {
        return cs_error_set(e, CS_EXIT_USAGE, "rollover-sender",
                            "each sender says for himself that step %s of %s is done; not yet: %s. For one of them: "
                            "countersign rollover confirm %s %s/SENDER",
                            n, r->name, names, r->name, n);
    }
    return ks_rollover_word(r, i, known) == NULL
               ? 0
               : cs_error_set(e, CS_EXIT_CONFLICT, "rollover-said",
                              "%s said already that step %s of %s is done; not yet: %s", known, n, r->name, names);
}

/** Place of the step that may be confirmed now; *sender: whose word it is, "" of no single one. -1: told. */
static int may_confirm(const struct ks_rollover *r, const char *step, size_t *place, const char **sender, cs_error *e)
{
    size_t i = ks_rollover_place(r, step, sender);
    *place = i;
    if (strcmp(r->row.state, "open") != 0) {
        return cs_error_set(e, CS_EXIT_CONFLICT, "rollover-over", "%s is %s: nothing of it can be confirmed", r->name,
                            r->row.state);
    }
    if (i == r->runbook->n) {
        char numbers[160];
        ks_runbook_numbers(r->runbook, numbers, sizeof numbers);
        return cs_error_set(e, CS_EXIT_USAGE, "rollover-step",
                            "%s has no step %.16s; its steps are %s; see: countersign rollover status %s", r->name,
                            step, numbers, r->name);
    }
    if (r->judged[i].state == KS_STEP_DONE || r->judged[i].state == KS_STEP_SKIPPED) {
        return closed_error(r, i, e);
    }
    if (r->judged[i].state != KS_STEP_READY) {
        return waits_error(r, i, e);
    }
    if (!ks_step_takes_word(&r->runbook->step[i])) {
        return cs_error_set(e, CS_EXIT_USAGE, "rollover-evidence",
                            "step %s of %s closes by what is seen, not by a word; it lacks: %s", step, r->name,
                            r->judged[i].missing);
    }
    return may_say(r, i, sender, e);
}

/** Which roles' word it is. A tenant administrator may pass on the word of a role outside, with a note. */
static unsigned speaks_for(const struct ks_runbook_step *step, unsigned roles, const char *note)
{
    unsigned own = step->who & roles;
    if ((roles & (1U << KS_TENANT_ADMIN)) != 0 && note != NULL && note[0] != '\0') {
        own |= step->who & KS_OUTSIDE;
    }
    return own;
}

static int wrong_role(const struct ks_rollover *r, size_t i, cs_error *e)
{
    char who[160] = "";
    size_t used = 0;
    for (size_t p = 0; p < KS_PARTS && used < sizeof who; p++) {
        if ((r->runbook->step[i].who & (1U << p)) != 0) {
            int n =
                snprintf(who + used, sizeof who - used, "%s%s", used > 0 ? " or " : "", ks_part_word((enum ks_part)p));
            used += n > 0 ? (size_t)n : 0;
        }
    }
    return cs_error_set(
        e, CS_EXIT_GUARD, "rollover-role",
        "step %s of %s is for %s: only who has that role may confirm it, or a tenant-admin who says with "
        "--note who told him",
        r->runbook->step[i].n, r->name, who);
}

static void add_words(char *said, size_t size, unsigned parts)
{
    for (size_t p = 0; p < KS_PARTS; p++) {
        const char *word = ks_part_word((enum ks_part)p);
        size_t used = strlen(said);
        if ((parts & (1U << p)) != 0 && strstr(said, word) == NULL) {
            snprintf(said + used, size - used, "%s%s", used > 0 ? " " : "", word);
        }
    }
}

/** What one sender said: a row of its own beside that of the step. */
static int write_word(struct ks_record *rec, struct ks_rollover *r, size_t i, const char *sender, cs_error *e)
{
    struct ks_step_row row = {.roll_id = r->row.roll_id, .done_at = rec->now};
    snprintf(row.n, sizeof row.n, "%s/%s", r->runbook->step[i].n, sender);
    cs_copy(row.state, sizeof row.state, ks_step_state_word(KS_STEP_DONE));
    cs_copy(row.said, sizeof row.said, ks_part_word(KS_SENDER_ADMIN));
    cs_copy(row.done_by, sizeof row.done_by, rec->who->name);
    return rec->s->driver->rollovers->step_set(rec->s->b, &row, e) == 0
               ? ks_rollover_add_word(r, i, sender, row.done_by, row.done_at, e)
               : -1;
}

int ks_rollover_confirm(ks_store *s, int64_t id, const char *step, unsigned roles, const char *note, bool dry_run,
                        const ks_actor *who, cs_time now, cs_error *e)
{
    struct ks_record rec = {0};
    struct ks_rollover *r = NULL;
    const char *sender = "";
    size_t i = 0;
    int rc = -1;
    if (ks_record_begin(&rec, s, who, dry_run, now, e) != 0 || ks_rollover_load(s, id, now, &r, e) != 0 ||
        may_confirm(r, step, &i, &sender, e) != 0) {
        goto out;
    }
    unsigned parts = speaks_for(&r->runbook->step[i], roles, note);
    if (parts == 0) {
        wrong_role(r, i, e);
        goto out;
    }
    struct ks_roll_step *of = &r->step[i];
    if (r->runbook->step[i].each && (parts & ~r->known[i].confirmed) == 0) {
        cs_error_set(e, CS_EXIT_CONFLICT, "rollover-said",
                     "%s said so already; step %s of %s lacks the word of another role", of->row.said, step, r->name);
        goto out;
    }
    char said[sizeof of->row.said];
    char before[sizeof of->evidence];
    if (sender[0] == '\0') {
        add_words(of->row.said, sizeof of->row.said, parts);
    }
    cs_copy(said, sizeof said, sender[0] != '\0' ? sender : of->row.said);
    cs_copy(before, sizeof before, of->evidence);
    snprintf(of->evidence, sizeof of->evidence, "%.100s%s%s by %.63s%s%.100s", before, before[0] != '\0' ? "; " : "",
             said, who->name, note != NULL && note[0] != '\0' ? ": " : "", note != NULL ? note : "");
    cs_copy(of->row.state, sizeof of->row.state, ks_step_state_word(KS_STEP_READY));
    if (dry_run) {
        rc = 0;
    } else if ((sender[0] == '\0' || write_word(&rec, r, i, sender, e) == 0) &&
               write_step(&rec, r, i, "rollover-confirm", e) == 0) {
        rc = follow(&rec, r, e);
    }
out:
    ks_record_end(&rec);
    ks_rollover_free(r);
    return rc;
}

/* ---- the span -------------------------------------------------------------------------------------------------- */

/** What was closed by that fact does not count any more; the steps behind it wait again. Of another span those hear
 *  who heard of the one before. */
static int open_again(struct ks_record *rec, struct ks_rollover *r, enum ks_fact_of fact, cs_error *e)
{
    for (size_t i = 0; i < r->runbook->n; i++) {
        bool told = fact == KS_FACT_WINDOW_SET && ks_rollover_tells_span(r, i);
        bool by_it = told;
        for (size_t w = 0; w < r->runbook->step[i].n_way; w++) {
            by_it = by_it || (r->runbook->step[i].way[w] & KS_BIT(fact)) != 0;
        }
        struct ks_roll_step *s = &r->step[i];
        if (!by_it || s->row.state[0] == '\0') {
            continue;
        }
        s->row.said[0] = s->evidence[0] = s->row.done_by[0] = '\0';
        s->row.done_at = 0;
        s->row.told_at = told ? 0 : s->row.told_at;
        cs_copy(s->row.state, sizeof s->row.state, ks_step_state_word(KS_STEP_READY));
        if (write_step(rec, r, i, "rollover-reopen", e) != 0) {
            return -1;
        }
    }
    return 0;
}

int ks_rollover_window(ks_store *s, int64_t id, cs_time from, cs_time to, bool dry_run, const ks_actor *who,
                       cs_time now, cs_error *e)
{
    struct ks_record rec = {0};
    struct ks_rollover *r = NULL;
    int rc = -1;
    if (ks_record_begin(&rec, s, who, dry_run, now, e) != 0 || ks_rollover_load(s, id, now, &r, e) != 0) {
        goto out;
    }
    bool done = ks_rollover_holds(r) || r->new_info.state == KS_ACTIVE; /* an exchange that was put off can be moved */
    bool begun = done && r->row.window_from != 0 && now >= r->row.window_from;
    if (strcmp(r->row.state, "open") != 0 || !r->runbook->window) {
        cs_error_set(e, CS_EXIT_USAGE, "rollover-window", "%s has no window that could be moved", r->name);
        goto out;
    }
    if (to <= from || to <= now || (begun ? from != r->row.window_from : from < now)) {
        cs_error_set(e, CS_EXIT_USAGE, "rollover-window",
                     begun ? "the window of %s has begun: only its end can be moved, to an instant that is to come"
                           : "a window begins and ends in time to come, its end behind its beginning (%s)",
                     r->name);
        goto out;
    }
    r->row.window_from = from;
    r->row.window_to = to;
    if (dry_run) {
        rc = 0;
    } else if (s->driver->rollovers->update(s->b, &r->row, e) == 0 &&
               ks_rollover_audit(&rec, "rollover-window", r->name, "alias", r->row.alias, e) == 0 &&
               (begun || open_again(&rec, r, KS_FACT_WINDOW_SET, e) == 0)) {
        rc = follow(&rec, r, e);
    }
out:
    ks_record_end(&rec);
    ks_rollover_free(r);
    return rc;
}

int ks_rollover_unset(ks_store *s, const struct ks_rollover *seen, const ks_actor *who, cs_time now, cs_error *e)
{
    struct ks_record rec = {0};
    struct ks_rollover *r = NULL;
    ks_outcome *out = calloc(1, sizeof *out);
    int rc = out != NULL ? ks_rollover_deed(s, seen, ks_deed_command(KS_DEED_ACTIVATE_CANCEL), false, who, now, out, e)
                         : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    free(out);
    if (rc == 0) {
        rc = ks_record_begin(&rec, s, who, false, now, e) == 0 &&
                     ks_rollover_load(s, seen->row.roll_id, now, &r, e) == 0 &&
                     open_again(&rec, r, KS_FACT_SCHEDULED, e) == 0
                 ? follow(&rec, r, e)
                 : -1;
    }
    ks_record_end(&rec);
    ks_rollover_free(r);
    return rc;
}
