/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.c: the judgement of one message, step by step in a fixed order; the first cause decides. Only this file turns
 * the absence of a refusal into a pass, and it does so at one place.
 */
#include <openssl/err.h>
#include <string.h>

#include "base/time.h"
#include "wssec/confirm.h"
#include "wssec/cross.h"
#include "wssec/early.h"
#include "wssec/open.h"
#include "wssec/stream.h"
#include "wssec/times.h"
#include "wssec/usertoken.h"
#include "wssec/worker.h"

#define FAULT_MAX ((size_t)65536)

struct signature { /* one ds:Signature of our header on its way */
    struct wssec_siginfo info;
    struct wssec_signer signer;
    struct wssec_source source[WSSEC_MAX_REFERENCES];
    uint8_t replay_key[32];
};

struct work { /* one call; in the arena */
    struct wssec_judge judge;
    const struct wssec_input *whole; /* judge.input may be its header alone for a while */
    struct wssec_security security;
    struct wssec_timestamp timestamp;
    struct wssec_user_token user;
    struct signature *signature[WSSEC_SIGNATURES];
    struct wssec_cover cover[WSSEC_SIGNATURES];
    unsigned n;
    unsigned decisive;
    bool passed; /* every step was taken and none refused */
};

static bool stopped(const struct work *k)
{
    return k->judge.why->reason != WSSEC_OK;
}

static void cut(char *out, size_t size, const char *text)
{
    size_t n = strlen(text);
    n = n < size ? n : size - 1;
    memcpy(out, text, n);
    out[n] = '\0';
}

/* ---- steps ----------------------------------------------------------------------------------------------------- */

/* The one door for a message without signature: a reply that says "fault", as the policy allows it. */
static bool is_unsigned_fault(const struct work *k)
{
    const struct wssec_judge *j = &k->judge;
    return (j->policy->allow & WSSEC_ALLOW_UNSIGNED_FAULTS) != 0 && j->input->response &&
           j->input->http_status >= 400 && j->message->security == NULL && j->message->is_fault &&
           j->message->scan.octets <= FAULT_MAX;
}

static size_t octets_of(const struct wssec_input *in)
{
    size_t n = 0;
    for (size_t i = 0; i < in->n_slice; i++) {
        n = in->slice[i].n < SIZE_MAX - n ? n + in->slice[i].n : SIZE_MAX;
    }
    return n;
}

/* What Body holds is not known yet: it may be such a fault. */
static bool may_be_unsigned_fault(const struct work *k)
{
    return (k->judge.policy->allow & WSSEC_ALLOW_UNSIGNED_FAULTS) != 0 && k->judge.message->security == NULL;
}

static int step_message(struct work *k)
{
    struct wssec_judge *j = &k->judge;
    bool head = j->input != k->whole;
    /* who wants an explanation gets line numbers, which libxml2 alone keeps */
    int rc = head && j->walk != NULL && j->explain == NULL
                 ? wssec_message_read_front(j->worker, j->input, j->policy, j->message, j->why)
                 : wssec_message_read(j->worker, j->input, j->policy, j->message, j->why);
    j->verdict->soap = j->message->soap;
    j->verdict->is_fault = j->message->is_fault;
    j->verdict->security = j->message->security_at;
    j->verdict->header = j->message->header_at;
    if (rc == WSSEC_RC_OK && !stopped(k)) {
        wssec_explain_add(j->explain, "message", true, "SOAP 1.%d, %zu octets, %zu ids%s", j->message->soap % 10,
                          octets_of(k->whole), j->message->ids.n, head ? " in front of the content of Body" : "");
    }
    return rc;
}

static int step_security(struct work *k)
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

