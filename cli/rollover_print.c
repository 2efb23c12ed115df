/* SPDX-License-Identifier: Apache-2.0 */
/* rollover_print.c: a roll-over for people and as JSON: what is done, who must do what next, why the rest waits. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/rollover.h"

const char *cli_parts_text(unsigned who, const char *between, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t p = 0; p < KS_PARTS && used < size; p++) {
        if ((who & (1U << p)) != 0) {
            int n = snprintf(out + used, size - used, "%s%s", used > 0 ? between : "", ks_part_word((enum ks_part)p));
            used += n > 0 ? (size_t)n : 0;
        }
    }
    return out;
}

static const char *steps_text(const struct ks_rollover *r, uint32_t set, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < r->runbook->n && used < size; i++) {
        if ((set & (1U << i)) != 0) {
            int n = snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "", r->runbook->step[i].n);
            used += n > 0 ? (size_t)n : 0;
        }
    }
    return out;
}

static int render(struct cli_context *c, ks_store *s, const struct ks_rollover *r, const char *text, cs_buf *out)
{
    cs_buf_reset(out);
    return ks_rollover_text(s, r, text, out, &c->error) == 0 && out->data != NULL ? 0 : -1;
}

/* ---- people ---------------------------------------------------------------------------------------------------- */

static void entry_text(const struct ks_rollover *r, bool old, cs_time now, char *out, size_t size)
{
    const ks_info *i = old ? &r->old_info : &r->new_info;
    char hex[65];
    char left[32];
    if (!(old ? r->has_old : r->has_new)) {
        cs_copy(out, size, old ? "none" : "not there yet");
        return;
    }
    cs_hex(i->sha256, 32, hex);
    snprintf(out, size, "#%u %.8s… (%s, %s%s)", i->n, hex, ks_state_word(i->state),
             i->not_after > now ? cli_span(i->not_after - now, left, sizeof left) : "ended",
             i->not_after > now ? " left" : "");
}

void cli_rollover_line(const struct cli_context *c, const struct ks_rollover *r)
{
    char old[96];
    char new[96];
    char started[CS_TIME_TEXT];
    entry_text(r, true, c->now, old, sizeof old);
    entry_text(r, false, c->now, new, sizeof new);
    printf("%s %s  %s  old %s  new %s  started %s by %s%s%s\n", r->name, r->runbook->name, r->row.alias, old, new,
           cli_date(r->row.started_at, started), r->row.actor, strcmp(r->row.state, "open") != 0 ? "  " : "",
           strcmp(r->row.state, "open") != 0 ? r->row.state : "");
    if (r->row.window_from != 0) {
        char from[80];
        char to[80];
        bool holds = ks_rollover_holds(r);
        printf("  window %s to %s%s%s\n", cli_time_local(r->row.window_from, from, sizeof from),
               cli_time_local(r->row.window_to, to, sizeof to),
               !holds ? ""
               : ks_rollover_setting(r, "stay-held")
                   ? "; who is not ready by then: the routes stay on hold, with an alarm"
                   : "; who is not ready by then: back to the old certificate",
               ks_rollover_setting(r, "require-all") ? "; put off when a sender is not ready one hour before it" : "");
    }
}

/* Does the one who is asked, or told, know of it? Where a mail of the step reaches nobody, it is sent by hand. */
static void print_told(const struct ks_rollover *r, size_t i)
{
    const struct ks_runbook_step *step = &r->runbook->step[i];
    const struct ks_roll_step *known = &r->step[i];
    bool informs = step->kind == KS_STEP_INFORM;
    unsigned whom = informs ? 1U << step->to : step->who & KS_OUTSIDE;
    char who[160];
    if (known->row.told_at == 0 || whom == 0 || (known->told == 0 && !informs && step->text[0] == '\0')) {
        return;
    }
    if (known->told > 0) {
        printf("      told by mail: %zu of %zu gone out\n", known->sent, known->told);
    } else {
        printf(
            "      to do: countersign rollover message %s %s -o FILE, and send it to %s: nobody with that role has an "
            "address (%s)\n",
            r->name, step->n, cli_parts_text(whom, " and ", who, sizeof who),
            r->partner[0] != '\0' ? r->partner : "no partner is known");
    }
}

/* Whoever is outside mostly says it to somebody here, who notes by whom he was told. */
static const char *note_of(const struct ks_runbook_step *step)
{
    bool outside = (step->who & KS_OUTSIDE) != 0;
    return !outside ? "" : (step->who & ~KS_OUTSIDE) == 0 ? " --note TEXT" : " [--note TEXT of one outside]";
}

