/* SPDX-License-Identifier: Apache-2.0 */
/* config.c: life of a configuration, addresses and URLs, and the second pass of --check: what names refer to. */
#include "gateway/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "gateway/config_check.h"
#include "gateway/replay_file.h"
#include "gateway/spool.h"

struct gw_config *gw_config_new(void)
{
    struct gw_config *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->timeouts = (struct gw_timeouts){.head = 10000,
                                       .body_idle = 30000,
                                       .keep_alive = 60000,
                                       .work = 10000,
                                       .write_idle = 30000,
                                       .drain_delay = 0,
                                       .drain = 120000,
                                       .body_rate = 1024};
    c->limits = (struct http1_limits)HTTP1_LIMITS_DEFAULT;
    c->connections = 10000;
    c->shed = (struct shed_limits){.wait_ms = 100, .interval_ms = 1000};
    c->memory = UINT64_C(1) << 30;
    c->body_memory = UINT64_C(1) << 20;
    c->spool_quota = UINT64_C(4) << 30;
    c->replay = (struct replay_limits){.entries = UINT64_C(1) << 20, .share = 50};
    c->ring = 8192;
    c->capture = (struct gw_capture){.segment_ms = 3600000,
                                     .segment_octets = UINT64_C(256) << 20,
                                     .quota = UINT64_C(16) << 30,
                                     .buffer = UINT64_C(64) << 20};
    c->sandbox = true;
    c->admin.partner_labels = 100;
    c->access_log = strdup("-");
    if (c->access_log == NULL) {
        free(c);
        return NULL;
    }
    return c;
}

static void actions_clear(struct gw_actions *a)
{
    free(a->verify_at.file);
    free(a->sign_at.file);
    free(a->partner);
    free(a->sign_alias);
    free(a->user);
    free(a->user_at.file);
    for (size_t i = 0; i < a->n_part; i++) {
        free(a->part[i]);
    }
    free(a->part);
    gw_crypt_clear(&a->crypt);
    for (unsigned i = 0; i < a->n_step; i++) {
        free(a->step_at[i].file);
    }
}

void gw_words_clear(struct gw_words *w)
{
    for (size_t i = 0; i < w->n; i++) {
        free(w->word[i]);
    }
    free(w->word);
    *w = (struct gw_words){0};
}

static void authorize_clear(struct gw_authorize *a)
{
    free(a->at.file);
    gw_words_clear(&a->user);
    while (a->rule != NULL) {
        struct gw_name_rule *r = a->rule;
        a->rule = r->next;
        free(r->at.file);
        free(r->subject_text);
        free(r->issuer_text);
        cs_dn_free(r->subject);
        cs_dn_free(r->issuer);
        free(r);
    }
}

static void tls_free(struct gw_tls *t)
{
    free(t->at.file);
    free(t->certificate_at.file);
    free(t->anchors_at.file);
    free(t->name);
    gw_words_clear(&t->certificate);
    gw_words_clear(&t->anchors);
    free(t);
}

void gw_upstream_free(struct gw_upstream *u)
{
    if (u == NULL) {
        return;
    }
    free(u->at.file);
    free(u->check_at.file);
    free(u->check_path);
    free(u->client_at.file);
    free(u->anchors_at.file);
    free(u->client_certificate);
    gw_words_clear(&u->anchors);
    free(u->url);
    free(u->host);
    free(u->authority);
    free(u->path);
    free(u);
}

static void route_free(struct gw_route *r)
{
    while (r->upstream != NULL) {
        struct gw_upstream *u = r->upstream;
        r->upstream = u->next;
        gw_upstream_free(u);
    }
    actions_clear(&r->request);
    actions_clear(&r->response);
    authorize_clear(&r->authorize);
    free(r->user_header_at.file);
    free(r->user_header);
    free(r->at.file);
    free(r->listener_at.file);
    free(r->probe.query);
    free(r->name);
    free(r->listener);
    free(r->path);
    free(r);
}

void gw_config_free(struct gw_config *c)
{
    if (c == NULL) {
        return;
    }
    while (c->listener != NULL) {
        struct gw_listener *l = c->listener;
        c->listener = l->next;
        free(l->at.file);
        free(l->tls_at.file);
        free(l->tls);
        free(l->name);
        free(l);
    }
    while (c->tls != NULL) {
        struct gw_tls *t = c->tls;
        c->tls = t->next;
        tls_free(t);
    }
    while (c->route != NULL) {
        struct gw_route *r = c->route;
        c->route = r->next;
        route_free(r);
    }
    free(c->spool_directory);
    free(c->spool_at.file);
    free(c->admin.socket_at.file);
    free(c->admin.http_at.file);
    free(c->admin.health_at.file);
    free(c->admin.tls_at.file);
    free(c->admin.socket);
    free(c->admin.links);
    free(c->admin.tls);
    free(c->replay_at.file);
    free(c->replay_file);
    free(c->capture.directory);
    free(c->capture_at.file);
    free(c->access_log);
    free(c->access_at.file);
    free(c->user);
    free(c->user_at.file);
    gw_words_clear(&c->sandbox_read);
    gw_words_clear(&c->sandbox_write);
    free(c);
}

