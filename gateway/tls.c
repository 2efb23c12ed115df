/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c: see tls.h: life of the objects, and what both sides have in common. */
#include "gateway/tls.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "gateway/conn.h"
#include "gateway/gateway_private.h"

/* TLS 1.2: ephemeral keys and authenticated encryption only; TLS 1.3 has nothing else. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
/* Four records of 16 KB with their frames: a large body takes one read for four of them. */
#define READ_BUFFER ((size_t)4 * (16384 + 256))

/* ---- objects ---------------------------------------------------------------------------------------------------- */

int tls_registry_init(struct tls_registry *r)
{
    r->first = NULL;
    r->made = 0;
    return pthread_mutex_init(&r->lock, NULL) == 0 ? 0 : -1;
}

void tls_registry_destroy(struct tls_registry *r)
{
    pthread_mutex_destroy(&r->lock);
}

void tls_old_connections(struct tls_registry *r, unsigned *front, unsigned *back)
{
    *front = 0;
    *back = 0;
    pthread_mutex_lock(&r->lock);
    for (const struct tls_object *o = r->first; o != NULL; o = o->next) {
        if (tls_retired(o)) {
            *(o->front ? front : back) += atomic_load(&o->connections);
        }
    }
    pthread_mutex_unlock(&r->lock);
}

void tls_object_init(struct tls_object *o, struct tls_registry *r, bool front, char *key, char *print)
{
    atomic_store(&o->refs, 1);
    o->front = front;
    o->key = key;
    o->print = print;
    o->registry = r;
    pthread_mutex_lock(&r->lock);
    o->id = ++r->made;
    o->next = r->first;
    o->place = &r->first;
    if (o->next != NULL) {
        o->next->place = &o->next;
    }
    r->first = o;
    pthread_mutex_unlock(&r->lock);
}

void tls_object_free(struct tls_object *o)
{
    pthread_mutex_lock(&o->registry->lock);
    if (o->next != NULL) {
        o->next->place = o->place;
    }
    *o->place = o->next;
    pthread_mutex_unlock(&o->registry->lock);
    free(o->key);
    free(o->print);
}

void tls_use(struct tls_object *o)
{
    atomic_fetch_add_explicit(&o->connections, 1, memory_order_relaxed);
}

void tls_leave(struct tls_object *o)
{
    atomic_fetch_sub_explicit(&o->connections, 1, memory_order_relaxed);
}

bool tls_retired(const struct tls_object *o)
{
    return atomic_load_explicit(&o->retired, memory_order_relaxed);
}

void tls_count(_Atomic uint64_t counter[HANDSHAKES][TLS_VERSIONS], SSL *ssl, bool good)
{
    int spoken = good ? SSL_version(ssl) : 0;
    enum handshake how = !good ? HANDSHAKE_FAILED : SSL_session_reused(ssl) ? HANDSHAKE_RESUMED : HANDSHAKE_FULL;
    counter[how][spoken == TLS1_3_VERSION ? TLS_1_3 : spoken == TLS1_2_VERSION ? TLS_1_2 : TLS_NO_VERSION]++;
}

/* ---- contexts --------------------------------------------------------------------------------------------------- */

int tls_context_common(SSL_CTX *context, int minimum)
{
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, READ_BUFFER);
    return SSL_CTX_set_min_proto_version(context, minimum) == 1 && SSL_CTX_set_cipher_list(context, CIPHERS) == 1 ? 0
                                                                                                                  : -1;
}

const ks_snapshot *tls_snapshot(const struct tls_object *o)
{
    return ks_live_get(o->registry->live);
}

void tls_refuse_peer(X509_STORE_CTX *ctx, int error)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct conn *c = SSL_get_app_data(ssl);
    X509_STORE_CTX_set_error(ctx, error);
    if (c != NULL) {
        conn_note(c, X509_verify_cert_error_string(error));
    }
}

