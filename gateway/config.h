/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h: what one configuration says about the gateway: listeners, routes, actions, limits. Filled by the setters
 * of directives.c, checked by gw_config_check(), immutable once a runtime holds it.
 */
#ifndef GW_CONFIG_H
#define GW_CONFIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/config.h"
#include "base/dn.h"
#include "base/time.h"
#include "gateway/capture.h"
#include "gateway/gateway.h"
#include "gateway/http1.h"
#include "gateway/replay_local.h"
#include "gateway/shed.h"

/** Where a statement stood, kept for the second pass (references), when the tree is gone. */
struct gw_where {
    char *file; /**< owned */
    int line;
    int column;
};

struct gw_address {
    struct sockaddr_storage sa;
    socklen_t len;
    char text[64]; /**< "127.0.0.1:8080", "[::1]:8080" */
};

/** Words of one or several statements; owned. */
struct gw_words {
    char **word;
    size_t n;
};

enum gw_client_certificate { GW_CLIENT_UNSET, GW_CLIENT_NONE, GW_CLIENT_OPTIONAL, GW_CLIENT_REQUIRE };

/** One `tls NAME { }`: how listeners that name it speak TLS. */
struct gw_tls {
    struct gw_tls *next;
    struct gw_where at;
    char *name;
    struct gw_where certificate_at;
    struct gw_words
        certificate; /**< ALIAS or ALIAS#N; chosen by name, then by key type; the first serves without SNI */
    struct gw_where anchors_at;
    struct gw_words anchors; /**< aliases of role trust-anchor to which client certificates lead */
    enum gw_client_certificate client_certificate;
    int minimum; /**< TLS1_2_VERSION, TLS1_3_VERSION */
    bool crl_require;
    bool unknown_name_first; /**< a name that no certificate has gets the first one instead of an alert */
};

struct gw_listener {
    struct gw_listener *next;
    struct gw_where at;
    char *name;
    struct gw_address address;
    bool has_address;
    bool publish; /**< own public certificates may be taken here */
    struct gw_where tls_at;
    char *tls; /**< NULL: plain */
};

/** How a receiver is asked whether it is well. */
enum gw_check { GW_CHECK_OFF, GW_CHECK_TCP, GW_CHECK_HTTP };

struct gw_upstream {
    struct gw_upstream *next;
    struct gw_where at;
    char *url;       /**< as written */
    char *host;      /**< without brackets */
    char *authority; /**< Host field: host[:port] */
    char *path;      /**< "" when the URL has none */
    char port[8];    /**< digits */
    int64_t connect_ms;
    int64_t response_ms;
    int64_t idle_ms;
    unsigned max_idle;
    unsigned max_requests;
    bool idempotent;
    enum gw_check check;
    char *check_path; /**< of an HTTP check */
    int64_t check_interval_ms;
    int64_t resolve_ms;   /**< between two look-ups of the host's name */
    unsigned eject_after; /**< failures in a row, 0: never */
    struct gw_where check_at;
    bool tls; /**< https */
    struct gw_where client_at;
    char *client_certificate; /**< alias of role tls-client that is presented; NULL: none */
    struct gw_where anchors_at;
    struct gw_words anchors; /**< aliases of role trust-anchor to which the server's certificate leads */
    bool crl_require;
};

/** A client certificate with these names may use the route; rules as in cs_dn_rule_parse(). */
struct gw_name_rule {
    struct gw_name_rule *next;
    struct gw_where at;
    char *subject_text;
    char *issuer_text;
    cs_dn *subject;
    cs_dn *issuer;
};

/** `authorize { }`: who may use a route; rows of the keystore's mapping count alike. */
struct gw_authorize {
    bool there; /**< false: whoever reaches the listener */
    struct gw_where at;
    struct gw_words user; /**< users that a mapped certificate may stand for */
    struct gw_name_rule *rule;
};

enum gw_on_failure { GW_REJECT, GW_MONITOR };

struct gw_part {
    struct gw_part *next;
    char *word;
};

#define GW_STEPS 8

/** decrypt and encrypt of one block. */
struct gw_crypt {
    struct gw_where decrypt_at, encrypt_at;
    bool decrypt;
    struct gw_words decrypt_alias; /**< none: every slot of role decrypt */
    char *encrypt_to;              /**< partner; NULL: nothing is encrypted */
    struct gw_words part;          /**< none: the content of Body */
    enum wssec_keyref key_reference;
    char *cipher, *transport; /**< words; NULL: wssec's default */
};

/** One `request { }` or `response { }` block. */
struct gw_actions {
    struct gw_where verify_at;
    char *partner; /**< NULL: no verification */
    bool remove_header;
    struct gw_where sign_at;
    char *sign_alias; /**< NULL: no signature */
    char **part;      /**< of the recipe; owned words */
    size_t n_part;
    enum wssec_keyref key_reference;
    int64_t ttl; /**< seconds, 0: wssec's default */
    struct gw_where user_at;
    char *user;     /**< whose UsernameToken the signed message bears; NULL: none */
    bool user_text; /**< its password in the clear; else a digest of it */
    struct gw_crypt crypt;
    enum gw_on_failure on_failure;
    cs_time monitor_until;             /**< 0: without an end */
    struct gw_where step_at[GW_STEPS]; /**< the statements in the order of the file */
    const char *step[GW_STEPS];        /**< static words */
    unsigned n_step;
};

