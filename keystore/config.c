/* SPDX-License-Identifier: Apache-2.0 */
/* config.c: rows and setters of the keystore's directives. */
#include "keystore/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

bool ks_name_ok(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n < KS_WORD && name[0] != '-' && name[0] != '.' && strspn(name, NAME_CHARACTERS) == n;
}

/** Seconds of argument 0, which the checker found to be a duration. -1: reported. */
static int64_t seconds(const struct cs_conf_node *node, int arg, struct cs_conf_report *report)
{
    int64_t ms = 0;
    if (cs_duration_parse(node->arg[arg].text, &ms) != 0 || ms % 1000 != 0) {
        cs_conf_error(report, node, arg, "\"%s\" is not a duration in whole seconds, as 90d or 12h",
                      node->arg[arg].text);
        return -1;
    }
    return ms / 1000;
}

static void set_keystore(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    struct ks_config *c = parent;
    const char *kind = node->arg[0].text;
    const char *where = node->arg[1].text;
    if (strcmp(kind, "sqlite") != 0) {
        cs_conf_error(report, node, 0, "unknown kind of keystore \"%s\"; here: sqlite \"PATH\"", kind);
        return;
    }
    if (where[0] == '\0') {
        cs_conf_error(report, node, 1, "the path of the keystore is empty");
        return;
    }
    size_t size = sizeof "sqlite:" + strlen(where);
    char *uri = malloc(size);
    if (uri == NULL) {
        cs_conf_error(report, node, -1, "out of memory");
        return;
    }
    memcpy(uri, "sqlite:", 7);
    memcpy(uri + 7, where, strlen(where) + 1);
    free(c->uri);
    c->uri = uri;
}

static void set_retention(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    struct ks_config *c = parent;
    int64_t s = seconds(node, 0, report);
    if (s >= 0 && s < KS_RETENTION_FLOOR) {
        cs_conf_error(report, node, 0, "retention %s is below 90d: a message in flight would break", node->arg[0].text);
    } else if (s >= 0) {
        c->retention = s;
    }
}

static void set_delivery(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    struct ks_config *c = parent;
    int64_t s = seconds(node, 0, report);
    if (s == 0) {
        cs_conf_error(report, node, 0, "guaranteed-delivery must be longer than nothing");
    } else if (s > 0) {
        c->guaranteed_delivery = s;
    }
}

static void set_partner(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    struct ks_config *c = parent;
    const char *name = node->arg[0].text;
    if (!ks_name_ok(name)) {
        cs_conf_error(report, node, 0, "\"%s\" is no partner name: letters, digits, . _ -, at most 64", name);
        return;
    }
    const struct ks_partner_config *same = ks_config_partner(c, name);
    if (same != NULL) {
        cs_conf_error(report, node, 0, "partner \"%s\" stands already in %s:%d", name, same->node->file,
                      same->node->line);
        return;
    }
    struct ks_partner_config **grown = realloc(c->partner, (c->n_partner + 1) * sizeof *grown);
    if (grown == NULL) {
        cs_conf_error(report, node, -1, "out of memory");
        return;
    }
    c->partner = grown;
    struct ks_partner_config *p = calloc(1, sizeof *p);
    if (p == NULL) {
        cs_conf_error(report, node, -1, "out of memory");
        return;
    }
    cs_copy(p->name, sizeof p->name, name);
    cs_copy(p->trust, sizeof p->trust, "pinned");
    p->node = node;
    c->partner[c->n_partner++] = p;
    *child = p;
}

static void set_partner_policy(const struct cs_conf_node *node, void *parent, void **child,
                               struct cs_conf_report *report)
{
    (void)child;
    struct ks_partner_config *p = parent;
    if (!cs_copy(p->policy, sizeof p->policy, node->arg[0].text)) {
        cs_conf_error(report, node, 0, "a policy name has at most 64 characters");
    }
    p->policy_node = node;
}

