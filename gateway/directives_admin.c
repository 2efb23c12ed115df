/* SPDX-License-Identifier: Apache-2.0 */
/* directives_admin.c: admin { }, hold { } of routes, trace { }: what operators and their tools see and do. */
#include <pwd.h>
#include <sys/un.h>

#include "gateway/directives.h"

SETTER(open_admin)
{
    (void)node;
    (void)report;
    *child = &((struct gw_config *)parent)->admin;
}

SETTER(set_socket)
{
    (void)child;
    struct gw_admin *a = parent;
    const char *path = arg(node, 0);
    /* Beside it stands, during an upgrade, PATH.PROCESS-ID. */
    if (path[0] != '/' || strlen(path) + sizeof ".4194304" > sizeof((struct sockaddr_un *)0)->sun_path) {
        cs_conf_error(report, node, 0, "the path of a socket begins with / and has at most 98 octets");
        return;
    }
    keep_in(&a->socket, node, report);
    gw_where_set(&a->socket_at, node);
}

static void take_address(const struct cs_conf_node *node, struct gw_address *out, bool *there, struct gw_where *at,
                         struct cs_conf_report *report)
{
    if (gw_address_parse(arg(node, 0), out) != 0) {
        cs_conf_error(report, node, 0, "%s is not an address: write 127.0.0.1:9464 or [::1]:9464", arg(node, 0));
        return;
    }
    *there = true;
    gw_where_set(at, node);
}

SETTER(set_http)
{
    (void)child;
    struct gw_admin *a = parent;
    take_address(node, &a->http, &a->has_http, &a->http_at, report);
}

SETTER(set_admin_tls)
{
    (void)child;
    struct gw_admin *a = parent;
    gw_where_set(&a->tls_at, node);
    keep_in(&a->tls, node, report);
}

SETTER(set_health)
{
    (void)child;
    struct gw_admin *a = parent;
    take_address(node, &a->health, &a->has_health, &a->health_at, report);
}

bool gw_links_ok(const char *url)
{
    bool https = strncmp(url, "https://", 8) == 0 && url[8] != '\0';
    bool local = strncmp(url, "http://127.0.0.1", 16) == 0 || strncmp(url, "http://[::1]", 12) == 0;
    size_t n = strlen(url);
    return (https || local) && n <= 200 && strpbrk(url, " \t\r\n\"<>?#") == NULL && url[n - 1] != '/';
}

SETTER(set_links)
{
    (void)child;
    struct gw_admin *a = parent;
    if (!gw_links_ok(arg(node, 0))) {
        cs_conf_error(
            report, node, 0,
            "links begin with https://HOST (off this machine a token never travels in the clear) and end without /");
        return;
    }
    keep_in(&a->links, node, report);
}

SETTER(set_users)
{
    (void)child;
    struct gw_admin *a = parent;
    for (int i = 0; i < node->argc; i++) {
        char room[4096];
        struct passwd entry;
        struct passwd *found = NULL;
        if (getpwnam_r(arg(node, i), &entry, room, sizeof room, &found) != 0 || found == NULL) {
            cs_conf_error(report, node, i, "this machine has no account %s", arg(node, i));
        } else if (a->n_user == GW_ADMIN_USERS) {
            cs_conf_error(report, node, i, "at most %d accounts", GW_ADMIN_USERS);
            return;
        } else {
            a->user[a->n_user++] = found->pw_uid;
        }
    }
}

SETTER(set_partner_labels)
{
    (void)child;
    take_count(node, 1, 10000, &((struct gw_admin *)parent)->partner_labels, report);
}

SETTER(set_hold_queue)
{
    (void)child;
    take_count(node, 0, 1000000, &((struct gw_route *)parent)->hold_queue, report);
}

SETTER(set_hold_wait)
{
    (void)child;
    take_ms(node, 1, 3600000, &((struct gw_route *)parent)->hold_wait_ms, report);
}

SETTER(set_trace_create)
{
    (void)child;
    (void)report;
    ((struct gw_config *)parent)->trace_create = strcmp(arg(node, 0), "yes") == 0;
}

#define RESTART CS_DIR_RESTART

const struct cs_directive gw_rows_admin[] = {
    {"admin", "", "", "gateway-admin", 0, NULL, "How operators and their tools reach the running gateway.",
     "admin { socket \"/run/countersign/admin.sock\"; }", "admin on;", open_admin},
    {"socket", "gateway-admin", "string", NULL, RESTART, NULL,
     "Socket for countersign status, reload, drain, hold and release; root and the gateway's own account may use it.",
     "socket \"/run/countersign/admin.sock\";", "socket admin.sock;", set_socket},
    {"users", "gateway-admin", "word+", NULL, 0, NULL, "Other accounts that may use the socket.", "users root;",
     "users no-such-account-here;", set_users},
    {"http", "gateway-admin", "address", NULL, RESTART, NULL,
     "Address of /livez, /readyz, /metrics and the links of mails; off loopback it needs tls.", "http 127.0.0.1:9464;",
     "http nowhere;", set_http},
    {"tls", "gateway-admin", "name", NULL, 0, NULL,
     "The tls block by which the http address is served; with client-anchors only those come in who have a "
     "certificate.",
     "tls admin-tls;", "tls;", set_admin_tls},
    {"links", "gateway-admin", "string", NULL, 0, NULL,
     "What stands before /rollover/confirm/TOKEN and /notices/unsubscribe/TOKEN in mails: the http address under "
     "tls, or a web server in front that passes these two paths, and no other, to it. Without it mails have no links.",
     "links \"https://confirm.example.com\";", "links \"http://confirm.example.com/\";", set_links},
    {"health", "gateway-admin", "address", NULL, RESTART, NULL,
     "Address, off loopback too, that answers /livez, /readyz and /metrics and nothing else, without TLS.",
     "health 10.0.0.11:9465;", "health nowhere;", set_health},
    {"trace", "", "", "gateway-trace", 0, NULL, "How requests are followed from one system to the next.",
     "trace { create yes; }", "trace yes;", open_same},
    {"create", "gateway-trace", "yes-no", NULL, 0, "no",
     "Whether traceparent and X-Request-Id are made where a client sends none; what it sends passes unchanged.",
     "create yes;", "create maybe;", set_trace_create},
    {"hold", "route", "", "route-hold", 0, NULL,
     "What happens to requests while the route is on hold: countersign hold ROUTE.", "hold { queue 1000; wait 30s; }",
     "hold 5;", open_same},
    {"queue", "route-hold", "number", NULL, 0, "1000", "Requests that wait; more are answered with 503.", "queue 1000;",
     "queue many;", set_hold_queue},
    {"wait", "route-hold", "duration", NULL, 0, "30s", "What waits longer is answered with 503.", "wait 30s;",
     "wait long;", set_hold_wait},
    {"partner-labels", "gateway-admin", "number", NULL, 0, "100",
     "Partners that metrics tell apart; the others count together as other.", "partner-labels 100;",
     "partner-labels 0;", set_partner_labels},
};

const size_t gw_rows_admin_n = sizeof gw_rows_admin / sizeof gw_rows_admin[0];
