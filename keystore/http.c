/* SPDX-License-Identifier: Apache-2.0 */
/* http.c: one HTTP exchange with a server of others. */
#include "keystore/http.h"

#include <curl/curl.h>
#include <openssl/err.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define LISTEN_MS 5000 /* an alert follows the handshake at once */
#define LOOK_MS   100  /* between two questions whether to stop */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready = CURLE_FAILED_INIT;
static int of_exchange = -1; /* a context's place for its struct ks_http */

static void start_curl(void)
{
    of_exchange = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    curl_ready = of_exchange >= 0 ? curl_global_init(CURL_GLOBAL_DEFAULT) : CURLE_FAILED_INIT;
}

bool ks_http_ready(void)
{
    pthread_once(&curl_once, start_curl);
    return curl_ready == CURLE_OK;
}

void ks_printable(char *text)
{
    for (char *p = text; *p != '\0'; p++) {
        *p = (unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p;
    }
}

int ks_secret_read(const char *path, char out[KS_SECRET_MAX])
{
    FILE *in = fopen(path, "re");
    if (in == NULL) {
        return -1;
    }
    setvbuf(in, NULL, _IONBF, 0); /* no copy of it stays in a buffer */
    size_t n = fread(out, 1, KS_SECRET_MAX - 1, in);
    bool good = ferror(in) == 0 && n > 0 && n < KS_SECRET_MAX - 1;
    fclose(in);
    out[n] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    return good ? 0 : -1;
}

/* ---- TLS ----------------------------------------------------------------------------------------------------------
 */

/** Called only where the server asks for a certificate. */
static int show_certificate(SSL *ssl, void *ctx)
{
    struct ks_http *h = ctx;
    h->asked = true;
    h->tls_spoken = SSL_get_version(ssl);
    if (h->certificate == NULL) {
        return 1;
    }
    return SSL_use_certificate(ssl, h->certificate) == 1 && SSL_use_PrivateKey(ssl, h->key) == 1 &&
                   (h->chain == NULL || SSL_set1_chain(ssl, h->chain) == 1)
               ? 1
               : 0;
}

/** What the server says when it ends a handshake; its words may come after ours is over (TLS 1.3). */
static void see_alert(const SSL *ssl, int where, int value)
{
    struct ks_http *h = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), of_exchange);
    if (h != NULL && (where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (value & 0xff) != SSL_AD_CLOSE_NOTIFY) {
        h->tls_refused = true;
        snprintf(h->text, sizeof h->text, "the server ended it: TLS alert %s", SSL_alert_desc_string_long(value));
    }
}

static CURLcode prepare_tls(CURL *curl, void *ssl_ctx, void *ctx)
{
    (void)curl;
    SSL_CTX *tls = ssl_ctx;
    struct ks_http *h = ctx;
    if (SSL_CTX_set_ex_data(tls, of_exchange, h) != 1) {
        return CURLE_OUT_OF_MEMORY;
    }
    SSL_CTX_set_info_callback(tls, see_alert);
    SSL_CTX_set_cert_cb(tls, show_certificate, h);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    if (h->anchors == NULL) {
        return CURLE_OK;
    }
    X509_STORE *store = X509_STORE_new();
    bool good = store != NULL;
    for (int i = 0; good && i < sk_X509_num(h->anchors); i++) {
        good = X509_STORE_add_cert(store, sk_X509_value(h->anchors, i)) == 1;
    }
    if (!good) {
        X509_STORE_free(store);
        return CURLE_OUT_OF_MEMORY;
    }
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    SSL_CTX_set_cert_store(tls, store);
    return CURLE_OK;
}

static long version_word(const struct ks_http *h)
{
    long least = h->tls == TLS1_3_VERSION ? CURL_SSLVERSION_TLSv1_3 : CURL_SSLVERSION_TLSv1_2;
    long most = h->tls_most == TLS1_2_VERSION   ? CURL_SSLVERSION_MAX_TLSv1_2
                : h->tls_most == TLS1_3_VERSION ? CURL_SSLVERSION_MAX_TLSv1_3
                                                : CURL_SSLVERSION_MAX_NONE;
    return least | most;
}

static bool set_tls(CURL *curl, struct ks_http *h)
{
    bool good = curl_easy_setopt(curl, CURLOPT_SSLVERSION, version_word(h)) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_SSL_SESSIONID_CACHE, 0L) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, prepare_tls) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, h) == CURLE_OK;
    if (good && h->anchors != NULL) {
        good = curl_easy_setopt(curl, CURLOPT_CAINFO, NULL) == CURLE_OK &&
               curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK;
    } else if (good && h->ca_file != NULL && h->ca_file[0] != '\0') {
        good = curl_easy_setopt(curl, CURLOPT_CAINFO, h->ca_file) == CURLE_OK &&
               curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK;
    }
    if (good && h->user != NULL) {
        good = curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) == CURLE_OK &&
               curl_easy_setopt(curl, CURLOPT_USERNAME, h->user) == CURLE_OK &&
               curl_easy_setopt(curl, CURLOPT_PASSWORD, h->password) == CURLE_OK;
    }
    return good;
}