/* One of the ways to close a step: what holds of it already is left out. */
static void print_way(const struct ks_rollover *r, size_t i, size_t way)
{
    const struct ks_runbook_step *step = &r->runbook->step[i];
    size_t n = 0;
    const struct ks_fact_row *row = ks_fact_rows(&n);
    char who[160];
    bool first = true;
    for (size_t f = 0; f < n; f++) {
        bool of_mail = row[f].fact == KS_FACT_CONFIRMED || row[f].fact == KS_FACT_DELIVERED;
        if ((step->way[way] & KS_BIT(f)) == 0 || (!of_mail && (r->facts.hold & KS_BIT(f)) != 0)) {
            continue;
        }
        const char *seen = of_mail ? "" : r->facts.text[f];
        printf("%s", first ? (way == 0 ? "      done when: " : "             or: ") : ",\n            and: ");
        if (row[f].fact == KS_FACT_CONFIRMED) {
            printf("%s%s said so (%s): countersign rollover confirm %s %s%s%s",
                   ks_rollover_by_sender(r, i) ? "each " : "",
                   cli_parts_text(step->who, step->each ? " and " : " or ", who, sizeof who), row[f].word, r->name,
                   step->n, ks_rollover_by_sender(r, i) ? "/SENDER" : "", note_of(step));
        } else {
            printf("%s (%s%s%s)", row[f].help, row[f].word, seen[0] != '\0' ? ": " : "", seen);
        }
        first = false;
    }
    printf("%s", first ? "" : "\n");
}

static void print_ways(const struct ks_rollover *r, size_t i)
{
    const struct ks_runbook_step *step = &r->runbook->step[i];
    for (size_t way = 0; way < step->n_way; way++) {
        print_way(r, i, way);
    }
    for (size_t f = 0; f < KS_FACTS; f++) {
        if ((step->optional & KS_BIT(f)) != 0) {
            printf("      besides: %s (%s)\n", ks_fact_word((enum ks_fact_of)f),
                   r->facts.text[f][0] != '\0' ? r->facts.text[f] : "nothing seen");
        }
    }
    for (size_t k = 0; ks_rollover_by_sender(r, i) && k < r->n_sender; k++) {
        const struct ks_roll_word *word = ks_rollover_word(r, i, r->sender[k]);
        char at[CS_TIME_TEXT];
        if (word != NULL) {
            printf("      %s: done, said by %s at %s\n", r->sender[k], word->by, cs_time_format(word->at, at));
        } else {
            printf("      %s: not yet; told by another way: countersign rollover confirm %s %s/%s --note TEXT\n",
                   r->sender[k], r->name, step->n, r->sender[k]);
        }
    }
    if (step->each && r->step[i].row.said[0] != '\0') {
        printf("      said so far by: %s\n", r->step[i].row.said);
    }
}

/* A newcomer asks first who is to do something, and what the others wait for. */
static const char *turn_of(const struct ks_rollover *r, size_t i)
{
    const struct ks_runbook_step *step = &r->runbook->step[i];
    bool hand = step->n_run > 0 || step->by_hand[0] != '\0';
    bool mail = step->kind == KS_STEP_INFORM && r->step[i].told > 0;
    bool waits = (step->kind == KS_STEP_WAIT && !hand) || (mail && r->step[i].sent == r->step[i].told);
    return waits                         ? "NEXT, but nothing is to be done: it is waited for"
           : mail                        ? "NEXT, by itself: a mail is under way"
           : ks_rollover_by_itself(r, i) ? "NEXT, by itself"
                                         : "NEXT";
}

static void print_now(const struct cli_context *c, const struct ks_rollover *r)
{
    char who[160];
    char when[80];
    char left[32];
    cs_time at = 0;
    const char *then = ks_rollover_deadline(r, c->now, &at);
    bool any = false;
    for (size_t i = 0; strcmp(r->row.state, "open") == 0 && i < r->runbook->n; i++) {
        const struct ks_runbook_step *step = &r->runbook->step[i];
        if (r->judged[i].state == KS_STEP_READY) {
            printf("%sstep %s, %s", any ? "; " : "  now: ", step->n,
                   cli_parts_text(step->who, step->each ? " and " : " or ", who, sizeof who));
            any = true;
        }
    }
    printf("%s", any ? "\n" : "");
    if (any && then == NULL) {
        printf("  in time: nothing presses\n");
    } else if (any) {
        printf("  in time: %s left; %s %s\n", cli_span(at - c->now, left, sizeof left), then,
               cli_time_local(at, when, sizeof when));
    }
}

/* "step 2, give the partner the new certificate; step 3, …" */
static int print_waits(struct cli_context *c, ks_store *s, const struct ks_rollover *r, uint32_t set)
{
    cs_buf title = CS_BUF_INIT;
    int rc = 0;
    bool first = true;
    for (size_t i = 0; rc == 0 && i < r->runbook->n; i++) {
        if ((set & (1U << i)) != 0 && (rc = render(c, s, r, r->runbook->step[i].title, &title)) == 0) {
            printf("%sstep %s: %s", first ? "     waits for " : "\n           and ", r->runbook->step[i].n, title.data);
            first = false;
        }
    }
    putchar('\n');
    cs_buf_free(&title);
    return rc;
}

