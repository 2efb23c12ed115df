/* SPDX-License-Identifier: Apache-2.0 */
/* tls_front.c: what a listener presents, whom it asks, and how its sessions are taken up again. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/text.h"
#include "gateway/conn.h"
#include "gateway/gateway_private.h"
#include "gateway/tls.h"
#include "gateway/tls_peer.h"
#include "gateway/tls_ticket.h"
#include "gateway/tls_words.h"

/* ---- what it is made of ----------------------------------------------------------------------------------------- */

static void add_words(cs_buf *b, const struct gw_words *w)
{
    for (size_t i = 0; i < w->n; i++) {
        cs_buf_addf(b, " %s", w->word[i]);
    }
    cs_buf_addc(b, '\n');
}

char *tls_front_key(const char *listener, const struct gw_tls *t)
{
    cs_buf b = CS_BUF_INIT;
    cs_buf_addf(&b, "%s %s %d %d %d %d\n", listener, t->name, (int)t->client_certificate, t->minimum, t->crl_require,
                t->unknown_name_first);
    add_words(&b, &t->certificate);
    add_words(&b, &t->anchors);
    return cs_buf_take(&b, NULL);
}

/* The entries that a word of `certificate` means now. @return how many */
static size_t entries_of(const ks_snapshot *s, const char *word, const ks_entry *out[TLS_ACTIVES])
{
    char alias[KS_WORD];
    unsigned n;
    if (tls_certificate_word(word, alias, &n) != 0) {
        return 0;
    }
    if (n == 0) {
        return ks_actives(s, alias, out, TLS_ACTIVES);
    }
    out[0] = ks_entry_at(s, alias, n);
    return out[0] != NULL && ks_entry_certificate(out[0]) != NULL;
}

char *tls_front_print(const struct gw_tls *t, const ks_snapshot *s, cs_time now)
{
    cs_buf b = CS_BUF_INIT;
    cs_buf_addc(&b, '=');
    for (size_t i = 0; i < t->certificate.n; i++) {
        const ks_entry *e[TLS_ACTIVES];
        size_t n = entries_of(s, t->certificate.word[i], e);
        for (size_t k = 0; k < n; k++) {
            char hex[65];
            cs_buf_addf(&b, " %s%s", cs_hex(ks_entry_sha256(e[k]), 32, hex),
                        ks_entry_private_key(e[k]) != NULL ? "" : "-");
        }
        /* chains and keys that were stored anew under the same certificate */
        cs_buf_addf(&b, " %llx", (unsigned long long)ks_slot_version(s, t->certificate.word[i], now));
    }
    for (size_t i = 0; i < t->anchors.n; i++) {
        cs_buf_addf(&b, " %llx", (unsigned long long)ks_slot_version(s, t->anchors.word[i], now));
    }
    return cs_buf_take(&b, NULL);
}

/* ---- callbacks of OpenSSL --------------------------------------------------------------------------------------- */

