/* SPDX-License-Identifier: Apache-2.0 */
/* directives.c: one row per directive of the gateway; the setters only copy, what names refer to is checked in
 * config.c. */
#include "gateway/directives.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/http1.h"

/* ---- top level ------------------------------------------------------------------------------------------------ */

SETTER(set_listener)
{
    struct gw_config *c = parent;
    struct gw_listener *l = calloc(1, sizeof *l);
    if (l == NULL) {
        cs_conf_error(report, node, -1, "no memory");
        return;
    }
    gw_where_set(&l->at, node);
    l->name = keep(node, arg(node, 0), report);
    struct gw_listener **last = &c->listener;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = l;
    *child = l;
}

SETTER(set_address)
{
    (void)child;
    struct gw_listener *l = parent;
    if (gw_address_parse(arg(node, 0), &l->address) != 0) {
        cs_conf_error(report, node, 0, "%s is not an address: write 127.0.0.1:8080, [::1]:8080 or *:8080",
                      arg(node, 0));
        return;
    }
    l->has_address = true;
}

SETTER(set_publish)
{
    (void)node;
    (void)child;
    (void)report;
    ((struct gw_listener *)parent)->publish = true;
}

SETTER(set_route)
{
    struct gw_config *c = parent;
    struct gw_route *r = calloc(1, sizeof *r);
    if (r == NULL) {
        cs_conf_error(report, node, -1, "no memory");
        return;
    }
    gw_where_set(&r->at, node);
    r->name = keep(node, arg(node, 0), report);
    snprintf(r->method[0], sizeof r->method[0], "POST");
    r->n_method = 1;
    r->hold_queue = 1000;
    r->hold_wait_ms = 30000;
    struct gw_route **last = &c->route;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = r;
    *child = r;
}

static void take_threads(const struct cs_conf_node *node, unsigned *out, struct cs_conf_report *report)
{
    if (strcmp(arg(node, 0), "auto") == 0) {
        *out = 0;
    } else {
        take_count(node, 1, 64, out, report);
    }
}

SETTER(set_loops)
{
    (void)child;
    take_threads(node, &((struct gw_config *)parent)->loops, report);
}

SETTER(set_workers)
{
    (void)child;
    take_threads(node, &((struct gw_config *)parent)->workers, report);
}

SETTER(set_memory)
{
    (void)child;
    take_size(node, UINT64_C(1) << 20, UINT64_C(1) << 40, &((struct gw_config *)parent)->memory, report);
}

/* ---- route ---------------------------------------------------------------------------------------------------- */

SETTER(set_route_listener)
{
    (void)child;
    struct gw_route *r = parent;
    gw_where_set(&r->listener_at, node);
    keep_in(&r->listener, node, report);
}

/* The same form that a judged request path has, so that comparing octets is comparing paths. */
static const char *path_fault(const char *path)
{
    if (path[0] != '/') {
        return "a path begins with /";
    }
    for (const char *p = path; *p != '\0'; p++) {
        if (*p <= ' ' || *p >= 0x7f || *p == '?' || *p == '#' || *p == '%' || *p == '\\') {
            return "a path is plain ASCII without blank, query, fragment, '%' or '\\'";
        }
        if (p[0] == '/' && p[1] == '/') {
            return "a path has no empty segment";
        }
        if (p[0] == '/' && p[1] == '.' &&
            (p[2] == '/' || p[2] == '\0' || (p[2] == '.' && (p[3] == '/' || p[3] == '\0')))) {
            return "a path has no . or .. segment";
        }
    }
    return NULL;
}

SETTER(set_path)
{
    (void)child;
    struct gw_route *r = parent;
    const char *fault = path_fault(arg(node, 0));
    if (fault != NULL) {
        cs_conf_error(report, node, 0, "%s", fault);
        return;
    }
    keep_in(&r->path, node, report);
    r->path_n = r->path != NULL ? strlen(r->path) : 0;
}

SETTER(set_methods)
{
    (void)child;
    struct gw_route *r = parent;
    r->n_method = 0;
    for (int i = 0; i < node->argc; i++) {
        if (r->n_method == GW_METHODS) {
            cs_conf_error(report, node, i, "at most %d methods", GW_METHODS);
            return;
        }
        snprintf(r->method[r->n_method++], sizeof r->method[0], "%s", arg(node, i));
    }
}

