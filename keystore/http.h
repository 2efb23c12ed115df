/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.h: one HTTP exchange with a server of others, by libcurl: enrolment, probes. Proxies of the environment and
 * redirects are not followed: who is asked stands in the configuration. Blocks up to its time limit; any thread.
 */
#ifndef KS_HTTP_H
#define KS_HTTP_H

#include <openssl/ssl.h>

#include "keystore/keystore.h"

#define KS_HTTP_REPLY_MAX (1024 * 1024)
#define KS_SECRET_MAX     1024

/** Asked now and then while a server is waited for. */
typedef struct ks_stop {
    bool (*asked)(void *ctx); /**< true gives the work up; NULL: never */
    void *ctx;
} ks_stop;

/** What is asked for, and what came back. All pointers are borrowed. */
struct ks_http {
    const char *url;
    const char *post_type, *accept; /**< Content-Type of body, and Accept; NULL: none */
    const char *header[2];          /**< more lines of the head; NULL: none */
    const void *body;               /**< NULL: a GET, or a HEAD */
    size_t body_len;
    bool head;
    const char *user, *password; /**< HTTP authentication over TLS alone; NULL: none */
    const char *ca_file;         /**< PEM; NULL or "": the system's authorities */
    STACK_OF(X509) * anchors;    /**< taken instead of ca_file; NULL: none */
    const char *host;            /**< name that the server's certificate must have; NULL: that of the URL */
    X509 *certificate;           /**< shown when the server asks for one; NULL: none */
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
    int tls;      /**< lowest version, TLS1_2_VERSION at least; 0: that */
    int tls_most; /**< 0: any */
    int64_t timeout_ms;
    ks_stop stop;
    /* out */
    long status;            /**< 0: no answer */
    bool asked;             /**< the server asked for a certificate */
    const char *tls_spoken; /**< "TLSv1.3", known where it asked; "" not; static */
    bool tls_refused;       /**< the server ended it by an alert of TLS */
    int64_t retry_after;    /**< seconds; 0: not said */
    cs_buf *reply;          /**< to be filled; NULL: not wanted */
    char text[256];         /**< why there is no answer; "" there is one */
};

/** @return 0 there is an answer (status), or -1 with text filled */
int ks_http_do(struct ks_http *h) CS_MUST_CHECK;
/** First line of a file that holds a secret, without its end; the caller wipes out. @return 0, or -1 */
int ks_secret_read(const char *path, char out[KS_SECRET_MAX]) CS_MUST_CHECK;
/** libcurl is ready for use. Any thread. */
bool ks_http_ready(void);
/** Control characters that a server's words may bring become blanks. */
void ks_printable(char *text);

#endif
