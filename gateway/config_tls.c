/* SPDX-License-Identifier: Apache-2.0 */
/* config_tls.c: second pass over TLS and authorization: aliases with their roles, and what must stand together. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "gateway/config_check.h"
#include "gateway/tls_words.h"

/* Something of the slot can be presented now. */
static bool has_usable(const ks_snapshot *s, const char *alias)
{
    const ks_entry *active[TLS_ACTIVES];
    size_t n = ks_actives(s, alias, active, TLS_ACTIVES);
    for (size_t i = 0; i < n; i++) {
        if (ks_entry_private_key(active[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static void check_certificate(struct check *ck, const struct gw_tls *t, const char *word)
{
    char alias[KS_WORD];
    unsigned n;
    if (tls_certificate_word(word, alias, &n) != 0) {
        BAD(ck, t->certificate_at, "%s is neither an alias nor an entry ALIAS#NUMBER", word);
        return;
    }
    if (!check_alias(ck, &t->certificate_at, alias, KS_TLS_SERVER)) {
        return;
    }
    const ks_entry *e = n != 0 ? ks_entry_at(ck->snapshot, alias, n) : NULL;
    if (n != 0 && (e == NULL || ks_entry_private_key(e) == NULL)) {
        BAD(ck, t->certificate_at, "%s: there is no such entry with a key that can be used", word);
    } else if (n == 0 && !has_usable(ck->snapshot, alias)) {
        BAD(ck, t->certificate_at,
            "alias %s has no active entry with a key that can be used; countersign keystore activate %s#NUMBER", alias,
            alias);
    }
}

static void check_anchors(struct check *ck, const struct gw_where *at, const struct gw_words *anchors,
                          const char *whose)
{
    for (size_t i = 0; i < anchors->n; i++) {
        if (check_alias(ck, at, anchors->word[i], KS_TRUST_ANCHOR) &&
            ks_active(ck->snapshot, anchors->word[i]) == NULL) {
            WARN(ck, *at, "alias %s has no active entry: no certificate of %s leads to it", anchors->word[i], whose);
        }
    }
}

static void check_block(struct check *ck, const struct gw_tls *t)
{
    for (const struct gw_tls *o = ck->config->tls; o != t; o = o->next) {
        if (strcmp(o->name, t->name) == 0) {
            BAD(ck, t->at, "there is a tls %s already, on line %d", t->name, o->at.line);
        }
    }
    if (t->certificate.n == 0) {
        BAD(ck, t->at, "tls %s has no certificate: name an alias of role tls-server", t->name);
    }
    for (size_t i = 0; i < t->certificate.n; i++) {
        check_certificate(ck, t, t->certificate.word[i]);
    }
    check_anchors(ck, &t->anchors_at, &t->anchors, "a client");
    bool asks = gw_tls_asks(t);
    if (asks && t->anchors.n == 0) {
        BAD(ck, t->at, "tls %s asks for client certificates, but has no client-anchors to judge them by", t->name);
    } else if (!asks && t->anchors.n > 0) {
        WARN(ck, t->anchors_at, "client-anchors of tls %s are of no use: client-certificate is none", t->name);
    }
    if (t->crl_require && !asks) {
        BAD(ck, t->at, "tls %s: crl require needs client certificates", t->name);
    }
}

/* name NULL: plain. */
static void check_block_name(struct check *ck, const struct gw_where *at, const char *name)
{
    if (name == NULL || gw_config_tls(ck->config, name) != NULL) {
        return;
    }
    const char *names[64] = {NULL};
    size_t n = 0;
    for (const struct gw_tls *t = ck->config->tls; t != NULL && n < 63; t = t->next) {
        names[n++] = t->name;
    }
    const char *near = cs_nearest(name, names);
    BAD(ck, *at, "no block tls %s%s%s%s", name, near != NULL ? "; did you mean " : "", near != NULL ? near : "",
        near != NULL ? "?" : "");
}

void check_tls(struct check *ck)
{
    for (const struct gw_tls *t = ck->config->tls; t != NULL; t = t->next) {
        check_block(ck, t);
    }
    for (const struct gw_listener *l = ck->config->listener; l != NULL; l = l->next) {
        check_block_name(ck, &l->tls_at, l->tls);
    }
    check_block_name(ck, &ck->config->admin.tls_at, ck->config->admin.tls);
}

/* ---- routes ----------------------------------------------------------------------------------------------------- */

static void check_upstream(struct check *ck, const struct gw_route *r, const struct gw_upstream *u)
{
    if (!u->tls) {
        if (u->client_certificate != NULL) {
            BAD(ck, u->client_at, "a client certificate is presented over https:// only");
        }
        if (u->anchors.n > 0 || u->crl_require) {
            BAD(ck, u->at, "anchors and crl are for an https:// upstream");
        }
        return;
    }
    if (u->anchors.n == 0) {
        BAD(ck, u->at,
            "route %s: an https:// upstream needs anchors ALIAS (role trust-anchor): without them any server "
            "would do",
            r->name);
    }
    check_anchors(ck, &u->anchors_at, &u->anchors, "the server");
    if (u->client_certificate != NULL && check_alias(ck, &u->client_at, u->client_certificate, KS_TLS_CLIENT) &&
        !has_usable(ck->snapshot, u->client_certificate)) {
        WARN(ck, u->client_at, "alias %s has no active entry with a key: requests of route %s are refused",
             u->client_certificate, r->name);
    }
}

/* Who lends our keys: for the signature or for the TLS client certificate. */
static void check_lent(struct check *ck, const struct gw_route *r, const struct gw_listener *l,
                       const struct gw_where *at, const char *does)
{
    if (r->authorize.there || l == NULL || !l->has_address) {
        return;
    }
    if (gw_address_loopback(&l->address)) {
        WARN(ck, *at, "route %s %s for whoever reaches %s", r->name, does, l->address.text);
    } else {
        BAD(ck, *at, "route %s %s for whoever reaches %s: a listener off loopback needs authorize", r->name, does,
            l->address.text);
    }
}

void check_route_tls(struct check *ck, const struct gw_route *r)
{
    const struct gw_listener *l = r->listener != NULL ? gw_config_listener(ck->config, r->listener) : NULL;
    const struct gw_tls *t = l != NULL && l->tls != NULL ? gw_config_tls(ck->config, l->tls) : NULL;
    if (r->authorize.there && l != NULL && (t == NULL || !gw_tls_asks(t))) {
        BAD(ck, r->authorize.at,
            "authorize judges client certificates, but listener %s asks for none: give it a tls "
            "block with client-anchors",
            l->name);
    }
    if (r->user_header != NULL && !r->authorize.there) {
        BAD(ck, r->user_header_at, "route %s: user-header needs authorize, else there is no user", r->name);
    }
    if (r->request.sign_alias != NULL) {
        check_lent(ck, r, l, &r->request.sign_at, "signs");
    }
    for (const struct gw_upstream *u = r->upstream; u != NULL; u = u->next) {
        check_upstream(ck, r, u);
        if (u->client_certificate != NULL) {
            check_lent(ck, r, l, &u->client_at, "presents a client certificate");
        }
    }
}
