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
static void take_secret(const struct cs_conf_node *node, char *out, size_t size, struct cs_conf_report *report)
{
    if (strcmp(node->arg[0].text, "file") != 0) {
        cs_conf_error(report, node, 0, "a secret stands in a file of its own: %s file \"PATH\"", node->name);
        return;
    }
    take(node, 1, out, size, report);
}

void ks_set_mail_password(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    ks_mail *m = parent;
    take_secret(node, m->password_file, sizeof m->password_file, report);
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

void ks_set_mail_interrupted(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    (void)report;
    ks_mail *m = parent;
    m->assume_sent = strcmp(node->arg[0].text, "assume-sent") == 0;
}

static void take_timeout(const struct cs_conf_node *node, int64_t *out, struct cs_conf_report *report)
{
    int64_t ms = 0;
    if (cs_duration_parse(node->arg[0].text, &ms) != 0 || ms < TIMEOUT_MIN_MS || ms > TIMEOUT_MAX_MS) {
        cs_conf_error(report, node, 0, "the time for one notice is 1s to 300s");
        return;
    }
    *out = ms;
}

void ks_set_mail_timeout(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    take_timeout(node, &((ks_mail *)parent)->timeout_ms, report);
}

/* ---- webhook ----------------------------------------------------------------------------------------------------- */

void ks_set_hook(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    struct ks_config *c = parent;
    (void)node;
    (void)report;
    c->mail.hook.given = true;
    c->mail.hook.timeout_ms = KS_MAIL_TIMEOUT_MS;
    *child = &c->mail.hook;
}

/** A host of this machine alone: what is sent there is read by nobody on the way. */
static bool is_loopback(const char *rest)
{
    static const char *const host[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < sizeof host / sizeof host[0]; i++) {
        size_t n = strlen(host[i]);
        if (strncmp(rest, host[i], n) == 0 && (rest[n] == ':' || rest[n] == '/' || rest[n] == '\0')) {
            return true;
        }
    }
    return false;
}

void ks_set_hook_url(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    ks_hook *h = parent;
    const char *url = node->arg[0].text;
    bool https = strncmp(url, "https://", 8) == 0;
    bool http = strncmp(url, "http://", 7) == 0 && is_loopback(url + 7);
    const char *authority = url + (https ? 8 : 7);
    size_t n = https || http ? strcspn(authority, "/?#") : 0;
    if (n == 0 || memchr(authority, '@', n) != NULL || strpbrk(url, " \t\"<>") != NULL) {
        cs_conf_error(report, node, 0,
                      "\"%s\" is no address for a webhook; write https://HOST/PATH, or http on loopback", url);
        return;
    }
    take(node, 0, h->url, sizeof h->url, report);
}

void ks_set_hook_secret(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    ks_hook *h = parent;
    take_secret(node, h->secret_file, sizeof h->secret_file, report);
}

void ks_set_hook_ca(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    ks_hook *h = parent;
    take(node, 0, h->ca_file, sizeof h->ca_file, report);
}

void ks_set_hook_timeout(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    take_timeout(node, &((ks_hook *)parent)->timeout_ms, report);
}