/* Shape and algorithms of every signature, before any cryptography. */
static int step_shape(struct work *k)
{
    struct wssec_judge *j = &k->judge;
    bool opened = j->opening != NULL && j->opening->began;
    for (unsigned i = 0; i < k->security.n_signature; i++) {
        struct signature *s = wssec_arena_take(&j->worker->arena, sizeof *s);
        if (s == NULL) {
            return WSSEC_RC_NOMEM;
        }
        int rc = wssec_siginfo_read(&j->reader, k->security.signature[i], &s->info);
        if (rc == WSSEC_RC_OK && j->why->reason == WSSEC_REFERENCE_UNRESOLVED && k->security.encrypted_first &&
            !opened) {
            wssec_security_sealed(&k->security, j->why);
        }
        if (rc != WSSEC_RC_OK || stopped(k)) {
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

static void show_references(struct work *k, const struct signature *s)
{
    struct wssec_verdict *v = k->judge.verdict;
    v->n_reference = 0;
    for (unsigned i = 0; i < s->info.n_reference && i < WSSEC_MAX_REFERENCES; i++) {
        struct wssec_reference_result *r = &v->reference[v->n_reference++];
        cut(r->uri, sizeof r->uri, (const char *)s->info.reference[i].uri);
        cut(r->digest, sizeof r->digest, s->info.reference[i].digest->word);
        r->judged = s->source[i].judged;
        r->ok = s->source[i].ok;
    }
}

static void show_signature(struct work *k, const struct signature *s)
{
    struct wssec_verdict *v = k->judge.verdict;
    cut(v->algorithm, sizeof v->algorithm, s->info.algorithm->word);
    cut(v->canonicalization, sizeof v->canonicalization, s->info.c14n->word);
    v->key_reference = s->signer.name.hint.kind;
    v->has_certificate = s->signer.matched != NULL;
    if (v->has_certificate) {
        wssec_certificate_fill(&v->certificate, s->signer.matched);
    }
    show_references(k, s);
}

/* What identifies this signature for the replay cache: the signer's key and what it signed, nothing that can be varied.
 */
static int replay_key(struct work *k, struct signature *s)
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

static bool covers_timestamp(const struct work *k, const struct signature *s)
{
    for (unsigned i = 0; i < s->info.n_reference; i++) {
        if (k->timestamp.node != NULL && s->info.reference[i].target == k->timestamp.node) {
            return true;
        }
    }
    return false;
}

static int step_signer(struct work *k, struct signature *s)
{
    struct wssec_judge *j = &k->judge;
    int rc = wssec_signer_find(j, &s->info, &s->signer);
    if (s->signer.unknown_successor) {
        wssec_note(j->verdict, "unknown-successor");
    }
    if (rc != WSSEC_RC_OK || stopped(k)) {
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
    if (rc == WSSEC_RC_OK && !stopped(k)) {
        wssec_explain_add(j->explain, "certificate", true, "%.64s#%u is %s and within its dates", e->alias, e->ordinal,
                          wssec_state_word(e->state));
    }
    show_signature(k, s);
    return rc;
}

static void explain_references(struct work *k, const struct signature *s)
{
    struct wssec_judge *j = &k->judge;
    for (unsigned i = 0; i < s->info.n_reference && j->explain != NULL; i++) {
        char path[128];
        const struct wssec_reference *r = &s->info.reference[i];
        if (s->source[i].judged) {
            wssec_explain_add(j->explain, "reference", s->source[i].ok, "%.80s -> %s (line %ld): %s digest %s", r->uri,
                              wssec_path(r->target, path, sizeof path), xmlGetLineNo(r->target), r->digest->word,
                              s->source[i].ok ? "fits" : "differs");
        }
    }
}

static int step_references(struct work *k, struct signature *s)
{
    int rc = wssec_dom_references(&k->judge, &s->info, &s->signer, s->source);
    show_references(k, s);
    explain_references(k, s);
    return rc;
}

static int step_signatures(struct work *k)
{
    for (unsigned i = 0; i < k->n; i++) {
        struct signature *s = k->signature[i];
        int rc = step_signer(k, s);
        if (rc == WSSEC_RC_OK && !stopped(k)) {
            rc = step_references(k, s);
        }
        if (rc != WSSEC_RC_OK || stopped(k)) {
            return rc;
        }
        k->cover[i] = (struct wssec_cover){&s->info, &s->signer, s->source};
    }
    return WSSEC_RC_OK;
}

static void step_coverage(struct work *k)
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

static void step_confirmation(struct work *k)
{
    struct wssec_judge *j = &k->judge;
    size_t confirmed = 0;
    if (wssec_confirm_judge(j, &k->cover[k->decisive], &confirmed) == 0 && confirmed > 0) {
        wssec_explain_add(j->explain, "confirmation", true, "the reply confirms %zu signature(s) of its request",
                          confirmed);
    }
}

static void step_time(struct work *k)
{
    struct wssec_judge *j = &k->judge;
    if (wssec_timestamp_judge(j, &k->timestamp) == 0) {
        wssec_explain_add(j->explain, "timestamp", true,
                          k->timestamp.node != NULL ? "lifetime and age are within the policy"
                                                    : "none, and none is demanded");
    }
}

/* Last, so that only a message that passed everything else takes room in the cache. Every signature is claimed: a copy
 * with one of two signatures removed is a replay too. */
static void step_replay(struct work *k, const struct wssec_replay *c)
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
    if (k->user.has_nonce && !wssec_replay_claim(j, c, k->user.nonce_key, k->user.nonce_until, "the nonce of this UsernameToken")) {
        return;
    }
    wssec_explain_add(j->explain, "replay", true, "not seen before");
}

/* What is judged once every signature and its references are known to be good; the replay store is asked behind it. */
static int run_last(struct work *k)
{
    int rc = WSSEC_RC_OK;
    static void (*const last[])(struct work *) = {step_coverage, step_time, step_confirmation};
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++) {
        last[i](k);
        if (stopped(k)) {
            return rc;
        }
    }
    rc = wssec_user_token_judge(&k->judge, &k->security, &k->user);
    if (rc == WSSEC_RC_OK && !stopped(k) && k->judge.opening != NULL) {
        rc = k->judge.opening->behind(k->judge.opening, &k->judge, &k->cover[k->decisive]);
    }
    return rc;
}

static int run(struct work *k, const struct wssec_replay *c)
{
    int rc = step_message(k);
    if (rc != WSSEC_RC_OK || stopped(k)) {
        return rc;
    }
    if (is_unsigned_fault(k)) {
        wssec_note(k->judge.verdict, "unsigned-fault");
        k->passed = true;
        return WSSEC_RC_OK;
    }
    static int (*const steps[])(struct work *) = {step_security, step_shape, step_signatures};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        rc = steps[i](k);
        if (rc != WSSEC_RC_OK || stopped(k)) {
            return rc;
        }
    }
    rc = run_last(k);
    if (rc == WSSEC_RC_OK && !stopped(k)) {
        step_replay(k, c);
        k->passed = !stopped(k);
    }
    return rc;
}

/* ---- the call -------------------------------------------------------------------------------------------------- */

static void begin(struct wssec_verdict *v, const struct wssec_policy *p, const struct wssec_when *t,
                  const struct wssec_resolver *r)
{
    memset(v, 0, sizeof *v);
    v->t = t->at;
    v->time_source = t->source;
    v->generation = r->generation;
    v->engine = WSSEC_ENGINE_DOM;
    cut(v->policy, sizeof v->policy, wssec_policy_name(p));
}

/* Whoever reads the record learns that this message passes by an exception only, and until when. */
void wssec_exceptions_show(struct wssec_verdict *v, const struct wssec_policy *p, unsigned legacy)
{
    for (enum wssec_legacy l = 0; l < WSSEC_LEGACIES; l++) {
        if ((legacy & 1u << l) != 0 && v->n_legacy < sizeof v->legacy / sizeof v->legacy[0]) {
            char text[CS_TIME_TEXT];
            (void)cs_time_format(p->legacy_end[l], text);
            cut(v->legacy[v->n_legacy++], sizeof v->legacy[0], wssec_legacy_word(l));
            wssec_note(v, "legacy %s until %s", wssec_legacy_word(l), text);
        }
    }
}

static void show_extras(struct work *k)
{
    struct wssec_verdict *v = k->judge.verdict;
    const struct wssec_opening *o = k->judge.opening;
    wssec_exceptions_show(v, k->judge.policy, k->judge.legacy | (o != NULL ? o->legacy : 0));
    for (unsigned i = 0; i < k->n; i++) {
        const struct wssec_slice *s = &k->signature[i]->info.value;
        if (v->n_signature_values < sizeof v->signature_value_sha256 / sizeof v->signature_value_sha256[0] &&
            EVP_Digest(s->p, s->n, v->signature_value_sha256[v->n_signature_values], NULL, wssec_md("SHA256"), NULL) ==
                1) {
            v->n_signature_values++;
        }
    }
    v->n_signatures = k->security.n_signature;
}

static int finish(struct work *k, int rc, struct wssec_refusal *why)
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
    v->reason = why->reason;
    if (k->judge.opening != NULL) {
        wssec_opening_show(k->judge.opening, v);
    }
    cut(v->detail, sizeof v->detail, why->detail);
    switch (why->reason) {
    case WSSEC_OK: v->verdict = WSSEC_PASS; break;
    case WSSEC_OUT_OF_MEMORY:
    case WSSEC_INTERNAL:
    case WSSEC_ENGINE_DISAGREEMENT: v->verdict = WSSEC_ERROR; break;
    default: v->verdict = WSSEC_FAIL; break;
    }
    wssec_explain_add(k->judge.explain, "verdict", why->reason == WSSEC_OK, "%s%s%s", wssec_reason_code(why->reason),
                      why->detail[0] != '\0' ? ": " : "", why->detail);
    return rc;
}