const char *gw_admin_socket(const struct gw_config *c)
{
    return c->admin.socket;
}

void gw_where_set(struct gw_where *at, const struct cs_conf_node *node)
{
    free(at->file);
    at->file = strdup(node->file);
    at->line = node->line;
    at->column = node->column;
}

void gw_step_add(struct gw_actions *a, const char *word, const struct cs_conf_node *node)
{
    if (a->n_step < GW_STEPS) {
        a->step[a->n_step] = word;
        gw_where_set(&a->step_at[a->n_step++], node);
    }
}

bool gw_actions_any(const struct gw_actions *a)
{
    return a->partner != NULL || a->sign_alias != NULL || a->crypt.decrypt || a->crypt.encrypt_to != NULL;
}

bool gw_actions_monitor(const struct gw_actions *a, cs_time now)
{
    return a->on_failure == GW_MONITOR && (a->monitor_until == 0 || now < a->monitor_until);
}

const struct gw_listener *gw_config_listener(const struct gw_config *c, const char *name)
{
    for (const struct gw_listener *l = c->listener; l != NULL; l = l->next) {
        if (strcmp(l->name, name) == 0) {
            return l;
        }
    }
    return NULL;
}

const struct gw_tls *gw_config_tls(const struct gw_config *c, const char *name)
{
    for (const struct gw_tls *t = c->tls; t != NULL; t = t->next) {
        if (strcmp(t->name, name) == 0) {
            return t;
        }
    }
    return NULL;
}

/* ---- addresses ------------------------------------------------------------------------------------------------ */

static int port_parse(const char *text, uint16_t *port)
{
    unsigned long value = 0;
    if (*text == '\0' || strlen(text) > 5) {
        return -1;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return -1;
        }
        value = value * 10 + (unsigned long)(*text - '0');
    }
    if (value > 65535) {
        return -1;
    }
    *port = (uint16_t)value;
    return 0;
}

void gw_address_text(struct gw_address *a)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (a->sa.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(a->text, sizeof a->text, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else if (a->sa.ss_family == AF_INET) {
        const struct sockaddr_in *in4 = (const struct sockaddr_in *)&a->sa;
        inet_ntop(AF_INET, &in4->sin_addr, host, sizeof host);
        snprintf(a->text, sizeof a->text, "%s:%u", host, ntohs(in4->sin_port));
    } else {
        snprintf(a->text, sizeof a->text, "?");
    }
}

int gw_address_parse(const char *text, struct gw_address *out)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    uint16_t port;
    if (colon == NULL || (size_t)(colon - text) >= sizeof host || port_parse(colon + 1, &port) != 0) {
        return -1;
    }
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    memset(out, 0, sizeof *out);
    struct sockaddr_in *in4 = (struct sockaddr_in *)&out->sa;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->sa;
    size_t n = strlen(host);
    if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = '\0';
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        out->len = sizeof *in6;
        if (inet_pton(AF_INET6, host + 1, &in6->sin6_addr) != 1) {
            return -1;
        }
    } else {
        in4->sin_family = AF_INET;
        in4->sin_port = htons(port);
        out->len = sizeof *in4;
        if (strcmp(host, "*") == 0) {
            in4->sin_addr.s_addr = htonl(INADDR_ANY);
        } else if (inet_pton(AF_INET, host, &in4->sin_addr) != 1) {
            return -1;
        }
    }
    gw_address_text(out);
    return 0;
}

bool gw_address_loopback(const struct gw_address *a)
{
    if (a->sa.ss_family == AF_INET6) {
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&a->sa)->sin6_addr);
    }
    return ntohl(((const struct sockaddr_in *)&a->sa)->sin_addr.s_addr) >> 24 == 127;
}

/* What may stand in a path that we send: visible ASCII without query and fragment. */
static bool path_good(const char *path)
{
    for (; *path != '\0'; path++) {
        if (*path <= ' ' || *path >= 0x7f || *path == '?' || *path == '#') {
            return false;
        }
    }
    return true;
}