int tls_context_present(SSL_CTX *context, const ks_entry *const *entry, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        EVP_PKEY *key = ks_entry_private_key(entry[i]);
        if (key == NULL) {
            continue;
        }
        if (SSL_CTX_use_cert_and_key(context, ks_entry_certificate(entry[i]), key, ks_entry_issuers(entry[i]), 1) !=
            1) {
            return -1;
        }
    }
    return 0;
}

/* ---- sets ------------------------------------------------------------------------------------------------------- */

static bool same(const struct tls_object *o, const char *key, const char *print)
{
    return strcmp(o->key, key) == 0 && (print == NULL || strcmp(o->print, print) == 0);
}

/* print NULL: any. */
static struct tls_front *front_find(const struct tls_set *t, const char *key, const char *print)
{
    for (unsigned i = 0; t != NULL && i < t->n_front; i++) {
        if (t->front[i] != NULL && same(&t->front[i]->object, key, print)) {
            return t->front[i];
        }
    }
    return NULL;
}

static struct tls_back *back_find(const struct tls_set *t, const char *key, const char *print)
{
    for (unsigned i = 0; t != NULL && i < t->n_back; i++) {
        if (t->back[i] != NULL && same(&t->back[i]->object, key, print)) {
            return t->back[i];
        }
    }
    return NULL;
}

struct making {
    struct tls_registry *registry;
    const ks_snapshot *snapshot;
    const struct tls_set *old;
    cs_time now;
};

static struct tls_front *front_get(const struct making *m, const char *listener, const struct gw_tls *conf, cs_error *e)
{
    char *key = tls_front_key(listener, conf);
    char *print = tls_front_print(conf, m->snapshot, m->now);
    struct tls_front *out = NULL;
    if (key == NULL || print == NULL) {
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for TLS of listener %s", listener);
        goto out;
    }
    struct tls_front *known = front_find(m->old, key, print);
    if (known != NULL) {
        out = tls_front_ref(known);
        goto out;
    }
    known = front_find(m->old, key, NULL);
    out = tls_front_new(m->registry, conf, listener, key, print, m->snapshot, m->now, e);
    if (out != NULL) {
        return out;
    }
    if (known != NULL) {
        cs_log(CS_LOG_ERROR, "tls-kept", "a listener keeps its old certificates: the new ones cannot be used",
               CS_STR("listener", listener), CS_STR("why", e->text));
        *e = (cs_error){0};
        out = tls_front_ref(known);
    }
out:
    free(key);
    free(print);
    return out;
}

static struct tls_back *back_get(const struct making *m, const struct tls_set *made, const struct gw_upstream *u,
                                 cs_error *e)
{
    char *key = tls_back_key(u);
    char *print = tls_back_print(u, m->snapshot, m->now);
    struct tls_back *out = NULL;
    if (key == NULL || print == NULL) {
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for TLS of upstream %s", u->url);
        goto out;
    }
    struct tls_back *known = back_find(m->old, key, print);
    known = known != NULL ? known : back_find(made, key, print); /* two routes with the same upstream share one */
    if (known != NULL) {
        out = tls_back_ref(known);
        goto out;
    }
    out = tls_back_new(m->registry, u, key, print, m->snapshot, m->now, e);
    if (out != NULL) {
        return out;
    }
out:
    free(key);
    free(print);
    return out;
}

/* The block of a listener, NULL: plain. Behind the last listener comes l NULL: that of admin http. */
static const struct gw_tls *front_block(const struct gw_config *c, const struct gw_listener *l)
{
    const char *name = l != NULL ? l->tls : c->admin.tls;
    return name != NULL ? gw_config_tls(c, name) : NULL;
}

static int fill_front(const struct making *m, const struct plan *plan, struct tls_set *t, cs_error *e)
{
    const struct gw_listener *l = plan->config->listener;
    for (unsigned i = 0; i <= plan->n_listening; i++) {
        const struct gw_tls *conf = front_block(plan->config, l);
        struct tls_front *f = conf != NULL ? front_get(m, l != NULL ? l->name : "admin http", conf, e) : NULL;
        if (conf != NULL && f == NULL) {
            return -1;
        }
        t->front[t->n_front++] = f;
        l = l != NULL ? l->next : NULL;
    }
    return 0;
}

