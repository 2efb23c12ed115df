/* SPDX-License-Identifier: Apache-2.0 */
/*
 * detached.c: a signature beside the files that it is over: XAdES in an ASiC-E container, in the form of X-Road's
 * message log. Every place is absolute, as in a message: SignedProperties and Manifest count where XAdES puts them and
 * nowhere else, and a file that nothing signed may not lie among signed ones.
 */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "wssec/canon.h"
#include "wssec/hashchain.h"
#include "wssec/steps.h"

#define NS_XADES     "http://uri.etsi.org/01903/v1.3.2#"
#define TOKEN_MAX    ((size_t)65536)
#define INSTANT_TEXT 40

static const char *const ns_asic[] = {"http://uri.etsi.org/02918/v1.2.1#", "http://uri.etsi.org/02918/v1.1.1#",
                                      "http://uri.etsi.org/2918/v1.2.1#"};

struct detached {
    struct wssec_work *work;
    struct wssec_judge *judge;
    const struct wssec_container *in;
    struct wssec_signed *s;
    xmlNodePtr properties; /* SignedProperties */
    size_t message;        /* the part that must be covered, counted from 1 */
    bool *covered;         /* of the arena: by part */
    const char *absent;    /* signed in a Manifest or chain, and not in the container */
};

static bool stopped(const struct detached *d)
{
    return d->judge->why->reason != WSSEC_OK;
}

static int malformed(const struct detached *d, const char *what)
{
    (void)wssec_refuse(d->judge->why, WSSEC_SIGNATURE_MALFORMED, "%s", what);
    return WSSEC_RC_OK;
}

/* ---- the document ---------------------------------------------------------------------------------------------- */

/* XAdESSignatures with one ds:Signature in it. @return NULL and refused: anything else */
static xmlNodePtr signature_of(const struct detached *d)
{
    const struct wssec_message *m = d->judge->message;
    xmlNodePtr root = xmlDocGetRootElement(m->doc);
    xmlNodePtr signature = wssec_first_element(root);
    bool known = false;
    for (size_t i = 0; i < sizeof ns_asic / sizeof ns_asic[0]; i++) {
        known = known || wssec_is(root, ns_asic[i], "XAdESSignatures");
    }
    if (!known || m->scan.instructions_outside > 0 || !wssec_element_content(root, false)) {
        (void)malformed(d, "the signature file is not XAdESSignatures alone");
    } else if (signature == NULL) {
        (void)wssec_refuse(d->judge->why, WSSEC_NO_SIGNATURE, "XAdESSignatures holds no Signature");
    } else if (!wssec_is(signature, WSSEC_NS_DS, "Signature") || wssec_next_element(signature) != NULL) {
        (void)malformed(d, "XAdESSignatures holds something else than one Signature");
    }
    return stopped(d) ? NULL : signature;
}

static int read_document(struct detached *d)
{
    struct wssec_judge *j = d->judge;
    const struct wssec_input in = {.slice = &d->in->signature, .n_slice = 1};
    int rc = wssec_document_read(j->worker, &in, j->policy, j->message, j->why);
    if (rc == WSSEC_RC_OK && !stopped(d)) {
        rc = wssec_ids_build(&j->message->ids, j->message, j->policy->limits.ids, j->why);
    }
    xmlNodePtr signature = rc == WSSEC_RC_OK && !stopped(d) ? signature_of(d) : NULL;
    return signature != NULL ? wssec_siginfo_read(&j->reader, signature, &d->s->info) : rc;
}

