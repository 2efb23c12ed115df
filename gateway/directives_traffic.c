/* SPDX-License-Identifier: Apache-2.0 */
/* directives_traffic.c: bodies, limits, overload. */
#include "gateway/directives.h"

#include <stdio.h>

#include "gateway/body.h"

/* ---- bodies --------------------------------------------------------------------------------------------------- */

SETTER(set_body_memory)
{
    (void)child;
    take_size(node, CHUNK_LARGE, UINT64_C(1) << 30, &((struct gw_config *)parent)->body_memory, report);
}

SETTER(set_spool)
{
    (void)report;
    gw_where_set(&((struct gw_config *)parent)->spool_at, node);
    *child = parent;
}

SETTER(set_spool_directory)
{
    (void)child;
    if (arg(node, 0)[0] == '\0') {
        cs_conf_error(report, node, 0, "the spool directory has no name");
        return;
    }
    keep_in(&((struct gw_config *)parent)->spool_directory, node, report);
}

SETTER(set_spool_quota)
{
    (void)child;
    take_size(node, UINT64_C(1) << 20, UINT64_C(1) << 50, &((struct gw_config *)parent)->spool_quota, report);
}

/* ---- limits --------------------------------------------------------------------------------------------------- */

#define COUNT_MOST 1000000

SETTER(set_per_address)
{
    (void)child;
    take_count(node, 0, COUNT_MOST, &((struct gw_config *)parent)->per_address, report);
}

SETTER(set_rate_address)
{
    (void)child;
    take_count(node, 1, COUNT_MOST, &((struct gw_route *)parent)->rate_address, report);
}

SETTER(set_rate_certificate)
{
    (void)child;
    take_count(node, 1, COUNT_MOST, &((struct gw_route *)parent)->rate_certificate, report);
}

SETTER(set_concurrency)
{
    (void)child;
    take_count(node, 1, COUNT_MOST, &((struct gw_route *)parent)->concurrency, report);
}

SETTER(set_queue_wait)
{
    (void)child;
    take_ms(node, 0, 60000, &((struct gw_config *)parent)->shed.wait_ms, report);
}

SETTER(set_interval)
{
    (void)child;
    take_ms(node, 1, 60000, &((struct gw_config *)parent)->shed.interval_ms, report);
}

/* ---- upstreams ------------------------------------------------------------------------------------------------ */

SETTER(set_check)
{
    (void)child;
    struct gw_upstream *u = parent;
    const char *word = arg(node, 0);
    const char *path = arg(node, 1);
    gw_where_set(&u->check_at, node);
    u->check = strcmp(word, "tcp") == 0 ? GW_CHECK_TCP : strcmp(word, "http") == 0 ? GW_CHECK_HTTP : GW_CHECK_OFF;
    if (u->check != GW_CHECK_HTTP) {
        if (path != NULL) {
            cs_conf_error(report, node, 1, "only check http has a path");
        }
        return;
    }
    path = path != NULL ? path : "/";
    for (const char *p = path; *p != '\0'; p++) {
        if (path[0] != '/' || *p <= ' ' || *p >= 0x7f || p - path > 1000) {
            cs_conf_error(report, node, 1, "%s is no path: write check http \"/health\"", path);
            return;
        }
    }
    free(u->check_path);
    u->check_path = keep(node, path, report);
}

SETTER(set_check_interval)
{
    (void)child;
    take_ms(node, 100, 3600000, &((struct gw_upstream *)parent)->check_interval_ms, report);
}

SETTER(set_resolve)
{
    (void)child;
    take_ms(node, 1000, 86400000, &((struct gw_upstream *)parent)->resolve_ms, report);
}

SETTER(set_eject_after)
{
    (void)child;
    take_count(node, 0, 1000000, &((struct gw_upstream *)parent)->eject_after, report);
}

/* ---- routes --------------------------------------------------------------------------------------------------- */

SETTER(set_soap_action)
{
    (void)child;
    (void)report;
    ((struct gw_route *)parent)->soap_action_match = strcmp(arg(node, 0), "match") == 0;
}

SETTER(open_probe)
{
    (void)node;
    (void)report;
    ((struct gw_route *)parent)->probe.there = true;
    *child = &((struct gw_route *)parent)->probe;
}

SETTER(set_probe_method)
{
    (void)child;
    (void)report;
    struct gw_probe *p = parent;
    snprintf(p->method, sizeof p->method, "%s", arg(node, 0));
}

SETTER(set_probe_query)
{
    (void)child;
    for (const char *q = arg(node, 0); *q != '\0'; q++) {
        if (*q <= ' ' || *q >= 0x7f || *q == '#' || q - arg(node, 0) > 1000) {
            cs_conf_error(report, node, 0, "a query is visible ASCII without '#'");
            return;
        }
    }
    keep_in(&((struct gw_probe *)parent)->query, node, report);
}

SETTER(set_probe_expect)
{
    (void)child;
    struct gw_probe *p = parent;
    p->n_expect = 0;
    for (int i = 0; i < node->argc; i++) {
        const char *word = arg(node, i);
        if (strlen(word) != 3 || strspn(word, "0123456789") != 3 || word[0] < '2' || word[0] > '5') {
            cs_conf_error(report, node, i, "%s is no final HTTP status", word);
        } else if (p->n_expect == sizeof p->expect / sizeof p->expect[0]) {
            cs_conf_error(report, node, i, "at most 16 statuses");
            return;
        } else {
            p->expect[p->n_expect++] = (word[0] - '0') * 100 + (word[1] - '0') * 10 + (word[2] - '0');
        }
    }
}