/* A call's state over a message that is yet to be read into m. NULL: no memory */
static struct work *work_new(const struct wssec_judge *as, struct wssec_message *m)
{
    struct work *k = wssec_arena_take(&as->worker->arena, sizeof *k);
    if (k != NULL) {
        struct wssec_judge *j = &k->judge;
        *j = *as;
        k->whole = as->input;
        j->message = m;
        j->reader = (struct wssec_key_reader){&as->worker->arena, m, as->policy, as->when->at, &j->legacy, as->why};
    }
    return k;
}

/* No stored key fits: what the rest of the message cannot change. */
static bool nobody_signed(const struct wssec_refusal *why)
{
    return why->reason == WSSEC_SIGNATURE_MISMATCH || why->reason == WSSEC_CERTIFICATE_UNKNOWN;
}

/* Forget what was found so far: the message is judged once more. */
static void start_again(const struct wssec_judge *as, size_t explained)
{
    if (as->explain != NULL) {
        as->explain->n = explained;
    }
    *as->why = (struct wssec_refusal){WSSEC_OK, ""};
    begin(as->verdict, as->policy, as->when, as->resolver);
}

/*
 * A large message is asked for its signature before its Body is read. Only what the Body cannot change is taken for an
 * answer: that no stored key fits. Anything else, and every pass, comes from the whole message.
 * @return the refusal's work; NULL: judge the whole message
 */