/* Object: one QualifyingProperties of this Signature, whose first child is SignedProperties, among Manifests. */
static int find_properties(struct detached *d)
{
    const struct wssec_siginfo *s = &d->s->info;
    xmlNodePtr n = NULL;
    for (xmlNodePtr c = wssec_first_element(s->object); c != NULL; c = wssec_next_element(c)) {
        if (!wssec_is(c, WSSEC_NS_DS, "Manifest") && n != NULL) {
            return malformed(d, "Object holds something else than Manifests and one QualifyingProperties");
        }
        n = wssec_is(c, WSSEC_NS_DS, "Manifest") ? n : c;
    }
    const xmlChar *id = wssec_attr(s->node, NULL, "Id");
    const xmlChar *target = n != NULL ? wssec_attr(n, NULL, "Target") : NULL;
    d->properties = wssec_first_element(n);
    if (!wssec_is(n, NS_XADES, "QualifyingProperties") || !wssec_is(d->properties, NS_XADES, "SignedProperties")) {
        return malformed(d, "Object has no QualifyingProperties that begin with SignedProperties");
    }
    return id != NULL && target != NULL && target[0] == '#' && strcmp((const char *)target + 1, (const char *)id) == 0
               ? WSSEC_RC_OK
               : malformed(d, "QualifyingProperties are not those of this Signature");
}

/* What SignedInfo names: files, SignedProperties, Manifests of this Object; all as they stand. */
static int judge_places(struct detached *d)
{
    const struct wssec_siginfo *s = &d->s->info;
    bool properties = false;
    for (unsigned i = 0; i < s->n_reference; i++) {
        const struct wssec_reference *ref = &s->reference[i];
        bool manifest = wssec_is(ref->target, WSSEC_NS_DS, "Manifest") && ref->target->parent == s->object;
        properties = properties || ref->target == d->properties;
        if (ref->named && ref->file == 0) {
            (void)wssec_refuse(d->judge->why, WSSEC_REFERENCE_UNRESOLVED, "the container has no file \"%.100s\"",
                               ref->uri);
        } else if (!ref->named && ref->target != d->properties && !manifest) {
            (void)wssec_refuse(d->judge->why, WSSEC_WRAPPED_PART,
                               "\"%.100s\" is neither the SignedProperties nor a Manifest of this Signature", ref->uri);
        } else if (ref->str_transform || ref->enveloped) {
            (void)wssec_refuse(d->judge->why, WSSEC_TRANSFORM_FORBIDDEN, "\"%.100s\" with a transform of messages",
                               ref->uri);
        }
    }
    if (!properties) {
        (void)wssec_refuse(d->judge->why, WSSEC_PART_NOT_SIGNED, "SignedProperties are not signed");
    }
    return WSSEC_RC_OK;
}

/* SigningTime stands where a message has its Timestamp: an instant that the signature covers. */
static int read_signing_time(struct detached *d)
{
    const xmlNode *signature = wssec_first_element(d->properties);
    size_t n = 0;
    cs_time at = 0;
    d->work->timestamp.node = d->properties;
    for (const xmlNode *c = wssec_first_element(signature); c != NULL; c = wssec_next_element(c)) {
        const xmlChar *text = wssec_is(c, NS_XADES, "SigningTime") ? wssec_text(c, &n) : NULL;
        if (text != NULL && n < INSTANT_TEXT && cs_time_parse((const char *)text, &at) == 0) {
            d->work->timestamp.created = at;
        }
    }
    return WSSEC_RC_OK;
}

/* ---- digests --------------------------------------------------------------------------------------------------- */

static void show(struct detached *d, const xmlChar *uri, const struct wssec_digest_alg *alg, bool ok)
{
    struct wssec_verdict *v = d->judge->verdict;
    if (v->n_reference < WSSEC_MAX_REFERENCES) {
        struct wssec_reference_result *r = &v->reference[v->n_reference++];
        (void)cs_copy(r->uri, sizeof r->uri, (const char *)uri);
        (void)cs_copy(r->digest, sizeof r->digest, alg->word);
        r->judged = true;
        r->ok = ok;
    }
}

/* An envelope whose Body holds nothing, or one element with nothing in it, and no white space either: what a log
 * without bodies keeps is built anew, and looks so. */