/* ---- the exchange ---------------------------------------------------------------------------------------------------
 */

static size_t keep_reply(char *data, size_t one, size_t n, void *ctx)
{
    struct ks_http *h = ctx;
    size_t size = one * n;
    if (h->reply == NULL) {
        return size;
    }
    return h->reply->len + size <= KS_HTTP_REPLY_MAX && cs_buf_add(h->reply, data, size) == 0 ? size : 0;
}

static int asked_to_stop(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct ks_http *h = ctx;
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return h->stop.asked != NULL && h->stop.asked(h->stop.ctx);
}

static bool add_line(struct curl_slist **list, const char *name, const char *value)
{
    char line[256];
    if (value == NULL) {
        return true;
    }
    int n = snprintf(line, sizeof line, "%s%s", name, value);
    struct curl_slist *more = n > 0 && (size_t)n < sizeof line ? curl_slist_append(*list, line) : NULL;
    *list = more != NULL ? more : *list;
    return more != NULL;
}

static bool set_way(CURL *curl, struct ks_http *h, const struct curl_slist *head, char *why)
{
    bool good = curl_easy_setopt(curl, CURLOPT_URL, h->url) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)h->timeout_ms) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)h->timeout_ms) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_HTTPHEADER, head) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_reply) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_WRITEDATA, h) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, asked_to_stop) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_XFERINFODATA, h) == CURLE_OK;
    if (good && h->body != NULL) {
        good = curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
               curl_easy_setopt(curl, CURLOPT_POSTFIELDS, h->body) == CURLE_OK &&
               curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)h->body_len) == CURLE_OK;
    } else if (good && h->head) {
        good = curl_easy_setopt(curl, CURLOPT_NOBODY, 1L) == CURLE_OK;
    }
    return good && set_tls(curl, h);
}

/** A server of TLS 1.3 that refuses our certificate says so behind our handshake, and may hang up at the same time: the
 *  request then fails before anybody has read why. Connected once more, with nothing to send, one hears it. */
static void listen_for_alert(CURL *curl, struct ks_http *h)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    char octets[256];
    size_t n = 0;
    CURLcode rc = CURLE_AGAIN;
    if (curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L) != CURLE_OK || curl_easy_perform(curl) != CURLE_OK ||
        curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD) {
        ERR_clear_error();
        return;
    }
    for (int waited = 0; rc == CURLE_AGAIN && waited < LISTEN_MS && !asked_to_stop(h, 0, 0, 0, 0); waited += LOOK_MS) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        rc = poll(&p, 1, LOOK_MS) < 0 ? CURLE_RECV_ERROR : curl_easy_recv(curl, octets, sizeof octets, &n);
    }
    ERR_clear_error();
}

static void perform(CURL *curl, struct ks_http *h, const char *why)
{
    curl_off_t after = 0;
    CURLcode rc = curl_easy_perform(curl);
    ERR_clear_error();
    if (rc == CURLE_OK) {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &h->status);
        if (curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &after) == CURLE_OK && after > 0) {
            h->retry_after = after;
        }
        if (h->status == 0) {
            snprintf(h->text, sizeof h->text, "the server answered without a status");
        }
        return;
    }
    bool broken =
        rc == CURLE_SSL_CONNECT_ERROR || rc == CURLE_RECV_ERROR || rc == CURLE_SEND_ERROR || rc == CURLE_GOT_NOTHING;
    if (!h->tls_refused) {
        snprintf(h->text, sizeof h->text, "%s", why[0] != '\0' ? why : curl_easy_strerror(rc));
        ks_printable(h->text);
    }
    if (broken && h->asked && !h->tls_refused) {
        listen_for_alert(curl, h);
    }
}

int ks_http_do(struct ks_http *h)
{
    char why[CURL_ERROR_SIZE] = "";
    struct curl_slist *head = NULL;
    CURL *curl = ks_http_ready() ? curl_easy_init() : NULL;
    h->status = 0;
    h->asked = h->tls_refused = false;
    h->tls_spoken = "";
    h->retry_after = 0;
    h->text[0] = '\0';
    bool ready = curl != NULL && add_line(&head, "Content-Type: ", h->post_type) &&
                 add_line(&head, "Accept: ", h->accept) && add_line(&head, "", h->header[0]) &&
                 add_line(&head, "", h->header[1]) && add_line(&head, "User-Agent: ", "countersign") &&
                 add_line(&head, "Expect:", "") && set_way(curl, h, head, why);
    if (ready) {
        perform(curl, h, why);
    } else {
        snprintf(h->text, sizeof h->text, "the request could not be prepared");
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(head);
    return h->status != 0 ? 0 : -1;
}
