/* SPDX-License-Identifier: Apache-2.0 */
/* issuer_config.c: see issuer_config.h. */
#include "keystore/issuer_config.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/notice.h"

#define TIMEOUT_MIN_MS 1000
#define TIMEOUT_MAX_MS 300000

static const char *kind_word(enum ks_issuer_kind kind)
{
    static const char *const word[] = {"none", "cmp", "est", "exec"};
    return word[kind];
}

void ks_set_issuer_block(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    struct ks_config *c = parent;
    const char *name = node->arg[0].text;
    static const char *const taken[] = {"own", "csr-only"};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        if (strcmp(name, taken[i]) == 0) {
            cs_conf_error(report, node, 0, "%s is there without a block; an issuer of others has another name", name);
            return;
        }
    }
    for (size_t i = 0; i < c->n_issuer; i++) {
        if (strcmp(c->issuer[i]->name, name) == 0) {
            cs_conf_error(report, node, 0, "issuer %s was named before", name);
            return;
        }
    }
    if (c->n_issuer == KS_ISSUERS_MAX) {
        cs_conf_error(report, node, 0, "more than %d issuers", KS_ISSUERS_MAX);
        return;
    }
    ks_issuer **grown = reallocarray(c->issuer, c->n_issuer + 1, sizeof *grown);
    ks_issuer *i = calloc(1, sizeof *i);
    c->issuer = grown != NULL ? grown : c->issuer;
    if (grown == NULL || i == NULL) {
        free(i);
        cs_conf_error(report, node, -1, "out of memory");
        return;
    }
    cs_copy(i->name, sizeof i->name, name);
    i->timeout_ms = KS_ISSUER_TIMEOUT_MS;
    c->issuer[c->n_issuer++] = i;
    *child = i;
}

static void take(const struct cs_conf_node *node, int arg, char *out, size_t size, struct cs_conf_report *report)
{
    const char *text = node->arg[arg].text;
    if (!ks_line_ok(text, size) || !cs_copy(out, size, text)) {
        cs_conf_error(report, node, arg, "one line of at most %zu characters, not empty", size - 1);
    }
}

/** One way, of the three. */
static bool first_way(const struct cs_conf_node *node, ks_issuer *i, enum ks_issuer_kind kind,
                      struct cs_conf_report *report)
{
    if (i->kind != KS_ISSUER_NONE) {
        cs_conf_error(report, node, -1, "issuer %s is asked by %s already: one of cmp, est, exec", i->name,
                      kind_word(i->kind));
        return false;
    }
    i->kind = kind;
    return true;
}

static void take_url(const struct cs_conf_node *node, ks_issuer *i, bool tls, struct cs_conf_report *report)
{
    const char *url = node->arg[0].text;
    const char *rest = strncmp(url, "https://", 8) == 0          ? url + 8
                       : !tls && strncmp(url, "http://", 7) == 0 ? url + 7
                                                                 : "";
    if (rest[0] == '\0' || rest[0] == '/' || strpbrk(rest, "@?# \t\"<>\\") != NULL) {
        cs_conf_error(report, node, 0, "\"%s\" is no address; write https://HOST:PORT/PATH%s", url,
                      tls ? "" : " or http://HOST:PORT/PATH");
        return;
    }
    take(node, 0, i->server, sizeof i->server, report);
}

void ks_set_issuer_cmp(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    if (first_way(node, parent, KS_ISSUER_CMP, report)) {
        take_url(node, parent, false, report);
    }
}

void ks_set_issuer_est(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    ks_issuer *i = parent;
    if (first_way(node, i, KS_ISSUER_EST, report)) {
        take_url(node, i, true, report);
        size_t n = strlen(i->server);
        if (n > 0 && i->server[n - 1] == '/') {
            i->server[n - 1] = '\0';
        }
    }
}

void ks_set_issuer_exec(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    ks_issuer *i = parent;
    if (!first_way(node, i, KS_ISSUER_EXEC, report)) {
        return;
    }
    if (node->arg[0].text[0] != '/') {
        cs_conf_error(report, node, 0, "a program is named by its whole path: no search path and no shell is asked");
        return;
    }
    if (node->argc > KS_ISSUER_ARGS - 1) {
        cs_conf_error(report, node, KS_ISSUER_ARGS - 1, "a program has at most %d arguments here", KS_ISSUER_ARGS - 2);
        return;
    }
    for (int k = 0; k < node->argc; k++) {
        take(node, k, i->arg[k], sizeof i->arg[k], report);
    }
    i->n_arg = (size_t)node->argc;
}

void ks_set_issuer_user(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    ks_issuer *i = parent;
    take(node, 0, i->user, sizeof i->user, report);
    if (strchr(i->user, ':') != NULL) {
        cs_conf_error(report, node, 0, "a name without colon");
    }
}

/** "file PATH": a secret never stands in the configuration itself. */
void ks_set_issuer_password(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    ks_issuer *i = parent;
    if (strcmp(node->arg[0].text, "file") != 0) {
        cs_conf_error(report, node, 0, "a password stands in a file of its own: password file \"PATH\"");
        return;
    }
    take(node, 1, i->password_file, sizeof i->password_file, report);
}

void ks_set_issuer_ca(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    ks_issuer *i = parent;
    take(node, 0, i->ca_file, sizeof i->ca_file, report);
}

void ks_set_issuer_timeout(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    ks_issuer *i = parent;
    int64_t ms = 0;
    if (cs_duration_parse(node->arg[0].text, &ms) != 0 || ms < TIMEOUT_MIN_MS || ms > TIMEOUT_MAX_MS) {
        cs_conf_error(report, node, 0, "the time for one request is 1s to 300s");
        return;
    }
    i->timeout_ms = ms;
}

ks_issuers ks_config_issuers(const struct ks_config *c)
{
    return (ks_issuers){.issuer = (const ks_issuer *const *)c->issuer, .n = c->n_issuer};
}

void ks_issuers_free(struct ks_config *c)
{
    for (size_t i = 0; i < c->n_issuer; i++) {
        free(c->issuer[i]);
    }
    free(c->issuer);
}