static int body_is_gone(struct detached *d, bool *gone)
{
    struct wssec_judge *j = d->judge;
    struct wssec_refusal why = {WSSEC_OK, ""};
    struct wssec_message *m = &j->worker->second;
    const struct wssec_input in = {.slice = &d->in->part[d->message - 1].content, .n_slice = 1};
    int rc = wssec_document_read(j->worker, &in, j->policy, m, &why);
    *gone = false;
    if (rc == WSSEC_RC_OK && why.reason == WSSEC_OK && wssec_soap_read(m, &why) == 0) {
        const xmlNode *payload = m->body->children;
        *gone = payload == NULL || (payload->type == XML_ELEMENT_NODE && payload->next == NULL &&
                                    payload->children == NULL && payload->properties == NULL);
    }
    wssec_message_reset(m);
    return rc;
}

static int differs(struct detached *d, size_t file, const xmlChar *uri, const struct wssec_digest_alg *alg)
{
    bool gone = false;
    int rc = file == d->message ? body_is_gone(d, &gone) : WSSEC_RC_OK;
    if (gone) {
        (void)wssec_refuse(d->judge->why, WSSEC_BODY_NOT_ARCHIVED,
                           "the Body of %.100s is empty, and was not when it was signed", uri);
    }
    (void)wssec_refuse(d->judge->why, WSSEC_DIGEST_MISMATCH, "%.100s does not have its %s digest", uri, alg->word);
    return rc;
}

/* A file against what was signed of it. */
static int compare_file(struct detached *d, size_t file, const xmlChar *uri, const struct wssec_digest_alg *alg,
                        const uint8_t *value, bool *ok)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    const struct wssec_slice *content = &d->in->part[file - 1].content;
    if (EVP_Digest(content->p, content->n, digest, NULL, wssec_md(alg->evp), NULL) != 1) {
        return WSSEC_RC_NOMEM;
    }
    *ok = CRYPTO_memcmp(digest, value, alg->octets) == 0;
    d->covered[file - 1] = d->covered[file - 1] || *ok;
    return *ok ? WSSEC_RC_OK : differs(d, file, uri, alg);
}

static int compare_node(struct detached *d, const struct wssec_reference *ref, bool *ok)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *md = d->judge->worker->md;
    const struct wssec_canon c = {.node = ref->target, .mode = ref->c14n->libxml2_mode, .prefix = ref->prefix};
    if (EVP_DigestInit_ex(md, wssec_md(ref->digest->evp), NULL) != 1) {
        return WSSEC_RC_NOMEM;
    }
    int rc = wssec_canon_digest(&c, md);
    if (rc != WSSEC_RC_OK || EVP_DigestFinal_ex(md, digest, NULL) != 1) {
        return rc != WSSEC_RC_OK ? rc : WSSEC_RC_NOMEM;
    }
    *ok = CRYPTO_memcmp(digest, ref->value, ref->digest->octets) == 0;
    if (!*ok) {
        wssec_source_refuse(d->judge, ref);
    }
    return WSSEC_RC_OK;
}

static int compare_all(struct detached *d)
{
    const struct wssec_siginfo *s = &d->s->info;
    int rc = WSSEC_RC_OK;
    for (unsigned i = 0; i < s->n_reference && rc == WSSEC_RC_OK && !stopped(d); i++) {
        const struct wssec_reference *ref = &s->reference[i];
        bool *ok = &d->s->source[i].ok;
        rc = ref->named ? compare_file(d, ref->file, ref->uri, ref->digest, ref->value, ok) : compare_node(d, ref, ok);
        d->s->source[i].judged = rc == WSSEC_RC_OK;
    }
    wssec_step_compared(d->work, d->s);
    return rc;
}

/* One more file that is signed through a Manifest or a chain; it may be missing. */
static int compare_more(struct detached *d, size_t file, const xmlChar *uri, const struct wssec_digest_alg *alg,
                        const uint8_t *value)
{
    bool ok = false;
    if (file == 0) {
        d->absent = d->absent != NULL ? d->absent : (const char *)uri;
        return WSSEC_RC_OK;
    }
    int rc = compare_file(d, file, uri, alg, value, &ok);
    show(d, uri, alg, ok);
    wssec_explain_add(d->judge->explain, "reference", ok, "%.80s: %s digest %s", uri, alg->word,
                      ok ? "fits" : "differs");
    return rc;
}

