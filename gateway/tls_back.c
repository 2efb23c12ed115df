/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_back.c: what we present to a receiver and what its certificate must be. Sessions to take up again stand with the
 * object, so a new certificate of ours never rides on a session that shows the old one.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/text.h"
#include "gateway/tls.h"
#include "gateway/tls_words.h"

char *tls_back_key(const struct gw_upstream *u)
{
    cs_buf b = CS_BUF_INIT;
    cs_buf_addf(&b, "%s %s %s %d", u->host, u->port, u->client_certificate != NULL ? u->client_certificate : "-",
                u->crl_require);
    for (size_t i = 0; i < u->anchors.n; i++) {
        cs_buf_addf(&b, " %s", u->anchors.word[i]);
    }
    return cs_buf_take(&b, NULL);
}

char *tls_back_print(const struct gw_upstream *u, const ks_snapshot *s, cs_time now)
{
    cs_buf b = CS_BUF_INIT;
    cs_buf_addf(&b, "%llx",
                u->client_certificate != NULL ? (unsigned long long)ks_slot_version(s, u->client_certificate, now)
                                              : 0ULL);
    for (size_t i = 0; i < u->anchors.n; i++) {
        cs_buf_addf(&b, " %llx", (unsigned long long)ks_slot_version(s, u->anchors.word[i], now));
    }
    return cs_buf_take(&b, NULL);
}

/* ---- callbacks of OpenSSL --------------------------------------------------------------------------------------- */

static int judge(const struct tls_back *b, const ks_snapshot *s, X509 *leaf, STACK_OF(X509) * others, cs_time now)
{
    struct tls_verdict v;
    if (leaf == NULL) {
        return X509_V_ERR_UNSPECIFIED;
    }
    int rc = tls_judge(b->anchors, s, leaf, others, X509_PURPOSE_SSL_SERVER, now, &v);
    if (rc != 0 || v.error != X509_V_OK) {
        return v.error != X509_V_OK ? v.error : X509_V_ERR_OUT_OF_MEM;
    }
    int fits = b->host_is_ip ? X509_check_ip_asc(leaf, b->host, 0) : X509_check_host(leaf, b->host, 0, 0, NULL);
    return fits == 1 ? X509_V_OK : b->host_is_ip ? X509_V_ERR_IP_ADDRESS_MISMATCH : X509_V_ERR_HOSTNAME_MISMATCH;
}

static int verify_server(X509_STORE_CTX *ctx, void *arg)
{
    const struct tls_back *b = arg;
    const ks_snapshot *s = tls_snapshot(&b->object);
    int error = judge(b, s, X509_STORE_CTX_get0_cert(ctx), X509_STORE_CTX_get0_untrusted(ctx), cs_clock_now());
    ks_snapshot_release(s);
    if (error != X509_V_OK) {
        tls_refuse_peer(ctx, error);
        return 0;
    }
    X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
}

/* Takes the session when it returns 1. */
static int session_new(SSL *ssl, SSL_SESSION *session)
{
    struct tls_back *b = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    SSL_SESSION *oldest = NULL;
    if (tls_retired(&b->object) || SSL_SESSION_is_resumable(session) != 1) {
        return 0;
    }
    pthread_mutex_lock(&b->lock);
    if (b->n_session == TLS_SESSIONS) {
        oldest = b->session[0];
        memmove(b->session, b->session + 1, (TLS_SESSIONS - 1) * sizeof(SSL_SESSION *));
        b->n_session--;
    }
    b->session[b->n_session++] = session;
    pthread_mutex_unlock(&b->lock);
    SSL_SESSION_free(oldest);
    return 1;
}

/* The newest session. One of TLS 1.3 is taken up once (RFC 8446, C.4), one of TLS 1.2 may stay. @return a reference */
static SSL_SESSION *session_take(struct tls_back *b)
{
    SSL_SESSION *session = NULL;
    pthread_mutex_lock(&b->lock);
    if (b->n_session > 0) {
        session = b->session[b->n_session - 1];
        if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION) {
            b->n_session--;
        } else if (SSL_SESSION_up_ref(session) != 1) {
            session = NULL;
        }
    }
    pthread_mutex_unlock(&b->lock);
    return session;
}

static void sessions_drop(struct tls_back *b)
{
    SSL_SESSION *all[TLS_SESSIONS];
    pthread_mutex_lock(&b->lock);
    unsigned n = b->n_session;
    memcpy(all, b->session, n * sizeof(SSL_SESSION *));
    b->n_session = 0;
    pthread_mutex_unlock(&b->lock);
    for (unsigned i = 0; i < n; i++) {
        SSL_SESSION_free(all[i]);
    }
}