/* A command about a certificate that is not there yet, or about no route, is none. */
static bool can_run(const struct ks_rollover *r, const char *command)
{
    return (r->has_new || strstr(command, "{{new") == NULL) &&
           (r->n_route > 0 || strstr(command, "{{routes}}") == NULL);
}

static int print_ready(struct cli_context *c, ks_store *s, const struct ks_rollover *r, size_t i)
{
    const struct ks_runbook_step *step = &r->runbook->step[i];
    cs_buf text = CS_BUF_INIT;
    bool any = false;
    int rc = 0;
    for (size_t k = 0; rc == 0 && k < step->n_run; k++) {
        if (can_run(r, step->run[k]) && (rc = render(c, s, r, step->run[k], &text)) == 0) {
            printf("      %s: countersign rollover next %s   (countersign %s)\n",
                   ks_rollover_by_itself(r, i) ? "by itself, or" : "to do", r->name, text.data);
            any = true;
        }
    }
    if (rc == 0 && step->by_hand[0] != '\0' && (rc = render(c, s, r, step->by_hand, &text)) == 0) {
        printf("      %s%s\n", any ? "or: " : "", text.data);
    }
    print_told(r, i);
    print_ways(r, i);
    cs_buf_free(&text);
    return rc;
}

static int print_step(struct cli_context *c, ks_store *s, const struct ks_rollover *r, size_t i)
{
    const struct ks_runbook_step *step = &r->runbook->step[i];
    const struct ks_step_judged *j = &r->judged[i];
    char who[160];
    char at[CS_TIME_TEXT];
    cs_buf title = CS_BUF_INIT;
    int rc = render(c, s, r, step->title, &title);
    if (rc != 0) {
        cs_buf_free(&title);
        return rc;
    }
    printf(" %-3s %-22s %s\n", step->n, cli_parts_text(step->who, step->each ? " and " : ", ", who, sizeof who),
           title.data);
    cs_buf_free(&title);
    if (j->state == KS_STEP_READY) {
        printf("     %s\n", turn_of(r, i));
        return print_ready(c, s, r, i);
    }
    if (j->state == KS_STEP_WAITS) {
        return print_waits(c, s, r, j->waits_for);
    }
    if (j->closes_now) {
        printf("     %s by what is seen; it is written down in the next round\n", ks_step_state_word(j->state));
    } else {
        printf("     %s %s%s%s%s%s\n", ks_step_state_word(j->state),
               r->step[i].row.done_at != 0 ? cs_time_format(r->step[i].row.done_at, at) : "",
               r->step[i].row.done_by[0] != '\0' ? " by " : "", r->step[i].row.done_by,
               r->step[i].evidence[0] != '\0' ? ": " : "", r->step[i].evidence);
    }
    return 0;
}