SETTER(set_query)
{
    (void)child;
    (void)report;
    ((struct gw_route *)parent)->query_pass = strcmp(arg(node, 0), "pass") == 0;
}

SETTER(set_upstream)
{
    struct gw_route *r = parent;
    struct gw_upstream *u = calloc(1, sizeof *u);
    if (u == NULL) {
        cs_conf_error(report, node, -1, "no memory");
        return;
    }
    gw_where_set(&u->at, node);
    u->connect_ms = 5000;
    u->response_ms = 60000;
    u->idle_ms = 30000;
    u->max_idle = 32;
    u->max_requests = 1000;
    u->check_interval_ms = 5000;
    u->resolve_ms = 30000;
    u->eject_after = 5;
    struct gw_upstream **last = &r->upstream;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = u;
    *child = u;
    char why[160];
    if (gw_upstream_parse(u, arg(node, 0), why, sizeof why) != 0) {
        cs_conf_error(report, node, 0, "%s", why);
    }
}

SETTER(set_connect_timeout)
{
    (void)child;
    take_ms(node, 1, 600000, &((struct gw_upstream *)parent)->connect_ms, report);
}

SETTER(set_response_timeout)
{
    (void)child;
    take_ms(node, 1, 3600000, &((struct gw_upstream *)parent)->response_ms, report);
}

SETTER(set_idle_timeout)
{
    (void)child;
    take_ms(node, 1, 3600000, &((struct gw_upstream *)parent)->idle_ms, report);
}

SETTER(set_max_idle)
{
    (void)child;
    take_count(node, 0, 10000, &((struct gw_upstream *)parent)->max_idle, report);
}

SETTER(set_max_requests)
{
    (void)child;
    take_count(node, 1, 1000000000, &((struct gw_upstream *)parent)->max_requests, report);
}

SETTER(set_idempotent)
{
    (void)child;
    (void)report;
    ((struct gw_upstream *)parent)->idempotent = strcmp(arg(node, 0), "yes") == 0;
}

/* ---- request and response ------------------------------------------------------------------------------------- */

SETTER(open_request)
{
    (void)node;
    (void)report;
    *child = &((struct gw_route *)parent)->request;
}

SETTER(open_response)
{
    (void)node;
    (void)report;
    *child = &((struct gw_route *)parent)->response;
}

SETTER(set_verify)
{
    (void)child;
    struct gw_actions *a = parent;
    gw_where_set(&a->verify_at, node);
    gw_step_add(a, "verify", node);
    keep_in(&a->partner, node, report);
}

SETTER(set_remove_header)
{
    (void)child;
    (void)report;
    struct gw_actions *a = parent;
    a->remove_header = strcmp(arg(node, 0), "yes") == 0;
    if (a->remove_header) {
        gw_step_add(a, "remove-security-header", node);
    }
}

SETTER(set_on_failure)
{
    (void)child;
    struct gw_actions *a = parent;
    a->on_failure = strcmp(arg(node, 0), "monitor") == 0 ? GW_MONITOR : GW_REJECT;
    if (node->argc == 1) {
        return;
    }
    const char *date = arg(node, 2);
    char text[40];
    if (a->on_failure != GW_MONITOR || node->argc != 3 || strcmp(arg(node, 1), "until") != 0) {
        cs_conf_error(report, node, 1, "write on-failure reject, on-failure monitor, or on-failure monitor until DATE");
        return;
    }
    snprintf(text, sizeof text, strchr(date, 'T') != NULL ? "%s" : "%sT00:00:00Z", date);
    if (cs_time_parse(text, &a->monitor_until) != 0) {
        cs_conf_error(report, node, 2, "%s is not a date", date);
    }
}

SETTER(set_sign)
{
    struct gw_actions *a = parent;
    gw_where_set(&a->sign_at, node);
    gw_step_add(a, "sign", node);
    keep_in(&a->sign_alias, node, report);
    *child = a;
}

