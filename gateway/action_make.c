/* SPDX-License-Identifier: Apache-2.0 */
/* action_make.c: what is made of a message: without its Security header, signed, encrypted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "gateway/action_private.h"
#include "gateway/gateway_private.h"
#include "resolver/resolver.h"

bool action_remove(struct job *j, struct wssec_worker *w)
{
    struct wssec_output made;
    struct wssec_slice confirm;
    struct wssec_input in = action_input(j, &confirm);
    int rc = wssec_remove_header(w, &in, &j->verdict, &made);
    if (rc != WSSEC_RC_OK) {
        job_fail(j, action_reason(rc), "the Security header cannot be removed");
        return false;
    }
    if (job_output_take(j, &made) != 0) {
        job_fail(j, WSSEC_OUT_OF_MEMORY, "");
        return false;
    }
    return true;
}

/* What we were to make was not made. A message that was judged before keeps that verdict. */
static void made_fail(struct job *j, int rc, const struct wssec_verdict *v)
{
    job_fail(j, rc == WSSEC_RC_OK && v->reason != WSSEC_OK ? v->reason : action_reason(rc), v->detail);
    if (!j->judged) {
        j->verdict = *v;
        j->judged = true;
    }
}

/* Who the message says to come from, NULL: nobody. */
static const struct wssec_user *user_of(const struct job *j, const struct gw_actions *a, struct wssec_user *out)
{
    const struct gw_settings *settings = j->runtime->plan->settings;
    const struct ks_user *u = a->user != NULL ? settings->user(settings, a->user) : NULL;
    if (a->user == NULL) {
        return NULL;
    }
    *out = (struct wssec_user){u != NULL ? u->said : NULL, u != NULL ? u->password : NULL, a->user_text};
    return out;
}

static bool act_sign(struct job *j, struct wssec_worker *w, const struct gw_actions *a, cs_time now)
{
    struct wssec_when when = {now, now, WSSEC_TIME_NOW, true, true};
    struct wssec_recipe recipe = {.part = (const char *const *)a->part,
                                  .n_part = a->n_part,
                                  .key_reference = a->key_reference,
                                  .ttl = a->ttl,
                                  .join = j->encrypted_to[0] != '\0'};
    struct wssec_resolver keys;
    struct resolver source;
    struct wssec_output made;
    struct wssec_verdict v;
    struct wssec_slice confirm;
    struct wssec_input in = action_input(j, &confirm);
    struct wssec_user user;
    memset(&v, 0, sizeof v);
    recipe.user = user_of(j, a, &user);
    resolver_init(&keys, &source, j->runtime->snapshot, NULL, a->sign_alias);
    /* what a client says to a reply is not seen: a successor is tried with requests */
    source.signer = !j->response && j->refused_with[0] == '\0' ? ks_signer(j->runtime->snapshot, a->sign_alias) : NULL;
    (void)keyop_failed();
    int rc = wssec_sign(w, &in, &recipe, &when, &keys, &made, &v);
    if (keyop_failed()) {
        job_fail(j, WSSEC_KEY_UNAVAILABLE, "the keys process does not answer");
        return false;
    }
    if (rc != WSSEC_RC_OK || v.verdict != WSSEC_PASS) {
        made_fail(j, rc, &v);
        return false;
    }
    struct wssec_slice value = wssec_signature_value(w);
    j->confirm = malloc(value.n > 0 ? value.n : 1);
    if (j->confirm == NULL || job_output_take(j, &made) != 0) {
        job_fail(j, WSSEC_OUT_OF_MEMORY, "");
        return false;
    }
    memcpy(j->confirm, value.p, value.n);
    j->confirm_n = value.n;
    snprintf(j->signed_with, sizeof j->signed_with, "%s#%u", v.certificate.alias, v.certificate.ordinal);
    j->signed_n = v.certificate.ordinal;
    j->signed_trial = source.signer != NULL && source.signer != ks_active(j->runtime->snapshot, a->sign_alias);
    ks_use(j->gateway->live, j->runtime->snapshot, v.certificate.alias, v.certificate.ordinal, j->sender, true, now);
    if (j->request_id[0] == '\0') {
        cs_copy(j->request_id, sizeof j->request_id, v.message_id);
    }
    return true;
}

static bool act_encrypt(struct job *j, struct wssec_worker *w, const struct gw_actions *a, cs_time now)
{
    const struct gw_crypt *c = &a->crypt;
    struct wssec_when when = {now, now, WSSEC_TIME_NOW, true, true};
    struct wssec_encryption how = {.part = (const char *const *)c->part.word,
                                   .n_part = c->part.n,
                                   .key_reference = c->key_reference,
                                   .cipher = c->cipher,
                                   .transport = c->transport};
    struct wssec_resolver keys;
    struct resolver source;
    struct wssec_output made;
    struct wssec_verdict v;
    struct wssec_slice confirm;
    struct wssec_input in = action_input(j, &confirm);
    resolver_init(&keys, &source, j->runtime->snapshot, c->encrypt_to, NULL);
    int rc = wssec_encrypt(w, &in, &how, &when, &keys, &made, &v);
    if (rc != WSSEC_RC_OK || v.verdict != WSSEC_PASS) {
        made_fail(j, rc, &v);
        return false;
    }
    if (job_output_take(j, &made) != 0) {
        job_fail(j, WSSEC_OUT_OF_MEMORY, "");
        return false;
    }
    snprintf(j->encrypted_to, sizeof j->encrypted_to, "%s#%u", v.certificate.alias, v.certificate.ordinal);
    ks_use(j->gateway->live, j->runtime->snapshot, v.certificate.alias, v.certificate.ordinal, j->sender, true, now);
    return true;
}

bool action_make(struct job *j, struct wssec_worker *w, const struct gw_actions *a, cs_time now)
{
    for (unsigned i = 0; i < a->n_step; i++) {
        if (strcmp(a->step[i], "sign") == 0 && !act_sign(j, w, a, now)) {
            return false;
        }
        if (strcmp(a->step[i], "encrypt") == 0 && !act_encrypt(j, w, a, now)) {
            return false;
        }
    }
    return true;
}
