/* SPDX-License-Identifier: Apache-2.0 */
/* directives_tls.c: rows about TLS on both sides and about who may use a route. */
#include <openssl/ssl.h>

#include "gateway/directives.h"

SETTER(set_tls)
{
    struct gw_config *c = parent;
    struct gw_tls *t = calloc(1, sizeof *t);
    if (t == NULL) {
        cs_conf_error(report, node, -1, "no memory");
        return;
    }
    gw_where_set(&t->at, node);
    t->name = keep(node, arg(node, 0), report);
    t->minimum = TLS1_2_VERSION;
    struct gw_tls **last = &c->tls;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = t;
    *child = t;
}

SETTER(set_certificate)
{
    (void)child;
    struct gw_tls *t = parent;
    gw_where_set(&t->certificate_at, node);
    take_words(node, &t->certificate, report);
}

SETTER(set_client_anchors)
{
    (void)child;
    struct gw_tls *t = parent;
    gw_where_set(&t->anchors_at, node);
    take_words(node, &t->anchors, report);
}

SETTER(set_client_certificate)
{
    (void)child;
    (void)report;
    const char *word = arg(node, 0);
    ((struct gw_tls *)parent)->client_certificate = strcmp(word, "require") == 0    ? GW_CLIENT_REQUIRE
                                                    : strcmp(word, "optional") == 0 ? GW_CLIENT_OPTIONAL
                                                                                    : GW_CLIENT_NONE;
}

SETTER(set_minimum)
{
    (void)child;
    (void)report;
    ((struct gw_tls *)parent)->minimum = strcmp(arg(node, 0), "TLSv1.3") == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

SETTER(set_crl)
{
    (void)child;
    (void)report;
    ((struct gw_tls *)parent)->crl_require = strcmp(arg(node, 0), "require") == 0;
}

SETTER(set_unknown_name)
{
    (void)child;
    (void)report;
    ((struct gw_tls *)parent)->unknown_name_first = strcmp(arg(node, 0), "first") == 0;
}

SETTER(set_listener_tls)
{
    (void)child;
    struct gw_listener *l = parent;
    gw_where_set(&l->tls_at, node);
    keep_in(&l->tls, node, report);
}

/* ---- upstream --------------------------------------------------------------------------------------------------- */

SETTER(set_present)
{
    (void)child;
    struct gw_upstream *u = parent;
    gw_where_set(&u->client_at, node);
    keep_in(&u->client_certificate, node, report);
}

SETTER(set_anchors)
{
    (void)child;
    struct gw_upstream *u = parent;
    gw_where_set(&u->anchors_at, node);
    take_words(node, &u->anchors, report);
}

SETTER(set_upstream_crl)
{
    (void)child;
    (void)report;
    ((struct gw_upstream *)parent)->crl_require = strcmp(arg(node, 0), "require") == 0;
}

/* ---- authorize -------------------------------------------------------------------------------------------------- */

SETTER(open_authorize)
{
    (void)report;
    struct gw_authorize *a = &((struct gw_route *)parent)->authorize;
    a->there = true;
    gw_where_set(&a->at, node);
    *child = a;
}

SETTER(set_certificate_user)
{
    (void)child;
    struct gw_authorize *a = parent;
    for (int i = 0; i < node->argc; i++) {
        if (arg(node, i)[0] == '\0') {
            cs_conf_error(report, node, i, "a user has a name");
            return;
        }
    }
    take_words(node, &a->user, report);
}

SETTER(set_subject)
{
    (void)child;
    struct gw_authorize *a = parent;
    struct gw_name_rule *r = calloc(1, sizeof *r);
    if (r == NULL) {
        cs_conf_error(report, node, -1, "no memory");
        return;
    }
    gw_where_set(&r->at, node);
    r->subject_text = keep(node, arg(node, 0), report);
    r->issuer_text = keep(node, arg(node, 2), report);
    r->subject = cs_dn_rule_parse(arg(node, 0));
    r->issuer = cs_dn_rule_parse(arg(node, 2));
    if (r->subject == NULL || arg(node, 0)[0] == '\0') {
        cs_conf_error(report, node, 0, "\"%s\" is not a name like \"CN=…,O=…\"", arg(node, 0));
    }
    if (r->issuer == NULL || arg(node, 2)[0] == '\0') {
        cs_conf_error(report, node, 2, "\"%s\" is not a name like \"CN=…,O=…\"", arg(node, 2));
    }
    struct gw_name_rule **last = &a->rule;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = r;
}

/* Fields that say where a message ends or where it goes are not ours to give away. */
static bool header_taken(const char *name)
{
    static const char *const taken[] = {"Host",       "Content-Length", "Content-Type", "Transfer-Encoding",
                                        "Connection", "Expect",         "Trailer",      "Upgrade",
                                        "TE",         "SOAPAction"};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        if (strcasecmp(name, taken[i]) == 0) {
            return true;
        }
    }
    return false;
}