SETTER(set_parts)
{
    (void)child;
    struct gw_actions *a = parent;
    a->part = calloc((size_t)node->argc, sizeof *a->part);
    if (a->part == NULL) {
        cs_conf_error(report, node, -1, "no memory");
        return;
    }
    for (int i = 0; i < node->argc; i++) {
        a->part[a->n_part] = keep(node, arg(node, i), report);
        a->n_part += a->part[a->n_part] != NULL;
    }
    check_parts(node, WSSEC_USE_SIGN, report);
}

SETTER(set_key_reference)
{
    (void)child;
    take_key_reference(node, &((struct gw_actions *)parent)->key_reference, report);
}

SETTER(set_ttl)
{
    (void)child;
    int64_t ms = 0;
    take_ms(node, 1000, 86400000, &ms, report);
    ((struct gw_actions *)parent)->ttl = ms / 1000;
}

SETTER(set_username)
{
    (void)child;
    struct gw_actions *a = parent;
    gw_where_set(&a->user_at, node);
    keep_in(&a->user, node, report);
    a->user_text = node->argc == 2 && strcmp(arg(node, 1), "text") == 0;
}

/* ---- timeouts, limits, log, replay ---------------------------------------------------------------------------- */

struct timeout_word {
    const char *word;
    size_t offset;
    int64_t low;
    int64_t high;
};

SETTER(set_timeout)
{
    (void)child;
    static const struct timeout_word words[] = {
        {"head", offsetof(struct gw_timeouts, head), 1, 3600000},
        {"body-idle", offsetof(struct gw_timeouts, body_idle), 1, 3600000},
        {"keep-alive", offsetof(struct gw_timeouts, keep_alive), 1, 3600000},
        {"work", offsetof(struct gw_timeouts, work), 1, 3600000},
        {"write-idle", offsetof(struct gw_timeouts, write_idle), 1, 3600000},
        {"drain-delay", offsetof(struct gw_timeouts, drain_delay), 0, 3600000},
        {"drain", offsetof(struct gw_timeouts, drain), 1, 86400000},
    };
    struct gw_timeouts *t = &((struct gw_config *)parent)->timeouts;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i].word, node->name) == 0) {
            take_ms(node, words[i].low, words[i].high, (int64_t *)(void *)((char *)t + words[i].offset), report);
        }
    }
}

SETTER(set_body_rate)
{
    (void)child;
    take_size(node, 0, UINT64_C(1) << 40, &((struct gw_config *)parent)->timeouts.body_rate, report);
}

struct limit_word {
    const char *word;
    size_t offset;
    uint64_t low;
    uint64_t high;
};

SETTER(set_limit)
{
    (void)child;
    static const struct limit_word words[] = {
        {"head", offsetof(struct http1_limits, head), 256, 1 << 20},
        {"field", offsetof(struct http1_limits, field), 64, 1 << 20},
        {"fields", offsetof(struct http1_limits, fields), 4, 1000},
        {"target", offsetof(struct http1_limits, target), 16, 1 << 20},
        {"chunk-extension", offsetof(struct http1_limits, chunk_extension), 0, 65536},
    };
    struct http1_limits *l = &((struct gw_config *)parent)->limits;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i].word, node->name) == 0) {
            size_t *place = (size_t *)(void *)((char *)l + words[i].offset);
            uint64_t value = *place;
            take_size(node, words[i].low, words[i].high, &value, report);
            *place = (size_t)value;
        }
    }
}

SETTER(set_connections)
{
    (void)child;
    take_count(node, 1, 1000000, &((struct gw_config *)parent)->connections, report);
}

#define REPEAT  CS_DIR_REPEAT
#define RESTART CS_DIR_RESTART

