/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_peer.h: who is at the other end of a client connection: its certificate with what it sent beside it, also when
 * the session was taken up again, and the last judgement about it.
 */
#ifndef GW_TLS_PEER_H
#define GW_TLS_PEER_H

#include "gateway/tls.h"

struct tls_peer {
    X509 *leaf;              /**< owned */
    STACK_OF(X509) * others; /**< owned; NULL: none */
    uint8_t sha256[32], spki_sha256[32];
    char *subject, *issuer; /**< owned; RFC 2253 in ASCII, so that they may stand in a header field */
    /* the last judgement; loop's thread only */
    uint64_t judged_by;         /**< id of the front object whose anchors were asked; 0: never judged */
    uint64_t judged_generation; /**< of the snapshot that was asked about lists, key and entry */
    cs_time judged_at, judged_until;
    int error;
    bool compromised;
    char alias[KS_WORD]; /**< its entry of role authz-client, "": it has none */
    unsigned n;
    enum ks_state state; /**< of that entry */
};

/** Who is there, once the handshake is over. @return 0: *out is the caller's (tls_peer_free), NULL: no certificate;
 *  -1 no memory, or the certificate is beyond reading */
int tls_peer_of(SSL *ssl, struct tls_peer **out) __attribute__((warn_unused_result));
void tls_peer_free(struct tls_peer *p); /**< NULL is allowed */

/** Is the certificate good now: dates, chain to the anchors of f, revocation, key? The answer is kept as long as
 * nothing that it rests on changes. @return X509_V_OK, or why not */
int tls_peer_judge(struct tls_peer *p, const struct tls_front *f, const ks_snapshot *s, cs_time now);

/** For SSL_CTX_set_session_ticket_cb(): a ticket carries the leaf by itself; what stood beside it goes with it here. */
int tls_peer_to_ticket(SSL *ssl, void *arg);
SSL_TICKET_RETURN tls_peer_from_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t n,
                                       SSL_TICKET_STATUS status, void *arg);

#endif