static int judge_manifest(struct detached *d, xmlNodePtr node)
{
    struct wssec_siginfo *m = wssec_arena_take(&d->judge->worker->arena, sizeof *m);
    int rc = m != NULL ? wssec_manifest_read(&d->judge->reader, node, m) : WSSEC_RC_NOMEM;
    for (unsigned i = 0; rc == WSSEC_RC_OK && !stopped(d) && i < m->n_reference; i++) {
        const struct wssec_reference *ref = &m->reference[i];
        if (!ref->named) {
            (void)wssec_refuse(d->judge->why, WSSEC_REFERENCE_URI_FORBIDDEN, "\"%.100s\" in a Manifest is no file",
                               ref->uri);
        } else {
            rc = compare_more(d, ref->file, ref->uri, ref->digest, ref->value);
        }
    }
    return rc;
}

static int judge_chain(struct detached *d, size_t file)
{
    struct wssec_hashchain chain;
    int rc = wssec_hashchain_read(d->judge, file, &chain);
    if (rc != WSSEC_RC_OK || stopped(d) || !chain.is_one) {
        return rc;
    }
    wssec_explain_add(d->judge->explain, "hash-chain", true, "leads from the signature to %zu file(s)", chain.n_end);
    d->covered[chain.chain - 1] = true; /* its meaning is bound by the result */
    for (size_t i = 0; i < chain.n_end && rc == WSSEC_RC_OK && !stopped(d); i++) {
        const struct wssec_chained *e = &chain.end[i];
        rc = compare_more(d, e->file, e->uri, e->digest, e->value);
    }
    return rc;
}

/* Files that are signed by what SignedInfo names. */
static int compare_behind(struct detached *d)
{
    const struct wssec_siginfo *s = &d->s->info;
    int rc = WSSEC_RC_OK;
    for (unsigned i = 0; i < s->n_reference && rc == WSSEC_RC_OK && !stopped(d); i++) {
        const struct wssec_reference *ref = &s->reference[i];
        if (!ref->named && ref->target != d->properties) {
            rc = judge_manifest(d, ref->target);
        } else if (ref->named && ref->file != d->message) {
            rc = judge_chain(d, ref->file);
        }
    }
    return rc;
}

/* ---- what it means --------------------------------------------------------------------------------------------- */

/* The certificate that SignedProperties name is the one whose key fits: another one with this key did not sign. */
static int judge_certificate(struct detached *d)
{
    struct wssec_judge *j = d->judge;
    const struct wssec_slice *der = &d->s->signer.matched->der;
    const struct wssec_digest_alg *alg = NULL;
    uint8_t value[64];
    uint8_t digest[EVP_MAX_MD_SIZE];
    const xmlNode *named = NULL;
    for (const xmlNode *c = wssec_first_element(wssec_first_element(d->properties)); c != NULL;
         c = wssec_next_element(c)) {
        if (wssec_is(c, NS_XADES, "SigningCertificate") || wssec_is(c, NS_XADES, "SigningCertificateV2")) {
            named = wssec_first_element(wssec_first_element(c)); /* Cert, then CertDigest; the first is the signer's */
        }
    }
    if (named == NULL) {
        return WSSEC_RC_OK;
    }
    const xmlNode *method = wssec_first_element(named);
    const xmlNode *said = wssec_next_element(method);
    if (!wssec_is(named, NS_XADES, "CertDigest") || !wssec_is(method, WSSEC_NS_DS, "DigestMethod") ||
        !wssec_is(said, WSSEC_NS_DS, "DigestValue")) {
        return malformed(d, "SigningCertificate has no CertDigest");
    }
    int rc = wssec_digest_read(&j->reader, method, said, &alg, value);
    if (rc != WSSEC_RC_OK || stopped(d)) {
        return rc;
    }
    if (EVP_Digest(der->p, der->n, digest, NULL, wssec_md(alg->evp), NULL) != 1) {
        return WSSEC_RC_NOMEM;
    }
    if (CRYPTO_memcmp(digest, value, alg->octets) != 0) {
        (void)wssec_refuse(j->why, WSSEC_CERTIFICATE_UNKNOWN,
                           "SignedProperties name another certificate than the one whose key fits");
    }
    return WSSEC_RC_OK;
}