static struct work *run_early(const struct wssec_judge *as, int *rc)
{
    struct wssec_worker *w = as->worker;
    size_t explained = as->explain != NULL ? as->explain->n : 0;
    size_t behind = 0;
    if (!wssec_early_large(as->input) || !wssec_early_text(as->input, &w->scratch, &behind)) {
        return NULL;
    }
    const struct wssec_slice head = {(const uint8_t *)w->scratch.data, w->scratch.len};
    struct wssec_input in = *as->input;
    in.slice = &head;
    in.n_slice = 1;
    struct wssec_judge with_head = *as;
    with_head.input = &in;
    struct work *k = work_new(&with_head, &w->second);
    if (k == NULL) {
        return NULL;
    }
    k->whole = as->input;
    static int (*const steps[])(struct work *) = {step_message, step_security, step_shape};
    *rc = WSSEC_RC_OK;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && *rc == WSSEC_RC_OK && !stopped(k); i++) {
        *rc = steps[i](k);
    }
    for (unsigned i = 0; i < k->n && *rc == WSSEC_RC_OK && !stopped(k); i++) {
        *rc = step_signer(k, k->signature[i]);
    }
    k->judge.input = as->input;
    if (*rc == WSSEC_RC_OK && nobody_signed(as->why)) {
        return k;
    }
    start_again(as, explained);
    return NULL;
}

/* ---- the stream engine ------------------------------------------------------------------------------------------- */

