/* SPDX-License-Identifier: Apache-2.0 */
/* doubts.c: see doubts.h. */
#include "cli/doubts.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#include "wssec/wssec.h"

struct looking {
    const struct cli_settings *s;
    bool accounts;
    cs_time now;
    struct cs_conf_report *report;
};

/** Files that are read late, when somebody waits for a mail or a certificate: one that is not there is told now. */
static void look_at_file(const struct looking *k, const struct cs_conf_node *node)
{
    static const struct {
        const char *statement;
        int arg;
    } late[] = {{"password", 1}, {"secret", 1}, {"ca-file", 0}, {"exec", 0}};
    for (size_t i = 0; i < sizeof late / sizeof late[0]; i++) {
        struct stat st;
        const char *path = late[i].arg < node->argc ? node->arg[late[i].arg].text : NULL;
        if (path != NULL && strcmp(node->name, late[i].statement) == 0 && stat(path, &st) != 0 && errno == ENOENT) {
            cs_conf_warn(k->report, node, late[i].arg, "there is no file %s", path);
        }
    }
}

/** An exception that is over excuses nothing on live traffic any more. */
static void look_at_exception(const struct looking *k, const struct cs_conf_node *policy,
                              const struct cs_conf_node *node)
{
    char date[CS_TIME_TEXT];
    const struct wssec_policy *p = wssec_policies_find(k->s->policies, policy->arg[0].text);
    cs_time end = p != NULL ? wssec_policy_legacy_end(p, node->arg[0].text) : 0;
    if (end != 0 && end <= k->now) {
        cs_conf_warn(k->report, node, 2,
                     "the exception legacy %s is over since %s: live messages that need it are refused (legacy-ended), "
                     "only archived ones of before pass; move the date, or take the line out",
                     node->arg[0].text, cs_time_format(end, date));
    }
}

/** An account by whose name an operator is known, and which nobody has. "uid:1000" is how one without a name is called.
 */
static void look_at_accounts(const struct looking *k, const struct cs_conf_node *operator,
                             const struct cs_conf_node * node)
{
    for (int i = 0; i < node->argc; i++) {
        const char *login = node->arg[i].text;
        if (strncmp(login, "uid:", 4) != 0 && getpwnam(login) == NULL) {
            cs_conf_warn(
                k->report, node, i,
                "this machine has no account \"%s\": nobody is operator %s by it here; correct the name (those "
                "that there are: getent passwd)",
                login, operator->arg[0].text);
        }
    }
}

static void look_below(const struct looking *k, const struct cs_conf_node *parent, const struct cs_conf_node *node)
{
    for (; node != NULL; node = node->next) {
        const char *in = parent != NULL ? parent->name : "";
        look_at_file(k, node);
        if (strcmp(in, "policy") == 0 && strcmp(node->name, "legacy") == 0) {
            look_at_exception(k, parent, node);
        } else if (k->accounts && strcmp(in, "operator") == 0 && strcmp(node->name, "uid") == 0) {
            look_at_accounts(k, parent, node);
        }
        look_below(k, node, node->child);
    }
}

void cli_doubts(const struct cli_settings *s, bool accounts, cs_time now, struct cs_conf_report *report)
{
    const struct looking k = {s, accounts, now, report};
    if (s->tree != NULL) {
        look_below(&k, NULL, cs_conf_root(s->tree));
    }
}
