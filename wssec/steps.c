/* SPDX-License-Identifier: Apache-2.0 */
/* steps.c: see steps.h. Only this file turns the absence of a refusal into a pass, and it does so at one place. */
#include "wssec/steps.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "wssec/bsp.h"
#include "wssec/confirm.h"
#include "wssec/dom.h"
#include "wssec/open.h"

#define FAULT_MAX ((size_t)65536)

/* ---- the work -------------------------------------------------------------------------------------------------- */

void wssec_verdict_begin(struct wssec_verdict *v, const struct wssec_policy *p, const struct wssec_when *t,
                         const struct wssec_resolver *r)
{
    memset(v, 0, sizeof *v);
    v->t = t->at;
    v->time_source = t->source;
    v->generation = r->generation;
    v->engine = WSSEC_ENGINE_DOM;
    (void)cs_copy(v->policy, sizeof v->policy, wssec_policy_name(p));
}

struct wssec_work *wssec_work_new(const struct wssec_judge *as, struct wssec_message *m)
{
    struct wssec_work *k = wssec_arena_take(&as->worker->arena, sizeof *k);
    if (k != NULL) {
        struct wssec_judge *j = &k->judge;
        *j = *as;
        k->whole = as->input;
        j->message = m;
        j->reader = (struct wssec_key_reader){.arena = &as->worker->arena,
                                              .message = m,
                                              .package = as->package,
                                              .policy = as->policy,
                                              .at = as->when->at,
                                              .legacy = &j->legacy,
                                              .why = as->why,
                                              .tokens = &as->worker->tokens};
    }
    return k;
}

void wssec_work_again(const struct wssec_judge *as, size_t explained)
{
    if (as->explain != NULL) {
        as->explain->n = explained;
    }
    *as->why = (struct wssec_refusal){WSSEC_OK, ""};
    wssec_verdict_begin(as->verdict, as->policy, as->when, as->resolver);
}

bool wssec_nobody_signed(const struct wssec_refusal *why)
{
    return why->reason == WSSEC_SIGNATURE_MISMATCH || why->reason == WSSEC_CERTIFICATE_UNKNOWN;
}

/* ---- steps ----------------------------------------------------------------------------------------------------- */

/* The one door for a message without signature: a reply that says "fault", as the policy allows it. */
static bool is_unsigned_fault(const struct wssec_work *k)
{
    const struct wssec_judge *j = &k->judge;
    return (j->policy->allow & WSSEC_ALLOW_UNSIGNED_FAULTS) != 0 && j->input->response &&
           j->input->http_status >= 400 && j->message->security == NULL && j->message->is_fault &&
           j->message->scan.octets <= FAULT_MAX && (j->package == NULL || j->package->mime.n_part == 1);
}

size_t wssec_input_octets(const struct wssec_input *in)
{
    size_t n = 0;
    for (size_t i = 0; i < in->n_slice; i++) {
        n = in->slice[i].n < SIZE_MAX - n ? n + in->slice[i].n : SIZE_MAX;
    }
    return n;
}

bool wssec_may_be_unsigned_fault(const struct wssec_work *k)
{
    return (k->judge.policy->allow & WSSEC_ALLOW_UNSIGNED_FAULTS) != 0 && k->judge.message->security == NULL;
}

int wssec_step_message(struct wssec_work *k)
{
    struct wssec_judge *j = &k->judge;
    bool head = j->input != k->whole;
    /* who wants an explanation gets line numbers, which libxml2 alone keeps */
    int rc = head && j->walk != NULL && j->explain == NULL
                 ? wssec_message_read_front(j->worker, j->input, j->policy, j->message, j->why)
                 : wssec_message_read(j->worker, j->input, j->policy, j->message, j->why);
    if (rc == WSSEC_RC_OK && !wssec_work_stopped(k) && !head) {
        rc = wssec_xop_expand(j);
    }
    j->verdict->soap = j->message->soap;
    j->verdict->is_fault = j->message->is_fault;
    j->verdict->security = j->message->security_at;
    j->verdict->header = j->message->header_at;
    if (rc == WSSEC_RC_OK && !wssec_work_stopped(k)) {
        char octets[40] = ""; /* of a message that is still coming nobody knows */
        if (k->whole->n_slice != 0) {
            snprintf(octets, sizeof octets, "%zu octets, ", wssec_input_octets(k->whole));
        }
        wssec_explain_add(j->explain, "message", true, "SOAP 1.%d, %s%zu ids%s", j->message->soap % 10, octets,
                          j->message->ids.n, head ? " in front of the content of Body" : "");
    }
    return rc;
}

