/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usertoken.c: a UsernameToken is made, or judged: a digest of nonce, Created and password, fresh and seen once, or a
 * password in the clear that came over TLS. That a signature covers it is demanded with the other parts. An unknown
 * user costs what a wrong password costs.
 */
#include "wssec/usertoken.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "wssec/keyinfo.h"
#include "wssec/times.h"
#include "wssec/worker.h"

#define UTP           WSSEC_O4 "username-token-profile-1.0"
#define BASE64_BINARY WSSEC_O4 "soap-message-security-1.0#Base64Binary"
#define USER_MAX      255
#define SECRET_MAX    256
#define NONCE_MAX     256
#define NONCE_OWN     16
#define DIGEST        20  /* SHA-1 */
#define OTHER_NODES   300 /* their clocks may differ so far */

enum child { CHILD_USERNAME, CHILD_PASSWORD, CHILD_NONCE, CHILD_CREATED, CHILDREN };

static const struct {
    const char *ns, *local;
} children[CHILDREN] = {
    {WSSEC_NS_WSSE, "Username"}, {WSSEC_NS_WSSE, "Password"}, {WSSEC_NS_WSSE, "Nonce"}, {WSSEC_NS_WSU, "Created"}};

struct token {
    xmlNodePtr node[CHILDREN];
    struct wssec_slice text[CHILDREN];
    char user[USER_MAX + 1];
    bool digest; /* the password is one */
    struct wssec_slice nonce;
    int64_t created;
};

static int refuse(struct wssec_judge *j, const char *why)
{
    return wssec_refuse(j->why, WSSEC_USERNAME_TOKEN_REFUSED, "%s", why);
}

static int take_child(struct wssec_judge *j, struct token *t, xmlNodePtr n)
{
    for (size_t i = 0; i < CHILDREN; i++) {
        if (!wssec_is(n, children[i].ns, children[i].local)) {
            continue;
        }
        if (t->node[i] != NULL) {
            return wssec_refuse(j->why, WSSEC_USERNAME_TOKEN_REFUSED, "%s stands twice", children[i].local);
        }
        t->node[i] = n;
        t->text[i].p = (const uint8_t *)wssec_text(n, &t->text[i].n);
        if (t->text[i].p == NULL || t->text[i].n == 0) {
            return wssec_refuse(j->why, WSSEC_USERNAME_TOKEN_REFUSED, "%s is empty or no text", children[i].local);
        }
        return 0;
    }
    return wssec_refuse(j->why, WSSEC_USERNAME_TOKEN_REFUSED, "it holds %.32s, which is not supported", n->name);
}

static int read_password_type(struct wssec_judge *j, struct token *t)
{
    const xmlChar *type = wssec_attr(t->node[CHILD_PASSWORD], NULL, "Type");
    t->digest = type != NULL && xmlStrEqual(type, BAD_CAST UTP "#PasswordDigest");
    if (type != NULL && !t->digest && !xmlStrEqual(type, BAD_CAST UTP "#PasswordText")) {
        return refuse(j, "the Type of Password is neither PasswordDigest nor PasswordText");
    }
    if (t->digest && (t->node[CHILD_NONCE] == NULL || t->node[CHILD_CREATED] == NULL)) {
        return refuse(j, "a digest without Nonce and Created could be sent again and again");
    }
    if (!t->digest && !j->input->over_tls) {
        return refuse(j, "a password in the clear is taken over TLS only");
    }
    return 0;
}

static int read_nonce(struct wssec_judge *j, struct token *t, int *rc)
{
    const xmlNode *n = t->node[CHILD_NONCE];
    const xmlChar *coding = n != NULL ? wssec_attr(n, NULL, "EncodingType") : NULL;
    if (n == NULL) {
        return 0;
    }
    if (coding != NULL && !xmlStrEqual(coding, BAD_CAST BASE64_BINARY)) {
        return refuse(j, "the EncodingType of Nonce is not Base64Binary");
    }
    t->nonce = wssec_base64_content(&j->worker->arena, n, NONCE_MAX, rc);
    return t->nonce.p != NULL || *rc != WSSEC_RC_OK ? 0 : refuse(j, "Nonce is not base64, or too long");
}

