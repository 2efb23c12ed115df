/* SPDX-License-Identifier: Apache-2.0 */
/* config.c: rows and setters of the keystore's directives. */
#include "keystore/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/addressee.h"
#include "keystore/issuer_config.h"
#include "keystore/mail_config.h"
#include "keystore/operators.h"
#include "keystore/pkcs11.h"
#include "keystore/template.h"
#include "keystore/users.h"

#define CONCURRENCY_MOST 1000000
#define NAME_CHARACTERS  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

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

static const struct {
    const char *word, *second; /* second: a word that must follow, NULL: none */
    enum ks_kek_kind kind;
} kek_kinds[] = {
    {"file", NULL, KS_KEK_FILE},
    {"credential", NULL, KS_KEK_CREDENTIAL},
    {"passphrase", "file", KS_KEK_PASSPHRASE},
    {"pkcs11", NULL, KS_KEK_PKCS11},
};

/** One source from argument *at on; *at then stands behind it. @return 0, or -1: reported */
static int take_source(const struct cs_conf_node *node, int *at, struct ks_kek_config *out,
                       struct cs_conf_report *report)
{
    size_t i = 0;
    while (i < sizeof kek_kinds / sizeof kek_kinds[0] && strcmp(node->arg[*at].text, kek_kinds[i].word) != 0) {
        i++;
    }
    if (i == sizeof kek_kinds / sizeof kek_kinds[0]) {
        cs_conf_error(report, node, *at,
                      "unknown source of a key \"%s\"; here: file PATH, credential NAME, passphrase file PATH, pkcs11 "
                      "\"pkcs11:…\"",
                      node->arg[*at].text);
        return -1;
    }
    const char *second = kek_kinds[i].second;
    int value = *at + (second != NULL ? 2 : 1);
    if (value >= node->argc || (second != NULL && strcmp(node->arg[*at + 1].text, second) != 0) ||
        node->arg[value].text[0] == '\0') {
        cs_conf_error(report, node, *at, "%s%s%s needs a value behind it", kek_kinds[i].word, second != NULL ? " " : "",
                      second != NULL ? second : "");
        return -1;
    }
    const char *where = node->arg[value].text;
    cs_error e = {0};
    if (kek_kinds[i].kind == KS_KEK_PKCS11 && ks_pkcs11_check(where, &e) != 0) {
        cs_conf_error(report, node, value, "%s", e.text);
        return -1;
    }
    if (kek_kinds[i].kind == KS_KEK_CREDENTIAL && !ks_name_ok(where)) {
        cs_conf_error(report, node, value, "\"%s\" is no name of a credential", where);
        return -1;
    }
    out->kind = kek_kinds[i].kind;
    out->where = strdup(where);
    if (out->where == NULL) {
        cs_conf_error(report, node, -1, "out of memory");
        return -1;
    }
    *at = value + 1;
    return 0;
}

static void set_kek(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    struct ks_config *c = parent;
    int at = 0;
    if (take_source(node, &at, &c->kek[0], report) != 0) {
        return;
    }
    c->n_kek = 1;
    if (at == node->argc) {
        return;
    }
    if (strcmp(node->arg[at].text, "previous") != 0 || ++at == node->argc) {
        cs_conf_error(report, node, at < node->argc ? at : at - 1,
                      "behind the key may stand only: previous, and the source of the key before");
        return;
    }
    if (take_source(node, &at, &c->kek[1], report) != 0) {
        return;
    }
    c->n_kek = 2;
    if (at != node->argc) {
        cs_conf_error(report, node, at, "nothing stands behind the previous key");
    }
}

void ks_config_sources(const struct ks_config *c, ks_options *out)
{
    for (size_t i = 0; i < c->n_kek; i++) {
        out->kek[i] = (ks_kek_source){c->kek[i].kind, c->kek[i].where};
    }
    out->n_kek = c->n_kek;
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
    p->config = c;
    c->partner[c->n_partner++] = p;
    *child = p;
}