int wssec_step_security(struct wssec_work *k)
{
    struct wssec_judge *j = &k->judge;
    struct wssec_security *s = &k->security;
    if (j->message->security == NULL) {
        (void)wssec_refuse(j->why, WSSEC_NO_SECURITY, "the message has no Security header of our role");
        return WSSEC_RC_OK;
    }
    if (wssec_security_read(j->message, j->policy->limits.signatures, s, j->why) != 0) {
        return WSSEC_RC_OK;
    }
    if (s->n_signature == 0) {
        (void)wssec_refuse(j->why,
                           s->encrypted != NULL && j->opening == NULL ? WSSEC_NO_DECRYPTION_KEY : WSSEC_NO_SIGNATURE,
                           "the Security header holds no readable Signature");
        return WSSEC_RC_OK;
    }
    if (wssec_timestamp_read(s, &k->timestamp, j->why) == 0) {
        wssec_explain_add(j->explain, "security", true, "our Security header holds %u Signature(s)%s", s->n_signature,
                          s->timestamp != NULL ? " and a Timestamp" : "");
    }
    return WSSEC_RC_OK;
}

int wssec_step_shape(struct wssec_work *k)
{
    struct wssec_judge *j = &k->judge;
    bool opened = j->opening != NULL && j->opening->began;
    for (unsigned i = 0; i < k->security.n_signature; i++) {
        struct wssec_signed *s = wssec_arena_take(&j->worker->arena, sizeof *s);
        if (s == NULL) {
            return WSSEC_RC_NOMEM;
        }
        int rc = wssec_siginfo_read(&j->reader, k->security.signature[i], &s->info);
        if (rc == WSSEC_RC_OK && j->why->reason == WSSEC_REFERENCE_UNRESOLVED && k->security.encrypted_first &&
            !opened) {
            wssec_security_sealed(&k->security, j->why);
        }
        if (rc != WSSEC_RC_OK || wssec_work_stopped(k)) {
            return rc;
        }
        k->signature[k->n++] = s;
        wssec_explain_add(j->explain, "signature-shape", true, "%s, %s, %u reference(s)", s->info.algorithm->word,
                          s->info.c14n->word, s->info.n_reference);
    }
    if (k->security.encrypted_first && !opened) {
        wssec_security_sealed(&k->security, j->why);
    } else if (k->security.encrypted != NULL && j->opening == NULL) {
        wssec_note(j->verdict, "encrypted-content");
    }
    return WSSEC_RC_OK;
}

static void show_references(struct wssec_work *k, const struct wssec_signed *s)
{
    struct wssec_verdict *v = k->judge.verdict;
    v->n_reference = 0;
    for (unsigned i = 0; i < s->info.n_reference && i < WSSEC_MAX_REFERENCES; i++) {
        struct wssec_reference_result *r = &v->reference[v->n_reference++];
        (void)cs_copy(r->uri, sizeof r->uri, (const char *)s->info.reference[i].uri);
        (void)cs_copy(r->digest, sizeof r->digest, s->info.reference[i].digest->word);
        r->judged = s->source[i].judged;
        r->ok = s->source[i].ok;
    }
}

static void show_signature(struct wssec_work *k, const struct wssec_signed *s)
{
    struct wssec_verdict *v = k->judge.verdict;
    (void)cs_copy(v->algorithm, sizeof v->algorithm, s->info.algorithm->word);
    (void)cs_copy(v->canonicalization, sizeof v->canonicalization, s->info.c14n->word);
    v->key_reference = s->signer.name.hint.kind;
    v->has_certificate = s->signer.matched != NULL;
    if (v->has_certificate) {
        wssec_certificate_fill(&v->certificate, s->signer.matched);
    }
    show_references(k, s);
}