static const struct cs_directive rows[] = {
    {"listener", "", "name", "listener", REPEAT, NULL, "Addresses on which clients are accepted.",
     "listener front { address 127.0.0.1:8443; }", "listener { }", set_listener},
    {"address", "listener", "address", NULL, 0, NULL, "Address and port; port 0 takes a free one.",
     "address 127.0.0.1:8080;", "address nowhere;", set_address},
    {"publish", "listener", "certificates", NULL, 0, NULL,
     "Who comes may read own public certificates in use or soon to be, and trust anchors, at "
     "/.well-known/countersign/certs.",
     "publish certificates;", "publish keys;", set_publish},
    {"route", "", "name", "route", REPEAT, NULL, "What is done with requests for one path.",
     "route orders { path \"/o\"; }", "route { }", set_route},
    {"listener", "route", "name", NULL, 0, NULL, "The listener that the route is reached through.", "listener front;",
     "listener front back;", set_route_listener},
    {"path", "route", "string", NULL, 0, NULL, "Whole path; one that ends in / covers what lies below.",
     "path \"/orders\";", "path \"orders\";", set_path},
    {"methods", "route", HTTP1_METHODS "+", NULL, 0, "POST",
     "Methods that are served; all others are refused with 405.", "methods POST GET;", "methods CONNECT;", set_methods},
    {"query", "route", "pass|drop", NULL, 0, "drop", "Whether the query of a POST goes on.", "query pass;",
     "query keep;", set_query},
    {"upstream", "route", "string", "upstream?", REPEAT, NULL,
     "Where requests go; of several the one with the fewest exchanges in flight.",
     "upstream \"http://127.0.0.1:8080/soap\";", "upstream \"ftp://x/\";", set_upstream},
    {"connect-timeout", "upstream", "duration", NULL, 0, "5s", "Longest wait for a connection.", "connect-timeout 5s;",
     "connect-timeout soon;", set_connect_timeout},
    {"response-timeout", "upstream", "duration", NULL, 0, "60s", "Longest wait for the reply and between its pieces.",
     "response-timeout 60s;", "response-timeout 0s;", set_response_timeout},
    {"idle-timeout", "upstream", "duration", NULL, 0, "30s",
     "How long an idle connection is kept; below the server's own.", "idle-timeout 30s;", "idle-timeout x;",
     set_idle_timeout},
    {"max-idle", "upstream", "number", NULL, 0, "32", "Idle connections kept per loop.", "max-idle 32;",
     "max-idle many;", set_max_idle},
    {"max-requests", "upstream", "number", NULL, 0, "1000", "Requests over one connection.", "max-requests 1000;",
     "max-requests 0;", set_max_requests},
    {"idempotent", "upstream", "yes-no", NULL, 0, "no",
     "Whether a request may be sent again when a reused connection closed without a reply.", "idempotent no;",
     "idempotent maybe;", set_idempotent},
    {"request", "route", "", "request", 0, NULL, "What is done with the request before it goes on.",
     "request { verify acme; }", "request now { }", open_request},
    {"response", "route", "", "response", 0, NULL, "What is done with the reply before it goes on.",
     "response { verify acme; }", "response now { }", open_response},
    {"verify", "request|response", "name", NULL, 0, NULL,
     "The message must be signed by this partner, as its policy says.", "verify acme;", "verify;", set_verify},
    {"remove-security-header", "request|response", "yes-no", NULL, 0, "no",
     "Whether the verified Security header is cut out before the message goes on.", "remove-security-header yes;",
     "remove-security-header maybe;", set_remove_header},
    {"on-failure", "request|response", "reject|monitor word? word?", NULL, 0, "reject",
     "reject: a refused message never goes on. monitor [until DATE]: it is only logged and counted.",
     "on-failure reject;", "on-failure ignore;", set_on_failure},
    {"sign", "request|response", "name", "route-sign?", 0, NULL, "Sign with the active key of this slot.",
     "sign own-sign { parts Body Timestamp; }", "sign;", set_sign},
    {"parts", "route-sign", "string+", NULL, 0, "Body", "Parts that are signed.", "parts Body Timestamp;", "parts;",
     set_parts},
    {"key-reference", "route-sign", "word", NULL, 0, "direct", "How the message names its certificate.",
     "key-reference thumbprint;", "key-reference by-hand;", set_key_reference},
    {"username", "route-sign", "name digest|text?", NULL, 0, NULL,
     "The message bears this user's name, signed, with a digest of the password and of a fresh nonce; text: with the "
     "password itself, over TLS only.",
     "username anna digest;", "username anna secret;", set_username},
    {"ttl", "route-sign", "duration", NULL, 0, "300s", "Created to Expires of the Timestamp.", "ttl 300s;", "ttl soon;",
     set_ttl},
    {"loops", "", "word", NULL, RESTART, "auto", "I/O threads; auto is one per core.", "loops auto;", "loops 0;",
     set_loops},
    {"workers", "", "word", NULL, RESTART, "auto", "Threads that verify and sign; auto is one per core.", "workers 4;",
     "workers none;", set_workers},
    {"memory", "", "size", NULL, RESTART, "1G", "Ceiling for message bodies held at the same time.", "memory 1G;",
     "memory little;", set_memory},
    {"timeouts", "", "", "gateway-timeouts", 0, NULL, "Longest waits towards clients.", "timeouts { head 10s; }",
     "timeouts 5s;", open_same},
    {"head", "gateway-timeouts", "duration", NULL, 0, "10s", "For a whole request head.", "head 10s;", "head x;",
     set_timeout},
    {"body-idle", "gateway-timeouts", "duration", NULL, 0, "30s", "Between two pieces of a request body.",
     "body-idle 30s;", "body-idle x;", set_timeout},
    {"body-rate", "gateway-timeouts", "size", NULL, 0, "1k", "Least octets per second of a request body.",
     "body-rate 1k;", "body-rate slow;", set_body_rate},
    {"keep-alive", "gateway-timeouts", "duration", NULL, 0, "60s", "How long an idle client connection stays open.",
     "keep-alive 60s;", "keep-alive x;", set_timeout},
    {"work", "gateway-timeouts", "duration", NULL, 0, "10s", "For verifying and signing one message, waiting included.",
     "work 10s;", "work x;", set_timeout},
    {"write-idle", "gateway-timeouts", "duration", NULL, 0, "30s", "A peer that takes nothing for so long is given up.",
     "write-idle 30s;", "write-idle x;", set_timeout},
    {"drain-delay", "gateway-timeouts", "duration", NULL, 0, "0s", "Between SIGTERM and the end of accepting.",
     "drain-delay 10s;", "drain-delay x;", set_timeout},
    {"drain", "gateway-timeouts", "duration", NULL, 0, "120s", "Longest drain; what is open then is cut.",
     "drain 120s;", "drain x;", set_timeout},
    {"limits", "", "", "gateway-limits", 0, NULL, "Largest heads, most connections.", "limits { head 32k; }",
     "limits 5;", open_same},
    {"head", "gateway-limits", "size", NULL, 0, "32k", "Octets of a head.", "head 32k;", "head 1;", set_limit},
    {"field", "gateway-limits", "size", NULL, 0, "8k", "Octets of one field.", "field 8k;", "field 1;", set_limit},
    {"fields", "gateway-limits", "number", NULL, 0, "100", "Fields of a head.", "fields 100;", "fields 1;", set_limit},
    {"target", "gateway-limits", "size", NULL, 0, "8k", "Octets of a request target.", "target 8k;", "target 1;",
     set_limit},
    {"chunk-extension", "gateway-limits", "size", NULL, 0, "256", "Octets of chunk extensions.", "chunk-extension 256;",
     "chunk-extension x;", set_limit},
    {"connections", "gateway-limits", "number", NULL, 0, "10000", "Client connections at the same time.",
     "connections 10000;", "connections 0;", set_connections},
};