static bool host_good(const char *host)
{
    return *host != '\0' &&
           host[strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:")] == '\0';
}

int gw_upstream_parse(struct gw_upstream *u, const char *url, char *why, size_t why_n)
{
    u->tls = strncmp(url, "https://", 8) == 0;
    if (!u->tls && strncmp(url, "http://", 7) != 0) {
        snprintf(why, why_n, "an upstream is http://host[:port][/path] or https://host[:port][/path]");
        return -1;
    }
    const char *authority = url + (u->tls ? 8 : 7);
    size_t authority_n = strcspn(authority, "/");
    const char *path = authority + authority_n;
    u->url = strdup(url);
    u->path = strdup(path);
    u->authority = strndup(authority, authority_n);
    u->host = strndup(authority, authority_n);
    if (u->url == NULL || u->path == NULL || u->authority == NULL || u->host == NULL) {
        snprintf(why, why_n, "no memory");
        return -1;
    }
    const char *usual = u->tls ? "443" : "80";
    const char *port = usual;
    char *host_end = u->host + strcspn(u->host, ":");
    if (u->host[0] == '[') {
        host_end = strchr(u->host, ']');
        if (host_end == NULL || (host_end[1] != ':' && host_end[1] != '\0')) {
            snprintf(why, why_n, "an IPv6 address stands in brackets: http://[::1]:8080/");
            return -1;
        }
        port = host_end[1] == ':' ? strrchr(u->authority, ':') + 1 : usual;
        memmove(u->host, u->host + 1, (size_t)(host_end - u->host - 1));
        host_end--;
    } else if (*host_end == ':') {
        port = u->authority + (host_end - u->host) + 1;
    }
    *host_end = '\0';
    uint16_t number;
    if (!host_good(u->host) || port_parse(port, &number) != 0 || number == 0) {
        snprintf(why, why_n, "host or port of the upstream is malformed");
        return -1;
    }
    snprintf(u->port, sizeof u->port, "%u", number);
    if (!path_good(u->path)) {
        snprintf(why, why_n, "the path of an upstream has no query, fragment or blank");
        return -1;
    }
    return 0;
}

/* ---- second pass ---------------------------------------------------------------------------------------------- */

bool check_alias(struct check *ck, const struct gw_where *at, const char *alias, enum ks_role wanted)
{
    char text[320];
    if (ck->snapshot != NULL && ks_alias_fits(ck->snapshot, alias, wanted, text, sizeof text) != 0) {
        BAD(ck, *at, "%s", text);
        return false;
    }
    return ck->snapshot != NULL;
}

static void check_partner(struct check *ck, const struct gw_actions *a)
{
    bool in_file = ck->settings->partner_known(ck->settings, a->partner);
    if (ck->snapshot == NULL || ks_snapshot_has_partner(ck->snapshot, a->partner)) {
        return;
    }
    const char *near = in_file ? NULL : cs_nearest(a->partner, ks_snapshot_partners(ck->snapshot));
    if (!in_file) {
        BAD(ck, a->verify_at, "partner %s is known neither here nor to the keystore%s%s%s", a->partner,
            near != NULL ? "; did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "");
    } else if (ck->settings->chain(ck->settings, a->partner) == NULL) {
        WARN(ck, a->verify_at, "partner %s has no entry in the keystore yet: every message of it is refused",
             a->partner);
    }
}

static void check_verify(struct check *ck, const struct gw_route *r, const struct gw_actions *a)
{
    if (a->partner == NULL) {
        if (a->remove_header) {
            BAD(ck, r->at, "route %s: remove-security-header needs verify beside it", r->name);
        }
        if (a->on_failure == GW_MONITOR) {
            BAD(ck, r->at, "route %s: on-failure needs verify beside it", r->name);
        }
        return;
    }
    check_partner(ck, a);
    if (ck->settings->policy(ck->settings, NULL, a->partner) == NULL) {
        BAD(ck, a->verify_at, "partner %s has no usable policy", a->partner);
    }
    if (a->on_failure == GW_MONITOR && a->monitor_until == 0) {
        WARN(ck, a->verify_at, "route %s monitors without an end: write on-failure monitor until DATE", r->name);
    }
}

static void check_sign(struct check *ck, const struct gw_route *r, const struct gw_actions *a)
{
    if (a->sign_alias == NULL) {
        return;
    }
    if (check_alias(ck, &a->sign_at, a->sign_alias, KS_SIGN) && ks_active(ck->snapshot, a->sign_alias) == NULL) {
        WARN(ck, a->sign_at, "alias %s has no active entry: requests of route %s are refused", a->sign_alias, r->name);
    }
    if (a->on_failure == GW_MONITOR) {
        BAD(ck, a->sign_at, "sign never stands beside on-failure monitor: it would sign what nobody verified");
    }
    if (a->partner != NULL && !a->remove_header) {
        BAD(ck, a->sign_at, "sign behind verify needs remove-security-header yes");
    }
}

/* A password in the clear goes over TLS only: to every upstream, or back to the listener's clients. */
static bool way_is_plain(const struct check *ck, const struct gw_route *r, bool response)
{
    const struct gw_listener *l = r->listener != NULL ? gw_config_listener(ck->config, r->listener) : NULL;
    bool plain = response && l != NULL && l->tls == NULL;
    for (const struct gw_upstream *u = r->upstream; u != NULL && !response; u = u->next) {
        plain = plain || !u->tls;
    }
    return plain;
}

static void check_users(struct check *ck, const struct gw_route *r, const struct gw_actions *a, bool response)
{
    const struct gw_settings *s = ck->settings;
    const struct wssec_policy *p = a->partner != NULL ? s->policy(s, NULL, a->partner) : NULL;
    if (a->user != NULL && s->user(s, a->user) == NULL) {
        BAD(ck, a->user_at, "no user %s in this configuration; write: user %s { password file \"PATH\"; }", a->user,
            a->user);
    }
    if (a->user != NULL && a->user_text && way_is_plain(ck, r, response)) {
        BAD(ck, a->user_at, "the password of %s would go in the clear without TLS; write: username %s digest;", a->user,
            a->user);
    }
    if (p != NULL && wssec_policy_requires(p, "UsernameToken") && s->users(s, a->partner) == NULL) {
        WARN(ck, a->verify_at,
             "the policy of partner %s demands a UsernameToken, but nobody's password is known: write users NAME in "
             "its block",
             a->partner);
    }
}

static void check_words(struct check *ck, const struct gw_route *r)
{
    if (r->soap_action_match && !gw_actions_any(&r->request)) {
        BAD(ck, r->at, "route %s: soap-action match needs verify or sign in its request block", r->name);
    }
}

/* Signing and encrypting run as written, the others before them in this order. */
static int step_rank(const char *word)
{
    static const char *const first[] = {"decrypt", "verify", "remove-security-header"};
    int rank = 0;
    while (rank < 3 && strcmp(first[rank], word) != 0) {
        rank++;
    }
    return rank;
}

static void check_order(struct check *ck, const struct gw_route *r, const struct gw_actions *a)
{
    for (unsigned i = 1; i < a->n_step; i++) {
        if (step_rank(a->step[i]) < step_rank(a->step[i - 1])) {
            WARN(ck, a->step_at[i],
                 "route %s: %s runs before %s, although it stands behind it: the order is decrypt, verify, "
                 "remove-security-header, then sign and encrypt as written",
                 r->name, a->step[i], a->step[i - 1]);
        }
    }
}

static void check_route(struct check *ck, const struct gw_route *r)
{
    if (r->listener == NULL) {
        BAD(ck, r->at, "route %s names no listener", r->name);
    } else if (gw_config_listener(ck->config, r->listener) == NULL) {
        const char *names[64] = {NULL};
        size_t n = 0;
        for (const struct gw_listener *l = ck->config->listener; l != NULL && n < 63; l = l->next) {
            names[n++] = l->name;
        }
        const char *near = cs_nearest(r->listener, names);
        BAD(ck, r->listener_at, "no listener %s%s%s%s", r->listener, near != NULL ? "; did you mean " : "",
            near != NULL ? near : "", near != NULL ? "?" : "");
    }
    if (r->path == NULL) {
        BAD(ck, r->at, "route %s has no path", r->name);
    }
    if (r->upstream == NULL) {
        BAD(ck, r->at, "route %s has no upstream", r->name);
    }
    check_verify(ck, r, &r->request);
    check_verify(ck, r, &r->response);
    check_sign(ck, r, &r->request);
    check_route_tls(ck, r);
    check_sign(ck, r, &r->response);
    check_users(ck, r, &r->request, false);
    check_users(ck, r, &r->response, true);
    check_crypt(ck, r, &r->request);
    check_crypt(ck, r, &r->response);
    check_order(ck, r, &r->request);
    check_order(ck, r, &r->response);
    check_words(ck, r);
}

static bool method_shared(const struct gw_route *a, const struct gw_route *b)
{
    for (unsigned i = 0; i < a->n_method; i++) {
        for (unsigned j = 0; j < b->n_method; j++) {
            if (strcmp(a->method[i], b->method[j]) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void check_twins(struct check *ck, const struct gw_route *r)
{
    for (const struct gw_route *o = ck->config->route; o != r; o = o->next) {
        if (strcmp(o->name, r->name) == 0) {
            BAD(ck, r->at, "there is a route %s already, on line %d", r->name, o->at.line);
        } else if (o->listener != NULL && r->listener != NULL && o->path != NULL && r->path != NULL &&
                   strcmp(o->listener, r->listener) == 0 && strcmp(o->path, r->path) == 0 && method_shared(o, r)) {
            BAD(ck, r->at, "routes %s and %s serve the same path and method", o->name, r->name);
        }
    }
}

static void check_replay(struct check *ck)
{
    cs_error e = {0};
    if (ck->config->replay_file != NULL && replay_file_look(ck->config->replay_file, &e) != 0) {
        BAD(ck, ck->config->replay_at, "%s", e.text);
    }
}

static void check_spool(struct check *ck)
{
    cs_error e = {0};
    if (ck->config->spool_directory != NULL && spool_look(ck->config->spool_directory, &e) != 0) {
        BAD(ck, ck->config->spool_at, "%s", e.text);
    }
}

/* Its directory is judged as that of the spool: who could look into it could read messages. */
static void check_capture(struct check *ck)
{
    const struct gw_capture *c = &ck->config->capture;
    cs_error e = {0};
    if (c->directory != NULL && spool_look(c->directory, &e) != 0) {
        BAD(ck, ck->config->capture_at, "capture: %s", e.text);
    }
    if (c->directory != NULL && c->quota < c->segment_octets) {
        BAD(ck, ck->config->capture_at, "capture: the quota is below one segment-size");
    }
}

/* A warning only: a service manager may make the directory, just before the start. */
static void check_log(struct check *ck)
{
    const char *path = ck->config->access_log;
    char *copy = path != NULL && strcmp(path, "-") != 0 ? strdup(path) : NULL;
    struct stat st;
    if (copy != NULL && stat(dirname(copy), &st) != 0) {
        WARN(ck, ck->config->access_at, "access log %s: the directory cannot be entered: %s", path, strerror(errno));
    }
    free(copy);
}

/* What administers the gateway stands open to a network under TLS only; health and metrics alone may without. */
static void check_admin(struct check *ck)
{
    const struct gw_admin *a = &ck->config->admin;
    if (a->has_http && a->tls == NULL && !gw_address_loopback(&a->http)) {
        BAD(ck, a->http_at,
            "admin http %s is not on loopback: give it tls NAME; for probes and metrics alone write health %s;",
            a->http.text, a->http.text);
    }
    if (a->tls != NULL && !a->has_http) {
        BAD(ck, a->tls_at, "tls of admin serves its http address, and there is none");
    }
    if (a->has_http && a->has_health && strcmp(a->http.text, a->health.text) == 0) {
        BAD(ck, a->health_at, "health stands on the address of http, which answers the same questions");
    }
}

static void check_process(struct check *ck)
{
    const struct gw_config *c = ck->config;
    if (c->user != NULL && getpwnam(c->user) == NULL) {
        BAD(ck, c->user_at, "there is no account %s", c->user);
    }
}

unsigned gw_config_check(const struct gw_config *c, const struct gw_settings *s, const ks_snapshot *snapshot,
                         struct cs_conf_report *report)
{
    struct check ck = {c, s, snapshot, report, 0};
    if (c->listener == NULL) {
        ck.errors++;
        const char *file = s->file != NULL ? s->file : "configuration";
        cs_conf_error(report, &(const struct cs_conf_node){.file = file, .line = 1, .column = 1}, -1,
                      "no listener: a gateway needs at least one listener NAME { address HOST:PORT; }");
    }
    for (const struct gw_listener *l = c->listener; l != NULL; l = l->next) {
        if (!l->has_address) {
            BAD(&ck, l->at, "listener %s has no address", l->name);
        }
        for (const struct gw_listener *o = c->listener; o != l; o = o->next) {
            if (strcmp(o->name, l->name) == 0) {
                BAD(&ck, l->at, "there is a listener %s already, on line %d", l->name, o->at.line);
            }
        }
    }
    check_tls(&ck);
    check_replay(&ck);
    check_spool(&ck);
    check_log(&ck);
    check_capture(&ck);
    check_admin(&ck);
    check_process(&ck);
    if (snapshot != NULL) {
        ck.errors += s->check(s, snapshot, report);
    }
    for (const struct gw_route *r = c->route; r != NULL; r = r->next) {
        check_route(&ck, r);
        check_twins(&ck, r);
    }
    return ck.errors;
}
