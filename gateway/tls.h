/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls.h: the TLS side of a runtime: one front object per listener that speaks TLS, one back object per https upstream.
 * Objects are immutable and reference-counted. The next runtime takes over those whose configuration and keystore slots
 * are as before; the others are made anew and the old ones retired: their tickets and sessions are worth nothing any
 * more, and their connections end at the next occasion.
 */
#ifndef GW_TLS_H
#define GW_TLS_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "gateway/config.h"
#include "gateway/tls_verify.h"

/** How a TLS handshake ended, and under which version. */
enum handshake { HANDSHAKE_FULL, HANDSHAKE_RESUMED, HANDSHAKE_FAILED, HANDSHAKES };
enum tls_version { TLS_NO_VERSION, TLS_1_2, TLS_1_3, TLS_VERSIONS };

struct conn;
struct plan;
struct tls_tickets;

/** All objects that live, for the count of connections that still use old ones. */
struct tls_registry {
    pthread_mutex_t lock;
    struct tls_object *first;
    uint64_t made; /**< objects so far */
    ks_live *live; /**< borrowed: by whose newest snapshot peers are judged; set before the first handshake */
};

/** What front and back objects have in common; first member of both. */
struct tls_object {
    _Atomic unsigned refs;
    _Atomic unsigned connections; /**< that were made with it and are open */
    _Atomic bool retired;
    bool front;
    uint64_t id; /**< never used twice; above 0 */
    char *key;   /**< owned: what the configuration says */
    char *print; /**< owned: what the keystore gave */
    struct tls_registry *registry;
    struct tls_object *next, **place;
};

/** One certificate that may be presented, with references of its own. */
struct tls_presented {
    char alias[KS_WORD];
    unsigned n;
    X509 *leaf;
    EVP_PKEY *key;
    STACK_OF(X509) * issuers; /**< NULL: none */
};

/** One `certificate` word: a slot has one active entry per key type. */
struct tls_choice {
    SSL_CTX *context; /**< owned; presents all of them */
    struct tls_presented *item;
    unsigned n;
};

struct tls_front {
    struct tls_object object;
    char listener[KS_WORD];    /**< name, for logs */
    struct tls_choice *choice; /**< in the order of the configuration; the first serves clients that name no host */
    unsigned n_choice;
    bool unknown_name_first;
    struct tls_anchors *anchors; /**< owned; NULL: clients are not asked for a certificate */
    struct tls_tickets *tickets; /**< owned */
};

#define TLS_SESSIONS 4

struct tls_back {
    struct tls_object object;
    char why[256];  /**< "": can be used; else why no connection can be made */
    char host[256]; /**< that the server's certificate must have */
    bool host_is_ip;
    char presents[KS_WORD]; /**< alias of our entry that is shown, "": none */
    unsigned presents_n;
    SSL_CTX *context; /**< owned */
    struct tls_anchors *anchors;
    pthread_mutex_t lock;
    SSL_SESSION *session[TLS_SESSIONS]; /**< owned; to take up again */
    unsigned n_session;
};

/** The objects of one runtime. */
struct tls_set {
    struct tls_front **front; /**< per listener of the plan, behind them that of admin http; NULL: plain */
    unsigned n_front;
    struct tls_back **back; /**< per https target of the plan (target.tls) */
    unsigned n_back;
};

int tls_registry_init(struct tls_registry *r);
void tls_registry_destroy(struct tls_registry *r);
/** Open connections that were made with a retired object, on each side. Any thread. */
void tls_old_connections(struct tls_registry *r, unsigned *front, unsigned *back);

/** Objects for plan with the keystore as of s; old (may be NULL) lends what did not change. A listener whose slots give
 *  nothing usable keeps its old object, with an error logged. @return owned by the caller (tls_set_free), NULL: e is
 * filled */
struct tls_set *tls_set_new(const struct plan *plan, const ks_snapshot *s, const struct tls_set *old, cs_time now,
                            cs_error *e);
void tls_set_free(struct tls_set *t); /**< NULL is allowed */
/** Retire what old has and t has not. @return how many */
unsigned tls_set_retire(const struct tls_set *old, const struct tls_set *t);
/** The object of t for upstreams with that tls_back_key(), NULL: it has none. Borrowed. */
struct tls_back *tls_set_back(const struct tls_set *t, const char *key);
/** The object of t for the same upstream as b; b itself where t has none. Borrowed. */
struct tls_back *tls_set_like(const struct tls_set *t, struct tls_back *b);
/** Would a new set of the same plan differ by now? */
bool tls_set_stale(const struct plan *plan, const struct tls_set *t, const ks_snapshot *s, cs_time now);

/* References; any thread. */
struct tls_front *tls_front_ref(struct tls_front *f);
void tls_front_unref(struct tls_front *f);
struct tls_back *tls_back_ref(struct tls_back *b);
void tls_back_unref(struct tls_back *b);
/** A connection begins (ends) to use the object. */
void tls_use(struct tls_object *o);
void tls_leave(struct tls_object *o);
bool tls_retired(const struct tls_object *o);

/** Did a client ask for a host by name? Without one the first certificate is shown. */
bool tls_is_name(const char *name);
/** Evidence for the life of our certificate: the handshake with sender over c showed it, or it was not taken. */
void tls_front_tell(const struct tls_front *f, const struct conn *c, const char *sender, bool good);
/** A connection of ours as server. @return owned by the caller, NULL: no memory */
SSL *tls_front_new_ssl(struct tls_front *f);
/** A connection of ours as client, with a session to take up where there is one. @return owned by the caller, NULL: no
 *  memory */
SSL *tls_back_new_ssl(struct tls_back *b);
/** Judge the server of a connection anew: behind a session taken up, and after a change of the keystore. A no costs the
 *  object its sessions. @return X509_V_OK, or why not */
int tls_back_judge(struct tls_back *b, SSL *ssl, const ks_snapshot *s, cs_time now);

/** Count how a handshake ended. */
void tls_count(_Atomic uint64_t counter[HANDSHAKES][TLS_VERSIONS], SSL *ssl, bool good);

/* tls_set_new()'s helpers: tls_front.c, tls_back.c. key and print are taken by an object that was made. */
void tls_object_init(struct tls_object *o, struct tls_registry *r, bool front, char *key, char *print);
void tls_object_free(struct tls_object *o);
char *tls_front_key(const char *listener, const struct gw_tls *t);
char *tls_front_print(const struct gw_tls *t, const ks_snapshot *s, cs_time now);
struct tls_front *tls_front_new(struct tls_registry *r, const struct gw_tls *t, const char *listener, char *key,
                                char *print, const ks_snapshot *s, cs_time now, cs_error *e);
char *tls_back_key(const struct gw_upstream *u);
char *tls_back_print(const struct gw_upstream *u, const ks_snapshot *s, cs_time now);
struct tls_back *tls_back_new(struct tls_registry *r, const struct gw_upstream *u, char *key, char *print,
                              const ks_snapshot *s, cs_time now, cs_error *e);
/** In a verify callback: the newest snapshot, a new reference; and telling the connection, if there is one behind the
 *  SSL, why its peer is refused. */
const ks_snapshot *tls_snapshot(const struct tls_object *o);
void tls_refuse_peer(X509_STORE_CTX *ctx, int error);
/** What both sides set in a context. @return 0, or -1 */
int tls_context_common(SSL_CTX *context, int minimum);
/** Present the entries (one per key type). @return 0, or -1 */
int tls_context_present(SSL_CTX *context, const ks_entry *const *entry, size_t n);

#endif
