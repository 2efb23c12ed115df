/* SPDX-License-Identifier: Apache-2.0 */
/* tls_peer.c: see tls_peer.h. */
#include "gateway/tls_peer.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* A ticket comes back with every handshake: a longer path is sent anew instead. */
#define PATH_MAX_OCTETS 8192
#define PATH_MAX_CERTS  8
#define NAME_MAX_OCTETS 2048

/* Stands in a ticket whose path did not fit; no DER begins so. */
static const unsigned char path_left_out[1] = {0};

/* ---- names and prints ------------------------------------------------------------------------------------------- */

/* RFC 2253, everything beyond ASCII escaped. @return owned by the caller, NULL: no memory, or longer than sense */
static char *name_text(const X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    char *data = NULL;
    if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) {
        long n = BIO_get_mem_data(bio, &data);
        text = n >= 0 && n <= NAME_MAX_OCTETS ? strndup(data, (size_t)n) : NULL;
    }
    BIO_free(bio);
    return text;
}

static int print_of(const X509 *x, uint8_t out[32])
{
    unsigned n = 0;
    return X509_digest(x, EVP_sha256(), out, &n) == 1 && n == 32 ? 0 : -1;
}

static int print_of_key(const X509 *x, uint8_t out[32])
{
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    int rc = n > 0 && SHA256(der, (size_t)n, out) != NULL ? 0 : -1;
    OPENSSL_free(der);
    return rc;
}

/* ---- tickets ---------------------------------------------------------------------------------------------------- */

int tls_peer_to_ticket(SSL *ssl, void *arg)
{
    unsigned char octets[PATH_MAX_OCTETS];
    unsigned char *p = octets;
    STACK_OF(X509) *others = SSL_get_peer_cert_chain(ssl);
    (void)arg;
    if (SSL_session_reused(ssl)) {
        return 1; /* what the session carries goes on */
    }
    for (int i = 0; i < sk_X509_num(others); i++) {
        int n = i2d_X509(sk_X509_value(others, i), NULL);
        if (n <= 0 || i >= PATH_MAX_CERTS || n > octets + sizeof octets - p) {
            return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), path_left_out, sizeof path_left_out);
        }
        i2d_X509(sk_X509_value(others, i), &p);
    }
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), octets, (size_t)(p - octets));
}

SSL_TICKET_RETURN tls_peer_from_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t n,
                                       SSL_TICKET_STATUS status, void *arg)
{
    void *data = NULL;
    size_t data_n = 0;
    (void)ssl;
    (void)name;
    (void)n;
    (void)arg;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) {
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
    if (SSL_SESSION_get0_ticket_appdata(session, &data, &data_n) != 1 ||
        (data_n == sizeof path_left_out && ((unsigned char *)data)[0] == path_left_out[0])) {
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

/* @return 0, or -1 */
static int push_der(STACK_OF(X509) * out, const unsigned char **p, const unsigned char *end)
{
    X509 *x = d2i_X509(NULL, p, end - *p);
    if (x == NULL || sk_X509_push(out, x) <= 0) {
        X509_free(x);
        return -1;
    }
    return 0;
}

/* What stood beside the leaf: from this handshake, or from the one that the session began with. @return 0, or -1 */
static int others_of(SSL *ssl, STACK_OF(X509) * *out)
{
    STACK_OF(X509) *sent = SSL_get_peer_cert_chain(ssl);
    void *data = NULL;
    size_t n = 0;
    *out = NULL;
    if (sk_X509_num(sent) > 0) {
        *out = X509_chain_up_ref(sent);
        return *out != NULL ? 0 : -1;
    }
    SSL_SESSION *session = SSL_session_reused(ssl) ? SSL_get0_session(ssl) : NULL;
    if (session == NULL || SSL_SESSION_get0_ticket_appdata(session, &data, &n) != 1 || n == 0) {
        return 0;
    }
    const unsigned char *p = data;
    const unsigned char *end = p + n;
    *out = sk_X509_new_null();
    while (*out != NULL && p < end) {
        if (push_der(*out, &p, end) != 0) {
            sk_X509_pop_free(*out, X509_free);
            *out = NULL;
        }
    }
    ERR_clear_error();
    return *out != NULL ? 0 : -1;
}

/* ---- the peer --------------------------------------------------------------------------------------------------- */

int tls_peer_of(SSL *ssl, struct tls_peer **out)
{
    *out = NULL;
    X509 *leaf = SSL_get1_peer_certificate(ssl);
    if (leaf == NULL) {
        return 0;
    }
    struct tls_peer *p = calloc(1, sizeof *p);
    if (p == NULL) {
        X509_free(leaf);
        return -1;
    }
    p->leaf = leaf;
    p->subject = name_text(X509_get_subject_name(leaf));
    p->issuer = name_text(X509_get_issuer_name(leaf));
    if (p->subject == NULL || p->issuer == NULL || others_of(ssl, &p->others) != 0 || print_of(leaf, p->sha256) != 0 ||
        print_of_key(leaf, p->spki_sha256) != 0) {
        tls_peer_free(p);
        return -1;
    }
    *out = p;
    return 0;
}

void tls_peer_free(struct tls_peer *p)
{
    if (p != NULL) {
        X509_free(p->leaf);
        sk_X509_pop_free(p->others, X509_free);
        free(p->subject);
        free(p->issuer);
        free(p);
    }
}

int tls_peer_judge(struct tls_peer *p, const struct tls_front *f, const ks_snapshot *s, cs_time now)
{
    if (f->anchors == NULL) {
        return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    }
    uint64_t generation = ks_snapshot_generation(s);
    if (p->judged_generation != generation) {
        p->compromised = ks_key_compromised(s, p->spki_sha256, NULL);
        const ks_entry *e = ks_client_entry(s, p->sha256, &p->state);
        cs_copy(p->alias, sizeof p->alias, e != NULL ? ks_entry_alias(e) : "");
        p->n = e != NULL ? ks_entry_n(e) : 0;
    }
    /* a clock that was set back asks anew, too */
    if (p->judged_generation != generation || p->judged_by != f->object.id || now < p->judged_at ||
        now >= p->judged_until) {
        struct tls_verdict v;
        p->judged_by = 0;
        if (tls_judge(f->anchors, s, p->leaf, p->others, X509_PURPOSE_SSL_CLIENT, now, &v) != 0) {
            return X509_V_ERR_OUT_OF_MEM;
        }
        p->judged_by = f->object.id;
        p->judged_at = now;
        p->judged_until = v.until;
        p->error = v.error;
    }
    p->judged_generation = generation;
    return p->error == X509_V_OK && p->compromised ? X509_V_ERR_CERT_REVOKED : p->error;
}
