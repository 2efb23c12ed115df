/* SPDX-License-Identifier: Apache-2.0 */
/* operators.c: see operators.h. */
#include "keystore/operators.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"

static const char *const role_words[] = {
    "tenant-admin", "receiver-admin", "sender-admin", "lb-admin", "integration-developer", KS_AUDITOR_ROLE, NULL};

const char *ks_operator_role(size_t i)
{
    return i < sizeof role_words / sizeof role_words[0] ? role_words[i] : NULL;
}

/* The operator of that name, or NULL. Borrowed from c. */
static const struct ks_operator *operator_find(const struct ks_config *c, const char *name)
{
    for (size_t i = 0; i < c->n_operator; i++) {
        if (strcmp(c->operators[i]->name, name) == 0) {
            return c->operators[i];
        }
    }
    return NULL;
}

void ks_set_operator(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    struct ks_config *c = parent;
    const char *name = node->arg[0].text;
    const struct ks_operator *same = operator_find(c, name);
    if (!ks_name_ok(name)) {
        cs_conf_error(report, node, 0, "\"%s\" is no name of an operator: letters, digits, . _ -, at most 64", name);
        return;
    }
    if (same != NULL) {
        cs_conf_error(report, node, 0, "operator \"%s\" stands already in %s:%d", name, same->node->file,
                      same->node->line);
        return;
    }
    struct ks_operator **grown = reallocarray(c->operators, c->n_operator + 1, sizeof(struct ks_operator *));
    struct ks_operator *o = calloc(1, sizeof *o);
    c->operators = grown != NULL ? grown : c->operators;
    if (grown == NULL || o == NULL) {
        free(o);
        cs_conf_error(report, node, -1, "out of memory");
        return;
    }
    cs_copy(o->name, sizeof o->name, name);
    o->node = node;
    o->config = c;
    c->operators[c->n_operator++] = o;
    *child = o;
}

/** The operator that has the account already, or NULL. */
static const struct ks_operator *owner_of(const struct ks_config *c, const char *login)
{
    for (size_t i = 0; i < c->n_operator; i++) {
        for (size_t k = 0; k < c->operators[i]->n_uid; k++) {
            if (strcmp(c->operators[i]->uid[k], login) == 0) {
                return c->operators[i];
            }
        }
    }
    return NULL;
}

void ks_set_operator_uid(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    struct ks_operator *o = parent;
    for (int i = 0; i < node->argc; i++) {
        const char *login = node->arg[i].text;
        const struct ks_operator *other = owner_of(o->config, login);
        if (other != NULL) {
            cs_conf_error(report, node, i, "account \"%s\" is that of operator %s already: one account, one person",
                          login, other->name);
        } else if (o->n_uid == KS_OPERATOR_UIDS) {
            cs_conf_error(report, node, i, "an operator has at most %d accounts", KS_OPERATOR_UIDS);
        } else if (!cs_copy(o->uid[o->n_uid++], KS_WORD, login)) {
            cs_conf_error(report, node, i, "the name of an account has at most 64 characters");
        }
    }
}

static void take_text(const struct cs_conf_node *node, char *out, size_t size, struct cs_conf_report *report)
{
    const char *text = node->arg[0].text;
    if (text[0] == '\0' || strpbrk(text, "\r\n") != NULL || !cs_copy(out, size, text)) {
        cs_conf_error(report, node, 0, "one line of at most %zu characters, not empty", size - 1);
    }
}

void ks_set_operator_certificate(const struct cs_conf_node *node, void *parent, void **child,
                                 struct cs_conf_report *report)
{
    (void)child;
    struct ks_operator *o = parent;
    cs_dn_free(o->certificate);
    o->certificate = cs_dn_rule_parse(node->arg[0].text);
    if (o->certificate == NULL) {
        cs_conf_error(report, node, 0, "\"%s\" is no distinguished name as CN=anna", node->arg[0].text);
    }
}

