/* SPDX-License-Identifier: Apache-2.0 */
/* rules.c: the life cycle of an entry for people: transitions, guards, and what each verb does in each state. */
#include "keystore/rules.h"
#include "docs/generate/page.h"

static void print_states(FILE *out, unsigned set)
{
    const char *separator = "";
    if (set == 0) {
        fputs("(new)", out);
    }
    for (int s = 0; s < KS_STATES; s++) {
        if ((set & (1U << s)) != 0) {
            fprintf(out, "%s`%s`", separator, ks_state_word((enum ks_state)s));
            separator = ", ";
        }
    }
}

static void print_guards(FILE *out, unsigned set)
{
    const char *separator = "";
    if (set == 0) {
        fputs("–", out);
    }
    for (int g = KS_G1_ONE_ACTIVE; g <= KS_G14_BACKUP; g++) {
        if ((set & (1U << g)) != 0) {
            fprintf(out, "%sG%d", separator, g);
            separator = ", ";
        }
    }
}

void page_transitions(FILE *out)
{
    size_t n = 0;
    const struct ks_transition_row *row = ks_transition_rows(&n);
    fputs("| | transition | from | to | guards asked | |\n|---|---|---|---|---|---|\n", out);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "| T%d | %s | ", (int)row[i].t, row[i].word);
        print_states(out, row[i].from);
        if (row[i].to == KS_AS_BEFORE) {
            fputs(" | as before | ", out);
        } else {
            fprintf(out, " | `%s` | ", ks_state_word(row[i].to));
        }
        print_guards(out, row[i].guards);
        fprintf(out, " | %s |\n", row[i].help);
    }
}

void page_guards(FILE *out)
{
    static const char *const kind[] = {"invariant", "precondition", "whole change"};
    size_t n = 0;
    const struct ks_guard_row *row = ks_guard_rows(&n);
    fputs("| | guard | kind | rule | what lifts a refusal |\n|---|---|---|---|---|\n", out);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "| G%d | %s | %s | %s | %s |\n", (int)row[i].guard, ks_guard_word(row[i].guard), kind[row[i].kind],
                row[i].help, row[i].lift);
    }
}

static const struct ks_verb_row *meeting(enum ks_verb verb, enum ks_state state)
{
    size_t n = 0;
    const struct ks_verb_row *row = ks_verb_rows(&n);
    for (size_t i = 0; i < n; i++) {
        if (row[i].verb == verb && row[i].state == state) {
            return &row[i];
        }
    }
    return NULL;
}

static void print_meeting(FILE *out, const struct ks_verb_row *row)
{
    if (row == NULL || row->meeting == KS_MEET_NEVER) {
        fputs(" – |", out);
    } else if (row->meeting == KS_MEET_ALREADY) {
        fputs(" nothing to do |", out);
    } else {
        const char *separator = " ";
        for (size_t i = 0; i < 2 && row->step[i].t != 0; i++) {
            fprintf(out, "%sT%d%s", separator, (int)row->step[i].t, ks_way_word(row->step[i].way));
            separator = ", ";
        }
        fputs(" |", out);
    }
}

void page_verbs(FILE *out)
{
    fputs("| verb |", out);
    for (int s = 0; s < KS_STATES; s++) {
        fprintf(out, " %s |", ks_state_word((enum ks_state)s));
    }
    fputs("\n|---|", out);
    for (int s = 0; s < KS_STATES; s++) {
        fputs("---|", out);
    }
    fputc('\n', out);
    for (int v = 0; v < KS_VERBS; v++) {
        fprintf(out, "| `%s` |", ks_verb_word((enum ks_verb)v));
        for (int s = 0; s < KS_STATES; s++) {
            print_meeting(out, meeting((enum ks_verb)v, (enum ks_state)s));
        }
        fputc('\n', out);
    }
}
