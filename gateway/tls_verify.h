/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_verify.h: whether a peer's certificate leads to our anchors now: one judgement for handshakes on both sides and
 * for every request of a client that has a certificate. Immutable once made, any thread; nothing is fetched.
 */
#ifndef GW_TLS_VERIFY_H
#define GW_TLS_VERIFY_H

#include <openssl/x509.h>

#include "gateway/config.h"

/** Anchors of one or several slots. */
struct tls_anchors;

/** @return owned by the caller (tls_anchors_free), NULL: no memory */
struct tls_anchors *tls_anchors_new(const ks_snapshot *s, const struct gw_words *alias, bool crl_require, cs_time now);
void tls_anchors_free(struct tls_anchors *a);
/** For certificate requests: the names of the anchors. @return owned by the caller, NULL: no memory */
STACK_OF(X509_NAME) * tls_anchors_names(const struct tls_anchors *a);

struct tls_verdict {
    int error;     /**< X509_V_OK, or why not (X509_verify_cert_error_string) */
    cs_time until; /**< with the same snapshot the verdict is the same before this instant */
};

/** Judge leaf as of now, with the other certificates that the peer sent (untrusted, NULL: none) on the way; the
 *  revocation lists are those of s.
 *  @param purpose X509_PURPOSE_SSL_CLIENT or X509_PURPOSE_SSL_SERVER
 *  @return 0; -1 no memory: the verdict says no then */
int tls_judge(const struct tls_anchors *a, const ks_snapshot *s, X509 *leaf, STACK_OF(X509) * others, int purpose,
              cs_time now, struct tls_verdict *out);

#endif