static void judge_coverage(struct detached *d)
{
    struct wssec_judge *j = d->judge;
    struct wssec_verdict *v = j->verdict;
    for (size_t i = 0; i < d->in->n_part; i++) {
        if (d->covered[i] && v->n_covers < WSSEC_MAX_REFERENCES) {
            (void)cs_copy(v->covers[v->n_covers++], sizeof v->covers[0], d->in->part[i].name);
        }
    }
    if (!d->covered[d->message - 1]) {
        (void)wssec_refuse(j->why, WSSEC_PART_NOT_SIGNED, "the signature does not cover %.100s", d->in->message);
    }
    for (size_t i = 0; i < d->in->n_part; i++) {
        if (!d->covered[i]) {
            (void)wssec_refuse(j->why, WSSEC_PART_NOT_SIGNED, "%.100s lies among signed files and nothing signed it",
                               d->in->part[i].name);
        }
    }
    if (d->absent != NULL) {
        (void)wssec_refuse(j->why, WSSEC_ATTACHMENT_MISSING,
                           "%.100s was signed and is not in the container; the message is as it was signed", d->absent);
    }
}

/* SignatureTimeStamp of UnsignedProperties: what it claims to be over is canonical SignatureValue. */
static int read_stamp(struct detached *d, struct wssec_stamped *stamp)
{
    const xmlNode *n = wssec_next_element(d->properties);
    int rc = WSSEC_RC_OK;
    n = wssec_is(n, NS_XADES, "UnsignedProperties") ? wssec_first_element(n) : NULL;
    n = wssec_is(n, NS_XADES, "UnsignedSignatureProperties") ? wssec_first_element(n) : NULL;
    while (n != NULL && !wssec_is(n, NS_XADES, "SignatureTimeStamp")) {
        n = wssec_next_element(n);
    }
    const struct wssec_c14n_alg *c14n = wssec_c14n_by_word("inclusive");
    const xmlNode *inside = wssec_first_element(n);
    if (wssec_is(inside, WSSEC_NS_DS, "CanonicalizationMethod")) {
        const xmlChar *uri = wssec_attr(inside, NULL, "Algorithm");
        c14n = uri != NULL && inside->children == NULL ? wssec_c14n_by_uri((const char *)uri) : NULL;
        inside = wssec_next_element(inside);
    }
    if (c14n == NULL || !wssec_is(inside, NS_XADES, "EncapsulatedTimeStamp")) {
        return WSSEC_RC_OK;
    }
    struct wssec_slice token = wssec_base64_content(&d->judge->worker->arena, inside, TOKEN_MAX, &rc);
    cs_buf *over = &d->judge->worker->scratch;
    const struct wssec_canon c = {.node = wssec_next_element(d->s->info.signed_info), .mode = c14n->libxml2_mode};
    cs_buf_reset(over);
    rc = rc == WSSEC_RC_OK && token.p != NULL ? wssec_canon_text(&c, over) : rc;
    if (rc == WSSEC_RC_OK && token.p != NULL) {
        *stamp = (struct wssec_stamped){token, {(const uint8_t *)over->data, over->len}};
    }
    return rc;
}

/* One token for many signatures: over a result whose chain leads to this one. A chain that does not proves nothing, and
 * is nothing against the message. */
