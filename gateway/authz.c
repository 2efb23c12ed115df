/* SPDX-License-Identifier: Apache-2.0 */
/* authz.c: see authz.h. */
#include "gateway/authz.h"

#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/text.h"

static void refuse(struct authz_answer *out, enum wssec_reason reason, const char *fmt, ...) CS_PRINTF(3, 4);
static void refuse(struct authz_answer *out, enum wssec_reason reason, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out->detail, sizeof out->detail, fmt, ap);
    va_end(ap);
    out->reason = reason;
}

/* One of the users that the route names, if the keystore says that the certificate stands for him. */
static const char *user_of(const struct gw_authorize *a, const struct tls_peer *peer, const ks_snapshot *s)
{
    for (size_t i = 0; i < a->user.n; i++) {
        ks_client c;
        if (ks_mapping(s, peer->sha256, a->user.word[i], &c) && c.accepted) {
            return a->user.word[i];
        }
    }
    return NULL;
}

/* Names as they stand in the certificate, in its order. @return 1 a rule fits; 0; -1 no memory */
static int names_fit(const struct gw_route *conf, const struct tls_peer *peer, const ks_snapshot *s)
{
    cs_dn *subject = cs_dn_from_name(X509_get_subject_name(peer->leaf));
    cs_dn *issuer = cs_dn_from_name(X509_get_issuer_name(peer->leaf));
    int rc = subject != NULL && issuer != NULL ? 0 : -1;
    for (const struct gw_name_rule *r = conf->authorize.rule; rc == 0 && r != NULL; r = r->next) {
        rc = cs_dn_fits(r->subject, subject) && cs_dn_fits(r->issuer, issuer);
    }
    cs_dn_free(subject);
    cs_dn_free(issuer);
    if (rc == 0) {
        int64_t row = ks_mapping_rule(s, conf->name, peer->leaf);
        rc = row > 0 ? 1 : row < 0 ? -1 : 0;
    }
    return rc;
}

/* An entry of the keystore that was taken out of use stays out, whatever rule its names fit. */
static bool taken_out(const struct tls_peer *peer)
{
    return peer->alias[0] != '\0' &&
           (peer->state == KS_SUSPENDED || peer->state == KS_COMPROMISED || peer->state == KS_ARCHIVED);
}

static void ask_rules(const struct gw_route *conf, struct tls_peer *peer, const ks_snapshot *s,
                      struct authz_answer *out)
{
    const char *user = user_of(&conf->authorize, peer, s);
    if (user != NULL) {
        cs_copy(out->user, sizeof out->user, user);
        return;
    }
    if (taken_out(peer)) {
        refuse(out, WSSEC_CLIENT_DENIED, "%s#%u is %s", peer->alias, peer->n, ks_state_word(peer->state));
        return;
    }
    int rc = names_fit(conf, peer, s);
    if (rc < 0) {
        refuse(out, WSSEC_OUT_OF_MEMORY, "no memory to compare names");
    } else if (rc > 0) {
        cs_copy(out->user, sizeof out->user, peer->subject);
    } else {
        refuse(out, WSSEC_CLIENT_DENIED, "no rule of the route fits subject %.90s issuer %.90s", peer->subject,
               peer->issuer);
    }
}

void authz_ask(const struct gw_route *conf, struct tls_peer *peer, const struct tls_front *front, const ks_snapshot *s,
               cs_time now, struct authz_answer *out)
{
    *out = (struct authz_answer){.reason = WSSEC_OK};
    if (peer == NULL) {
        if (conf->authorize.there) {
            refuse(out, WSSEC_CLIENT_CERTIFICATE, "the client has no certificate");
        }
        return;
    }
    int error = front != NULL ? tls_peer_judge(peer, front, s, now) : X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    if (error == X509_V_ERR_OUT_OF_MEM) {
        refuse(out, WSSEC_OUT_OF_MEMORY, "no memory to judge the client certificate");
    } else if (error != X509_V_OK) {
        refuse(out, WSSEC_CLIENT_CERTIFICATE, "%s", X509_verify_cert_error_string(error));
    } else if (conf->authorize.there) {
        ask_rules(conf, peer, s, out);
    }
}