/* The header, from the text in front of Body's content alone. Refusals wait for what the rest of the message shows,
 * but for those of nobody_signed(). @return 0, or -1: it is not to be read on (refused, passed on or *rc) */
static int stream_header(struct work *k, struct wssec_stream *s, int *rc)
{
    struct wssec_judge *j = &k->judge;
    *rc = step_message(k);
    if (*rc != WSSEC_RC_OK || stopped(k)) {
        /* comments and the like can deceive who cuts the header out */
        enum wssec_reason reason = j->why->reason != WSSEC_XML_MALFORMED ? j->why->reason : WSSEC_OK;
        *rc = *rc == WSSEC_RC_OK ? wssec_stream_pass_on(s, reason, "head") : *rc;
        return -1;
    }
    if (j->message->scan.coding != WSSEC_CODING_UTF8 || may_be_unsigned_fault(k)) {
        *rc = wssec_stream_pass_on(s, WSSEC_OK, "head");
        return -1;
    }
    j->message->ids.asked = &s->asked;
    static int (*const steps[])(struct work *) = {step_security, step_shape};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && *rc == WSSEC_RC_OK && !stopped(k); i++) {
        *rc = steps[i](k);
    }
    if (k->security.encrypted != NULL) {
        (void)wssec_stream_pass_on(s, WSSEC_OK, "encrypted");
    }
    for (unsigned i = 0; i < k->n && *rc == WSSEC_RC_OK && !stopped(k); i++) {
        *rc = step_signer(k, k->signature[i]);
    }
    for (unsigned i = 0; i < k->n && *rc == WSSEC_RC_OK && !stopped(k) && s->cause == NULL; i++) {
        struct signature *x = k->signature[i];
        *rc = wssec_stream_references(j, s, &x->info, &x->signer, x->source);
        k->cover[i] = (struct wssec_cover){&x->info, &x->signer, x->source};
    }
    j->message->ids.asked = NULL;
    if (s->asked.missing) {
        (void)wssec_stream_pass_on(s, WSSEC_OK, "reference-in-body");
    }
    return *rc != WSSEC_RC_OK || s->cause != NULL || nobody_signed(j->why) ? -1 : 0;
}

static void stream_compare(struct work *k, const struct wssec_stream *s)
{
    for (unsigned i = 0; i < k->n && !stopped(k); i++) {
        struct signature *x = k->signature[i];
        wssec_stream_compare(&k->judge, s, &x->info, x->source);
        show_references(k, x);
        explain_references(k, x);
    }
}

/* The tree engine's opinion of the same message. Before the replay store is asked, so that a message refused here can
 * be sent again. */
static int cross_check(const struct wssec_judge *as, bool passes)
{
    struct wssec_verdict *other = wssec_arena_take(&as->worker->arena, sizeof *other);
    struct wssec_refusal why = {WSSEC_OK, ""};
    struct wssec_judge judge = *as;
    judge.verdict = other;
    judge.why = &why;
    judge.explain = NULL;
    struct work *k = other != NULL ? work_new(&judge, &as->worker->message) : NULL;
    if (k == NULL) {
        return WSSEC_RC_NOMEM;
    }
    begin(other, as->policy, as->when, as->resolver);
    int rc = run(k, NULL);
    if (rc == WSSEC_RC_OK && why.reason != WSSEC_LIMIT_DOM &&
        !wssec_cross_agree(as->verdict, passes, other, k->passed)) {
        const char *own = wssec_reason_code(as->why->reason);
        *as->why = (struct wssec_refusal){WSSEC_OK, ""};
        (void)wssec_refuse(as->why, WSSEC_ENGINE_DISAGREEMENT, "the stream engine says %s, the tree engine %s", own,
                           wssec_reason_code(why.reason));
    }
    return rc;
}