static void set_partner_delivery(const struct cs_conf_node *node, void *parent, void **child,
                                 struct cs_conf_report *report)
{
    (void)child;
    struct ks_partner_config *p = parent;
    int64_t s = seconds(node, 0, report);
    if (s == 0) {
        cs_conf_error(report, node, 0, "guaranteed-delivery must be longer than nothing");
    } else if (s > 0) {
        p->guaranteed_delivery = s;
    }
}

static void set_partner_trust(const struct cs_conf_node *node, void *parent, void **child,
                              struct cs_conf_report *report)
{
    (void)child;
    struct ks_partner_config *p = parent;
    if (strcmp(node->arg[0].text, "pinned") != 0) {
        cs_conf_error(report, node, 0, "unknown kind of trust \"%s\"; here: pinned", node->arg[0].text);
        return;
    }
    cs_copy(p->trust, sizeof p->trust, node->arg[0].text);
}

static void set_partner_expired(const struct cs_conf_node *node, void *parent, void **child,
                                struct cs_conf_report *report)
{
    (void)child;
    struct ks_partner_config *p = parent;
    const char *word = node->arg[0].text;
    bool grace = strcmp(word, "grace") == 0;
    if (grace != (node->argc == 2)) {
        cs_conf_error(report, node, 0, grace ? "grace needs a duration, as: grace 24h" : "only grace takes a duration");
        return;
    }
    if (grace && !cs_copy(p->expired_grace, sizeof p->expired_grace, node->arg[1].text)) {
        cs_conf_error(report, node, 1, "\"%s\" is not a duration", node->arg[1].text);
        return;
    }
    cs_copy(p->expired_certificate, sizeof p->expired_certificate, word);
}

static const struct cs_directive rows[] = {
    {"keystore", "", "word string", NULL, CS_DIR_RESTART, NULL, "where certificates and keys are kept",
     "keystore sqlite \"/var/lib/countersign/keystore.db\";", "keystore sqlite;", set_keystore},
    {"retention", "", "duration", NULL, 0, "90d",
     "how long an exchanged certificate or key is kept at least; not below 90d", "retention 120d;", "retention 89d;",
     set_retention},
    {"guaranteed-delivery", "", "duration", NULL, 0, "14d",
     "how long a message may be under way between sender and receiver", "guaranteed-delivery 14d;",
     "guaranteed-delivery soon;", set_delivery},
    {"partner", "", "name", "partner", CS_DIR_REPEAT, NULL, "the other side: whose messages are verified",
     "partner acme { trust pinned; }", "partner { trust pinned; }", set_partner},
    {"policy", "partner", "name", NULL, 0, NULL, "the policy that judges this partner's messages",
     "policy response-default;", "policy;", set_partner_policy},
    {"guaranteed-delivery", "partner", "duration", NULL, 0, NULL, "this partner's own guaranteed delivery",
     "guaranteed-delivery 120d;", "guaranteed-delivery 0s;", set_partner_delivery},
    {"trust", "partner", "word", NULL, 0, "pinned", "pinned: only certificates that the keystore holds",
     "trust pinned;", "trust everybody;", set_partner_trust},
    {"expired-certificate", "partner", "at-signing|refuse|grace duration?", NULL, 0, NULL,
     "what an expired certificate may still do, over the policy's word", "expired-certificate grace 24h;",
     "expired-certificate grace;", set_partner_expired},
};

struct cs_conf_table ks_directives(void)
{
    return (struct cs_conf_table){rows, sizeof rows / sizeof rows[0]};
}

const struct ks_partner_config *ks_config_partner(const struct ks_config *c, const char *name)
{
    for (size_t i = 0; i < c->n_partner; i++) {
        if (strcmp(c->partner[i]->name, name) == 0) {
            return c->partner[i];
        }
    }
    return NULL;
}

void ks_config_free(struct ks_config *c)
{
    for (size_t i = 0; i < c->n_partner; i++) {
        free(c->partner[i]);
    }
    free(c->partner);
    free(c->uri);
    *c = (struct ks_config)KS_CONFIG_INIT;
}
