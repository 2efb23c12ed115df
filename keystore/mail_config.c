/* SPDX-License-Identifier: Apache-2.0 */
/* mail_config.c: see mail_config.h. */
#include "keystore/mail_config.h"

#include <string.h>

#include "base/text.h"

#define TIMEOUT_MIN_MS 1000
#define TIMEOUT_MAX_MS 300000

void ks_set_mail(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    struct ks_config *c = parent;
    (void)node;
    (void)report;
    c->mail.given = true;
    c->mail.timeout_ms = KS_MAIL_TIMEOUT_MS;
    *child = &c->mail;
}

static void take(const struct cs_conf_node *node, int arg, char *out, size_t size, struct cs_conf_report *report)
{
    const char *text = node->arg[arg].text;
    if (!ks_line_ok(text, size) || !cs_copy(out, size, text)) {
        cs_conf_error(report, node, arg, "one line of at most %zu characters, not empty", size - 1);
    }
}

void ks_set_mail_server(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    ks_mail *m = parent;
    const char *url = node->arg[0].text;
    const char *rest = strncmp(url, "smtp://", 7) == 0 ? url + 7 : strncmp(url, "smtps://", 8) == 0 ? url + 8 : "";
    if (rest[0] == '\0' || strpbrk(rest, "/@?# \t") != NULL) {
        cs_conf_error(report, node, 0, "\"%s\" is no mail server; write smtp://HOST:587 or smtps://HOST:465", url);
        return;
    }
    take(node, 0, m->server, sizeof m->server, report);
}

void ks_set_mail_from(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    ks_mail *m = parent;
    if (!ks_mail_ok(node->arg[0].text)) {
        cs_conf_error(report, node, 0, "\"%s\" is no address for mail", node->arg[0].text);
        return;
    }
    take(node, 0, m->from, sizeof m->from, report);
}

void ks_set_mail_user(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    ks_mail *m = parent;
    take(node, 0, m->user, sizeof m->user, report);
}

/** "file PATH": a secret never stands in the configuration itself. */
void ks_set_mail_password(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    ks_mail *m = parent;
    if (strcmp(node->arg[0].text, "file") != 0) {
        cs_conf_error(report, node, 0, "a password stands in a file of its own: password file \"PATH\"");
        return;
    }
    take(node, 1, m->password_file, sizeof m->password_file, report);
}

void ks_set_mail_ca(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    ks_mail *m = parent;
    take(node, 0, m->ca_file, sizeof m->ca_file, report);
}

void ks_set_mail_starttls(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    (void)report;
    ks_mail *m = parent;
    m->starttls_required = strcmp(node->arg[0].text, "required") == 0;
}

void ks_set_mail_timeout(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    ks_mail *m = parent;
    int64_t ms = 0;
    if (cs_duration_parse(node->arg[0].text, &ms) != 0 || ms < TIMEOUT_MIN_MS || ms > TIMEOUT_MAX_MS) {
        cs_conf_error(report, node, 0, "the time for one mail is 1s to 300s");
        return;
    }
    m->timeout_ms = ms;
}