static int judge_created(struct wssec_judge *j, struct token *t)
{
    const struct wssec_slice *text = &t->text[CHILD_CREATED];
    const struct wssec_policy *p = j->policy;
    int64_t now = j->when->freshness ? j->when->now : j->when->at;
    if (t->node[CHILD_CREATED] == NULL) {
        return 0;
    }
    if (wssec_datetime_parse((const char *)text->p, text->n, &t->created) != 0) {
        return refuse(j, "Created is not an xsd:dateTime in UTC (Z or +00:00)");
    }
    bool late = now > t->created + p->ttl + p->skew;
    bool early = t->created > now + p->skew;
    if ((late || early) && j->when->freshness) {
        return wssec_refuse(j->why, WSSEC_USERNAME_TOKEN_REFUSED, "Created is %lld s %s, allowed are %lld s",
                            (long long)(late ? now - t->created : t->created - now), late ? "ago" : "ahead",
                            (long long)(late ? p->ttl + p->skew : p->skew));
    }
    if (late || early) {
        wssec_note(j->verdict, "username-token-%s", late ? "late" : "ahead");
    }
    return 0;
}

static int read_token(struct wssec_judge *j, xmlNodePtr node, struct token *t, int *rc)
{
    if (!wssec_element_content(node, true)) {
        return refuse(j, "text stands between its children");
    }
    for (xmlNodePtr n = wssec_first_element(node); n != NULL; n = wssec_next_element(n)) {
        if (take_child(j, t, n) != 0) {
            return -1;
        }
    }
    if (t->node[CHILD_USERNAME] == NULL || t->node[CHILD_PASSWORD] == NULL) {
        return refuse(j, "Username or Password is missing");
    }
    if (t->text[CHILD_USERNAME].n > USER_MAX) {
        return refuse(j, "Username is too long");
    }
    memcpy(t->user, t->text[CHILD_USERNAME].p, t->text[CHILD_USERNAME].n);
    return read_password_type(j, t) == 0 && read_nonce(j, t, rc) == 0 && *rc == WSSEC_RC_OK && judge_created(j, t) == 0
               ? 0
               : -1;
}

/* SHA-1(nonce + Created + password) by the profile. @return 0, or -1 */
static int digest_of(struct wssec_slice nonce, struct wssec_slice created, const char *secret, uint8_t out[DIGEST])
{
    const struct wssec_slice part[] = {nonce, created, {(const uint8_t *)secret, strlen(secret)}};
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool good = md != NULL && EVP_DigestInit_ex(md, EVP_sha1(), NULL) == 1;
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
        good = good && EVP_DigestUpdate(md, part[i].p, part[i].n) == 1;
    }
    good = good && EVP_DigestFinal_ex(md, out, NULL) == 1;
    EVP_MD_CTX_free(md);
    return good ? 0 : -1;
}

/* The clear text is compared by its SHA-256, so that lengths tell nothing. @return 1: it fits, 0: it does not, -1:
 * failure */
static int compare(const struct token *t, const struct wssec_slice *said, const char *secret)
{
    uint8_t own[32];
    uint8_t other[32];
    bool good = false;
    if (t->digest) {
        good = digest_of(t->nonce, t->text[CHILD_CREATED], secret, own) == 0;
    } else {
        good = EVP_Digest(secret, strlen(secret), own, NULL, EVP_sha256(), NULL) == 1 &&
               EVP_Digest(said->p, said->n, other, NULL, EVP_sha256(), NULL) == 1;
    }
    int fits = !good       ? -1
               : t->digest ? said->n == DIGEST && CRYPTO_memcmp(own, said->p, DIGEST) == 0
                           : CRYPTO_memcmp(own, other, sizeof own) == 0;
    OPENSSL_cleanse(own, sizeof own);
    return fits;
}

static int judge_password(struct wssec_judge *j, const struct token *t)
{
    char secret[SECRET_MAX] = "";
    int rc = WSSEC_RC_OK;
    struct wssec_slice said = t->text[CHILD_PASSWORD];
    if (t->digest) {
        said = wssec_base64_content(&j->worker->arena, t->node[CHILD_PASSWORD], DIGEST, &rc);
    }
    int known = rc == WSSEC_RC_OK ? j->resolver->password(j->resolver->ctx, t->user, secret, sizeof secret) : 0;
    int fits = rc == WSSEC_RC_OK ? compare(t, &said, secret) : 0;
    OPENSSL_cleanse(secret, sizeof secret);
    if (rc == WSSEC_RC_OK && (known < 0 || fits < 0)) {
        rc = WSSEC_RC_INTERNAL;
    }
    if (rc == WSSEC_RC_OK && (known == 0 || fits == 0 || said.p == NULL)) {
        (void)wssec_refuse(j->why, WSSEC_USERNAME_TOKEN_REFUSED,
                           known == 0 ? "user \"%.64s\" is not known" : "the password of user \"%.64s\" does not fit",
                           t->user);
    }
    return rc;
}