SETTER(set_probe_accepted)
{
    (void)child;
    take_count(node, 1, COUNT_MOST, &((struct gw_probe *)parent)->accepted, report);
}

#define REPEAT  CS_DIR_REPEAT
#define RESTART CS_DIR_RESTART

const struct cs_directive gw_rows_traffic[] = {
    {"body-memory", "", "size", NULL, RESTART, "1M", "Octets of one body that stay in memory when there is a spool.",
     "body-memory 1M;", "body-memory much;", set_body_memory},
    {"spool", "", "", "gateway-spool", RESTART, NULL, "Where large bodies lie; without it they stay in memory.",
     "spool { directory \"/var/spool/countersign\"; }", "spool x;", set_spool},
    {"directory", "gateway-spool", "string", NULL, CS_DIR_REQUIRED | RESTART, NULL,
     "Directory of mode 0700; its files have no names and are gone with the process.",
     "directory \"/var/spool/countersign\";", "directory \"\";", set_spool_directory},
    {"quota", "gateway-spool", "size", NULL, RESTART, "4G", "Octets of all spooled bodies at the same time.",
     "quota 4G;", "quota 1;", set_spool_quota},
    {"per-address", "gateway-limits", "number", NULL, 0, "0",
     "Connections of one address (IPv6: of one /64) at the same time; 0 is any number.", "per-address 100;",
     "per-address many;", set_per_address},
    {"rate", "route", "", "route-rate", 0, NULL, "How fast one client may send; more is refused with 429.",
     "rate { per-address 50; }", "rate 50;", open_same},
    {"per-address", "route-rate", "number", NULL, 0, NULL, "Requests per second of one address.", "per-address 50;",
     "per-address 0;", set_rate_address},
    {"per-certificate", "route-rate", "number", NULL, 0, NULL, "Requests per second with one client certificate.",
     "per-certificate 200;", "per-certificate 0;", set_rate_certificate},
    {"concurrency", "route", "number", NULL, 0, NULL,
     "Requests of the route that may be under way at the same time; more are refused with 503.", "concurrency 64;",
     "concurrency 0;", set_concurrency},
    {"check", "upstream", "off|tcp|http string?", NULL, 0, "off",
     "How the receiver is asked whether it is well: a connection, or a GET that is not answered with 5xx; for an https "
     "upstream under TLS, by the same certificates as requests.",
     "check http \"/health\";", "check ping;", set_check},
    {"check-interval", "upstream", "duration", NULL, 0, "5s", "Time between two checks; two in a row must fail.",
     "check-interval 5s;", "check-interval 0s;", set_check_interval},
    {"resolve", "upstream", "duration", NULL, 0, "30s",
     "Time between two look-ups of the name; while the name service is away the last addresses stay.", "resolve 30s;",
     "resolve 1ms;", set_resolve},
    {"eject-after", "upstream", "number", NULL, 0, "5",
     "Failures in a row after which it gets no requests for 1 s, then 2 s and so on up to 60 s, if the route has "
     "another upstream; 0 is never.",
     "eject-after 5;", "eject-after often;", set_eject_after},
    {"soap-action", "route", "match|signed", NULL, 0, "signed",
     "match: SOAPAction must name the element in the Body or wsa:Action. signed: beside a signed wsa:Action it must be "
     "empty or equal.",
     "soap-action match;", "soap-action any;", set_soap_action},
    {"probe", "route", "", "route-probe", 0, NULL,
     "What probes send to the upstream, never a message; where it stands, a new client certificate is activated only "
     "after "
     "a probe with it.",
     "probe { method GET; query \"wsdl\"; expect 200 405 500; }", "probe now;", open_probe},
    {"method", "route-probe", "GET|HEAD", NULL, 0, "GET", "Method of the probe.", "method GET;", "method POST;",
     set_probe_method},
    {"query", "route-probe", "string", NULL, 0, "wsdl", "Query of the probe.", "query \"wsdl\";", "query \"a b\";",
     set_probe_query},
    {"expect", "route-probe", "number+", NULL, 0, "200 405 500", "Statuses that tell that it arrived.",
     "expect 200 405 500;", "expect 99;", set_probe_expect},
    {"accepted", "route-probe", "number", NULL, 0, NULL,
     "Where the route signs: a new key is activated only after the receiver accepted so many requests of the share "
     "that "
     "was signed with it (keystore activate --canary).",
     "accepted 10;", "accepted 0;", set_probe_accepted},
    {"shed", "", "", "gateway-shed", 0, NULL, "When new requests are refused with 503 because workers are behind.",
     "shed { queue-wait 100ms; }", "shed 5;", open_same},
    {"queue-wait", "gateway-shed", "duration", NULL, 0, "100ms",
     "Longest wait for a worker that is in order; 0s never sheds.", "queue-wait 100ms;", "queue-wait x;",
     set_queue_wait},
    {"interval", "gateway-shed", "duration", NULL, 0, "1s",
     "For so long every wait must have been longer before requests are refused.", "interval 1s;", "interval 0s;",
     set_interval},
};
const size_t gw_rows_traffic_n = sizeof gw_rows_traffic / sizeof gw_rows_traffic[0];