static int print_people(struct cli_context *c, ks_store *s, const struct ks_rollover *r)
{
    char shared[256];
    int rc = ks_rollover_shared(s, r, shared, sizeof shared, &c->error);
    cli_rollover_line(c, r);
    printf("  %s\n", r->runbook->title);
    if (rc == 0 && shared[0] != '\0') {
        printf("  the same key is exchanged by %s\n", shared);
    }
    print_now(c, r);
    for (size_t i = 0; rc == 0 && i < r->runbook->n; i++) {
        rc = print_step(c, s, r, i);
    }
    return rc == 0 ? CS_EXIT_OK : cli_fail(c);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

static void facts_json(cs_json *j, const struct ks_rollover *r)
{
    cs_json_object(j, "facts");
    for (size_t f = 0; f < KS_FACTS; f++) {
        if (f == KS_FACT_CONFIRMED || f == KS_FACT_DELIVERED) {
            continue;
        }
        cs_json_object(j, ks_fact_word((enum ks_fact_of)f));
        cs_json_bool(j, "holds", (r->facts.hold & KS_BIT(f)) != 0);
        cs_json_str(j, "seen", r->facts.text[f]);
        cs_json_object_end(j);
    }
    cs_json_object_end(j);
}

static int step_json(struct cli_context *c, ks_store *s, cs_json *j, const struct ks_rollover *r, size_t i)
{
    const struct ks_runbook_step *step = &r->runbook->step[i];
    const struct ks_step_judged *judged = &r->judged[i];
    cs_buf text = CS_BUF_INIT;
    char steps[80];
    int rc = 0;
    cs_json_object(j, NULL);
    cs_json_str(j, "step", step->n);
    cs_json_array(j, "who");
    for (size_t p = 0; p < KS_PARTS; p++) {
        if ((step->who & (1U << p)) != 0) {
            cs_json_str(j, NULL, ks_part_word((enum ks_part)p));
        }
    }
    cs_json_array_end(j);
    cs_json_str(j, "kind", ks_step_kind_word(step->kind));
    rc = render(c, s, r, step->title, &text);
    cs_json_str(j, "title", rc == 0 ? text.data : NULL);
    cs_json_str(j, "state", ks_step_state_word(judged->state));
    cs_json_str(j, "waits_for", judged->waits_for != 0 ? steps_text(r, judged->waits_for, steps, sizeof steps) : NULL);
    cs_json_str(j, "lacks", judged->state == KS_STEP_READY ? judged->missing : NULL);
    cs_json_array(j, "commands");
    for (size_t k = 0; rc == 0 && judged->state == KS_STEP_READY && k < step->n_run; k++) {
        if (can_run(r, step->run[k])) {
            rc = render(c, s, r, step->run[k], &text);
            cs_json_str(j, NULL, rc == 0 ? text.data : NULL);
        }
    }
    cs_json_array_end(j);
    cs_json_str(j, "done_by", r->step[i].row.done_by[0] != '\0' ? r->step[i].row.done_by : NULL);
    cs_json_time(j, "done_at", r->step[i].row.done_at);
    cs_json_str(j, "evidence", r->step[i].evidence[0] != '\0' ? r->step[i].evidence : NULL);
    cs_json_str(j, "said", r->step[i].row.said[0] != '\0' ? r->step[i].row.said : NULL);
    cs_json_array(j, "senders");
    for (size_t k = 0; ks_rollover_by_sender(r, i) && k < r->n_sender; k++) {
        const struct ks_roll_word *word = ks_rollover_word(r, i, r->sender[k]);
        cs_json_object(j, NULL);
        cs_json_str(j, "partner", r->sender[k]);
        cs_json_bool(j, "done", word != NULL);
        cs_json_str(j, "by", word != NULL ? word->by : NULL);
        cs_json_time(j, "at", word != NULL ? word->at : 0);
        cs_json_object_end(j);
    }
    cs_json_array_end(j);
    cs_json_int(j, "mails", (int64_t)r->step[i].told);
    cs_json_int(j, "mails_sent", (int64_t)r->step[i].sent);
    cs_json_object_end(j);
    cs_buf_free(&text);
    return rc;
}

static int print_json(struct cli_context *c, ks_store *s, const struct ks_rollover *r)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    char entry[KS_WORD + 12];
    const char *then = NULL;
    cs_time at = 0;
    int rc = 0;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "rollover", r->name);
    cs_json_str(&j, "runbook", r->runbook->name);
    cs_json_hex(&j, "runbook_sha256", r->row.hash, sizeof r->row.hash);
    cs_json_str(&j, "alias", r->row.alias);
    cs_json_str(&j, "partner", r->partner[0] != '\0' ? r->partner : NULL);
    cs_json_str(&j, "state", r->row.state);
    ks_rollover_entry(r, true, entry, sizeof entry);
    cs_json_str(&j, "old", r->has_old ? entry : NULL);
    ks_rollover_entry(r, false, entry, sizeof entry);
    cs_json_str(&j, "new", r->has_new ? entry : NULL);
    cs_json_array(&j, "routes");
    for (size_t i = 0; i < r->n_route; i++) {
        cs_json_str(&j, NULL, r->route[i]);
    }
    cs_json_array_end(&j);
    cs_json_time(&j, "started", r->row.started_at);
    cs_json_str(&j, "actor", r->row.actor);
    cs_json_time(&j, "window_from", r->row.window_from);
    cs_json_time(&j, "window_to", r->row.window_to);
    cs_json_time(&j, "ended", r->row.ended_at);
    then = strcmp(r->row.state, "open") == 0 ? ks_rollover_deadline(r, c->now, &at) : NULL;
    cs_json_time(&j, "deadline", then != NULL ? at : 0);
    cs_json_str(&j, "deadline_is", then);
    cs_json_array(&j, "steps");
    for (size_t i = 0; rc == 0 && i < r->runbook->n; i++) {
        rc = step_json(c, s, &j, r, i);
    }
    cs_json_array_end(&j);
    facts_json(&j, r);
    cs_json_object_end(&j);
    rc = rc == 0 ? cli_json_line(c, &b) : cli_fail(c);
    cs_buf_free(&b);
    return rc;
}

int cli_rollover_print(struct cli_context *c, ks_store *s, const struct ks_rollover *r)
{
    return c->json ? print_json(c, s, r) : print_people(c, s, r);
}