/* @return the judgement; NULL: the message is for the tree engine, and *cause says why */
static struct work *run_stream(const struct wssec_judge *as, const struct wssec_replay *c, int *rc, const char **cause)
{
    struct wssec_worker *w = as->worker;
    struct wssec_stream *s = wssec_stream_begin(w);
    size_t explained = as->explain != NULL ? as->explain->n : 0;
    size_t behind = 0;
    *cause = "head";
    if (s == NULL || octets_of(as->input) > as->policy->limits.body ||
        !wssec_early_text(as->input, &w->scratch, &behind)) {
        return NULL;
    }
    const struct wssec_slice head = {(const uint8_t *)w->scratch.data, w->scratch.len};
    struct wssec_input in = *as->input;
    in.slice = &head;
    in.n_slice = 1;
    struct wssec_judge with_head = *as;
    with_head.input = &in;
    with_head.walk = &s->walk;
    struct work *k = work_new(&with_head, &w->second);
    if (k == NULL) {
        return NULL;
    }
    k->whole = as->input;
    int on = stream_header(k, s, rc);
    k->judge.input = as->input;
    if (on == 0) {
        *rc = wssec_stream_body(&k->judge, s, behind, !stopped(k));
    }
    if (*rc == WSSEC_RC_OK && s->cause == NULL && on == 0 && !stopped(k)) {
        stream_compare(k, s);
        if (!stopped(k)) {
            *rc = run_last(k);
        }
    }
    if (*rc == WSSEC_RC_OK && s->cause != NULL) {
        *cause = s->cause;
        start_again(as, explained);
        if (s->reason == WSSEC_OK || octets_of(as->input) <= as->policy->limits.dom) {
            return NULL;
        }
        (void)wssec_refuse(as->why, s->reason, "%s; the message is too large for a second look", s->cause);
    }
    as->verdict->engine = WSSEC_ENGINE_STREAM;
    as->verdict->is_fault = k->judge.message->is_fault;
    if (*rc == WSSEC_RC_OK && wssec_cross_due(w, as->policy, as->when)) {
        *rc = cross_check(as, !stopped(k));
    }
    if (*rc == WSSEC_RC_OK && !stopped(k)) {
        step_replay(k, c);
        k->passed = !stopped(k);
    }
    return k;
}

static enum wssec_engine engine_of(const struct wssec_policy *p)
{
    if (wssec_forced_engine != WSSEC_ENGINE_AUTO) {
        return wssec_forced_engine;
    }
    return p->engine == WSSEC_POLICY_XMLSEC ? WSSEC_ENGINE_DOM : WSSEC_ENGINE_STREAM;
}

int wssec_verify(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                 const struct wssec_when *t, const struct wssec_resolver *r, const struct wssec_replay *c,
                 struct wssec_verdict *v, struct wssec_explain *x)
{
    return wssec_verify_opening(w, in, p, t, r, c, v, x, NULL);
}

int wssec_verify_opening(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                         const struct wssec_when *t, const struct wssec_resolver *r, const struct wssec_replay *c,
                         struct wssec_verdict *v, struct wssec_explain *x, struct wssec_opening *opening)
{
    struct wssec_refusal why = {WSSEC_OK, ""};
    begin(v, p, t, r);
    wssec_library_reset();
    wssec_arena_reset(&w->arena);
    const struct wssec_judge judge = {.worker = w,
                                      .input = in,
                                      .policy = p,
                                      .when = t,
                                      .resolver = r,
                                      .why = &why,
                                      .verdict = v,
                                      .explain = x,
                                      .opening = opening};
    int rc = WSSEC_RC_OK;
    const char *cause = NULL;
    /* what is opened is cut out of the tree */
    struct work *k = opening != NULL || engine_of(p) == WSSEC_ENGINE_DOM ? run_early(&judge, &rc) : run_stream(&judge, c, &rc, &cause);
    if (k == NULL) {
        cut(v->fallback, sizeof v->fallback, cause != NULL ? cause : "");
        k = work_new(&judge, &w->message);
        if (k == NULL) {
            v->verdict = WSSEC_ERROR;
            v->reason = WSSEC_OUT_OF_MEMORY;
            return WSSEC_RC_NOMEM;
        }
        rc = run(k, c);
    }
    rc = finish(k, rc, &why);
    wssec_message_reset(&w->second);
    wssec_message_reset(&w->message);
    ERR_clear_error(); /* what candidates left behind is nobody's business, TLS of the caller reads the same queue */
    return rc;
}