/* What identifies this signature for the replay cache: the signer's key and what it signed, nothing that can be varied.
 */
static int replay_key(struct wssec_work *k, struct wssec_signed *s)
{
    EVP_MD_CTX *md = k->judge.worker->md;
    const cs_buf *text = &k->judge.worker->signed_info;
    const struct wssec_entry *e = s->signer.matched;
    if (EVP_DigestInit_ex(md, wssec_md("SHA256"), NULL) != 1 ||
        EVP_DigestUpdate(md, e->spki_sha256, sizeof e->spki_sha256) != 1 ||
        EVP_DigestUpdate(md, text->data, text->len) != 1 || EVP_DigestFinal_ex(md, s->replay_key, NULL) != 1) {
        return WSSEC_RC_NOMEM;
    }
    return WSSEC_RC_OK;
}

static bool covers_timestamp(const struct wssec_work *k, const struct wssec_signed *s)
{
    for (unsigned i = 0; i < s->info.n_reference; i++) {
        if (k->timestamp.node != NULL && s->info.reference[i].target == k->timestamp.node) {
            return true;
        }
    }
    return false;
}

int wssec_step_signer(struct wssec_work *k, struct wssec_signed *s)
{
    struct wssec_judge *j = &k->judge;
    int rc = wssec_signer_find(j, &s->info, &s->signer);
    if (s->signer.unknown_successor) {
        wssec_note(j->verdict, "unknown-successor");
    }
    if (rc != WSSEC_RC_OK || wssec_work_stopped(k)) {
        show_signature(k, s);
        return rc;
    }
    const struct wssec_entry *e = s->signer.matched;
    wssec_explain_add(j->explain, "key-reference", true, "%s: %d candidate(s)",
                      wssec_keyref_word(s->signer.name.hint.kind), s->signer.n);
    wssec_explain_add(j->explain, "signed-info", true, "the signature over SignedInfo fits the key of %.64s#%u",
                      e->alias, e->ordinal);
    rc = replay_key(k, s);
    if (rc == WSSEC_RC_OK) {
        rc = wssec_signer_judge(j, &s->signer, covers_timestamp(k, s) ? k->timestamp.created : 0);
    }
    if (rc == WSSEC_RC_OK && !wssec_work_stopped(k)) {
        wssec_explain_add(j->explain, "certificate", true, "%.64s#%u is %s and within its dates", e->alias, e->ordinal,
                          wssec_state_word(e->state));
    }
    show_signature(k, s);
    return rc;
}

static void explain_references(struct wssec_work *k, const struct wssec_signed *s)
{
    struct wssec_judge *j = &k->judge;
    for (unsigned i = 0; i < s->info.n_reference && j->explain != NULL; i++) {
        char path[128];
        const struct wssec_reference *r = &s->info.reference[i];
        if (s->source[i].judged && r->named) {
            wssec_explain_add(j->explain, "reference", s->source[i].ok, "%.80s -> file: %s digest %s", r->uri,
                              r->digest->word, s->source[i].ok ? "fits" : "differs");
        } else if (s->source[i].judged && r->target == NULL) {
            wssec_explain_add(j->explain, "reference", s->source[i].ok,
                              "%.80s -> part %zu of the package: %s digest %s", r->uri, r->attachment + 1,
                              r->digest->word, s->source[i].ok ? "fits" : "differs");
        } else if (s->source[i].judged) {
            wssec_explain_add(j->explain, "reference", s->source[i].ok, "%.80s -> %s (line %ld): %s digest %s", r->uri,
                              wssec_path(r->target, path, sizeof path), xmlGetLineNo(r->target), r->digest->word,
                              s->source[i].ok ? "fits" : "differs");
        }
    }
}

void wssec_step_compared(struct wssec_work *k, const struct wssec_signed *s)
{
    show_references(k, s);
    explain_references(k, s);
}