static void set_node(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    struct ks_config *c = parent;
    const char *name = node->arg[0].text;
    if (!ks_name_ok(name)) {
        cs_conf_error(report, node, 0, "\"%s\" is no name of a node: letters, digits, . _ -, at most 64", name);
    } else {
        cs_copy(c->node, sizeof c->node, strcmp(name, "auto") == 0 ? "" : name);
    }
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

static void set_partner_concurrency(const struct cs_conf_node *node, void *parent, void **child,
                                    struct cs_conf_report *report)
{
    (void)child;
    struct ks_partner_config *p = parent;
    long long n = strtoll(node->arg[0].text, NULL, 10);
    if (n < 1 || n > CONCURRENCY_MOST) {
        cs_conf_error(report, node, 0, "concurrency is a number from 1 to %d", CONCURRENCY_MOST);
    } else {
        p->concurrency = (unsigned)n;
    }
}

static void set_partner_trust(const struct cs_conf_node *node, void *parent, void **child,
                              struct cs_conf_report *report)
{
    struct ks_partner_config *p = parent;
    const char *kind = node->arg[0].text;
    bool chain = strcmp(kind, "chain") == 0;
    if (!chain && strcmp(kind, "pinned") != 0) {
        cs_conf_error(report, node, 0, "unknown kind of trust \"%s\"; here: pinned, or chain { … }", kind);
        return;
    }
    if (chain != node->has_block) {
        cs_conf_error(report, node, 0,
                      chain ? "trust chain needs a block: { anchors ALIAS; subject \"…\"; issuer \"…\"; }"
                            : "trust pinned takes no block");
        return;
    }
    cs_copy(p->trust, sizeof p->trust, kind);
    *child = chain ? p : NULL;
}

static void set_anchors(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    struct ks_partner_config *p = parent;
    p->anchors_node = node;
    for (int i = 0; i < node->argc; i++) {
        const char *alias = node->arg[i].text;
        if (!ks_name_ok(alias)) {
            cs_conf_error(report, node, i, "\"%s\" is no alias: letters, digits, . _ -, at most 64", alias);
        } else if (p->chain.n_anchor == KS_ANCHORS_MAX) {
            cs_conf_error(report, node, i, "a partner names at most %d anchors", KS_ANCHORS_MAX);
            return;
        } else {
            cs_copy(p->chain.anchor[p->chain.n_anchor++], KS_WORD, alias);
        }
    }
}

static void set_name_rule(const struct cs_conf_node *node, cs_dn **rule, struct cs_conf_report *report)
{
    cs_dn_free(*rule);
    *rule = cs_dn_rule_parse(node->arg[0].text);
    if (*rule == NULL) {
        cs_conf_error(report, node, 0,
                      "\"%s\" is no distinguished name as CN=signer,O=ACME*: a star stands for characters of one value",
                      node->arg[0].text);
    }
}

static void set_subject(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    set_name_rule(node, &((struct ks_partner_config *)parent)->chain.subject, report);
}

static void set_issuer(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    set_name_rule(node, &((struct ks_partner_config *)parent)->chain.issuer, report);
}

static void set_crl(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    (void)report;
    ((struct ks_partner_config *)parent)->chain.crl_require = strcmp(node->arg[0].text, "require") == 0;
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
    {"key-encryption-key", "", "string+", NULL, 0, NULL,
     "what private keys are sealed under: file PATH, credential NAME (of systemd), passphrase file PATH, or pkcs11 "
     "\"pkcs11:…\" (wrapped by a token's RSA key); with previous SOURCE while keystore rekey leads from one to the "
     "other; not said: the file beside the keystore that init made",
     "key-encryption-key file \"/etc/countersign/kek\" previous file \"/etc/countersign/kek.before\";",
     "key-encryption-key secret;", set_kek},
    {"node", "", "name", NULL, CS_DIR_RESTART, "auto",
     "name of this node in the keystore; auto: the host's. One that another living node has gets a suffix and a "
     "warning",
     "node gw1;", "node two words;", set_node},
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
    {"concurrency", "partner", "number", NULL, 0, NULL,
     "requests that may be under way at the same time on all routes which verify this partner, so that its messages "
     "cannot take all workers; more are refused with 503",
     "concurrency 16;", "concurrency 0;", set_partner_concurrency},
    {"trust", "partner", "word", "trust?", 0, "pinned",
     "pinned: only certificates that the keystore holds; chain: also those that lead to an anchor and bear the right "
     "names",
     "trust chain { anchors acme-ca; subject \"O=ACME*\"; issuer \"CN=ACME Issuing CA,O=ACME\"; }", "trust everybody;",
     set_partner_trust},
    {"anchors", "trust", "name+", NULL, CS_DIR_REQUIRED, NULL,
     "aliases of role trust-anchor to one of which the certificate of a message must lead",
     "anchors acme-ca acme-ca-2;", "anchors;", set_anchors},
    {"subject", "trust", "string", NULL, CS_DIR_REQUIRED, NULL,
     "rule for the certificate's subject: RDNs in their order, a star for characters within one value; types that it "
     "does not name are free",
     "subject \"O=ACME*\";", "subject \"ACME*\";", set_subject},
    {"issuer", "trust", "string", NULL, CS_DIR_REQUIRED, NULL,
     "rule for the name of the authority that issued the certificate, as for subject",
     "issuer \"CN=ACME Issuing CA*\";", "issuer \"\";", set_issuer},
    {"crl", "trust", "use|require", NULL, 0, "use",
     "use: CRLs that the keystore holds are heeded; require: without a current one of every issuer the message is "
     "refused",
     "crl require;", "crl fetch;", set_crl},
    {"expired-certificate", "partner", "at-signing|refuse|grace duration?", NULL, 0, NULL,
     "what an expired certificate may still do, over the policy's word", "expired-certificate grace 24h;",
     "expired-certificate grace;", set_partner_expired},
    {"contact", "partner", "word string string", NULL, CS_DIR_REPEAT, NULL,
     "a person at the partner, by what he does there (roles of operators): name and address for mails about "
     "roll-overs",
     "contact receiver-admin \"Jo Doe\" \"jo@acme.example\";", "contact receiver-admin \"Jo Doe\" \"jo\";",
     ks_set_contact},
    {"users", "partner", "name+", NULL, 0, NULL,
     "users whose names its messages may bear in a UsernameToken: the token is judged by their passwords; not said: it is "
     "not looked at",
     "users anna ben;", "users;", ks_set_partner_users},
    {"user", "", "name", "user", CS_DIR_REPEAT, NULL,
     "a user name with its password for UsernameTokens: of a partner (users) or of our own messages (username)",
     "user anna { password file \"/etc/countersign/anna.password\"; }", "user { }", ks_set_user},
    {"name", "user", "string", NULL, 0, NULL, "the name as messages say it; not said: as it is called here",
     "name \"ACME\\\\anna\";", "name \"\";", ks_set_user_name},
    {"password", "user", "word string", NULL, CS_DIR_REQUIRED, NULL,
     "file PATH: its first line is the password; the file is closed to others (chmod 600)",
     "password file \"/etc/countersign/anna.password\";", "password \"secret\";", ks_set_user_password},
    {"operator", "", "name", "operator", CS_DIR_REPEAT, NULL, "a person who works with the keystore",
     "operator anna { uid anna; }", "operator { uid anna; }", ks_set_operator},
    {"uid", "operator", "word+", NULL, 0, NULL, "accounts of this person on the nodes; several are one person",
     "uid anna anna-adm;", "uid;", ks_set_operator_uid},
    {"certificate", "operator", "string", NULL, 0, NULL, "subject of this person's client certificate",
     "certificate \"CN=anna\";", "certificate \"anna\";", ks_set_operator_certificate},
    {"roles", "operator", "word+", NULL, 0, NULL,
     "what this person does: tenant-admin receiver-admin sender-admin lb-admin integration-developer auditor (who gets "
     "signed checkpoints of the audit by mail)",
     "roles tenant-admin lb-admin;", "roles emperor;", ks_set_operator_roles},
    {"name", "operator", "string", NULL, 0, NULL, "the name as people write it", "name \"Anna Berg\";", "name \"\";",
     ks_set_operator_name},
    {"mail", "operator", "string", NULL, 0, NULL, "where mails of this person's roles go", "mail \"anna@example.com\";",
     "mail \"anna\";", ks_set_operator_mail},
    {"two-persons", "", "", "two-persons", 0, NULL,
     "guard G10: what one person alone must not do waits for another one's agreement",
     "two-persons { approvers anna ben; }", "two-persons yes;", ks_set_two_persons},
    {"approvers", "two-persons", "name+", NULL, CS_DIR_REQUIRED, NULL,
     "who may agree, two at least: operators, or accounts that no operator has", "approvers anna ben;",
     "approvers anna;", ks_set_approvers},
    {"mail", "", "", "mail", 0, NULL, "the way for notices to people (keystore subscribe)",
     "mail { server \"smtp://mail.example:587\"; from \"countersign@example.com\"; }", "mail yes;", ks_set_mail},
    {"server", "mail", "string", NULL, CS_DIR_REQUIRED, NULL,
     "where mail is given: smtp://HOST:PORT or smtps://HOST:PORT", "server \"smtp://mail.example:587\";",
     "server \"mail.example\";", ks_set_mail_server},
    {"from", "mail", "string", NULL, CS_DIR_REQUIRED, NULL, "the sender's address", "from \"countersign@example.com\";",
     "from \"countersign\";", ks_set_mail_from},
    {"user", "mail", "string", NULL, 0, NULL, "who logs in at the server; then TLS is required", "user \"gateway\";",
     "user \"\";", ks_set_mail_user},
    {"password", "mail", "word string", NULL, 0, NULL, "file PATH: its first line is the password",
     "password file \"/etc/countersign/mail-password\";", "password \"secret\";", ks_set_mail_password},
    {"starttls", "mail", "opportunistic|required", NULL, 0, "opportunistic",
     "required: a server without TLS gets no mail; opportunistic: TLS where the server offers it", "starttls required;",
     "starttls maybe;", ks_set_mail_starttls},
    {"ca-file", "mail", "string", NULL, 0, NULL,
     "PEM file of the authorities that the server is checked by; else the system's",
     "ca-file \"/etc/countersign/mail-ca.pem\";", "ca-file \"\";", ks_set_mail_ca},
    {"timeout", "mail", "duration", NULL, 0, "30s", "how long one mail may take, connection included: 1s to 300s",
     "timeout 10s;", "timeout 500ms;", ks_set_mail_timeout},
    {"templates", "mail", "string", NULL, 0, NULL,
     "a directory with letters of one's own: LOCALE/KIND.txt (docs/notices.md)",
     "templates \"/etc/countersign/letters\";", "templates \"\";", ks_set_mail_templates},
    {"locale", "mail", "word string*", NULL, CS_DIR_REPEAT, "en",
     "whose letters are used; with addresses or domains behind it: for those alone",
     "locale de \"@example.com\" \"anna@acme.example\";", "locale ../de;", ks_set_mail_locale},
    {"interrupted", "mail", "resend|assume-sent", NULL, 0, "resend",
     "a mail of which nobody knows whether it went out, since its process was killed: sent again with the same "
     "Message-ID, or counted as sent; in the last 3 days before an end it is sent again in any case",
     "interrupted assume-sent;", "interrupted maybe;", ks_set_mail_interrupted},
    {"issuer", "", "name", "issuer", CS_DIR_REPEAT, NULL, "a certification authority of others that answers by itself",
     "issuer corp { cmp \"https://ca.example/cmp\"; }", "issuer own { cmp \"https://ca.example/cmp\"; }",
     ks_set_issuer_block},
    {"cmp", "issuer", "string", NULL, 0, NULL,
     "it is asked by CMP (RFC 4210): a first certificate under user and password, a successor under the certificate "
     "before",
     "cmp \"https://ca.example/cmp\";", "cmp \"ftp://ca.example\";", ks_set_issuer_cmp},
    {"est", "issuer", "string", NULL, 0, NULL,
     "it is asked by EST (RFC 7030) below this address: simpleenroll, and simplereenroll under the certificate before",
     "est \"https://ca.example/.well-known/est\";", "est \"http://ca.example\";", ks_set_issuer_est},
    {"exec", "issuer", "string+", NULL, 0, NULL,
     "a program with its arguments is asked, without a shell: request (PEM) on stdin, certificate and chain on stdout; "
     "exit 75: it waits. Only keystore tick, generate and renew run it, never the gateway, whose sandbox forbids it",
     "exec \"/usr/local/libexec/acme\" \"--dns\";", "exec \"acme\";", ks_set_issuer_exec},
    {"user", "issuer", "string", NULL, 0, NULL, "cmp: reference of the shared secret; est: who logs in",
     "user \"gw-4711\";", "user \"\";", ks_set_issuer_user},
    {"password", "issuer", "word string", NULL, 0, NULL, "file PATH: its first line is the secret of user",
     "password file \"/etc/countersign/corp-secret\";", "password \"secret\";", ks_set_issuer_password},
    {"ca-file", "issuer", "string", NULL, 0, NULL,
     "PEM file of the authorities that the server, and signed answers by CMP, are checked by; else the system's",
     "ca-file \"/etc/countersign/corp-ca.pem\";", "ca-file \"\";", ks_set_issuer_ca},
    {"timeout", "issuer", "duration", NULL, 0, "60s", "how long one request may take: 1s to 300s", "timeout 20s;",
     "timeout 500ms;", ks_set_issuer_timeout},
    {"webhook", "", "", "webhook", 0, NULL,
     "a program that is told of every notice: one POST of JSON each, with an Idempotency-Key and signed "
     "(Countersign-Signature: t=SECONDS,v1=HMAC-SHA256 of SECONDS, a dot and the body)",
     "webhook { url \"https://ops.example/countersign\"; secret file \"/etc/countersign/webhook-secret\"; }",
     "webhook yes;", ks_set_hook},
    {"url", "webhook", "string", NULL, CS_DIR_REQUIRED, NULL,
     "where it listens: https, or http on loopback; it answers with 2xx what it took",
     "url \"https://ops.example/countersign\";", "url \"http://ops.example/\";", ks_set_hook_url},
    {"secret", "webhook", "word string", NULL, CS_DIR_REQUIRED, NULL,
     "file PATH: its first line is the key of the HMAC", "secret file \"/etc/countersign/webhook-secret\";",
     "secret \"open sesame\";", ks_set_hook_secret},
    {"ca-file", "webhook", "string", NULL, 0, NULL,
     "PEM file of the authorities that it is checked by; else the system's",
     "ca-file \"/etc/countersign/webhook-ca.pem\";", "ca-file \"\";", ks_set_hook_ca},
    {"timeout", "webhook", "duration", NULL, 0, "30s", "how long one notice may take, connection included: 1s to 300s",
     "timeout 10s;", "timeout 500ms;", ks_set_hook_timeout},
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

const ks_chain_rule *ks_config_chain(const struct ks_config *c, const char *partner)
{
    const struct ks_partner_config *p = partner != NULL ? ks_config_partner(c, partner) : NULL;
    return p != NULL && strcmp(p->trust, "chain") == 0 ? &p->chain : NULL;
}

static unsigned check_anchors(const struct ks_partner_config *p, const ks_snapshot *snapshot,
                              struct cs_conf_report *report)
{
    unsigned errors = 0;
    for (size_t i = 0; i < p->chain.n_anchor; i++) {
        const char *alias = p->chain.anchor[i];
        char text[320];
        if (ks_alias_fits(snapshot, alias, KS_TRUST_ANCHOR, text, sizeof text) != 0) {
            cs_conf_error(report, p->anchors_node, (int)i, "%s", text);
            errors++;
        } else if (ks_active(snapshot, alias) == NULL) {
            cs_conf_warn(report, p->anchors_node, (int)i, "alias %s has no active entry: it is nobody's anchor", alias);
        }
    }
    return errors;
}

unsigned ks_config_check(const struct ks_config *c, const ks_snapshot *snapshot, struct cs_conf_report *report)
{
    unsigned errors = 0;
    for (size_t i = 0; i < c->n_partner; i++) {
        if (ks_config_chain(c, c->partner[i]->name) != NULL && c->partner[i]->anchors_node != NULL) {
            errors += check_anchors(c->partner[i], snapshot, report);
        }
    }
    return errors;
}

void ks_config_free(struct ks_config *c)
{
    for (size_t i = 0; i < c->n_partner; i++) {
        cs_dn_free(c->partner[i]->chain.subject);
        cs_dn_free(c->partner[i]->chain.issuer);
        ks_contacts_free(c->partner[i]);
        free(c->partner[i]);
    }
    for (size_t i = 0; i < KS_KEK_SOURCES; i++) {
        free(c->kek[i].where);
    }
    free(c->partner);
    ks_operators_free(c);
    ks_users_free(c);
    ks_issuers_free(c);
    ks_templates_free(c->mail.templates);
    free(c->uri);
    *c = (struct ks_config)KS_CONFIG_INIT;
}
