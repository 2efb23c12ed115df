/* SPDX-License-Identifier: Apache-2.0 */
/*
 * issuer_est.c: EST (RFC 7030): the request goes by POST over TLS, certificates come back as PKCS#7. A first one under
 * a name and password, a successor under the certificate before (simplereenroll).
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/talk.h"

#define AGAIN_S 60 /* 202 without Retry-After */

/** The request as base64. @return owned by the caller, or NULL */
static char *encode(const struct ks_talk *t, size_t *n)
{
    unsigned char *der = NULL;
    int length = i2d_X509_REQ(t->request, &der);
    char *out = length > 0 ? malloc(4 * (((size_t)length + 2) / 3) + 1) : NULL;
    if (out != NULL) {
        *n = cs_base64_encode(der, (size_t)length, out);
    }
    OPENSSL_free(der);
    return out;
}

/** The reply is base64 of PKCS#7; some servers send it as it is. */
static int decode(cs_buf *reply)
{
    size_t n = 0;
    if (reply->failed || reply->len == 0) {
        return -1;
    }
    if ((unsigned char)reply->data[0] == 0x30 || strncmp(reply->data, "-----", 5) == 0) {
        return 0;
    }
    uint8_t *der = malloc(cs_base64_decoded_max(reply->len) + 1);
    int rc = der != NULL && cs_base64_decode(reply->data, reply->len, der, cs_base64_decoded_max(reply->len), &n) == 0
                 ? 0
                 : -1;
    if (rc == 0) {
        cs_buf_reset(reply);
        rc = cs_buf_add(reply, der, n);
    }
    free(der);
    return rc;
}

/** The first words of what the server says about it. */
static void tell(struct ks_talk *t, const struct ks_http *h)
{
    char said[120] = "";
    if (h->reply->len > 0 && !h->reply->failed) {
        snprintf(said, sizeof said, "%.*s", (int)(h->reply->len < 119 ? h->reply->len : 119), h->reply->data);
        ks_printable(said);
    }
    snprintf(t->text, sizeof t->text, "%.200s answered %ld%s%s", h->url, h->status, said[0] != '\0' ? ": " : "", said);
}

static enum ks_talked judge(struct ks_talk *t, const struct ks_http *h)
{
    if (h->status == 200) {
        if (decode(t->reply) == 0) {
            return KS_TALK_DONE;
        }
        snprintf(t->text, sizeof t->text, "%.200s answered what is no PKCS#7", h->url);
        return KS_TALK_NEVER;
    }
    tell(t, h);
    if (h->status == 202) {
        t->again_s = h->retry_after > 0 ? h->retry_after : AGAIN_S;
        return KS_TALK_LATER;
    }
    return h->status == 429 || h->status >= 500 ? KS_TALK_LATER : KS_TALK_NEVER;
}

enum ks_talked ks_talk_est(struct ks_talk *t)
{
    char url[sizeof t->issuer->server + 24];
    char password[KS_SECRET_MAX] = "";
    size_t n = 0;
    enum ks_talked said = KS_TALK_LATER;
    const ks_issuer *i = t->issuer;
    char *body = encode(t, &n);
    snprintf(url, sizeof url, "%s/%s", i->server, t->old != NULL ? "simplereenroll" : "simpleenroll");
    struct ks_http h = {.url = url,
                        .post_type = "application/pkcs10",
                        .accept = "application/pkcs7-mime",
                        .header = {"Content-Transfer-Encoding: base64"},
                        .body = body,
                        .body_len = n,
                        .ca_file = i->ca_file,
                        .certificate = t->old,
                        .chain = t->old_chain,
                        .key = t->old_key,
                        .timeout_ms = i->timeout_ms,
                        .stop = t->stop,
                        .reply = t->reply};
    if (body == NULL) {
        snprintf(t->text, sizeof t->text, "out of memory");
    } else if (i->user[0] != '\0' && ks_secret_read(i->password_file, password) != 0) {
        snprintf(t->text, sizeof t->text, "the password file \"%.200s\" cannot be read", i->password_file);
    } else {
        h.user = i->user[0] != '\0' ? i->user : NULL;
        h.password = password;
        if (ks_http_do(&h) == 0) {
            said = judge(t, &h);
        } else {
            snprintf(t->text, sizeof t->text, "%.160s: %.200s", url, h.text);
        }
    }
    OPENSSL_cleanse(password, sizeof password);
    free(body);
    return said;
}