static int fill_back(const struct making *m, const struct plan *plan, struct tls_set *t, cs_error *e)
{
    t->n_back = plan->n_tls;
    for (unsigned i = 0; i < plan->n_route; i++) {
        for (unsigned k = 0; k < plan->route[i].n_target; k++) {
            const struct target *target = &plan->route[i].target[k];
            if (target->tls >= 0 && (t->back[target->tls] = back_get(m, t, target->conf, e)) == NULL) {
                return -1;
            }
        }
    }
    return 0;
}

struct tls_set *tls_set_new(const struct plan *plan, const ks_snapshot *s, const struct tls_set *old, cs_time now,
                            cs_error *e)
{
    const struct making m = {&plan->gateway->tls, s, old, now};
    struct tls_set *t = calloc(1, sizeof *t);
    if (t != NULL) {
        t->front = calloc(plan->n_listening + 1, sizeof(struct tls_front *));
        t->back = calloc(plan->n_tls + 1, sizeof(struct tls_back *));
    }
    if (t == NULL || t->front == NULL || t->back == NULL) {
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for TLS");
        tls_set_free(t);
        return NULL;
    }
    if (fill_front(&m, plan, t, e) != 0 || fill_back(&m, plan, t, e) != 0) {
        tls_set_free(t);
        return NULL;
    }
    return t;
}

void tls_set_free(struct tls_set *t)
{
    if (t == NULL) {
        return;
    }
    for (unsigned i = 0; i < t->n_front; i++) {
        tls_front_unref(t->front[i]);
    }
    for (unsigned i = 0; i < t->n_back; i++) {
        tls_back_unref(t->back[i]);
    }
    free(t->front);
    free(t->back);
    free(t);
}

struct tls_back *tls_set_back(const struct tls_set *t, const char *key)
{
    return back_find(t, key, NULL);
}

struct tls_back *tls_set_like(const struct tls_set *t, struct tls_back *b)
{
    struct tls_back *like = tls_retired(&b->object) ? back_find(t, b->object.key, NULL) : NULL;
    return like != NULL ? like : b;
}

static unsigned retire(struct tls_object *o)
{
    return !atomic_exchange(&o->retired, true);
}

unsigned tls_set_retire(const struct tls_set *old, const struct tls_set *t)
{
    unsigned n = 0;
    for (unsigned i = 0; i < old->n_front; i++) {
        struct tls_front *f = old->front[i];
        bool stays = f == NULL;
        for (unsigned k = 0; k < t->n_front && !stays; k++) {
            stays = t->front[k] == f;
        }
        n += stays ? 0 : retire(&f->object);
    }
    for (unsigned i = 0; i < old->n_back; i++) {
        struct tls_back *b = old->back[i];
        bool stays = false;
        for (unsigned k = 0; k < t->n_back && !stays; k++) {
            stays = t->back[k] == b;
        }
        n += stays ? 0 : retire(&b->object);
    }
    return n;
}

/* Anchors come and go with time alone: at the end of their window, without a new generation. */
bool tls_set_stale(const struct plan *plan, const struct tls_set *t, const ks_snapshot *s, cs_time now)
{
    bool stale = false;
    const struct gw_listener *l = plan->config->listener;
    for (unsigned i = 0; i < t->n_front && !stale; i++) {
        char *print = t->front[i] != NULL ? tls_front_print(front_block(plan->config, l), s, now) : NULL;
        stale = print != NULL && strcmp(print, t->front[i]->object.print) != 0;
        free(print);
        l = l != NULL ? l->next : NULL;
    }
    for (unsigned i = 0; i < plan->n_route && !stale; i++) {
        for (unsigned k = 0; k < plan->route[i].n_target && !stale; k++) {
            const struct target *target = &plan->route[i].target[k];
            char *print = target->tls >= 0 ? tls_back_print(target->conf, s, now) : NULL;
            stale = print != NULL && strcmp(print, t->back[target->tls]->object.print) != 0;
            free(print);
        }
    }
    return stale;
}