/** What a probe of a roll-over sends to the upstream of a route: never a business message. */
struct gw_probe {
    bool there;      /**< the block stands: a new certificate is probed before it is activated (G11) */
    char method[24]; /**< GET or HEAD */
    char *query;     /**< owned; NULL: wsdl */
    int expect[16];
    unsigned n_expect; /**< 0: 200 405 500 */
    unsigned
        accepted; /**< so many requests signed with a new key are seen accepted before it is activated (G11); 0: any */
};

#define GW_METHODS 8

struct gw_route {
    struct gw_route *next;
    struct gw_where at;
    char *name;
    struct gw_where listener_at;
    char *listener;
    char *path;
    size_t path_n;
    char method[GW_METHODS][24];
    unsigned n_method;
    bool query_pass;
    bool soap_action_match; /**< SOAPAction must name the message */
    struct gw_probe probe;
    unsigned rate_address;     /**< requests per second, 0: any number */
    unsigned rate_certificate; /**< the same of each client certificate */
    unsigned hold_queue;       /**< requests that wait while the route is on hold */
    int64_t hold_wait_ms;      /**< how long each does */
    unsigned concurrency;      /**< exchanges under way, 0: any number */
    struct gw_authorize authorize;
    struct gw_where user_header_at;
    char *user_header; /**< field that tells the receiver who was authorized; NULL: none */
    struct gw_upstream *upstream;
    struct gw_actions request;
    struct gw_actions response;
};

struct gw_timeouts {
    int64_t head, body_idle, keep_alive, work, write_idle, drain_delay, drain; /**< milliseconds */
    uint64_t body_rate;                                                        /**< octets per second, 0: none */
};

#define GW_ADMIN_USERS 32

/** How operators reach this process. */
struct gw_admin {
    struct gw_where socket_at, http_at, health_at, tls_at;
    char *socket; /**< path; NULL: none */
    char *links;  /**< what stands before the path of a confirm link; NULL: there are none */
    char *tls;    /**< block by which http is served; NULL: plain */
    bool has_http, has_health;
    struct gw_address http;     /**< loopback, or under TLS: everything */
    struct gw_address health;   /**< /livez, /readyz, /metrics only */
    uid_t user[GW_ADMIN_USERS]; /**< accounts that may use the socket, beside root and our own */
    unsigned n_user;
    unsigned partner_labels; /**< partners that metrics tell apart */
};

struct gw_config {
    bool keys_process; /**< private keys stand in a process of their own */
    struct gw_admin admin;
    bool trace_create; /**< traceparent and X-Request-Id are made where they are absent */
    struct gw_tls *tls;
    struct gw_listener *listener;
    struct gw_route *route;
    struct gw_timeouts timeouts;
    struct http1_limits limits;
    unsigned connections;
    unsigned per_address; /**< connections of one address, 0: any number */
    struct shed_limits shed;
    unsigned loops;        /**< 0: one per core */
    unsigned workers;      /**< 0: one per core */
    uint64_t memory;       /**< octets of bodies held at the same time */
    uint64_t body_memory;  /**< of one body, when there is a spool */
    char *spool_directory; /**< NULL: none */
    uint64_t spool_quota;
    struct gw_where spool_at;
    struct replay_limits replay;
    char *replay_file; /**< NULL: in memory */
    struct gw_where replay_at;
    struct gw_capture capture;
    struct gw_where capture_at;
    char *access_log; /**< path, "-" standard output, NULL: off */
    struct gw_where access_at;
    unsigned ring;                               /**< lines that may wait for the disk */
    bool sandbox;                                /**< the process confines itself */
    struct gw_words sandbox_read, sandbox_write; /**< what it may reach, too */
    char *user;                                  /**< account to go over to, NULL: as started */
    struct gw_where user_at;
};

/** Remember that word (static) stood at node: actions run in an order of their own, and --check says where the file
 * differs. */
void gw_step_add(struct gw_actions *a, const char *word, const struct cs_conf_node *node);
/** Does the block ask for any work on the message? */
bool gw_actions_any(const struct gw_actions *a);
/** Is monitoring in force at now? */
bool gw_actions_monitor(const struct gw_actions *a, cs_time now);

/** Second pass: names, roles, combinations. Every error and warning goes to the report.
 *  @param snapshot NULL: the keystore is not looked at  @return number of errors */
unsigned gw_config_check(const struct gw_config *c, const struct gw_settings *s, const ks_snapshot *snapshot,
                         struct cs_conf_report *report);
const struct gw_listener *gw_config_listener(const struct gw_config *c, const char *name);
const struct gw_tls *gw_config_tls(const struct gw_config *c, const char *name);

/** Read "127.0.0.1:80", "[::1]:80" or "*:80". @return 0, or -1 */
int gw_address_parse(const char *text, struct gw_address *out);
void gw_address_text(struct gw_address *a);
/** May links of mails begin with it? https, or this machine; nothing that breaks a header. */
bool gw_links_ok(const char *url);
bool gw_address_loopback(const struct gw_address *a);
/** Split http://host[:port][/path] or https://… @return 0, or -1 with a sentence in why */
int gw_upstream_parse(struct gw_upstream *u, const char *url, char *why, size_t why_n);

void gw_where_set(struct gw_where *at, const struct cs_conf_node *node);
void gw_upstream_free(struct gw_upstream *u);
void gw_words_clear(struct gw_words *w);

#endif