void ks_set_operator_roles(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    struct ks_operator *o = parent;
    for (int i = 0; i < node->argc; i++) {
        size_t k = 0;
        while (role_words[k] != NULL && strcmp(role_words[k], node->arg[i].text) != 0) {
            k++;
        }
        if (role_words[k] != NULL) {
            o->roles |= 1U << k;
            continue;
        }
        const char *near = cs_nearest(node->arg[i].text, role_words);
        cs_conf_error(report, node, i, "unknown role \"%s\"%s%s%s", node->arg[i].text,
                      near != NULL ? "; did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "");
    }
}

void ks_set_operator_name(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    struct ks_operator *o = parent;
    take_text(node, o->full_name, sizeof o->full_name, report);
}

void ks_set_operator_mail(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    struct ks_operator *o = parent;
    take_text(node, o->mail, sizeof o->mail, report);
    const char *at = strchr(o->mail, '@');
    if (at == NULL || at == o->mail || at[1] == '\0' || strpbrk(o->mail, " <>,;") != NULL) {
        cs_conf_error(report, node, 0, "\"%s\" is no mail address", node->arg[0].text);
    }
}

void ks_set_two_persons(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)node;
    (void)report;
    *child = parent;
}

void ks_set_approvers(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    struct ks_config *c = parent;
    for (int i = 0; i < node->argc; i++) {
        const char *name = node->arg[i].text;
        bool twice = false;
        for (size_t k = 0; k < c->n_approver; k++) {
            twice = twice || strcmp(c->approver[k], name) == 0;
        }
        if (!ks_name_ok(name)) {
            cs_conf_error(report, node, i, "\"%s\" is no name of a person: letters, digits, . _ -, at most 64", name);
        } else if (twice) {
            cs_conf_error(report, node, i, "approver %s stands twice: two persons are needed", name);
        } else if (c->n_approver == KS_APPROVERS_MAX) {
            cs_conf_error(report, node, i, "at most %d approvers", KS_APPROVERS_MAX);
        } else {
            cs_copy(c->approver[c->n_approver++], KS_WORD, name);
        }
    }
    if (c->n_approver < 2) {
        cs_conf_error(report, node, 0, "two-persons needs two approvers at least: one alone cannot agree with himself");
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int by_operator(const void *a, const void *b)
{
    return strcmp((*(struct ks_operator *const *)a)->name, (*(struct ks_operator *const *)b)->name);
}

/** A line "WORD NAME…" of words sorted. */
static void add_line(cs_buf *b, const char *head, const char (*word)[KS_WORD], size_t n)
{
    char sorted[KS_APPROVERS_MAX > KS_OPERATOR_UIDS ? KS_APPROVERS_MAX : KS_OPERATOR_UIDS][KS_WORD];
    memcpy(sorted, word, n * KS_WORD);
    qsort(sorted, n, KS_WORD, by_name);
    cs_buf_adds(b, head);
    for (size_t i = 0; i < n; i++) {
        cs_buf_addf(b, " %s", sorted[i]);
    }
    cs_buf_addc(b, '\n');
}

char *ks_config_persons(const struct ks_config *c)
{
    cs_buf b = CS_BUF_INIT;
    char head[sizeof "operator " + KS_WORD];
    size_t n = 0;
    struct ks_operator **sorted = calloc(c->n_operator + 1, sizeof *sorted);
    if (sorted == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < c->n_operator; i++) {
        sorted[i] = c->operators[i];
    }
    qsort(sorted, c->n_operator, sizeof(struct ks_operator *), by_operator);
    cs_buf_adds(&b, "");
    if (c->n_approver > 0) {
        add_line(&b, "approvers", c->approver, c->n_approver);
    }
    for (size_t i = 0; i < c->n_operator; i++) {
        snprintf(head, sizeof head, "operator %s", sorted[i]->name);
        add_line(&b, head, (const char(*)[KS_WORD])sorted[i]->uid, sorted[i]->n_uid);
    }
    free(sorted);
    char *text = cs_buf_take(&b, &n);
    cs_buf_free(&b);
    return text;
}

void ks_operators_free(struct ks_config *c)
{
    for (size_t i = 0; i < c->n_operator; i++) {
        cs_dn_free(c->operators[i]->certificate);
        free(c->operators[i]);
    }
    free(c->operators);
    c->operators = NULL;
    c->n_operator = 0;
}