static int step_references(struct wssec_work *k, struct wssec_signed *s)
{
    int rc = wssec_dom_references(&k->judge, &s->info, &s->signer, s->source);
    wssec_step_compared(k, s);
    return rc;
}

static int step_signatures(struct wssec_work *k)
{
    for (unsigned i = 0; i < k->n; i++) {
        struct wssec_signed *s = k->signature[i];
        int rc = wssec_step_signer(k, s);
        if (rc == WSSEC_RC_OK && !wssec_work_stopped(k)) {
            rc = step_references(k, s);
        }
        if (rc != WSSEC_RC_OK || wssec_work_stopped(k)) {
            return rc;
        }
        k->cover[i] = (struct wssec_cover){&s->info, &s->signer, s->source};
    }
    return WSSEC_RC_OK;
}

static void step_coverage(struct wssec_work *k)
{
    struct wssec_judge *j = &k->judge;
    if (wssec_cover_judge(j, &k->security, k->cover, k->n, &k->decisive) == 0) {
        show_signature(k, k->signature[k->decisive]);
        if (k->timestamp.node != NULL && wssec_covers(&k->cover[k->decisive], k->timestamp.node)) {
            j->verdict->claimed = k->timestamp.created;
        }
    }
    wssec_cover_report(j, &k->cover[k->decisive]);
}

static void step_confirmation(struct wssec_work *k)
{
    struct wssec_judge *j = &k->judge;
    size_t confirmed = 0;
    if (wssec_confirm_judge(j, &k->cover[k->decisive], &confirmed) == 0 && confirmed > 0) {
        wssec_explain_add(j->explain, "confirmation", true, "the reply confirms %zu signature(s) of its request",
                          confirmed);
    }
}

static void step_time(struct wssec_work *k)
{
    struct wssec_judge *j = &k->judge;
    if (wssec_timestamp_judge(j, &k->timestamp) == 0) {
        wssec_explain_add(j->explain, "timestamp", true,
                          k->timestamp.node != NULL ? "lifetime and age are within the policy"
                                                    : "none, and none is demanded");
    }
}

/* Every signature is claimed: a copy with one of two signatures removed is a replay too. */
static void claim_all(struct wssec_work *k, const struct wssec_replay *c)
{
    struct wssec_judge *j = &k->judge;
    struct wssec_verdict *v = j->verdict;
    v->has_replay_key = true;
    memcpy(v->replay_key, k->signature[k->decisive]->replay_key, sizeof v->replay_key);
    v->replay_until = wssec_replay_until(j, &k->timestamp);
    if (c == NULL || !j->when->replay || !j->policy->replay) {
        return;
    }
    if (k->timestamp.node == NULL || v->claimed == 0) {
        wssec_note(v, "no-freshness");
    }
    for (unsigned i = 0; i < k->n; i++) {
        if (!wssec_replay_claim(j, c, k->signature[i]->replay_key, v->replay_until, "this signature")) {
            return;
        }
    }
    if (k->user.has_nonce &&
        !wssec_replay_claim(j, c, k->user.nonce_key, k->user.nonce_until, "the nonce of this UsernameToken")) {
        return;
    }
    wssec_explain_add(j->explain, "replay", true, "not seen before");
}

void wssec_step_replay(struct wssec_work *k, const struct wssec_replay *c)
{
    claim_all(k, c);
    k->passed = !wssec_work_stopped(k);
}

static void step_bsp(struct wssec_work *k)
{
    wssec_bsp_judge(&k->judge);
}

int wssec_steps_last(struct wssec_work *k)
{
    int rc = WSSEC_RC_OK;
    static void (*const last[])(struct wssec_work *) = {step_coverage, step_time, step_confirmation, step_bsp};
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++) {
        last[i](k);
        if (wssec_work_stopped(k)) {
            return rc;
        }
    }
    rc = wssec_user_token_judge(&k->judge, &k->security, &k->user);
    if (rc == WSSEC_RC_OK && !wssec_work_stopped(k) && k->judge.opening != NULL) {
        rc = k->judge.opening->behind(k->judge.opening, &k->judge, &k->cover[k->decisive]);
    }
    return rc;
}

