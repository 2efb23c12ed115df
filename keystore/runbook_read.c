/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runbook_read.c: a runbook as text in the grammar of the configuration, checked as a whole: every word, every step
 * that another one names, every command, everything in {{ }}. What is wrong is told with line and column.
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/config.h"
#include "keystore/rollover_act.h"
#include "keystore/runbook.h"

/** What the setters fill; steps are named by others only when all are known. */
struct reading {
    struct ks_runbook *r;
    bool there; /**< the runbook statement was met */
    struct {
        const struct cs_conf_node *node, *after, *closes;
    } at[KS_STEPS_MAX];
};

/* ---- words ----------------------------------------------------------------------------------------------------- */

static void unknown(const struct cs_conf_node *node, int arg, const char *what, const char *const *words,
                    struct cs_conf_report *report)
{
    const char *near = cs_nearest(node->arg[arg].text, words);
    cs_conf_error(report, node, arg, "unknown %s \"%s\"%s%s%s", what, node->arg[arg].text,
                  near != NULL ? "; did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "");
}

static int part_at(const struct cs_conf_node *node, int arg, enum ks_part *p, struct cs_conf_report *report)
{
    const char *words[KS_PARTS + 1] = {NULL};
    for (size_t i = 0; i < KS_PARTS; i++) {
        words[i] = ks_part_word((enum ks_part)i);
    }
    if (ks_part_parse(node->arg[arg].text, p) == 0) {
        return 0;
    }
    unknown(node, arg, "role", words, report);
    return -1;
}

/** The set of facts that the arguments name. */
static uint64_t facts_at(const struct cs_conf_node *node, struct cs_conf_report *report)
{
    const char *words[KS_FACTS + 1] = {NULL};
    uint64_t set = 0;
    for (size_t i = 0; i < KS_FACTS; i++) {
        words[i] = ks_fact_word((enum ks_fact_of)i);
    }
    for (int i = 0; i < node->argc; i++) {
        size_t f = 0;
        while (f < KS_FACTS && strcmp(words[f], node->arg[i].text) != 0) {
            f++;
        }
        if (f == KS_FACTS) {
            unknown(node, i, "check", words, report);
        } else {
            set |= KS_BIT(f);
        }
    }
    return set;
}

/** Everything in {{ }} is a word that can be filled. */
static void check_braces(const struct cs_conf_node *node, int arg, struct cs_conf_report *report)
{
    for (const char *p = strstr(node->arg[arg].text, "{{"); p != NULL; p = strstr(p, "{{")) {
        char word[64];
        const char *end = strstr(p, "}}");
        size_t n = end != NULL ? (size_t)(end - p) - 2 : 0;
        size_t i = 0;
        p += 2;
        if (end == NULL || n >= sizeof word) {
            cs_conf_error(report, node, arg, "\"{{\" has no \"}}\" behind one word");
            return;
        }
        memcpy(word, p, n);
        word[n] = '\0';
        while (ks_rollover_words[i] != NULL && strcmp(ks_rollover_words[i], word) != 0) {
            i++;
        }
        if (ks_rollover_words[i] == NULL) {
            const char *near = cs_nearest(word, ks_rollover_words);
            cs_conf_error(report, node, arg, "nothing is known as {{%s}}%s%s%s", word,
                          near != NULL ? "; did you mean {{" : "", near != NULL ? near : "", near != NULL ? "}}?" : "");
        }
    }
}

static void take_commands(const struct cs_conf_node *node, const char *out[KS_STEP_RUNS], size_t *n,
                          struct cs_conf_report *report)
{
    const char *words[KS_DEEDS + 1] = {NULL};
    size_t rows = 0;
    const struct ks_deed_row *row = ks_deed_rows(&rows);
    for (size_t i = 0; i < rows; i++) {
        words[i] = row[i].command;
    }
    for (int i = 0; i < node->argc; i++) {
        if (ks_deed_of(node->arg[i].text) == NULL) {
            unknown(node, i, "command", words, report);
        } else if (*n == KS_STEP_RUNS) {
            cs_conf_error(report, node, i, "a step has at most %d commands", KS_STEP_RUNS);
        } else {
            out[(*n)++] = node->arg[i].text;
        }
    }
}

/* ---- statements ------------------------------------------------------------------------------------------------ */

static void set_runbook(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    struct reading *x = parent;
    if (!ks_name_ok(node->arg[0].text)) {
        cs_conf_error(report, node, 0, "\"%s\" is no name: letters, digits, . _ -, at most 64", node->arg[0].text);
        return;
    }
    cs_copy(x->r->name, sizeof x->r->name, node->arg[0].text);
    x->there = true;
    *child = x;
}

static void set_title(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    (void)report;
    ((struct reading *)parent)->r->title = node->arg[0].text;
}

static void set_seed(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    (void)report;
    ((struct reading *)parent)->r->seed = node->arg[0].text;
}

static void set_role(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    const char *words[KS_ROLES + 1] = {NULL};
    for (size_t i = 0; i < KS_ROLES; i++) {
        words[i] = ks_role_word((enum ks_role)i);
    }
    if (ks_role_parse(node->arg[0].text, &((struct reading *)parent)->r->role) != 0) {
        unknown(node, 0, "role of a slot", words, report);
    }
}

static void set_window(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    (void)report;
    ((struct reading *)parent)->r->window = strcmp(node->arg[0].text, "needed") == 0;
}

static void set_step(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    struct reading *x = parent;
    struct ks_runbook *r = x->r;
    const char *n = node->arg[0].text;
    if (strlen(n) >= KS_STEP_NAME || strspn(n, "0123456789") == 0 ||
        strspn(n, "0123456789abcdefghijklmnopqrstuvwxyz") != strlen(n)) {
        cs_conf_error(report, node, 0, "\"%s\" is no number of a step, as 4 or 4a", n);
    } else if (ks_runbook_find(r, n) != r->n) {
        cs_conf_error(report, node, 0, "step %s stands twice", n);
    } else if (r->n == KS_STEPS_MAX) {
        cs_conf_error(report, node, 0, "a runbook has at most %d steps", KS_STEPS_MAX);
    } else {
        cs_copy(r->step[r->n].n, KS_STEP_NAME, n);
        r->step[r->n].text = r->step[r->n].by_hand = "";
        x->at[r->n++].node = node;
        *child = x;
    }
}

/** Statements inside belong to the step that was met last. */
static struct ks_runbook_step *last(void *parent)
{
    struct ks_runbook *r = ((struct reading *)parent)->r;
    return &r->step[r->n - 1];
}

static void set_who(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    enum ks_part p;
    for (int i = 0; i < node->argc; i++) {
        if (i == node->argc - 1 && strcmp(node->arg[i].text, "each") == 0) {
            last(parent)->each = true;
        } else if (part_at(node, i, &p, report) == 0) {
            last(parent)->who |= 1U << p;
        }
    }
}

static void set_to(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    last(parent)->told = part_at(node, 0, &last(parent)->to, report) == 0;
}

static void set_kind(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    (void)report;
    for (size_t i = 0; i < KS_STEP_KINDS; i++) {
        if (strcmp(node->arg[0].text, ks_step_kind_word((enum ks_step_kind)i)) == 0) {
            last(parent)->kind = (enum ks_step_kind)i;
        }
    }
}

static void set_step_title(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    check_braces(node, 0, report);
    last(parent)->title = node->arg[0].text;
}

static void set_text(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    check_braces(node, 0, report);
    last(parent)->text = node->arg[0].text;
}

static void set_by_hand(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    check_braces(node, 0, report);
    last(parent)->by_hand = node->arg[0].text;
}

static void set_run(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    take_commands(node, last(parent)->run, &last(parent)->n_run, report);
}

static void set_undo(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    take_commands(node, last(parent)->undo, &last(parent)->n_undo, report);
}

static void set_after(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    (void)report;
    struct reading *x = parent;
    x->at[x->r->n - 1].after = node;
}

static void set_closes(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    (void)report;
    struct reading *x = parent;
    x->at[x->r->n - 1].closes = node;
}

static void set_evidence(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    struct ks_runbook_step *s = last(parent);
    if (s->n_way == KS_STEP_WAYS) {
        cs_conf_error(report, node, -1, "a step has at most %d ways to close", KS_STEP_WAYS);
        return;
    }
    s->way[s->n_way++] = facts_at(node, report);
}

static void set_optional(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    last(parent)->optional = facts_at(node, report);
}

static void set_skip_if(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    last(parent)->skip_if = facts_at(node, report);
    if ((last(parent)->skip_if & (KS_BIT(KS_FACT_CONFIRMED) | KS_BIT(KS_FACT_DELIVERED))) != 0) {
        cs_conf_error(report, node, -1, "a step is skipped by what is known of the certificates, not by a word");
    }
}

static void set_each_sender(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    (void)node;
    (void)report;
    last(parent)->each_sender = true;
}

static void set_no_return(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    (void)node;
    (void)report;
    last(parent)->no_return = true;
}

static const struct cs_directive rows[] = {
    {"runbook", "", "name", "runbook", CS_DIR_REQUIRED, NULL, "a runbook; one stands in a file", "runbook verifier { }",
     "runbook;", set_runbook},
    {"title", "runbook", "string", NULL, CS_DIR_REQUIRED, NULL, "one line of what it is for", "title \"Verifier\";",
     "title;", set_title},
    {"seed", "runbook", "word", NULL, 0, NULL, "number of the published procedure that it follows", "seed 003;",
     "seed;", set_seed},
    {"slot-role", "runbook", "word", NULL, CS_DIR_REQUIRED, NULL, "role of the slots that it is for",
     "slot-role verifier;", "slot-role;", set_role},
    {"window", "runbook", "needed", NULL, 0, NULL, "it needs an agreed span: rollover start --window FROM TO",
     "window needed;", "window maybe;", set_window},
    {"step", "runbook", "word", "step", CS_DIR_REPEAT | CS_DIR_REQUIRED, NULL, "a step", "step 4a { }", "step;",
     set_step},
    {"who", "step", "word+", NULL, CS_DIR_REQUIRED, NULL,
     "the roles of which one closes it; with each behind them: all of them", "who tenant-admin receiver-admin each;",
     "who;", set_who},
    {"kind", "step", "do|inform|wait|auto", NULL, CS_DIR_REQUIRED, NULL,
     "do: somebody acts; inform: a mail goes out by itself; wait: for the other side; auto: done here without a hand",
     "kind do;", "kind maybe;", set_kind},
    {"to", "step", "word", NULL, 0, NULL, "inform: whom", "to receiver-admin;", "to;", set_to},
    {"title", "step", "string", NULL, CS_DIR_REQUIRED, NULL, "one line for rollover status", "title \"exchange\";",
     "title;", set_step_title},
    {"text", "step", "string", NULL, 0, NULL, "what its mail says", "text \"Accept {{new.sha256}}.\";", "text;",
     set_text},
    {"by-hand", "step", "string", NULL, 0, NULL, "what a person does where no command can", "by-hand \"Restart it.\";",
     "by-hand;", set_by_hand},
    {"run", "step", "string", NULL, CS_DIR_REPEAT, NULL, "command that rollover next carries out, of a fixed list",
     "run \"keystore activate {{new}}\";", "run;", set_run},
    {"undo", "step", "string", NULL, CS_DIR_REPEAT, NULL, "command that rollover abort carries out, of the same list",
     "undo \"keystore activate {{old}}\";", "undo;", set_undo},
    {"after", "step", "word+", NULL, 0, NULL, "steps before it, none: the one that stands before it", "after 2 3;",
     "after;", set_after},
    {"closes", "step", "word+", NULL, 0, NULL, "steps behind it that are closed with it", "closes 4;", "closes;",
     set_closes},
    {"evidence", "step", "word+", NULL, CS_DIR_REPEAT | CS_DIR_REQUIRED, NULL,
     "checks that close it together; a second statement is another way", "evidence converged first-use-new;",
     "evidence;", set_evidence},
    {"evidence-optional", "step", "word+", NULL, 0, NULL, "checks that are shown and close nothing",
     "evidence-optional probe-old-refused;", "evidence-optional;", set_optional},
    {"skip-if", "step", "word+", NULL, 0, NULL, "checks with all of which it is needless", "skip-if dn-unchanged;",
     "skip-if;", set_skip_if},
    {"each-sender", "step", "", NULL, 0, NULL,
     "every partner with a contact sender-admin is told, or says that it is done, for himself", "each-sender;",
     "each-sender 1;", set_each_sender},
    {"no-return", "step", "", NULL, 0, NULL, "what is done here nobody here can take back", "no-return;",
     "no-return 1;", set_no_return},
};

struct cs_conf_table ks_runbook_directives(void)
{
    return (struct cs_conf_table){rows, sizeof rows / sizeof rows[0]};
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

/** Steps that a statement names; before: they must stand before place, else behind it. */
static uint32_t steps_at(const struct ks_runbook *r, const struct cs_conf_node *node, size_t place, bool before,
                         struct cs_conf_report *report)
{
    uint32_t set = 0;
    for (int i = 0; i < node->argc; i++) {
        size_t at = ks_runbook_find(r, node->arg[i].text);
        if (at == r->n) {
            cs_conf_error(report, node, i, "there is no step %s", node->arg[i].text);
        } else if (before ? at >= place : at <= place) {
            cs_conf_error(report, node, i, "step %s stands %s step %s", r->step[at].n,
                          before ? "not before" : "not behind", r->step[place].n);
        } else {
            set |= 1U << at;
        }
    }
    return set;
}

static void check_step(struct reading *x, size_t i, struct cs_conf_report *report)
{
    struct ks_runbook_step *s = &x->r->step[i];
    const struct cs_conf_node *node = x->at[i].node;
    s->after = x->at[i].after != NULL ? steps_at(x->r, x->at[i].after, i, true, report) : i > 0 ? 1U << (i - 1) : 0;
    s->closes = x->at[i].closes != NULL ? steps_at(x->r, x->at[i].closes, i, false, report) : 0;
    if (s->kind == KS_STEP_INFORM && (!s->told || s->text[0] == '\0')) {
        cs_conf_error(report, node, -1, "step %s informs: it needs to ROLE and a text", s->n);
    }
    if (s->each_sender && (s->kind == KS_STEP_INFORM ? s->to != KS_SENDER_ADMIN : s->who != 1U << KS_SENDER_ADMIN)) {
        cs_conf_error(report, node, -1, "step %s is for each sender: it is for sender-admin, and for nobody else",
                      s->n);
    }
    if (s->kind == KS_STEP_AUTO && s->n_run == 0) {
        cs_conf_error(report, node, -1, "step %s is done without a hand: it needs a command (run)", s->n);
    }
}

struct ks_runbook *ks_runbook_read(const char *name, const char *text, size_t n, struct cs_conf_report *report)
{
    struct reading x = {.r = calloc(1, sizeof(struct ks_runbook))};
    const struct cs_conf_table table = ks_runbook_directives();
    unsigned length = 0;
    struct ks_runbook *r = x.r;
    if (r == NULL) {
        return NULL;
    }
    r->title = r->seed = "";
    r->text = strndup(text, n < KS_RUNBOOK_TEXT ? n : KS_RUNBOOK_TEXT);
    bool good =
        r->text != NULL && EVP_Digest(text, n, r->hash, &length, EVP_sha256(), NULL) == 1 &&
        cs_conf_read_text(name, text, n < KS_RUNBOOK_TEXT ? n : KS_RUNBOOK_TEXT, &table, 1, &r->tree, report) == 0;
    if (r->tree != NULL) {
        good = cs_conf_apply(r->tree, table, &x, report) == 0 && good;
        for (size_t i = 0; i < r->n; i++) {
            check_step(&x, i, report);
        }
        const struct cs_conf_node *root = cs_conf_root(r->tree);
        if (n > KS_RUNBOOK_TEXT && root != NULL) {
            cs_conf_error(report, root, -1, "a runbook has at most %zu octets", KS_RUNBOOK_TEXT);
        }
        good = good && (report->n == 0 || report->warning_only);
    }
    if (!good || !x.there || r->n == 0) {
        ks_runbook_free(r);
        return NULL;
    }
    return r;
}

void ks_runbook_free(struct ks_runbook *r)
{
    if (r != NULL) {
        cs_conf_free(r->tree);
        free(r->text);
        free(r);
    }
}