/* ---- making one ------------------------------------------------------------------------------------------------- */

static bool is_ip(const char *host)
{
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(host);
    bool is = ip != NULL;
    ASN1_OCTET_STRING_free(ip);
    ERR_clear_error();
    return is;
}

/* The certificate that the configuration names, or none at all: never a connection without it. */
static int present(struct tls_back *b, const struct gw_upstream *u, const ks_snapshot *s)
{
    const ks_entry *entry[TLS_ACTIVES];
    if (u->client_certificate == NULL) {
        return 0;
    }
    size_t n = ks_actives(s, u->client_certificate, entry, TLS_ACTIVES);
    if (n == 0 || ks_entry_private_key(entry[0]) == NULL) {
        snprintf(b->why, sizeof b->why, "client-certificate %s: %s", u->client_certificate,
                 n == 0 ? "no entry is active" : "its key cannot be opened");
        return 0;
    }
    cs_copy(b->presents, sizeof b->presents, u->client_certificate);
    b->presents_n = ks_entry_n(entry[0]);
    return tls_context_present(b->context, entry, 1);
}

static int fill(struct tls_back *b, const struct gw_upstream *u, const ks_snapshot *s, cs_time now)
{
    static const unsigned char protocols[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    b->host_is_ip = is_ip(u->host);
    if (!cs_copy(b->host, sizeof b->host, u->host)) {
        return -1;
    }
    b->anchors = tls_anchors_new(s, &u->anchors, u->crl_require, now);
    b->context = SSL_CTX_new(TLS_client_method());
    if (b->anchors == NULL || b->context == NULL || tls_context_common(b->context, TLS1_2_VERSION) != 0 ||
        SSL_CTX_set_alpn_protos(b->context, protocols, sizeof protocols) != 0) {
        return -1;
    }
    SSL_CTX_set_app_data(b->context, b);
    SSL_CTX_set_verify(b->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(b->context, verify_server, b);
    SSL_CTX_set_session_cache_mode(b->context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(b->context, session_new);
    return present(b, u, s);
}

static void back_free(struct tls_back *b)
{
    sessions_drop(b);
    SSL_CTX_free(b->context);
    tls_anchors_free(b->anchors);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

struct tls_back *tls_back_new(struct tls_registry *r, const struct gw_upstream *u, char *key, char *print,
                              const ks_snapshot *s, cs_time now, cs_error *e)
{
    struct tls_back *b = calloc(1, sizeof *b);
    if (b == NULL || pthread_mutex_init(&b->lock, NULL) != 0) {
        free(b);
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for TLS of upstream %s", u->url);
        return NULL;
    }
    if (fill(b, u, s, now) != 0) {
        unsigned long code = ERR_get_error();
        const char *why = code != 0 ? ERR_reason_error_string(code) : NULL;
        cs_error_set(e, CS_EXIT_INTERNAL, "tls-upstream", "TLS for upstream %s cannot be set up: %s", u->url,
                     why != NULL ? why : "no memory");
        ERR_clear_error();
        back_free(b);
        return NULL;
    }
    tls_object_init(&b->object, r, false, key, print);
    return b;
}

struct tls_back *tls_back_ref(struct tls_back *b)
{
    atomic_fetch_add_explicit(&b->object.refs, 1, memory_order_relaxed);
    return b;
}

void tls_back_unref(struct tls_back *b)
{
    if (b != NULL && atomic_fetch_sub(&b->object.refs, 1) == 1) {
        tls_object_free(&b->object);
        back_free(b);
    }
}

SSL *tls_back_new_ssl(struct tls_back *b)
{
    SSL *ssl = SSL_new(b->context);
    if (ssl == NULL || (!b->host_is_ip && SSL_set_tlsext_host_name(ssl, b->host) != 1)) {
        SSL_free(ssl);
        ERR_clear_error();
        return NULL;
    }
    SSL_set_connect_state(ssl);
    SSL_SESSION *session = session_take(b);
    if (session != NULL) {
        SSL_set_session(ssl, session);
        SSL_SESSION_free(session);
    }
    return ssl;
}

int tls_back_judge(struct tls_back *b, SSL *ssl, const ks_snapshot *s, cs_time now)
{
    int error = judge(b, s, SSL_get0_peer_certificate(ssl), SSL_get_peer_cert_chain(ssl), now);
    if (error != X509_V_OK) {
        sessions_drop(b);
    }
    return error;
}