int wssec_steps_all(struct wssec_work *k, const struct wssec_replay *c)
{
    int rc = wssec_step_message(k);
    if (rc != WSSEC_RC_OK || wssec_work_stopped(k)) {
        return rc;
    }
    if (is_unsigned_fault(k)) {
        wssec_note(k->judge.verdict, "unsigned-fault");
        k->passed = true;
        return WSSEC_RC_OK;
    }
    static int (*const steps[])(struct wssec_work *) = {wssec_step_security, wssec_step_shape, step_signatures};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        rc = steps[i](k);
        if (rc != WSSEC_RC_OK || wssec_work_stopped(k)) {
            return rc;
        }
    }
    rc = wssec_steps_last(k);
    if (rc == WSSEC_RC_OK && !wssec_work_stopped(k)) {
        wssec_step_replay(k, c);
    }
    return rc;
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

/* Whoever reads the record learns that this message passes by an exception only, and until when. */
void wssec_exceptions_show(struct wssec_verdict *v, const struct wssec_policy *p, unsigned legacy)
{
    for (enum wssec_legacy l = 0; l < WSSEC_LEGACIES; l++) {
        if ((legacy & 1u << l) != 0 && v->n_legacy < sizeof v->legacy / sizeof v->legacy[0]) {
            char text[CS_TIME_TEXT];
            (void)cs_time_format(p->legacy_end[l], text);
            (void)cs_copy(v->legacy[v->n_legacy++], sizeof v->legacy[0], wssec_legacy_word(l));
            wssec_note(v, "legacy %s until %s", wssec_legacy_word(l), text);
        }
    }
}

static void show_extras(struct wssec_work *k)
{
    struct wssec_verdict *v = k->judge.verdict;
    const struct wssec_opening *o = k->judge.opening;
    EVP_MD_CTX *md = k->judge.worker->md;
    wssec_exceptions_show(v, k->judge.policy, k->judge.legacy | (o != NULL ? o->legacy : 0));
    for (unsigned i = 0; i < k->n; i++) {
        const struct wssec_slice *s = &k->signature[i]->info.value;
        if (v->n_signature_values < sizeof v->signature_value_sha256 / sizeof v->signature_value_sha256[0] &&
            EVP_DigestInit_ex(md, wssec_md("SHA256"), NULL) == 1 && EVP_DigestUpdate(md, s->p, s->n) == 1 &&
            EVP_DigestFinal_ex(md, v->signature_value_sha256[v->n_signature_values], NULL) == 1) {
            v->n_signature_values++;
        }
    }
    v->n_signatures = k->security.n_signature;
}

int wssec_work_finish(struct wssec_work *k, int rc, struct wssec_refusal *why)
{
    struct wssec_verdict *v = k->judge.verdict;
    if (rc != WSSEC_RC_NOMEM && wssec_library_failed()) {
        rc = WSSEC_RC_NOMEM;
    }
    if (rc == WSSEC_RC_NOMEM || rc == WSSEC_RC_INTERNAL) {
        *why = (struct wssec_refusal){rc == WSSEC_RC_NOMEM ? WSSEC_OUT_OF_MEMORY : WSSEC_INTERNAL, ""};
    } else if (why->reason == WSSEC_OK && !k->passed) {
        rc = WSSEC_RC_INTERNAL;
        *why = (struct wssec_refusal){WSSEC_INTERNAL, "a step was left out"};
    }
    show_extras(k);
    wssec_refusal_show(why, WSSEC_RC_OK, v);
    if (k->judge.opening != NULL) {
        wssec_opening_show(k->judge.opening, v);
    }
    wssec_explain_add(k->judge.explain, "engine", true, "%s%s%s",
                      v->engine == WSSEC_ENGINE_STREAM ? "in one pass" : "as a tree, by libxmlsec",
                      v->fallback[0] != '\0' ? ": one pass does not know " : "", v->fallback);
    wssec_explain_add(k->judge.explain, "verdict", why->reason == WSSEC_OK, "%s%s%s", wssec_reason_code(why->reason),
                      why->detail[0] != '\0' ? ": " : "", why->detail);
    return rc;
}