static int read_batch_stamp(struct detached *d, struct wssec_stamped *stamp)
{
    const struct wssec_file *given = d->in->batch_stamped;
    const struct wssec_file part[] = {given[0], given[1], {"META-INF/signatures.xml", d->in->signature}};
    const struct wssec_container files = {.part = part, .n_part = sizeof part / sizeof part[0]};
    struct wssec_refusal aside = {WSSEC_OK, ""};
    struct wssec_judge j = *d->judge;
    struct wssec_hashchain chain;
    if (d->in->batch_token.p == NULL || given[0].content.p == NULL || given[1].content.p == NULL) {
        return WSSEC_RC_OK;
    }
    j.why = j.reader.why = &aside;
    j.reader.files = &files;
    int rc = wssec_hashchain_read(&j, 1, &chain);
    for (size_t i = 0; rc == WSSEC_RC_OK && aside.reason == WSSEC_OK && chain.is_one && i < chain.n_end; i++) {
        const struct wssec_chained *e = &chain.end[i];
        uint8_t digest[EVP_MAX_MD_SIZE];
        if (e->file != 3) {
            continue;
        }
        if (EVP_Digest(part[2].content.p, part[2].content.n, digest, NULL, wssec_md(e->digest->evp), NULL) != 1) {
            return WSSEC_RC_NOMEM;
        }
        if (CRYPTO_memcmp(digest, e->value, e->digest->octets) == 0) {
            *stamp = (struct wssec_stamped){d->in->batch_token, given[0].content};
        }
    }
    return rc;
}

/* ---- the call -------------------------------------------------------------------------------------------------- */

static int step_signer(struct detached *d)
{
    return wssec_step_signer(d->work, d->s);
}

static int judge(struct detached *d, struct wssec_stamped *stamp)
{
    struct wssec_judge *j = d->judge;
    static int (*const steps[])(struct detached *) = {read_document, find_properties,   judge_places, read_signing_time,
                                                      step_signer,   judge_certificate, compare_all,  compare_behind};
    d->s = wssec_arena_take(&j->worker->arena, sizeof *d->s);
    d->covered = wssec_arena_take(&j->worker->arena, (d->in->n_part + 1) * sizeof *d->covered);
    d->message = wssec_file_named(d->in, BAD_CAST d->in->message);
    if (d->s == NULL || d->covered == NULL) {
        return WSSEC_RC_NOMEM;
    }
    if (d->message == 0) {
        (void)wssec_refuse(j->why, WSSEC_CONTAINER_MALFORMED, "the container has no %.100s", d->in->message);
        return WSSEC_RC_OK;
    }
    d->work->signature[0] = d->s;
    d->work->n = d->work->security.n_signature = 1;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int rc = steps[i](d);
        if (rc != WSSEC_RC_OK || stopped(d)) {
            return rc;
        }
    }
    j->verdict->claimed = d->work->timestamp.created;
    judge_coverage(d);
    d->work->passed = !stopped(d);
    int rc = stamp != NULL ? read_stamp(d, stamp) : WSSEC_RC_OK;
    return rc == WSSEC_RC_OK && stamp != NULL && stamp->token.p == NULL ? read_batch_stamp(d, stamp) : rc;
}

int wssec_verify_detached(struct wssec_worker *w, const struct wssec_container *in, const struct wssec_policy *p,
                          const struct wssec_when *t, const struct wssec_resolver *r, struct wssec_verdict *v,
                          struct wssec_explain *x, struct wssec_stamped *stamp)
{
    struct wssec_refusal why = {WSSEC_OK, ""};
    const struct wssec_input none = {.slice = &in->signature, .n_slice = 1};
    wssec_verdict_begin(v, p, t, r);
    wssec_library_reset();
    wssec_arena_reset(&w->arena);
    if (stamp != NULL) {
        *stamp = (struct wssec_stamped){.token = {NULL, 0}};
    }
    const struct wssec_judge as = {
        .worker = w, .input = &none, .policy = p, .when = t, .resolver = r, .why = &why, .verdict = v, .explain = x};
    struct wssec_work *k = wssec_work_new(&as, &w->message);
    if (k == NULL) {
        v->verdict = WSSEC_ERROR;
        v->reason = WSSEC_OUT_OF_MEMORY;
        return WSSEC_RC_NOMEM;
    }
    k->judge.reader.files = in;
    struct detached d = {.work = k, .judge = &k->judge, .in = in};
    int rc = wssec_work_finish(k, judge(&d, stamp), &why);
    wssec_message_reset(&w->second);
    wssec_message_reset(&w->message);
    ERR_clear_error(); /* what candidates left behind is nobody's business */
    return rc;
}