static int remember(const struct wssec_judge *j, const struct token *t, struct wssec_user_token *out)
{
    static const char what[] = "UsernameToken";
    EVP_MD_CTX *md = t->nonce.p != NULL ? EVP_MD_CTX_new() : NULL;
    if (t->nonce.p == NULL) {
        return WSSEC_RC_OK;
    }
    bool good = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(md, what, sizeof what) == 1 &&
                EVP_DigestUpdate(md, t->user, strlen(t->user) + 1) == 1 &&
                EVP_DigestUpdate(md, t->nonce.p, t->nonce.n) == 1 && EVP_DigestFinal_ex(md, out->nonce_key, NULL) == 1;
    EVP_MD_CTX_free(md);
    out->has_nonce = good;
    out->nonce_until = (t->created != 0 ? t->created : j->when->now) + j->policy->ttl + j->policy->skew + OTHER_NODES;
    return good ? WSSEC_RC_OK : WSSEC_RC_NOMEM;
}

int wssec_user_token_judge(struct wssec_judge *j, const struct wssec_security *s, struct wssec_user_token *out)
{
    struct token t = {.created = 0};
    int rc = WSSEC_RC_OK;
    *out = (struct wssec_user_token){.has_nonce = false};
    if (s->username == NULL || j->resolver->password == NULL) {
        return WSSEC_RC_OK; /* that there is one is for require-signed to say */
    }
    if (s->n_username > 1) {
        (void)refuse(j, "the Security header holds more than one UsernameToken");
        return WSSEC_RC_OK;
    }
    if (read_token(j, s->username, &t, &rc) == 0) {
        rc = judge_password(j, &t);
    }
    if (rc == WSSEC_RC_OK && j->why->reason == WSSEC_OK) {
        rc = remember(j, &t, out);
        (void)cs_copy(j->verdict->user, sizeof j->verdict->user, t.user);
        wssec_explain_add(j->explain, "username-token", true, "user \"%.64s\", %s", t.user,
                          t.digest ? "digest" : "text over TLS");
    }
    return rc;
}

int wssec_user_token_write(const struct wssec_user *user, int64_t created, const char *id, cs_buf *out,
                           struct wssec_refusal *why)
{
    uint8_t nonce[NONCE_OWN];
    uint8_t digest[DIGEST];
    char stamp[CS_TIME_TEXT];
    char text[4 * ((DIGEST + 2) / 3) + 1];
    (void)cs_time_format(created, stamp);
    if (user->name == NULL || user->name[0] == '\0' || strlen(user->name) > USER_MAX || user->password == NULL ||
        strlen(user->password) >= SECRET_MAX) {
        (void)wssec_refuse(why, WSSEC_POLICY_NOT_EVALUABLE, "no user name, or one that is too long, or no password");
        return WSSEC_RC_OK;
    }
    if (RAND_bytes(nonce, sizeof nonce) != 1 ||
        digest_of((struct wssec_slice){nonce, sizeof nonce},
                  (struct wssec_slice){(const uint8_t *)stamp, strlen(stamp)}, user->password, digest) != 0) {
        return WSSEC_RC_INTERNAL;
    }
    (void)cs_buf_addf(out, "<wsse:UsernameToken wsu:Id=\"%s\"><wsse:Username>", id);
    wssec_xml_escape(user->name, out);
    (void)cs_buf_addf(out, "</wsse:Username><wsse:Password Type=\"" UTP "#Password%s\">",
                      user->text ? "Text" : "Digest");
    if (user->text) {
        wssec_xml_escape(user->password, out);
    } else {
        (void)cs_base64_encode(digest, sizeof digest, text);
        (void)cs_buf_adds(out, text);
    }
    (void)cs_base64_encode(nonce, sizeof nonce, text);
    (void)cs_buf_addf(out,
                      "</wsse:Password><wsse:Nonce EncodingType=\"" BASE64_BINARY "\">%s</wsse:Nonce>"
                      "<wsu:Created>%s</wsu:Created></wsse:UsernameToken>",
                      text, stamp);
    return out->failed ? WSSEC_RC_NOMEM : WSSEC_RC_OK;
}