SETTER(set_user_header)
{
    (void)child;
    struct gw_route *r = parent;
    const char *name = arg(node, 0);
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-");
    if (n == 0 || name[n] != '\0' || n > 64 || header_taken(name)) {
        cs_conf_error(report, node, 0, "\"%s\" is not a header field of its own, like X-Countersign-User", name);
        return;
    }
    gw_where_set(&r->user_header_at, node);
    keep_in(&r->user_header, node, report);
}

#define REPEAT CS_DIR_REPEAT

const struct cs_directive gw_rows_tls[] = {
    {"tls", "", "name", "tls", REPEAT, NULL, "How listeners that name this block speak TLS.",
     "tls front-tls { certificate gw-server; }", "tls { }", set_tls},
    {"certificate", "tls", "word+", NULL, REPEAT, NULL,
     "Aliases of role tls-server, or single entries ALIAS#N: chosen by the name that the client asks for, then by key "
     "type; a client that names none gets the first.",
     "certificate gw-server;", "certificate;", set_certificate},
    {"client-anchors", "tls", "name+", NULL, REPEAT, NULL,
     "Aliases of role trust-anchor to which client certificates must lead; with them clients are asked for one.",
     "client-anchors senders;", "client-anchors;", set_client_anchors},
    {"client-certificate", "tls", "require|optional|none", NULL, 0, NULL,
     "require: no handshake without one (what client-anchors alone mean); optional: routes with authorize refuse "
     "who has none; none: nobody is asked.",
     "client-certificate require;", "client-certificate maybe;", set_client_certificate},
    {"minimum", "tls", "TLSv1.2|TLSv1.3", NULL, 0, "TLSv1.2", "Oldest version that is spoken.", "minimum TLSv1.2;",
     "minimum SSLv3;", set_minimum},
    {"crl", "tls", "use|require", NULL, 0, "use",
     "use: the keystore's revocation lists count where there are any; require: refuse without a current one.",
     "crl use;", "crl ignore;", set_crl},
    {"unknown-name", "tls", "refuse|first", NULL, 0, "refuse",
     "What a client gets that asks for a name which no certificate has: an alert, or the first certificate.",
     "unknown-name refuse;", "unknown-name maybe;", set_unknown_name},
    {"tls", "listener", "name", NULL, 0, NULL, "The tls block by which clients are served.", "tls front-tls;", "tls;",
     set_listener_tls},
    {"client-certificate", "upstream", "name", NULL, 0, NULL,
     "Alias of role tls-client: the certificate that we present.", "client-certificate ack-client;",
     "client-certificate;", set_present},
    {"anchors", "upstream", "name+", NULL, REPEAT, NULL,
     "Aliases of role trust-anchor to which the server's certificate must lead; needed for https.",
     "anchors receiver-ca;", "anchors;", set_anchors},
    {"crl", "upstream", "use|require", NULL, 0, "use",
     "use: the keystore's revocation lists count where there are any; require: refuse without a current one.",
     "crl use;", "crl ignore;", set_upstream_crl},
    {"authorize", "route", "", "authorize", 0, NULL,
     "Only these client certificates may use the route, and those that `keystore mapping` names for it.",
     "authorize { certificate-user \"orders-sender\"; }", "authorize all { }", open_authorize},
    {"certificate-user", "authorize", "string+", NULL, REPEAT, NULL,
     "Certificates that the keystore maps to one of these users.", "certificate-user \"orders-sender\";",
     "certificate-user;", set_certificate_user},
    {"subject", "authorize", "string issuer string", NULL, REPEAT, NULL,
     "Certificates with these names; * stands for any characters of one attribute value.",
     "subject \"CN=orders,O=ACME\" issuer \"CN=ACME CA\";", "subject \"CN=orders\";", set_subject},
    {"user-header", "route", "string", NULL, 0, NULL,
     "Field that tells the receiver who was authorized; copies that a client sends are removed.",
     "user-header \"X-Countersign-User\";", "user-header \"Host\";", set_user_header},
};
const size_t gw_rows_tls_n = sizeof gw_rows_tls / sizeof gw_rows_tls[0];