static struct tls_front *front_of(SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* Does one of the certificates of a choice have the name? Wildcards count; the common name only where there is no DNS
 * name. */
static bool choice_has(const struct tls_choice *c, const char *name)
{
    for (unsigned i = 0; i < c->n; i++) {
        if (X509_check_host(c->item[i].leaf, name, 0, 0, NULL) == 1) {
            return true;
        }
    }
    return false;
}

static bool has_type(const struct tls_choice *c, const EVP_PKEY *key)
{
    for (unsigned i = 0; i < c->n; i++) {
        if (EVP_PKEY_get_base_id(c->item[i].key) == EVP_PKEY_get_base_id(key)) {
            return true;
        }
    }
    return false;
}

/* Another slot with the same name may have another key type: then the client's algorithms decide between them. */
static int add_types(const struct tls_front *f, unsigned chosen, const char *name, SSL *ssl)
{
    for (unsigned i = chosen + 1; i < f->n_choice; i++) {
        const struct tls_choice *c = &f->choice[i];
        for (unsigned k = 0; k < c->n; k++) {
            const struct tls_presented *p = &c->item[k];
            if (!has_type(&f->choice[chosen], p->key) && X509_check_host(p->leaf, name, 0, 0, NULL) == 1 &&
                SSL_use_cert_and_key(ssl, p->leaf, p->key, p->issuers, 0) != 1) {
                ERR_clear_error();
                return -1;
            }
        }
    }
    return 0;
}

/* An address is no name (RFC 6066, 3); who sends one all the same has named nobody. */
bool tls_is_name(const char *name)
{
    struct in6_addr unused;
    return name != NULL && name[0] != '\0' && inet_pton(AF_INET, name, &unused) != 1 &&
           inet_pton(AF_INET6, name, &unused) != 1;
}

static int choose_by_name(SSL *ssl, int *alert, void *arg)
{
    const struct tls_front *f = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (!tls_is_name(name)) {
        return SSL_TLSEXT_ERR_OK;
    }
    for (unsigned i = 0; i < f->n_choice; i++) {
        if (!choice_has(&f->choice[i], name)) {
            continue;
        }
        if ((i > 0 && SSL_set_SSL_CTX(ssl, f->choice[i].context) == NULL) || add_types(f, i, name, ssl) != 0) {
            *alert = SSL_AD_INTERNAL_ERROR;
            return SSL_TLSEXT_ERR_ALERT_FATAL;
        }
        return SSL_TLSEXT_ERR_OK;
    }
    if (f->unknown_name_first) {
        return SSL_TLSEXT_ERR_OK;
    }
    char why[160];
    snprintf(why, sizeof why, "no certificate has the name %.100s", name);
    conn_note(SSL_get_app_data(ssl), why);
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* HTTP/1.1 is all we speak: whoever offers other protocols only is told so in the handshake. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                           unsigned n, void *arg)
{
    static const unsigned char ours[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    unsigned char *chosen = NULL;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_n, ours, sizeof ours, in, n) != OPENSSL_NPN_NEGOTIATED) {
        conn_note(SSL_get_app_data(ssl), "the client offers other protocols than HTTP/1.1");
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                      int encrypt)
{
    struct tls_front *f = front_of(ssl);
    if (!encrypt && tls_retired(&f->object)) {
        return 0;
    }
    return tls_tickets_key(f->tickets, name, iv, cipher, mac, encrypt, cs_clock_mono_us());
}

static int verify_client(X509_STORE_CTX *ctx, void *arg)
{
    const struct tls_front *f = arg;
    const ks_snapshot *s = tls_snapshot(&f->object);
    struct tls_verdict v;
    int rc = tls_judge(f->anchors, s, X509_STORE_CTX_get0_cert(ctx), X509_STORE_CTX_get0_untrusted(ctx),
                       X509_PURPOSE_SSL_CLIENT, cs_clock_now(), &v);
    ks_snapshot_release(s);
    if (rc != 0 || v.error != X509_V_OK) {
        tls_refuse_peer(ctx, v.error != X509_V_OK ? v.error : X509_V_ERR_OUT_OF_MEM);
        return 0;
    }
    X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
}

/* ---- making one ------------------------------------------------------------------------------------------------- */

static void choice_clear(struct tls_choice *c)
{
    for (unsigned i = 0; i < c->n; i++) {
        X509_free(c->item[i].leaf);
        EVP_PKEY_free(c->item[i].key);
        sk_X509_pop_free(c->item[i].issuers, X509_free);
    }
    free(c->item);
    SSL_CTX_free(c->context);
}

static int choice_fill(struct tls_choice *c, const ks_entry *const *entry, size_t n)
{
    c->item = calloc(n, sizeof *c->item);
    for (size_t i = 0; c->item != NULL && i < n; i++) {
        EVP_PKEY *key = ks_entry_private_key(entry[i]);
        STACK_OF(X509) *issuers = ks_entry_issuers(entry[i]);
        struct tls_presented *p = &c->item[c->n];
        if (key == NULL) {
            continue;
        }
        if (X509_up_ref(ks_entry_certificate(entry[i])) != 1) {
            return -1;
        }
        c->n++;
        cs_copy(p->alias, sizeof p->alias, ks_entry_alias(entry[i]));
        p->n = ks_entry_n(entry[i]);
        p->leaf = ks_entry_certificate(entry[i]);
        if (EVP_PKEY_up_ref(key) != 1) {
            return -1;
        }
        p->key = key;
        if (issuers != NULL && (p->issuers = X509_chain_up_ref(issuers)) == NULL) {
            return -1;
        }
    }
    return c->item != NULL ? 0 : -1;
}

static int context_ask(SSL_CTX *context, struct tls_front *f, const struct gw_tls *t)
{
    STACK_OF(X509_NAME) *names = tls_anchors_names(f->anchors);
    if (names == NULL) {
        return -1;
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (gw_tls_requires(t) ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    SSL_CTX_set_cert_verify_callback(context, verify_client, f);
    return 0;
}

/* Sessions live in tickets only: nothing is kept per client, and a context's end is its sessions' end. */
static SSL_CTX *context_new(struct tls_front *f, const struct gw_tls *t, const unsigned char id[32])
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL || tls_context_common(context, t->minimum) != 0 ||
        SSL_CTX_set_session_id_context(context, id, 32) != 1 || SSL_CTX_set_num_tickets(context, 1) != 1 ||
        SSL_CTX_set_tlsext_ticket_key_evp_cb(context, ticket_key) != 1 ||
        SSL_CTX_set_session_ticket_cb(context, tls_peer_to_ticket, tls_peer_from_ticket, NULL) != 1 ||
        (f->anchors != NULL && context_ask(context, f, t) != 0)) {
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_app_data(context, f);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_tlsext_servername_callback(context, choose_by_name);
    SSL_CTX_set_tlsext_servername_arg(context, f);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    return context;
}

/* @return 0, or -1: e says why */
static int add_choice(struct tls_front *f, const struct gw_tls *t, const char *word, const unsigned char id[32],
                      const ks_snapshot *s, cs_error *e)
{
    const ks_entry *entry[TLS_ACTIVES];
    size_t n = entries_of(s, word, entry);
    struct tls_choice *c = &f->choice[f->n_choice++];
    if (n == 0 || choice_fill(c, entry, n) != 0 || c->n == 0) {
        return cs_error_set(e, CS_EXIT_CONFIG, "tls-certificate",
                            "tls %s: %s has no entry to present, or no key that can be opened", t->name, word);
    }
    c->context = context_new(f, t, id);
    if (c->context == NULL || tls_context_present(c->context, entry, n) != 0) {
        unsigned long code = ERR_get_error();
        const char *why = code != 0 ? ERR_reason_error_string(code) : NULL;
        cs_error_set(e, CS_EXIT_CONFIG, "tls-certificate", "tls %s: %s cannot be presented: %s", t->name, word,
                     why != NULL ? why : "no memory");
        ERR_clear_error();
        return -1;
    }
    return 0;
}

static void front_free(struct tls_front *f)
{
    for (unsigned i = 0; i < f->n_choice; i++) {
        choice_clear(&f->choice[i]);
    }
    free(f->choice);
    tls_anchors_free(f->anchors);
    tls_tickets_free(f->tickets);
    free(f);
}

struct tls_front *tls_front_new(struct tls_registry *r, const struct gw_tls *t, const char *listener, char *key,
                                char *print, const ks_snapshot *s, cs_time now, cs_error *e)
{
    struct tls_front *f = calloc(1, sizeof *f);
    unsigned char id[32];
    bool good = f != NULL;
    if (good) {
        cs_copy(f->listener, sizeof f->listener, listener);
        f->unknown_name_first = t->unknown_name_first;
        f->choice = calloc(t->certificate.n, sizeof *f->choice);
        f->tickets = tls_tickets_new(cs_clock_mono_us());
        f->anchors = gw_tls_asks(t) ? tls_anchors_new(s, &t->anchors, t->crl_require, now) : NULL;
        good = f->choice != NULL && f->tickets != NULL && (f->anchors != NULL || !gw_tls_asks(t)) &&
               RAND_bytes(id, sizeof id) == 1;
    }
    if (!good) {
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for tls %s", t->name);
    }
    for (size_t i = 0; good && i < t->certificate.n; i++) {
        good = add_choice(f, t, t->certificate.word[i], id, s, e) == 0;
    }
    if (!good) {
        if (f != NULL) {
            front_free(f);
        }
        return NULL;
    }
    tls_object_init(&f->object, r, true, key, print);
    return f;
}

struct tls_front *tls_front_ref(struct tls_front *f)
{
    atomic_fetch_add_explicit(&f->object.refs, 1, memory_order_relaxed);
    return f;
}

void tls_front_unref(struct tls_front *f)
{
    if (f != NULL && atomic_fetch_sub(&f->object.refs, 1) == 1) {
        tls_object_free(&f->object);
        front_free(f);
    }
}

/* What was shown to the client of ssl, NULL: nothing (yet). Borrowed from f. */
static const struct tls_presented *presented_to(const struct tls_front *f, SSL *ssl)
{
    const X509 *shown = SSL_get_certificate(ssl);
    for (unsigned i = 0; shown != NULL && i < f->n_choice; i++) {
        for (unsigned k = 0; k < f->choice[i].n; k++) {
            if (f->choice[i].item[k].leaf == shown) {
                return &f->choice[i].item[k];
            }
        }
    }
    return NULL;
}

/* Does this reason (of OpenSSL) say that the other side does not take our certificate? */
static bool refuses_ours(int reason)
{
    static const int alerts[] = {SSL_R_TLSV1_ALERT_UNKNOWN_CA,          SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
                                 SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED,
                                 SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE};
    for (size_t i = 0; i < sizeof alerts / sizeof alerts[0]; i++) {
        if (alerts[i] == reason) {
            return true;
        }
    }
    return false;
}

void tls_front_tell(const struct tls_front *f, const struct conn *c, const char *sender, bool good)
{
    const struct tls_presented *p = presented_to(f, c->ssl);
    if (p == NULL || (good && SSL_session_reused(c->ssl)) || (!good && !refuses_ours(c->reason))) {
        return;
    }
    ks_live *live = c->loop->gateway->live;
    const ks_snapshot *s = ks_live_get(live);
    ks_use(live, s, p->alias, p->n, sender, good, cs_clock_now());
    ks_snapshot_release(s);
}

SSL *tls_front_new_ssl(struct tls_front *f)
{
    SSL *ssl = SSL_new(f->choice[0].context);
    if (ssl != NULL) {
        SSL_set_accept_state(ssl);
    }
    ERR_clear_error();
    return ssl;
}