/* All rows of this folder as one table, joined once. */
static const struct {
    const struct cs_directive *row;
    const size_t *n;
} groups[] = {
    {gw_rows_log, &gw_rows_log_n},         {gw_rows_traffic, &gw_rows_traffic_n}, {gw_rows_admin, &gw_rows_admin_n},
    {gw_rows_process, &gw_rows_process_n}, {gw_rows_capture, &gw_rows_capture_n}, {gw_rows_tls, &gw_rows_tls_n},
    {gw_rows_crypt, &gw_rows_crypt_n},
};

#define ROWS_MAX 256
static struct cs_directive joined[ROWS_MAX];
static size_t n_joined;
static pthread_once_t join_once = PTHREAD_ONCE_INIT;

static void join_add(const struct cs_directive *row, size_t n)
{
    if (n > ROWS_MAX - n_joined) {
        abort(); /* met by the first test that reads a configuration */
    }
    memcpy(joined + n_joined, row, n * sizeof *row);
    n_joined += n;
}

static void join_rows(void)
{
    join_add(rows, sizeof rows / sizeof rows[0]);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        join_add(groups[i].row, *groups[i].n);
    }
}

struct cs_conf_table gw_directives(void)
{
    pthread_once(&join_once, join_rows);
    return (struct cs_conf_table){joined, n_joined};
}
